//! What is reported of a contract while it is delivered, under `/v1/contracts/{id}`: shortfalls,
//! credits, usage by month.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Door;
use super::bill::BillView;
use super::caller::{Caller, grant};
use super::contracts::{self, ContractView};
use super::idempotency::{KeyHeader, RequiredKey};
use super::invoices::all_of;
use super::json::Json;
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::pools::window;
use super::query::Path;
use super::reply::{Reply, shown};
use super::time::{Moment, MonthText};
use crate::engine::Command;
use crate::engine::billing::{Invoice, InvoiceLine, InvoiceState};
use crate::engine::charge::Bill;
use crate::engine::contract::Contract;
use crate::model::id::{ContractId, InvoiceId};
use crate::model::{Minute, Money, Month, Window};
use crate::store::Fault;
use crate::store::read::{InvoiceFilter, Reader};

/// What was delivered within a window: all but so many GPUs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryBody {
    start_at: Moment,
    end_at: Moment,
    /// 0 confirms the window.
    #[schema(maximum = 2_000_000, example = 16)]
    missing_gpus: u32,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A credit beyond the ladder of the contract's terms, or a credit note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditBody {
    #[schema(schema_with = amount_body)]
    pub amount: Amount,
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: String,
}

/// What a contract delivered and charged in one month, or what of it is not invoiced yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    month: MonthText,
    start_at: Moment,
    end_at: Moment,
    bill: BillView,
    /// `null` for what is not invoiced yet.
    invoice_id: Option<InvoiceId>,
    invoice_state: Option<InvoiceState>,
    /// Its part of what was paid of the invoice, by the customer or its guarantors, to the
    /// micro-unit below.
    paid: Amount,
}

impl UsageView {
    fn new(month: Month, window: Window, bill: &Bill) -> Self {
        Self {
            month: MonthText(month),
            start_at: Moment(window.start()),
            end_at: Moment(window.end()),
            bill: BillView::from(bill),
            invoice_id: None,
            invoice_state: None,
            paid: Amount(Money::ZERO),
        }
    }

    fn invoiced(invoice: &Invoice, line: &InvoiceLine) -> Self {
        let usage = Self::new(invoice.month, line.window, &line.bill);
        let (invoice_id, invoice_state) = (Some(invoice.id), Some(invoice.state));
        let paid = Amount(paid(invoice, line));
        Self { invoice_id, invoice_state, paid, ..usage }
    }

    /// What was charged since the last invoice.
    fn unbilled(contract: &Contract) -> Option<Self> {
        let end = contract.accrued_to.max(contract.billed_to.plus(1));
        let since = Window::new(contract.billed_to, end).unwrap_or(contract.window);
        let month = Month::of(since.start());
        let is_charged = !contract.unbilled.is_empty();
        is_charged.then(|| Self::new(month, since, &contract.unbilled))
    }
}

/// Report delivery
///
/// What was delivered within a window that has passed: all but the missing GPUs. What is lost is
/// not charged, its hold is freed and nobody earns on it; nothing missing confirms the window.
/// Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/delivery", tag = "Trading", params(ContractId, KeyHeader),
    responses((status = 200, description = "The contract", body = ContractView)),
)]
pub async fn report(
    who: Caller<grant::Offer>,
    id: Path<ContractId>,
    key: RequiredKey,
    body: Json<DeliveryBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let DeliveryBody { start_at, end_at, missing_gpus: missing, note } = body.value;
    let (window, contract) = (window(start_at, end_at)?, id.0);
    let command = Command::ReportDelivery { contract, window, missing, note };
    let org = who.organization();
    let is_theirs = move |one: &Contract| one.provider == org;
    door.ask_about(&who, Some(key), command, contracts::settled(id.0, is_theirs)).await
}

/// Credit a contract
///
/// Takes an amount off what it has charged and not yet invoiced, from every party in proportion.
/// Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/credits", tag = "Trading", params(ContractId, KeyHeader),
    responses((status = 200, description = "The contract", body = ContractView)),
)]
pub async fn credit(
    who: Caller<grant::Bill>,
    id: Path<ContractId>,
    key: RequiredKey,
    body: Json<CreditBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let CreditBody { amount: Amount(amount), note } = body.value;
    let command = Command::GrantCredit { contract: id.0, amount, note };
    door.ask_about(&who, Some(key), command, contracts::settled(id.0, |_| true)).await
}

/// Read a contract's usage
///
/// By month, the first one first: what was delivered and lost, what was charged, and on which
/// invoice. What is charged and not invoiced yet comes last.
#[utoipa::path(
    get, path = "/v1/contracts/{id}/usage", tag = "Trading",
    params(ContractId),
    responses((status = 200, description = "All months", body = List<UsageView>)),
)]
pub async fn usage(who: Caller<grant::View>, id: Path<ContractId>, door: Data<Door>) -> Reply {
    let contract = contracts::find(&who, id.0, &door).await?;
    let unbilled = UsageView::unbilled(&contract);
    let billed = door.read(move |reader| billed(reader, &contract)).await?;
    let mut months: Vec<UsageView> =
        billed.iter().map(|(invoice, line)| UsageView::invoiced(invoice, line)).collect();
    months.extend(unbilled);
    Ok(shown(&page::whole(months)))
}

/// Everything that a contract was invoiced, with the invoice, the first one first.
pub fn billed(reader: &Reader, contract: &Contract) -> Result<Vec<(Invoice, InvoiceLine)>, Fault> {
    let filter = InvoiceFilter { org: Some(contract.customer), state: None, month: None };
    let first = Month::of(contract.window.start().min(begun(contract)));
    let mut invoices = all_of(reader, &filter, |one| one.month >= first)?;
    invoices.reverse();
    let ids: Vec<InvoiceId> = invoices.iter().map(|one| one.id).collect();
    let lines = reader.lines_for(&contract.id, &ids)?;
    let of = |invoice: Invoice| {
        let own = lines.iter().filter(move |line| line.invoice == invoice.id);
        own.map(move |line| (invoice.clone(), line.clone()))
    };
    Ok(invoices.into_iter().flat_map(of).collect())
}

/// A line's part of what was paid of its invoice, rounded down.
pub fn paid(invoice: &Invoice, line: &InvoiceLine) -> Money {
    let exact = |amount: Money| i128::from(amount.micros());
    let received = exact(invoice.paid) + exact(invoice.recovered);
    let part = received * exact(line.bill.amount()) / exact(invoice.total).max(1);
    Money::from_micros(i64::try_from(part).expect("a part of an amount is one"))
}

/// A fee may be charged before the window begins: no month before this one has anything.
fn begun(contract: &Contract) -> Minute {
    contract.created_at.minute()
}
