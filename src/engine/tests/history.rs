//! Random histories: after every command every invariant holds, the snapshot rebuilds the same engine,
//! and replaying the same commands ends in the same digest.

use super::super::{Actor, Command, Effects, Engine, Settings};
use super::script::Stage;
use proptest::prelude::*;

/// Lines of a script that do something, drawn at random. Most of them are refused now and then: that is
/// the point.
fn step() -> impl Strategy<Value = String> {
    let hour = 0..60_u32;
    let gpus = (1..20_u32).prop_map(|lots| lots * 4);
    let cents = 100..400_u32;
    let customer = prop::sample::select(vec!["C1", "C2", "C3"]);
    let pool = prop::sample::select(vec!["A", "B"]);
    prop_oneof![
        6 => (customer.clone(), gpus.clone(), hour.clone(), 1..12_u32, 0..20_u32, cents.clone(), 0..4_u32)
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

fn live(steps: &[String], picks: &[usize]) -> Stage {
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
    let (mut orders, mut quotes, mut listings) = (Vec::new(), Vec::new(), vec!["L0".to_owned()]);
    let mut minutes = 0;
    for (number, step) in steps.iter().enumerate() {
        let pick = |names: &[String]| -> Option<String> {
            (!names.is_empty()).then(|| names[picks[number % picks.len()] % names.len()].clone())
        };
        let name = format!("N{number}");
        let mut line = step.replace("NEW", &name);
        for (word, names) in [("OLDL", &listings), ("OLDO", &orders), ("OLDQ", &quotes)] {
            line = line.replace(word, &pick(names).unwrap_or_else(|| "nobody".to_owned()));
        }
        match step.split(' ').next() {
            Some("order") => orders.push(name),
            Some("quote") => quotes.push(name),
            Some("listing") => listings.push(name),
            Some("wait") => {
                minutes += 37;
                line = format!("now {minutes}m");
            }
            _ => {}
        }
        stage.try_line(&line);
    }
    stage
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_keep_every_promise(
        steps in prop::collection::vec(step(), 1..60),
        picks in prop::collection::vec(0..1000_usize, 8),
    ) {
        let stage = live(&steps, &picks);
        let mut again = Engine::new(Settings::default());
        let mut out = Effects::default();
        for (at, command) in stage.history() {
            let _ = again.apply(at, command.clone(), &mut out);
        }
        prop_assert_eq!(again.digest(), stage.engine.digest());
    }
}

#[test]
fn a_tick_with_nothing_due_is_no_event() {
    let mut stage = Stage::new();
    let seq = stage.engine.seq();
    stage.apply(Actor::System, Command::Tick).expect("time passes");
    assert_eq!(stage.engine.seq(), seq);
}
