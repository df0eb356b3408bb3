//! Requests that no caller should send: each is refused with its reason, and leaves no trace.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::asking::{Answer, Caller};
use crate::stage::{Stage, merged, number, offer};

const JSON: (&str, &str) = ("content-type", "application/json");

/// The books and the trail as they are.
pub fn picture(admin: &Caller) -> (Value, Value) {
    let books = admin.get("/v1/ledger/trial_balance").expect(200);
    (books, admin.get("/v1/audit_records?limit=1").expect(200)["data"][0]["number"].clone())
}

/// Orders with one field wrong: the field, the status 422, its code and where it points.
#[expect(clippy::too_many_lines, reason = "a table")]
fn wrong_fields(stage: &Stage) -> Vec<(Value, &'static str, &'static str)> {
    let hour = |text: &str| json!({ "start_at": text });
    let late = "2027-02-08T00:00:00Z";
    vec![
        (json!({ "colour": "red" }), "unknown_field", "/colour"),
        (json!({ "gpus": null }), "missing_field", "/gpus"),
        (json!({ "sku": null }), "missing_field", "/sku"),
        (json!({ "limit_price_per_gpu_hour": null }), "missing_field", "/limit_price_per_gpu_hour"),
        (
            json!({ "limit_price_per_gpu_hour": 3.2 }),
            "money_must_be_string",
            "/limit_price_per_gpu_hour",
        ),
        (
            json!({ "limit_price_per_gpu_hour": 3 }),
            "money_must_be_string",
            "/limit_price_per_gpu_hour",
        ),
        (
            json!({ "limit_price_per_gpu_hour": "1e3" }),
            "invalid_amount",
            "/limit_price_per_gpu_hour",
        ),
        (
            json!({ "limit_price_per_gpu_hour": "-1" }),
            "invalid_amount",
            "/limit_price_per_gpu_hour",
        ),
        (
            json!({ "limit_price_per_gpu_hour": "0" }),
            "price_out_of_bounds",
            "/limit_price_per_gpu_hour",
        ),
        (
            json!({ "limit_price_per_gpu_hour": "10000.01" }),
            "price_out_of_bounds",
            "/limit_price_per_gpu_hour",
        ),
        (json!({ "limit_price_per_gpu_hour": "2.505" }), "off_tick", "/limit_price_per_gpu_hour"),
        (json!({ "gpus": "64" }), "wrong_type", "/gpus"),
        (json!({ "gpus": 64.5 }), "wrong_type", "/gpus"),
        (json!({ "gpus": [64] }), "wrong_type", "/gpus"),
        (json!({ "gpus": -4 }), "invalid", "/gpus"),
        (json!({ "gpus": 0 }), "out_of_bounds", "/gpus"),
        (json!({ "gpus": 2_000_004 }), "out_of_bounds", "/gpus"),
        (json!({ "gpus": 66 }), "off_lot", "/gpus"),
        (json!({ "min_gpus": 128 }), "out_of_bounds", "/min_gpus"),
        (json!({ "min_gpus": 62 }), "off_lot", "/min_gpus"),
        (json!({ "duration_hours": 0 }), "out_of_bounds", "/duration_minutes"),
        (json!({ "duration_minutes": 60 }), "conflict", "/duration_minutes"),
        (
            json!({ "duration_hours": null, "duration_minutes": 90 }),
            "off_slot_duration",
            "/duration_minutes",
        ),
        (
            json!({ "gpus": 2_000_000, "duration_hours": 87_600,
                 "limit_price_per_gpu_hour": "9999.00" }),
            "overflow",
            "/limit_price_per_gpu_hour",
        ),
        (json!({ "sku": "GB300" }), "invalid_code", "/sku"),
        (json!({ "sku": "no-such-sku" }), "unknown", "/sku"),
        (json!({ "regions": ["atlantis"] }), "unknown", "/regions"),
        (json!({ "region": stage.region }), "conflict", "/regions"),
        (json!({ "quote_id": "ord_01h2xcejqtf2nbrexx3vqjhp41" }), "wrong_id_kind", "/quote_id"),
        (json!({ "quote_id": "quo_42" }), "invalid_id", "/quote_id"),
        (json!({ "quote_id": "quo_01h2xcejqtf2nbrexx3vqjhp41" }), "conflict", "/quote_id"),
        (json!({ "workload": "mining" }), "unknown_value", "/workload"),
        (json!({ "time_in_force": "forever" }), "unknown_value", "/time_in_force"),
        (json!({ "time_in_force": "gtd" }), "missing_field", "/good_till"),
        (json!({ "good_till": late }), "conflict", "/good_till"),
        (
            json!({ "time_in_force": "gtd", "good_till": "2026-01-01T00:00:00Z" }),
            "in_the_past",
            "/good_till",
        ),
        (json!({ "client_order_id": "" }), "invalid", "/client_order_id"),
        (json!({ "client_order_id": "x".repeat(129) }), "invalid", "/client_order_id"),
        (hour("tomorrow"), "invalid_time", "/start_at"),
        (hour("2027-02-30T00:00:00Z"), "invalid_time", "/start_at"),
        (hour("2027-02-01T00:00:30Z"), "not_a_whole_minute", "/start_at"),
        (hour("1999-01-01T00:00:00Z"), "time_out_of_range", "/start_at"),
        (hour("2027-02-01T00:30:00Z"), "off_slot", "/start_at"),
        (hour("2026-12-31T00:00:00Z"), "in_the_past", "/start_at"),
        (hour("2035-01-01T00:00:00Z"), "too_far", "/start_at"),
        (
            json!({ "start_at": { "earliest": late, "latest": "2027-02-01T00:00:00Z" } }),
            "empty_window",
            "/start_at",
        ),
        (json!({ "start_at": { "earliest": late } }), "missing_field", "/start_at/latest"),
        (
            json!({ "start_at": { "earliest": late, "latest": late, "never": 1 } }),
            "unknown_field",
            "/start_at/never",
        ),
        (
            json!({ "start_at": { "earliest": late, "latest": "2029-02-08T00:00:00Z" } }),
            "too_far",
            "/start_at",
        ),
    ]
}

/// Other calls with a wrong body: by whom, where, the body, its code and where it points.
fn wrong_bodies(stage: &Stage) -> Vec<(&Caller, String, Value, &'static str, &'static str)> {
    let Stage { admin, provider, customer, factory, pool, .. } = stage;
    let listing = |fields: Value| merged(offer(pool, 4, "2.50"), fields);
    let listings = || "/v1/listings".to_owned();
    let apply = || "/v1/credit_applications".to_owned();
    let phases = format!("/v1/pools/{pool}/phases");
    let region = json!({ "code": "xx-one", "name": "One", "country": "Germany" });
    let other = json!({ "amount": "5", "currency": "EUR" });
    let program = "prg_01h2xcejqtf2nbrexx3vqjhp41";
    vec![
        (admin, "/v1/regions".to_owned(), region, "invalid_country", "/country"),
        (
            customer,
            apply(),
            json!({ "requested_limit": other, "purpose": "x" }),
            "wrong_currency",
            "/requested_limit",
        ),
        (
            customer,
            apply(),
            json!({ "requested_limit": 5, "purpose": "x" }),
            "money_must_be_string",
            "/requested_limit",
        ),
        (
            customer,
            apply(),
            json!({ "requested_limit": "5", "purpose": "" }),
            "out_of_bounds",
            "/purpose",
        ),
        (
            customer,
            apply(),
            json!({ "requested_limit": "1000000000001", "purpose": "x" }),
            "out_of_bounds",
            "/requested_limit",
        ),
        (provider, listings(), listing(json!({ "gpus": 1440 })), "beyond_installed", "/gpus"),
        (
            provider,
            listings(),
            listing(json!({ "end_at": "2027-01-01T00:00:00Z" })),
            "empty_window",
            "/end_at",
        ),
        (provider, listings(), listing(json!({ "program_id": program })), "unknown", "/program_id"),
        (
            provider,
            listings(),
            listing(json!({ "min_gpus": 8, "max_gpus": 4 })),
            "invalid",
            "/min_gpus",
        ),
        (provider, listings(), listing(json!({ "pool_id": factory })), "wrong_id_kind", "/pool_id"),
        (
            provider,
            phases,
            json!({ "gpus": 400_000, "from": "2027-06-01T00:00:00Z" }),
            "power_exceeded",
            "/gpus",
        ),
    ]
}

/// Requests that are wrong before their fields are looked at.
fn wrong_requests(stage: &Stage) -> Vec<(Answer, u16, &'static str)> {
    let customer = &stage.customer;
    let order = stage.order().to_string().into_bytes();
    let key = ("idempotency-key", "m");
    let raw = |body: Vec<u8>| customer.send("POST", "/v1/orders", &[JSON, key], body);
    let typed =
        |headers: &[(&str, &str)]| customer.send("POST", "/v1/orders", headers, order.clone());
    let get = |path: &str| customer.get(path);
    let deep = |open: &str| format!("{{\"sku\":{}", open.repeat(10_000)).into_bytes();
    let closed = format!("{{\"sku\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    let twice = br#"{"sku":"gb300-nvl72","sku":"gb300-nvl72"}"#.to_vec();
    let padded = |length: usize| {
        let mut body = stage.order().to_string().into_bytes();
        body.resize(length, b' ');
        body
    };
    vec![
        (raw(b"{".to_vec()), 400, "invalid_json"),
        (raw(Vec::new()), 400, "invalid_json"),
        (raw(b"{\"sku\":\"\xff\xfe\"}".to_vec()), 400, "invalid_json"),
        (raw(b"{} {}".to_vec()), 400, "invalid_json"),
        (raw(deep("[")), 400, "invalid_json"),
        (raw(deep("{\"a\":")), 400, "invalid_json"),
        (raw(closed), 400, "invalid_json"),
        (raw(b"[]".to_vec()), 422, "wrong_type"),
        (raw(b"null".to_vec()), 422, "wrong_type"),
        (raw(twice), 422, "duplicate_field"),
        (raw(padded(1_048_577)), 413, "body_too_large"),
        (typed(&[key]), 415, "unsupported_media_type"),
        (typed(&[key, ("content-type", "text/plain")]), 415, "unsupported_media_type"),
        (typed(&[key, JSON, ("content-encoding", "gzip")]), 415, "unsupported_media_type"),
        (get("/v1/nothing"), 404, "not_found"),
        (get("/v1/orders/"), 404, "not_found"),
        (get("/v1/orders/ctr_01h2xcejqtf2nbrexx3vqjhp41"), 422, "wrong_id_kind"),
        (get("/v1/orders/ord_01h2xcejqtf2nbrexx3vqjhp41"), 404, "not_found"),
        (get("/v1/orders/ord_x"), 422, "invalid_id"),
        (get("/v1/contracts?pool_id=ord_01h2xcejqtf2nbrexx3vqjhp41"), 422, "wrong_id_kind"),
        (get("/v1/orders?colour=red"), 400, "invalid_query"),
        (get("/v1/orders?state=lost"), 400, "invalid_query"),
        (get("/v1/market/availability?from=yesterday"), 400, "invalid_query"),
        (
            get("/v1/market/availability?from=2027-01-01T00:00:00Z&to=2029-01-01T00:00:00Z"),
            400,
            "invalid_query",
        ),
        (get("/v1/market/book"), 400, "invalid_query"),
        (get("/v1/orders?cursor=x"), 400, "invalid_cursor"),
        (get("/problems/no-such-kind"), 404, "not_found"),
        (
            customer.send("PUT", "/v1/orders", &[JSON, key], order.clone()),
            405,
            "method_not_allowed",
        ),
        (customer.send("BREW", "/v1/orders", &[], Vec::new()), 405, "method_not_allowed"),
        (customer.send("DELETE", "/v1/clock", &[], Vec::new()), 405, "method_not_allowed"),
    ]
}

/// Sends all of them, and says which kinds of problem were met.
pub fn meet(stage: &Stage) -> BTreeSet<String> {
    let mut met = BTreeSet::new();
    for (fields, code, pointer) in wrong_fields(stage) {
        let key = format!("wrong-{}", number());
        let order = stage.customer.keyed("/v1/orders", &key, &stage.order_with(fields));
        order.refused(422, code);
        assert_eq!(order.fault(), (pointer.to_owned(), code.to_owned()), "{}", order.text());
        met.insert(code.to_owned());
    }
    for (who, path, body, code, pointer) in wrong_bodies(stage) {
        let answer = who.post(&path, &body);
        answer.refused(422, code);
        assert_eq!(answer.fault(), (pointer.to_owned(), code.to_owned()), "{}", answer.text());
        met.insert(code.to_owned());
    }
    for (answer, status, code) in wrong_requests(stage) {
        answer.refused(status, code);
        if code == "method_not_allowed" {
            let allowed = answer.header("allow").expect("an Allow header");
            assert!(allowed.split(", ").any(|one| one == "GET"), "{allowed}");
        }
        met.insert(code.to_owned());
    }
    let largest = {
        let mut body = stage.order().to_string().into_bytes();
        body.resize(1_048_576, b' ');
        let headers = [JSON, ("idempotency-key", "largest")];
        stage.customer.send("POST", "/v1/orders?dry_run=true", &headers, body)
    };
    largest.expect(200);
    let named = stage.customer.get("/v1/orders/ctr_01h2xcejqtf2nbrexx3vqjhp41");
    assert!(named.text().contains("`ord_`"), "it names the prefix: {}", named.text());
    met
}
