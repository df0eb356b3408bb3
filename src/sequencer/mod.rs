//! Floor 3, the one writer: drain what waits, stamp, apply, commit, publish, answer. Decides
//! nothing.
//!
//! Three threads. The *writer* owns the engine and decides batches; the *committer* owns the store
//! and writes them; the *settler* waits until they are on disk, and only then publishes the new
//! [`View`] and answers the callers. While one batch is waited for the next is written, and a third
//! decided, which grows until the committer is free.
//!
//! When a commit fails, nobody knows what is on disk: everything that is not settled is answered
//! [`Fault::InDoubt`], the engine is dropped, and all begins anew from the store, by the very
//! function that starts up.
//!
//! The same three can be turned by hand, on one thread and in any order: see [`Crank`].
//!
//! A writer that stands by is one that waits for that load: until the store lets it, it shows who
//! may act and what is traded, and turns commands away with [`Fault::Standby`].

mod clock;
mod committer;
mod crank;
mod desk;
mod inbox;
mod settler;
mod writer;

use uuid::Uuid;

use crate::engine::{Actor, Answer, Command, Key, Refusal};
use crate::model::Micros;
pub use crate::view::View;
pub use clock::{Clock, Pace, Stopwatch};
pub use crank::Crank;
pub use desk::Desk;
pub use writer::{start, start_or_stand_by};

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

/// Why there is no answer. A retry with the same key is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The writer's inbox is full. Nothing has happened.
    #[error("too many requests are waiting")]
    Busy,
    /// The commit failed or is in doubt; the writer is restoring itself from the store. What was
    /// asked may have happened.
    #[error("the database did not confirm the write")]
    InDoubt,
    /// The server is stopping or restoring itself. Nothing has happened.
    #[error("this server takes no writes now")]
    Closed,
    /// Another server is the writer. Nothing has happened.
    #[error("another server takes the writes")]
    Standby,
}

/// Why the writer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to, and everything it had taken in is on disk.
    Stopped,
    /// Another process has taken the database over; this one must not write again.
    Deposed,
    /// An assertion failed: the code is wrong. The process must start anew from the store.
    Broken,
}
