//! Answers to "what would this cost", some of them firm for a few minutes.

use std::collections::BTreeMap;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::deadline::Due;
use super::effect::Effects;
use super::event::{EventData, EventKind};
use super::matching::{self, Block, Buyer};
use super::order::{Ask, Order, Placed, buyer};
use super::refusal::Refusal;
use crate::model::id::{OrderId, OrgId, QuoteId};
use crate::model::{Micros, Money, limits};
use crate::words;

words! {
    /// `open -> taken | expired`. An indicative quote has no life: it is answered and forgotten.
    QuoteState {
        Indicative = "indicative",
        Open = "open",
        Taken = "taken",
        Expired = "expired",
    }
}

/// The exact cheapest block for an ask, and what it would do to the credit line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub id: QuoteId,
    pub org: OrgId,
    pub ask: Ask,
    pub block: Block,
    pub state: QuoteState,
    /// Available on the line after the hold; `None` without a line. May be negative in an
    /// indicative quote.
    pub credit_after: Option<Money>,
    /// When a firm quote lets go.
    pub expires_at: Option<Micros>,
    pub order: Option<OrderId>,
    pub created_at: Micros,
}

/// Open firm quotes.
#[derive(Debug, Default)]
pub struct Quotes {
    pub(super) open: BTreeMap<QuoteId, Quote>,
}

impl QuoteState {
    /// The table: where a quote may go from here.
    pub const fn may_become(self) -> &'static [QuoteState] {
        match self {
            QuoteState::Open => &[QuoteState::Taken, QuoteState::Expired],
            QuoteState::Indicative | QuoteState::Taken | QuoteState::Expired => &[],
        }
    }
}

impl Quote {
    fn become_state(&mut self, state: QuoteState) {
        assert!(self.state.may_become().contains(&state), "a quote's edges are in its table");
        self.state = state;
    }
}

impl Quotes {
    /// How many firm quotes an organization has open.
    fn held_by(&self, org: OrgId) -> usize {
        self.open.values().filter(|quote| quote.org == org).count()
    }
}

impl Engine {
    pub(super) fn quote(
        &mut self,
        at: &Stamp,
        id: QuoteId,
        ask: Ask,
        hold_secs: Option<i64>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.trading(at)?.organization;
        let (earliest, latest) = self.admit_ask(at, &ask)?;
        let wanted = ask.wanted(earliest, latest);
        let buyer = Buyer { resales: hold_secs.is_none(), ..buyer(&customer) };
        let mut block =
            matching::cheapest(&self.capacity, buyer, wanted, at.next_minute(), &mut self.slate)
                .map_err(Refusal::NoBlock)?;
        block.value = self.value_of(&block.draws, block.window);
        let mut quote = Quote {
            id,
            org: customer.id,
            ask,
            block,
            state: QuoteState::Indicative,
            credit_after: None,
            expires_at: None,
            order: None,
            created_at: at.at,
        };
        let Some(hold_secs) = hold_secs else {
            quote.credit_after = self.available_after(customer.id, quote.block.value);
            return Ok(Answer::Quote(quote));
        };
        if !(1..=limits::QUOTE_SECONDS_MAX).contains(&hold_secs) {
            let (least, most, given) = (1, limits::QUOTE_SECONDS_MAX, hold_secs);
            return Err(Refusal::OutOfBounds { field: "ttl_seconds", least, most, given });
        }
        if self.quotes.held_by(customer.id) >= limits::QUOTES_PER_ORG_MAX {
            return Err(Refusal::TooMany { kind: "quote", most: limits::QUOTES_PER_ORG_MAX });
        }
        let line = self.admits(customer.id, quote.block.value)?;
        self.concentrates(quote.block.provider, &quote.block.sku, quote.block.value)?;
        // From here it must succeed: every question has been asked.
        let expires_at = at.at.plus_secs(hold_secs);
        self.take(at, quote.block.pool, &quote.block.draws, None, out);
        self.hold(at, line, quote.block.value, None, out);
        self.deadlines.set(expires_at, Due::QuoteLapses(id));
        quote.state = QuoteState::Open;
        quote.expires_at = Some(expires_at);
        quote.credit_after = Some(self.balances(line).available);
        out.quotes.born(id, quote.clone());
        self.quotes.open.insert(id, quote.clone());
        Ok(Answer::Quote(quote))
    }

    /// What would be available after a hold; below zero when the line is too small, `None` without
    /// a line.
    fn available_after(&self, org: OrgId, value: Money) -> Option<Money> {
        let line = self.credit.line_of(org)?;
        self.balances(line).available.checked_sub(value)
    }

    /// An order that takes a firm quote as it stands: capacity and credit are held already and
    /// change their purpose, not their place.
    pub(super) fn take_quote(
        &mut self,
        at: &Stamp,
        place: Placed,
        id: QuoteId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.trading(at)?.organization;
        super::order::check_reference(place.client_order_id.as_deref())?;
        let quote = match self.quotes.open.get(&id) {
            Some(quote) if quote.org == customer.id => quote,
            _ => return Err(Refusal::NotFound { kind: "quote" }),
        };
        let line = self.credit.trading_line(customer.id);
        let Some(line) = line else {
            return Err(self.admits(customer.id, Money::ZERO).expect_err("no line to trade on"));
        };
        let mut quote = quote.clone();
        let start = quote.block.window.start();
        let order = Order {
            client_order_id: place.client_order_id,
            quote: Some(id),
            ..Order::new(at, place.id, customer.id, quote.ask.clone(), (start, start))
        };
        if place.dry_run {
            return Ok(Answer::Order { order: Arc::new(order), contract: None });
        }
        // From here it must succeed: every question has been asked.
        quote.become_state(QuoteState::Taken);
        quote.order = Some(order.id);
        self.quotes.open.remove(&id);
        self.deadlines.clear(quote.expires_at.unwrap_or_default(), Due::QuoteLapses(id));
        out.quotes.changed(id, quote.clone());
        let value = quote.block.value;
        let contract = self.open_contract(at, &order, line, quote.block, value, out);
        Ok(self.filled(at, order, contract, true, out))
    }

    /// A firm quote's time has passed: capacity and credit are free again.
    pub(super) fn lapse_quote(&mut self, at: &Stamp, id: QuoteId, out: &mut Effects) {
        let mut quote = self.quotes.open.remove(&id).expect("only an open quote lapses");
        let line = self.credit.line_of(quote.org).expect("a firm quote holds on a line");
        quote.become_state(QuoteState::Expired);
        self.release_hold(at, line, quote.block.value, None, out);
        self.give_back(at, quote.block.pool, &quote.block.draws, None, out);
        self.tell(
            at,
            quote.org,
            EventKind::QuoteExpired,
            EventData::Quote { id },
            Some("open"),
            out,
        );
        let sku = quote.block.sku.clone();
        out.quotes.changed(id, quote);
        self.retry(at, &sku, out);
    }
}
