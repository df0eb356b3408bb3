//! Resting orders by market, in order of priority: highest limit first, then oldest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::order::Order;
use crate::model::id::{OrderId, OrgId};
use crate::model::{Price, SkuCode};

/// A place in a market's queue.
pub(super) type Rank = (Reverse<Price>, u64, OrderId);

/// All open orders. An order that accepts several SKUs stands in each of their queues.
#[derive(Debug, Default)]
pub struct Book {
    pub(super) open: BTreeMap<OrderId, Order>,
    pub(super) queues: BTreeMap<SkuCode, BTreeSet<Rank>>,
    pub(super) per_org: BTreeMap<OrgId, usize>,
    /// Where a sweep of a market's queue goes on: after this rank.
    pub(super) sweeps: BTreeMap<SkuCode, Option<Rank>>,
}
