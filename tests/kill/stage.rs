//! Customers' programs that order one after the other from a market with plenty, through every
//! trouble of its servers, each order until it is acknowledged; and what must be true afterwards.
#![allow(dead_code, reason = "each suite uses its part of it")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use super::server::pause;
use super::server::{ADMIN, Caller, PASSWORD, Reply};

/// Programs that order at the same time.
pub const ASKERS: usize = 8;

/// What is kept of an acknowledgement: the order's id, and a digest of the answer's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub id: String,
    digest: [u8; 32],
}

/// The orders that were acknowledged, by their keys.
pub type Acknowledged = BTreeMap<String, Said>;

impl Said {
    pub fn of(body: &[u8]) -> Self {
        let order: Value = serde_json::from_slice(body).expect("an order");
        assert!(order["contract_id"].is_string(), "{order}");
        let id = order["id"].as_str().expect("an id").to_owned();
        Self { id, digest: Sha256::digest(body).into() }
    }
}

/// What the askers share: where the servers are, what was said, and whether to go on.
#[derive(Debug)]
pub struct Stage {
    /// Asked one after the other, until one answers.
    urls: Mutex<Vec<String>>,
    is_over: AtomicBool,
    /// How many orders were acknowledged.
    count: AtomicUsize,
    /// How many of them by a second answer: the first had been lost.
    told_again: AtomicUsize,
    acknowledged: Mutex<Acknowledged>,
    /// The days that are sold, the same throughout: a retry must have the same body.
    start: String,
    end: String,
    hours: Vec<String>,
    /// Milliseconds that an asker rests after each order.
    rest: u64,
}

/// The askers at work.
#[derive(Debug)]
pub struct Load {
    pub stage: Arc<Stage>,
    pub customer: Caller,
    askers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Opens a market on the first of these servers and begins to order from all of them.
    pub fn begin(urls: &[&str], rest: u64) -> Self {
        let stage = Arc::new(Stage::set(urls, rest));
        let customer = open_market(&stage);
        let asker = |asker| {
            let (stage, customer) = (Arc::clone(&stage), customer.with(customer.token.clone()));
            std::thread::spawn(move || ask(asker, &stage, &customer))
        };
        let askers = (0..ASKERS).map(asker).collect();
        Self { stage, customer, askers }
    }

    /// Ends the load. Answers what was acknowledged.
    pub fn end(&mut self) -> Acknowledged {
        self.stage.is_over.store(true, Ordering::Release);
        self.askers.drain(..).for_each(|asker| asker.join().expect("no surprise"));
        self.stage.acknowledged()
    }
}

impl Stage {
    fn set(urls: &[&str], rest: u64) -> Self {
        let stage = Self {
            urls: Mutex::default(),
            is_over: AtomicBool::new(false),
            count: AtomicUsize::new(0),
            told_again: AtomicUsize::new(0),
            acknowledged: Mutex::default(),
            start: whole_hour(48),
            end: whole_hour(72),
            hours: (48..72).map(whole_hour).collect(),
            rest,
        };
        stage.set_urls(urls);
        stage
    }

    /// Returns once somebody was answered anew: a server lives and works.
    pub fn wait_for_an_answer(&self) {
        let before = self.count();
        for _ in 0..60_000 {
            // One that was under way before does not count.
            if self.count() > before + 1 {
                return;
            }
            pause(1);
        }
        panic!("nobody was answered for a minute");
    }

    /// How many orders were acknowledged by now.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// How many of them were told by a second answer, the first being lost.
    pub fn told_again(&self) -> usize {
        self.told_again.load(Ordering::Acquire)
    }

    /// What was acknowledged by now.
    pub fn acknowledged(&self) -> Acknowledged {
        self.acknowledged.lock().expect("nobody panics while holding it").clone()
    }

    /// The order of this key. The hours differ, so that there is room for millions.
    pub fn order(&self, key: &str) -> Value {
        let place = key.bytes().fold(0, |sum, byte| sum + usize::from(byte)) % self.hours.len();
        json!({ "sku": "gb300-nvl72", "regions": ["id-batam"], "gpus": 4, "duration_hours": 1,
            "start_at": self.hours[place], "limit_price_per_gpu_hour": "3.00",
            "workload": "training", "client_order_id": key })
    }

    fn urls(&self) -> Vec<String> {
        self.urls.lock().expect("nobody panics while holding it").clone()
    }

    pub fn set_urls(&self, urls: &[&str]) {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        *self.urls.lock().expect("nobody panics while holding it") = urls;
    }
}

/// A provider with plenty listed and a customer with plenty of credit. Answers who the customer is.
fn open_market(stage: &Stage) -> Caller {
    let (url, start) = (stage.urls()[0].clone(), &stage.start);
    let nobody = Caller::new();
    let post = |who: &Caller, path: &str, body: Value| -> Reply {
        // An answer with a secret in it is not kept, so those calls take no key.
        let has_secret = ["sign", "session", "api_keys"].iter().any(|part| path.contains(part));
        let key = if has_secret { "" } else { path };
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
    // A person's token would end within a long run.
    let key = post(&customer, "/v1/api_keys", json!({ "name": "asker", "roles": ["trader"] }));
    nobody.with(key.text("secret"))
}

/// A whole hour so many hours from now, as the API writes it.
fn whole_hour(hours: i64) -> String {
    let now = headroom::sequencer::Clock::System.now().minute();
    now.floor_to(60).plus(hours * 60).to_string()
}

/// Orders one after the other, each until it is acknowledged, through every trouble.
fn ask(asker: usize, stage: &Stage, customer: &Caller) {
    let mut turn = asker;
    for number in 0.. {
        if stage.is_over.load(Ordering::Acquire) {
            break;
        }
        let key = format!("asker-{asker}-order-{number}");
        let said = until_acknowledged(&mut turn, &key, stage, customer);
        let mut acknowledged = stage.acknowledged.lock().expect("nobody panics while holding it");
        acknowledged.insert(key, said);
        drop(acknowledged);
        stage.count.fetch_add(1, Ordering::AcqRel);
        pause(stage.rest);
    }
}

fn until_acknowledged(turn: &mut usize, key: &str, stage: &Stage, customer: &Caller) -> Said {
    let body = stage.order(key);
    loop {
        let urls = stage.urls();
        let reply = customer.post(&format!("{}/v1/orders", urls[*turn % urls.len()]), key, &body);
        match reply {
            Ok(reply) if reply.status == 201 => {
                stage.told_again.fetch_add(usize::from(reply.replayed), Ordering::AcqRel);
                return Said::of(&reply.body);
            }
            // In doubt, closed, busy or not the leader: the same again, of the next one. One that
            // was stopped while we spoke says 408: to it we were silent for too long.
            Ok(reply) if matches!(reply.status, 408 | 503) => {}
            // It was used a moment ago, and is still being decided there.
            Ok(reply) if reply.status == 409 => {}
            Ok(reply) => panic!("{key}: {} {}", reply.status, reply.json()),
            Err(_) => {}
        }
        *turn += 1;
        pause(10);
    }
}

/// Every acknowledged order is in this market exactly once, no other is, and a repetition of each
/// gets the bytes of the first answer.
pub fn each_is_there_once(url: &str, load: &Load, acknowledged: &Acknowledged) {
    let found = orders(url, &load.customer);
    let said = acknowledged.iter().map(|(key, said)| (key.clone(), said.id.clone()));
    assert_eq!(found, said.collect::<BTreeMap<_, _>>());
    for (key, said) in acknowledged {
        let body = load.stage.order(key);
        let reply = load.customer.post(&format!("{url}/v1/orders"), key, &body);
        let reply = reply.expect("an answer");
        assert_eq!((reply.status, reply.replayed), (201, true), "{key}");
        assert_eq!(&Said::of(&reply.body), said, "{key}");
    }
}

/// The database's own list, by the customer's keys: each filled, none twice.
pub fn orders(url: &str, customer: &Caller) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = customer.get(&format!("{url}/v1/orders?limit=100{cursor}")).expect("a page");
        assert_eq!(page.status, 200);
        let page = page.json();
        for order in page["data"].as_array().expect("a list") {
            let text = |member: &str| order[member].as_str().expect("a text").to_owned();
            assert_eq!(order["state"], "filled", "{order}");
            let before = found.insert(text("client_order_id"), text("id"));
            assert!(before.is_none(), "twice: {order}");
        }
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}
