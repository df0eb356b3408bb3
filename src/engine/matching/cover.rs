//! What so many GPUs of one pool cost over time, and the start at which a block of them is
//! cheapest.
//!
//! At each instant the cheapest free GPUs are taken first, so the cost per minute is a step
//! function and the cost of a block, as a function of its start, is a straight line between the
//! points at which one of its ends meets a step. Trying those points, rounded to the slot both
//! ways, finds the exact minimum.

use super::Draw;
use crate::engine::capacity::{Offer, Yard};
use crate::model::{Gpus, Minute, Window, Worth};

/// No listing can fill this stretch: the pool has no room.
const BLOCKED: i64 = i64::MAX;

/// One stretch of time, until the next piece begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    from: Minute,
    /// GPUs that are still missing.
    need: i64,
    /// The cost of one minute of those found.
    rate: Worth,
    /// The cost from the beginning of the cover to `from`.
    spent: Worth,
    /// Nothing is missing from here until this instant.
    clear_until: Minute,
}

/// The cost of `size` GPUs at each instant of a window.
#[derive(Debug)]
pub(super) struct Cover {
    pieces: Vec<Piece>,
    end: Minute,
}

/// The starts in question, both on a boundary of `slot_minutes`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starts {
    pub(super) earliest: Minute,
    pub(super) latest: Minute,
    pub(super) minutes: i64,
    pub(super) slot_minutes: u32,
}

impl Starts {
    /// All the time that a block may touch.
    pub(super) fn window(&self) -> Window {
        Window::new(self.earliest, self.latest.plus(self.minutes)).expect("starts lie in order")
    }

    pub(super) fn is_single(&self) -> bool {
        self.earliest == self.latest
    }
}

impl Cover {
    /// Stacks `offers`, which come cheapest first, until nothing is missing or nothing is left.
    /// `None` as soon as it is known that a minute costs more than `most` everywhere.
    #[expect(single_use_lifetimes, reason = "an `impl` argument cannot leave it unnamed")]
    pub(super) fn lay<'a>(
        yard: &Yard,
        offers: impl Iterator<Item = &'a Offer>,
        size: Gpus,
        window: Window,
        most: Worth,
    ) -> Option<Cover> {
        let mut pieces = ground(yard, size, window);
        let mut next = Vec::new();
        for offer in offers {
            let price = offer.listing.price;
            let is_done = |piece: &Piece| piece.need == 0 || piece.need == BLOCKED;
            if pieces.iter().all(is_done) {
                break;
            }
            // What is still missing costs at least as much as here.
            let is_dear = |piece: &Piece| {
                piece.need == BLOCKED || piece.rate.plus(price.worth(count(piece.need), 1)) > most
            };
            if pieces.iter().all(is_dear) {
                return None;
            }
            next.clear();
            let mut free = offer.free.from(window.start());
            for (place, piece) in pieces.iter().enumerate() {
                if is_done(piece) {
                    push(&mut next, *piece);
                    continue;
                }
                let end = pieces.get(place + 1).map_or(window.end(), |after| after.from);
                let mut from = piece.from;
                while from < end {
                    free.move_to(from);
                    let taken = free.count().clamp(0, piece.need);
                    let paid = price.worth(count(taken), 1);
                    let (need, rate) = (piece.need - taken, piece.rate.plus(paid));
                    push(&mut next, Piece { from, need, rate, ..*piece });
                    from = free.until(end);
                }
            }
            std::mem::swap(&mut pieces, &mut next);
        }
        let mut cover = Cover { pieces, end: window.end() };
        cover.sum();
        Some(cover)
    }

    /// Fills in what a block needs to be priced in a few steps.
    fn sum(&mut self) {
        let mut spent = Worth::ZERO;
        let mut before: Option<Piece> = None;
        for piece in &mut self.pieces {
            if let Some(before) = before {
                spent = spent.plus(before.rate.over(piece.from.since(before.from)));
            }
            piece.spent = spent;
            before = Some(*piece);
        }
        let mut clear_until = self.end;
        for piece in self.pieces.iter_mut().rev() {
            if piece.need != 0 {
                clear_until = piece.from;
            }
            piece.clear_until = clear_until;
        }
    }

    /// The cheapest start, the earliest of those that cost the same, and its cost.
    pub(super) fn cheapest(&self, starts: Starts) -> Option<(Minute, Worth)> {
        if starts.is_single() {
            let cost = self.cost(starts.minutes, starts.earliest)?;
            return Some((starts.earliest, cost));
        }
        let sound = self.pieces.iter().filter(|piece| piece.need == 0);
        let bound = sound.map(|piece| piece.rate).min()?.over(starts.minutes);
        let mut best: Option<(Minute, Worth)> = None;
        let mut walk = Walk::new(self, starts);
        while let Some((start, cost)) = walk.next_cost() {
            let Some(cost) = cost else { continue };
            if best.is_none_or(|(_, least)| cost < least) {
                best = Some((start, cost));
                if cost == bound {
                    break;
                }
            }
        }
        best
    }

    /// The earliest start that costs at most `most`, and its cost.
    pub(super) fn earliest_within(&self, starts: Starts, most: Worth) -> Option<(Minute, Worth)> {
        let slot = i64::from(starts.slot_minutes);
        let mut walk = Walk::new(self, starts);
        let mut before = starts.earliest;
        while let Some((start, cost)) = walk.next_cost() {
            if cost.is_some_and(|cost| cost <= most) {
                // Between two tried starts the cost is a straight line: halve the way to the
                // crossing.
                let (mut too_dear, mut good) = (before, start);
                let price = |start| self.cost(starts.minutes, start);
                while good.since(too_dear) > slot {
                    let half = good.since(too_dear) / slot / 2 * slot;
                    let middle = too_dear.plus(half);
                    match price(middle) {
                        Some(cost) if cost <= most => good = middle,
                        _ => too_dear = middle,
                    }
                }
                return price(good).map(|cost| (good, cost));
            }
            before = start;
        }
        None
    }

    /// The first instant at which something is missing.
    pub(super) fn short_at(&self) -> Option<Minute> {
        self.pieces.iter().find(|piece| piece.need != 0).map(|piece| piece.from)
    }

    /// The cost of a block from `start`; `None` when somewhere something is missing.
    fn cost(&self, minutes: i64, start: Minute) -> Option<Worth> {
        let at = |instant| self.pieces.partition_point(|piece| piece.from <= instant) - 1;
        let end = start.plus(minutes);
        let (first, last) = (self.pieces[at(start)], self.pieces[at(end)]);
        (first.clear_until >= end).then(|| last.spent_by(end).minus(first.spent_by(start)))
    }
}

impl Piece {
    fn spent_by(&self, instant: Minute) -> Worth {
        self.spent.plus(self.rate.over(instant.since(self.from)))
    }
}

/// Goes through the starts that could be cheapest, in order, with a finger on each end of the
/// block.
#[derive(Debug, Clone, Copy)]
struct Walk<'a> {
    cover: &'a Cover,
    starts: Starts,
    /// The next piece at which a start, or the end of a block, has not been tried.
    next_start: usize,
    next_end: usize,
    /// The pieces in which the block tried last starts and ends.
    first: usize,
    last: usize,
    tried: Option<Minute>,
    /// The lower boundary of the point being tried was looked at; the upper one is next.
    pending: Option<Minute>,
    done: bool,
}

impl<'a> Walk<'a> {
    fn new(cover: &'a Cover, starts: Starts) -> Self {
        let pending = Some(starts.earliest);
        let (next_start, next_end, first, last) = (0, 0, 0, 0);
        let (tried, done) = (None, false);
        Self { cover, starts, next_start, next_end, first, last, tried, pending, done }
    }

    /// The next start and its cost; `None` at the end.
    fn next_cost(&mut self) -> Option<(Minute, Option<Worth>)> {
        let start = self.next_start()?;
        let end = start.plus(self.starts.minutes);
        let pieces = &self.cover.pieces;
        while pieces.get(self.first + 1).is_some_and(|piece| piece.from <= start) {
            self.first += 1;
        }
        while pieces.get(self.last + 1).is_some_and(|piece| piece.from <= end) {
            self.last += 1;
        }
        let (first, last) = (&pieces[self.first], &pieces[self.last]);
        let is_clear = first.clear_until >= end;
        Some((start, is_clear.then(|| last.spent_by(end).minus(first.spent_by(start)))))
    }

    /// The next start to try: each boundary beside a point where an end of the block meets a step,
    /// once.
    fn next_start(&mut self) -> Option<Minute> {
        loop {
            let start = match self.pending.take() {
                Some(start) => start,
                None => {
                    let Some(point) = self.next_point() else {
                        return self.finish();
                    };
                    let slot = self.starts.slot_minutes;
                    self.pending = Some(point.ceil_to(slot));
                    point.floor_to(slot)
                }
            };
            let is_new = self.tried.is_none_or(|tried| start > tried);
            if is_new && start >= self.starts.earliest && start < self.starts.latest {
                self.tried = Some(start);
                return Some(start);
            }
        }
    }

    /// The latest start is tried last.
    fn finish(&mut self) -> Option<Minute> {
        let first_time = !self.done;
        self.done = true;
        first_time.then_some(self.starts.latest)
    }

    /// The next instant at which a block would start on a step, or end on one.
    fn next_point(&mut self) -> Option<Minute> {
        let pieces = &self.cover.pieces;
        let start = pieces.get(self.next_start).map(|piece| piece.from);
        let end = pieces.get(self.next_end).map(|piece| piece.from.plus(-self.starts.minutes));
        match (start, end) {
            (Some(start), Some(end)) if end < start => {
                self.next_end += 1;
                Some(end)
            }
            (Some(start), _) => {
                self.next_start += 1;
                Some(start)
            }
            (None, Some(end)) => {
                self.next_end += 1;
                Some(end)
            }
            (None, None) => None,
        }
    }
}

/// What is missing before anything is drawn: all of it, and more than all where the pool has no
/// room.
fn ground(yard: &Yard, size: Gpus, window: Window) -> Vec<Piece> {
    let size = i64::from(size);
    let piece = |from, need| Piece {
        from,
        need,
        rate: Worth::ZERO,
        spent: Worth::ZERO,
        clear_until: window.end(),
    };
    if !yard.may_be_short(window) {
        return vec![piece(window.start(), size)];
    }
    let mut pieces = Vec::new();
    for room in yard.room_to_sell(window).within(window) {
        let need = if room.count < size { BLOCKED } else { size };
        push(&mut pieces, piece(room.window.start(), need));
    }
    pieces
}

/// Adds a piece, unless it only goes on as the one before it.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    let goes_on = |last: &Piece| last.need == piece.need && last.rate == piece.rate;
    if !pieces.last().is_some_and(goes_on) {
        pieces.push(piece);
    }
}

/// What a block draws from `offers`, which come cheapest first: ordered by start, then by price.
/// The block fits.
#[expect(single_use_lifetimes, reason = "an `impl` argument cannot leave it unnamed")]
pub(super) fn draws<'a>(
    offers: impl Iterator<Item = &'a Offer>,
    size: Gpus,
    window: Window,
) -> Vec<Draw> {
    let mut missing = vec![(window, i64::from(size))];
    let mut left = Vec::new();
    let mut draws: Vec<Draw> = Vec::new();
    for offer in offers {
        let Some(&(first, _)) = missing.first() else { break };
        let mine = draws.len();
        let mut free = offer.free.from(first.start());
        for (stretch, need) in missing.drain(..) {
            let mut from = stretch.start();
            while let Some(rest) = Window::new(from, stretch.end()) {
                free.move_to(from);
                let until = free.until(rest.end());
                let part = Window::new(from, until).expect("a step lies ahead");
                let taken = free.count().clamp(0, need);
                if taken > 0 {
                    draw(&mut draws, mine, offer, part, count(taken));
                }
                if taken < need {
                    left.push((part, need - taken));
                }
                from = until;
            }
        }
        std::mem::swap(&mut missing, &mut left);
    }
    assert!(missing.is_empty(), "a block that was found can be drawn");
    // Stable: within one start the offers keep their order.
    draws.sort_by_key(|draw| draw.window.start());
    draws
}

/// Adds a draw of an offer, or lengthens its last one; those of this offer begin at `mine`.
pub(super) fn draw(draws: &mut Vec<Draw>, mine: usize, offer: &Offer, window: Window, gpus: Gpus) {
    let goes_on = |last: &&mut Draw| last.gpus == gpus && last.window.end() == window.start();
    if let Some(last) = draws[mine..].last_mut().filter(goes_on) {
        let longer = Window::new(last.window.start(), window.end());
        last.window = longer.expect("a longer window is one");
        return;
    }
    let (listing, program, price) = (offer.listing.id, offer.listing.program, offer.listing.price);
    draws.push(Draw { listing, program, gpus, window, price });
}

/// A count that was clamped between nothing and an order's size.
pub(super) fn count(taken: i64) -> Gpus {
    Gpus::try_from(taken).expect("no more is taken than was asked for")
}
