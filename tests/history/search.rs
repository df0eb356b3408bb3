//! Whether a history of overlapping operations on one object could have happened one after the other:
//! the search of Wing and Gong, with Lowe's memory of what was tried. Knows nothing of the object.

use std::collections::BTreeSet;

/// An operation with its answer: asked at `call`, answered at `back`, on one clock that only counts.
#[derive(Debug, Clone)]
pub struct Event<O> {
    pub call: u64,
    pub back: u64,
    pub op: O,
}

/// After so many places tried the search gives up, which is a failure too: nothing was shown.
const TRIED_MAX: usize = 5_000_000;

/// How far a search has come: the first operation not done, those after it that are, and the object
/// after all that is done.
type Place<S> = (usize, Vec<usize>, S);

/// Finds an order in which each operation, done after all that had been answered before it was asked,
/// gets the answer it got. `step` is the object: its next state, or `None` for an answer that it would
/// not give. Answers how many places were tried.
///
/// # Errors
/// There is no such order; the operations that could not be done where the search came furthest.
pub fn linearize<O: Clone, S: Clone + Ord>(
    mut events: Vec<Event<O>>,
    start: S,
    step: impl Fn(&S, &O) -> Option<S>,
) -> Result<usize, (S, Vec<Event<O>>)> {
    events.sort_by_key(|event| event.call);
    let mut tried: BTreeSet<Place<S>> = BTreeSet::new();
    let mut open: Vec<Place<S>> = vec![(0, Vec::new(), start.clone())];
    let mut furthest: Place<S> = (0, Vec::new(), start);
    while let Some(place) = open.pop() {
        if place.0 == events.len() {
            return Ok(tried.len());
        }
        if !tried.insert(place.clone()) {
            continue;
        }
        assert!(tried.len() < TRIED_MAX, "the search gave up after {TRIED_MAX} places");
        let count = |place: &Place<S>| place.0 + place.1.len();
        if count(&place) > count(&furthest) {
            furthest = place.clone();
        }
        let (_, _, state) = &place;
        // Pushed last is tried first: what was asked first.
        for next in candidates(&events, &place).into_iter().rev() {
            if let Some(state) = step(state, &events[next].op) {
                open.push(done(&place, next, state));
            }
        }
    }
    let stuck = candidates(&events, &furthest);
    Err((furthest.2, stuck.into_iter().map(|next| events[next].clone()).collect()))
}

/// Operations that may be next: asked before any that is not done was answered.
fn candidates<O, S>(events: &[Event<O>], (first, ahead, _): &Place<S>) -> Vec<usize> {
    let mut horizon = u64::MAX;
    let mut next = Vec::new();
    for (place, event) in events.iter().enumerate().skip(*first) {
        if event.call > horizon {
            break;
        }
        if !ahead.contains(&place) {
            horizon = horizon.min(event.back);
            next.push(place);
        }
    }
    next
}

fn done<S: Clone>((first, ahead, _): &Place<S>, next: usize, state: S) -> Place<S> {
    let mut ahead = ahead.clone();
    ahead.push(next);
    ahead.sort_unstable();
    let mut first = *first;
    while ahead.first() == Some(&first) {
        ahead.remove(0);
        first += 1;
    }
    (first, ahead, state)
}
