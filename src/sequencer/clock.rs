//! The one place that reads the machine's clocks, and the clock that tests move by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::Micros;

/// How the market's time is to run.
#[derive(Debug, Clone)]
pub enum Pace {
    /// With the machine's clock.
    System,
    /// By hand, from where the store says it stood; a new market begins at the given instant, or
    /// now.
    Simulated(Option<Micros>),
    /// With a machine's clock that somebody plays, in microseconds.
    Played(Arc<AtomicI64>),
}

/// What time it is. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock. It may step back: whoever stamps with it keeps the largest seen.
    System,
    /// Stands still until it is moved.
    Simulated(Arc<AtomicI64>),
    /// Stands in for a machine's clock, and may step back like one.
    Played(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of a market whose last command was at `stored`.
    pub(super) fn start(pace: Pace, stored: Micros) -> Self {
        let begin = match pace {
            Pace::System => return Self::System,
            Pace::Played(clock) => return Self::Played(clock),
            Pace::Simulated(_) if stored > Micros::default() => stored,
            Pace::Simulated(Some(given)) => given,
            Pace::Simulated(None) => system(),
        };
        Self::Simulated(Arc::new(AtomicI64::new(begin.count())))
    }

    pub fn now(&self) -> Micros {
        match self {
            Self::System => system(),
            Self::Simulated(stands) | Self::Played(stands) => {
                Micros::new(stands.load(Ordering::Acquire))
            }
        }
    }

    pub const fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }

    /// Moves a simulated clock forward to `to`; a machine's clock, or one that is past it, stays.
    pub(super) fn move_to(&self, to: Micros) {
        if let Self::Simulated(stands) = self {
            stands.fetch_max(to.count(), Ordering::AcqRel);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::new(i64::try_from(since.as_micros()).expect("the year is far below 292,000"))
}

/// Measures how long something took. Never decides anything.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since it was started.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since it was started.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_starts_where_the_store_stood_and_never_runs_back() {
        let given = Some(Micros::new(5));
        assert_eq!(Clock::start(Pace::Simulated(given), Micros::new(9)).now(), Micros::new(9));
        let clock = Clock::start(Pace::Simulated(given), Micros::default());
        assert_eq!(clock.now(), Micros::new(5));
        clock.move_to(Micros::new(8));
        clock.move_to(Micros::new(7));
        assert_eq!(clock.clone().now(), Micros::new(8));
    }
}
