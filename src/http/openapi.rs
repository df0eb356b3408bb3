//! The OpenAPI document: what the handlers say of themselves, and what is true of all of them.

use std::sync::Arc;

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Info, License, ObjectBuilder, OpenApi, OpenApiVersion, Ref,
    RefOr, Response, ResponseBuilder, Type,
};
use utoipa::{OpenApi as _, PartialSchema as _, ToSchema as _};

use super::problem::{FieldFault, PROBLEM_JSON, ProblemView};
use super::rate;
use super::routes::Documented;
use super::schema;

/// What every caller reads first.
const ABOUT: &str = "A marketplace for GPU capacity: blocks of GPUs of one type, in one place, \
for a window \
of time, on credit lines, under programs that share revenue.\n\nMoney is a decimal string, time \
is RFC 3339 in \
UTC, quantities are whole GPUs and multiples of the SKU's lot. Lists run from the newest to the \
oldest. Every \
error is an `application/problem+json` whose `type` is a page of this server. Calls that move \
money, credit \
or capacity are safe to repeat under an `Idempotency-Key`. \
`RateLimit-Policy` and `RateLimit` say how often a caller may ask.";

/// What may ask for credit.
const HOLDING: [&str; 4] =
    ["/v1/orders", "/v1/quotes", "/v1/contracts/{id}/extend", "/v1/contracts/{id}/grow"];

/// The document, complete.
pub fn openapi() -> Arc<OpenApi> {
    let mut document = Documented::openapi();
    document.openapi = OpenApiVersion::Version31;
    let mut info = Info::new("Headroom", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    document.info = info;
    document.tags = Some(tags());
    let components = document.components.get_or_insert_default();
    let bearer = Http::new(HttpAuthScheme::Bearer);
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut schemas = Vec::new();
    ProblemView::schemas(&mut schemas);
    schemas.push((ProblemView::name().into_owned(), ProblemView::schema()));
    schemas.push((FieldFault::name().into_owned(), FieldFault::schema()));
    schema::words(&mut schemas);
    components.schemas.extend(schemas);
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        let all = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in all {
            if let Some(operation) = operation {
                operation.operation_id = Some(name(method, path));
                complete(path, operation);
            }
        }
    }
    Arc::new(document)
}

fn tags() -> Vec<utoipa::openapi::Tag> {
    let tags = [
        ("Identity", "Organizations, people, sessions and API keys"),
        ("Catalogue", "SKUs and regions"),
        ("Capacity", "Factories, pools, phases and maintenance"),
        ("Programs", "Vendor terms on supported capacity"),
        ("Listings", "Providers' offers"),
        ("Credit", "Applications and credit lines"),
        ("Trading", "Quotes, orders and contracts"),
        ("Billing", "Invoices, payments, payouts, statements and months"),
        ("Exports", "Files for accounting tools, cost tools and spreadsheets"),
        ("Market", "What is free, offered and paid; the clock"),
        ("Ledger", "The books and the audit trail"),
        ("Events", "What an organization is told"),
        ("Server", "Health, measurements, keys, problems"),
    ];
    let tag = |(name, about)| TagBuilder::new().name(name).description(Some(about)).build();
    tags.map(tag).into()
}

/// The name that generated clients call an operation by: `post_orders_id_cancel`.
fn name(method: &str, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let words = words.filter(|word| !word.is_empty() && *word != "v1");
    let words: Vec<&str> = [method].into_iter().chain(words).collect();
    if words.len() == 1 { format!("{method}_start") } else { words.join("_") }
}

/// Adds what follows from an operation's own shape: the problems it can answer with.
fn complete(path: &str, operation: &mut Operation) {
    let is_anonymous = operation.security.is_some();
    if is_anonymous {
        // An empty requirement as utoipa writes it means "or nothing"; here it is nothing.
        operation.security = Some(Vec::new());
    }
    let parameters = operation.parameters.iter().flatten();
    let parameters: Vec<(ParameterIn, String)> = parameters
        .filter_map(|one| match one {
            RefOr::T(one) => Some((one.parameter_in.clone(), one.name.clone())),
            RefOr::Ref(_) => None,
        })
        .collect();
    let has = |place: &ParameterIn| parameters.iter().any(|one| one.0 == *place);
    let named = |name: &str| parameters.iter().any(|one| one.1 == name);
    let mut statuses = vec![(503, "Not now: see Retry-After")];
    if has(&ParameterIn::Query) || named("Idempotency-Key") || operation.request_body.is_some() {
        statuses.push((400, "The request cannot be read"));
    }
    if !is_anonymous {
        statuses.push((401, "Who are you?"));
        statuses.push((403, "Not yours to do"));
    }
    let has_body = operation.request_body.is_some();
    let names_a_party = named("organization") || named("organization_id");
    let names_a_thing = has(&ParameterIn::Path) || names_a_party || has_body;
    if names_a_thing || path.starts_with("/v1/test/") {
        statuses.push((404, "There is no such thing, or not for this caller"));
    }
    if has_body {
        statuses.push((408, "The body came too slowly"));
        statuses.push((413, "The body is too large"));
        statuses.push((415, "The body must be JSON"));
    }
    let removes = operation.responses.responses.contains_key("204");
    if has_body || removes {
        statuses.push((409, "The state of things does not allow it"));
    }
    if has_body || has(&ParameterIn::Path) || has(&ParameterIn::Query) {
        statuses.push((422, "The content does not fit; errors points at each field"));
    }
    if named("If-Match") {
        statuses.push((412, "It has changed since you read it"));
        statuses.push((428, "If-Match is required"));
    }
    if HOLDING.contains(&path) && has_body {
        statuses.push((402, "No credit line, or too little on it"));
    }
    if !rate::FREE.contains(&path) {
        statuses.push((429, "Too many requests, or too many at once: see Retry-After"));
    }
    if path == "/metrics" {
        statuses.push((404, "This server measures nothing"));
    }
    for (status, about) in statuses {
        let kept = &mut operation.responses.responses;
        kept.entry(status.to_string()).or_insert_with(|| RefOr::T(problem(about)));
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let id = ObjectBuilder::new().schema_type(Type::String).build();
            let header = HeaderBuilder::new().schema(Some(id)).description(Some(
                "The request's id: your own, when you sent a UUID in X-Request-Id.",
            ));
            response.headers.insert("X-Request-Id".to_owned(), header.build().into());
        }
    }
}

fn problem(about: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(about).content(PROBLEM_JSON, content).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::TABLE;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn document() -> Value {
        serde_json::to_value(openapi().as_ref()).expect("a document is JSON")
    }

    #[test]
    fn every_route_is_documented_where_it_is() {
        let document = document();
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().expect("an item").keys();
                methods.map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
            })
            .collect();
        let routed: BTreeSet<(String, String)> = TABLE
            .iter()
            .flat_map(|(path, all)| {
                all.iter().map(|method| ((*path).to_owned(), (*method).to_owned()))
            })
            .collect();
        assert_eq!(documented, routed);
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(to)) = members.get("$ref") {
                    found.insert(to.clone());
                }
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(entries) => entries.iter().for_each(|entry| references(entry, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for to in found {
            let pointer = to.strip_prefix('#').expect("a local reference");
            assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
        }
    }

    #[test]
    fn every_operation_has_a_name_a_tag_and_a_summary() {
        let document = document();
        let mut names = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("an item") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name.to_owned()), "{name} is used twice");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{path}");
            }
        }
    }

    #[test]
    fn the_committed_document_is_the_served_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/api-spec/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let served = openapi().to_pretty_json().expect("a document is JSON");
        if committed.trim() == served.trim() {
            return;
        }
        let fresh = concat!(env!("CARGO_MANIFEST_DIR"), "/target/openapi.json");
        std::fs::write(fresh, served + "\n").expect("target is ours to write to");
        panic!(
            "the API has changed, and {fresh} says how; run `cargo run -- openapi > \
             api-spec/openapi.json`, look at the \
             difference and commit it"
        );
    }
}
