//! Money in micro-units and prices per GPU-hour. Checked arithmetic only; never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Gpus;

/// The market's one settlement currency.
pub const CURRENCY: &str = "USD";

/// Micro-units in one unit of the settlement currency.
pub const UNIT: i64 = 1_000_000;

/// An amount in micro-units (10^-6) of the market's one settlement currency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

/// A price in micro-units per GPU-hour. Never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Price(i64);

/// The exact worth of GPU time before rounding: micro-units times minutes over sixty,
/// kept as `price * gpus * minutes` so that sums of parts lose nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Worth(i128);

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("not a decimal number such as \"2.50\"")]
    Shape,
    #[error("more than six decimal places")]
    Precision,
    #[error("too large: the most is 9223372036854.775807")]
    Range,
}

impl Money {
    pub const ZERO: Money = Money(0);

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub fn checked_add(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).map(Money)
    }

    pub fn checked_sub(self, other: Money) -> Option<Money> {
        self.0.checked_sub(other.0).map(Money)
    }

    /// This amount as parts of another: `of(9_000, 10_000)` is nine tenths, floored.
    pub fn portion(self, basis_points: super::BasisPoints) -> Option<Money> {
        let exact = i128::from(self.0) * i128::from(basis_points);
        i64::try_from(exact.div_euclid(10_000)).ok().map(Money)
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl Price {
    /// A price; `None` when negative.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < 0 { None } else { Some(Self(micros)) }
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whether this price stands on the step `tick`.
    pub const fn is_on_tick(self, tick: Price) -> bool {
        tick.0 > 0 && self.0 % tick.0 == 0
    }

    /// The exact worth of `gpus` for `minutes` at this price. Cannot overflow.
    pub fn worth(self, gpus: Gpus, minutes: i64) -> Worth {
        Worth(i128::from(self.0) * i128::from(gpus) * i128::from(minutes))
    }

    /// The value of `gpus` for `minutes`, floored once. `None` on overflow.
    pub fn value(self, gpus: Gpus, minutes: i64) -> Option<Money> {
        self.worth(gpus, minutes).floor()
    }
}

impl Worth {
    pub const ZERO: Worth = Worth(0);

    /// The sum. A worth is at most 2^63 * 2^32 * 2^32 and sums of at most 2^16 parts are made of
    /// it.
    pub fn plus(self, other: Worth) -> Worth {
        Worth(self.0.checked_add(other.0).expect("a worth stays far below 2^127"))
    }

    pub fn minus(self, other: Worth) -> Worth {
        Worth(self.0.checked_sub(other.0).expect("a worth stays far above -2^127"))
    }

    /// The worth that an amount of money is, exactly.
    pub fn of(money: Money) -> Worth {
        Worth(i128::from(money.0) * 60)
    }

    /// So much for each of `minutes`.
    pub fn over(self, minutes: i64) -> Worth {
        Worth(self.0.checked_mul(i128::from(minutes)).expect("a worth stays far below 2^127"))
    }

    /// The value in money, floored once. `None` when it does not fit.
    pub fn floor(self) -> Option<Money> {
        i64::try_from(self.0.div_euclid(60)).ok().map(Money)
    }

    /// The average price for `gpus` over `minutes`, rounded up to the next micro-unit, so that a
    /// limit at the shown price would have been enough. `None` when it does not fit or nothing is
    /// asked.
    pub fn average(self, gpus: Gpus, minutes: i64) -> Option<Price> {
        let size = i128::from(gpus) * i128::from(minutes);
        if size <= 0 {
            return None;
        }
        let rounded_up = -(-self.0).div_euclid(size);
        i64::try_from(rounded_up).ok().and_then(Price::from_micros)
    }

    /// A worth by its bare number.
    pub const fn from_exact(exact: i128) -> Worth {
        Worth(exact)
    }

    /// The bare number: micro-units times minutes.
    pub const fn exact(self) -> i128 {
        self.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(out, self.0)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(out, self.0)
    }
}

impl FromStr for Money {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        read_decimal(text).map(Money)
    }
}

impl FromStr for Price {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let micros = read_decimal(text)?;
        Price::from_micros(micros).ok_or(AmountError::Shape)
    }
}

/// At least two decimals, at most six, no trailing zeros beyond the second.
fn write_decimal(out: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    let sign = if micros < 0 { "-" } else { "" };
    let size = micros.unsigned_abs();
    let (whole, mut rest) = (size / UNIT.unsigned_abs(), size % UNIT.unsigned_abs());
    let mut digits = 6;
    while digits > 2 && rest.is_multiple_of(10) {
        rest /= 10;
        digits -= 1;
    }
    write!(out, "{sign}{whole}.{rest:0digits$}")
}

fn read_decimal(text: &str) -> Result<i64, AmountError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let ends_in_point = digits.ends_with('.');
    if whole.is_empty() || ends_in_point || !is_number(whole) || !is_number(rest) {
        return Err(AmountError::Shape);
    }
    if rest.len() > 6 {
        return Err(AmountError::Precision);
    }
    let whole: i64 = whole.parse().map_err(|_| AmountError::Range)?;
    let rest: i64 = format!("{rest:0<6}").parse().map_err(|_| AmountError::Shape)?;
    let size = whole
        .checked_mul(UNIT)
        .and_then(|size| size.checked_add(rest))
        .ok_or(AmountError::Range)?;
    Ok(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back_as_they_were_written() {
        for text in ["0.00", "2.50", "115200.00", "0.000001", "-12.345", "9223372036854.775807"] {
            assert_eq!(text.parse::<Money>().map(|money| money.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("3".parse(), Ok(Money::from_micros(3_000_000)));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "1e3", "+1", " 1", "1 ", "--1", "1.2.3", "NaN", "１"] {
            assert_eq!(text.parse::<Money>(), Err(AmountError::Shape), "{text:?}");
        }
        assert_eq!("1.0000001".parse::<Money>(), Err(AmountError::Precision));
        assert_eq!("9223372036854.775808".parse::<Money>(), Err(AmountError::Range));
        assert_eq!("99999999999999999999".parse::<Money>(), Err(AmountError::Range));
        assert_eq!("-2.50".parse::<Price>(), Err(AmountError::Shape));
    }

    #[test]
    fn a_value_is_floored_once_on_the_whole() {
        let price: Price = "2.50".parse().expect("a price");
        assert_eq!(price.value(64, 720 * 60), "115200".parse().ok());
        let odd = Price::from_micros(1).expect("a price");
        assert_eq!(odd.value(1, 59), Some(Money::ZERO));
        let halves = odd.worth(1, 30).plus(odd.worth(1, 30));
        assert_eq!(halves.floor(), Some(Money::from_micros(1)));
    }

    #[test]
    fn an_average_is_a_limit_that_would_have_filled() {
        let worth = Price(10).worth(2, 30).plus(Price(11).worth(1, 30));
        let average = worth.average(3, 30).expect("an average");
        assert_eq!(average, Price(11));
        assert!(worth <= average.worth(3, 30));
    }
}
