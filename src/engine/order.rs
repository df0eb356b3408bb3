//! A customer's request for a block, and its life: `open -> filled | cancelled | expired | rejected`.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, PlaceOrder, Stamp};
use super::effect::Effects;
use super::matching::Shortage;
use super::refusal::Refusal;
use crate::model::id::{ContractId, OrderId, OrgId, QuoteId};
use crate::model::{Gpus, Micros, Minute, Money, Price, RegionCode, SkuCode, Workload};
use crate::words;

words! {
    OrderState {
        Open = "open",
        Filled = "filled",
        Cancelled = "cancelled",
        Expired = "expired",
        Rejected = "rejected",
    }
    /// Which constraint bound, or why an order ended.
    Reason {
        /// No live listing of an accepted SKU in an accepted region.
        NoListing = "no_listing",
        /// Listings there are, none for this customer's segment or country.
        Segment = "segment",
        /// The size or the duration is outside every listing's limits.
        Limits = "limits",
        /// Every listing wants to be told earlier.
        Notice = "notice",
        /// Not enough GPUs free on one site at any permitted start.
        Capacity = "capacity",
        /// Enough GPUs, but above the limit price.
        Price = "price",
        /// The order's last start has passed, or its good-till date.
        TimePassed = "time_passed",
        /// The customer cancelled it.
        Cancelled = "cancelled",
    }
}

/// When the block may start. Both on a slot boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The next slot boundary when the order is decided.
    Now,
    At(Minute),
    Between {
        earliest: Minute,
        latest: Minute,
    },
}

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Fill now or expire.
    Ioc,
    /// Rest until cancelled or its latest start passes.
    Gtc,
    /// As `Gtc`, and not beyond this instant.
    Gtd(Minute),
}

/// What a customer wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Any of these will do. At least one.
    pub skus: Vec<SkuCode>,
    /// Any of these will do; empty means any at all.
    pub regions: Vec<RegionCode>,
    pub gpus: Gpus,
    /// Fewer will do, down to this many.
    pub min_gpus: Option<Gpus>,
    pub start: Start,
    pub minutes: i64,
    /// The most the average may be; `None` only in a quote, which takes any price.
    pub limit: Option<Price>,
    pub workload: Option<Workload>,
}

/// A request for a block, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    pub org: OrgId,
    pub client_order_id: Option<String>,
    pub ask: Ask,
    /// The starts that `ask.start` means, resolved when the order was decided.
    pub earliest: Minute,
    pub latest: Minute,
    pub time_in_force: TimeInForce,
    /// The firm quote it took.
    pub quote: Option<QuoteId>,
    pub state: OrderState,
    pub reason: Option<Reason>,
    /// Why it did not fill, with numbers, when it was last tried.
    pub explanation: Option<Box<Shortage>>,
    pub contract: Option<ContractId>,
    pub filled_gpus: Gpus,
    pub value: Option<Money>,
    pub average: Option<Price>,
    /// Credit held while it rests.
    pub hold: Money,
    /// The number of the command that placed it: its age.
    pub seq: u64,
    pub created_at: Micros,
    pub changed_at: Micros,
}

impl Engine {
    pub(super) fn place_order(
        &mut self,
        _at: &Stamp,
        _ask: PlaceOrder,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn cancel_order(
        &mut self,
        _at: &Stamp,
        _id: OrderId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    /// Supply appeared in a market: resting orders are tried again, a bounded number now, the rest by a sweep.
    pub(super) fn retry(&mut self, _at: &Stamp, _sku: &SkuCode, _out: &mut Effects) {
        todo!()
    }
}
