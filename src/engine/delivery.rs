//! What contracts deliver over time, what they failed to, and what is earned by it.
//!
//! A contract accrues when something asks: its month or its window ends, a report comes, it is
//! changed. What is posted is the difference to what was posted before, of sums that only time and
//! the contract decide, so nothing accrues twice and any way of cutting time adds up to the same.

use super::Engine;
use super::bound;
use super::charge::{Bill, less, sum};
use super::command::{Answer, Stamp};
use super::contract::Contract;
use super::effect::{Change, Effects};
use super::event::EventKind;
use super::incident::Part;
use super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::matching::{Draw, Stack};
use super::refusal::Refusal;
use crate::model::id::ContractId;
use crate::model::{BasisPoints, Gpus, Minute, Money, Right, Schedule, Window};

/// The whole, in basis points.
const WHOLE: i64 = 10_000;

/// Which way revenue is posted, and which account of the platform takes its part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posting {
    pub(super) more: EntryKind,
    pub(super) less: EntryKind,
    pub(super) platform: Account,
}

/// Delivery earns; what turns out lost is reversed.
const DELIVERY: Posting = Posting {
    more: EntryKind::RevenueEarned,
    less: EntryKind::RevenueReversed,
    platform: Account::GlPlatformFee,
};
/// A credit for service is posted as less.
const CREDIT: Posting = Posting {
    more: EntryKind::ServiceCredited,
    less: EntryKind::ServiceCredited,
    platform: Account::GlServiceCredit,
};

// Accrual.
impl Engine {
    /// Earns what a contract has delivered by `to`; nothing when it was earned before.
    pub(super) fn accrue(&mut self, at: &Stamp, id: ContractId, to: Minute, out: &mut Effects) {
        let contract = self.contract(id);
        let to = to.min(contract.window.end());
        if to > contract.accrued_to {
            self.restate(at, id, to, |_| {}, out);
        }
    }

    /// Changes a contract and posts what is different by `to`, which is never before what it
    /// accrued to: revenue and its parts, drawn and held credit, delivered and lost capacity, what
    /// guarantors are exposed to. The gates have made sure that there is credit for a larger hold.
    pub(super) fn restate(
        &mut self,
        at: &Stamp,
        id: ContractId,
        to: Minute,
        change: impl FnOnce(&mut Contract),
        out: &mut Effects,
    ) {
        let before = self.contract(id);
        let posted = before.tally(before.accrued_to);
        let whole_before = before.tally(before.window.end());
        let mut contract = before.clone();
        change(&mut contract);
        let whole = contract.tally(contract.window.end());
        contract.value = whole.charge;
        let now = contract.recount(to, &posted);
        let held = (less(whole_before.charge, posted.charge), contract.unaccrued());
        self.contracts.put(contract.clone());

        self.post_parts(at, &contract, &now, DELIVERY, to, out);
        self.move_credit(at, &contract, now.charge, held, to, out);
        self.move_delivered(at, &contract, &now, to, out);
        for part in &whole_before.programs {
            let gone = less(part.charged, whole.charged(part.program)).max(Money::ZERO);
            self.unexpose(at, contract.line, part.program, gone, Some(id), out);
        }
        out.contracts.changed(id, contract);
    }

    /// Posts the parts of a difference between the customer's unbilled receivable and each party.
    /// What is below zero goes the other way.
    pub(super) fn post_parts(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        parts: &Bill,
        posting: Posting,
        effective_at: Minute,
        out: &mut Effects,
    ) {
        let unbilled = self.credit.unbilled(contract.line);
        let receivable = AccountKey::of(unbilled, contract.customer.uuid());
        let operator = self.parties.operator().expect("a market has an operator").id;
        let own = |account, owner| AccountKey::of(account, owner);
        let mut sides = vec![
            (own(Account::GlProviderAccrued, contract.provider.uuid()), parts.provider),
            (own(posting.platform, operator.uuid()), parts.platform),
        ];
        for part in &parts.programs {
            sides.push((own(Account::GlVendorAccrued, part.vendor.uuid()), part.share));
        }
        for gain in &parts.gains {
            sides.push((own(Account::GlCreditBalance, gain.reseller.uuid()), gain.amount));
        }
        for (account, part) in sides {
            let (debit, credit, amount, kind) = if part.is_negative() {
                (account, receivable, less(Money::ZERO, part), posting.less)
            } else {
                (receivable, account, part, posting.more)
            };
            let (amount, contract) = (amount.micros(), Some(contract.id));
            let transfer = Transfer { debit, credit, amount, kind, contract, effective_at };
            self.ledger.post(at, transfer, out);
        }
    }

    /// Draws what was earned, or gives back what was not after all, and brings the hold from what
    /// it was to what it is.
    fn move_credit(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        earned: Money,
        (before, after): (Money, Money),
        to: Minute,
        out: &mut Effects,
    ) {
        let Contract { id, line, .. } = *contract;
        let drawn = earned.max(Money::ZERO);
        // What is earned of capacity that was taken on since is held first.
        let needed = sum(drawn, after);
        self.hold(at, line, less(needed, before).max(Money::ZERO), Some(id), out);
        self.draw(at, line, drawn, id, to, out);
        self.undraw(at, line, less(drawn, earned), id, to, out);
        let released = less(before, needed).max(Money::ZERO);
        if !released.is_zero() {
            self.release_hold(at, line, released, Some(id), out);
        } else if earned.is_negative() {
            self.freed(at, line, out);
        }
    }

    /// Moves GPU-minutes from reserved to delivered and lost, and from delivered to lost where a
    /// report came late.
    fn move_delivered(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        moved: &Bill,
        to: Minute,
        out: &mut Effects,
    ) {
        use Account::{CapDelivered, CapLost, CapReserved};
        let late = (-moved.delivered).max(0);
        for (way, minutes) in [
            ((CapReserved, CapDelivered), moved.delivered.max(0)),
            ((CapDelivered, CapLost), late),
            ((CapReserved, CapLost), moved.lost - late),
        ] {
            self.move_capacity(at, contract.pool, way, minutes, Some(contract.id), to, out);
        }
    }
}

// Reports and credits.
impl Engine {
    /// The provider says what was delivered within a window that is over: all but `missing` GPUs.
    /// The contract accrues to the window's end; what was lost is not charged, and the dearest
    /// draws are the first to be lost.
    pub(super) fn report_delivery(
        &mut self,
        at: &Stamp,
        id: ContractId,
        window: Window,
        missing: Gpus,
        note: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        bound::note("note", note)?;
        let contract = self.contracts.unsettled.get(&id).filter(|it| it.provider == provider);
        let contract = contract.ok_or(Refusal::NotFound { kind: "contract" })?;
        let over = contract.window.end().min(at.now());
        if window.start() < contract.window.start() || window.end() > over {
            let start = contract.window.start();
            return Err(Refusal::OutsideDelivery { start, end: over });
        }
        if window.start() < contract.billed_to {
            return Err(Refusal::AlreadyBilled { until: contract.billed_to });
        }
        let losses = lose(contract, window, missing)?;
        let to = contract.accrued_to.max(window.end());
        uncredited(contract, &losses, to)?;
        // From here it must succeed: every question has been asked.
        let before = contract.clone();
        let lost = losses.clone();
        self.restate(at, id, to, |contract| contract.losses.extend(lost), out);
        self.lost_for_sellers(at, id, &losses, out);
        let contract = self.contract(id).clone();
        out.changes.push(Change::between(&id, &before.losses, &contract.losses));
        if missing > 0 {
            self.tell_parties(at, EventKind::ContractDegraded, &contract, None, out);
        }
        Ok(Answer::Contract(contract))
    }

    /// The operator credits a customer for a contract's service.
    pub(super) fn grant_credit(
        &mut self,
        at: &Stamp,
        id: ContractId,
        amount: Money,
        note: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        bound::note("note", note)?;
        bound::within("amount", amount.micros(), 1, crate::model::limits::AMOUNT_MAX)?;
        let contract = self.contracts.unsettled.get(&id);
        let contract = contract.ok_or(Refusal::NotFound { kind: "contract" })?;
        let there = contract.unbilled.amount();
        if amount > there {
            let what = "charged and not yet invoiced";
            return Err(Refusal::MoreThanThere { what, there, given: amount });
        }
        // From here it must succeed: every question has been asked.
        let before = contract.unbilled.clone();
        self.credit_contract(at, id, amount, at.now(), out);
        let contract = self.contract(id).clone();
        out.changes.push(Change::between(&id, &before, &contract.unbilled));
        Ok(Answer::Contract(contract))
    }

    /// Takes an amount off what a contract has charged and not invoiced, from all parties in
    /// proportion.
    fn credit_contract(
        &mut self,
        at: &Stamp,
        id: ContractId,
        amount: Money,
        effective_at: Minute,
        out: &mut Effects,
    ) {
        let mut contract = self.contract(id).clone();
        let parts = contract.unbilled.parts_of(amount);
        contract.unbilled.take(&parts);
        contract.unbilled.credits = sum(contract.unbilled.credits, amount);
        let mut taken = Bill::default();
        taken.take(&parts);
        self.post_parts(at, &contract, &taken, CREDIT, effective_at, out);
        self.contracts.put(contract.clone());
        self.undraw(at, contract.line, amount, id, effective_at, out);
        self.freed(at, contract.line, out);
        for part in &parts.programs {
            self.unexpose(at, contract.line, part.program, part.charged, Some(id), out);
        }
        self.tell_parties(at, EventKind::ContractCredited, &contract, None, out);
        out.contracts.changed(id, contract);
    }

    /// A month has ended, or the month in which a contract was over: what it charged since the last
    /// invoice goes to the customer's next one, less what its terms credit for poor service.
    pub(super) fn bill_contract(&mut self, at: &Stamp, id: ContractId, out: &mut Effects) {
        let bills_at = self.contract(id).bills_at();
        self.bill_until(at, id, bills_at, out);
    }

    /// As `bill_contract`, up to an instant that may come before the month's end.
    pub(super) fn bill_until(
        &mut self,
        at: &Stamp,
        id: ContractId,
        until: Minute,
        out: &mut Effects,
    ) {
        let before = self.contract(id).deadlines();
        before.for_each(|(due_at, due)| self.deadlines.clear(due_at, due));
        self.accrue(at, id, until, out);
        let credit = ladder_credit(self.contract(id));
        if !credit.is_zero() {
            self.credit_contract(at, id, credit, until, out);
        }
        let contract = self.contracts.get_mut(id).expect("it was there");
        let bill = std::mem::take(&mut contract.unbilled);
        let end = until.min(contract.window.end()).max(contract.billed_to);
        let window = Window::new(contract.billed_to, end);
        contract.billed_to = end;
        contract.settled = contract.ended_at.is_some();
        let contract = self.contracts.shared(id);
        if contract.settled {
            self.contracts.let_go(id);
        } else {
            contract.deadlines().for_each(|(due_at, due)| self.deadlines.set(due_at, due));
        }
        if !bill.is_empty() {
            let window = window.unwrap_or(contract.window);
            self.invoice(at, &contract, until, (window, bill), out);
        }
        out.contracts.changed(id, contract);
    }
}

impl Contract {
    /// The contract as it will have accrued by an instant; as it is when it already has.
    pub(super) fn accrued_by(&self, to: Minute) -> Contract {
        let mut contract = self.clone();
        let to = to.min(self.window.end());
        if to > self.accrued_to {
            contract.recount(to, &self.tally(self.accrued_to));
        }
        contract
    }

    /// Counts anew what is earned by `to`; answers what of it is not `posted` yet.
    fn recount(&mut self, to: Minute, posted: &Bill) -> Bill {
        assert!(to >= self.accrued_to, "{} does not accrue backwards", self.id);
        let mut earned = self.tally(to);
        self.accrued_to = to;
        self.accrued = earned.charge;
        (self.delivered, self.lost) = (earned.delivered, earned.lost);
        earned.take(posted);
        self.unbilled.add(&earned);
        earned
    }
}

/// What of a contract's draws is lost when `missing` GPUs are within a window, besides what is lost
/// there already: the dearest first.
fn lose(contract: &Contract, window: Window, missing: Gpus) -> Result<Vec<Draw>, Refusal> {
    for stretch in contract.not_lost().within(window) {
        if stretch.count < i64::from(missing) {
            let promised = Gpus::try_from(contract.promised().at(stretch.window.start()));
            let promised = promised.expect("a contract promises a number of GPUs");
            let at = stretch.window.start();
            return Err(Refusal::MoreThanPromised { at, promised, missing });
        }
    }
    let mut stack = Stack::of(&contract.allocations);
    stack.remove(&contract.losses);
    Ok(stack.dearest(Schedule::flat(window, i64::from(missing))))
}

/// What turns out lost was charged and is not credited yet: nobody is paid for hours twice.
fn uncredited(contract: &Contract, losses: &[Draw], to: Minute) -> Result<(), Refusal> {
    if contract.unbilled.credits.is_zero() {
        return Ok(());
    }
    let posted = contract.tally(contract.accrued_to);
    let mut after = contract.clone();
    after.losses.extend(losses.iter().cloned());
    let change = after.recount(to, &posted);
    let is_short = |part: Money| part.is_negative();
    let Bill { provider, platform, ref programs, .. } = after.unbilled;
    let is_over = is_short(after.unbilled.amount()) || is_short(provider) || is_short(platform);
    if is_over || programs.iter().any(|part| is_short(part.share)) {
        let (there, given) = (contract.unbilled.amount(), less(Money::ZERO, change.charge));
        return Err(Refusal::MoreThanThere { what: "charged and not yet credited", there, given });
    }
    Ok(())
}

impl Contract {
    /// What of its draws is lost when so much is missing besides what is lost already, as far as
    /// there is anything left: the dearest first.
    pub(super) fn lose_what_is_left(&self, missing: &[Part]) -> Vec<Draw> {
        let left = self.not_lost();
        let mut wanted = Schedule::empty();
        for part in missing {
            for has in left.within(part.window) {
                wanted.add(has.window, has.count.min(i64::from(part.gpus)).max(0));
            }
        }
        let mut stack = Stack::of(&self.allocations);
        stack.remove(&self.losses);
        stack.dearest(wanted)
    }
}

/// What the ladder of a contract's terms credits for what was delivered since the last invoice.
fn ladder_credit(contract: &Contract) -> Money {
    let Bill { charge, delivered, lost, .. } = contract.unbilled;
    let promised = delivered + lost;
    if lost <= 0 || promised <= 0 {
        return Money::ZERO;
    }
    let available = i128::from(delivered) * i128::from(WHOLE) / i128::from(promised);
    let missed = contract.terms.sla.iter().filter(|step| i128::from(step.below) > available);
    let credit: BasisPoints = missed.map(|step| step.credit).max().unwrap_or(0);
    let credit = charge.portion(credit).expect("a part is no more than the whole");
    credit.min(contract.unbilled.amount()).max(Money::ZERO)
}
