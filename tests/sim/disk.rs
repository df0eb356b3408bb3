//! A store in memory that outlives its process and fails on command; and that lies, where a test wants
//! to see lies found.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard};

use headroom::engine::{Effects, Key};
use headroom::model::Micros;
use headroom::store::{AuditRecord, Batch, Durable, Fault, Flush, KeptAnswer, Loaded, chain};

use crate::dice::Dice;
use crate::facts::Facts;

/// What becomes of a commit, or of the wait until the disk has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Written,
    /// Not written, and said so.
    Refused,
    /// Written, and said to have failed.
    Unheard,
    /// The process dies in the middle of it: nothing of it is there afterwards.
    Torn,
    /// The process dies after it, before anybody is answered.
    Cut,
    /// Another process has the lock.
    Deposed,
}

/// How a broken store breaks its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Acknowledges, and loses what it acknowledged last when the power goes.
    Forgets,
    /// Of a commit that fails, some tables are written.
    Halves,
    /// Of a commit that succeeds, one table is not written.
    Skips,
    /// Loads an older state than the one it kept, with the newer number.
    Ages,
    /// A kept answer changes by one byte.
    Rots,
    /// An answer is kept under another key of the same commit.
    Swaps,
    /// Writes what it was given twice in a row, as a retry of its own.
    Repeats,
    /// Takes in a writer that others have deposed.
    Forks,
    /// An audit record loses its last character.
    Blurs,
}

/// What carries a dying process's unwinding to whoever watches it; no panic, so nothing is printed.
#[derive(Debug)]
pub struct PowerCut;

/// One commit as it was written, kept until the model has looked at it.
#[derive(Debug, Clone)]
pub struct Logged {
    pub number: u64,
    pub seq: u64,
    pub effects: Effects,
    pub audit: Vec<AuditRecord>,
    pub answers: Vec<KeptAnswer>,
    pub hash: [u8; 32],
}

impl Logged {
    fn of(batch: &Batch) -> Self {
        let Batch { number, seq, effects, audit, answers, hash } = batch;
        let (effects, audit, answers) = (effects.clone(), audit.clone(), answers.clone());
        Self { number: *number, seq: *seq, effects, audit, answers, hash: *hash }
    }
}

/// What survives.
#[derive(Debug, Clone, Default)]
struct Plate {
    facts: Facts,
    number: u64,
    hash: [u8; 32],
    answers: BTreeMap<Key, KeptAnswer>,
    log: Vec<Arc<Logged>>,
}

#[derive(Debug, Default)]
struct Drive {
    plate: Plate,
    /// Commits that are written and not on the plate yet. They outlive a process, not the power.
    cache: VecDeque<Logged>,
    /// The plate did not take what is in the cache: nobody will find it there.
    is_refused: bool,
    /// The state before the last commit, for the lies that need it.
    older: Option<Plate>,
    fate: Option<Fate>,
    bad_loads: usize,
    loads: u64,
    lie: Option<(Lie, Dice)>,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Drive>>);

impl Disk {
    fn drive(&self) -> MutexGuard<'_, Drive> {
        self.0.lock().expect("nobody panics while holding the disk")
    }

    /// Another disk with the same on it.
    pub fn copy(&self, lie: Option<(Lie, Dice)>) -> Self {
        let plate = self.drive().plate.clone();
        Self(Arc::new(Mutex::new(Drive { plate, lie, ..Drive::default() })))
    }

    /// What becomes of the next commit.
    pub fn foretell(&self, fate: Fate) {
        self.drive().fate = Some(fate);
    }

    /// The next loads fail, so many of them.
    pub fn fail_loads(&self, count: usize) {
        self.drive().bad_loads = count;
    }

    /// How often it was loaded with success.
    pub fn loads(&self) -> u64 {
        self.drive().loads
    }

    pub fn number(&self) -> u64 {
        self.drive().plate.number
    }

    /// The last commit's.
    pub fn hash(&self) -> [u8; 32] {
        self.drive().plate.hash
    }

    pub fn now(&self) -> Micros {
        self.drive().plate.facts.now
    }

    pub fn answer(&self, key: Key) -> Option<KeptAnswer> {
        self.drive().plate.answers.get(&key).cloned()
    }

    /// Looks at what is written.
    pub fn read<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        look(&self.drive().plate.facts)
    }

    /// The commits after the first `seen`.
    pub fn log(&self, seen: usize) -> Vec<Arc<Logged>> {
        self.drive().plate.log.get(seen..).unwrap_or_default().to_vec()
    }

    /// Whether the last hash is the last commit's, and each follows from the one before.
    pub fn chain_holds(&self) -> bool {
        let drive = self.drive();
        let Plate { number, hash, log, .. } = &drive.plate;
        let mut last = (0, [0; 32]);
        for one in log {
            let due = chain::link(&last.1, one.number, one.seq, &one.audit);
            if one.number != last.0 + 1 || one.hash != due {
                return false;
            }
            last = (one.number, one.hash);
        }
        last == (*number, *hash)
    }

    /// The power goes, and with it what is not on the plate, but for the first so many commits.
    /// Answers how many are lost. A disk that lies loses more.
    pub fn lose_power(&self, spared: usize) -> usize {
        let mut drive = self.drive();
        let spared = spared.min(drive.cache.len());
        drive.take_in(spared);
        if let Some((Lie::Forgets, _)) = drive.lie
            && let Some(older) = drive.older.take()
        {
            drive.plate = older;
        }
        std::mem::take(&mut drive.cache).len()
    }

    /// Waits until everything up to this commit is on the plate, for who wrote it after so many
    /// loads: after another one nobody knows whose commit it is.
    fn flush(&self, number: u64, loads: u64) -> Result<(), Fault> {
        let mut drive = self.drive();
        if drive.loads != loads {
            return Err(Fault::Deposed);
        }
        let fate = drive.fate.take().unwrap_or(Fate::Written);
        match fate {
            Fate::Refused | Fate::Torn => drive.is_refused |= fate == Fate::Refused,
            Fate::Written | Fate::Unheard | Fate::Cut | Fate::Deposed => {
                let due = drive.cache.iter().take_while(|one| one.number <= number).count();
                drive.take_in(due);
            }
        }
        drop(drive);
        match fate {
            Fate::Torn | Fate::Cut => resume_unwind(Box::new(PowerCut)),
            Fate::Refused => Err(Fault::Database("not on disk".to_owned())),
            Fate::Unheard => Err(Fault::Database("perhaps on disk".to_owned())),
            Fate::Written | Fate::Deposed => Ok(()),
        }
    }
}

impl Durable for Disk {
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.write(batch)?.map_or(Ok(()), |flush| flush())
    }

    fn write(&mut self, batch: &Batch) -> Result<Option<Flush>, Fault> {
        let mut drive = self.drive();
        let fate = drive.fate.take().unwrap_or(Fate::Written);
        let last = drive.cache.back().map_or(drive.plate.number, |last| last.number);
        let follows = batch.number == last + 1;
        let forks = matches!(drive.lie, Some((Lie::Forks, _)));
        if fate == Fate::Deposed || !(follows || forks) {
            // The one row of the last commit's number is not there to be moved on.
            return Err(Fault::Deposed);
        }
        match fate {
            Fate::Torn => {
                drive.fail(batch);
                drop(drive);
                resume_unwind(Box::new(PowerCut));
            }
            Fate::Refused => {
                drive.fail(batch);
                return Err(Fault::Database("refused".to_owned()));
            }
            Fate::Written | Fate::Unheard | Fate::Cut | Fate::Deposed => {
                drive.cache.push_back(Logged::of(batch));
            }
        }
        drop(drive);
        match fate {
            Fate::Cut => resume_unwind(Box::new(PowerCut)),
            Fate::Unheard => Err(Fault::Database("in doubt".to_owned())),
            Fate::Written | Fate::Refused | Fate::Torn | Fate::Deposed => {
                let (disk, number, loads) = (self.clone(), batch.number, self.loads());
                Ok(Some(Box::new(move || disk.flush(number, loads))))
            }
        }
    }

    fn load(&mut self) -> Result<Loaded, Fault> {
        let mut drive = self.drive();
        if drive.bad_loads > 0 {
            drive.bad_loads -= 1;
            return Err(Fault::Database("away".to_owned()));
        }
        drive.loads += 1;
        if std::mem::take(&mut drive.is_refused) {
            drive.cache.clear();
        }
        let left = drive.cache.len();
        drive.take_in(left);
        let Plate { number, hash, .. } = drive.plate;
        let stale = match &drive.lie {
            Some((Lie::Ages, _)) => drive.older.as_ref(),
            _ => None,
        };
        let snapshot = stale.unwrap_or(&drive.plate).facts.snapshot();
        Ok(Loaded { snapshot, number, hash })
    }
}

impl Drive {
    /// A transaction that does not happen. An honest store leaves nothing of it.
    fn fail(&mut self, batch: &Batch) {
        if let Some((Lie::Halves, dice)) = &mut self.lie {
            let seq = self.plate.facts.seq;
            self.plate.facts.take_in(seq, &batch.effects, &mut || dice.one_in(2));
        }
    }

    /// The first commits of the cache come to the plate.
    fn take_in(&mut self, count: usize) {
        for logged in self.cache.drain(..count).collect::<Vec<_>>() {
            self.write(logged);
        }
    }

    fn write(&mut self, logged: Logged) {
        let Logged { number, seq, effects, audit, answers, hash } = logged;
        if self.lie.is_some() {
            self.older = Some(self.plate.clone());
        }
        let plate = &mut self.plate;
        let (mut kept, mut trail) = (answers, audit);
        let (mut skipped, mut times) = (None, 1);
        // A liar does not always lie.
        let lie = self.lie.as_mut().map(|(lie, dice)| (*lie, dice.below(8)));
        match lie {
            Some((Lie::Skips, roll)) => skipped = Some(roll),
            Some((Lie::Repeats, 0)) => times = 2,
            Some((Lie::Rots, 0 | 1)) => {
                if let Some(byte) = kept.last_mut().and_then(|one| one.body.last_mut()) {
                    *byte ^= 1;
                }
            }
            Some((Lie::Swaps, _)) if kept.len() > 1 => {
                let (first, second) = (kept[0].key, kept[1].key);
                (kept[0].key, kept[1].key) = (second, first);
            }
            Some((Lie::Blurs, 0)) => {
                if let Some(record) = trail.last_mut() {
                    record.what.pop();
                }
            }
            _ => {}
        }
        let mut place = 0;
        for _ in 0..times {
            plate.facts.take_in(seq, &effects, &mut || {
                place += 1;
                skipped != Some(place)
            });
        }
        (plate.number, plate.hash) = (number, hash);
        plate.answers.extend(kept.iter().map(|answer| (answer.key, answer.clone())));
        let logged = Logged { number, seq, effects, audit: trail, answers: kept, hash };
        plate.log.push(Arc::new(logged));
    }
}
