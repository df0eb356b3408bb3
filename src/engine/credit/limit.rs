//! How a line's limit rises and falls. A decrease takes what is free now and the rest as it frees.

use super::super::Engine;
use super::super::bound;
use super::super::command::{Answer, Stamp};
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::refusal::Refusal;
use super::line::{GRANT, REDUCE};
use super::{Line, LineState, Proposal};
use crate::model::id::{LineId, UserId};
use crate::model::{Money, limits};

impl Engine {
    /// The officer and the line, if this officer may decide about it.
    pub(super) fn deciding_about(
        &self,
        at: &Stamp,
        id: LineId,
        note: &str,
    ) -> Result<(UserId, &Line), Refusal> {
        let officer = self.parties.deciding(at)?;
        let line = self.credit.line(id)?;
        self.may_decide(officer, line.org)?;
        bound::note("note", note)?;
        Ok((officer, line))
    }

    /// As `deciding_about`, if the line is where it must be, too.
    pub(super) fn decidable(
        &self,
        at: &Stamp,
        id: LineId,
        needed: LineState,
        note: &str,
    ) -> Result<(UserId, &Line), Refusal> {
        let (officer, line) = self.deciding_about(at, id, note)?;
        line.must_be(needed)?;
        Ok((officer, line))
    }

    /// An increase above the threshold takes two officers who name the same limit; everything else
    /// one. What counts as an increase is measured against where the limit is going, not where it
    /// still is.
    pub(in crate::engine) fn change_limit(
        &mut self,
        at: &Stamp,
        id: LineId,
        expect: u32,
        limit: Money,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (officer, line) = self.decidable(at, id, LineState::Active, &note)?;
        if line.version != expect {
            return Err(Refusal::VersionMismatch { expected: expect, actual: line.version });
        }
        if line.program.is_some() {
            let rule = "of a backstop follows from its program's terms";
            return Err(Refusal::Invalid { field: "limit", rule });
        }
        bound::within("limit", limit.micros(), 0, limits::AMOUNT_MAX)?;
        let aim = line.target_limit.unwrap_or_else(|| self.balances(id).limit);
        if limit == aim {
            let rule = "must differ from the limit that the line has or is going to";
            return Err(Refusal::Invalid { field: "limit", rule });
        }
        let takes_two = limit > aim && limit > self.settings.two_person_threshold;
        let first = match line.proposal {
            Some(Proposal::Limit { limit: proposed, by }) if proposed == limit => Some(by),
            Some(Proposal::Limit { .. } | Proposal::Unfreeze { .. } | Proposal::Default { .. })
            | None => None,
        };
        if takes_two && first == Some(officer) {
            return Err(Refusal::SameOfficer);
        }
        // From here it must succeed: every question has been asked.
        let mut line = line.clone();
        line.note = note;
        line.version += 1;
        if takes_two && first.is_none() {
            // Another limit than the one that waited is a new proposal in its place.
            line.proposal = Some(Proposal::Limit { limit, by: officer });
            self.keep_line(at, line, out);
        } else {
            line.proposal = None;
            self.keep_line(at, line, out);
            self.set_limit(at, id, limit, out);
        }
        Ok(self.line_answer(id))
    }

    /// Gives a line a limit: up at once, down as far as is free now and the rest as it frees.
    pub(super) fn set_limit(&mut self, at: &Stamp, id: LineId, limit: Money, out: &mut Effects) {
        let mut line = self.credit.lines[&id].clone();
        let present = self.balances(id).limit;
        let rise = limit.checked_sub(present).expect("limits are bounded");
        line.target_limit = rise.is_negative().then_some(limit);
        self.keep_line(at, line.clone(), out);
        if rise.is_negative() {
            self.lower_towards_target(at, id, out);
        } else {
            self.ledger.post(at, GRANT.transfer(id, rise, at.now()), out);
        }
        // A decrease that is done at once has told so itself.
        let waits = self.credit.lines[&id].target_limit.is_some();
        if waits || !rise.is_negative() {
            self.tell_line(at, &line, EventKind::LineLimitChanged, None, out);
        }
    }

    /// Takes what is available for the decrease that waits, as much as it needs.
    pub(super) fn lower_towards_target(&mut self, at: &Stamp, id: LineId, out: &mut Effects) {
        let mut line = self.credit.lines[&id].clone();
        let Some(target) = line.target_limit else { return };
        let balances = self.balances(id);
        let needed = balances.limit.checked_sub(target).expect("both are bounded");
        let taken = needed.min(balances.available);
        self.ledger.post(at, REDUCE.transfer(id, taken, at.now()), out);
        if taken == needed {
            line.target_limit = None;
            self.tell_line(at, &line, EventKind::LineLimitChanged, None, out);
            self.keep_line(at, line, out);
        }
    }
}

impl Line {
    /// Refuses a line that is not where it must be.
    pub(super) fn must_be(&self, needed: LineState) -> Result<(), Refusal> {
        if self.state == needed {
            return Ok(());
        }
        let (state, needed) = (self.state.as_str(), needed.as_str());
        Err(Refusal::WrongState { kind: "credit_line", state, needed })
    }
}
