//! Which listings an order may draw from, and the best block of one pool.

use super::cover::{self, Cover, Starts};
use super::lane::Slate;
use super::single;
use super::{Block, Buyer, Draw, Wanted};
use crate::engine::capacity::{Capacity, Offer, Pool, Yard};
use crate::engine::catalogue::Sku;
use crate::engine::listing::{Listing, ListingState};
use crate::engine::order::Reason;
use crate::model::id::PoolId;
use crate::model::{Gpus, Minute, Money, Price, RegionCode, SkuCode, Window, Worth, limits};

/// One question to the market.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) capacity: &'a Capacity,
    pub(super) buyer: Buyer,
    pub(super) now: Minute,
    pub(super) skus: &'a [SkuCode],
    pub(super) regions: &'a [RegionCode],
    /// Look everywhere but in `regions`.
    pub(super) elsewhere: bool,
    /// Look into this pool only.
    pub(super) pool: Option<PoolId>,
    /// The size, or the largest when `least` is given.
    pub(super) most: Gpus,
    pub(super) least: Option<Gpus>,
    pub(super) earliest: Minute,
    pub(super) latest: Minute,
    pub(super) minutes: i64,
    pub(super) limit: Option<Price>,
    /// So many pools of each SKU are looked into.
    pub(super) pools_max: usize,
}

/// The sizes that may be tried in one pool, both whole lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) least: Gpus,
    pub(super) most: Gpus,
}

/// The best block of one pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) yard: &'a Yard,
    pub(super) size: Gpus,
    pub(super) start: Minute,
    pub(super) worth: Worth,
    /// When its first draw was published.
    pub(super) first_seq: u64,
}

impl Found<'_> {
    /// Larger, then cheaper, then earlier, then published first.
    pub(super) fn beats(&self, other: &Found<'_>) -> bool {
        let rank = |found: &Found<'_>| (found.worth, found.start, found.first_seq);
        self.size > other.size || (self.size == other.size && rank(self) < rank(other))
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(
        capacity: &'a Capacity,
        buyer: Buyer,
        wanted: Wanted<'a>,
        now: Minute,
    ) -> Self {
        Self {
            capacity,
            buyer,
            now,
            skus: wanted.skus,
            regions: wanted.regions,
            elsewhere: false,
            pool: None,
            most: wanted.gpus,
            least: wanted.min_gpus,
            earliest: wanted.earliest,
            latest: wanted.latest,
            minutes: wanted.minutes,
            limit: wanted.limit,
            pools_max: usize::MAX,
        }
    }

    /// The best block, drawn.
    pub(super) fn block(&self, slate: &mut Slate) -> Option<Block> {
        let found = self.best_on(slate)?;
        let draws = slate.draws_of(&found);
        let window = Window::lasting(found.start, self.minutes).expect("a block lasts");
        let again = || {
            let offers = self.eligible_at(found.yard, found.size, found.start);
            cover::draws(offers, found.size, window)
        };
        Some(drawn(found, window, draws.unwrap_or_else(again)))
    }

    /// The best block of all pools.
    pub(super) fn best(&self) -> Option<Found<'a>> {
        self.best_on(&mut Slate::default())
    }

    fn best_on(&self, slate: &mut Slate) -> Option<Found<'a>> {
        let mut best: Option<Found<'a>> = None;
        for (place, code) in self.skus.iter().enumerate() {
            if !self.skus[..place].contains(code) {
                self.best_of_sku(code, &mut best, slate);
            }
        }
        best
    }

    /// The starts to consider for a SKU; `None` when there are none or the duration is not in
    /// slots.
    pub(super) fn starts(&self, sku: &Sku) -> Option<Starts> {
        let slot_minutes = sku.slot_minutes;
        let earliest = self.earliest.max(self.now).ceil_to(slot_minutes);
        let latest = self.latest.floor_to(slot_minutes);
        let (minutes, slot) = (self.minutes, i64::from(slot_minutes));
        let is_whole = minutes > 0 && minutes % slot == 0;
        (is_whole && earliest <= latest).then_some(Starts {
            earliest,
            latest,
            minutes,
            slot_minutes,
        })
    }

    /// The sizes to consider for a SKU; `None` when there are none.
    pub(super) fn sizes(&self, sku: &Sku) -> Option<Sizes> {
        let lot = sku.gpus_per_node;
        let sizes = match self.least {
            None => {
                let is_whole = self.most.is_multiple_of(lot);
                return (is_whole && self.most > 0)
                    .then_some(Sizes { least: self.most, most: self.most });
            }
            Some(least) => {
                Sizes { least: up_to_lot(least.max(1), sku), most: self.most - self.most % lot }
            }
        };
        (sizes.least <= sizes.most).then_some(sizes)
    }

    pub(super) fn accepts_site(&self, pool: &Pool) -> bool {
        if self.pool.is_some_and(|only| only != pool.id) {
            return false;
        }
        let named = self.regions.contains(&pool.region);
        if self.elsewhere { !named } else { named || self.regions.is_empty() }
    }

    /// What keeps a listing out of this order, if anything does.
    pub(super) fn hurdle(&self, listing: &Listing, sizes: Sizes) -> Option<Reason> {
        if listing.state != ListingState::Live {
            return Some(Reason::NoListing);
        }
        self.mismatch(listing, sizes)
    }

    /// As `hurdle`, of a listing that may be sold out.
    pub(super) fn mismatch(&self, listing: &Listing, sizes: Sizes) -> Option<Reason> {
        let Buyer { org, segment, country, resales } = self.buyer;
        let is_barred = listing.resale.is_some_and(|it| !resales || it.reseller == org);
        if listing.provider == org || is_barred {
            return Some(Reason::NoListing);
        }
        let (segments, countries) = (&listing.audience.segments, &listing.audience.countries);
        let by_segment = segments.is_empty() || segment.is_some_and(|is| segments.contains(&is));
        if !by_segment || !(countries.is_empty() || countries.contains(&country)) {
            return Some(Reason::Segment);
        }
        let asks = &listing.limits;
        let fits_gpus = asks.min_gpus.is_none_or(|least| least <= sizes.most)
            && asks.max_gpus.is_none_or(|most| most >= sizes.least);
        let minutes = |hours: u32| i64::from(hours) * 60;
        let fits_hours = asks.min_hours.is_none_or(|least| minutes(least) <= self.minutes)
            && asks.max_hours.is_none_or(|most| minutes(most) >= self.minutes);
        if !fits_gpus || !fits_hours {
            return Some(Reason::Limits);
        }
        (self.opens(listing) > self.latest).then_some(Reason::Notice)
    }

    /// The first instant at which a block that is ordered now may start on this listing.
    pub(super) fn opens(&self, listing: &Listing) -> Minute {
        self.now.plus(i64::from(listing.limits.notice_hours.unwrap_or(0)) * 60)
    }

    /// The listings an order of `size` may draw from at some start, cheapest first.
    fn eligible(&self, yard: &'a Yard, size: Gpus) -> impl Iterator<Item = &'a Offer> {
        let sizes = Sizes { least: size, most: size };
        yard.offers.iter().filter(move |offer| self.hurdle(&offer.listing, sizes).is_none())
    }

    /// Those of them that may have something free in `window`.
    fn stocked(
        &self,
        yard: &'a Yard,
        size: Gpus,
        window: Window,
    ) -> impl Iterator<Item = (usize, &'a Offer)> {
        let sizes = Sizes { least: size, most: size };
        let outline = yard.outline.as_ref();
        let may_have = move |place| outline.is_none_or(|outline| outline.may_have(place, window));
        let offers = yard.offers.iter().enumerate();
        offers.filter(move |(place, offer)| {
            may_have(*place) && self.hurdle(&offer.listing, sizes).is_none()
        })
    }

    /// Those it may draw from when it starts at `start`.
    fn eligible_at(
        &self,
        yard: &'a Yard,
        size: Gpus,
        start: Minute,
    ) -> impl Iterator<Item = &'a Offer> {
        self.eligible(yard, size).filter(move |offer| self.opens(&offer.listing) <= start)
    }

    /// The most that a block of `size` may be worth: the limit, and what an amount can be at all.
    pub(super) fn worth_max(&self, size: Gpus) -> Worth {
        let largest = Worth::of(Money::from_micros(limits::AMOUNT_MAX));
        let limit = self.limit.map(|limit| limit.worth(size, self.minutes));
        limit.map_or(largest, |limit| limit.min(largest))
    }

    /// The cheapest block of `size` in one pool that is within the limit.
    fn affordable(
        &self,
        yard: &'a Yard,
        size: Gpus,
        starts: Starts,
    ) -> Option<(Gpus, Minute, Worth)> {
        let (start, worth) = self.fit(yard, size, starts, self.worth_max(size))?;
        Some((size, start, worth))
    }

    /// The cheapest block of the largest size in one pool. Between two sizes at which some
    /// listing's limits let it in or out, a smaller block is never dearer a GPU, so each such range
    /// is halved.
    pub(super) fn largest(
        &self,
        yard: &'a Yard,
        sizes: Sizes,
        starts: Starts,
    ) -> Option<(Gpus, Minute, Worth)> {
        let found = self.affordable(yard, sizes.most, starts);
        if found.is_some() || sizes.least == sizes.most {
            return found;
        }
        let ranges = self.by_limits(yard, sizes);
        ranges.into_iter().rev().find_map(|range| self.largest_within(yard, range, starts))
    }

    /// The sizes, parted where a listing's limits let it in or out: within a part all sizes meet
    /// the same listings.
    fn by_limits(&self, yard: &Yard, sizes: Sizes) -> Vec<Sizes> {
        let mut cuts = vec![sizes.least];
        for offer in &yard.offers {
            let over = offer.listing.limits.max_gpus.map(|most| most.saturating_add(1));
            cuts.extend(offer.listing.limits.min_gpus.into_iter().chain(over));
        }
        cuts.retain(|cut| (sizes.least..=sizes.most).contains(cut));
        cuts.sort_unstable();
        cuts.dedup();
        let lot = yard.sku.gpus_per_node;
        let ends = cuts.iter().skip(1).map(|cut| cut - 1).chain([sizes.most]);
        let part = |(&cut, end): (&Gpus, Gpus)| {
            let part = Sizes { least: up_to_lot(cut, &yard.sku), most: end - end % lot };
            (part.least <= part.most).then_some(part)
        };
        cuts.iter().zip(ends).filter_map(part).collect()
    }

    /// As `largest`, where all sizes meet the same listings.
    fn largest_within(
        &self,
        yard: &'a Yard,
        sizes: Sizes,
        starts: Starts,
    ) -> Option<(Gpus, Minute, Worth)> {
        let whole = self.affordable(yard, sizes.most, starts);
        if whole.is_some() || sizes.least == sizes.most {
            return whole;
        }
        let mut good = self.affordable(yard, sizes.least, starts)?;
        let lot = yard.sku.gpus_per_node;
        let mut bad = sizes.most;
        while bad - good.0 > lot {
            let middle = good.0 + (bad - good.0) / lot / 2 * lot;
            match self.affordable(yard, middle, starts) {
                Some(found) => good = found,
                None => bad = middle,
            }
        }
        Some(good)
    }

    /// The cheapest start of a block of `size` in one pool, and its worth, if at most `most`.
    pub(super) fn fit(
        &self,
        yard: &'a Yard,
        size: Gpus,
        starts: Starts,
        most: Worth,
    ) -> Option<(Minute, Worth)> {
        let window = starts.window();
        let offers = self.stocked(yard, size, window).map(|(_, offer)| offer);
        let mut offers = offers.filter(|offer| !offer.free.is_zero_over(window));
        let first = offers.next()?;
        // The cheapest listing alone, most often: nothing can cost less, and with all others dearer
        // nothing that costs the same can start earlier.
        let least = first.listing.price.worth(size, self.minutes);
        if least > most {
            return None;
        }
        let alone = self.fit_alone(yard, first, size, starts);
        let next = offers.next();
        if let Some(start) = alone {
            let is_rivalled = next.is_some_and(|next| next.listing.price == first.listing.price);
            if start == starts.earliest || !is_rivalled {
                return Some((start, least));
            }
        }
        next?;
        self.fit_stacked(yard, size, starts, most)
    }

    /// The block of `size` that starts at `start` in one pool, if it costs at most `most`.
    pub(super) fn priced(
        &self,
        yard: &'a Yard,
        size: Gpus,
        start: Minute,
        most: Worth,
        slate: &mut Slate,
    ) -> Option<Found<'a>> {
        let window = Window::lasting(start, self.minutes)?;
        let has_room = || yard.room_to_sell(window).min_over(window) >= i64::from(size);
        if yard.may_be_short(window) && !has_room() {
            return None;
        }
        let offers = self.stocked(yard, size, window);
        let offers = offers.filter(|(_, offer)| self.opens(&offer.listing) <= start);
        let priced = single::price(offers, size, window, most, &mut slate.gaps)?;
        Some(Found { yard, size, start, worth: priced.worth, first_seq: priced.first_seq })
    }

    /// The earliest start at which one listing fills the block alone.
    fn fit_alone(&self, yard: &Yard, offer: &Offer, size: Gpus, starts: Starts) -> Option<Minute> {
        let Starts { latest, minutes, slot_minutes, .. } = starts;
        let mut from = starts.earliest.max(self.opens(&offer.listing));
        let (asked, mut room) = (i64::from(size), None);
        loop {
            let start = offer.free.earliest_fit(from, latest, minutes, slot_minutes, asked)?;
            let window = Window::lasting(start, minutes)?;
            if !yard.may_be_short(window) {
                return Some(start);
            }
            let ahead = Window::new(start, latest.plus(minutes))?;
            let room = room.get_or_insert_with(|| yard.room_to_sell(ahead));
            from = room.earliest_fit(start, latest, minutes, slot_minutes, asked)?;
            if from == start {
                return Some(start);
            }
        }
    }

    /// The cheapest start when listings stack, if a block costs at most `most`.
    fn fit_stacked(
        &self,
        yard: &'a Yard,
        size: Gpus,
        starts: Starts,
        mut most: Worth,
    ) -> Option<(Minute, Worth)> {
        let mut best: Option<(Minute, Worth)> = None;
        for range in self.by_notice(yard, size, starts) {
            let Some(cover) = self.cover(yard, size, range, most) else { continue };
            let Some((start, worth)) = cover.cheapest(range) else { continue };
            if worth <= most && best.is_none_or(|(_, least)| worth < least) {
                best = Some((start, worth));
                most = worth;
            }
        }
        best
    }

    /// The earliest start, at whatever price within the limit, of a block in one pool.
    pub(super) fn earliest(&self, yard: &'a Yard, sizes: Sizes, starts: Starts) -> Option<Minute> {
        // Within a part the smallest block is the easiest to place.
        let parts = self.by_limits(yard, sizes).into_iter();
        parts.filter_map(|part| self.earliest_of(yard, part.least, starts)).min()
    }

    fn earliest_of(&self, yard: &'a Yard, size: Gpus, starts: Starts) -> Option<Minute> {
        self.by_notice(yard, size, starts).into_iter().find_map(|range| {
            let most = self.worth_max(size);
            let cover = self.cover(yard, size, range, most)?;
            cover.earliest_within(range, most).map(|(start, _)| start)
        })
    }

    /// What `size` GPUs of a pool cost over time, for starts that meet the same listings; `None`
    /// when every block costs more than `most`.
    pub(super) fn cover(
        &self,
        yard: &'a Yard,
        size: Gpus,
        starts: Starts,
        most: Worth,
    ) -> Option<Cover> {
        let window = starts.window();
        let offers = self.stocked(yard, size, window).map(|(_, offer)| offer);
        let offers = offers.filter(|offer| {
            self.opens(&offer.listing) <= starts.earliest && !offer.free.is_zero_over(window)
        });
        let rate = Worth::from_exact(most.exact().div_euclid(i128::from(self.minutes)));
        Cover::lay(yard, offers, size, window, rate)
    }

    /// The starts, parted where a listing's notice lets it in: within a part all starts meet the
    /// same listings.
    fn by_notice(&self, yard: &'a Yard, size: Gpus, starts: Starts) -> Vec<Starts> {
        if yard.offers.iter().all(|offer| self.opens(&offer.listing) <= starts.earliest) {
            return vec![starts];
        }
        let slot_minutes = starts.slot_minutes;
        let opens = |offer: &Offer| self.opens(&offer.listing).ceil_to(slot_minutes);
        let inside = |at: &Minute| starts.earliest < *at && *at <= starts.latest;
        let mut cuts: Vec<Minute> = self.eligible(yard, size).map(opens).filter(inside).collect();
        cuts.push(starts.earliest);
        cuts.sort_unstable();
        cuts.dedup();
        let slot = i64::from(slot_minutes);
        let next = cuts.iter().skip(1).map(|at| at.plus(-slot)).chain([starts.latest]);
        let part = |(&earliest, latest)| Starts { earliest, latest, ..starts };
        cuts.iter().zip(next).map(part).collect()
    }

    /// When the first draw of a block was published.
    pub(super) fn first_seq(&self, yard: &'a Yard, size: Gpus, start: Minute) -> u64 {
        let mut offers = self.eligible_at(yard, size, start);
        let first = offers.find(|offer| offer.free.at(start) > 0);
        first.expect("a block that fits draws from its start on").listing.published_seq
    }
}

/// A found block with its draws.
fn drawn(found: Found<'_>, window: Window, draws: Vec<Draw>) -> Block {
    let Found { yard, size, worth, .. } = found;
    Block {
        pool: yard.pool.id,
        provider: yard.pool.provider,
        sku: yard.pool.sku.clone(),
        region: yard.pool.region.clone(),
        gpus: size,
        window,
        worth,
        value: worth.floor().expect("what is affordable is an amount"),
        draws,
    }
}

/// The next multiple of the lot.
pub(super) fn up_to_lot(gpus: Gpus, sku: &Sku) -> Gpus {
    gpus.next_multiple_of(sku.gpus_per_node)
}
