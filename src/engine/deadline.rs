//! What falls due, and when. Drained by `Command::Tick`, a bounded number at a time.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::effect::Effects;

use crate::model::id::{ContractId, LineId, ListingId, OrderId, QuoteId, SessionId};
use crate::model::{Micros, SkuCode};

/// Something that happens by itself at an instant. Ordered as declared within one instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    QuoteLapses(QuoteId),
    ContractEnds(ContractId),
    ContractStarts(ContractId),
    OrderLapses(OrderId),
    ListingEnds(ListingId),
    LineRunsOff(LineId),
    SessionEnds(SessionId),
    /// A market whose resting orders were not all looked at; retried from the next priority on.
    Sweep(SkuCode),
}

/// All of it, in order of time.
#[derive(Debug, Default)]
pub struct Deadlines {
    pub(super) due: BTreeSet<(Micros, Due)>,
}

impl Deadlines {
    pub(super) fn set(&mut self, at: Micros, due: Due) {
        self.due.insert((at, due));
    }

    pub(super) fn clear(&mut self, at: Micros, due: Due) {
        self.due.remove(&(at, due));
    }

    /// The next deadline, whenever it is.
    pub(super) fn next(&self) -> Option<Micros> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the first deadline at or before `now`.
    pub(super) fn pop(&mut self, now: Micros) -> Option<(Micros, Due)> {
        if self.next()? > now { None } else { self.due.pop_first() }
    }
}

impl Engine {
    /// Meets what has fallen due, at most [`limits::DEADLINES_PER_TICK`] of it.
    pub(super) fn tick(&mut self, _at: &Stamp, _out: &mut Effects) -> Answer {
        todo!()
    }
}
