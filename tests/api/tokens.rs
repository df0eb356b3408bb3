//! Credentials: what opens the door, what no longer does, and what never did.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headroom::http::token::Signer;
use headroom::model::{Micros, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asking::{Caller, id};
use crate::server::{PASSWORD, Server, shared};
use crate::stage::{Stage, admitted, member, sign_up};

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn read(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The three parts of a token.
fn parts(token: &str) -> (Value, Value, String) {
    let mut parts = token.split('.');
    let mut next = || parts.next().expect("three parts").to_owned();
    let (header, claims, signature) = (next(), next(), next());
    (read(&header), read(&claims), signature)
}

#[test]
fn a_token_is_good_as_it_was_made_and_in_no_other_form() {
    let owner = sign_up(&shared().anonymous(), &["customer"]);
    let good = owner.token.clone().expect("a token");
    owner.get("/v1/me").expect(200);
    let (header, claims, signature) = parts(&good);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    let lives = |name: &str| claims[name].as_i64().expect("seconds");
    assert!(lives("exp") - lives("iat") <= 15 * 60);

    let with = |object: &Value, name: &str, value: Value| {
        let mut object = object.clone();
        object[name] = value;
        part(&object)
    };
    let (head, body) = (part(&header), part(&claims));
    let other = sign_up(&shared().anonymous(), &["customer"]);
    let (_, _, others) = parts(other.token.as_deref().expect("a token"));
    let none = with(&header, "alg", json!("none"));
    let hmac = with(&header, "alg", json!("HS256"));
    let later = with(&claims, "exp", json!(lives("exp") + 3_600));
    let elevated = with(&claims, "org", json!(other.organization));
    let bad = [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        format!("{head}.{body}."),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{hmac}.{body}.{signature}"),
        format!("{head}.{later}.{signature}"),
        format!("{head}.{elevated}.{signature}"),
        format!("{head}.{body}.{others}"),
        format!("{good}.{signature}"),
        format!("{good}A"),
        "x".repeat(100_000),
    ];
    for token in bad {
        let shown = &token[..token.len().min(60)];
        let refused = owner.bearing(&token).send("GET", "/v1/me", &[], Vec::new());
        // A header beyond what HTTP takes is a 431 or a 400 before it is read.
        assert!(refused.status == 401 || token.len() > 50_000, "{shown}: {}", refused.text());
        if refused.status == 401 {
            refused.refused(401, "unauthenticated");
            assert!(refused.header("www-authenticate").is_some(), "{shown}");
        }
    }
    for header in ["Basic dXNlcjpwYXNz", "Bearer", "bearer ", "Token abc"] {
        let anyone = shared().anonymous();
        let refused = anyone.send("GET", "/v1/me", &[("authorization", header)], Vec::new());
        refused.refused(401, "unauthenticated");
    }
    owner.get("/v1/me").expect(200);
}

#[test]
fn a_token_ends_by_real_time_and_by_its_own_key() {
    let server = Server::lasting();
    let owner = sign_up(&server.anonymous(), &["customer"]);
    let (_, claims, _) = parts(owner.token.as_deref().expect("a token"));
    let uuid = |name: &str| -> Uuid {
        let text = claims[name].as_str().expect("an id");
        let suffix = text.split_once('_').expect("a prefix").1;
        typeid_suffix::prelude::TypeIdSuffix::to_uuid(&suffix.parse().expect("a suffix"))
    };
    let seconds = claims["iat"].as_i64().expect("seconds");
    // What the server's own key signs for the same person and session, at other times.
    let at = |signer: &Signer, late: i64| {
        let now = Micros::new((seconds + late) * 1_000_000);
        let (user, org, session) = (uuid("sub"), uuid("org"), uuid("sid"));
        let issued = signer.issue(
            headroom::model::id::UserId::new(user),
            headroom::model::id::OrgId::new(org),
            &[Role::Owner],
            headroom::model::id::SessionId::new(session),
            now,
        );
        owner.bearing(&issued.token).get("/v1/me").status
    };
    let own = server.signer();
    let foreign = Signer::new(&[7; 32]);
    assert_eq!(at(&own, 0), 200);
    assert_eq!(at(&own, -3_600), 401, "expired");
    assert_eq!(at(&own, 3_600), 401, "not yet good");
    assert_eq!(at(&foreign, 0), 401, "another key");
    server.remove();
}

#[test]
fn a_closed_session_a_removed_member_and_a_new_role_count_at_once() {
    let owner = sign_up(&shared().anonymous(), &["customer"]);
    let trader = member(&owner, &["trader"]);
    let path = format!("/v1/organizations/{}/members/{}", owner.organization, trader.user);
    assert_eq!(trader.get("/v1/me").expect(200)["rights"], json!(["view", "trade"]));
    let roles = json!({ "roles": ["finance"] }).to_string().into_bytes();
    let json_type = [("content-type", "application/json")];
    owner.send("PATCH", &path, &json_type, roles).expect(200);
    assert_eq!(trader.get("/v1/me").expect(200)["rights"], json!(["view", "apply_for_credit"]));
    owner.send("DELETE", &path, &[], Vec::new()).expect(204);
    trader.get("/v1/me").refused(401, "unauthenticated");

    let session = owner.get("/v1/me").expect(200)["session_id"].as_str().expect("one").to_owned();
    owner.send("DELETE", &format!("/v1/sessions/{session}"), &[], Vec::new()).expect(204);
    owner.get("/v1/me").refused(401, "unauthenticated");
}

#[test]
fn a_refresh_token_is_good_once() {
    let door = shared().anonymous();
    let email = {
        let owner = sign_up(&door, &["customer"]);
        owner.get("/v1/me").expect(200)["user"]["email"].clone()
    };
    // Addresses have no case.
    let loud = email.as_str().expect("an address").to_uppercase();
    let sign_in = json!({ "email": loud, "password": PASSWORD });
    let tokens = door.post("/v1/sessions", &sign_in).expect(201);
    let first = json!({ "refresh_token": tokens["refresh_token"] });
    let next = door.post("/v1/sessions/refresh", &first).expect(200);
    let fresh = next["access_token"].as_str().expect("a token");
    door.bearing(fresh).get("/v1/me").expect(200);
    // Who presents an old one may be a thief: the whole session ends.
    door.post("/v1/sessions/refresh", &first).refused(401, "bad_credential");
    door.bearing(fresh).get("/v1/me").refused(401, "unauthenticated");
    let wrong = json!({ "email": email, "password": "another long password" });
    door.post("/v1/sessions", &wrong).refused(401, "unauthenticated");
    let nobody = json!({ "email": "nobody@party.example", "password": PASSWORD });
    door.post("/v1/sessions", &nobody).refused(401, "unauthenticated");
}

#[test]
fn a_key_is_shown_once_and_dies_when_revoked() {
    let owner = sign_up(&shared().anonymous(), &["customer"]);
    let body = json!({ "name": "cluster", "roles": ["trader"] });
    let made = owner.post("/v1/api_keys", &body).expect(201);
    let secret = made["secret"].as_str().expect("the secret").to_owned();
    assert!(secret.starts_with("hr_test_"), "time is simulated here");
    let read = owner.get(&format!("/v1/api_keys/{}", id(&made)));
    assert!(!read.text().contains(&secret), "shown once");
    assert!(!owner.get("/v1/api_keys").text().contains(&secret));
    let program = owner.bearing(&secret);
    let me = program.get("/v1/me").expect(200);
    assert_eq!((&me["api_key"]["id"], &me["user"]), (&made["id"], &Value::Null));
    program.post("/v1/api_keys", &body).refused(403, "not_permitted");
    let (last, rest) = (secret.len() - 1, if secret.ends_with('0') { "1" } else { "0" });
    let slip = format!("{}{rest}", &secret[..last]);
    owner.bearing(&slip).get("/v1/me").refused(401, "unauthenticated");
    let live = secret.replace("hr_test_", "hr_live_");
    owner.bearing(&live).get("/v1/me").refused(401, "unauthenticated");

    let brief =
        json!({ "name": "brief", "roles": ["viewer"], "expires_at": "2027-01-01T00:00:00Z" });
    owner.post("/v1/api_keys", &brief).refused(422, "invalid");
    let revoke = format!("/v1/api_keys/{}/revoke", id(&made));
    assert_eq!(owner.post(&revoke, &json!({})).expect(200)["revoked"], true);
    program.get("/v1/me").refused(401, "unauthenticated");
}

#[test]
fn a_suspended_organization_keeps_what_it_has_and_starts_nothing() {
    let stage = Stage::new();
    let order = id(&stage.place(&stage.order()));
    let Stage { admin, customer, provider, .. } = &stage;
    let verb = |who: &Caller, verb: &str| {
        admin
            .post(&format!("/v1/organizations/{}/{verb}", who.organization), &json!({}))
            .expect(200)
    };
    assert_eq!(verb(customer, "suspend")["state"], "suspended");
    customer.get(&format!("/v1/orders/{order}")).expect(200);
    customer.keyed("/v1/orders", "s", &stage.order()).refused(403, "suspended");
    assert_eq!(verb(provider, "suspend")["state"], "suspended");
    let factory = json!({ "name": "F", "region": stage.region, "power_mw": 1, "state": "planned" });
    provider.post("/v1/factories", &factory).refused(403, "suspended");
    assert_eq!(verb(customer, "approve")["state"], "active");
    let other = admitted(admin, &["provider"]);
    other.get(&format!("/v1/orders/{order}")).refused(404, "not_found");
    customer.keyed("/v1/orders", "later", &stage.order()).expect(201);
}
