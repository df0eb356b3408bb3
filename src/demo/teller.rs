//! How the demo speaks to the market: one command at a time, or a day of them at once, in order.
//!
//! Knows the desk and how to mint identifiers from a seed, so that the same seed at the same time
//! makes the same market. Knows nothing of what is said.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio::runtime::Runtime;
use uuid::Uuid;

use super::Fault;
use super::trace::Draws;
use crate::engine::{Actor, Answer, Command, Refusal};
use crate::model::Micros;
use crate::sequencer::{self, Desk, Errand};

/// Commands under way at once: enough for full batches, far fewer than the inbox takes.
const IN_FLIGHT_MAX: usize = 2_048;

/// One step of a day.
#[derive(Debug)]
pub enum Turn {
    /// Time goes on until this instant.
    Wait(Micros),
    Say(Actor, Command),
}

/// What came of a step; `None` of waiting.
pub type Outcome = Option<Result<Answer, Refusal>>;

/// See the module.
#[derive(Debug)]
pub struct Teller {
    desk: Desk,
    runtime: Runtime,
    draws: Draws,
    last_millis: u64,
}

type Reply<'a> = Pin<Box<dyn Future<Output = Result<Outcome, sequencer::Fault>> + 'a>>;

impl Teller {
    /// A teller at this desk.
    ///
    /// # Errors
    /// When no runtime can be started.
    pub fn new(desk: Desk, seed: u64) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { desk, runtime, draws: Draws::new(seed, u64::MAX), last_millis: 0 })
    }

    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The market's time.
    pub fn now(&self) -> Micros {
        self.desk.clock().now()
    }

    /// A fresh identifier of now.
    pub fn fresh(&mut self) -> Uuid {
        self.fresh_at(self.now())
    }

    /// A fresh identifier of the given instant: a UUIDv7, later than every one before.
    pub fn fresh_at(&mut self, at: Micros) -> Uuid {
        let millis = u64::try_from(at.count().div_euclid(1_000)).unwrap_or(0);
        self.last_millis = millis.max(self.last_millis + 1);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.draws.next().to_be_bytes());
        random[8..].copy_from_slice(&self.draws.next().to_be_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(self.last_millis, &random).into_uuid()
    }

    /// Says one command that the market has no reason to refuse.
    ///
    /// # Errors
    /// When the machinery fails, or the market refuses after all.
    pub fn say(&mut self, actor: Actor, command: Command) -> Result<Answer, Fault> {
        let verb = command.verb();
        let request = self.fresh();
        let errand = Errand { actor, request, key: None, command };
        let done = self.desk.submit_blocking(errand)?;
        done.outcome.map_err(|refusal| Fault::Refused { verb, why: format!("{refusal:?}") })
    }

    /// Lets time pass until `to`.
    ///
    /// # Errors
    /// When the machinery fails.
    pub fn wait(&self, to: Micros) -> Result<(), Fault> {
        self.desk.advance_blocking(to)?;
        Ok(())
    }

    /// Takes many turns in the given order, without waiting for one answer before the next command.
    /// Answers in the same order.
    ///
    /// # Errors
    /// When the machinery fails.
    pub fn take(&mut self, turns: Vec<Turn>) -> Result<Vec<Outcome>, Fault> {
        let requests: Vec<Uuid> = turns.iter().map(|_| self.fresh()).collect();
        let Self { desk, runtime, .. } = self;
        Ok(runtime.block_on(hand_in(desk, turns, requests))?)
    }

    /// Closes the desk and waits until everything is on disk and the store is free.
    pub fn leave(self) {
        self.desk.close();
        let ending = self.runtime.block_on(self.desk.ended());
        assert_eq!(ending, sequencer::Ending::Stopped, "the demo is alone with its database");
    }
}

async fn hand_in(
    desk: &Desk,
    turns: Vec<Turn>,
    requests: Vec<Uuid>,
) -> Result<Vec<Outcome>, sequencer::Fault> {
    let mut outcomes = Vec::with_capacity(turns.len());
    let mut waiting: VecDeque<(Reply<'_>, Option<Outcome>)> = VecDeque::new();
    for (turn, request) in turns.into_iter().zip(requests) {
        let mut reply: Reply<'_> = Box::pin(one(desk, turn, request));
        // The first poll hands the command in: the order of these polls is the order of the
        // commands.
        let first = poll_fn(|context| Poll::Ready(reply.as_mut().poll(context))).await;
        let early = match first {
            Poll::Ready(outcome) => Some(outcome?),
            Poll::Pending => None,
        };
        waiting.push_back((reply, early));
        if waiting.len() >= IN_FLIGHT_MAX {
            outcomes.extend(next(&mut waiting).await?);
        }
    }
    while let Some(outcome) = next(&mut waiting).await? {
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The outcome of the longest waiting reply.
async fn next(
    waiting: &mut VecDeque<(Reply<'_>, Option<Outcome>)>,
) -> Result<Option<Outcome>, sequencer::Fault> {
    match waiting.pop_front() {
        None => Ok(None),
        Some((_, Some(outcome))) => Ok(Some(outcome)),
        Some((reply, None)) => reply.await.map(Some),
    }
}

async fn one(desk: &Desk, turn: Turn, request: Uuid) -> Result<Outcome, sequencer::Fault> {
    match turn {
        Turn::Wait(to) => desk.advance(to).await.map(|_| None),
        Turn::Say(actor, command) => {
            let errand = Errand { actor, request, key: None, command };
            desk.submit(errand).await.map(|done| Some(done.outcome))
        }
    }
}
