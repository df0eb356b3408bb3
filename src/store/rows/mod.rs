//! Entities as rows and back: dull conversions, field by field, so that a new field is considered
//! here. What SQL reads, filters or checks has a column of its own; the rest of a thing is JSON
//! text. Knows entities and columns; knows no query and no rule.

pub mod billing;
pub mod capacity;
pub mod contract;
pub mod credit;
pub mod incident;
pub mod ledger;
pub mod party;
pub mod program;
pub mod record;
pub mod trading;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Fault;
use super::schema::Uid;
use crate::model::{Code, Country, Minute, Price, Window};

/// The database holds what this program does not write there.
pub fn corrupt(what: &str, found: impl std::fmt::Display) -> Fault {
    Fault::Corrupt(format!("{what}: {found}"))
}

pub fn json<T: Serialize + ?Sized>(thing: &T) -> String {
    serde_json::to_string(thing).expect("our values have string keys and no failing writer")
}

pub fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

/// A word of an enum, by the enum's own reader.
pub fn word<T>(what: &str, text: &str, read: fn(&str) -> Option<T>) -> Result<T, Fault> {
    read(text).ok_or_else(|| corrupt(what, format_args!("no such word: {text:?}")))
}

pub fn code(what: &str, text: &str) -> Result<Code, Fault> {
    text.parse().map_err(|error| corrupt(what, error))
}

pub fn country(what: &str, text: &str) -> Result<Country, Fault> {
    text.parse().map_err(|error| corrupt(what, error))
}

/// A number that is never negative, in a column.
pub fn number(natural: u64) -> i64 {
    i64::try_from(natural).expect("counters stay far below 2^63")
}

pub fn natural(what: &str, number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|error| corrupt(what, error))
}

pub fn count(what: &str, number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|error| corrupt(what, error))
}

pub fn price(what: &str, micros: i64) -> Result<Price, Fault> {
    Price::from_micros(micros).ok_or_else(|| corrupt(what, "a negative price"))
}

pub fn window(what: &str, start: i64, end: i64) -> Result<Window, Fault> {
    Window::new(Minute::new(start), Minute::new(end))
        .ok_or_else(|| corrupt(what, "a window that is empty or runs backwards"))
}

pub fn digest(what: &str, bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes.try_into().map_err(|_| corrupt(what, "not 32 bytes"))
}

pub fn uid(uuid: Uuid) -> Uid {
    Uid(uuid)
}

/// Turns a value inside out, for columns that may be NULL.
pub fn maybe<T, U>(
    value: Option<T>,
    read: impl FnOnce(T) -> Result<U, Fault>,
) -> Result<Option<U>, Fault> {
    value.map(read).transpose()
}

/// Rows into entities.
pub fn entities<R, T: TryFrom<R, Error = Fault>>(rows: Vec<R>) -> Result<Vec<T>, Fault> {
    rows.into_iter().map(T::try_from).collect()
}
