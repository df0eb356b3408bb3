//! Factories, pools, phases and maintenance: each rule and each refusal, in tables.

use uuid::Uuid;

use super::fair::{Fair, told};
use super::script::check;
use crate::engine::capacity::{FactoryState, Phase};
use crate::engine::command::{Answer, Command};
use crate::engine::event::EventKind;
use crate::engine::party::harness::code;
use crate::engine::refusal::Refusal;
use crate::model::id::{FactoryId, PoolId};
use crate::model::{Gpus, Minute, limits};

fn out_of_bounds(field: &'static str, least: i64, most: i64, given: i64) -> Refusal {
    Refusal::OutOfBounds { field, least, most, given }
}

#[test]
fn a_factory_that_cannot_be_is_refused() {
    let mut fair = Fair::new();
    let open = |name: &str, region: &str, power_kw, state| {
        let (id, name) = (FactoryId::new(Uuid::from_u128(9_999)), name.to_owned());
        Command::CreateFactory { id, name, region: code(region), power_kw, state }
    };
    let built = FactoryState::Building;
    let most = i64::from(limits::POWER_KW_MAX);
    let unknown = Refusal::Unknown { field: "region", named: "atlantis".into() };
    let retired = Refusal::Invalid { field: "state", rule: "a new factory is not retired" };
    for (command, refusal) in [
        (open("", "batam", 1, built), out_of_bounds("name", 1, 120, 0)),
        (open(&"x".repeat(121), "batam", 1, built), out_of_bounds("name", 1, 120, 121)),
        (open("A", "atlantis", 1, built), unknown),
        (open("A", "batam", 0, built), out_of_bounds("power_kw", 1, most, 0)),
        (open("A", "batam", 5_000_001, built), out_of_bounds("power_kw", 1, most, 5_000_001)),
        (open("A", "batam", 1, FactoryState::Retired), retired),
    ] {
        assert_eq!(fair.ask(command.clone()), Err(refusal), "{command:?}");
    }
}

#[test]
fn a_factory_goes_forward_only() {
    use FactoryState::{Building, Energized, Planned, Retired};
    let forward = [
        (Planned, Building),
        (Planned, Energized),
        (Planned, Retired),
        (Building, Energized),
        (Building, Retired),
        (Energized, Retired),
    ];
    for &from in FactoryState::ALL {
        for &to in FactoryState::ALL {
            assert_eq!(from.may_become(to), forward.contains(&(from, to)), "{from} to {to}");
        }
    }
    let mut fair = Fair::new();
    let id = fair.factory;
    let Ok(Answer::Factory(factory)) = fair.ask(Command::ChangeFactory { id, state: Energized })
    else {
        panic!("a factory is energized")
    };
    assert_eq!((factory.state, factory.version), (Energized, 2));
    assert_eq!(fair.market.out.changes.len(), 1);
    let back = fair.ask(Command::ChangeFactory { id, state: Building });
    assert!(matches!(back, Err(Refusal::WrongState { state: "energized", .. })), "{back:?}");
}

#[test]
fn a_factory_retires_when_nothing_is_promised() {
    let mut fair = Fair::new();
    let listing = fair.publish(8, 0, 10);
    let id = fair.factory;
    let retire = Command::ChangeFactory { id, state: FactoryState::Retired };
    assert!(matches!(fair.ask(retire.clone()), Err(Refusal::WrongState { .. })));
    fair.ask(Command::WithdrawListing { id: listing.id }).expect("a withdrawal");
    fair.ask(retire).expect("a retirement");
    let offer = fair.offer(8, 0, 10);
    let refused = fair.ask(Command::PublishListing(offer));
    assert!(matches!(refused, Err(Refusal::WrongState { state: "retired", .. })), "{refused:?}");
}

#[test]
fn a_pool_that_cannot_be_is_refused() {
    let mut fair = Fair::new();
    let (factory, from) = (fair.factory, fair.hour(0));
    let phases = |phases: &[(Gpus, Minute)]| -> Vec<Phase> {
        phases.iter().map(|&(gpus, from)| Phase::new(gpus, from)).collect()
    };
    let many = i64::from(limits::GPUS_MAX);
    let (dawn, dusk) = (limits::MINUTE_MIN, limits::MINUTE_MAX - 1);
    let off_lot = Refusal::OffLot { field: "phases.gpus", lot: 4, given: 6 };
    let too_dark = Refusal::PowerExceeded { budget_kw: 300, needed_kw: 304 };
    for (given, refusal) in [
        (phases(&[]), out_of_bounds("phases", 1, 100, 0)),
        (phases(&[(4, from); 101]), out_of_bounds("phases", 1, 100, 101)),
        (phases(&[(0, from)]), out_of_bounds("phases.gpus", 1, many, 0)),
        (phases(&[(4, from), (6, from)]), off_lot),
        (phases(&[(2_000_004, from)]), out_of_bounds("phases.gpus", 1, many, 2_000_004)),
        (phases(&[(1_000_004, from); 2]), out_of_bounds("phases.gpus", 1, many, 2_000_008)),
        (phases(&[(4, Minute::new(dawn - 1))]), out_of_bounds("phases.from", dawn, dusk, dawn - 1)),
        (phases(&[(4, Minute::new(dusk + 1))]), out_of_bounds("phases.from", dawn, dusk, dusk + 1)),
        // 144 kW are used; of the 300 the last phase asks for four too many.
        (phases(&[(80, from), (80, from)]), too_dark),
    ] {
        let id = PoolId::new(Uuid::from_u128(9_999));
        let command = Command::CreatePool { id, factory, sku: code("gb300"), phases: given };
        assert_eq!(fair.ask(command.clone()), Err(refusal), "{command:?}");
    }
    let id = PoolId::new(Uuid::from_u128(9_999));
    let unknown = Command::CreatePool { id, factory, sku: code("abacus"), phases: Vec::new() };
    let named = "abacus".to_owned();
    assert_eq!(fair.ask(unknown), Err(Refusal::Unknown { field: "sku", named }));
    // The rest of the budget fits exactly.
    let phases = phases(&[(76, from), (80, from)]);
    fair.ask(Command::CreatePool { id, factory, sku: code("gb300"), phases }).expect("a pool");
    assert_eq!(told(&fair.market.out), [EventKind::PoolCreated]);
}

#[test]
fn phases_add_up_and_maintenance_takes_away() {
    let mut fair = Fair::new();
    let pool = fair.pool;
    let phase = Phase::new(56, Minute::new(fair.hour(10).count() + 7));
    fair.ask(Command::AddPhase { pool, phase }).expect("a phase");
    assert_eq!(told(&fair.market.out), [EventKind::PoolChanged]);
    let (window, note) = (fair.hours(5, 20), "new cables".to_owned());
    fair.ask(Command::AddMaintenance { pool, window, gpus: 40, note }).expect("maintenance");
    let shelf = fair.market.engine.shelf(pool).expect("the pool");
    let minute = |hours: i64, minutes: i64| fair.hour(hours).plus(minutes);
    for (at, installed) in [
        (minute(0, 0), 144),
        (minute(5, -1), 144),
        (minute(5, 0), 104),
        (minute(10, 6), 104),
        (minute(10, 7), 160),
        (minute(20, 0), 200),
        (minute(50_000, 0), 200),
    ] {
        assert_eq!(shelf.installed.at(at), installed, "{at}");
        assert_eq!(shelf.room.at(at), installed, "{at}");
    }
    let record = fair.record();
    assert_eq!((record.phases.len(), record.maintenance.len(), record.version), (2, 1, 3));
    assert_eq!(fair.faults(), Vec::<String>::new());
}

#[test]
fn a_phase_or_maintenance_that_cannot_be_is_refused() {
    let mut fair = Fair::new();
    let pool = fair.pool;
    let phase = |gpus, from| Command::AddPhase { pool, phase: Phase::new(gpus, from) };
    let away = |gpus, from, to| {
        let window = Fair::new().hours(from, to);
        Command::AddMaintenance { pool, window, gpus, note: "cables".to_owned() }
    };
    let (now, before) = (fair.hour(0), fair.hour(-1));
    let many = i64::from(limits::GPUS_MAX);
    let past = Refusal::InThePast { field: "start_at", given: before, next: now };
    for (command, refusal) in [
        (phase(0, now), out_of_bounds("phases.gpus", 1, many, 0)),
        (phase(2, now), Refusal::OffLot { field: "phases.gpus", lot: 4, given: 2 }),
        (phase(160, now), Refusal::PowerExceeded { budget_kw: 300, needed_kw: 304 }),
        (away(4, -1, 5), past),
        (away(3, 1, 5), Refusal::OffLot { field: "gpus", lot: 4, given: 3 }),
        (away(0, 1, 5), out_of_bounds("gpus", 1, 144, 0)),
        (away(148, 1, 5), out_of_bounds("gpus", 1, 144, 148)),
    ] {
        assert_eq!(fair.ask(command.clone()), Err(refusal), "{command:?}");
    }
}

#[test]
fn a_pool_takes_a_bounded_number_of_changes() {
    let mut fair = Fair::new();
    let pool = fair.pool;
    let (window, gpus, provider) = (fair.hours(1, 2), 4, fair.provider);
    for change in 1.. {
        let note = String::new();
        // The lot goes and comes: only the number of changes counts.
        let (at, from) = (window.start().plus(change * 60), window.end().plus(change * 60));
        let window = crate::model::Window::new(at, from).expect("an hour");
        let command = Command::AddMaintenance { pool, window, gpus, note };
        let outcome = fair.market.ask_freely(provider, command);
        if change == 1_000 {
            let kind = "phases and maintenance windows";
            assert_eq!(outcome, Err(Refusal::TooMany { kind, most: limits::POOL_CHANGES_MAX }));
            break;
        }
        outcome.expect("a change");
    }
}

#[test]
fn what_belongs_to_others_does_not_exist() {
    let mut fair = Fair::new();
    let listing = fair.publish(8, 0, 10);
    let (pool, factory, from) = (fair.pool, fair.factory, fair.hour(0));
    let (window, note) = (fair.hours(1, 2), String::new());
    let id = PoolId::new(Uuid::from_u128(9_999));
    let phases = vec![Phase::new(4, from)];
    let stranger = fair.market.admitted("stranger", "provider");
    let customer = fair.market.sign_up("customer", "customer");
    let offer = fair.offer(4, 0, 5);
    for (command, kind) in [
        (Command::ChangeFactory { id: factory, state: FactoryState::Energized }, "factory"),
        (Command::CreatePool { id, factory, sku: code("gb300"), phases }, "factory"),
        (Command::AddPhase { pool, phase: Phase::new(4, from) }, "pool"),
        (Command::AddMaintenance { pool, window, gpus: 4, note }, "pool"),
        (Command::PublishListing(offer), "pool"),
        (Command::ReleaseListing { id: listing.id }, "listing"),
        (Command::RepriceListing { id: listing.id, expect: 1, price: listing.price }, "listing"),
        (Command::WithdrawListing { id: listing.id }, "listing"),
    ] {
        let outcome = fair.market.ask(stranger, command.clone());
        assert_eq!(outcome, Err(Refusal::NotFound { kind }), "{command:?}");
        let outcome = fair.market.ask(customer, command.clone());
        let capability = "provider";
        assert_eq!(outcome, Err(Refusal::NotCapable { capability }), "{command:?}");
    }
}

#[test]
fn maintenance_says_whom_it_touches_and_nobody_is_sold_what_is_away() {
    check(
        "
        pool     A gb300 144
        listing  L1 A 144 0h..100h @2.50
        line     C1 90000
        order    O1 C1 72 10h..20h <=2.50  -> contract
        order    O2 C1 72 18h..30h <=2.50  -> contract
        maintain A 40h..50h 72             -> touched
        maintain A 10h..12h 72             -> touched
        maintain A 11h..19h 8              -> touched O2 O1
        # The listings have 144 free from 40h to 50h, the pool has room for 72.
        order    O3 C1 76 45h..60h <=2.50  -> expired capacity at=45h free=72 later_start 76 50h
        order    O4 C1 72 45h..60h <=2.50  -> contract
        order    O5 C1 4 40h..45h <=2.50   -> contract
        order    O6 C1 72 40h..45h <=2.50  -> expired capacity at=40h free=68
        ",
    );
}
