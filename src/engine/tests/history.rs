//! Random histories: after every command every invariant holds, every so often the snapshot
//! rebuilds the same engine, and replaying the same commands ends in the same digest.
//!
//! `HEADROOM_HISTORY_COMMANDS`, set when the tests are built, says how many commands are tried in
//! all: 20,000 unless told.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::{Actor, Command, Effects, Engine, Settings};
use super::script::Stage;

/// Lines of a script that do something, drawn at random. Most of them are refused now and then:
/// that is the point.
fn step() -> impl Strategy<Value = String> {
    let hour = 0..60_u32;
    let gpus = (1..20_u32).prop_map(|lots| lots * 4);
    let cents = 100..400_u32;
    let customer = prop::sample::select(vec!["C1", "C2", "C3"]);
    let pool = prop::sample::select(vec!["A", "B"]);
    prop_oneof![
        6 => (
            customer.clone(), gpus.clone(), hour.clone(),
            1..12_u32, 0..20_u32, cents.clone(), 0..4_u32,
        )
            .prop_map(|(customer, gpus, start, hours, range, cents, rest)| {
                let end = start + hours + range;
                let rest = if rest == 0 { "gtc" } else { "ioc" };
                let limit = format!("{}.{:02}", cents / 100, cents % 100);
                format!("order NEW {customer} {gpus} {start}h..{end}h/{hours}h <={limit} {rest}")
            }),
        2 => (customer.clone(), gpus.clone(), hour.clone(), 1..12_u32, 60..900_u32)
            .prop_map(|(customer, gpus, start, hours, secs)| {
                let end = start + hours;
                format!("quote NEW {customer} {gpus} {start}h..{end}h firm={secs}")
            }),
        2 => (pool.clone(), gpus, hour.clone(), 1..40_u32, cents.clone()).prop_map(
            |(pool, gpus, start, hours, cents)| {
                let (end, ask) = (start + hours, format!("{}.{:02}", cents / 100, cents % 100));
                format!("listing NEW {pool} {gpus} {start}h..{end}h @{ask}")
            }
        ),
        1 => cents.prop_map(|cents| format!("reprice OLDL @{}.{:02}", cents / 100, cents % 100)),
        1 => Just("withdraw OLDL".to_owned()),
        1 => customer.clone().prop_map(|customer| format!("cancel OLDO {customer}")),
        1 => customer.prop_map(|customer| format!("take NEW {customer} OLDQ")),
        1 => (pool, hour, 1..10_u32).prop_map(|(pool, start, hours)| {
            format!("maintain {pool} {start}h..{}h 8", start + hours)
        }),
        2 => Just("wait".to_owned()),
    ]
}

/// A market on which anything may happen.
fn market() -> Stage {
    let mut stage = Stage::new();
    for line in [
        "pool A gb300 96",
        "pool B gb300 64 at=sydney",
        "program V 1:1500 guarantee=8000/500/100000 pools=A",
        "listing L0 A 48 0h..60h @2.00 program=V",
        "line C1 20000",
        "line C2 9000",
        "line C3 90000",
    ] {
        stage.line(line, 0);
    }
    stage.rebuild_every = 25;
    stage
}

/// What happened so far goes by these names.
struct Names {
    orders: Vec<String>,
    quotes: Vec<String>,
    listings: Vec<String>,
}

/// Plays so many random steps; answers the stage they were played on.
fn play(runner: &mut TestRunner, steps: usize) -> Stage {
    let mut stage = market();
    let listings = vec!["L0".to_owned()];
    let mut names = Names { orders: Vec::new(), quotes: Vec::new(), listings };
    let mut minutes = 0;
    for number in 0..steps {
        let drawn = (step(), any::<prop::sample::Index>());
        let (step, index) = drawn.new_tree(runner).expect("a step").current();
        let pick = |names: &[String]| match names {
            [] => "nobody".to_owned(),
            names => index.get(names).clone(),
        };
        let name = format!("N{number}");
        let mut line = step.replace("NEW", &name);
        line = line.replace("OLDL", &pick(&names.listings));
        line = line.replace("OLDO", &pick(&names.orders));
        line = line.replace("OLDQ", &pick(&names.quotes));
        match step.split(' ').next() {
            Some("order") => names.orders.push(name),
            Some("quote") => names.quotes.push(name),
            Some("listing") => names.listings.push(name),
            Some("wait") => {
                minutes += 17;
                line = format!("now {minutes}m");
            }
            _ => {}
        }
        stage.try_line(&line);
    }
    stage
}

/// The same commands in a new engine end in the same digest.
fn assert_replays(stage: &Stage) {
    let mut again = Engine::new(Settings::default());
    let mut out = Effects::default();
    for (at, command) in stage.history() {
        // Refusals that were kept under a key are part of the history too.
        drop(again.apply(at, command.clone(), &mut out));
    }
    assert_eq!(again.digest(), stage.engine.digest());
}

#[test]
fn random_histories_keep_every_promise() {
    let asked = option_env!("HEADROOM_HISTORY_COMMANDS");
    let commands = asked.map_or(20_000, |count| count.parse().expect("a number of commands"));
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut done = 0;
    while done < commands {
        let stage = play(&mut runner, 200);
        assert_replays(&stage);
        done += 200;
    }
}

#[test]
fn a_tick_with_nothing_due_is_no_event() {
    let mut stage = Stage::new();
    let seq = stage.engine.seq();
    stage.apply(Actor::System, Command::Tick).expect("time passes");
    assert_eq!(stage.engine.seq(), seq);
}
