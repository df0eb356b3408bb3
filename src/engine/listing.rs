//! A provider's public offer out of one pool, its limits and its life.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, PublishListing, Stamp};
use super::effect::Effects;
use super::refusal::Refusal;
use crate::model::id::{ListingId, OrgId, PoolId, ProgramId};
use crate::model::{Country, Gpus, Micros, Price, RegionCode, Segment, SkuCode, Window};
use crate::words;

words! {
    /// `draft -> live <-> sold_out`; `draft|live|sold_out -> withdrawn | expired`.
    ListingState {
        Draft = "draft",
        Live = "live",
        SoldOut = "sold_out",
        Withdrawn = "withdrawn",
        Expired = "expired",
    }
}

/// Which orders a listing takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderLimits {
    pub min_gpus: Option<Gpus>,
    pub max_gpus: Option<Gpus>,
    pub min_hours: Option<u32>,
    pub max_hours: Option<u32>,
    /// A block must start at least so long after it is ordered.
    pub notice_hours: Option<u32>,
}

/// Whom a listing is shown and sold to; an empty list means everyone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audience {
    pub segments: Vec<Segment>,
    pub countries: Vec<Country>,
}

/// A provider's public offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub id: ListingId,
    pub provider: OrgId,
    pub pool: PoolId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: Gpus,
    pub window: Window,
    pub price: Price,
    pub limits: OrderLimits,
    pub audience: Audience,
    pub program: Option<ProgramId>,
    pub state: ListingState,
    /// GPU-minutes of it that contracts and firm quotes have taken and not given back, completed ones
    /// included: what of it is still on offer cannot be told from live contracts alone.
    pub taken: i64,
    /// The number of the command that published it: the smaller, the older.
    pub published_seq: u64,
    pub created_at: Micros,
    /// Rises with every change but `taken`; the ETag.
    pub version: u32,
}

impl Engine {
    pub(super) fn publish_listing(
        &mut self,
        _at: &Stamp,
        _ask: PublishListing,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn release_listing(
        &mut self,
        _at: &Stamp,
        _id: ListingId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn reprice_listing(
        &mut self,
        _at: &Stamp,
        _id: ListingId,
        _expect: u32,
        _price: Price,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn withdraw_listing(
        &mut self,
        _at: &Stamp,
        _id: ListingId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    /// A listing's window has ended.
    pub(super) fn end_listing(&mut self, _at: &Stamp, _id: ListingId, _out: &mut Effects) {
        todo!()
    }
}
