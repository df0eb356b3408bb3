//! `ETag` and `If-Match`: strong validators made of an object's version.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use utoipa::IntoParams;

use super::kind;
use super::problem::Problem;

/// The version that the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub u32);

/// The header, for the API reference.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the header")]
pub struct IfMatchHeader {
    /// The `ETag` of the object as you read it.
    #[param(rename = "If-Match", pattern = "^\"[0-9]{1,9}\"$", example = "\"3\"")]
    version: String,
}

/// The `ETag` of a version.
pub fn etag(version: u32) -> String {
    format!("\"{version}\"")
}

fn read(text: &str) -> Option<u32> {
    let digits = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all(header::IF_MATCH);
        let version = match (values.next(), values.next()) {
            (None, _) => {
                let kind = &kind::VERSION_REQUIRED;
                Err(Problem::new(kind, kind.meaning).error("if-match", "missing", kind.remedy))
            }
            (Some(value), None) => value.to_str().ok().and_then(read).ok_or_else(not_ours),
            (Some(_), Some(_)) => Err(not_ours()),
        };
        ready(version.map(IfMatch))
    }
}

/// A tag we did not make matches nothing: `*`, weak tags and lists too, since one version is meant.
fn not_ours() -> Problem {
    let detail = "If-Match is one strong ETag of this object, such as \"3\" in its quotes.";
    Problem::new(&kind::VERSION_MISMATCH, detail).error("if-match", "invalid", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_one_strong_tag_matches() {
        let read = |text: Option<&str>| {
            let mut request = TestRequest::post();
            if let Some(text) = text {
                request = request.append_header((header::IF_MATCH, text));
            }
            let version = IfMatch::from_request(&request.to_http_request(), &mut Payload::None);
            version.into_inner().map_err(|no| no.kind().status)
        };
        assert_eq!(read(Some(&etag(3))), Ok(IfMatch(3)));
        assert_eq!(read(None), Err(428));
        for text in ["*", "3", "W/\"3\"", "\"3\", \"4\"", "\"\"", "\"-1\"", "\"99999999999\""] {
            assert_eq!(read(Some(text)), Err(412), "{text}");
        }
    }
}
