//! A quantity over time: a step function from minutes to counts, zero outside its steps.
//!
//! One sorted vector of steps, each "from this minute on, so many". It is independent of the grain
//! and of the horizon, and small; 6-year contracts cost as much as one-hour contracts.

use serde::{Deserialize, Serialize};

use super::time::{Minute, Window};

/// A step function of time. Canonical: neighbouring steps differ, the first is not zero, the last
/// is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedule {
    steps: Vec<Step>,
}

/// From minute `from` on the count is `count`, until the next step. Eight bytes, so that a line of
/// memory holds eight of them: looking for an instant and moving steps is most of the work on a
/// long schedule. Counts reach a thousand times the largest pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    from: Minute,
    count: i32,
}

/// From a minute on so many more, until another takes them away: what [`Schedule::add_many`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    from: Minute,
    by: i32,
}

impl Change {
    /// So many more within a window.
    pub fn within(window: Window, by: i64) -> [Self; 2] {
        let by = i32::try_from(by).expect("counts are of GPUs in one market");
        let back = by.checked_neg().expect("counts are of GPUs in one market");
        [Self { from: window.start(), by }, Self { from: window.end(), by: back }]
    }
}

/// What a change does to the step at one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// There was none and now there is.
    Born,
    Stays,
    /// It now only goes on as the one before it.
    Goes,
}

/// One stretch of time with one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub window: Window,
    pub count: i64,
}

/// So many steps may lie in the past before the rest is moved up to their place.
const TRIM_STEPS: usize = 32;

/// In a shorter schedule a place is found by halving at once. In tests nearly none is shorter, so
/// that their small schedules are searched as long ones are.
const GUESSED_STEPS: usize = if cfg!(test) { 4 } else { 64 };
/// The second guess is within a line or two of memory where steps come at random.
const GUESSES: usize = 2;
const STEPS_IN_LINE: usize = 64 / size_of::<Step>();

impl Schedule {
    /// Zero at all times.
    pub const fn empty() -> Self {
        Self { steps: Vec::new() }
    }

    /// `count` within `window`, zero outside it.
    pub fn flat(window: Window, count: i64) -> Self {
        let mut schedule = Self::empty();
        schedule.add(window, count);
        schedule
    }

    /// Raises the count by `by` (lowers it when negative) everywhere in `window`.
    pub fn add(&mut self, window: Window, by: i64) {
        if by == 0 {
            return;
        }
        let by = i32::try_from(by).expect("counts are of GPUs in one market");
        let (start, end) = (window.start(), window.end());
        let first = self.at_or_after(start);
        let before = if first == 0 { 0 } else { self.steps[first - 1].count };
        let is_there = self.steps.get(first).is_some_and(|step| step.from == start);
        let (mut last, mut in_force) = (first, before);
        while let Some(step) = self.steps.get_mut(last).filter(|step| step.from < end) {
            in_force = step.count;
            step.count = plus(step.count, by);
            last += 1;
        }
        let opens = match is_there {
            false => Edge::Born,
            true if self.steps[first].count == before => Edge::Goes,
            true => Edge::Stays,
        };
        let closes = match self.steps.get(last).filter(|step| step.from == end) {
            None => Edge::Born,
            Some(step) if step.count == plus(in_force, by) => Edge::Goes,
            Some(_) => Edge::Stays,
        };
        self.shift(first, last, opens, closes);
        if opens == Edge::Born {
            self.steps[first] = Step { from: start, count: plus(before, by) };
        }
        if closes == Edge::Born {
            let place = match opens {
                Edge::Born => last + 1,
                Edge::Stays => last,
                Edge::Goes => last - 1,
            };
            self.steps[place] = Step { from: end, count: in_force };
        }
    }

    /// Raises the count by each of `changes`, as [`Self::add`] would one by one: all at once takes
    /// a sort, and not a move of what lies behind for each. Leaves `changes` in another order.
    pub fn add_many(&mut self, changes: &mut [Change]) {
        changes.sort_unstable_by_key(|change| change.from);
        let before = std::mem::take(&mut self.steps);
        self.steps.reserve(before.len() + changes.len());
        let (mut old, mut new) = (before.into_iter().peekable(), changes.iter().peekable());
        let (mut was, mut raised) = (0, 0_i64);
        loop {
            let next = [old.peek().map(|step| step.from), new.peek().map(|change| change.from)];
            let Some(from) = next.into_iter().flatten().min() else { break };
            if let Some(step) = old.next_if(|step| step.from == from) {
                was = step.count;
            }
            while let Some(change) = new.next_if(|change| change.from == from) {
                raised += i64::from(change.by);
            }
            let raised = i32::try_from(raised).expect("counts are of GPUs in one market");
            let count = plus(was, raised);
            if count != self.steps.last().map_or(0, |last| last.count) {
                self.steps.push(Step { from, count });
            }
        }
        self.steps.shrink_to_fit();
    }

    /// Makes room for the steps that are born at places `first` and `last`, and closes the gaps of
    /// those that go. What lies behind is moved once, and not at all when one comes and one goes.
    fn shift(&mut self, first: usize, last: usize, opens: Edge, closes: Edge) {
        let steps = &mut self.steps;
        let none = Step { from: Minute::default(), count: 0 };
        match (opens, closes) {
            (Edge::Stays, Edge::Stays) => {}
            (Edge::Stays, Edge::Born) => steps.insert(last, none),
            (Edge::Stays, Edge::Goes) => drop(steps.remove(last)),
            (Edge::Born, Edge::Stays) => steps.insert(first, none),
            (Edge::Goes, Edge::Stays) => drop(steps.remove(first)),
            (Edge::Born, Edge::Goes) => steps.copy_within(first..last, first + 1),
            (Edge::Goes, Edge::Born) => steps.copy_within(first + 1..last, first),
            (Edge::Born, Edge::Born) => {
                let len = steps.len();
                steps.extend([none, none]);
                steps.copy_within(last..len, last + 2);
                steps.copy_within(first..last, first + 1);
            }
            (Edge::Goes, Edge::Goes) => {
                steps.copy_within(first + 1..last, first);
                steps.drain(last - 1..=last);
            }
        }
    }

    /// Adds every stretch of `other`.
    pub fn add_all(&mut self, other: &Schedule) {
        for stretch in other.stretches() {
            self.add(stretch.window, stretch.count);
        }
    }

    /// Takes away every stretch of `other`.
    pub fn subtract_all(&mut self, other: &Schedule) {
        for stretch in other.stretches() {
            self.add(stretch.window, -stretch.count);
        }
    }

    /// The count at `instant`.
    pub fn at(&self, instant: Minute) -> i64 {
        self.before(self.after(instant))
    }

    /// The smallest count within `window`.
    pub fn min_over(&self, window: Window) -> i64 {
        let after = self.after(window.start());
        let (least, end) = (self.before(after), window.end());
        let inside = self.steps[after..].iter().take_while(|step| step.from < end);
        inside.fold(least, |least, step| least.min(i64::from(step.count)))
    }

    /// Whether the count is zero throughout `window`.
    pub fn is_zero_over(&self, window: Window) -> bool {
        let after = self.after(window.start());
        let end = window.end();
        self.before(after) == 0 && self.steps.get(after).is_none_or(|step| step.from >= end)
    }

    /// The stretches that cover `window` exactly, in order, zeros included.
    pub fn within(&self, window: Window) -> impl Iterator<Item = Stretch> + '_ {
        let after = self.after(window.start());
        let mut count = self.before(after);
        let mut steps = self.steps[after..].iter();
        let mut from = window.start();
        std::iter::from_fn(move || {
            let start = from;
            let next = steps.next().filter(|step| step.from < window.end());
            from = next.map_or(window.end(), |step| step.from);
            let stretch = Stretch { window: Window::new(start, from)?, count };
            count = next.map_or(0, |step| i64::from(step.count));
            Some(stretch)
        })
    }

    /// A finger on the schedule at `instant`, to go on from there.
    pub fn from(&self, instant: Minute) -> Finger<'_> {
        let after = self.after(instant);
        let count = if after == 0 { 0 } else { self.steps[after - 1].count };
        Finger { count, ahead: &self.steps[after..] }
    }

    /// Every stretch whose count is not zero, in order.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        self.steps.windows(2).filter_map(|pair| {
            let window = Window::new(pair[0].from, pair[1].from)?;
            let count = i64::from(pair[0].count);
            (count != 0).then_some(Stretch { window, count })
        })
    }

    /// The instants within `window` (its start excluded) at which the count changes.
    pub fn changes_within(&self, window: Window) -> impl Iterator<Item = Minute> + '_ {
        let first = self.after(window.start());
        self.steps[first..]
            .iter()
            .map(|step| step.from)
            .take_while(move |from| *from < window.end())
    }

    /// The earliest start in `[earliest, latest]`, on a boundary of `slot_minutes`, from which at
    /// least `count` lasts for `minutes`. Jumps past the last blocker of each window it tries.
    pub fn earliest_fit(
        &self,
        earliest: Minute,
        latest: Minute,
        minutes: i64,
        slot_minutes: u32,
        count: i64,
    ) -> Option<Minute> {
        let mut start = earliest.ceil_to(slot_minutes);
        while start <= latest {
            let window = Window::lasting(start, minutes)?;
            let Some(blocked_until) = self.blocked_until(window, count) else {
                return Some(start);
            };
            start = blocked_until?.ceil_to(slot_minutes);
        }
        None
    }

    /// The end of the last stretch in `window` with less than `count`: `None` when there is no such
    /// stretch, `Some(None)` when it never ends.
    fn blocked_until(&self, window: Window, count: i64) -> Option<Option<Minute>> {
        let first = self.after(window.start());
        let end = self.at_or_after(window.end());
        // Step `end - 1` is the last that matters; step `first - 1` is in force at the start.
        for index in (first..end).rev() {
            if i64::from(self.steps[index].count) < count {
                return Some(self.risen_after(index + 1, count));
            }
        }
        (self.before(first) < count).then(|| self.risen_after(first, count))
    }

    /// The first change from `index` on that reaches `count`.
    fn risen_after(&self, index: usize, count: i64) -> Option<Minute> {
        self.steps[index..].iter().find(|step| i64::from(step.count) >= count).map(|step| step.from)
    }

    /// How many steps it takes to write this down: its cost in memory.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Forgets what lies before `instant`; the count at and after it stays.
    pub fn forget_before(&mut self, instant: Minute) {
        let in_force = self.after(instant);
        if in_force > 0 {
            self.steps.drain(..in_force - 1);
            self.steps[0].from = instant;
            if self.steps[0].count == 0 {
                self.steps.remove(0);
            }
        }
    }

    /// As `forget_before`, once it is worth moving the rest: many small changes then cost little
    /// each.
    pub fn trim(&mut self, instant: Minute) {
        if self.steps.get(TRIM_STEPS).is_some_and(|step| step.from <= instant) {
            self.forget_before(instant);
        }
    }

    /// What lies at and after `instant`; zero before it. Equal for schedules that agree from then
    /// on, whatever each remembers of the past.
    pub fn since(&self, instant: Minute) -> Schedule {
        let past = self.after(instant);
        let count = if past == 0 { 0 } else { self.steps[past - 1].count };
        let at_start = (count != 0).then_some(Step { from: instant, count });
        Schedule { steps: at_start.into_iter().chain(self.steps[past..].iter().copied()).collect() }
    }

    /// The instant from which the count is zero for ever; `None` when it always was.
    pub fn end(&self) -> Option<Minute> {
        self.steps.last().map(|step| step.from)
    }

    /// The place of the first step after `instant`.
    fn after(&self, instant: Minute) -> usize {
        let (low, high) = match &self.steps[..] {
            steps @ [first, .., last] if steps.len() >= GUESSED_STEPS => {
                if instant < first.from {
                    return 0;
                }
                if instant >= last.from {
                    return steps.len();
                }
                near(steps, instant)
            }
            steps => (0, steps.len()),
        };
        low + self.steps[low..high].partition_point(|step| step.from <= instant)
    }

    /// The place of the first step at `instant` or after it.
    fn at_or_after(&self, instant: Minute) -> usize {
        let after = self.after(instant);
        let is_there = after > 0 && self.steps[after - 1].from == instant;
        after - usize::from(is_there)
    }

    /// The count in force just before the step at `place` begins.
    fn before(&self, place: usize) -> i64 {
        if place == 0 { 0 } else { i64::from(self.steps[place - 1].count) }
    }
}

/// A place in a schedule: the count in force there, and the steps that lie ahead. Going through
/// many stretches in order takes one look for the first of them.
#[derive(Debug, Clone, Copy)]
pub struct Finger<'a> {
    count: i32,
    ahead: &'a [Step],
}

impl Finger<'_> {
    /// Goes on to `instant`, which does not lie behind.
    pub fn move_to(&mut self, instant: Minute) {
        while let [step, ahead @ ..] = self.ahead
            && step.from <= instant
        {
            (self.count, self.ahead) = (step.count, ahead);
        }
    }

    /// The count in force.
    pub fn count(&self) -> i64 {
        i64::from(self.count)
    }

    /// When the next step begins, or `end` when that comes first.
    pub fn until(&self, end: Minute) -> Minute {
        self.ahead.first().map_or(end, |step| step.from.min(end))
    }
}

/// Places between which the first step after `instant` is, where one before and one after it is
/// there. They are guessed, as if steps came at an even pace, and then looked for at growing
/// distance. Halving is simpler, but out of cache each step that it looks at is waited for: a
/// search among 1,000 steps took 1,035 ns and takes 609, in cache as long as before.
fn near(steps: &[Step], instant: Minute) -> (usize, usize) {
    let (mut low, mut high, mut guess) = (0, steps.len() - 1, 0);
    for _ in 0..GUESSES {
        guess = between(steps, low, high, instant);
        if steps[guess].from <= instant { low = guess } else { high = guess }
    }
    let (is_low, mut width) = (low == guess, STEPS_IN_LINE);
    while high - low > width {
        let place = if is_low { low + width } else { high - width };
        let is_before = steps[place].from <= instant;
        if is_before {
            low = place;
        } else {
            high = place;
        }
        if is_before != is_low {
            break;
        }
        width *= 2;
    }
    (low, high)
}

/// The place of `instant` between two steps, if those between them came at an even pace.
fn between(steps: &[Step], low: usize, high: usize, instant: Minute) -> usize {
    let part = |until: Minute| u64::try_from(until.since(steps[low].from)).expect("it is later");
    let (done, whole) = (part(instant), part(steps[high].from));
    let ahead = done * u64::try_from(high - low).expect("a 64-bit length") / whole;
    low + usize::try_from(ahead).expect("no more than there are")
}

fn plus(count: i32, by: i32) -> i32 {
    count.checked_add(by).expect("counts are of GPUs in one market")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: i64 = 48;

    fn window(start: i64, end: i64) -> Window {
        Window::new(Minute::new(start), Minute::new(end)).expect("a window")
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_nothing() {
        let mut schedule = Schedule::flat(window(10, 20), 8);
        schedule.add(window(12, 14), -8);
        assert_eq!(schedule.min_over(window(10, 12)), 8);
        assert_eq!(schedule.min_over(window(10, 13)), 0);
        schedule.add(window(12, 14), 8);
        assert_eq!(schedule, Schedule::flat(window(10, 20), 8));
        schedule.add(window(10, 20), -8);
        assert!(schedule.is_empty());
    }

    fn changes() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
        prop::collection::vec((0..SPAN - 1, 1..SPAN, -3..4_i64), 0..24)
    }

    /// The oracle: an array of minutes.
    fn both(changes: &[(i64, i64, i64)]) -> (Schedule, Vec<i64>) {
        let mut schedule = Schedule::empty();
        let mut minutes = vec![0; usize::try_from(SPAN).expect("small")];
        for &(start, length, by) in changes {
            let end = (start + length).min(SPAN);
            schedule.add(window(start, end), by);
            for minute in start..end {
                minutes[usize::try_from(minute).expect("small")] += by;
            }
        }
        (schedule, minutes)
    }

    proptest! {
        #[test]
        fn equals_an_array_of_minutes(
            changes in changes(), start in 0..SPAN - 1, length in 1..SPAN, count in 0..4_i64,
            slot in 1..5_u32, latest in 0..SPAN,
        ) {
            let (schedule, minutes) = both(&changes);
            let at = |minute: i64| {
                let place = usize::try_from(minute).ok();
                place.and_then(|place| minutes.get(place)).copied().unwrap_or(0)
            };
            for minute in -1..=SPAN {
                prop_assert_eq!(schedule.at(Minute::new(minute)), at(minute));
            }
            let asked = window(start, start + length);
            let least = (start..start + length).map(at).min();
            prop_assert_eq!(Some(schedule.min_over(asked)), least);
            let covered: i64 = schedule.within(asked).map(|stretch| stretch.window.minutes()).sum();
            prop_assert_eq!(covered, length);
            for stretch in schedule.within(asked) {
                for minute in stretch.window.start().count()..stretch.window.end().count() {
                    prop_assert_eq!(stretch.count, at(minute));
                }
            }
            let fit = (start..=latest)
                .filter(|minute| Minute::new(*minute).is_aligned(slot))
                .find(|minute| (*minute..minute + length).all(|minute| at(minute) >= count))
                .map(Minute::new);
            let found = schedule.earliest_fit(
                Minute::new(start), Minute::new(latest), length, slot, count,
            );
            prop_assert_eq!(found, fit);
        }

        #[test]
        fn a_place_is_found_at_whatever_pace_steps_come(
            gaps in prop::collection::vec((0..20_u32, 1..4_i64), 3..400), asked in 0.0..1.0_f64,
        ) {
            let mut from = 0;
            let steps = gaps.iter().enumerate().map(|(place, (power, times))| {
                from += times << power;
                Step { from: Minute::new(from), count: i32::from(place % 2 == 0) }
            });
            let schedule = Schedule { steps: steps.collect() };
            let any = gaps.len() * 7 / 11;
            #[expect(clippy::cast_possible_truncation, reason = "a minute")]
            let minute = (asked * f64::from(u32::try_from(from).expect("small"))) as i64;
            let at_steps = [0, any, gaps.len() - 1].map(|place| schedule.steps[place].from);
            for instant in at_steps.into_iter().chain([Minute::new(minute)]) {
                for instant in [instant.plus(-1), instant, instant.plus(1)] {
                    let halved = schedule.steps.partition_point(|step| step.from <= instant);
                    prop_assert_eq!(schedule.after(instant), halved);
                    let halved = schedule.steps.partition_point(|step| step.from < instant);
                    prop_assert_eq!(schedule.at_or_after(instant), halved);
                }
            }
        }

        #[test]
        fn many_at_once_are_one_after_the_other(before in changes(), then in changes()) {
            let (mut at_once, _) = both(&before);
            let (one_by_one, _) = both(&[before, then.clone()].concat());
            let change = |&(start, length, by): &(i64, i64, i64)| {
                Change::within(window(start, (start + length).min(SPAN)), by)
            };
            let mut changes: Vec<Change> = then.iter().flat_map(change).collect();
            at_once.add_many(&mut changes);
            prop_assert_eq!(at_once, one_by_one);
        }

        #[test]
        fn forgetting_the_past_keeps_the_future(changes in changes(), from in 0..SPAN) {
            let (schedule, _) = both(&changes);
            let mut trimmed = schedule.clone();
            trimmed.forget_before(Minute::new(from));
            for minute in from..=SPAN {
                prop_assert_eq!(trimmed.at(Minute::new(minute)), schedule.at(Minute::new(minute)));
            }
            let since = schedule.since(Minute::new(from));
            prop_assert_eq!(&since, &trimmed.since(Minute::new(from)));
            for minute in -1..=SPAN {
                let kept = if minute < from { 0 } else { schedule.at(Minute::new(minute)) };
                prop_assert_eq!(since.at(Minute::new(minute)), kept);
            }
            let last = (0..SPAN).rev().find(|minute| schedule.at(Minute::new(*minute)) != 0);
            prop_assert_eq!(schedule.end(), last.map(|minute| Minute::new(minute + 1)));
        }
    }
}
