//! Broken bodies on every call that takes one: each is refused before anything happens.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::asking::Caller;
use crate::picture;
use crate::server::Server;
use crate::stage::{Stage, member};

/// What is wrong with it, its media type, its bytes.
fn broken() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    const JSON: &str = "application/json";
    let deep = |open: &str, close: &str, depth: usize| {
        format!("{}1{}", open.repeat(depth), close.repeat(depth)).into_bytes()
    };
    let wide = format!("{{{}}}", vec!["\"a\":1"; 100_000].join(","));
    vec![
        ("empty", JSON, Vec::new()),
        ("open", JSON, b"{".to_vec()),
        ("cut off in a string", JSON, b"{\"sku\":\"gb3".to_vec()),
        ("10,000 arrays, open", JSON, deep("[", "", 10_000)),
        ("10,000 arrays", JSON, deep("[", "]", 10_000)),
        ("10,000 objects", JSON, deep("{\"a\":", "}", 10_000)),
        ("10,000 arrays in a field", JSON, {
            [b"{\"note\":".to_vec(), deep("[", "]", 10_000), b"}".to_vec()].concat()
        }),
        ("a hundred thousand times the same field", JSON, wide.into_bytes()),
        ("not UTF-8", JSON, b"{\"note\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate", JSON, br#"{"note":"\ud800"}"#.to_vec()),
        ("an overlong slash", JSON, b"{\"note\":\"\xc0\xaf\"}".to_vec()),
        ("UTF-16", JSON, b"{\0\"\0a\0\"\0:\x001\0}\0".to_vec()),
        ("a byte order mark", JSON, b"\xef\xbb\xbf{}".to_vec()),
        ("zeros", JSON, vec![0; 1_000]),
        ("a control character in a string", JSON, b"{\"note\":\"\x01\"}".to_vec()),
        ("NaN", JSON, br#"{"amount":NaN}"#.to_vec()),
        ("a number beyond all", JSON, br#"{"amount":1e999999999}"#.to_vec()),
        ("a comment", JSON, b"{/* */}".to_vec()),
        ("a comma too many", JSON, br#"{"a":1,}"#.to_vec()),
        ("two documents", JSON, b"{}{}".to_vec()),
        ("an array", JSON, b"[]".to_vec()),
        ("a number", JSON, b"1".to_vec()),
        ("a word", JSON, b"null".to_vec()),
        ("a field of another language", JSON, br#"{"__proto__":{"admin":true}}"#.to_vec()),
        ("a mebibyte and one", JSON, vec![b' '; 1_048_577]),
        ("a form", "application/x-www-form-urlencoded", b"amount=1".to_vec()),
        ("a form of parts", "multipart/form-data; boundary=x", b"--x--".to_vec()),
        ("plain text", "text/plain", b"{}".to_vec()),
        (
            "XML",
            "application/xml",
            b"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>".to_vec(),
        ),
    ]
}

/// A call that takes a body, or can.
#[derive(Debug)]
struct Call {
    method: String,
    path: String,
    needs_body: bool,
}

/// Every call of the document that takes a body, with its path filled with ids that are well-formed.
fn calls(server: &Server) -> Vec<Call> {
    let document = server.anonymous().get("/v1/openapi.json").expect(200);
    let mut calls = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            if operation["requestBody"].is_object() {
                calls.push(Call {
                    method: method.to_uppercase(),
                    path: filled(path, operation),
                    needs_body: operation["requestBody"]["required"] == true,
                });
            }
        }
    }
    calls
}

/// The path with an id of the right kind in every gap.
fn filled(path: &str, operation: &Value) -> String {
    let mut filled = path.to_owned();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "path" {
            let name = parameter["name"].as_str().expect("a name");
            let example = &parameter["schema"]["examples"][0];
            let example = example.as_str().or(parameter["schema"]["example"].as_str());
            let value = example.or(parameter["example"].as_str()).unwrap_or("2027-01");
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
    }
    filled
}

#[test]
fn no_call_takes_a_broken_body_and_none_is_hurt_by_it() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let officer = member(&stage.admin, &["credit_officer"]);
    let callers: [&Caller; 4] = [&stage.admin, &officer, &stage.provider, &stage.customer];
    let calls = calls(&server);
    assert!(calls.len() >= 40, "{calls:?}");
    let before = picture(&stage.admin);
    let (mut sent, mut unread, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for Call { method, path, needs_body } in &calls {
        for (name, kind, body) in broken() {
            let headers =
                [("content-type", kind), ("idempotency-key", "hostile"), ("if-match", "\"1\"")];
            let keyless = [headers[0], headers[2]];
            let mut was_read = false;
            for caller in callers {
                let mut answer = caller.send(method, path, &headers, body.clone());
                if answer.text().contains("idempotency_key_not_accepted") {
                    answer = caller.send(method, path, &keyless, body.clone());
                }
                sent += 1;
                was_read |= [400, 413, 415, 422].contains(&answer.status);
                if !(400..500).contains(&answer.status) || answer.status == 429 {
                    wrong.push(format!("{method} {path}, {name}: {}", answer.text()));
                }
            }
            // Where no body is the usual way, an empty one of any kind is none.
            let is_none = !needs_body && ["empty", "plain text"].contains(&name);
            if !was_read && !is_none {
                unread.insert(format!("{method} {path}: {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unread.is_empty(), "nobody's body was looked at: {unread:#?}");
    assert_eq!(picture(&stage.admin), before, "after {sent} requests");
}
