//! `/v1/payments`: money that customers paid, and what it was for.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, RequiredKey};
use super::invoices::{ended, scope};
use super::json::Json;
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use super::{Door, fresh};
use crate::engine::Command;
use crate::engine::billing::{Invoice, Payment, Reserve, Split};
use crate::model::id::{InvoiceId, OrgId, PaymentId};
use crate::model::{Money, Right};
use crate::store::read::PaymentFilter;

/// Money that has come in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentBody {
    /// The customer who paid.
    organization_id: OrgId,
    #[schema(schema_with = amount_body)]
    amount: Amount,
    /// The invoice it is for; the oldest due first when left out.
    invoice_id: Option<InvoiceId>,
    /// The bank's or the customer's own words for it.
    #[serde(default)]
    #[schema(max_length = 128)]
    reference: String,
}

/// What of an amount went to which invoice.
#[derive(Debug, Serialize, ToSchema)]
pub struct SplitView {
    invoice_id: InvoiceId,
    amount: Amount,
}

/// What of a provider's part is kept back.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReserveView {
    provider: OrgId,
    amount: Amount,
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentView {
    id: PaymentId,
    organization_id: OrgId,
    amount: Amount,
    reference: String,
    splits: Vec<SplitView>,
    /// What is kept back of providers' parts until `reserves_free_at`; `null` for the customer,
    /// whom it does not concern.
    reserves: Option<Vec<ReserveView>>,
    reserves_free_at: Moment,
    /// They have been freed.
    reserves_freed: bool,
    recorded_at: Instant,
}

/// Which payments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PaymentsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// For the operator's people: one customer's.
    organization_id: Option<OrgId>,
}

impl SplitView {
    pub const fn new(invoice_id: InvoiceId, amount: Money) -> Self {
        Self { invoice_id, amount: Amount(amount) }
    }
}

impl From<&Split> for SplitView {
    fn from(one: &Split) -> Self {
        let Split { invoice, amount } = *one;
        Self::new(invoice, amount)
    }
}

impl From<&Reserve> for ReserveView {
    fn from(one: &Reserve) -> Self {
        let Reserve { provider, amount } = *one;
        Self { provider, amount: Amount(amount) }
    }
}

impl From<&Payment> for PaymentView {
    fn from(one: &Payment) -> Self {
        Self {
            id: one.id,
            organization_id: one.org,
            amount: Amount(one.amount),
            reference: one.reference.clone(),
            splits: one.splits.iter().map(SplitView::from).collect(),
            reserves: Some(one.reserves.iter().map(ReserveView::from).collect()),
            reserves_free_at: Moment(one.frees_at),
            reserves_freed: one.freed,
            recorded_at: Instant(one.recorded_at),
        }
    }
}

impl PaymentView {
    /// As this caller may see it.
    fn shown_to<R>(who: &Caller<R>, one: &Payment) -> Self {
        let whole = Self::from(one);
        if who.may(Right::Audit) { whole } else { Self { reserves: None, ..whole } }
    }
}

/// List payments
///
/// A customer's own; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/payments", tag = "Billing",
    params(PaymentsQuery),
    responses((status = 200, description = "A page", body = List<PaymentView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<PaymentsQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("payment", query.limit, query.cursor.as_deref())?;
    let filter = PaymentFilter { org: scope(&who, query.organization_id)? };
    let slice = door.read(move |reader| reader.payments(&filter, &page)).await?;
    let view = |one: Payment| PaymentView::shown_to(&who, &one);
    Ok(shown(&page::list("payment", slice, |one| one.id, view)))
}

/// Read a payment
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "Billing",
    params(PaymentId),
    responses((status = 200, description = "The payment", body = PaymentView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<PaymentId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.payment(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.org));
    let found = found.ok_or_else(|| Problem::not_found("payment"))?;
    Ok(shown(&PaymentView::shown_to(&who, &found)))
}

/// Record a payment
///
/// Pays the named invoice, or the customer's oldest due first. What waited for it becomes available
/// to providers and vendors, less the reserve. More than is outstanding is a refusal. Needs the
/// right `bill`.
#[utoipa::path(
    post, path = "/v1/payments", tag = "Billing", params(KeyHeader),
    responses((status = 201, description = "The payment", body = PaymentView)),
)]
pub async fn create(
    who: Caller<grant::Bill>,
    key: RequiredKey,
    body: Json<PaymentBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let PaymentBody { organization_id: org, amount, invoice_id: invoice, reference } = body.value;
    let (id, Amount(amount)) = (PaymentId::new(fresh()), amount);
    let command = Command::RecordPayment { id, org, amount, invoice, reference };
    match invoice {
        Some(named) => {
            let is_theirs = move |one: &Invoice| one.org == org;
            door.ask_about(&who, Some(key), command, ended(named, is_theirs)).await
        }
        None => door.ask(&who, Some(key), command).await,
    }
}
