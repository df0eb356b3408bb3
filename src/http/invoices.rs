//! `/v1/invoices`: what customers are charged by month, and what becomes of it.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::bill::BillView;
use super::caller::{Caller, grant};
use super::delivery::CreditBody;
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::{Json, NoBody, Nothing};
use super::money::Amount;
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment, MonthText};
use crate::engine::billing::{Invoice, InvoiceLine, InvoiceState};
use crate::engine::{Command, Refusal};
use crate::model::id::{ContractId, InvoiceId, LineId, OrgId};
use crate::model::{Code, SkuCode};
use crate::store::Fault;
use crate::store::read::{InvoiceFilter, Page, Reader};

/// Why an invoice is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidBody {
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// What one contract is charged in one invoice.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceLineView {
    contract_id: ContractId,
    provider: OrgId,
    #[schema(value_type = Code)]
    sku: SkuCode,
    /// The time it is about.
    start_at: Moment,
    end_at: Moment,
    bill: BillView,
}

/// What one customer is charged for one month:
/// `outstanding = total - paid - credited - claimed - written_off`.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceView {
    id: InvoiceId,
    organization_id: OrgId,
    /// The line on which it is drawn.
    credit_line_id: LineId,
    month: MonthText,
    state: InvoiceState,
    /// The sum of the lines.
    total: Amount,
    /// Received from the customer.
    paid: Amount,
    /// Taken back by credit notes.
    credited: Amount,
    /// Claimed from guarantors, received or not.
    claimed: Amount,
    /// Of that, received.
    recovered: Amount,
    /// Given up.
    written_off: Amount,
    outstanding: Amount,
    net_days: u32,
    drafted_at: Instant,
    opened_at: Option<Instant>,
    due_at: Option<Moment>,
    changed_at: Instant,
    /// Rises with every change.
    version: u32,
}

/// An invoice with its lines.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceWithLinesView {
    #[serde(flatten)]
    invoice: InvoiceView,
    /// A line a contract.
    lines: Vec<InvoiceLineView>,
}

/// Which invoices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvoicesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<InvoiceState>,
    month: Option<MonthText>,
    /// For the operator's people: one customer's.
    organization_id: Option<OrgId>,
}

impl From<&InvoiceLine> for InvoiceLineView {
    fn from(one: &InvoiceLine) -> Self {
        Self {
            contract_id: one.contract,
            provider: one.provider,
            sku: one.sku.clone(),
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            bill: BillView::from(&one.bill),
        }
    }
}

impl From<&Invoice> for InvoiceView {
    fn from(one: &Invoice) -> Self {
        Self {
            id: one.id,
            organization_id: one.org,
            credit_line_id: one.line,
            month: MonthText(one.month),
            state: one.state,
            total: Amount(one.total),
            paid: Amount(one.paid),
            credited: Amount(one.credited),
            claimed: Amount(one.claimed),
            recovered: Amount(one.recovered),
            written_off: Amount(one.written_off),
            outstanding: Amount(one.outstanding()),
            net_days: one.net_days,
            drafted_at: Instant(one.drafted_at),
            opened_at: one.opened_at.map(Instant),
            due_at: one.due_at.map(Moment),
            changed_at: Instant(one.changed_at),
            version: one.version,
        }
    }
}

/// Whose things a list shows: those of the organization asked for, if the caller may see them, else
/// what the caller sees anyway.
pub fn scope<R>(who: &Caller<R>, asked: Option<OrgId>) -> Result<Option<OrgId>, Problem> {
    match asked {
        Some(org) if !who.sees(org) => Err(Problem::not_found("organization")),
        Some(org) => Ok(Some(org)),
        None => Ok(who.scope()),
    }
}

/// Every invoice that a filter finds, newest first, down to the first that `goes_on` refuses.
pub fn all_of(
    reader: &Reader,
    filter: &InvoiceFilter,
    goes_on: impl Fn(&Invoice) -> bool,
) -> Result<Vec<Invoice>, Fault> {
    let read = |page: &Page<InvoiceId>| reader.invoices(filter, page);
    page::gather(read, |one: &Invoice| one.id, goes_on)
}

/// List invoices
///
/// A customer's own; all of them for the operator's people. Each is read by its id with its lines.
#[utoipa::path(
    get, path = "/v1/invoices", tag = "Billing",
    params(InvoicesQuery),
    responses((status = 200, description = "A page", body = List<InvoiceView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<InvoicesQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("invoice", query.limit, query.cursor.as_deref())?;
    let org = scope(&who, query.organization_id)?;
    let filter = InvoiceFilter { org, state: query.state, month: query.month.map(|it| it.0) };
    let slice = door.read(move |reader| reader.invoices(&filter, &page)).await?;
    Ok(shown(&page::list("invoice", slice, |one| one.id, |one| InvoiceView::from(&one))))
}

/// Read an invoice
#[utoipa::path(
    get, path = "/v1/invoices/{id}", tag = "Billing",
    params(InvoiceId),
    responses((status = 200, description = "The invoice", body = InvoiceWithLinesView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<InvoiceId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.invoice(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.org));
    let found = found.ok_or_else(|| Problem::not_found("invoice"))?;
    let lines = door.read(move |reader| reader.invoice_lines(&found.id)).await?;
    let lines = lines.iter().map(InvoiceLineView::from).collect();
    Ok(shown(&InvoiceWithLinesView { invoice: InvoiceView::from(&found), lines }))
}

/// An invoice that the engine has forgotten: nothing of it is owed any more. `is_meant` says if
/// the caller spoke of it.
pub fn ended(
    id: InvoiceId,
    is_meant: impl FnOnce(&Invoice) -> bool,
) -> impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> {
    move |reader| {
        let (kind, needed) = ("invoice", InvoiceState::Open.as_str());
        let found = reader.invoice(&id)?.filter(is_meant).map(|one| one.state.as_str());
        Ok(found.map(|state| Refusal::WrongState { kind, state, needed }))
    }
}

/// Finalize an invoice
///
/// A draft becomes a demand, and its days begin. Drafts open by themselves a day after the month.
/// Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/invoices/{id}/finalize", tag = "Billing", params(InvoiceId, KeyHeader),
    request_body = Option<Nothing>,
    responses((status = 200, description = "The invoice, open", body = InvoiceView)),
)]
pub async fn finalize(
    who: Caller<grant::Bill>,
    id: Path<InvoiceId>,
    key: RequiredKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask_about(&who, Some(key), Command::FinalizeInvoice { id: id.0 }, ended(id.0, |_| true))
        .await
}

/// Credit an invoice
///
/// A credit note: takes part of an open invoice back, from every party in proportion. Needs the
/// right `bill`.
#[utoipa::path(
    post, path = "/v1/invoices/{id}/credit", tag = "Billing", params(InvoiceId, KeyHeader),
    responses((status = 200, description = "The invoice", body = InvoiceView)),
)]
pub async fn credit(
    who: Caller<grant::Bill>,
    id: Path<InvoiceId>,
    key: RequiredKey,
    body: Json<CreditBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let CreditBody { amount: Amount(amount), note } = body.value;
    let command = Command::CreditInvoice { id: id.0, amount, note };
    door.ask_about(&who, Some(key), command, ended(id.0, |_| true)).await
}

/// Void an invoice
///
/// Takes all of an unpaid invoice back. Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/invoices/{id}/void", tag = "Billing", params(InvoiceId, KeyHeader),
    responses((status = 200, description = "The invoice, void", body = InvoiceView)),
)]
pub async fn void(
    who: Caller<grant::Bill>,
    id: Path<InvoiceId>,
    key: RequiredKey,
    body: Json<VoidBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::VoidInvoice { id: id.0, note: body.value.note };
    door.ask_about(&who, Some(key), command, ended(id.0, |_| true)).await
}
