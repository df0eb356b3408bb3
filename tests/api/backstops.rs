//! A vendor's backstop buys what is unsold: from the terms to the vendor's payment.

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::past::terms;
use crate::server::Server;
use crate::stage::{Stage, admitted, cents, merged, number, offer, pool, region};

fn key() -> String {
    format!("key-{}", number())
}

/// The terms with a backstop: 2.00 per GPU-hour, three days before, up to 100,000.00.
fn backed(vendor: &str, backstop: Value) -> Value {
    let cap = json!({ "amount": "100000.00", "currency": "USD" });
    let backstop =
        merged(json!({ "price_per_gpu_hour": "2.00", "lead_hours": 72, "cap": cap }), backstop);
    merged(terms(vendor), json!({ "backstop": backstop }))
}

fn first(who: &Caller, path: &str) -> Value {
    who.get(path).expect(200)["data"][0].clone()
}

#[test]
fn what_stays_unsold_is_the_vendors_to_pay_and_to_sell_on() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let vendor = admitted(&stage.admin, &["vendor"]);
    let body = backed(&vendor.organization, json!({}));
    let program = stage.admin.post("/v1/programs", &body).expect(201);
    let line = program["backstop_line_id"].as_str().expect("a line").to_owned();
    let path = format!("/v1/programs/{}", id(&program));
    let region = region(&stage.admin);
    let (_, pool) = pool(&stage.provider, &region);
    let enrol = json!({ "pool_id": pool });
    stage.admin.post(&format!("{path}/pools"), &enrol).expect(200);
    let day = json!({
        "program_id": program["id"],
        "start_at": "2027-01-17T00:00:00Z", "end_at": "2027-01-18T00:00:00Z",
    });
    let listing = merged(offer(&pool, 64, "2.50"), day);
    let listing = stage.provider.post("/v1/listings", &listing).expect(201);
    assert_eq!(listing["backstop_at"], "2027-01-17T00:00:00Z");
    refused(&stage, &vendor, &path);

    server.advance_to("2027-01-13T23:00:00Z");
    assert_eq!(vendor.again().get("/v1/contracts").expect(200)["data"], json!([]));
    server.advance_to("2027-01-14T00:00:00Z");
    let (stage, vendor) = (stage.again("2027-01-17T00:00:00Z"), vendor.again());
    // 64 GPUs for a day at 2.00: 3,072.00.
    let bought = first(&vendor, "/v1/contracts");
    assert_eq!((cents(&bought["value"]), &bought["credit_line_id"]), (307_200, &json!(line)));
    assert_eq!(first(&stage.provider, "/v1/contracts")["id"], bought["id"]);
    assert_eq!(first(&vendor, "/v1/orders")["client_order_id"], "backstop");
    let own = vendor.get(&format!("/v1/credit_lines/{line}")).expect(200);
    assert_eq!((&own["program_id"], cents(&own["held"])), (&program["id"], 307_200));
    let holds = vendor.get(&format!("/v1/credit_lines/{line}/holds")).expect(200);
    assert_eq!(cents(&holds["held"]), 307_200);
    // Its price is no price of the market.
    let trades = format!("/v1/market/trades?region={region}");
    assert_eq!(stage.customer.get(&trades).expect(200)["data"], json!([]));

    // Contracted to the provider, all of it in January.
    let revenue = stage.provider.get("/v1/revenue").expect(200);
    let [month] = revenue["data"].as_array().expect("months").as_slice() else { panic!() };
    assert_eq!((&month["month"], &month["contracts"]), (&json!("2027-01"), &json!(1)));
    let amounts = ["contracted", "provider_part", "earned"].map(|name| cents(&month[name]));
    assert_eq!(amounts, [307_200, 307_200, 0]);

    // Half of it is sold on, for half of the day, at a gain.
    let path = format!("/v1/contracts/{}", id(&bought));
    let half = json!({
        "gpus": 32, "price_per_gpu_hour": "2.60",
        "start_at": "2027-01-17T00:00:00Z", "end_at": "2027-01-17T12:00:00Z",
    });
    vendor.keyed(&format!("{path}/resell"), &key(), &half).expect(200);
    let order = json!({
        "regions": [region], "gpus": 32, "start_at": "2027-01-17T00:00:00Z", "duration_hours": 12,
        "limit_price_per_gpu_hour": "2.60",
    });
    assert_eq!(stage.place(&stage.order_with(order))["state"], "filled");
    vendor.keyed(&format!("{path}/cancel"), &key(), &json!({})).refused(403, "not_capable");

    server.advance_to("2027-02-02T12:00:00Z");
    let (stage, vendor) = (stage.again("2027-02-03T00:00:00Z"), vendor.again());
    // 2,304.00 for what it kept, and 1 % of 998.40.
    let invoice = first(&vendor, "/v1/invoices");
    let due = (&invoice["total"]["amount"], &invoice["credit_line_id"]);
    assert_eq!(due, (&json!("2313.984"), &json!(line)));
    let owed = || {
        let accounts = stage.admin.get("/v1/ledger/accounts?ledger=gl").expect(200);
        let all = accounts["data"].as_array().expect("accounts").clone();
        let own = all.into_iter().find(|one| one["account"] == "gl_1165").expect("the account");
        own["balance"].as_str().expect("an amount").to_owned()
    };
    assert_eq!(owed(), "2313.984");
    let body = json!({
        "organization_id": vendor.organization, "amount": "2313.984", "reference": "wire",
    });
    stage.admin.keyed("/v1/payments", &key(), &body).expect(201);
    assert_eq!(owed(), "0.00");
    // The seller's own price is what its provider has, whoever pays: 3,072.00; 230.40 is gain.
    let revenue = first(&stage.provider, "/v1/revenue");
    let amounts = ["contracted", "provider_part", "earned"].map(|name| cents(&revenue[name]));
    assert_eq!(amounts, [330_240, 307_200, 330_240]);
    assert_eq!(vendor.get("/v1/revenue").expect(200)["data"], json!([]));
    // What is paid has used the cap up.
    let own = vendor.get(&format!("/v1/credit_lines/{line}")).expect(200);
    assert_eq!((&own["limit"]["amount"], cents(&own["drawn"])), (&json!("97686.016"), 0));
    let balance = stage.admin.get("/v1/ledger/trial_balance").expect(200);
    let books = balance["data"].as_array().expect("books");
    assert!(books.iter().all(|book| book["difference"] == "0"), "{balance}");
}

/// Terms that are none, and what is decided about a backstop's line elsewhere.
fn refused(stage: &Stage, vendor: &Caller, path: &str) {
    let vendor_id = &vendor.organization;
    for (terms, code, pointer) in [
        (
            json!({ "price_per_gpu_hour": "0" }),
            "price_out_of_bounds",
            "/backstop/price_per_gpu_hour",
        ),
        (json!({ "lead_hours": 0 }), "out_of_bounds", "/backstop/lead_hours"),
        (
            json!({ "cap": { "amount": "0.00", "currency": "USD" } }),
            "out_of_bounds",
            "/backstop/cap",
        ),
    ] {
        let body = backed(vendor_id, terms);
        let problem = stage.admin.post("/v1/programs", &body).refused(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let program = stage.admin.get(path).expect(200);
    let shares = json!({ "shares": program["shares"], "guarantee": program["guarantee"] });
    let versions = format!("{path}/versions");
    let gone =
        stage.admin.with(&versions, &[("If-Match", "\"1\"")], &shares).refused(422, "invalid");
    assert_eq!(gone["errors"][0]["pointer"], "/backstop");
    let line = program["backstop_line_id"].as_str().expect("a line");
    let limit = json!({ "limit": "5.00", "note": "" });
    let path = format!("/v1/credit_lines/{line}/limit");
    stage
        .admin
        .with(&path, &[("If-Match", "\"1\""), ("Idempotency-Key", "limit")], &limit)
        .refused(422, "invalid");
}
