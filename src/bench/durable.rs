//! Reservations through the sequencer onto disk, beside what the same store does with the same
//! rows when nothing else happens.
//!
//! The peer is the store itself: batches of the same effects are decided beforehand and committed
//! one after the other. It is given the batch size that the sequencer had on average and a full
//! 512; the faster of the two is the limit that the sequencer is measured against.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use uuid::Uuid;

use super::clerk::{Clerk, settings};
use super::market::{Demand, Market, Reach, Shape, Starts, digest_of, is_filled};
use super::place::{Kind, Place, Places};
use super::sheet::{Cell, Sheet, Target};
use super::watch::{Spread, Watch, float};
use super::{Bench, Trouble, What};
use crate::engine::{Actor, Command, Key};
use crate::http::scribe;
use crate::sequencer::{self, Clock, Desk, Errand, Pace};
use crate::store::{self, Batch, Durable};

const CALLERS: [u16; 4] = [1, 8, 64, 512];
/// A bound on one measurement, so that memory is bounded too.
const ORDERS_MAX: usize = 100_000;
/// Orders that the peer commits at most: their batches wait in memory.
const PEER_ORDERS_MAX: usize = 60_000;
const DEMAND: Demand = Demand { starts: Starts::Fixed, reach: Reach::Region, size: None };

/// What was measured through the sequencer.
#[derive(Debug)]
struct Through {
    done: u64,
    filled: u64,
    seconds: f64,
    spread: Spread,
    commits: u64,
}

/// What the store did alone.
#[derive(Debug)]
struct Alone {
    batch: usize,
    done: u64,
    seconds: f64,
    /// Of single commits.
    spread: Spread,
}

impl Through {
    fn rate(&self) -> f64 {
        float(self.done) / self.seconds
    }

    /// Orders in the mean commit.
    fn batch(&self) -> u64 {
        (self.done / self.commits.max(1)).max(1)
    }
}

impl Alone {
    fn rate(&self) -> f64 {
        float(self.done) / self.seconds
    }
}

/// How `bench durable` is run.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Only stores whose name has this word in it
    #[arg(long, value_name = "WORD")]
    pub only: Option<String>,
    /// Only these numbers of callers
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..=512))]
    pub callers: Vec<u16>,
}

/// Measures all of it: some two minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let Options { only, callers } = match &bench.what {
        What::Durable(options) => options.clone(),
        _ => Options::default(),
    };
    let places = Places::find(bench)?;
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    let numbers = if callers.is_empty() { CALLERS.to_vec() } else { callers };
    let is_wanted = |kind: &Kind| only.as_ref().is_none_or(|word| kind.name().contains(word));
    for kind in places.kinds().into_iter().filter(is_wanted) {
        for &callers in &numbers {
            let callers = usize::from(callers);
            let place = places.fresh(kind)?;
            let through = through_the_sequencer(&place, callers, bench.seconds)?;
            place.remove()?;
            let own = usize::try_from(through.batch()).expect("at most a batch");
            let mut alone = store_alone(&places, kind, own, bench.seconds)?;
            if callers == 512 {
                let full = store_alone(&places, kind, 512, bench.seconds)?;
                if full.rate() > alone.rate() {
                    alone = full;
                }
            }
            targets.extend(target(kind.name(), callers, &through, &alone));
            rows.push(row(kind.name(), callers, &through, &alone));
            eprintln!("durable: {} with {callers} callers measured", kind.name());
        }
    }
    let mut notes = vec![
        "a reservation: an order filled at once, with its contract, allocations, ledger entries, \
         balances, \
         listing, events, audit record and remembered answer; 100 listings in 10 pools, 128 \
         customers."
            .to_owned(),
        "store alone: the same rows, decided beforehand, committed one batch after the other in \
         batches of \
         the size shown; at 512 callers the better of the sequencer's own mean size and 512."
            .to_owned(),
        "p50 and p99: what a caller waits, and what one commit of the store alone \
         takes."
            .to_owned(),
        "full durability: SQLite's log flushed before any answer; PostgreSQL with fsync and \
         synchronous_commit on. The callers are tasks on one thread of this process."
            .to_owned(),
    ];
    notes.extend(places.remark());
    Ok(Sheet {
        name: "durable",
        title: "bench durable: reservations through the sequencer onto disk",
        columns: vec![
            "store",
            "callers",
            "reservations",
            "filled",
            "mean batch",
            "per second",
            "p50 us",
            "p99 us",
            "store alone: batch",
            "per second alone",
            "commit p50 us",
            "commit p99 us",
            "ratio",
        ],
        rows,
        targets,
        notes,
    })
}

fn row(store: &str, callers: usize, through: &Through, alone: &Alone) -> Vec<Cell> {
    let count = |count: usize| u64::try_from(count).expect("a 64-bit length");
    vec![
        Cell::text(store),
        Cell::count(count(callers)),
        Cell::count(through.done),
        Cell::count(through.filled),
        Cell::count(through.batch()),
        Cell::rate(through.rate()),
        Cell::micros(through.spread.p50()),
        Cell::micros(through.spread.p99()),
        Cell::count(count(alone.batch)),
        Cell::rate(alone.rate()),
        Cell::micros(alone.spread.p50()),
        Cell::micros(alone.spread.p99()),
        Cell::ratio(through.rate() / alone.rate()),
    ]
}

fn target(store: &str, callers: usize, through: &Through, alone: &Alone) -> Option<Target> {
    match callers {
        1 => Some(Target::at_most(
            format!("{store}: a lone caller's p50 over that of a single commit"),
            1.5,
            float(through.spread.p50()) / float(alone.spread.p50()),
        )),
        512 => Some(Target::at_least(
            format!("{store}: rate at 512 callers over the store's group commit"),
            0.80,
            through.rate() / alone.rate(),
        )),
        _ => None,
    }
}

/// A market as every measurement here begins with it, with nothing of it on disk yet.
fn market() -> Result<Market, Trouble> {
    let shape = Shape::for_orders(10, 10, u64::try_from(ORDERS_MAX).expect("small"), 4.0);
    let clerk = Clerk::new(Clock::System.now(), scribe);
    Market::open(clerk, shape, digest_of)
}

fn through_the_sequencer(place: &Place, callers: usize, seconds: u64) -> Result<Through, Trouble> {
    let mut market = market()?;
    let (mut writer, _) = store::open(&place.url)?;
    writer.load()?;
    market.clerk.commit(&mut writer)?;
    let desk = sequencer::start(Box::new(writer), settings(), scribe, Pace::System)?;
    let errands: Vec<(Actor, Key, Command)> = (0..ORDERS_MAX)
        .map(|_| {
            let (actor, command) = market.next_command(DEMAND);
            (actor, market.next_key(), command)
        })
        .collect();
    drop(market);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let before = desk.view().number;
    let mut through = runtime.block_on(call(&desk, errands, callers, seconds))?;
    through.commits = desk.view().number - before;
    desk.close();
    runtime.block_on(desk.ended());
    Ok(through)
}

/// So many callers, each with one errand at a time, for so long.
async fn call(
    desk: &Desk,
    errands: Vec<(Actor, Key, Command)>,
    callers: usize,
    seconds: u64,
) -> Result<Through, Trouble> {
    let over = Arc::new(AtomicBool::new(false));
    let queue = Arc::new(std::sync::Mutex::new(errands.into_iter()));
    let watch = Watch::start();
    let local = tokio::task::LocalSet::new();
    let calls: Vec<_> = (0..callers)
        .map(|_| local.spawn_local(caller(desk.clone(), Arc::clone(&queue), Arc::clone(&over))))
        .collect();
    let end = async {
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        over.store(true, Ordering::Relaxed);
    };
    let mut whole = Through { done: 0, filled: 0, seconds: 0.0, spread: Spread::new(), commits: 0 };
    let gather = async {
        for call in calls {
            let one = call.await.map_err(|error| Trouble::Said(error.to_string()))??;
            whole.done += one.done;
            whole.filled += one.filled;
            whole.spread.add(&one.spread);
        }
        Ok::<(), Trouble>(())
    };
    local.run_until(until(gather, end)).await?;
    whole.seconds = watch.seconds();
    Ok(whole)
}

/// Drives `alarm` beside `work` and waits for `work` alone.
async fn until<T>(work: impl Future<Output = T>, alarm: impl Future<Output = ()>) -> T {
    let (mut work, mut alarm) = (std::pin::pin!(work), std::pin::pin!(alarm));
    tokio::select! {
        outcome = &mut work => return outcome,
        () = &mut alarm => {}
    }
    work.await
}

type Queue = Arc<std::sync::Mutex<std::vec::IntoIter<(Actor, Key, Command)>>>;

async fn caller(desk: Desk, queue: Queue, over: Arc<AtomicBool>) -> Result<Through, Trouble> {
    let mut own = Through { done: 0, filled: 0, seconds: 0.0, spread: Spread::new(), commits: 0 };
    while !over.load(Ordering::Relaxed) {
        let next = queue.lock().expect("nobody panics while holding the queue").next();
        let Some((actor, key, command)) = next else { break };
        let errand = Errand { actor, request: Uuid::nil(), key: Some(key), command };
        let mut watch = Watch::start();
        let done = desk.submit(errand).await?;
        own.spread.note(watch.lap());
        own.done += 1;
        own.filled += u64::from(done.outcome.is_ok_and(|it| is_filled(&it)));
    }
    Ok(own)
}

/// Commits batches of `size` orders, decided beforehand, on a fresh database.
fn store_alone(places: &Places, kind: Kind, size: usize, seconds: u64) -> Result<Alone, Trouble> {
    let place = places.fresh(kind)?;
    let mut market = market()?;
    let (mut writer, _) = store::open(&place.url)?;
    writer.load()?;
    market.clerk.commit(&mut writer)?;
    let count = (PEER_ORDERS_MAX / size).clamp(1, 30_000);
    let batches = (0..count).map(|_| batch(&mut market, size)).collect::<Result<Vec<_>, _>>()?;
    let mut alone = Alone { batch: size, done: 0, seconds: 0.0, spread: Spread::new() };
    let whole = Watch::start();
    for batch in &batches {
        let mut watch = Watch::start();
        writer.commit(batch)?;
        alone.spread.note(watch.lap());
        alone.done += u64::try_from(size).expect("a 64-bit length");
        if whole.elapsed().as_secs() >= seconds {
            break;
        }
    }
    alone.seconds = whole.seconds();
    drop(writer);
    place.remove()?;
    Ok(alone)
}

fn batch(market: &mut Market, size: usize) -> Result<Batch, Trouble> {
    for _ in 0..size {
        let (actor, command) = market.next_command(DEMAND);
        let key = market.next_key();
        market.clerk.now = market.clerk.now.max(Clock::System.now());
        market.clerk.ask(actor, Some(key), command)?;
    }
    Ok(market.clerk.seal())
}
