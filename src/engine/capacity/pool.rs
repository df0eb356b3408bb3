//! A pool's life: created with its phases, raised by later ones, lowered by maintenance.

use super::factory::installed_at_last;
use super::{Maintenance, Phase, Pool, Yard, change};
use crate::engine::command::{Answer, Stamp};
use crate::engine::effect::Effects;
use crate::engine::event::{EventData, EventKind};
use crate::engine::incident::{IncidentCause, Part};
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
        let installed = self.removable(yard).min_over(window);
        bound::within("gpus", i64::from(gpus), 1, installed)?;
        bound::note("note", &note)?;
        // From here it must succeed: every question has been asked.
        let away = Maintenance { window, gpus, note };
        let note = away.note.clone();
        let index = self.capacity.index(pool);
        self.capacity.yards[index].lower(&away);
        let pool = self.change_pool(at, index, |pool| pool.maintenance.push(away), out);
        let why = (IncidentCause::Maintenance, note.as_str());
        let touched = self.open_incident(at, pool.id, window, why, out);
        Ok(Answer::Maintenance { pool, touched })
    }

    /// A phase that has not come yet comes later than it was announced.
    pub(in crate::engine) fn postpone_phase(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        phase: usize,
        from: Minute,
        note: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let yard = self.own_yard(provider, pool)?;
        bound::count("phase", phase, 1, yard.pool.phases.len())?;
        let place = phase - 1;
        let late = yard.pool.phases[place];
        if late.from <= at.now() {
            let (given, next) = (late.from, at.next_minute());
            return Err(Refusal::InThePast { field: "phase", given, next });
        }
        let least = late.from.count() + 1;
        bound::within("until", from.count(), least, limits::MINUTE_MAX - 1)?;
        bound::note("note", note)?;
        let window = Window::new(late.from, from).expect("it comes later");
        // Maintenance that counts on it ends first; what stands in for another pool stays.
        let installed = self.removable(yard).min_over(window);
        bound::within("phase", late.gpus, 1, installed)?;
        // From here it must succeed: every question has been asked.
        let index = self.capacity.index(pool);
        self.capacity.yards[index].postpone(late, from);
        let announced = Some(late.announced.unwrap_or(late.from));
        let later = Phase { from, announced, ..late };
        let pool = self.change_pool(at, index, |pool| pool.phases[place] = later, out);
        let why = (IncidentCause::LatePhase, note);
        let touched = self.open_incident(at, pool.id, window, why, out);
        Ok(Answer::Maintenance { pool, touched })
    }

    /// A maintenance window ends now; one that has not begun does not.
    pub(in crate::engine) fn end_maintenance(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        window: usize,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let yard = self.own_yard(provider, pool)?;
        bound::count("window", window, 1, yard.pool.maintenance.len())?;
        let place = window - 1;
        let away = yard.pool.maintenance[place].clone();
        let end = at.next_minute();
        let start = end.max(away.window.start());
        let Some(rest) = Window::new(start, away.window.end()) else {
            let (state, needed) = ("over", "planned or under way");
            return Err(Refusal::WrongState { kind: "maintenance", state, needed });
        };
        // From here it must succeed: every question has been asked.
        let back = Part { gpus: away.gpus, window: rest };
        self.capacity.unlend(pool, &[back]);
        let index = self.capacity.index(pool);
        let was = Window::new(away.window.start(), start);
        let change = |pool: &mut Pool| match was {
            Some(window) => pool.maintenance[place].window = window,
            None => drop(pool.maintenance.remove(place)),
        };
        let pool = self.change_pool(at, index, change, out);
        self.retry(at, &pool.sku, out);
        Ok(Answer::Pool(pool))
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

    fn tell_of_pool(&mut self, at: &Stamp, pool: &Pool, kind: EventKind, out: &mut Effects) {
        let (id, sku, region) = (pool.id, pool.sku.clone(), pool.region.clone());
        self.tell(at, pool.provider, kind, EventData::Pool { id, sku, region }, None, out);
    }
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
