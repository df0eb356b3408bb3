//! `/v1/credit_lines/{id}/holds`: what a line's held and drawn amounts are made of, to the
//! micro-unit.

use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::Door;
use super::bill::total;
use super::caller::{Caller, grant};
use super::invoices::all_of;
use super::lines;
use super::money::Amount;
use super::page::gather;
use super::query::Path;
use super::reply::{Reply, shown};
use super::time::Instant;
use crate::engine::billing::{Invoice, InvoiceState};
use crate::engine::contract::Contract;
use crate::engine::credit::{Balances, Line, LineState};
use crate::engine::order::{Order, OrderState};
use crate::engine::quote::{Quote, QuoteState};
use crate::model::id::{ContractId, InvoiceId, LineId, OrderId, QuoteId};
use crate::model::{Micros, Money, limits};
use crate::store::Fault;
use crate::store::read::{InvoiceFilter, OrderFilter, Reader};

/// Looks at a line that moves while it is read, before it is shown as it was found.
const LOOKS: u32 = 5;

/// The balance that something is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Of `held`: by resting orders, firm quotes and contracts not yet delivered.
    Held,
    /// Of `drawn`: by contracts delivered and not yet invoiced, and by invoices.
    Drawn,
}

/// Something that takes credit. One of the ids says what it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    balance: Bucket,
    /// The resting order, if it is one.
    order_id: Option<OrderId>,
    /// The firm quote, if it is one.
    quote_id: Option<QuoteId>,
    /// The contract, if it is one.
    contract_id: Option<ContractId>,
    /// The invoice, if it is one.
    invoice_id: Option<InvoiceId>,
    amount: Amount,
    created_at: Instant,
}

/// All that takes credit of a line, with the balances that it adds up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldsView {
    data: Vec<HoldView>,
    /// Always false: all of it is here.
    has_more: bool,
    /// Always null.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// The sum of what is held here, which is the line's `held`.
    held: Amount,
    /// The sum of what is drawn here, which is the line's `drawn`.
    drawn: Amount,
}

impl HoldView {
    fn new(balance: Bucket, amount: Money, created_at: Micros) -> Self {
        let (order_id, quote_id, contract_id, invoice_id) = (None, None, None, None);
        let (amount, created_at) = (Amount(amount), Instant(created_at));
        Self { balance, order_id, quote_id, contract_id, invoice_id, amount, created_at }
    }

    fn order(one: &Order) -> Self {
        let hold = Self::new(Bucket::Held, one.hold, one.created_at);
        Self { order_id: Some(one.id), ..hold }
    }

    fn quote(one: &Quote) -> Self {
        let hold = Self::new(Bucket::Held, one.block.value, one.created_at);
        Self { quote_id: Some(one.id), ..hold }
    }

    /// What is not delivered is held; what is delivered and not invoiced is drawn.
    fn contract(one: &Contract) -> [Self; 2] {
        let parts = [(Bucket::Held, one.unaccrued()), (Bucket::Drawn, one.unbilled.amount())];
        parts.map(|(balance, amount)| {
            let hold = Self::new(balance, amount, one.created_at);
            Self { contract_id: Some(one.id), ..hold }
        })
    }

    fn invoice(one: &Invoice) -> Self {
        let hold = Self::new(Bucket::Drawn, one.outstanding(), one.drafted_at);
        Self { invoice_id: Some(one.id), ..hold }
    }
}

impl HoldsView {
    fn new(data: Vec<HoldView>) -> Self {
        let sum = |balance| {
            let parts = data.iter().filter(|one| one.balance == balance);
            Amount(total(parts.map(|one| one.amount.0)))
        };
        let (held, drawn) = (sum(Bucket::Held), sum(Bucket::Drawn));
        Self { data, has_more: false, next_cursor: None, held, drawn }
    }

    fn explains(&self, balances: Balances) -> bool {
        (self.held.0, self.drawn.0) == (balances.held, balances.drawn)
    }
}

/// List what holds
///
/// Everything that `held` and `drawn` are made of: resting orders, firm quotes, contracts not yet
/// delivered; contracts delivered and not yet invoiced, and what is outstanding of invoices. The
/// sums are the line's balances, to the micro-unit. What became of `defaulted` is in the line's
/// collection.
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}/holds", tag = "Credit",
    params(LineId),
    responses((status = 200, description = "All holds", body = HoldsView)),
)]
pub async fn list(who: Caller<grant::View>, id: Path<LineId>, door: Data<Door>) -> Reply {
    lines::find(&who, id.0, &door).await?;
    let now = door.desk.clock().now();
    let view = door.read(move |reader| {
        let mut view = HoldsView::new(Vec::new());
        for _ in 0..LOOKS {
            let Some((line, balances)) = reader.line(&id.0)? else { break };
            view = HoldsView::new(explain(reader, &line, now)?);
            // Several reads are not one picture: if something moved meanwhile, look again.
            if view.explains(balances) {
                break;
            }
        }
        Ok(view)
    });
    Ok(shown(&view.await?))
}

fn explain(reader: &Reader, line: &Line, now: Micros) -> Result<Vec<HoldView>, Fault> {
    let contracts = reader.unsettled_contracts(&line.id)?;
    let mut holds: Vec<HoldView> = orders(reader, line)?.iter().map(HoldView::order).collect();
    holds.extend(quotes(reader, line, now)?.iter().map(HoldView::quote));
    holds.extend(contracts.iter().flat_map(HoldView::contract));
    // Of a line in default nothing is drawn any more: its invoices are the collection's.
    if line.state != LineState::Defaulted {
        holds.extend(invoices(reader, line)?.iter().map(HoldView::invoice));
    }
    holds.retain(|one| !one.amount.0.is_zero());
    Ok(holds)
}

fn orders(reader: &Reader, line: &Line) -> Result<Vec<Order>, Fault> {
    let (org, state) = (Some(line.org), Some(OrderState::Open));
    let filter = OrderFilter { org, state, client_order_id: None };
    gather(|page| reader.orders(&filter, page), |one| one.id, |_| true)
}

/// Firm quotes are young: the list is read back no further than they can live.
fn quotes(reader: &Reader, line: &Line, now: Micros) -> Result<Vec<Quote>, Fault> {
    let oldest = now.plus_secs(-limits::QUOTE_SECONDS_MAX);
    let is_young = |one: &Quote| one.created_at >= oldest;
    let read = |page: &_| reader.quotes(&Some(line.org), page);
    let mut quotes = gather(read, |one| one.id, is_young)?;
    quotes.retain(|one| one.state == QuoteState::Open);
    Ok(quotes)
}

fn invoices(reader: &Reader, line: &Line) -> Result<Vec<Invoice>, Fault> {
    let mut invoices = Vec::new();
    for state in [InvoiceState::Draft, InvoiceState::Open, InvoiceState::Overdue] {
        let (org, state) = (Some(line.org), Some(state));
        let filter = InvoiceFilter { org, state, month: None };
        invoices.extend(all_of(reader, &filter, |_| true)?);
    }
    invoices.retain(|one| one.line == line.id);
    Ok(invoices)
}
