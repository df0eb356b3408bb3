//! The revenue-bearing record of a match: who delivers what to whom, when, on which frozen terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::charge::{self, Bill, SlaStep};
use super::command::Stamp;
use super::deadline::Due;
use super::effect::Effects;
use super::event::{EventData, EventKind};
use super::incident::Substitute;
use super::matching::{Block, Draw, over_time};
use super::order::Order;
use super::program::FrozenProgram;
use super::resale::{Origin, Resale};
use crate::model::id::{ContractId, LineId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{
    BasisPoints, Gpus, Micros, Minute, Money, Month, Price, RegionCode, Schedule, SkuCode, Window,
    Workload, Worth,
};
use crate::words;

words! {
    /// `scheduled -> active -> completed`; `scheduled|active -> cancelled | terminated`.
    ContractState {
        Scheduled = "scheduled",
        Active = "active",
        Completed = "completed",
        Cancelled = "cancelled",
        Terminated = "terminated",
    }
}

/// What a contract was made under. Never changes, but for programs that come with what it grows by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub platform_fee: BasisPoints,
    pub cancellation_fee: BasisPoints,
    pub net_days: u32,
    /// What the customer is credited for service below the promise, without a claim.
    pub sla: Vec<SlaStep>,
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
    /// Who has it: who ordered it, or to whom it went since.
    pub customer: OrgId,
    pub ordered_by: OrgId,
    /// The credit line that carries it.
    pub line: LineId,
    pub provider: OrgId,
    pub pool: PoolId,
    pub sku: SkuCode,
    pub region: RegionCode,
    /// The size from the last change on.
    pub gpus: Gpus,
    /// The sizes before, each until an instant. Empty for most.
    pub sizes: Vec<SizeUntil>,
    pub window: Window,
    /// The starts the order would have accepted: room to move the block before it is firm.
    pub earliest: Minute,
    pub latest: Minute,
    /// The exact worth of all allocations.
    pub worth: Worth,
    /// What the customer is charged for delivery in all: of all that is allocated, less what was
    /// lost.
    pub value: Money,
    pub average: Price,
    pub allocations: Vec<Draw>,
    /// What of the allocations was not delivered, as reported: the dearest draws first.
    pub losses: Vec<Draw>,
    /// Other pools of the provider that stand in for its own.
    pub substitutes: Vec<Substitute>,
    /// It is short in an open incident, or may still be.
    pub degraded: bool,
    /// What of it is offered to others, sold on, or bought of a customer.
    pub resale: Option<Box<Resale>>,
    pub terms: Terms,
    pub commitments: Vec<Commitment>,
    pub state: ContractState,
    /// Value delivered so far; the rest of `value` is held on the line.
    pub accrued: Money,
    pub accrued_to: Minute,
    /// GPU-minutes delivered so far, and lost.
    pub delivered: i64,
    pub lost: i64,
    /// Charged since the last invoice.
    pub unbilled: Bill,
    /// What was delivered before it is invoiced.
    pub billed_to: Minute,
    /// When it was over, whichever way.
    pub ended_at: Option<Minute>,
    /// It is over and invoiced to its end: the engine has let go of it, and it is history.
    pub settled: bool,
    /// How often it was changed.
    pub amendments: u32,
    /// To whom of its group the customer offers it.
    pub transfer_to: Option<OrgId>,
    pub workload: Option<Workload>,
    pub created_at: Micros,
    pub changed_at: Micros,
}

/// A size that a contract had until an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeUntil {
    pub gpus: Gpus,
    pub until: Minute,
}

/// A contract in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractBrief {
    pub id: ContractId,
    pub gpus: Gpus,
    pub window: Window,
    pub state: ContractState,
}

/// What is sold and not delivered, in micro-units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undelivered {
    pub(super) by_provider: BTreeMap<OrgId, i64>,
    pub(super) by_sku: BTreeMap<SkuCode, i64>,
}

impl Undelivered {
    pub(super) fn add(&mut self, contract: &Contract, sign: i64) {
        let amount = sign * contract.unaccrued().micros();
        for total in [
            self.by_provider.entry(contract.provider).or_default(),
            self.by_sku.entry(contract.sku.clone()).or_default(),
        ] {
            *total = total.checked_add(amount).expect("sums of bounded amounts");
        }
    }
}

/// Scheduled and active contracts, and those that are over and not yet invoiced to their end.
#[derive(Debug, Default)]
pub struct Contracts {
    /// Shared with what is noted and answered of them, until one changes.
    pub(super) unsettled: BTreeMap<ContractId, Arc<Contract>>,
    /// What they have not earned yet, by whose it is and of what: derived.
    pub(super) undelivered: Undelivered,
}

impl ContractState {
    /// The table: where a contract may go from here.
    pub const fn may_become(self) -> &'static [ContractState] {
        use ContractState::{Active, Cancelled, Completed, Scheduled, Terminated};
        match self {
            Scheduled => &[Active, Cancelled, Terminated],
            Active => &[Completed, Cancelled, Terminated],
            Completed | Cancelled | Terminated => &[],
        }
    }
}

impl Contract {
    pub(super) fn become_state(&mut self, state: ContractState, at: &Stamp) {
        assert!(self.state.may_become().contains(&state), "a contract's edges are in its table");
        self.state = state;
        self.changed_at = at.at;
    }

    /// Scheduled or active: capacity waits for it.
    pub fn is_live(&self) -> bool {
        matches!(self.state, ContractState::Scheduled | ContractState::Active)
    }

    /// GPU-minutes of all allocations.
    pub fn gpu_minutes(&self) -> i64 {
        let minutes = |draw: &Draw| i64::from(draw.gpus) * draw.window.minutes();
        self.allocations.iter().map(minutes).sum()
    }

    /// GPUs promised over time: what was agreed, less what was sold on. Nothing by one that was
    /// over before it began: its window and its size are a record of what was agreed.
    pub fn promised(&self) -> Schedule {
        let mut promised = self.agreed();
        if let Some(resale) = &self.resale {
            promised.subtract_all(&resale.sold_gpus());
        }
        promised
    }

    /// GPUs promised over time that are not known to be lost.
    pub(super) fn not_lost(&self) -> Schedule {
        let mut left = self.promised();
        left.subtract_all(&over_time(&self.losses));
        left
    }

    /// GPUs agreed on over time, what was sold on included.
    pub fn agreed(&self) -> Schedule {
        let mut promised = Schedule::empty();
        if self.ended_at.is_some() && self.allocations.is_empty() && self.sold().is_empty() {
            return promised;
        }
        let mut from = self.window.start();
        let last = SizeUntil { gpus: self.gpus, until: self.window.end() };
        for SizeUntil { gpus, until } in self.sizes.iter().chain([&last]) {
            if let Some(window) = Window::new(from, *until) {
                promised.add(window, i64::from(*gpus));
                from = *until;
            }
        }
        promised
    }

    /// When its next invoice falls due: at the end of the month in which it was delivered and not
    /// billed, or was over.
    pub fn bills_at(&self) -> Minute {
        match self.ended_at {
            None => Month::of(self.billed_to).end(),
            // A contract that ends with its month is billed with it.
            Some(ended_at) => Month::of(ended_at.plus(-1)).end(),
        }
    }

    /// What falls due for it by itself, next. Nothing does before it starts.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (Micros, Due)> + use<> {
        let starts = (self.window.start(), Due::ContractStarts(self.id));
        let ends = (self.window.end(), Due::ContractEnds(self.id));
        let bills = (self.bills_at(), Due::ContractBills(self.id));
        let due = match self.state {
            ContractState::Scheduled => [Some(starts), None],
            ContractState::Active => [Some(ends), Some(bills)],
            _ => [None, Some(bills)],
        };
        due.into_iter().flatten().map(|(instant, due)| (instant.micros(), due))
    }

    pub(super) fn brief(&self) -> ContractBrief {
        ContractBrief { id: self.id, gpus: self.gpus, window: self.window, state: self.state }
    }

    /// What of its value is not yet earned, and so held on the line.
    pub fn unaccrued(&self) -> Money {
        self.value.checked_sub(self.accrued).expect("a contract never accrues more than its value")
    }
}

impl Contracts {
    /// Those that hold these.
    pub(super) fn from_parts(contracts: Vec<Arc<Contract>>) -> Self {
        let mut undelivered = Undelivered::default();
        contracts.iter().for_each(|contract| undelivered.add(contract, 1));
        let unsettled = contracts.into_iter().map(|contract| (contract.id, contract)).collect();
        Self { unsettled, undelivered }
    }

    /// All that are in memory, as they are shared, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Contract>> {
        self.unsettled.values()
    }

    /// Keeps a contract as it has become. The only way to change what it is worth or has earned.
    pub(super) fn put(&mut self, contract: impl Into<Arc<Contract>>) -> Option<Arc<Contract>> {
        let contract = contract.into();
        self.undelivered.add(&contract, 1);
        let before = self.unsettled.insert(contract.id, contract);
        if let Some(before) = &before {
            self.undelivered.add(before, -1);
        }
        before
    }

    /// To change of a contract neither what it is worth nor what it has earned.
    pub(super) fn get_mut(&mut self, id: ContractId) -> Option<&mut Contract> {
        self.unsettled.get_mut(&id).map(Arc::make_mut)
    }

    /// A contract that is there, to be noted or answered.
    pub(super) fn shared(&self, id: ContractId) -> Arc<Contract> {
        self.unsettled[&id].clone()
    }

    /// Lets go of a contract that is settled: nothing of it is undelivered.
    pub(super) fn let_go(&mut self, id: ContractId) {
        if let Some(gone) = self.unsettled.remove(&id) {
            self.undelivered.add(&gone, -1);
        }
    }

    /// All that are in memory, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Contract> {
        self.unsettled.values().map(AsRef::as_ref)
    }

    /// Those whose capacity waits for them.
    pub(super) fn live(&self) -> impl Iterator<Item = &Contract> {
        self.iter().filter(|contract| contract.is_live())
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
    ) -> Arc<Contract> {
        let programs = self.programs_of(&block.draws);
        let origins = self.origins_of(&block.draws);
        let mut supported = self.supported(&block.draws, block.window, origins.clone());
        let supported: Vec<(&FrozenProgram, Money)> = programs
            .iter()
            .map(|frozen| (frozen.as_ref(), supported.remove(&frozen.program).unwrap_or_default()))
            .collect();
        let commitments = self.commitments(line, &supported);
        let average = block.worth.average(block.gpus, block.window.minutes());
        let contract = Contract {
            id: order.contract_id(),
            order: order.id,
            customer: order.org,
            ordered_by: order.org,
            line,
            provider: block.provider,
            pool: block.pool,
            sku: block.sku,
            region: block.region,
            gpus: block.gpus,
            sizes: Vec::new(),
            window: block.window,
            earliest: order.earliest,
            latest: order.latest,
            worth: block.worth,
            value,
            average: average.expect("a block is at asks, which are bounded"),
            allocations: block.draws,
            losses: Vec::new(),
            substitutes: Vec::new(),
            degraded: false,
            resale: Resale::bought_of(origins),
            terms: Terms {
                // What a vendor buys under its backstop is its provider's whole.
                platform_fee: if self.credit.is_backstop(line) {
                    0
                } else {
                    self.settings.platform_fee
                },
                cancellation_fee: self.settings.cancellation_fee,
                net_days: self.credit.net_days(line),
                sla: self.settings.sla.clone(),
                programs,
            },
            commitments,
            state: ContractState::Scheduled,
            accrued: Money::ZERO,
            accrued_to: block.window.start(),
            delivered: 0,
            lost: 0,
            unbilled: Bill::default(),
            billed_to: block.window.start(),
            ended_at: None,
            settled: false,
            amendments: 0,
            transfer_to: None,
            workload: order.ask.workload,
            created_at: at.at,
            changed_at: at.at,
        };
        self.commit_guarantees(at, &contract, &contract.commitments, out);
        let id = contract.id;
        contract.deadlines().for_each(|(due_at, due)| self.deadlines.set(due_at, due));
        self.tell_parties(at, EventKind::ContractCreated, &contract, None, out);
        let contract = Arc::new(contract);
        out.contracts.born(id, contract.clone());
        let before = self.contracts.put(contract.clone());
        assert!(before.is_none(), "an order makes one contract");
        contract
    }

    /// A contract's window begins.
    pub(super) fn start_contract(&mut self, at: &Stamp, id: ContractId, out: &mut Effects) {
        let contract = self.contracts.get_mut(id).expect("only a live contract starts");
        contract.become_state(ContractState::Active, at);
        contract.deadlines().for_each(|(due_at, due)| self.deadlines.set(due_at, due));
        let contract = self.contracts.shared(id);
        self.tell_parties(at, EventKind::ContractActive, &contract, Some("scheduled"), out);
        out.contracts.changed(id, contract);
    }

    /// A contract's window has ended: what was not reported lost counts as delivered. It stays
    /// until it is invoiced.
    pub(super) fn complete_contract(&mut self, at: &Stamp, id: ContractId, out: &mut Effects) {
        let end = self.contract(id).window.end();
        self.accrue(at, id, end, out);
        self.end_contract(at, id, ContractState::Completed, end, out);
        let contract = self.contract(id).clone();
        self.tell_parties(at, EventKind::ContractCompleted, &contract, Some("active"), out);
    }

    /// Takes a contract to its last state: it waits for its invoice only.
    pub(super) fn end_contract(
        &mut self,
        at: &Stamp,
        id: ContractId,
        state: ContractState,
        ended_at: Minute,
        out: &mut Effects,
    ) {
        let contract = self.contracts.get_mut(id).expect("only a live contract ends");
        contract.deadlines().for_each(|(due_at, due)| self.deadlines.clear(due_at, due));
        contract.ended_at = Some(ended_at);
        contract.become_state(state, at);
        contract.deadlines().for_each(|(due_at, due)| self.deadlines.set(due_at, due));
        out.contracts.changed(id, self.contracts.shared(id));
    }

    /// A contract that is in memory.
    ///
    /// # Panics
    /// When it is not: the caller has asked before.
    pub(super) fn contract(&self, id: ContractId) -> &Contract {
        self.contracts.unsettled.get(&id).expect("a contract that is spoken of is there")
    }

    /// What will be charged under each program.
    fn supported(
        &self,
        draws: &[Draw],
        window: Window,
        origins: Vec<Origin>,
    ) -> BTreeMap<ProgramId, Money> {
        let mut supported = BTreeMap::new();
        if draws.iter().all(|draw| draw.program.is_none()) {
            return supported;
        }
        for run in self.runs_of(draws, window, origins) {
            if let Some(program) = run.program {
                let charged = supported.entry(program).or_insert(Money::ZERO);
                *charged = charge::sum(*charged, run.value());
            }
        }
        supported
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
        self.tell_of_contract(at, contract.customer, kind, contract, previous, out);
        if contract.provider != contract.customer {
            self.tell_of_contract(at, contract.provider, kind, contract, previous, out);
        }
    }

    /// Tells one organization of a contract.
    pub(super) fn tell_of_contract(
        &mut self,
        at: &Stamp,
        org: OrgId,
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
        self.tell(at, org, kind, data, previous, out);
    }
}
