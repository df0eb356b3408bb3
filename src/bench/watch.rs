//! How long something took, and how such times are spread. Never decides anything.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// A point in time to measure from.
#[derive(Debug, Clone, Copy)]
pub struct Watch(Instant);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is a measuring room")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// One that was started so much later.
    pub fn after(self, pause: Duration) -> Self {
        Self(self.0 + pause)
    }

    /// Since it was started.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    /// Nanoseconds since it was started, and starts it again: one look at the clock for both.
    pub fn lap(&mut self) -> u64 {
        let now = Self::start();
        let nanos = now.0.duration_since(self.0).as_nanos();
        *self = now;
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// Times in nanoseconds, to three digits.
#[derive(Debug, Clone)]
pub struct Spread(Histogram<u64>);

/// A minute: longer is a benchmark that has gone wrong, and is counted as that.
const LONGEST: u64 = 60_000_000_000;

impl Spread {
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are sound"))
    }

    pub fn note(&mut self, nanos: u64) {
        self.0.saturating_record(nanos.max(1));
    }

    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all spreads have the same bounds");
    }

    pub fn p50(&self) -> u64 {
        self.0.value_at_quantile(0.50)
    }

    pub fn p99(&self) -> u64 {
        self.0.value_at_quantile(0.99)
    }
}

/// A count as a number to divide: benchmarks count far below 2^53.
pub fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    {
        count as f64
    }
}

/// As `float`, for lengths.
pub fn float_of(length: usize) -> f64 {
    float(count_of(length))
}

/// A length as a count.
pub fn count_of(length: usize) -> u64 {
    u64::try_from(length).expect("a list in memory has a 64-bit length")
}
