//! Resting orders by market, in order of priority: highest limit first, then oldest.
//!
//! Knows who waits and in which order. Knows neither capacity nor credit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::order::Order;
use crate::model::id::{OrderId, OrgId};
use crate::model::{Price, SkuCode};

/// A place in a market's queue: the smaller, the earlier it is tried.
pub(super) type Rank = (Reverse<Price>, u64, OrderId);

/// All open orders. An order that accepts several SKUs stands in each of their queues.
#[derive(Debug, Default)]
pub struct Book {
    open: BTreeMap<OrderId, Order>,
    queues: BTreeMap<SkuCode, BTreeSet<Rank>>,
    per_org: BTreeMap<OrgId, usize>,
    /// Where the sweep of a market's queue goes on: after this rank.
    sweeps: BTreeMap<SkuCode, Rank>,
}

impl Book {
    /// Lets an order rest.
    pub(super) fn add(&mut self, order: Order) {
        let rank = rank(&order);
        for sku in &order.ask.skus {
            self.queues.entry(sku.clone()).or_default().insert(rank);
        }
        *self.per_org.entry(order.org).or_insert(0) += 1;
        let before = self.open.insert(order.id, order);
        assert!(before.is_none(), "an order rests once");
    }

    /// Takes an order out of the book.
    pub(super) fn remove(&mut self, id: OrderId) -> Option<Order> {
        let order = self.open.remove(&id)?;
        let rank = rank(&order);
        for sku in &order.ask.skus {
            let queue = self.queues.get_mut(sku).expect("a resting order stands in its queues");
            queue.remove(&rank);
            if queue.is_empty() {
                self.queues.remove(sku);
            }
        }
        let count = self.per_org.get_mut(&order.org).expect("a resting order is counted");
        *count -= 1;
        if *count == 0 {
            self.per_org.remove(&order.org);
        }
        Some(order)
    }

    pub(super) fn get(&self, id: OrderId) -> Option<&Order> {
        self.open.get(&id)
    }

    /// All open orders, by id.
    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.open.values()
    }

    /// How many orders of an organization rest.
    pub(super) fn resting(&self, org: OrgId) -> usize {
        self.per_org.get(&org).copied().unwrap_or(0)
    }

    /// The markets in which anything rests.
    pub(super) fn markets(&self) -> impl Iterator<Item = &SkuCode> {
        self.queues.keys()
    }

    /// The first `count` of a market's queue, and whether there are more behind them. A sweep that
    /// is under way will go on behind these.
    pub(super) fn first(&mut self, sku: &SkuCode, count: usize) -> (Vec<OrderId>, bool) {
        let Some(queue) = self.queues.get(sku) else { return (Vec::new(), false) };
        let ranks: Vec<Rank> = queue.iter().take(count).copied().collect();
        self.mark(sku, &ranks, count)
    }

    /// The next `count` behind the place where the last look at this market ended.
    pub(super) fn further(&mut self, sku: &SkuCode, count: usize) -> (Vec<OrderId>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let Some(queue) = self.queues.get(sku) else { return (Vec::new(), false) };
        let after = self.sweeps.get(sku).map_or(Unbounded, |rank| Excluded(*rank));
        let ranks: Vec<Rank> = queue.range((after, Unbounded)).take(count).copied().collect();
        self.mark(sku, &ranks, count)
    }

    fn mark(&mut self, sku: &SkuCode, ranks: &[Rank], count: usize) -> (Vec<OrderId>, bool) {
        let more = ranks.len() == count;
        match ranks.last().filter(|_| more) {
            Some(last) => self.sweeps.insert(sku.clone(), *last),
            None => self.sweeps.remove(sku),
        };
        (ranks.iter().map(|(_, _, id)| *id).collect(), more)
    }

    /// Sentences for everything in the indexes that does not follow from the open orders.
    pub(super) fn audit(&self) -> Vec<String> {
        let mut queues: BTreeMap<SkuCode, BTreeSet<Rank>> = BTreeMap::new();
        let mut per_org: BTreeMap<OrgId, usize> = BTreeMap::new();
        for order in self.open.values() {
            for sku in &order.ask.skus {
                queues.entry(sku.clone()).or_default().insert(rank(order));
            }
            *per_org.entry(order.org).or_insert(0) += 1;
        }
        let mut broken = Vec::new();
        if queues != self.queues {
            broken.push("the queues of the book are not those of its open orders".to_owned());
        }
        if per_org != self.per_org {
            broken.push("the counts of resting orders are not those of the open orders".to_owned());
        }
        broken
    }
}

fn rank(order: &Order) -> Rank {
    (Reverse(order.ask.limit.unwrap_or_default()), order.seq, order.id)
}
