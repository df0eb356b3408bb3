//! Floor 2, the memory: the only room that knows diesel. Writes whole batches of facts, loads the
//! engine's snapshot, reads pages for GET. Knows no rule of the market; never adds money.
//!
//! Two databases, one code: SQLite (in the process, the default) and PostgreSQL (for production). A
//! table's columns are declared once (`rows`), a query is written once (`link`), the schemas are
//! twins (`migrations/`); only `step` has two ways of writing.

pub mod chain;
pub mod check;
pub mod copy;
mod flush;
mod lease;
mod link;
mod load;
mod packing;
mod postgres;
pub mod read;
mod rows;
mod schema;
mod sqlite;
mod step;
mod write;

pub use check::check;
pub use flush::Flush;
pub use read::Reader;
pub use write::Writer;

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::effect::Effects;
use crate::engine::snapshot::Snapshot;
use crate::engine::{Actor, Key};
use crate::model::Micros;
use uuid::Uuid;

/// Our machinery failed: nothing is known to have happened.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database's address cannot be used. The sentence does not repeat it: it may hold a
    /// password.
    #[error("DATABASE_URL: {0}")]
    Address(String),
    /// The database refused or could not be reached.
    #[error("the database failed: {0}")]
    Database(String),
    /// Another process has written, or the lock is lost: this one may not write any more.
    #[error("another writer owns this database")]
    Deposed,
    /// A newer program has changed the schema; it names the first change that this one does not
    /// know.
    #[error("the database belongs to a newer version of this program (its schema has {0})")]
    Newer(String),
    /// A market is there already, and what would be brought in has no place.
    #[error("there is a market in this database already")]
    Taken,
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
    /// [`chain::link`] over the previous commit's hash and this batch's audit records.
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

    /// As `commit`, but waiting for the disk may be left to another thread, so that the next batch
    /// is written meanwhile: this one is on disk once the [`Flush`] is done, or one of a later
    /// batch.
    ///
    /// # Errors
    /// As `commit`; the same holds after an error of the `Flush`, for all batches since the last
    /// one that was done.
    fn write(&mut self, batch: &Batch) -> Result<Option<Flush>, Fault> {
        self.commit(batch).map(|()| None)
    }

    /// Everything that can still change.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    fn load(&mut self) -> Result<Loaded, Fault>;

    /// Asked while there is nothing to commit: whether this is still the one that may.
    ///
    /// # Errors
    /// When it is not, or nobody knows: forget and load again.
    fn holds(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// While another one may write: who may act and what is traded, as they are by now; the rest
    /// of the snapshot is empty. `None` when no commit has come after number `seen`.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    fn glimpse(&mut self, seen: Option<u64>) -> Result<Option<Loaded>, Fault> {
        let _: Option<u64> = seen;
        Ok(None)
    }
}

/// Where the database is. Its debug form shows no password.
#[derive(Debug, Clone)]
enum Place {
    Sqlite(PathBuf),
    Postgres(Box<postgres::Address>),
}

impl Place {
    fn read(url: &str) -> Result<Self, Fault> {
        if url.starts_with("sqlite:") {
            Ok(Place::Sqlite(sqlite::path(url)?))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Place::Postgres(Box::new(postgres::Address::read(url)?)))
        } else {
            let sentence = "it starts with sqlite:// or postgres://";
            Err(Fault::Address(sentence.to_owned()))
        }
    }
}

/// Opens a database for writing: `sqlite://path` (made when it is not there) or
/// `postgres://user:password@host/database`. Takes the writer's lock, brings the schema up to date,
/// and makes a pool of read connections beside it. Blocking: not to be called from async code.
///
/// # Errors
/// A sentence for the person who started the server: a bad address, a server that does not answer
/// or refuses, [`Fault::Deposed`] when another process writes here, [`Fault::Newer`] for a newer
/// schema.
pub fn open(url: &str) -> Result<(Writer, Reader), Fault> {
    let (place, progress) = (Place::read(url)?, Arc::default());
    let writer = Writer::open(place.clone(), Arc::clone(&progress))?;
    Ok((writer, Reader::of(place, progress)))
}

/// As [`open`], beside another writer if there is one: while there is, [`Durable::load`] answers
/// [`Fault::Deposed`], and a writer that gives no sign of life loses its place.
///
/// # Errors
/// As [`open`], but for that.
pub fn open_or_stand_by(url: &str) -> Result<(Writer, Reader), Fault> {
    let (place, progress) = (Place::read(url)?, Arc::default());
    let writer = Writer::stand_by(place.clone(), Arc::clone(&progress));
    Ok((writer, Reader::of(place, progress)))
}

/// Opens a database to look at it only, beside whoever writes.
///
/// # Errors
/// As [`open`], and when there is no database yet.
pub fn open_to_read(url: &str) -> Result<Reader, Fault> {
    let reader = Reader::of(Place::read(url)?, Arc::default());
    reader.test()?;
    Ok(reader)
}
