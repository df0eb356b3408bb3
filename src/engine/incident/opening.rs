//! How an incident opens: who runs short, by how much, and what is offered to them.

use std::collections::BTreeMap;

use super::super::Engine;
use super::super::capacity::{FactoryState, Yard};
use super::super::command::Stamp;
use super::super::contract::{Contract, ContractBrief};
use super::super::deadline::Due;
use super::super::effect::Effects;
use super::super::event::{EventKind, minted};
use super::{
    Affected, Incident, IncidentCause, IncidentState, Offer, Part, ShortfallOutcome, parts_of,
};
use crate::model::id::{ContractId, IncidentId, PoolId, QuoteId};
use crate::model::{Minute, RegionCode, Schedule, Window, limits};

impl Engine {
    /// A pool has less within a window than before. Where that is less than what is sold an
    /// incident opens; answers the contracts that run short.
    pub(in crate::engine) fn open_incident(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        window: Window,
        (cause, note): (IncidentCause, &str),
        out: &mut Effects,
    ) -> Vec<ContractBrief> {
        let from = window.start().max(at.now());
        let Some(window) = Window::new(from, window.end()) else { return Vec::new() };
        self.withdraw_short_resales(at, pool, window, out);
        self.revoke_quotes(at, pool, window, out);
        let mut affected = self.run_short(pool, window);
        let Some(yard) = self.capacity.yard(pool).filter(|_| !affected.is_empty()) else {
            return Vec::new();
        };
        let provider = yard.pool.provider;
        for it in &mut affected {
            match self.find_substitute(at, it) {
                Some(offer) => {
                    self.capacity.lend(offer.pool, &offer.parts);
                    out.shelves.insert(offer.pool);
                    it.offer = Some(offer);
                }
                None => {
                    it.turn(ShortfallOutcome::Lost, at);
                    self.lose(at, it.contract, &it.missing, out);
                }
            }
        }
        let incident = Incident {
            id: IncidentId::new(minted(at, 0)),
            provider,
            pool,
            cause,
            note: note.to_owned(),
            window,
            affected,
            state: IncidentState::Open,
            opened_at: at.at,
            closed_at: None,
            version: 1,
        };
        let (due_at, due) = incident.deadline().expect("who is short is waited for");
        self.deadlines.set(due_at, due);
        self.incidents.open.insert(incident.id, incident.clone());
        self.tell_of_incident(at, EventKind::IncidentOpened, &incident, out);
        let ids: Vec<ContractId> = incident.affected.iter().map(|it| it.contract).collect();
        self.flag(at, &ids, out);
        let mut briefs = Vec::new();
        for it in &incident.affected {
            let contract = self.contract(it.contract).clone();
            briefs.push(contract.brief());
            if it.offer.is_some() {
                let kind = EventKind::ContractSubstitutionOffered;
                self.tell_parties(at, kind, &contract, None, out);
            }
        }
        out.incidents.born(incident.id, incident);
        briefs
    }

    /// Firm quotes that no longer fit end, the newest first: nothing of them is sold.
    fn revoke_quotes(&mut self, at: &Stamp, pool: PoolId, window: Window, out: &mut Effects) {
        let of_pool = self.quotes.open.values().rev().filter(|it| it.block.pool == pool);
        let shared = |block: Window| block.overlap(window);
        let ids: Vec<(QuoteId, Window)> =
            of_pool.filter_map(|it| Some((it.id, shared(it.block.window)?))).collect();
        for (id, shared) in ids {
            let yard = self.capacity.yard(pool).expect("the pool exists");
            // What is known to be short binds already; only what was just taken away counts.
            if self.balance(pool, shared).stretches().all(|it| it.count >= 0) {
                continue;
            }
            debug_assert!(yard.firm_room().min_over(shared) < 0, "short of room");
            let expires_at = self.quotes.open[&id].expires_at.unwrap_or_default();
            self.deadlines.clear(expires_at, Due::QuoteLapses(id));
            self.lapse_quote(at, id, out);
        }
    }

    /// Who runs short within a window: the contract made last is the first, to all it has there,
    /// and so on until nothing is missing.
    fn run_short(&self, pool: PoolId, window: Window) -> Vec<Affected> {
        let mut short = Schedule::empty();
        for it in self.balance(pool, window).stretches().filter(|it| it.count < 0) {
            short.add(it.window, -it.count);
        }
        let mut affected = Vec::new();
        if short.is_empty() {
            return affected;
        }
        let is_here = |it: &&Contract| it.pool == pool && it.window.overlap(window).is_some();
        let mut sold: Vec<&Contract> = self.contracts.live().filter(is_here).collect();
        sold.sort_by_key(|it| std::cmp::Reverse((it.created_at, it.id)));
        let mut waiting: BTreeMap<ContractId, Vec<Part>> = BTreeMap::new();
        for (_, it, _) in self.incidents.waiting() {
            waiting.entry(it.contract).or_default().extend(&it.missing);
        }
        for contract in sold {
            let mut left = contract.at_risk();
            for part in waiting.get(&contract.id).into_iter().flatten() {
                left.add(part.window, -i64::from(part.gpus));
            }
            let mut missing = Schedule::empty();
            for lacks in short.stretches() {
                for has in left.within(lacks.window).filter(|has| has.count > 0) {
                    missing.add(has.window, has.count.min(lacks.count));
                }
            }
            if missing.is_empty() {
                continue;
            }
            short.subtract_all(&missing);
            let (contract, customer) = (contract.id, contract.customer);
            let missing = parts_of(&missing);
            let (offer, outcome) = (None, ShortfallOutcome::Offered);
            let decided_at = None;
            affected.push(Affected { contract, customer, missing, offer, outcome, decided_at });
        }
        affected
    }

    /// Where a contract could be while its own pool is short: a pool of the same provider, in the
    /// same region before another of the same country, of the same SKU before a better one, the
    /// oldest first, that has room for all of its GPUs all that time.
    fn find_substitute(&self, at: &Stamp, affected: &Affected) -> Option<Offer> {
        let contract = self.contract(affected.contract);
        let home = self.capacity.yard(contract.pool)?;
        let start = affected.missing.first()?.window.start();
        let while_short = Window::new(start, affected.end())?;
        let mut all = Schedule::empty();
        contract.at_risk().within(while_short).for_each(|it| all.add(it.window, it.count));
        let parts = parts_of(&all);
        let region = |code: &RegionCode| self.catalogue.region(code).map(|it| it.country);
        let has_room = |yard: &Yard| {
            let room = yard.firm_room();
            parts.iter().all(|it| room.min_over(it.window) >= i64::from(it.gpus))
        };
        let fits = |yard: &&Yard| {
            let factory = &self.capacity.factories[&yard.pool.factory];
            yard.pool.id != home.pool.id
                && yard.pool.provider == home.pool.provider
                && factory.state != FactoryState::Retired
                && region(&yard.pool.region) == region(&home.pool.region)
                && yard.sku.is_at_least(&home.sku)
                && has_room(yard)
        };
        let near = |yard: &&Yard| {
            let away = yard.pool.region != home.pool.region;
            (away, yard.pool.sku != home.pool.sku, yard.pool.id)
        };
        let pool = self.capacity.yards.iter().filter(fits).min_by_key(near)?.pool.id;
        let expires_at = answer_by(at.next_minute(), start, affected.end(), contract.bills_at());
        Some(Offer { pool, parts, expires_at })
    }

    /// A contract goes without: what it misses is not charged, as if it had been reported.
    pub(super) fn lose(&mut self, at: &Stamp, id: ContractId, missing: &[Part], out: &mut Effects) {
        let contract = self.contract(id);
        let losses = contract.lose_what_is_left(missing);
        if !losses.is_empty() {
            let to = contract.accrued_to;
            self.restate(at, id, to, |contract| contract.losses.extend(losses), out);
        }
    }
}

/// When the customer must have answered: within a day, and before the time is there that runs
/// short, but with an hour to think at least. Never after the invoice of that time, nor after its
/// end.
fn answer_by(now: Minute, short_from: Minute, short_to: Minute, bills_at: Minute) -> Minute {
    let pause = now.plus(limits::SUBSTITUTION_MINUTES_MIN);
    let by = short_from.max(pause).min(now.plus(limits::SUBSTITUTION_MINUTES_MAX)).min(short_to);
    if short_from < bills_at { by.min(bills_at) } else { by }
}
