//! `/v1/payouts`: money on its way to providers, vendors and guarantors.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, RequiredKey};
use super::invoices::scope;
use super::json::Json;
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::Instant;
use super::{Door, fresh};
use crate::engine::billing::{Payable, Payout, PayoutState};
use crate::engine::{Command, Refusal};
use crate::model::id::{OrgId, PayoutId};
use crate::store::read::PayoutFilter;

/// Money to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayoutBody {
    /// Who is paid.
    organization_id: OrgId,
    payable: Payable,
    /// All that is available when left out.
    #[schema(schema_with = amount_body)]
    amount: Option<Amount>,
    /// What the bank is told.
    #[serde(default)]
    #[schema(max_length = 128)]
    reference: String,
}

/// How a payout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Paid,
    /// It is back, and available to be sent again.
    Failed,
}

/// What the bank has said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleBody {
    outcome: Outcome,
}

/// A payout.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayoutView {
    id: PayoutId,
    organization_id: OrgId,
    payable: Payable,
    amount: Amount,
    state: PayoutState,
    reference: String,
    created_at: Instant,
    changed_at: Instant,
}

/// Which payouts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PayoutsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<PayoutState>,
    /// For the operator's people: one organization's.
    organization_id: Option<OrgId>,
}

impl From<&Payout> for PayoutView {
    fn from(one: &Payout) -> Self {
        Self {
            id: one.id,
            organization_id: one.org,
            payable: one.payable,
            amount: Amount(one.amount),
            state: one.state,
            reference: one.reference.clone(),
            created_at: Instant(one.created_at),
            changed_at: Instant(one.changed_at),
        }
    }
}

/// List payouts
///
/// Those to the caller's organization; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/payouts", tag = "Billing",
    params(PayoutsQuery),
    responses((status = 200, description = "A page", body = List<PayoutView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<PayoutsQuery>, door: Data<Door>) -> Reply {
    let page = page::page("payout", query.limit, query.cursor.as_deref())?;
    let filter = PayoutFilter { org: scope(&who, query.organization_id)?, state: query.state };
    let slice = door.read(move |reader| reader.payouts(&filter, &page)).await?;
    Ok(shown(&page::list("payout", slice, |one| one.id, |one| PayoutView::from(&one))))
}

/// Read a payout
#[utoipa::path(
    get, path = "/v1/payouts/{id}", tag = "Billing",
    params(PayoutId),
    responses((status = 200, description = "The payout", body = PayoutView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<PayoutId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.payout(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.org));
    let found = found.ok_or_else(|| Problem::not_found("payout"))?;
    Ok(shown(&PayoutView::from(&found)))
}

/// Pay out
///
/// Sends what is available to an organization; it is in transit until the bank says how it ended.
/// Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/payouts", tag = "Billing", params(KeyHeader),
    responses((status = 201, description = "The payout, in transit", body = PayoutView)),
)]
pub async fn create(
    who: Caller<grant::Bill>,
    key: RequiredKey,
    body: Json<PayoutBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let PayoutBody { organization_id: org, payable, amount, reference } = body.value;
    let (id, amount) = (PayoutId::new(fresh()), amount.map(|it| it.0));
    let command = Command::PayOut { id, org, payable, amount, reference };
    door.ask(&who, Some(key), command).await
}

/// Settle a payout
///
/// The bank has said how it ended: paid, or failed and so available again. Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/payouts/{id}/settle", tag = "Billing", params(PayoutId, KeyHeader),
    responses((status = 200, description = "The payout", body = PayoutView)),
)]
pub async fn settle(
    who: Caller<grant::Bill>,
    id: Path<PayoutId>,
    key: RequiredKey,
    body: Json<SettleBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let paid = body.value.outcome == Outcome::Paid;
    let command = Command::SettlePayout { id: id.0, paid };
    door.ask_about(&who, Some(key), command, move |reader| {
        let (kind, needed) = ("payout", PayoutState::InTransit.as_str());
        let found = reader.payout(&id.0)?.map(|one| one.state.as_str());
        Ok(found.map(|state| Refusal::WrongState { kind, state, needed }))
    })
    .await
}
