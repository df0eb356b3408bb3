//! `/v1/quotes`: what a block would cost; firm ones hold it for a few minutes.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::Json;
use super::matching::AllocationView;
use super::money::{Amount, PriceText};
use super::orders::AskParts;
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment, StartAt};
use super::{Door, fresh};
use crate::engine::Command;
use crate::engine::quote::{Quote, QuoteState};
use crate::model::id::{OrderId, OrgId, PoolId, QuoteId};
use crate::model::{Code, RegionCode, SkuCode, Workload, limits};

/// A block to be priced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "sku": "gb300-nvl72", "regions": ["id-batam", "au-sydney"], "gpus": 144,
    "start_at": { "earliest": "2027-02-01T00:00:00Z", "latest": "2027-02-08T00:00:00Z" },
    "duration_hours": 336, "firm": true, "ttl_seconds": 300,
    }))]
pub struct QuoteBody {
    /// The SKU, if only one will do.
    #[schema(value_type = Option<Code>)]
    sku: Option<SkuCode>,
    /// SKUs of which any will do, instead of `sku`.
    #[serde(default)]
    #[schema(value_type = Vec<Code>, max_items = 16)]
    skus: Vec<SkuCode>,
    /// Regions of which any will do; all when empty.
    #[serde(default)]
    #[schema(value_type = Vec<Code>, max_items = 16)]
    regions: Vec<RegionCode>,
    #[schema(minimum = 1, maximum = 2_000_000)]
    gpus: u32,
    /// Fewer will do, down to this many.
    min_gpus: Option<u32>,
    start_at: StartAt,
    /// One of `duration_hours` and `duration_minutes`.
    #[schema(minimum = 1)]
    duration_hours: Option<u32>,
    #[schema(minimum = 1)]
    duration_minutes: Option<u32>,
    /// The most the average may be; any price when left out.
    limit_price_per_gpu_hour: Option<PriceText>,
    workload: Option<Workload>,
    /// Hold the block and the credit for it.
    #[serde(default)]
    firm: bool,
    /// How long a firm quote holds.
    #[schema(minimum = 1, maximum = 900, default = 300)]
    ttl_seconds: Option<u32>,
}

/// The exact cheapest block, and what it would do to the credit line.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteView {
    id: QuoteId,
    organization_id: OrgId,
    state: QuoteState,
    firm: bool,
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Code)]
    region: RegionCode,
    pool_id: PoolId,
    provider: OrgId,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    total: Amount,
    average_price_per_gpu_hour: Option<PriceText>,
    allocations: Vec<AllocationView>,
    /// What an order for it would hold on the line.
    required_hold: Amount,
    /// What would be left on the line; `null` without one, negative when it would not do.
    credit_after: Option<Amount>,
    /// When a firm quote lets go.
    expires_at: Option<Instant>,
    /// The order that took it.
    order_id: Option<OrderId>,
    created_at: Instant,
}

/// Which page of quotes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuotesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How long a firm quote holds when nothing is said.
const TTL_DEFAULT: i64 = 300;

impl From<&Quote> for QuoteView {
    fn from(one: &Quote) -> Self {
        let block = &one.block;
        Self {
            id: one.id,
            organization_id: one.org,
            state: one.state,
            firm: one.state != QuoteState::Indicative,
            sku: block.sku.clone(),
            region: block.region.clone(),
            pool_id: block.pool,
            provider: block.provider,
            gpus: block.gpus,
            start_at: Moment(block.window.start()),
            end_at: Moment(block.window.end()),
            total: Amount(block.value),
            average_price_per_gpu_hour: block
                .worth
                .average(block.gpus, block.window.minutes())
                .map(PriceText),
            allocations: block.draws.iter().map(AllocationView::from).collect(),
            required_hold: Amount(block.value),
            credit_after: one.credit_after.map(Amount),
            expires_at: one.expires_at.map(Instant),
            order_id: one.order,
            created_at: Instant(one.created_at),
        }
    }
}

impl QuoteBody {
    fn into_command(self) -> Result<Command, Problem> {
        let hold_secs = match (self.firm, self.ttl_seconds) {
            (true, ttl) => Some(ttl.map_or(TTL_DEFAULT, i64::from)),
            (false, None) => None,
            (false, Some(_)) => {
                let detail = "Only firm quotes hold; leave ttl_seconds out or send firm: true.";
                return Err(Problem::field("/ttl_seconds", "not_firm", detail));
            }
        };
        if hold_secs.is_some_and(|secs| !(1..=limits::QUOTE_SECONDS_MAX).contains(&secs)) {
            let detail = format!("ttl_seconds is 1 to {}.", limits::QUOTE_SECONDS_MAX);
            return Err(Problem::field("/ttl_seconds", "out_of_bounds", detail));
        }
        let parts = AskParts {
            sku: self.sku,
            skus: self.skus,
            region: None,
            regions: self.regions,
            gpus: Some(self.gpus),
            min_gpus: self.min_gpus,
            start_at: Some(self.start_at),
            duration_hours: self.duration_hours,
            duration_minutes: self.duration_minutes,
            limit: self.limit_price_per_gpu_hour,
            workload: self.workload,
        };
        Ok(Command::Quote { id: QuoteId::new(fresh()), ask: parts.into_ask()?, hold_secs })
    }
}

/// List firm quotes
#[utoipa::path(
    get, path = "/v1/quotes", tag = "Trading",
    params(QuotesQuery),
    responses((status = 200, description = "A page", body = List<QuoteView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<QuotesQuery>, door: Data<Door>) -> Reply {
    let page = page::page("quote", query.limit, query.cursor.as_deref())?;
    let scope = who.scope();
    let slice = door.read(move |reader| reader.quotes(&scope, &page)).await?;
    Ok(shown(&page::list("quote", slice, |one| one.id, |one| QuoteView::from(&one))))
}

/// Read a firm quote
#[utoipa::path(
    get, path = "/v1/quotes/{id}", tag = "Trading",
    params(QuoteId),
    responses((status = 200, description = "The quote", body = QuoteView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<QuoteId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.quote(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.org));
    let found = found.ok_or_else(|| Problem::not_found("quote"))?;
    Ok(shown(&QuoteView::from(&found)))
}

/// Ask for a quote
///
/// The exact cheapest block. An indicative quote holds nothing and is kept nowhere; a firm one
/// holds the block and the credit for `ttl_seconds`, and needs an `Idempotency-Key`. Needs the
/// right `trade`.
#[utoipa::path(
    post, path = "/v1/quotes", tag = "Trading", params(OptionalKeyHeader),
    responses((status = 201, description = "The quote", body = QuoteView)),
)]
pub async fn create(
    who: Caller<grant::Trade>,
    key: OptionalKey,
    body: Json<QuoteBody>,
    door: Data<Door>,
) -> Reply {
    let (org, fingerprint) = (who.organization(), body.fingerprint);
    let key = if body.value.firm {
        Some(key.required()?.over(org, fingerprint))
    } else {
        key.over(org, fingerprint)
    };
    door.ask(&who, key, body.value.into_command()?).await
}
