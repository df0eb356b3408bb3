//! How an incident goes on: the customer answers or does not, there is enough again, time passes.

use super::super::Engine;
use super::super::amendment::{Amendment, AmendmentKind, Move};
use super::super::command::{Answer, Stamp};
use super::super::contract::Contract;
use super::super::effect::Effects;
use super::super::event::EventKind;
use super::super::refusal::Refusal;
use super::{Incident, Part, ShortfallOutcome, Substitute, parts_of};
use crate::model::id::{ContractId, IncidentId, PoolId};
use crate::model::{Minute, Schedule, SkuCode, Window};

impl Engine {
    /// The customer takes what is offered, or would rather not pay for what is lost.
    pub(in crate::engine) fn answer_substitution(
        &mut self,
        at: &Stamp,
        id: IncidentId,
        contract: ContractId,
        accept: bool,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.trading(at)?.organization.id;
        let before = self.incidents.open.get(&id).filter(|incident| {
            let mut customers = incident.affected.iter().map(|it| it.customer);
            customers.any(|it| it == customer)
        });
        let before = before.ok_or(Refusal::NotFound { kind: "incident" })?.clone();
        let is_it = |it: &super::Affected| it.contract == contract && it.customer == customer;
        let place = before.affected.iter().position(is_it);
        let place = place.ok_or(Refusal::NotFound { kind: "contract" })?;
        let affected = &before.affected[place];
        let is_over = affected.waiting().is_none_or(|offer| offer.expires_at <= at.now());
        if is_over {
            let state = match affected.outcome {
                ShortfallOutcome::Offered => "expired",
                other => other.as_str(),
            };
            return Err(Refusal::WrongState { kind: "substitution", state, needed: "offered" });
        }
        // From here it must succeed: every question has been asked.
        let mut incident = before.clone();
        if accept {
            self.substitute(at, &mut incident, place, out);
        } else {
            self.go_without(at, &mut incident, place, out);
        }
        self.move_incident(at, &before, incident.clone(), out);
        let pools =
            [Some(incident.pool), incident.affected[place].offer.as_ref().map(|it| it.pool)];
        for pool in pools.into_iter().flatten() {
            let sku = self.capacity.yard(pool).expect("the pool exists").pool.sku.clone();
            self.retry(at, &sku, out);
        }
        let incident = self.incidents.open.get(&id).cloned();
        let incident = incident.or_else(|| out.incidents.get(&id).cloned());
        Ok(Answer::Incident(incident.expect("it is open, or was closed just now")))
    }

    /// The other pool stands in from the next minute on; what was short before is lost.
    fn substitute(&mut self, at: &Stamp, incident: &mut Incident, place: usize, out: &mut Effects) {
        let affected = &mut incident.affected[place];
        let offer = affected.offer.clone().expect("an offer waits");
        let id = affected.contract;
        let held_before = self.contract(id).unaccrued();
        let from = at.next_minute();
        if let Some(late) = Window::new(Minute::new(i64::from(i32::MIN)), from) {
            let lost: Vec<Part> =
                affected.missing.iter().filter_map(|it| it.within(late)).collect();
            self.lose(at, id, &lost, out);
        }
        affected.turn(ShortfallOutcome::Substituted, at);
        let at_risk = self.contract(id).at_risk();
        let left = offer.parts.iter().filter_map(|it| since(*it, from));
        let kept = left.flat_map(|it| at_risk.within(it.window).map(move |has| (it.gpus, has)));
        let mut all = Schedule::empty();
        kept.for_each(|(gpus, has)| all.add(has.window, has.count.clamp(0, i64::from(gpus))));
        let kept = parts_of(&all);
        self.capacity.unlend(offer.pool, &offer.parts);
        self.capacity.lend(offer.pool, &kept);
        self.capacity.borrow(incident.pool, &kept);
        out.shelves.extend([offer.pool, incident.pool]);

        let contract = self.contracts.get_mut(id).expect("who is short is there");
        let size = contract.size();
        let pool = offer.pool;
        let stand_in = |it: &Part| Substitute { pool, gpus: it.gpus, window: it.window };
        contract.substitutes.extend(kept.iter().map(stand_in));
        contract.amendments += 1;
        contract.changed_at = at.at;
        let contract = self.contracts.shared(id);
        let start = kept.first().map_or(from, |it| it.window.start());
        let end = kept.last().map_or(from, |it| it.window.end());
        out.amendments.push(Amendment {
            contract: id,
            no: contract.amendments,
            kind: AmendmentKind::Substitute,
            effective_at: start,
            before: size,
            after: size,
            moved: Some(Move { from: incident.pool, to: offer.pool, until: end }),
            fee: crate::model::Money::ZERO,
            held_before,
            held_after: contract.unaccrued(),
            made_at: at.at,
        });
        self.tell_parties(at, EventKind::ContractSubstituted, &contract, None, out);
        out.contracts.changed(id, contract);
    }

    /// Declined, or not answered in time: the place is free again, and what is short is lost.
    fn go_without(&mut self, at: &Stamp, incident: &mut Incident, place: usize, out: &mut Effects) {
        let affected = &mut incident.affected[place];
        affected.turn(ShortfallOutcome::Lost, at);
        let offer = affected.offer.clone().expect("an offer waited");
        let (id, missing) = (affected.contract, affected.missing.clone());
        self.withdraw_place(at, offer.pool, &offer.parts, out);
        self.lose(at, id, &missing, out);
    }

    /// What was held in another pool is free again; who waits for it is looked at soon.
    fn withdraw_place(&mut self, at: &Stamp, pool: PoolId, parts: &[Part], out: &mut Effects) {
        self.capacity.unlend(pool, parts);
        out.shelves.insert(pool);
        let sku = self.capacity.yard(pool).expect("the pool exists").pool.sku.clone();
        self.deadlines.set_sweep(at.at, sku);
    }

    /// Time has passed: offers that nobody answered have ended, and losses are over.
    pub(in crate::engine) fn meet_incident(
        &mut self,
        at: &Stamp,
        id: IncidentId,
        out: &mut Effects,
    ) {
        let before = self.incidents.open.get(&id).expect("only an open incident moves").clone();
        let mut incident = before.clone();
        for place in 0..incident.affected.len() {
            let affected = &mut incident.affected[place];
            if affected.waiting().is_some_and(|offer| offer.expires_at <= at.now()) {
                self.go_without(at, &mut incident, place, out);
            }
            let affected = &mut incident.affected[place];
            if affected.outcome == ShortfallOutcome::Lost && affected.end() <= at.now() {
                affected.turn(ShortfallOutcome::Compensated, at);
                let contract = self.contracts.unsettled.get(&affected.contract).cloned();
                if let Some(contract) = contract {
                    self.tell_parties(at, EventKind::ContractCompensated, &contract, None, out);
                }
            }
        }
        self.move_incident(at, &before, incident, out);
    }

    /// There may be enough again in a market's pools: who has not answered yet and is short no more
    /// stays where it is, the contract made first before the others.
    pub(in crate::engine) fn review_incidents(
        &mut self,
        at: &Stamp,
        sku: &SkuCode,
        out: &mut Effects,
    ) {
        let is_here = |pool| self.capacity.yard(pool).is_some_and(|it| it.pool.sku == *sku);
        let open = self.incidents.open.values().filter(|it| is_here(it.pool));
        let waiting = open.flat_map(|incident| {
            let waiting = incident.affected.iter().enumerate();
            let waiting = waiting.filter(|(_, it)| it.outcome == ShortfallOutcome::Offered);
            waiting.map(|(place, it)| (it.contract, incident.id, place))
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_by_key(|(contract, ..)| (self.contract(*contract).created_at, *contract));
        for (_, id, place) in waiting {
            let Some(before) = self.incidents.open.get(&id).cloned() else { continue };
            let affected = &before.affected[place];
            let fits = |part: &Part| {
                let has = self.balance(before.pool, part.window);
                has.min_over(part.window) >= i64::from(part.gpus)
            };
            if !affected.missing.iter().filter_map(|it| since(*it, at.now())).all(|it| fits(&it)) {
                continue;
            }
            let offer = affected.offer.clone().expect("an offer waits");
            let mut incident = before.clone();
            incident.affected[place].turn(ShortfallOutcome::Restored, at);
            self.withdraw_place(at, offer.pool, &offer.parts, out);
            self.move_incident(at, &before, incident, out);
        }
    }

    /// A contract is over, whichever way: nothing is offered to it any more. What it was short of
    /// until its end is lost.
    pub(in crate::engine) fn leave_incidents(
        &mut self,
        at: &Stamp,
        id: ContractId,
        out: &mut Effects,
    ) {
        let all = self.incidents.open.values();
        let its = all.filter(|it| it.affected.iter().any(|a| a.contract == id && a.is_short()));
        let its: Vec<Incident> = its.cloned().collect();
        for before in its {
            let mut incident = before.clone();
            for affected in incident.affected.iter_mut().filter(|it| it.contract == id) {
                if let Some(offer) = affected.waiting().cloned() {
                    self.withdraw_place(at, offer.pool, &offer.parts, out);
                    let missing = affected.missing.clone();
                    self.lose(at, id, &missing, out);
                }
                if affected.is_short() {
                    affected.turn(ShortfallOutcome::Ended, at);
                }
            }
            self.move_incident(at, &before, incident, out);
        }
    }

    /// Brings what stands in for a contract from what it was to what it is: less of the contract
    /// needs less of the other pool.
    pub(in crate::engine) fn restand(
        &mut self,
        before: &Contract,
        after: &Contract,
        out: &mut Effects,
    ) {
        if before.substitutes == after.substitutes {
            return;
        }
        for it in &before.substitutes {
            self.capacity.unlend(it.pool, &[it.part()]);
            self.capacity.unborrow(before.pool, &[it.part()]);
            out.shelves.insert(it.pool);
        }
        self.stand_in(after);
    }

    /// Applies what stands in for a contract, without any effect.
    pub(in crate::engine) fn stand_in(&mut self, contract: &Contract) {
        for it in &contract.substitutes {
            self.capacity.lend(it.pool, &[it.part()]);
            self.capacity.borrow(contract.pool, &[it.part()]);
        }
    }
}

/// A part from an instant on.
fn since(part: Part, from: Minute) -> Option<Part> {
    Some(Part { window: Window::new(part.window.start().max(from), part.window.end())?, ..part })
}
