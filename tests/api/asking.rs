//! A caller of the API, and what every answer must be whatever was asked.

use std::io::Read;
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::{Client, Response};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::server::PASSWORD;

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Client,
    pub url: String,
    pub token: Option<String>,
    pub email: String,
    pub organization: String,
    pub user: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a plain header"))
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The body of a refusal of this kind.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{}", self.text());
        body
    }

    /// The place, code of the first fault in the body.
    pub fn fault(&self) -> (String, String) {
        let body = self.json();
        let text = |name: &str| body["errors"][0][name].as_str().unwrap_or_default().to_owned();
        (text("pointer"), text("code"))
    }

    pub fn was_replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }
}

/// What is true of every answer: it has an id, it is never our fault, and a "no" is a whole
/// problem.
fn check(answer: &Answer, what: &str) {
    let id = answer.header("x-request-id");
    assert!(id.is_some_and(|id| id.len() == 36), "{what}: no request id");
    assert!(answer.status < 500, "{what}: {}", answer.text());
    if answer.status < 400 || answer.body.is_empty() {
        return;
    }
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let body = answer.json();
    assert_eq!(body["status"], answer.status, "{what}: {body}");
    let code = body["code"].as_str().expect("a code");
    assert_eq!(body["type"], format!("/problems/{}", code.replace('_', "-")), "{what}");
    for name in ["title", "detail"] {
        assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{what}: {body}");
    }
    // A refusal that is replayed tells of the first request.
    if !answer.was_replayed() {
        assert_eq!(body["request_id"].as_str(), id, "{what}");
    }
}

impl Caller {
    pub fn anonymous(url: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(60)).build();
        let client = client.expect("a client can be made");
        let (email, organization, user) = (String::new(), String::new(), String::new());
        Self { client, url: url.to_owned(), token: None, email, organization, user }
    }

    /// The same, with another credential.
    pub fn bearing(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn signed_in(&self, email: &str, password: &str) -> Self {
        let body = json!({ "email": email, "password": password });
        let tokens = self.nobody().post("/v1/sessions", &body).expect(201);
        let caller = self.bearing(tokens["access_token"].as_str().expect("a token"));
        let me = caller.get("/v1/me").expect(200);
        caller.named(&me["organization"], &me["user"])
    }

    /// The same person, once more: a session ends when the market's time has moved on.
    pub fn again(&self) -> Self {
        self.signed_in(&self.email, PASSWORD)
    }

    /// The same without a credential.
    pub fn nobody(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    fn named(self, organization: &Value, user: &Value) -> Self {
        let email = user["email"].as_str().expect("people have addresses").to_owned();
        Self { email, organization: id(organization), user: id(user), ..self }
    }

    /// Whom a sign-up or an accepted invitation made.
    pub fn signed_up(&self, body: &Value) -> Self {
        let caller = self.bearing(body["access_token"].as_str().expect("a token"));
        caller.named(&body["organization"], &body["user"])
    }

    /// Sends exactly this.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let response = self.open(method, path, headers, body);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().expect("a whole body").to_vec();
        let answer = Answer { status, headers, body };
        check(&answer, &format!("{method} {path}"));
        answer
    }

    /// As `send`, for a body that may never end: it is not read.
    pub fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).send().expect("the server answers")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Vec::new())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.with(path, &[], body)
    }

    /// As `post`, under an idempotency key.
    pub fn keyed(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.with(path, &[("idempotency-key", key)], body)
    }

    /// As `post`, with headers.
    pub fn with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", path, &headers, body.to_string().into_bytes())
    }

    /// Asks for an event stream and reads until `enough` of what came.
    pub fn listen(&self, headers: &[(&str, &str)], enough: impl Fn(&str) -> bool) -> String {
        let mut stream = self.open("GET", "/v1/events/stream", headers, Vec::new());
        assert_eq!(stream.status().as_u16(), 200);
        let (mut heard, mut chunk) = (String::new(), [0; 4096]);
        while !enough(&heard) {
            let count = stream.read(&mut chunk).expect("the stream goes on");
            assert!(count > 0, "the stream ended after {heard}");
            heard.push_str(std::str::from_utf8(&chunk[..count]).expect("UTF-8"));
        }
        heard
    }
}

/// The id of what was answered.
pub fn id(body: &Value) -> String {
    body["id"].as_str().unwrap_or_default().to_owned()
}
