//! A line whose customer does not pay in time: past due, delinquent, cured.
//!
//! Knows that an invoice was missed or settled. Knows neither amounts nor what was bought.

use super::super::Engine;
use super::super::command::Stamp;
use super::super::effect::Effects;
use super::super::event::{EventData, EventKind};
use super::{DefaultReason, Line, LineState, Proposal};
use crate::model::Minute;
use crate::model::id::LineId;

impl Engine {
    /// An invoice of this line was missed: no new holds. A second one, while the first is unpaid,
    /// makes the line delinquent at once. Lines that take no holds anyway keep their state and
    /// remember since when they are past due. That is when the grace was over, however late the
    /// market noticed.
    pub(in crate::engine) fn line_misses(
        &mut self,
        at: &Stamp,
        id: LineId,
        missed_at: Minute,
        out: &mut Effects,
    ) {
        let mut line = self.credit.lines[&id].clone();
        match line.state {
            LineState::Active => {
                line.past_due_since = Some(missed_at);
                line.worries();
                self.age_to(at, line, LineState::PastDue, out);
            }
            LineState::PastDue => self.age_to(at, line, LineState::Delinquent, out),
            LineState::Frozen | LineState::RunOff if line.past_due_since.is_none() => {
                line.past_due_since = Some(missed_at);
                line.version += 1;
                self.keep_line(at, line, out);
            }
            LineState::Frozen | LineState::RunOff => {}
            // There is nothing worse to come by itself.
            LineState::Delinquent | LineState::Defaulted | LineState::Closed => {}
        }
    }

    /// Thirty days past due.
    pub(in crate::engine) fn age_line(&mut self, at: &Stamp, id: LineId, out: &mut Effects) {
        let line = self.credit.lines[&id].clone();
        self.age_to(at, line, LineState::Delinquent, out);
    }

    /// One step further from paying. From delinquency on the guarantors are told as well.
    fn age_to(&mut self, at: &Stamp, mut line: Line, next: LineState, out: &mut Effects) {
        let was = line.state;
        line.enter(next);
        line.version += 1;
        if next == LineState::Delinquent {
            self.tell_line(at, &line, EventKind::LineDelinquent, Some(was), out);
            self.tell_guarantors(at, &line, EventKind::LineDelinquent, was, out);
        } else {
            self.tell_line(at, &line, EventKind::LinePastDue, Some(was), out);
        }
        self.keep_line(at, line, out);
    }

    fn tell_guarantors(
        &mut self,
        at: &Stamp,
        line: &Line,
        kind: EventKind,
        was: LineState,
        out: &mut Effects,
    ) {
        let Line { id, state, .. } = *line;
        let data = EventData::Line { id, state, limit: self.balances(id).limit };
        for guarantor in self.guarantors(id) {
            self.tell(at, guarantor, kind, data.clone(), Some(was.as_str()), out);
        }
    }

    /// An invoice of this line was settled: if no other is overdue, the line is as good as before.
    pub(in crate::engine) fn line_cures(&mut self, at: &Stamp, id: LineId, out: &mut Effects) {
        let line = &self.credit.lines[&id];
        if line.past_due_since.is_none() || self.is_overdue(line) {
            return;
        }
        let mut line = line.clone();
        let was = line.state;
        match was {
            LineState::PastDue | LineState::Delinquent => {
                line.enter(LineState::Active);
                line.forgets_past_due();
                self.tell_line(at, &line, EventKind::LineCured, Some(was), out);
            }
            LineState::Active | LineState::Frozen | LineState::RunOff => line.forgets_past_due(),
            // A default is not undone by a payment.
            LineState::Defaulted | LineState::Closed => return,
        }
        self.keep_line(at, line, out);
    }
}

impl Line {
    /// Somebody began to worry about this line: what was proposed before is void, but for a
    /// default, which is the same worry.
    pub(super) fn worries(&mut self) {
        self.proposal = self.proposal.take().filter(|it| matches!(it, Proposal::Default { .. }));
    }

    /// All is paid: a default for what was unpaid is off the table.
    fn forgets_past_due(&mut self) {
        let is_unpaid =
            |it: &Proposal| matches!(it, Proposal::Default { reason: DefaultReason::Unpaid, .. });
        self.proposal = self.proposal.take().filter(|it| !is_unpaid(it));
        self.past_due_since = None;
        self.version += 1;
    }
}
