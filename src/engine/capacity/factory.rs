//! A factory's life: opened by its provider, moved forward, closed when nothing is promised any
//! more.

use super::{Factory, FactoryState, Pool, change};
use crate::engine::command::{Answer, Stamp};
use crate::engine::effect::Effects;
use crate::engine::{Engine, Refusal, bound};
use crate::model::id::{FactoryId, OrgId};
use crate::model::{Minute, RegionCode, limits};

impl FactoryState {
    /// The table: forward only, steps may be skipped.
    pub const fn may_become(self, next: FactoryState) -> bool {
        use FactoryState::{Building, Energized, Planned, Retired};
        matches!(
            (self, next),
            (Planned, Building | Energized | Retired)
                | (Building, Energized | Retired)
                | (Energized, Retired)
        )
    }
}

// The commands.
impl Engine {
    pub(in crate::engine) fn create_factory(
        &mut self,
        at: &Stamp,
        id: FactoryId,
        name: String,
        region: RegionCode,
        power_kw: u32,
        state: FactoryState,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        bound::name("name", &name)?;
        bound::within("power_kw", i64::from(power_kw), 1, i64::from(limits::POWER_KW_MAX))?;
        if !self.catalogue.regions.contains_key(&region) {
            return Err(Refusal::Unknown { field: "region", named: region.to_string() });
        }
        if state == FactoryState::Retired {
            return Err(Refusal::Invalid { field: "state", rule: "a new factory is not retired" });
        }
        // From here it must succeed: every question has been asked.
        let (created_at, version) = (at.at, 1);
        let factory = Factory { id, provider, name, region, power_kw, state, created_at, version };
        self.capacity.add_factory(factory.clone());
        out.factories.born(id, factory.clone());
        Ok(Answer::Factory(factory))
    }

    pub(in crate::engine) fn change_factory(
        &mut self,
        at: &Stamp,
        id: FactoryId,
        state: FactoryState,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let before = self.own_factory(provider, id)?.clone();
        if !before.state.may_become(state) {
            return Err(wrong_factory_state(&before, "an earlier one: forward steps only"));
        }
        if state == FactoryState::Retired && self.is_promised(id, at.now()) {
            return Err(wrong_factory_state(&before, "one with nothing listed and nothing sold"));
        }
        // From here it must succeed: every question has been asked.
        let version = before.version + 1;
        let factory = Factory { state, version, ..before.clone() };
        out.changes.push(change(id.to_string(), &before, &factory));
        self.capacity.add_factory(factory.clone());
        out.factories.changed(id, factory.clone());
        Ok(Answer::Factory(factory))
    }
}

// What its pools ask of a factory.
impl Engine {
    /// A factory of this provider; another's does not exist for it.
    fn own_factory(&self, provider: OrgId, id: FactoryId) -> Result<&Factory, Refusal> {
        let factory = self.capacity.factories.get(&id);
        factory
            .filter(|factory| factory.provider == provider)
            .ok_or(Refusal::NotFound { kind: "factory" })
    }

    /// As `own_factory`, and not retired.
    pub(in crate::engine) fn working_factory(
        &self,
        provider: OrgId,
        id: FactoryId,
    ) -> Result<&Factory, Refusal> {
        let factory = self.own_factory(provider, id)?;
        if factory.state == FactoryState::Retired {
            return Err(wrong_factory_state(factory, "one that is not retired"));
        }
        Ok(factory)
    }

    /// Whether a factory's pools have promised or sold anything from `now` on.
    fn is_promised(&self, factory: FactoryId, now: Minute) -> bool {
        let mut yards = self.capacity.yards.iter().filter(|yard| yard.pool.factory == factory);
        yards.any(|yard| yard.listed.end().is_some_and(|end| end > now))
    }

    /// Whether the power budget carries `gpus` more. Phases never end and maintenance draws no less
    /// budget, so the peak is the sum of all phases.
    pub(super) fn power_carries(
        &self,
        factory: &Factory,
        gpus: i64,
        watts: u32,
    ) -> Result<(), Refusal> {
        let draw = |gpus: i64, watts: u32| i128::from(gpus) * i128::from(watts);
        let yards = self.capacity.yards.iter().filter(|yard| yard.pool.factory == factory.id);
        let drawn = yards.map(|yard| draw(installed_at_last(&yard.pool), yard.sku.watts_per_gpu));
        let needed = drawn.sum::<i128>() + draw(gpus, watts);
        if needed > i128::from(factory.power_kw) * 1_000 {
            let needed_kw = u64::try_from((needed + 999) / 1_000).unwrap_or(u64::MAX);
            return Err(Refusal::PowerExceeded { budget_kw: factory.power_kw, needed_kw });
        }
        Ok(())
    }
}

/// All phases together: what is installed once the last has arrived.
pub(super) fn installed_at_last(pool: &Pool) -> i64 {
    pool.phases.iter().map(|phase| i64::from(phase.gpus)).sum()
}

fn wrong_factory_state(factory: &Factory, needed: &'static str) -> Refusal {
    Refusal::WrongState { kind: "factory", state: factory.state.as_str(), needed }
}
