//! The thread that owns the store while all goes well: writes what the writer has sealed, and hands
//! it on to be settled. Knows no rule of the market.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::Stopwatch;
use super::desk::Shared;
use super::settler::{Settler, Unsettled, fail, settle};
use super::{Done, Fault};
use crate::engine::capacity::Shelf;
use crate::model::{Micros, limits};
use crate::store::{self, Batch, Durable};

/// A decided command that waits for its commit.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
pub(super) enum Waiter {
    Errand(Done, oneshot::Sender<Result<Done, Fault>>),
    Advance(Micros, oneshot::Sender<Result<Micros, Fault>>),
}

impl Waiter {
    /// Tells what came of it. Who asked may have gone; that is no concern of ours.
    pub(super) fn answer(self) {
        match self {
            Self::Errand(done, reply) => drop(reply.send(Ok(done))),
            Self::Advance(now, reply) => drop(reply.send(Ok(now))),
        }
    }

    pub(super) fn refuse(self, fault: Fault) {
        match self {
            Self::Errand(_, reply) => drop(reply.send(Err(fault))),
            Self::Advance(_, reply) => drop(reply.send(Err(fault))),
        }
    }
}

/// A batch that is decided and waits for its commit.
#[derive(Debug)]
pub(super) struct Sealed {
    /// `None` when nothing was noted: then there is nothing to write, and the answers only wait for
    /// what was written before them.
    pub(super) batch: Option<Batch>,
    /// The pictures of `batch.effects.shelves`, as they were when it was sealed.
    pub(super) shelves: Vec<Shelf>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) tally: Tally,
}

/// What a batch adds to the metrics, once it is on disk.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) commands: usize,
    pub(super) verbs: BTreeMap<&'static str, u64>,
    pub(super) refusals: BTreeMap<&'static str, u64>,
    /// Time spent deciding.
    pub(super) decide_seconds: f64,
}

/// Wakes the writer however a thread that it depends on ends.
pub(super) struct Farewell(pub(super) Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.inbox.committer_has_ended();
    }
}

/// Writes until the writer hangs up, or until a commit fails. Gives the store back, with the fault,
/// once all that was written is settled.
pub(super) fn run(
    mut store: Box<dyn Durable>,
    sealed: &Receiver<Sealed>,
    shared: &Arc<Shared>,
) -> (Box<dyn Durable>, Option<store::Fault>) {
    let settler = Settler::start(shared);
    let fault = write_all(store.as_mut(), sealed, shared, &settler);
    let unsettled = settler.end();
    (store, fault.or(unsettled))
}

/// Answers with the fault that ended it, unless that was the settler's.
fn write_all(
    store: &mut dyn Durable,
    sealed: &Receiver<Sealed>,
    shared: &Shared,
    settler: &Settler,
) -> Option<store::Fault> {
    let patience = Duration::from_millis(limits::IDLE_MILLIS);
    loop {
        shared.inbox.committer_is_free();
        let sealed = match sealed.recv_timeout(patience) {
            Ok(sealed) => sealed,
            Err(RecvTimeoutError::Disconnected) => return None,
            // A writer with nothing to write would be the last to hear that it is none any more.
            Err(RecvTimeoutError::Timeout) => match store.holds() {
                Ok(()) => continue,
                Err(fault) => {
                    tracing::error!(%fault, "the store is lost");
                    shared.inbox.committer_has_ended();
                    return Some(fault);
                }
            },
        };
        let written = match write(store, sealed, shared) {
            Ok(written) => written,
            Err(fault) => return Some(fault),
        };
        // Where nobody else asks, there is nothing to write meanwhile, and no thread to be woken.
        if written.sealed.waiters.len() <= 1 && settler.is_idle() {
            if let Err(fault) = settle(vec![written], shared) {
                return Some(fault);
            }
        } else if !settler.take(written) {
            return None;
        }
    }
}

/// Writes one batch.
///
/// # Errors
/// The store's fault; everyone has been told and the inbox is closed.
pub(super) fn write(
    store: &mut dyn Durable,
    sealed: Sealed,
    shared: &Shared,
) -> Result<Unsettled, store::Fault> {
    let watch = Stopwatch::start();
    match sealed.batch.as_ref().map_or(Ok(None), |batch| store.write(batch)) {
        Ok(flush) => Ok(Unsettled { sealed, flush, watch }),
        Err(fault) => {
            fail(vec![sealed], &fault, shared);
            Err(fault)
        }
    }
}
