//! Bytes that are not quite HTTP: smuggled requests, lengths that contradict each other, heads
//! without end, letters that are none.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::asking::id;
use crate::picture;
use crate::server::Server;
use crate::stage::{Stage, sign_up};

/// Sends these bytes, says that no more come, and hears everything until the server hangs up.
fn say(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket can wait");
    // A server that has heard enough may hang up before it has all.
    let all = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Ok(_) => heard,
        Err(fault) if fault.kind() == ErrorKind::ConnectionReset || all.is_err() => heard,
        Err(fault) => panic!("it neither answers nor hangs up: {fault}"),
    }
}

/// The statuses of all answers in what was heard.
fn statuses(heard: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    let mut rest = heard;
    while let Some(at) = rest.windows(9).position(|window| window == b"HTTP/1.1 ") {
        rest = &rest[at + 9..];
        let text = std::str::from_utf8(&rest[..3]).expect("digits");
        statuses.push(text.parse().expect("a status"));
    }
    statuses
}

/// What is sent, and the statuses that are answered: nothing means hung up on.
struct Attack {
    name: &'static str,
    bytes: Vec<u8>,
    answers: &'static [u16],
}

fn attack(name: &'static str, bytes: impl Into<Vec<u8>>, answers: &'static [u16]) -> Attack {
    Attack { name, bytes: bytes.into(), answers }
}

/// A sign-up that would be taken; `n` makes it another one.
fn body(n: usize) -> String {
    json!({
        "organization": {
            "name": "Smuggled", "capabilities": ["customer"], "segment": "startup", "country": "DE",
        },
        "email": format!("smuggled{n}@party.example"), "password": "correct horse battery staple",
    })
    .to_string()
}

/// A whole request to sign up, with these headers instead of a length.
fn post(headers: &str, payload: &str) -> String {
    format!(
        "POST /v1/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n{payload}"
    )
}

const CLOCK: &str = "GET /v1/clock HTTP/1.1\r\nhost: x\r\n\r\n";

/// Heads that are wrong or too much.
fn heads() -> Vec<Attack> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let with = |header: &str| format!("GET /v1/clock HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n");
    let many: String = (0..1_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    vec![
        attack("nothing", "", &[]),
        attack("an empty line", "\r\n\r\n", &[]),
        attack("noise", (0..=255).cycle().take(4_096).collect::<Vec<u8>>(), &[400]),
        attack("zeros", vec![0; 4_096], &[400]),
        attack("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[400]),
        attack("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400]),
        attack("HTTP/0.9", "GET /v1/clock\r\n\r\n", &[400]),
        attack("HTTP/3.0", "GET /v1/clock HTTP/3.0\r\nhost: x\r\n\r\n", &[400]),
        attack("a method with a space", "GE T /v1/clock HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        attack("a path of 200,000 letters", get(&"/a".repeat(100_000)), &[431]),
        attack(
            "a query of 60,000 letters",
            get(&format!("/v1/orders?{}", "a".repeat(60_000))),
            &[401],
        ),
        attack("a header of 200,000 letters", with(&format!("x: {}", "a".repeat(200_000))), &[431]),
        attack("a thousand headers", with(many.trim_end()), &[431]),
        attack("a header without a colon", with("nonsense"), &[400]),
        attack("a header with a space in its name", with("x y: 1"), &[400]),
        attack("a header with a space after its name", with("x-a : 1"), &[400]),
        attack("a folded header", with("x-a: 1\r\n  2"), &[400]),
        attack("a zero in a header", with("x-a: 1\x00002"), &[400]),
        attack("a bare return in a header", with("x-a: 1\r2"), &[400]),
        attack(
            "letters that are none in a path",
            b"GET /v1/skus/\xff\xfe HTTP/1.1\r\n\r\n".to_vec(),
            &[400],
        ),
        attack("escaped letters that are none", get("/v1/skus/%ff%fe"), &[422]),
        attack("an escaped zero", get("/v1/skus/gb300%00"), &[422]),
        attack("a broken escape", get("/v1/skus/%zz"), &[422]),
        attack("out of the house", get("/../../../etc/passwd"), &[404]),
        attack("out of the house, escaped", get("/docs/%2e%2e/%2e%2e/etc/passwd"), &[404]),
        attack("out of the house, twice escaped", get("/problems/%252e%252e%252fetc"), &[404]),
        attack(
            "letters that are none in a credential",
            {
                b"GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n".to_vec()
            },
            &[401],
        ),
        attack(
            "two credentials",
            {
                "GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n"
            },
            &[401],
        ),
        attack("TRACE", "TRACE /v1/clock HTTP/1.1\r\nhost: x\r\n\r\n", &[405]),
        attack("CONNECT", "CONNECT elsewhere:443 HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
        attack("an upgrade", with("connection: upgrade\r\nupgrade: h2c"), &[200]),
    ]
}

/// Bodies whose end is in dispute. None may be taken, and none may hide a second request.
fn lengths() -> Vec<Attack> {
    let b = body;
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let smuggled =
        format!("0\r\n\r\n{}", post(&format!("content-length: {}\r\n", b(1).len()), &b(1)));
    let both = |first: &str, second: &str, payload: &str| {
        attack_text(&format!("{first}\r\n{second}\r\n"), payload)
    };
    let one = |header: &str, payload: &str| attack_text(&format!("{header}\r\n"), payload);
    vec![
        attack(
            "a length and chunks",
            both("content-length: 5", "transfer-encoding: chunked", &smuggled),
            &[400],
        ),
        attack(
            "chunks and a length",
            both("transfer-encoding: chunked", "content-length: 5", &smuggled),
            &[400],
        ),
        attack("two lengths", both("content-length: 2", "content-length: 900", &b(2)), &[400]),
        attack("a list of lengths", one("content-length: 2, 2", "{}"), &[400]),
        attack("a length with a sign", one("content-length: +2", "{}"), &[400]),
        attack("a negative length", one("content-length: -2", "{}"), &[400]),
        attack("a length in hex", one("content-length: 0x2", "{}"), &[400]),
        attack("an empty length", one("content-length: ", "{}"), &[400]),
        attack("a length beyond all", one("content-length: 99999999999999999999", "{}"), &[400]),
        attack("the largest length", one("content-length: 18446744073709551615", "{}"), &[413]),
        attack("a length that is never reached", one("content-length: 5000", "{}"), &[400]),
        attack("chunked twice", one("transfer-encoding: chunked, chunked", &chunk(&b(3))), &[400]),
        attack(
            "two encodings",
            both("transfer-encoding: identity", "transfer-encoding: chunked", &chunk(&b(4))),
            &[400],
        ),
        attack(
            "an encoding nobody knows",
            one("transfer-encoding: xchunked", &chunk(&b(5))),
            &[400],
        ),
        attack(
            "chunks, then something else",
            one("transfer-encoding: chunked, gzip", &chunk(&b(6))),
            &[400],
        ),
        attack(
            "chunks of HTTP/1.0",
            {
                post("transfer-encoding: chunked\r\n", &chunk(&b(7)))
                    .replace("HTTP/1.1", "HTTP/1.0")
            },
            &[400],
        ),
        attack(
            "a chunk that is no number",
            one("transfer-encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"),
            &[400],
        ),
        attack(
            "a chunk beyond all",
            one("transfer-encoding: chunked", "fffffffffffffffff\r\n{}\r\n"),
            &[400],
        ),
        attack(
            "a chunk with a sign",
            one("transfer-encoding: chunked", "-1\r\n{}\r\n0\r\n\r\n"),
            &[400],
        ),
        attack("chunks that never end", one("transfer-encoding: chunked", "2\r\n{}\r\n"), &[400]),
        attack(
            "a chunk without its end",
            one("transfer-encoding: chunked", "2\r\n{}XX0\r\n\r\n"),
            &[400],
        ),
        attack("a packed body", one("content-encoding: gzip\r\ncontent-length: 2", "{}"), &[415]),
    ]
}

fn attack_text(headers: &str, payload: &str) -> String {
    post(headers, payload)
}

#[test]
fn what_is_not_quite_http_is_refused_and_does_nothing() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let address = server.url.strip_prefix("http://").expect("a plain address");
    let before = picture(&stage.admin);
    let mut wrong = Vec::new();
    for Attack { name, bytes, answers } in heads().into_iter().chain(lengths()) {
        let heard = say(address, &bytes);
        if statuses(&heard) != answers {
            let text = String::from_utf8_lossy(&heard);
            wrong.push(format!("{name}: not {answers:?} but {:?}: {text:.300}", statuses(&heard)));
        }
        stage.customer.get("/v1/me").expect(200);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(picture(&stage.admin), before, "nothing was changed");
}

#[test]
fn garbage_after_good_requests_ends_the_connection_and_not_their_answers() {
    let server = Server::fresh();
    let address = server.url.strip_prefix("http://").expect("a plain address");
    let owner = sign_up(&server.anonymous(), &["customer"]);
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", ": x\r\n\r\n"] {
        let heard = say(address, format!("{}{garbage}", CLOCK.repeat(8)).as_bytes());
        let answers = statuses(&heard);
        assert_eq!(answers, [[200; 8].as_slice(), &[400]].concat(), "{garbage:?}");
    }
    // Far more at once than are worked on at once: each is answered, in order.
    let heard = say(address, CLOCK.repeat(500).as_bytes());
    assert_eq!(statuses(&heard), [200; 500]);
    // A request within another's body is a body.
    let inner = format!("GET /v1/me HTTP/1.1\r\nauthorization: Bearer x\r\n\r\n{CLOCK}");
    let outer = format!(
        "POST /v1/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{inner}{CLOCK}",
        inner.len()
    );
    let heard = say(address, outer.as_bytes());
    assert_eq!(statuses(&heard), [400, 200], "the body is refused, what follows is answered");
    assert!(!id(&owner.get("/v1/me").expect(200)["organization"]).is_empty());
}
