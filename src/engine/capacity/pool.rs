//! A pool's life: created with its phases, raised by later ones, lowered by maintenance.

use super::factory::installed_at_last;
use super::{Maintenance, Phase, Pool, Yard, change};
use crate::engine::command::{Answer, Stamp};
use crate::engine::contract::{Contract, ContractBrief};
use crate::engine::effect::Effects;
use crate::engine::event::{EventData, EventKind};
use crate::engine::listing::no_later;
use crate::engine::{Engine, Refusal, bound};
use crate::model::id::{FactoryId, OrgId, PoolId};
use crate::model::{Gpus, Minute, SkuCode, Window, limits};

// The commands.
impl Engine {
    pub(in crate::engine) fn create_pool(
        &mut self,
        at: &Stamp,
        id: PoolId,
        factory: FactoryId,
        sku: SkuCode,
        phases: Vec<Phase>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let home = self.working_factory(provider, factory)?;
        let region = home.region.clone();
        let Some(product) = self.catalogue.skus.get(&sku).cloned() else {
            return Err(Refusal::Unknown { field: "sku", named: sku.to_string() });
        };
        bound::count("phases", phases.len(), 1, limits::PHASES_MAX)?;
        let mut total = 0;
        for phase in &phases {
            phase_fits(phase, product.gpus_per_node)?;
            total += i64::from(phase.gpus);
        }
        bound::within("phases.gpus", total, 1, i64::from(limits::GPUS_MAX))?;
        self.power_carries(home, total, product.watts_per_gpu)?;
        // From here it must succeed: every question has been asked.
        let (maintenance, created_at, version) = (Vec::new(), at.at, 1);
        let pool =
            Pool { id, provider, factory, region, sku, phases, maintenance, created_at, version };
        self.capacity.add_pool(pool.clone(), product);
        out.pools.born(id, pool.clone());
        out.shelves.insert(id);
        self.tell_of_pool(at, &pool, EventKind::PoolCreated, out);
        Ok(Answer::Pool(pool))
    }

    pub(in crate::engine) fn add_phase(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        phase: Phase,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let yard = self.own_yard(provider, pool)?;
        phase_fits(&phase, yard.sku.gpus_per_node)?;
        pool_takes_changes(&yard.pool)?;
        let home = self.working_factory(provider, yard.pool.factory)?;
        let total = installed_at_last(&yard.pool) + i64::from(phase.gpus);
        bound::within("gpus", total, 1, i64::from(limits::GPUS_MAX))?;
        self.power_carries(home, i64::from(phase.gpus), yard.sku.watts_per_gpu)?;
        // From here it must succeed: every question has been asked.
        let index = self.capacity.index(pool);
        self.capacity.yards[index].raise(phase);
        let pool = self.change_pool(at, index, |pool| pool.phases.push(phase), out);
        self.retry(at, &pool.sku, out);
        Ok(Answer::Pool(pool))
    }

    pub(in crate::engine) fn add_maintenance(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        window: Window,
        gpus: Gpus,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let yard = self.own_yard(provider, pool)?;
        pool_takes_changes(&yard.pool)?;
        if window.start() < at.now() {
            let (given, next) = (window.start(), at.now());
            return Err(Refusal::InThePast { field: "start_at", given, next });
        }
        no_later("end_at", window.end(), Minute::new(limits::MINUTE_MAX))?;
        on_lot("gpus", gpus, yard.sku.gpus_per_node)?;
        let installed = yard.installed.min_over(window);
        bound::within("gpus", i64::from(gpus), 1, installed)?;
        bound::note("note", &note)?;
        // From here it must succeed: every question has been asked.
        let away = Maintenance { window, gpus, note };
        let index = self.capacity.index(pool);
        self.capacity.yards[index].lower(&away);
        let pool = self.change_pool(at, index, |pool| pool.maintenance.push(away), out);
        let touched = self.touched(index, window);
        for contract in &touched {
            self.tell_of_shortfall(at, contract, out);
        }
        let touched = touched.iter().map(brief).collect();
        Ok(Answer::Maintenance { pool, touched })
    }
}

// Checks and steps that the commands share.
impl Engine {
    /// A pool of this provider; another's does not exist for it.
    pub(in crate::engine) fn own_yard(
        &self,
        provider: OrgId,
        id: PoolId,
    ) -> Result<&Yard, Refusal> {
        let yard = self.capacity.yard(id);
        yard.filter(|yard| yard.pool.provider == provider).ok_or(Refusal::NotFound { kind: "pool" })
    }

    /// Changes a pool's record, notes it and tells its provider.
    fn change_pool(
        &mut self,
        at: &Stamp,
        index: usize,
        with: impl FnOnce(&mut Pool),
        out: &mut Effects,
    ) -> Pool {
        let pool = &mut self.capacity.yards[index].pool;
        let before = pool.clone();
        with(pool);
        pool.version += 1;
        let after = pool.clone();
        out.changes.push(change(after.id.to_string(), &before, &after));
        out.pools.changed(after.id, after.clone());
        out.shelves.insert(after.id);
        self.tell_of_pool(at, &after, EventKind::PoolChanged, out);
        after
    }

    /// The live contracts of a pool that may run short within `window`, in key order.
    fn touched(&self, index: usize, window: Window) -> Vec<Contract> {
        let yard = &self.capacity.yards[index];
        let short = |contract: &&Contract| {
            let shared = contract.window.overlap(window);
            contract.pool == yard.pool.id && shared.is_some_and(|w| yard.room.min_over(w) < 0)
        };
        self.contracts.live().filter(short).cloned().collect()
    }

    fn tell_of_pool(&mut self, at: &Stamp, pool: &Pool, kind: EventKind, out: &mut Effects) {
        let (id, sku, region) = (pool.id, pool.sku.clone(), pool.region.clone());
        self.tell(at, pool.provider, kind, EventData::Pool { id, sku, region }, None, out);
    }

    fn tell_of_shortfall(&mut self, at: &Stamp, contract: &Contract, out: &mut Effects) {
        for org in [contract.customer, contract.provider] {
            let data = EventData::Contract {
                id: contract.id,
                order: contract.order,
                pool: contract.pool,
                sku: contract.sku.clone(),
                state: contract.state,
                gpus: contract.gpus,
                start: contract.window.start(),
                end: contract.window.end(),
                value: contract.value,
            };
            self.tell(at, org, EventKind::ContractDegraded, data, None, out);
        }
    }
}

fn brief(contract: &Contract) -> ContractBrief {
    let (id, gpus, window, state) = (contract.id, contract.gpus, contract.window, contract.state);
    ContractBrief { id, gpus, window, state }
}

/// Refuses a quantity that is not a multiple of the lot.
pub(in crate::engine) fn on_lot(
    field: &'static str,
    given: Gpus,
    lot: Gpus,
) -> Result<(), Refusal> {
    if given.is_multiple_of(lot) { Ok(()) } else { Err(Refusal::OffLot { field, lot, given }) }
}

/// A phase brings whole lots, at a time the market knows.
fn phase_fits(phase: &Phase, lot: Gpus) -> Result<(), Refusal> {
    bound::within("phases.gpus", i64::from(phase.gpus), 1, i64::from(limits::GPUS_MAX))?;
    on_lot("phases.gpus", phase.gpus, lot)?;
    let last = limits::MINUTE_MAX - 1;
    bound::within("phases.from", phase.from.count(), limits::MINUTE_MIN, last)
}

fn pool_takes_changes(pool: &Pool) -> Result<(), Refusal> {
    let most = limits::POOL_CHANGES_MAX;
    if pool.phases.len() + pool.maintenance.len() < most {
        return Ok(());
    }
    Err(Refusal::TooMany { kind: "phases and maintenance windows", most })
}
