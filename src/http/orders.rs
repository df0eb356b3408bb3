//! `/v1/orders`: requests for blocks, one by one or many at once, and how they ended.

use std::collections::BTreeSet;

use actix_web::web::Data;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Asker, Caller, grant};
use super::contracts::ContractView;
use super::idempotency::{KeyHeader, OptionalKey, OptionalKeyHeader, RequiredKey, Scope};
use super::json::{Json, NoBody, Nothing, fingerprint, read_value};
use super::matching::ShortageView;
use super::money::{Amount, PriceText};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{DryRun, Path, Query};
use super::reply::{Reply, scribe, shown};
use super::time::{Instant, Moment, StartAt};
use super::{Door, fresh};
use crate::engine::command::{OrderKind, PlaceOrder};
use crate::engine::contract::Contract;
use crate::engine::order::{Ask, Order, OrderState, Reason, TimeInForce};
use crate::engine::{Answer, Command, Key, Refusal};
use crate::model::id::{ContractId, OrderId, OrgId, QuoteId};
use crate::model::{Code, RegionCode, SkuCode, Workload};
use crate::store::read::OrderFilter;

/// Orders in one batch.
const BATCH_MAX: usize = 1_000;

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TimeInForce)]
pub enum Stay {
    /// Fill now or expire.
    #[default]
    Ioc,
    /// Rest until cancelled or its latest start passes.
    Gtc,
    /// As `gtc`, and not beyond `good_till`.
    Gtd,
}

/// A request for a block: either the terms, or the `quote_id` of a firm quote and nothing of the
/// terms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(
    json!({
        "sku": "gb300-nvl72", "regions": ["id-batam", "au-sydney"], "gpus": 144,
        "start_at": { "earliest": "2027-02-01T00:00:00Z", "latest": "2027-02-08T00:00:00Z" },
        "duration_hours": 336, "limit_price_per_gpu_hour": "3.20", "time_in_force": "ioc",
        "workload": "post_training", "client_order_id": "train-42",
    }),
    json!({ "quote_id": "quo_01h2xcejqtf2nbrexx3vqjhp41" }),
))]
pub struct OrderBody {
    /// The SKU, if only one will do.
    #[schema(value_type = Option<Code>)]
    sku: Option<SkuCode>,
    /// SKUs of which any will do, instead of `sku`.
    #[serde(default)]
    #[schema(value_type = Vec<Code>, max_items = 16)]
    skus: Vec<SkuCode>,
    /// The region, if only one will do.
    #[schema(value_type = Option<Code>)]
    region: Option<RegionCode>,
    /// Regions of which any will do; all when empty.
    #[serde(default)]
    #[schema(value_type = Vec<Code>, max_items = 16)]
    regions: Vec<RegionCode>,
    #[schema(minimum = 1, maximum = 2_000_000)]
    gpus: Option<u32>,
    /// Fewer will do, down to this many.
    min_gpus: Option<u32>,
    start_at: Option<StartAt>,
    /// One of `duration_hours` and `duration_minutes`.
    #[schema(minimum = 1)]
    duration_hours: Option<u32>,
    #[schema(minimum = 1)]
    duration_minutes: Option<u32>,
    /// The most the average may be.
    limit_price_per_gpu_hour: Option<PriceText>,
    time_in_force: Option<Stay>,
    /// For `gtd`: not beyond this instant.
    good_till: Option<Moment>,
    workload: Option<Workload>,
    /// Your own reference.
    #[schema(max_length = 128)]
    client_order_id: Option<String>,
    /// A firm quote, taken as it stands.
    quote_id: Option<QuoteId>,
}

/// One order of a batch: an order's fields, and its own key.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the entries of a batch")]
pub struct BatchOrderBody {
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: String,
    #[schema(inline)]
    order: OrderBody,
}

/// Up to a thousand orders.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// Each `{"idempotency_key": ..., "order": {...}}`.
    #[schema(value_type = Vec<BatchOrderBody>, min_items = 1, max_items = 1000)]
    orders: Vec<BatchEntry>,
}

/// One order of a batch, its own fields not looked at yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchEntry {
    idempotency_key: String,
    order: Value,
}

/// How one order of a batch ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswerView {
    idempotency_key: String,
    /// The status that the order alone would have had.
    status: u16,
    /// Whether this is the first answer under the key, given again.
    replayed: bool,
    #[schema(value_type = Option<OrderView>)]
    order: Option<Value>,
    #[schema(value_type = Option<super::problem::ProblemView>)]
    problem: Option<Value>,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    id: OrderId,
    organization_id: OrgId,
    client_order_id: Option<String>,
    state: OrderState,
    reason: Option<Reason>,
    /// Why it did not fill, when it was last tried.
    explanation: Option<ShortageView>,
    #[schema(value_type = Vec<Code>)]
    skus: Vec<SkuCode>,
    #[schema(value_type = Vec<Code>)]
    regions: Vec<RegionCode>,
    gpus: u32,
    min_gpus: Option<u32>,
    start_at: StartAt,
    /// The starts that `start_at` meant when it was decided.
    earliest_start_at: Moment,
    latest_start_at: Moment,
    duration_minutes: i64,
    limit_price_per_gpu_hour: Option<PriceText>,
    time_in_force: Stay,
    good_till: Option<Moment>,
    workload: Option<Workload>,
    quote_id: Option<QuoteId>,
    contract_id: Option<ContractId>,
    filled_gpus: u32,
    average_price_per_gpu_hour: Option<PriceText>,
    value: Option<Amount>,
    /// Credit held while it rests.
    held: Amount,
    /// The contract it made; not in lists.
    contract: Option<ContractView>,
    created_at: Instant,
    changed_at: Instant,
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrdersQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<OrderState>,
    client_order_id: Option<String>,
}

/// The fields that quotes and orders share, before they are one ask.
#[derive(Debug)]
pub struct AskParts {
    pub sku: Option<SkuCode>,
    pub skus: Vec<SkuCode>,
    pub region: Option<RegionCode>,
    pub regions: Vec<RegionCode>,
    pub gpus: Option<u32>,
    pub min_gpus: Option<u32>,
    pub start_at: Option<StartAt>,
    pub duration_hours: Option<u32>,
    pub duration_minutes: Option<u32>,
    pub limit: Option<PriceText>,
    pub workload: Option<Workload>,
}

fn missing(name: &str) -> Problem {
    Problem::field(format!("/{name}"), "missing_field", format!("Missing field `{name}`."))
}

/// One or several, under two names of which one is used.
fn one_or_several(name: &str, one: Option<Code>, several: Vec<Code>) -> Result<Vec<Code>, Problem> {
    match (one, several.is_empty()) {
        (Some(one), true) => Ok(vec![one]),
        (None, _) => Ok(several),
        (Some(_), false) => {
            let detail = format!("Use either {name} or {name}s.");
            Err(Problem::field(format!("/{name}s"), "conflict", detail))
        }
    }
}

impl AskParts {
    fn is_empty(&self) -> bool {
        let Self { sku, skus, region, regions, gpus, min_gpus, .. } = self;
        let no_place = sku.is_none() && skus.is_empty() && region.is_none() && regions.is_empty();
        let no_size = gpus.is_none() && min_gpus.is_none() && self.workload.is_none();
        let no_time = self.start_at.is_none()
            && self.duration_hours.is_none()
            && self.duration_minutes.is_none();
        no_place && no_size && no_time && self.limit.is_none()
    }

    /// What is wanted, once nothing that must be said is missing.
    pub fn into_ask(self) -> Result<Ask, Problem> {
        let minutes = match (self.duration_hours, self.duration_minutes) {
            (Some(hours), None) => i64::from(hours).saturating_mul(60),
            (None, Some(minutes)) => i64::from(minutes),
            (None, None) => return Err(missing("duration_hours")),
            (Some(_), Some(_)) => {
                let detail = "Use either duration_hours or duration_minutes.";
                return Err(Problem::field("/duration_minutes", "conflict", detail));
            }
        };
        let skus = one_or_several("sku", self.sku, self.skus)?;
        if skus.is_empty() {
            return Err(missing("sku"));
        }
        Ok(Ask {
            skus,
            regions: one_or_several("region", self.region, self.regions)?,
            gpus: self.gpus.ok_or_else(|| missing("gpus"))?,
            min_gpus: self.min_gpus,
            start: self.start_at.ok_or_else(|| missing("start_at"))?.0,
            minutes,
            limit: self.limit.map(|limit| limit.0),
            workload: self.workload,
        })
    }
}

impl OrderBody {
    fn into_command(self, dry_run: bool) -> Result<Command, Problem> {
        let parts = AskParts {
            sku: self.sku,
            skus: self.skus,
            region: self.region,
            regions: self.regions,
            gpus: self.gpus,
            min_gpus: self.min_gpus,
            start_at: self.start_at,
            duration_hours: self.duration_hours,
            duration_minutes: self.duration_minutes,
            limit: self.limit_price_per_gpu_hour,
            workload: self.workload,
        };
        let stay = (self.time_in_force, self.good_till);
        let kind = match self.quote_id {
            Some(quote) if parts.is_empty() && stay == (None, None) => OrderKind::Quote(quote),
            Some(_) => {
                let detail = "A firm quote is taken as it stands; leave the terms out.";
                return Err(Problem::field("/quote_id", "conflict", detail));
            }
            None if parts.limit.is_none() => return Err(missing("limit_price_per_gpu_hour")),
            None => OrderKind::Ask { ask: parts.into_ask()?, time_in_force: time_in_force(stay)? },
        };
        let (id, client_order_id) = (OrderId::new(fresh()), self.client_order_id);
        Ok(Command::PlaceOrder(PlaceOrder { id, kind, client_order_id, dry_run }))
    }
}

fn time_in_force(stay: (Option<Stay>, Option<Moment>)) -> Result<TimeInForce, Problem> {
    match stay {
        (None | Some(Stay::Ioc), None) => Ok(TimeInForce::Ioc),
        (Some(Stay::Gtc), None) => Ok(TimeInForce::Gtc),
        (Some(Stay::Gtd), Some(until)) => Ok(TimeInForce::Gtd(until.0)),
        (Some(Stay::Gtd), None) => Err(missing("good_till")),
        (_, Some(_)) => {
            let detail = "good_till goes with time_in_force gtd.";
            Err(Problem::field("/good_till", "conflict", detail))
        }
    }
}

impl OrderView {
    pub fn new(order: &Order, contract: Option<&Contract>) -> Self {
        let (time_in_force, good_till) = match order.time_in_force {
            TimeInForce::Ioc => (Stay::Ioc, None),
            TimeInForce::Gtc => (Stay::Gtc, None),
            TimeInForce::Gtd(until) => (Stay::Gtd, Some(Moment(until))),
        };
        let ask = &order.ask;
        Self {
            id: order.id,
            organization_id: order.org,
            client_order_id: order.client_order_id.clone(),
            state: order.state,
            reason: order.reason,
            explanation: order.explanation.as_deref().map(ShortageView::from),
            skus: ask.skus.clone(),
            regions: ask.regions.clone(),
            gpus: ask.gpus,
            min_gpus: ask.min_gpus,
            start_at: StartAt(ask.start),
            earliest_start_at: Moment(order.earliest),
            latest_start_at: Moment(order.latest),
            duration_minutes: ask.minutes,
            limit_price_per_gpu_hour: ask.limit.map(PriceText),
            time_in_force,
            good_till,
            workload: ask.workload,
            quote_id: order.quote,
            contract_id: order.contract,
            filled_gpus: order.filled_gpus,
            average_price_per_gpu_hour: order.average.map(PriceText),
            value: order.value.map(Amount),
            held: Amount(order.hold),
            contract: contract.map(ContractView::from),
            created_at: Instant(order.created_at),
            changed_at: Instant(order.changed_at),
        }
    }
}

/// List orders
///
/// The caller's organization's; everybody's for the operator's people.
#[utoipa::path(
    get, path = "/v1/orders", tag = "Trading",
    params(OrdersQuery),
    responses((status = 200, description = "A page", body = List<OrderView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<OrdersQuery>, door: Data<Door>) -> Reply {
    let OrdersQuery { limit, cursor, state, client_order_id } = query.0;
    let page = page::page("order", limit, cursor.as_deref())?;
    let filter = OrderFilter { org: who.scope(), state, client_order_id };
    let slice = door.read(move |reader| reader.orders(&filter, &page)).await?;
    Ok(shown(&page::list("order", slice, |one| one.id, |one| OrderView::new(&one, None))))
}

/// Read an order
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "Trading",
    params(OrderId),
    responses((status = 200, description = "The order, with its contract", body = OrderView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<OrderId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| {
        let Some(order) = reader.order(&id.0)? else { return Ok(None) };
        let contract = order.contract.map(|id| reader.contract(&id)).transpose()?.flatten();
        Ok(Some((order, contract)))
    });
    let found = found.await?.filter(|(order, _)| who.sees(order.org));
    let (order, contract) = found.ok_or_else(|| Problem::not_found("order"))?;
    Ok(shown(&OrderView::new(&order, contract.as_ref())))
}

/// Place an order
///
/// Decided at once: filled, resting, expired or rejected, with the reason and what is near. An
/// answer that depends on the market is a 201 with the order, so that it can be audited and
/// repeated; lack of credit is a 402 and makes no order. With `dry_run=true` every check runs and
/// nothing changes. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/orders", tag = "Trading", params(DryRun, KeyHeader),
    responses(
        (status = 201, description = "The order, as it was decided", body = OrderView),
        (status = 200, description = "What a dry run found", body = OrderView),
    ),
)]
pub async fn create(
    who: Caller<grant::Trade>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<OrderBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let (org, quote) = (who.organization(), body.value.quote_id);
    let command = body.value.into_command(query.dry_run)?;
    if query.dry_run {
        return door.ask_dry(&who, command).await;
    }
    door.ask_about(&who, Some(key), command, move |reader| {
        let found = quote.map(|id| reader.quote(&id)).transpose()?.flatten();
        let found = found.filter(|one| one.org == org);
        Ok(found.map(|one| Refusal::QuoteGone { state: one.state.as_str() }))
    })
    .await
}

/// Cancel an order
///
/// One that rests; its hold is freed. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", tag = "Trading",
    params(OrderId, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The order, cancelled", body = OrderView)),
)]
pub async fn cancel(
    who: Caller<grant::Trade>,
    id: Path<OrderId>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let org = who.organization();
    let command = Command::CancelOrder { id: id.0 };
    door.ask_about(&who, key, command, move |reader| {
        let found = reader.order(&id.0)?.filter(|one| one.org == org);
        let (kind, needed) = ("order", OrderState::Open.as_str());
        Ok(found.map(|one| Refusal::WrongState { kind, state: one.state.as_str(), needed }))
    })
    .await
}

/// Place many orders
///
/// Up to a thousand, each under its own key and decided by itself: one that fails does not touch
/// the others. The answers come in the order of the requests. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/orders/batch", tag = "Trading",
    responses((status = 200, description = "One answer for each", body = List<BatchAnswerView>)),
)]
pub async fn batch(who: Caller<grant::Trade>, body: Json<BatchBody>, door: Data<Door>) -> Reply {
    let orders = body.value.orders;
    if orders.is_empty() || orders.len() > BATCH_MAX {
        let detail = format!("A batch has 1 to {BATCH_MAX} orders, not {}.", orders.len());
        return Err(Problem::field("/orders", "out_of_bounds", detail));
    }
    let mut seen = BTreeSet::new();
    let mut scopes = Vec::with_capacity(orders.len());
    for (place, entry) in orders.iter().enumerate() {
        let scope = Scope::new("POST", "/v1/orders/batch", &entry.idempotency_key);
        let pointer = format!("/orders/{place}/idempotency_key");
        if !seen.insert(entry.idempotency_key.as_str()) {
            return Err(Problem::field(
                pointer,
                "duplicate",
                "The key stands twice in this batch.",
            ));
        }
        scopes.push(scope.map_err(|no| Problem::field(pointer, "invalid", no.detail()))?);
    }
    let each = orders.into_iter().zip(scopes).enumerate().map(|(place, (entry, scope))| {
        let (who, door) = (&who, &door);
        async move {
            let fingerprint = fingerprint(entry.order.to_string().as_bytes());
            let key = scope.over(who.organization(), fingerprint);
            let answer = one_of_batch(who, door, place, entry.order, key).await;
            batch_answer(entry.idempotency_key, answer, who.request())
        }
    });
    Ok(shown(&page::whole(join_all(each).await)))
}

/// One order's answer: its status, its body, and whether it was given before.
async fn one_of_batch(
    who: &Caller<grant::Trade>,
    door: &Door,
    place: usize,
    order: Value,
    key: Key,
) -> Result<(u16, Vec<u8>, bool), Problem> {
    let order: OrderBody = read_value(&format!("/orders/{place}/order"), order)?;
    let done = door.submit(who, Some(key), order.into_command(false)?).await?;
    if let Ok(Answer::Known { key, seq }) = done.outcome {
        let kept = door.kept(key, seq).await?;
        return Ok((kept.status, kept.body, true));
    }
    let written = done.written.unwrap_or_else(|| scribe(&done.outcome, who.request(), done.at));
    Ok((written.status, written.body, false))
}

fn batch_answer(
    idempotency_key: String,
    answer: Result<(u16, Vec<u8>, bool), Problem>,
    request: uuid::Uuid,
) -> BatchAnswerView {
    let (status, body, replayed) = match answer {
        Ok((status, body, replayed)) => {
            (status, serde_json::from_slice(&body).unwrap_or(Value::Null), replayed)
        }
        Err(problem) => (problem.kind().status, problem.value(request), false),
    };
    let (order, problem) = if status < 400 { (Some(body), None) } else { (None, Some(body)) };
    BatchAnswerView { idempotency_key, status, replayed, order, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json::read;

    fn command(body: &str) -> Result<Command, (String, String)> {
        let body: Result<OrderBody, Problem> = read(body.as_bytes());
        let first = |no: Problem| (no.errors()[0].pointer.clone(), no.errors()[0].code.clone());
        body.and_then(|body| body.into_command(false)).map_err(first)
    }

    const WHOLE: &str = r#""sku":"gb300-nvl72","gpus":144,"start_at":"now","duration_hours":336,
        "limit_price_per_gpu_hour":"3.20""#;

    #[test]
    fn an_order_is_terms_or_a_quote() {
        assert!(command(&format!("{{{WHOLE}}}")).is_ok());
        assert!(command(r#"{"quote_id":"quo_01h2xcejqtf2nbrexx3vqjhp41"}"#).is_ok());
        assert!(
            command(&format!(
                r#"{{{WHOLE},"time_in_force":"gtd","good_till":"2027-02-01T00:00:00Z"}}"#
            ))
            .is_ok()
        );
        for (more, pointer, code) in [
            (r#""quote_id":"quo_01h2xcejqtf2nbrexx3vqjhp41""#, "/quote_id", "conflict"),
            (r#""skus":["h200-hgx8"]"#, "/skus", "conflict"),
            (r#""duration_minutes":60"#, "/duration_minutes", "conflict"),
            (r#""time_in_force":"gtd""#, "/good_till", "missing_field"),
            (r#""good_till":"2027-02-01T00:00:00Z""#, "/good_till", "conflict"),
            (r#""time_in_force":"fok""#, "/time_in_force", "unknown_value"),
            (r#""hours":3"#, "/hours", "unknown_field"),
        ] {
            let no = command(&format!("{{{WHOLE},{more}}}")).expect_err(more);
            assert_eq!((no.0.as_str(), no.1.as_str()), (pointer, code), "{more}");
        }
        for name in ["sku", "gpus", "start_at", "duration_hours", "limit_price_per_gpu_hour"] {
            let body: Value = serde_json::from_str(&format!("{{{WHOLE}}}")).expect("JSON");
            let mut members = body.as_object().expect("an object").clone();
            members.remove(name);
            let no = command(&Value::Object(members).to_string()).expect_err(name);
            assert_eq!(no, (format!("/{name}"), "missing_field".to_owned()));
        }
    }
}
