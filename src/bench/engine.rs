//! The engine alone: orders fully decided on one thread (who asks, matching, credit, ledger,
//! contract, events), and what each live contract costs in time and memory.
//!
//! Commands are made before the clock starts. Effects are dropped every 256 commands, within the
//! measured time, as if a store had taken them.

use super::clerk::Clerk;
use super::machine::resident_kib;
use super::market::{Demand, Market, Reach, Shape, Starts, is_filled};
use super::sheet::{Cell, Sheet, Target};
use super::watch::{Spread, Watch, float};
use super::{Bench, Trouble};
use crate::engine::{Actor, Command, Effects, Engine, Stamp};
use crate::model::Micros;
use crate::sequencer::Written;
use uuid::Uuid;

/// 2027-01-01, so that every run has the same calendar.
const START: Micros = Micros::new(1_798_761_600_000_000);
/// Commands after which the effects are dropped.
const DRAIN: usize = 256;
const FLOATING: Starts = Starts::Floating(30);

/// One line of the table: a market, filled so far, and what is measured on it.
#[derive(Debug, Clone, Copy)]
struct Case {
    what: &'static str,
    pools: usize,
    listings_per_pool: usize,
    live: u64,
    orders: u64,
    /// Fresh markets that are measured one after the other: small ones fill up too soon for one.
    rounds: u32,
    /// Capacity as a multiple of what all orders want.
    over: f64,
    /// What the capacity is made for, when not for `live` and `orders`.
    built_for: Option<u64>,
    starts: Starts,
    reach: Reach,
}

/// What came of one case.
#[derive(Debug)]
struct Measured {
    filled: u64,
    expired: u64,
    refused: u64,
    seconds: f64,
    spread: Spread,
    /// Bytes of memory that each contract of the filling took; known for the first market only.
    bytes_each: Option<f64>,
}

const PLAIN: Case = Case {
    what: "fixed",
    pools: 10,
    listings_per_pool: 10,
    live: 1_000,
    orders: 20_000,
    rounds: 5,
    over: 2.0,
    built_for: None,
    starts: Starts::Fixed,
    reach: Reach::Region,
};
/// The case of growth: one market for all three sizes. With 1M live contracts half of it is sold.
const WIDE: Case = Case { pools: 1_000, built_for: Some(1_100_000), ..PLAIN };
/// At most a tenth is sold.
const AMPLE: f64 = 10.0;

const HEADLINE: usize = 1;
const HEADLINE_FLOATING: usize = 2;
const LIVE_FEW: usize = 6;
const LIVE_MANY: usize = 0;
const FLOATING_FEW: usize = 8;
const FLOATING_MANY: usize = 10;
const AMPLE_HEADLINE: usize = 14;
const AMPLE_FEW: usize = 15;
const AMPLE_MANY: usize = 16;

/// All of them. The largest is first: what its contracts take is measured on a process that has
/// freed nothing yet.
const CASES: [Case; 17] = [
    Case { live: 1_000_000, rounds: 1, orders: 50_000, ..WIDE },
    PLAIN,
    Case { what: "floating 30 days", starts: FLOATING, ..PLAIN },
    Case { what: "fixed, ten times the listings", listings_per_pool: 100, ..PLAIN },
    Case { what: "fixed, more wanted than there is", over: 0.5, ..PLAIN },
    Case { what: "floating, more wanted than there is", over: 0.5, starts: FLOATING, ..PLAIN },
    Case { orders: 5_000, rounds: 10, ..WIDE },
    Case { live: 100_000, orders: 50_000, rounds: 1, ..WIDE },
    Case { what: "floating 30 days", orders: 5_000, rounds: 10, starts: FLOATING, ..WIDE },
    Case {
        what: "floating 30 days",
        live: 100_000,
        orders: 50_000,
        rounds: 1,
        starts: FLOATING,
        ..WIDE
    },
    Case {
        what: "floating 30 days",
        live: 1_000_000,
        orders: 50_000,
        rounds: 1,
        starts: FLOATING,
        ..WIDE
    },
    Case { what: "fixed, any region", reach: Reach::Anywhere, orders: 20_000, rounds: 1, ..WIDE },
    Case { live: 100_000, orders: 50_000, rounds: 1, ..PLAIN },
    Case { pools: 10_000, live: 100_000, orders: 50_000, rounds: 1, ..PLAIN },
    Case { what: "fixed, a tenth sold", over: AMPLE, ..PLAIN },
    Case { what: "fixed, a tenth sold", over: AMPLE, orders: 5_000, rounds: 10, ..WIDE },
    Case {
        what: "fixed, a tenth sold",
        over: AMPLE,
        live: 1_000_000,
        rounds: 1,
        orders: 50_000,
        ..WIDE
    },
];

/// Measures all of it: some three minutes.
pub fn run(_: &Bench) -> Result<Sheet, Trouble> {
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for case in &CASES {
        let measured = measure(case)?;
        rows.push(row(case, &measured));
        all.push(measured);
        eprintln!("engine: {} of {} measured", all.len(), CASES.len());
    }
    let targets = targets(&all);
    Ok(Sheet {
        name: "engine",
        title: "bench engine: orders fully decided, one thread",
        columns: vec![
            "orders",
            "pools",
            "listings",
            "live",
            "decided",
            "filled",
            "no capacity",
            "refused",
            "orders/s",
            "p50 us",
            "p99 us",
        ],
        rows,
        targets,
        notes: notes(&all),
    })
}

fn measure(case: &Case) -> Result<Measured, Trouble> {
    let mut whole = Measured {
        filled: 0,
        expired: 0,
        refused: 0,
        seconds: 0.0,
        spread: Spread::new(),
        bytes_each: None,
    };
    for _ in 0..case.rounds {
        let mut market = open(case)?;
        let own = std::process::id();
        let before = resident_kib(own);
        let demand = Demand { starts: case.starts, reach: case.reach, size: None };
        fill(&mut market, case.live, demand)?;
        let after = resident_kib(own);
        if let (Some(before), Some(after)) = (before, after) {
            whole.bytes_each = Some(float(after.saturating_sub(before) * 1_024) / float(case.live));
        }
        let commands: Vec<(Actor, Command)> =
            (0..case.orders).map(|_| market.next_command(demand)).collect();
        decide(&mut market.clerk.engine, commands, &mut whole);
    }
    Ok(whole)
}

fn open(case: &Case) -> Result<Market, Trouble> {
    let orders = case.built_for.unwrap_or(case.live + case.orders);
    let shape = Shape::for_orders(case.pools, case.listings_per_pool, orders, case.over);
    Market::open(Clerk::new(START, |_, _, _| silent()), shape, |_| [0; 32])
}

/// Places orders until so many have filled.
fn fill(market: &mut Market, live: u64, demand: Demand) -> Result<(), Trouble> {
    let (mut filled, mut tried) = (0, 0);
    while filled < live {
        tried += 1;
        if tried > 20 * live {
            return Err(Trouble::Said("the market is too small to be filled so far".to_owned()));
        }
        let (actor, command) = market.next_command(demand);
        let answer = market.clerk.tell(actor, command);
        filled += u64::from(answer.is_ok_and(|it| is_filled(&it)));
    }
    Ok(())
}

/// The measured part.
fn decide(engine: &mut Engine, commands: Vec<(Actor, Command)>, into: &mut Measured) {
    let mut effects = Effects::default();
    let mut stamp = Stamp {
        at: engine.now(),
        seq: engine.seq(),
        actor: Actor::System,
        request: Uuid::nil(),
        key: None,
    };
    let whole = Watch::start();
    let mut watch = whole;
    for (place, (actor, command)) in commands.into_iter().enumerate() {
        stamp.seq += 1;
        stamp.at = Micros::new(stamp.at.count() + 1);
        stamp.actor = actor;
        let answer = engine.apply(&stamp, command, &mut effects);
        into.spread.note(watch.lap());
        match &answer {
            Ok(answer) if is_filled(answer) => into.filled += 1,
            Ok(_) => into.expired += 1,
            Err(_) => into.refused += 1,
        }
        if place % DRAIN == DRAIN - 1 {
            effects = effects.room_for_as_much();
            watch = Watch::start();
        }
    }
    into.seconds += whole.seconds();
}

fn silent() -> Written {
    Written { status: 201, headers: String::new(), body: Vec::new() }
}

impl Measured {
    fn decided(&self) -> u64 {
        self.filled + self.expired + self.refused
    }

    fn rate(&self) -> f64 {
        float(self.decided()) / self.seconds
    }

    fn seconds_each(&self) -> f64 {
        self.seconds / float(self.decided())
    }
}

fn row(case: &Case, measured: &Measured) -> Vec<Cell> {
    let count = |count: usize| u64::try_from(count).expect("a 64-bit length");
    vec![
        Cell::text(case.what),
        Cell::count(count(case.pools)),
        Cell::count(count(case.pools * case.listings_per_pool)),
        Cell::count(case.live),
        Cell::count(measured.decided()),
        Cell::count(measured.filled),
        Cell::count(measured.expired),
        Cell::count(measured.refused),
        Cell::rate(measured.rate()),
        Cell::micros(measured.spread.p50()),
        Cell::micros(measured.spread.p99()),
    ]
}

fn targets(all: &[Measured]) -> Vec<Target> {
    let grows = |few: usize, many: usize| all[many].seconds_each() / all[few].seconds_each();
    let bytes = all[LIVE_MANY].bytes_each.unwrap_or(f64::INFINITY);
    vec![
        Target::at_least(
            "orders/s, fixed windows, 100 listings in 10 pools, up to half sold",
            200_000.0,
            all[HEADLINE].rate(),
        ),
        Target::at_least("the same, up to a tenth sold", 200_000.0, all[AMPLE_HEADLINE].rate()),
        Target::at_most(
            "cost of an order at 1M live over that at 1k (1,000 pools, fixed), half sold at 1M",
            2.0,
            grows(LIVE_FEW, LIVE_MANY),
        ),
        Target::at_most("the same, a tenth sold at 1M", 2.0, grows(AMPLE_FEW, AMPLE_MANY)),
        Target::at_most(
            "floating 30 days, half sold at 1M",
            2.0,
            grows(FLOATING_FEW, FLOATING_MANY),
        ),
        Target::at_most("bytes of memory per live contract (1M live)", 2_048.0, bytes),
        Target::at_least(
            "next step: orders/s, floating 30 days",
            100_000.0,
            all[HEADLINE_FLOATING].rate(),
        ),
    ]
}

fn notes(all: &[Measured]) -> Vec<String> {
    let bytes =
        all[LIVE_MANY].bytes_each.map_or_else(|| "?".to_owned(), |each| format!("{each:.0}"));
    vec![
        "live: contracts made by real orders before the measured ones. An order is for 8 to 128 \
         GPUs, \
         1 to 72 hours, within 300 days, at a limit above every ask, by one of 128 customers; it \
         looks at \
         the ten pools of its SKU and region (any region: all pools of its SKU)."
            .to_owned(),
        "no capacity: decided too, with its explanation and alternatives. refused: no order was \
         made."
            .to_owned(),
        "orders/s counts everything between the first and the last order, dropping the effects \
         of each 256 \
         included; p50 and p99 are of the single decisions."
            .to_owned(),
        format!(
            "memory: {bytes} bytes is the growth of the resident set of this process while 1M \
             contracts \
             were made, divided by 1M, effects dropped; schedules, deadlines and balances \
             included, \
             remembered idempotency keys not (some 100 bytes each for 30 days)."
        ),
    ]
}
