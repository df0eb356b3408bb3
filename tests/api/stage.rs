//! A provider with capacity and a customer with credit, in a region of their own: where a test
//! begins.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::server::{PASSWORD, Server, shared};

pub const SKU: &str = "gb300-nvl72";

/// The people and things of a small market.
#[derive(Debug)]
pub struct Stage {
    pub admin: Caller,
    pub provider: Caller,
    pub customer: Caller,
    pub region: String,
    pub factory: String,
    pub pool: String,
    pub listing: String,
    pub line: String,
    /// When what is ordered begins, unless an order says otherwise.
    pub start: String,
}

/// A number that nobody else in this process has.
pub fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An organization and its owner, not yet looked at.
pub fn sign_up(door: &Caller, capabilities: &[&str]) -> Caller {
    let n = number();
    let body = json!({
        "organization": {
            "name": format!("Party {n}"), "capabilities": capabilities,
            "segment": capabilities.contains(&"customer").then_some("startup"), "country": "DE",
        },
        "email": format!("owner{n}@party.example"), "password": PASSWORD,
    });
    let made = door.nobody().post("/v1/signup", &body).expect(201);
    door.signed_up(&made)
}

/// As `sign_up`, and admitted.
pub fn admitted(admin: &Caller, capabilities: &[&str]) -> Caller {
    let party = sign_up(admin, capabilities);
    let path = format!("/v1/organizations/{}/approve", party.organization);
    if capabilities.iter().any(|one| *one != "customer") {
        admin.post(&path, &json!({})).expect(200);
    }
    party
}

/// Somebody else in the same organization.
pub fn member(owner: &Caller, roles: &[&str]) -> Caller {
    let path = format!("/v1/organizations/{}/invitations", owner.organization);
    let email = format!("member{}@party.example", number());
    let invited = owner.post(&path, &json!({ "email": email, "roles": roles })).expect(201);
    let body = json!({ "invitation_token": invited["invitation_token"], "password": PASSWORD });
    owner.signed_up(&owner.nobody().post("/v1/invitations/accept", &body).expect(201))
}

/// Gives a customer a credit line; answers its id.
pub fn credit(officer: &Caller, customer: &Caller, limit: &str) -> String {
    let ask = json!({ "requested_limit": limit, "purpose": "a test", "workload": "training" });
    let application = id(&customer.post("/v1/credit_applications", &ask).expect(201));
    let path = format!("/v1/credit_applications/{application}/approve");
    let approved = officer.keyed(&path, "yes", &json!({ "limit": limit })).expect(200);
    approved["credit_line_id"].as_str().expect("a line").to_owned()
}

/// Enters a region that nobody else uses.
pub fn region(admin: &Caller) -> String {
    let code = format!("region-{}", number());
    // A name that a spreadsheet would take for a formula: see `exported`.
    let body = json!({ "code": code, "name": "=Somewhere", "country": "ID" });
    admin.post("/v1/regions", &body).expect(201);
    code
}

/// Enters the product.
pub fn sku(admin: &Caller) {
    let body = json!({
        "code": SKU, "gpu_model": "NVIDIA GB300", "memory_gib": 288, "gpus_per_node": 4,
        "gpus_per_domain": 72, "interconnect": "NVLink 5", "slot_minutes": 60, "tick": "0.01",
        "watts_per_gpu": 1800,
    });
    admin.post("/v1/skus", &body).expect(201);
}

/// A factory and a pool of 1,440 GPUs from 2027 on.
pub fn pool(provider: &Caller, region: &str) -> (String, String) {
    let body = json!({ "name": "One", "region": region, "power_mw": 40, "state": "energized" });
    let factory = id(&provider.post("/v1/factories", &body).expect(201));
    let phases = json!([{ "gpus": 1440, "from": "2027-01-01T00:00:00Z" }]);
    let body = json!({ "factory_id": factory, "sku": SKU, "phases": phases });
    let pool = id(&provider.post("/v1/pools", &body).expect(201));
    (factory, pool)
}

/// What a listing of the first quarter of 2027 says.
pub fn offer(pool: &str, gpus: u32, price: &str) -> Value {
    json!({
        "pool_id": pool, "gpus": gpus, "price_per_gpu_hour": price,
        "start_at": "2027-01-01T00:00:00Z", "end_at": "2027-04-01T00:00:00Z",
    })
}

impl Stage {
    /// On the server that tests share.
    pub fn new() -> Self {
        static ADMIN: OnceLock<Caller> = OnceLock::new();
        let admin = ADMIN.get_or_init(|| {
            let admin = shared().admin();
            sku(&admin);
            admin
        });
        Self::with(admin.clone())
    }

    /// On a server of its own, whose only stage this is.
    pub fn on(server: &Server) -> Self {
        let admin = server.admin();
        sku(&admin);
        Self::with(admin)
    }

    fn with(admin: Caller) -> Self {
        let region = region(&admin);
        let provider = admitted(&admin, &["provider"]);
        let (factory, pool) = pool(&provider, &region);
        let listing = provider.post("/v1/listings", &offer(&pool, 720, "2.50")).expect(201);
        let customer = sign_up(&admin, &["customer"]);
        let line = credit(&admin, &customer, "250000");
        let listing = id(&listing);
        let start = "2027-02-01T00:00:00Z".to_owned();
        Self { admin, provider, customer, region, factory, pool, listing, line, start }
    }

    /// The same people, signed in again after time was moved, who order for another day.
    pub fn again(self, start: &str) -> Self {
        let [admin, provider, customer] =
            [&self.admin, &self.provider, &self.customer].map(Caller::again);
        Self { admin, provider, customer, start: start.to_owned(), ..self }
    }

    /// 64 GPUs for a day in February: 3,840.00 at the listing's price.
    pub fn order(&self) -> Value {
        json!({
            "sku": SKU, "regions": [self.region], "gpus": 64, "duration_hours": 24,
            "start_at": self.start, "limit_price_per_gpu_hour": "3.20",
        })
    }

    /// As `order`, with these fields set otherwise.
    pub fn order_with(&self, fields: Value) -> Value {
        merged(self.order(), fields)
    }

    /// Places an order that is accepted; answers it.
    #[track_caller]
    pub fn place(&self, order: &Value) -> Value {
        self.customer.keyed("/v1/orders", &format!("k{}", number()), order).expect(201)
    }

    /// An order that rests, since nobody sells that low.
    pub fn resting(&self) -> String {
        let low = json!({ "limit_price_per_gpu_hour": "1.00", "time_in_force": "gtc" });
        let order = self.place(&self.order_with(low));
        assert_eq!(order["state"], "open", "{order}");
        id(&order)
    }

    /// The customer's line as it is now.
    pub fn balances(&self) -> Value {
        self.customer.get(&format!("/v1/credit_lines/{}", self.line)).expect(200)
    }
}

/// An object with some fields set otherwise; null takes one away.
pub fn merged(mut object: Value, fields: Value) -> Value {
    let all = object.as_object_mut().expect("an object");
    for (name, value) in fields.as_object().expect("an object") {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    object
}

/// An amount in cents; answers are exact, so are the tests.
#[track_caller]
pub fn cents(amount: &Value) -> i64 {
    let text = amount["amount"].as_str().unwrap_or_else(|| panic!("not money: {amount}"));
    let (whole, part) = text.split_once('.').expect("two places");
    assert_eq!(part.len(), 2, "{text} is whole cents");
    format!("{whole}{part}").parse().expect("a number")
}
