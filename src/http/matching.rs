//! Why nothing fitted, and what is near: the shapes that orders, quotes and refusals share.

use serde::Serialize;
use utoipa::ToSchema;

use super::money::{Amount, PriceText};
use super::time::Moment;
use crate::engine::matching::{Alternative, AlternativeKind, Draw, Shortage};
use crate::engine::order::Reason;
use crate::model::id::{ListingId, ProgramId};
use crate::model::{Code, RegionCode, SkuCode};

/// The least and the most.
#[derive(Debug, Serialize, ToSchema)]
pub struct RangeView {
    least: u32,
    most: u32,
}

/// Something near that would have filled.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlternativeView {
    kind: AlternativeKind,
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Code)]
    region: RegionCode,
    gpus: u32,
    start_at: Moment,
    duration_minutes: i64,
    average_price_per_gpu_hour: PriceText,
    value: Amount,
}

/// The constraint that bound, with its numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShortageView {
    constraint: Reason,
    /// For `capacity`: the most GPUs free on one site at the best permitted start.
    free_gpus: Option<u32>,
    /// For `capacity`: when the best site runs short.
    short_at: Option<Moment>,
    /// For `price`: the lowest average that would have filled.
    best_price_per_gpu_hour: Option<PriceText>,
    /// For `notice`: the earliest start that some listing accepts.
    earliest_start_at: Option<Moment>,
    /// For `limits`: order sizes in GPUs that some listing takes.
    gpus_range: Option<RangeView>,
    /// For `limits`: order lengths in hours that some listing takes.
    hours_range: Option<RangeView>,
    alternatives: Vec<AlternativeView>,
}

/// So many GPUs of one listing, for a window, at its ask.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllocationView {
    listing_id: ListingId,
    program_id: Option<ProgramId>,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    price_per_gpu_hour: PriceText,
}

impl From<&Draw> for AllocationView {
    fn from(one: &Draw) -> Self {
        Self {
            listing_id: one.listing,
            program_id: one.program,
            gpus: one.gpus,
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            price_per_gpu_hour: PriceText(one.price),
        }
    }
}

impl From<&Alternative> for AlternativeView {
    fn from(one: &Alternative) -> Self {
        Self {
            kind: one.kind,
            sku: one.sku.clone(),
            region: one.region.clone(),
            gpus: one.gpus,
            start_at: Moment(one.start),
            duration_minutes: one.minutes,
            average_price_per_gpu_hour: PriceText(one.price),
            value: Amount(one.value),
        }
    }
}

impl From<&Shortage> for ShortageView {
    fn from(one: &Shortage) -> Self {
        let range = |(least, most): (u32, u32)| RangeView { least, most };
        Self {
            constraint: one.constraint,
            free_gpus: one.free_gpus,
            short_at: one.short_at.map(Moment),
            best_price_per_gpu_hour: one.best_price.map(PriceText),
            earliest_start_at: one.earliest_start.map(Moment),
            gpus_range: one.gpus_range.map(range),
            hours_range: one.hours_range.map(range),
            alternatives: one.alternatives.iter().map(AlternativeView::from).collect(),
        }
    }
}
