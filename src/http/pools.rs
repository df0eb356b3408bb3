//! `/v1/pools`: the GPUs of one SKU in one factory, installed in phases, away for maintenance.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::contracts::BriefView;
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::Json;
use super::market::{Span, span};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use super::{Door, fresh};
use crate::engine::Command;
use crate::engine::capacity::{Maintenance, Phase, Pool, Shelf};
use crate::model::id::{FactoryId, OrgId, PoolId};
use crate::model::{Code, Minute, RegionCode, Schedule, SkuCode, Window};

/// So many more GPUs from an instant on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Phase, example = json!({ "gpus": 40_000, "from": "2027-01-01T00:00:00Z" }))]
pub struct PhaseBody {
    #[schema(minimum = 1, maximum = 2_000_000)]
    gpus: u32,
    from: Moment,
}

/// So many more GPUs from an instant on, and when they were to come if they are late.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct PhaseView {
    gpus: u32,
    from: Moment,
    announced_from: Option<Moment>,
}

/// A pool to be entered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolBody {
    factory_id: FactoryId,
    #[schema(value_type = Code)]
    sku: SkuCode,
    /// Each adds to what was there before.
    #[serde(default)]
    #[schema(max_items = 100)]
    phases: Vec<PhaseBody>,
}

/// So many fewer GPUs within a window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceBody {
    start_at: Moment,
    end_at: Moment,
    #[schema(minimum = 1, maximum = 2_000_000)]
    gpus: u32,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A maintenance window.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowView {
    start_at: Moment,
    end_at: Moment,
    gpus: u32,
    note: String,
}

/// A pool.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolView {
    id: PoolId,
    provider: OrgId,
    factory_id: FactoryId,
    #[schema(value_type = Code)]
    region: RegionCode,
    #[schema(value_type = Code)]
    sku: SkuCode,
    phases: Vec<PhaseView>,
    maintenance: Vec<WindowView>,
    created_at: Instant,
}

/// A pool after a maintenance window was entered.
#[derive(Debug, Serialize, ToSchema)]
pub struct MaintenanceView {
    pub pool: PoolView,
    /// The contracts that run short by it, the youngest first: see the incident.
    pub touched: Vec<BriefView>,
}

/// What a pool has over a stretch of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolStretchView {
    start_at: Moment,
    end_at: Moment,
    /// Phases less maintenance.
    installed_gpus: i64,
    /// Taken by contracts and firm quotes.
    taken_gpus: i64,
    /// On offer by live listings and not taken.
    free_gpus: i64,
}

/// Which page of pools.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PoolsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which part of a schedule.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScheduleQuery {
    /// The present when left out.
    from: Option<Moment>,
    /// At most 400 days after `from`; 90 days after it when left out.
    to: Option<Moment>,
}

impl From<&Phase> for PhaseView {
    fn from(phase: &Phase) -> Self {
        let Phase { gpus, from, announced } = *phase;
        Self { gpus, from: Moment(from), announced_from: announced.map(Moment) }
    }
}

impl From<PhaseBody> for Phase {
    fn from(body: PhaseBody) -> Self {
        Phase::new(body.gpus, body.from.0)
    }
}

impl From<&Maintenance> for WindowView {
    fn from(one: &Maintenance) -> Self {
        Self {
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            gpus: one.gpus,
            note: one.note.clone(),
        }
    }
}

impl From<&Pool> for PoolView {
    fn from(one: &Pool) -> Self {
        Self {
            id: one.id,
            provider: one.provider,
            factory_id: one.factory,
            region: one.region.clone(),
            sku: one.sku.clone(),
            phases: one.phases.iter().map(PhaseView::from).collect(),
            maintenance: one.maintenance.iter().map(WindowView::from).collect(),
            created_at: Instant(one.created_at),
        }
    }
}

/// A window of two instants of a body.
pub fn window(start: Moment, end: Moment) -> Result<Window, Problem> {
    let wrong = || Problem::field("/end_at", "empty_window", "end_at lies after start_at.");
    Window::new(start.0, end.0).ok_or_else(wrong)
}

/// List pools
///
/// A provider's own; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/pools", tag = "Capacity",
    params(PoolsQuery),
    responses((status = 200, description = "A page", body = List<PoolView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<PoolsQuery>, door: Data<Door>) -> Reply {
    let page = page::page("pool", query.limit, query.cursor.as_deref())?;
    let scope = who.scope();
    let slice = door.read(move |reader| reader.pools(&scope, &page)).await?;
    Ok(shown(&page::list("pool", slice, |one| one.id, |one| PoolView::from(&one))))
}

/// Read a pool
#[utoipa::path(
    get, path = "/v1/pools/{id}", tag = "Capacity",
    params(PoolId),
    responses((status = 200, description = "The pool", body = PoolView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<PoolId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.pool(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.provider));
    let found = found.ok_or_else(|| Problem::not_found("pool"))?;
    Ok(shown(&PoolView::from(&found)))
}

/// Enter a pool
///
/// Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/pools", tag = "Capacity", params(OptionalKeyHeader),
    responses((status = 201, description = "The pool", body = PoolView)),
)]
pub async fn create(
    who: Caller<grant::Offer>,
    key: OptionalKey,
    body: Json<PoolBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let PoolBody { factory_id: factory, sku, phases } = body.value;
    let phases = phases.into_iter().map(Phase::from).collect();
    let id = PoolId::new(fresh());
    door.ask(&who, key, Command::CreatePool { id, factory, sku, phases }).await
}

/// Add a phase
///
/// So many more GPUs from a date on. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/pools/{id}/phases", tag = "Capacity", params(PoolId, OptionalKeyHeader),
    responses((status = 200, description = "The pool", body = PoolView)),
)]
pub async fn add_phase(
    who: Caller<grant::Offer>,
    id: Path<PoolId>,
    key: OptionalKey,
    body: Json<PhaseBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let phase = Phase::from(body.value);
    door.ask(&who, key, Command::AddPhase { pool: id.0, phase }).await
}

/// Enter maintenance
///
/// So many fewer GPUs within a window; the answer names the contracts it touches. Needs the right
/// `offer`.
#[utoipa::path(
    post, path = "/v1/pools/{id}/maintenance", tag = "Capacity", params(PoolId, OptionalKeyHeader),
    responses((status = 200, description = "The pool and what is touched", body = MaintenanceView)),
)]
pub async fn add_maintenance(
    who: Caller<grant::Offer>,
    id: Path<PoolId>,
    key: OptionalKey,
    body: Json<MaintenanceBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let MaintenanceBody { start_at, end_at, gpus, note } = body.value;
    let window = window(start_at, end_at)?;
    door.ask(&who, key, Command::AddMaintenance { pool: id.0, window, gpus, note }).await
}

/// Read a pool's schedule
///
/// What is installed, taken and free, stretch by stretch, exact to the minute.
#[utoipa::path(
    get, path = "/v1/pools/{id}/schedule", tag = "Capacity",
    params(PoolId, ScheduleQuery),
    responses((status = 200, description = "The schedule", body = List<PoolStretchView>)),
)]
pub async fn schedule(
    who: Caller<grant::View>,
    id: Path<PoolId>,
    query: Query<ScheduleQuery>,
    door: Data<Door>,
) -> Reply {
    let view = door.market()?;
    let shelf = view.shelves.get(&id.0).filter(|shelf| who.sees(shelf.provider)).cloned();
    let shelf = shelf.ok_or_else(|| Problem::not_found("pool"))?;
    let now = door.desk.clock().now().minute();
    let window = span(Span { from: query.from, to: query.to, now })?;
    let stretches = super::off_thread(move || stretches(&shelf, window)).await?;
    Ok(shown(&page::whole(stretches)))
}

/// The stretches of a pool's picture within a window, in order.
fn stretches(shelf: &Shelf, window: Window) -> Vec<PoolStretchView> {
    let mut free = Schedule::empty();
    shelf.offers.iter().for_each(|offer| free.add_all(&offer.free));
    let mut changes: Vec<Minute> = vec![window.start(), window.end()];
    for schedule in [&shelf.installed, &shelf.room, &free] {
        changes.extend(schedule.changes_within(window));
    }
    changes.sort_unstable();
    changes.dedup();
    let stretch = |pair: &[Minute]| {
        let (installed, room) = (shelf.installed.at(pair[0]), shelf.room.at(pair[0]));
        PoolStretchView {
            start_at: Moment(pair[0]),
            end_at: Moment(pair[1]),
            installed_gpus: installed,
            taken_gpus: installed - room,
            free_gpus: free.at(pair[0]).min(room).max(0),
        }
    };
    changes.windows(2).map(stretch).collect()
}
