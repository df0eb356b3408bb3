//! `headroom backup` and `headroom restore`: a market as one file, and back.
//!
//! The file is a SQLite database, whichever database the market lives in: one kind of backup to
//! keep, which `headroom verify` can look at where it lies, and a way from one database to the
//! other. It appears under its name when it is whole and on disk, and never replaces another one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::store::{self, copy};

/// Why there is no backup, or none was brought back.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0} is there already; nothing was written over it")]
    Exists(String),
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error(transparent)]
    Store(#[from] store::Fault),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The last commit in it.
    pub commit: u64,
    /// The size of the file; 0 where it went into PostgreSQL.
    pub bytes: u64,
}

/// Writes the market at `database` into the file `out`, beside a running server if need be.
///
/// # Errors
/// See [`Fault`]. Then nothing is left behind.
pub fn save(database: &str, out: &Path, told: copy::Told<'_>) -> Result<Copied, Fault> {
    refuse_if_there(out)?;
    let partial = Partial::beside(out)?;
    let commit = copy::save(database, &partial.path, told)?;
    let bytes = partial.publish(out)?;
    Ok(Copied { commit, bytes })
}

/// Brings a backup back into `database`, in which there is no market yet.
///
/// # Errors
/// See [`Fault`]. Then nothing is left behind.
pub fn restore(from: &Path, database: &str, told: copy::Told<'_>) -> Result<Copied, Fault> {
    let Some(file) = copy::file_of(database)? else {
        let commit = copy::bring_back(from, database, from, told)?;
        return Ok(Copied { commit, bytes: 0 });
    };
    refuse_if_there(&file)?;
    // A log without its database is what is left of one that somebody may still want.
    refuse_if_there(&copy::log_of(&file))?;
    let partial = Partial::beside(&file)?;
    let commit = copy::bring_back(from, database, &partial.path, told)?;
    let bytes = partial.publish(&file)?;
    Ok(Copied { commit, bytes })
}

fn refuse_if_there(path: &Path) -> Result<(), Fault> {
    match path.symlink_metadata() {
        Ok(_) => Err(Fault::Exists(path.display().to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(path, error)),
    }
}

fn at(path: &Path, error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Fault::Exists(path.display().to_string()),
        _ => Fault::File(path.display().to_string(), error),
    }
}

/// A file that is being written, under a name of its own. Dropped before it is published, it goes.
struct Partial {
    path: PathBuf,
}

impl Partial {
    /// An empty file, for its owner's eyes only.
    fn beside(out: &Path) -> Result<Self, Fault> {
        let mut name = out.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|error| at(&path, error))?;
        Ok(Self { path })
    }

    /// Writes it to disk and gives it its name, unless something has it meanwhile.
    fn publish(self, out: &Path) -> Result<u64, Fault> {
        let here = |error| at(&self.path, error);
        let file = File::open(&self.path).map_err(here)?;
        file.sync_all().map_err(here)?;
        let bytes = file.metadata().map_err(here)?.len();
        // Unlike a renaming, a second name never replaces anything.
        fs::hard_link(&self.path, out).map_err(|error| at(out, error))?;
        fs::remove_file(&self.path).map_err(here)?;
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| at(folder, error))?;
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Published, there is nothing under this name any more.
        fs::remove_file(&self.path).ok();
    }
}
