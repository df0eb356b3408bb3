//! A month that was lived: contracts delivered in January and billed, some of it paid, some in
//! default.

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::server::Server;
use crate::stage::{Stage, credit, member, merged, number, offer, pool, region, sign_up};

/// What became of January, at noon of the first of February.
#[derive(Debug)]
pub struct Past {
    /// A contract that is being delivered since midnight.
    pub running: String,
    /// The customer's, open and partly paid.
    pub invoice: String,
    /// What was paid of it.
    pub payment: String,
    /// What of that the provider was sent, and has.
    pub payout: String,
    /// Two other customers' invoices, not open yet.
    pub drafts: [String; 2],
    /// A line in default, with a claim on the program's guarantor.
    pub defaulted: String,
}

/// Lives January on a stage and signs everybody in again.
pub fn live_a_month(server: &Server, stage: Stage, program: &str) -> (Stage, Past) {
    let day = json!({ "start_at": "2027-01-10T00:00:00Z" });
    let day = stage.order_with(day);
    stage.place(&day);
    let running = contract_of(&stage, &stage.order_with(json!({ "duration_hours": 240 })));
    let others = [(); 2].map(|()| {
        let other = sign_up(&stage.admin, &["customer"]);
        credit(&stage.admin, &other, "10000");
        other.keyed("/v1/orders", "day", &day).expect(201);
        other
    });
    let debtor = sign_up(&stage.admin, &["customer"]);
    let line = credit(&stage.admin, &debtor, "100000");
    let supported = supported(&stage, program);
    let fields = json!({ "regions": [supported], "gpus": 128, "duration_hours": 48 });
    debtor.keyed("/v1/orders", "days", &merged(day, fields)).expect(201);

    server.advance_to("2027-02-01T12:00:00Z");
    let stage = stage.again("2027-03-01T00:00:00Z");
    let draft = |of: &Caller| -> String {
        let path = format!("/v1/invoices?month=2027-01&organization_id={}", of.organization);
        id(&stage.admin.get(&path).expect(200)["data"][0])
    };
    let invoice = draft(&stage.customer);
    let open = format!("/v1/invoices/{invoice}/finalize");
    stage.admin.keyed(&open, "open", &json!({})).expect(200);
    let paid = json!({ "organization_id": stage.customer.organization, "amount": "1000.00",
                       "invoice_id": invoice, "reference": "wire 1" });
    let payment = id(&stage.admin.keyed("/v1/payments", "paid", &paid).expect(201));
    let payout = send(&stage, "10.00");
    let settle = format!("/v1/payouts/{payout}/settle");
    stage.admin.keyed(&settle, "settle", &json!({ "outcome": "paid" })).expect(200);
    default(&stage, &line, "fraud");
    let drafts = [draft(&others[0]), draft(&others[1])];
    (stage, Past { running, invoice, payment, payout, drafts, defaulted: line })
}

/// A region whose capacity is sold under a program.
pub fn supported(stage: &Stage, program: &str) -> String {
    let region = region(&stage.admin);
    let (_, pool) = pool(&stage.provider, &region);
    let enrol = json!({ "pool_id": pool });
    stage.admin.post(&format!("/v1/programs/{program}/pools"), &enrol).expect(200);
    let listing = merged(offer(&pool, 720, "2.50"), json!({ "program_id": program }));
    stage.provider.post("/v1/listings", &listing).expect(201);
    region
}

/// A contract for twelve hours whose pool is short of half of it, and another pool with a place for
/// it: answers the incident and the contract.
pub fn shortfall(stage: &Stage) -> (String, String) {
    let region = region(&stage.admin);
    let (_, short) = pool(&stage.provider, &region);
    pool(&stage.provider, &region);
    stage.provider.post("/v1/listings", &offer(&short, 1440, "2.50")).expect(201);
    let start = "2027-03-10T00:00:00Z";
    let fields = json!({
        "regions": [region], "gpus": 8, "start_at": start, "duration_hours": 12,
    });
    let contract = contract_of(stage, &stage.order_with(fields));
    let away = json!({ "gpus": 1436, "start_at": start, "end_at": "2027-03-10T06:00:00Z" });
    let path = format!("/v1/pools/{short}/maintenance");
    let touched = stage.provider.post(&path, &away).expect(200);
    assert_eq!(touched["touched"][0]["id"], contract.as_str());
    let open = stage.provider.get(&format!("/v1/incidents?pool_id={short}")).expect(200);
    (id(&open["data"][0]), contract)
}

/// Places an order that is filled; answers its contract.
#[track_caller]
pub fn contract_of(stage: &Stage, order: &Value) -> String {
    let placed = stage.place(order);
    placed["contract_id"].as_str().unwrap_or_else(|| panic!("no contract: {placed}")).to_owned()
}

/// Sends the provider some of what is available to it.
pub fn send(stage: &Stage, amount: &str) -> String {
    let body = json!({ "organization_id": stage.provider.organization, "payable": "provider",
                       "amount": amount, "reference": "run 1" });
    id(&stage.admin.keyed("/v1/payouts", &format!("run-{}", number()), &body).expect(201))
}

/// Declares a line in default; it takes two officers.
pub fn default(stage: &Stage, line: &str, reason: &str) {
    let path = format!("/v1/credit_lines/{line}/default");
    for step in ["proposed", "defaulted"] {
        let officer = member(&stage.admin, &["credit_officer"]);
        officer.keyed(&path, step, &json!({ "reason": reason })).expect(200);
    }
}

/// What a program says whose vendor guarantees: four fifths of what is above the first loss.
pub fn terms(vendor: &str) -> Value {
    json!({
        "name": "Supported", "vendor_id": vendor,
        "shares": [{ "from_month": 1, "vendor_share_bps": 1500 }],
        "guarantee": { "coverage_bps": 8000,
            "first_loss": { "amount": "5000.00", "currency": "USD" },
            "cap": { "amount": "150000.00", "currency": "USD" } },
    })
}
