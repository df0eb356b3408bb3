//! Changes to a contract: cancel, shrink, extend, grow. Each is quoted before it is done and
//! recorded with what was before and after.
//!
//! Knows what a contract is worth before and after, and posts the difference. Knows nothing of
//! invoices: a fee waits with what was delivered.

mod cut;
mod growth;
mod transfer;

pub use transfer::{Transfer, TransferStep};

use serde::{Deserialize, Serialize};

use super::Engine;
use super::charge::{Bill, less, sum};
use super::command::{Answer, ChangeContract, Stamp};
use super::contract::{Commitment, Contract, SizeUntil};
use super::delivery::Posting;
use super::effect::{Change as Trail, Effects};
use super::event::EventKind;
use super::ledger::{Account, EntryKind};
use super::matching::Draw;
use super::refusal::Refusal;
use crate::model::id::{ContractId, PoolId};
use crate::model::{Gpus, Micros, Minute, Money, Price, Window, Worth, limits};
use crate::words;

words! {
    /// What was done to a contract.
    AmendmentKind {
        Cancel = "cancel",
        Shrink = "shrink",
        Extend = "extend",
        Grow = "grow",
        /// Another pool stands in: see [`Move`].
        Substitute = "substitute",
        /// A part of it was bought by another customer.
        Resell = "resell",
        /// What was sold on was given up by its buyer.
        Release = "release",
        /// It went to another organization of the group.
        Transfer = "transfer",
    }
}

/// What is asked of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// All that is left of it, from the next slot on.
    Cancel,
    /// So many GPUs from an instant on, fewer than now. `None`: from the next slot.
    Shrink { gpus: Gpus, from: Option<Minute> },
    /// A later end, in the same pool, at the listings' asks up to a price.
    Extend { end: Minute, limit: Option<Price> },
    /// So many GPUs from an instant to the end, more than now.
    Grow { gpus: Gpus, from: Option<Minute>, limit: Option<Price> },
}

/// The size of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub gpus: Gpus,
    pub window: Window,
    pub value: Money,
}

/// Another pool stands in for a contract's own until an instant. It keeps its size and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub from: PoolId,
    pub to: PoolId,
    pub until: Minute,
}

/// One change to a contract: done, or quoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    pub contract: ContractId,
    /// 1, 2, 3 within the contract.
    pub no: u32,
    pub kind: AmendmentKind,
    /// The instant from which it counts.
    pub effective_at: Minute,
    pub before: Size,
    pub after: Size,
    pub moved: Option<Move>,
    /// What the customer is charged for the change.
    pub fee: Money,
    /// Held on the line by the contract before and after.
    pub held_before: Money,
    pub held_after: Money,
    pub made_at: Micros,
}

/// A fee is a charge like another, but the platform's part of it is told apart.
pub(super) const FEE: Posting = Posting {
    more: EntryKind::FeeCharged,
    less: EntryKind::FeeCharged,
    platform: Account::GlCancellationFee,
};

/// A change thought through: what it takes from a contract, adds to it and costs.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: AmendmentKind,
    pub(super) effective_at: Minute,
    /// The contract, accrued to now.
    pub(super) before: Contract,
    /// The same with the change, its fee not yet charged.
    pub(super) after: Contract,
    /// Back to the listings.
    pub(super) removed: Vec<Draw>,
    /// From the listings.
    pub(super) added: Vec<Draw>,
    /// What guarantors stand behind in addition.
    pub(super) commitments: Vec<Commitment>,
    /// The fee by its parts.
    pub(super) fee: Bill,
}

impl Engine {
    /// Changes a contract for its customer, or says what the change would do.
    pub(super) fn change_contract(
        &mut self,
        at: &Stamp,
        ask: ChangeContract,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.trading(at)?.organization;
        let ChangeContract { id, change, fee_max, dry_run } = ask;
        let own = self.contracts.unsettled.get(&id).filter(|it| it.customer == customer.id);
        let own = own.ok_or(Refusal::NotFound { kind: "contract" })?;
        if !own.is_live() {
            let (state, needed) = (own.state.as_str(), "scheduled or active");
            return Err(Refusal::WrongState { kind: "contract", state, needed });
        }
        self.is_ordered(own)?;
        if own.amendments >= limits::AMENDMENTS_MAX && change != Change::Cancel {
            let most = usize::try_from(limits::AMENDMENTS_MAX).expect("a small bound");
            return Err(Refusal::TooMany { kind: "amendment", most });
        }
        let gives_up = matches!(change, Change::Cancel | Change::Shrink { .. });
        if gives_up && !own.offered().is_empty() {
            let (state, needed) = ("offered for resale", "withdrawn from resale");
            return Err(Refusal::WrongState { kind: "contract", state, needed });
        }
        let before = own.accrued_by(at.now());
        let mut plan = match change {
            Change::Cancel => self.plan_cancel(at, before)?,
            Change::Shrink { gpus, from } => self.plan_shrink(at, before, gpus, from)?,
            Change::Extend { end, limit } => self.plan_extend(at, &customer, before, end, limit)?,
            Change::Grow { gpus, from, limit } => {
                self.plan_grow(at, &customer, before, gpus, from, limit)?
            }
        };
        let fee = plan.fee.fees;
        if let Some(most) = fee_max.filter(|most| fee > *most) {
            return Err(Refusal::FeeAbove { fee, most });
        }
        plan.after.unbilled.add(&plan.fee);
        plan.after.amendments += 1;
        plan.after.changed_at = at.at;
        let amendment = plan.amendment(at);
        let contract = plan.after.clone();
        if dry_run {
            return Ok(Answer::Amended { amendment, contract });
        }
        // From here it must succeed: every question has been asked.
        self.accrue(at, id, at.now(), out);
        out.amendments.push(amendment.clone());
        self.amend(at, plan, &amendment, out);
        Ok(Answer::Amended { amendment, contract })
    }

    /// Makes a customer's plan true and says so; what it gave back goes to who waits.
    fn amend(&mut self, at: &Stamp, plan: Plan, amendment: &Amendment, out: &mut Effects) {
        let (was, contract) = (plan.before.state, plan.after.clone());
        let (before, after) = ((was, amendment.before), (contract.state, amendment.after));
        out.changes.push(Trail::between(&contract.id, &before, &after));
        self.make(at, plan, out);
        let amended = EventKind::ContractAmended;
        match amendment.kind {
            AmendmentKind::Cancel => {
                let previous = Some(was.as_str());
                self.tell_parties(at, EventKind::ContractCancelled, &contract, previous, out);
                self.leave_incidents(at, contract.id, out);
                self.retry(at, &contract.sku, out);
            }
            AmendmentKind::Shrink => {
                self.tell_parties(at, amended, &contract, None, out);
                self.retry(at, &contract.sku, out);
            }
            AmendmentKind::Extend
            | AmendmentKind::Grow
            | AmendmentKind::Substitute
            | AmendmentKind::Resell
            | AmendmentKind::Release
            | AmendmentKind::Transfer => {
                self.tell_parties(at, amended, &contract, None, out);
            }
        }
    }

    /// Makes a plan true, of a contract that has accrued to now: posts the fee and the differences
    /// in credit, guarantees and capacity. What was earned does not change, because nothing before
    /// now does.
    pub(super) fn make(&mut self, at: &Stamp, plan: Plan, out: &mut Effects) {
        let Plan { before, after, removed, added, commitments, fee, kind: _, effective_at: _ } =
            plan;
        let Contract { id, line, pool, .. } = after;
        // Whoever takes a contract takes the one it has looked at.
        let after = Contract { transfer_to: None, ..after };
        self.post_parts(at, &after, &fee, FEE, at.now(), out);
        // The fee is less than what is removed, and so is held already.
        self.draw(at, line, fee.fees, id, at.now(), out);
        let (had, needs) = (less(before.unaccrued(), fee.fees), after.unaccrued());
        self.hold(at, line, less(needs, had).max(Money::ZERO), Some(id), out);
        let released = less(had, needs).max(Money::ZERO);
        if !released.is_zero() {
            self.release_hold(at, line, released, Some(id), out);
        }
        let whole = after.tally(after.window.end());
        for part in before.tally(before.window.end()).programs {
            // What the guarantee covers of the fee stays covered.
            let left = sum(whole.charged(part.program), fee.charged(part.program));
            let gone = less(part.charged, left).max(Money::ZERO);
            self.unexpose(at, line, part.program, gone, Some(id), out);
        }
        self.commit_guarantees(at, &after, &commitments, out);
        self.restand(&before, &after, out);
        if !removed.is_empty() {
            self.give_back(at, pool, &before.homed(&removed), Some(id), out);
            self.given_up_for_sellers(at, &before, &removed, out);
        }
        if !added.is_empty() {
            self.take(at, pool, &added, Some(id), out);
        }
        before.deadlines().for_each(|(due_at, due)| self.deadlines.clear(due_at, due));
        after.deadlines().for_each(|(due_at, due)| self.deadlines.set(due_at, due));
        out.contracts.changed(id, after.clone());
        self.contracts.put(after);
    }

    /// When a change that is asked for now counts: from `from`, or from the contract's next slot.
    fn effective(
        &self,
        at: &Stamp,
        contract: &Contract,
        from: Option<Minute>,
    ) -> Result<Minute, Refusal> {
        let field = "from";
        let slot_minutes = self.slot_of(contract);
        let next = at.next_minute().ceil_to(slot_minutes).max(contract.window.start());
        let given = from.unwrap_or(next);
        if !given.is_aligned(slot_minutes) {
            let (before, after) = (given.floor_to(slot_minutes), given.ceil_to(slot_minutes));
            return Err(Refusal::OffSlot { field, slot_minutes, before, after });
        }
        if given < next {
            return Err(Refusal::InThePast { field, given, next });
        }
        let latest = contract.window.end().plus(-i64::from(slot_minutes));
        if given > latest {
            return Err(Refusal::TooFar { field, given, latest });
        }
        Ok(given)
    }

    fn slot_of(&self, contract: &Contract) -> u32 {
        let sku = self.catalogue.sku(&contract.sku);
        sku.expect("a contract's SKU exists").slot_minutes
    }
}

impl Plan {
    /// The record of it.
    pub(super) fn amendment(&self, at: &Stamp) -> Amendment {
        let Self { before, after, .. } = self;
        Amendment {
            contract: after.id,
            no: after.amendments,
            kind: self.kind,
            effective_at: self.effective_at,
            before: before.size(),
            after: after.size(),
            moved: None,
            fee: self.fee.fees,
            held_before: before.unaccrued(),
            held_after: after.unaccrued(),
            made_at: at.at,
        }
    }
}

impl Contract {
    pub(super) fn size(&self) -> Size {
        Size { gpus: self.gpus, window: self.window, value: self.value }
    }

    /// GPUs agreed on at an instant of its window.
    fn gpus_at(&self, instant: Minute) -> Gpus {
        Gpus::try_from(self.agreed().at(instant)).expect("a contract is of a number of GPUs")
    }

    /// Has so many GPUs from an instant on, and until then what it had.
    fn resize(&mut self, from: Minute, gpus: Gpus) {
        let former = (from > self.window.start()).then(|| self.gpus_at(from.plus(-1)));
        self.sizes.retain(|size| size.until < from);
        if let Some(former) = former.filter(|former| *former != gpus) {
            self.sizes.push(SizeUntil { gpus: former, until: from });
        }
        self.gpus = gpus;
    }

    /// Draws this and nothing else; what it is worth follows.
    pub(super) fn reallocate(&mut self, draws: Vec<Draw>) {
        let worth = |draw: &Draw| draw.price.worth(draw.gpus, draw.window.minutes());
        self.worth = draws.iter().fold(Worth::ZERO, |sum, draw| sum.plus(worth(draw)));
        self.allocations = draws;
        let average = self.worth.average(1, self.gpu_minutes());
        self.average = average.unwrap_or(self.average);
        self.value = self.tally(self.window.end()).charge;
    }
}
