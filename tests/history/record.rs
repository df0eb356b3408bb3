//! What was asked and answered, in the order of one counter that all clients share.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{LineOp, PoolOp};
use crate::search::Event;

/// The history, by pool and by line.
#[derive(Debug, Default)]
pub struct Record {
    clock: AtomicU64,
    pools: Mutex<BTreeMap<usize, Vec<Event<PoolOp>>>>,
    lines: Mutex<BTreeMap<usize, Vec<Event<LineOp>>>>,
    /// How often which answer came.
    counts: Mutex<BTreeMap<String, u64>>,
}

/// When something was asked and answered.
pub type Span = (u64, u64);

impl Record {
    /// The next moment. A moment drawn before a request is sent is before any drawn after an answer
    /// that the request could not yet have caused.
    pub fn moment(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub fn pool(&self, pool: usize, (call, back): Span, op: PoolOp) {
        let mut pools = self.pools.lock().expect("nobody panics while holding it");
        pools.entry(pool).or_default().push(Event { call, back, op });
    }

    pub fn line(&self, line: usize, (call, back): Span, op: LineOp) {
        let mut lines = self.lines.lock().expect("nobody panics while holding it");
        lines.entry(line).or_default().push(Event { call, back, op });
    }

    pub fn count(&self, what: String) {
        *self.counts.lock().expect("nobody panics while holding it").entry(what).or_default() += 1;
    }

    pub fn pools(&self) -> BTreeMap<usize, Vec<Event<PoolOp>>> {
        self.pools.lock().expect("nobody panics while holding it").clone()
    }

    pub fn lines(&self) -> BTreeMap<usize, Vec<Event<LineOp>>> {
        self.lines.lock().expect("nobody panics while holding it").clone()
    }

    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().expect("nobody panics while holding it").clone()
    }
}
