//! A coarse picture of what a pool's offers have free: the most of each within each day. From a few
//! lines of memory it says how cheap a block could be at best, so that most pools need not be
//! looked into.
//!
//! Knows quantities and prices. May promise more than is free, and never less: what it says is a
//! bound, and the exact search has the last word.

use super::Offer;
use crate::model::{Gpus, Minute, Window, Worth};

/// Minutes of a day. An hour in tests, so that their small markets have many.
pub(in crate::engine) const GRAIN: i64 = if cfg!(test) { 60 } else { 24 * 60 };

/// Over longer windows it is quicker to look at the offer itself.
const DAYS_LOOKED_AT: i64 = 8;
/// As many or more.
const PLENTY: u16 = u16::MAX;

/// What the offers of one pool have free, in outline.
#[derive(Debug, Default)]
pub(in crate::engine) struct Outline {
    /// The first day of it, counted from 1970.
    first: i64,
    /// The asks of the offers, cheapest first.
    prices: Vec<i64>,
    /// The most that is free: one row for each day, one column for each offer. Two bytes, so that
    /// the outlines of ten thousand pools stay small.
    most: Vec<u16>,
}

/// What so many GPUs cost in a minute at best, day after day; `NEVER` where so many are not free.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rates {
    first: i64,
    rates: Vec<i64>,
}

const NEVER: i64 = i64::MAX;

/// The day in which an instant lies.
fn day(instant: Minute) -> i64 {
    instant.count().div_euclid(GRAIN)
}

/// The day in which a window ends.
fn last_day(window: Window) -> i64 {
    day(window.end().plus(-1))
}

fn place(day: i64) -> usize {
    usize::try_from(day).expect("days are counted from the first")
}

impl Outline {
    pub(super) fn of(offers: &[Offer]) -> Self {
        let starts = offers.iter().map(|offer| day(offer.listing.window.start()));
        let ends = offers.iter().map(|offer| last_day(offer.listing.window));
        let first = starts.min().unwrap_or_default();
        let days = ends.max().map_or(0, |last| place(last + 1 - first));
        let prices: Vec<i64> = offers.iter().map(|offer| offer.listing.price.micros()).collect();
        let most = vec![0; days * prices.len()];
        let mut outline = Self { first, prices, most };
        for (column, offer) in offers.iter().enumerate() {
            outline.note(column, offer, offer.listing.window);
        }
        outline
    }

    /// What is free of an offer changed within `window`.
    pub(super) fn note(&mut self, column: usize, offer: &Offer, window: Window) {
        let width = self.prices.len();
        let days = self.most.len().checked_div(width).unwrap_or(0);
        let end = self.first + i64::try_from(days).expect("a few thousand");
        let (from, to) = (day(window.start()).max(self.first), (last_day(window) + 1).min(end));
        let (start, until) = (Minute::new(from * GRAIN), Minute::new(to * GRAIN));
        let Some(whole) = Window::new(start, until) else { return };
        let mut row = from;
        let mut most = 0;
        for free in offer.free.within(whole) {
            let count = u16::try_from(free.count.max(0)).unwrap_or(PLENTY);
            loop {
                most = most.max(count);
                if free.window.end() < Minute::new((row + 1) * GRAIN) {
                    break;
                }
                self.most[place(row - self.first) * width + column] = most;
                (row, most) = (row + 1, 0);
                if free.window.end() <= Minute::new(row * GRAIN) {
                    break;
                }
            }
        }
    }

    /// Whether something of an offer may be free somewhere in `window`.
    pub(in crate::engine) fn may_have(&self, column: usize, window: Window) -> bool {
        let (from, last) = (day(window.start()).max(self.first), last_day(window));
        let cell = |row| place(row - self.first) * self.prices.len() + column;
        let has = |row| self.most.get(cell(row)).is_some_and(|most| *most > 0);
        last - from >= DAYS_LOOKED_AT || (from..=last).any(has)
    }

    /// The least that a block of `size` GPUs in this very window can cost; `None` when there can be
    /// none.
    pub(in crate::engine) fn bound(&self, window: Window, size: Gpus) -> Option<Worth> {
        let (size, end) = (i64::from(size), window.end().count());
        let (mut worth, mut from) = (0_i128, window.start().count());
        let mut row = from.div_euclid(GRAIN);
        while from < end {
            let rate = self.rate(row, size);
            if rate == NEVER {
                return None;
            }
            row += 1;
            let until = (row * GRAIN).min(end);
            worth += i128::from(rate) * i128::from(until - from);
            from = until;
        }
        Some(Worth::from_exact(worth))
    }

    /// What `size` GPUs cost in each of the days that `window` touches.
    pub(in crate::engine) fn rates(&self, window: Window, size: Gpus, into: &mut Rates) {
        let (first, last) = (day(window.start()), last_day(window));
        into.first = first;
        into.rates.clear();
        into.rates.extend((first..=last).map(|day| self.rate(day, i64::from(size))));
    }

    /// What `size` GPUs cost in a minute of one day: the cheapest first, as the search takes them.
    fn rate(&self, day: i64, size: i64) -> i64 {
        let Some(row) = usize::try_from(day - self.first).ok() else { return NEVER };
        let width = self.prices.len();
        let Some(row) = self.most.get(row * width..(row + 1) * width) else { return NEVER };
        let (mut missing, mut rate) = (size, 0_i64);
        for (&most, price) in row.iter().zip(&self.prices) {
            let taken = if most == PLENTY { missing } else { i64::from(most).min(missing) };
            rate = rate.saturating_add(price.saturating_mul(taken));
            missing -= taken;
            if missing == 0 {
                // A rate beyond all bounds is none: the exact search finds it out.
                return rate.min(NEVER - 1);
            }
        }
        NEVER
    }
}

impl Rates {
    /// The least that a block of `minutes` can cost that starts in `[earliest, latest]`; `None`
    /// when there can be none.
    pub(in crate::engine) fn least(
        &self,
        earliest: Minute,
        latest: Minute,
        minutes: i64,
    ) -> Option<Worth> {
        let (mut worth, mut left) = (0_i128, minutes);
        // Every such block lasts from the latest start to the earliest end, if that is any time.
        if let Some(common) = Window::new(latest, earliest.plus(minutes)) {
            for row in day(common.start())..=last_day(common) {
                let rate = self.rates[place(row - self.first)];
                if rate == NEVER {
                    return None;
                }
                let (start, end) = (Minute::new(row * GRAIN), Minute::new((row + 1) * GRAIN));
                let time = common.end().min(end).since(common.start().max(start));
                worth += i128::from(rate) * i128::from(time);
                left -= time;
            }
        }
        if left > 0 {
            let (from, to) = (day(earliest), day(latest.plus(minutes - 1)));
            let rates = &self.rates[place(from - self.first)..=place(to - self.first)];
            let least = rates.iter().copied().min().filter(|rate| *rate != NEVER)?;
            worth += i128::from(least) * i128::from(left);
        }
        Some(Worth::from_exact(worth))
    }
}
