//! The real server under load, killed with `kill -9` at random moments and started again: every
//! order that was acknowledged is there, exactly once, and a retry gets the first answer's bytes.
//!
//! `HEADROOM_KILLS=200 cargo test --test kill` kills more often than the ordinary run.

#[path = "../cluster/mod.rs"]
mod cluster;
mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use server::{ADMIN, Caller, PASSWORD, Reply, Server, verify};

/// Kills in the ordinary run.
const KILLS: usize = 10;

/// Customers' programs that order at the same time.
const ASKERS: usize = 8;

#[expect(clippy::disallowed_methods, reason = "only the tests' own reader of the environment")]
fn kills() -> usize {
    std::env::var("HEADROOM_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(KILLS)
}

#[expect(clippy::disallowed_methods, reason = "a kill comes out of the blue, after no event")]
fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// The orders that were acknowledged, by their keys.
type Acknowledged = BTreeMap<String, Vec<u8>>;

/// What the askers share: where the server is now, and whether to go on.
#[derive(Debug)]
struct Stage {
    url: Mutex<String>,
    is_over: AtomicBool,
    /// How many orders were acknowledged.
    count: AtomicUsize,
    /// The hours that are sold, the same throughout: a retry must have the same body.
    start: String,
    end: String,
}

impl Stage {
    fn set(url: &str) -> Self {
        let (url, is_over) = (Mutex::new(url.to_owned()), AtomicBool::new(false));
        let count = AtomicUsize::new(0);
        Self { url, is_over, count, start: whole_hour(24), end: whole_hour(48) }
    }

    /// Returns once somebody was answered anew: the server lives and works.
    fn wait_for_an_answer(&self) {
        let before = self.count.load(Ordering::Acquire);
        for _ in 0..60_000 {
            if self.count.load(Ordering::Acquire) > before {
                return;
            }
            pause(1);
        }
        panic!("nobody was answered for a minute");
    }

    fn order(&self, key: &str) -> Value {
        json!({ "sku": "gb300-nvl72", "regions": ["id-batam"], "gpus": 4, "duration_hours": 24,
            "start_at": self.start, "limit_price_per_gpu_hour": "3.00", "workload": "training",
            "client_order_id": key })
    }

    fn url(&self) -> String {
        self.url.lock().expect("nobody panics while holding it").clone()
    }

    fn set_url(&self, url: &str) {
        url.clone_into(&mut self.url.lock().expect("nobody panics while holding it"));
    }
}

#[test]
fn sqlite_keeps_every_acknowledged_order_exactly_once() {
    let folder = tempfile::tempdir().expect("a folder");
    survive(folder.path(), "sqlite://headroom.db");
}

#[test]
fn postgres_keeps_every_acknowledged_order_exactly_once() {
    let Some(cluster) = cluster::shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    survive(folder.path(), &cluster.fresh());
}

fn survive(folder: &Path, database: &str) {
    let seed: u64 = rand::random();
    let mut chance = seed;
    println!("seed {seed}");

    let mut server = Server::start(folder, database);
    let stage = Arc::new(Stage::set(&server.url));
    let customer = open_market(&stage);
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let (stage, customer) = (Arc::clone(&stage), customer.clone());
            std::thread::spawn(move || ask(asker, &stage, &customer))
        })
        .collect();

    for _ in 0..kills() {
        stage.wait_for_an_answer();
        // A linear congruential generator is chance enough for a moment to die at.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        pause((chance >> 33) % 400);
        server.kill();
        server = Server::start(folder, database);
        stage.set_url(&server.url);
    }
    stage.wait_for_an_answer();
    stage.is_over.store(true, Ordering::Release);
    let acknowledged: Acknowledged =
        askers.into_iter().flat_map(|asker| asker.join().expect("no surprise")).collect();
    println!("{} orders acknowledged over {} kills", acknowledged.len(), kills());
    assert!(acknowledged.len() > kills(), "each life had its answers");

    each_is_there_once(&stage, &customer, &acknowledged);
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, database);
    assert!(is_sound, "{report}");
}

/// A provider with plenty listed and a customer with plenty of credit. Answers who the customer is.
fn open_market(stage: &Stage) -> Caller {
    let (url, start) = (stage.url(), &stage.start);
    let nobody = Caller::new();
    let post = |who: &Caller, path: &str, body: Value| -> Reply {
        // An answer with a secret in it is not kept, so those two calls take no key.
        let key = if path.contains("sign") || path.contains("session") { "" } else { path };
        let reply = who.post(&format!("{url}{path}"), key, &body).expect("an answer");
        assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.json());
        reply
    };
    let sign_up = |name: &str, capability: &str| -> Reply {
        let organization = json!({ "name": name, "capabilities": [capability], "country": "ID",
            "segment": if capability == "customer" { json!("startup") } else { Value::Null } });
        post(
            &nobody,
            "/v1/signup",
            json!({ "organization": organization,
            "email": format!("{capability}@example.com"), "password": PASSWORD }),
        )
    };
    let signed_in = post(&nobody, "/v1/sessions", json!({ "email": ADMIN, "password": PASSWORD }));
    let admin = nobody.with(signed_in.text("access_token"));
    post(
        &admin,
        "/v1/skus",
        json!({ "code": "gb300-nvl72", "gpu_model": "GB300",
        "memory_gib": 288, "gpus_per_node": 4, "gpus_per_domain": 72, "interconnect": "NVLink 5",
        "slot_minutes": 60, "tick": "0.01", "watts_per_gpu": 1400 }),
    );
    post(&admin, "/v1/regions", json!({ "code": "id-batam", "name": "Batam", "country": "ID" }));

    let reply = sign_up("Provider", "provider");
    let provider = nobody.with(reply.text("access_token"));
    let id = reply.text("organization.id");
    post(&admin, &format!("/v1/organizations/{id}/approve"), json!({}));
    let factory = post(
        &provider,
        "/v1/factories",
        json!({ "name": "One", "region": "id-batam",
        "power_mw": 3000, "state": "energized" }),
    );
    let pool = post(
        &provider,
        "/v1/pools",
        json!({ "factory_id": factory.text("id"),
        "sku": "gb300-nvl72", "phases": [{ "gpus": 2_000_000, "from": start }] }),
    );
    post(
        &provider,
        "/v1/listings",
        json!({ "pool_id": pool.text("id"), "gpus": 2_000_000,
        "start_at": start, "end_at": stage.end, "price_per_gpu_hour": "2.50" }),
    );

    let customer = nobody.with(sign_up("Customer", "customer").text("access_token"));
    let application = post(
        &customer,
        "/v1/credit_applications",
        json!({
        "requested_limit": "900000000", "purpose": "to order under fire", "workload": "training" }),
    );
    let path = format!("/v1/credit_applications/{}/approve", application.text("id"));
    post(&admin, &path, json!({ "limit": "900000000" }));
    customer
}

/// A whole hour so many hours from now, as the API writes it.
fn whole_hour(hours: i64) -> String {
    let now = headroom::sequencer::Clock::System.now().minute();
    now.floor_to(60).plus(hours * 60).to_string()
}

/// Orders one after the other, each until it is acknowledged, through every death of the server.
fn ask(asker: usize, stage: &Stage, customer: &Caller) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for number in 0.. {
        if stage.is_over.load(Ordering::Acquire) {
            break;
        }
        let key = format!("asker-{asker}-order-{number}");
        let body = stage.order(&key);
        let bytes = loop {
            let reply = customer.post(&format!("{}/v1/orders", stage.url()), &key, &body);
            match reply {
                Ok(reply) if reply.status == 201 => break reply.body,
                // In doubt, closed or busy: the same again.
                Ok(reply) if reply.status == 503 => {}
                Ok(reply) => panic!("{key}: {} {}", reply.status, reply.json()),
                Err(_) => {}
            }
            pause(10);
        };
        acknowledged.insert(key, bytes);
        stage.count.fetch_add(1, Ordering::AcqRel);
    }
    acknowledged
}

fn each_is_there_once(stage: &Stage, customer: &Caller, acknowledged: &Acknowledged) {
    let url = stage.url();
    // The database's own list: each key's order once, and no other.
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = customer.get(&format!("{url}/v1/orders?limit=100{cursor}")).expect("a page");
        assert_eq!(page.status, 200);
        let page = page.json();
        for order in page["data"].as_array().expect("a list") {
            let key = order["client_order_id"].as_str().expect("a reference").to_owned();
            assert_eq!(order["state"], "filled", "{order}");
            assert!(found.insert(key, order["id"].clone()).is_none(), "twice: {order}");
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let orders: BTreeMap<_, _> = acknowledged
        .iter()
        .map(|(key, body)| {
            let order: Value = serde_json::from_slice(body).expect("an order");
            assert!(order["contract_id"].is_string(), "{order}");
            (key.clone(), order["id"].clone())
        })
        .collect();
    assert_eq!(found, orders);

    // And each retry says what was said first.
    for (key, body) in acknowledged {
        let reply = customer.post(&format!("{url}/v1/orders"), key, &stage.order(key));
        let reply = reply.expect("an answer");
        assert_eq!((reply.status, reply.replayed), (201, true), "{key}");
        assert_eq!(&reply.body, body, "{key}");
    }
}
