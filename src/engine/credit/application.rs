//! Requests for credit, from the customer's first word to the officers' last.
//!
//! Knows who may decide and on which terms. What a line then does is next door.

use super::super::Engine;
use super::super::bound;
use super::super::command::{Answer, Approve, Stamp};
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::refusal::Refusal;
use super::line::GRANT;
use super::review::review_at;
use super::{Application, ApplicationState, Approval, DeclineReason, Line, LineState};
use crate::model::id::{ApplicationId, LineId, ProgramId, UserId};
use crate::model::{Minute, Money, Right, Workload, limits};

impl Engine {
    /// A customer asks for a line, or for another limit on the one it has.
    pub(in crate::engine) fn apply_for_credit(
        &mut self,
        at: &Stamp,
        id: ApplicationId,
        amount: Money,
        purpose: String,
        workload: Option<Workload>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let org = self.parties.customer(at, Right::ApplyForCredit)?.org();
        bound::within("requested_limit", amount.micros(), 1, limits::AMOUNT_MAX)?;
        bound::count("purpose", purpose.trim().chars().count(), 1, limits::NOTE_LENGTH_MAX)?;
        bound::note("purpose", &purpose)?;
        if self.credit.waiting.contains_key(&org) {
            return Err(Refusal::ApplicationWaiting);
        }
        // From here it must succeed: every question has been asked.
        let ask = Application {
            id,
            org,
            requested: amount,
            purpose,
            workload,
            state: ApplicationState::Submitted,
            approval: None,
            approved_by: Vec::new(),
            approvals_needed: 1,
            declined_by: None,
            reason_codes: Vec::new(),
            note: String::new(),
            line: None,
            created_at: at.at,
            changed_at: at.at,
            version: 1,
        };
        self.credit.waiting.insert(org, id);
        self.credit.applications.insert(id, ask.clone());
        out.applications.born(id, ask.clone());
        self.tell_application(at, &ask, EventKind::ApplicationSubmitted, None, out);
        Ok(Answer::Application(ask))
    }

    /// One officer's yes. The last one that it takes opens the line or changes the one that is
    /// there.
    pub(in crate::engine) fn approve(
        &mut self,
        at: &Stamp,
        ask: Approve,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let Approve { id, line, limit, tenor_months, net_days, note, dry_run } = ask;
        let terms = Approval { limit, tenor_months, net_days };
        let (officer, before) = self.waiting_for_officer(at, id, &note)?;
        terms.check()?;
        let expires_at = at
            .now()
            .plus_months(tenor_months)
            .ok_or(Refusal::Overflow { field: "tenor_months" })?;
        before.accepts(officer, &terms)?;
        let present = self.credit.line_of(before.org).map(|id| &self.credit.lines[&id]);
        if let Some(present) = present {
            present.must_be(LineState::Active)?;
        }
        let (line, is_new) = present.map_or((line, true), |present| (present.id, false));
        let mut after = before.clone();
        after.approvals_needed = if limit > self.settings.two_person_threshold { 2 } else { 1 };
        after.approved_by.push(officer);
        after.approval = Some(terms);
        after.note = note;
        after.changed_at = at.at;
        after.version += 1;
        if after.has_enough() {
            after.enter(ApplicationState::Approved);
            // A line that would only be opened has no name in a dry run.
            after.line = (!(dry_run && is_new)).then_some(line);
        }
        if dry_run {
            return Ok(Answer::Application(after));
        }
        // From here it must succeed: every question has been asked.
        let before = before.clone();
        self.keep_application(&before, after.clone(), out);
        if after.state == ApplicationState::Approved {
            let previous = Some(before.state);
            self.tell_application(at, &after, EventKind::ApplicationApproved, previous, out);
            if is_new {
                self.open_line(at, line, &after, None, expires_at, out);
            } else {
                self.renew_line(at, line, &after, expires_at, out);
            }
        }
        Ok(Answer::Application(after))
    }

    /// One officer's no, with its reasons.
    pub(in crate::engine) fn decline(
        &mut self,
        at: &Stamp,
        id: ApplicationId,
        reason_codes: Vec<String>,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (officer, before) = self.waiting_for_officer(at, id, &note)?;
        check_reasons(&reason_codes)?;
        // From here it must succeed: every question has been asked.
        let before = before.clone();
        let mut after = before.clone();
        after.enter(ApplicationState::Declined);
        after.declined_by = Some(officer);
        after.reason_codes = reason_codes;
        after.note = note;
        after.changed_at = at.at;
        after.version += 1;
        self.keep_application(&before, after.clone(), out);
        let previous = Some(before.state);
        self.tell_application(at, &after, EventKind::ApplicationDeclined, previous, out);
        Ok(Answer::Application(after))
    }

    /// The customer takes its request back.
    pub(in crate::engine) fn withdraw_application(
        &mut self,
        at: &Stamp,
        id: ApplicationId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let acting = self.parties.acting(at)?;
        acting.needs(Right::ApplyForCredit)?;
        let org = acting.org();
        let before = self.credit.application(id)?;
        if before.org != org {
            return Err(Refusal::NotFound { kind: "credit_application" });
        }
        // From here it must succeed: every question has been asked.
        let before = before.clone();
        let mut after = before.clone();
        after.enter(ApplicationState::Withdrawn);
        after.changed_at = at.at;
        after.version += 1;
        self.keep_application(&before, after.clone(), out);
        let previous = Some(before.state);
        self.tell_application(at, &after, EventKind::ApplicationWithdrawn, previous, out);
        Ok(Answer::Application(after))
    }

    /// The officer and the application, if this officer may decide about it.
    fn waiting_for_officer(
        &self,
        at: &Stamp,
        id: ApplicationId,
        note: &str,
    ) -> Result<(UserId, &Application), Refusal> {
        let officer = self.parties.deciding(at)?;
        let ask = self.credit.application(id)?;
        self.may_decide(officer, ask.org)?;
        bound::note("note", note)?;
        Ok((officer, ask))
    }

    /// A customer's first line, or a program's.
    pub(super) fn open_line(
        &mut self,
        at: &Stamp,
        id: LineId,
        ask: &Application,
        program: Option<ProgramId>,
        expires_at: Minute,
        out: &mut Effects,
    ) {
        let terms = ask.approval.as_ref().expect("an approved application has terms");
        let line = Line {
            past_due_since: None,
            id,
            org: ask.org,
            application: ask.id,
            program,
            state: LineState::Active,
            target_limit: None,
            proposal: None,
            net_days: terms.net_days,
            expires_at,
            note: String::new(),
            review_at: review_at(at.now(), limits::REVIEW_MONTHS),
            review: None,
            created_at: at.at,
            changed_at: at.at,
            version: 1,
        };
        self.ledger.post(at, GRANT.transfer(id, terms.limit, at.now()), out);
        self.tell_line(at, &line, EventKind::LineActivated, None, out);
        self.keep_line(at, line, out);
    }

    /// New terms for the line that is there; a proposal that waited has been overtaken.
    fn renew_line(
        &mut self,
        at: &Stamp,
        id: LineId,
        ask: &Application,
        expires_at: Minute,
        out: &mut Effects,
    ) {
        let terms = ask.approval.as_ref().expect("an approved application has terms");
        let mut line = self.credit.lines[&id].clone();
        line.application = ask.id;
        line.net_days = terms.net_days;
        line.expires_at = expires_at;
        line.proposal = None;
        line.review_at = review_at(at.now(), limits::REVIEW_MONTHS);
        line.version += 1;
        self.keep_line(at, line, out);
        self.set_limit(at, id, terms.limit, out);
    }
}

impl Approval {
    fn check(&self) -> Result<(), Refusal> {
        let Self { limit, tenor_months, net_days } = *self;
        bound::within("limit", limit.micros(), 1, limits::AMOUNT_MAX)?;
        bound::within("tenor_months", tenor_months, 1, limits::TENOR_MONTHS_MAX)?;
        bound::within("net_days", net_days, 0, limits::NET_DAYS_MAX)
    }
}

impl Application {
    /// Whether this officer's yes to these terms counts: another person, the very same terms.
    fn accepts(&self, officer: UserId, terms: &Approval) -> Result<(), Refusal> {
        if self.approved_by.contains(&officer) {
            return Err(Refusal::SameOfficer);
        }
        match &self.approval {
            Some(first) if first != terms => Err(Refusal::TermsDiffer { first: first.clone() }),
            Some(_) | None => Ok(()),
        }
    }

    fn has_enough(&self) -> bool {
        u32::try_from(self.approved_by.len()).is_ok_and(|count| count >= self.approvals_needed)
    }
}

/// A no has at least one reason, each known and named once.
fn check_reasons(codes: &[String]) -> Result<(), Refusal> {
    let field = "reason_codes";
    if codes.is_empty() {
        return Err(Refusal::Invalid { field, rule: "must name at least one reason" });
    }
    for (place, code) in codes.iter().enumerate() {
        if DeclineReason::read(code).is_none() {
            return Err(Refusal::Unknown { field, named: code.clone() });
        }
        if codes[..place].contains(code) {
            return Err(Refusal::Invalid { field, rule: "must name each reason once" });
        }
    }
    Ok(())
}
