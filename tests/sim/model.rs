//! What must be true, whatever the disk, the clock and the processes do.
//!
//! Every command that reached the disk is done again by an engine that never fails, one after the
//! other: it must find the same facts, the same answers to the byte, and nothing besides. So what a
//! command did is there as a whole or not at all. Beside it stands what was acknowledged, and must be
//! there for ever.

use std::collections::{BTreeMap, BTreeSet};

use headroom::engine::capacity::Shelf;
use headroom::engine::{Actor, Answer, Command, Effects, Engine, Key, Refusal, Stamp};
use headroom::model::id::{OrderId, PoolId};
use headroom::model::{Micros, Minute, limits};
use headroom::sequencer::{Done, Errand, Fault, View};
use headroom::store::KeptAnswer;
use uuid::Uuid;

use crate::disk::{Disk, Logged};
use crate::facts::Facts;
use crate::opening::settings;
use crate::process::scribe;

/// Every so many restarts the digests are compared, which take as long as all else.
const DIGEST_EVERY: u64 = 8;

/// What was found not to be so.
pub type Found<T = ()> = Result<T, String>;

/// Something that somebody wants done, once.
#[derive(Debug)]
pub struct Call {
    /// Without one it is asked once and never again.
    pub key: Option<Key>,
    pub actor: Actor,
    pub command: Command,
    pub sent: Micros,
    /// Whether an attempt was taken in and not answered with "nothing has happened".
    may_be: bool,
    /// The first answer that came.
    first: Option<KeptAnswer>,
    /// Answered, or given up.
    pub is_over: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Model {
    pub calls: Vec<Call>,
    by_request: BTreeMap<Uuid, usize>,
    by_key: BTreeMap<Key, usize>,
    /// Attempts that are under way.
    open: BTreeMap<Uuid, usize>,
    shadow: Engine,
    /// How much of the disk's log was done again.
    seen: usize,
    /// Commands that were done, and their keys.
    done: BTreeSet<Uuid>,
    kept: BTreeSet<Key>,
    /// Orders that somebody was told of.
    told: BTreeSet<OrderId>,
    restarts: u64,
    /// What was done, by its verb.
    pub verbs: BTreeMap<&'static str, u64>,
}

fn unless(sound: bool, sentence: impl FnOnce() -> String) -> Found {
    if sound { Ok(()) } else { Err(sentence()) }
}

impl Model {
    /// Begins with what is on the disk.
    pub fn new(disk: &Disk) -> Self {
        let snapshot = disk.read(Facts::snapshot);
        Self {
            calls: Vec::new(),
            by_request: BTreeMap::new(),
            by_key: BTreeMap::new(),
            open: BTreeMap::new(),
            shadow: Engine::restore(settings(), snapshot),
            seen: disk.log(0).len(),
            done: BTreeSet::new(),
            kept: BTreeSet::new(),
            told: BTreeSet::new(),
            restarts: 0,
            verbs: BTreeMap::new(),
        }
    }

    /// Somebody wants something.
    pub fn call(
        &mut self,
        key: Option<Key>,
        actor: Actor,
        command: Command,
        sent: Micros,
    ) -> usize {
        let place = self.calls.len();
        if let Some(key) = key {
            self.by_key.insert(key, place);
        }
        let (may_be, first, is_over) = (false, None, false);
        self.calls.push(Call { key, actor, command, sent, may_be, first, is_over });
        place
    }

    /// An attempt at it.
    pub fn attempt(&mut self, place: usize, request: Uuid) -> Errand {
        self.by_request.insert(request, place);
        self.open.insert(request, place);
        let Call { key, actor, command, .. } = &self.calls[place];
        Errand { actor: *actor, request, key: *key, command: command.clone() }
    }

    /// Nobody waits for these attempts any more; what they did is unknown.
    pub fn abandon(&mut self, request: Uuid) {
        if let Some(place) = self.open.remove(&request) {
            let call = &mut self.calls[place];
            call.may_be = true;
            call.is_over |= call.key.is_none();
        }
    }

    /// An attempt was answered. What is acknowledged must be on the disk already.
    pub fn answered(&mut self, request: Uuid, result: Result<Done, Fault>, disk: &Disk) -> Found {
        let place = self.open.remove(&request).ok_or("an attempt was answered twice")?;
        let call = &mut self.calls[place];
        let done = match result {
            Err(Fault::Busy | Fault::Closed | Fault::Standby) => {
                call.is_over |= call.key.is_none();
                return Ok(());
            }
            Err(Fault::InDoubt) => {
                self.open.insert(request, place);
                self.abandon(request);
                return Ok(());
            }
            Ok(done) => done,
        };
        (call.may_be, call.is_over) = (true, true);
        let verb = call.command.verb();
        if let Some(key) = call.key {
            let kept = disk.answer(key);
            let kept = kept.ok_or_else(|| format!("{verb} is acknowledged and not on the disk"))?;
            match (&done.outcome, &done.written) {
                (Ok(Answer::Known { key: known, .. }), None) => {
                    unless(*known == key, || format!("{verb}: another key is known"))?;
                }
                (_, Some(written)) => {
                    let is_kept = (written.status, &written.body) == (kept.status, &kept.body);
                    unless(is_kept, || format!("{verb}: what was answered is not what is kept"))?;
                }
                (outcome, None) => return Err(format!("{verb} has a key and {outcome:?}")),
            }
            let first = call.first.get_or_insert_with(|| kept.clone());
            unless(*first == kept, || format!("{verb}: a second answer differs from the first"))?;
        } else if done.outcome.is_ok() {
            let log = disk.log(self.seen);
            let is_there = self.done.contains(&request)
                || log.iter().any(|one| one.audit.iter().any(|it| it.request == request));
            let is_silent = matches!(&self.calls[place].command,
                Command::ChangeContract(ask) if ask.dry_run)
                || matches!(&self.calls[place].command, Command::Quote { hold_secs: None, .. });
            unless(is_there || is_silent, || format!("{verb} is acknowledged and not recorded"))?;
        }
        if let Ok(Answer::Order { order, .. }) = done.outcome {
            self.told.insert(order.id);
        }
        Ok(())
    }

    /// A key was used for other content.
    pub fn reused(result: Result<Done, Fault>) -> Found {
        match result {
            Err(_) => Ok(()),
            Ok(done) => {
                let is_refused = done.outcome == Err(Refusal::KeyReused) && done.written.is_none();
                unless(is_refused, || format!("a key for other content: {:?}", done.outcome))
            }
        }
    }

    /// Does again what has come to the disk.
    pub fn catch_up(&mut self, disk: &Disk) -> Found {
        for logged in disk.log(self.seen) {
            self.replay(&logged)?;
            self.seen += 1;
        }
        Ok(())
    }

    fn replay(&mut self, logged: &Logged) -> Found {
        // By number: what the trail tells, and the keys that were kept, also with a "no".
        let mut deeds: BTreeMap<u64, (Option<_>, Option<_>)> = BTreeMap::new();
        for record in &logged.audit {
            deeds.entry(record.seq).or_default().0 = Some(record);
        }
        for kept in logged.effects.kept.iter().zip(&logged.answers) {
            deeds.entry(kept.0.seq).or_default().1 = Some(kept);
        }
        let mut out = Effects::default();
        for (seq, deed) in deeds {
            let (actor, at, request, key, command) = match deed {
                (Some(record), _) if record.verb == "tick" => {
                    (Actor::System, record.at, record.request, None, Command::Tick)
                }
                (Some(record), kept) => {
                    let place = self.by_request.get(&record.request);
                    let place = place.ok_or_else(|| format!("{seq} was asked by nobody"))?;
                    let Call { actor, key, command, .. } = &self.calls[*place];
                    let is_kept = kept.map(|(kept, _)| kept.key) == *key;
                    unless(is_kept, || format!("{}: its key was not kept", record.verb))?;
                    (*actor, record.at, record.request, *key, command.clone())
                }
                (None, Some((kept, answer))) => {
                    let place = self.by_key.get(&kept.key).ok_or("a key that nobody used")?;
                    let Call { actor, key, command, .. } = &self.calls[*place];
                    let at = kept.expires_at.plus_secs(-limits::KEY_DAYS * 24 * 3_600);
                    let request = String::from_utf8_lossy(answer.body.get(..36).unwrap_or(b"?"));
                    let request = request.parse().map_err(|_| "an answer that nobody wrote")?;
                    (*actor, at, request, *key, command.clone())
                }
                (None, None) => continue,
            };
            self.do_again(Stamp { at, seq, actor, request, key }, command, deed, &mut out)?;
        }
        unless(self.shadow.seq() == logged.seq, || {
            format!("commit {} ends at another command", logged.number)
        })?;
        unless(out == logged.effects, || {
            format!("commit {} is not what its commands do", logged.number)
        })
    }

    fn do_again(
        &mut self,
        stamp: Stamp,
        command: Command,
        (record, kept): (
            Option<&headroom::store::AuditRecord>,
            Option<(&headroom::engine::remember::Kept, &KeptAnswer)>,
        ),
        out: &mut Effects,
    ) -> Found {
        let verb = command.verb();
        let Stamp { at, actor, request, key, .. } = stamp;
        if command != Command::Tick {
            let place = self.by_request.get(&request).ok_or("a request that nobody made")?;
            let is_open = self.open.contains_key(&request);
            let may_be = self.calls[*place].may_be || is_open;
            unless(may_be, || format!("{verb} was done, and its caller was told it was not"))?;
            unless(self.done.insert(request), || format!("{verb} was done twice"))?;
        }
        if let Some(key) = key {
            unless(self.kept.insert(key), || format!("{verb} was done twice under one key"))?;
        }
        if let Some(record) = record {
            let what = serde_json::to_string(&command).expect("a command is plain data");
            let is_told = (record.actor, record.verb, &record.what) == (actor, verb, &what);
            unless(is_told, || format!("{verb}: the trail tells another story"))?;
        }
        let outcome = self.shadow.apply(&stamp, command, out);
        out.changes.clear();
        if outcome.is_ok() {
            *self.verbs.entry(verb).or_default() += 1;
        }
        if let Some((_, answer)) = kept {
            let written = scribe(&outcome, request, at);
            let is_kept = (answer.status, &answer.body) == (written.status, &written.body);
            unless(is_kept, || format!("{verb}: the answer kept is not the one to give"))?;
        }
        Ok(())
    }

    /// A process looks at the disk for the first time: all that was acknowledged is there, and it is a
    /// market in which everything holds.
    pub fn restarted(&mut self, disk: &Disk) -> Found {
        self.catch_up(disk)?;
        unless(disk.log(0).len() == self.seen, || "commits have vanished".to_owned())?;
        unless(disk.chain_holds(), || "the audit chain is broken".to_owned())?;
        for call in self.calls.iter().filter(|call| call.first.is_some()) {
            let kept = call.key.and_then(|key| disk.answer(key));
            let verb = call.command.verb();
            unless(kept == call.first, || format!("{verb}: its answer is not kept any more"))?;
        }
        disk.read(|facts| {
            let lost = self.told.iter().find(|order| !facts.orders.contains_key(order));
            unless(lost.is_none(), || format!("an acknowledged order is not there: {lost:?}"))?;
            facts.look()?;
            oversold(facts)
        })?;
        let engine = Engine::restore(settings(), disk.read(Facts::snapshot));
        let broken = engine.audit();
        unless(broken.is_empty(), || format!("the audit finds: {}", broken.join("; ")))?;
        unless(engine.snapshot() == self.shadow.snapshot(), || {
            "the market on the disk is not the one that its commands make".to_owned()
        })?;
        // With all that is derived; the audit has looked at most of that already, and it takes long.
        self.restarts += 1;
        if self.restarts.is_multiple_of(DIGEST_EVERY) {
            self.same_digest(&engine)?;
        }
        self.shadow = engine;
        Ok(())
    }

    /// The engine on the disk is the shadow's twin, to the last schedule.
    fn same_digest(&self, engine: &Engine) -> Found {
        unless(engine.digest() == self.shadow.digest(), || {
            "the market on the disk derives other things than its commands do".to_owned()
        })
    }

    /// What is shown is the market on the disk, in a moment when the writer knows of all that is there.
    pub fn shown(&self, view: &View, disk: &Disk) -> Found {
        if view.number != disk.number() {
            return Ok(());
        }
        let now = self.shadow.now().minute();
        let pools = disk.read(|facts| facts.pools.keys().copied().collect::<Vec<_>>());
        let shelves = pools.into_iter().filter_map(|pool| self.shadow.shelf(pool)).collect();
        let due = View::new(view.number, &disk.read(Facts::snapshot), shelves);
        let parties = |view: &View| {
            let View { organizations, users, users_by_email, keys, sessions, .. } = view.clone();
            (organizations, users, users_by_email, keys, sessions)
        };
        unless(parties(view) == parties(&due), || "other people are shown".to_owned())?;
        let is_told = (view.now, &view.heads) == (due.now, &due.heads);
        unless(is_told, || "other events are shown to have been told".to_owned())?;
        let ahead = |view: &View| -> Vec<Shelf> {
            view.shelves.values().map(|shelf| from_now_on(shelf, now)).collect()
        };
        unless(ahead(view) == ahead(&due), || "other capacity is shown".to_owned())
    }

    /// The next look compares the digests, whichever it is.
    pub fn be_thorough(&mut self) {
        self.restarts = DIGEST_EVERY - 1;
    }

    /// Calls that were answered, and are young enough to be asked again.
    pub fn answered_calls(&self) -> Vec<usize> {
        let all = self.calls.iter().enumerate();
        all.filter(|(_, call)| call.first.is_some()).map(|(place, _)| place).collect()
    }

    /// Calls that nobody was answered.
    pub fn unanswered(&self) -> Vec<usize> {
        let all = self.calls.iter().enumerate();
        all.filter(|(_, call)| !call.is_over).map(|(place, _)| place).collect()
    }

    /// When the oldest call that is under way was made.
    pub fn oldest_open(&self) -> Option<Micros> {
        self.open.values().map(|place| self.calls[*place].sent).min()
    }
}

/// A picture without its past: an older one has more of it.
fn from_now_on(shelf: &Shelf, now: Minute) -> Shelf {
    let mut shelf = shelf.clone();
    (shelf.installed, shelf.room) = (shelf.installed.since(now), shelf.room.since(now));
    shelf.offers.iter_mut().for_each(|offer| offer.free = offer.free.since(now));
    shelf
}

/// Counted plainly: no pool has sold more at an instant than its phases will ever have brought by then.
/// (Maintenance may leave it with less: then an incident says so, which the engine's audit looks at.)
fn oversold(facts: &Facts) -> Found {
    let live = || facts.contracts.values().filter(|one| one.is_live());
    for (id, pool) in &facts.pools {
        let of_pool = |at| -> i64 {
            let draws = live().filter(|one| one.pool == *id).flat_map(|one| &one.allocations);
            draws.filter(|draw| draw.window.holds(at)).map(|draw| i64::from(draw.gpus)).sum()
        };
        let starts = live().flat_map(|one| one.allocations.iter().map(|it| it.window.start()));
        for at in starts.collect::<BTreeSet<_>>() {
            let phases = pool.phases.iter().filter(|phase| phase.from <= at);
            let installed: i64 = phases.map(|phase| i64::from(phase.gpus)).sum();
            unless(of_pool(at) <= installed, || oversold_at(*id, at, of_pool(at), installed))?;
        }
    }
    Ok(())
}

fn oversold_at(pool: PoolId, at: Minute, sold: i64, installed: i64) -> String {
    format!("{pool} has {installed} GPUs and has sold {sold} at {at}")
}
