//! Why nothing fitted, in numbers, and what near it would have: every alternative is a block that
//! was found.
//!
//! Bounded: so many pools and listings are looked at, cheapest first. In a larger market the
//! constraint and the alternatives speak of those.

use super::search::{Found, Search, Sizes};
use super::{Alternative, AlternativeKind, Shortage};
use crate::engine::capacity::{Offer, Yard};
use crate::engine::listing::{Listing, ListingState};
use crate::engine::order::Reason;
use crate::model::{Gpus, Minute, Worth, limits};

/// How far the listings of the accepted SKUs and regions came.
#[derive(Debug)]
struct Survey {
    /// The last hurdle that some listing met; `Capacity` when one met none.
    furthest: Reason,
    gpus_range: Option<(Gpus, Gpus)>,
    hours_range: Option<(u32, u32)>,
    earliest_start: Option<Minute>,
    /// So many listings may still be asked.
    left: usize,
}

/// Explains a search that found nothing.
pub(super) fn explain(asked: &Search<'_>) -> Shortage {
    let asked = Search { pools_max: limits::EXPLAINED_POOLS_MAX, ..*asked };
    let survey = survey(&asked);
    let mut shortage = Shortage {
        constraint: survey.furthest,
        free_gpus: None,
        short_at: None,
        best_price: None,
        earliest_start: None,
        gpus_range: None,
        hours_range: None,
        alternatives: Vec::new(),
    };
    let mut dearer = None;
    match survey.furthest {
        Reason::Limits => {
            shortage.gpus_range = survey.gpus_range;
            shortage.hours_range = survey.hours_range;
        }
        Reason::Notice => shortage.earliest_start = survey.earliest_start,
        Reason::Capacity => {
            let at_any_price = Search { limit: None, ..asked };
            dearer = at_any_price.best();
            if let Some(found) = dearer {
                shortage.constraint = Reason::Price;
                shortage.best_price = found.worth.average(found.size, asked.minutes);
            } else {
                let (free, short_at) = room(&at_any_price);
                shortage.free_gpus = Some(free);
                shortage.short_at = short_at;
            }
        }
        _ => {}
    }
    let kinds = [
        (AlternativeKind::LaterStart, later(&asked)),
        (AlternativeKind::FewerGpus, fewer(&asked).and_then(|search| search.best())),
        (AlternativeKind::OtherRegion, elsewhere(&asked).best()),
        (AlternativeKind::HigherPrice, dearer),
    ];
    let offered = kinds.into_iter().filter_map(|(kind, found)| Some((kind, found?)));
    shortage.alternatives =
        offered.map(|(kind, found)| alternative(kind, &found, asked.minutes)).collect();
    shortage
}

fn alternative(kind: AlternativeKind, found: &Found<'_>, minutes: i64) -> Alternative {
    Alternative {
        kind,
        sku: found.yard.pool.sku.clone(),
        region: found.yard.pool.region.clone(),
        gpus: found.size,
        start: found.start,
        minutes,
        price: found.worth.average(found.size, minutes).expect("a block has an average"),
        value: found.worth.floor().expect("what is affordable is an amount"),
    }
}

/// The pools of the accepted SKUs and regions that have a live listing, cheapest first.
fn yards<'a>(asked: &Search<'a>) -> impl Iterator<Item = &'a Yard> {
    let asked = *asked;
    let lanes = asked.skus.iter().filter_map(move |code| asked.capacity.by_price.get(code));
    lanes
        .flatten()
        .map(move |(_, _, index)| &asked.capacity.yards[*index])
        .filter(move |yard| asked.accepts_site(&yard.pool))
}

/// Asks every listing of the pools that have a live one, and of all others when that says too
/// little.
fn survey(asked: &Search<'_>) -> Survey {
    let mut survey = Survey {
        furthest: Reason::NoListing,
        gpus_range: None,
        hours_range: None,
        earliest_start: None,
        left: limits::EXPLAINED_LISTINGS_MAX,
    };
    yards(asked).for_each(|yard| survey.visit(asked, yard));
    if survey.furthest < Reason::Capacity {
        let has_live = |yard: &Yard| yard.offers.iter().any(is_live);
        let all = asked.capacity.yards.iter().filter(|yard| {
            asked.skus.contains(&yard.pool.sku) && asked.accepts_site(&yard.pool) && !has_live(yard)
        });
        all.for_each(|yard| survey.visit(asked, yard));
    }
    survey
}

fn is_live(offer: &Offer) -> bool {
    offer.listing.state == ListingState::Live
}

impl Survey {
    /// Asks the listings of one pool, those that are sold out too: what they lack is capacity.
    fn visit(&mut self, asked: &Search<'_>, yard: &Yard) {
        // An order of part of a lot or of a slot meets every listing of the SKU as one outside its
        // limits.
        let sizes = asked.sizes(&yard.sku);
        let is_whole = sizes.is_some() && asked.minutes % i64::from(yard.sku.slot_minutes) == 0;
        let tried = sizes.unwrap_or(Sizes { least: asked.most, most: asked.most });
        for offer in yard.offers.iter().take(self.left) {
            self.left -= 1;
            let listing = &offer.listing;
            let hurdle = match asked.mismatch(listing, tried) {
                None | Some(Reason::Notice) if !is_whole => Reason::Limits,
                None => Reason::Capacity,
                Some(hurdle) => hurdle,
            };
            if hurdle >= Reason::Limits {
                widen(&mut self.gpus_range, gpus_range(yard, listing));
                widen(&mut self.hours_range, hours_range(yard, listing));
            }
            if hurdle >= Reason::Notice {
                let opens = asked.opens(listing).ceil_to(yard.sku.slot_minutes);
                let before = self.earliest_start;
                self.earliest_start = Some(before.map_or(opens, |before| before.min(opens)));
            }
            self.furthest = self.furthest.max(hurdle);
        }
    }
}

fn widen<T: Ord + Copy>(range: &mut Option<(T, T)>, by: (T, T)) {
    *range = Some(range.map_or(by, |(least, most)| (least.min(by.0), most.max(by.1))));
}

/// The orders, in GPUs, that a listing takes part in.
fn gpus_range(yard: &Yard, listing: &Listing) -> (Gpus, Gpus) {
    let least = listing.limits.min_gpus.unwrap_or(yard.sku.gpus_per_node);
    let most = listing.limits.max_gpus.unwrap_or(listing.gpus);
    (least, most.max(least))
}

/// The orders, in hours, that a listing takes part in.
fn hours_range(yard: &Yard, listing: &Listing) -> (u32, u32) {
    let whole = u32::try_from(listing.window.minutes() / 60).unwrap_or(u32::MAX);
    let least = listing.limits.min_hours.unwrap_or(yard.sku.slot_minutes.div_ceil(60));
    (least, listing.limits.max_hours.unwrap_or(whole).max(least))
}

/// The most that could be had at any price, and with a single start the instant at which that pool
/// runs short.
fn room(asked: &Search<'_>) -> (Gpus, Option<Minute>) {
    let most = fewer(asked).and_then(|search| search.best());
    let free = most.map_or(0, |found| found.size);
    let site = most.map(|found| found.yard).or_else(|| yards(asked).next());
    let short_at = site.and_then(|yard| {
        let (starts, sizes) = (asked.starts(&yard.sku)?, asked.sizes(&yard.sku)?);
        let is_single = starts.earliest == starts.latest;
        let at_any_price = Worth::from_exact(i128::MAX);
        let cover = is_single.then(|| asked.cover(yard, sizes.least, starts, at_any_price));
        cover.flatten()?.short_at()
    });
    (free, short_at)
}

/// The same for fewer GPUs than the fewest asked for.
fn fewer<'a>(asked: &Search<'a>) -> Option<Search<'a>> {
    let most = asked.least.unwrap_or(asked.most).checked_sub(1)?;
    (most > 0).then_some(Search { least: Some(1), most, ..*asked })
}

/// The same in every region that was not accepted; nowhere when all were.
fn elsewhere<'a>(asked: &Search<'a>) -> Search<'a> {
    Search {
        elsewhere: true,
        skus: if asked.regions.is_empty() { &[] } else { asked.skus },
        ..*asked
    }
}

/// The same at the earliest later start.
fn later<'a>(asked: &Search<'a>) -> Option<Found<'a>> {
    let horizon = asked.now.plus(limits::HORIZON_MINUTES);
    let after = Search {
        earliest: asked.latest.plus(1),
        latest: asked.latest.plus(limits::LATER_START_MINUTES).min(horizon),
        ..*asked
    };
    let mut soonest: Option<Minute> = None;
    for yard in yards(asked).take(asked.pools_max) {
        // No later than the soonest so far.
        let until = Search { latest: soonest.unwrap_or(after.latest), ..after };
        let Some(starts) = until.starts(&yard.sku) else { continue };
        let Some(sizes) = until.sizes(&yard.sku) else { continue };
        soonest = until.earliest(yard, sizes, starts).or(soonest);
    }
    let start = soonest?;
    Search { earliest: start, latest: start, ..*asked }.best()
}
