//! A listing's life: what may be offered, its states, its place in the books and in the pool.

use super::fair::{Fair, listing, price, told};
use super::script::check;
use crate::engine::command::{Command, PublishListing};
use crate::engine::deadline::Due;
use crate::engine::effect::Effects;
use crate::engine::event::EventKind;
use crate::engine::ledger::Account;
use crate::engine::listing::ListingState;
use crate::engine::refusal::Refusal;
use crate::model::id::ProgramId;
use crate::model::{Country, Price, Segment, Window, limits};
use uuid::Uuid;

#[test]
fn states_change_along_the_table_only() {
    use ListingState::{Draft, Expired, Live, SoldOut, Withdrawn};
    let edges = [
        (Draft, Live),
        (Draft, Withdrawn),
        (Draft, Expired),
        (Live, SoldOut),
        (Live, Withdrawn),
        (Live, Expired),
        (SoldOut, Live),
        (SoldOut, Withdrawn),
        (SoldOut, Expired),
    ];
    for &from in ListingState::ALL {
        for &to in ListingState::ALL {
            assert_eq!(from.may_become(to), edges.contains(&(from, to)), "{from} to {to}");
        }
    }
}

#[test]
fn an_offer_that_cannot_be_is_refused() {
    type Spoil = fn(&mut PublishListing);
    let fair = Fair::new();
    let bounds = |field, least, most, given| Refusal::OutOfBounds { field, least, most, given };
    let many = i64::from(limits::GPUS_MAX);
    let (ten, eleven) = (fair.hour(10), fair.hour(11));
    let off_slot = |field| Refusal::OffSlot { field, slot_minutes: 60, before: ten, after: eleven };
    let next = fair.hour(0);
    let past = |given| Refusal::InThePast { field: "end_at", given: fair.hour(given), next };
    let off_tick = Refusal::OffTick {
        field: "price_per_gpu_hour",
        tick: price("0.01"),
        given: price("2.505"),
    };
    let beyond = Refusal::BeyondInstalled { at: ten, installed: 144, listed: 0, asked: 148 };
    let program = ProgramId::new(Uuid::from_u128(77));
    let unknown = Refusal::Unknown { field: "program_id", named: program.to_string() };
    let crowd = |field| bounds(field, 0, 300, 301);
    let longest = limits::WINDOW_MINUTES_MAX / 60;
    let too_dear = Price::from_micros(limits::PRICE_MAX + 10_000).expect("a price");
    let costly = |given| Refusal::PriceOutOfBounds {
        field: "price_per_gpu_hour",
        most: Price::from_micros(limits::PRICE_MAX).expect("a price"),
        given,
    };
    let cases: Vec<(Spoil, Refusal)> = vec![
        (|ask| ask.gpus = 0, bounds("gpus", 1, many, 0)),
        (|ask| ask.gpus = 6, Refusal::OffLot { field: "gpus", lot: 4, given: 6 }),
        (|ask| ask.gpus = 148, beyond),
        (|ask| ask.gpus = 2_000_004, bounds("gpus", 1, many, 2_000_004)),
        (|ask| ask.price = Price::default(), costly(Price::default())),
        (
            |ask| ask.price = Price::from_micros(limits::PRICE_MAX + 10_000).expect("a price"),
            costly(too_dear),
        ),
        (|ask| ask.price = price("2.505"), off_tick),
        (|ask| ask.window = moved(ask.window, 1, 0), off_slot("start_at")),
        (|ask| ask.window = moved(ask.window, 59, 60), off_slot("start_at")),
        (|ask| ask.window = moved(ask.window, 0, 1 - 600), off_slot("end_at")),
        (|ask| ask.window = moved(ask.window, -2_400, -1_200), past(0)),
        (|ask| ask.limits.min_gpus = Some(0), bounds("min_gpus", 1, many, 0)),
        (
            |ask| ask.limits.max_gpus = Some(6),
            Refusal::OffLot { field: "max_gpus", lot: 4, given: 6 },
        ),
        (
            |ask| (ask.limits.min_gpus, ask.limits.max_gpus) = (Some(8), Some(4)),
            Refusal::Invalid { field: "min_gpus", rule: "min_gpus is at most max_gpus" },
        ),
        (|ask| ask.limits.min_hours = Some(0), bounds("min_hours", 1, longest, 0)),
        (
            |ask| (ask.limits.min_hours, ask.limits.max_hours) = (Some(3), Some(2)),
            Refusal::Invalid { field: "min_hours", rule: "min_hours is at most max_hours" },
        ),
        (
            |ask| ask.limits.notice_hours = Some(1_000_000),
            bounds("notice_hours", 0, limits::HORIZON_MINUTES / 60, 1_000_000),
        ),
        (|ask| ask.audience.segments = vec![Segment::Startup; 301], crowd("segments")),
        (
            |ask| ask.audience.countries = vec!["ID".parse::<Country>().expect("ID"); 301],
            crowd("countries"),
        ),
        (|ask| ask.program = Some(ProgramId::new(Uuid::from_u128(77))), unknown),
    ];
    for (spoil, refusal) in cases {
        let mut fair = Fair::new();
        let mut offer = fair.offer(8, 10, 20);
        spoil(&mut offer);
        for dry_run in [true, false] {
            let offer = PublishListing { dry_run, ..offer.clone() };
            let outcome = fair.ask(Command::PublishListing(offer));
            assert_eq!(outcome, Err(refusal.clone()));
        }
    }
}

/// The window with its ends moved by minutes.
fn moved(window: Window, start: i64, end: i64) -> Window {
    let (start, end) = (window.start().plus(start), window.end().plus(end));
    Window::new(start, end).expect("a window")
}

#[test]
fn an_offer_is_bounded_in_time() {
    let mut fair = Fair::new();
    let horizon = fair.hour(0).plus(limits::HORIZON_MINUTES);
    let far = Window::new(horizon.plus(60), horizon.plus(120)).expect("an hour");
    let long = Window::new(fair.hour(1), fair.hour(1).plus(limits::WINDOW_MINUTES_MAX + 60));
    for (window, field) in [(far, "start_at"), (long.expect("too long"), "end_at")] {
        let offer = PublishListing { window, ..fair.offer(8, 0, 1) };
        let outcome = fair.ask(Command::PublishListing(offer));
        let is_it = |is: &Refusal| matches!(is, Refusal::TooFar { field: f, .. } if *f == field);
        assert!(outcome.as_ref().is_err_and(is_it), "{field}: {outcome:?}");
    }
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let mut fair = Fair::new();
    let before = format!("{:?}", fair.market.engine.capacity);
    let offer = PublishListing { dry_run: true, ..fair.offer(8, 0, 10) };
    let shown = listing(fair.ask(Command::PublishListing(offer)));
    assert_eq!(shown.state, ListingState::Live);
    assert_eq!(fair.market.out, Effects::default());
    assert_eq!(format!("{:?}", fair.market.engine.capacity), before);
}

#[test]
fn listings_never_promise_more_than_is_installed() {
    check(
        "
        pool    A gb300 144
        listing L1 A 100 10h..34h @2.50
        listing L2 A 44 10h..34h @2.50
        listing L3 A 4 0h..11h @2.50        -> refused BeyondInstalled installed=144 listed=144
        listing L3 A 144 0h..10h @2.50
        listing L4 A 144 34h..40h @2.50 draft
        listing L5 A 4 39h..50h @2.50       -> refused BeyondInstalled
        withdraw L4
        listing L5 A 4 39h..50h @2.50
        # What a withdrawn listing has sold still binds the pool.
        line    C1 90000
        order   O1 C1 60 10h..20h <=2.50    -> contract L1:60
        withdraw L1
        listing L6 A 44 10h..20h @2.50      -> refused BeyondInstalled listed=104
        listing L6 A 40 10h..20h @2.50
        listing L7 A 100 20h..34h @2.50
        ",
    );
}

#[test]
fn of_a_window_that_has_begun_the_rest_is_offered() {
    let mut fair = Fair::new();
    fair.market.wait(30 * 60);
    let listing = fair.publish(8, -5, 10);
    assert_eq!(listing.window, fair.hours(1, 10));
    assert_eq!(fair.books(), [72, 72, 0, 0]);
}

#[test]
fn the_books_follow_a_listing_from_draft_to_withdrawal() {
    let mut fair = Fair::new();
    let offer = PublishListing { draft: true, ..fair.offer(8, 0, 10) };
    let draft = listing(fair.ask(Command::PublishListing(offer)));
    assert_eq!((draft.state, told(&fair.market.out)), {
        (ListingState::Draft, vec![EventKind::ListingCreated])
    });
    assert_eq!(fair.books(), [0, 0, 0, 0]);

    let live = listing(fair.ask(Command::ReleaseListing { id: draft.id }));
    assert_eq!((live.state, live.version), (ListingState::Live, 2));
    assert_eq!(told(&fair.market.out), [EventKind::ListingPublished]);
    assert_eq!(fair.market.out.events[0].previous.as_deref(), Some("draft"));
    assert_eq!(fair.books(), [80, 80, 0, 0]);
    let again = fair.ask(Command::ReleaseListing { id: draft.id });
    assert!(matches!(again, Err(Refusal::WrongState { state: "live", .. })), "{again:?}");

    let draw = fair.draw(&live, 4, 2, 7);
    fair.take(&draw);
    assert_eq!(fair.books(), [80, 60, 20, 0]);
    let withdrawn = listing(fair.ask(Command::WithdrawListing { id: live.id }));
    assert_eq!(withdrawn.state, ListingState::Withdrawn);
    assert_eq!(told(&fair.market.out), [EventKind::ListingWithdrawn]);
    assert_eq!(fair.books(), [20, 0, 20, 0]);
    let gone = fair.ask(Command::WithdrawListing { id: live.id });
    assert_eq!(gone, Err(Refusal::NotFound { kind: "listing" }));
    let waiting = fair.market.engine.deadlines.facts();
    assert_eq!(waiting.filter(|(_, due)| matches!(due, Due::ListingEnds(_))).count(), 0);

    // What comes back after that goes off the market at once, and may be listed again.
    assert_eq!(fair.faults(), Vec::<String>::new());
    fair.give_back(&draw);
    assert_eq!(fair.books(), [0, 0, 0, 0]);
    fair.publish(144, 0, 10);
    assert_eq!(fair.faults(), Vec::<String>::new());
}

#[test]
fn delivery_leaves_the_reserved_account() {
    let mut fair = Fair::new();
    let live = fair.publish(8, 0, 10);
    fair.take(&fair.draw(&live, 8, 0, 10));
    let (at, end, mut out) = (fair.stamp(), fair.hour(10), Effects::default());
    let contract = crate::model::id::ContractId::new(Uuid::from_u128(5));
    let way = (Account::CapReserved, Account::CapDelivered);
    fair.market.engine.move_capacity(&at, fair.pool, way, 80 * 60, Some(contract), end, &mut out);
    assert_eq!(fair.books(), [80, 0, 0, 80]);
    let entry = out.entries.first().expect("an entry");
    assert_eq!((entry.contract, entry.effective_at), (Some(contract), end));
}

#[test]
fn a_listing_sells_out_and_reopens() {
    let mut fair = Fair::new();
    let live = fair.publish(8, 0, 10);
    let most = fair.draw(&live, 8, 0, 9);
    assert_eq!(told(&fair.take(&most)), []);
    let last = fair.draw(&live, 8, 9, 10);
    let out = fair.take(&last);
    assert_eq!(told(&out), [EventKind::ListingSoldOut]);
    let sold = out.listings.get(&live.id).expect("a fact");
    assert_eq!((sold.state, sold.version), (ListingState::SoldOut, 2));
    assert_eq!(sold.taken, 80 * 60);
    assert!(fair.market.engine.capacity.by_price[&live.sku].is_empty(), "nobody looks there");
    let out = fair.give_back(&last);
    assert_eq!(told(&out), [EventKind::ListingReopened]);
    assert_eq!(out.events[0].previous.as_deref(), Some("sold_out"));
    assert_eq!(fair.market.engine.capacity.by_price[&live.sku].len(), 1);
}

#[test]
fn a_new_price_takes_its_place_in_the_order() {
    check(
        "
        pool    A gb300 144
        listing L1 A 72 0h..100h @2.50
        listing L2 A 72 0h..100h @2.60
        line    C1 900000
        order   O1 C1 8 10h..20h <=9.00 -> contract L1:8@2.50
        reprice L2 @2.40
        order   O2 C1 8 10h..20h <=9.00 -> contract L2:8@2.40
        reprice L2 @2.50
        # Of two that ask the same the older is drawn from.
        order   O3 C1 8 10h..20h <=9.00 -> contract L1:8@2.50
        contract O2                     -> L2:8@2.40
        reprice L1 @2.505               -> refused OffTick
        ",
    );
    let mut fair = Fair::new();
    let live = fair.publish(8, 0, 10);
    let (id, lower) = (live.id, price("2.00"));
    let stale = fair.ask(Command::RepriceListing { id, expect: 7, price: lower });
    assert_eq!(stale, Err(Refusal::VersionMismatch { expected: 7, actual: 1 }));
    let repriced = listing(fair.ask(Command::RepriceListing { id, expect: 1, price: lower }));
    assert_eq!((repriced.price, repriced.version), (lower, 2));
    assert_eq!(told(&fair.market.out), [EventKind::ListingRepriced]);
    assert_eq!(fair.market.out.changes.len(), 1);
}

#[test]
fn a_listing_ends_with_its_window() {
    let mut fair = Fair::new();
    let live = fair.publish(8, 0, 10);
    fair.take(&fair.draw(&live, 4, 0, 5));
    fair.market.wait(10 * 3_600);
    let (at, mut out) = (fair.stamp(), Effects::default());
    fair.market.engine.end_listing(&at, live.id, &mut out);
    assert_eq!(told(&out), [EventKind::ListingExpired]);
    assert_eq!(out.listings.get(&live.id).map(|it| it.state), Some(ListingState::Expired));
    assert_eq!(fair.books(), [20, 0, 20, 0]);
    assert!(fair.market.engine.capacity.listing(live.id).is_none());
    assert!(fair.market.engine.capacity.yard(fair.pool).expect("a pool").offers.is_empty());
}

#[test]
fn a_refusal_says_what_the_listings_want() {
    check(
        "
        pool    A gb300 144
        listing L1 A 72 0h..100h @2.50 min=8 max=40 minh=4 maxh=24
        listing L2 A 72 0h..100h @2.60 notice=30 min=48
        listing L3 A 72 100h..200h @2.60 segments=research
        line    C1 900000 segment=startup
        quote   Q1 C1 44 10h..20h -> refused limits Some((8, 72)), Some((1, 100)),
        quote   Q2 C1 48 20h..30h -> refused notice Some(Minute(29981160)),
        quote   Q3 C1 76 40h..50h -> refused capacity Some(72),
        quote   Q4 C1 8 120h..130h -> refused capacity
        quote   Q5 C1 8 10h..12h -> refused limits
        quote   Q6 C1 8 10h..20h in=sydney -> refused no_listing
        ",
    );
}

#[test]
fn supply_that_appears_meets_who_waits() {
    check(
        "
        pool    A gb300 144
        listing L1 A 72 0h..100h @2.50
        line    C1 900000
        order   O1 C1 72 10h..20h <=2.00 gtc -> open price
        reprice L1 @2.00
        contract O1                          -> L1:72@2.00
        order   O2 C1 72 10h..20h <=2.20 gtc -> open
        listing L2 A 72 0h..100h @2.20 draft
        order   O2                           -> open
        release L2
        contract O2                          -> L2:72@2.20
        ",
    );
}

#[test]
fn what_comes_back_finds_its_listing_at_another_price() {
    let mut fair = Fair::new();
    let live = fair.publish(8, 0, 10);
    let dearer = fair.publish(8, 0, 10);
    let draw = fair.draw(&live, 8, 0, 10);
    fair.take(&draw);
    let version = fair.market.engine.capacity.listing(live.id).expect("the listing").version;
    let reprice = |price| Command::RepriceListing { id: live.id, expect: version, price };
    fair.ask(reprice(price("9.00"))).expect("a price");
    fair.give_back(&draw);
    let [first, last] = [dearer.id, live.id].map(|id| {
        let yard = fair.market.engine.capacity.yard(fair.pool).expect("the pool");
        let offer = yard.offer(id).expect("an offer");
        (offer.listing.state, offer.listing.taken, offer.free.min_over(fair.hours(0, 10)))
    });
    assert_eq!((first, last), ((ListingState::Live, 0, 8), (ListingState::Live, 0, 8)));
    assert_eq!(fair.books(), [160, 160, 0, 0]);
    assert_eq!(fair.faults(), Vec::<String>::new());
}
