//! Time as values: whole minutes for the market, microseconds for the record, half-open windows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whole UTC minutes since 1970-01-01T00:00Z: the market's grain. Four bytes, since a contract has
/// dozens of them and a million contracts are in memory; they reach the year 6053, far beyond the
/// market's limits, and what lies outside is taken for the first or the last of them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Minute(i32);

/// UTC microseconds since 1970-01-01T00:00Z: when something was recorded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(i64);

/// Microseconds in one minute.
const MICROS_PER_MINUTE: i64 = 60_000_000;

impl Minute {
    #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds by then")]
    pub const fn new(minutes: i64) -> Self {
        if minutes < i32::MIN as i64 {
            Self(i32::MIN)
        } else if minutes > i32::MAX as i64 {
            Self(i32::MAX)
        } else {
            Self(minutes as i32)
        }
    }

    pub const fn count(self) -> i64 {
        self.0 as i64
    }

    /// This instant moved by `minutes`. Times in the market stay within limits far from overflow.
    pub const fn plus(self, minutes: i64) -> Self {
        Self::new(self.count().saturating_add(minutes))
    }

    /// This instant so many calendar months later, on the last day of the month where the day is
    /// missing. `None` beyond the calendar's end.
    pub fn plus_months(self, months: u32) -> Option<Self> {
        let instant = jiff::Timestamp::from_microsecond(self.micros().0).ok()?;
        let later = jiff::tz::TimeZone::UTC
            .to_datetime(instant)
            .checked_add(jiff::Span::new().try_months(months).ok()?)
            .ok()?;
        let later = jiff::tz::TimeZone::UTC.to_timestamp(later).ok()?;
        Some(Micros(later.as_microsecond()).minute())
    }

    /// Minutes from `earlier` to this instant; negative when it lies before.
    pub const fn since(self, earlier: Minute) -> i64 {
        self.count() - earlier.count()
    }

    /// Whether this instant is a boundary of slots of `slot_minutes`.
    pub const fn is_aligned(self, slot_minutes: u32) -> bool {
        self.count().rem_euclid(slot_minutes as i64) == 0
    }

    /// The last slot boundary at or before this instant.
    pub const fn floor_to(self, slot_minutes: u32) -> Self {
        self.plus(-self.count().rem_euclid(slot_minutes as i64))
    }

    /// The first slot boundary at or after this instant.
    pub const fn ceil_to(self, slot_minutes: u32) -> Self {
        let floor = self.floor_to(slot_minutes);
        if floor.0 == self.0 { floor } else { floor.plus(slot_minutes as i64) }
    }

    pub const fn micros(self) -> Micros {
        Micros(self.count() * MICROS_PER_MINUTE)
    }
}

impl Micros {
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn count(self) -> i64 {
        self.0
    }

    /// The minute that has begun at this instant.
    pub const fn minute(self) -> Minute {
        Minute::new(self.0.div_euclid(MICROS_PER_MINUTE))
    }

    pub const fn plus_secs(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

/// RFC 3339 in UTC, to the second for whole minutes: `2027-02-01T00:00:00Z`.
impl fmt::Display for Minute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.micros().fmt(out)
    }
}

/// RFC 3339 in UTC, with as many decimals as it takes.
impl fmt::Display for Micros {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => instant.fmt(out),
            Err(_) => write!(out, "{}us", self.0),
        }
    }
}

/// A half-open range of time `[start, end)` that is never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    start: Minute,
    end: Minute,
}

impl Window {
    /// A window; `None` when it would be empty or run backwards.
    pub const fn new(start: Minute, end: Minute) -> Option<Self> {
        if start.0 < end.0 { Some(Self { start, end }) } else { None }
    }

    /// The window of `minutes` from `start`; `None` when `minutes` is not positive.
    pub const fn lasting(start: Minute, minutes: i64) -> Option<Self> {
        Self::new(start, start.plus(minutes))
    }

    pub const fn start(self) -> Minute {
        self.start
    }

    pub const fn end(self) -> Minute {
        self.end
    }

    pub const fn minutes(self) -> i64 {
        self.end.since(self.start)
    }

    pub const fn contains(self, other: Window) -> bool {
        self.start.0 <= other.start.0 && other.end.0 <= self.end.0
    }

    pub const fn holds(self, instant: Minute) -> bool {
        self.start.0 <= instant.0 && instant.0 < self.end.0
    }

    /// The time both windows share, if any.
    pub fn overlap(self, other: Window) -> Option<Window> {
        Window::new(self.start.max(other.start), self.end.min(other.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_round_down_and_up() {
        assert_eq!(Minute(61).floor_to(60), Minute(60));
        assert_eq!(Minute(61).ceil_to(60), Minute(120));
        assert_eq!(Minute(120).ceil_to(60), Minute(120));
        assert_eq!(Minute(-1).floor_to(60), Minute(-60));
    }

    #[test]
    fn what_lies_outside_is_the_first_or_the_last() {
        let (first, last) = (Minute::new(i64::MIN), Minute::new(i64::MAX));
        assert!(first < Minute(0) && Minute(0) < last);
        assert_eq!(last.plus(1), last);
        assert_eq!(first.plus(i64::MIN), first);
        assert_eq!(Micros::new(i64::MAX).minute(), last);
        assert_eq!(last.since(first), i64::from(u32::MAX));
        assert_eq!(last.micros().minute(), last);
        assert_eq!(last.to_string(), "6053-01-23T02:07:00Z");
    }

    #[test]
    fn months_are_the_calendars() {
        let from =
            |text: &str| Micros(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond());
        for (start, months, end) in [
            ("2027-01-15T08:00:00Z", 12, "2028-01-15T08:00:00Z"),
            ("2027-01-31T23:59:00Z", 1, "2027-02-28T23:59:00Z"),
            ("2028-01-31T00:00:00Z", 1, "2028-02-29T00:00:00Z"),
            ("2027-11-30T00:00:00Z", 120, "2037-11-30T00:00:00Z"),
        ] {
            let later = from(start).minute().plus_months(months);
            assert_eq!(later, Some(from(end).minute()), "{start} + {months}");
        }
        assert_eq!(Minute(i32::MAX).plus_months(12 * 5_000), None);
    }

    #[test]
    fn a_window_is_never_empty() {
        assert_eq!(Window::new(Minute(5), Minute(5)), None);
        assert_eq!(Window::lasting(Minute(5), 0), None);
        let window = Window::lasting(Minute(0), 60).expect("an hour");
        assert!(window.holds(Minute(0)) && !window.holds(Minute(60)));
    }

    #[test]
    fn times_print_as_rfc_3339() {
        assert_eq!(Minute(30_000_000).to_string(), "2027-01-15T08:00:00Z");
        assert_eq!(Micros(1_500_000).to_string(), "1970-01-01T00:00:01.5Z");
    }
}
