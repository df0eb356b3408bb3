//! Bodies: read once, bounded in size and time, strict in shape. Knows how a body can be wrong and
//! where.

use std::fmt::Display;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned};
use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::kind;
use super::problem::Problem;
use crate::model::limits;

/// A body that takes longer than this has a stuck sender.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Separates the code from the sentence in a fault of one of our own types.
const MARK: char = '\u{1f}';

/// A JSON body, and the digest of its bytes for the idempotency key.
#[derive(Debug)]
pub struct Json<T> {
    pub value: T,
    pub fingerprint: u128,
}

/// The body of calls that take none: nothing at all, or an empty object.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// As [`Json<Nothing>`], where no body is the usual way.
#[derive(Debug)]
pub struct NoBody {
    pub fingerprint: u128,
}

/// A fault with a code, from inside a `Deserialize`.
pub fn fault<E: de::Error>(code: &str, detail: impl Display) -> E {
    E::custom(format_args!("{code}{MARK}{detail}"))
}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let fits = is_json(request);
        let length = content_length(request);
        let payload = payload.take();
        Box::pin(async move {
            fits?;
            let bytes = gather(payload, length).await?;
            let value = read(&bytes)?;
            Ok(Json { value, fingerprint: fingerprint(&bytes) })
        })
    }
}

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let length = content_length(request);
        let payload = payload.take();
        Box::pin(async move {
            let bytes = gather(payload, length).await?;
            if !bytes.trim_ascii().is_empty() {
                read::<Nothing>(&bytes)?;
            }
            Ok(NoBody { fingerprint: fingerprint(bytes.trim_ascii()) })
        })
    }
}

/// The first half of the SHA-256 of the bytes.
pub fn fingerprint(bytes: &[u8]) -> u128 {
    half(Sha256::digest(bytes).into())
}

/// The first half of a digest.
pub fn half(digest: [u8; 32]) -> u128 {
    let (first, _) = digest.split_first_chunk::<16>().expect("32 bytes have 16");
    u128::from_be_bytes(*first)
}

fn is_json(request: &HttpRequest) -> Result<(), Problem> {
    let plain = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let named = request.content_type().trim();
    if plain && named.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = if named.is_empty() {
        "The request has no Content-Type; this call reads application/json.".to_owned()
    } else {
        format!("This call reads a plain application/json, not {named}.")
    };
    Err(Problem::new(&kind::UNSUPPORTED_MEDIA_TYPE, detail))
}

fn content_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, in one piece. Most bodies come in one chunk and are not copied.
async fn gather(payload: Payload, length: Option<usize>) -> Result<Bytes, Problem> {
    if length.is_some_and(|length| length > limits::BODY_BYTES_MAX) {
        return Err(Problem::new(&kind::BODY_TOO_LARGE, kind::BODY_TOO_LARGE.meaning));
    }
    match tokio::time::timeout(BODY_TIMEOUT, gather_chunks(payload)).await {
        Ok(bytes) => bytes,
        Err(_) => Err(Problem::new(&kind::REQUEST_TIMEOUT, kind::REQUEST_TIMEOUT.meaning)),
    }
}

async fn gather_chunks(mut payload: Payload) -> Result<Bytes, Problem> {
    let broken = |_| Problem::new(&kind::BAD_REQUEST, "The body broke off or is not valid HTTP.");
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(broken)?;
    let mut all: Option<BytesMut> = None;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(broken)?;
        let all = all.get_or_insert_with(|| BytesMut::from(first.as_ref()));
        if all.len().saturating_add(chunk.len()) > limits::BODY_BYTES_MAX {
            return Err(Problem::new(&kind::BODY_TOO_LARGE, kind::BODY_TOO_LARGE.meaning));
        }
        all.extend_from_slice(&chunk);
    }
    let whole = all.map_or(first, BytesMut::freeze);
    if whole.len() > limits::BODY_BYTES_MAX {
        return Err(Problem::new(&kind::BODY_TOO_LARGE, kind::BODY_TOO_LARGE.meaning));
    }
    Ok(whole)
}

/// Reads a strict body. Only when it is wrong is it read again, to find out where.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    if is_object && let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    // Well-formed first: a body that is not JSON is a 400 wherever its fields are wrong.
    if let Err(wrong) = serde_json::from_slice::<Unread>(bytes) {
        return Err(Problem::new(
            &kind::INVALID_JSON,
            format!("{}.", sentence(&wrong.to_string())),
        ));
    }
    if !is_object {
        return Err(Problem::field("", "wrong_type", "The body is a JSON object."));
    }
    let mut input = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize(&mut input) {
        Ok(value) => Ok(value),
        Err(wrong) => {
            let pointer = pointer(wrong.path());
            Err(misfit(pointer, &wrong.into_inner().to_string()))
        }
    }
}

/// Reads a part of a body that has been parsed already; `at` is its pointer.
pub fn read_value<T: DeserializeOwned>(at: &str, value: serde_json::Value) -> Result<T, Problem> {
    match serde_path_to_error::deserialize(value) {
        Ok(read) => Ok(read),
        Err(wrong) => {
            let pointer = format!("{at}{}", pointer(wrong.path()));
            Err(misfit(pointer, &wrong.into_inner().to_string()))
        }
    }
}

/// Any JSON, looked at and dropped; unlike `IgnoredAny` it minds the depth and the UTF-8 of
/// strings.
struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(input).map(|_| Unread)
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&escaped(key));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// A name as JSON Pointer (RFC 6901) spells it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A fault's message without the place that serde_json appends.
fn sentence(message: &str) -> String {
    let end = message.rfind(" at line ");
    let text = message[..end.filter(|_| message.contains(MARK)).unwrap_or(message.len())].trim();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Tells what kind of misfit a message of serde is; our own types name theirs.
fn misfit(mut pointer: String, message: &str) -> Problem {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    let message = &message[..end];
    if let Some((code, detail)) = message.split_once(MARK) {
        return Problem::field(pointer, code, format!("{}.", sentence(detail)));
    }
    let code = code_of(message);
    // A name that was read as text, and not as a field, is not on the path yet.
    if let Some(name) = message.split('`').nth(1)
        && (matches!(code, "missing_field" | "duplicate_field")
            || (code == "unknown_field" && !pointer.ends_with(&format!("/{}", escaped(name)))))
    {
        pointer = format!("{pointer}/{}", escaped(name));
    }
    Problem::field(pointer, code, format!("{}.", sentence(message)))
}

/// The code for a message of serde or of a word of the model.
pub fn code_of(message: &str) -> &'static str {
    const CODES: &[(&str, &str)] = &[
        ("unknown field", "unknown_field"),
        ("missing field", "missing_field"),
        ("duplicate field", "duplicate_field"),
        ("unknown variant", "unknown_value"),
        ("invalid type", "wrong_type"),
        ("invalid length", "wrong_type"),
        ("expected an id that starts with", "wrong_id_kind"),
        ("the part after", "invalid_id"),
        ("a code is", "invalid_code"),
        ("a country is", "invalid_country"),
    ];
    let known = CODES.iter().find(|(begin, _)| message.starts_with(begin));
    known.map_or("invalid", |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::money::PriceText;
    use crate::http::time::Moment;
    use crate::model::id::PoolId;
    use crate::model::{Segment as Customer, SkuCode};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        at: Moment,
        price: PriceText,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        pool_id: PoolId,
        sku: Option<SkuCode>,
        segment: Option<Customer>,
        gpus: u32,
        parts: Vec<Inner>,
    }

    const POOL: &str = "pool_01h2xcejqtf2nbrexx3vqjhp41";

    #[test]
    fn each_misfit_is_pointed_at() {
        for (body, pointer, code) in [
            (r#"{"gpus":1,"parts":[]}"#, "/pool_id", "missing_field"),
            (r#"{"pool_id":"POOL","gpus":1,"parts":[],"x":1}"#, "/x", "unknown_field"),
            (r#"{"pool_id":"POOL","gpus":1,"parts":[],"a/b~":1}"#, "/a~1b~0", "unknown_field"),
            (r#"{"pool_id":"POOL","gpus":"1","parts":[]}"#, "/gpus", "wrong_type"),
            (r#"{"pool_id":"POOL","gpus":-1,"parts":[]}"#, "/gpus", "invalid"),
            (r#"{"pool_id":"POOL","gpus":1.5,"parts":[]}"#, "/gpus", "wrong_type"),
            (r#"{"pool_id":"POOL","gpus":99999999999,"parts":[]}"#, "/gpus", "invalid"),
            (r#"{"pool_id":"org_01h2xcejqtf2nbrexx3vqjhp41"}"#, "/pool_id", "wrong_id_kind"),
            (r#"{"pool_id":"pool_1"}"#, "/pool_id", "invalid_id"),
            (r#"{"pool_id":"POOL","sku":"Not A Code"}"#, "/sku", "invalid_code"),
            (r#"{"pool_id":"POOL","segment":"nobody"}"#, "/segment", "unknown_value"),
            (r#"{"pool_id":"POOL","gpus":1,"parts":{}}"#, "/parts", "wrong_type"),
            (r#"{"pool_id":"POOL","gpus":1,"gpus":2,"parts":[]}"#, "/gpus", "duplicate_field"),
            (
                r#"{"pool_id":"POOL","gpus":1,"parts":[{"at":"2027-02-01T00:00:00Z","price":2}]}"#,
                "/parts/0/price",
                "money_must_be_string",
            ),
            (
                r#"{"pool_id":"POOL","gpus":1,"parts":[{"at":"2027-02-01T00:00:01Z"}]}"#,
                "/parts/0/at",
                "not_a_whole_minute",
            ),
            ("[]", "", "wrong_type"),
            ("5", "", "wrong_type"),
            ("\"x\"", "", "wrong_type"),
        ] {
            let body = body.replace("POOL", POOL);
            let problem = read::<Outer>(body.as_bytes()).expect_err(&body);
            assert_eq!(problem.kind().status, 422, "{body}");
            let error = &problem.errors()[0];
            assert_eq!((error.pointer.as_str(), error.code.as_str()), (pointer, code), "{body}");
            assert!(!error.detail.contains(MARK) && !error.detail.contains("line 1"), "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_400() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let open = "{".repeat(3);
        for body in [b"".as_slice(), b"{", b"{]", b"nope", b"{\"x\":\"\xff\"}", b"{} {}", b"\xff"] {
            let problem = read::<Outer>(body).expect_err("not JSON");
            assert_eq!(problem.kind(), &kind::INVALID_JSON);
        }
        for body in [deep, open] {
            let problem = read::<Outer>(body.as_bytes()).expect_err("not JSON");
            assert_eq!(problem.kind(), &kind::INVALID_JSON);
        }
    }

    #[test]
    fn an_empty_object_is_no_body() {
        assert!(read::<Nothing>(b" {} ").is_ok());
        assert!(read::<Nothing>(b"{\"a\":1}").is_err());
    }
}
