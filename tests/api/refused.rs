//! Every kind of problem, met at least once, each with a page of its own.

use std::collections::BTreeSet;

use headroom::http::kind;
use serde_json::{Value, json};

use crate::asking::{Answer, id};
use crate::malformed;
use crate::past::contract_of;
use crate::server::{ADMIN, PASSWORD, Server};
use crate::stage::{Stage, admitted, credit, member, merged, number, offer, pool, sign_up};

/// What only a fault of the machinery, a race or a wait of half a minute brings about.
const UNMET: &[(&str, &str)] = &[
    ("bad_request", "the connection breaks off within a body"),
    ("request_timeout", "a body that takes half a minute"),
    ("not_active", "the caller is removed between the door and the writer"),
    ("quote_not_firm", "an indicative quote is forgotten as soon as it is answered"),
    ("invalid_body", "what is left when no other code fits"),
    ("throttled", "a thousand open streams"),
    ("rate_limited", "tests/hostile meets it, on a server that has limits"),
    ("internal", "a bug"),
    ("busy", "sixteen thousand commands waiting"),
    ("in_doubt", "the store fails in a commit"),
    ("closed", "the writer stops"),
    ("standby", "a second server: tests/failover has one"),
    ("store_unavailable", "the database does not answer"),
];

#[test]
fn every_kind_of_problem_is_met_and_none_of_the_malformed_leaves_a_trace() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let before = malformed::picture(&stage.admin);
    let mut met = malformed::meet(&stage);
    assert_eq!(malformed::picture(&stage.admin), before, "nothing was changed, nothing noted");

    let mut meet = |answer: Answer, status: u16, code: &str| -> Value {
        met.insert(code.to_owned());
        answer.refused(status, code)
    };
    doors(&stage, &mut meet);
    parties(&stage, &mut meet);
    credit_and_market(&stage, &mut meet);
    approvals(&stage, &mut meet);
    versions_and_keys(&stage, &mut meet);
    resales(&stage, &mut meet);
    let stage = later(&server, stage, &mut meet);

    let all: BTreeSet<String> = kind::ALL.iter().map(|kind| kind.code.to_owned()).collect();
    let unmet: BTreeSet<String> = UNMET.iter().map(|(code, _)| (*code).to_owned()).collect();
    let missed: Vec<&String> = all.difference(&met).filter(|code| !unmet.contains(*code)).collect();
    assert!(missed.is_empty(), "not met: {missed:?}");
    assert!(met.is_disjoint(&unmet), "met after all: {:?}", met.intersection(&unmet));
    for kind in kind::ALL {
        let page = stage.admin.get(&format!("/problems/{}", kind.slug()));
        assert_eq!(page.status, 200);
        assert!(page.text().contains(kind.code), "{}", kind.code);
    }
}

/// A part of a contract is sold on, and cannot be had again.
fn resales(stage: &Stage, meet: Meet<'_>) {
    let path = format!("/v1/contracts/{}", contract_of(stage, &stage.order()));
    let part = |gpus: u32| {
        let body = json!({
            "gpus": gpus, "price_per_gpu_hour": "1.00", "start_at": "2027-02-01T00:00:00Z",
            "end_at": "2027-02-02T00:00:00Z",
        });
        stage.customer.keyed(&format!("{path}/resell"), &format!("part {gpus}"), &body)
    };
    meet(part(68), 409, "part_gone");
    part(32).expect(200);
    let buyer = sign_up(&stage.admin, &["customer"]);
    credit(&stage.admin, &buyer, "10000");
    let order = stage.order_with(json!({ "gpus": 32 }));
    buyer.keyed("/v1/orders", "part", &order).expect(201);
    let shrink = format!("{path}/shrink");
    meet(stage.customer.keyed(&shrink, "part", &json!({ "gpus": 28 })), 409, "sold_on");
}

type Meet<'a> = &'a mut dyn FnMut(Answer, u16, &str) -> Value;

fn doors(stage: &Stage, meet: Meet<'_>) {
    let Stage { admin, customer, provider, .. } = stage;
    meet(customer.bearing("nonsense").get("/v1/me"), 401, "unauthenticated");
    let sign_in = json!({ "email": ADMIN, "password": PASSWORD });
    let tokens = customer.post("/v1/sessions", &sign_in).expect(201);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    customer.post("/v1/sessions/refresh", &refresh).expect(200);
    meet(customer.post("/v1/sessions/refresh", &refresh), 401, "bad_credential");
    let denied = meet(
        member(customer, &["viewer"]).keyed("/v1/orders", "v", &stage.order()),
        403,
        "not_permitted",
    );
    assert_eq!(denied["right"], "trade");
    let key = json!({ "name": "k", "roles": ["owner"] });
    let secret = customer.post("/v1/api_keys", &key).expect(201)["secret"].clone();
    let program = customer.bearing(secret.as_str().expect("a secret"));
    meet(program.post("/v1/api_keys", &key), 403, "person_needed");
    meet(provider.keyed("/v1/orders", "p", &stage.order()), 403, "not_capable");
    let waiting = sign_up(admin, &["provider"]);
    let factory = json!({ "name": "F", "region": stage.region, "power_mw": 1, "state": "planned" });
    meet(waiting.post("/v1/factories", &factory), 403, "pending_review");
    let bad = sign_up(admin, &["customer"]);
    let suspend = format!("/v1/organizations/{}/suspend", bad.organization);
    admin.post(&suspend, &json!({})).expect(200);
    meet(bad.keyed("/v1/orders", "s", &stage.order()), 403, "suspended");
    let own = format!("/v1/organizations/{}/suspend", admin.organization);
    meet(admin.post(&own, &json!({})), 403, "own_request");
}

fn parties(stage: &Stage, meet: Meet<'_>) {
    let Stage { admin, customer, .. } = stage;
    let invite = format!("/v1/organizations/{}/invitations", customer.organization);
    let body = json!({ "email": "x@party.example", "roles": ["admin"] });
    meet(customer.post(&invite, &body), 403, "role_not_grantable");
    let own = format!("/v1/organizations/{}/members/{}", customer.organization, customer.user);
    meet(customer.send("DELETE", &own, &[], Vec::new()), 409, "last_owner");
    let again = json!({ "code": stage.region, "name": "Again", "country": "ID" });
    meet(admin.post("/v1/regions", &again), 409, "duplicate");
    let approve = format!("/v1/organizations/{}/approve", customer.organization);
    meet(admin.post(&approve, &json!({})), 409, "wrong_state");
    let many = sign_up(admin, &["customer"]);
    let key = json!({ "name": "k", "roles": ["viewer"] });
    for _ in 0..100 {
        many.post("/v1/api_keys", &key).expect(201);
    }
    let full = meet(many.post("/v1/api_keys", &key), 409, "too_many");
    assert_eq!(full["most"], 100);
    let vendor = admitted(admin, &["vendor"]).organization;
    let program = json!({ "name": "P", "vendor_id": vendor,
                          "shares": [{ "from_month": 1, "vendor_share_bps": 1500 }] });
    let program = id(&admin.post("/v1/programs", &program).expect(201));
    let listing = merged(offer(&stage.pool, 4, "2.50"), json!({ "program_id": program }));
    meet(stage.provider.post("/v1/listings", &listing), 422, "not_enrolled");
}

fn credit_and_market(stage: &Stage, meet: Meet<'_>) {
    let Stage { admin, customer, .. } = stage;
    let new = sign_up(admin, &["customer"]);
    meet(new.keyed("/v1/orders", "n", &stage.order()), 402, "no_credit_line");
    let line = credit(admin, &new, "100");
    let short = meet(new.keyed("/v1/orders", "n2", &stage.order()), 402, "credit_short");
    assert_eq!(short["missing"], json!({ "amount": "3740.00", "currency": "USD" }));
    admin.keyed(&format!("/v1/credit_lines/{line}/freeze"), "f", &json!({})).expect(200);
    meet(new.keyed("/v1/orders", "n3", &stage.order()), 402, "credit_line_state");
    let none = stage.order_with(json!({ "gpus": 720, "limit_price_per_gpu_hour": "1.00" }));
    let explained = meet(customer.post("/v1/quotes", &none), 409, "no_block");
    assert_eq!(explained["explanation"]["constraint"], "price");
    let firm = merged(stage.order(), json!({ "firm": true }));
    let quote = id(&customer.keyed("/v1/quotes", "q", &firm).expect(201));
    customer.keyed("/v1/orders", "t", &json!({ "quote_id": quote })).expect(201);
    let gone = customer.keyed("/v1/orders", "t2", &json!({ "quote_id": quote }));
    meet(gone, 409, "quote_gone");
    // Another's pool is not there at all.
    let other = admitted(admin, &["provider"]);
    let (_, theirs) = pool(&other, &stage.region);
    meet(stage.provider.post("/v1/listings", &offer(&theirs, 4, "2.50")), 404, "not_found");
}

fn approvals(stage: &Stage, meet: Meet<'_>) {
    let Stage { admin, .. } = stage;
    let customer = sign_up(admin, &["customer"]);
    let ask = json!({ "requested_limit": "5000000", "purpose": "a large run" });
    let made = customer.post("/v1/credit_applications", &ask).expect(201);
    meet(customer.post("/v1/credit_applications", &ask), 409, "application_waiting");
    let approve = format!("/v1/credit_applications/{}/approve", id(&made));
    let terms = json!({ "limit": "5000000" });
    admin.keyed(&approve, "a", &terms).expect(200);
    meet(admin.keyed(&approve, "b", &terms), 409, "same_officer");
    let second = member(admin, &["credit_officer"]);
    meet(second.keyed(&approve, "c", &json!({ "limit": "4000000" })), 409, "terms_differ");
    second.keyed(&approve, "d", &terms).expect(200);
    let decline = format!("/v1/credit_applications/{}/decline", id(&made));
    let reasons = json!({ "reason_codes": ["other"] });
    let late = meet(second.keyed(&decline, "e", &reasons), 409, "wrong_state");
    assert_eq!((&late["kind"], &late["state"]), (&json!("credit_application"), &json!("approved")));
}

fn versions_and_keys(stage: &Stage, meet: Meet<'_>) {
    let Stage { customer, provider, listing, .. } = stage;
    let (reprice, price) =
        (format!("/v1/listings/{listing}/reprice"), json!({ "price_per_gpu_hour": "2.40" }));
    meet(provider.post(&reprice, &price), 428, "version_required");
    let stale =
        meet(provider.with(&reprice, &[("if-match", "\"7\"")], &price), 412, "version_mismatch");
    assert_eq!((&stale["expected"], &stale["actual"]), (&json!(7), &json!(1)));
    meet(customer.post("/v1/orders", &stage.order()), 400, "idempotency_key_required");
    let long = "k".repeat(256);
    meet(customer.keyed("/v1/orders", &long, &stage.order()), 400, "idempotency_key_invalid");
    let key = json!({ "name": "k", "roles": ["viewer"] });
    meet(customer.keyed("/v1/api_keys", "k", &key), 400, "idempotency_key_not_accepted");
    let used = format!("used-{}", number());
    customer.keyed("/v1/orders", &used, &stage.order()).expect(201);
    let other = stage.order_with(json!({ "gpus": 4 }));
    meet(customer.keyed("/v1/orders", &used, &other), 422, "key_reused");
}

/// What only a contract that is delivered, billed and not paid can be refused. Answers the stage
/// with everybody signed in again.
fn later(server: &Server, stage: Stage, meet: Meet<'_>) -> Stage {
    let small = json!({ "gpus": 4, "start_at": "2027-01-30T00:00:00Z", "duration_hours": 96 });
    let contract = format!("/v1/contracts/{}", contract_of(&stage, &stage.order_with(small)));
    let fee = json!({ "fee_max": "239.99" });
    let dear =
        meet(stage.customer.keyed(&format!("{contract}/cancel"), "f", &fee), 409, "fee_above");
    assert_eq!(dear["fee"], json!({ "amount": "240.00", "currency": "USD" }));

    let cap = |amount: Value| {
        let provider = stage.provider.organization.as_str();
        json!({ "subject": "provider", "name": provider, "amount": amount })
    };
    stage.admin.keyed("/v1/caps", "cap", &cap(json!("100.00"))).expect(200);
    let order = stage.customer.keyed("/v1/orders", "capped", &stage.order());
    let capped = meet(order, 409, "cap_exceeded");
    assert_eq!(capped["needed"], json!({ "amount": "3840.00", "currency": "USD" }));
    stage.admin.keyed("/v1/caps", "lift", &cap(Value::Null)).expect(200);

    server.advance_to("2027-02-01T12:00:00Z");
    let stage = stage.again("2027-03-01T00:00:00Z");
    let report = |start: &str, end: &str, missing: u32| {
        let body = json!({ "start_at": start, "end_at": end, "missing_gpus": missing });
        stage.provider.keyed(&format!("{contract}/delivery"), &format!("r{}", number()), &body)
    };
    let ahead = report("2027-02-01T12:00:00Z", "2027-02-01T13:00:00Z", 0);
    let ahead = meet(ahead, 409, "outside_delivery");
    assert_eq!(ahead["end_at"], "2027-02-01T12:00:00Z");
    let billed = report("2027-01-31T23:00:00Z", "2027-02-01T01:00:00Z", 0);
    assert_eq!(meet(billed, 409, "already_billed")["billed_to"], "2027-02-01T00:00:00Z");
    let more = report("2027-02-01T00:00:00Z", "2027-02-01T01:00:00Z", 5);
    assert_eq!(meet(more, 409, "more_than_promised")["promised_gpus"], 4);
    let body = json!({ "organization_id": stage.customer.organization, "amount": "0.01" });
    let early = meet(stage.admin.keyed("/v1/payments", "p", &body), 409, "more_than_there");
    assert_eq!(early["there"], json!({ "amount": "0.00", "currency": "USD" }));
    let close = stage.admin.post("/v1/periods/2027-01/close", &json!({}));
    let waits = meet(close, 409, "not_ready")["waits"].clone();
    assert_eq!(waits, json!([{ "what": "draft_invoices", "count": 1 }]));
    let read = stage.admin.get("/v1/periods/2027-01").expect(200);
    assert_eq!(read["waits"], waits, "looking says what asking says");
    let line = format!("/v1/credit_lines/{}", stage.line);
    stage.admin.keyed(&format!("{line}/freeze"), "fz", &json!({})).expect(200);

    // Opened by itself on the second, due a month later, and missed three days after that.
    server.advance_to("2027-03-10T00:00:00Z");
    let stage = stage.again("2027-03-20T00:00:00Z");
    assert_eq!(stage.balances()["past_due_since"], "2027-03-07T00:00:00Z");
    let default = json!({ "reason": "unpaid" });
    let early = stage.admin.keyed(&format!("{line}/default"), "d", &default);
    assert_eq!(meet(early, 409, "too_early")["from"], "2027-05-06T00:00:00Z");
    stage
}
