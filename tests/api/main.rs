//! The API as its callers meet it: a real server on port 0, spoken to over HTTP.

mod server;

use reqwest::Method;
use serde_json::{Value, json};

use server::{ADMIN, Answer, Caller, PASSWORD, Server, hours, send, text};

/// A market with a SKU, a region, a provider's pool with a listing, and a customer with credit.
struct Market<'a> {
    admin: Caller<'a>,
    officer: Caller<'a>,
    provider: Caller<'a>,
    customer: Caller<'a>,
    pool: String,
    listing: String,
    line: String,
}

fn sku() -> Value {
    json!({
        "code": "gb300-nvl72", "gpu_model": "NVIDIA GB300", "memory_gib": 288,
        "gpus_per_node": 4, "gpus_per_domain": 72, "interconnect": "NVLink 5",
        "slot_minutes": 60, "tick": "0.01", "watts_per_gpu": 1400,
    })
}

fn listing(pool: &str) -> Value {
    json!({
        "pool_id": pool, "gpus": 144, "start_at": hours(0), "end_at": hours(1_000),
        "price_per_gpu_hour": "2.50",
    })
}

fn order(gpus: u32, from: i64, hours_long: u32, limit: &str) -> Value {
    json!({
        "sku": "gb300-nvl72", "regions": ["id-batam"], "gpus": gpus, "start_at": hours(from),
        "duration_hours": hours_long, "limit_price_per_gpu_hour": limit,
    })
}

/// Invites somebody with these roles and signs them in.
fn member<'a>(server: &'a Server, owner: &Caller<'_>, name: &str, roles: &[&str]) -> Caller<'a> {
    let me = owner.get("/v1/me").is(200);
    let path = format!("/v1/organizations/{}/invitations", text(&me, "/organization/id"));
    let email = format!("{name}@members.example");
    let invited = owner.post(&path, &json!({ "email": email, "roles": roles })).is(201);
    let token = text(&invited, "/invitation_token");
    let accept = json!({ "invitation_token": token, "password": PASSWORD });
    let accepted = server.anonymous().post("/v1/invitations/accept", &accept).is(201);
    server.with(text(&accepted, "/access_token"))
}

/// Plays the first day of a market.
fn open_market(server: &Server) -> Market<'_> {
    let admin = server.sign_in(ADMIN);
    let officer = member(server, &admin, "officer", &["credit_officer"]);
    admin.do_once("/v1/skus", &sku()).is(201);
    let region = json!({ "code": "id-batam", "name": "Batam", "country": "ID" });
    admin.do_once("/v1/regions", &region).is(201);

    let (provider, firmus) = server.sign_up("firmus", &["provider"]);
    let factory = json!({
        "name": "Batam One", "region": "id-batam", "power_mw": 360, "state": "energized",
    });
    provider.do_once("/v1/factories", &factory).refused(403, "pending_review");
    admin.do_once(&format!("/v1/organizations/{firmus}/approve"), &json!({})).is(200);
    let factory = provider.do_once("/v1/factories", &factory).is(201);
    let pool = json!({
        "factory_id": text(&factory, "/id"), "sku": "gb300-nvl72",
        "phases": [{ "gpus": 144, "from": hours(0) }],
    });
    let pool = text(&provider.do_once("/v1/pools", &pool).is(201), "/id").to_owned();
    let offered = provider.do_once("/v1/listings", &listing(&pool)).is(201);

    let (customer, _) = server.sign_up("tidal", &["customer"]);
    let ask = json!({ "requested_limit": { "amount": "250000.00", "currency": "USD" },
                      "purpose": "Post-training", "workload": "post_training" });
    let asked = customer.do_once("/v1/credit_applications", &ask).is(201);
    let path = format!("/v1/credit_applications/{}/approve", text(&asked, "/id"));
    let approved = officer.do_once(&path, &json!({ "limit": "250000.00" })).is(200);
    let line = text(&approved, "/credit_line_id").to_owned();
    let listing = text(&offered, "/id").to_owned();
    Market { admin, officer, provider, customer, pool, listing, line }
}

fn line_of(caller: &Caller<'_>) -> Value {
    caller.get("/v1/credit_lines").is(200)["data"][0].clone()
}

#[test]
fn the_main_job_from_sign_up_to_contract() {
    let server = Server::start();
    let market = open_market(&server);
    let placed = market.customer.do_once("/v1/orders", &order(64, 24, 720, "3.20"));
    let location = placed.header("location").map(str::to_owned);
    let placed = placed.is(201);
    assert_eq!(text(&placed, "/state"), "filled", "{placed}");
    assert_eq!(text(&placed, "/value/amount"), "115200.00");
    assert_eq!(text(&placed, "/average_price_per_gpu_hour"), "2.50");
    assert_eq!(placed["filled_gpus"], 64);
    assert_eq!(location, Some(format!("/v1/orders/{}", text(&placed, "/id"))));

    let path = format!("/v1/contracts/{}", text(&placed, "/contract_id"));
    for caller in [&market.customer, &market.provider, &market.admin] {
        let contract = caller.get(&path).is(200);
        assert_eq!(contract, placed["contract"]);
        assert_eq!(text(&contract, "/state"), "scheduled");
        assert_eq!(text(&contract, "/allocations/0/listing_id"), market.listing);
        assert_eq!(text(&contract, "/pool_id"), market.pool);
    }
    server.sign_up("stranger", &["customer"]).0.get(&path).refused(404, "not_found");

    let line = line_of(&market.customer);
    assert_eq!(text(&line, "/held/amount"), "115200.00");
    assert_eq!(text(&line, "/available/amount"), "134800.00");
    assert_eq!(line["utilisation_ratio"], 0.4608);
    let holds = market.customer.get(&format!("/v1/credit_lines/{}/holds", market.line)).is(200);
    assert_eq!(text(&holds, "/data/0/amount/amount"), "115200.00");

    let path = "/v1/market/availability?sku=gb300-nvl72&region=id-batam";
    let free = server.anonymous().get(path).is(200);
    let stretches: Vec<i64> = free["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["free_gpus"].as_i64())
        .collect();
    assert_eq!(stretches, vec![144, 80, 144, 0]);
    let trades = server.anonymous().get("/v1/market/trades").is(200);
    assert_eq!(text(&trades, "/data/0/average_price_per_gpu_hour"), "2.50");
    let book = server.anonymous().get("/v1/market/book?sku=gb300-nvl72").is(200);
    assert_eq!(book["levels"][0]["gpus"], 144);

    let books = market.admin.get("/v1/ledger/trial_balance").is(200);
    for book in books["data"].as_array().expect("books") {
        assert_eq!(text(book, "/difference"), "0", "{books}");
    }
    market.admin.get("/v1/audit_records?limit=100").is(200);
    market.customer.get("/v1/audit_records").refused(403, "not_permitted");
}

#[test]
fn the_clock_moves_contracts_along() {
    let server = Server::start();
    let market = open_market(&server);
    let placed = market.customer.do_once("/v1/orders", &order(64, 24, 48, "3.20")).is(201);
    let path = format!("/v1/contracts/{}", text(&placed, "/contract_id"));
    let state = || text(&market.customer.get(&path).is(200), "/state").to_owned();
    let advance = |body: Value| market.admin.post("/v1/test/clock/advance", &body);
    advance(json!({ "to": hours(24) })).is(200);
    assert_eq!(state(), "active");
    advance(json!({ "seconds": 48 * 3_600 })).is(200);
    assert_eq!(state(), "completed");
    advance(json!({ "to": hours(0) })).refused(422, "out_of_bounds");
    market.customer.post("/v1/test/clock/advance", &json!({ "seconds": 1 })).is(403);
    let events = market.customer.get("/v1/events?limit=100").is(200);
    let kinds: Vec<&str> =
        events["data"].as_array().expect("events").iter().map(|one| text(one, "/type")).collect();
    for kind in ["contract.created", "contract.active", "contract.completed", "order.filled"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let numbers: Vec<u64> = events["data"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|e| e["seq"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=u64::try_from(numbers.len()).expect("few")).collect::<Vec<_>>());
}

#[test]
fn the_same_key_gives_the_same_bytes() {
    let server = Server::start();
    let market = open_market(&server);
    let body = order(64, 24, 720, "3.20");
    let first = market.customer.under("k1", "/v1/orders", &body);
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let again = market.customer.under("k1", "/v1/orders", &body);
    assert_eq!(again.status, 201);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.bytes, first.bytes);
    let other = order(32, 24, 720, "3.20");
    market.customer.under("k1", "/v1/orders", &other).refused(422, "key_reused");
    market.customer.post("/v1/orders", &body).refused(400, "idempotency_key_required");
    market.customer.under("", "/v1/orders", &body).refused(400, "idempotency_key_invalid");

    // A refusal is kept too: credit is short now, and stays so under this key.
    let large = order(80, 24, 720, "3.20");
    let short = market.customer.under("k2", "/v1/orders", &large);
    assert_eq!(short.status, 402);
    let again = market.customer.under("k2", "/v1/orders", &large);
    assert_eq!((again.status, again.bytes), (402, short.bytes));
    assert_eq!(text(&line_of(&market.customer), "/held/amount"), "115200.00");
}

#[test]
fn a_dry_run_changes_nothing() {
    let server = Server::start();
    let market = open_market(&server);
    let before = line_of(&market.customer);
    let body = order(64, 24, 720, "3.20");
    let dry = market.customer.do_once("/v1/orders?dry_run=true", &body).is(200);
    assert_eq!(text(&dry, "/state"), "filled");
    assert_eq!(line_of(&market.customer), before);
    market.customer.get(&format!("/v1/orders/{}", text(&dry, "/id"))).refused(404, "not_found");
    let dry = market.provider.do_once("/v1/listings?dry_run=true", &listing(&market.pool));
    dry.refused(422, "beyond_installed");
}

#[test]
fn what_does_not_fill_explains_itself() {
    let server = Server::start();
    let market = open_market(&server);
    let dear = market.customer.do_once("/v1/orders", &order(64, 24, 24, "1.00")).is(201);
    assert_eq!((text(&dear, "/state"), text(&dear, "/reason")), ("expired", "price"), "{dear}");
    assert_eq!(text(&dear, "/explanation/best_price_per_gpu_hour"), "2.50");
    let large = market.customer.do_once("/v1/orders", &order(148, 24, 24, "3.00")).is(201);
    assert_eq!(text(&large, "/reason"), "capacity", "{large}");
    assert_eq!(large["explanation"]["free_gpus"], 144);
    let quote = json!({ "sku": "gb300-nvl72", "gpus": 148, "start_at": hours(24),
                        "duration_hours": 24 });
    let none = market.customer.post("/v1/quotes", &quote).refused(409, "no_block");
    assert_eq!(none["explanation"]["constraint"], "capacity");
    let mut resting = order(64, 24, 24, "1.00");
    resting["time_in_force"] = json!("gtc");
    let resting = market.customer.do_once("/v1/orders", &resting).is(201);
    assert_eq!(text(&resting, "/state"), "open");
    assert_eq!(text(&resting, "/held/amount"), "1536.00");
    let path = format!("/v1/orders/{}/cancel", text(&resting, "/id"));
    let cancelled = market.customer.do_once(&path, &json!({})).is(200);
    assert_eq!(text(&cancelled, "/state"), "cancelled");
    market.customer.do_once(&path, &json!({})).refused(409, "wrong_state");
}

#[test]
fn a_firm_quote_is_taken_by_an_order() {
    let server = Server::start();
    let market = open_market(&server);
    let mut ask = json!({ "sku": "gb300-nvl72", "gpus": 64, "start_at": "now",
                          "duration_hours": 24 });
    let told = market.customer.post("/v1/quotes", &ask).is(201);
    assert_eq!(text(&told, "/total/amount"), "3840.00");
    assert_eq!(text(&told, "/state"), "indicative");
    ask["firm"] = json!(true);
    market.customer.post("/v1/quotes", &ask).refused(400, "idempotency_key_required");
    let firm = market.customer.do_once("/v1/quotes", &ask).is(201);
    assert_eq!(text(&line_of(&market.customer), "/held/amount"), "3840.00");
    let take = json!({ "quote_id": text(&firm, "/id") });
    let order = market.customer.do_once("/v1/orders", &take).is(201);
    assert_eq!(text(&order, "/state"), "filled");
    market.customer.do_once("/v1/orders", &take).refused(409, "quote_gone");
    let path = format!("/v1/quotes/{}", text(&firm, "/id"));
    assert_eq!(text(&market.customer.get(&path).is(200), "/state"), "taken");
}

#[test]
fn a_batch_answers_each_order_in_its_place() {
    let server = Server::start();
    let market = open_market(&server);
    let entry = |key: &str, order: Value| json!({ "idempotency_key": key, "order": order });
    let body = json!({ "orders": [
        entry("b1", order(64, 24, 24, "3.00")),
        entry("b2", order(3, 24, 24, "3.00")),
        entry("b3", json!({ "sku": "gb300-nvl72", "price": 1 })),
        entry("b4", order(80, 24, 24, "3.00")),
    ] });
    let all = market.customer.post("/v1/orders/batch", &body).is(200);
    let statuses: Vec<u64> =
        all["data"].as_array().expect("all").iter().filter_map(|e| e["status"].as_u64()).collect();
    assert_eq!(statuses, vec![201, 422, 422, 201]);
    assert_eq!(text(&all, "/data/1/problem/code"), "off_lot");
    assert_eq!(text(&all, "/data/2/problem/errors/0/pointer"), "/orders/2/order/price");
    let again = market.customer.post("/v1/orders/batch", &body).is(200);
    assert_eq!(again["data"][0]["order"], all["data"][0]["order"]);
    assert_eq!(again["data"][0]["replayed"], true);
    let twice = json!({ "orders": [entry("x", json!({})), entry("x", json!({}))] });
    market.customer.post("/v1/orders/batch", &twice).is(422);
    market.customer.post("/v1/orders/batch", &json!({ "orders": [] })).is(422);
}

#[test]
fn versions_guard_what_others_may_change() {
    let server = Server::start();
    let market = open_market(&server);
    let path = format!("/v1/listings/{}", market.listing);
    let tag = market.provider.get(&path).header("etag").expect("a tag").to_owned();
    let reprice = |tag: Option<&str>, price: &str| {
        let request = market.provider.request(Method::POST, &format!("{path}/reprice"));
        let request = match tag {
            Some(tag) => request.header("if-match", tag),
            None => request,
        };
        send(request.json(&json!({ "price_per_gpu_hour": price })))
    };
    reprice(None, "2.60").refused(428, "version_required");
    let repriced = reprice(Some(&tag), "2.60");
    let next = repriced.header("etag").expect("a tag").to_owned();
    assert_eq!(text(&repriced.is(200), "/price_per_gpu_hour"), "2.60");
    assert_ne!(next, tag);
    reprice(Some(&tag), "2.70").refused(412, "version_mismatch");
    reprice(Some(&next), "2.705").refused(422, "off_tick");
    let withdrawn = market.provider.do_once(&format!("{path}/withdraw"), &json!({})).is(200);
    assert_eq!(text(&withdrawn, "/state"), "withdrawn");
}

#[test]
fn credentials_count_from_the_next_request_on() {
    let server = Server::start();
    let market = open_market(&server);
    let body = json!({ "name": "cluster", "roles": ["trader"] });
    let made = market.customer.post("/v1/api_keys", &body).is(201);
    let robot = server.with(text(&made, "/secret"));
    robot.do_once("/v1/orders", &order(4, 24, 24, "3.00")).is(201);
    robot.post("/v1/api_keys", &body).refused(403, "not_permitted");
    let path = format!("/v1/api_keys/{}/revoke", text(&made, "/id"));
    market.customer.do_once(&path, &json!({})).is(200);
    robot.get("/v1/me").refused(401, "unauthenticated");

    let viewer = member(&server, &market.customer, "viewer", &["viewer"]);
    viewer.do_once("/v1/orders", &order(4, 24, 24, "3.00")).refused(403, "not_permitted");
    let me = viewer.get("/v1/me").is(200);
    let path = format!(
        "/v1/organizations/{}/members/{}",
        text(&me, "/organization/id"),
        text(&me, "/user/id")
    );
    let change = |roles: Value| {
        let request = market.customer.request(Method::PATCH, &path);
        send(request.json(&json!({ "roles": roles })))
    };
    change(json!(["trader"])).is(200);
    viewer.do_once("/v1/orders", &order(4, 24, 24, "3.00")).is(201);
    change(json!(["admin"])).refused(403, "role_not_grantable");
    assert_eq!(send(market.customer.request(Method::DELETE, &path)).status, 204);
    viewer.get("/v1/me").refused(401, "unauthenticated");
}

#[test]
fn sessions_refresh_and_end() {
    let server = Server::start();
    let (owner, _) = server.sign_up("tidal", &["customer"]);
    let wrong = json!({ "email": "owner@tidal.example", "password": "not this password" });
    server.anonymous().post("/v1/sessions", &wrong).refused(401, "unauthenticated");
    let nobody = json!({ "email": "nobody@tidal.example", "password": PASSWORD });
    server.anonymous().post("/v1/sessions", &nobody).refused(401, "unauthenticated");
    let right = json!({ "email": "Owner@Tidal.Example", "password": PASSWORD });
    let tokens = server.anonymous().post("/v1/sessions", &right).is(201);
    let refresh = |token: &str| {
        server.anonymous().post("/v1/sessions/refresh", &json!({ "refresh_token": token }))
    };
    let first = text(&tokens, "/refresh_token").to_owned();
    let next = refresh(&first).is(200);
    let here = server.with(text(&next, "/access_token"));
    here.get("/v1/me").is(200);
    // The first token again: somebody has a copy, so the session ends for everybody.
    assert_eq!(refresh(&first).status, 401);
    here.get("/v1/me").refused(401, "unauthenticated");
    assert_eq!(refresh(text(&next, "/refresh_token")).status, 401);

    let me = owner.get("/v1/me").is(200);
    let path = format!("/v1/sessions/{}", text(&me, "/session_id"));
    assert_eq!(send(owner.request(Method::DELETE, &path)).status, 204);
    owner.get("/v1/me").refused(401, "unauthenticated");
}

#[test]
fn officers_decide_and_lines_follow() {
    let server = Server::start();
    let market = open_market(&server);
    let path = format!("/v1/credit_lines/{}", market.line);
    let second = member(&server, &market.admin, "second", &["credit_officer"]);
    let note = json!({ "note": "a late invoice" });
    let frozen = market.officer.do_once(&format!("{path}/freeze"), &note).is(200);
    assert_eq!(text(&frozen, "/state"), "frozen");
    let body = order(64, 24, 24, "3.00");
    market.customer.do_once("/v1/orders", &body).refused(402, "credit_line_state");
    let unfreeze = format!("{path}/unfreeze");
    assert_eq!(text(&market.officer.do_once(&unfreeze, &note).is(200), "/state"), "frozen");
    market.officer.do_once(&unfreeze, &note).refused(409, "same_officer");
    assert_eq!(text(&second.do_once(&unfreeze, &note).is(200), "/state"), "active");
    market.customer.do_once("/v1/orders", &body).is(201);

    let tag = market.officer.get(&path).header("etag").expect("a tag").to_owned();
    let request = market.officer.request(Method::POST, &format!("{path}/limit"));
    let request = request.header("if-match", tag).header("idempotency-key", "limit-1");
    let changed = send(request.json(&json!({ "limit": "100000.00" }))).is(200);
    assert_eq!(text(&changed, "/limit/amount"), "100000.00");
    let history = market.customer.get(&format!("{path}/history")).is(200);
    assert!(history["data"].as_array().is_some_and(|all| all.len() >= 3), "{history}");
    market.customer.do_once(&format!("{path}/freeze"), &note).refused(403, "not_permitted");
}

#[test]
fn bad_requests_are_told_what_is_wrong() {
    let server = Server::start();
    let market = open_market(&server);
    let raw = |method: Method, path: &str, kind: &str, body: Vec<u8>| -> Answer {
        let request = market.customer.request(method, path).header("content-type", kind);
        send(request.header("idempotency-key", server.fresh_key()).body(body))
    };
    let post = |body: &[u8]| raw(Method::POST, "/v1/orders", "application/json", body.to_vec());
    post(b"{").refused(400, "invalid_json");
    post(b"{\"sku\":\"\xff\"}").refused(400, "invalid_json");
    post(&[b"[".repeat(10_000), b"]".repeat(10_000)].concat()).refused(400, "invalid_json");
    post(b"[]").refused(422, "wrong_type");
    post(br#"{"price":1}"#).refused(422, "unknown_field");
    post(br#"{"limit_price_per_gpu_hour":2.5}"#).refused(422, "money_must_be_string");
    post(br#"{"quote_id":"ord_01h2xcejqtf2nbrexx3vqjhp41"}"#).refused(422, "wrong_id_kind");
    let large = vec![b' '; 1_048_577];
    post(&large).refused(413, "body_too_large");
    let form = raw(Method::POST, "/v1/orders", "application/x-www-form-urlencoded", vec![b'a']);
    form.refused(415, "unsupported_media_type");
    let put = raw(Method::PUT, "/v1/orders", "application/json", Vec::new());
    assert_eq!(put.header("allow"), Some("GET, POST, HEAD"));
    put.refused(405, "method_not_allowed");
    let anonymous = server.anonymous();
    anonymous.get("/v1/nothing").refused(404, "not_found");
    anonymous.get("/v1/orders/ord_x").refused(401, "unauthenticated");
    market.customer.get("/v1/orders?limit=0").refused(400, "invalid_query");
    market.customer.get("/v1/orders?order=asc").refused(400, "invalid_query");
    market.customer.get("/v1/orders?cursor=AAAA").refused(400, "invalid_cursor");
    market.customer.get("/v1/orders/org_01h2xcejqtf2nbrexx3vqjhp41").refused(422, "wrong_id_kind");
    market.customer.get("/v1/orders/ord_01h2xcejqtf2nbrexx3vqjhp41").refused(404, "not_found");
    let challenge = anonymous.get("/v1/me");
    assert!(challenge.header("www-authenticate").is_some_and(|text| text.starts_with("Bearer")));
    for (body, code) in [
        (order(3, 24, 24, "3.00"), "off_lot"),
        (order(4, 24, 24, "3.001"), "off_tick"),
        (order(4, -24, 24, "3.00"), "in_the_past"),
        (
            json!({ "sku": "nothing", "gpus": 4, "start_at": "now", "duration_hours": 1,
                 "limit_price_per_gpu_hour": "1.00" }),
            "unknown",
        ),
    ] {
        market.customer.do_once("/v1/orders", &body).refused(422, code);
    }
}

#[test]
fn requests_carry_their_id_through() {
    let server = Server::start();
    let id = "0194e3a0-0000-7000-8000-000000000001";
    let ask = |id: &str| {
        let request = server.anonymous().request(Method::GET, "/v1/me");
        send(request.header("x-request-id", id))
    };
    let answer = ask(id);
    assert_eq!(answer.header("x-request-id"), Some(id));
    assert_eq!(text(&answer.body, "/request_id"), id);
    assert_ne!(ask("not a uuid").header("x-request-id"), Some("not a uuid"));
}

#[test]
fn lists_run_from_the_newest_and_survive_inserts() {
    let server = Server::start();
    let market = open_market(&server);
    let place = || {
        let placed = market.customer.do_once("/v1/orders", &order(4, 24, 24, "3.00")).is(201);
        text(&placed, "/id").to_owned()
    };
    let mut placed: Vec<String> = (0..5).map(|_| place()).collect();
    placed.reverse();
    let first = market.customer.get("/v1/orders?limit=2").is(200);
    place();
    let mut seen = Vec::new();
    let mut page = first;
    loop {
        let data = page["data"].as_array().expect("a list").clone();
        seen.extend(data.iter().map(|one| text(one, "/id").to_owned()));
        if page["has_more"] == false {
            break;
        }
        let cursor = text(&page, "/next_cursor").to_owned();
        page = market.customer.get(&format!("/v1/orders?limit=2&cursor={cursor}")).is(200);
    }
    assert_eq!(seen, placed);
}

#[test]
fn the_server_explains_itself_without_asking_anybody() {
    let server = Server::start();
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/healthz").status, 200);
    assert_eq!(anonymous.get("/readyz").status, 200);
    let served = anonymous.get("/v1/openapi.json").is(200);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/api-spec/openapi.json");
    let committed = std::fs::read_to_string(path).expect("the committed document");
    assert_eq!(served, serde_json::from_str::<Value>(&committed).expect("JSON"));
    assert_eq!(anonymous.get("/.well-known/jwks.json").is(200)["keys"][0]["kty"], "OKP");
    for path in ["/", "/docs/", "/docs/swagger-initializer.js", "/problems", "/problems/off-lot"] {
        let page = anonymous.get(path);
        assert_eq!(page.status, 200, "{path}");
        let text = String::from_utf8_lossy(&page.bytes);
        let foreign = text.contains("src=\"http") || text.contains("href=\"http");
        assert!(!foreign, "{path} asks somebody else");
        if page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            assert!(page.header("content-security-policy").is_some(), "{path}");
        }
    }
    anonymous.get("/problems/nothing").refused(404, "not_found");
}

#[test]
fn a_stream_tells_what_happens() {
    use std::io::Read;
    let server = Server::start();
    let market = open_market(&server);
    let request = market.customer.request(Method::GET, "/v1/events/stream?after=0");
    let mut stream = request.send().expect("a stream");
    let mut told = String::new();
    let mut buffer = [0; 4_096];
    market.customer.do_once("/v1/orders", &order(4, 24, 24, "3.00")).is(201);
    while !told.contains("event: contract.created") {
        let read = stream.read(&mut buffer).expect("more");
        assert!(read > 0, "the stream ended: {told}");
        told.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(told.contains("id: 1\n"), "{told}");
}
