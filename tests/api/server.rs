//! A whole server in this process, on port 0 and a database of its own, and callers who speak HTTP to
//! it. Knows the API and nothing behind it, except how to start it.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use headroom::engine::{Actor, Command, Settings};
use headroom::http::token::Signer;
use headroom::http::{self, Door, password};
use headroom::model::Minute;
use headroom::model::id::{OrgId, UserId};
use headroom::sequencer::{self, Desk, Errand, Pace};
use headroom::store;
use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};

/// 2027-01-01T00:00:00Z: where the market's time begins.
pub const BEGIN: Minute = Minute::new(29_979_360);

pub const ADMIN: &str = "admin@headroom.example";
pub const PASSWORD: &str = "a password for tests only";

/// A running server. Its database goes with it.
pub struct Server {
    pub address: String,
    desk: Desk,
    client: Client,
    keys: AtomicU32,
    _folder: tempfile::TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
    pub body: Value,
}

/// Somebody with a credential, or nobody.
pub struct Caller<'a> {
    pub server: &'a Server,
    pub token: Option<String>,
}

impl Server {
    /// A new market under a simulated clock, with its operator.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("market.db").display());
        let (writer, reader) = store::open(&url).expect("a new database");
        let pace = Pace::Simulated(Some(BEGIN.micros()));
        let desk = sequencer::start(Box::new(writer), Settings::default(), http::scribe, pace)
            .expect("a new market");
        found(&desk);
        let signer = Signer::open(&folder.path().join("key.pem")).expect("a new key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let door = Door::new(desk.clone(), reader, signer, None);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                http::serve(listener, door, 1).expect("served").await.expect("ended well");
            });
        });
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { address, desk, client, keys: AtomicU32::new(0), _folder: folder }
    }

    pub fn anonymous(&self) -> Caller<'_> {
        Caller { server: self, token: None }
    }

    pub fn with(&self, token: &str) -> Caller<'_> {
        Caller { server: self, token: Some(token.to_owned()) }
    }

    /// Signs in.
    pub fn sign_in(&self, email: &str) -> Caller<'_> {
        let body = json!({ "email": email, "password": PASSWORD });
        let tokens = self.anonymous().post("/v1/sessions", &body).is(201);
        self.with(tokens["access_token"].as_str().expect("a token"))
    }

    /// Signs an organization up; answers its owner and its id.
    pub fn sign_up(&self, name: &str, capabilities: &[&str]) -> (Caller<'_>, String) {
        let body = json!({
            "organization": {
                "name": name, "capabilities": capabilities, "segment": "startup", "country": "ID",
            },
            "email": format!("owner@{name}.example"),
            "password": PASSWORD,
        });
        let answer = self.anonymous().post("/v1/signup", &body).is(201);
        let id = answer["organization"]["id"].as_str().expect("an id").to_owned();
        (self.with(answer["access_token"].as_str().expect("a token")), id)
    }

    /// An idempotency key not used before.
    pub fn fresh_key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.desk.close();
    }
}

fn found(desk: &Desk) {
    let command = Command::Found {
        org: OrgId::new(http::fresh()),
        user: UserId::new(http::fresh()),
        name: "Headroom".to_owned(),
        country: "AU".parse().expect("a country"),
        email: ADMIN.to_owned(),
        password_hash: password::hash(PASSWORD),
    };
    let (actor, request) = (Actor::System, http::fresh());
    let done = desk.submit_blocking(Errand { actor, request, key: None, command });
    done.expect("taken").outcome.expect("founded");
}

impl Caller<'_> {
    /// A request to be made more of.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.server.address);
        let request = self.server.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path))
    }

    /// Posts without an idempotency key.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body))
    }

    /// Posts under a fresh idempotency key.
    pub fn do_once(&self, path: &str, body: &Value) -> Answer {
        self.under(&self.server.fresh_key(), path, body)
    }

    /// Posts under this idempotency key.
    pub fn under(&self, key: &str, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).header("idempotency-key", key).json(body))
    }
}

/// Sends a request and reads the answer.
pub fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.bytes().expect("a body").to_vec();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status, headers, bytes, body }
}

impl Answer {
    /// The body, of an answer with this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{text}");
        self.body
    }

    /// The body, of a problem of this kind.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{text}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("x-request-id"), self.body["request_id"].as_str(), "{text}");
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The text at a pointer.
#[track_caller]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}

/// The instant so many hours after the beginning, spelled.
pub fn hours(count: i64) -> String {
    BEGIN.plus(count * 60).to_string()
}
