//! What the server says of itself: its description, its reference, its pages.

use std::path::Path;

use serde_json::Value;

use crate::server::shared;

#[test]
fn the_committed_description_is_the_served_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("api-spec/openapi.json");
    let committed = std::fs::read(path).expect("it is committed");
    let committed: Value = serde_json::from_slice(&committed).expect("it is JSON");
    let served = shared().anonymous().get("/v1/openapi.json").expect(200);
    assert!(committed == served, "run `cargo run -- openapi > api-spec/openapi.json`");
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn the_reference_asks_nobody_else_for_anything() {
    let anyone = shared().anonymous();
    let page = anyone.get("/docs/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'"), "{policy}");
    let html = String::from_utf8(page.body).expect("UTF-8");
    let mut parts = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in html.split(attribute).skip(1) {
            let address = rest.split('"').next().expect("a closing quote");
            assert!(!address.contains("//"), "{address} is elsewhere");
            let address = address.trim_start_matches("./");
            let part = anyone.get(&format!("/docs/{address}"));
            assert_eq!(part.status, 200, "{address}");
            parts += 1;
        }
    }
    assert!(parts >= 4, "style, two scripts and the initializer");
    let start = anyone.get("/docs/swagger-initializer.js");
    let start = String::from_utf8(start.body).expect("UTF-8");
    assert!(start.contains("/v1/openapi.json"), "{start}");
    assert!(!start.contains("http://") && !start.contains("https://"), "{start}");
    assert_eq!(anyone.get("/docs").status, 200, "with or without its slash");
}

#[test]
fn pages_for_people_and_their_machines() {
    let anyone = shared().anonymous();
    let home = anyone.get("/");
    assert!(home.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let home = String::from_utf8(home.body).expect("UTF-8");
    for rest in home.split("href=\"").skip(1) {
        let address = rest.split('"').next().expect("a closing quote");
        assert_eq!(anyone.get(address).status, 200, "{address} on the start page");
    }
    let measured = anyone.get("/metrics");
    let text = String::from_utf8(measured.body).expect("UTF-8");
    assert!(text.contains("headroom_http_requests_total"), "{text}");
    let keys = anyone.get("/.well-known/jwks.json").expect(200);
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert_eq!(keys["keys"][0].get("d"), None, "the public half only");
    let head = anyone.send("HEAD", "/v1/skus", &[], Vec::new());
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_request_keeps_the_id_it_came_with() {
    let anyone = shared().anonymous();
    let mine = "0197b2f0-0000-7000-8000-000000000001";
    let answer = anyone.send("GET", "/v1/nothing", &[("x-request-id", mine)], Vec::new());
    assert_eq!(answer.header("x-request-id"), Some(mine));
    assert_eq!(answer.refused(404, "not_found")["request_id"], mine);
    let odd = anyone.send("GET", "/v1/clock", &[("x-request-id", "42")], Vec::new());
    assert_ne!(odd.header("x-request-id"), Some("42"));
}
