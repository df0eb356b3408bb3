//! The whole server below HTTP, simulated: a disk that refuses, tears, hides and delays commits, a clock
//! that jumps, processes that die at any step, callers that insist. A seed decides all of it, so a
//! failing one is printed and repeats exactly.
//!
//! `HEADROOM_SIM_SEEDS=100000 cargo test --test sim` tries more seeds than the ordinary run;
//! `HEADROOM_SIM_SEED=123` one.

mod crowd;
#[path = "../dice/mod.rs"]
mod dice;
mod disk;
mod facts;
mod model;
mod opening;
mod process;
mod torn;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use disk::Lie;
use model::Found;
use opening::{Opening, open};
use world::{Tally, World};

/// Seeds of the ordinary run.
const SEEDS: u64 = 1_000;

/// Every so many seeds one fills the inbox, which takes as long as many others.
const FLOOD: u64 = 100;

#[expect(clippy::disallowed_methods, reason = "only the tests' own reader of the environment")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// One seed; what an assertion of the product or of the disk says is a finding too.
fn run(opening: &Opening, seed: u64, lie: Option<Lie>) -> Found<Tally> {
    let life = || {
        let mut world = World::new(opening, seed, lie);
        world.live(lie.is_none() && seed % FLOOD == 7).map(|()| world.tally())
    };
    catch_unwind(AssertUnwindSafe(life)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("an assertion failed: {}", text.unwrap_or_default()))
    })
}

#[test]
fn whatever_fails_no_acknowledged_answer_is_contradicted() {
    let opening = open();
    if let Some(seed) = number("HEADROOM_SIM_SEED") {
        match run(&opening, seed, None) {
            Ok(tally) => return println!("seed {seed}: {tally:#?}"),
            Err(finding) => panic!("seed {seed}: {finding}"),
        }
    }
    let seeds = number("HEADROOM_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let (total, broken) = (Mutex::new(Tally::new()), Mutex::new(BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    match run(&opening, seed, None) {
                        Ok(tally) => {
                            let mut total = total.lock().expect("nobody panics with it");
                            for (what, count) in tally {
                                *total.entry(what).or_default() += count;
                            }
                        }
                        Err(finding) => {
                            println!("seed {seed}: {finding}");
                            broken.lock().expect("nobody panics with it").insert(seed, finding);
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner().expect("the threads are done");
    println!("{seeds} seeds: {total:#?}");
    let broken = broken.into_inner().expect("the threads are done");
    assert!(broken.is_empty(), "repeat one with HEADROOM_SIM_SEED=<seed>: {broken:#?}");
    let faults = [
        "deaths in a commit",
        "deaths in a flush",
        "commits lost before the disk had them",
        "in doubt",
        "busy",
        "slow commits",
        "hours back",
    ];
    for fault in faults {
        assert!(total.contains_key(fault) || seeds < SEEDS, "no {fault} in {seeds} seeds");
    }
}

/// Seeds within which a lie must be found.
const LIARS: u64 = 12;

#[test]
fn every_lie_of_a_store_is_found() {
    let opening = open();
    let lies = [
        Lie::Forgets,
        Lie::Halves,
        Lie::Skips,
        Lie::Ages,
        Lie::Rots,
        Lie::Swaps,
        Lie::Repeats,
        Lie::Forks,
        Lie::Blurs,
    ];
    for lie in lies {
        let found: Vec<_> =
            (0..LIARS).filter_map(|seed| run(&opening, seed, Some(lie)).err()).collect();
        println!("{lie:?}: found in {} of {LIARS} seeds: {found:#?}", found.len());
        assert!(found.len() > 1, "a store that {lie:?} goes unnoticed");
    }
}

#[test]
fn a_seed_repeats_exactly() {
    let opening = open();
    for seed in 0..8 {
        let live = || {
            let mut world = World::new(&opening, seed, None);
            world.live(false).map(|()| (world.hash(), world.tally()))
        };
        assert_eq!(live(), live(), "seed {seed}");
    }
}
