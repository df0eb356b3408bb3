//! A month's end: every live contract accrues its month and is invoiced, the invoices go out and
//! the month is closed.
//!
//! The engine alone with 1M contracts, and with 100k through the sequencer onto disk. The peer of
//! the latter is the store itself: the same rows, decided beforehand, written one batch after the
//! other.

use uuid::Uuid;

use super::clerk::{Clerk, settings};
use super::machine::resident_kib;
use super::market::{Demand, Market, Reach, Shape, Starts, digest_of, is_filled};
use super::place::{Place, Places};
use super::sheet::{Cell, Sheet, Target};
use super::watch::{Watch, float};
use super::{Bench, Trouble};
use crate::engine::effect::Effects;
use crate::engine::{Actor, Answer, Command};
use crate::http::scribe;
use crate::model::{Micros, Month};
use crate::sequencer::{self, Errand, Pace};
use crate::store::{self, Batch, Durable as _};

/// 2026-12-31, so that every contract begins with the year.
const START: Micros = Micros::new(1_798_675_200_000_000);
/// Contracts of the engine alone, and through the store.
const ALONE: u64 = 1_000_000;
const STORED: u64 = 100_000;
/// One node for sixty days: January is a whole month of each.
const DEMAND: Demand =
    Demand { starts: Starts::Together, reach: Reach::Region, size: Some((1, 60 * 24)) };
const SHAPE: Shape =
    Shape { pools: 1_000, listings_per_pool: 10, gpus_per_listing: 2_000, supported: true };
/// Orders in one commit of the filling.
const BATCH: u64 = 2_000;
/// After the month: drafts open by themselves a day later.
const AFTERWARDS_SECS: i64 = 25 * 60 * 60;

/// What a month's end took.
#[derive(Debug)]
struct Taken {
    contracts: u64,
    seconds: f64,
    /// Rows born or changed; known where they were counted.
    rows: u64,
    /// Of the process, before and after.
    mebibytes: (u64, u64),
}

impl Taken {
    fn rate(&self) -> f64 {
        float(self.contracts) / self.seconds
    }
}

/// Measures all of it: some three minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let engine = engine_alone()?;
    let (mut rows, mut targets) = (vec![row("engine alone", &engine, None)], Vec::new());
    eprintln!("month: the engine measured");
    let places = Places::find(bench)?;
    for kind in places.kinds() {
        let whole = through_the_sequencer(&places.fresh(kind)?)?;
        let plain = store_alone(&places.fresh(kind)?)?;
        rows.push(row(kind.name(), &whole, Some(&plain)));
        targets.push(Target::shown(
            format!("{}: a month's end over plain writes of its rows, seconds", kind.name()),
            whole.seconds / plain.seconds,
        ));
        eprintln!("month: {} measured", kind.name());
    }
    let mut notes = vec![
        "a contract: 8 GPUs for 60 days on supported capacity of one of 1,000 pools, by one of 128 \
         customers. Its month: 31 days accrued and split three ways, credit drawn, capacity \
         delivered, a line on the customer's invoice."
            .to_owned(),
        "engine alone: from the first tick of the month's end until nothing is due, effects \
         dropped after each tick. Others: through the sequencer, a day longer, so that the \
         invoices go out, and the month closed."
            .to_owned(),
        "plain writes: the same batches, decided beforehand, committed to a database that has the \
         same contracts."
            .to_owned(),
        "MiB: the resident set of the whole process before and after.".to_owned(),
    ];
    notes.extend(places.remark());
    Ok(Sheet {
        name: "month",
        title: "bench month: contracts accrue a month and it is closed",
        columns: vec![
            "where",
            "contracts",
            "seconds",
            "contracts/s",
            "rows",
            "plain writes, seconds",
            "ratio",
            "MiB before",
            "MiB after",
        ],
        rows,
        targets,
        notes,
    })
}

fn row(place: &str, taken: &Taken, plain: Option<&Taken>) -> Vec<Cell> {
    let blank = || Cell::text("-");
    vec![
        Cell::text(place),
        Cell::count(taken.contracts),
        Cell::seconds(taken.seconds),
        Cell::rate(taken.rate()),
        plain.map_or_else(blank, |plain| Cell::count(plain.rows)),
        plain.map_or_else(blank, |plain| Cell::seconds(plain.seconds)),
        plain.map_or_else(blank, |plain| Cell::ratio(taken.seconds / plain.seconds)),
        Cell::count(taken.mebibytes.0),
        Cell::count(taken.mebibytes.1),
    ]
}

fn market() -> Result<Market, Trouble> {
    Market::open(Clerk::new(START, scribe), SHAPE, digest_of)
}

/// The month that is lived, and its end.
fn january() -> (Month, Micros) {
    let month = Month::of(START.minute()).next();
    (month, month.end().micros())
}

fn resident() -> u64 {
    resident_kib(std::process::id()).unwrap_or(0) / 1_024
}

fn engine_alone() -> Result<Taken, Trouble> {
    let mut market = market()?;
    let mut filled = 0;
    while filled < ALONE {
        let (actor, command) = market.next_command(DEMAND);
        filled += u64::from(is_filled(&market.clerk.tell(actor, command)?));
    }
    market.clerk.now = market.first_start.micros();
    while is_due(&market.clerk.tell(Actor::System, Command::Tick)?) {}
    market.clerk.now = january().1;
    let before = resident();
    let watch = Watch::start();
    while is_due(&market.clerk.tell(Actor::System, Command::Tick)?) {}
    let seconds = watch.seconds();
    Ok(Taken { contracts: filled, seconds, rows: 0, mebibytes: (before, resident()) })
}

fn is_due(answer: &Answer) -> bool {
    matches!(answer, Answer::Ticked { more: true })
}

/// A market with its contracts on disk, all of them active.
fn fill(writer: &mut store::Writer) -> Result<Market, Trouble> {
    let mut market = market()?;
    writer.load()?;
    let mut filled = 0;
    while filled < STORED {
        for _ in 0..BATCH.min(STORED - filled) {
            let (actor, command) = market.next_command(DEMAND);
            filled += u64::from(is_filled(&market.clerk.ask(actor, None, command)?));
        }
        market.clerk.commit(writer)?;
    }
    market.clerk.now = market.first_start.micros();
    for batch in ticks(&mut market)? {
        writer.commit(&batch)?;
    }
    Ok(market)
}

/// What falls due by now, a batch a tick.
fn ticks(market: &mut Market) -> Result<Vec<Batch>, Trouble> {
    let mut batches = Vec::new();
    loop {
        let answer = market.clerk.ask(Actor::System, None, Command::Tick)?;
        batches.push(market.clerk.seal());
        if !is_due(&answer) {
            return Ok(batches);
        }
    }
}

fn through_the_sequencer(place: &Place) -> Result<Taken, Trouble> {
    let (mut writer, _) = store::open(&place.url)?;
    let Market { founder, .. } = fill(&mut writer)?;
    let desk = sequencer::start(Box::new(writer), settings(), scribe, Pace::Simulated(None))?;
    let (month, end) = january();
    let before = resident();
    let watch = Watch::start();
    desk.advance_blocking(end)?;
    desk.advance_blocking(end.plus_secs(AFTERWARDS_SECS))?;
    let (actor, command) = (founder, Command::ClosePeriod { month });
    let close = Errand { actor, request: Uuid::nil(), key: None, command };
    desk.submit_blocking(close)?.outcome?;
    let seconds = watch.seconds();
    let mebibytes = (before, resident());
    desk.close();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(desk.ended());
    Ok(Taken { contracts: STORED, seconds, rows: 0, mebibytes })
}

fn store_alone(place: &Place) -> Result<Taken, Trouble> {
    let (mut writer, _) = store::open(&place.url)?;
    let mut market = fill(&mut writer)?;
    let (month, end) = january();
    market.clerk.now = end;
    let mut batches = ticks(&mut market)?;
    market.clerk.now = end.plus_secs(AFTERWARDS_SECS);
    batches.extend(ticks(&mut market)?);
    market.clerk.ask(market.founder, None, Command::ClosePeriod { month })?;
    batches.push(market.clerk.seal());
    let before = resident();
    let watch = Watch::start();
    for batch in &batches {
        writer.commit(batch)?;
    }
    let seconds = watch.seconds();
    let rows =
        batches.iter().map(|batch| rows_of(&batch.effects) + batch.audit.len()).sum::<usize>();
    let rows = u64::try_from(rows).expect("a 64-bit length");
    Ok(Taken { contracts: STORED, seconds, rows, mebibytes: (before, resident()) })
}

/// Rows that a batch of a month's end inserts or changes.
fn rows_of(effects: &Effects) -> usize {
    let Effects { contracts, invoices, invoice_lines, accounts, entries, events, .. } = effects;
    let Effects { event_heads, lines, periods, .. } = effects;
    let facts = contracts.len() + invoices.len() + accounts.len() + event_heads.len();
    facts + lines.len() + periods.len() + invoice_lines.len() + entries.len() + events.len()
}
