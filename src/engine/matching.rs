//! From an ask to the exact cheapest block: eligible listings, one site, every start that could be
//! cheapest.
//!
//! Knows capacity and prices. Knows no credit and no contracts, and changes nothing.

mod cover;
mod lane;
mod search;
mod shortage;
mod single;
mod stack;

use serde::{Deserialize, Serialize};

pub(super) use self::lane::Slate;
use self::search::Search;
pub(super) use self::stack::Stack;
use super::capacity::Capacity;
use super::order::Reason;
use crate::model::id::{ListingId, OrgId, PoolId, ProgramId};
use crate::model::{
    Country, Gpus, Minute, Money, Price, RegionCode, Schedule, Segment, SkuCode, Window, Worth,
};
use crate::words;

/// So many GPUs of one listing, for a window, at its ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    pub listing: ListingId,
    pub program: Option<ProgramId>,
    pub gpus: Gpus,
    pub window: Window,
    pub price: Price,
}

/// How many GPUs draws take over time.
pub(super) fn over_time(draws: &[Draw]) -> Schedule {
    let mut gpus = Schedule::empty();
    draws.iter().for_each(|draw| gpus.add(draw.window, i64::from(draw.gpus)));
    gpus
}

/// The cheapest block: one pool, one window, draws that add up to its GPUs at every instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub pool: PoolId,
    pub provider: OrgId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: Gpus,
    pub window: Window,
    /// The exact worth of all draws.
    pub worth: Worth,
    /// `worth`, floored once.
    pub value: Money,
    /// Ordered by start, then by price.
    pub draws: Vec<Draw>,
}

/// Who asks: what listings may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buyer {
    pub org: OrgId,
    pub segment: Option<Segment>,
    pub country: Country,
    /// Whether customers' resales will do. Not for a firm quote: they are not held for anybody.
    pub resales: bool,
}

/// An ask whose start has been resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub skus: &'a [SkuCode],
    /// Empty means any.
    pub regions: &'a [RegionCode],
    pub gpus: Gpus,
    pub min_gpus: Option<Gpus>,
    pub earliest: Minute,
    pub latest: Minute,
    pub minutes: i64,
    pub limit: Option<Price>,
}

words! {
    /// How an alternative differs from what was asked.
    AlternativeKind {
        LaterStart = "later_start",
        FewerGpus = "fewer_gpus",
        OtherRegion = "other_region",
        HigherPrice = "higher_price",
    }
}

/// Something near that would have filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    pub kind: AlternativeKind,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: Gpus,
    pub start: Minute,
    pub minutes: i64,
    /// The average price of that block.
    pub price: Price,
    pub value: Money,
}

/// Why nothing fitted: the constraint that bound, its numbers, and what is near.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    pub constraint: Reason,
    /// For `capacity`: the most GPUs free on one site throughout the block, at the best permitted
    /// start.
    pub free_gpus: Option<Gpus>,
    /// For `capacity` with a single start: the instant at which the best site runs short.
    pub short_at: Option<Minute>,
    /// For `price`: the lowest average that would have filled.
    pub best_price: Option<Price>,
    /// For `notice`: the earliest start that some listing would accept.
    pub earliest_start: Option<Minute>,
    /// For `limits`: the smallest and the largest order, in GPUs, that some listing takes.
    pub gpus_range: Option<(Gpus, Gpus)>,
    /// For `limits`: the shortest and the longest order, in hours, that some listing takes.
    pub hours_range: Option<(u32, u32)>,
    pub alternatives: Vec<Alternative>,
}

/// The cheapest block for `wanted`: lowest total worth, then earliest start, then the pool whose
/// first draw was published first. With `min_gpus`, the largest size that fits within the limit.
///
/// # Errors
/// The constraint that bound, with its numbers and the nearest feasible alternatives.
pub(super) fn cheapest(
    capacity: &Capacity,
    buyer: Buyer,
    wanted: Wanted<'_>,
    now: Minute,
    slate: &mut Slate,
) -> Result<Block, Box<Shortage>> {
    let search = Search::new(capacity, buyer, wanted, now);
    search.block(slate).ok_or_else(|| Box::new(shortage::explain(&search)))
}

/// As `cheapest`, of one pool, for a block that has a place there already: it cannot start at
/// another time nor be anywhere else.
///
/// # Errors
/// As `cheapest`.
pub(super) fn in_pool(
    capacity: &Capacity,
    buyer: Buyer,
    wanted: Wanted<'_>,
    pool: PoolId,
    now: Minute,
) -> Result<Block, Box<Shortage>> {
    let search = Search { pool: Some(pool), ..Search::new(capacity, buyer, wanted, now) };
    search.block(&mut Slate::default()).ok_or_else(|| {
        let mut shortage = shortage::explain(&search);
        shortage.alternatives.retain(|it| match it.kind {
            AlternativeKind::FewerGpus | AlternativeKind::HigherPrice => true,
            AlternativeKind::LaterStart | AlternativeKind::OtherRegion => false,
        });
        Box::new(shortage)
    })
}

/// As `cheapest`, without the reasons: for resting orders, which are tried often and explained
/// once.
pub(super) fn fill(
    capacity: &Capacity,
    buyer: Buyer,
    wanted: Wanted<'_>,
    now: Minute,
    slate: &mut Slate,
) -> Option<Block> {
    Search::new(capacity, buyer, wanted, now).block(slate)
}
