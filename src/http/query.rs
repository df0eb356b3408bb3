//! What the address says: path parts and query parameters, strict. Knows no resource.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::json::code_of;
use super::kind;
use super::problem::Problem;

/// The query. Unknown parameters are a 400.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// The one variable part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// No query parameters at all.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// Ask what would happen, and let nothing happen.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// `true`: run every check, answer with 200 what would be, change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl<T> Deref for Query<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Query))
    }
}

/// Reads a query string.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    match actix_web::web::Query::<T>::from_query(text) {
        Ok(query) => Ok(query.into_inner()),
        Err(wrong) => {
            let message = wrong.to_string();
            let message = message.strip_prefix("Query deserialize error: ").unwrap_or(&message);
            Err(misfit(message))
        }
    }
}

fn misfit(message: &str) -> Problem {
    // Faults of our own types carry their code before a separator.
    if let Some((code, detail)) = message.split_once('\u{1f}') {
        return Problem::new(&kind::INVALID_QUERY, format!("{detail}.")).error("", code, detail);
    }
    let code = code_of(message);
    if matches!(code, "wrong_id_kind" | "invalid_id") {
        return Problem::field("", code, format!("In the query: {message}."));
    }
    let name = message.split('`').nth(1).filter(|_| code.ends_with("_field")).unwrap_or("");
    Problem::new(&kind::INVALID_QUERY, format!("In the query: {message}.")).error(
        name.to_owned(),
        if code == "unknown_field" { "unknown_parameter" } else { code },
        message.to_owned(),
    )
}

impl<T: FromStr<Err: Display>> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (_, text) = request.match_info().iter().next().unwrap_or(("", ""));
        ready(part("id", text).map(Path))
    }
}

/// Reads one part of the path.
pub fn part<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|wrong: T::Err| {
        let message = wrong.to_string();
        Problem::field(name, code_of(&message), format!("In the address: {message}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_strict() {
        assert!(read::<DryRun>("").is_ok_and(|query| !query.dry_run));
        assert!(read::<DryRun>("dry_run=true").is_ok_and(|query| query.dry_run));
        for (text, code) in [
            ("dry_run=yes", "invalid"),
            ("dryrun=true", "unknown_parameter"),
            ("dry_run=true&dry_run=true", "duplicate_field"),
        ] {
            let problem = read::<DryRun>(text).expect_err(text);
            assert_eq!(problem.kind().status, 400, "{text}");
            assert_eq!(problem.errors()[0].code, code, "{text}");
        }
    }

    #[test]
    fn an_id_of_the_wrong_kind_is_422() {
        let problem = part::<crate::model::id::OrderId>("id", "org_01h2xcejqtf2nbrexx3vqjhp41");
        let problem = problem.expect_err("another kind");
        assert_eq!(problem.kind().status, 422);
        assert!(problem.detail().contains("`ord_`"));
    }
}
