//! Times as the API spells them: RFC 3339, read with any offset, written in UTC. Knows no clock.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::json::fault;
use crate::engine::order::Start;
use crate::model::month::MonthError;
use crate::model::{Micros, Minute, Month, limits};

/// An instant on a whole minute: `2027-02-01T00:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Minute);

/// An instant to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Micros);

/// A calendar month in UTC: `2027-02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthText(pub Month);

/// Why a text is not a time of the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("not an RFC 3339 time with an offset such as \"2027-02-01T00:00:00Z\"")]
    Shape,
    #[error("not a whole minute")]
    Seconds,
    #[error("before the year 2000 or after 2199")]
    Range,
}

impl TimeError {
    /// What is wrong, for programs.
    const fn code(self) -> &'static str {
        match self {
            TimeError::Shape => "invalid_time",
            TimeError::Seconds => "not_a_whole_minute",
            TimeError::Range => "time_out_of_range",
        }
    }
}

impl FromStr for Instant {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        // RFC 3339 has a `T` or a space, seconds, and an offset; longer forms of ISO 8601 are not
        // it.
        let bytes = text.as_bytes();
        let shaped = bytes.len() >= 20
            && bytes.len() <= 40
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && matches!(bytes[10], b'T' | b't')
            && bytes[13] == b':'
            && bytes[16] == b':'
            && !text.contains('[');
        if !shaped {
            return Err(TimeError::Shape);
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| TimeError::Shape)?;
        let micros = Micros::new(instant.as_microsecond());
        let minutes = limits::MINUTE_MIN..limits::MINUTE_MAX;
        if minutes.contains(&micros.minute().count()) {
            Ok(Self(micros))
        } else {
            Err(TimeError::Range)
        }
    }
}

impl FromStr for Moment {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let Instant(micros) = text.parse()?;
        let minute = micros.minute();
        if minute.micros() == micros { Ok(Self(minute)) } else { Err(TimeError::Seconds) }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(|wrong: TimeError| fault(wrong.code(), wrong))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(|wrong: TimeError| fault(wrong.code(), wrong))
    }
}

impl FromStr for MonthText {
    type Err = MonthError;
    fn from_str(text: &str) -> Result<Self, MonthError> {
        let month: Month = text.parse()?;
        // The ends of the calendar are nobody's months, and their instants do not fit.
        let minutes = limits::MINUTE_MIN..limits::MINUTE_MAX;
        if minutes.contains(&month.start().count()) { Ok(Self(month)) } else { Err(MonthError) }
    }
}

impl Serialize for MonthText {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MonthText {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(|wrong: MonthError| fault("invalid", wrong))
    }
}

/// When a block may start: `"now"`, an instant, or `{"earliest": ..., "latest": ...}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartAt(pub Start);

impl Serialize for StartAt {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Range {
            earliest: Moment,
            latest: Moment,
        }
        match self.0 {
            Start::Now => out.serialize_str("now"),
            Start::At(minute) => Moment(minute).serialize(out),
            Start::Between { earliest, latest } => {
                Range { earliest: Moment(earliest), latest: Moment(latest) }.serialize(out)
            }
        }
    }
}

struct StartVisitor;

impl<'de> Visitor<'de> for StartVisitor {
    type Value = StartAt;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"now\", an RFC 3339 time, or an object with earliest and latest")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<StartAt, E> {
        if text == "now" {
            return Ok(StartAt(Start::Now));
        }
        let at: Result<Moment, TimeError> = text.parse();
        at.map(|at| StartAt(Start::At(at.0))).map_err(|wrong| fault(wrong.code(), wrong))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<StartAt, A::Error> {
        const FIELDS: &[&str] = &["earliest", "latest"];
        let (mut earliest, mut latest) = (None, None);
        while let Some(name) = object.next_key::<String>()? {
            let place = match name.as_str() {
                "earliest" => &mut earliest,
                "latest" => &mut latest,
                other => return Err(de::Error::unknown_field(other, FIELDS)),
            };
            if place.replace(object.next_value::<Moment>()?.0).is_some() {
                return Err(de::Error::custom("duplicate field in a range"));
            }
        }
        let earliest = earliest.ok_or_else(|| de::Error::missing_field("earliest"))?;
        let latest = latest.ok_or_else(|| de::Error::missing_field("latest"))?;
        if earliest > latest {
            return Err(fault("empty_window", "earliest lies after latest"));
        }
        Ok(StartAt(Start::Between { earliest, latest }))
    }
}

impl<'de> Deserialize<'de> for StartAt {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(StartVisitor)
    }
}

fn date_time(description: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some(description))
        .examples([Value::String(example.to_owned())])
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        date_time("RFC 3339, on a whole minute; answered in UTC.", "2027-02-01T00:00:00Z").into()
    }
}

impl ToSchema for Moment {}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        date_time("RFC 3339; answered in UTC.", "2026-07-01T12:00:00.123456Z").into()
    }
}

impl ToSchema for Instant {}

impl PartialSchema for StartAt {
    fn schema() -> RefOr<Schema> {
        let now = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["now"]))
            .description(Some("The next slot boundary; the answer says which."));
        let range = ObjectBuilder::new()
            .property("earliest", Moment::schema())
            .property("latest", Moment::schema())
            .required("earliest")
            .required("latest")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let example = json!({
            "earliest": "2027-02-01T00:00:00Z", "latest": "2027-02-08T00:00:00Z",
        });
        OneOfBuilder::new()
            .item(now)
            .item(Moment::schema())
            .item(range)
            .description(Some("When the block may start."))
            .examples([example])
            .into()
    }
}

impl ToSchema for StartAt {}

impl PartialSchema for MonthText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^2[01][0-9]{2}-(0[1-9]|1[0-2])$"))
            .description(Some("A calendar month in UTC."))
            .examples([Value::String("2027-02".to_owned())])
            .into()
    }
}

impl ToSchema for MonthText {
    fn name() -> std::borrow::Cow<'static, str> {
        "Month".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_utc() {
        for (text, written) in [
            ("2027-02-01T00:00:00Z", "2027-02-01T00:00:00Z"),
            ("2027-02-01T08:00:00+08:00", "2027-02-01T00:00:00Z"),
            ("2027-01-31T19:00:00-05:00", "2027-02-01T00:00:00Z"),
            ("2027-02-01T00:00:00.000Z", "2027-02-01T00:00:00Z"),
        ] {
            let moment: Moment = text.parse().expect(text);
            assert_eq!(moment.0.to_string(), written);
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for (text, fault) in [
            ("", TimeError::Shape),
            ("2027-02-01", TimeError::Shape),
            ("2027-02-01T00:00Z", TimeError::Shape),
            ("2027-02-01T00:00:00", TimeError::Shape),
            ("2027-02-30T00:00:00Z", TimeError::Shape),
            ("2027-02-01T25:00:00Z", TimeError::Shape),
            ("2027-02-01T00:00:00Z[UTC]", TimeError::Shape),
            ("tomorrow", TimeError::Shape),
            ("1801843200", TimeError::Shape),
            ("２０２７-02-01T00:00:00Z", TimeError::Shape),
            ("2027-02-01T00:00:30Z", TimeError::Seconds),
            ("2027-02-01T00:00:00.000001Z", TimeError::Seconds),
            ("1999-12-31T23:59:00Z", TimeError::Range),
            ("2200-01-01T00:00:00Z", TimeError::Range),
        ] {
            assert_eq!(text.parse::<Moment>(), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_month_is_a_year_and_a_number_within_the_market() {
        let month: MonthText = "2027-02".parse().expect("a month");
        assert_eq!(serde_json::to_string(&month).expect("JSON"), r#""2027-02""#);
        for text in ["1999-12", "2200-01", "9998-12", "0001-01", "2027-13", "2027-2", "", "2027"] {
            assert_eq!(text.parse::<MonthText>(), Err(MonthError), "{text}");
        }
    }

    #[test]
    fn a_start_is_now_an_instant_or_a_range() {
        let read = |text: &str| serde_json::from_str::<StartAt>(text).map_err(|_| ());
        assert_eq!(read(r#""now""#), Ok(StartAt(Start::Now)));
        assert!(matches!(read(r#""2027-02-01T00:00:00Z""#), Ok(StartAt(Start::At(_)))));
        let range = r#"{"earliest":"2027-02-01T00:00:00Z","latest":"2027-02-08T00:00:00Z"}"#;
        let start = read(range).expect("a range");
        assert_eq!(serde_json::to_string(&start).expect("JSON"), range);
        for text in [
            "5",
            "null",
            "[]",
            r#""later""#,
            r#"{"earliest":"2027-02-01T00:00:00Z"}"#,
            r#"{"earliest":"2027-02-02T00:00:00Z","latest":"2027-02-01T00:00:00Z"}"#,
            r#"{"earliest":"2027-02-01T00:00:00Z","latest":"2027-02-02T00:00:00Z","x":1}"#,
        ] {
            assert_eq!(read(text), Err(()), "{text}");
        }
    }
}
