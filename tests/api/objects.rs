//! Other people's things, and things that have ended: every call of the OpenAPI document that names
//! a thing in its path, with one that is another tenant's, one that is nobody's and one that has
//! ended. A call that is new in the document is tried without a line here, or fails for want of a
//! thing to name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::access::{Ask, World};
use crate::asking::{Answer, Caller, id};
use crate::past::{contract_of, send};
use crate::server::PASSWORD;
use crate::stage::{merged, number, offer};

/// Gaps in a path that do not name anybody's thing.
const PUBLIC: [&str; 3] = ["{code}", "{slug}", "{month}"];

/// Calls of the document that name a thing: method and path.
fn calls(world: &World) -> Vec<(String, String)> {
    let document = world.server.anonymous().get("/v1/openapi.json").expect(200);
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        if path.contains('{') && !PUBLIC.iter().any(|gap| path.contains(gap)) {
            for method in item.as_object().expect("an item").keys() {
                calls.push((method.clone(), path.clone()));
            }
        }
    }
    assert!(calls.len() >= 60, "{calls:?}");
    calls
}

fn sent(caller: &Caller, method: &str, ask: &Ask) -> Answer {
    let mut headers = vec![("content-type", "application/json"), ("if-match", &ask.tag)];
    if ask.is_keyed {
        headers.push(("idempotency-key", &ask.key));
    }
    let body = ask.body.to_string().into_bytes();
    let body = if method == "get" { Vec::new() } else { body };
    caller.send(&method.to_uppercase(), &ask.path, &headers, body)
}

/// What an answer says, without the id of the request.
fn said(answer: &Answer) -> (u16, Value) {
    let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
    (answer.status, merged(body, json!({ "request_id": null })))
}

#[test]
fn nobody_can_tell_anothers_thing_from_nothing() {
    let world = World::new();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (method, pattern) in calls(&world) {
        for (name, caller) in &world.callers {
            let subject = world.subject(&method, &pattern, caller);
            let theirs = world.ask_of(&method, &pattern, caller, &subject);
            let kind = subject.split_once('_').expect("a kind").0;
            let nothing = format!("{kind}_01h2xcejqtf2nbrexx3vqjhp41");
            let theirs_or_not = |answer: &Answer| [401, 403, 404].contains(&answer.status);
            let mut nobodys = world.ask_of(&method, &pattern, caller, &subject);
            nobodys.path = theirs.path.replace(&subject, &nothing);
            assert_ne!(nobodys.path, theirs.path, "{pattern}");
            nobodys.tag.clone_from(&theirs.tag);
            let none = sent(caller, &method, &nobodys);
            if !(400..500).contains(&none.status) {
                wrong.push(format!("{method} {pattern} as {name}, of nothing: {}", none.text()));
            }
            // Whose it is gets an answer about it, which the table of access.rs has.
            let some = sent(caller, &method, &theirs);
            if theirs_or_not(&some) {
                compared += 1;
                if said(&some) != said(&none) {
                    let (some, none) = (some.text(), none.text());
                    wrong.push(format!("{method} {pattern} as {name}:\n  {some}\n  {none}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 200, "{compared} comparisons");
}

/// Kinds of things that do not end, with what becomes of them instead.
const ENDLESS: &[(&str, &str)] = &[
    ("factories", "it stays what it was, in another state"),
    ("pools", "its capacity ends, by phases and maintenance"),
    ("programs", "a version follows the last"),
    ("credit_lines", "what is in default is what collection is about"),
    ("payments", "they are facts"),
];

/// Calls about an ended thing that are answered with a yes, each with its reason.
const STILL: &[(&str, &str)] = &[
    ("/v1/contracts/{id}/credits", "what was not delivered may be made good afterwards"),
    ("/v1/contracts/{id}/transfer", "with null it takes an offer back, and there is none"),
];

/// One of each kind that has ended.
fn ended(world: &World) -> BTreeMap<&'static str, String> {
    let World { server, stage, past, .. } = world;
    let customer = &stage.customer;
    let done = |who: &Caller, path: String, body: &Value| {
        let answer = who.keyed(&path, &format!("end-{}", number()), body);
        assert!(answer.status < 300, "{path}: {}", answer.text());
    };
    let nothing = json!({});
    let me = customer.get("/v1/me").expect(200);
    let body = json!({ "email": me["user"]["email"], "password": PASSWORD });
    let session = server.anonymous().post("/v1/sessions", &body).expect(201);
    let session = session["session_id"].as_str().expect("an id").to_owned();
    customer.send("DELETE", &format!("/v1/sessions/{session}"), &[], Vec::new()).expect(204);
    let key = id(&customer
        .post("/v1/api_keys", &json!({ "name": "k", "roles": ["viewer"] }))
        .expect(201));
    done(customer, format!("/v1/api_keys/{key}/revoke"), &nothing);
    let member = world.subject("delete", "/v1/organizations/{id}/members/{user_id}", customer);
    let path = format!("/v1/organizations/{}/members/{member}", customer.organization);
    customer.send("DELETE", &path, &[], Vec::new()).expect(204);
    let listing = merged(offer(&stage.pool, 4, "9.00"), json!({ "start_at": stage.start }));
    let listing = id(&stage.provider.post("/v1/listings", &listing).expect(201));
    done(&stage.provider, format!("/v1/listings/{listing}/withdraw"), &nothing);
    let application = world.subject("get", "/v1/credit_applications/{id}", customer);
    done(customer, format!("/v1/credit_applications/{application}/withdraw"), &nothing);
    let order = stage.resting();
    done(customer, format!("/v1/orders/{order}/cancel"), &nothing);
    let small = json!({ "gpus": 8, "start_at": "2027-03-05T00:00:00Z" });
    let contract = contract_of(stage, &stage.order_with(small));
    done(customer, format!("/v1/contracts/{contract}/cancel"), &nothing);
    let payout = send(stage, "1.00");
    done(&stage.admin, format!("/v1/payouts/{payout}/settle"), &json!({ "outcome": "paid" }));
    let invoice = past.drafts[1].clone();
    done(&stage.admin, format!("/v1/invoices/{invoice}/void"), &nothing);
    BTreeMap::from([
        ("sessions", session),
        ("api_keys", key),
        ("members", member),
        ("listings", listing),
        ("credit_applications", application),
        ("orders", order),
        ("contracts", contract),
        ("payouts", payout),
        ("invoices", invoice),
    ])
}

#[test]
fn what_has_ended_can_be_read_by_whose_it_was_and_changed_by_nobody() {
    let world = World::new();
    let ended = ended(&world);
    let (mut wrong, mut tried, mut read) = (Vec::new(), BTreeSet::new(), 0);
    for (method, pattern) in calls(&world) {
        let kind = pattern.trim_start_matches("/v1/").split('/').next().expect("a kind");
        let kind = if pattern.contains("{user_id}") { "members" } else { kind };
        let Some(subject) = ended.get(kind) else {
            let is_known = ENDLESS.iter().any(|(endless, _)| *endless == kind)
                || ["organizations", "quotes", "incidents"].contains(&kind);
            assert!(is_known, "does one of {kind} end? Name one that has in `ended`");
            continue;
        };
        tried.insert(kind.to_owned());
        for (name, caller) in &world.callers {
            let ask = world.ask_of(&method, &pattern, caller, subject);
            let answer = sent(caller, &method, &ask);
            let is_yes = answer.status < 300;
            if method == "get" {
                read += u32::from(is_yes);
            } else if is_yes && !STILL.iter().any(|(still, _)| *still == pattern) {
                wrong.push(format!("{method} {pattern} as {name}: {}", answer.text()));
            }
            let is_stranger = *name == "anyone" || *name == "stranger";
            if is_stranger && is_yes && kind != "listings" {
                wrong.push(format!("{method} {pattern} as {name}: {}", answer.text()));
            }
        }
    }
    let stranger = world.callers.iter().find(|(name, _)| *name == "stranger").expect("one");
    let to = json!({ "organization_id": stranger.1.organization });
    for party in [&world.stage.customer, &stranger.1] {
        let path = format!("/v1/organizations/{}/group", party.organization);
        world.stage.admin.keyed(&path, "sisters", &json!({ "group": "sisters" })).expect(200);
    }
    let path = format!("/v1/contracts/{}/transfer", ended["contracts"]);
    world.stage.customer.keyed(&path, "to-another", &to).refused(409, "wrong_state");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tried.len(), ended.len(), "{tried:?}");
    assert!(read > 0, "whose it was still reads it");
}
