//! The same key and body: the same answer, byte for byte, and nothing happens twice.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use crate::asking::Answer;
use crate::server::Server;
use crate::stage::{Stage, cents, credit, merged, offer, sign_up};

/// That one answer is the other's replay.
#[track_caller]
fn is_replay(again: &Answer, first: &Answer) {
    assert!(again.was_replayed() && !first.was_replayed(), "{}", again.text());
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[test]
fn every_call_that_takes_a_key_answers_it_again() {
    let stage = Stage::new();
    let Stage { admin, provider, customer, .. } = &stage;
    let ask = json!({ "requested_limit": "300000", "purpose": "more" });
    let applied = customer.keyed("/v1/credit_applications", "apply", &ask);
    is_replay(&customer.keyed("/v1/credit_applications", "apply", &ask), &applied);
    let id = applied.expect(201)["id"].as_str().expect("an id").to_owned();
    let firm = merged(stage.order(), json!({ "firm": true }));
    let listing = offer(&stage.pool, 4, "5.00");
    let decide = format!("/v1/credit_applications/{id}/decline");
    let cancel = format!("/v1/orders/{}/cancel", stage.resting());
    let withdraw = format!("/v1/listings/{}/withdraw", stage.listing);
    for (who, path, body, status) in [
        // Refusals that depend on the market are kept as well.
        (
            customer,
            "/v1/orders",
            stage.order_with(json!({ "gpus": 512, "duration_hours": 999 })),
            402,
        ),
        (customer, "/v1/orders", stage.order(), 201),
        (customer, "/v1/quotes", firm, 201),
        (customer, cancel.as_str(), json!({}), 200),
        (admin, decide.as_str(), json!({ "reason_codes": ["other"] }), 200),
        (provider, "/v1/listings", listing, 201),
        (provider, withdraw.as_str(), json!({}), 200),
    ] {
        let key = format!("once-{status}");
        let first = who.keyed(path, &key, &body);
        first.expect(status);
        is_replay(&who.keyed(path, &key, &body), &first);
        let other = match path {
            "/v1/orders" => merged(body, json!({ "client_order_id": "another body" })),
            "/v1/quotes" => merged(body, json!({ "ttl_seconds": 60 })),
            "/v1/listings" => merged(body, json!({ "gpus": 8 })),
            _ if path.ends_with("/decline") => merged(body, json!({ "note": "another body" })),
            // These have no other body.
            _ => continue,
        };
        who.keyed(path, &key, &other).refused(422, "key_reused");
    }
}

#[test]
fn a_key_belongs_to_one_organization_one_method_and_one_path() {
    let mut stage = Stage::new();
    let first = stage.customer.keyed("/v1/orders", "same", &stage.order()).expect(201);
    let quote = merged(stage.order(), json!({ "firm": true }));
    stage.customer.keyed("/v1/quotes", "same", &quote).expect(201);
    let other = sign_up(&stage.admin, &["customer"]);
    credit(&stage.admin, &other, "10000");
    stage.customer = other;
    let second = stage.customer.keyed("/v1/orders", "same", &stage.order()).expect(201);
    assert_ne!(first["id"], second["id"]);
}

#[test]
fn what_moves_credit_wants_a_key_and_what_shows_a_secret_takes_none() {
    let stage = Stage::new();
    let Stage { admin, customer, line, .. } = &stage;
    let firm = merged(stage.order(), json!({ "firm": true }));
    let nothing = json!({});
    let freeze = format!("/v1/credit_lines/{line}/freeze");
    for (who, path, body) in [
        (customer, "/v1/orders", &stage.order()),
        (customer, "/v1/quotes", &firm),
        (admin, freeze.as_str(), &nothing),
    ] {
        who.post(path, body).refused(400, "idempotency_key_required");
        for bad in ["", " ", &"k".repeat(256)] {
            let refused = who.keyed(path, bad, body);
            assert!(refused.status == 400, "{bad:?}: {}", refused.text());
        }
    }
    let key = json!({ "name": "batch", "roles": ["viewer"] });
    customer.keyed("/v1/api_keys", "k", &key).refused(400, "idempotency_key_not_accepted");
    // An indicative quote holds nothing and needs none.
    customer.post("/v1/quotes", &stage.order()).expect(201);
}

#[test]
fn eight_at_once_with_one_key_are_one_order() {
    let stage = Stage::new();
    let answers = thread::scope(|scope| {
        let ask = || stage.customer.keyed("/v1/orders", "race", &stage.order());
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|one| one.join().expect("an answer")).collect::<Vec<_>>()
    });
    let bodies: BTreeSet<&[u8]> = answers.iter().map(|one| one.body.as_slice()).collect();
    assert!(answers.iter().all(|one| one.status == 201));
    assert_eq!(bodies.len(), 1, "eight times the same bytes");
    assert_eq!(answers.iter().filter(|one| !one.was_replayed()).count(), 1);
    let orders = stage.customer.get("/v1/orders").expect(200);
    assert_eq!(orders["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(cents(&stage.balances()["held"]), 384_000);
}

#[test]
fn answers_outlive_the_server() {
    let server = Server::lasting();
    let mut stage = Stage::on(&server);
    let filled = stage.customer.keyed("/v1/orders", "filled", &stage.order());
    let large = stage.order_with(json!({ "gpus": 512, "duration_hours": 999 }));
    let refused = stage.customer.keyed("/v1/orders", "refused", &large);
    refused.refused(402, "credit_short");
    let late = stage.order_with(json!({ "regions": ["region-0"] }));
    let unknown = stage.customer.keyed("/v1/orders", "unknown", &late);
    unknown.refused(422, "unknown");
    let balances = stage.balances();
    let server = server.again();
    stage.customer.url = server.url.clone();
    for (key, body, first) in [
        ("filled", stage.order(), &filled),
        ("refused", large, &refused),
        ("unknown", late, &unknown),
    ] {
        is_replay(&stage.customer.keyed("/v1/orders", key, &body), first);
    }
    assert_eq!(stage.balances(), balances);
    let other = stage.order_with(json!({ "gpus": 4 }));
    stage.customer.keyed("/v1/orders", "filled", &other).refused(422, "key_reused");
    server.remove();
}
