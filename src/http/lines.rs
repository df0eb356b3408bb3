//! `/v1/credit_lines`: limits, what is held and drawn on them, and the officers' changes.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::Json;
use super::ledger::EntryView;
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown, shown_with_tag};
use super::time::{Instant, Moment};
use super::version::{IfMatch, IfMatchHeader};
use crate::engine::credit::{
    Balances, DefaultReason, Line, LineState, Proposal, Review, ReviewOutcome,
};
use crate::engine::ledger::Entry;
use crate::engine::{Command, Refusal};
use crate::model::Money;
use crate::model::id::{ApplicationId, LineId, OrgId, ProgramId, UserId};
use crate::store::Fault;
use crate::store::read::Reader;

/// Why a line is frozen or unfrozen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineNoteBody {
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: String,
}

/// A new limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitBody {
    #[schema(schema_with = amount_body)]
    limit: Amount,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A step that waits for a second officer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalView {
    /// `unfreeze`, `limit` or `default`.
    step: &'static str,
    /// The limit proposed.
    limit: Option<Amount>,
    /// Why the line would be declared in default.
    reason: Option<DefaultReason>,
    proposed_by: UserId,
}

/// A review of a line.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastReviewView {
    outcome: ReviewOutcome,
    note: String,
    by: UserId,
    at: Instant,
}

impl From<&Review> for LastReviewView {
    fn from(one: &Review) -> Self {
        let Review { outcome, note, by, at } = one;
        Self { outcome: *outcome, note: note.clone(), by: *by, at: Instant(*at) }
    }
}

/// A credit line: `available = limit - held - drawn - defaulted`.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineView {
    id: LineId,
    organization_id: OrgId,
    application_id: ApplicationId,
    /// Whose backstop is bought on it; `null` for a customer's own line.
    program_id: Option<ProgramId>,
    state: LineState,
    limit: Amount,
    available: Amount,
    /// By contracts not yet delivered, resting orders and firm quotes.
    held: Amount,
    /// Delivered and not yet paid.
    drawn: Amount,
    defaulted: Amount,
    /// `(held + drawn) / limit`, to four decimals.
    #[schema(example = 0.4608)]
    utilisation_ratio: f64,
    /// Where the limit is going, when a decrease waits for credit to free.
    target_limit: Option<Amount>,
    proposal: Option<ProposalView>,
    net_days: u32,
    /// Since when an invoice is unpaid past its grace; `null` while all are paid in time.
    past_due_since: Option<Moment>,
    /// When the line runs off.
    expires_at: Moment,
    note: String,
    /// By when an officer looks at it again.
    review_at: Moment,
    /// What came of the last review.
    last_review: Option<LastReviewView>,
    /// Rises with every decision; the `ETag`.
    version: u32,
    created_at: Instant,
    changed_at: Instant,
}

/// Which page of a list of lines or entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl LineView {
    pub fn new(line: &Line, balances: Balances) -> Self {
        let Balances { limit, available, held, drawn, defaulted } = balances;
        Self {
            id: line.id,
            organization_id: line.org,
            application_id: line.application,
            program_id: line.program,
            state: line.state,
            limit: Amount(limit),
            available: Amount(available),
            held: Amount(held),
            drawn: Amount(drawn),
            defaulted: Amount(defaulted),
            utilisation_ratio: ratio(held, drawn, limit),
            target_limit: line.target_limit.map(Amount),
            proposal: line.proposal.as_ref().map(ProposalView::from),
            net_days: line.net_days,
            past_due_since: line.past_due_since.map(Moment),
            expires_at: Moment(line.expires_at),
            note: line.note.clone(),
            review_at: Moment(line.review_at),
            last_review: line.review.as_ref().map(LastReviewView::from),
            version: line.version,
            created_at: Instant(line.created_at),
            changed_at: Instant(line.changed_at),
        }
    }
}

/// To four decimals, by whole numbers; nothing of a line without a limit.
fn ratio(held: Money, drawn: Money, limit: Money) -> f64 {
    let used = i128::from(held.micros()) + i128::from(drawn.micros());
    let parts = (used * 10_000).checked_div(i128::from(limit.micros())).unwrap_or(0);
    f64::from(i32::try_from(parts).unwrap_or(i32::MAX)) / 10_000.0
}

impl From<&Proposal> for ProposalView {
    fn from(one: &Proposal) -> Self {
        let (step, limit, reason, by) = match *one {
            Proposal::Unfreeze { by } => ("unfreeze", None, None, by),
            Proposal::Limit { limit, by } => ("limit", Some(Amount(limit)), None, by),
            Proposal::Default { reason, by } => ("default", None, Some(reason), by),
        };
        Self { step, limit, reason, proposed_by: by }
    }
}

/// List credit lines
///
/// A customer's own; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/credit_lines", tag = "Credit",
    params(LinesQuery),
    responses((status = 200, description = "A page", body = List<LineView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<LinesQuery>, door: Data<Door>) -> Reply {
    let page = page::page("credit_line", query.limit, query.cursor.as_deref())?;
    let scope = who.scope();
    let slice = door.read(move |reader| reader.lines(&scope, &page)).await?;
    let view = |(line, balances): (Line, Balances)| LineView::new(&line, balances);
    Ok(shown(&page::list("credit_line", slice, |(line, _)| line.id, view)))
}

/// The line, if this caller may see it.
pub async fn find<R>(
    who: &Caller<R>,
    id: LineId,
    door: &Door,
) -> Result<(Line, Balances), Problem> {
    let found = door.read(move |reader| reader.line(&id)).await?;
    let found = found.filter(|(line, _)| who.sees(line.org));
    found.ok_or_else(|| Problem::not_found("credit_line"))
}

/// Read a credit line
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}", tag = "Credit",
    params(LineId),
    responses((status = 200, description = "The line, with its ETag", body = LineView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<LineId>, door: Data<Door>) -> Reply {
    let (line, balances) = find(&who, id.0, &door).await?;
    Ok(shown_with_tag(&LineView::new(&line, balances), line.version))
}

/// A line that the engine has forgotten: closed.
pub fn closed(id: LineId) -> impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> {
    move |reader| {
        let (kind, needed) = ("credit_line", LineState::Active.as_str());
        let found = reader.line(&id)?.map(|(line, _)| line.state.as_str());
        Ok(found.map(|state| Refusal::WrongState { kind, state, needed }))
    }
}

/// Freeze a credit line
///
/// At once, by one officer: no new holds. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/freeze", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The line, frozen", body = LineView)),
)]
pub async fn freeze(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<LineNoteBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::FreezeLine { id: id.0, note: body.value.note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// Unfreeze a credit line
///
/// Takes two officers: the first proposes, the second does it. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/unfreeze", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The line", body = LineView)),
)]
pub async fn unfreeze(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<LineNoteBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::UnfreezeLine { id: id.0, note: body.value.note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// Change a limit
///
/// An increase above the market's threshold takes two officers; a decrease takes what is free now
/// and the rest as it frees. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/limit", tag = "Credit",
    params(LineId, IfMatchHeader, KeyHeader),
    responses((status = 200, description = "The line", body = LineView)),
)]
pub async fn change_limit(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    seen: IfMatch,
    key: RequiredKey,
    body: Json<LimitBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let LimitBody { limit: Amount(limit), note } = body.value;
    let command = Command::ChangeLimit { id: id.0, expect: seen.0, limit, note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// List a line's history
///
/// Every transfer that ever moved its balances, newest first.
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}/history", tag = "Credit",
    params(LineId, LinesQuery),
    responses((status = 200, description = "A page", body = List<EntryView>)),
)]
pub async fn history(
    who: Caller<grant::View>,
    id: Path<LineId>,
    query: Query<LinesQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("history", query.limit, query.cursor.as_deref())?;
    let (line, _) = find(&who, id.0, &door).await?;
    let slice = door.read(move |reader| reader.entries(None, Some(line.id), &page)).await?;
    Ok(shown(&page::list("history", slice, |one| one.no, |one: Entry| EntryView::from(&one))))
}
