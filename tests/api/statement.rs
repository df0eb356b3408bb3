//! Statements: what a closed month says stays; what corrects it is in the month in which it was
//! recorded.

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::past::contract_of;
use crate::server::Server;
use crate::stage::{Stage, cents};

/// The provider's side of a month's statement.
fn of(provider: &Caller, month: &str) -> Value {
    let statement = provider.get(&format!("/v1/statements/{month}")).expect(200);
    statement["as_provider"].clone()
}

#[test]
fn a_closed_statement_is_corrected_in_the_month_that_does_it() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    // 64 GPUs for five days: 19,200.00, of which the platform has 5 %.
    let january = json!({ "start_at": "2027-01-26T00:00:00Z", "duration_hours": 120 });
    contract_of(&stage, &stage.order_with(january));
    server.advance_to("2027-02-02T00:00:00Z");
    let stage = stage.again("2027-03-01T00:00:00Z");
    stage.admin.post("/v1/periods/2027-01/close", &json!({})).expect(200);
    let closed = of(&stage.provider, "2027-01");
    assert_eq!(["corrected", "earned"].map(|it| cents(&closed[it])), [0, 1_824_000]);
    assert_eq!(closed["corrections"], json!([]));

    let invoices = stage.customer.get("/v1/invoices").expect(200);
    let invoice = format!("/v1/invoices/{}", id(&invoices["data"][0]));
    let note = json!({ "amount": "1000.00", "note": "a slow fabric" });
    stage.admin.keyed(&format!("{invoice}/credit"), "note", &note).expect(200);
    stage.admin.keyed(&format!("{invoice}/void"), "void", &json!({ "note": "all" })).expect(200);

    assert_eq!(of(&stage.provider, "2027-01"), closed, "a closed statement stays");
    let february = of(&stage.provider, "2027-02");
    assert_eq!(february["data"], json!([]));
    let corrections = february["corrections"].as_array().expect("a list");
    let amounts: Vec<i64> = corrections.iter().map(|one| cents(&one["amount"])).collect();
    assert_eq!(amounts, [-95_000, -1_729_000]);
    assert!(corrections.iter().all(|one| one["kind"] == "invoice_credited"), "{february}");
    assert_ne!(corrections[0]["chain"], corrections[1]["chain"], "made one after the other");
    // Of both months together nothing is left.
    assert_eq!(["corrected", "earned"].map(|it| cents(&february[it])), [-1_824_000; 2]);
    assert_eq!(of(&stage.provider, "2027-03")["corrections"], json!([]));
}
