//! The money of a contract: from delivery to the invoice, the payment, the payout and the closed
//! month; what changes and defaults do to it.

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::past::{contract_of, default, supported, terms};
use crate::server::Server;
use crate::stage::{Stage, admitted, cents, credit, merged, number, sign_up};

/// 64 GPUs for ten days over the end of January, five on each side of it: 38,400.00.
fn ten_days() -> Value {
    json!({ "start_at": "2027-01-27T00:00:00Z", "duration_hours": 240 })
}

/// The books balance in every ledger, now and then.
fn books_balance(admin: &Caller, as_of: &str) {
    for path in ["", &format!("?as_of={as_of}")] {
        let balance = admin.get(&format!("/v1/ledger/trial_balance{path}")).expect(200);
        for book in balance["data"].as_array().expect("a list") {
            assert_eq!(book["difference"], "0", "{path}: {book}");
        }
    }
}

/// Everything that takes credit adds up to what the line says is taken.
#[track_caller]
fn explained(caller: &Caller, line: &str) -> Vec<(String, String, i64)> {
    let balances = caller.get(&format!("/v1/credit_lines/{line}")).expect(200);
    let holds = caller.get(&format!("/v1/credit_lines/{line}/holds")).expect(200);
    for name in ["held", "drawn"] {
        assert_eq!(holds[name], balances[name], "{holds}");
        let parts = holds["data"].as_array().expect("a list").iter();
        let parts = parts.filter(|one| one["balance"] == name).map(|one| cents(&one["amount"]));
        assert_eq!(parts.sum::<i64>(), cents(&balances[name]), "{holds}");
    }
    let parts = holds["data"].as_array().expect("a list").iter();
    let of = |one: &Value| {
        let names = ["order_id", "quote_id", "contract_id", "invoice_id"];
        let name = names.into_iter().find(|name| !one[name].is_null()).expect("it is something");
        (
            one["balance"].as_str().expect("a word").to_owned(),
            name.to_owned(),
            cents(&one["amount"]),
        )
    };
    parts.map(of).collect()
}

fn part(balance: &str, of: &str, amount: i64) -> (String, String, i64) {
    (balance.to_owned(), of.to_owned(), amount)
}

fn nothing() -> Value {
    json!({ "amount": "0.00", "currency": "USD" })
}

/// A new key for each intent.
fn key() -> String {
    format!("key-{}", number())
}

#[test]
fn a_contract_is_delivered_invoiced_paid_and_its_month_is_closed() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let vendor = admitted(&stage.admin, &["vendor"]);
    let program = id(&stage.admin.post("/v1/programs", &terms(&vendor.organization)).expect(201));
    let region = supported(&stage, &program);
    let mut order = stage.order_with(ten_days());
    order["regions"] = json!([region]);
    let contract = contract_of(&stage, &order);
    let contract = format!("/v1/contracts/{contract}");
    assert_eq!(explained(&stage.customer, &stage.line), [part("held", "contract_id", 3_840_000)]);

    // Two days in, the provider reports that a quarter was missing for half a day: 480.00.
    server.advance_to("2027-01-29T00:00:00Z");
    let loss = json!({ "start_at": "2027-01-28T00:00:00Z", "end_at": "2027-01-28T12:00:00Z",
                       "missing_gpus": 16, "note": "a switch" });
    let reported = stage.provider.keyed(&format!("{contract}/delivery"), "loss", &loss).expect(200);
    assert_eq!(reported["lost_gpu_minutes"], 16 * 12 * 60);
    assert_eq!(cents(&reported["value"]), 3_840_000 - 48_000);
    assert_eq!(
        stage.customer.get(&contract).expect(200),
        merged(reported, json!({ "paid": nothing() }))
    );
    let held = [part("held", "contract_id", 3_840_000 - 48_000 - 528_000)];
    let drawn = part("drawn", "contract_id", 528_000);
    let now = explained(&stage.customer, &stage.line);
    assert_eq!(now, [held, [drawn]].concat(), "what was delivered up to the report's end is drawn");

    let exposure = stage.admin.get("/v1/exposure").expect(200);
    assert_eq!(cents(&exposure["customers"][0]["held"]), 3_840_000 - 48_000 - 528_000);
    let provider = &exposure["providers"][0];
    assert_eq!(provider["organization_id"], json!(stage.provider.organization));
    // 5,280.00 are delivered; the provider's part of that is 80 %.
    assert_eq!(["held", "unpaid"].map(|name| cents(&provider[name])), [3_264_000, 422_400]);
    let exposed = &exposure["programs"][0];
    assert_eq!((&exposed["program_id"], cents(&exposed["exposed"])), (&json!(program), 3_792_000));

    server.advance_to("2027-02-01T12:00:00Z");
    let stage = stage.again("2027-03-01T00:00:00Z");
    let invoice = its_invoice(&stage);
    its_payment(&stage, &invoice);
    its_payouts(&stage, &vendor.again());
    its_month(&stage, &vendor.again(), &contract);
    books_balance(&stage.admin, "2027-01-29T00:00:00Z");
}

/// January's: five days less what was lost, less what the ladder credits: 97.5 % is below 99 %, so
/// a tenth of 18,720.00.
fn its_invoice(stage: &Stage) -> String {
    let drafts = stage.customer.get("/v1/invoices?state=draft").expect(200);
    let path = format!("/v1/invoices/{}", id(&drafts["data"][0]));
    let draft = stage.customer.get(&path).expect(200);
    assert_eq!(
        (&draft["month"], &draft["lines"][0]["bill"]["lost_gpu_minutes"]),
        (&json!("2027-01"), &json!(11_520))
    );
    let bill = &draft["lines"][0]["bill"];
    assert_eq!(
        ["charge", "fees", "credits", "amount"].map(|name| cents(&bill[name])),
        [1_872_000, 0, 187_200, 1_684_800]
    );
    let parts = ["provider", "vendor", "platform"].map(|name| cents(&bill["parts"][name]));
    assert_eq!(
        (parts.iter().sum::<i64>(), parts[1]),
        (1_684_800, 252_720),
        "15 % are the vendor's"
    );
    let line = &stage.line;
    let whole = explained(&stage.customer, line);
    assert_eq!(
        whole,
        [part("held", "contract_id", 1_920_000), part("drawn", "invoice_id", 1_684_800)]
    );

    let finalize = format!("{path}/finalize");
    stage.customer.keyed(&finalize, "mine", &json!({})).refused(403, "not_permitted");
    let open = stage.admin.keyed(&finalize, "open", &json!({})).expect(200);
    assert_eq!((&open["state"], &open["due_at"]), (&json!("open"), &json!("2027-03-03T12:00:00Z")));
    let twice = stage.admin.keyed(&finalize, "again", &json!({})).refused(409, "wrong_state");
    assert_eq!(twice["state"], "open");
    let mut whole = stage.customer.get(&path).expect(200);
    let lines = whole.as_object_mut().expect("an object").remove("lines").expect("its lines");
    assert_eq!((lines, whole), (draft["lines"].clone(), open));
    stage.provider.get(&path).refused(404, "not_found");
    id(&draft)
}

fn its_payment(stage: &Stage, invoice: &str) {
    let pay = |key: &str, amount: &str| {
        let body = json!({ "organization_id": stage.customer.organization, "amount": amount,
                           "invoice_id": invoice, "reference": "wire 7" });
        stage.admin.keyed("/v1/payments", key, &body)
    };
    let excess = pay("excess", "16848.000001").refused(409, "more_than_there");
    assert_eq!((cents(&excess["there"]), &excess["what"]), (1_684_800, &json!("outstanding")));
    let first = pay("first", "10000.00");
    let again = pay("first", "10000.00");
    assert!(!first.was_replayed() && again.was_replayed());
    assert_eq!(first.body, again.body, "byte for byte");
    pay("first", "10000.01").refused(422, "key_reused");
    let made = first.expect(201);
    assert_eq!(first.header("location"), Some(format!("/v1/payments/{}", id(&made)).as_str()));
    assert_eq!(cents(&made["splits"][0]["amount"]), 1_000_000);
    let seen = stage.customer.get(&format!("/v1/payments/{}", id(&made))).expect(200);
    assert_eq!(seen["reserves"], Value::Null, "what is kept back is not the customer's business");
    let rest = explained(&stage.customer, &stage.line);
    assert_eq!(
        rest,
        [part("held", "contract_id", 1_920_000), part("drawn", "invoice_id", 684_800)]
    );
    pay("rest", "6848.00").expect(201);
    let paid = stage.customer.get(&format!("/v1/invoices/{invoice}")).expect(200);
    assert_eq!((&paid["state"], cents(&paid["outstanding"])), (&json!("paid"), 0));
    let late = pay("more", "0.01").refused(409, "wrong_state");
    assert_eq!((&late["kind"], &late["state"]), (&json!("invoice"), &json!("paid")));
    let all = stage.customer.get("/v1/payments").expect(200);
    assert_eq!(all["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(explained(&stage.customer, &stage.line), [part("held", "contract_id", 1_920_000)]);
}

/// Providers have their part less a twentieth for ninety days, vendors all of theirs.
fn its_payouts(stage: &Stage, vendor: &Caller) {
    let send = |to: &Caller, payable: &str, amount: Option<&str>| {
        let mut body = json!({ "organization_id": to.organization, "payable": payable });
        if let Some(amount) = amount {
            body["amount"] = json!(amount);
        }
        stage.admin.keyed("/v1/payouts", &key(), &body)
    };
    let settle = |payout: &Value, outcome: &str| {
        let path = format!("/v1/payouts/{}/settle", id(payout));
        stage.admin.keyed(&path, &key(), &json!({ "outcome": outcome }))
    };
    let share = send(vendor, "vendor", None).expect(201);
    assert_eq!((&share["state"], cents(&share["amount"])), (&json!("in_transit"), 252_720));
    assert_eq!(settle(&share, "paid").expect(200)["state"], "paid");
    settle(&share, "failed").refused(409, "wrong_state");
    // 16,848.00 less the vendor's 15 % and the platform's 5 %: 13,478.40, less a twentieth.
    let excess =
        send(&stage.provider, "provider", Some("12804.49")).refused(409, "more_than_there");
    assert_eq!(cents(&excess["there"]), 1_280_448);
    let failed = send(&stage.provider, "provider", None).expect(201);
    assert_eq!(settle(&failed, "failed").expect(200)["state"], "failed");
    let sent = send(&stage.provider, "provider", None).expect(201);
    assert_eq!(cents(&sent["amount"]), 1_280_448, "what failed is there again");
    settle(&sent, "paid").expect(200);
    send(&stage.provider, "provider", None).refused(422, "invalid");
    let theirs = stage.provider.get("/v1/payouts").expect(200);
    assert_eq!(theirs["data"].as_array().map(Vec::len), Some(2));
    vendor.get(&format!("/v1/payouts/{}", id(&sent))).refused(404, "not_found");
}

fn its_month(stage: &Stage, vendor: &Caller, contract: &str) {
    let admin = &stage.admin;
    let waits = admin.get("/v1/periods/2027-02").expect(200)["waits"].clone();
    let what = waits.as_array().expect("a list").iter().map(|one| one["what"].clone());
    assert_eq!(what.collect::<Vec<_>>(), ["month_not_over", "contracts_to_bill"]);
    admin.post("/v1/periods/2027-01/lock", &json!({})).refused(409, "wrong_state");
    assert_eq!(admin.get("/v1/periods/2027-01").expect(200)["waits"], json!([]));
    let closed = admin.post("/v1/periods/2027-01/close", &json!({})).expect(200);
    assert_eq!((&closed["state"], &closed["closed_by"]), (&json!("closed"), &json!(admin.user)));
    admin.post("/v1/periods/2027-01/close", &json!({})).refused(409, "wrong_state");
    admin.post("/v1/periods/2027-01/lock", &json!({})).expect(200);
    let all = admin.get("/v1/periods").expect(200);
    let states = all["data"].as_array().expect("a list").iter().map(|one| one["state"].clone());
    assert_eq!(states.collect::<Vec<_>>(), ["open", "locked"], "newest first");

    for (who, side, net) in
        [(&stage.provider, "as_provider", 1_347_840), (vendor, "as_vendor", 252_720)]
    {
        let statement = who.get("/v1/statements/2027-01").expect(200);
        assert_eq!(statement["period_state"], "locked");
        let totals = &statement[side]["totals"];
        assert_eq!(
            ["gross", "credits", "net"].map(|name| cents(&totals[name])),
            [1_872_000, 187_200, net],
            "{statement}"
        );
        assert_eq!(totals["lost_gpu_minutes"], 11_520);
        let line = &statement[side]["data"][0];
        let parts = ["provider_part", "vendor_share", "platform_part"];
        assert_eq!(parts.iter().map(|name| cents(&line[name])).sum::<i64>(), 1_684_800);
    }
    let path = format!("/v1/statements/2027-01?organization_id={}", vendor.organization);
    stage.provider.get(&path).refused(404, "not_found");
    let usage = stage.customer.get(&format!("{contract}/usage")).expect(200);
    assert_eq!(usage["data"].as_array().map(Vec::len), Some(1), "nothing of February is asked for");
    assert_eq!(usage["data"][0]["invoice_state"], "paid");
    assert_eq!(cents(&usage["data"][0]["paid"]), 1_684_800);
    assert_eq!(cents(&stage.customer.get(contract).expect(200)["paid"]), 1_684_800);
}

#[test]
fn a_contract_changes_for_the_fee_that_was_quoted() {
    let stage = Stage::new();
    let contract = format!("/v1/contracts/{}", contract_of(&stage, &stage.order()));
    let amend = |verb: &str, query: &str, body: Value| {
        stage.customer.keyed(&format!("{contract}/{verb}{query}"), &key(), &body)
    };
    let picture = || (stage.customer.get(&contract).expect(200), stage.balances());
    let before = picture();
    // Half of it for half a day: 960.00 less, a quarter of that as the fee.
    let smaller = json!({ "gpus": 32, "start_at": "2027-02-01T12:00:00Z" });
    let dry = amend("shrink", "?dry_run=true", smaller.clone()).expect(200);
    assert_eq!(picture(), before, "looking changes nothing");
    let done = amend("shrink", "", smaller).expect(200);
    let change = &done["amendment"];
    assert_eq!((cents(&change["fee"]), &change["number"]), (24_000, &json!(1)));
    for name in ["fee", "before", "after", "held_before", "held_after"] {
        assert_eq!(dry["amendment"][name], change[name], "{name}");
    }
    assert_eq!(done["contract"]["sizes"][0]["gpus"], 64);
    assert_eq!(
        explained(&stage.customer, &stage.line),
        [part("held", "contract_id", 288_000), part("drawn", "contract_id", 24_000)]
    );

    // 32 GPUs for another day: 1,920.00 and no fee.
    let longer = json!({ "end_at": "2027-02-03T00:00:00Z", "limit_price_per_gpu_hour": "2.50" });
    let low = json!({ "end_at": "2027-02-03T00:00:00Z", "limit_price_per_gpu_hour": "2.49" });
    let none = amend("extend", "", low).refused(409, "no_block");
    assert_eq!(none["explanation"]["constraint"], "price");
    amend("extend", "?dry_run=true", longer.clone()).expect(200);
    let done = amend("extend", "", longer).expect(200);
    assert_eq!(cents(&done["amendment"]["fee"]), 0);
    assert_eq!(done["contract"]["end_at"], "2027-02-03T00:00:00Z");
    assert_eq!(
        explained(&stage.customer, &stage.line),
        [part("held", "contract_id", 480_000), part("drawn", "contract_id", 24_000)]
    );

    // All of it: 4,800.00 less, and 1,200.00 to pay.
    let quote = stage.customer.post(&format!("{contract}/cancellation_quote"), &json!({}));
    let quote = quote.expect(200);
    assert_eq!(
        (cents(&quote["amendment"]["fee"]), &quote["amendment"]["kind"]),
        (120_000, &json!("cancel"))
    );
    let refused = amend("cancel", "", json!({ "fee_max": "1199.99" })).refused(409, "fee_above");
    assert_eq!(cents(&refused["fee"]), 120_000);
    let done = amend("cancel", "", json!({ "fee_max": "1200.00" })).expect(200);
    assert_eq!(done["contract"]["state"], "cancelled");
    assert_eq!(done["amendment"]["fee"], quote["amendment"]["fee"]);
    amend("cancel", "", json!({})).refused(409, "wrong_state");
    assert_eq!(explained(&stage.customer, &stage.line), [part("drawn", "contract_id", 144_000)]);
    let kept = stage.customer.get(&contract).expect(200);
    let whole = merged(done["contract"].clone(), json!({ "paid": nothing() }));
    assert_eq!(kept, whole, "what was answered is what is kept");
    let all = stage.customer.get(&format!("{contract}/amendments")).expect(200);
    assert_eq!(all["data"][2], done["amendment"]);
    let kinds = all["data"].as_array().expect("a list").iter().map(|one| one["kind"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["shrink", "extend", "cancel"]);
}

#[test]
fn a_default_calls_the_guarantor_and_what_is_left_is_borne_and_recovered() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let vendor = admitted(&stage.admin, &["vendor"]).organization;
    let program = id(&stage.admin.post("/v1/programs", &terms(&vendor)).expect(201));
    let region = supported(&stage, &program);
    let debtor = sign_up(&stage.admin, &["customer"]);
    let line = credit(&stage.admin, &debtor, "100000");
    // 15,360.00 delivered, 7,680.00 under way.
    let order = |start: &str, hours: u32| {
        let body = json!({ "regions": [region], "gpus": 128, "duration_hours": hours,
                           "start_at": start });
        debtor.keyed("/v1/orders", &key(), &stage.order_with(body)).expect(201)
    };
    order("2027-01-10T00:00:00Z", 48);
    order("2027-01-20T00:00:00Z", 24);
    server.advance_to("2027-01-15T00:00:00Z");
    default(&stage, &line, "insolvency");

    let path = format!("/v1/credit_lines/{line}");
    let balances = debtor.get(&path).expect(200);
    assert_eq!(balances["state"], "defaulted");
    assert_eq!(
        ["held", "drawn", "defaulted"].map(|name| cents(&balances[name])),
        [0, 0, 1_536_000]
    );
    assert_eq!(explained(&debtor, &line), []);
    let contracts = debtor.get("/v1/contracts?state=terminated").expect(200);
    assert_eq!(contracts["data"].as_array().map(Vec::len), Some(1));
    // Four fifths of what is above the first loss of 5,000.00.
    let collection = debtor.get(&format!("{path}/collection")).expect(200);
    let claim = &collection["claims"][0];
    assert_eq!((cents(&claim["amount"]), cents(&claim["paid"])), (828_800, 0));
    assert_eq!(claim["guarantor"], json!(vendor));

    let claims = format!("{path}/claims/{program}/payments");
    let post = |path: &str, amount: &str| {
        stage.admin.keyed(path, &key(), &json!({ "amount": amount, "reference": "wire 9" }))
    };
    let excess = post(&claims, "8288.01").refused(409, "more_than_there");
    assert_eq!(cents(&excess["there"]), 828_800);
    let paid = post(&claims, "8288.00").expect(200);
    assert_eq!(cents(&paid["claims"][0]["paid"]), 828_800);
    let given_up = stage.admin.keyed(&format!("{path}/write_off"), &key(), &json!({}));
    let given_up = given_up.expect(200);
    assert_eq!(cents(&given_up["written_off"]), 1_536_000 - 828_800);
    let borne = |collection: &Value, name: &str| -> i64 {
        let parts = collection["borne"].as_array().expect("a list").iter();
        parts.map(|part| cents(&part[name])).sum()
    };
    assert_eq!((borne(&given_up, "amount"), borne(&given_up, "recovered")), (1_536_000, 0));
    stage.admin.keyed(&format!("{path}/write_off"), &key(), &json!({})).expect(409);

    let recoveries = format!("{path}/recoveries");
    post(&recoveries, "15360.01").refused(409, "more_than_there");
    let back = post(&recoveries, "1536.00").expect(200);
    assert_eq!((cents(&back["recovered"]), borne(&back, "recovered")), (153_600, 153_600));
    // A tenth of the loss came back: a tenth of what each bore.
    for part in back["borne"].as_array().expect("a list") {
        assert_eq!(cents(&part["amount"]), 10 * cents(&part["recovered"]), "{part}");
    }
    assert_eq!(cents(&debtor.get(&path).expect(200)["defaulted"]), 1_536_000 - 153_600);
    assert_eq!(debtor.get(&format!("{path}/collection")).expect(200), back);
    let owed = json!({ "organization_id": vendor, "payable": "guarantor" });
    let owed = stage.admin.keyed("/v1/payouts", &key(), &owed).expect(201);
    assert_eq!(cents(&owed["amount"]), 82_880);
    books_balance(&stage.admin, "2027-01-12T00:00:00Z");
}

#[test]
fn what_is_wrong_with_a_call_is_pointed_at() {
    let stage = Stage::new();
    let Stage { admin, provider, customer, .. } = &stage;
    let contract = format!("/v1/contracts/{}", contract_of(&stage, &stage.order()));
    let of = |verb: &str| format!("{contract}/{verb}");
    let (org, nobody) = (&customer.organization, "org_01h2xcejqtf2nbrexx3vqjhp41");
    let paid = |fields: Value| merged(json!({ "organization_id": org, "amount": "1.00" }), fields);
    let day = json!({ "start_at": "2027-02-01T00:00:00Z", "end_at": "2027-02-02T00:00:00Z",
                      "missing_gpus": 0 });
    let report = |fields: Value| merged(day.clone(), fields);
    let fewer = |fields: Value| merged(json!({ "gpus": 32 }), fields);
    let (payments, payouts) = (|| "/v1/payments".to_owned(), || "/v1/payouts".to_owned());
    let sent = json!({ "organization_id": nobody, "payable": "vendor" });
    let early = "2026-12-31T00:00:00Z";
    let all = [
        (admin, payments(), paid(json!({ "amount": 1 })), "money_must_be_string", "/amount"),
        (admin, payments(), paid(json!({ "amount": "0" })), "out_of_bounds", "/amount"),
        (admin, payments(), paid(json!({ "amount": "-1" })), "out_of_bounds", "/amount"),
        (admin, payments(), paid(json!({ "amount": null })), "missing_field", "/amount"),
        (admin, payments(), paid(json!({ "invoice_id": org })), "wrong_id_kind", "/invoice_id"),
        (
            admin,
            payments(),
            paid(json!({ "organization_id": nobody })),
            "unknown",
            "/organization_id",
        ),
        (admin, payments(), paid(json!({ "tip": "1" })), "unknown_field", "/tip"),
        (admin, payouts(), sent.clone(), "unknown", "/organization_id"),
        (admin, payouts(), merged(sent, json!({ "payable": "bank" })), "unknown_value", "/payable"),
        (
            provider,
            of("delivery"),
            report(json!({ "missing_gpus": -1 })),
            "invalid",
            "/missing_gpus",
        ),
        (provider, of("delivery"), report(json!({ "end_at": early })), "empty_window", "/end_at"),
        (customer, of("shrink"), fewer(json!({ "gpus": 30 })), "off_lot", "/gpus"),
        (customer, of("shrink"), fewer(json!({ "gpus": 64 })), "out_of_bounds", "/gpus"),
        (customer, of("shrink"), fewer(json!({ "gpus": 0 })), "out_of_bounds", "/gpus"),
        (customer, of("shrink"), fewer(json!({ "start_at": early })), "in_the_past", "/start_at"),
        (
            customer,
            of("shrink"),
            fewer(json!({ "fee_max": 1 })),
            "money_must_be_string",
            "/fee_max",
        ),
        (customer, of("grow"), json!({ "gpus": 64 }), "out_of_bounds", "/gpus"),
        (customer, of("grow"), json!({ "gpus": 2_000_004 }), "out_of_bounds", "/gpus"),
        (customer, of("extend"), json!({}), "missing_field", "/end_at"),
        (
            customer,
            of("extend"),
            json!({ "end_at": "2027-02-02T00:30:00Z" }),
            "off_slot",
            "/end_at",
        ),
        (customer, of("extend"), json!({ "end_at": "2027-02-02T00:00:00Z" }), "invalid", "/end_at"),
        (
            admin,
            format!("/v1/credit_lines/{}/default", stage.line),
            json!({ "reason": "bored" }),
            "unknown_value",
            "/reason",
        ),
    ];
    let mut wrong = Vec::new();
    for (who, path, body, code, pointer) in all {
        let answer = who.keyed(&path, &key(), &body);
        let expected = (422, pointer.to_owned(), code.to_owned());
        let (place, kind) = answer.fault();
        if (answer.status, place, kind) != expected {
            wrong.push(format!("{path} {body}: not {code} at {pointer} but {}", answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for month in ["2027-13", "2027-1", "january", "2027-02-01"] {
        admin.get(&format!("/v1/periods/{month}")).expect(422);
        customer.get(&format!("/v1/statements/{month}")).expect(422);
    }
    let gone = paid(json!({ "invoice_id": "inv_01h2xcejqtf2nbrexx3vqjhp41" }));
    admin.keyed("/v1/payments", &key(), &gone).refused(404, "not_found");
    admin.post("/v1/payments", &paid(json!({}))).refused(400, "idempotency_key_required");
    assert_eq!(customer.get(&of("usage")).expect(200)["data"], json!([]));
    assert_eq!(customer.get(&contract).expect(200)["amendments"], 0, "nothing was changed");
}
