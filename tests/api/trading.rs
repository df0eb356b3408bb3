//! Quotes that hold, orders that rest, versions that must be known, and trials that leave no trace.

use serde_json::{Value, json};

use crate::asking::id;
use crate::server::{PASSWORD, Server};
use crate::stage::{Stage, cents, merged, number, offer};

fn firm(stage: &Stage, seconds: u32) -> Value {
    let body = merged(stage.order(), json!({ "firm": true, "ttl_seconds": seconds }));
    stage.customer.keyed("/v1/quotes", &format!("q{}", number()), &body).expect(201)
}

#[test]
fn a_firm_quote_holds_until_an_order_takes_it() {
    let stage = Stage::new();
    let quote = firm(&stage, 300);
    assert_eq!((&quote["state"], &quote["firm"]), (&json!("open"), &json!(true)));
    assert_eq!(cents(&quote["total"]), 384_000);
    assert_eq!(quote["required_hold"], quote["total"]);
    assert_eq!(quote["allocations"][0]["listing_id"], stage.listing.as_str());
    let before = stage.balances();
    assert_eq!(cents(&before["held"]), 384_000);
    assert_eq!(before["available"], quote["credit_after"]);

    // A price that rises meanwhile does not touch it.
    let path = format!("/v1/listings/{}", stage.listing);
    let tag = stage.provider.get(&path).header("etag").expect("a tag").to_owned();
    let dearer = json!({ "price_per_gpu_hour": "3.00" });
    stage.provider.with(&format!("{path}/reprice"), &[("if-match", &tag)], &dearer).expect(200);
    let taken = stage.place(&json!({ "quote_id": id(&quote), "client_order_id": "mine" }));
    assert_eq!((&taken["state"], &taken["quote_id"]), (&json!("filled"), &quote["id"]));
    assert_eq!(taken["value"], quote["total"]);
    assert_eq!(taken["contract"]["allocations"], quote["allocations"]);
    let read = stage.customer.get(&format!("/v1/quotes/{}", id(&quote))).expect(200);
    assert_eq!((&read["state"], &read["order_id"]), (&json!("taken"), &taken["id"]));
    assert_eq!(stage.balances()["held"], before["held"], "the hold changed its purpose only");

    let again = json!({ "quote_id": id(&quote) });
    let gone = stage.customer.keyed("/v1/orders", "again", &again).refused(409, "quote_gone");
    assert_eq!(gone["state"], "taken");
    let replay = stage.customer.keyed("/v1/orders", "again", &again);
    assert!(replay.was_replayed());
    assert_eq!(replay.expect(409), gone);
}

#[test]
fn a_resting_order_fills_when_the_price_comes_down() {
    let stage = Stage::new();
    let low = json!({ "limit_price_per_gpu_hour": "2.20", "time_in_force": "gtc" });
    let order = stage.place(&stage.order_with(low));
    assert_eq!(
        (&order["state"], &order["explanation"]["constraint"]),
        (&json!("open"), &json!("price"))
    );
    assert_eq!(cents(&order["held"]), 337_920, "at its limit");
    assert_eq!(cents(&stage.balances()["held"]), 337_920);

    let path = format!("/v1/listings/{}", stage.listing);
    let listing = stage.provider.get(&path);
    assert_eq!(listing.header("etag"), Some("\"1\""));
    let (reprice, cheaper) = (format!("{path}/reprice"), json!({ "price_per_gpu_hour": "2.00" }));
    stage.provider.post(&reprice, &cheaper).refused(428, "version_required");
    for stale in ["\"2\"", "*", "W/\"1\"", "1"] {
        let refused = stage.provider.with(&reprice, &[("if-match", stale)], &cheaper);
        refused.refused(412, "version_mismatch");
    }
    let repriced = stage.provider.with(&reprice, &[("if-match", "\"1\"")], &cheaper);
    assert_eq!(repriced.header("etag"), Some("\"2\""));
    assert_eq!(repriced.expect(200)["version"], 2);

    let filled = stage.customer.get(&format!("/v1/orders/{}", id(&order))).expect(200);
    assert_eq!((&filled["state"], &filled["explanation"]), (&json!("filled"), &Value::Null));
    assert_eq!(filled["average_price_per_gpu_hour"], "2.00", "it pays the ask, not its limit");
    assert_eq!(filled["contract"]["id"], filled["contract_id"]);
    assert_eq!(cents(&stage.balances()["held"]), 307_200, "the rest of the hold is free again");
}

#[test]
fn a_cancelled_order_lets_go_and_cannot_be_cancelled_twice() {
    let stage = Stage::new();
    let order = stage.resting();
    assert_eq!(cents(&stage.balances()["held"]), 153_600);
    let path = format!("/v1/orders/{order}/cancel");
    let cancelled = stage.customer.post(&path, &json!({})).expect(200);
    assert_eq!(
        (&cancelled["state"], &cancelled["reason"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    assert_eq!(cents(&stage.balances()["held"]), 0);
    let twice = stage.customer.post(&path, &json!({})).refused(409, "wrong_state");
    assert_eq!((&twice["kind"], &twice["state"]), (&json!("order"), &json!("cancelled")));
    stage.provider.post(&path, &json!({})).refused(404, "not_found");

    let withdraw = format!("/v1/listings/{}/withdraw", stage.listing);
    assert_eq!(stage.provider.post(&withdraw, &json!({})).expect(200)["state"], "withdrawn");
    let twice = stage.provider.post(&withdraw, &json!({})).refused(409, "wrong_state");
    assert_eq!((&twice["kind"], &twice["state"]), (&json!("listing"), &json!("withdrawn")));
}

#[test]
fn a_block_is_stacked_from_the_listings_of_one_pool() {
    let stage = Stage::new();
    stage.provider.post("/v1/listings", &offer(&stage.pool, 32, "2.00")).expect(201);
    let order = stage.place(&stage.order());
    let draws = order["contract"]["allocations"].as_array().expect("a list");
    let draws: Vec<(&Value, &Value)> =
        draws.iter().map(|draw| (&draw["gpus"], &draw["price_per_gpu_hour"])).collect();
    assert_eq!(draws, [(&json!(32), &json!("2.00")), (&json!(32), &json!("2.50"))]);
    assert_eq!(order["average_price_per_gpu_hour"], "2.25");
    let fewer = json!({ "gpus": 720, "min_gpus": 600 });
    assert_eq!(stage.place(&stage.order_with(fewer))["filled_gpus"], 688, "what is left");
}

#[test]
fn a_dry_run_decides_and_changes_nothing() {
    let stage = Stage::new();
    let picture = || {
        let orders = stage.customer.get("/v1/orders").expect(200);
        let events = stage.customer.get("/v1/events").expect(200);
        let listings =
            stage.provider.get(&format!("/v1/listings?region={}", stage.region)).expect(200);
        let path = format!("/v1/pools/{}/schedule", stage.pool);
        let schedule = stage.provider.get(&path).expect(200);
        (orders, events, listings, schedule, stage.balances())
    };
    let before = picture();
    let order = stage.customer.keyed("/v1/orders?dry_run=true", "d", &stage.order());
    assert_eq!(order.header("location"), None);
    let order = order.expect(200);
    assert_eq!((&order["state"], cents(&order["value"])), (&json!("filled"), 384_000));
    let rests = json!({ "limit_price_per_gpu_hour": "1.00", "time_in_force": "gtc" });
    let rests = stage.customer.keyed("/v1/orders?dry_run=true", "d", &stage.order_with(rests));
    assert_eq!(rests.expect(200)["state"], "open", "a dry run uses no key up");
    let large = stage.order_with(json!({ "gpus": 720, "duration_hours": 1000 }));
    stage.customer.keyed("/v1/orders?dry_run=true", "d", &large).refused(402, "credit_short");
    let listing = offer(&stage.pool, 720, "2.00");
    stage.provider.post("/v1/listings?dry_run=true", &listing).expect(200);
    assert_eq!(picture(), before);
    stage.customer.keyed("/v1/orders", "d", &stage.order()).expect(201);
}

#[test]
fn a_batch_answers_each_order_by_itself() {
    let stage = Stage::new();
    let entry = |key: &str, order: Value| json!({ "idempotency_key": key, "order": order });
    let body = json!({ "orders": [
        entry("a", stage.order()),
        entry("b", stage.order_with(json!({ "gpus": 65 }))),
        entry("c", stage.order_with(json!({ "colour": "red" }))),
    ] });
    let first = stage.customer.post("/v1/orders/batch", &body).expect(200);
    let told = |list: &Value| -> Vec<(Value, Value)> {
        let rows = list["data"].as_array().expect("a list").iter();
        rows.map(|row| (row["status"].clone(), row["problem"]["code"].clone())).collect()
    };
    let expected = [
        (json!(201), Value::Null),
        (json!(422), json!("off_lot")),
        (json!(422), json!("unknown_field")),
    ];
    assert_eq!(told(&first), expected);
    assert_eq!(first["data"][2]["problem"]["errors"][0]["pointer"], "/orders/2/order/colour");
    let second = stage.customer.post("/v1/orders/batch", &body).expect(200);
    assert_eq!(second["data"][0]["replayed"], true);
    assert_eq!(second["data"][0]["order"], first["data"][0]["order"]);
    assert_eq!(cents(&stage.balances()["held"]), 384_000, "one order, however often it is sent");
    let twice = json!({ "orders": [entry("x", stage.order()), entry("x", stage.order())] });
    stage.customer.post("/v1/orders/batch", &twice).expect(422);
    stage.customer.post("/v1/orders/batch", &json!({ "orders": [] })).refused(422, "out_of_bounds");
    assert_eq!(cents(&stage.balances()["held"]), 384_000, "all or none is even looked at");
}

#[test]
fn time_lets_go_of_what_was_held() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let quote = firm(&stage, 60);
    let until = json!({ "limit_price_per_gpu_hour": "1.00", "time_in_force": "gtd",
                        "good_till": "2027-01-02T00:00:00Z" });
    let dated = id(&stage.place(&stage.order_with(until)));
    let resting = stage.resting();
    assert_eq!(cents(&stage.balances()["held"]), 384_000 + 2 * 153_600);
    let read = |path: String| {
        let customer = server.anonymous().bearing(stage.customer.token.as_deref().expect("one"));
        customer.get(&path).expect(200)
    };
    server.advance_to("2027-01-01T12:00:00Z");
    let lapsed = read(format!("/v1/quotes/{}", id(&quote)));
    assert_eq!(lapsed["state"], "expired");
    assert_eq!(cents(&stage.balances()["held"]), 2 * 153_600);
    let take = json!({ "quote_id": id(&quote) });
    let gone = stage.customer.keyed("/v1/orders", "late", &take).refused(409, "quote_gone");
    assert_eq!(gone["state"], "expired");
    server.advance_to("2027-01-02T00:00:00Z");
    let ended = read(format!("/v1/orders/{dated}"));
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("expired"), &json!("time_passed")));
    assert_eq!(cents(&stage.balances()["held"]), 153_600);
    // A resting order ends with its last start; by then its owner's session has ended too.
    server.advance_to("2027-02-01T00:01:00Z");
    let late = stage.admin.get(&format!("/v1/orders/{resting}"));
    late.refused(401, "unauthenticated");
    let admin = server.anonymous().signed_in(crate::server::ADMIN, PASSWORD);
    let ended = admin.get(&format!("/v1/orders/{resting}")).expect(200);
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("expired"), &json!("time_passed")));
}
