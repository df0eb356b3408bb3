//! The demo's days: when its market opened, when the first order came, until when capacity is
//! offered.
//!
//! Knows dates and arithmetic. Reads no clock: "now" is given once, and everything follows from it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::model::{Minute, Window};

pub const HOUR: i64 = 60;
pub const DAY: i64 = 24 * HOUR;

/// The trace's last submission (minute 156,672) and a while before "now".
const TRACE_SPAN: i64 = 156_672 + 30;

/// Everyone orders so much earlier than the trace's own submission leads to, so that most blocks
/// lie ahead and a few have begun or ended: a market in the middle of its life.
pub const HEAD_START: i64 = 45 * DAY;

/// The longest lead of an order, counted from its head start: with it, blocks begin until fifteen
/// months from now.
pub const LEAD_MAX: i64 = 410 * DAY;

/// Capacity is offered so far beyond now at least: past the end of the last block.
const OFFERED_AHEAD: i64 = 520 * DAY;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// The market is founded and set up.
    pub opens: Minute,
    /// The first job of the trace is ordered.
    pub first_order: Minute,
    pub now: Minute,
    /// The first instant at which nothing is offered: the begin of a month.
    pub ends: Minute,
}

/// When a phase of a factory is delivered.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// It is there when the market opens.
    Opening,
    /// So many days after now.
    InDays(i64),
    /// Year, month and day: a published date.
    On(i16, i8, i8),
}

impl Calendar {
    /// The calendar of a demo that is started at `now`.
    pub fn until(now: Minute) -> Self {
        let first_order = now.plus(-TRACE_SPAN).floor_to(60);
        let opens = first_order.plus(-2 * DAY);
        Self { opens, first_order, now, ends: next_month(now.plus(OFFERED_AHEAD)) }
    }

    /// The first slot of the day that `when` means, not before the market opens.
    pub fn day(&self, when: When) -> Minute {
        let instant = match when {
            When::Opening => self.opens,
            When::InDays(days) => self.now.plus(days * DAY),
            When::On(year, month, day) => {
                minute(&Date::new(year, month, day).expect("a date of the reference data"))
            }
        };
        instant.floor_to(24 * 60).max(self.opens.ceil_to(24 * 60))
    }

    /// The months that have a part of `window`, each with its name.
    pub fn months(window: Window) -> Vec<(String, Window)> {
        let mut months = Vec::new();
        let mut start = month(window.start());
        while start < window.end() {
            let end = next_month(start);
            let name = zoned(start).strftime("%Y-%m").to_string();
            months.extend(Window::new(start, end).map(|span| (name, span)));
            start = end;
        }
        months
    }
}

/// The begin of the month that holds `instant`.
fn month(instant: Minute) -> Minute {
    minute(&zoned(instant).date().first_of_month())
}

/// The begin of the month after the one that holds `instant`.
fn next_month(instant: Minute) -> Minute {
    let first = zoned(instant).date().first_of_month();
    minute(&first.checked_add(1.month()).expect("the demo does not reach the calendar's end"))
}

fn zoned(instant: Minute) -> Zoned {
    let at = Timestamp::from_microsecond(instant.micros().count());
    at.expect("the demo's times are within the calendar").to_zoned(TimeZone::UTC)
}

fn minute(date: &Date) -> Minute {
    let midnight = date.to_zoned(TimeZone::UTC).expect("every day of UTC has a midnight");
    Minute::new(midnight.timestamp().as_second().div_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T01:30:00Z.
    const NOW: Minute = Minute::new(29_923_290);

    #[test]
    fn everything_follows_from_now() {
        let calendar = Calendar::until(NOW);
        assert_eq!(calendar.first_order.to_string(), "2026-08-06T05:00:00Z");
        assert_eq!(calendar.opens.to_string(), "2026-08-04T05:00:00Z");
        assert_eq!(calendar.ends.to_string(), "2028-05-01T00:00:00Z");
        assert!(calendar.first_order.plus(156_672) < NOW, "the last order was placed before now");
        let day = |when| calendar.day(when).to_string();
        assert_eq!(day(When::Opening), "2026-08-05T00:00:00Z");
        assert_eq!(day(When::InDays(10)), "2026-12-03T00:00:00Z");
        assert_eq!(day(When::On(2027, 2, 1)), "2027-02-01T00:00:00Z");
        assert_eq!(day(When::On(2020, 2, 1)), "2026-08-05T00:00:00Z", "not before the opening");
    }

    #[test]
    fn months_are_the_calendars() {
        let window = Window::lasting(NOW, 40 * DAY).expect("a window");
        let months = Calendar::months(window);
        let names: Vec<&str> = months.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["2026-11", "2026-12", "2027-01"]);
        assert_eq!(months[0].1.minutes(), 30 * DAY);
        assert_eq!(months[2].1.end().to_string(), "2027-02-01T00:00:00Z");
    }
}
