//! The oracle: a small market as arrays of five-minute cells, searched by trying every size, every
//! pool and every start, and stacking listings cell by cell. Slow, and too simple to be wrong.

use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use crate::engine::capacity::{Capacity, Maintenance, Phase, Pool};
use crate::engine::catalogue::Sku;
use crate::engine::listing::{Audience, Listing, ListingState, OrderLimits};
use crate::engine::matching::{Buyer, Draw, Wanted};
use crate::engine::order::Reason;
use crate::model::id::{FactoryId, ListingId, OrgId, PoolId};
use crate::model::{Code, Gpus, Micros, Minute, Price, Segment, Window, Worth};

/// Minutes in a cell: every change in these markets is a multiple of it.
pub(super) const CELL: i64 = 5;
/// Cells in a market: eight hours.
pub(super) const CELLS: i64 = 96;
/// The first cell.
const DAWN: i64 = 30_000_000;
/// Minutes in the slots of the two SKUs, and their lots.
const SLOTS: [u32; 2] = [20, 40];
const LOTS: [Gpus; 2] = [2, 3];

pub(super) fn minute(cell: i64) -> Minute {
    Minute::new(DAWN + cell * CELL)
}

pub(super) fn cell(minute: Minute) -> i64 {
    (minute.count() - DAWN).div_euclid(CELL)
}

fn window(from: i64, length: i64) -> Option<Window> {
    Window::new(minute(from), minute((from + length).min(CELLS)))
}

pub(super) fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

pub(super) fn org(number: u8) -> OrgId {
    OrgId::new(Uuid::from_u128(u128::from(number)))
}

fn sku(kind: usize) -> Arc<Sku> {
    Arc::new(Sku {
        code: code(["aa", "bb"][kind]),
        gpu_model: "X".into(),
        memory_gib: 1,
        gpus_per_node: LOTS[kind],
        gpus_per_domain: LOTS[kind],
        interconnect: "none".into(),
        slot_minutes: SLOTS[kind],
        tick: price(1),
        watts_per_gpu: 1,
        created_at: Micros::new(0),
    })
}

/// Prices in halves, so that a limit may lie between two asks.
pub(super) fn price(halves: i64) -> Price {
    Price::from_micros(halves * 500_000).expect("a price")
}

/// A pool as drawn at random.
#[derive(Debug, Clone)]
pub(super) struct Site {
    kind: usize,
    region: usize,
    provider: u8,
    /// Lots, and the cell from which they are there.
    phases: Vec<(Gpus, i64)>,
    /// GPUs, and the cells for which they are away.
    away: Vec<(Gpus, i64, i64)>,
    offers: Vec<Offered>,
}

/// A listing as drawn at random.
#[derive(Debug, Clone)]
struct Offered {
    lots: Gpus,
    slot: i64,
    slots: i64,
    price: i64,
    age: u64,
    limits: OrderLimits,
    segments: Vec<Segment>,
    countries: Vec<&'static str>,
    state: ListingState,
    /// GPUs taken for so many cells after the listing's beginning.
    taken: Vec<(Gpus, i64, i64)>,
}

/// An order as drawn at random.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) skus: Vec<Code>,
    pub(super) regions: Vec<Code>,
    pub(super) gpus: Gpus,
    pub(super) min_gpus: Option<Gpus>,
    pub(super) earliest: i64,
    pub(super) latest: i64,
    pub(super) minutes: i64,
    pub(super) limit: Option<Price>,
    pub(super) buyer: Buyer,
    pub(super) now: Minute,
}

impl Wish {
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            skus: &self.skus,
            regions: &self.regions,
            gpus: self.gpus,
            min_gpus: self.min_gpus,
            earliest: minute(self.earliest),
            latest: minute(self.latest),
            minutes: self.minutes,
            limit: self.limit,
        }
    }
}

fn limits() -> impl Strategy<Value = OrderLimits> {
    let maybe = |range: std::ops::Range<u32>| prop::option::weighted(0.25, range);
    (maybe(1..4), maybe(2..7), maybe(1..3), maybe(1..4), maybe(0..4)).prop_map(
        |(min_gpus, max_gpus, min_hours, max_hours, notice_hours)| OrderLimits {
            min_gpus,
            max_gpus,
            min_hours,
            max_hours,
            notice_hours,
        },
    )
}

fn offered() -> impl Strategy<Value = Offered> {
    let segments = prop::collection::vec(
        prop::sample::select(&[Segment::Startup, Segment::Research][..]),
        0..2,
    );
    let countries = prop::collection::vec(prop::sample::select(&["ID", "AU"][..]), 0..2);
    let state = prop_oneof![
        12 => Just(ListingState::Live),
        1 => Just(ListingState::Draft),
        1 => Just(ListingState::Withdrawn),
    ];
    let taken = prop::collection::vec((1..6_u32, 0..CELLS, 1..CELLS / 2), 0..5);
    let core = (1..4_u32, 0..14_i64, 4..25_i64, 1..5_i64, 0..50_u64);
    let audience = (prop::option::weighted(0.2, segments), prop::option::weighted(0.2, countries));
    (core, prop::option::weighted(0.3, limits()), audience, state, taken).prop_map(
        |((lots, slot, slots, price, age), limits, (segments, countries), state, taken)| Offered {
            lots,
            slot,
            slots,
            price: price * 2,
            age,
            limits: limits.unwrap_or_default(),
            segments: segments.unwrap_or_default(),
            countries: countries.unwrap_or_default(),
            state,
            taken,
        },
    )
}

pub(super) fn sites() -> impl Strategy<Value = Vec<Site>> {
    let phases = prop::collection::vec((2..9_u32, 0..CELLS / 4), 1..3);
    let away = prop::collection::vec((1..6_u32, 0..CELLS, 1..CELLS / 4), 0..3);
    let offers = prop::collection::vec(offered(), 0..7);
    let site = (0..2_usize, 0..3_usize, 1..4_u8, phases, prop::option::weighted(0.3, away), offers)
        .prop_map(|(kind, region, provider, phases, away, offers)| Site {
            kind,
            region,
            provider,
            phases,
            away: away.unwrap_or_default(),
            offers,
        });
    prop::collection::vec(site, 1..6)
}

pub(super) fn wish() -> impl Strategy<Value = Wish> {
    let codes = |from: &'static [&'static str], least: usize| {
        prop::sample::subsequence(from, least..=from.len())
            .prop_map(|codes| codes.into_iter().map(code).collect::<Vec<Code>>())
    };
    let skus = prop_oneof![codes(&["aa", "bb"], 1), codes(&["aa", "bb"], 2)];
    let regions =
        prop_oneof![Just(Vec::new()), codes(&["r0", "r1", "r2"], 2), codes(&["r0", "r1", "r2"], 1)];
    let gpus = prop::sample::select(&[2, 3, 4, 5, 6, 6, 6, 8, 9, 12, 12, 18_u32][..]);
    let size = (gpus, prop::option::weighted(0.3, 1..10_u32));
    let slots = prop::sample::select(&[1, 2, 2, 3, 4, 4, 6, 8_i64][..]);
    let time = (0..16_i64, prop_oneof![Just(0), 0..22_i64], slots, 0..10_i64);
    let limit = prop::option::weighted(0.7, 2..11_i64);
    let segment = prop::option::of(prop::sample::select(&[Segment::Startup, Segment::Isv][..]));
    let who = (3..6_u8, segment, prop::sample::select(&["ID", "SG"][..]));
    (skus, regions, size, time, limit, who).prop_map(
        |(skus, regions, (gpus, least), (slot, range, slots, now), limit, (who, segment, at))| {
            Wish {
                skus,
                regions,
                gpus,
                min_gpus: least.map(|least| least.min(gpus)),
                earliest: slot * 4,
                latest: (slot + range) * 4,
                minutes: slots * 20,
                limit: limit.map(price),
                buyer: Buyer {
                    org: org(who),
                    segment,
                    country: at.parse().expect("a country"),
                    resales: true,
                },
                now: minute(now),
            }
        },
    )
}

/// One listing in cells.
#[derive(Debug)]
struct Shelf {
    listing: Listing,
    free: Vec<i64>,
}

/// One pool in cells.
#[derive(Debug)]
struct Floor {
    pool: Pool,
    kind: usize,
    room: Vec<i64>,
    offers: Vec<Shelf>,
}

/// The market in cells.
#[derive(Debug)]
pub(super) struct Naive {
    floors: Vec<Floor>,
}

/// The oracle's answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) pool: PoolId,
    pub(super) gpus: Gpus,
    pub(super) start: i64,
    pub(super) worth: Worth,
    pub(super) draws: Vec<(ListingId, Gpus, Window, Price)>,
}

fn cells(window: Window) -> std::ops::Range<usize> {
    let at = |minute| usize::try_from(cell(minute)).expect("within the market");
    at(window.start())..at(window.end())
}

fn least(row: &[i64], window: Window) -> i64 {
    row[cells(window)].iter().copied().min().expect("a window is never empty")
}

fn add(row: &mut [i64], window: Window, by: i64) {
    row[cells(window)].iter_mut().for_each(|count| *count += by);
}

/// The same market twice: as the engine keeps it, and in cells. What a rule would have refused is
/// left out.
pub(super) fn build(sites: &[Site], now: Minute) -> (Capacity, Naive) {
    let (mut capacity, mut naive) = (Capacity::default(), Naive { floors: Vec::new() });
    for (place, site) in sites.iter().enumerate() {
        let (floor, draws) = floor(place, site, now);
        capacity.add_pool(floor.pool.clone(), sku(site.kind));
        for shelf in &floor.offers {
            capacity.add_offer(shelf.listing.clone());
        }
        capacity.retake(floor.pool.id, &draws);
        naive.floors.push(floor);
    }
    assert_eq!(capacity.faults(now), Vec::<String>::new(), "the market is sound");
    (capacity, naive)
}

/// One pool, and the draws that contracts have on it.
fn floor(place: usize, site: &Site, now: Minute) -> (Floor, Vec<Draw>) {
    let lot = LOTS[site.kind];
    let cells = usize::try_from(CELLS).expect("few");
    let (mut installed, mut listed) = (vec![0; cells], vec![0; cells]);
    let phases: Vec<Phase> =
        site.phases.iter().map(|(lots, from)| Phase::new(lots * lot, minute(*from))).collect();
    for phase in &phases {
        let window = Window::new(phase.from, minute(CELLS)).expect("phases begin early");
        add(&mut installed, window, i64::from(phase.gpus));
    }
    let mut room = installed.clone();
    let (mut offers, mut draws) = (Vec::new(), Vec::new());
    let id = PoolId::new(Uuid::from_u128(100 + u128::try_from(place).expect("few")));
    for (number, offered) in site.offers.iter().enumerate() {
        let number = u64::try_from(place * 10 + number).expect("few");
        let Some(mut shelf) = shelf(id, site, offered, number) else { continue };
        let whole = shelf.listing.window;
        let gpus = i64::from(shelf.listing.gpus);
        let fits = |at: usize| listed[at] + gpus <= installed[at];
        if !self::cells(whole).all(fits) {
            continue;
        }
        add(&mut listed, whole, gpus);
        for draw in takes(&mut shelf, offered) {
            add(&mut room, draw.window, -i64::from(draw.gpus));
            draws.push(draw);
        }
        if offered.state == ListingState::Withdrawn {
            self::cells(whole).for_each(|at| listed[at] -= shelf.free[at]);
            continue;
        }
        let is_gone = shelf.free[self::cells(whole)]
            .iter()
            .zip(self::cells(whole))
            .all(|(free, at)| *free == 0 || minute(i64::try_from(at).expect("few") + 1) <= now);
        if is_gone && shelf.listing.state == ListingState::Live {
            shelf.listing.state = ListingState::SoldOut;
        }
        offers.push(shelf);
    }
    let mut maintenance = Vec::new();
    for (gpus, from, length) in &site.away {
        let Some(window) = window(*from, *length) else { continue };
        if least(&installed, window) < i64::from(*gpus) {
            continue;
        }
        add(&mut installed, window, -i64::from(*gpus));
        add(&mut room, window, -i64::from(*gpus));
        maintenance.push(Maintenance { window, gpus: *gpus, note: String::new() });
    }
    let pool = Pool {
        id,
        provider: org(site.provider),
        factory: FactoryId::new(Uuid::nil()),
        region: code(["r0", "r1", "r2"][site.region]),
        sku: sku(site.kind).code.clone(),
        phases,
        maintenance,
        created_at: Micros::new(0),
        version: 1,
    };
    (Floor { pool, kind: site.kind, room, offers }, draws)
}

fn shelf(pool: PoolId, site: &Site, offered: &Offered, number: u64) -> Option<Shelf> {
    let slot = i64::from(SLOTS[site.kind]) / CELL;
    let lot = LOTS[site.kind];
    let window = window(offered.slot * slot, offered.slots * slot)?;
    let gpus = offered.lots * lot;
    let listing = Listing {
        id: ListingId::new(Uuid::from_u128(1_000 + u128::from(number))),
        provider: org(site.provider),
        pool,
        sku: sku(site.kind).code.clone(),
        region: code(["r0", "r1", "r2"][site.region]),
        gpus,
        window,
        price: price(offered.price),
        limits: whole_lots(offered.limits, lot),
        audience: Audience {
            segments: offered.segments.clone(),
            countries: offered.countries.iter().map(|c| c.parse().expect("a country")).collect(),
        },
        program: None,
        backstop_at: None,
        resale: None,
        state: offered.state,
        taken: 0,
        published_seq: offered.age * 100 + number,
        created_at: Micros::new(0),
        version: 1,
    };
    let mut free = vec![0; usize::try_from(CELLS).expect("few")];
    add(&mut free, window, i64::from(gpus));
    Some(Shelf { listing, free })
}

/// The limits drawn as lots, as they may be published: in GPUs, the least not above the most.
fn whole_lots(drawn: OrderLimits, lot: Gpus) -> OrderLimits {
    let [min_gpus, max_gpus] = [drawn.min_gpus, drawn.max_gpus].map(|lots| lots.map(|n| n * lot));
    let max_gpus = max_gpus.max(min_gpus.filter(|_| max_gpus.is_some()));
    let max_hours = drawn.max_hours.max(drawn.min_hours.filter(|_| drawn.max_hours.is_some()));
    OrderLimits { min_gpus, max_gpus, max_hours, ..drawn }
}

/// Takes what fits of a listing, as contracts would have; nobody takes of a draft.
fn takes(shelf: &mut Shelf, offered: &Offered) -> Vec<Draw> {
    let mut draws = Vec::new();
    for (gpus, after, length) in &offered.taken {
        let whole = shelf.listing.window;
        let asked = window(cell(whole.start()) + after, *length);
        let Some(window) = asked.and_then(|asked| asked.overlap(whole)) else { continue };
        let is_free = least(&shelf.free, window) >= i64::from(*gpus);
        if !is_free || offered.state == ListingState::Draft {
            continue;
        }
        add(&mut shelf.free, window, -i64::from(*gpus));
        let (listing, price) = (shelf.listing.id, shelf.listing.price);
        draws.push(Draw { listing, program: None, gpus: *gpus, window, price });
    }
    draws
}

impl Naive {
    /// Every size from the largest, every pool, every start.
    pub(super) fn cheapest(&self, wish: &Wish) -> Option<Found> {
        let smallest = wish.min_gpus.unwrap_or(wish.gpus).max(1);
        (smallest..=wish.gpus).rev().find_map(|size| self.cheapest_of(wish, size))
    }

    /// The last hurdle that some listing meets; `Capacity` when one meets none.
    pub(super) fn furthest(&self, wish: &Wish) -> Reason {
        let accepted = self.floors.iter().filter(|floor| {
            wish.skus.contains(&floor.pool.sku)
                && (wish.regions.is_empty() || wish.regions.contains(&floor.pool.region))
        });
        let hurdles =
            accepted.flat_map(|floor| floor.offers.iter().map(|shelf| shelf.hurdle(wish, floor)));
        hurdles.max().unwrap_or(Reason::NoListing)
    }

    fn cheapest_of(&self, wish: &Wish, size: Gpus) -> Option<Found> {
        let mut best: Option<((Worth, i64, u64), Found)> = None;
        for floor in &self.floors {
            let slot = i64::from(SLOTS[floor.kind]);
            let accepts = wish.skus.contains(&floor.pool.sku)
                && (wish.regions.is_empty() || wish.regions.contains(&floor.pool.region))
                && size.is_multiple_of(LOTS[floor.kind])
                && wish.minutes % slot == 0;
            if !accepts {
                continue;
            }
            for start in wish.earliest..=wish.latest {
                if minute(start).count() % slot != 0 || minute(start) < wish.now {
                    continue;
                }
                let Some((found, seq)) = floor.block(wish, size, start) else { continue };
                let dear = |limit: Price| found.worth > limit.worth(size, wish.minutes);
                if wish.limit.is_some_and(dear) {
                    continue;
                }
                let rank = (found.worth, start, seq);
                if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                    best = Some((rank, found));
                }
            }
        }
        best.map(|(_, found)| found)
    }
}

impl Floor {
    /// The block at one start, cell by cell, and when its first draw was published.
    fn block(&self, wish: &Wish, size: Gpus, start: i64) -> Option<(Found, u64)> {
        let mut offers: Vec<&Shelf> =
            self.offers.iter().filter(|shelf| shelf.takes_part(wish, size, start)).collect();
        offers.sort_by_key(|shelf| (shelf.listing.price, shelf.listing.published_seq));
        let end = start + wish.minutes / CELL;
        if end > CELLS {
            return None;
        }
        let mut worth = Worth::ZERO;
        // Per offer: what was taken in the cell before.
        let mut last = vec![0_i64; offers.len()];
        let mut draws: Vec<(usize, ListingId, Gpus, Window, Price)> = Vec::new();
        for at in start..end {
            let place = usize::try_from(at).expect("a cell");
            let mut missing = i64::from(size);
            if self.room[place] < missing {
                return None;
            }
            for (rank, shelf) in offers.iter().enumerate() {
                let taken = missing.min(shelf.free[place]);
                missing -= taken;
                let here = Window::new(minute(at), minute(at + 1)).expect("a cell");
                let gpus = Gpus::try_from(taken).expect("few");
                worth = worth.plus(shelf.listing.price.worth(gpus, CELL));
                if taken > 0 && last[rank] == taken {
                    let draw = draws.iter_mut().rev().find(|draw| draw.0 == rank);
                    let draw = draw.expect("it goes on");
                    draw.3 = Window::new(draw.3.start(), here.end()).expect("longer");
                } else if taken > 0 {
                    draws.push((rank, shelf.listing.id, gpus, here, shelf.listing.price));
                }
                last[rank] = taken;
            }
            if missing > 0 {
                return None;
            }
        }
        draws.sort_by_key(|draw| (draw.3.start(), draw.0));
        let seq = offers[draws.first()?.0].listing.published_seq;
        let draws = draws.into_iter().map(|(_, id, gpus, when, ask)| (id, gpus, when, ask));
        let draws = draws.collect();
        Some((Found { pool: self.pool.id, gpus: size, start, worth, draws }, seq))
    }
}

impl Shelf {
    fn hurdle(&self, wish: &Wish, floor: &Floor) -> Reason {
        // A sold-out listing is judged as if it were live: what it lacks is capacity.
        let state = match self.listing.state {
            ListingState::SoldOut => ListingState::Live,
            other => other,
        };
        let listing = Listing { state, ..self.listing.clone() };
        let smallest = wish.min_gpus.unwrap_or(wish.gpus).max(1);
        let lot = LOTS[floor.kind];
        let passes = |limits: OrderLimits, audience: &Audience, start, lot| {
            let listing = Listing { limits, audience: audience.clone(), ..listing.clone() };
            let shelf = Shelf { listing, free: Vec::new() };
            let mut sizes = (smallest..=wish.gpus).filter(|size| size % lot == 0);
            sizes.any(|size| shelf.takes_part(wish, size, start))
        };
        let (limits, audience) = (listing.limits, &listing.audience);
        let told_early = OrderLimits { notice_hours: None, ..limits };
        let (none, all, late) = (OrderLimits::default(), Audience::default(), 10 * CELLS);
        let is_whole = wish.minutes % i64::from(SLOTS[floor.kind]) == 0;
        if !passes(none, &all, late, 1) {
            Reason::NoListing
        } else if !passes(none, audience, late, 1) {
            Reason::Segment
        } else if !is_whole || !passes(told_early, audience, late, lot) {
            Reason::Limits
        } else if !passes(limits, audience, wish.latest, lot) {
            Reason::Notice
        } else {
            Reason::Capacity
        }
    }

    fn takes_part(&self, wish: &Wish, size: Gpus, start: i64) -> bool {
        let listing = &self.listing;
        let asks = &listing.limits;
        let notice = i64::from(asks.notice_hours.unwrap_or(0)) * 60;
        let segments = &listing.audience.segments;
        let countries = &listing.audience.countries;
        listing.state == ListingState::Live
            && listing.provider != wish.buyer.org
            && (segments.is_empty() || wish.buyer.segment.is_some_and(|s| segments.contains(&s)))
            && (countries.is_empty() || countries.contains(&wish.buyer.country))
            && (asks.min_gpus.unwrap_or(0)..=asks.max_gpus.unwrap_or(Gpus::MAX)).contains(&size)
            && wish.minutes >= i64::from(asks.min_hours.unwrap_or(0)) * 60
            && wish.minutes <= i64::from(asks.max_hours.unwrap_or(u32::MAX)) * 60
            && minute(start).count() >= wish.now.count() + notice
    }
}
