//! `/v1/credit_applications`: customers ask for credit, officers decide.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, OptionalKey, OptionalKeyHeader, RequiredKey};
use super::json::{Json, NoBody, Nothing};
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{DryRun, Path, Query};
use super::reply::{Reply, shown};
use super::time::Instant;
use super::{Door, fresh};
use crate::engine::command::Approve;
use crate::engine::credit::{Application, ApplicationState, Approval};
use crate::engine::{Command, Refusal};
use crate::model::Workload;
use crate::model::id::{ApplicationId, LineId, OrgId, UserId};
use crate::store::{Fault, Reader};

/// A request for credit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "requested_limit": { "amount": "250000.00", "currency": "USD" },
    "purpose": "Post-training of our next model", "workload": "post_training",
    }))]
pub struct ApplicationBody {
    #[schema(schema_with = amount_body)]
    requested_limit: Amount,
    #[schema(max_length = 2000)]
    purpose: String,
    workload: Option<Workload>,
}

/// An officer's yes, to exactly these terms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveBody {
    #[schema(schema_with = amount_body)]
    limit: Amount,
    #[serde(default = "one_year")]
    #[schema(minimum = 1, maximum = 120, default = 12)]
    tenor_months: u32,
    #[serde(default = "one_month")]
    #[schema(maximum = 180, default = 30)]
    net_days: u32,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

const fn one_year() -> u32 {
    12
}

const fn one_month() -> u32 {
    30
}

/// An officer's no.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason_codes": ["insufficient_history"], "note": "" }))]
pub struct DeclineBody {
    /// At least one; short words of your own policy.
    #[schema(min_items = 1)]
    reason_codes: Vec<String>,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// The terms that were said yes to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalView {
    limit: Amount,
    tenor_months: u32,
    net_days: u32,
}

/// A credit application.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationView {
    id: ApplicationId,
    organization_id: OrgId,
    requested_limit: Amount,
    purpose: String,
    workload: Option<Workload>,
    state: ApplicationState,
    /// The terms approved, or waiting for a second officer.
    approval: Option<ApprovalView>,
    approved_by: Vec<UserId>,
    /// How many officers it takes, known from the first yes on.
    approvals_needed: u32,
    declined_by: Option<UserId>,
    reason_codes: Vec<String>,
    note: String,
    /// The line that came of it.
    credit_line_id: Option<LineId>,
    created_at: Instant,
    changed_at: Instant,
}

/// Which applications.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApplicationsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<ApplicationState>,
}

impl From<&Approval> for ApprovalView {
    fn from(one: &Approval) -> Self {
        let Approval { limit, tenor_months, net_days } = *one;
        Self { limit: Amount(limit), tenor_months, net_days }
    }
}

impl From<&Application> for ApplicationView {
    fn from(one: &Application) -> Self {
        Self {
            id: one.id,
            organization_id: one.org,
            requested_limit: Amount(one.requested),
            purpose: one.purpose.clone(),
            workload: one.workload,
            state: one.state,
            approval: one.approval.as_ref().map(ApprovalView::from),
            approved_by: one.approved_by.clone(),
            approvals_needed: one.approvals_needed,
            declined_by: one.declined_by,
            reason_codes: one.reason_codes.clone(),
            note: one.note.clone(),
            credit_line_id: one.line,
            created_at: Instant(one.created_at),
            changed_at: Instant(one.changed_at),
        }
    }
}

/// An application that the engine has forgotten, of this organization or of any: how it ended.
fn ended(
    id: ApplicationId,
    org: Option<OrgId>,
) -> impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> {
    move |reader| {
        let found = reader.application(&id)?;
        let found = found.filter(|one| org.is_none_or(|org| org == one.org));
        let (kind, needed) = ("credit_application", ApplicationState::Submitted.as_str());
        Ok(found.map(|one| Refusal::WrongState { kind, state: one.state.as_str(), needed }))
    }
}

/// List credit applications
///
/// A customer's own; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/credit_applications", tag = "Credit",
    params(ApplicationsQuery),
    responses((status = 200, description = "A page", body = List<ApplicationView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<ApplicationsQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("credit_application", query.limit, query.cursor.as_deref())?;
    let filter = (who.scope(), query.state);
    let slice = door.read(move |reader| reader.applications(&filter, &page)).await?;
    let view = |one: Application| ApplicationView::from(&one);
    Ok(shown(&page::list("credit_application", slice, |one| one.id, view)))
}

/// Read a credit application
#[utoipa::path(
    get, path = "/v1/credit_applications/{id}", tag = "Credit",
    params(ApplicationId),
    responses((status = 200, description = "The application", body = ApplicationView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<ApplicationId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.application(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.org));
    let found = found.ok_or_else(|| Problem::not_found("credit_application"))?;
    Ok(shown(&ApplicationView::from(&found)))
}

/// Apply for credit
///
/// Needs the right `apply_for_credit`.
#[utoipa::path(
    post, path = "/v1/credit_applications", tag = "Credit", params(OptionalKeyHeader),
    responses((status = 201, description = "The application, submitted", body = ApplicationView)),
)]
pub async fn create(
    who: Caller<grant::ApplyForCredit>,
    key: OptionalKey,
    body: Json<ApplicationBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ApplicationBody { requested_limit, purpose, workload } = body.value;
    let (id, amount) = (ApplicationId::new(fresh()), requested_limit.0);
    door.ask(&who, key, Command::Apply { id, amount, purpose, workload }).await
}

/// Approve a credit application
///
/// Above the market's threshold it takes a second, different officer, who must approve the same
/// terms. With `dry_run=true` every check runs and nothing changes. Needs the right
/// `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_applications/{id}/approve", tag = "Credit",
    params(ApplicationId, DryRun, KeyHeader),
    responses((status = 200, description = "The application; with its line once it is active",
            body = ApplicationView)),
)]
pub async fn approve(
    who: Caller<grant::DecideCredit>,
    id: Path<ApplicationId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<ApproveBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let (dry_run, line) = (query.dry_run, LineId::new(fresh()));
    let ApproveBody { limit: Amount(limit), tenor_months, net_days, note } = body.value;
    let ask = Approve { id: id.0, line, limit, tenor_months, net_days, note, dry_run };
    let command = Command::Approve(ask);
    if dry_run {
        return door.ask_dry(&who, command).await;
    }
    door.ask_about(&who, Some(key), command, ended(id.0, None)).await
}

/// Decline a credit application
///
/// Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_applications/{id}/decline", tag = "Credit",
    params(ApplicationId, KeyHeader),
    responses((status = 200, description = "The application, declined", body = ApplicationView)),
)]
pub async fn decline(
    who: Caller<grant::DecideCredit>,
    id: Path<ApplicationId>,
    key: RequiredKey,
    body: Json<DeclineBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let DeclineBody { reason_codes, note } = body.value;
    let command = Command::Decline { id: id.0, reason_codes, note };
    door.ask_about(&who, Some(key), command, ended(id.0, None)).await
}

/// Withdraw a credit application
///
/// Needs the right `apply_for_credit`.
#[utoipa::path(
    post, path = "/v1/credit_applications/{id}/withdraw", tag = "Credit",
    params(ApplicationId, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The application, withdrawn", body = ApplicationView)),
)]
pub async fn withdraw(
    who: Caller<grant::ApplyForCredit>,
    id: Path<ApplicationId>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::WithdrawApplication { id: id.0 };
    door.ask_about(&who, key, command, ended(id.0, Some(who.organization()))).await
}
