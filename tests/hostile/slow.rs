//! Clients that send as slowly as they can, to keep what they occupy: they are cut off by the
//! server's own patience, and others do not wait for them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::asking::Caller;
use crate::server::Server;
use crate::stage::sign_up;

/// More than there are workers or blocking threads to wait for them.
const DRIBBLERS: usize = 600;

/// Beats, of about half a second, after which the server should long have lost its patience: it has
/// ten seconds for a head and thirty for a body.
const BEATS_MAX: usize = 240;

/// A connection that sends one byte a beat.
struct Dribbler {
    stream: TcpStream,
    rest: Vec<u8>,
    heard: Vec<u8>,
    is_cut: bool,
}

impl Dribbler {
    fn start(address: &str, at_once: &str, rest: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(at_once.as_bytes()).expect("it takes the beginning");
        stream.set_nonblocking(true).expect("a socket can be");
        Self { stream, rest: rest.as_bytes().to_vec(), heard: Vec::new(), is_cut: false }
    }

    /// One byte more, and what there is to hear.
    fn beat(&mut self, beat: usize) {
        let byte = self.rest[beat % self.rest.len()];
        if self.stream.write_all(&[byte]).is_err() {
            self.is_cut = true;
        }
        let mut chunk = [0; 4_096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => self.is_cut = true,
                Ok(count) => {
                    self.heard.extend_from_slice(&chunk[..count]);
                    continue;
                }
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.is_cut = true,
            }
            return;
        }
    }
}

/// Somebody who is served meanwhile; answers how often it was.
fn others(caller: &Caller) -> usize {
    for path in ["/v1/me", "/v1/orders", "/v1/market/trades", "/readyz"] {
        assert_eq!(caller.get(path).status, 200, "{path}");
    }
    4
}

/// Dribbles until all are cut off; answers what they heard, and how often others were served.
fn dribble(server: &Server, heads: &[(&str, &str)]) -> (Vec<String>, usize) {
    let address = server.url.strip_prefix("http://").expect("a plain address");
    let owner = sign_up(&server.anonymous(), &["customer"]);
    let kinds = heads.iter().cycle().take(DRIBBLERS);
    let mut all: Vec<Dribbler> =
        kinds.map(|(at_once, rest)| Dribbler::start(address, at_once, rest)).collect();
    // The beat is a read that nothing answers: no clock of ours decides anything.
    let (mut still, _peer) = silent_pair();
    let mut served = 0;
    for beat in 0..BEATS_MAX {
        for one in all.iter_mut().filter(|one| !one.is_cut) {
            one.beat(beat);
        }
        served += others(&owner);
        if all.iter().all(|one| one.is_cut) {
            let heard = all.iter().map(|one| String::from_utf8_lossy(&one.heard).into_owned());
            return (heard.collect(), served);
        }
        assert!(still.read(&mut [0]).is_err(), "nobody speaks there");
    }
    let open = all.iter().filter(|one| !one.is_cut).count();
    panic!("{open} of {DRIBBLERS} still hold their connection");
}

/// A connection on which nothing is ever said, with half a second of patience.
fn silent_pair() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (theirs, _) = listener.accept().expect("we came");
    ours.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket can wait");
    (ours, theirs)
}

/// With little patience for idle connections, so that the tests need not have more.
fn impatient() -> Server {
    Server::under(&[("HEADROOM_KEEP_ALIVE", "2")])
}

#[test]
fn who_dribbles_after_a_good_request_is_cut_off_too() {
    let server = impatient();
    let good = "GET /v1/clock HTTP/1.1\r\nhost: x\r\n\r\n";
    let refused = "POST /v1/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let second = format!("{good}GET /v1/clock HTTP/1.1\r\nhost: x\r\nx-slow: ");
    let (heard, served) = dribble(
        &server,
        &[(good, "GET /v1/clock HTTP/1.1"), (&second, "a"), (refused, "1\r\n \r\n")],
    );
    for answer in &heard {
        let is_answered = ["HTTP/1.1 200", "HTTP/1.1 401"].iter().any(|a| answer.starts_with(a));
        assert!(is_answered, "the first request was answered: {answer}");
    }
    assert!(served >= 4, "others were served meanwhile");
}

#[test]
fn who_never_reads_is_cut_off() {
    let server = impatient();
    let address = server.url.strip_prefix("http://").expect("a plain address");
    // The reference is half a megabyte; no socket buffers a thousand of it.
    let ask = "GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let mut greedy: Vec<TcpStream> = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_nonblocking(true).expect("a socket can be");
        // What it cannot take now is not needed either.
        drop(stream.write(ask.as_bytes()));
        greedy.push(stream);
    }
    let owner = sign_up(&server.anonymous(), &["customer"]);
    let (mut still, _peer) = silent_pair();
    for _ in 0..BEATS_MAX {
        // Writing to a connection that was cut off fails; these bytes are never looked at.
        greedy.retain_mut(|stream| match stream.write(b"G") {
            Ok(_) => true,
            Err(fault) => fault.kind() == ErrorKind::WouldBlock,
        });
        if greedy.is_empty() {
            return;
        }
        others(&owner);
        assert!(still.read(&mut [0]).is_err(), "nobody speaks there");
    }
    panic!("{} never read and still hold their connection", greedy.len());
}

#[test]
fn who_dribbles_a_head_is_cut_off_and_others_are_served() {
    let server = impatient();
    let (heard, served) = dribble(
        &server,
        &[
            ("", "GET /v1/clock HTTP/1.1\r\nhost: x\r\n"),
            ("G", "ET /v1/clock"),
            ("GET /v1/clock HTTP/1.1\r\nhost: x\r\nx-slow: ", "a"),
            ("GET /v1/clock HTTP/1.1\r\nhost: x\r\n", "x-a: b\r\n"),
        ],
    );
    for answer in &heard {
        let is_refused = ["HTTP/1.1 400", "HTTP/1.1 408"].iter().any(|no| answer.starts_with(no));
        assert!(answer.is_empty() || is_refused, "{answer}");
    }
    assert!(served >= 4, "others were served meanwhile");
}

#[test]
fn who_dribbles_a_body_is_cut_off_and_others_are_served() {
    let server = impatient();
    let length = "POST /v1/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                  content-length: 100000\r\n\r\n{";
    let chunks = "POST /v1/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                  transfer-encoding: chunked\r\n\r\n";
    let size = "POST /v1/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n10000\r\n";
    let (heard, served) = dribble(&server, &[(length, " "), (chunks, "1\r\n \r\n"), (size, " ")]);
    for answer in &heard {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
    }
    assert!(served >= 4, "others were served meanwhile");
}
