//! Factories and pools, and what of them is installed, offered and taken over time.
//!
//! Knows quantities over time and who offers them. Knows no customer, no credit and no contract.

mod yard;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::contract::{Contract, ContractBrief};
use super::effect::{Change, Effects};
use super::event::{EventData, EventKind};
use super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::listing::{Listing, ListingState};
use super::matching::Draw;
use super::refusal::Refusal;
use crate::model::id::{ContractId, FactoryId, OrgId, PoolId};
use crate::model::{Gpus, Micros, Minute, RegionCode, Schedule, SkuCode, Window, limits};
use crate::words;

pub use yard::{Capacity, PoolDigest};
pub(super) use yard::{Offer, Yard};

words! {
    /// A factory's life. `planned -> building -> energized -> retired`, steps may be skipped forward.
    FactoryState {
        Planned = "planned",
        Building = "building",
        Energized = "energized",
        Retired = "retired",
    }
}

/// One DSX AI factory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factory {
    pub id: FactoryId,
    pub provider: OrgId,
    pub name: String,
    pub region: RegionCode,
    /// The power budget; what is installed never draws more.
    pub power_kw: u32,
    pub state: FactoryState,
    pub created_at: Micros,
    pub version: u32,
}

/// So many more GPUs from this instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub gpus: Gpus,
    pub from: Minute,
}

/// So many fewer GPUs within this window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub window: Window,
    pub gpus: Gpus,
    pub note: String,
}

/// The GPUs of one SKU in one factory: fungible, on one fabric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub id: PoolId,
    pub provider: OrgId,
    pub factory: FactoryId,
    pub region: RegionCode,
    pub sku: SkuCode,
    pub phases: Vec<Phase>,
    pub maintenance: Vec<Maintenance>,
    pub created_at: Micros,
    pub version: u32,
}

/// What one listing of a pool has free, for the published picture of the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Free {
    pub listing: Listing,
    pub free: Schedule,
}

/// A pool's picture: what the market may know of it, from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    pub pool: PoolId,
    pub provider: OrgId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub installed: Schedule,
    /// Installed less taken: no more than this can be sold, whatever the listings say.
    pub room: Schedule,
    /// Live offers, cheapest first.
    pub offers: Vec<Free>,
}

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

/// GPU-minutes of a quantity within a window.
pub(super) fn gpu_minutes(gpus: Gpus, window: Window) -> i64 {
    i64::from(gpus).checked_mul(window.minutes()).expect("limits keep GPU-minutes far below 2^63")
}

/// A change of a mutable thing, for the audit trail.
pub(super) fn change<T: Serialize>(subject: String, before: &T, after: &T) -> Change {
    let written = |thing: &T| serde_json::to_string(thing).expect("entities are plain data");
    Change { subject, before: Some(written(before)), after: Some(written(after)) }
}

// What trading asks of capacity.
impl Engine {
    /// Takes what a block draws: free to reserved, in the schedules and in the CAP ledger. The block was
    /// found on this very state, so it fits. Listings that sell out say so.
    pub(super) fn take(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        draws: &[Draw],
        contract: Option<ContractId>,
        out: &mut Effects,
    ) {
        let index = self.capacity.index(pool);
        let yard = &mut self.capacity.yards[index];
        let mut amount = 0;
        let mut turned = Vec::new();
        for draw in draws {
            let taken = gpu_minutes(draw.gpus, draw.window);
            amount += taken;
            yard.room.add(draw.window, -i64::from(draw.gpus));
            let place = yard.offer_at(draw.listing, draw.price).expect("a block draws from offers");
            let offer = &mut yard.offers[place];
            offer.free.add(draw.window, -i64::from(draw.gpus));
            offer.free.trim(at.now());
            offer.listing.taken += taken;
            if offer.listing.state == ListingState::Live && offer.is_sold_out(at.now()) {
                offer.listing.turn(ListingState::SoldOut);
                turned.push(offer.listing.clone());
            }
            out.listings.changed(draw.listing, offer.listing.clone());
        }
        yard.trim(at.now());
        out.shelves.insert(pool);
        if !turned.is_empty() {
            self.capacity.reorder(index);
        }
        for listing in turned {
            let was = Some(ListingState::Live);
            self.tell_of_listing(at, &listing, EventKind::ListingSoldOut, was, out);
        }
        let (listed, reserved) = (Account::CapListed, Account::CapReserved);
        self.move_capacity(at, pool, (listed, reserved), amount, contract, at.now(), out);
    }

    /// Gives it back: reserved to free. Listings that have room again reopen; those that ended take nothing.
    /// Does not retry resting orders: the caller does, once it is done.
    pub(super) fn give_back(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        draws: &[Draw],
        contract: Option<ContractId>,
        out: &mut Effects,
    ) {
        let index = self.capacity.index(pool);
        let yard = &mut self.capacity.yards[index];
        let (mut amount, mut left) = (0, 0);
        let mut turned = Vec::new();
        for draw in draws {
            let given = gpu_minutes(draw.gpus, draw.window);
            amount += given;
            yard.room.add(draw.window, i64::from(draw.gpus));
            let Some(place) = yard.offer_at(draw.listing, draw.price) else {
                // The listing has left: its part no longer binds the pool and goes off the market.
                yard.listed.add(draw.window, -i64::from(draw.gpus));
                left += given;
                continue;
            };
            let offer = &mut yard.offers[place];
            offer.free.add(draw.window, i64::from(draw.gpus));
            offer.listing.taken -= given;
            if offer.listing.state == ListingState::SoldOut && !offer.is_sold_out(at.now()) {
                offer.listing.turn(ListingState::Live);
                turned.push(offer.listing.clone());
            }
            out.listings.changed(draw.listing, offer.listing.clone());
        }
        yard.trim(at.now());
        out.shelves.insert(pool);
        if !turned.is_empty() {
            self.capacity.reorder(index);
        }
        for listing in turned {
            let was = Some(ListingState::SoldOut);
            self.tell_of_listing(at, &listing, EventKind::ListingReopened, was, out);
        }
        let back = (Account::CapReserved, Account::CapListed);
        self.move_capacity(at, pool, back, amount, contract, at.now(), out);
        let off = (Account::CapListed, Account::CapIssued);
        self.move_capacity(at, pool, off, left, contract, at.now(), out);
    }

    /// Delivers a contract's GPU-minutes: reserved to delivered.
    pub(super) fn deliver(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        gpu_minutes: i64,
        contract: ContractId,
        effective_at: Minute,
        out: &mut Effects,
    ) {
        let way = (Account::CapReserved, Account::CapDelivered);
        self.move_capacity(at, pool, way, gpu_minutes, Some(contract), effective_at, out);
    }

    /// One transfer of a pool's GPU-minutes, from the first account to the second.
    #[expect(clippy::too_many_arguments, reason = "one transfer is that many facts")]
    pub(super) fn move_capacity(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        (debit, credit): (Account, Account),
        amount: i64,
        contract: Option<ContractId>,
        effective_at: Minute,
        out: &mut Effects,
    ) {
        let kind = match (debit, credit) {
            (Account::CapIssued, Account::CapListed) => EntryKind::CapacityListed,
            (Account::CapListed, Account::CapIssued) => EntryKind::CapacityUnlisted,
            (Account::CapListed, Account::CapReserved) => EntryKind::CapacityReserved,
            (Account::CapReserved, Account::CapListed) => EntryKind::CapacityReleased,
            (Account::CapReserved, Account::CapDelivered) => EntryKind::CapacityDelivered,
            other => unreachable!("capacity does not move from {other:?}"),
        };
        let account = |account| AccountKey::of(account, pool.uuid());
        let (debit, credit) = (account(debit), account(credit));
        let transfer = Transfer { debit, credit, amount, kind, contract, effective_at };
        self.ledger.post(at, transfer, out);
    }

    /// The picture of one pool for the published view.
    pub fn shelf(&self, pool: PoolId) -> Option<Shelf> {
        self.capacity.shelf(pool, self.now.minute())
    }
}

// The commands.
impl Engine {
    pub(super) fn create_factory(
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
        count_within("name", name.chars().count(), 1, limits::NAME_LENGTH_MAX)?;
        within_bounds("power_kw", i64::from(power_kw), 1, i64::from(limits::POWER_KW_MAX))?;
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

    pub(super) fn change_factory(
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

    pub(super) fn create_pool(
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
        count_within("phases", phases.len(), 1, limits::PHASES_MAX)?;
        let mut total = 0;
        for phase in &phases {
            phase_fits(phase, product.gpus_per_node)?;
            total += i64::from(phase.gpus);
        }
        within_bounds("phases.gpus", total, 1, i64::from(limits::GPUS_MAX))?;
        self.power_carries(home, total, product.watts_per_gpu)?;
        // From here it must succeed: every question has been asked.
        let (maintenance, created_at, version) = (Vec::new(), at.at, 1);
        let country = self.catalogue.regions[&region].country;
        let pool =
            Pool { id, provider, factory, region, sku, phases, maintenance, created_at, version };
        self.capacity.add_pool(pool.clone(), product, country);
        out.pools.born(id, pool.clone());
        out.shelves.insert(id);
        self.tell_of_pool(at, &pool, EventKind::PoolCreated, out);
        Ok(Answer::Pool(pool))
    }

    pub(super) fn add_phase(
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
        within_bounds("gpus", total, 1, i64::from(limits::GPUS_MAX))?;
        self.power_carries(home, i64::from(phase.gpus), yard.sku.watts_per_gpu)?;
        // From here it must succeed: every question has been asked.
        let index = self.capacity.index(pool);
        self.capacity.yards[index].raise(phase);
        let pool = self.change_pool(at, index, |pool| pool.phases.push(phase), out);
        self.retry(at, &pool.sku, out);
        Ok(Answer::Pool(pool))
    }

    pub(super) fn add_maintenance(
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
        within_bounds("end_at", window.end().count(), limits::MINUTE_MIN, limits::MINUTE_MAX)?;
        on_lot("gpus", gpus, yard.sku.gpus_per_node)?;
        let installed = yard.installed.min_over(window);
        within_bounds("gpus", i64::from(gpus), 1, installed)?;
        count_within("note", note.chars().count(), 0, limits::NOTE_LENGTH_MAX)?;
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
    /// A factory of this provider; another's does not exist for it.
    fn own_factory(&self, provider: OrgId, id: FactoryId) -> Result<&Factory, Refusal> {
        let factory = self.capacity.factories.get(&id);
        factory
            .filter(|factory| factory.provider == provider)
            .ok_or(Refusal::NotFound { kind: "factory" })
    }

    /// As `own_factory`, and not retired.
    pub(super) fn working_factory(
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

    /// A pool of this provider; another's does not exist for it.
    pub(super) fn own_yard(&self, provider: OrgId, id: PoolId) -> Result<&Yard, Refusal> {
        let yard = self.capacity.yard(id);
        yard.filter(|yard| yard.pool.provider == provider).ok_or(Refusal::NotFound { kind: "pool" })
    }

    /// Whether a factory's pools have promised or sold anything from `now` on.
    fn is_promised(&self, factory: FactoryId, now: Minute) -> bool {
        let mut yards = self.capacity.yards.iter().filter(|yard| yard.pool.factory == factory);
        yards.any(|yard| yard.listed.end().is_some_and(|end| end > now))
    }

    /// Whether the power budget carries `gpus` more. Phases never end and maintenance draws no less
    /// budget, so the peak is the sum of all phases.
    fn power_carries(&self, factory: &Factory, gpus: i64, watts: u32) -> Result<(), Refusal> {
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
        self.contracts.live.values().filter(short).cloned().collect()
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

/// All phases together: what is installed once the last has arrived.
fn installed_at_last(pool: &Pool) -> i64 {
    pool.phases.iter().map(|phase| i64::from(phase.gpus)).sum()
}

fn wrong_factory_state(factory: &Factory, needed: &'static str) -> Refusal {
    Refusal::WrongState { kind: "factory", state: factory.state.as_str(), needed }
}

/// Refuses a number outside `[least, most]`.
pub(super) fn within_bounds(
    field: &'static str,
    given: i64,
    least: i64,
    most: i64,
) -> Result<(), Refusal> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(Refusal::OutOfBounds { field, least, most, given })
}

/// Refuses a length or a number of parts outside `[least, most]`.
pub(super) fn count_within(
    field: &'static str,
    given: usize,
    least: usize,
    most: usize,
) -> Result<(), Refusal> {
    let wide = |count| i64::try_from(count).unwrap_or(i64::MAX);
    within_bounds(field, wide(given), wide(least), wide(most))
}

/// Refuses a quantity that is not a multiple of the lot.
pub(super) fn on_lot(field: &'static str, given: Gpus, lot: Gpus) -> Result<(), Refusal> {
    if given.is_multiple_of(lot) { Ok(()) } else { Err(Refusal::OffLot { field, lot, given }) }
}

/// A phase brings whole lots, at a time the market knows.
fn phase_fits(phase: &Phase, lot: Gpus) -> Result<(), Refusal> {
    within_bounds("phases.gpus", i64::from(phase.gpus), 1, i64::from(limits::GPUS_MAX))?;
    on_lot("phases.gpus", phase.gpus, lot)?;
    let last = limits::MINUTE_MAX - 1;
    within_bounds("phases.from", phase.from.count(), limits::MINUTE_MIN, last)
}

fn pool_takes_changes(pool: &Pool) -> Result<(), Refusal> {
    let most = limits::POOL_CHANGES_MAX;
    if pool.phases.len() + pool.maintenance.len() < most {
        return Ok(());
    }
    Err(Refusal::TooMany { kind: "phases and maintenance windows", most })
}
