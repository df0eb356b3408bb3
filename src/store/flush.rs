//! What is written and what of it is on disk, where the two are not the same: SQLite writes a
//! commit into its log, and another thread waits for the disk while the next one is written. Until
//! then nobody is answered, and nobody is shown what was read. (Another process that looks into
//! the file, as `verify` and `export` do, may see a commit in the instant before the disk has it.)
//! Knows numbers of commits and a file.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::Fault;

/// Waits until everything that was written before it was made is on disk.
pub type Flush = Box<dyn FnOnce() -> Result<(), Fault> + Send>;

/// How long a reader waits for the disk. Longer is a disk that has failed: the writer loads again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The numbers of the last commit that readers may see and of the last one on disk. A store's
/// writer and its readers share it; of one that is on disk when it can be seen it says nothing.
#[derive(Debug, Default)]
pub struct Progress {
    written: AtomicU64,
    on_disk: Mutex<u64>,
    moved: Condvar,
}

impl Progress {
    /// This commit may be seen by readers from now on.
    fn show(&self, number: u64) {
        self.written.store(number, Ordering::SeqCst);
    }

    /// This commit has failed: nobody sees it.
    fn hide(&self, number: u64) {
        self.written.store(number - 1, Ordering::SeqCst);
    }

    /// Everything up to this commit is on disk.
    fn reach(&self, number: u64) {
        let mut on_disk = self.on_disk();
        *on_disk = number.max(*on_disk);
        self.moved.notify_all();
    }

    /// Waits until everything that a reader may have seen by now is on disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn wait(&self) -> Result<(), Fault> {
        let seen = self.written.load(Ordering::SeqCst);
        let (on_disk, _) = self
            .moved
            .wait_timeout_while(self.on_disk(), PATIENCE, |on_disk| *on_disk < seen)
            .expect("nobody panics while holding it");
        if *on_disk < seen {
            return Err(Fault::Database("what was read is not on disk".to_owned()));
        }
        Ok(())
    }

    fn on_disk(&self) -> MutexGuard<'_, u64> {
        self.on_disk.lock().expect("nobody panics while holding it")
    }
}

/// SQLite's log, of a session that writes.
#[derive(Debug)]
pub struct Log {
    file: Arc<File>,
    progress: Arc<Progress>,
}

impl Log {
    /// Opens the log at `path`, and brings on disk what is in it: of a process that was killed, or
    /// of a disk that refused.
    ///
    /// # Errors
    /// When it is not there, or the disk does not take it.
    pub fn open(path: &Path, progress: Arc<Progress>) -> Result<Self, Fault> {
        let named = |error| Fault::Database(format!("cannot use {}: {error}", path.display()));
        let file = File::open(path).map_err(named)?;
        file.sync_data().map_err(named)?;
        progress.reach(progress.written.load(Ordering::SeqCst));
        Ok(Self { file: Arc::new(file), progress })
    }

    /// What remains to be done for this commit, which is in the log. (A log that was copied back
    /// into the database since then was brought on disk before.)
    pub fn flush(&self, number: u64) -> Flush {
        let (file, progress) = (Arc::clone(&self.file), Arc::clone(&self.progress));
        Box::new(move || {
            let synced = file.sync_data();
            synced.map_err(|error| Fault::Database(format!("the log is not on disk: {error}")))?;
            progress.reach(number);
            Ok(())
        })
    }

    /// See [`Progress::show`].
    pub fn show(&self, number: u64) {
        self.progress.show(number);
    }

    /// This commit has failed, shown or not: readers do not wait for it.
    pub fn hide(&self, number: u64) {
        self.progress.hide(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_waits_for_what_it_may_have_seen_and_for_no_more() {
        let progress = Arc::new(Progress::default());
        progress.wait().expect("nothing is written");
        progress.show(7);
        let waits = Arc::clone(&progress);
        let reader = std::thread::spawn(move || waits.wait());
        progress.reach(6);
        assert!(!reader.is_finished());
        progress.reach(7);
        reader.join().expect("it does not panic").expect("it is on disk");
        progress.show(8);
        progress.hide(8);
        progress.wait().expect("nobody has seen what failed");
        progress.show(8);
        progress.reach(9);
        progress.wait().expect("all is on disk");
    }
}
