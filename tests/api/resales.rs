//! A part of a contract is sold on: from the offer to the invoices of both customers and everybody's
//! payouts.

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::past::{contract_of, supported, terms};
use crate::server::Server;
use crate::stage::{Stage, admitted, cents, credit, merged, number, sign_up};

/// A new key for each intent.
fn key() -> String {
    format!("key-{}", number())
}

/// Half of the contract for the first five of its ten days.
fn half(price: &str) -> Value {
    json!({
        "gpus": 32, "price_per_gpu_hour": price,
        "start_at": "2027-01-17T00:00:00Z", "end_at": "2027-01-22T00:00:00Z",
    })
}

fn words(list: &Value, name: &str) -> Vec<Value> {
    list["data"].as_array().expect("a list").iter().map(|one| one[name].clone()).collect()
}

#[test]
fn a_part_is_sold_on_delivered_invoiced_and_paid_out() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let vendor = admitted(&stage.admin, &["vendor"]);
    let program = id(&stage.admin.post("/v1/programs", &terms(&vendor.organization)).expect(201));
    let region = supported(&stage, &program);
    let buyer = sign_up(&stage.admin, &["customer"]);
    let line = credit(&stage.admin, &buyer, "250000");
    let other = sign_up(&stage.admin, &["customer"]);
    credit(&stage.admin, &other, "500000");
    // 64 GPUs at 2.50 for ten days: 38,400.00.
    let order = json!({
        "regions": [region], "start_at": "2027-01-17T00:00:00Z", "duration_hours": 240,
    });
    let contract = contract_of(&stage, &stage.order_with(order.clone()));
    // Somebody else has all that the listing has left.
    let rest = stage.order_with(merged(order, json!({ "gpus": 656 })));
    other.keyed("/v1/orders", &key(), &rest).expect(201);
    let path = format!("/v1/contracts/{contract}");
    let resell = |query: &str, body: Value| {
        stage.customer.keyed(&format!("{path}/resell{query}"), &key(), &body)
    };
    let picture = || (stage.customer.get(&path).expect(200), stage.balances());
    let before = picture();

    // The same half twice: at 2.00 for two of the days, at 3.00 for three.
    let low = merged(half("2.00"), json!({ "end_at": "2027-01-19T00:00:00Z" }));
    let high = merged(half("3.00"), json!({ "start_at": "2027-01-19T00:00:00Z" }));
    let quote = resell("?dry_run=true", low.clone()).expect(200);
    assert_eq!(picture(), before, "looking changes nothing");
    // 32 GPUs for 48 hours: 3,840.00, of which the buyer pays 3,072.00 and the seller the rest.
    let amounts = ["proceeds", "make_whole", "gain"].map(|name| cents(&quote[name]));
    assert_eq!(amounts, [307_200, 76_800, 0]);
    let sale = &quote["sale"];
    assert_eq!((&sale["kind"], cents(&sale["fee"])), (&json!("resell"), 3_072));
    assert_eq!([cents(&sale["held_before"]), cents(&sale["held_after"])], [3_840_000, 3_532_800]);
    for party in ["provider", "vendor", "platform", "reseller"] {
        assert_eq!(quote["parts_before"][party], quote["parts_after"][party], "{party}");
    }
    let offered = resell("", low).expect(200);
    assert_eq!(offered["listings"][0]["is_resale"], true);
    let gain = resell("", high).expect(200);
    assert_eq!(["make_whole", "gain"].map(|name| cents(&gain[name])), [0, 115_200]);
    assert_eq!(cents(&gain["parts_after"]["reseller"]), 115_200);
    refused(&stage, &buyer, &path, &offered);

    // The buyer's order meets both; the contract is with the same pool.
    let order = json!({
        "regions": [region], "gpus": 32, "start_at": "2027-01-17T00:00:00Z", "duration_hours": 120,
        "limit_price_per_gpu_hour": "2.60",
    });
    let filled = buyer.keyed("/v1/orders", &key(), &stage.order_with(order)).expect(201);
    let bought = filled["contract_id"].as_str().expect("it filled").to_owned();
    let theirs = buyer.get(&format!("/v1/contracts/{bought}")).expect(200);
    let own = stage.customer.get(&path).expect(200);
    assert_eq!(theirs["pool_id"], own["pool_id"]);
    assert_eq!((cents(&theirs["value"]), cents(&own["value"])), (998_400, 2_956_800));
    assert_eq!(theirs["resale"]["bought_of"].as_array().map(Vec::len), Some(2));
    assert_eq!(own["resale"]["sold"].as_array().map(Vec::len), Some(2));
    assert_eq!(own["resale"]["offered"], json!([]));
    let amendments = stage.customer.get(&format!("{path}/amendments")).expect(200);
    assert_eq!(words(&amendments, "kind"), ["resell"]);
    let told = stage.customer.get("/v1/events?limit=100").expect(200);
    assert!(words(&told, "type").contains(&json!("contract.resold")), "{told}");
    let balances = stage.balances();
    // 1 % of 9,984.00 is the fee for both.
    assert_eq!([cents(&balances["held"]), cents(&balances["drawn"])], [2_956_800, 9_984]);

    // An hour of it is lost: the seller makes it whole no longer either.
    server.advance_to("2027-01-25T00:00:00Z");
    let (stage, buyer) = (stage.again("2027-01-25T00:00:00Z"), buyer.again());
    let report = json!({
        "start_at": "2027-01-17T00:00:00Z", "end_at": "2027-01-17T01:00:00Z", "missing_gpus": 32,
    });
    let path = format!("/v1/contracts/{bought}/delivery");
    stage.provider.keyed(&path, &key(), &report).expect(200);
    let theirs = buyer.get(&format!("/v1/contracts/{bought}")).expect(200);
    let own = stage.customer.get(&format!("/v1/contracts/{contract}")).expect(200);
    assert_eq!((cents(&theirs["value"]), cents(&own["value"])), (992_000, 2_955_200));
    server.advance_to("2027-02-02T12:00:00Z");
    let (stage, buyer) = (stage.again("2027-02-03T00:00:00Z"), buyer.again());
    paid(&stage, &buyer, &vendor.again(), &line);
}

/// What cannot be sold on, taken back or bought.
fn refused(stage: &Stage, buyer: &Caller, path: &str, offered: &Value) {
    let resell = format!("{path}/resell");
    let twice = merged(half("2.00"), json!({ "gpus": 36 }));
    let gone = stage.customer.keyed(&resell, &key(), &twice).refused(409, "part_gone");
    assert_eq!((&gone["left_gpus"], &gone["asked_gpus"]), (&json!(32), &json!(36)));
    let late = merged(half("2.00"), json!({ "end_at": "2027-01-28T00:00:00Z" }));
    stage.customer.keyed(&resell, &key(), &late).refused(409, "part_gone");
    let off = merged(half("2.005"), json!({}));
    stage.customer.keyed(&resell, &key(), &off).refused(422, "off_tick");
    let odd = merged(half("2.00"), json!({ "gpus": 6 }));
    stage.customer.keyed(&resell, &key(), &odd).refused(422, "off_lot");
    buyer.keyed(&resell, &key(), &half("2.00")).refused(404, "not_found");
    let cancel = stage.customer.keyed(&format!("{path}/cancel"), &key(), &json!({}));
    assert_eq!(cancel.refused(409, "wrong_state")["needed"], "withdrawn from resale");
    let end = format!("{path}/end_resale");
    let other = json!({ "listing_id": stage.listing });
    stage.customer.keyed(&end, &key(), &other).refused(404, "not_found");
    // The provider neither reprices nor withdraws what is not its own.
    let listing = format!("/v1/listings/{}", id(&offered["listings"][0]));
    let withdraw = format!("{listing}/withdraw");
    stage.provider.post(&withdraw, &json!({})).refused(404, "not_found");
    assert_eq!(buyer.get(&listing).expect(200)["state"], "live");
}

/// Both customers pay; everybody has their part.
fn paid(stage: &Stage, buyer: &Caller, vendor: &Caller, line: &str) {
    let invoices = |who: &Caller| who.get("/v1/invoices").expect(200)["data"].clone();
    let (own, theirs) = (invoices(&stage.customer), invoices(buyer));
    assert_eq!((&own[0]["state"], &theirs[0]["state"]), (&json!("open"), &json!("open")));
    // 0.83 % of the buyer's time is lost: a twentieth of its charge is credited.
    let due = [&own[0]["total"], &theirs[0]["total"]].map(cents);
    assert_eq!(due, [2_955_200 + 9_984, 942_400]);
    for (org, amount) in [(&stage.customer.organization, "29651.84"), (&buyer.organization, "9424")]
    {
        let body = json!({ "organization_id": org, "amount": amount, "reference": "wire" });
        stage.admin.keyed("/v1/payments", &key(), &body).expect(201);
    }
    for (who, line) in [(&stage.customer, &stage.line), (buyer, &line.to_owned())] {
        let balances = who.get(&format!("/v1/credit_lines/{line}")).expect(200);
        assert_eq!(cents(&balances["available"]), 25_000_000);
    }
    // The seller's gain of 1,152.00 bears its part of the credit: 95 % of it.
    let send = |to: &Caller, payable: &str| {
        let body = json!({ "organization_id": to.organization, "payable": payable });
        let sent = stage.admin.keyed("/v1/payouts", &key(), &body).expect(201);
        let path = format!("/v1/payouts/{}/settle", id(&sent));
        stage.admin.keyed(&path, &key(), &json!({ "outcome": "paid" })).expect(200);
        sent["amount"]["amount"].as_str().expect("an amount").to_owned()
    };
    assert_eq!(send(&stage.customer, "customer"), "1094.40");
    // Without the resale the 64 GPUs had brought 38,400.00; the lost hour and the credit took
    // 80.00 and 438.40 of it.
    // 15 % of 37,881.60 and, less a twentieth that is kept back, 80 %.
    assert_eq!(send(vendor, "vendor"), "5682.24");
    assert_eq!(send(&stage.provider, "provider"), "28790.016");
    let balance = stage.admin.get("/v1/ledger/trial_balance").expect(200);
    assert!(words(&balance, "difference").iter().all(|one| one == "0"), "{balance}");
}

#[test]
fn a_contract_goes_to_a_sister_that_accepts_it() {
    let stage = Stage::new();
    let (admin, customer) = (&stage.admin, &stage.customer);
    let sister = sign_up(admin, &["customer"]);
    let line = credit(admin, &sister, "100000");
    let contract = contract_of(&stage, &stage.order());
    let path = format!("/v1/contracts/{contract}");
    let offer = |to: Value| {
        let body = json!({ "organization_id": to });
        customer.keyed(&format!("{path}/transfer"), &key(), &body)
    };
    let accept =
        |query: &str| sister.keyed(&format!("{path}/accept_transfer{query}"), &key(), &json!({}));
    // Only the operator says who belongs together.
    offer(json!(sister.organization)).refused(422, "unknown");
    for org in [&customer.organization, &sister.organization] {
        let group = json!({ "group": format!("tidal-{}", stage.region) });
        admin.post(&format!("/v1/organizations/{org}/group"), &group).expect(200);
    }
    accept("").refused(404, "not_found");
    sister.get(&path).refused(404, "not_found");
    assert_eq!(
        offer(json!(sister.organization)).expect(200)["transfer_to"],
        json!(sister.organization)
    );
    assert_eq!(sister.get(&path).expect(200)["customer"], json!(customer.organization));
    offer(json!(null)).expect(200);
    sister.get(&path).refused(404, "not_found");
    offer(json!(sister.organization)).expect(200);
    let quote = accept("?dry_run=true").expect(200);
    let done = accept("").expect(200);
    assert_eq!(quote["contract"]["customer"], done["contract"]["customer"]);
    assert_eq!(done["amendment"]["kind"], "transfer");
    assert_eq!(cents(&done["amendment"]["held_after"]), 384_000);
    let mut kept = sister.get(&path).expect(200);
    assert_eq!(cents(&kept["paid"]), 0);
    kept.as_object_mut().expect("an object").remove("paid");
    assert_eq!(kept, done["contract"], "it is kept as it was answered");
    customer.get(&path).refused(404, "not_found");
    let theirs = sister.get(&format!("/v1/credit_lines/{line}")).expect(200);
    assert_eq!((cents(&theirs["held"]), cents(&stage.balances()["held"])), (384_000, 0));
    let holds = sister.get(&format!("/v1/credit_lines/{line}/holds")).expect(200);
    assert_eq!(words(&holds, "contract_id"), [json!(contract)]);
    let told = customer.get("/v1/events?limit=100").expect(200);
    assert!(words(&told, "type").contains(&json!("contract.transferred")), "{told}");
    offer(json!(sister.organization)).refused(404, "not_found");
    // The contract is the sister's, the order stays with who placed it.
    let listed = |who: &Caller, what: &str| words(&who.get(what).expect(200), "id").len();
    assert_eq!((listed(&sister, "/v1/contracts"), listed(customer, "/v1/contracts")), (1, 0));
    assert_eq!((listed(&sister, "/v1/orders"), listed(customer, "/v1/orders")), (0, 1));
    assert_eq!(listed(&stage.provider, "/v1/contracts"), 1);
}
