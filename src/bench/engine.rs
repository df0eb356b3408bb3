//! The engine alone: orders fully decided on one thread (who asks, matching, credit, ledger,
//! contract, events), and what each live contract costs in time and memory.
//!
//! Commands are made before the clock starts. Effects are dropped every 256 commands, within the
//! measured time, as if a store had taken them.

use clap::Args;

use super::clerk::Clerk;
use super::machine::resident_kib;
use super::market::{Demand, Market, Reach, Shape, Starts, is_filled};
use super::sheet::{Cell, Sheet, Target};
use super::watch::{Spread, Watch, float};
use super::{Bench, Trouble, What};
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
const WIDE: Case = Case { pools: 1_000, orders: 5_000, rounds: 10, built_for: BUILT_FOR, ..PLAIN };
const BUILT_FOR: Option<u64> = Some(1_100_000);

const FLOAT: Case = Case { what: "floating 30 days", starts: FLOATING, ..PLAIN };
const WIDE_FLOAT: Case = Case { what: FLOAT.what, starts: FLOATING, ..WIDE };

/// Listings are far larger than orders, and at most a tenth is sold.
const AMPLE: Case = Case { what: "fixed, a tenth sold", over: 10.0, ..PLAIN };
const WIDE_AMPLE: Case = Case { what: AMPLE.what, over: AMPLE.over, ..WIDE };

/// All of them. The largest is first: what its contracts take is measured on a process that has
/// freed nothing yet.
const CASES: [Case; 17] = [
    WIDE.with(1_000_000),
    PLAIN,
    FLOAT,
    Case { what: "fixed, ten times the listings", listings_per_pool: 100, ..PLAIN },
    Case { what: "fixed, more wanted than there is", over: 0.5, ..PLAIN },
    Case { what: "floating, more wanted than there is", over: 0.5, ..FLOAT },
    WIDE,
    WIDE.with(100_000),
    WIDE_FLOAT,
    WIDE_FLOAT.with(100_000),
    WIDE_FLOAT.with(1_000_000),
    Case { what: "fixed, any region", reach: Reach::Anywhere, orders: 20_000, rounds: 1, ..WIDE },
    PLAIN.with(100_000),
    Case { pools: 10_000, ..PLAIN.with(100_000) },
    AMPLE,
    WIDE_AMPLE,
    WIDE_AMPLE.with(1_000_000),
];

/// How `bench engine` is run.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Only the cases whose name has these words; a name is such as "fixed: 10 pools, 100
    /// listings, 1000 live"
    #[arg(long, value_name = "WORDS")]
    pub only: Option<String>,
}

impl Case {
    /// The same market with so many live contracts, of which one is enough.
    const fn with(self, live: u64) -> Self {
        Self { live, orders: 50_000, rounds: 1, ..self }
    }

    fn listings(&self) -> usize {
        self.pools * self.listings_per_pool
    }

    fn name(&self) -> String {
        let Self { what, pools, live, .. } = self;
        format!("{what}: {pools} pools, {} listings, {live} live", self.listings())
    }
}

/// Measures all of it: some three minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let only = match &bench.what {
        What::Engine(options) => options.only.as_deref(),
        _ => None,
    };
    let is_wanted = |case: &&Case| only.is_none_or(|words| case.name().contains(words));
    let mut all = Vec::new();
    for case in CASES.iter().filter(is_wanted) {
        all.push((*case, measure(case)?));
        eprintln!("engine: {} is measured", case.name());
    }
    let rows = all.iter().map(|(case, measured)| row(case, measured)).collect();
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
        notes: notes(),
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
        Cell::count(count(case.listings())),
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

/// What was promised of the cases that were measured.
fn targets(all: &[(Case, Measured)]) -> Vec<Target> {
    let find = |case: Case| all.iter().find(|(it, _)| *it == case).map(|(_, measured)| measured);
    let rate = |what: &str, wanted: f64, case: Case| {
        Some(Target::at_least(what, wanted, find(case)?.rate()))
    };
    let growth = |what: &str, case: Case| {
        let (few, many) = (find(case)?, find(case.with(1_000_000))?);
        Some(Target::at_most(what, 2.0, many.seconds_each() / few.seconds_each()))
    };
    let bytes = find(WIDE.with(1_000_000)).and_then(|it| it.bytes_each);
    let all = [
        rate(
            "orders/s, fixed windows, 100 listings in 10 pools, up to half sold",
            200_000.0,
            PLAIN,
        ),
        rate("the same, up to a tenth sold", 200_000.0, AMPLE),
        growth(
            "cost of an order at 1M live over that at 1k (1,000 pools, fixed), half sold at 1M",
            WIDE,
        ),
        growth("the same, a tenth sold at 1M", WIDE_AMPLE),
        growth("floating 30 days, half sold at 1M", WIDE_FLOAT),
        bytes.map(|each| {
            Target::at_most("bytes of memory per live contract (1M live)", 1_536.0, each)
        }),
        rate("next step: orders/s, floating 30 days", 100_000.0, FLOAT),
    ];
    all.into_iter().flatten().collect()
}

fn notes() -> Vec<String> {
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
        "memory: the growth of the resident set of this process while 1M contracts were made, \
         divided by 1M, effects dropped; schedules, deadlines and balances included, remembered \
         idempotency keys not (some 100 bytes each for 30 days)."
            .to_owned(),
    ]
}
