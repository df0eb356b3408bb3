//! The line that a program's backstop buys on: its limit is what is left of the cap, so that what
//! is bought, drawn and unpaid is explained like any customer's credit. A payment uses the cap up.

use super::super::Engine;
use super::super::charge::less;
use super::super::command::Stamp;
use super::super::contract::Contract;
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::ledger::Account;
use super::super::program::Program;
use super::super::refusal::Refusal;
use super::line::{GRANT, REDUCE};
use super::{Application, ApplicationState, Approval, Credit, LineState};
use crate::model::id::{ApplicationId, LineId};
use crate::model::{Minute, Money, limits};

/// A vendor pays what it bought as customers do by default.
const NET_DAYS: u32 = 30;

impl Credit {
    /// Whether what a contract of this line is charged is bought under a backstop.
    pub(in crate::engine) fn is_backstop(&self, line: LineId) -> bool {
        self.lines.get(&line).is_some_and(|line| line.program.is_some())
    }

    /// Where the books keep what is charged on a line and not yet invoiced.
    pub(in crate::engine) fn unbilled(&self, line: LineId) -> Account {
        if self.is_backstop(line) { Account::GlBackstop } else { Account::GlUnbilled }
    }

    /// Where they keep what is invoiced on it.
    pub(in crate::engine) fn invoiced(&self, line: LineId) -> Account {
        if self.is_backstop(line) { Account::GlBackstop } else { Account::GlInvoiced }
    }
}

impl Engine {
    /// Whether a contract's own line may take holds: it is open, and still its customer's or its
    /// program's.
    pub(in crate::engine) fn line_trades(&self, contract: &Contract) -> Result<(), Refusal> {
        let Contract { customer, line, .. } = *contract;
        if !self.credit.is_backstop(line) {
            let is_its_own = self.admits(customer, Money::ZERO)? == line;
            return if is_its_own { Ok(()) } else { Err(Refusal::NoCreditLine) };
        }
        match self.credit.lines[&line].state {
            LineState::Active => Ok(()),
            state => Err(Refusal::CreditLineState { line, state }),
        }
    }

    /// The line of a program's backstop. Whoever agreed the terms has said yes to it.
    pub(in crate::engine) fn open_backstop(
        &mut self,
        at: &Stamp,
        program: &Program,
        out: &mut Effects,
    ) {
        let Some(terms) = program.terms.backstop else { return };
        let officer = self.parties.acting(at).ok().and_then(|it| it.person().ok());
        let line = program.backstop_line();
        let (tenor_months, net_days) = (limits::TENOR_MONTHS_MAX, NET_DAYS);
        let ask = Application {
            id: ApplicationId::new(program.id.uuid()),
            org: program.vendor,
            requested: terms.cap,
            purpose: format!("Off-take backstop of {}", program.name),
            workload: None,
            state: ApplicationState::Approved,
            approval: Some(Approval { limit: terms.cap, tenor_months, net_days }),
            approved_by: officer.into_iter().collect(),
            approvals_needed: 1,
            declined_by: None,
            reason_codes: Vec::new(),
            note: String::new(),
            line: Some(line),
            created_at: at.at,
            changed_at: at.at,
            version: 1,
        };
        let ends = at.now().plus_months(tenor_months);
        let ends = ends.unwrap_or(Minute::new(limits::MINUTE_MAX));
        out.applications.born(ask.id, ask.clone());
        self.open_line(at, line, &ask, Some(program.id), ends, out);
    }

    /// The cap of a program's backstop has changed, never to less than what was bought.
    pub(in crate::engine) fn move_cap(
        &mut self,
        at: &Stamp,
        id: LineId,
        was: Money,
        now: Money,
        out: &mut Effects,
    ) {
        let rise = less(now, was);
        let (way, amount) =
            if rise.is_negative() { (REDUCE, less(was, now)) } else { (GRANT, rise) };
        self.ledger.post(at, way.transfer(id, amount, at.now()), out);
        let mut line = self.credit.lines[&id].clone();
        line.version += 1;
        self.tell_line(at, &line, EventKind::LineLimitChanged, None, out);
        self.keep_line(at, line, out);
    }
}
