//! Floor 2, the memory: the only room that knows diesel. Writes whole batches of facts, loads the engine's
//! snapshot, reads pages for GET. Knows no rule of the market; never adds money.

pub mod chain;
pub mod read;

use crate::engine::effect::Effects;
use crate::engine::snapshot::Snapshot;
use crate::engine::{Actor, Key};
use crate::model::Micros;
use uuid::Uuid;

/// Our machinery failed: nothing is known to have happened.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database refused or could not be reached.
    #[error("the database failed: {0}")]
    Database(String),
    /// Another process has written, or the lock is lost: this one may not write any more.
    #[error("another writer owns this database")]
    Deposed,
    /// What the database holds is not what this program wrote.
    #[error("the database holds what cannot be read: {0}")]
    Corrupt(String),
}

/// Who did what, for the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// The command's number.
    pub seq: u64,
    pub at: Micros,
    pub actor: Actor,
    pub request: Uuid,
    /// The command's verb.
    pub verb: &'static str,
    /// The command as JSON, without secrets.
    pub what: String,
    /// What it changed: a JSON array of `{subject, before, after}`; `None` when it only created.
    pub changes: Option<String>,
}

/// The first answer under an idempotency key, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    pub key: Key,
    pub status: u16,
    /// The headers that belong to the answer (`Location`, `ETag`), as lines `name: value`.
    pub headers: String,
    pub body: Vec<u8>,
}

/// One commit: what a batch of commands made true, and its place in the chain.
#[derive(Debug)]
pub struct Batch {
    /// The commit's number: one more than the last one.
    pub number: u64,
    /// The engine's `seq` after the batch.
    pub seq: u64,
    pub effects: Effects,
    pub audit: Vec<AuditRecord>,
    /// For each of `effects.kept`, in the same order.
    pub answers: Vec<KeptAnswer>,
    /// SHA-256 over the previous commit's hash and this batch's audit records.
    pub hash: [u8; 32],
}

/// What a store knows at start.
#[derive(Debug)]
pub struct Loaded {
    pub snapshot: Snapshot,
    /// The last commit's number; 0 in a new database.
    pub number: u64,
    pub hash: [u8; 32],
}

/// A place that survives. Its second implementor is the simulator's faulty store.
pub trait Durable: Send {
    /// Writes one batch, all or nothing, on disk when it returns.
    ///
    /// # Errors
    /// After any error it is unknown whether the batch is there: forget and load again.
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault>;

    /// Everything that can still change.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    fn load(&mut self) -> Result<Loaded, Fault>;
}
