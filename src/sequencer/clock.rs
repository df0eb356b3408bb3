//! The one place that reads the machine's clock, and the clock that tests move by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Micros;

/// What time it is. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock. It may step back: whoever stamps with it keeps the largest seen.
    System,
    /// Stands still until it is moved.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start` until it is moved.
    pub fn simulated(start: Micros) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(start.count())))
    }

    pub fn now(&self) -> Micros {
        match self {
            Self::System => system(),
            Self::Simulated(stands) => Micros::new(stands.load(Ordering::Acquire)),
        }
    }

    pub const fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }

    /// Moves a simulated clock forward to `to`; a system clock, or one that is past it, stays.
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
