//! Months: open until everything in them is settled, then closed, then locked.

use serde::{Deserialize, Serialize};

use super::InvoiceState;
use crate::engine::Engine;
use crate::engine::command::{Answer, Stamp};
use crate::engine::effect::{Change, Effects};
use crate::engine::event::{EventData, EventKind};
use crate::engine::ledger::Book;
use crate::engine::refusal::Refusal;
use crate::model::id::{OrgId, UserId};
use crate::model::{Micros, Month, Right};
use crate::words;

words! {
    /// `open -> closed -> locked`. A month nobody has closed is open.
    PeriodState {
        Open = "open",
        Closed = "closed",
        Locked = "locked",
    }
}

/// A calendar month that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    pub month: Month,
    pub state: PeriodState,
    pub closed_by: UserId,
    pub closed_at: Micros,
    pub locked_by: Option<UserId>,
    pub locked_at: Option<Micros>,
}

impl PeriodState {
    /// The table: where a month may go from here.
    pub const fn may_become(self, next: PeriodState) -> bool {
        use PeriodState::{Closed, Locked, Open};
        matches!((self, next), (Open, Closed) | (Closed, Locked))
    }
}

impl Engine {
    /// Closes a month in which everything is settled that can be: its hours are billed, its
    /// invoices are out, the books balance. Providers and vendors are told that their statements
    /// are ready.
    pub(in crate::engine) fn close_period(
        &mut self,
        at: &Stamp,
        month: Month,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let closed_by = self.parties.operating(at, Right::Bill)?.person()?;
        if let Some(period) = self.billing.periods.get(&month) {
            let state = period.state.as_str();
            return Err(Refusal::WrongState { kind: "period", state, needed: "open" });
        }
        let waits = self.waits_for_close(at, month);
        if !waits.is_empty() {
            return Err(Refusal::NotReady { waits });
        }
        // From here it must succeed: every question has been asked.
        let (state, closed_at) = (PeriodState::Closed, at.at);
        let (locked_by, locked_at) = (None, None);
        let period = Period { month, state, closed_by, closed_at, locked_by, locked_at };
        out.periods.born(month, period.clone());
        self.billing.periods.insert(month, period.clone());
        self.tell_of_period(at, &period, EventKind::PeriodClosed, PeriodState::Open, out);
        let has_statement: Vec<OrgId> = self
            .parties
            .organizations()
            .filter(|it| it.capabilities.provider || it.capabilities.vendor)
            .map(|it| it.id)
            .collect();
        for org in has_statement {
            let data = EventData::Period { month, state };
            self.tell(at, org, EventKind::StatementReady, data, None, out);
        }
        Ok(Answer::Period(period))
    }

    /// What keeps a month from being closed, and how many of each.
    pub fn waits_for_close(&self, at: &Stamp, month: Month) -> Vec<(&'static str, u64)> {
        let end = month.end();
        let drafts = self.billing.invoices.values();
        let drafts = drafts.filter(|it| it.state == InvoiceState::Draft && it.month <= month);
        let unbilled = self.contracts.iter().filter(|it| it.bills_at() <= end);
        let earlier = self.billing.periods.keys().next_back().map_or(0, |last| {
            // The first month that is closed begins the row; after it none is left out.
            i64::from(month.count()) - i64::from(last.count()) - 1
        });
        let number = |count: usize| u64::try_from(count).expect("a 64-bit length");
        let waits = [
            ("month_not_over", u64::from(at.now() < end)),
            ("earlier_months_open", u64::try_from(earlier.max(0)).unwrap_or(0)),
            ("before_closed_months", u64::from(earlier < 0)),
            ("contracts_to_bill", number(unbilled.count())),
            ("draft_invoices", number(drafts.count())),
            ("books_out_of_balance", number(self.books_out_of_balance())),
        ];
        waits.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    fn books_out_of_balance(&self) -> usize {
        let is_off = |book: &&Book| {
            let sums = self.ledger.trial_balance(**book);
            sums.debits != sums.credits
        };
        Book::ALL.iter().filter(is_off).count()
    }

    /// A closed month is never opened again.
    pub(in crate::engine) fn lock_period(
        &mut self,
        at: &Stamp,
        month: Month,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let locked_by = self.parties.operating(at, Right::Bill)?.person()?;
        let before = self.billing.periods.get(&month);
        let state = before.map_or(PeriodState::Open, |period| period.state);
        let Some(before) = before.filter(|_| state.may_become(PeriodState::Locked)) else {
            let state = state.as_str();
            return Err(Refusal::WrongState { kind: "period", state, needed: "closed" });
        };
        // From here it must succeed: every question has been asked.
        let (locked_by, locked_at) = (Some(locked_by), Some(at.at));
        let state = PeriodState::Locked;
        let period = Period { state, locked_by, locked_at, ..before.clone() };
        out.changes.push(Change::between(&month, before, &period));
        out.periods.changed(month, period.clone());
        self.billing.periods.insert(month, period.clone());
        self.tell_of_period(at, &period, EventKind::PeriodLocked, PeriodState::Closed, out);
        Ok(Answer::Period(period))
    }

    fn tell_of_period(
        &mut self,
        at: &Stamp,
        period: &Period,
        kind: EventKind,
        previous: PeriodState,
        out: &mut Effects,
    ) {
        let operator = self.parties.operator().expect("a market has an operator").id;
        let data = EventData::Period { month: period.month, state: period.state };
        self.tell(at, operator, kind, data, Some(previous.as_str()), out);
    }
}
