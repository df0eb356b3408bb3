//! What is true of shortfalls: each is recorded, and whoever is short is known.

use super::super::Engine;
use super::super::capacity::Yard;
use super::super::incident::{Affected, Incident, IncidentState, ShortfallOutcome};
use crate::model::{Schedule, Window, limits};

impl Engine {
    /// A pool has what it was given, less what is away and what stands in for others. Where that is
    /// less than what is sold, every missing GPU is some contract's: it is lost, or waits for an
    /// answer.
    pub(super) fn audit_incidents(&self, broken: &mut Vec<String>) {
        let now = self.now.minute();
        for yard in &self.capacity.yards {
            let id = yard.pool.id;
            if self.installed_in(yard).since(now) != yard.installed.since(now) {
                broken.push(format!("{id}: what is installed is not what it was given"));
            }
            let ahead = Window::new(now, crate::model::Minute::new(limits::MINUTE_MAX));
            // What contracts offer to others is theirs until it is sold.
            let room = yard.firm_room();
            let Some(ahead) = ahead.filter(|ahead| room.min_over(*ahead) < 0) else {
                continue;
            };
            let mut known = Schedule::empty();
            let ours = self.contracts.iter().filter(|contract| contract.pool == id);
            for lost in ours.flat_map(|contract| &contract.losses) {
                known.add(lost.window, i64::from(lost.gpus));
            }
            let waiting = self.incidents.waiting().filter(|(pool, ..)| *pool == id);
            for part in waiting.flat_map(|(_, affected, _)| &affected.missing) {
                known.add(part.window, i64::from(part.gpus));
            }
            for lacks in room.within(ahead).filter(|lacks| lacks.count < 0) {
                if known.min_over(lacks.window) < -lacks.count {
                    let (gpus, at) = (-lacks.count, lacks.window.start());
                    broken.push(format!("{id}: {gpus} short at {at}, and no incident says whose"));
                }
            }
        }
        self.incidents.open.values().for_each(|incident| self.audit_incident(incident, broken));
        let short = self.incidents.contracts();
        for contract in self.contracts.iter() {
            let is_ahead = contract.losses.iter().any(|lost| lost.window.end() > now);
            let is_short = short.contains(&contract.id);
            if contract.degraded != is_short || (contract.is_live() && is_ahead && !is_short) {
                broken.push(format!("{} is short and no incident says so", contract.id));
            }
        }
    }

    fn installed_in(&self, yard: &Yard) -> Schedule {
        let id = yard.pool.id;
        let mut installed = Schedule::empty();
        for phase in &yard.pool.phases {
            let window = Window::new(phase.from, crate::model::Minute::new(limits::MINUTE_MAX));
            installed.add(window.expect("phases begin within time"), i64::from(phase.gpus));
        }
        for away in &yard.pool.maintenance {
            installed.add(away.window, -i64::from(away.gpus));
        }
        for contract in self.contracts.iter() {
            for it in &contract.substitutes {
                let sign = i64::from(contract.pool == id) - i64::from(it.pool == id);
                installed.add(it.window, sign * i64::from(it.gpus));
            }
        }
        let held = self.incidents.waiting().filter(|(.., offer)| offer.pool == id);
        for part in held.flat_map(|(.., offer)| &offer.parts) {
            installed.add(part.window, -i64::from(part.gpus));
        }
        installed
    }

    /// Only what is open is in memory; whoever is short is a live contract of the pool, and is
    /// short of no more than it has.
    fn audit_incident(&self, incident: &Incident, broken: &mut Vec<String>) {
        let Incident { id, pool, affected, state, .. } = incident;
        let is_open = *state == IncidentState::Open && affected.iter().any(Affected::is_short);
        if !is_open {
            broken.push(format!("{id} is {state} and still in memory"));
        }
        for it in affected.iter().filter(|it| it.is_short()) {
            let contract = self.contracts.unsettled.get(&it.contract);
            let is_there = contract.is_some_and(|contract| {
                let promised = contract.promised();
                let mut missing = it.missing.iter();
                contract.is_live()
                    && contract.pool == *pool
                    && contract.customer == it.customer
                    && (it.outcome == ShortfallOutcome::Lost
                        || missing.all(|it| promised.min_over(it.window) >= i64::from(it.gpus)))
            });
            if !is_there {
                broken.push(format!("{id}: {} is not there to be short", it.contract));
            }
        }
    }
}
