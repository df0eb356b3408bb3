//! The real server, and those who mean it harm: slow, oversized and broken requests, forged
//! credentials, floods. What every test holds: nobody is let in, nothing is changed, the answer is
//! never our fault, and everybody else is served meanwhile.

#[path = "../api/asking.rs"]
#[expect(dead_code, reason = "tests/api uses the rest of it")]
mod asking;
#[path = "../api/server.rs"]
#[expect(dead_code, reason = "tests/api uses the rest of it")]
mod server;
#[path = "../api/stage.rs"]
#[expect(dead_code, reason = "tests/api uses the rest of it")]
mod stage;

mod bodies;
mod floods;
mod forgeries;
mod slow;
mod wire;

use serde_json::Value;

use asking::Caller;

/// The books and the trail as they are.
fn picture(admin: &Caller) -> (Value, Value) {
    let books = admin.get("/v1/ledger/trial_balance").expect(200);
    (books, admin.get("/v1/audit_records?limit=1").expect(200)["data"][0]["number"].clone())
}
