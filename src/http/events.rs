//! `/v1/events`: what an organization is told, as a list to catch up with and as a stream to stay
//! with.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Door;
use super::caller::{Caller, grant};
use super::money::{PriceText, money};
use super::page::{List, bounded};
use super::problem::Problem;
use super::query::Query;
use super::reply::{Reply, shown};
use super::time::{Instant, Moment, MonthText};
use crate::engine::event::{Event, EventData, EventKind};
use crate::engine::party::UserState;
use crate::model::id::{EventId, KeyId, OrgId, SessionId};
use crate::model::limits;
use crate::view::View;

/// Streams open at once: each keeps a connection and a little memory.
const STREAMS_MAX: usize = 1_024;

/// A comment now and then keeps proxies from closing a quiet stream, and finds out who has left.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// One fact, told to one organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    id: EventId,
    r#type: EventKind,
    at: Instant,
    /// The place in the organization's sequence: 1, 2, 3, without gaps.
    seq: u64,
    organization: OrgId,
    /// The request that caused it.
    request_id: Uuid,
    /// The thing's `object`, `id` and what matters of it.
    data: Value,
    /// The state before, where there was one.
    previous: Option<String>,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The `seq` of the last event you have; 0 for the beginning.
    #[serde(default)]
    after: u64,
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// For the operator's people: another organization's.
    organization: Option<OrgId>,
}

/// Where a stream begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// The `seq` of the last event you have. The header `Last-Event-ID` says the same and wins;
    /// without both the stream begins with what happens next.
    after: Option<u64>,
}

impl From<&Event> for EventView {
    fn from(one: &Event) -> Self {
        Self {
            id: one.id,
            r#type: one.kind,
            at: Instant(one.at),
            seq: one.no,
            organization: one.org,
            request_id: one.request,
            data: data(&one.data),
            previous: one.previous.clone(),
        }
    }
}

/// What happened, in the words of the API.
fn data(data: &EventData) -> Value {
    match data {
        EventData::Organization { id, state } => {
            json!({ "object": "organization", "id": id, "state": state })
        }
        EventData::Pool { id, sku, region } => {
            json!({ "object": "pool", "id": id, "sku": sku, "region": region })
        }
        EventData::Listing { id, pool, state, gpus, window, price } => json!({
            "object": "listing", "id": id, "pool_id": pool, "state": state, "gpus": gpus,
            "start_at": Moment(window.start()), "end_at": Moment(window.end()),
            "price_per_gpu_hour": PriceText(*price),
        }),
        EventData::Application { id, state, requested, line } => json!({
            "object": "credit_application", "id": id, "state": state,
            "requested_limit": money(*requested), "credit_line_id": line,
        }),
        EventData::Line { id, state, limit } => json!({
            "object": "credit_line", "id": id, "state": state, "limit": money(*limit),
        }),
        EventData::Quote { id } => json!({ "object": "quote", "id": id }),
        EventData::Invoice { id, month, state, total, outstanding } => json!({
            "object": "invoice", "id": id, "month": MonthText(*month), "state": state,
            "total": money(*total), "outstanding": money(*outstanding),
        }),
        EventData::Payment { id, amount } => {
            json!({ "object": "payment", "id": id, "amount": money(*amount) })
        }
        EventData::Payout { id, payable, state, amount } => json!({
            "object": "payout", "id": id, "payable": payable, "state": state,
            "amount": money(*amount),
        }),
        EventData::Period { month, state } => {
            json!({ "object": "period", "month": MonthText(*month), "state": state })
        }
        EventData::Claim { line, program, amount, paid } => json!({
            "object": "claim", "credit_line_id": line, "program_id": program,
            "amount": money(*amount), "paid": money(*paid),
        }),
        EventData::Incident { id, pool, cause, state, start, end } => json!({
            "object": "incident", "id": id, "pool_id": pool, "cause": cause, "state": state,
            "start_at": Moment(*start), "end_at": Moment(*end),
        }),
        EventData::Order { id, state, reason, filled_gpus, contract } => json!({
            "object": "order", "id": id, "state": state, "reason": reason,
            "filled_gpus": filled_gpus, "contract_id": contract,
        }),
        EventData::Contract { id, order, pool, sku, state, gpus, start, end, value } => json!({
            "object": "contract", "id": id, "order_id": order, "pool_id": pool, "sku": sku,
            "state": state, "gpus": gpus, "start_at": Moment(*start), "end_at": Moment(*end),
            "value": money(*value),
        }),
    }
}

/// List events
///
/// Oldest first, after the `seq` you have. `next_cursor` is the `after` of the next page.
#[utoipa::path(
    get, path = "/v1/events", tag = "Events",
    params(EventsQuery),
    responses((status = 200, description = "A page, oldest first", body = List<EventView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<EventsQuery>, door: Data<Door>) -> Reply {
    let EventsQuery { after, limit, organization } = query.0;
    let limit = bounded(limit)?;
    let org = organization.unwrap_or_else(|| who.organization());
    if !who.sees(org) {
        return Err(Problem::not_found("organization"));
    }
    // The database counts in signed 64 bits; nobody is told that much.
    let after = after.min(i64::MAX.unsigned_abs());
    let slice = door.read(move |reader| reader.events(org, after, limit)).await?;
    let last = slice.data.last().filter(|_| slice.has_more);
    Ok(shown(&List {
        has_more: slice.has_more,
        next_cursor: last.map(|one| one.no.to_string()),
        data: slice.data.iter().map(EventView::from).collect(),
    }))
}

/// Follow events
///
/// Server-sent events: each with its `seq` as the id, so that a broken stream goes on where it
/// ended. Ends when the caller's session or key does.
#[utoipa::path(
    get, path = "/v1/events/stream", tag = "Events",
    params(StreamQuery),
    responses((status = 200, description = "A stream of events",
            content_type = "text/event-stream",
            body = String)),
)]
pub async fn follow(
    who: Caller<grant::View>,
    query: Query<StreamQuery>,
    request: HttpRequest,
    door: Data<Door>,
) -> Reply {
    let place = Place::take(&door)?;
    let org = who.organization();
    let head = door.desk.view().heads.get(&org).copied().unwrap_or(0);
    let seen = request.headers().get("last-event-id");
    let seen = seen.and_then(|text| text.to_str().ok()?.parse().ok());
    let after = seen.or(query.after).unwrap_or(head);
    let follower = Follower {
        org,
        after,
        credential: Credential { session: who.session(), key: who.key().map(|key| key.id) },
        commits: door.desk.commits(),
        greeted: false,
        _place: place,
        door,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(follower, Follower::next)))
}

/// One of the streams that may be open at once; given back when the stream ends, however it ends.
#[derive(Debug)]
struct Place(Data<Door>);

impl Place {
    fn take(door: &Data<Door>) -> Result<Self, Problem> {
        let free = |open: usize| (open < STREAMS_MAX).then_some(open + 1);
        match door.streams.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Ok(Self(door.clone())),
            Err(_) => Err(Problem::throttled()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let open: &AtomicUsize = &self.0.streams;
        open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a stream was opened with, looked up again as it goes on.
#[derive(Debug)]
struct Credential {
    session: Option<SessionId>,
    key: Option<KeyId>,
}

impl Credential {
    fn is_good(&self, view: &View) -> bool {
        let session = self.session.and_then(|id| view.sessions.get(&id));
        let is_active = |user| view.users.get(&user).is_some_and(|u| u.state == UserState::Active);
        let by_session = session.is_some_and(|one| !one.closed && is_active(one.user));
        by_session || self.key.is_some_and(|id| view.keys.contains_key(&id))
    }
}

/// One reader of the stream.
#[derive(Debug)]
struct Follower {
    door: Data<Door>,
    org: OrgId,
    after: u64,
    credential: Credential,
    commits: watch::Receiver<u64>,
    greeted: bool,
    _place: Place,
}

type Chunk = Result<Bytes, actix_web::Error>;

impl Follower {
    /// The next piece of the stream, and the reader moved on; `None` ends it.
    async fn next(mut self) -> Option<(Chunk, Self)> {
        if !self.greeted {
            self.greeted = true;
            return Some((Ok(Bytes::from_static(b": welcome\nretry: 2000\n\n")), self));
        }
        loop {
            // Marked before looking: a commit in between wakes the wait below.
            self.commits.borrow_and_update();
            let view = self.door.desk.view();
            if !self.credential.is_good(&view) {
                return None;
            }
            if view.heads.get(&self.org).is_some_and(|head| *head > self.after) {
                return self.read().await;
            }
            match tokio::time::timeout(HEARTBEAT, self.commits.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some((Ok(Bytes::from_static(b": heartbeat\n\n")), self)),
            }
        }
    }

    async fn read(mut self) -> Option<(Chunk, Self)> {
        let (org, after) = (self.org, self.after);
        let slice = self.door.read(move |reader| reader.events(org, after, limits::PAGE_MAX));
        let events = slice.await.ok()?.data;
        // The head said that there is more; without it the stream would spin.
        self.after = events.last()?.no;
        let chunk: String = events.iter().map(written).collect();
        Some((Ok(Bytes::from(chunk)), self))
    }
}

/// An event as a stream carries it.
fn written(event: &Event) -> String {
    let view = serde_json::to_string(&EventView::from(event)).expect("views are plain JSON");
    format!("id: {}\nevent: {}\ndata: {view}\n\n", event.no, event.kind)
}
