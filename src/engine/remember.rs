//! Idempotency: which keys were seen, with which content. The answers themselves are in the database.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::command::Key;
use super::effect::Effects;
use crate::model::Micros;

/// A key that was used, until it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub key: Key,
    /// The command that was decided under it.
    pub seq: u64,
    pub expires_at: Micros,
}

/// Keys seen within their retention.
#[derive(Debug, Default)]
pub struct Memory {
    /// Fingerprint by name.
    pub(super) seen: BTreeMap<u128, u128>,
    /// In the order in which they will be forgotten.
    pub(super) queue: VecDeque<(Micros, u128)>,
}

impl Memory {
    /// The fingerprint under which this key was used before, if it was.
    pub(super) fn recall(&self, _key: Key) -> Option<u128> {
        todo!()
    }

    /// Remembers a key for [`crate::model::limits::KEY_DAYS`].
    pub(super) fn keep(&mut self, _key: Key, _seq: u64, _at: Micros, _out: &mut Effects) {
        todo!()
    }

    /// Forgets what has expired, a bounded number at a time. Forgetting is no fact: the store drops its
    /// rows by their own date.
    pub(super) fn forget(&mut self, _now: Micros) {
        todo!()
    }
}
