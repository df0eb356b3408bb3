//! Incidents: a pool has less than what is sold from it. Who runs short, what they are offered, and
//! how it ends.
//!
//! Knows capacity over time and contracts. Money only moves where time is lost: as a delivery
//! report moves it.

mod answer;
mod opening;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Engine;
use super::capacity::Yard;
use super::command::Stamp;
use super::contract::Contract;
use super::deadline::Due;
use super::effect::{Change, Effects};
use super::event::{EventData, EventKind};
use crate::model::id::{ContractId, IncidentId, OrgId, PoolId};
use crate::model::{Gpus, Micros, Minute, Schedule, Window};
use crate::words;

words! {
    /// Why there is less than what is sold.
    IncidentCause {
        Maintenance = "maintenance",
        LatePhase = "late_phase",
    }
    /// `open -> closed`: once nobody is short, or will be.
    IncidentState {
        Open = "open",
        Closed = "closed",
    }
    /// What becomes of a contract that runs short.
    /// `offered -> substituted | lost | restored | ended`; `lost -> compensated | ended`.
    ShortfallOutcome {
        /// It may move to another pool, and has not answered yet.
        Offered = "offered",
        /// It goes without. What is lost is not charged.
        Lost = "lost",
        /// Another pool stands in.
        Substituted = "substituted",
        /// What was lost is over.
        Compensated = "compensated",
        /// There is enough again, before anything was lost.
        Restored = "restored",
        /// The contract was over first.
        Ended = "ended",
    }
}

/// So many GPUs within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub gpus: Gpus,
    pub window: Window,
}

/// Another pool of the same provider stands in for a contract's own: what it pays and to whom stays
/// as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substitute {
    pub pool: PoolId,
    pub gpus: Gpus,
    pub window: Window,
}

/// A place in another pool that waits for the customer's answer. It is held until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub pool: PoolId,
    /// All of the contract's GPUs while it runs short: one site, as ever.
    pub parts: Vec<Part>,
    /// No answer by then is a no.
    pub expires_at: Minute,
}

/// A contract that runs short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    pub contract: ContractId,
    pub customer: OrgId,
    pub missing: Vec<Part>,
    pub offer: Option<Offer>,
    pub outcome: ShortfallOutcome,
    pub decided_at: Option<Micros>,
}

/// A pool's shortfall and whom it hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub provider: OrgId,
    pub pool: PoolId,
    pub cause: IncidentCause,
    pub note: String,
    /// When the pool has less.
    pub window: Window,
    /// The contract made last first: it is the first to run short.
    pub affected: Vec<Affected>,
    pub state: IncidentState,
    pub opened_at: Micros,
    pub closed_at: Option<Micros>,
    pub version: u32,
}

/// Those that are open.
#[derive(Debug, Default)]
pub struct Incidents {
    pub(super) open: BTreeMap<IncidentId, Incident>,
}

impl Substitute {
    fn part(self) -> Part {
        Part { gpus: self.gpus, window: self.window }
    }
}

impl Part {
    /// The part of it within a window.
    fn within(self, window: Window) -> Option<Part> {
        Some(Part { window: self.window.overlap(window)?, ..self })
    }
}

impl Affected {
    /// Whether it is short, or may still be.
    pub fn is_short(&self) -> bool {
        matches!(self.outcome, ShortfallOutcome::Offered | ShortfallOutcome::Lost)
    }

    /// The offer that waits for an answer.
    pub fn waiting(&self) -> Option<&Offer> {
        self.offer.as_ref().filter(|_| self.outcome == ShortfallOutcome::Offered)
    }

    /// When it is short no more.
    fn end(&self) -> Minute {
        let ends = self.missing.iter().map(|part| part.window.end());
        ends.max().expect("an affected contract misses something")
    }

    /// When the next thing happens to it by itself.
    fn due_at(&self) -> Option<Minute> {
        match self.outcome {
            ShortfallOutcome::Offered => self.offer.as_ref().map(|offer| offer.expires_at),
            ShortfallOutcome::Lost => Some(self.end()),
            ShortfallOutcome::Substituted
            | ShortfallOutcome::Compensated
            | ShortfallOutcome::Restored
            | ShortfallOutcome::Ended => None,
        }
    }

    fn turn(&mut self, outcome: ShortfallOutcome, at: &Stamp) {
        let may_become: &[ShortfallOutcome] = match self.outcome {
            ShortfallOutcome::Offered => &[
                ShortfallOutcome::Substituted,
                ShortfallOutcome::Lost,
                ShortfallOutcome::Restored,
                ShortfallOutcome::Ended,
            ],
            ShortfallOutcome::Lost => &[ShortfallOutcome::Compensated, ShortfallOutcome::Ended],
            ShortfallOutcome::Substituted
            | ShortfallOutcome::Compensated
            | ShortfallOutcome::Restored
            | ShortfallOutcome::Ended => &[],
        };
        assert!(may_become.contains(&outcome), "an outcome's edges are in its table");
        self.outcome = outcome;
        self.decided_at = Some(at.at);
    }
}

impl Incident {
    /// What falls due for it by itself.
    pub(super) fn deadline(&self) -> Option<(Micros, Due)> {
        let next = self.affected.iter().filter_map(Affected::due_at).min()?;
        Some((next.micros(), Due::IncidentMoves(self.id)))
    }
}

impl Incidents {
    pub(super) fn from_parts(incidents: Vec<Incident>) -> Self {
        Self { open: incidents.into_iter().map(|incident| (incident.id, incident)).collect() }
    }

    /// Every contract that is short in an open incident, with the incident's pool.
    pub(super) fn short(&self) -> impl Iterator<Item = (PoolId, &Affected)> {
        let all = self.open.values();
        all.flat_map(|it| it.affected.iter().map(|affected| (it.pool, affected)))
            .filter(|(_, affected)| affected.is_short())
    }

    /// What waits for an answer, with the incident's pool.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (PoolId, &Affected, &Offer)> {
        self.short().filter_map(|(pool, it)| Some((pool, it, it.waiting()?)))
    }

    /// The contracts that are short, or may still be.
    pub(super) fn contracts(&self) -> BTreeSet<ContractId> {
        self.short().map(|(_, affected)| affected.contract).collect()
    }
}

impl Contract {
    /// What can still run short in the contract's own pool: promised, neither given up for lost nor
    /// served from elsewhere.
    fn at_risk(&self) -> Schedule {
        let mut left = self.not_lost();
        for moved in &self.substitutes {
            left.add(moved.window, -i64::from(moved.gpus));
        }
        left
    }
}

// What all steps share.
impl Engine {
    /// What can be taken away from a pool: what is installed there, without what other pools have
    /// lent it.
    pub(in crate::engine) fn removable(&self, yard: &Yard) -> Schedule {
        let mut own = yard.installed.clone();
        let ours = self.contracts.iter().filter(|it| it.pool == yard.pool.id);
        for lent in ours.flat_map(|it| &it.substitutes) {
            own.add(lent.window, -i64::from(lent.gpus));
        }
        own
    }

    /// What a pool has within a window beyond what is sold, offered to others or not, once what is
    /// known to be lost and what waits for an answer is taken off. Below zero is a shortfall that
    /// nobody knows of.
    fn balance(&self, pool: PoolId, window: Window) -> Schedule {
        let yard = self.capacity.yard(pool).expect("an incident's pool exists");
        let mut balance = Schedule::empty();
        yard.firm_room().within(window).for_each(|it| balance.add(it.window, it.count));
        let known = self.contracts.iter().filter(|it| it.pool == pool);
        let lost = known.flat_map(|it| &it.losses).map(|it| (it.window, it.gpus));
        let waiting = self.incidents.waiting().filter(|(of, ..)| *of == pool);
        let waiting = waiting.flat_map(|(_, it, _)| &it.missing).map(|it| (it.window, it.gpus));
        for (when, gpus) in lost.chain(waiting) {
            if let Some(when) = when.overlap(window) {
                balance.add(when, i64::from(gpus));
            }
        }
        balance
    }

    /// An incident has moved: files when it will again, closes it when nobody is short, and says
    /// whose contracts are whole again.
    fn move_incident(
        &mut self,
        at: &Stamp,
        before: &Incident,
        mut incident: Incident,
        out: &mut Effects,
    ) {
        let id = incident.id;
        if let Some((due_at, due)) = before.deadline() {
            self.deadlines.clear(due_at, due);
        }
        incident.version += 1;
        let is_over = !incident.affected.iter().any(Affected::is_short);
        if is_over {
            incident.state = IncidentState::Closed;
            incident.closed_at = Some(at.at);
            self.incidents.open.remove(&id);
        } else {
            let (due_at, due) = incident.deadline().expect("who is short is waited for");
            self.deadlines.set(due_at, due);
            self.incidents.open.insert(id, incident.clone());
        }
        out.changes.push(Change::between(&id, before, &incident));
        out.incidents.changed(id, incident.clone());
        let ids: Vec<ContractId> = incident.affected.iter().map(|it| it.contract).collect();
        self.flag(at, &ids, out);
        if is_over {
            self.tell_of_incident(at, EventKind::IncidentClosed, &incident, out);
        }
    }

    /// Writes on contracts whether they are short, and tells their parties when that is news.
    fn flag(&mut self, at: &Stamp, ids: &[ContractId], out: &mut Effects) {
        let short = self.incidents.contracts();
        for id in ids {
            self.flag_one(at, *id, short.contains(id), out);
        }
    }

    fn flag_one(&mut self, at: &Stamp, id: ContractId, degraded: bool, out: &mut Effects) {
        let Some(contract) = self.contracts.get_mut(id) else { return };
        if contract.degraded == degraded {
            return;
        }
        contract.degraded = degraded;
        contract.changed_at = at.at;
        let contract = self.contracts.shared(id);
        let (kind, was) = if degraded {
            (EventKind::ContractDegraded, None)
        } else {
            (EventKind::ContractRestored, Some("degraded"))
        };
        if degraded || contract.is_live() {
            self.tell_parties(at, kind, &contract, was, out);
        }
        out.contracts.changed(id, contract);
    }

    /// Tells the provider and the customers of those that are or were short.
    fn tell_of_incident(
        &mut self,
        at: &Stamp,
        kind: EventKind,
        incident: &Incident,
        out: &mut Effects,
    ) {
        let mut orgs: Vec<OrgId> = incident.affected.iter().map(|it| it.customer).collect();
        orgs.push(incident.provider);
        orgs.sort_unstable();
        orgs.dedup();
        for org in orgs {
            let Incident { id, pool, cause, state, window, .. } = *incident;
            let (start, end) = (window.start(), window.end());
            let data = EventData::Incident { id, pool, cause, state, start, end };
            self.tell(at, org, kind, data, None, out);
        }
    }
}

/// A quantity over time, stretch by stretch; what is not above zero is left out.
fn parts_of(schedule: &Schedule) -> Vec<Part> {
    let positive = schedule.stretches().filter(|it| it.count > 0);
    let part = |it: crate::model::schedule::Stretch| Part {
        gpus: Gpus::try_from(it.count).expect("a number of GPUs"),
        window: it.window,
    };
    positive.map(part).collect()
}
