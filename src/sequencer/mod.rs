//! Floor 3, the one writer: drain what waits, stamp, apply, commit, publish, answer. Decides nothing.

mod clock;

use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

pub use clock::Clock;

use crate::engine::{Actor, Answer, Command, Key, Refusal};
use crate::model::Micros;
pub use crate::view::View;

/// A command on its way to the writer.
#[derive(Debug)]
pub struct Errand {
    pub actor: Actor,
    pub request: Uuid,
    pub key: Option<Key>,
    pub command: Command,
}

/// What came of it. Nothing here was shown before it was on disk.
#[derive(Debug)]
pub struct Done {
    pub outcome: Result<Answer, Refusal>,
    /// The instant at which it was decided.
    pub at: Micros,
    /// The answer as it was written down under its key, when it had one and was not `Known`.
    pub written: Option<Written>,
}

/// An answer as the door sends it: made once, kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub status: u16,
    /// `Location` and `ETag`, as lines `name: value`.
    pub headers: String,
    pub body: Vec<u8>,
}

/// Writes answers in the door's words; given to the sequencer at start, so that it knows no door.
pub type Scribe = fn(&Result<Answer, Refusal>, Uuid, Micros) -> Written;

/// Why there is no answer. Nothing is known to have happened; a retry with the same key is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The writer's inbox is full.
    #[error("too many requests are waiting")]
    Busy,
    /// The commit failed or is in doubt; the writer is restoring itself from the store.
    #[error("the database did not confirm the write")]
    InDoubt,
    /// The server is stopping, or this is a standby.
    #[error("this server takes no writes now")]
    Closed,
}

/// Where commands are handed in and the market's present is seen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {}

impl Desk {
    /// Hands in a command and waits until what came of it is on disk.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn submit(&self, _errand: Errand) -> Result<Done, Fault> {
        todo!()
    }

    /// As `submit`, for threads outside a runtime.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn submit_blocking(&self, _errand: Errand) -> Result<Done, Fault> {
        todo!()
    }

    /// The market as of the last commit.
    pub fn view(&self) -> Arc<View> {
        todo!()
    }

    /// The number of each commit, once its view is published.
    pub fn commits(&self) -> watch::Receiver<u64> {
        todo!()
    }

    /// The market's clock.
    pub fn clock(&self) -> &Clock {
        todo!()
    }

    /// Whether commands are taken now.
    pub fn is_ready(&self) -> bool {
        todo!()
    }

    /// Moves a simulated clock to `to` (never back), meeting every deadline on the way at its own
    /// instant. Answers where the clock stands then. A system clock does not move: `Fault::Closed`.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn advance(&self, _to: Micros) -> Result<Micros, Fault> {
        todo!()
    }
}
