//! Less of a contract: cancelled, shrunk, terminated. What it gives up goes back to the listings it
//! came from; the dearest goes first.

use super::super::Engine;
use super::super::charge::Bill;
use super::super::command::Stamp;
use super::super::contract::{Contract, ContractState};
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::incident::Substitute;
use super::super::matching::{Draw, Stack, over_time};
use super::super::refusal::Refusal;
use super::{AmendmentKind, Plan};
use crate::engine::bound;
use crate::engine::capacity::on_lot;
use crate::model::id::ContractId;
use crate::model::{Gpus, Minute, Money, Schedule, Window};

impl Engine {
    /// All that is left from the next slot on, for a fee.
    pub(super) fn plan_cancel(&self, at: &Stamp, before: Contract) -> Result<Plan, Refusal> {
        let effective_at = self.effective(at, &before, None)?;
        let (mut after, removed) = before.over_from(effective_at, at.now());
        after.become_state(ContractState::Cancelled, at);
        Ok(less_of(AmendmentKind::Cancel, effective_at, before, after, removed))
    }

    /// Fewer GPUs to the end, for a fee.
    pub(super) fn plan_shrink(
        &self,
        at: &Stamp,
        before: Contract,
        gpus: Gpus,
        from: Option<Minute>,
    ) -> Result<Plan, Refusal> {
        let effective_at = self.effective(at, &before, from)?;
        let rest = Window::new(effective_at, before.window.end()).expect("it lies before the end");
        let lot = self.catalogue.sku(&before.sku).expect("a contract's SKU exists").gpus_per_node;
        let agreed = before.agreed();
        bound::within("gpus", gpus, lot, agreed.min_over(rest) - 1)?;
        on_lot("gpus", gpus, lot)?;
        let sold = before.resale.as_ref().map_or(Schedule::empty(), |it| it.sold_gpus());
        if let Some(it) = sold.within(rest).find(|it| it.count > i64::from(gpus)) {
            let (at, sold) = (it.window.start(), it.count);
            return Err(Refusal::SoldOn { at, sold, asked: gpus });
        }
        let mut surplus = agreed.since(effective_at);
        surplus.add(rest, -i64::from(gpus));
        let mut stack = Stack::of(&before.allocations);
        let removed = stack.dearest(surplus);
        stack.remove(&removed);
        if self.incidents.waiting().any(|(_, it, _)| it.contract == before.id) {
            let (state, needed) = ("offered", "answered");
            return Err(Refusal::WrongState { kind: "substitution", state, needed });
        }
        let mut after = before.clone();
        after.resize(effective_at, gpus);
        after.cut(stack.draws(), effective_at);
        Ok(less_of(AmendmentKind::Shrink, effective_at, before, after, removed))
    }

    /// A contract ends now, whatever it has left: its customer defaulted. No fee. One that was over
    /// and still delivering to the end of its slot ends now too. The caller retries resting orders,
    /// once it is done.
    pub(in crate::engine) fn terminate_contract(
        &mut self,
        at: &Stamp,
        id: ContractId,
        out: &mut Effects,
    ) {
        self.withdraw_resales(at, id, out);
        self.accrue(at, id, at.now(), out);
        let before = self.contract(id).clone();
        let state = before.state;
        let effective_at = at.now().max(before.window.start());
        let (mut after, removed) = before.over_from(effective_at, at.now());
        if before.is_live() {
            after.become_state(ContractState::Terminated, at);
        } else if removed.is_empty() {
            return;
        }
        after.changed_at = at.at;
        let told = after.clone();
        let plan = Plan {
            kind: AmendmentKind::Cancel,
            effective_at,
            before,
            after,
            removed,
            added: Vec::new(),
            commitments: Vec::new(),
            fee: Bill::default(),
        };
        self.make(at, plan, out);
        if told.state != state {
            let previous = Some(state.as_str());
            self.tell_parties(at, EventKind::ContractTerminated, &told, previous, out);
        }
        self.leave_incidents(at, id, out);
    }
}

impl Contract {
    /// The contract when it is over from an instant on, and what it gives back.
    fn over_from(&self, from: Minute, now: Minute) -> (Contract, Vec<Draw>) {
        let mut stack = Stack::of(&self.allocations);
        let removed = stack.dearest(self.promised().since(from));
        stack.remove(&removed);
        let mut after = self.clone();
        match Window::new(self.window.start(), from.min(self.window.end())) {
            Some(window) => {
                after.gpus = self.gpus_at(window.end().plus(-1));
                after.sizes.retain(|size| size.until < window.end());
                after.window = window;
                after.ended_at = Some(window.end());
            }
            // It had not begun: its window stays for the record. Any instant after now makes it
            // billed with this month.
            None => after.ended_at = Some(now.plus(1)),
        }
        // What was sold on from then on is settled by the fee, or never.
        after.resale_mut(|resale| resale.cut_from(from));
        after.cut(stack.draws(), from);
        (after, removed)
    }
}

impl Contract {
    /// Draws less from an instant on: what is known to be lost there and what stands in for it
    /// becomes no more than that.
    fn cut(&mut self, draws: Vec<Draw>, from: Minute) {
        let left = over_time(&draws);
        if self.losses.iter().any(|lost| lost.window.end() > from) {
            let wanted = over_time(&self.losses);
            let mut kept = Stack::of(&self.losses);
            kept.remove(&kept.dearest(wanted.since(from)));
            let mut there = Stack::of(&draws);
            let mut losses = kept.draws();
            there.remove(&losses);
            let mut still = Schedule::empty();
            for lost in wanted.since(from).stretches() {
                for has in left.within(lost.window) {
                    still.add(has.window, has.count.min(lost.count));
                }
            }
            losses.extend(there.dearest(still));
            self.losses = losses;
        }
        let all = std::mem::take(&mut self.substitutes);
        for it in all {
            if it.window.end() <= from {
                self.substitutes.push(it);
                continue;
            }
            let has = left.within(it.window).filter(|has| has.count > 0);
            self.substitutes.extend(has.map(|has| Substitute {
                pool: it.pool,
                gpus: it.gpus.min(Gpus::try_from(has.count).expect("a number of GPUs")),
                window: has.window,
            }));
        }
        self.reallocate(draws);
    }
}

/// The plan of a change that takes something away, with its fee.
fn less_of(
    kind: AmendmentKind,
    effective_at: Minute,
    before: Contract,
    after: Contract,
    removed: Vec<Draw>,
) -> Plan {
    let fee = fee(&before, &after);
    let (added, commitments) = (Vec::new(), Vec::new());
    Plan { kind, effective_at, before, after, removed, added, commitments, fee }
}

/// A part of what is removed, and all that is still owed on what was sold on: split among the
/// parties as each would have been.
fn fee(before: &Contract, after: &Contract) -> Bill {
    let mut kept = after.clone();
    kept.window = before.window;
    kept.resale.clone_from(&before.resale);
    let kept = kept.tally(before.window.end());
    let mut owed = kept.clone();
    owed.take(&after.tally(after.window.end()));
    let mut removed = before.tally(before.window.end());
    removed.take(&kept);
    let fee = removed.charge.portion(before.terms.cancellation_fee);
    let fees = fee.expect("a part is no more than the whole").min(removed.charge);
    let mut fee = Bill { fees, ..removed.parts_of(fees) };
    let Bill { charge, .. } = owed;
    fee.add(&Bill { fees: charge, charge: Money::ZERO, delivered: 0, lost: 0, ..owed });
    fee
}
