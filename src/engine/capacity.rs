//! Factories and pools, and what of them is installed, offered and taken over time.
//!
//! Knows quantities over time and who offers them. Knows no customer, no credit and no contract.

mod factory;
mod outline;
mod pool;
mod yard;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::Stamp;
use super::effect::{Change, Effects};
use super::event::EventKind;
use super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::listing::{Listing, ListingState};
use super::matching::Draw;
use crate::model::id::{ContractId, FactoryId, OrgId, PoolId};
use crate::model::{Gpus, Micros, Minute, RegionCode, Schedule, SkuCode, Window};
use crate::words;

pub(super) use outline::{GRAIN, Rates};
pub(super) use pool::on_lot;
pub use yard::{Capacity, PoolDigest};
pub(super) use yard::{Lane, Offer, Yard};

words! {
    /// A factory's life. `planned -> building -> energized -> retired`, steps may be skipped
    /// forward.
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

/// So many more GPUs from this instant on. `announced` is when they were to come, if they are late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub gpus: Gpus,
    pub from: Minute,
    #[serde(default)]
    pub announced: Option<Minute>,
}

impl Phase {
    /// A phase that comes as it was announced.
    pub const fn new(gpus: Gpus, from: Minute) -> Self {
        Self { gpus, from, announced: None }
    }
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
    /// Takes what a block draws: free to reserved, in the schedules and in the CAP ledger. The
    /// block was found on this very state, so it fits. Listings that sell out say so.
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
        let (mut touched, mut turned) = (Vec::new(), Vec::new());
        let mut bought = Vec::new();
        for draw in draws {
            let taken = gpu_minutes(draw.gpus, draw.window);
            let place = yard.offer_at(draw.listing, draw.price).expect("a block draws from offers");
            let offer = &mut yard.offers[place];
            match offer.listing.resale {
                // Reserved already, by who sells it.
                Some(source) => bought.push((source, draw.clone())),
                None => amount += taken,
            }
            offer.free.add(draw.window, -i64::from(draw.gpus));
            offer.free.trim(at.now());
            offer.listing.taken += taken;
            if offer.listing.state == ListingState::Live && offer.is_sold_out(at.now()) {
                offer.listing.turn(ListingState::SoldOut);
                turned.push(offer.listing.clone());
            }
            yard.free_changed(place, draw.window);
            if !touched.contains(&place) {
                touched.push(place);
            }
        }
        yard.occupy(draws);
        for place in touched {
            let listing = &yard.offers[place].listing;
            out.listings.changed(listing.id, listing.clone());
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
        if !bought.is_empty() {
            let buyer = contract.expect("nothing but a contract takes of a resale");
            self.sell_on(at, buyer, bought, out);
        }
    }

    /// Gives it back: reserved to free. Listings that have room again reopen; those that ended take
    /// nothing. Does not retry resting orders: the caller does, once it is done.
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
            yard.free_changed(place, draw.window);
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

    /// One transfer of a pool's GPU-minutes, from the first account to the second.
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
            (Account::CapReserved | Account::CapDelivered, Account::CapLost) => {
                EntryKind::CapacityLost
            }
            (Account::CapReserved, Account::CapResold)
            | (Account::CapResold, Account::CapReserved) => EntryKind::CapacityResold,
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
