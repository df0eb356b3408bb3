//! One life of a market under everything that can go wrong, drawn from a seed: who asks what, whose
//! turn it is, what the disk and the clock do, when a process dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use headroom::engine::{Actor, Answer, Command, Key};
use headroom::model::Micros;
use headroom::model::id::OrderId;
use headroom::model::limits;
use headroom::sequencer::{Crank, Ending, Errand, Fault, Pace};
use uuid::Uuid;

use crate::crowd::Crowd;
use crate::dice::Dice;
use crate::disk::{Disk, Fate, Lie};
use crate::model::{Found, Model};
use crate::opening::{Opening, START, settings};
use crate::process::{Flight, Hope, Process, Reply, dies, poll, scribe};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Steps of one seed.
const STEPS: usize = 160;

/// What happened, counted.
pub type Tally = BTreeMap<&'static str, u64>;

/// Every so many times that somebody looks for answers, what the market shows is looked at whole.
const LOOK_EVERY: u64 = 12;

/// See the module.
pub struct World {
    dice: Dice,
    disk: Disk,
    crowd: Crowd,
    model: Model,
    clock: Arc<AtomicI64>,
    is_simulated: bool,
    process: Option<Process>,
    /// One that another has taken over from, and that does not know it yet.
    old: Option<Process>,
    /// So many of the committer's turns pass before its commit is through.
    slow: usize,
    /// The next commit fails, and some loads after it.
    is_away: bool,
    /// The disk behaves.
    is_calm: bool,
    keys: u128,
    looks: u64,
    tally: Tally,
}

impl World {
    /// A market at its opening; `lie`, if the disk is to be a broken one.
    pub fn new(opening: &Opening, seed: u64, lie: Option<Lie>) -> Self {
        let mut dice = Dice::new(seed);
        let disk = opening.disk.copy(lie.map(|lie| (lie, Dice::new(dice.next()))));
        let is_simulated = dice.one_in(3);
        Self {
            model: Model::new(&disk),
            crowd: opening.crowd.clone(),
            clock: Arc::new(AtomicI64::new(START.count())),
            is_simulated,
            process: None,
            old: None,
            slow: 0,
            is_away: false,
            is_calm: false,
            keys: 0,
            looks: 0,
            tally: Tally::new(),
            dice,
            disk,
        }
    }

    /// Lives through all of it, then lets everything be answered and looks at the whole once more.
    pub fn live(&mut self, floods: bool) -> Found {
        self.restart()?;
        let flood = floods.then(|| self.dice.below(STEPS));
        for step in 0..STEPS {
            if flood == Some(step) {
                self.flood()?;
            }
            self.step()?;
        }
        self.settle()
    }

    /// What happened, and what was done.
    pub fn tally(mut self) -> Tally {
        self.tally.extend(std::mem::take(&mut self.model.verbs));
        self.tally
    }

    /// What is on the disk now, in one word.
    pub fn hash(&self) -> [u8; 32] {
        self.disk.hash()
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// What time anybody can know it is.
    fn now(&self) -> Micros {
        let clock = Micros::new(self.clock.load(Ordering::Relaxed));
        let desk = self.process.as_ref().map_or(clock, |it| it.desk.clock().now());
        clock.max(desk).max(self.disk.now())
    }

    fn step(&mut self) -> Found {
        if self.process.is_none() {
            return self.restart();
        }
        if self.old.is_some() && self.dice.one_in(3) {
            self.turn_old()?;
        }
        match self.dice.below(100) {
            0..30 => self.call(),
            30..52 => self.write(),
            52..66 => self.commit(),
            66..73 => self.flush(),
            73..78 => self.insist(),
            78..82 => self.repeat(),
            82..84 => self.reuse(),
            84..90 => self.tick(),
            90..92 => self.slow = self.dice.below(12),
            92..93 => self.hang_up(),
            93..96 => self.crash(),
            96..97 => self.close(),
            97..98 => self.take_over()?,
            _ => {
                let loads = self.dice.below(4);
                self.disk.fail_loads(loads);
                self.is_away = true;
                self.count("store away");
            }
        }
        self.listen()
    }

    // -- Who asks --

    fn submit(&mut self, hope: Hope, errand: Errand) {
        let Some(process) = &mut self.process else { return };
        let desk = process.desk.clone();
        let answer = Box::pin(async move { Reply::Done(desk.submit(errand).await) });
        process.flights.push(Flight { hope, answer });
        // It is put in on the first look.
        let place = process.flights.len() - 1;
        let flight = &mut process.flights[place];
        if let Poll::Ready(reply) = poll(&mut flight.answer) {
            flight.answer = Box::pin(async move { reply });
        }
    }

    fn attempt(&mut self, place: usize) {
        let request = self.crowd.mint.fresh(self.now());
        let errand = self.model.attempt(place, request);
        self.submit(Hope::Attempt(request), errand);
    }

    fn call(&mut self) {
        let now = self.now();
        let wish = self.disk.read(|facts| self.crowd.wish(&mut self.dice, facts, now));
        let (actor, command) = wish;
        self.keys += 1;
        let key = Key { name: self.keys, fingerprint: self.keys };
        let key = (!self.dice.one_in(10)).then_some(key);
        let place = self.model.call(key, actor, command, now);
        self.count("commands");
        self.attempt(place);
    }

    /// Whether a call can still be repeated: its key is not forgotten, nor will be soon.
    fn is_young(&self, place: usize) -> bool {
        self.now().count() - self.model.calls[place].sent.count() < 15 * DAY
    }

    /// Somebody who has no answer asks again, perhaps while the first attempt is under way.
    fn insist(&mut self) {
        let mut places = self.model.unanswered();
        places.retain(|place| self.is_young(*place) && self.model.calls[*place].key.is_some());
        if !places.is_empty() {
            let place = self.dice.pick(&places);
            self.count("retries without an answer");
            self.attempt(place);
        }
    }

    /// Somebody asks again for what was answered.
    fn repeat(&mut self) {
        let mut places = self.model.answered_calls();
        places.retain(|place| self.is_young(*place));
        if !places.is_empty() {
            let place = self.dice.pick(&places);
            self.count("retries after an answer");
            self.attempt(place);
        }
    }

    fn reuse(&mut self) {
        let mut places = self.model.answered_calls();
        places.retain(|place| self.is_young(*place));
        if places.is_empty() {
            return;
        }
        let call = &self.model.calls[self.dice.pick(&places)];
        let key = call.key.map(|key| Key { fingerprint: !key.fingerprint, ..key });
        let (actor, command) = (call.actor, call.command.clone());
        let request = self.crowd.mint.fresh(self.now());
        self.count("keys used for other content");
        self.submit(Hope::Reuse, Errand { actor, request, key, command });
    }

    /// Somebody stops waiting.
    fn hang_up(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.flights.is_empty() {
            return;
        }
        let flight = process.flights.swap_remove(self.dice.below(process.flights.len()));
        if let Hope::Attempt(request) = flight.hope {
            self.model.abandon(request);
        }
        self.count("callers gone");
    }

    /// So many wait that nobody else is taken in.
    fn flood(&mut self) -> Found {
        let actor = Actor::User(self.crowd.customers[0].1);
        for _ in 0..=limits::INBOX_MAX {
            let id = OrderId::new(Uuid::nil());
            let (request, command) = (Uuid::nil(), Command::CancelOrder { id });
            self.submit(Hope::Crowding, Errand { actor, request, key: None, command });
        }
        self.count("full inboxes");
        self.call();
        self.listen()
    }

    // -- Time --

    fn tick(&mut self) {
        let (some, is_small) = (self.dice.below(90), self.dice.one_in(2));
        let seconds = SECOND * i64::try_from(some).expect("small");
        let step = if is_small {
            seconds
        } else {
            let hours = [HOUR, -HOUR, HOUR, -HOUR, 5 * HOUR];
            let days = [DAY, 3 * DAY, 3 * DAY, 7 * DAY, 7 * DAY, 16 * DAY];
            self.dice.pick(&[&hours[..], &days[..]].concat())
        };
        // Nobody waits so long that his key is forgotten meanwhile.
        let oldest = self.model.oldest_open().map_or(i64::MAX, Micros::count);
        if self.now().count().saturating_add(step).saturating_sub(oldest) > 25 * DAY {
            return;
        }
        self.count(match step {
            ..0 => "hours back",
            HOUR => "hours ahead",
            DAY.. => "days ahead",
            _ => "moments ahead",
        });
        if !self.is_simulated {
            self.clock.fetch_add(step, Ordering::Relaxed);
        } else if let Some(process) = &mut self.process {
            let to = Micros::new(process.desk.clock().now().count() + step);
            let desk = process.desk.clone();
            let answer = Box::pin(async move { Reply::Moved(desk.advance(to).await) });
            process.flights.push(Flight { hope: Hope::Move(to), answer });
        }
    }

    // -- Turns --

    /// What becomes of the next commit, should there be one.
    fn draw_fate(&mut self) {
        if self.is_calm {
            return;
        }
        let fate = match self.dice.below(100) {
            0..7 => Fate::Refused,
            7..17 => Fate::Unheard,
            17..23 => Fate::Torn,
            23..29 => Fate::Cut,
            29 => Fate::Deposed,
            _ if std::mem::take(&mut self.is_away) => Fate::Refused,
            _ => Fate::Written,
        };
        self.disk.foretell(fate);
    }

    fn write(&mut self) {
        self.draw_fate();
        self.turn("deaths in a write", Crank::write);
    }

    fn commit(&mut self) {
        if self.slow > 0 {
            self.slow -= 1;
            self.count("slow commits");
            return;
        }
        self.draw_fate();
        self.turn("deaths in a commit", Crank::commit);
    }

    fn flush(&mut self) {
        self.draw_fate();
        self.turn("deaths in a flush", Crank::settle);
    }

    fn turn(&mut self, death: &'static str, turn: impl FnOnce(&mut Crank)) {
        let Some(process) = &mut self.process else { return };
        if dies(|| turn(&mut process.crank)) {
            self.count(death);
            self.die();
        }
    }

    /// The one that was taken over from goes on as if nothing had happened, and finds out.
    fn turn_old(&mut self) -> Found {
        let Some(mut old) = self.old.take() else { return Ok(()) };
        self.draw_fate();
        let crank = &mut old.crank;
        let is_dead = dies(|| {
            crank.write();
            crank.commit();
            crank.settle();
        });
        if is_dead {
            self.bury(old);
            return Ok(());
        }
        self.hear(&mut old)?;
        if old.crank.ending().is_some() {
            self.count("deposed writers");
            self.bury(old);
        } else {
            self.old = Some(old);
        }
        Ok(())
    }

    // -- Life and death --

    /// The process is gone, and with it everybody's wait.
    fn bury(&mut self, process: Process) {
        for flight in process.flights {
            if let Hope::Attempt(request) = flight.hope {
                self.model.abandon(request);
            }
        }
    }

    fn die(&mut self) {
        self.slow = 0;
        if let Some(process) = self.process.take() {
            self.bury(process);
        }
        // What the process had written outlives it, but for the power, and that takes all of them.
        if self.dice.one_in(2) {
            if let Some(old) = self.old.take() {
                self.bury(old);
            }
            let spared = self.dice.below(3);
            if self.disk.lose_power(spared) > 0 {
                self.count("commits lost before the disk had them");
            }
        }
    }

    fn crash(&mut self) {
        self.count("kills");
        self.die();
    }

    /// Another process starts while this one lives, as when it only seemed dead.
    fn take_over(&mut self) -> Found {
        self.count("take-overs");
        if let Some(old) = self.old.take() {
            self.bury(old);
        }
        self.old = self.process.take();
        self.restart()
    }

    /// Stops in good order: what was taken in is decided, written and answered.
    fn close(&mut self) {
        self.count("stops");
        if let Some(process) = &self.process {
            process.desk.close();
        }
        for _ in 0..4 {
            self.write();
            self.commit();
            self.flush();
        }
    }

    fn restart(&mut self) -> Found {
        if !self.is_calm && self.dice.one_in(6) {
            self.disk.fail_loads(1);
        }
        let store = Box::new(self.disk.clone());
        let pace = if self.is_simulated {
            Pace::Simulated(None)
        } else {
            Pace::Played(Arc::clone(&self.clock))
        };
        self.count("starts");
        // A start that fails is tried again at the next step.
        if let Ok((desk, crank)) = Crank::start(store, settings(), scribe, pace) {
            let (flights, loads) = (Vec::new(), self.disk.loads());
            self.process = Some(Process { desk, crank, flights, loads });
            self.model.restarted(&self.disk)?;
        }
        Ok(())
    }

    // -- Looking --

    /// Everybody looks whether there is an answer.
    fn listen(&mut self) -> Found {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        self.hear(&mut process)?;
        if self.disk.loads() > process.loads {
            process.loads = self.disk.loads();
            self.count("restores in place");
            self.model.restarted(&self.disk)?;
        }
        if let Some(ending) = process.crank.ending() {
            self.count(match ending {
                Ending::Stopped => "stopped in good order",
                Ending::Deposed => "deposed by the store",
                Ending::Broken => return Err("a writer broke".to_owned()),
            });
            self.bury(process);
        } else {
            self.process = Some(process);
        }
        Ok(())
    }

    fn hear(&mut self, process: &mut Process) -> Found {
        let shown = process.desk.view().number;
        if shown > self.disk.number() {
            return Err(format!("commit {shown} is shown and not on the disk"));
        }
        let mut waiting = Vec::new();
        for mut flight in std::mem::take(&mut process.flights) {
            let Poll::Ready(reply) = poll(&mut flight.answer) else {
                waiting.push(flight);
                continue;
            };
            match (flight.hope, reply) {
                (Hope::Attempt(request), Reply::Done(result)) => {
                    self.count(match &result {
                        Ok(done) if matches!(done.outcome, Ok(Answer::Known { .. })) => "known",
                        Ok(done) if done.outcome.is_ok() => "answered yes",
                        Ok(_) => "answered no",
                        Err(Fault::InDoubt) => "in doubt",
                        Err(Fault::Busy) => "busy",
                        Err(Fault::Closed) => "closed",
                        Err(Fault::Standby) => "standby",
                    });
                    self.model.answered(request, result, &self.disk)?;
                }
                (Hope::Reuse, Reply::Done(result)) => Model::reused(result)?,
                (Hope::Move(to), Reply::Moved(Ok(now))) if now < to => {
                    return Err(format!("the clock was moved to {to} and stands at {now}"));
                }
                (Hope::Crowding, Reply::Done(Ok(done))) if done.outcome.is_ok() => {
                    return Err("an order that is not there was cancelled".to_owned());
                }
                (Hope::Crowding | Hope::Move(_), _) => {}
                (_, Reply::Moved(_)) => return Err("the clock answered an errand".to_owned()),
            }
        }
        process.flights = waiting;
        self.model.catch_up(&self.disk)?;
        self.looks += 1;
        if self.looks.is_multiple_of(LOOK_EVERY) {
            self.model.shown(&process.desk.view(), &self.disk)?;
        }
        Ok(())
    }

    // -- The end --

    /// The faults are over: everybody insists until answered, a retry says what was said first, and
    /// the next process finds all of it.
    fn settle(&mut self) -> Found {
        (self.is_calm, self.slow) = (true, 0);
        self.disk.fail_loads(0);
        self.disk.foretell(Fate::Written);
        if let Some(old) = self.old.take() {
            self.bury(old);
        }
        for _ in 0..8 {
            self.turn_all()?;
            let mut places = self.model.unanswered();
            places.retain(|place| self.model.calls[*place].key.is_some() && self.is_young(*place));
            if places.is_empty() && self.process.is_some() {
                break;
            }
            places.into_iter().for_each(|place| self.attempt(place));
        }
        let mut places = self.model.unanswered();
        places.retain(|place| self.model.calls[*place].key.is_some() && self.is_young(*place));
        if let Some(place) = places.first() {
            let verb = self.model.calls[*place].command.verb();
            return Err(format!("{verb} is never answered, though all goes well"));
        }
        for place in self.model.answered_calls() {
            if self.is_young(place) {
                self.attempt(place);
            }
        }
        self.turn_all()?;
        self.close();
        self.listen()?;
        if self.process.is_some() {
            return Err("it does not stop".to_owned());
        }
        self.model.be_thorough();
        self.restart()
    }

    fn turn_all(&mut self) -> Found {
        if self.process.is_none() {
            self.restart()?;
        }
        for _ in 0..6 {
            self.write();
            self.commit();
            self.flush();
            self.listen()?;
        }
        Ok(())
    }
}
