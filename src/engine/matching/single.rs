//! What a block costs that starts at one instant: listings stack until nothing is missing.

use super::cover::count;
use crate::engine::capacity::Offer;
use crate::model::{Gpus, Minute, Window, Worth};

/// A stretch in which GPUs are missing.
#[derive(Debug, Clone, Copy)]
struct Gap {
    start: Minute,
    end: Minute,
    need: i64,
}

/// So many GPUs of one offer, by its place in its pool, for a stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Take {
    pub(super) place: usize,
    pub(super) window: Window,
    pub(super) gpus: Gpus,
}

/// What is missing before and after an offer, and what was taken: kept from one block to the next,
/// so that nothing is allocated anew.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    now: Vec<Gap>,
    next: Vec<Gap>,
    pub(super) takes: Vec<Take>,
}

/// What a block is worth, and when its first draw was published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Priced {
    pub(super) worth: Worth,
    pub(super) first_seq: u64,
}

/// Stacks `offers`, each with its place, which come cheapest first. `None` when something stays
/// missing, or as soon as it is known that the block costs more than `most`.
#[expect(single_use_lifetimes, reason = "an `impl` argument cannot leave it unnamed")]
pub(super) fn price<'a>(
    offers: impl Iterator<Item = (usize, &'a Offer)>,
    size: Gpus,
    window: Window,
    most: Worth,
    gaps: &mut Gaps,
) -> Option<Priced> {
    let Gaps { now, next, takes } = gaps;
    takes.clear();
    now.clear();
    now.push(Gap { start: window.start(), end: window.end(), need: i64::from(size) });
    let mut missing = i64::from(size) * window.minutes();
    let mut worth = Worth::ZERO;
    let mut first_seq = None;
    for (place, offer) in offers {
        let price = offer.listing.price;
        // What is still missing costs at least as much as here.
        if worth.plus(price.worth(1, missing)) > most {
            return None;
        }
        let mut free = offer.free.from(now[0].start);
        if free.count() == 0 && free.until(window.end()) == window.end() {
            continue;
        }
        next.clear();
        let before = missing;
        for gap in now.iter() {
            let mut start = gap.start;
            while start < gap.end {
                free.move_to(start);
                let end = free.until(gap.end);
                let taken = free.count().clamp(0, gap.need);
                if taken > 0 {
                    let window = Window::new(start, end).expect("a step lies ahead");
                    takes.push(Take { place, window, gpus: count(taken) });
                    missing -= taken * window.minutes();
                }
                if taken > 0 && start == window.start() && first_seq.is_none() {
                    first_seq = Some(offer.listing.published_seq);
                }
                if taken < gap.need {
                    next.push(Gap { start, end, need: gap.need - taken });
                }
                start = end;
            }
        }
        worth = worth.plus(price.worth(1, before - missing));
        if missing == 0 {
            let first_seq = first_seq.expect("something is drawn from the start on");
            return (worth <= most).then_some(Priced { worth, first_seq });
        }
        std::mem::swap(now, next);
    }
    None
}
