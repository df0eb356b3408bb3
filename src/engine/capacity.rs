//! Factories and pools, and what of them is installed, offered and taken over time.
//!
//! Knows quantities over time and who offers them. Knows no customer, no credit and no contract.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::catalogue::Sku;
use super::command::{Answer, Stamp};
use super::effect::Effects;
use super::listing::Listing;
use super::matching::Draw;
use super::refusal::Refusal;
use crate::model::id::{ContractId, FactoryId, ListingId, OrgId, PoolId};
use crate::model::{Country, Gpus, Micros, Minute, RegionCode, Schedule, SkuCode, Window};
use crate::words;

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

/// A listing as the matcher sees it: the offer and what of it is free.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) listing: Listing,
    /// Listed less sold and held. Empty unless the listing is live or sold out.
    pub(super) free: Schedule,
    /// GPU-minutes of it that contracts and firm quotes have taken, ever.
    pub(super) taken: i64,
}

/// A pool at work.
#[derive(Debug)]
pub(super) struct Yard {
    pub(super) pool: Pool,
    pub(super) sku: Arc<Sku>,
    pub(super) country: Country,
    /// Phases less maintenance.
    pub(super) installed: Schedule,
    /// Installed less what contracts and firm quotes have taken. Below zero where a shortfall is recorded.
    pub(super) room: Schedule,
    /// What live and draft listings promise together.
    pub(super) listed: Schedule,
    /// Live and sold-out offers, cheapest first, then oldest.
    pub(super) offers: Vec<Offer>,
}

/// All factories and pools.
#[derive(Debug, Default)]
pub struct Capacity {
    pub(super) factories: BTreeMap<FactoryId, Factory>,
    /// In the order of their creation; never removed, so an index stays good.
    pub(super) yards: Vec<Yard>,
    pub(super) by_id: BTreeMap<PoolId, usize>,
    /// The yards of each SKU.
    pub(super) by_sku: BTreeMap<SkuCode, Vec<usize>>,
    /// Where each listing that can still change is.
    pub(super) by_listing: BTreeMap<ListingId, usize>,
}

/// What one listing of a pool has free, for the published picture of the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Free {
    pub listing: Listing,
    pub free: Schedule,
}

/// A pool's picture: what the market may know of it.
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

// What trading asks of capacity.
impl Engine {
    /// Takes what a block draws: free to reserved, in the schedules and in the CAP ledger. The block was
    /// found on this very state, so it fits. Listings that sell out say so.
    pub(super) fn take(
        &mut self,
        _at: &Stamp,
        _pool: PoolId,
        _draws: &[Draw],
        _contract: Option<ContractId>,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// Gives it back: reserved to free. Listings that have room again reopen; those that ended take nothing.
    /// Does not retry resting orders: the caller does, once it is done.
    pub(super) fn give_back(
        &mut self,
        _at: &Stamp,
        _pool: PoolId,
        _draws: &[Draw],
        _contract: Option<ContractId>,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// Delivers a contract's GPU-minutes: reserved to delivered.
    pub(super) fn deliver(
        &mut self,
        _at: &Stamp,
        _pool: PoolId,
        _gpu_minutes: i64,
        _contract: ContractId,
        _effective_at: Minute,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// The picture of one pool for the published view.
    pub fn shelf(&self, _pool: PoolId) -> Option<Shelf> {
        todo!()
    }
}

// The commands.
impl Engine {
    pub(super) fn create_factory(
        &mut self,
        _at: &Stamp,
        _id: FactoryId,
        _name: String,
        _region: RegionCode,
        _power_kw: u32,
        _state: FactoryState,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn change_factory(
        &mut self,
        _at: &Stamp,
        _id: FactoryId,
        _state: FactoryState,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn create_pool(
        &mut self,
        _at: &Stamp,
        _id: PoolId,
        _factory: FactoryId,
        _sku: SkuCode,
        _phases: Vec<Phase>,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn add_phase(
        &mut self,
        _at: &Stamp,
        _pool: PoolId,
        _phase: Phase,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn add_maintenance(
        &mut self,
        _at: &Stamp,
        _pool: PoolId,
        _window: Window,
        _gpus: Gpus,
        _note: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }
}
