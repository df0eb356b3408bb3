//! Money as the API spells it: decimal strings, never JSON numbers. Knows spelling, no arithmetic.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::json::fault;
pub use crate::model::money::CURRENCY;
use crate::model::{Money, Price};

/// The shape of a decimal as text.
const DECIMAL: &str = r"^[0-9]{1,13}(\.[0-9]{1,6})?$";

/// An amount: `{"amount": "115200.00", "currency": "USD"}`. Read from a bare string too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub Money);

/// A price per GPU-hour: `"2.50"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceText(pub Price);

/// An amount as a value, for members of problems.
pub fn money(amount: Money) -> Value {
    json!({ "amount": amount.to_string(), "currency": CURRENCY })
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut object = out.serialize_struct("Amount", 2)?;
        object.serialize_field("amount", &Spelled(self.0))?;
        object.serialize_field("currency", CURRENCY)?;
        object.end()
    }
}

impl Serialize for PriceText {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

/// Anything written by its `Display`.
struct Spelled<T>(T);

impl<T: fmt::Display> Serialize for Spelled<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

/// Numbers are refused by name: a float has already lost the cents.
fn number<E: de::Error>() -> E {
    fault("money_must_be_string", "money is a decimal string such as \"2.50\", not a JSON number")
}

struct PriceVisitor;

impl Visitor<'_> for PriceVisitor {
    type Value = PriceText;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a decimal string such as \"2.50\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PriceText, E> {
        text.parse().map(PriceText).map_err(|wrong| fault("invalid_amount", wrong))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<PriceText, E> {
        Err(number())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<PriceText, E> {
        Err(number())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<PriceText, E> {
        Err(number())
    }
}

impl<'de> Deserialize<'de> for PriceText {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(PriceVisitor)
    }
}

struct AmountVisitor;

impl<'de> Visitor<'de> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object such as {\"amount\": \"2.50\", \"currency\": \"USD\"}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map(Amount).map_err(|wrong| fault("invalid_amount", wrong))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Amount, E> {
        Err(number())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Amount, E> {
        Err(number())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Amount, E> {
        Err(number())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Amount, A::Error> {
        const FIELDS: &[&str] = &["amount", "currency"];
        let (mut amount, mut currency) = (None, None::<String>);
        while let Some(name) = object.next_key::<String>()? {
            match name.as_str() {
                "amount" if amount.is_none() => amount = Some(object.next_value::<BareAmount>()?.0),
                "currency" if currency.is_none() => currency = Some(object.next_value()?),
                "amount" => return Err(de::Error::duplicate_field("amount")),
                "currency" => return Err(de::Error::duplicate_field("currency")),
                other => return Err(de::Error::unknown_field(other, FIELDS)),
            }
        }
        let currency = currency.ok_or_else(|| de::Error::missing_field("currency"))?;
        if currency != CURRENCY {
            return Err(fault("wrong_currency", format!("this market settles in {CURRENCY}")));
        }
        amount.map(Amount).ok_or_else(|| de::Error::missing_field("amount"))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AmountVisitor)
    }
}

/// The `amount` member alone.
struct BareAmount(Money);

impl<'de> Deserialize<'de> for BareAmount {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let PriceText(positive) = PriceText::deserialize(input)?;
        Ok(Self(Money::from_micros(positive.micros())))
    }
}

fn decimal(description: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(DECIMAL))
        .description(Some(description))
        .examples([Value::String(example.to_owned())])
}

impl PartialSchema for PriceText {
    fn schema() -> RefOr<Schema> {
        decimal("Settlement currency per GPU-hour, as a decimal string.", "2.50").into()
    }
}

impl ToSchema for PriceText {
    fn name() -> std::borrow::Cow<'static, str> {
        "Price".into()
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let signed = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^-?[0-9]{1,13}(\.[0-9]{1,6})?$"));
        let currency = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([CURRENCY]));
        ObjectBuilder::new()
            .property("amount", signed)
            .property("currency", currency)
            .required("amount")
            .required("currency")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .description(Some("An amount of money."))
            .examples([json!({ "amount": "115200.00", "currency": CURRENCY })])
            .into()
    }
}

impl ToSchema for Amount {
    fn name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }
}

/// An amount in a body: the object, or its decimal string alone.
pub fn amount_body() -> Schema {
    let object = ObjectBuilder::new()
        .property("amount", decimal("A decimal string.", "250000.00"))
        .property(
            "currency",
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some([CURRENCY])),
        )
        .required("amount")
        .required("currency")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    OneOfBuilder::new()
        .item(object)
        .item(decimal("The amount alone, in the settlement currency.", "250000.00"))
        .examples([json!({ "amount": "250000.00", "currency": CURRENCY })])
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_text() {
        let read = |text: &str| serde_json::from_str::<Amount>(text).map_err(|no| no.to_string());
        let amount = Amount(Money::from_micros(2_500_000));
        assert_eq!(read(r#""2.50""#), Ok(amount));
        assert_eq!(read(r#"{"amount":"2.5","currency":"USD"}"#), Ok(amount));
        let written = serde_json::to_string(&amount).expect("JSON");
        assert_eq!(written, r#"{"amount":"2.50","currency":"USD"}"#);
        for (text, code) in [
            ("2.5", "money_must_be_string"),
            ("2", "money_must_be_string"),
            (r#"{"amount":2,"currency":"USD"}"#, "money_must_be_string"),
            (r#"{"amount":"2","currency":"EUR"}"#, "wrong_currency"),
            (r#"{"amount":"2"}"#, "missing field"),
            (r#"{"amount":"2","currency":"USD","cents":1}"#, "unknown field"),
            (r#""2.5000000""#, "invalid_amount"),
            (r#""1e3""#, "invalid_amount"),
            ("null", "invalid type"),
        ] {
            let no = read(text).expect_err(text);
            assert!(no.contains(code), "{text} gave {no}");
        }
    }

    #[test]
    fn a_price_is_text_and_not_negative() {
        let read = |text: &str| serde_json::from_str::<PriceText>(text).map_err(|_| ());
        assert_eq!(read(r#""2.50""#).map(|price| price.0.micros()), Ok(2_500_000));
        for text in ["2.50", "-1", r#""-1""#, r#""""#, r#"" 1""#, "[]", "{}", "true"] {
            assert_eq!(read(text), Err(()), "{text}");
        }
    }
}
