//! A line at work: holds, draws, and its way out. Every move is a transfer of the EXP ledger.
//!
//! Knows the five accounts of a line. Asks before it moves (`admits`); what was asked must succeed.

use super::super::Engine;
use super::super::command::{Answer, Stamp};
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::super::refusal::Refusal;
use super::{Balances, Line, LineState, Proposal};
use crate::model::id::{ContractId, LineId, OrgId};
use crate::model::{Minute, Money};

/// One of the moves between the accounts of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    debit: Account,
    credit: Account,
    kind: EntryKind,
}

pub(super) const GRANT: Move =
    Move { debit: Account::ExpLimit, credit: Account::ExpAvailable, kind: EntryKind::LimitGranted };
pub(super) const REDUCE: Move =
    Move { debit: Account::ExpAvailable, credit: Account::ExpLimit, kind: EntryKind::LimitReduced };
const HOLD: Move =
    Move { debit: Account::ExpAvailable, credit: Account::ExpHeld, kind: EntryKind::HoldPlaced };
const RELEASE: Move =
    Move { debit: Account::ExpHeld, credit: Account::ExpAvailable, kind: EntryKind::HoldReleased };
const DRAW: Move =
    Move { debit: Account::ExpHeld, credit: Account::ExpDrawn, kind: EntryKind::Drawn };
/// What was drawn when a line defaulted: the customer still owes it.
pub(super) const DEFAULT: Move =
    Move { debit: Account::ExpDrawn, credit: Account::ExpDefaulted, kind: EntryKind::Defaulted };
/// What the customer paid after the default. It is no headroom: a line in default lends no more, so
/// its limit shrinks with the debt.
pub(super) const RECOVER: Move =
    Move { debit: Account::ExpDefaulted, credit: Account::ExpLimit, kind: EntryKind::LimitReduced };
/// What a vendor has paid of what its backstop bought: its cap is used up by so much.
const USE_UP: Move =
    Move { debit: Account::ExpDrawn, credit: Account::ExpLimit, kind: EntryKind::LimitReduced };
const UNDRAW: Move =
    Move { debit: Account::ExpDrawn, credit: Account::ExpAvailable, kind: EntryKind::DrawReleased };

impl Move {
    /// This move of `amount` on a line, about `effective_at`.
    pub(super) fn transfer(self, line: LineId, amount: Money, effective_at: Minute) -> Transfer {
        let Self { debit, credit, kind } = self;
        let [debit, credit] = [debit, credit].map(|account| AccountKey::of(account, line.uuid()));
        Transfer { debit, credit, amount: amount.micros(), kind, contract: None, effective_at }
    }
}

// What trading asks of credit.
impl Engine {
    /// What a line has and where it is. All zero for a line that is closed or never was.
    pub fn balances(&self, line: LineId) -> Balances {
        let net =
            |account| Money::from_micros(self.ledger.net(AccountKey::of(account, line.uuid())));
        Balances {
            limit: net(Account::ExpLimit),
            available: net(Account::ExpAvailable),
            held: net(Account::ExpHeld),
            drawn: net(Account::ExpDrawn),
            defaulted: net(Account::ExpDefaulted),
        }
    }

    /// The customer's line, if it may take a new hold of `needed`, and so may its group.
    pub(in crate::engine) fn admits(&self, org: OrgId, needed: Money) -> Result<LineId, Refusal> {
        let line = self.line_for(org, needed)?;
        self.group_admits(org, needed)?;
        Ok(line)
    }

    /// The customer's line, if it may take a hold of `needed` that is its group's already.
    pub(in crate::engine) fn line_for(&self, org: OrgId, needed: Money) -> Result<LineId, Refusal> {
        let line = self.credit.line_of(org).ok_or(Refusal::NoCreditLine)?;
        let state = self.credit.lines[&line].state;
        if state != LineState::Active {
            return Err(Refusal::CreditLineState { line, state });
        }
        let available = self.ledger.net(AccountKey::of(Account::ExpAvailable, line.uuid()));
        let available = Money::from_micros(available);
        if needed > available {
            let missing = needed.checked_sub(available).expect("nothing negative is available");
            return Err(Refusal::CreditShort { line, needed, available, missing });
        }
        Ok(line)
    }

    /// Available to held. The gate is `admits`.
    pub(in crate::engine) fn hold(
        &mut self,
        at: &Stamp,
        line: LineId,
        amount: Money,
        contract: Option<ContractId>,
        out: &mut Effects,
    ) {
        let transfer = Transfer { contract, ..HOLD.transfer(line, amount, at.now()) };
        self.ledger.post(at, transfer, out);
    }

    /// Held to available; what was freed first serves a decrease of the limit that waits.
    pub(in crate::engine) fn release_hold(
        &mut self,
        at: &Stamp,
        line: LineId,
        amount: Money,
        contract: Option<ContractId>,
        out: &mut Effects,
    ) {
        let transfer = Transfer { contract, ..RELEASE.transfer(line, amount, at.now()) };
        self.ledger.post(at, transfer, out);
        self.freed(at, line, out);
    }

    /// Held to drawn.
    pub(in crate::engine) fn draw(
        &mut self,
        at: &Stamp,
        line: LineId,
        amount: Money,
        contract: ContractId,
        effective_at: Minute,
        out: &mut Effects,
    ) {
        let contract = Some(contract);
        let transfer = Transfer { contract, ..DRAW.transfer(line, amount, effective_at) };
        self.ledger.post(at, transfer, out);
    }

    /// What was drawn is paid: it is available again; a backstop's cap is used up by it. The caller
    /// says `freed` when it is done.
    pub(in crate::engine) fn repay(
        &mut self,
        at: &Stamp,
        line: LineId,
        amount: Money,
        out: &mut Effects,
    ) {
        let way = if self.credit.is_backstop(line) { USE_UP } else { UNDRAW };
        self.ledger.post(at, way.transfer(line, amount, at.now()), out);
    }

    /// Drawn to available: what was drawn is not owed. The caller says `freed` when it is done.
    pub(in crate::engine) fn undraw(
        &mut self,
        at: &Stamp,
        line: LineId,
        amount: Money,
        contract: impl Into<Option<ContractId>>,
        effective_at: Minute,
        out: &mut Effects,
    ) {
        let contract = contract.into();
        let transfer = Transfer { contract, ..UNDRAW.transfer(line, amount, effective_at) };
        self.ledger.post(at, transfer, out);
    }

    /// Something on a line became available again: a decrease that waits takes its part of it, and
    /// a line that runs off closes once nothing is used.
    pub(in crate::engine) fn freed(&mut self, at: &Stamp, line: LineId, out: &mut Effects) {
        let Line { id, target_limit, state, .. } = self.credit.lines[&line];
        if target_limit.is_some() {
            self.lower_towards_target(at, id, out);
        }
        if state == LineState::RunOff && self.balances(id).used().is_zero() {
            self.close_line(at, id, out);
        }
    }

    /// A line's tenor has ended: `active | frozen | past_due -> run_off`, closed when nothing is
    /// used.
    pub(in crate::engine) fn run_off(&mut self, at: &Stamp, line: LineId, out: &mut Effects) {
        let line = &self.credit.lines[&line];
        let state = line.state;
        // Delinquent and defaulted lines have their own way; it does not end with the tenor.
        if !state.may_become(LineState::RunOff) {
            return;
        }
        let mut line = line.clone();
        line.enter(LineState::RunOff);
        line.worries();
        line.version += 1;
        let id = line.id;
        self.tell_line(at, &line, EventKind::LineRunOff, Some(state), out);
        self.keep_line(at, line, out);
        self.freed(at, id, out);
    }

    /// Nothing is used any more: what is left of the limit is withdrawn and the line is history.
    fn close_line(&mut self, at: &Stamp, id: LineId, out: &mut Effects) {
        let left = self.balances(id).available;
        self.ledger.post(at, REDUCE.transfer(id, left, at.now()), out);
        let mut line = self.credit.lines[&id].clone();
        line.enter(LineState::Closed);
        line.target_limit = None;
        line.version += 1;
        self.tell_line(at, &line, EventKind::LineClosed, Some(LineState::RunOff), out);
        self.keep_line(at, line, out);
    }
}

// The commands that stop and restart a line.
impl Engine {
    /// One officer, at once: a line that worries somebody takes no new holds from now on. A
    /// proposal that waited is void, but for a default: it was made about a line that nobody
    /// worried about.
    pub(in crate::engine) fn freeze_line(
        &mut self,
        at: &Stamp,
        id: LineId,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let line = self.decidable(at, id, LineState::Active, &note)?.1;
        // From here it must succeed: every question has been asked.
        let mut line = line.clone();
        line.enter(LineState::Frozen);
        line.worries();
        line.note = note;
        line.version += 1;
        self.tell_line(at, &line, EventKind::LineFrozen, Some(LineState::Active), out);
        self.keep_line(at, line, out);
        Ok(self.line_answer(id))
    }

    /// Two different officers: the first one proposes, the second one does it. A line that was past
    /// due meanwhile goes on being so.
    pub(in crate::engine) fn unfreeze_line(
        &mut self,
        at: &Stamp,
        id: LineId,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (officer, line) = self.decidable(at, id, LineState::Frozen, &note)?;
        let proposed_by = match line.proposal {
            Some(Proposal::Unfreeze { by }) => Some(by),
            Some(Proposal::Limit { .. } | Proposal::Default { .. }) | None => None,
        };
        if proposed_by == Some(officer) {
            return Err(Refusal::SameOfficer);
        }
        // From here it must succeed: every question has been asked.
        let mut line = line.clone();
        line.note = note;
        line.version += 1;
        if proposed_by.is_none() {
            line.proposal = Some(Proposal::Unfreeze { by: officer });
        } else {
            line.proposal = None;
            let is_late = line.past_due_since.is_some();
            line.enter(if is_late { LineState::PastDue } else { LineState::Active });
            self.tell_line(at, &line, EventKind::LineUnfrozen, Some(LineState::Frozen), out);
        }
        self.keep_line(at, line, out);
        Ok(self.line_answer(id))
    }

    pub(super) fn line_answer(&self, id: LineId) -> Answer {
        let line = self.credit.lines[&id].clone();
        Answer::Line { line, balances: self.balances(id) }
    }
}
