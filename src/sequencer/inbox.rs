//! Where commands wait for the writer: bounded, in order of arrival, with one bell for everything
//! that the writer waits for. Knows nothing of what the commands say.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Done, Errand, Fault};
use crate::model::{Micros, limits};

/// What waits for the writer, with the way back to who asked.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
pub(super) enum Parcel {
    Errand(Errand, oneshot::Sender<Result<Done, Fault>>),
    /// Move the simulated clock.
    Advance(Micros, oneshot::Sender<Result<Micros, Fault>>),
}

impl Parcel {
    /// Answers without having looked inside. Who asked may have gone; that is no concern of ours.
    pub(super) fn refuse(self, fault: Fault) {
        match self {
            Self::Errand(_, reply) => drop(reply.send(Err(fault))),
            Self::Advance(_, reply) => drop(reply.send(Err(fault))),
        }
    }
}

/// What the writer is woken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The committer has ended, by a fault.
    Lost,
    /// The committer waits for a batch, and there is one.
    Free,
    /// Commands were moved to the writer.
    Parcels,
    /// Nothing waits and nothing more will come.
    Closed,
    /// Nothing happened within the writer's patience.
    Nothing,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Parcel>,
    /// No term of office runs: the market is being loaded, for the first time or after a fault.
    lost: bool,
    /// No term runs because another process writes.
    stands_by: bool,
    /// No more commands, for good; what waits is still served.
    closed: bool,
    committer_free: bool,
    /// The writer sleeps and nobody has rung since: a bell costs a call of the system, which under
    /// load nearly every command would pay for nothing.
    asleep: bool,
}

/// See the module. It has one sleeper at a time, the writer.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    bell: Condvar,
}

impl Inbox {
    /// An inbox that takes nothing in until it is opened.
    pub(super) fn new() -> Self {
        let waiting = VecDeque::new();
        let state = State {
            waiting,
            lost: true,
            stands_by: false,
            closed: false,
            committer_free: false,
            asleep: false,
        };
        Self { state: Mutex::new(state), bell: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the inbox")
    }

    /// Changes the state and wakes the writer.
    fn ring(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        self.wake(state);
    }

    /// Wakes the writer, if it sleeps, with the state out of its way.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.bell.notify_one();
        }
    }

    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        patience: Duration,
    ) -> (MutexGuard<'a, State>, bool) {
        state.asleep = true;
        let (mut state, timeout) =
            self.bell.wait_timeout(state, patience).expect("nobody panics while holding the inbox");
        state.asleep = false;
        (state, timeout.timed_out())
    }

    /// Leaves a command for the writer.
    pub(super) fn put(&self, parcel: Parcel) -> Result<(), Fault> {
        let mut state = self.state();
        if state.closed {
            return Err(Fault::Closed);
        }
        if state.lost {
            return Err(if state.stands_by { Fault::Standby } else { Fault::Closed });
        }
        if state.waiting.len() >= limits::INBOX_MAX {
            return Err(Fault::Busy);
        }
        state.waiting.push_back(parcel);
        self.wake(state);
        Ok(())
    }

    /// Waits for something to do. Moves at most `room` commands to `drained`; says `Free` only to a
    /// writer that `has_batch`, and before it looks at commands, so that no batch waits without
    /// need.
    pub(super) fn wait(
        &self,
        drained: &mut VecDeque<Parcel>,
        room: usize,
        has_batch: bool,
        patience: Duration,
    ) -> News {
        let mut state = self.state();
        let mut is_late = false;
        loop {
            if state.lost {
                return News::Lost;
            }
            if has_batch && state.committer_free {
                state.committer_free = false;
                return News::Free;
            }
            if room > 0 && !state.waiting.is_empty() {
                let count = room.min(state.waiting.len());
                drained.extend(state.waiting.drain(..count));
                return News::Parcels;
            }
            if state.closed && !has_batch {
                return News::Closed;
            }
            if is_late {
                return News::Nothing;
            }
            (state, is_late) = self.sleep(state, patience);
        }
    }

    /// Sleeps for `pause`, or until the inbox is closed; answers whether it is.
    pub(super) fn closed_within(&self, pause: Duration) -> bool {
        let mut state = self.state();
        let mut is_late = false;
        while !state.closed && !is_late {
            (state, is_late) = self.sleep(state, pause);
        }
        state.closed
    }

    /// The committer waits for the next batch.
    pub(super) fn committer_is_free(&self) {
        self.ring(|state| state.committer_free = true);
    }

    /// The committer has ended: by a fault, or because the writer has.
    pub(super) fn committer_has_ended(&self) {
        self.ring(|state| {
            state.committer_free = false;
            state.lost = true;
        });
    }

    /// Takes commands in, from now on.
    pub(super) fn open(&self) {
        self.ring(|state| {
            state.lost = false;
            state.stands_by = false;
        });
    }

    /// Another process writes: until `open` commands are turned away with that word.
    pub(super) fn stand_by(&self) {
        self.ring(|state| state.stands_by = true);
    }

    /// Takes no more commands, for good.
    pub(super) fn close(&self) {
        self.ring(|state| state.closed = true);
    }

    /// Takes everything that waits, to be refused.
    pub(super) fn empty(&self) -> VecDeque<Parcel> {
        std::mem::take(&mut self.state().waiting)
    }

    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        !state.lost && !state.closed
    }

    /// Whether it takes nothing more, for good.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(super) fn is_standing_by(&self) -> bool {
        let state = self.state();
        state.lost && state.stands_by && !state.closed
    }

    pub(super) fn depth(&self) -> usize {
        self.state().waiting.len()
    }
}
