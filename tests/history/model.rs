//! What one pool and one credit line are, told plainly: a number of GPUs at one window, and an amount.
//! An answer that they would not give in a state is refused there.

/// What was asked of a pool's one window, and answered. GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolOp {
    /// Sold, or held by a firm quote.
    Took(i64),
    /// Not sold: so many were asked, so many are free.
    Short { asked: i64, free: i64 },
    /// There was a block for so many; credit said no.
    Offered(i64),
    /// A contract that was cancelled.
    Freed(i64),
    /// Read.
    Saw(i64),
}

/// A pool of which so many are free.
pub fn pool(free: &i64, op: &PoolOp) -> Option<i64> {
    match *op {
        PoolOp::Took(gpus) => (gpus <= *free).then_some(*free - gpus),
        PoolOp::Short { asked, free: told } => (told == *free && asked > *free).then_some(*free),
        PoolOp::Offered(gpus) => (gpus <= *free).then_some(*free),
        PoolOp::Freed(gpus) => Some(*free + gpus),
        PoolOp::Saw(told) => (told == *free).then_some(*free),
    }
}

/// What a credit line shows. Micro-units.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub limit: i64,
    pub available: i64,
    /// Where a decrease is going that waits for credit to free.
    pub target: Option<i64>,
    pub is_frozen: bool,
    /// Counts what officers decided.
    pub version: i64,
}

/// What was asked of a line, and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineOp {
    /// An order, or a firm quote, which says what is left after it.
    Held {
        amount: i64,
        after: Option<i64>,
    },
    /// So much was needed, so much available: no.
    Short {
        needed: i64,
        available: i64,
    },
    /// It takes no new holds.
    Frozen,
    Released(i64),
    /// An officer's new limit, decided on this version, and the line after it.
    Limited {
        expect: i64,
        limit: i64,
        line: Line,
    },
    /// Decided on another version than the line's: no.
    Stale {
        expect: i64,
        actual: i64,
    },
    /// A limit that the line has, or is going to: no.
    Same {
        limit: i64,
    },
    /// Frozen or unfrozen (or proposed to be), and the line after it.
    Decided(Line),
    /// A freeze of what is frozen, an unfreezing of what is not or by the same officer again: no.
    Undecided,
    Saw(Line),
}

/// A decrease that waits takes what is available, as much as it needs.
fn lowered(mut line: Line) -> Line {
    if let Some(target) = line.target {
        let taken = (line.limit - target).min(line.available);
        line.limit -= taken;
        line.available -= taken;
        if line.limit == target {
            line.target = None;
        }
    }
    line
}

/// A line after an operation with this answer.
pub fn line(before: &Line, op: &LineOp) -> Option<Line> {
    let mut line = before.clone();
    match op {
        LineOp::Held { amount, after } => {
            let fits = !line.is_frozen && *amount <= line.available;
            line.available -= amount;
            (fits && after.is_none_or(|after| after == line.available)).then_some(line)
        }
        LineOp::Short { needed, available } => {
            let is_so = *available == line.available && needed > available && !line.is_frozen;
            is_so.then_some(line)
        }
        LineOp::Frozen => line.is_frozen.then_some(line),
        LineOp::Released(amount) => {
            line.available += amount;
            Some(lowered(line))
        }
        LineOp::Limited { expect, limit, line: told } => {
            let is_so = *expect == line.version && *limit != line.target.unwrap_or(line.limit);
            line.version += 1;
            if *limit < line.limit {
                line.target = Some(*limit);
                line = lowered(line);
            } else {
                line.available += limit - line.limit;
                (line.limit, line.target) = (*limit, None);
            }
            (is_so && line == *told).then_some(line)
        }
        LineOp::Stale { expect, actual } => {
            (*actual == line.version && expect != actual).then_some(line)
        }
        LineOp::Same { limit } => (*limit == line.target.unwrap_or(line.limit)).then_some(line),
        LineOp::Decided(told) => {
            line.version += 1;
            line.is_frozen = told.is_frozen;
            (line == *told).then_some(line)
        }
        LineOp::Undecided => Some(line),
        LineOp::Saw(told) => (line == *told).then_some(line),
    }
}
