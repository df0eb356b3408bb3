//! `/v1/market`: what is free, at what price, and what was paid. Anonymous, and names nobody.
//!
//! Reads the published picture only; counts live offers that are open to everyone.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::money::{Amount, PriceText};
use super::page::{self, List};
use super::problem::Problem;
use super::query::Query;
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use super::{Door, kind, off_thread};
use crate::engine::capacity::{Free, Shelf};
use crate::engine::listing::ListingState;
use crate::model::{Code, Minute, Price, RegionCode, SkuCode, Window};
use crate::store::read::Trade;
use crate::view::View;

/// How much of the future one answer may span.
const SPAN_DAYS_MAX: i64 = 400;
const SPAN_DAYS_DEFAULT: i64 = 90;
const DAY: i64 = 24 * 60;

/// How fine an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Every change, to the minute.
    #[default]
    Exact,
    /// The least that is free throughout each UTC day.
    Day,
}

/// Which part of the market, over which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityQuery {
    #[param(value_type = Option<Code>)]
    sku: Option<SkuCode>,
    #[param(value_type = Option<Code>)]
    region: Option<RegionCode>,
    /// The present when left out.
    from: Option<Moment>,
    /// At most 400 days after `from`; 90 days after it when left out.
    to: Option<Moment>,
    #[serde(default)]
    #[param(inline, required = false)]
    granularity: Granularity,
}

/// Which book.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BookQuery {
    #[param(value_type = Code)]
    sku: SkuCode,
    #[param(value_type = Option<Code>)]
    region: Option<RegionCode>,
    /// The present when left out.
    from: Option<Moment>,
    /// What is free throughout from `from` to here; at `from` itself when left out.
    to: Option<Moment>,
}

/// Which trades.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TradesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    #[param(value_type = Option<Code>)]
    sku: Option<SkuCode>,
    #[param(value_type = Option<Code>)]
    region: Option<RegionCode>,
}

/// What is free in one market over a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AvailabilityView {
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Code)]
    region: RegionCode,
    start_at: Moment,
    end_at: Moment,
    /// On all sites of the region together.
    free_gpus: i64,
    /// The lowest ask among them; `null` when nothing is free.
    best_price_per_gpu_hour: Option<PriceText>,
}

/// The schedule of what is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    data: Vec<AvailabilityView>,
    /// The commit that this picture shows.
    as_of_commit: u64,
}

/// What is offered at one price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LevelView {
    price_per_gpu_hour: PriceText,
    gpus: i64,
    /// At this price and below.
    cumulative_gpus: i64,
}

/// The depth of a market: offers by price, cheapest first.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BookView {
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Option<Code>)]
    region: Option<RegionCode>,
    start_at: Moment,
    end_at: Moment,
    levels: Vec<LevelView>,
    /// The most that one site has: the largest block to be had.
    largest_block_gpus: i64,
}

/// One price at which capacity changed hands.
#[derive(Debug, Serialize, ToSchema)]
pub struct TradeView {
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Code)]
    region: RegionCode,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    average_price_per_gpu_hour: PriceText,
    value: Amount,
    traded_at: Instant,
}

/// A span as it was asked for.
#[derive(Debug)]
pub struct Span {
    pub from: Option<Moment>,
    pub to: Option<Moment>,
    pub now: Minute,
}

/// The window that a span means, within its bound.
pub fn span(asked: Span) -> Result<Window, Problem> {
    let from = asked.from.map_or(asked.now, |from| from.0);
    let to = asked.to.map_or_else(|| from.plus(SPAN_DAYS_DEFAULT * DAY), |to| to.0);
    let wrong = |detail: String| {
        Problem::new(&kind::INVALID_QUERY, detail.clone()).error("to", "out_of_bounds", detail)
    };
    let window = Window::new(from, to).ok_or_else(|| wrong("to lies after from.".to_owned()))?;
    if window.minutes() > SPAN_DAYS_MAX * DAY {
        return Err(wrong(format!("One answer spans at most {SPAN_DAYS_MAX} days.")));
    }
    Ok(window)
}

/// Whether everyone may see and buy it.
fn is_public(offer: &Free) -> bool {
    let audience = &offer.listing.audience;
    let is_open = audience.segments.is_empty() && audience.countries.is_empty();
    is_open && offer.listing.state == ListingState::Live
}

type Market = (SkuCode, RegionCode);

/// The pools of each market that was asked for.
fn markets(
    view: &View,
    sku: Option<&SkuCode>,
    region: Option<&RegionCode>,
) -> BTreeMap<Market, Vec<Arc<Shelf>>> {
    let mut markets: BTreeMap<Market, Vec<Arc<Shelf>>> = BTreeMap::new();
    for shelf in view.shelves.values() {
        let fits = sku.is_none_or(|sku| *sku == shelf.sku)
            && region.is_none_or(|region| *region == shelf.region);
        if fits {
            let market = (shelf.sku.clone(), shelf.region.clone());
            markets.entry(market).or_default().push(Arc::clone(shelf));
        }
    }
    markets
}

/// Something that changes in a pool at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// The room is now so much.
    Room(i64),
    /// So many more (or fewer) are free at this price.
    Free(Price, i64),
}

/// A pool as the sweep passes over it.
#[derive(Debug, Default)]
struct Site {
    room: i64,
    free: i64,
    by_price: BTreeMap<Price, i64>,
}

impl Site {
    fn take(&mut self, change: Change) {
        match change {
            Change::Room(room) => self.room = room,
            Change::Free(price, by) => {
                self.free += by;
                let level = self.by_price.entry(price).or_insert(0);
                *level += by;
                if *level == 0 {
                    self.by_price.remove(&price);
                }
            }
        }
    }

    /// What can be sold: no more than there is room for, whatever is offered.
    fn sellable(&self) -> i64 {
        self.free.min(self.room).max(0)
    }

    fn best(&self) -> Option<Price> {
        let first = self.by_price.first_key_value().map(|(price, _)| *price);
        first.filter(|_| self.sellable() > 0)
    }
}

/// One step of the merged schedule, from here on.
type Step = (Minute, i64, Option<Price>);

/// Sweeps over the pools of one market once, in the order of time.
fn sweep(shelves: &[Arc<Shelf>], window: Window) -> Vec<Step> {
    let mut changes: Vec<(Minute, usize, Change)> = Vec::new();
    for (place, shelf) in shelves.iter().enumerate() {
        for stretch in shelf.room.within(window) {
            changes.push((stretch.window.start(), place, Change::Room(stretch.count)));
        }
        for offer in shelf.offers.iter().filter(|offer| is_public(offer)) {
            let price = offer.listing.price;
            let stretches = offer.free.within(window).filter(|stretch| stretch.count > 0);
            for stretch in stretches {
                changes.push((stretch.window.start(), place, Change::Free(price, stretch.count)));
                changes.push((stretch.window.end(), place, Change::Free(price, -stretch.count)));
            }
        }
    }
    changes.sort_unstable();
    let mut sites: Vec<Site> = Vec::new();
    sites.resize_with(shelves.len(), Site::default);
    let mut total = 0;
    let mut best: BTreeMap<Price, usize> = BTreeMap::new();
    let mut steps: Vec<Step> = vec![(window.start(), 0, None)];
    for group in changes.chunk_by(|one, next| one.0 == next.0) {
        for pool in group.chunk_by(|one, next| one.1 == next.1) {
            let site = &mut sites[pool[0].1];
            total -= site.sellable();
            count_best(&mut best, site.best(), false);
            pool.iter().for_each(|(_, _, change)| site.take(*change));
            total += site.sellable();
            count_best(&mut best, site.best(), true);
        }
        let at = group[0].0;
        let price = best.first_key_value().map(|(price, _)| *price);
        push(&mut steps, (at, total, price), window);
    }
    steps
}

/// Enters or strikes one pool's best price.
fn count_best(best: &mut BTreeMap<Price, usize>, price: Option<Price>, is_entered: bool) {
    let Some(price) = price else { return };
    let count = best.entry(price).or_insert(0);
    *count = if is_entered { *count + 1 } else { *count - 1 };
    if *count == 0 {
        best.remove(&price);
    }
}

/// Adds a step unless it changes nothing.
fn push(steps: &mut Vec<Step>, step: Step, window: Window) {
    if step.0 >= window.end() {
        return;
    }
    match steps.last_mut() {
        Some(last) if last.0 == step.0 => *last = step,
        Some(last) if (last.1, last.2) == (step.1, step.2) => {}
        _ => steps.push(step),
    }
}

/// The schedule of one market, spelled.
fn schedule(market: &Market, steps: &[Step], window: Window) -> Vec<AvailabilityView> {
    let ends = steps.iter().skip(1).map(|step| step.0).chain([window.end()]);
    let spell = |((from, free, price), end): (&Step, Minute)| AvailabilityView {
        sku: market.0.clone(),
        region: market.1.clone(),
        start_at: Moment(*from),
        end_at: Moment(end),
        free_gpus: *free,
        best_price_per_gpu_hour: price.map(PriceText),
    };
    steps.iter().zip(ends).map(spell).collect()
}

/// The least of each UTC day, and the best price at which that much was to be had on it.
fn by_day(steps: &[Step], window: Window) -> Vec<Step> {
    let mut days: Vec<Step> = Vec::new();
    let ends = steps.iter().skip(1).map(|step| step.0).chain([window.end()]);
    for ((from, free, price), end) in steps.iter().zip(ends) {
        let mut at = *from;
        while at < end {
            let midnight = at.floor_to(24 * 60);
            let day = midnight.max(window.start());
            match days.last_mut() {
                Some(last) if last.0 == day => {
                    last.1 = last.1.min(*free);
                    last.2 = [last.2, *price].into_iter().flatten().min();
                }
                _ => days.push((day, *free, *price)),
            }
            at = midnight.plus(DAY);
        }
    }
    days
}

/// What is free, and when
///
/// The schedule of each SKU and region: GPUs free on all sites together, and the best ask. With
/// `granularity=day` the least that is free throughout each UTC day.
#[utoipa::path(
    get, path = "/v1/market/availability", tag = "Market", security(()),
    params(AvailabilityQuery),
    responses((status = 200, description = "The schedule", body = ScheduleView)),
)]
pub async fn availability(query: Query<AvailabilityQuery>, door: Data<Door>) -> Reply {
    let AvailabilityQuery { sku, region, from, to, granularity } = query.0;
    let now = door.desk.clock().now().minute();
    let window = span(Span { from, to, now })?;
    let view = door.market()?;
    let as_of_commit = view.number;
    let data = off_thread(move || {
        let mut data = Vec::new();
        for (market, shelves) in markets(&view, sku.as_ref(), region.as_ref()) {
            let steps = sweep(&shelves, window);
            let steps =
                if granularity == Granularity::Day { by_day(&steps, window) } else { steps };
            data.extend(schedule(&market, &steps, window));
        }
        data
    });
    Ok(shown(&ScheduleView { data: data.await?, as_of_commit }))
}

/// The depth of the book
///
/// What is offered at each price, at an instant or throughout a window.
#[utoipa::path(
    get, path = "/v1/market/book", tag = "Market", security(()),
    params(BookQuery),
    responses((status = 200, description = "The levels, cheapest first", body = BookView)),
)]
pub async fn book(query: Query<BookQuery>, door: Data<Door>) -> Reply {
    let BookQuery { sku, region, from, to } = query.0;
    let now = door.desk.clock().now().minute();
    let from = from.unwrap_or(Moment(now));
    let to = to.unwrap_or(Moment(from.0.plus(1)));
    let window = span(Span { from: Some(from), to: Some(to), now })?;
    let view = door.market()?;
    Ok(shown(&off_thread(move || depth(&view, sku, region, window)).await?))
}

/// Counts what is free throughout a window, level by level.
fn depth(view: &View, sku: SkuCode, region: Option<RegionCode>, window: Window) -> BookView {
    let mut levels: BTreeMap<Price, i64> = BTreeMap::new();
    let mut largest = 0;
    for shelf in markets(view, Some(&sku), region.as_ref()).values().flatten() {
        let mut room = shelf.room.min_over(window).max(0);
        let mut block = 0;
        // Cheapest first, as the matcher draws.
        for offer in shelf.offers.iter().filter(|offer| is_public(offer)) {
            let free = offer.free.min_over(window).clamp(0, room);
            if free > 0 {
                room -= free;
                block += free;
                *levels.entry(offer.listing.price).or_insert(0) += free;
            }
        }
        largest = largest.max(block);
    }
    let mut cumulative = 0;
    let level = |(price, gpus): (Price, i64)| {
        cumulative += gpus;
        LevelView { price_per_gpu_hour: PriceText(price), gpus, cumulative_gpus: cumulative }
    };
    let levels = levels.into_iter().map(level).collect();
    let (start_at, end_at) = (Moment(window.start()), Moment(window.end()));
    BookView { sku, region, start_at, end_at, levels, largest_block_gpus: largest }
}

/// The price history
///
/// What was paid, newest first, without names.
#[utoipa::path(
    get, path = "/v1/market/trades", tag = "Market", security(()),
    params(TradesQuery),
    responses((status = 200, description = "A page", body = List<TradeView>)),
)]
pub async fn trades(query: Query<TradesQuery>, door: Data<Door>) -> Reply {
    let TradesQuery { limit, cursor, sku, region } = query.0;
    let page = page::page("trade", limit, cursor.as_deref())?;
    let slice =
        door.read(move |reader| reader.trades(sku.as_ref(), region.as_ref(), &page)).await?;
    let view = |one: Trade| TradeView {
        sku: one.sku,
        region: one.region,
        gpus: one.gpus,
        start_at: Moment(one.window.start()),
        end_at: Moment(one.window.end()),
        average_price_per_gpu_hour: PriceText(one.average),
        value: Amount(one.value),
        traded_at: Instant(one.at),
    };
    Ok(shown(&page::list("trade", slice, |one| one.contract, view)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::listing::{Audience, Listing, OrderLimits};
    use crate::model::id::{ListingId, OrgId, PoolId};
    use crate::model::{Micros, Schedule, Segment};
    use uuid::Uuid;

    fn window(start: i64, end: i64) -> Window {
        Window::new(Minute::new(start), Minute::new(end)).expect("a window")
    }

    fn code(text: &str) -> Code {
        text.parse().expect("a code")
    }

    fn price(text: &str) -> Price {
        text.parse().expect("a price")
    }

    /// A pool with room for so many at all times, and offers of (GPUs, start, end, price).
    fn shelf(n: u128, room: i64, offers: &[(i64, i64, i64, &str)]) -> Arc<Shelf> {
        let offers = offers.iter().map(|&(gpus, start, end, ask)| Free {
            listing: Listing {
                id: ListingId::new(Uuid::from_u128(n)),
                provider: OrgId::new(Uuid::from_u128(n)),
                pool: PoolId::new(Uuid::from_u128(n)),
                sku: code("gb300"),
                region: code("id-batam"),
                gpus: 1,
                window: window(start, end),
                price: price(ask),
                limits: OrderLimits::default(),
                audience: Audience::default(),
                program: None,
                backstop_at: None,
                resale: None,
                state: ListingState::Live,
                taken: 0,
                published_seq: 1,
                created_at: Micros::default(),
                version: 1,
            },
            free: Schedule::flat(window(start, end), gpus),
        });
        Arc::new(Shelf {
            pool: PoolId::new(Uuid::from_u128(n)),
            provider: OrgId::new(Uuid::from_u128(n)),
            sku: code("gb300"),
            region: code("id-batam"),
            installed: Schedule::flat(window(0, 100_000), room),
            room: Schedule::flat(window(0, 100_000), room),
            offers: offers.collect(),
        })
    }

    fn steps(shelves: &[Arc<Shelf>], window: Window) -> Vec<(i64, i64, Option<String>)> {
        let spell = |(at, free, price): Step| (at.count(), free, price.map(|one| one.to_string()));
        sweep(shelves, window).into_iter().map(spell).collect()
    }

    fn at(from: i64, free: i64, ask: &str) -> (i64, i64, Option<String>) {
        (from, free, Some(ask.to_owned()))
    }

    #[test]
    fn pools_of_a_market_are_one_schedule() {
        let shelves = [
            shelf(1, 100, &[(40, 0, 300, "2.50"), (80, 120, 240, "2.00")]),
            shelf(2, 50, &[(30, 60, 600, "3.00")]),
        ];
        // From 120 on the first pool offers 120 and has room for 100 only.
        let expected = vec![
            at(0, 40, "2.50"),
            at(60, 70, "2.50"),
            at(120, 130, "2.00"),
            at(240, 70, "2.50"),
            at(300, 30, "3.00"),
            (600, 0, None),
        ];
        assert_eq!(steps(&shelves, window(0, 1_000)), expected);
        assert_eq!(steps(&shelves, window(130, 200)), vec![at(130, 130, "2.00")]);
        assert_eq!(steps(&[], window(0, 10)), vec![(0, 0, None)]);
    }

    #[test]
    fn what_is_not_open_to_everyone_is_not_counted() {
        let mut closed = shelf(1, 100, &[(40, 0, 300, "2.50")]);
        let shelf_of = Arc::get_mut(&mut closed).expect("the only one");
        shelf_of.offers[0].listing.audience.segments.push(Segment::Startup);
        assert_eq!(steps(&[closed], window(0, 10)), vec![(0, 0, None)]);
        let no_room = shelf(2, 0, &[(40, 0, 300, "2.50")]);
        assert_eq!(steps(&[no_room], window(0, 10)), vec![(0, 0, None)]);
    }

    #[test]
    fn a_day_has_its_least() {
        let shelves = [shelf(1, 100, &[(40, 0, 3 * DAY, "2.50"), (20, 60, DAY + 60, "2.00")])];
        let whole = window(0, 3 * DAY);
        let days = by_day(&sweep(&shelves, whole), whole);
        let spell = |(at, free, _): &Step| (at.count() / DAY, *free);
        let days: Vec<(i64, i64)> = days.iter().map(spell).collect();
        assert_eq!(days, vec![(0, 40), (1, 40), (2, 40)]);
    }

    #[test]
    fn depth_counts_what_lasts() {
        let mut view = View::default();
        for one in [
            shelf(1, 100, &[(80, 0, 300, "2.00"), (40, 0, 300, "2.50")]),
            shelf(2, 50, &[(30, 0, 200, "2.50"), (30, 100, 300, "2.75")]),
        ] {
            view.shelves.insert(one.pool, one);
        }
        let book = |from, to| {
            let book = depth(&view, code("gb300"), None, window(from, to));
            let level = |one: &LevelView| (one.price_per_gpu_hour.0.to_string(), one.gpus);
            (book.levels.iter().map(level).collect::<Vec<_>>(), book.largest_block_gpus)
        };
        let levels = |all: &[(&str, i64)]| {
            all.iter().map(|(ask, gpus)| ((*ask).to_owned(), *gpus)).collect::<Vec<_>>()
        };
        assert_eq!(book(0, 100), (levels(&[("2.00", 80), ("2.50", 50)]), 100));
        assert_eq!(book(0, 250), (levels(&[("2.00", 80), ("2.50", 20)]), 100));
        let both = levels(&[("2.00", 80), ("2.50", 50), ("2.75", 20)]);
        assert_eq!(book(100, 200), (both, 100));
        assert_eq!(book(400, 500), (levels(&[]), 0));
    }

    #[test]
    fn a_span_is_bounded() {
        let now = Minute::new(30_000_000);
        let ask = |from: Option<i64>, to: Option<i64>| {
            let moment = |by: i64| Moment(now.plus(by));
            span(Span { from: from.map(moment), to: to.map(moment), now }).ok()
        };
        assert_eq!(ask(None, None).map(Window::minutes), Some(90 * DAY));
        assert_eq!(ask(Some(0), Some(400 * DAY)).map(Window::minutes), Some(400 * DAY));
        assert_eq!(ask(Some(0), Some(400 * DAY + 1)), None);
        assert_eq!(ask(Some(5), Some(5)), None);
        assert_eq!(ask(Some(5), Some(4)), None);
    }
}
