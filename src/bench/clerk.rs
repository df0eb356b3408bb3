//! An engine driven by hand: commands in, batches out, as the sequencer's writer makes them. For
//! filling markets, and for the batches that a store is measured with when nothing else is.

use uuid::Uuid;

use crate::engine::effect::{Change, Effects};
use crate::engine::{Actor, Answer, Command, Engine, Key, Refusal, Settings, Stamp};
use crate::model::{Micros, Money, limits};
use crate::sequencer::{Scribe, Written};
use crate::store::{AuditRecord, Batch, Durable, Fault, KeptAnswer, chain};

/// What was decided and is not sealed yet.
#[derive(Debug, Default)]
struct Tray {
    effects: Effects,
    audit: Vec<AuditRecord>,
    answers: Vec<KeptAnswer>,
}

/// See the module.
#[derive(Debug)]
pub struct Clerk {
    pub engine: Engine,
    /// The instant of the next command. The clerk's time stands still unless it is moved.
    pub now: Micros,
    scribe: Scribe,
    tray: Tray,
    number: u64,
    hash: [u8; 32],
}

/// One officer is enough in a benchmark's market.
pub fn settings() -> Settings {
    let two_person_threshold = Money::from_micros(limits::AMOUNT_MAX);
    Settings { two_person_threshold, ..Settings::default() }
}

impl Clerk {
    pub fn new(now: Micros, scribe: Scribe) -> Self {
        let engine = Engine::new(settings());
        Self { engine, now, scribe, tray: Tray::default(), number: 0, hash: [0; 32] }
    }

    /// Decides one command and keeps all that a store would be told of it.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn ask(
        &mut self,
        actor: Actor,
        key: Option<Key>,
        command: Command,
    ) -> Result<Answer, Refusal> {
        let (at, request) = (self.now, Uuid::nil());
        let stamp = Stamp { at, seq: self.engine.seq() + 1, actor, request, key };
        let verb = command.verb();
        let what = serde_json::to_string(&command).expect("a command is plain data");
        let Tray { effects, audit, answers } = &mut self.tray;
        let kept_before = effects.kept.len();
        let outcome = self.engine.apply(&stamp, command, effects);
        let changes = list(&std::mem::take(&mut effects.changes));
        audit.push(AuditRecord { seq: stamp.seq, at, actor, request, verb, what, changes });
        if let Some(key) = key.filter(|_| effects.kept.len() > kept_before) {
            let Written { status, headers, body } = (self.scribe)(&outcome, request, at);
            answers.push(KeptAnswer { key, status, headers, body });
        }
        outcome
    }

    /// Decides one command as `ask` does and forgets at once what a store would be told.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn tell(&mut self, actor: Actor, command: Command) -> Result<Answer, Refusal> {
        let (seq, request) = (self.engine.seq() + 1, Uuid::nil());
        let stamp = Stamp { at: self.now, seq, actor, request, key: None };
        let outcome = self.engine.apply(&stamp, command, &mut self.tray.effects);
        if self.tray.effects.marks() > MARKS_UNTOLD {
            self.tray = Tray::default();
        }
        outcome
    }

    /// The batch of everything asked since the last one.
    pub fn seal(&mut self) -> Batch {
        let Tray { effects, audit, answers } = std::mem::take(&mut self.tray);
        let (number, seq) = (self.number + 1, self.engine.seq());
        let hash = chain::link(&self.hash, number, seq, &audit);
        (self.number, self.hash) = (number, hash);
        Batch { number, seq, effects, audit, answers, hash }
    }

    /// Seals and commits.
    ///
    /// # Errors
    /// The store's.
    pub fn commit(&mut self, store: &mut dyn Durable) -> Result<(), Fault> {
        let batch = self.seal();
        store.commit(&batch)
    }
}

/// Notes after which those of untold commands are dropped: about 256 orders.
const MARKS_UNTOLD: usize = 4_096;

/// Changes as the audit trail keeps them.
fn list(changes: &[Change]) -> Option<String> {
    let mut texts = Vec::new();
    for Change { subject, before, after } in changes {
        let subject = serde_json::Value::from(subject.as_str());
        let before = before.as_deref().unwrap_or("null");
        let after = after.as_deref().unwrap_or("null");
        texts.push(format!(r#"{{"subject":{subject},"before":{before},"after":{after}}}"#));
    }
    (!texts.is_empty()).then(|| format!("[{}]", texts.join(",")))
}
