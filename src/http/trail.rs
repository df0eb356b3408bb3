//! What happens to every request, whatever it asks: an id, one log line, one measurement, problems
//! rendered, headers that protect pages.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use metrics::{Counter, Histogram};
use uuid::Uuid;

use super::caller::{Named, RequestId};
use super::problem::Problem;
use super::socket::{self, Socket};
use crate::sequencer::Stopwatch;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Pages run their own scripts only, load nothing from elsewhere and are framed by nobody.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; \
                      style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// Follows one request from its arrival to its answer.
///
/// # Errors
/// What the rooms within did not turn into an answer themselves.
pub async fn trail(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let watch = Stopwatch::start();
    let id = incoming(request.headers()).unwrap_or_else(super::fresh);
    request.extensions_mut().insert(RequestId(id));
    let socket = request.conn_data::<Arc<Socket>>().cloned();
    socket.iter().for_each(|socket| socket.begins());
    let mut answer = next.call(request).await?.map_into_boxed_body();
    let problem = answer.response_mut().extensions_mut().remove::<Problem>();
    if let Some(problem) = problem {
        answer = render(answer, &problem, id);
    }
    finish_headers(answer.headers_mut(), id);
    note(&answer, id, watch);
    Ok(answer.map_body(|_, body| socket::stepping(body, socket.as_ref())))
}

/// A caller's own id, when it is a UUID: it goes into the audit trail and the events.
fn incoming(headers: &HeaderMap) -> Option<Uuid> {
    let text = headers.get(&REQUEST_ID)?.to_str().ok()?;
    (text.len() == 36).then(|| Uuid::try_parse(text).ok())?
}

/// Writes a problem now that the request's id is known.
fn render(answer: ServiceResponse, problem: &Problem, id: Uuid) -> ServiceResponse {
    let (request, bare) = answer.into_parts();
    let mut rendered = problem.response(id);
    // What the rooms within said besides, such as how the caller's quota stands.
    for (name, value) in bare.headers() {
        if !rendered.headers().contains_key(name) {
            rendered.headers_mut().insert(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, rendered)
}

fn finish_headers(headers: &mut HeaderMap, id: Uuid) {
    let mut text = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut text);
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(REQUEST_ID, value);
    }
    let set = HeaderValue::from_static;
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, set("nosniff"));
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"text/html")) {
        headers.insert(header::CONTENT_SECURITY_POLICY, set(POLICY));
        headers.insert(header::REFERRER_POLICY, set("no-referrer"));
        headers.insert(header::X_FRAME_OPTIONS, set("DENY"));
    } else if !headers.contains_key(header::CACHE_CONTROL) {
        // Answers are about one caller at one instant.
        headers.insert(header::CACHE_CONTROL, set("no-store"));
    }
}

/// One line and one measurement. Never a token, a body or an address.
fn note(answer: &ServiceResponse, id: Uuid, watch: Stopwatch) {
    let request = answer.request();
    let (method, status) = (request.method(), answer.status());
    let route = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
    let seconds = watch.seconds();
    let org = request.extensions().get::<Named>().map(|named| named.0);
    let org = org.map(tracing::field::display);
    let (method, code) = (known(method), status.as_u16());
    if status.is_server_error() {
        tracing::error!(target: "access", method, route, code, seconds, request = %id, org);
    } else {
        tracing::info!(target: "access", method, route, code, seconds, request = %id, org);
    }
    measure(method, route, code, seconds);
}

/// The method's name; strangers' inventions share one, so that they cannot fill the metrics.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

type Measured = (&'static str, String, u16);

thread_local! {
    /// Looking a metric up by its labels costs more than counting; each worker keeps what it has
    /// found.
    static FOUND: RefCell<BTreeMap<Measured, (Counter, Histogram)>> = RefCell::default();
}

fn measure(method: &'static str, route: String, status: u16, seconds: f64) {
    FOUND.with_borrow_mut(|found| {
        let key = (method, route, status);
        let (count, duration) = found.entry(key).or_insert_with_key(|(method, route, status)| {
            let labels = [
                ("method", (*method).to_owned()),
                ("route", route.clone()),
                ("status", status.to_string()),
            ];
            let count = metrics::counter!("headroom_http_requests_total", &labels);
            (count, metrics::histogram!("headroom_http_request_seconds", &labels))
        });
        count.increment(1);
        duration.record(seconds);
    });
}
