//! The revenue-bearing record of a match: who delivers what to whom, when, on which frozen terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::charge::Parts;
use super::command::Stamp;
use super::deadline::Due;
use super::effect::Effects;
use super::event::{EventData, EventKind};
use super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::matching::{Block, Draw};
use super::order::Order;
use super::program::FrozenProgram;
use crate::model::id::{ContractId, LineId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{
    BasisPoints, Gpus, Micros, Minute, Money, Price, RegionCode, SkuCode, Window, Workload, Worth,
};
use crate::words;

words! {
    /// `scheduled -> active -> completed`; `scheduled -> cancelled`; `scheduled|active ->
    /// terminated`.
    ContractState {
        Scheduled = "scheduled",
        Active = "active",
        Completed = "completed",
        Cancelled = "cancelled",
        Terminated = "terminated",
    }
}

/// What a contract was made under. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub platform_fee: BasisPoints,
    pub cancellation_fee: BasisPoints,
    pub net_days: u32,
    /// The programs its draws are supported under.
    pub programs: Vec<Arc<FrozenProgram>>,
}

/// What a program's guarantor stands behind because of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    pub program: ProgramId,
    /// The value of the contract's draws under that program.
    pub supported: Money,
    /// The guaranteed part of it.
    pub committed: Money,
}

/// A match, recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    pub id: ContractId,
    pub order: OrderId,
    pub customer: OrgId,
    /// The credit line that carries it.
    pub line: LineId,
    pub provider: OrgId,
    pub pool: PoolId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: Gpus,
    pub window: Window,
    /// The starts the order would have accepted: room to move the block before it is firm.
    pub earliest: Minute,
    pub latest: Minute,
    /// The exact worth of all allocations.
    pub worth: Worth,
    /// `worth`, floored once: what the customer will be charged for full delivery.
    pub value: Money,
    pub average: Price,
    pub allocations: Vec<Draw>,
    pub terms: Terms,
    pub commitments: Vec<Commitment>,
    pub state: ContractState,
    /// Value delivered so far; the rest of `value` is held on the line.
    pub accrued: Money,
    pub accrued_to: Minute,
    pub workload: Option<Workload>,
    pub created_at: Micros,
    pub changed_at: Micros,
}

/// A contract in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractBrief {
    pub id: ContractId,
    pub gpus: Gpus,
    pub window: Window,
    pub state: ContractState,
}

/// Scheduled and active contracts.
#[derive(Debug, Default)]
pub struct Contracts {
    /// Boxed: a node of the tree holds eleven, and moves them about.
    pub(super) live: BTreeMap<ContractId, Box<Contract>>,
}

impl ContractState {
    /// The table: where a contract may go from here.
    pub const fn may_become(self) -> &'static [ContractState] {
        use ContractState::{Active, Cancelled, Completed, Scheduled, Terminated};
        match self {
            Scheduled => &[Active, Cancelled, Terminated],
            Active => &[Completed, Terminated],
            Completed | Cancelled | Terminated => &[],
        }
    }
}

impl Contract {
    fn become_state(&mut self, state: ContractState, at: &Stamp) {
        assert!(self.state.may_become().contains(&state), "a contract's edges are in its table");
        self.state = state;
        self.changed_at = at.at;
    }

    /// GPU-minutes of the whole block.
    pub fn gpu_minutes(&self) -> i64 {
        i64::from(self.gpus) * self.window.minutes()
    }

    /// What of its value is not yet earned, and so held on the line.
    pub fn unaccrued(&self) -> Money {
        self.value.checked_sub(self.accrued).expect("a contract never accrues more than its value")
    }
}

impl Contracts {
    /// All live contracts, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Contract> {
        self.live.values().map(AsRef::as_ref)
    }
}

impl Engine {
    /// Makes the contract of a match whose capacity is taken and whose credit is held.
    pub(super) fn open_contract(
        &mut self,
        at: &Stamp,
        order: &Order,
        line: LineId,
        block: Block,
        value: Money,
        out: &mut Effects,
    ) -> Contract {
        let programs = self.programs_of(&block.draws);
        let supported: Vec<(&FrozenProgram, Money)> = programs
            .iter()
            .map(|frozen| (frozen.as_ref(), supported_value(&block.draws, frozen.program)))
            .collect();
        let commitments = self.commitments(line, &supported);
        let average = block.worth.average(block.gpus, block.window.minutes());
        let contract = Contract {
            id: order.contract_id(),
            order: order.id,
            customer: order.org,
            line,
            provider: block.provider,
            pool: block.pool,
            sku: block.sku,
            region: block.region,
            gpus: block.gpus,
            window: block.window,
            earliest: order.earliest,
            latest: order.latest,
            worth: block.worth,
            value,
            average: average.expect("a block is at asks, which are bounded"),
            allocations: block.draws,
            terms: Terms {
                platform_fee: self.settings.platform_fee,
                cancellation_fee: self.settings.cancellation_fee,
                net_days: self.credit.net_days(line),
                programs,
            },
            commitments,
            state: ContractState::Scheduled,
            accrued: Money::ZERO,
            accrued_to: block.window.start(),
            workload: order.ask.workload,
            created_at: at.at,
            changed_at: at.at,
        };
        self.commit_guarantees(at, &contract, out);
        let (id, window) = (contract.id, contract.window);
        self.deadlines.set(window.start().micros(), Due::ContractStarts(id));
        self.deadlines.set(window.end().micros(), Due::ContractEnds(id));
        self.tell_parties(at, EventKind::ContractCreated, &contract, None, out);
        out.contracts.born(id, contract.clone());
        let before = self.contracts.live.insert(id, Box::new(contract.clone()));
        assert!(before.is_none(), "an order makes one contract");
        contract
    }

    /// A contract's window begins.
    pub(super) fn start_contract(&mut self, at: &Stamp, id: ContractId, out: &mut Effects) {
        let contract = self.contracts.live.get_mut(&id).expect("only a live contract starts");
        contract.become_state(ContractState::Active, at);
        let contract = contract.as_ref().clone();
        self.tell_parties(at, EventKind::ContractActive, &contract, Some("scheduled"), out);
        out.contracts.changed(id, contract);
    }

    /// A contract's window has ended: all of it counts as delivered, and what is earned is split.
    pub(super) fn complete_contract(&mut self, at: &Stamp, id: ContractId, out: &mut Effects) {
        let live = self.contracts.live.remove(&id);
        let mut contract = *live.expect("only a live contract completes");
        let end = contract.window.end();
        let (value, parts) = contract.charge(end);
        assert_eq!(value, contract.value, "the runs add up to what was promised");
        self.draw(at, contract.line, contract.unaccrued(), id, end, out);
        self.earn(at, &contract, parts, end, out);
        self.deliver(at, contract.pool, contract.gpu_minutes(), id, end, out);
        contract.accrued = value;
        contract.accrued_to = end;
        contract.become_state(ContractState::Completed, at);
        self.tell_parties(at, EventKind::ContractCompleted, &contract, Some("active"), out);
        out.contracts.changed(id, contract);
    }

    /// Posts earned revenue: the customer's unbilled receivable against each party's part.
    fn earn(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        parts: Parts,
        to: Minute,
        out: &mut Effects,
    ) {
        let receivable = AccountKey::of(Account::GlUnbilled, contract.customer.uuid());
        let operator = self.parties.operator().expect("a market has an operator").id;
        let mut credits = vec![
            (AccountKey::of(Account::GlProviderAccrued, contract.provider.uuid()), parts.provider),
            (AccountKey::of(Account::GlPlatformFee, operator.uuid()), parts.platform),
        ];
        for run in contract.runs(to) {
            let Some(vendor) = run.vendor else { continue };
            let account = AccountKey::of(Account::GlVendorAccrued, vendor.uuid());
            credits.push((account, run.parts().vendor));
        }
        for (credit, part) in credits {
            let transfer = Transfer {
                debit: receivable,
                credit,
                amount: part.micros(),
                kind: EntryKind::RevenueEarned,
                contract: Some(contract.id),
                effective_at: to,
            };
            self.ledger.post(at, transfer, out);
        }
    }

    /// Tells the customer and the provider of a contract.
    pub(super) fn tell_parties(
        &mut self,
        at: &Stamp,
        kind: EventKind,
        contract: &Contract,
        previous: Option<&str>,
        out: &mut Effects,
    ) {
        let data = EventData::Contract {
            id: contract.id,
            order: contract.order,
            pool: contract.pool,
            sku: contract.sku.clone(),
            state: contract.state,
            gpus: contract.gpus,
            start: contract.window.start(),
            end: contract.window.end(),
            value: contract.value,
        };
        self.tell(at, contract.customer, kind, data.clone(), previous, out);
        if contract.provider != contract.customer {
            self.tell(at, contract.provider, kind, data, previous, out);
        }
    }
}

/// The value of the draws under one program, floored once.
fn supported_value(draws: &[Draw], program: ProgramId) -> Money {
    let worth =
        draws.iter().filter(|draw| draw.program == Some(program)).fold(Worth::ZERO, |sum, draw| {
            sum.plus(draw.price.worth(draw.gpus, draw.window.minutes()))
        });
    worth.floor().expect("a part is at most the whole")
}
