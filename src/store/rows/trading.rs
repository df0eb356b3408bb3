//! Quotes and orders as rows.

use std::sync::Arc;

use super::{count, json, maybe, natural, number, parse, price, uid, word};
use crate::engine::order::{Order, OrderState, Reason};
use crate::engine::quote::{Quote, QuoteState};
use crate::model::id::{ContractId, OrderId, OrgId, QuoteId};
use crate::model::{Micros, Minute, Money, Price};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    QuoteRow in quotes
    key { id: Id, }
    fixed {
        org: Id,
        ask: Text,
        block: Text,
        credit_after: MaybeNumber,
        expires_at: MaybeNumber,
        created_at: Number,
    }
    moving { state: Text, order_id: MaybeId, }
}

row! {
    OrderRow in orders
    key { id: Id, }
    fixed {
        org: Id,
        client_order_id: MaybeText,
        ask: Text,
        time_in_force: Text,
        quote: MaybeId,
        seq: Number,
        created_at: Number,
    }
    moving {
        earliest: Number,
        latest: Number,
        state: Text,
        reason: MaybeText,
        explanation: MaybeText,
        contract: MaybeId,
        filled_gpus: Number,
        value: MaybeNumber,
        average: MaybeNumber,
        hold: Number,
        changed_at: Number,
    }
}

impl From<&Quote> for QuoteRow {
    fn from(thing: &Quote) -> Self {
        let Quote { id, org, ask, block, state, credit_after, expires_at, order, created_at } =
            thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            ask: json(ask),
            block: json(block),
            credit_after: credit_after.map(Money::micros),
            expires_at: expires_at.map(Micros::count),
            created_at: created_at.count(),
            state: state.as_str().to_owned(),
            order_id: order.map(|order| uid(order.uuid())),
        }
    }
}

impl TryFrom<QuoteRow> for Quote {
    type Error = Fault;
    fn try_from(row: QuoteRow) -> Result<Self, Fault> {
        Ok(Self {
            id: QuoteId::new(row.id.0),
            org: OrgId::new(row.org.0),
            ask: parse("quotes.ask", &row.ask)?,
            block: parse("quotes.block", &row.block)?,
            state: word("quotes.state", &row.state, QuoteState::read)?,
            credit_after: row.credit_after.map(Money::from_micros),
            expires_at: row.expires_at.map(Micros::new),
            order: row.order_id.map(|order| OrderId::new(order.0)),
            created_at: Micros::new(row.created_at),
        })
    }
}

impl From<&Arc<Order>> for OrderRow {
    fn from(thing: &Arc<Order>) -> Self {
        Self::from(thing.as_ref())
    }
}

impl From<&Order> for OrderRow {
    fn from(thing: &Order) -> Self {
        let Order {
            id,
            org,
            client_order_id,
            ask,
            earliest,
            latest,
            time_in_force,
            quote,
            state,
            reason,
            explanation,
            contract,
            filled_gpus,
            value,
            average,
            hold,
            seq,
            created_at,
            changed_at,
        } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            client_order_id: client_order_id.clone(),
            ask: json(ask),
            time_in_force: json(time_in_force),
            quote: quote.map(|quote| uid(quote.uuid())),
            seq: number(*seq),
            created_at: created_at.count(),
            earliest: earliest.count(),
            latest: latest.count(),
            state: state.as_str().to_owned(),
            reason: reason.map(|reason| reason.as_str().to_owned()),
            explanation: explanation.as_deref().map(json),
            contract: contract.map(|contract| uid(contract.uuid())),
            filled_gpus: i64::from(*filled_gpus),
            value: value.map(Money::micros),
            average: average.map(Price::micros),
            hold: hold.micros(),
            changed_at: changed_at.count(),
        }
    }
}

impl TryFrom<OrderRow> for Order {
    type Error = Fault;
    fn try_from(row: OrderRow) -> Result<Self, Fault> {
        let explanation = row.explanation.as_deref();
        Ok(Self {
            id: OrderId::new(row.id.0),
            org: OrgId::new(row.org.0),
            client_order_id: row.client_order_id,
            ask: parse("orders.ask", &row.ask)?,
            earliest: Minute::new(row.earliest),
            latest: Minute::new(row.latest),
            time_in_force: parse("orders.time_in_force", &row.time_in_force)?,
            quote: row.quote.map(|quote| QuoteId::new(quote.0)),
            state: word("orders.state", &row.state, OrderState::read)?,
            reason: maybe(row.reason, |text| word("orders.reason", &text, Reason::read))?,
            explanation: maybe(explanation, |text| parse("orders.explanation", text))?,
            contract: row.contract.map(|contract| ContractId::new(contract.0)),
            filled_gpus: count("orders.filled_gpus", row.filled_gpus)?,
            value: row.value.map(Money::from_micros),
            average: maybe(row.average, |micros| price("orders.average", micros))?,
            hold: Money::from_micros(row.hold),
            seq: natural("orders.seq", row.seq)?,
            created_at: Micros::new(row.created_at),
            changed_at: Micros::new(row.changed_at),
        })
    }
}
