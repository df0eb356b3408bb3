//! The thread that owns the engine. Its life is a row of terms: load the market from the store,
//! decide until a commit fails or it is told to stop; after a failure, forget everything and load
//! again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::clock::{Clock, Pace, Stopwatch};
use super::committer::{self, Farewell, Sealed, Tally, Waiter};
use super::desk::{Desk, Shared};
use super::inbox::{Inbox, News, Parcel};
use super::settler::{self, WAITING_MAX};
use super::{Done, Ending, Errand, Fault, Scribe, Written};
use crate::engine::capacity::Shelf;
use crate::engine::effect::{Change, Effects};
use crate::engine::{Actor, Answer, Command, Engine, Key, Refusal, Settings, Stamp};
use crate::model::{Micros, limits};
use crate::store::{self, AuditRecord, Batch, Durable, KeptAnswer, Loaded, chain};
use crate::view::View;

/// Loads the market and opens the desk in front of it. `scribe` writes the answers to keyed
/// commands.
///
/// # Errors
/// When the store cannot be loaded. Later it is asked again until it can; at start somebody looks
/// on.
pub fn start(
    mut store: Box<dyn Durable>,
    settings: Settings,
    scribe: Scribe,
    pace: Pace,
) -> Result<Desk, store::Fault> {
    let loaded = sound(store.load()?)?;
    let shared = share(pace, Some(&loaded));
    let term = Term::begin(&shared, settings.clone(), scribe, loaded);
    let role = Role { settings, scribe, stands_by: false };
    Ok(go_to_work(shared, store, role, Some(term)))
}

/// As [`start`]; but while another process writes, the desk only shows, until this one can take
/// over. It stands by again whenever it is deposed.
///
/// # Errors
/// When the store cannot be reached.
pub fn start_or_stand_by(
    mut store: Box<dyn Durable>,
    settings: Settings,
    scribe: Scribe,
    pace: Pace,
) -> Result<Desk, store::Fault> {
    let (shared, term) = match store.load().and_then(sound) {
        Ok(loaded) => {
            let shared = share(pace, Some(&loaded));
            let term = Term::begin(&shared, settings.clone(), scribe, loaded);
            (shared, Some(term))
        }
        Err(store::Fault::Deposed) => {
            let glimpsed = look_on(store.as_mut(), None);
            let shared = share(pace, glimpsed.as_ref());
            stand_by(&shared, glimpsed);
            (shared, None)
        }
        Err(fault) => return Err(fault),
    };
    let role = Role { settings, scribe, stands_by: true };
    Ok(go_to_work(shared, store, role, term))
}

/// What was loaded, unless a glance shows that it does not go together.
fn sound(loaded: Loaded) -> Result<Loaded, store::Fault> {
    let imbalance = loaded.snapshot.imbalance();
    let torn = imbalance.map(|it| store::Fault::Corrupt(format!("{it} (see `headroom verify`)")));
    torn.map_or(Ok(loaded), Err)
}

/// What the writer is given for life.
struct Role {
    settings: Settings,
    scribe: Scribe,
    /// Waits, when another process writes, instead of ending.
    stands_by: bool,
}

fn go_to_work(
    shared: Arc<Shared>,
    store: Box<dyn Durable>,
    role: Role,
    term: Option<Term>,
) -> Desk {
    let desk = Desk { shared: Arc::clone(&shared) };
    thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || {
            let mut last_words = LastWords { shared, ending: Ending::Broken };
            let shared = Arc::clone(&last_words.shared);
            last_words.ending = live(&shared, store, &role, term);
        })
        .expect("a thread can be started");
    desk
}

/// What everyone at the desk of this market shares.
pub(super) fn share(pace: Pace, loaded: Option<&Loaded>) -> Arc<Shared> {
    let (number, now) = loaded.map_or((0, Micros::default()), |it| (it.number, it.snapshot.now));
    Arc::new(Shared {
        inbox: Inbox::new(),
        view: ArcSwap::from_pointee(View::default()),
        commits: watch::Sender::new(number),
        ending: watch::Sender::new(None),
        clock: Clock::start(pace, now),
    })
}

/// Says how the writer ended, however it ends: also when an assertion has failed.
pub(super) struct LastWords {
    pub(super) shared: Arc<Shared>,
    pub(super) ending: Ending,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        self.shared.inbox.close();
        self.shared.inbox.empty().into_iter().for_each(|parcel| parcel.refuse(Fault::Closed));
        self.shared.ending.send_replace(Some(self.ending));
    }
}

/// Serves term after term.
fn live(
    shared: &Arc<Shared>,
    mut store: Box<dyn Durable>,
    role: &Role,
    mut next: Option<Term>,
) -> Ending {
    loop {
        let term = match next.take() {
            Some(term) => term,
            None => match load_again(shared, store.as_mut(), role) {
                Ok(loaded) => {
                    tracing::info!(commit = loaded.number, "restored from the store");
                    metrics::counter!("headroom_restores_total").increment(1);
                    Term::begin(shared, role.settings.clone(), role.scribe, loaded)
                }
                Err(ending) => return ending,
            },
        };
        metrics::gauge!("headroom_leading").set(1.0);
        let (home, fault) = term.serve(store);
        metrics::gauge!("headroom_leading").set(0.0);
        store = home;
        match fault {
            None => return Ending::Stopped,
            Some(store::Fault::Deposed) if !role.stands_by => return Ending::Deposed,
            Some(_) => {}
        }
    }
}

/// What can be seen beside the one who writes; nothing when the store does not answer.
fn look_on(store: &mut dyn Durable, seen: Option<u64>) -> Option<Loaded> {
    store.glimpse(seen).unwrap_or_else(|fault| {
        tracing::warn!(%fault, "standing by, and nothing can be seen");
        None
    })
}

/// Turns commands away and shows what was seen.
fn stand_by(shared: &Shared, glimpsed: Option<Loaded>) {
    if !shared.inbox.is_standing_by() {
        tracing::info!("another server writes: standing by");
        metrics::gauge!("headroom_leading").set(0.0);
        shared.inbox.stand_by();
        // What was known of the market is what it was before somebody else changed it.
        shared.view.store(Arc::new(View { is_glimpse: true, ..View::clone(&shared.view.load()) }));
    }
    if let Some(Loaded { snapshot, number, hash: _ }) = glimpsed {
        let view = View { is_glimpse: true, ..View::new(number, &snapshot, Vec::new()) };
        shared.clock.move_to(snapshot.now);
        shared.view.store(Arc::new(view));
        shared.commits.send_replace(number);
    }
}

/// Asks the store until it answers, with growing pauses; and one that stands by, until nobody else
/// writes.
fn load_again(shared: &Shared, store: &mut dyn Durable, role: &Role) -> Result<Loaded, Ending> {
    let mut pause = limits::RESTORE_MILLIS_FIRST;
    loop {
        match store.load() {
            Ok(loaded) => return Ok(loaded),
            Err(store::Fault::Deposed) if role.stands_by => {
                let view = shared.view.load();
                let seen = view.is_glimpse.then_some(view.number);
                stand_by(shared, look_on(store, seen));
                if shared.inbox.closed_within(Duration::from_millis(limits::STANDBY_MILLIS)) {
                    return Err(Ending::Stopped);
                }
                pause = limits::RESTORE_MILLIS_FIRST;
                continue;
            }
            Err(store::Fault::Deposed) => return Err(Ending::Deposed),
            Err(fault) => tracing::error!(%fault, retry_in_millis = pause, "cannot be restored"),
        }
        if shared.inbox.closed_within(Duration::from_millis(pause)) {
            return Err(Ending::Stopped);
        }
        pause = pause.saturating_mul(2).min(limits::RESTORE_MILLIS_MAX);
    }
}

/// The committer has ended; this term is over.
#[derive(Debug)]
pub(super) struct Lost;

/// A store whose batches are written and settled when the caller says so, on the caller's own
/// thread.
struct Hand {
    store: Box<dyn Durable>,
    sealed: Receiver<Sealed>,
    /// What is written and not settled.
    unsettled: Vec<settler::Unsettled>,
    fault: Option<store::Fault>,
}

impl Hand {
    fn write(&mut self, shared: &Shared) {
        if self.unsettled.len() == WAITING_MAX {
            self.settle(shared);
        }
        // After a fault nothing is written on top of what may not be there.
        let sealed = self.sealed.try_recv().ok().filter(|_| self.fault.is_none());
        let Some(sealed) = sealed else { return };
        match committer::write(self.store.as_mut(), sealed, shared) {
            Ok(written) => {
                self.unsettled.push(written);
                shared.inbox.committer_is_free();
            }
            Err(fault) => self.fault = Some(fault),
        }
    }

    fn settle(&mut self, shared: &Shared) {
        let batches = std::mem::take(&mut self.unsettled);
        if let Err(fault) = settler::settle(batches, shared) {
            self.fault.get_or_insert(fault);
        }
    }
}

/// One life of the engine: from a load to a fault or a stop.
pub(super) struct Term {
    shared: Arc<Shared>,
    scribe: Scribe,
    engine: Engine,
    /// The number and the hash of the last sealed batch.
    number: u64,
    hash: [u8; 32],
    /// The instant of the last stamp.
    now: Micros,
    /// Taken from the inbox and not yet decided.
    pending: VecDeque<Parcel>,
    open: Draft,
    committer: SyncSender<Sealed>,
    /// The committer's end, until it is started.
    jobs: Option<Receiver<Sealed>>,
    /// The committer, where none is started.
    hand: Option<Hand>,
}

/// The batch that is being decided.
#[derive(Default)]
struct Draft {
    effects: Effects,
    audit: Vec<AuditRecord>,
    answers: Vec<KeptAnswer>,
    waiters: Vec<Waiter>,
    tally: Tally,
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.waiters.is_empty() && self.tally.commands == 0
    }

    /// How many more commands it takes.
    fn room(&self) -> usize {
        if self.effects.marks() >= limits::BATCH_NOTES_MAX {
            return 0;
        }
        limits::BATCH_MAX.saturating_sub(self.tally.commands)
    }
}

impl Term {
    /// The engine that the store describes; its picture is published and the inbox open.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        settings: Settings,
        scribe: Scribe,
        loaded: Loaded,
    ) -> Self {
        let Loaded { snapshot, number, hash } = loaded;
        let pools: Vec<_> = snapshot.pools.iter().map(|pool| pool.id).collect();
        let mut view = View::new(number, &snapshot, Vec::new());
        let engine = Engine::restore(settings, snapshot);
        view.put_shelves(shelves(&engine, pools));
        shared.view.store(Arc::new(view));
        shared.commits.send_replace(number);
        shared.inbox.open();
        let (committer, jobs) = sync_channel(1);
        Self {
            shared: Arc::clone(shared),
            scribe,
            now: engine.now(),
            engine,
            number,
            hash,
            pending: VecDeque::new(),
            open: Draft::default(),
            committer,
            jobs: Some(jobs),
            hand: None,
        }
    }

    /// Decides until the committer fails or nothing more will come. Gives the store back.
    fn serve(mut self, store: Box<dyn Durable>) -> (Box<dyn Durable>, Option<store::Fault>) {
        let committer = self.start_committer(store);
        let is_lost = self.decide_all().is_err();
        let Self { shared, pending, open, committer: jobs, .. } = self;
        if is_lost {
            refuse_all(&shared, pending, open);
        }
        drop(jobs);
        match committer.join() {
            Ok(end) => end,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn start_committer(
        &mut self,
        store: Box<dyn Durable>,
    ) -> JoinHandle<(Box<dyn Durable>, Option<store::Fault>)> {
        let jobs = self.jobs.take().expect("a term is served once");
        let farewell = Farewell(Arc::clone(&self.shared));
        thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || committer::run(store, &jobs, &farewell.0))
            .expect("a thread can be started")
    }

    /// As [`Term::start_committer`], without a thread: `commit` is its turn.
    pub(super) fn commit_by_hand(&mut self, store: Box<dyn Durable>) {
        let sealed = self.jobs.take().expect("a term is served once");
        self.hand = Some(Hand { store, sealed, unsettled: Vec::new(), fault: None });
        self.shared.inbox.committer_is_free();
    }

    /// The committer's turn, where it has no thread: one batch, if one was handed over.
    pub(super) fn commit(&mut self) {
        if let Some(hand) = &mut self.hand {
            hand.write(&self.shared);
        }
    }

    /// The settler's turn, where it has no thread: everything that is written.
    pub(super) fn settle(&mut self) {
        if let Some(hand) = &mut self.hand {
            hand.settle(&self.shared);
        }
    }

    /// The end of a term that was turned by hand: its store, with the fault that ended it.
    pub(super) fn end(mut self) -> (Box<dyn Durable>, Option<store::Fault>) {
        self.commit();
        self.settle();
        let Self { shared, pending, open, hand, .. } = self;
        let Hand { store, fault, .. } = hand.expect("it is committed by hand");
        if fault.is_some() {
            refuse_all(&shared, pending, open);
        }
        (store, fault)
    }

    fn decide_all(&mut self) -> Result<(), Lost> {
        while self.turn(self.patience())? {}
        Ok(())
    }

    /// Wakes once, after so much patience: hands over or takes in, meets what is due, decides.
    /// Answers whether there is more to come.
    pub(super) fn turn(&mut self, patience: Duration) -> Result<bool, Lost> {
        let (room, has_batch) = (self.open.room(), !self.open.is_empty());
        // What was taken before comes first: only an empty hand reaches into the inbox.
        let room = if self.pending.is_empty() { room } else { 0 };
        match self.shared.inbox.wait(&mut self.pending, room, has_batch, patience) {
            News::Lost => return Err(Lost),
            News::Closed => return Ok(false),
            News::Free => self.hand_over(),
            News::Parcels | News::Nothing => {}
        }
        let watch = Stopwatch::start();
        self.now = self.now.max(self.shared.clock.now());
        self.meet_deadlines(self.now)?;
        while self.open.room() > 0
            && let Some(parcel) = self.pending.pop_front()
        {
            self.decide(parcel)?;
        }
        self.open.tally.decide_seconds += watch.seconds();
        Ok(true)
    }

    /// How long to sleep when nothing comes: until the next deadline.
    fn patience(&self) -> Duration {
        let idle = Duration::from_millis(limits::IDLE_MILLIS);
        if self.shared.clock.is_simulated() {
            return idle;
        }
        let Some(due) = self.engine.next_deadline() else { return idle };
        let micros = due.count().saturating_sub(self.shared.clock.now().count());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(idle)
    }

    /// Meets everything that falls due until `until`, the time standing still meanwhile.
    fn meet_deadlines(&mut self, until: Micros) -> Result<(), Lost> {
        while self.engine.next_deadline().is_some_and(|due| due <= until) {
            self.make_room()?;
            let (outcome, _) =
                self.apply(Actor::System, Uuid::nil(), None, Command::Tick, self.now);
            if !matches!(outcome, Ok(Answer::Ticked { more: true })) {
                break;
            }
        }
        Ok(())
    }

    fn decide(&mut self, parcel: Parcel) -> Result<(), Lost> {
        match parcel {
            Parcel::Errand(Errand { actor, request, key, command }, reply) => {
                let (outcome, written) = self.apply(actor, request, key, command, self.now);
                let done = Done { outcome, at: self.now, written };
                self.open.waiters.push(Waiter::Errand(done, reply));
                Ok(())
            }
            Parcel::Advance(to, reply) => self.advance(to, reply),
        }
    }

    /// Lives through the time until `to`: each deadline is met at its own instant.
    fn advance(
        &mut self,
        to: Micros,
        reply: oneshot::Sender<Result<Micros, Fault>>,
    ) -> Result<(), Lost> {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= to) {
            self.move_clock(due);
            self.meet_deadlines(self.now)?;
        }
        self.move_clock(to);
        self.open.waiters.push(Waiter::Advance(self.now, reply));
        Ok(())
    }

    fn move_clock(&mut self, to: Micros) {
        self.shared.clock.move_to(to);
        self.now = self.now.max(self.shared.clock.now());
    }

    /// Applies one command and keeps what must be remembered of it.
    fn apply(
        &mut self,
        actor: Actor,
        request: Uuid,
        key: Option<Key>,
        command: Command,
        at: Micros,
    ) -> (Result<Answer, Refusal>, Option<Written>) {
        let stamp = Stamp { at, seq: self.engine.seq() + 1, actor, request, key };
        let verb = command.verb();
        let what = serde_json::to_string(&command).expect("a command is plain data");
        let Draft { effects, audit, answers, waiters: _, tally } = &mut self.open;
        let before = (effects.marks(), effects.kept.len());

        let outcome = self.engine.apply(&stamp, command, effects);

        let kept = effects.kept.len() - before.1;
        let noted = effects.marks() - before.0 - kept;
        let changes = std::mem::take(&mut effects.changes);
        // A remembered "no" is an answer kept, not a deed: the audit trail tells deeds.
        if noted > 0 {
            let (seq, changes) = (stamp.seq, list(&changes));
            audit.push(AuditRecord { seq, at, actor, request, verb, what, changes });
        }
        let written = (kept > 0).then(|| (self.scribe)(&outcome, request, at));
        if let Some((Written { status, headers, body }, key)) = written.clone().zip(key) {
            answers.push(KeptAnswer { key, status, headers, body });
        }
        tally.commands += 1;
        *tally.verbs.entry(verb).or_default() += 1;
        if let Err(refusal) = &outcome {
            *tally.refusals.entry(refusal.code()).or_default() += 1;
        }
        (outcome, written)
    }

    /// Waits, when the open batch is full, until it can be handed over.
    fn make_room(&mut self) -> Result<(), Lost> {
        let patience = if self.hand.is_some() { 0 } else { limits::IDLE_MILLIS };
        while self.open.room() == 0 {
            let patience = Duration::from_millis(patience);
            match self.shared.inbox.wait(&mut VecDeque::new(), 0, true, patience) {
                News::Lost => return Err(Lost),
                News::Free => self.hand_over(),
                // Where the committer has no thread, it has its turn now or never.
                News::Parcels | News::Closed | News::Nothing => self.commit(),
            }
        }
        Ok(())
    }

    /// Seals the open batch and gives it to the committer, which is free.
    fn hand_over(&mut self) {
        let next = Draft { effects: self.open.effects.room_for_as_much(), ..Draft::default() };
        let Draft { effects, audit, answers, waiters, tally } =
            std::mem::replace(&mut self.open, next);
        let shelves = shelves(&self.engine, effects.shelves.iter().copied());
        let batch = (effects.marks() > 0).then(|| {
            let (number, seq) = (self.number + 1, self.engine.seq());
            let hash = chain::link(&self.hash, number, seq, &audit);
            (self.number, self.hash) = (number, hash);
            Batch { number, seq, effects, audit, answers, hash }
        });
        // A committer that has just ended will be noticed at the next look into the inbox; whoever
        // waits for this batch finds the reply dropped, which reads as in doubt.
        drop(self.committer.send(Sealed { batch, shelves, waiters, tally }));
    }
}

/// What was decided on top of what may not be there; and what was not decided yet and finds nobody
/// here.
fn refuse_all(shared: &Shared, pending: VecDeque<Parcel>, open: Draft) {
    open.waiters.into_iter().for_each(|waiter| waiter.refuse(Fault::InDoubt));
    pending.into_iter().for_each(|parcel| parcel.refuse(Fault::Closed));
    shared.inbox.empty().into_iter().for_each(|parcel| parcel.refuse(Fault::Closed));
}

/// The pictures of these pools.
fn shelves(
    engine: &Engine,
    pools: impl IntoIterator<Item = crate::model::id::PoolId>,
) -> Vec<Shelf> {
    pools.into_iter().filter_map(|pool| engine.shelf(pool)).collect()
}

/// Changes as the audit trail keeps them: a JSON array, whose `before` and `after` are JSON
/// already.
fn list(changes: &[Change]) -> Option<String> {
    let mut text = String::new();
    for Change { subject, before, after } in changes {
        text.push(if text.is_empty() { '[' } else { ',' });
        let subject = serde_json::Value::from(subject.as_str());
        let before = before.as_deref().unwrap_or("null");
        let after = after.as_deref().unwrap_or("null");
        text.push_str(&format!(r#"{{"subject":{subject},"before":{before},"after":{after}}}"#));
    }
    (!text.is_empty()).then(|| text + "]")
}
