//! A store in memory that survives its owner and fails on command: the simulator's faulty disk.

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use headroom::engine::contract::ContractState;
use headroom::engine::credit::{ApplicationState, LineState};
use headroom::engine::effect::Facts;
use headroom::engine::listing::ListingState;
use headroom::engine::order::OrderState;
use headroom::engine::quote::QuoteState;
use headroom::engine::remember::Kept;
use headroom::engine::snapshot::Snapshot;
use headroom::engine::{Effects, Key};
use headroom::store::{Batch, Durable, Fault, Flush, KeptAnswer, Loaded, chain};

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Written,
    /// Not written, and said so.
    Refused,
    /// Written, but the caller never hears of it.
    Unheard,
    /// Another process has taken over.
    Deposed,
    /// The code is wrong.
    Asserted,
}

#[derive(Debug, Default)]
struct Plate {
    facts: Snapshot,
    number: u64,
    hash: [u8; 32],
    answers: BTreeMap<Key, KeptAnswer>,
    /// How many commands each commit brought.
    records: Vec<usize>,
    fates: VecDeque<Fate>,
    /// Loads that fail before one succeeds.
    bad_loads: usize,
    /// Another process is the writer.
    is_taken: bool,
    /// Commits wait while this is set.
    is_held: bool,
    /// Commits that wait.
    held: usize,
    /// From this commit on, nothing is on disk while this is set.
    flushes_held_from: Option<u64>,
    /// The next wait for the disk fails.
    bad_flush: bool,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<(Mutex<Plate>, Condvar)>);

impl Disk {
    fn plate(&self) -> MutexGuard<'_, Plate> {
        self.0.0.lock().expect("no test panics while holding the disk")
    }

    fn change(&self, change: impl FnOnce(&mut Plate)) {
        change(&mut self.plate());
        self.0.1.notify_all();
    }

    /// What becomes of the next commits; after them all goes well.
    pub fn foretell(&self, fates: &[Fate]) {
        self.change(|plate| plate.fates.extend(fates));
    }

    pub fn fail_loads(&self, count: usize) {
        self.change(|plate| plate.bad_loads = count);
    }

    /// Another process becomes the writer, or ends being it.
    pub fn take(&self, is_taken: bool) {
        self.change(|plate| plate.is_taken = is_taken);
    }

    /// Makes commits wait until `release`.
    pub fn hold(&self) {
        self.change(|plate| plate.is_held = true);
    }

    pub fn release(&self) {
        self.change(|plate| plate.is_held = false);
    }

    /// Returns once a commit waits.
    pub fn wait_until_held(&self) {
        let plate = self.plate();
        drop(self.0.1.wait_while(plate, |plate| plate.held == 0).expect("as above"));
    }

    /// Makes the waits for the disk last until `release_flushes`, from this commit on.
    pub fn hold_flushes(&self, from: u64) {
        self.change(|plate| plate.flushes_held_from = Some(from));
    }

    /// Lets them go on; whether the next one goes well.
    pub fn release_flushes(&self, is_well: bool) {
        self.change(|plate| (plate.flushes_held_from, plate.bad_flush) = (None, !is_well));
    }

    fn flush(&self, number: u64) -> Result<(), Fault> {
        let is_held = |plate: &mut Plate| plate.flushes_held_from.is_some_and(|it| it <= number);
        let mut plate = self.0.1.wait_while(self.plate(), is_held).expect("as above");
        let is_bad = std::mem::take(&mut plate.bad_flush);
        if is_bad { Err(Fault::Database("not on disk".to_owned())) } else { Ok(()) }
    }

    /// Returns once this commit is written.
    pub fn wait_until_written(&self, number: u64) {
        let plate = self.plate();
        drop(self.0.1.wait_while(plate, |plate| plate.number < number).expect("as above"));
    }

    pub fn number(&self) -> u64 {
        self.plate().number
    }

    pub fn answer(&self, key: Key) -> Option<KeptAnswer> {
        self.plate().answers.get(&key).cloned()
    }

    /// How many audit records each commit brought.
    pub fn records(&self) -> Vec<usize> {
        self.plate().records.clone()
    }
}

impl Durable for Disk {
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault> {
        let mut plate = self.plate();
        plate.held += 1;
        self.0.1.notify_all();
        plate = self.0.1.wait_while(plate, |plate| plate.is_held).expect("as above");
        plate.held -= 1;
        let taken = plate.is_taken.then_some(Fate::Deposed);
        let fate = taken.or_else(|| plate.fates.pop_front()).unwrap_or(Fate::Written);
        if fate == Fate::Deposed {
            return Err(Fault::Deposed);
        }
        if fate == Fate::Asserted {
            drop(plate);
            panic!("an assertion in the store fails, as this test wants it");
        }
        if fate != Fate::Refused {
            plate.write(batch);
            self.0.1.notify_all();
        }
        if fate == Fate::Written { Ok(()) } else { Err(Fault::Database("pulled".to_owned())) }
    }

    fn write(&mut self, batch: &Batch) -> Result<Option<Flush>, Fault> {
        self.commit(batch)?;
        let (disk, number) = (self.clone(), batch.number);
        Ok(Some(Box::new(move || disk.flush(number))))
    }

    fn load(&mut self) -> Result<Loaded, Fault> {
        let mut plate = self.plate();
        if plate.is_taken {
            return Err(Fault::Deposed);
        }
        if plate.bad_loads > 0 {
            plate.bad_loads -= 1;
            return Err(Fault::Database("away".to_owned()));
        }
        let Plate { number, hash, .. } = *plate;
        Ok(Loaded { snapshot: plate.facts.clone(), number, hash })
    }

    fn holds(&mut self) -> Result<(), Fault> {
        if self.plate().is_taken { Err(Fault::Deposed) } else { Ok(()) }
    }

    fn glimpse(&mut self, seen: Option<u64>) -> Result<Option<Loaded>, Fault> {
        let plate = self.plate();
        let Plate { number, hash, .. } = *plate;
        let snapshot = Snapshot { regions: plate.facts.regions.clone(), ..Snapshot::default() };
        Ok((seen != Some(number)).then_some(Loaded { snapshot, number, hash }))
    }
}

impl Plate {
    fn write(&mut self, batch: &Batch) {
        let Batch { number, seq, effects, audit, answers, hash } = batch;
        assert_eq!(*number, self.number + 1, "commits are numbered without gaps");
        assert_eq!(*hash, chain::link(&self.hash, *number, *seq, audit), "the chain holds");
        assert!(*seq > self.facts.seq, "commands are numbered upwards");
        let kept = effects.kept.iter().map(|kept| kept.key);
        assert!(kept.eq(answers.iter().map(|answer| answer.key)), "each key has its answer");
        (self.number, self.hash, self.facts.seq) = (*number, *hash, *seq);
        self.answers.extend(answers.iter().map(|answer| (answer.key, answer.clone())));
        self.records.push(audit.len());
        take_in(&mut self.facts, effects);
    }
}

/// Facts after a commit, ordered and without what can no longer change.
fn merge<K: Ord + Hash + Clone, T: Clone>(
    kept: &mut Vec<T>,
    touched: &Facts<K, impl Borrow<T>>,
    key: impl Fn(&T) -> K,
    lives: impl Fn(&T) -> bool,
) {
    let mut all: BTreeMap<K, T> = kept.drain(..).map(|thing| (key(&thing), thing)).collect();
    for (key, fact) in touched.iter() {
        let before = all.insert(key.clone(), fact.thing.borrow().clone());
        assert!(before.is_none() || !fact.born, "what is born was not there");
    }
    kept.extend(all.into_values().filter(lives));
}

fn always<T>(_: &T) -> bool {
    true
}

fn take_in(facts: &mut Snapshot, effects: &Effects) {
    facts.now = effects.now;
    facts.last_entry = effects.entries.last().map_or(facts.last_entry, |entry| entry.no);
    merge(&mut facts.organizations, &effects.organizations, |one| one.id, always);
    merge(&mut facts.users, &effects.users, |one| one.id, always);
    merge(&mut facts.sessions, &effects.sessions, |one| one.id, |one| !one.closed);
    merge(&mut facts.keys, &effects.keys, |one| one.id, |one| !one.revoked);
    merge(&mut facts.skus, &effects.skus, |one| one.code.clone(), always);
    merge(&mut facts.regions, &effects.regions, |one| one.code.clone(), always);
    merge(&mut facts.programs, &effects.programs, |one| one.id, always);
    merge(&mut facts.factories, &effects.factories, |one| one.id, always);
    merge(&mut facts.pools, &effects.pools, |one| one.id, always);
    merge(
        &mut facts.listings,
        &effects.listings,
        |one| one.id,
        |one| {
            let live = [ListingState::Draft, ListingState::Live, ListingState::SoldOut];
            live.contains(&one.state)
        },
    );
    let submitted = ApplicationState::Submitted;
    merge(
        &mut facts.applications,
        &effects.applications,
        |one| one.id,
        |one| one.state == submitted,
    );
    merge(&mut facts.lines, &effects.lines, |one| one.id, |one| one.state != LineState::Closed);
    merge(&mut facts.quotes, &effects.quotes, |one| one.id, |one| one.state == QuoteState::Open);
    merge(&mut facts.orders, &effects.orders, |one| one.id, |one| one.state == OrderState::Open);
    merge(
        &mut facts.contracts,
        &effects.contracts,
        |one| one.id,
        |one| matches!(one.state, ContractState::Scheduled | ContractState::Active),
    );
    let mut accounts: BTreeMap<_, _> = facts.accounts.drain(..).collect();
    accounts.extend(effects.accounts.iter().map(|(key, fact)| (*key, fact.thing)));
    facts.accounts.extend(accounts);
    let mut heads: BTreeMap<_, _> = facts.event_heads.drain(..).collect();
    heads.extend(effects.event_heads.iter().map(|(org, fact)| (*org, fact.thing)));
    facts.event_heads.extend(heads);
    let now = facts.now;
    facts.kept.extend(effects.kept.iter().copied());
    facts.kept.retain(|kept: &Kept| kept.expires_at > now);
}
