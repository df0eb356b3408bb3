//! What guarantors stand behind, contract after contract, on one line and under one program.

use std::sync::Arc;

use uuid::Uuid;

use super::super::charge::Bill;
use super::super::contract::{Commitment, Contract, ContractState, Terms};
use super::super::ledger::{Account, AccountKey, Book, EntryKind};
use super::super::program::{FrozenProgram, GuaranteeTerms, ProgramTerms, ShareStep};
use super::super::{Actor, Effects, Engine, Settings, Stamp};
use crate::model::id::{ContractId, LineId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{BasisPoints, Micros, Minute, Money, Price, Window, Worth};

const LINE: LineId = LineId::new(Uuid::from_u128(1));
const PROGRAM: ProgramId = ProgramId::new(Uuid::from_u128(2));

fn money(units: i64) -> Money {
    Money::from_micros(units * 1_000_000)
}

fn guarantee(coverage: BasisPoints, first_loss: i64, cap: i64) -> Option<GuaranteeTerms> {
    Some(GuaranteeTerms { coverage, first_loss: money(first_loss), cap: money(cap) })
}

fn frozen(program: ProgramId, guarantee: Option<GuaranteeTerms>) -> Arc<FrozenProgram> {
    let shares = vec![ShareStep { from_month: 1, vendor_share: 1_500 }];
    let terms = Arc::new(ProgramTerms { shares, guarantee, backstop: None });
    Arc::new(FrozenProgram { program, version: 1, vendor: OrgId::new(Uuid::from_u128(3)), terms })
}

/// A contract of which only its line and its commitments matter here.
fn contract(programs: Vec<Arc<FrozenProgram>>, commitments: Vec<Commitment>) -> Contract {
    let id = Uuid::from_u128(4);
    let start = Minute::new(29_979_360);
    Contract {
        id: ContractId::new(id),
        order: OrderId::new(id),
        customer: OrgId::new(id),
        ordered_by: OrgId::new(id),
        line: LINE,
        provider: OrgId::new(id),
        pool: PoolId::new(id),
        sku: "gb300".parse().expect("a code"),
        region: "batam".parse().expect("a code"),
        gpus: 64,
        sizes: Vec::new(),
        window: Window::lasting(start, 720 * 60).expect("a month"),
        earliest: start,
        latest: start,
        worth: Worth::ZERO,
        value: Money::ZERO,
        average: Price::default(),
        allocations: Vec::new(),
        substitutes: Vec::new(),
        degraded: false,
        losses: Vec::new(),
        resale: None,
        transfer_to: None,
        terms: Terms {
            platform_fee: 500,
            cancellation_fee: 2_500,
            net_days: 30,
            sla: Vec::new(),
            programs,
        },
        commitments,
        state: ContractState::Scheduled,
        accrued: Money::ZERO,
        accrued_to: start,
        delivered: 0,
        lost: 0,
        unbilled: Bill::default(),
        billed_to: start,
        ended_at: None,
        settled: false,
        amendments: 0,
        workload: None,
        created_at: Micros::default(),
        changed_at: Micros::default(),
    }
}

fn stamp(seq: u64) -> Stamp {
    let at = Minute::new(29_979_360).micros();
    Stamp { at, seq, actor: Actor::System, request: Uuid::nil(), key: None }
}

/// Makes a contract worth `supported` under each program; answers what was committed for each.
fn make(
    engine: &mut Engine,
    programs: &[Arc<FrozenProgram>],
    supported: i64,
    out: &mut Effects,
) -> Vec<Money> {
    let under: Vec<_> = programs.iter().map(|it| (it.as_ref(), money(supported))).collect();
    let commitments = engine.commitments(LINE, &under);
    let committed = commitments.iter().map(|it| it.committed).collect();
    let contract = contract(programs.to_vec(), commitments);
    engine.commit_guarantees(&stamp(engine.seq() + 1), &contract, &contract.commitments, out);
    let sums = engine.ledger.trial_balance(Book::Gua);
    assert_eq!(sums.debits, sums.credits);
    committed
}

fn net(engine: &Engine, account: Account) -> Money {
    let key = AccountKey::of_both(account, PROGRAM.uuid(), LINE.uuid());
    Money::from_micros(engine.ledger.net(key))
}

#[test]
fn the_worked_contract_commits_its_guarantee() {
    let (mut engine, mut out) = (Engine::new(Settings::default()), Effects::default());
    let program = frozen(PROGRAM, guarantee(8_000, 5_000, 150_000));
    assert_eq!(make(&mut engine, &[program], 115_200, &mut out), [money(88_160)]);
    for (account, balance) in [
        (Account::GuaCap, 150_000),
        (Account::GuaAvailable, 150_000 - 88_160),
        (Account::GuaCommitted, 88_160),
        (Account::GuaSupported, 115_200),
        (Account::GuaExposed, 115_200),
    ] {
        assert_eq!(net(&engine, account), money(balance), "{account}");
    }
    let kinds: Vec<_> = out.entries.iter().map(|entry| entry.kind).collect();
    let granted_then_used =
        [EntryKind::GuaranteeGranted, EntryKind::GuaranteeExposed, EntryKind::GuaranteeCommitted];
    assert_eq!(kinds, granted_then_used);
    assert!(out.entries.iter().all(|entry| entry.contract.is_some()));
}

#[test]
fn first_loss_counts_once_and_the_cap_binds() {
    // (coverage, first loss, cap), the contract's value, what is committed for it.
    let (mut engine, mut out) = (Engine::new(Settings::default()), Effects::default());
    for (coverage, first_loss, cap, supported, committed) in [
        (8_000, 5_000, 150_000, 3_000, 0),        // below the first loss
        (8_000, 5_000, 150_000, 3_000, 800),      // 1,000 above it
        (8_000, 5_000, 150_000, 109_200, 87_360), // in all 88,160 for 115,200
        (8_000, 5_000, 150_000, 115_200, 61_840), // all that was left of the cap
        (8_000, 5_000, 150_000, 1_000, 0),        // nothing is left
        (8_000, 5_000, 200_000, 10_000, 8_000),   // a newer version with more
        (8_000, 5_000, 100_000, 10_000, 0),       // one with less than is used
        (8_000, 5_000, 200_000, 10_000, 8_000),   // what was granted stays granted
        (0, 0, 200_000, 10_000, 0),               // no coverage
        (10_000, 0, 200_000, 10_000, 10_000),     // all of it
    ] {
        let program = frozen(PROGRAM, guarantee(coverage, first_loss, cap));
        let made = make(&mut engine, &[program], supported, &mut out);
        assert_eq!(made, [money(committed)], "{supported} under a cap of {cap}");
    }
    assert_eq!(net(&engine, Account::GuaCap), money(200_000));
    assert_eq!(net(&engine, Account::GuaCommitted), money(176_000));
    assert_eq!(net(&engine, Account::GuaAvailable), money(24_000));
}

#[test]
fn programs_and_lines_are_each_for_themselves() {
    let (mut engine, mut out) = (Engine::new(Settings::default()), Effects::default());
    let second = frozen(ProgramId::new(Uuid::from_u128(9)), guarantee(5_000, 0, 1_000));
    let both = [frozen(PROGRAM, guarantee(8_000, 0, 150_000)), second];
    assert_eq!(make(&mut engine, &both, 10_000, &mut out), [money(8_000), money(1_000)]);
    let under = [(both[0].as_ref(), money(10_000))];
    let elsewhere = engine.commitments(LineId::new(Uuid::from_u128(77)), &under);
    assert_eq!(elsewhere[0].committed, money(8_000));
}

#[test]
fn a_program_without_a_guarantee_still_counts_what_it_supports() {
    let (mut engine, mut out) = (Engine::new(Settings::default()), Effects::default());
    assert_eq!(make(&mut engine, &[frozen(PROGRAM, None)], 4_000, &mut out), [Money::ZERO]);
    assert_eq!(net(&engine, Account::GuaExposed), money(4_000));
    assert_eq!(net(&engine, Account::GuaCap), Money::ZERO);
    let program = frozen(PROGRAM, guarantee(10_000, 5_000, 150_000));
    assert_eq!(make(&mut engine, &[program], 4_000, &mut out), [money(3_000)]);
}
