//! Who may ask what: every route as every caller, in one table.

use std::collections::BTreeSet;

use headroom::http::routes;
use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::past::{Past, contract_of, live_a_month, send, shortfall, terms};
use crate::server::{ADMIN, PASSWORD, Server};
use crate::stage::{SKU, Stage, admitted, credit, member, merged, number, offer, pool, sign_up};

/// The callers, in the order of the table's columns. Viewer, trader and owner are the customer's;
/// the provider is its owner; the stranger owns another organization that is customer and provider;
/// auditor, admin and officer are the operator's and have that role only.
const CALLERS: usize = 9;

/// Objects belong to the customer or the provider of the stage. 404 is the answer to whoever may do
/// such a thing, but not with somebody else's object. The line in collection is another customer's.
const TABLE: &str = "
                                                   any view trad owne prov stra audi admi offi
post   /v1/signup                                  201  201  201  201  201  201  201  201  201
post   /v1/sessions                                201  201  201  201  201  201  201  201  201
post   /v1/sessions/refresh                        200  200  200  200  200  200  200  200  200
delete /v1/sessions/{id}                           401  404  404  204  404  404  404  404  404
get    /v1/me                                      401  200  200  200  200  200  200  200  200
post   /v1/invitations/accept                      201  201  201  201  201  201  201  201  201
get    /v1/organizations                           401  200  200  200  200  200  200  200  200
get    /v1/organizations/{id}                      401  200  200  200  404  404  200  200  200
post   /v1/organizations/{id}/approve              401  403  403  403  403  403  403  200  403
post   /v1/organizations/{id}/suspend              401  403  403  403  403  403  403  200  403
post   /v1/organizations/{id}/group                401  403  403  403  403  403  403  200  403
get    /v1/organizations/{id}/members              401  200  200  200  404  404  200  200  200
get    /v1/organizations/{id}/members/{user_id}    401  200  200  200  404  404  200  200  200
patch  /v1/organizations/{id}/members/{user_id}    401  403  403  200  404  404  403  404  403
delete /v1/organizations/{id}/members/{user_id}    401  403  403  204  404  404  403  404  403
post   /v1/organizations/{id}/invitations          401  403  403  201  404  404  403  404  403
get    /v1/api_keys                                401  200  200  200  200  200  200  200  200
post   /v1/api_keys                                401  403  403  201  201  201  403  201  403
get    /v1/api_keys/{id}                           401  200  200  200  404  404  200  200  200
post   /v1/api_keys/{id}/revoke                    401  403  403  200  404  404  403  404  403

get    /v1/skus                                    200  200  200  200  200  200  200  200  200
post   /v1/skus                                    401  403  403  403  403  403  403  201  403
get    /v1/skus/{code}                             200  200  200  200  200  200  200  200  200
get    /v1/regions                                 200  200  200  200  200  200  200  200  200
post   /v1/regions                                 401  403  403  403  403  403  403  201  403
get    /v1/regions/{code}                          200  200  200  200  200  200  200  200  200

get    /v1/factories                               401  200  200  200  200  200  200  200  200
post   /v1/factories                               401  403  403  403  201  201  403  403  403
get    /v1/factories/{id}                          401  404  404  404  200  404  200  200  200
post   /v1/factories/{id}/state                    401  403  403  403  200  404  403  403  403
get    /v1/pools                                   401  200  200  200  200  200  200  200  200
post   /v1/pools                                   401  403  403  403  201  404  403  403  403
get    /v1/pools/{id}                              401  404  404  404  200  404  200  200  200
post   /v1/pools/{id}/phases                       401  403  403  403  200  404  403  403  403
post   /v1/pools/{id}/maintenance                  401  403  403  403  200  404  403  403  403
post   /v1/pools/{id}/phases/postpone              401  403  403  403  200  404  403  403  403
post   /v1/pools/{id}/maintenance/end              401  403  403  403  200  404  403  403  403
get    /v1/incidents                               401  200  200  200  200  200  200  200  200
get    /v1/incidents/{id}                          401  200  200  200  200  404  200  200  200
post   /v1/incidents/{id}/answer                   401  403  200  200  403  404  403  403  403
get    /v1/pools/{id}/schedule                     401  404  404  404  200  404  200  200  200

get    /v1/programs                                401  200  200  200  200  200  200  200  200
post   /v1/programs                                401  403  403  403  403  403  403  201  403
get    /v1/programs/{id}                           401  200  200  200  200  200  200  200  200
post   /v1/programs/{id}/versions                  401  403  403  403  403  403  403  200  403
post   /v1/programs/{id}/pools                     401  403  403  403  403  403  403  200  403
get    /v1/listings                                401  200  200  200  200  200  200  200  200
post   /v1/listings                                401  403  403  403  201  404  403  403  403
get    /v1/listings/{id}                           401  200  200  200  200  200  200  200  200
post   /v1/listings/{id}/publish                   401  403  403  403  200  404  403  403  403
post   /v1/listings/{id}/reprice                   401  403  403  403  200  404  403  403  403
post   /v1/listings/{id}/withdraw                  401  403  403  403  200  404  403  403  403

get    /v1/credit_applications                     401  200  200  200  200  200  200  200  200
post   /v1/credit_applications                     401  403  403  201  403  201  403  403  403
get    /v1/credit_applications/{id}                401  200  200  200  404  404  200  200  200
post   /v1/credit_applications/{id}/approve        401  403  403  403  403  403  403  403  200
post   /v1/credit_applications/{id}/decline        401  403  403  403  403  403  403  403  200
post   /v1/credit_applications/{id}/withdraw       401  403  403  200  404  404  403  403  403
get    /v1/credit_lines                            401  200  200  200  200  200  200  200  200
get    /v1/credit_lines/{id}                       401  200  200  200  404  404  200  200  200
post   /v1/credit_lines/{id}/limit                 401  403  403  403  403  403  403  403  200
post   /v1/credit_lines/{id}/freeze                401  403  403  403  403  403  403  403  200
post   /v1/credit_lines/{id}/unfreeze              401  403  403  403  403  403  403  403  200
post   /v1/credit_lines/{id}/review                401  403  403  403  403  403  403  403  200
get    /v1/reviews                                 401  403  403  403  403  403  200  200  200
get    /v1/caps                                    401  403  403  403  403  403  200  200  200
post   /v1/caps                                    401  403  403  403  403  403  403  403  200
get    /v1/credit_lines/{id}/holds                 401  200  200  200  404  404  200  200  200
get    /v1/credit_lines/{id}/history               401  200  200  200  404  404  200  200  200
post   /v1/credit_lines/{id}/default               401  403  403  403  403  403  403  403  200
get    /v1/credit_lines/{id}/collection            401  404  404  404  404  404  200  200  200
post   /v1/credit_lines/{id}/claims/{program_id}/payments 401 403 403 403 403 403 403 200 403
post   /v1/credit_lines/{id}/write_off             401  403  403  403  403  403  403  403  200
post   /v1/credit_lines/{id}/recoveries            401  403  403  403  403  403  403  200  403
get    /v1/exposure                                401  403  403  403  403  403  200  200  200

get    /v1/quotes                                  401  200  200  200  200  200  200  200  200
post   /v1/quotes                                  401  403  201  201  403  201  403  403  403
get    /v1/quotes/{id}                             401  200  200  200  404  404  200  200  200
get    /v1/orders                                  401  200  200  200  200  200  200  200  200
post   /v1/orders                                  401  403  201  201  403  201  403  403  403
post   /v1/orders/batch                            401  403  200  200  200  200  403  403  403
get    /v1/orders/{id}                             401  200  200  200  404  404  200  200  200
post   /v1/orders/{id}/cancel                      401  403  200  200  404  404  403  403  403
get    /v1/contracts                               401  200  200  200  200  200  200  200  200
get    /v1/contracts/{id}                          401  200  200  200  200  404  200  200  200
post   /v1/contracts/{id}/delivery                 401  403  403  403  200  404  403  403  403
post   /v1/contracts/{id}/credits                  401  403  403  403  403  403  403  200  403
get    /v1/contracts/{id}/usage                    401  200  200  200  200  404  200  200  200
get    /v1/contracts/{id}/calendar.ics             401  200  200  200  200  404  200  200  200
post   /v1/contracts/{id}/cancellation_quote       401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/cancel                   401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/shrink                   401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/extend                   401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/grow                     401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/resell                   401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/end_resale               401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/transfer                 401  403  200  200  403  404  403  403  403
post   /v1/contracts/{id}/accept_transfer          401  403  404  404  403  404  403  403  403
get    /v1/contracts/{id}/amendments               401  200  200  200  200  404  200  200  200

get    /v1/invoices                                401  200  200  200  200  200  200  200  200
get    /v1/invoices/{id}                           401  200  200  200  404  404  200  200  200
post   /v1/invoices/{id}/finalize                  401  403  403  403  403  403  403  200  403
post   /v1/invoices/{id}/credit                    401  403  403  403  403  403  403  200  403
post   /v1/invoices/{id}/void                      401  403  403  403  403  403  403  200  403
get    /v1/payments                                401  200  200  200  200  200  200  200  200
post   /v1/payments                                401  403  403  403  403  403  403  201  403
get    /v1/payments/{id}                           401  200  200  200  404  404  200  200  200
get    /v1/payouts                                 401  200  200  200  200  200  200  200  200
post   /v1/payouts                                 401  403  403  403  403  403  403  201  403
get    /v1/payouts/{id}                            401  404  404  404  200  404  200  200  200
post   /v1/payouts/{id}/settle                     401  403  403  403  403  403  403  200  403
get    /v1/revenue                                 401  200  200  200  200  200  200  200  200
get    /v1/statements/{month}                      401  200  200  200  200  200  200  200  200
get    /v1/periods                                 401  403  403  403  403  403  200  200  200
get    /v1/periods/{month}                         401  403  403  403  403  403  200  200  200
post   /v1/periods/{month}/close                   401  403  403  403  403  403  403  200  403
post   /v1/periods/{month}/lock                    401  403  403  403  403  403  403  200  403

get    /v1/exports/focus                           401  200  200  200  200  200  200  200  200
get    /v1/exports/contracts                       401  200  200  200  200  200  200  200  200
get    /v1/exports/invoices                        401  200  200  200  200  200  200  200  200
get    /v1/exports/entries                         401  403  403  403  403  403  200  200  200
get    /v1/exports/journal                         401  403  403  403  403  403  200  200  200

get    /v1/market/availability                     200  200  200  200  200  200  200  200  200
get    /v1/market/book                             200  200  200  200  200  200  200  200  200
get    /v1/market/trades                           200  200  200  200  200  200  200  200  200
get    /v1/clock                                   200  200  200  200  200  200  200  200  200
post   /v1/test/clock/advance                      401  403  403  403  403  403  403  200  403

get    /v1/ledger/accounts                         401  403  403  403  403  403  200  200  200
get    /v1/ledger/entries                          401  403  403  403  403  403  200  200  200
get    /v1/ledger/trial_balance                    401  403  403  403  403  403  200  200  200
get    /v1/audit_records                           401  403  403  403  403  403  200  200  200
get    /v1/events                                  401  200  200  200  200  200  200  200  200
get    /v1/events/stream                           401  200  200  200  200  200  200  200  200

get    /                                           200  200  200  200  200  200  200  200  200
get    /healthz                                    200  200  200  200  200  200  200  200  200
get    /readyz                                     200  200  200  200  200  200  200  200  200
get    /metrics                                    200  200  200  200  200  200  200  200  200
get    /.well-known/jwks.json                      200  200  200  200  200  200  200  200  200
get    /problems                                   200  200  200  200  200  200  200  200  200
get    /problems/{slug}                            200  200  200  200  200  200  200  200  200
";

/// One line of the table.
struct Row {
    method: &'static str,
    path: &'static str,
    statuses: Vec<u16>,
}

fn rows() -> Vec<Row> {
    let read = |line: &'static str| {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let statuses: Vec<u16> = words.map(|word| word.parse().expect("a status")).collect();
        assert_eq!(statuses.len(), CALLERS, "{line}");
        Row { method, path, statuses }
    };
    TABLE.lines().skip(2).filter(|line| !line.is_empty()).map(read).collect()
}

#[test]
fn the_table_has_every_route() {
    let ours: BTreeSet<(&str, &str)> = rows().iter().map(|row| (row.path, row.method)).collect();
    let served = routes::TABLE.iter();
    let served = served.flat_map(|(path, methods)| methods.iter().map(move |one| (*path, *one)));
    assert_eq!(ours, served.collect());
    assert_eq!(ours.len(), rows().len(), "no route stands twice");
}

#[test]
fn every_route_answers_every_caller_as_the_table_says() {
    let world = World::new();
    let mut wrong = Vec::new();
    for row in rows() {
        for (caller, expected) in world.callers.iter().zip(&row.statuses) {
            let ask = world.ask(row.method, row.path, &caller.1);
            let mut headers = vec![("content-type", "application/json"), ("if-match", &ask.tag)];
            if ask.is_keyed {
                headers.push(("idempotency-key", &ask.key));
            }
            let method = row.method.to_uppercase();
            let body = ask.body.to_string().into_bytes();
            let body = if row.method == "get" { Vec::new() } else { body };
            let (path, name) = (&ask.path, caller.0);
            let (status, text) = if path.ends_with("/stream") {
                (caller.1.open(&method, path, &headers, body).status().as_u16(), String::new())
            } else {
                let answer = caller.1.send(&method, path, &headers, body);
                (answer.status, answer.text())
            };
            if status != *expected {
                wrong.push(format!("{method} {} as {name}: not {expected} but {text}", row.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A request that would succeed if only the right one sent it.
pub struct Ask {
    pub path: String,
    pub body: Value,
    pub tag: String,
    pub key: String,
    pub is_keyed: bool,
}

/// Everybody and something of everything.
pub struct World {
    pub server: Server,
    pub stage: Stage,
    pub callers: Vec<(&'static str, Caller)>,
    vendor: String,
    program: String,
    pub contract: String,
    quote: String,
    /// A line that is frozen and thawed here.
    spare: String,
    /// What became of January.
    pub past: Past,
    /// A pool that is not in the program yet.
    fresh_pool: String,
}

impl World {
    /// All of it at noon of the first of February, when January is delivered and in drafts.
    pub fn new() -> Self {
        let server = Server::fresh();
        let stage = Stage::on(&server);
        let vendor = admitted(&stage.admin, &["vendor"]).organization;
        let program = id(&stage.admin.post("/v1/programs", &terms(&vendor)).expect(201));
        let (_, fresh_pool) = pool(&stage.provider, &stage.region);
        let (stage, past) = live_a_month(&server, stage, &program);
        let both = admitted(&stage.admin, &["customer", "provider"]);
        credit(&stage.admin, &both, "250000");
        let callers = vec![
            ("anyone", server.anonymous()),
            ("viewer", member(&stage.customer, &["viewer"])),
            ("trader", member(&stage.customer, &["trader"])),
            ("owner", stage.customer.clone()),
            ("provider", stage.provider.clone()),
            ("stranger", both),
            ("auditor", member(&stage.admin, &["auditor"])),
            ("admin", member(&stage.admin, &["admin"])),
            ("officer", member(&stage.admin, &["credit_officer"])),
        ];
        assert_eq!(callers.len(), CALLERS);
        let contract = contract_of(&stage, &stage.order());
        let quote = merged(stage.order(), json!({ "firm": true, "ttl_seconds": 900 }));
        let quote = id(&stage.customer.keyed("/v1/quotes", "q", &quote).expect(201));
        let spare = sign_up(&stage.admin, &["customer"]);
        let spare = credit(&stage.admin, &spare, "1000");
        Self { server, stage, callers, vendor, program, contract, quote, spare, past, fresh_pool }
    }

    fn ask(&self, method: &str, pattern: &str, caller: &Caller) -> Ask {
        let subject = self.subject(method, pattern, caller);
        self.ask_of(method, pattern, caller, &subject)
    }

    /// The same of a thing that is named.
    pub fn ask_of(&self, method: &str, pattern: &str, caller: &Caller, subject: &str) -> Ask {
        let mut path = pattern.replace("/{user_id}", &format!("/{subject}"));
        let named = if pattern.contains("{user_id}") || pattern.ends_with("/invitations") {
            &self.stage.customer.organization
        } else {
            subject
        };
        for part in ["{id}", "{code}", "{slug}"] {
            path = path.replace(part, named);
        }
        path = path.replace("{program_id}", &self.program).replace("{month}", "2027-01");
        if path.ends_with("/market/book") {
            path = format!("{path}?sku={SKU}");
        }
        let is_secret = ["/v1/signup", "/v1/sessions", "/v1/invitations", "/v1/api_keys"];
        let is_secret = is_secret.iter().any(|start| pattern.starts_with(start));
        let is_secret = (is_secret && !pattern.ends_with("/revoke"))
            || pattern.ends_with("/invitations")
            || method != "post";
        let tag = self.tag(pattern, subject);
        let key = format!("key-{}", number());
        let body = self.body(pattern, caller);
        Ask { path, body, tag, key, is_keyed: !is_secret }
    }

    /// The version of what is changed under `If-Match`.
    fn tag(&self, pattern: &str, subject: &str) -> String {
        let path = match pattern {
            "/v1/listings/{id}/reprice" => format!("/v1/listings/{subject}"),
            "/v1/programs/{id}/versions" => format!("/v1/programs/{subject}"),
            "/v1/credit_lines/{id}/limit" => format!("/v1/credit_lines/{subject}"),
            _ => return "\"1\"".to_owned(),
        };
        let read = self.stage.admin.get(&path);
        read.header("etag").unwrap_or("\"1\"").to_owned()
    }

    /// What the path names: fresh where the request uses it up.
    pub fn subject(&self, method: &str, pattern: &str, caller: &Caller) -> String {
        let Self { stage, past, .. } = self;
        let Stage { admin, provider, customer, region, factory, pool: one, line, .. } = stage;
        let draft = || {
            let body =
                merged(offer(one, 4, "9.00"), json!({ "draft": true, "start_at": stage.start }));
            id(&provider.post("/v1/listings", &body).expect(201))
        };
        match (method, pattern) {
            ("delete", "/v1/sessions/{id}") => {
                let me = customer.get("/v1/me").expect(200);
                let email = me["user"]["email"].as_str().expect("an address");
                let body = json!({ "email": email, "password": PASSWORD });
                let session = self.server.anonymous().post("/v1/sessions", &body).expect(201);
                session["session_id"].as_str().expect("an id").to_owned()
            }
            ("get", "/v1/organizations/{id}" | "/v1/organizations/{id}/members")
            | ("post", "/v1/organizations/{id}/invitations") => customer.organization.clone(),
            (_, "/v1/organizations/{id}/approve") => sign_up(admin, &["provider"]).organization,
            (_, "/v1/organizations/{id}/group") => sign_up(admin, &["customer"]).organization,
            (_, "/v1/organizations/{id}/suspend") => sign_up(admin, &["customer"]).organization,
            ("get", "/v1/organizations/{id}/members/{user_id}") => customer.user.clone(),
            (_, "/v1/organizations/{id}/members/{user_id}") => {
                let path = format!("/v1/organizations/{}/invitations", customer.organization);
                let email = format!("guest{}@party.example", number());
                let body = json!({ "email": email, "roles": ["viewer"] });
                id(&customer.post(&path, &body).expect(201))
            }
            (_, "/v1/api_keys/{id}" | "/v1/api_keys/{id}/revoke") => {
                let body = json!({ "name": "ours", "roles": ["viewer"] });
                id(&customer.post("/v1/api_keys", &body).expect(201))
            }
            (_, "/v1/skus/{code}") => SKU.to_owned(),
            (_, "/v1/regions/{code}") => region.clone(),
            (_, "/v1/factories/{id}") => factory.clone(),
            (_, "/v1/factories/{id}/state") => {
                let body =
                    json!({ "name": "N", "region": region, "power_mw": 1, "state": "planned" });
                id(&provider.post("/v1/factories", &body).expect(201))
            }
            (_, path) if path.starts_with("/v1/pools/{id}") => one.clone(),
            (_, path) if path.starts_with("/v1/incidents/{id}") => shortfall(stage).0,
            (_, path) if path.starts_with("/v1/programs/{id}") => self.program.clone(),
            (_, "/v1/listings/{id}" | "/v1/listings/{id}/reprice") => self.stage.listing.clone(),
            (_, "/v1/listings/{id}/publish" | "/v1/listings/{id}/withdraw") => draft(),
            (_, path) if path.starts_with("/v1/credit_applications") => {
                self.withdraw(caller);
                if path.contains("{id}") { self.application() } else { String::new() }
            }
            ("post", "/v1/credit_lines/{id}/write_off" | "/v1/credit_lines/{id}/recoveries")
            | (_, "/v1/credit_lines/{id}/claims/{program_id}/payments")
            | ("get", "/v1/credit_lines/{id}/collection") => past.defaulted.clone(),
            ("post", path) if path.starts_with("/v1/credit_lines/{id}") => self.spare.clone(),
            (_, path) if path.starts_with("/v1/credit_lines/{id}") => line.clone(),
            (_, "/v1/quotes/{id}") => self.quote.clone(),
            (_, "/v1/orders/{id}" | "/v1/orders/{id}/cancel") => self.stage.resting(),
            ("get", path) if path.starts_with("/v1/contracts/{id}") => self.contract.clone(),
            (_, "/v1/contracts/{id}/delivery" | "/v1/contracts/{id}/credits") => {
                past.running.clone()
            }
            (_, path) if path.starts_with("/v1/contracts/{id}") => {
                let small = json!({ "gpus": 8, "start_at": "2027-03-05T00:00:00Z" });
                let contract = contract_of(stage, &stage.order_with(small));
                if path.ends_with("/end_resale") {
                    let resell = format!("/v1/contracts/{contract}/resell");
                    let part = self.body("/v1/contracts/{id}/resell", caller);
                    stage.customer.keyed(&resell, &format!("k{}", number()), &part).expect(200);
                }
                contract
            }
            ("get" | "post", "/v1/invoices/{id}" | "/v1/invoices/{id}/credit") => {
                past.invoice.clone()
            }
            (_, "/v1/invoices/{id}/finalize") => past.drafts[0].clone(),
            (_, "/v1/invoices/{id}/void") => past.drafts[1].clone(),
            (_, "/v1/payments/{id}") => past.payment.clone(),
            (_, "/v1/payouts/{id}") => past.payout.clone(),
            (_, "/v1/payouts/{id}/settle") => send(stage, "1.00"),
            (_, "/problems/{slug}") => "credit-short".to_owned(),
            (_, path) => {
                let has_gap = path.contains('{') && !path.contains("{month}");
                assert!(!has_gap, "nothing is known to put into {path}");
                String::new()
            }
        }
    }

    /// Takes back what this caller's organization has under review.
    fn withdraw(&self, caller: &Caller) {
        let waiting = self.stage.admin.get("/v1/credit_applications?state=submitted").expect(200);
        for one in waiting["data"].as_array().expect("a list") {
            if one["organization_id"] == caller.organization.as_str() {
                let path = format!("/v1/credit_applications/{}/withdraw", id(one));
                let owner = if caller.organization == self.stage.customer.organization {
                    &self.stage.customer
                } else {
                    caller
                };
                owner.post(&path, &json!({})).expect(200);
            }
        }
    }

    /// The customer's application under review.
    fn application(&self) -> String {
        self.withdraw(&self.stage.customer);
        let body = json!({ "requested_limit": "250000", "purpose": "more" });
        id(&self.stage.customer.post("/v1/credit_applications", &body).expect(201))
    }

    fn body(&self, pattern: &str, caller: &Caller) -> Value {
        let Stage { admin, region, factory, pool: one, .. } = &self.stage;
        let n = number();
        match pattern {
            "/v1/signup" => json!({
                "organization": {
                    "name": "New", "capabilities": ["customer"], "segment": "isv", "country": "FR",
                },
                "email": format!("new{n}@party.example"), "password": PASSWORD,
            }),
            "/v1/sessions" => json!({ "email": ADMIN, "password": PASSWORD }),
            "/v1/sessions/refresh" => {
                let body = json!({ "email": ADMIN, "password": PASSWORD });
                let session = self.server.anonymous().post("/v1/sessions", &body).expect(201);
                json!({ "refresh_token": session["refresh_token"] })
            }
            "/v1/invitations/accept" => {
                let path = format!("/v1/organizations/{}/invitations", admin.organization);
                let email = format!("aide{n}@party.example");
                let body = json!({ "email": email, "roles": ["auditor"] });
                let token = admin.post(&path, &body).expect(201)["invitation_token"].clone();
                json!({ "invitation_token": token, "password": PASSWORD })
            }
            "/v1/organizations/{id}/group" => json!({ "group": "tidal" }),
            "/v1/organizations/{id}/suspend" => json!({ "note": "unpaid" }),
            "/v1/organizations/{id}/members/{user_id}" => json!({ "roles": ["trader"] }),
            "/v1/organizations/{id}/invitations" => {
                json!({ "email": format!("more{n}@party.example"), "roles": ["viewer"] })
            }
            "/v1/api_keys" => {
                let is_operator = caller.organization == admin.organization;
                let role = if is_operator { "auditor" } else { "viewer" };
                json!({ "name": "batch", "roles": [role] })
            }
            "/v1/skus" => json!({
                "code": format!("sku-{n}"), "gpu_model": "M", "memory_gib": 80, "gpus_per_node": 8,
                "gpus_per_domain": 8, "interconnect": "I", "watts_per_gpu": 700,
            }),
            "/v1/regions" => json!({ "code": format!("new-{n}"), "name": "N", "country": "AU" }),
            "/v1/factories" => {
                json!({ "name": "F", "region": region, "power_mw": 1.5, "state": "planned" })
            }
            "/v1/factories/{id}/state" => json!({ "state": "building" }),
            "/v1/pools" => {
                let phases = json!([{ "gpus": 4, "from": "2027-06-01T00:00:00Z" }]);
                json!({ "factory_id": factory, "sku": SKU, "phases": phases })
            }
            "/v1/pools/{id}/phases" => json!({ "gpus": 4, "from": "2027-06-01T00:00:00Z" }),
            "/v1/pools/{id}/maintenance" => json!({
                "gpus": 4, "start_at": "2027-08-01T00:00:00Z", "end_at": "2027-08-02T00:00:00Z",
            }),
            "/v1/programs" => terms(&self.vendor),
            "/v1/programs/{id}/versions" => {
                json!({ "shares": [{ "from_month": 1, "vendor_share_bps": 1400 }] })
            }
            "/v1/programs/{id}/pools" => json!({ "pool_id": self.fresh_pool }),
            "/v1/listings" => {
                merged(offer(one, 4, "9.50"), json!({ "start_at": self.stage.start }))
            }
            "/v1/listings/{id}/reprice" => json!({ "price_per_gpu_hour": "2.60" }),
            "/v1/credit_applications" => json!({ "requested_limit": "250000", "purpose": "more" }),
            "/v1/credit_applications/{id}/approve" => json!({ "limit": "250000" }),
            "/v1/credit_applications/{id}/decline" => json!({ "reason_codes": ["other"] }),
            "/v1/credit_lines/{id}/limit" => json!({ "limit": "2000" }),
            "/v1/quotes" | "/v1/orders" => self.stage.order(),
            "/v1/orders/batch" => {
                let key = format!("entry-{n}");
                json!({ "orders": [{ "idempotency_key": key, "order": self.stage.order() }] })
            }
            "/v1/credit_lines/{id}/default" => json!({ "reason": "fraud" }),
            "/v1/contracts/{id}/delivery" => json!({
                "start_at": "2027-02-01T00:00:00Z", "end_at": "2027-02-01T01:00:00Z",
                "missing_gpus": 0,
            }),
            "/v1/contracts/{id}/shrink" => json!({ "gpus": 4 }),
            "/v1/contracts/{id}/resell" => json!({
                "gpus": 4, "price_per_gpu_hour": "9.00", "start_at": "2027-03-05T00:00:00Z",
                "end_at": "2027-03-06T00:00:00Z",
            }),
            "/v1/contracts/{id}/transfer" => json!({ "organization_id": null }),
            "/v1/contracts/{id}/grow" => json!({ "gpus": 12 }),
            "/v1/contracts/{id}/extend" => json!({ "end_at": "2027-03-06T12:00:00Z" }),
            "/v1/payments" => {
                json!({ "organization_id": self.stage.customer.organization, "amount": "1.00" })
            }
            "/v1/payouts" => json!({
                "organization_id": self.stage.provider.organization, "payable": "provider",
                "amount": "1.00",
            }),
            "/v1/payouts/{id}/settle" => json!({ "outcome": "paid" }),
            path if is_amount(path) => json!({ "amount": "1.00" }),
            "/v1/test/clock/advance" => json!({ "seconds": 1 }),
            _ => self.trouble(pattern),
        }
    }

    /// What is said when capacity fails or too much is at stake.
    fn trouble(&self, pattern: &str) -> Value {
        match pattern {
            "/v1/pools/{id}/phases/postpone" => {
                json!({ "phase": 2, "until": "2027-07-01T00:00:00Z", "note": "late" })
            }
            "/v1/pools/{id}/maintenance/end" => json!({ "window": 1 }),
            "/v1/incidents/{id}/answer" => {
                let newest = self.stage.admin.get("/v1/incidents?state=open").expect(200);
                let contract = &newest["data"][0]["affected"][0]["contract_id"];
                json!({ "contract_id": contract, "answer": "accept" })
            }
            "/v1/credit_lines/{id}/review" => {
                json!({ "outcome": "confirmed", "next_months": 3 })
            }
            "/v1/caps" => json!({
                "subject": "sku", "name": SKU,
                "amount": { "amount": "9000000.00", "currency": "USD" },
            }),
            _ => json!({}),
        }
    }
}

/// Calls whose body is an amount of money and little else.
fn is_amount(path: &str) -> bool {
    ["/credits", "/credit", "/claims/{program_id}/payments", "/recoveries"]
        .iter()
        .any(|end| path.ends_with(end))
}
