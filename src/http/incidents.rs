//! `/v1/incidents`: pools with less than what is sold, whose contracts run short, and what is
//! offered to them. Beside it what a provider says of late phases and of maintenance that is over.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, OptionalKey, OptionalKeyHeader, RequiredKey};
use super::json::Json;
use super::page::{self, List};
use super::pools::{MaintenanceView, PoolView};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use crate::engine::amendment::Move;
use crate::engine::incident::{
    Affected, Incident, IncidentCause, IncidentState, Offer, Part, ShortfallOutcome, Substitute,
};
use crate::engine::{Command, Refusal};
use crate::model::id::{ContractId, IncidentId, OrgId, PoolId};
use crate::store::read::IncidentFilter;

/// A phase that comes later.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "phase": 2, "until": "2027-03-01T00:00:00Z", "note": "transformers" }))]
pub struct PostponeBody {
    /// Its place among the pool's phases, from 1.
    #[schema(minimum = 1)]
    phase: usize,
    /// When it comes, later than it was to.
    until: Moment,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A maintenance window that ends now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "window": 1 }))]
pub struct EndBody {
    /// Its place among the pool's maintenance windows, from 1.
    #[schema(minimum = 1)]
    window: usize,
}

/// What a customer says to a place in another pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    Accept,
    Decline,
}

/// The answer to a substitution.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    contract_id: ContractId,
    answer: Reaction,
}

/// So many GPUs within a window.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartView {
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
}

/// A pool that stands in for a contract's own.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubstituteView {
    pool_id: PoolId,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
}

/// Where a contract moved to, and until when.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoveView {
    from_pool_id: PoolId,
    to_pool_id: PoolId,
    until: Moment,
}

/// A place in another pool of the provider, at the contract's own price. It is held until then.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubstitutionOfferView {
    pool_id: PoolId,
    parts: Vec<PartView>,
    /// No answer by then is a no.
    expires_at: Moment,
}

/// A contract that runs short.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffectedView {
    contract_id: ContractId,
    customer: OrgId,
    missing: Vec<PartView>,
    outcome: ShortfallOutcome,
    offer: Option<SubstitutionOfferView>,
    decided_at: Option<Instant>,
}

/// A pool's shortfall.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentView {
    id: IncidentId,
    state: IncidentState,
    cause: IncidentCause,
    note: String,
    provider: OrgId,
    pool_id: PoolId,
    /// When the pool has less.
    start_at: Moment,
    end_at: Moment,
    /// The youngest contract first: it is the first to run short. A customer sees its own.
    affected: Vec<AffectedView>,
    opened_at: Instant,
    closed_at: Option<Instant>,
}

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<IncidentState>,
    pool_id: Option<PoolId>,
}

impl From<&Part> for PartView {
    fn from(one: &Part) -> Self {
        let Part { gpus, window } = *one;
        Self { gpus, start_at: Moment(window.start()), end_at: Moment(window.end()) }
    }
}

impl From<&Substitute> for SubstituteView {
    fn from(one: &Substitute) -> Self {
        let Substitute { pool, gpus, window } = *one;
        let (start_at, end_at) = (Moment(window.start()), Moment(window.end()));
        Self { pool_id: pool, gpus, start_at, end_at }
    }
}

impl From<&Move> for MoveView {
    fn from(one: &Move) -> Self {
        let Move { from, to, until } = *one;
        Self { from_pool_id: from, to_pool_id: to, until: Moment(until) }
    }
}

impl From<&Offer> for SubstitutionOfferView {
    fn from(one: &Offer) -> Self {
        let Offer { pool, parts, expires_at } = one;
        let parts = parts.iter().map(PartView::from).collect();
        Self { pool_id: *pool, parts, expires_at: Moment(*expires_at) }
    }
}

impl From<&Affected> for AffectedView {
    fn from(one: &Affected) -> Self {
        Self {
            contract_id: one.contract,
            customer: one.customer,
            missing: one.missing.iter().map(PartView::from).collect(),
            outcome: one.outcome,
            offer: one.offer.as_ref().map(SubstitutionOfferView::from),
            decided_at: one.decided_at.map(Instant),
        }
    }
}

impl From<&Incident> for IncidentView {
    fn from(one: &Incident) -> Self {
        Self {
            id: one.id,
            state: one.state,
            cause: one.cause,
            note: one.note.clone(),
            provider: one.provider,
            pool_id: one.pool,
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            affected: one.affected.iter().map(AffectedView::from).collect(),
            opened_at: Instant(one.opened_at),
            closed_at: one.closed_at.map(Instant),
        }
    }
}

/// An incident as this caller may see it: of others' contracts a customer knows nothing.
fn seen<R>(who: &Caller<R>, mut one: Incident) -> Option<Incident> {
    if !who.sees(one.provider) {
        one.affected.retain(|it| who.sees(it.customer));
    }
    (who.sees(one.provider) || !one.affected.is_empty()).then_some(one)
}

/// List incidents
///
/// Those of the caller's pools, and those that hit the caller's contracts; all of them for the
/// operator's people.
#[utoipa::path(
    get, path = "/v1/incidents", tag = "Capacity",
    params(IncidentsQuery),
    responses((status = 200, description = "A page", body = List<IncidentView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<IncidentsQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("incident", query.limit, query.cursor.as_deref())?;
    let filter = IncidentFilter { party: who.scope(), state: query.state, pool: query.pool_id };
    let mut slice = door.read(move |reader| reader.incidents(&filter, &page)).await?;
    slice.data = slice.data.into_iter().filter_map(|one| seen(&who, one)).collect();
    Ok(shown(&page::list("incident", slice, |one| one.id, |one| IncidentView::from(&one))))
}

/// Read an incident
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "Capacity",
    params(IncidentId),
    responses((status = 200, description = "The incident", body = IncidentView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<IncidentId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.incident(&id.0)).await?;
    let found = found.and_then(|one| seen(&who, one));
    let found = found.ok_or_else(|| Problem::not_found("incident"))?;
    Ok(shown(&IncidentView::from(&found)))
}

/// Answer a substitution
///
/// A customer whose contract runs short takes the place in another pool that is offered, at the
/// contract's own price, or does without: what is lost is not charged. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/answer", tag = "Capacity", params(IncidentId, KeyHeader),
    responses((status = 200, description = "The incident", body = IncidentView)),
)]
pub async fn answer(
    who: Caller<grant::Trade>,
    id: Path<IncidentId>,
    key: RequiredKey,
    body: Json<AnswerBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let AnswerBody { contract_id: contract, answer } = body.value;
    let (incident, accept, org) = (id.0, answer == Reaction::Accept, who.organization());
    let command = Command::AnswerSubstitution { incident, contract, accept };
    // One that is closed is history: the engine has let go of it.
    door.ask_about(&who, Some(key), command, move |reader| {
        let (kind, needed) = ("substitution", ShortfallOutcome::Offered.as_str());
        let its = |it: &Affected| it.contract == contract && it.customer == org;
        let found = reader.incident(&incident)?;
        let outcome = found.and_then(|one| one.affected.into_iter().find(its)).map(|it| it.outcome);
        Ok(outcome.map(|it| Refusal::WrongState { kind, state: it.as_str(), needed }))
    })
    .await
}

/// Postpone a phase
///
/// A phase that has not come yet comes later. Where that is less than what is sold an incident
/// opens; the answer names the contracts that run short. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/pools/{id}/phases/postpone", tag = "Capacity",
    params(PoolId, OptionalKeyHeader),
    responses((status = 200, description = "The pool and who is short", body = MaintenanceView)),
)]
pub async fn postpone(
    who: Caller<grant::Offer>,
    id: Path<PoolId>,
    key: OptionalKey,
    body: Json<PostponeBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let PostponeBody { phase, until: Moment(from), note } = body.value;
    door.ask(&who, key, Command::PostponePhase { pool: id.0, phase, from, note }).await
}

/// End maintenance
///
/// A maintenance window ends now, or does not begin. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/pools/{id}/maintenance/end", tag = "Capacity",
    params(PoolId, OptionalKeyHeader),
    responses((status = 200, description = "The pool", body = PoolView)),
)]
pub async fn end_maintenance(
    who: Caller<grant::Offer>,
    id: Path<PoolId>,
    key: OptionalKey,
    body: Json<EndBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::EndMaintenance { pool: id.0, window: body.value.window };
    door.ask(&who, key, command).await
}
