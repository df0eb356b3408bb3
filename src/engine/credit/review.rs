//! Reviews: every line is looked at again by a date, and an officer says what came of it.

use serde::{Deserialize, Serialize};

use super::super::Engine;
use super::super::bound;
use super::super::command::{Answer, Stamp};
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::refusal::Refusal;
use super::LineState;
use crate::model::id::{LineId, UserId};
use crate::model::{Micros, Minute, limits};
use crate::words;

words! {
    /// What came of a review. The change itself is a decision of its own.
    ReviewOutcome {
        Confirmed = "confirmed",
        Raise = "raise",
        Lower = "lower",
        Freeze = "freeze",
    }
}

/// The last review of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub outcome: ReviewOutcome,
    pub note: String,
    pub by: UserId,
    pub at: Micros,
}

/// When a line that is decided about now is looked at again.
pub(super) fn review_at(now: Minute, months: u32) -> Minute {
    now.plus_months(months).unwrap_or(Minute::new(limits::MINUTE_MAX))
}

impl Engine {
    /// An officer has looked at a line again: what came of it, and in how many months it is next.
    pub(in crate::engine) fn review_line(
        &mut self,
        at: &Stamp,
        id: LineId,
        outcome: ReviewOutcome,
        next_months: u32,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (officer, line) = self.deciding_about(at, id, &note)?;
        bound::within("next_months", next_months, 1, limits::REVIEW_MONTHS_MAX)?;
        if matches!(line.state, LineState::Defaulted | LineState::Closed) {
            let (state, needed) = (line.state.as_str(), "neither closed nor in default");
            return Err(Refusal::WrongState { kind: "credit_line", state, needed });
        }
        // From here it must succeed: every question has been asked.
        let mut line = line.clone();
        line.review_at = review_at(at.now(), next_months);
        line.review = Some(Review { outcome, note, by: officer, at: at.at });
        line.version += 1;
        self.tell_line(at, &line, EventKind::LineReviewed, None, out);
        self.keep_line(at, line, out);
        Ok(self.line_answer(id))
    }
}
