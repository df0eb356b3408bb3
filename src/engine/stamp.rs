//! What the market is told beside a command: when it is applied, who asks, under which key.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::id::{KeyId, UserId};
use crate::model::{Micros, Minute};

/// Everything about a command that is not its content: when, who, under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The instant at which the command is applied. The sequencer never lets it run backwards.
    pub at: Micros,
    /// The number of this command in the one order of all commands.
    pub seq: u64,
    pub actor: Actor,
    /// The request that carried the command, for the audit trail and the events.
    pub request: Uuid,
    /// The idempotency key, if the caller gave one.
    pub key: Option<Key>,
}

impl Stamp {
    /// The minute of the market at which the command is applied.
    pub fn now(&self) -> Minute {
        self.at.minute()
    }

    /// The first whole minute at or after the instant: nothing new can begin before it.
    pub fn next_minute(&self) -> Minute {
        let begun = self.at.minute();
        if begun.micros() == self.at { begun } else { begun.plus(1) }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The market itself: time passing, first start.
    System,
    /// Nobody who has signed in: sign-up, accepting an invitation, opening a session.
    Anonymous,
    User(UserId),
    Key(KeyId),
}

/// An idempotency key as the engine knows it: digests, so that it costs the same whatever its
/// length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Digest of organization, method, path and the caller's key.
    pub name: u128,
    /// Digest of the request's body.
    pub fingerprint: u128,
}
