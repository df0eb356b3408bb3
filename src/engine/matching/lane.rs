//! The pools of one SKU, and in which order they are looked into.
//!
//! Pools come in the order of their cheapest live listing, a handful at a time. Of each, and of each
//! part of a wide range of starts, its outline says what a block costs there at best; the cheapest
//! is looked into first, and none that cannot be better than the best block found so far.

use super::cover::Starts;
use super::search::{Found, Search, Sizes, up_to_lot};
use super::single::Gaps;
use crate::engine::capacity::{GRAIN, Lane, Rates, Yard};
use crate::model::{Price, SkuCode, Worth};

/// So many pools are weighed against each other at a time.
const WEIGHED: usize = 16;
/// A range of starts is parted into so many at most.
const PARTS: i64 = 32;
/// Blocks that touch more days are weighed by the cheapest listing alone: it is quicker to look.
const DAYS_WEIGHED: i64 = 128;

/// Some starts in one pool.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    /// A block costs at least so much here.
    bound: Worth,
    starts: Starts,
    /// The place of the pool's first live listing.
    first: (Price, u64),
    yard: &'a Yard,
}

/// What a search writes on, kept from one pool to the next.
#[derive(Debug, Default)]
pub(super) struct Slate<'a> {
    parts: Vec<Part<'a>>,
    rates: Rates,
    gaps: Gaps,
}

impl<'a> Search<'a> {
    pub(super) fn best_of_sku(
        &self,
        code: &SkuCode,
        best: &mut Option<Found<'a>>,
        slate: &mut Slate<'a>,
    ) {
        let Some(lane) = self.lane(code) else { return };
        let Some(&(_, _, any)) = lane.first() else { return };
        let sku = &self.capacity.yards[any].sku;
        let (Some(starts), Some(sizes)) = (self.starts(sku), self.sizes(sku)) else { return };
        let mut lane = lane.iter();
        let mut looked = 0;
        let mut is_over = false;
        while !is_over {
            slate.parts.clear();
            let mut weighed = 0;
            is_over = loop {
                let Some(&(price, seq, index)) = lane.next() else { break true };
                if self.limit.is_some_and(|limit| price > limit)
                    || self.is_settled(best, (price, seq), sizes, starts)
                {
                    break true;
                }
                let yard = &self.capacity.yards[index];
                if !self.accepts_region(&yard.pool.region) {
                    continue;
                }
                if looked == self.pools_max {
                    break true;
                }
                (looked, weighed) = (looked + 1, weighed + 1);
                self.weigh(yard, (price, seq), sizes, starts, slate);
                if weighed == WEIGHED {
                    break false;
                }
            };
            slate.parts.sort_unstable_by_key(|part| (part.bound, part.starts.earliest, part.first));
            for place in 0..slate.parts.len() {
                let part = slate.parts[place];
                if self.is_beaten(&part, best, sizes) {
                    continue;
                }
                let least = best.map_or(sizes.least, |best| up_to_lot(best.size, sku));
                let sizes = Sizes { least: least.max(sizes.least), ..sizes };
                let Some(found) = self.look(&part, sizes, best, slate) else { continue };
                if best.is_none_or(|best| found.beats(&best)) {
                    *best = Some(found);
                }
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
    fn is_beaten(&self, part: &Part<'_>, best: &Option<Found<'a>>, sizes: Sizes) -> bool {
        let Some(best) = best.filter(|best| best.size >= sizes.most) else { return false };
        let later = best.start < part.starts.earliest;
        part.bound > best.worth
            || (part.bound == best.worth && later)
            || self.is_settled(&Some(best), part.first, sizes, part.starts)
    }

    /// Notes what a block costs at best in one pool, part by part. A pool that has too little at
    /// all times is left out.
    fn weigh(
        &self,
        yard: &'a Yard,
        first: (Price, u64),
        sizes: Sizes,
        starts: Starts,
        slate: &mut Slate<'a>,
    ) {
        let plain = first.0.worth(sizes.most, self.minutes);
        let range = starts.latest.since(starts.earliest);
        let days = (range + self.minutes) / GRAIN;
        let outline = yard.outline.as_ref();
        let outline = outline.filter(|_| sizes.least == sizes.most && days <= DAYS_WEIGHED);
        let Some(outline) = outline else {
            slate.parts.push(Part { bound: plain, starts, first, yard });
            return;
        };
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
                slate.parts.push(Part { bound: bound.max(plain), starts, first, yard });
            }
            earliest = next;
        }
    }

    /// The best block of one part.
    fn look(
        &self,
        part: &Part<'a>,
        sizes: Sizes,
        best: &Option<Found<'a>>,
        slate: &mut Slate<'a>,
    ) -> Option<Found<'a>> {
        let &Part { starts, yard, .. } = part;
        let is_single = starts.earliest == starts.latest && sizes.least == sizes.most;
        if !is_single {
            let (size, start, worth) = self.largest(yard, sizes, starts)?;
            let first_seq = self.first_seq(yard, size, start);
            return Some(Found { yard, size, start, worth, first_seq });
        }
        let (size, start) = (sizes.most, starts.earliest);
        let most = self.worth_max(size);
        let most = best.filter(|best| best.size == size).map_or(most, |it| most.min(it.worth));
        self.priced(yard, size, start, most, &mut slate.gaps)
    }
}
