//! Callers who ask too often, on servers that have limits.

use serde_json::json;

use crate::asking::{Answer, Caller};
use crate::server::{PASSWORD, Server};
use crate::stage::number;

/// Asks again and again until it is refused. A slow machine refills a little meanwhile, hence the
/// room; no answer takes so long that this many are never too many.
fn flood(caller: &Caller, path: &str) -> Answer {
    for _ in 0..2_000 {
        let answer = caller.get(path);
        if answer.status == 429 {
            return answer;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    panic!("never refused");
}

/// What a refusal must be.
fn is_refusal(answer: &Answer, policy: &str, quota: &str) {
    let body = answer.refused(429, "rate_limited");
    assert_eq!(body["violated-policies"], json!([policy]));
    assert_eq!(answer.header("ratelimit-policy"), Some(quota));
    let standing = answer.header("ratelimit").expect("how it stands");
    assert!(standing.starts_with(&format!("\"{policy}\";r=0;t=")), "{standing}");
    let wait: u64 = answer.header("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
}

fn sign_up(door: &Caller, path: &str, headers: &[(&str, &str)]) -> Answer {
    let n = number();
    let body = json!({
        "organization": {
            "name": format!("Party {n}"), "capabilities": ["customer"], "segment": "startup",
            "country": "DE",
        },
        "email": format!("owner{n}@party.example"), "password": PASSWORD,
    });
    door.with(path, headers, &body)
}

#[test]
fn a_key_that_floods_is_refused_and_nobody_else_is() {
    let server = Server::under(&[("HEADROOM_RATE_CALLER", "4"), ("HEADROOM_RATE_ADDRESS", "4")]);
    let door = server.anonymous();
    let noisy = door.signed_up(&sign_up(&door, "/v1/signup", &[]).expect(201));
    let quiet = door.signed_up(&sign_up(&door, "/v1/signup", &[]).expect(201));
    let refused = flood(&noisy, "/v1/orders");
    is_refusal(&refused, "caller", "\"caller\";q=4;w=1");
    let served = quiet.get("/v1/orders");
    served.expect(200);
    assert_eq!(served.header("ratelimit-policy"), Some("\"caller\";q=4;w=1"));
    let standing = served.header("ratelimit").expect("how it stands");
    assert!(standing.starts_with("\"caller\";r="), "{standing}");
    // A key of the same person is a caller of its own; a forged one is only an address.
    let secret = quiet.post("/v1/api_keys", &json!({ "name": "k", "roles": ["viewer"] }));
    let secret = secret.expect(201)["secret"].as_str().expect("a secret").to_owned();
    flood(&quiet, "/v1/me");
    quiet.bearing(&secret).get("/v1/me").expect(200);
    let forged = noisy.bearing("hr_test_forged").get("/v1/me");
    forged.refused(401, "unauthenticated");
    assert_eq!(forged.header("ratelimit-policy"), Some("\"address\";q=4;w=1"));
    // Strangers at this address run out; known callers at the same one do not, nor do probes.
    is_refusal(&flood(&door, "/v1/clock"), "address", "\"address\";q=4;w=1");
    quiet.bearing(&secret).get("/v1/me").expect(200);
    for _ in 0..20 {
        let probe = door.get("/healthz");
        assert_eq!((probe.status, probe.header("ratelimit")), (200, None));
    }
}

#[test]
fn passwords_are_asked_for_few_times_a_minute_however_the_address_is_spelled() {
    let server = Server::under(&[("HEADROOM_RATE_SIGN_IN", "1")]);
    let door = server.anonymous();
    sign_up(&door, "/v1/signup", &[]).expect(201);
    let quota = "\"sign-in\";q=1;w=60";
    is_refusal(&sign_up(&door, "/v1/signup", &[]), "sign-in", quota);
    let guess = json!({ "email": "admin@headroom.local", "password": "a password to guess" });
    for path in ["/v1/sessions", "/v1/%73essions", "/v1/sessions?x=1", "/%761/sessions"] {
        is_refusal(&door.post(path, &guess), "sign-in", quota);
    }
    let accept = json!({ "invitation_token": "hr_inv_x", "password": PASSWORD });
    is_refusal(&door.post("/v1/invitations/accept", &accept), "sign-in", quota);
    // Nobody here is a proxy: whom the header names does not matter.
    let lie = [("x-forwarded-for", "203.0.113.7")];
    is_refusal(&sign_up(&door, "/v1/signup", &lie), "sign-in", quota);
    door.get("/v1/clock").expect(200);
}

#[test]
fn behind_a_proxy_each_client_has_its_own_quota_and_cannot_lie_about_it() {
    let settings = [("HEADROOM_RATE_SIGN_IN", "1"), ("HEADROOM_PROXIES", "127.0.0.0/8, ::1")];
    let server = Server::under(&settings);
    let door = server.anonymous();
    let via = |hops: &str| sign_up(&door, "/v1/signup", &[("x-forwarded-for", hops)]).status;
    assert_eq!((via("203.0.113.1"), via("203.0.113.1")), (201, 429));
    assert_eq!(via("203.0.113.2"), 201, "another client");
    assert_eq!(via("198.51.100.9, 203.0.113.2"), 429, "what the client wrote itself is not read");
    assert_eq!(via("203.0.113.3, 127.0.0.1"), 201, "two proxies of ours");
    assert_eq!(
        (via("2001:db8::1"), via("2001:db8::2")),
        (201, 429),
        "one subscriber, two addresses"
    );
}
