//! Many clients at once against the real server over HTTP; what each asked and was told is recorded,
//! and the history is shown to be one that could have happened one thing after the other, for every pool
//! and for every credit line.

#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../kill/server.rs"]
mod server;

mod client;
mod market;
mod model;
mod record;
mod search;

use std::collections::BTreeMap;
use std::path::Path;

use client::{Client, Stage};
use market::{CUSTOMERS, GPUS, LIMIT, POOLS};
use model::{Line, LineOp, PoolOp};
use search::{Event, linearize};
use server::{Server, verify};

/// Clients of each customer.
const CLIENTS: usize = 2;

/// Things that each client does, and each officer.
const STEPS: usize = 200;

#[test]
fn on_sqlite_the_history_is_linearizable() {
    let folder = tempfile::tempdir().expect("a folder");
    record_and_check(folder.path(), "sqlite://headroom.db");
}

#[test]
fn on_postgres_the_history_is_linearizable() {
    let Some(cluster) = cluster::shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    record_and_check(folder.path(), &cluster.fresh());
}

/// Of each object's history, so many are tried with one thing forgotten.
const FORGOTTEN: usize = 20;

/// A line as it is lent.
fn lent() -> Line {
    Line { limit: LIMIT, available: LIMIT, target: None, is_frozen: false, version: 1 }
}

fn record_and_check(folder: &Path, database: &str) {
    let seed: u64 = rand::random();
    println!("seed {seed}, though what happens at once differs each time");
    // Nothing is charged for a cancellation here: it frees what it held.
    let server = Server::start_with(folder, database, &[("HEADROOM_CANCELLATION_FEE", "0")]);
    let stage = Stage::new(market::open(&server.url));
    std::thread::scope(|scope| {
        for number in 0..CUSTOMERS * CLIENTS + 2 {
            let stage = &stage;
            scope.spawn(move || {
                let count = u64::try_from(number).expect("small");
                let mut client = Client::new(stage, 1 + count, seed ^ (count << 32));
                for _ in 0..STEPS {
                    match number.checked_sub(CUSTOMERS * CLIENTS) {
                        Some(officer) => client.decide(officer),
                        None => client.trade(number % CUSTOMERS),
                    }
                }
            });
        }
    });
    stage.look_back();
    println!("{:#?}", stage.record.counts());
    check(&stage);
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, database);
    assert!(is_sound, "{report}");
}

fn check(stage: &Stage) {
    let (pools, lines) = (stage.record.pools(), stage.record.lines());
    // The last word on each, read when all had been answered: nothing is lost and nothing is made.
    let (gpus, amounts) = stage.holdings();
    for (pool, events) in &pools {
        let last = &events.last().expect("it was read").op;
        assert_eq!(*last, PoolOp::Saw(GPUS - gpus[*pool]), "pool {pool}: sold and free make all");
    }
    for (line, events) in &lines {
        let LineOp::Saw(last) = &events.last().expect("it was read").op else { panic!("read") };
        assert_eq!(last.limit - last.available, amounts[*line], "line {line}: what is held");
    }
    assert_eq!((pools.len(), lines.len()), (POOLS, CUSTOMERS), "all of them were used");
    for (pool, events) in pools {
        tell("pool", pool, &events);
        if let Err(stuck) = linearize(events.clone(), GPUS, model::pool) {
            panic!("pool {pool} has no order: {stuck:#?}");
        }
        without_one(&events, |op| matches!(op, PoolOp::Took(_)), GPUS, model::pool);
    }
    for (line, events) in lines {
        tell("line", line, &events);
        if let Err(stuck) = linearize(events.clone(), lent(), model::line) {
            panic!("line {line} has no order: {stuck:#?}");
        }
        without_one(&events, |op| matches!(op, LineOp::Held { .. }), lent(), model::line);
    }
}

fn tell<O>(kind: &str, number: usize, events: &[Event<O>]) {
    let overlaps = |one: &&Event<O>| {
        let with = |other: &Event<O>| one.call < other.back && other.call < one.back;
        events.iter().filter(|other| with(other)).count() > 1
    };
    let (count, overlapping) = (events.len(), events.iter().filter(overlaps).count());
    println!("{kind} {number}: {count} operations, {overlapping} of them overlap others");
}

/// The history that was, had the market forgotten one thing that it had said yes to: the checker must
/// not believe it.
fn without_one<O: Clone, S: Clone + Ord>(
    events: &[Event<O>],
    is_yes: impl Fn(&O) -> bool,
    start: S,
    step: impl Fn(&S, &O) -> Option<S>,
) {
    let yes = events.iter().enumerate().filter(|(_, event)| is_yes(&event.op));
    for (place, _) in yes.take(FORGOTTEN) {
        let mut forgetful = events.to_vec();
        forgetful.remove(place);
        assert!(linearize(forgetful, start.clone(), &step).is_err(), "{place} is not missed");
    }
}

/// Histories by hand, by what they tell, and whether they could have been.
type Told<O> = BTreeMap<&'static str, (bool, Vec<(u64, u64, O)>)>;

/// A history by hand: each operation with when it was asked and answered.
fn history<O: Clone>(told: &[(u64, u64, O)]) -> Vec<Event<O>> {
    told.iter().map(|(call, back, op)| Event { call: *call, back: *back, op: op.clone() }).collect()
}

#[test]
fn histories_that_could_not_have_happened_are_refused() {
    use PoolOp::{Freed, Offered, Saw, Short, Took};
    let of_pool: Told<PoolOp> = BTreeMap::from([
        ("one after the other", (true, vec![(0, 1, Took(200)), (2, 3, Saw(40))])),
        ("a read that overlaps may see either", (true, vec![(0, 5, Took(200)), (1, 2, Saw(240))])),
        ("or the other", (true, vec![(0, 5, Took(200)), (1, 2, Saw(40))])),
        (
            "but not the new and then the old",
            (false, vec![(0, 9, Took(200)), (1, 2, Saw(40)), (3, 4, Saw(240))]),
        ),
        ("a double sale", (false, vec![(0, 3, Took(200)), (1, 4, Took(200))])),
        (
            "a double sale with a way out",
            (true, { vec![(0, 3, Took(200)), (1, 4, Took(200)), (2, 5, Freed(200))] }),
        ),
        (
            "a way out that came too late",
            (false, { vec![(0, 3, Took(200)), (1, 4, Took(200)), (5, 6, Freed(200))] }),
        ),
        ("a stale read", (false, vec![(0, 1, Took(200)), (2, 3, Saw(240))])),
        (
            "a lost cancellation",
            (false, vec![(0, 1, Took(40)), (2, 3, Freed(40)), (4, 5, Saw(200))]),
        ),
        (
            "a refusal for want of what is there",
            (false, vec![(0, 1, Short { asked: 8, free: 240 })]),
        ),
        (
            "a refusal with a wrong number",
            (false, vec![(0, 1, Took(236)), (2, 3, Short { asked: 8, free: 0 })]),
        ),
        ("a block that was gone", (false, vec![(0, 1, Took(240)), (2, 3, Offered(4))])),
    ]);
    for (name, (could_be, told)) in of_pool {
        let found = linearize(history(&told), GPUS, model::pool);
        assert_eq!(found.is_ok(), could_be, "{name}: {found:?}");
    }
}

#[test]
fn lines_that_could_not_have_been_are_refused() {
    use LineOp::{Frozen, Held, Limited, Released, Saw, Short, Stale};
    let (half, whole) = (LIMIT / 2, LIMIT);
    let held = |amount, after| Held { amount, after };
    let left = |available| Saw(Line { available, ..lent() });
    let lowered = Line { limit: half, available: half, version: 2, ..lent() };
    let lower = Limited { expect: 1, limit: half, line: lowered.clone() };
    let of_line: Told<LineOp> = BTreeMap::from([
        (
            "two holds that fit",
            (true, {
                vec![(0, 3, held(half, Some(0))), (1, 2, held(half, Some(half))), (4, 5, left(0))]
            }),
        ),
        (
            "a lost update",
            (false, {
                vec![(0, 3, held(half, None)), (1, 2, held(half, None)), (4, 5, left(half))]
            }),
        ),
        ("lent twice", (false, vec![(0, 3, held(whole, None)), (1, 2, held(half, None))])),
        (
            "both were told that they were first",
            (false, { vec![(0, 3, held(half, Some(half))), (1, 2, held(half, Some(half)))] }),
        ),
        ("a stale read", (false, vec![(0, 1, held(half, None)), (2, 3, left(whole))])),
        (
            "a release before the hold was answered",
            (true, {
                vec![(0, 9, held(half, None)), (1, 2, Released(half)), (10, 11, left(whole))]
            }),
        ),
        (
            "refused for want of what is there",
            (false, { vec![(0, 1, Short { needed: half, available: whole })] }),
        ),
        (
            "a limit that came down first",
            (true, {
                vec![(0, 9, lower.clone()), (1, 2, Short { needed: whole, available: half })]
            }),
        ),
        (
            "two decisions on one version",
            (false, { vec![(0, 3, lower.clone()), (1, 2, lower.clone())] }),
        ),
        (
            "the second of them told so",
            (true, { vec![(0, 3, lower), (1, 4, Stale { expect: 1, actual: 2 })] }),
        ),
        ("frozen without a freeze", (false, vec![(0, 1, Frozen)])),
    ]);
    for (name, (could_be, told)) in of_line {
        let found = linearize(history(&told), lent(), model::line);
        assert_eq!(found.is_ok(), could_be, "{name}: {found:?}");
    }
}
