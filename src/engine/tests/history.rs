//! Random histories: after every command every invariant holds, every so often the snapshot
//! rebuilds the same engine, and replaying the same commands ends in the same digest.
//!
//! `HEADROOM_HISTORY_COMMANDS`, set when the tests are built, says how many commands are tried in
//! all: 20,000 unless told.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::amendment::{Change, TransferStep};
use super::super::contract::Contract;
use super::super::event::EventKind;
use super::super::ledger::{Entry, EntryKind};
use super::super::{Actor, Command, Effects, Engine, Settings};
use super::script::{Stage, number, time};
use crate::model::id::OrgId;
use crate::model::{Minute, Month};

/// Lines of a script that do something, drawn at random; windows begin after `base`, in hours. Many
/// of them are refused: that is the point.
fn step(base: u32) -> impl Strategy<Value = String> {
    let hour = base..base + 60;
    let gpus = (1..20_u32).prop_map(|lots| lots * 4);
    let cents = 100..400_u32;
    let customer = customer();
    let pool = prop::sample::select(vec!["A", "A", "B", "D", "E"]);
    prop_oneof![
        60 => (
            customer.clone(), gpus.clone(), hour.clone(),
            1..12_u32, 0..20_u32, cents.clone(), 0..4_u32,
        )
            .prop_map(|(customer, gpus, start, hours, range, cents, rest)| {
                let end = start + hours + range;
                let rest = if rest == 0 { "gtc" } else { "ioc" };
                let limit = format!("{}.{:02}", cents / 100, cents % 100);
                format!("order NEW {customer} {gpus} {start}h..{end}h/{hours}h <={limit} {rest}")
            }),
        20 => (customer.clone(), gpus.clone(), hour.clone(), 1..12_u32, 60..900_u32)
            .prop_map(|(customer, gpus, start, hours, secs)| {
                let end = start + hours;
                format!("quote NEW {customer} {gpus} {start}h..{end}h firm={secs}")
            }),
        20 => (pool.clone(), gpus, hour.clone(), 1..40_u32, cents.clone()).prop_map(
            |(pool, gpus, start, hours, cents)| {
                let (end, ask) = (start + hours, format!("{}.{:02}", cents / 100, cents % 100));
                let backed = if pool == "A" { " program=V" } else { "" };
                format!("listing NEW {pool} {gpus} {start}h..{end}h @{ask}{backed}")
            }
        ),
        10 => cents.prop_map(|cents| format!("reprice OLDL @{}.{:02}", cents / 100, cents % 100)),
        10 => Just("withdraw OLDL".to_owned()),
        10 => customer.clone().prop_map(|customer| format!("cancel OLDO {customer}")),
        10 => customer.prop_map(|customer| format!("take NEW {customer} OLDQ")),
        10 => (pool.clone(), hour, 1..10_u32, 1..12_u32).prop_map(|(pool, start, hours, lots)| {
            format!("maintain {pool} {start}h..{}h {}", start + hours, lots * 8)
        }),
        10 => (pool, 1..6_u32).prop_map(|(pool, window)| format!("mended {pool} {window}")),
        10 => (0..60_u32).prop_map(move |hour| format!("postpone E 1 {}h", base + hour)),
        40 => Just("wait".to_owned()),
        10 => Just("leap".to_owned()),
        100 => change(),
        90 => till(),
        2 => debt(),
        60 => resale(),
    ]
}

fn customer() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["C1", "C2", "C3"])
}

/// What becomes of what is billed.
fn till() -> impl Strategy<Value = String> {
    let amount = prop::sample::select(vec!["0.01", "7.00", "333.33", "2000.00", "OWED", "OWED"]);
    prop_oneof![
        6 => (customer(), amount.clone())
            .prop_map(|(customer, amount)| format!("pay {customer} {amount}")),
        1 => customer().prop_map(|customer| format!("finalize {customer}")),
        3 => (customer(), amount.clone())
            .prop_map(|(customer, amount)| format!("note {customer} {amount}")),
        1 => customer().prop_map(|customer| format!("void {customer}")),
        1 => amount.prop_map(|amount| format!("grant OLDC {amount}")),
        2 => Just("payout P".to_owned()),
        1 => Just("bounce P".to_owned()),
        1 => Just("payout vendor as=vendor".to_owned()),
        1 => Just("payout vendor as=customer".to_owned()),
        2 => Just("pay vendor OWED".to_owned()),
        1 => (1..12_u32, 5..30_u32)
            .prop_map(|(lead, cap)| format!("agree V backstop=1.20/{lead}/{cap}000")),
        3 => Just("close LAST".to_owned()),
    ]
}

/// A line defaults by two officers, and what is done about it.
fn debt() -> impl Strategy<Value = String> {
    let reason = prop::sample::select(vec!["unpaid", "insolvency", "fraud"]);
    (customer(), reason).prop_map(|(customer, reason)| format!("fail {customer} {reason}"))
}

/// Most often the contract's own customer.
fn customer_of() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["OWNER", "OWNER", "OWNER", "OWNER", "C1"])
}

/// Changes to contracts and reports of their delivery, by what the contract has: so many lots and
/// hours more or fewer.
fn change() -> impl Strategy<Value = String> {
    let lots = 1..12_u32;
    let from = prop::sample::select(vec!["", " from=SOON", " from=1h"]);
    let customer = customer_of();
    prop_oneof![
        1 => customer.clone().prop_map(|customer| format!("cancelc OLDC {customer}")),
        2 => (customer.clone(), lots.clone(), from.clone())
            .prop_map(|(customer, lots, from)| format!("shrink OLDC {customer} -{lots}{from}")),
        2 => (customer.clone(), lots.clone(), from)
            .prop_map(|(customer, lots, from)| format!("grow OLDC {customer} +{lots}{from}")),
        3 => (customer, 1..6_u32, 200..600_u32).prop_map(|(customer, hours, cents)| {
            let limit = format!("{}.{:02}", cents / 100, cents % 100);
            format!("extend OLDC {customer} +{hours} <={limit}")
        }),
        3 => customer_of().prop_map(|customer| format!("accept OLDC {customer}")),
        2 => customer_of().prop_map(|customer| format!("reject OLDC {customer}")),
        3 => (0..4_u32, 1..3_u32, 0..4_u32)
            .prop_map(|(late, hours, lots)| format!("report OLDC {late}/{hours} {}", lots * 4)),
    ]
}

/// Parts of contracts that are offered to others, and taken back; contracts that go to others.
fn resale() -> impl Strategy<Value = String> {
    let customer = prop::sample::select(vec!["OWNER", "OWNER", "OWNER", "C1"]);
    let taker = prop::sample::select(vec!["C1", "C2", "C3"]);
    prop_oneof![
        6 => (customer, 0..12_u32, 1..8_u32, 1..6_u32, 100..300_u32)
            .prop_map(|(customer, late, hours, lots, cents)| {
                let ask = format!("{}.{:02}", cents / 100, cents % 100);
                format!("resell NEW OLDC {customer} {} {late}/{hours} @{ask}", lots * 4)
            }),
        1 => Just("unsell OLDC OWNER".to_owned()),
        // C3 is of no group.
        3 => taker.prop_map(|to| format!("hand OLDC OWNER {to}")),
    ]
}

/// The words of a change with the contract's own numbers in the place of "more" and "fewer".
fn of_contract(step: &str, name: &str, owner: &str, it: &Contract) -> String {
    let hours = |minute: Minute| minute.since(time("0h")) / 60;
    let (start, end) = (hours(it.window.start()), hours(it.window.end()));
    let words = step.split(' ').map(|word| match word.split_at(1) {
        ("-", lots) => it.gpus.saturating_sub(number(lots) * 4).to_string(),
        ("+", more) if step.starts_with("grow") => (it.gpus + number(more) * 4).to_string(),
        ("+", more) => format!("{}h", end + i64::from(number(more))),
        _ => match word.split_once('/') {
            Some((late, hours)) => {
                let from = start + i64::from(number(late));
                format!("{from}h..{}h", from + i64::from(number(hours)))
            }
            None => word.replace("OLDC", name).replace("OWNER", owner),
        },
    });
    words.collect::<Vec<_>>().join(" ").replace("SOON", &format!("{}h", end - 1))
}

/// A market on which anything may happen.
fn market() -> Stage {
    let mut stage = Stage::new();
    for line in [
        "pool A gb300 96",
        "pool B gb300 64 at=sydney",
        "pool D gb300 48",
        "pool E gb300 32 from=20h",
        "program V 1:1500 guarantee=8000/50/100000 backstop=1.20/9/6000 pools=A",
        "officer",
        "listing L0 A 48 0h..60h @2.00 program=V",
        "line C1 20000",
        "line C2 9000",
        "line C3 90000",
        "group C1 tidal",
        "group C2 tidal",
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
fn play(runner: &mut TestRunner, steps: usize, lives_long: bool) -> Stage {
    let mut stage = market();
    let listings = vec!["L0".to_owned()];
    let mut names = Names { orders: Vec::new(), quotes: Vec::new(), listings };
    let mut minutes = 0;
    for number in 0..steps {
        let base = u32::try_from(minutes / 60).expect("a few years");
        let drawn = (step(base), any::<prop::sample::Index>());
        let (step, index) = drawn.new_tree(runner).expect("a step").current();
        let pick = |names: &[String]| match names {
            [] => "nobody".to_owned(),
            names => index.get(names).clone(),
        };
        let name = format!("N{number}");
        let mut line = step.replace("NEW", &name);
        line = line.replace("OLDL", &pick(&names.listings));
        line = line.replace("OLDO", &pick(&names.orders));
        if step.contains("OLDC") {
            // Those that are offered a place are few: they are asked.
            let answers = step.starts_with("accept") || step.starts_with("reject");
            let waits = |id| stage.engine.incidents.waiting().any(|(_, it, _)| it.contract == id);
            let all = stage.engine.contracts.iter();
            let live: Vec<Contract> = all.filter(|it| !answers || waits(it.id)).cloned().collect();
            let Some(contract) = (!live.is_empty()).then(|| index.get(&live)) else { continue };
            let order = stage.name_of(contract.id.uuid());
            let bought = format!("B{number}");
            let order = if order == "?" { bought.as_str() } else { order };
            let owner = stage.name_of(contract.customer.uuid()).trim_end_matches(".org");
            line = of_contract(&line, order, owner, contract);
            if order == bought {
                stage.rename(&bought, contract.id.uuid());
            }
        }
        line = line.replace("OLDQ", &pick(&names.quotes));
        match step.split(' ').next() {
            Some("order" | "take") => names.orders.push(name),
            Some("quote") => names.quotes.push(name),
            Some("listing") => names.listings.push(name),
            // Half of the histories are of days, half of months.
            Some("leap") if lives_long => {
                minutes += 9 * 24 * 60 + 47;
                line = format!("now {minutes}m");
            }
            Some("wait" | "leap") => {
                minutes += 47;
                line = format!("now {minutes}m");
            }
            Some("pay" | "note" | "void") => {
                let customer = step.split(' ').nth(1).expect("somebody pays");
                let Some(owed) = stage.owed(customer) else { continue };
                line = line.replace("OWED", &owed);
            }
            Some("grant") => line = line.replace("OWED", "1.00"),
            Some("close") => {
                let now = stage.engine.now().minute();
                line =
                    line.replace("LAST", &Month::of(Month::of(now).start().plus(-1)).to_string());
            }
            Some("fail") => {
                fail(&mut stage, &step);
                continue;
            }
            _ => {}
        }
        stage.try_line(&line);
    }
    stage
}

/// Two officers find a line in default, and the debt is gone through to its end.
fn fail(stage: &mut Stage, step: &str) {
    let words: Vec<&str> = step.split(' ').collect();
    let (customer, reason) = (words[1], words[2]);
    let owed = stage.owed(customer).unwrap_or_else(|| "1.00".to_owned());
    for line in [
        format!("default {customer} {reason} by=operator"),
        format!("default {customer} {reason} by=officer"),
        format!("claimpaid {customer} V 1.00"),
        format!("pay {customer} {owed}"),
        format!("writeoff {customer}"),
        format!("recover {customer} 3.33"),
    ] {
        stage.try_line(&line);
    }
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

/// What a command does, in a word; of changes, which one.
fn kind_of(command: &Command) -> &'static str {
    match command {
        Command::ChangeContract(ask) => match ask.change {
            Change::Cancel => "cancel",
            Change::Shrink { .. } => "shrink",
            Change::Extend { .. } => "extend",
            Change::Grow { .. } => "grow",
        },
        Command::Transfer(ask) if ask.step == TransferStep::Take => "receive",

        other => other.verb(),
    }
}

/// How many contracts the backstop made.
fn purchases_of(stage: &Stage) -> usize {
    let vendor = stage.engine.programs.programs().next().map(|it| it.vendor);
    let made = |(to, kind): &&(OrgId, EventKind)| {
        Some(*to) == vendor && *kind == EventKind::ContractCreated
    };
    stage.told.iter().filter(made).count()
}

#[test]
fn random_histories_keep_every_promise() {
    let asked = option_env!("HEADROOM_HISTORY_COMMANDS");
    let commands = asked.map_or(20_000, |count| count.parse().expect("a number of commands"));
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut done, mut kinds, mut sales, mut purchases) = (0, BTreeMap::new(), 0, 0);
    while done < commands {
        let stage = play(&mut runner, 200, done % 400 == 0);
        assert_replays(&stage);
        for (_, command) in stage.history() {
            *kinds.entry(kind_of(command)).or_insert(0) += 1;
        }
        let sold = |entry: &&Entry| entry.kind == EntryKind::CapacityResold;
        sales += stage.moved.iter().filter(sold).count();
        purchases += purchases_of(&stage);
        done += 200;
    }
    // A history of refusals would prove little.
    assert!(sales * 4_000 >= commands, "{sales} sales in {commands}: {kinds:?}");
    assert!(purchases * 1_000 >= commands, "{purchases} of backstops in {commands}: {kinds:?}");
    let often =
        ["cancel", "shrink", "extend", "grow", "report_delivery", "place_order", "add_maintenance"];
    let money = ["record_payment", "pay_out", "close_period", "credit_invoice", "default_line"];
    let seldom = [
        "record_claim_payment",
        "write_off",
        "record_recovery",
        "grant_credit",
        "end_maintenance",
        "answer_substitution",
        "receive",
        "resell",
    ];
    let least = often.map(|kind| (kind, 1_000)).into_iter();
    let least = least.chain(money.map(|kind| (kind, 4_000)));
    for (kind, one_in) in least.chain(seldom.map(|kind| (kind, 10_000))) {
        let done = kinds.get(kind).copied().unwrap_or(0);
        assert!(done * one_in >= commands, "{done} of {kind} in {commands}: {kinds:?}");
    }
}

#[test]
fn a_tick_with_nothing_due_is_no_event() {
    let mut stage = Stage::new();
    let seq = stage.engine.seq();
    stage.apply(Actor::System, Command::Tick).expect("time passes");
    assert_eq!(stage.engine.seq(), seq);
}
