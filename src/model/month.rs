//! Calendar months in UTC: what is billed, stated and closed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time::{Micros, Minute, Window};

/// A calendar month in UTC, counted from January of year 0. Written `2027-02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Month(i32);

/// The text is not a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a month such as \"2027-02\"")]
pub struct MonthError;

impl Month {
    /// Wears a count of months since January of year 0, as the database keeps it; `None` outside
    /// the calendar's years 1 to 9998.
    pub const fn new(count: i32) -> Option<Self> {
        if 12 <= count && count < 9_999 * 12 { Some(Self(count)) } else { None }
    }

    pub const fn count(self) -> i32 {
        self.0
    }

    /// The month that holds an instant of the market's time.
    pub fn of(instant: Minute) -> Self {
        let instant = jiff::Timestamp::from_microsecond(instant.micros().count())
            .expect("the market's times are within the calendar");
        let date = jiff::tz::TimeZone::UTC.to_datetime(instant).date();
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// From its first minute to the first of the next month.
    pub fn window(self) -> Window {
        Window::new(self.start(), self.next().start()).expect("a month lasts")
    }

    pub fn start(self) -> Minute {
        let year = i16::try_from(self.0.div_euclid(12)).expect("years are within the calendar");
        let month = i8::try_from(self.0.rem_euclid(12) + 1).expect("one of twelve");
        let first = jiff::civil::date(year, month, 1).at(0, 0, 0, 0);
        let first = jiff::tz::TimeZone::UTC.to_timestamp(first).expect("within the calendar");
        Micros::new(first.as_microsecond()).minute()
    }

    pub fn end(self) -> Minute {
        self.next().start()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl FromStr for Month {
    type Err = MonthError;
    fn from_str(text: &str) -> Result<Self, MonthError> {
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !is_number(year) || !is_number(month) {
            return Err(MonthError);
        }
        let year: i32 = year.parse().map_err(|_| MonthError)?;
        let month: i32 = month.parse().map_err(|_| MonthError)?;
        if !(1..=12).contains(&month) {
            return Err(MonthError);
        }
        Self::new(year * 12 + month - 1).ok_or(MonthError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_reads_back_and_knows_its_ends() {
        let month: Month = "2028-02".parse().expect("a month");
        assert_eq!(month.to_string(), "2028-02");
        assert_eq!(month.start().to_string(), "2028-02-01T00:00:00Z");
        assert_eq!(month.end().to_string(), "2028-03-01T00:00:00Z");
        assert_eq!(Month::of(month.start()), month);
        assert_eq!(Month::of(month.end().plus(-1)), month);
        assert_eq!(Month::of(month.end()), month.next());
        assert_eq!(Month::new(month.count()), Some(month));
        for wrong in ["2027-13", "2027-00", "27-01", "2027-1", "2027", "0000-01", "2027-0a"] {
            assert_eq!(wrong.parse::<Month>(), Err(MonthError), "{wrong}");
        }
    }
}
