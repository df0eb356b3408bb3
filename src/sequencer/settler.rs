//! The thread that waits for the disk while the committer writes what comes next: once a batch is
//! on disk it publishes the view, and only then answers. Knows no rule of the market.

use std::fmt;
use std::iter::once;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::Fault;
use super::clock::Stopwatch;
use super::committer::{Farewell, Sealed, Tally, Waiter};
use super::desk::Shared;
use crate::engine::capacity::Shelf;
use crate::store::{self, Batch, Flush};
use crate::view::View;

/// So many batches wait for the disk at most beside those it is busy with: a slow disk makes larger
/// batches, not more of them.
pub(super) const WAITING_MAX: usize = 4;

/// A batch that is written, and on disk once `flush` has been done.
pub(super) struct Unsettled {
    pub(super) sealed: Sealed,
    pub(super) flush: Option<Flush>,
    /// Runs since it began to be written.
    pub(super) watch: Stopwatch,
}

impl fmt::Debug for Unsettled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Unsettled").field("sealed", &self.sealed).finish_non_exhaustive()
    }
}

/// The thread, as the committer sees it.
pub(super) struct Settler {
    hand: SyncSender<Unsettled>,
    /// Batches that were taken and are not answered yet.
    open: Arc<AtomicUsize>,
    thread: JoinHandle<Option<store::Fault>>,
}

impl Settler {
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let (hand, written) = sync_channel(WAITING_MAX);
        let open = Arc::new(AtomicUsize::new(0));
        let (farewell, counted) = (Farewell(Arc::clone(shared)), Arc::clone(&open));
        let thread = thread::Builder::new()
            .name("settler".to_owned())
            .spawn(move || settle_all(&written, &farewell.0, &counted))
            .expect("a thread can be started");
        Self { hand, open, thread }
    }

    /// Whether everything that it took is answered.
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Takes a batch. Waits while too many wait. Answers whether it still works; where it does not,
    /// whoever waits for the batch finds the reply dropped, which reads as in doubt.
    pub(super) fn take(&self, written: Unsettled) -> bool {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.hand.send(written).is_ok()
    }

    /// Lets it settle what it has taken, and says what stopped it before.
    pub(super) fn end(self) -> Option<store::Fault> {
        drop(self.hand);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn settle_all(
    written: &Receiver<Unsettled>,
    shared: &Shared,
    open: &AtomicUsize,
) -> Option<store::Fault> {
    while let Ok(first) = written.recv() {
        // One wait for the disk serves all that is written by now.
        let batches: Vec<_> = once(first).chain(written.try_iter()).collect();
        let count = batches.len();
        if let Err(fault) = settle(batches, shared) {
            return Some(fault);
        }
        open.fetch_sub(count, Ordering::Release);
    }
    None
}

/// Waits until these batches are on disk, then shows what they changed and answers for them.
///
/// # Errors
/// The store's fault; everyone has been told and the inbox is closed.
pub(super) fn settle(mut batches: Vec<Unsettled>, shared: &Shared) -> Result<(), store::Fault> {
    // What was written before is on disk with what was written last.
    let last = batches.iter_mut().rev().find_map(|written| written.flush.take());
    if let Some(Err(fault)) = last.map(|flush| flush()) {
        let sealed: Vec<_> = batches.into_iter().map(|written| written.sealed).collect();
        fail(sealed, &fault, shared);
        return Err(fault);
    }
    for Unsettled { sealed: Sealed { batch, shelves, waiters, tally }, watch, .. } in batches {
        if let Some(batch) = &batch {
            metrics::histogram!("headroom_commit_seconds").record(watch.seconds());
            metrics::counter!("headroom_commits_total").increment(1);
            publish(shared, batch, shelves);
        }
        waiters.into_iter().for_each(Waiter::answer);
        // Nobody waits for what is left: counting, and letting go of the batch.
        note(&tally, shared);
    }
    Ok(())
}

/// Tells everyone that what became of these batches is not known.
pub(super) fn fail(sealed: Vec<Sealed>, fault: &store::Fault, shared: &Shared) {
    let commit = sealed.iter().find_map(|it| it.batch.as_ref()).map(|batch| batch.number);
    metrics::counter!("headroom_commit_faults_total").increment(1);
    tracing::error!(commit, %fault, "a commit failed");
    // First close the door, then tell: who hears of it and retries must find it closed.
    shared.inbox.committer_has_ended();
    let waiters = sealed.into_iter().flat_map(|it| it.waiters);
    waiters.for_each(|waiter| waiter.refuse(Fault::InDoubt));
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
