//! A customer's request for a block, and its life: `open -> filled | cancelled | expired |
//! rejected`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, OrderKind, PlaceOrder, Stamp};
use super::contract::Contract;
use super::deadline::Due;
use super::effect::Effects;
use super::event::{EventData, EventKind};
use super::matching::{self, Block, Buyer, Shortage, Wanted};
use super::party::Organization;
use super::refusal::Refusal;
use crate::model::id::{ContractId, OrderId, OrgId, QuoteId};
use crate::model::{
    Gpus, Micros, Minute, Money, Price, RegionCode, Right, SkuCode, Workload, limits,
};
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
        /// The customer cancelled it, or its credit line defaulted.
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

impl OrderState {
    /// The table: where an order may go from here.
    pub const fn may_become(self) -> &'static [OrderState] {
        match self {
            OrderState::Open => &[
                OrderState::Filled,
                OrderState::Cancelled,
                OrderState::Expired,
                OrderState::Rejected,
            ],
            _ => &[],
        }
    }
}

impl Reason {
    /// Whether more supply of the same kind would have helped; what would not is a rejection.
    pub const fn is_of_the_moment(self) -> bool {
        matches!(self, Reason::Capacity | Reason::Price | Reason::TimePassed)
    }
}

impl Order {
    /// An open order for now or never that has come to nothing yet; it may start in
    /// `[earliest, latest]`.
    pub(super) fn new(
        at: &Stamp,
        id: OrderId,
        org: OrgId,
        ask: Ask,
        (earliest, latest): (Minute, Minute),
    ) -> Self {
        Self {
            id,
            org,
            client_order_id: None,
            ask,
            earliest,
            latest,
            time_in_force: TimeInForce::Ioc,
            quote: None,
            state: OrderState::Open,
            reason: None,
            explanation: None,
            contract: None,
            filled_gpus: 0,
            value: None,
            average: None,
            hold: Money::ZERO,
            seq: at.seq,
            created_at: at.at,
            changed_at: at.at,
        }
    }

    pub(super) fn wanted(&self, from: Minute) -> Wanted<'_> {
        self.ask.wanted(self.earliest.max(from), self.latest)
    }

    /// Moves the order along its table.
    fn become_state(&mut self, state: OrderState, at: &Stamp) {
        assert!(self.state.may_become().contains(&state), "an order's edges are in its table");
        self.state = state;
        self.changed_at = at.at;
    }

    /// The instant at which a resting order ends by itself: when its last start has passed, or its
    /// date.
    pub(super) fn lapses_at(&self) -> Micros {
        let last = self.latest.plus(1).micros();
        match self.time_in_force {
            TimeInForce::Gtd(date) => last.min(date.micros()),
            TimeInForce::Ioc | TimeInForce::Gtc => last,
        }
    }
}

impl Ask {
    pub(super) fn wanted(&self, earliest: Minute, latest: Minute) -> Wanted<'_> {
        Wanted {
            skus: &self.skus,
            regions: &self.regions,
            gpus: self.gpus,
            min_gpus: self.min_gpus,
            earliest,
            latest,
            minutes: self.minutes,
            limit: self.limit,
        }
    }

    /// The most the ask can cost; `None` without a limit.
    fn most(&self) -> Option<Option<Money>> {
        self.limit.map(|limit| limit.value(self.gpus, self.minutes))
    }
}

/// An order as it was placed, without what it asks.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) id: OrderId,
    pub(super) client_order_id: Option<String>,
    pub(super) dry_run: bool,
}

pub(super) fn buyer(organization: &Organization) -> Buyer {
    let Organization { id, segment, country, .. } = *organization;
    Buyer { org: id, segment, country, resales: true }
}

impl Engine {
    pub(super) fn place_order(
        &mut self,
        at: &Stamp,
        place: PlaceOrder,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let PlaceOrder { id, kind, client_order_id, dry_run } = place;
        let placed = Placed { id, client_order_id, dry_run };
        match kind {
            OrderKind::Quote(quote) => self.take_quote(at, placed, quote, out),
            OrderKind::Ask { ask, time_in_force } => {
                self.place_ask(at, placed, ask, time_in_force, out)
            }
        }
    }

    fn place_ask(
        &mut self,
        at: &Stamp,
        place: Placed,
        ask: Ask,
        time_in_force: TimeInForce,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.trading(at)?.organization;
        check_reference(place.client_order_id.as_deref())?;
        let (earliest, latest) = self.admit_ask(at, &ask)?;
        check_time_in_force(at, time_in_force)?;
        if ask.limit.is_none() {
            return Err(Refusal::Invalid {
                field: "limit_price_per_gpu_hour",
                rule: "is required",
            });
        }
        let mut order = Order {
            client_order_id: place.client_order_id,
            time_in_force,
            ..Order::new(at, place.id, customer.id, ask, (earliest, latest))
        };
        let wanted = order.wanted(earliest);
        let (who, now) = (buyer(&customer), at.next_minute());
        match matching::cheapest(&self.capacity, who, wanted, now, &mut self.slate) {
            Ok(block) => {
                let value = self.value_of(&block.draws, block.window);
                let line = self.admits(customer.id, value)?;
                self.concentrates(block.provider, &block.sku, value)?;
                if place.dry_run {
                    order.fill_in(&block, value, at);
                    order.contract = None;
                    return Ok(Answer::Order { order: Arc::new(order), contract: None });
                }
                // From here the order must succeed: every question has been asked.
                self.take(at, block.pool, &block.draws, Some(order.contract_id()), out);
                self.hold(at, line, value, Some(order.contract_id()), out);
                let contract = self.open_contract(at, &order, line, block, value, out);
                Ok(self.filled(at, order, contract, true, out))
            }
            Err(shortage) if matches!(time_in_force, TimeInForce::Ioc) => {
                Ok(self.unfilled(at, order, shortage, place.dry_run, out))
            }
            Err(shortage) => {
                order.explanation = Some(shortage);
                self.rest(at, order, place.dry_run, out)
            }
        }
    }

    /// An order that had to fill now and did not.
    fn unfilled(
        &mut self,
        at: &Stamp,
        mut order: Order,
        shortage: Box<Shortage>,
        dry_run: bool,
        out: &mut Effects,
    ) -> Answer {
        let (state, kind) = if shortage.constraint.is_of_the_moment() {
            (OrderState::Expired, EventKind::OrderExpired)
        } else {
            (OrderState::Rejected, EventKind::OrderRejected)
        };
        order.become_state(state, at);
        order.reason = Some(shortage.constraint);
        order.explanation = Some(shortage);
        if !dry_run {
            self.tell(at, order.org, kind, event_of(&order), None, out);
        }
        let order = Arc::new(order);
        if !dry_run {
            out.orders.born(order.id, order.clone());
        }
        Answer::Order { order, contract: None }
    }

    /// An order that waits for supply, its credit held at its limit.
    fn rest(
        &mut self,
        at: &Stamp,
        mut order: Order,
        dry_run: bool,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if self.book.resting(order.org) >= limits::RESTING_PER_ORG_MAX {
            return Err(Refusal::TooMany { kind: "order", most: limits::RESTING_PER_ORG_MAX });
        }
        let most = order.ask.most().flatten().expect("an order's limit was found to fit");
        let line = self.admits(order.org, most)?;
        order.hold = most;
        if dry_run {
            return Ok(Answer::Order { order: Arc::new(order), contract: None });
        }
        // From here the order must succeed: every question has been asked.
        self.hold(at, line, most, None, out);
        self.deadlines.set(order.lapses_at(), Due::OrderLapses(order.id));
        self.tell(at, order.org, EventKind::OrderOpened, event_of(&order), None, out);
        self.book.add(order.clone());
        let order = Arc::new(order);
        out.orders.born(order.id, order.clone());
        Ok(Answer::Order { order, contract: None })
    }

    /// The facts of a fill: the order says so, both parties are told.
    pub(super) fn filled(
        &mut self,
        at: &Stamp,
        mut order: Order,
        contract: Arc<Contract>,
        born: bool,
        out: &mut Effects,
    ) -> Answer {
        let previous = (!born).then_some(order.state.as_str());
        order.become_state(OrderState::Filled, at);
        order.explanation = None;
        order.contract = Some(contract.id);
        order.filled_gpus = contract.gpus;
        order.value = Some(contract.value);
        order.average = Some(contract.average);
        order.hold = Money::ZERO;
        self.tell(at, order.org, EventKind::OrderFilled, event_of(&order), previous, out);
        let order = Arc::new(order);
        if born {
            out.orders.born(order.id, order.clone());
        } else {
            out.orders.changed(order.id, order.clone());
        }
        Answer::Order { order, contract: Some(contract) }
    }

    pub(super) fn cancel_order(
        &mut self,
        at: &Stamp,
        id: OrderId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let acting = self.parties.acting(at)?;
        acting.needs(Right::Trade)?;
        let own = self.book.get(id).is_some_and(|order| order.org == acting.organization.id);
        if !own {
            return Err(Refusal::NotFound { kind: "order" });
        }
        // From here it must succeed: every question has been asked.
        let order = self.close_order(at, id, OrderState::Cancelled, Reason::Cancelled, out);
        Ok(Answer::Order { order, contract: None })
    }

    /// A resting order's time has passed.
    pub(super) fn lapse_order(&mut self, at: &Stamp, id: OrderId, out: &mut Effects) {
        self.close_order(at, id, OrderState::Expired, Reason::TimePassed, out);
    }

    /// A resting order ends without a contract; its credit is free again.
    pub(super) fn close_order(
        &mut self,
        at: &Stamp,
        id: OrderId,
        state: OrderState,
        reason: Reason,
        out: &mut Effects,
    ) -> Arc<Order> {
        let mut order = self.book.remove(id).expect("only a resting order is closed");
        let line = self.credit.line_of(order.org).expect("a resting order holds on a line");
        self.deadlines.clear(order.lapses_at(), Due::OrderLapses(id));
        self.release_hold(at, line, order.hold, None, out);
        let previous = order.state.as_str();
        order.become_state(state, at);
        order.reason = Some(reason);
        order.hold = Money::ZERO;
        let kind = match state {
            OrderState::Cancelled => EventKind::OrderCancelled,
            _ => EventKind::OrderExpired,
        };
        self.tell(at, order.org, kind, event_of(&order), Some(previous), out);
        let order = Arc::new(order);
        out.orders.changed(id, order.clone());
        order
    }

    /// Supply appeared in a market: the first resting orders are tried again now, the rest by a
    /// sweep.
    pub(super) fn retry(&mut self, at: &Stamp, sku: &SkuCode, out: &mut Effects) {
        // Who has a contract comes before who waits for one.
        self.review_incidents(at, sku, out);
        let (ids, more) = self.book.first(sku, limits::RETRIES_PER_EVENT);
        self.retry_these(at, sku, &ids, more, out);
    }

    /// The sweep of a market goes on where the last look at it ended.
    pub(super) fn sweep(&mut self, at: &Stamp, sku: &SkuCode, out: &mut Effects) {
        let (ids, more) = self.book.further(sku, limits::RETRIES_PER_EVENT);
        self.retry_these(at, sku, &ids, more, out);
    }

    fn retry_these(
        &mut self,
        at: &Stamp,
        sku: &SkuCode,
        ids: &[OrderId],
        more: bool,
        out: &mut Effects,
    ) {
        for id in ids {
            self.retry_one(at, *id, out);
        }
        if more {
            self.deadlines.set_sweep(at.at, sku.clone());
        }
    }

    /// Fills a resting order if that can be done now; leaves it as it is if not.
    fn retry_one(&mut self, at: &Stamp, id: OrderId, out: &mut Effects) {
        let Some(order) = self.book.get(id) else { return };
        let Some(customer) = self.parties.active_customer(order.org) else { return };
        let Some(line) = self.credit.trading_line(order.org) else { return };
        let slot = self.catalogue.slot_of(&order.ask.skus);
        let wanted = order.wanted(at.next_minute().ceil_to(slot));
        if wanted.earliest > wanted.latest {
            return;
        }
        let (who, now) = (buyer(customer), at.next_minute());
        let found = matching::fill(&self.capacity, who, wanted, now, &mut self.slate);
        let Some(block) = found else { return };
        let value = self.value_of(&block.draws, block.window);
        if self.concentrates(block.provider, &block.sku, value).is_err() {
            return;
        }
        let order = self.book.remove(id).expect("it was there a moment ago");
        self.deadlines.clear(order.lapses_at(), Due::OrderLapses(id));
        // The credit is held already, at the limit; what the fill does not need goes back.
        let excess = order.hold.checked_sub(value).expect("a fill never costs more than the limit");
        self.release_hold(at, line, excess, Some(order.contract_id()), out);
        self.take(at, block.pool, &block.draws, Some(order.contract_id()), out);
        let contract = self.open_contract(at, &order, line, block, value, out);
        self.filled(at, order, contract, false, out);
    }
}

impl Order {
    /// The contract that this order makes when it fills.
    pub(super) fn contract_id(&self) -> ContractId {
        ContractId::new(self.id.uuid())
    }

    /// What a dry run shows: the order as it would be filled.
    fn fill_in(&mut self, block: &Block, value: Money, at: &Stamp) {
        self.become_state(OrderState::Filled, at);
        self.filled_gpus = block.gpus;
        self.value = Some(value);
        self.average = block.worth.average(block.gpus, block.window.minutes());
    }
}

pub(super) fn event_of(order: &Order) -> EventData {
    EventData::Order {
        id: order.id,
        state: order.state,
        reason: order.reason,
        filled_gpus: order.filled_gpus,
        contract: order.contract,
    }
}

/// A caller's own reference. No control characters: PostgreSQL cannot keep them all.
pub(super) fn check_reference(reference: Option<&str>) -> Result<(), Refusal> {
    let Some(text) = reference else { return Ok(()) };
    let fits = (1..=limits::REFERENCE_LENGTH_MAX).contains(&text.len());
    if !fits || text.chars().any(char::is_control) {
        let rule = "is 1 to 128 characters long, none of them a control character";
        return Err(Refusal::Invalid { field: "client_order_id", rule });
    }
    Ok(())
}

fn check_time_in_force(at: &Stamp, time_in_force: TimeInForce) -> Result<(), Refusal> {
    match time_in_force {
        TimeInForce::Gtd(date) if date.micros() <= at.at => {
            let next = at.next_minute();
            Err(Refusal::InThePast { field: "good_till", given: date, next })
        }
        TimeInForce::Gtd(date) if date.count() > limits::MINUTE_MAX => Err(Refusal::TooFar {
            field: "good_till",
            given: date,
            latest: Minute::new(limits::MINUTE_MAX),
        }),
        _ => Ok(()),
    }
}
