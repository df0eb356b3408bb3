//! The pools of one SKU, and in which order they are looked into.
//!
//! Pools come in the order of their cheapest live listing, each when nothing that is there is
//! cheaper than that. When one's turn has come, its outline says what a block costs there at best,
//! in each part of a wide range of starts. The cheapest is looked into first, and none that cannot
//! be better than the best found so far.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, btree_set};
use std::iter::Peekable;

use super::Draw;
use super::cover::{self, Starts};
use super::search::{Found, Search, Sizes, up_to_lot};
use super::single::{Gaps, Take};
use crate::engine::capacity::{GRAIN, Lane, Rates};
use crate::model::id::PoolId;
use crate::model::{Minute, Price, SkuCode, Worth};

/// A range of starts is parted into so many at most.
const PARTS: i64 = 32;
/// Fewer changes of a pool's room in a range of starts make it a calm one. Nearly none in tests, so
/// that their small markets are weighed as busy ones are.
const CHANGES_CALM: usize = if cfg!(test) { 2 } else { 32 };
/// Blocks that touch more rows of an outline are weighed by the cheapest listing alone: it is
/// quicker to look.
const ROWS_WEIGHED: i64 = 128;

/// Some starts in one pool.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// A block costs at least so much here.
    bound: Worth,
    /// Whether the bound is the outline's; else it is that of the first live listing alone.
    is_weighed: bool,
    starts: Starts,
    /// The place of the pool's first live listing.
    first: (Price, u64),
    /// The place of the pool's yard.
    yard: usize,
}

/// The pools that were not let in yet, and how many of them may be.
struct Pools<'a> {
    lane: Peekable<btree_set::Iter<'a, (Price, u64, usize)>>,
    left: usize,
}

/// The order in which parts are looked into: the cheapest first, then the earliest, then the pool
/// whose first listing is. The last is the part's place on the slate.
type Turn = Reverse<(Worth, Minute, (Price, u64), usize)>;

/// What a search writes on. Kept from one search to the next, so that nothing is allocated anew;
/// nothing on it outlives its search.
#[derive(Debug, Default)]
pub(in crate::engine) struct Slate {
    parts: Vec<Part>,
    /// A heap, not a sorted list: few of many parts are looked into.
    turns: BinaryHeap<Turn>,
    rates: Rates,
    pub(super) gaps: Gaps,
    /// What was taken for the best block with a single start, and where that is.
    takes: Vec<Take>,
    taken_for: Option<(PoolId, Minute)>,
}

impl Slate {
    fn add(&mut self, part: Part) {
        let place = self.parts.len();
        self.turns.push(Reverse((part.bound, part.starts.earliest, part.first, place)));
        self.parts.push(part);
    }

    /// The draws of a block, when it was stacked on this slate.
    pub(super) fn draws_of(&self, found: &Found<'_>) -> Option<Vec<Draw>> {
        let is_it = self.taken_for == Some((found.yard.pool.id, found.start));
        is_it.then(|| {
            let mut draws: Vec<Draw> = Vec::with_capacity(self.takes.len());
            let mut mine = 0;
            for take in &self.takes {
                let offer = &found.yard.offers[take.place];
                let listing = offer.listing.id;
                if draws.last().is_some_and(|last| last.listing != listing) {
                    mine = draws.len();
                }
                cover::draw(&mut draws, mine, offer, take.window, take.gpus);
            }
            // What goes on is one draw, and the contract keeps them as long as it lives.
            draws.shrink_to_fit();
            // Stable: within one start the offers keep their order.
            draws.sort_by_key(|draw| draw.window.start());
            draws
        })
    }
}

impl<'a> Search<'a> {
    pub(super) fn best_of_sku(
        &self,
        code: &SkuCode,
        best: &mut Option<Found<'a>>,
        slate: &mut Slate,
    ) {
        let Some(lane) = self.lane(code) else { return };
        let Some(&(_, _, any)) = lane.first() else { return };
        let sku = &self.capacity.yards[any].sku;
        let (Some(starts), Some(sizes)) = (self.starts(sku), self.sizes(sku)) else { return };
        let mut pools = Pools { lane: lane.iter().peekable(), left: self.pools_max };
        slate.parts.clear();
        slate.turns.clear();
        loop {
            self.draw_up(&mut pools, sizes, starts, best, slate);
            let Some(Reverse((.., place))) = slate.turns.pop() else { break };
            let part = slate.parts[place];
            if self.is_beaten(&part, best, sizes) {
                // Those behind it are no cheaper.
                if best.is_some_and(|best| part.bound > best.worth) {
                    slate.turns.clear();
                }
                continue;
            }
            if !part.is_weighed {
                self.weigh(part, sizes, slate);
                continue;
            }
            let least = best.map_or(sizes.least, |best| up_to_lot(best.size, sku));
            let sizes = Sizes { least: least.max(sizes.least), ..sizes };
            let Some(found) = self.look(&part, sizes, best, slate) else { continue };
            if best.is_none_or(|best| found.beats(&best)) {
                *best = Some(found);
                let is_stacked = part.starts.is_single() && sizes.least == sizes.most;
                slate.taken_for = is_stacked.then_some((found.yard.pool.id, found.start));
                if is_stacked {
                    std::mem::swap(&mut slate.takes, &mut slate.gaps.takes);
                }
            }
        }
    }

    /// Lets in the pools whose turn may come before that of all that are there.
    fn draw_up(
        &self,
        pools: &mut Pools<'_>,
        sizes: Sizes,
        starts: Starts,
        best: &Option<Found<'a>>,
        slate: &mut Slate,
    ) {
        while let Some(&&(price, seq, yard)) = pools.lane.peek() {
            let bound = price.worth(sizes.most, self.minutes);
            if slate.turns.peek().is_some_and(|Reverse((first, ..))| *first < bound) {
                return;
            }
            let is_over = self.limit.is_some_and(|limit| price > limit)
                || self.is_settled(best, (price, seq), sizes, starts);
            if is_over || pools.left == 0 {
                pools.left = 0;
                return;
            }
            pools.lane.next();
            if !self.accepts_site(&self.capacity.yards[yard].pool) {
                continue;
            }
            pools.left -= 1;
            let first = (price, seq);
            let part = Part { bound, is_weighed: false, starts, first, yard };
            // One start is weighed as fast as it is noted.
            if starts.is_single() {
                self.weigh(part, sizes, slate);
            } else {
                slate.add(part);
            }
        }
    }

    /// The pools that may be looked into, by the place of their first live listing.
    fn lane(&self, code: &SkuCode) -> Option<&'a Lane> {
        match self.regions {
            [region] if !self.elsewhere => self.capacity.by_region.get(code)?.get(region),
            _ => self.capacity.by_price.get(code),
        }
    }

    /// Whether no pool whose first live listing is at this place, or at a later one, can be better.
    fn is_settled(
        &self,
        best: &Option<Found<'a>>,
        (price, seq): (Price, u64),
        sizes: Sizes,
        starts: Starts,
    ) -> bool {
        let Some(best) = best.filter(|best| best.size >= sizes.most) else { return false };
        let bound = price.worth(best.size, self.minutes);
        let later = best.start <= starts.earliest && seq > best.first_seq;
        best.size > sizes.most || bound > best.worth || (bound == best.worth && later)
    }

    /// Whether no block of this part can be better.
    fn is_beaten(&self, part: &Part, best: &Option<Found<'a>>, sizes: Sizes) -> bool {
        let Some(best) = best.filter(|best| best.size >= sizes.most) else { return false };
        let later = best.start < part.starts.earliest;
        part.bound > best.worth
            || (part.bound == best.worth && later)
            || self.is_settled(&Some(best), part.first, sizes, part.starts)
    }

    /// Notes what a block costs at best in one pool, part by part. A pool that has too little at
    /// all times is left out.
    fn weigh(&self, whole: Part, sizes: Sizes, slate: &mut Slate) {
        let Part { bound: plain, starts, .. } = whole;
        let yard = &self.capacity.yards[whole.yard];
        let whole = Part { is_weighed: true, ..whole };
        let range = starts.latest.since(starts.earliest);
        // Where little changes, to look costs less than to weigh all of a wide range.
        let is_calm =
            || yard.room.changes_within(starts.window()).take(CHANGES_CALM).count() < CHANGES_CALM;
        let rows = (range + self.minutes) / GRAIN;
        let is_worth_it =
            sizes.least == sizes.most && rows <= ROWS_WEIGHED && (starts.is_single() || !is_calm());
        let Some(outline) = yard.outline.as_ref().filter(|_| is_worth_it) else {
            slate.add(whole);
            return;
        };
        if starts.is_single() {
            if let Some(bound) = outline.bound(starts.window(), sizes.most) {
                slate.add(Part { bound: bound.max(plain), ..whole });
            }
            return;
        }
        outline.rates(starts.window(), sizes.most, &mut slate.rates);
        // Not much shorter than a block, or the same time would be looked into again and again.
        let least = GRAIN.max(range / PARTS).max(self.minutes);
        let step = least.div_euclid(GRAIN) * GRAIN;
        let mut earliest = starts.earliest;
        while earliest <= starts.latest {
            let next = earliest.plus(step - earliest.count().rem_euclid(GRAIN));
            let next = next.ceil_to(starts.slot_minutes);
            let slot = i64::from(starts.slot_minutes);
            let latest = starts.latest.min(next.plus(-slot));
            let least = slate.rates.least(earliest, latest, self.minutes);
            if let Some(bound) = least {
                let starts = Starts { earliest, latest, ..starts };
                slate.add(Part { bound: bound.max(plain), starts, ..whole });
            }
            earliest = next;
        }
    }

    /// The best block of one part.
    fn look(
        &self,
        part: &Part,
        sizes: Sizes,
        best: &Option<Found<'a>>,
        slate: &mut Slate,
    ) -> Option<Found<'a>> {
        let starts = part.starts;
        let yard = &self.capacity.yards[part.yard];
        if sizes.least < sizes.most {
            let (size, start, worth) = self.largest(yard, sizes, starts)?;
            let first_seq = self.first_seq(yard, size, start);
            return Some(Found { yard, size, start, worth, first_seq });
        }
        let size = sizes.most;
        let most = self.worth_max(size);
        let most = best.filter(|best| best.size == size).map_or(most, |it| most.min(it.worth));
        if starts.is_single() {
            return self.priced(yard, size, starts.earliest, most, slate);
        }
        let (start, worth) = self.fit(yard, size, starts, most)?;
        let first_seq = self.first_seq(yard, size, start);
        Some(Found { yard, size, start, worth, first_seq })
    }
}
