//! Idempotency: which keys were seen, with which content. The answers themselves are in the
//! database.
//!
//! Knows digests only: what a key was, who used it and for what is not to be had back from here.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::command::Key;
use super::effect::Effects;
use crate::model::{Micros, limits};

/// A key that was used, until it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub key: Key,
    /// The command that was decided under it.
    pub seq: u64,
    pub expires_at: Micros,
}

/// Keys seen within their retention. A key costs some hundred bytes, whatever its length was.
#[derive(Debug, Default)]
pub struct Memory {
    /// By name.
    seen: BTreeMap<u128, Seen>,
    /// In the order in which they will be forgotten, which is the order in which they came.
    queue: VecDeque<Waiting>,
}

/// What a key was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) fingerprint: u128,
    /// The command that was decided under it: where the store keeps its answer.
    pub(super) seq: u64,
}

/// A key's place in the queue. What it was used for is not repeated here.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    expires_at: Micros,
    name: u128,
}

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

impl Memory {
    /// The memory that holds these keys, oldest first. All at once: a tree of what is sorted is
    /// made in a fraction of the time.
    ///
    /// # Panics
    /// When they are not in order, or one is there twice.
    pub(super) fn from_kept(kept: &[Kept]) -> Self {
        let is_ordered = kept.is_sorted_by_key(|one| one.expires_at);
        assert!(is_ordered, "keys come in order of time");
        let seen: BTreeMap<u128, Seen> = kept.iter().map(Kept::seen).collect();
        assert_eq!(seen.len(), kept.len(), "a key is kept once");
        Self { seen, queue: kept.iter().map(Kept::waiting).collect() }
    }

    /// The keys whose time has not run out at `now`, oldest first.
    pub(super) fn kept(&self, now: Micros) -> impl Iterator<Item = Kept> {
        self.queue.iter().filter(move |waiting| waiting.expires_at > now).map(|waiting| {
            let &Waiting { expires_at, name } = waiting;
            let Seen { fingerprint, seq } = self.seen[&name];
            Kept { key: Key { name, fingerprint }, seq, expires_at }
        })
    }

    /// What this key was used for before, if it was.
    pub(super) fn recall(&self, key: Key) -> Option<Seen> {
        self.seen.get(&key.name).copied()
    }

    /// Remembers a key for [`limits::KEY_DAYS`].
    ///
    /// # Panics
    /// When the key is remembered already: it was to be recalled first.
    pub(super) fn keep(&mut self, key: Key, seq: u64, at: Micros, out: &mut Effects) {
        let expires_at = at.plus_secs(limits::KEY_DAYS * SECONDS_PER_DAY);
        let kept = Kept { key, seq, expires_at };
        self.hold(kept);
        out.kept.push(kept);
    }

    /// Forgets what has expired, at most [`limits::KEYS_FORGOTTEN_PER_TICK`] at a time. Forgetting
    /// is no fact: the store drops its rows by their own date.
    pub(super) fn forget(&mut self, now: Micros) {
        for _ in 0..limits::KEYS_FORGOTTEN_PER_TICK {
            let is_over = self.queue.front().is_some_and(|first| first.expires_at <= now);
            if !is_over {
                return;
            }
            let first = self.queue.pop_front().expect("it was just looked at");
            self.seen.remove(&first.name);
        }
    }

    fn hold(&mut self, kept: Kept) {
        let last = self.queue.back();
        assert!(
            last.is_none_or(|last| last.expires_at <= kept.expires_at),
            "keys come in order of time"
        );
        let (name, seen) = kept.seen();
        let before = self.seen.insert(name, seen);
        assert!(before.is_none(), "a key is kept once");
        self.queue.push_back(kept.waiting());
    }
}

impl Kept {
    fn seen(&self) -> (u128, Seen) {
        let Self { key, seq, expires_at: _ } = *self;
        (key.name, Seen { fingerprint: key.fingerprint, seq })
    }

    fn waiting(&self) -> Waiting {
        Waiting { expires_at: self.expires_at, name: self.key.name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = SECONDS_PER_DAY;

    fn key(name: u128) -> Key {
        Key { name, fingerprint: name + 1_000 }
    }

    fn fingerprint(memory: &Memory, key: Key) -> Option<u128> {
        memory.recall(key).map(|seen| seen.fingerprint)
    }

    fn after(seconds: i64) -> Micros {
        Micros::new(0).plus_secs(seconds)
    }

    #[test]
    fn a_key_is_recalled_until_its_thirty_days_are_over() {
        let (mut memory, mut out) = (Memory::default(), Effects::default());
        assert_eq!(fingerprint(&memory, key(7)), None);
        memory.keep(key(7), 1, after(0), &mut out);
        assert_eq!(out.kept, [Kept { key: key(7), seq: 1, expires_at: after(30 * DAY) }]);
        for (now, recalled) in [(30 * DAY - 1, Some(1_007)), (30 * DAY, None)] {
            memory.forget(after(now));
            assert_eq!(fingerprint(&memory, key(7)), recalled, "after {now} s");
        }
        memory.keep(key(7), 2, after(30 * DAY), &mut out);
        assert_eq!(fingerprint(&memory, key(7)), Some(1_007));
    }

    #[test]
    fn the_first_fingerprint_is_the_one_that_counts() {
        let (mut memory, mut out) = (Memory::default(), Effects::default());
        memory.keep(key(7), 1, after(0), &mut out);
        assert_eq!(fingerprint(&memory, Key { name: 7, fingerprint: 1 }), Some(1_007));
    }

    #[test]
    fn forgetting_is_bounded() {
        let (mut memory, mut out) = (Memory::default(), Effects::default());
        let most = u128::try_from(limits::KEYS_FORGOTTEN_PER_TICK).expect("a small number");
        for name in 0..=most {
            memory.keep(key(name), 1, after(0), &mut out);
        }
        memory.forget(after(31 * DAY));
        assert_eq!(fingerprint(&memory, key(most - 1)), None);
        assert_eq!(fingerprint(&memory, key(most)), Some(most + 1_000));
        memory.forget(after(31 * DAY));
        assert_eq!(fingerprint(&memory, key(most)), None);
        assert!(memory.seen.is_empty() && memory.queue.is_empty());
    }

    #[test]
    fn what_is_kept_rebuilds_the_memory() {
        let (mut memory, mut out) = (Memory::default(), Effects::default());
        for name in [9, 3, 5] {
            memory.keep(key(name), 1, after(i64::try_from(out.kept.len()).unwrap()), &mut out);
        }
        let kept: Vec<Kept> = memory.kept(after(0)).collect();
        assert_eq!(kept, out.kept, "oldest first");
        let rebuilt = Memory::from_kept(&kept);
        assert_eq!(rebuilt.kept(after(0)).collect::<Vec<_>>(), kept);
        assert_eq!(fingerprint(&rebuilt, key(3)), Some(1_003));
        let left: Vec<Kept> = memory.kept(after(30 * DAY)).collect();
        assert_eq!(left, kept[1..], "what has run out is not kept, forgotten or not");
    }
}
