//! The server about itself: its start page, its health, its measurements, its reference, its
//! problems.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Door;
use super::kind::{self, Kind};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};

/// The look of the few pages that the server writes itself.
const STYLE: &str = "body{font:1rem/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;\
padding:0 \
1rem;color:#1a1a1a;background:#fff}a{color:#0645ad}code{background:#f0f0f0;padding:.1em .3em}\
dt{font-weight:600;margin-top:1rem}dd{margin:0}li{margin:.3rem 0}\
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}a{color:#8ab4f8}\
code{background:#2a2a2a}}";

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    #[schema(example = "ok")]
    /// `ok`, `ready` or `standby`.
    status: &'static str,
}

fn document(title: &str, body: &str) -> HttpResponse {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - \
          Headroom</title><style>{STYLE}</style></head>\n<body><main>\n{body}</main></body>\n\
         </html>\n"
    );
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}

/// The table's texts hold no markup of their own making; what HTML minds is spelled out all the
/// same.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Start page
#[utoipa::path(
    get, path = "/", tag = "Server", security(()),
    responses((status = 200, description = "A page with the way to everything else",
            body = String,
            content_type = "text/html")),
)]
pub async fn home() -> HttpResponse {
    document(
        "Start",
        "<h1>Headroom</h1>\n<p>A marketplace for GPU capacity: blocks of GPUs, in one place, for \
         a window \
         of time, on credit.</p>\n<ul>\
         <li><a href=\"/docs/\">API reference</a>, to read and to try</li>\
         <li><a href=\"/v1/openapi.json\">The OpenAPI document</a></li>\
         <li><a href=\"/v1/market/availability\">What is free now</a></li>\
         <li><a href=\"/problems\">Every kind of problem, explained</a></li>\
         <li><a href=\"/readyz\">Ready?</a> <a href=\"/healthz\">Alive?</a> <a \
          href=\"/metrics\">Measurements</a></li>\
         </ul>\n",
    )
}

/// Alive?
///
/// 200 as long as the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "Server", security(()),
    responses((status = 200, description = "Alive", body = HealthView)),
)]
pub async fn healthy() -> HttpResponse {
    shown(&HealthView { status: "ok" })
}

/// Whether a server that stands by is well too.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReadyQuery {
    /// `ok`: a server that stands by answers 200 and says so. `not_ready` when left out.
    #[serde(default)]
    #[param(inline, required = false)]
    standby: StandbyIs,
}

/// What a server that stands by is to whoever asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandbyIs {
    #[default]
    NotReady,
    Ok,
}

/// Ready?
///
/// 200 when commands are taken and the database can be read: send traffic here. A server that
/// stands by for another one answers 503 with the code `standby`; with `standby=ok` it answers 200
/// with the status `standby`, for those who ask whether it is well.
#[utoipa::path(
    get, path = "/readyz", tag = "Server", security(()),
    params(ReadyQuery),
    responses((status = 200, description = "Ready", body = HealthView)),
)]
pub async fn ready(query: Query<ReadyQuery>, door: Data<Door>) -> Reply {
    let stands_by = door.desk.is_standing_by();
    let is_well = door.desk.is_ready() || stands_by && query.0.standby == StandbyIs::Ok;
    if !is_well {
        use crate::sequencer::Fault;
        return Err(Problem::from(if stands_by { Fault::Standby } else { Fault::Closed }));
    }
    let page = crate::store::read::Page { after: None, limit: 1 };
    door.read(move |reader| reader.regions(&(), &page)).await?;
    Ok(shown(&HealthView { status: if stands_by { "standby" } else { "ready" } }))
}

/// Measurements
///
/// In the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Server", security(()),
    responses((status = 200, description = "Measurements",
            body = String,
            content_type = "text/plain")),
)]
pub async fn metrics(door: Data<Door>) -> Reply {
    let handle = door.metrics.as_ref().ok_or_else(|| Problem::not_found("address"))?;
    let text = handle.render();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// The public key
///
/// A JSON Web Key Set to verify access tokens with.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "Server", security(()),
    responses((status = 200, description = "The key set", body = serde_json::Value)),
)]
pub async fn jwks(door: Data<Door>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=300"))
        .json(door.signer.jwks())
}

/// Every kind of problem
#[utoipa::path(
    get, path = "/problems", tag = "Server", security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn problems() -> HttpResponse {
    let mut list = String::from("<h1>Problems</h1>\n<ul>");
    for one in kind::ALL {
        let (slug, title) = (one.slug(), escaped(one.title));
        let line = format!("<li><a href=\"/problems/{slug}\">{title}</a> ({})</li>", one.status);
        list.push_str(&line);
    }
    list.push_str("</ul>\n<p><a href=\"/\">Start page</a></p>\n");
    document("Problems", &list)
}

/// One kind of problem
///
/// What a problem's `type` points to.
#[utoipa::path(
    get, path = "/problems/{slug}", tag = "Server", security(()),
    params(("slug" = String, Path, description = "The end of a type", example = "credit-short")),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn problem(slug: Path<String>) -> Reply {
    let kind = Kind::by_slug(&slug.0).ok_or_else(|| Problem::not_found("kind of problem"))?;
    let mut body = format!("<h1>{}</h1>\n<dl>", escaped(kind.title));
    let mut entry = |term: &str, text: &str| {
        let written = write!(body, "<dt>{term}</dt><dd>{text}</dd>");
        written.expect("a String takes everything");
    };
    entry("Status", &kind.status.to_string());
    entry("Code", &format!("<code>{}</code>", kind.code));
    entry("What it means", &escaped(kind.meaning));
    entry("What to do", &escaped(kind.remedy));
    body.push_str("</dl>\n<p><a href=\"/problems\">All problems</a></p>\n");
    Ok(document(kind.title, &body))
}

/// The reference, served from this binary: no page of it asks anybody else for anything.
pub fn docs(openapi: Arc<OpenApi>) -> SwaggerUi {
    let config = Config::default().validator_url("none").try_it_out_enabled(true);
    let api = OpenApi::clone(&openapi);
    SwaggerUi::new("/docs/{_:.*}").config(config).url("/v1/openapi.json", api)
}

/// `/docs` without its slash.
pub async fn to_docs() -> impl Responder {
    actix_web::web::Redirect::to("/docs/").permanent()
}

/// An address that does not exist.
pub async fn nowhere() -> Reply {
    Err(Problem::not_found("address"))
}
