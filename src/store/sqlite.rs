//! SQLite: the database file, its settings, the writer's lock file, migrations.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use diesel::connection::{Connection, SimpleConnection};
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::Fault;
use super::link::fault;
use super::postgres::bring_up_to_date;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Settings of every connection. WAL: readers never wait for the writer. Waiting for a lock is
/// bounded.
const SETTINGS: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -65536;";

/// Settings of the writer. `synchronous = NORMAL`: SQLite itself brings the log on disk only before
/// it copies it back, and the database before it begins the log anew, so that what is on disk is
/// whole at any moment; each commit is brought there by [`super::flush`], off this connection's
/// thread. (With `FULL` this thread waited a quarter of its time.) The log is copied back every
/// 20,000 pages (80 MiB) instead of 1,000, which writes hot pages less often. The cache is small,
/// as a commit that has split a page looks at every page in it (for pages past the end of the
/// file): with 8 MiB instead of 64 the store commits a tenth more.
const WRITER_SETTINGS: &str = "
    PRAGMA cache_size = -8192;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 20000;";

/// Readers cannot write, whatever they are asked.
const READER_SETTINGS: &str = "PRAGMA query_only = ON;";

/// Reads `sqlite://path`: `sqlite://headroom.db` lies in the working directory,
/// `sqlite:///var/lib/h.db` is absolute. There is no database in memory: what was acknowledged must
/// survive.
///
/// # Errors
/// A sentence that says what is missing.
pub fn path(url: &str) -> Result<PathBuf, Fault> {
    let path = url.strip_prefix("sqlite://").unwrap_or_default();
    if path.is_empty() {
        return Err(Fault::Address("a SQLite address needs a path: sqlite://file.db".to_owned()));
    }
    if path.contains(":memory:") || path.contains('?') {
        let sentence = "a SQLite database is a plain file here: no :memory:, no parameters";
        return Err(Fault::Address(sentence.to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Takes the lock that makes this process the writer: a file beside the database, locked while it
/// is open. The operating system lets go of it however the process ends.
///
/// # Errors
/// [`Fault::Deposed`] when another process holds it.
pub fn lock(path: &Path) -> Result<File, Fault> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| no_file(folder, &error))?;
    }
    let beside = beside(path, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(|error| no_file(&beside, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::Deposed),
        Err(TryLockError::Error(error)) => Err(no_file(&beside, &error)),
    }
}

/// Where SQLite keeps the log of a database; the file is there as long as a writer is.
pub fn log(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    PathBuf::from(beside)
}

/// Opens the file for writing and brings its schema up to date. The caller holds the lock.
///
/// # Errors
/// When it cannot be opened, is not a database, or is from a newer program.
pub fn open_writer(path: &Path) -> Result<SqliteConnection, Fault> {
    let mut link = open(path, SETTINGS)?;
    link.batch_execute(WRITER_SETTINGS).map_err(fault)?;
    bring_up_to_date(&mut link, MIGRATIONS)?;
    // A file that cannot be written is opened all the same. Better to hear of it now.
    link.batch_execute("BEGIN IMMEDIATE; UPDATE meta SET id = id; ROLLBACK")
        .map_err(|error| no_file(path, &error))?;
    // What a disk has once refused to take from the log, it may say it has when asked again. Copied
    // into the database it is written anew.
    link.batch_execute("PRAGMA wal_checkpoint(PASSIVE)").map_err(|error| no_file(path, &error))?;
    Ok(link)
}

/// Opens the file for reading.
///
/// # Errors
/// When there is no such file, or it is not a database.
pub fn open_reader(path: &Path) -> Result<SqliteConnection, Fault> {
    if !path.exists() {
        return Err(Fault::Database(format!("there is no database at {}", path.display())));
    }
    let mut link = open(path, SETTINGS)?;
    link.batch_execute(READER_SETTINGS).map_err(fault)?;
    Ok(link)
}

/// Opens a file to copy it: as for reading, but that SQLite counts the copy as writing.
///
/// # Errors
/// As [`open_reader`].
pub fn open_to_copy(path: &Path) -> Result<SqliteConnection, Fault> {
    drop(open_reader(path)?);
    open(path, SETTINGS)
}

/// Opens an empty file to fill it, and makes the schema. Nobody reads it until it is full, and
/// then it is written to disk as a whole: no log, no waiting for the disk meanwhile.
///
/// # Errors
/// When it cannot be opened or written.
pub fn open_fresh(path: &Path) -> Result<SqliteConnection, Fault> {
    let mut link = open(path, SETTINGS)?;
    link.batch_execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(fault)?;
    bring_up_to_date(&mut link, MIGRATIONS)?;
    Ok(link)
}

/// Copies the log back into the database file, as far as readers permit.
///
/// # Errors
/// When the disk refuses.
pub fn checkpoint(link: &mut SqliteConnection) -> Result<(), Fault> {
    link.batch_execute("PRAGMA wal_checkpoint(TRUNCATE);").map_err(fault)
}

fn open(path: &Path, settings: &str) -> Result<SqliteConnection, Fault> {
    let name = path
        .to_str()
        .ok_or_else(|| Fault::Address(format!("the path {} is not valid UTF-8", path.display())))?;
    let mut link = SqliteConnection::establish(name).map_err(|error| no_file(path, &error))?;
    link.batch_execute(settings).map_err(|error| no_file(path, &error))?;
    Ok(link)
}

fn no_file(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::Database(format!("cannot use {}: {error}", path.display()))
}
