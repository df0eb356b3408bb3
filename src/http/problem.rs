//! A problem as it is answered (RFC 9457). Knows how a "no" is spelled; not why the market says it.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::kind::{self, Kind};
use crate::{sequencer, store};

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// A JSON pointer into the body, or the name of a parameter or header.
    #[schema(example = "/start_at/earliest")]
    pub pointer: String,
    /// What is wrong, for programs.
    #[schema(example = "unknown_field")]
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// Why the answer is no. Rendered once the request's id is known.
#[derive(Debug, Clone)]
pub struct Problem(Box<Facts>);

#[derive(Debug, Clone)]
struct Facts {
    kind: &'static Kind,
    detail: String,
    errors: Vec<FieldFault>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, String)>,
}

/// The shape of a problem, for the API reference.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// The page that explains this kind of problem.
    #[schema(example = "/problems/credit-short")]
    r#type: String,
    title: String,
    status: u16,
    /// What happened this time.
    detail: String,
    /// The kind, for programs.
    #[schema(example = "credit_short")]
    code: String,
    request_id: Uuid,
    /// The fields that are wrong, where fields are.
    errors: Vec<FieldFault>,
}

impl Problem {
    pub fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// A body that does not fit, in one field.
    pub fn field(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let kind = Kind::by_code(code).filter(|kind| kind.status == 422);
        let kind = kind.unwrap_or(&kind::INVALID_BODY);
        Self::new(kind, detail.clone()).error(pointer, code, detail)
    }

    /// Nothing there, or nothing this caller may know of.
    pub fn not_found(what: &str) -> Self {
        Self::new(&kind::NOT_FOUND, format!("There is no such {what}.")).with("kind", what)
    }

    /// Too much of a kind is under way; the caller may come back.
    pub fn throttled() -> Self {
        Self::new(&kind::THROTTLED, kind::THROTTLED.meaning).header(header::RETRY_AFTER, "30")
    }

    /// The credential is missing or not good.
    pub fn unauthenticated(detail: &str) -> Self {
        Self::new(&kind::UNAUTHENTICATED, detail).header(header::WWW_AUTHENTICATE, CHALLENGE)
    }

    /// Points at a field.
    pub fn error(
        mut self,
        pointer: impl Into<String>,
        code: &str,
        detail: impl Into<String>,
    ) -> Self {
        let (pointer, code, detail) = (pointer.into(), code.to_owned(), detail.into());
        self.0.errors.push(FieldFault { pointer, code, detail });
        self
    }

    /// Adds a member with a number or a name.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("members are plain values");
        self.0.members.insert(name.to_owned(), value);
        self
    }

    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// Moves what points at one of these fields into the part of the body that has them.
    pub fn within(mut self, part: &str, fields: &[&str]) -> Self {
        for error in &mut self.0.errors {
            if fields.iter().any(|field| error.pointer.strip_prefix('/') == Some(field)) {
                error.pointer.insert_str(0, part);
            }
        }
        self
    }

    pub const fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn errors(&self) -> &[FieldFault] {
        &self.0.errors
    }

    /// The body, as sent.
    pub fn body(&self, request: Uuid) -> Vec<u8> {
        serde_json::to_vec(&self.value(request)).expect("a problem is plain JSON")
    }

    /// The body as a value, for answers that carry several.
    pub fn value(&self, request: Uuid) -> Value {
        let Facts { kind, detail, errors, members, headers: _ } = self.0.as_ref();
        let mut body = Map::new();
        let text = |text: &str| Value::String(text.to_owned());
        body.insert("type".to_owned(), Value::String(format!("/problems/{}", kind.slug())));
        body.insert("title".to_owned(), text(kind.title));
        body.insert("status".to_owned(), kind.status.into());
        body.insert("detail".to_owned(), text(detail));
        body.insert("code".to_owned(), text(kind.code));
        body.insert("request_id".to_owned(), Value::String(request.to_string()));
        let errors = serde_json::to_value(errors).expect("field faults are plain JSON");
        body.insert("errors".to_owned(), errors);
        for (name, value) in members {
            body.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        Value::Object(body)
    }

    /// The headers that belong to it, as lines `name: value`.
    pub fn header_lines(&self) -> String {
        let lines = self.0.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        lines.collect()
    }

    /// The answer, complete.
    pub fn response(&self, request: Uuid) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, PROBLEM_JSON));
        for (name, value) in &self.0.headers {
            answer.insert_header((name.clone(), value.as_str()));
        }
        answer.body(self.body(request))
    }
}

/// What a 401 asks for (RFC 6750).
pub const CHALLENGE: &str = r#"Bearer realm="headroom", error="invalid_token""#;

/// The media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.0.kind.code, self.0.detail)
    }
}

/// The request's id is not known here; the trail renders the problem it finds among the extensions.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).expect("the table has real statuses")
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::new(self.status_code());
        for (name, value) in &self.0.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers_mut().insert(name.clone(), value);
            }
        }
        answer.extensions_mut().insert(self.clone());
        answer
    }
}

/// The writer did not answer: what to tell the caller, and when to come back.
impl From<sequencer::Fault> for Problem {
    fn from(fault: sequencer::Fault) -> Self {
        let kind = match fault {
            sequencer::Fault::Busy => &kind::BUSY,
            sequencer::Fault::InDoubt => &kind::IN_DOUBT,
            sequencer::Fault::Closed => &kind::CLOSED,
            sequencer::Fault::Standby => &kind::STANDBY,
        };
        Self::new(kind, kind.meaning).header(header::RETRY_AFTER, "1")
    }
}

/// The database did not answer a read. What it said is for the log, not for the caller.
impl From<store::Fault> for Problem {
    fn from(fault: store::Fault) -> Self {
        tracing::error!(%fault, "a read failed");
        Self::new(&kind::STORE_UNAVAILABLE, kind::STORE_UNAVAILABLE.meaning)
            .header(header::RETRY_AFTER, "1")
    }
}
