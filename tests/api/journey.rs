//! The whole road, each persona in turn: from an empty market to a contract that was delivered.

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::server::{PASSWORD, Server};
use crate::stage::{cents, member, sku};

const REGION: &str = "id-batam";

/// The operator's two people.
struct Officers {
    admin: Caller,
    second: Caller,
}

#[test]
fn a_market_is_lived_from_its_first_minute_to_a_delivered_contract() {
    let server = Server::fresh();
    let officers = Officers { admin: server.admin(), second: second_officer(&server.admin()) };
    set_up_catalogue(&officers.admin);
    let provider = bring_capacity(&server, &officers.admin);
    let customer = ask_for_credit(&server, &officers);
    look_around(&server.anonymous());
    let contract = reserve(&customer, &provider);
    follow_the_money(&customer, &officers.admin, &contract);
    live_it_through(&server, &contract);
    events_have_no_gap(&server);
    the_trail_names_everybody(&server, &officers);
}

fn second_officer(admin: &Caller) -> Caller {
    let second = member(admin, &["credit_officer"]);
    let me = second.get("/v1/me").expect(200);
    assert_eq!(me["rights"], json!(["view", "decide_credit", "audit"]));
    second
}

fn set_up_catalogue(admin: &Caller) {
    sku(admin);
    let body = json!({ "code": REGION, "name": "Batam", "country": "ID" });
    let made = admin.post("/v1/regions", &body);
    assert_eq!(made.header("location"), Some("/v1/regions/id-batam"));
    assert_eq!(made.expect(201)["country"], "ID");
    let again = admin.post("/v1/regions", &body).refused(409, "duplicate");
    assert_eq!(again["named"], REGION);
}

fn bring_capacity(server: &Server, admin: &Caller) -> Caller {
    let body = json!({
        "organization": { "name": "Strait AI", "capabilities": ["provider"], "country": "ID" },
        "email": "ops@strait.example", "password": PASSWORD,
    });
    let door = server.anonymous();
    let signed_up = door.post("/v1/signup", &body).expect(201);
    assert_eq!(signed_up["organization"]["state"], "pending_review");
    let provider = door.signed_up(&signed_up);
    let factory =
        json!({ "name": "Batam One", "region": REGION, "power_mw": 40, "state": "energized" });
    provider.post("/v1/factories", &factory).refused(403, "pending_review");
    let path = format!("/v1/organizations/{}/approve", provider.organization);
    assert_eq!(admin.post(&path, &json!({})).expect(200)["state"], "active");
    admin.post(&path, &json!({})).refused(409, "wrong_state");

    let factory = id(&provider.post("/v1/factories", &factory).expect(201));
    let body = json!({ "factory_id": factory, "sku": "gb300-nvl72", "phases": [
        { "gpus": 1440, "from": "2027-01-01T00:00:00Z" },
        { "gpus": 2880, "from": "2027-06-01T00:00:00Z" },
    ] });
    let pool = id(&provider.post("/v1/pools", &body).expect(201));
    let path =
        format!("/v1/pools/{pool}/schedule?from=2027-05-31T00:00:00Z&to=2027-06-02T00:00:00Z");
    let schedule = provider.get(&path).expect(200);
    let installed: Vec<&Value> = rows(&schedule).iter().map(|row| &row["installed_gpus"]).collect();
    assert_eq!(installed, [1440, 4320], "each phase adds");

    let mut body = json!({
        "pool_id": pool, "gpus": 1440, "price_per_gpu_hour": "2.50",
        "start_at": "2027-01-01T00:00:00Z", "end_at": "2028-01-01T00:00:00Z",
    });
    let listed = provider.post("/v1/listings", &body).expect(201);
    assert_eq!((&listed["state"], &listed["version"]), (&json!("live"), &json!(1)));
    body["gpus"] = json!(4);
    let beyond = provider.post("/v1/listings", &body).refused(422, "beyond_installed");
    assert_eq!((&beyond["installed"], &beyond["listed"]), (&json!(1440), &json!(1440)));
    provider
}

fn ask_for_credit(server: &Server, officers: &Officers) -> Caller {
    let body = json!({
        "organization": {
            "name": "Small Models", "capabilities": ["customer"], "segment": "startup",
            "country": "DE",
        },
        "email": "cto@small.example", "password": PASSWORD,
    });
    let door = server.anonymous();
    let signed_up = door.post("/v1/signup", &body).expect(201);
    assert_eq!(signed_up["organization"]["state"], "active");
    let customer = door.signed_up(&signed_up);
    let order = order();
    customer.keyed("/v1/orders", "early", &order).refused(402, "no_credit_line");

    let body = json!({ "requested_limit": "2500000.00", "purpose": "post-training runs",
                       "workload": "post_training" });
    let application = id(&customer.post("/v1/credit_applications", &body).expect(201));
    customer.post("/v1/credit_applications", &body).refused(409, "application_waiting");
    let path = format!("/v1/credit_applications/{application}/approve");
    let terms = json!({ "limit": "2000000", "tenor_months": 24, "net_days": 30 });
    let dry = officers.admin.keyed(&format!("{path}?dry_run=true"), "dry", &terms).expect(200);
    assert_eq!(dry["approvals_needed"], 2, "two million are above the threshold");
    let first = officers.admin.keyed(&path, "first", &terms).expect(200);
    assert_eq!((&first["state"], &first["credit_line_id"]), (&json!("submitted"), &Value::Null));
    officers.admin.keyed(&path, "twice", &terms).refused(409, "same_officer");
    let other = json!({ "limit": "1999999" });
    let differ = officers.second.keyed(&path, "other", &other).refused(409, "terms_differ");
    assert_eq!(differ["first"]["limit"]["amount"], "2000000.00");
    let second = officers.second.keyed(&path, "second", &terms).expect(200);
    assert_eq!(second["state"], "approved");
    assert_eq!(second["approved_by"], json!([officers.admin.user, officers.second.user]));

    let lines = customer.get("/v1/credit_lines").expect(200);
    let line = &rows(&lines)[0];
    assert_eq!(line["id"], second["credit_line_id"]);
    for (name, amount) in [
        ("limit", 200_000_000),
        ("available", 200_000_000),
        ("held", 0),
        ("drawn", 0),
        ("defaulted", 0),
    ] {
        assert_eq!(cents(&line[name]), amount, "{name} of {line}");
    }
    assert_eq!((&line["state"], &line["utilisation_ratio"]), (&json!("active"), &json!(0.0)));
    customer
}

/// 144 GPUs for two weeks somewhere in a week of starts: 120,960.00 at 2.50.
fn order() -> Value {
    json!({
        "sku": "gb300-nvl72", "regions": [REGION], "gpus": 144,
        "start_at": { "earliest": "2027-02-01T00:00:00Z", "latest": "2027-02-08T00:00:00Z" },
        "duration_hours": 336, "limit_price_per_gpu_hour": "3.20", "time_in_force": "ioc",
        "workload": "post_training", "client_order_id": "train-42",
    })
}

fn rows(list: &Value) -> &Vec<Value> {
    list["data"].as_array().expect("a list")
}

fn look_around(anyone: &Caller) {
    let window = "from=2027-01-01T00:00:00Z&to=2027-03-01T00:00:00Z";
    let path = format!("/v1/market/availability?sku=gb300-nvl72&region={REGION}&{window}");
    let free = anyone.get(&path).expect(200);
    let [stretch] = &rows(&free)[..] else { panic!("one stretch, not {free}") };
    assert_eq!(stretch["free_gpus"], 1440);
    assert_eq!(stretch["best_price_per_gpu_hour"], "2.50");
    assert_eq!(stretch["end_at"], "2027-03-01T00:00:00Z");
    let book = anyone.get(&format!("/v1/market/book?sku=gb300-nvl72&{window}")).expect(200);
    assert_eq!(book["levels"][0]["gpus"], 1440);
    assert_eq!(book["largest_block_gpus"], 1440);
}

fn reserve(customer: &Caller, provider: &Caller) -> String {
    let mut ask = order();
    for name in ["time_in_force", "client_order_id"] {
        ask.as_object_mut().expect("an object").remove(name);
    }
    let quote = customer.post("/v1/quotes", &ask).expect(201);
    assert_eq!(
        (&quote["state"], &quote["start_at"]),
        (&json!("indicative"), &json!("2027-02-01T00:00:00Z"))
    );
    assert_eq!(cents(&quote["total"]), 12_096_000);
    assert_eq!(cents(&quote["credit_after"]), 200_000_000 - 12_096_000);

    let placed = customer.keyed("/v1/orders", "train-42", &order());
    let made = placed.expect(201);
    assert_eq!(placed.header("location"), Some(format!("/v1/orders/{}", id(&made)).as_str()));
    assert_eq!((&made["state"], &made["filled_gpus"]), (&json!("filled"), &json!(144)));
    assert_eq!(made["average_price_per_gpu_hour"], "2.50");
    assert_eq!(made["client_order_id"], "train-42");
    assert_eq!(made["reason"], Value::Null);
    let contract = made["contract_id"].as_str().expect("a contract").to_owned();

    // Both parties read the same contract.
    let path = format!("/v1/contracts/{contract}");
    let read = customer.get(&path).expect(200);
    assert_eq!(read, provider.get(&path).expect(200));
    let mut carried = made["contract"].clone();
    carried["paid"] = json!({ "amount": "0.00", "currency": "USD" });
    assert_eq!(read, carried, "the order carries it");
    assert_eq!(read["state"], "scheduled");
    assert_eq!(
        (&read["customer"], &read["provider"]),
        (&json!(customer.organization), &json!(provider.organization))
    );
    assert_eq!(
        (&read["start_at"], &read["end_at"]),
        (&json!("2027-02-01T00:00:00Z"), &json!("2027-02-15T00:00:00Z"))
    );
    assert_eq!((&read["sku"], &read["region"]), (&json!("gb300-nvl72"), &json!(REGION)));
    assert_eq!(cents(&read["value"]), 12_096_000);
    let [draw] = &read["allocations"].as_array().expect("a list")[..] else { panic!("{read}") };
    assert_eq!((&draw["gpus"], &draw["price_per_gpu_hour"]), (&json!(144), &json!("2.50")));
    assert_eq!(read["terms"]["platform_fee_bps"], 500);
    assert_eq!(read["terms"]["cancellation_fee_bps"], 2500);
    contract
}

fn follow_the_money(customer: &Caller, admin: &Caller, contract: &str) {
    let lines = customer.get("/v1/credit_lines").expect(200);
    let line = &rows(&lines)[0];
    assert_eq!(cents(&line["held"]), 12_096_000);
    assert_eq!(cents(&line["available"]), 200_000_000 - 12_096_000);
    assert_eq!(line["utilisation_ratio"], 0.0604);
    let holds = customer.get(&format!("/v1/credit_lines/{}/holds", id(line))).expect(200);
    assert_eq!(rows(&holds)[0]["contract_id"], contract);
    assert_eq!(cents(&rows(&holds)[0]["amount"]), 12_096_000);
    let history = customer.get(&format!("/v1/credit_lines/{}/history", id(line))).expect(200);
    assert_eq!(rows(&history).len(), 2, "granted, then held: {history}");

    let trades = customer.get("/v1/market/trades?sku=gb300-nvl72").expect(200);
    let trade = &rows(&trades)[0];
    assert_eq!(
        (&trade["gpus"], &trade["average_price_per_gpu_hour"]),
        (&json!(144), &json!("2.50"))
    );
    assert!(!trades.to_string().contains("org_"), "the tape names nobody");
    books_balance(admin);
    let entries = admin.get(&format!("/v1/ledger/entries?contract_id={contract}")).expect(200);
    let kept: Vec<&Value> = rows(&entries).iter().map(|entry| &entry["ledger"]).collect();
    assert!(kept.contains(&&json!("exp")) && kept.contains(&&json!("cap")), "{entries}");
    assert!(!kept.contains(&&json!("gl")), "nothing is earned before delivery");
}

fn books_balance(admin: &Caller) {
    let balance = admin.get("/v1/ledger/trial_balance").expect(200);
    assert_eq!(rows(&balance).len(), 4);
    for book in rows(&balance) {
        assert_eq!(book["difference"], "0", "{book}");
    }
}

/// Time is moved past the people's sessions, so they sign in again.
fn live_it_through(server: &Server, contract: &str) {
    let sign_in = || server.anonymous().signed_in("cto@small.example", PASSWORD);
    let path = format!("/v1/contracts/{contract}");
    server.advance_to("2027-01-31T23:59:00Z");
    assert_eq!(sign_in().get(&path).expect(200)["state"], "scheduled");
    server.advance_to("2027-02-01T00:00:00Z");
    assert_eq!(sign_in().get(&path).expect(200)["state"], "active");
    server.advance_to("2027-02-15T00:00:00Z");
    let customer = sign_in();
    let done = customer.get(&path).expect(200);
    assert_eq!(done["state"], "completed");
    assert_eq!(done["accrued"], done["value"]);
    let lines = customer.get("/v1/credit_lines").expect(200);
    let line = &rows(&lines)[0];
    assert_eq!((cents(&line["held"]), cents(&line["drawn"])), (0, 12_096_000));
    books_balance(&server.admin());
    let clock = customer.get("/v1/clock").expect(200);
    assert_eq!(clock["simulated"], true);
    let back = json!({ "to": "2027-02-01T00:00:00Z" });
    server.admin().post("/v1/test/clock/advance", &back).refused(422, "out_of_bounds");
}

fn events_have_no_gap(server: &Server) {
    let customer = server.anonymous().signed_in("cto@small.example", PASSWORD);
    let all = customer.get("/v1/events").expect(200);
    let told: Vec<&str> = rows(&all).iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        told,
        [
            "credit_application.submitted",
            "credit_application.approved",
            "credit_line.activated",
            "contract.created",
            "order.filled",
            "contract.active",
            "contract.completed",
        ]
    );
    for (place, event) in (1..).zip(rows(&all)) {
        assert_eq!(event["seq"], place, "from 1 and without a gap");
        assert_eq!(event["organization"], customer.organization.as_str());
    }
    let rest = customer.get("/v1/events?after=5&limit=1").expect(200);
    assert_eq!(
        (&rest["data"][0]["type"], &rest["has_more"]),
        (&json!("contract.active"), &json!(true))
    );
    let last =
        customer.get(&format!("/v1/events?after={}", rest["next_cursor"].as_str().expect("one")));
    assert_eq!(rows(&last.expect(200)).len(), 1);
}

fn the_trail_names_everybody(server: &Server, officers: &Officers) {
    let mut records = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/audit_records?limit=100{cursor}");
        let page = server.admin().get(&path).expect(200);
        records.extend(rows(&page).iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let numbers: Vec<u64> = records.iter().filter_map(|one| one["number"].as_u64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {numbers:?}");
    let by = |verb: &str| -> Vec<&str> {
        let these = records.iter().filter(|one| one["verb"] == verb);
        these.filter_map(|one| one["actor"].as_str()).collect()
    };
    let verbs: Vec<&Value> = records.iter().map(|one| &one["verb"]).collect();
    assert_eq!(
        by("approve"),
        [officers.second.user.as_str(), officers.admin.user.as_str()],
        "{verbs:?}"
    );
    let text = Value::from(records).to_string();
    assert!(!text.contains(PASSWORD) && !text.contains("argon2"), "no secret is in the trail");
}
