//! The thread that owns the store while all goes well: commits what the writer has sealed,
//! publishes the view, and only then answers. Knows no rule of the market.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::Stopwatch;
use super::desk::Shared;
use super::{Done, Fault};
use crate::engine::capacity::Shelf;
use crate::model::{Micros, limits};
use crate::store::{self, Batch, Durable};
use crate::view::View;

/// A decided command that waits for its commit.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
pub(super) enum Waiter {
    Errand(Done, oneshot::Sender<Result<Done, Fault>>),
    Advance(Micros, oneshot::Sender<Result<Micros, Fault>>),
}

impl Waiter {
    /// Tells what came of it. Who asked may have gone; that is no concern of ours.
    fn answer(self) {
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

/// Commits until the writer hangs up, or until a commit fails. Gives the store back, with the
/// fault.
pub(super) fn run(
    mut store: Box<dyn Durable>,
    sealed: &Receiver<Sealed>,
    shared: &Shared,
) -> (Box<dyn Durable>, Option<store::Fault>) {
    let patience = Duration::from_millis(limits::IDLE_MILLIS);
    shared.inbox.committer_is_free();
    loop {
        let sealed = match sealed.recv_timeout(patience) {
            Ok(sealed) => sealed,
            Err(RecvTimeoutError::Disconnected) => return (store, None),
            // A writer with nothing to write would be the last to hear that it is none any more.
            Err(RecvTimeoutError::Timeout) => match store.holds() {
                Ok(()) => continue,
                Err(fault) => {
                    tracing::error!(%fault, "the store is lost");
                    shared.inbox.committer_has_ended();
                    return (store, Some(fault));
                }
            },
        };
        if let Err(fault) = settle(store.as_mut(), sealed, shared) {
            return (store, Some(fault));
        }
    }
}

/// Commits one batch and answers for it.
///
/// # Errors
/// The store's fault; everyone has been told and the inbox is closed.
pub(super) fn settle(
    store: &mut dyn Durable,
    sealed: Sealed,
    shared: &Shared,
) -> Result<(), store::Fault> {
    let Sealed { batch, shelves, waiters, tally } = sealed;
    if let Some(batch) = &batch {
        let watch = Stopwatch::start();
        if let Err(fault) = store.commit(batch) {
            metrics::counter!("headroom_commit_faults_total").increment(1);
            tracing::error!(commit = batch.number, %fault, "a commit failed");
            // First close the door, then tell: who hears of it and retries must find it closed.
            shared.inbox.committer_has_ended();
            waiters.into_iter().for_each(|waiter| waiter.refuse(Fault::InDoubt));
            return Err(fault);
        }
        metrics::histogram!("headroom_commit_seconds").record(watch.seconds());
        metrics::counter!("headroom_commits_total").increment(1);
        publish(shared, batch, shelves);
    }
    waiters.into_iter().for_each(Waiter::answer);
    shared.inbox.committer_is_free();
    // Nobody waits for what is left: counting, and letting go of the batch.
    note(&tally, shared);
    Ok(())
}

/// Makes a commit visible. Before this line nobody has seen it; after it everybody does.
fn publish(shared: &Shared, batch: &Batch, shelves: Vec<Shelf>) {
    let mut view = View::clone(&shared.view.load());
    view.absorb(batch.number, &batch.effects, shelves);
    shared.view.store(Arc::new(view));
    shared.commits.send_replace(batch.number);
}

fn note(tally: &Tally, shared: &Shared) {
    let Tally { commands, verbs, refusals, decide_seconds } = tally;
    // A gauge and a histogram are floats by nature; below 2^32 nothing is lost.
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    metrics::gauge!("headroom_inbox_depth").set(float(shared.inbox.depth()));
    metrics::histogram!("headroom_batch_commands").record(float(*commands));
    metrics::histogram!("headroom_decide_seconds").record(*decide_seconds);
    for (verb, count) in verbs {
        metrics::counter!("headroom_commands_total", "verb" => *verb).increment(*count);
    }
    for (code, count) in refusals {
        metrics::counter!("headroom_refusals_total", "code" => *code).increment(*count);
    }
}
