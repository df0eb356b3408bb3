//! A market for the clients: pools with one window on sale at one price, customers with a credit line
//! each, two officers.

use serde_json::{Value, json};

use crate::server::{ADMIN, Caller, PASSWORD, Reply};

/// GPUs of each pool.
pub const GPUS: i64 = 240;
/// Pools, each in a region of its own.
pub const POOLS: usize = 3;
pub const CUSTOMERS: usize = 4;
/// Every line's first limit, in micro-units.
pub const LIMIT: i64 = 9_000_000_000;
/// What a GPU costs for the window: 24 hours at 2.50.
pub const WORTH: i64 = 60_000_000;

/// Who is there.
#[derive(Debug)]
pub struct Market {
    pub url: String,
    pub nobody: Caller,
    pub officers: [Caller; 2],
    pub customers: Vec<Caller>,
    pub lines: Vec<String>,
    pub start: String,
    pub end: String,
}

/// A whole hour so many hours from now, as the API writes it.
fn whole_hour(hours: i64) -> String {
    let now = headroom::sequencer::Clock::System.now().minute();
    now.floor_to(60).plus(hours * 60).to_string()
}

struct Clerk {
    url: String,
    nobody: Caller,
}

impl Clerk {
    fn post(&self, who: &Caller, path: &str, body: &Value) -> Reply {
        // An answer with a secret in it is not kept, so those calls take no key.
        let is_secret = ["sign", "session", "invit"].iter().any(|word| path.contains(word));
        let key = if is_secret { String::new() } else { format!("{path} {body}") };
        let key = key.chars().filter(char::is_ascii_alphanumeric).take(200).collect::<String>();
        let reply = who.post(&format!("{}{path}", self.url), &key, body).expect("an answer");
        assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.json());
        reply
    }

    fn sign_up(&self, name: &str, capability: &str) -> (Caller, String) {
        let segment = if capability == "customer" { json!("startup") } else { Value::Null };
        let organization = json!({ "name": name, "capabilities": [capability], "country": "ID",
            "segment": segment });
        let body = json!({ "organization": organization, "email": format!("{name}@example.com"),
            "password": PASSWORD });
        let reply = self.post(&self.nobody, "/v1/signup", &body);
        (self.nobody.with(reply.text("access_token")), reply.text("organization.id"))
    }

    fn officers(&self) -> [Caller; 2] {
        let body = json!({ "email": ADMIN, "password": PASSWORD });
        let reply = self.post(&self.nobody, "/v1/sessions", &body);
        let first = self.nobody.with(reply.text("access_token"));
        let me = first.get(&format!("{}/v1/me", self.url)).expect("an answer");
        let path = format!("/v1/organizations/{}/invitations", me.text("organization.id"));
        let body = json!({ "email": "second@example.com", "roles": ["credit_officer"] });
        let token = self.post(&first, &path, &body).text("invitation_token");
        let body = json!({ "invitation_token": token, "password": PASSWORD });
        let reply = self.post(&self.nobody, "/v1/invitations/accept", &body);
        [first, self.nobody.with(reply.text("access_token"))]
    }

    fn provide(&self, officer: &Caller, start: &str, until: &str) {
        let sku = json!({ "code": "gb300-nvl72", "gpu_model": "GB300", "memory_gib": 288,
            "gpus_per_node": 4, "gpus_per_domain": 72, "interconnect": "NVLink 5",
            "slot_minutes": 60, "tick": "0.01", "watts_per_gpu": 1400 });
        self.post(officer, "/v1/skus", &sku);
        let (provider, org) = self.sign_up("provider", "provider");
        self.post(officer, &format!("/v1/organizations/{org}/approve"), &json!({}));
        for pool in 0..POOLS {
            let region = region(pool);
            let body = json!({ "code": region, "name": region, "country": "ID" });
            self.post(officer, "/v1/regions", &body);
            let body = json!({ "name": region, "region": region, "power_mw": 30,
                "state": "energized" });
            let factory = self.post(&provider, "/v1/factories", &body).text("id");
            let body = json!({ "factory_id": factory, "sku": "gb300-nvl72",
                "phases": [{ "gpus": GPUS, "from": start }] });
            let id = self.post(&provider, "/v1/pools", &body).text("id");
            // On sale for longer than anybody buys, so that it is never sold out as a whole.
            let body = json!({ "pool_id": id, "gpus": GPUS, "start_at": start, "end_at": until,
                "price_per_gpu_hour": "2.50" });
            self.post(&provider, "/v1/listings", &body);
        }
    }

    fn lend(&self, officer: &Caller, customer: &Caller) -> String {
        let body = json!({ "requested_limit": "60000", "purpose": "a history",
            "workload": "training" });
        let id = self.post(customer, "/v1/credit_applications", &body).text("id");
        let path = format!("/v1/credit_applications/{id}/approve");
        let limit = (LIMIT / 1_000_000).to_string();
        self.post(officer, &path, &json!({ "limit": limit })).text("credit_line_id")
    }
}

/// The region of a pool.
pub fn region(pool: usize) -> String {
    format!("region-{pool}")
}

/// Sets it up.
pub fn open(url: &str) -> Market {
    let clerk = Clerk { url: url.to_owned(), nobody: Caller::new() };
    let (start, end, until) = (whole_hour(48), whole_hour(72), whole_hour(120));
    let officers = clerk.officers();
    clerk.provide(&officers[0], &start, &until);
    let sign_up = |number| clerk.sign_up(&format!("customer-{number}"), "customer").0;
    let customers: Vec<Caller> = (0..CUSTOMERS).map(sign_up).collect();
    let lines = customers.iter().map(|customer| clerk.lend(&officers[0], customer)).collect();
    let Clerk { url, nobody } = clerk;
    Market { url, nobody, officers, customers, lines, start, end }
}
