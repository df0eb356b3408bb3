//! The `Idempotency-Key` header: from a caller's text to the digests the engine remembers.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::json::half;
use super::kind;
use super::problem::Problem;
use crate::engine::Key;
use crate::model::id::OrgId;
use crate::model::limits;

const HEADER: &str = "idempotency-key";

/// What a key is good for: one method on one path, under the caller's text.
#[derive(Debug, Clone)]
pub struct Scope(Sha256);

/// A key that must be there.
#[derive(Debug)]
pub struct RequiredKey(pub Scope);

/// A key that may be there.
#[derive(Debug)]
pub struct OptionalKey(pub Option<Scope>);

/// No key: the answer carries a secret, which is kept nowhere and so cannot be answered again.
#[derive(Debug)]
pub struct NoKey;

/// The header, for the API reference.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header")]
pub struct KeyHeader {
    /// One for each intent, 1 to 255 printable ASCII characters. The same key and body answer the
    /// same bytes again, with `Idempotent-Replayed: true`, for 30 days; another body is a 422.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, example = "train-42")]
    #[param(pattern = "^[!-~]([ -~]{0,253}[!-~])?$")]
    key: String,
}

/// As [`KeyHeader`], where it may be left out.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header")]
pub struct OptionalKeyHeader {
    /// One for each intent, 1 to 255 printable ASCII characters. The same key and body answer the
    /// same bytes again, with `Idempotent-Replayed: true`, for 30 days; another body is a 422.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, example = "train-42")]
    #[param(pattern = "^[!-~]([ -~]{0,253}[!-~])?$")]
    key: Option<String>,
}

impl Scope {
    /// The scope of a caller's text on a method and path.
    pub fn new(method: &str, path: &str, text: &str) -> Result<Self, Problem> {
        let fits = (1..=limits::IDEMPOTENCY_KEY_LENGTH_MAX).contains(&text.len());
        if !fits || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let kind = &kind::IDEMPOTENCY_KEY_INVALID;
            return Err(Problem::new(kind, kind.meaning).error(HEADER, "invalid", kind.remedy));
        }
        let mut digest = Sha256::new();
        for part in [method, path, text] {
            // None of the three can hold a NUL, so no two scopes run together.
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        Ok(Self(digest))
    }

    /// The key of one organization, for one body.
    pub fn over(&self, org: OrgId, fingerprint: u128) -> Key {
        let mut digest = self.0.clone();
        digest.update(org.uuid().as_bytes());
        Key { name: half(digest.finalize().into()), fingerprint }
    }
}

impl RequiredKey {
    pub fn over(&self, org: OrgId, fingerprint: u128) -> Key {
        self.0.over(org, fingerprint)
    }
}

impl OptionalKey {
    pub fn over(&self, org: OrgId, fingerprint: u128) -> Option<Key> {
        self.0.as_ref().map(|scope| scope.over(org, fingerprint))
    }

    /// For calls that need a key only in some bodies.
    pub fn required(self) -> Result<RequiredKey, Problem> {
        self.0.map(RequiredKey).ok_or_else(missing)
    }
}

fn missing() -> Problem {
    let kind = &kind::IDEMPOTENCY_KEY_REQUIRED;
    Problem::new(kind, kind.meaning).error(HEADER, "missing", kind.remedy)
}

fn scope(request: &HttpRequest) -> Result<Option<Scope>, Problem> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    // A header that cannot be read, or a second one, is refused as an empty key is.
    let text = value.to_str().ok().filter(|_| values.next().is_none()).unwrap_or("");
    Scope::new(request.method().as_str(), request.path(), text).map(Some)
}

impl FromRequest for OptionalKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(scope(request).map(OptionalKey))
    }
}

impl FromRequest for RequiredKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(scope(request).and_then(|scope| scope.map(RequiredKey).ok_or_else(missing)))
    }
}

impl FromRequest for NoKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let kind = &kind::IDEMPOTENCY_KEY_NOT_ACCEPTED;
        let is_there = request.headers().contains_key(HEADER);
        ready(if is_there { Err(Problem::new(kind, kind.meaning)) } else { Ok(NoKey) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    #[test]
    fn organization_method_path_text_and_body_all_count() {
        let name = |org: u128, method, path, text| {
            let scope = Scope::new(method, path, text).expect("a key");
            scope.over(OrgId::new(Uuid::from_u128(org)), 7).name
        };
        let one = name(1, "POST", "/v1/orders", "k");
        assert_eq!(one, name(1, "POST", "/v1/orders", "k"));
        assert_ne!(one, name(2, "POST", "/v1/orders", "k"));
        assert_ne!(one, name(1, "PATCH", "/v1/orders", "k"));
        assert_ne!(one, name(1, "POST", "/v1/quotes", "k"));
        assert_ne!(one, name(1, "POST", "/v1/orders", "l"));
        assert_ne!(one, name(1, "POST", "/v1/order", "sk"));
    }

    #[test]
    fn a_key_is_printable_and_short() {
        let long = "k".repeat(256);
        for text in ["", "\t", "a\u{7f}", "ключ", &long] {
            assert!(Scope::new("POST", "/", text).is_err(), "{text:?}");
        }
        assert!(Scope::new("POST", "/", &long[1..]).is_ok());
    }

    #[test]
    fn a_key_is_missing_repeated_or_unwanted() {
        let bare = TestRequest::post().to_http_request();
        let twice = TestRequest::post().append_header((HEADER, "a")).append_header((HEADER, "b"));
        let twice = twice.to_http_request();
        let mut none = Payload::None;
        let required = |request: &HttpRequest, none: &mut Payload| {
            RequiredKey::from_request(request, none).into_inner().map_err(|no| no.kind().code)
        };
        assert_eq!(required(&bare, &mut none).err(), Some("idempotency_key_required"));
        assert_eq!(required(&twice, &mut none).err(), Some("idempotency_key_invalid"));
        assert!(NoKey::from_request(&twice, &mut none).into_inner().is_err());
        assert!(NoKey::from_request(&bare, &mut none).into_inner().is_ok());
    }
}
