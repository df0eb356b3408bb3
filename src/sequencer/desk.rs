//! The counter in front of the writer: commands are handed in, the market's present is seen. Knows
//! no rule of the market; only how to wait for an answer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};

use super::clock::Clock;
use super::inbox::{Inbox, Parcel};
use super::{Done, Ending, Errand, Fault};
use crate::model::Micros;
use crate::view::View;

/// What the writer, the committer and everyone at the desk share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) view: ArcSwap<View>,
    pub(super) commits: watch::Sender<u64>,
    pub(super) ending: watch::Sender<Option<Ending>>,
    pub(super) clock: Clock,
}

/// Where commands are handed in and the market's present is seen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(super) shared: Arc<Shared>,
}

impl Desk {
    /// Hands in a command and waits until what came of it is on disk.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn submit(&self, errand: Errand) -> Result<Done, Fault> {
        let (reply, answer) = oneshot::channel();
        self.shared.inbox.put(Parcel::Errand(errand, reply))?;
        // A dropped reply is a writer that has died in the middle: what it did is unknown.
        answer.await.unwrap_or(Err(Fault::InDoubt))
    }

    /// As `submit`, for threads outside a runtime.
    ///
    /// # Errors
    /// See [`Fault`].
    ///
    /// # Panics
    /// Within a runtime, which must not be blocked.
    pub fn submit_blocking(&self, errand: Errand) -> Result<Done, Fault> {
        let (reply, answer) = oneshot::channel();
        self.shared.inbox.put(Parcel::Errand(errand, reply))?;
        answer.blocking_recv().unwrap_or(Err(Fault::InDoubt))
    }

    /// The market as of the last commit.
    pub fn view(&self) -> Arc<View> {
        self.shared.view.load_full()
    }

    /// The number of each commit, once its view is published.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.shared.commits.subscribe()
    }

    /// The market's clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Whether commands are taken in now.
    pub fn is_ready(&self) -> bool {
        self.shared.inbox.is_open()
    }

    /// Whether another process is the writer, and this one waits to be.
    pub fn is_standing_by(&self) -> bool {
        self.shared.inbox.is_standing_by()
    }

    /// Commands that wait for the writer.
    pub fn depth(&self) -> usize {
        self.shared.inbox.depth()
    }

    /// Moves a simulated clock to `to` (never back), meeting every deadline on the way at its own
    /// instant. Answers where the clock stands then. A system clock is not moved: `Fault::Closed`.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn advance(&self, to: Micros) -> Result<Micros, Fault> {
        let answer = self.hand_in_advance(to)?;
        answer.await.unwrap_or(Err(Fault::InDoubt))
    }

    /// As `advance`, for threads outside a runtime.
    ///
    /// # Errors
    /// See [`Fault`].
    ///
    /// # Panics
    /// Within a runtime, which must not be blocked.
    pub fn advance_blocking(&self, to: Micros) -> Result<Micros, Fault> {
        self.hand_in_advance(to)?.blocking_recv().unwrap_or(Err(Fault::InDoubt))
    }

    fn hand_in_advance(
        &self,
        to: Micros,
    ) -> Result<oneshot::Receiver<Result<Micros, Fault>>, Fault> {
        if !self.shared.clock.is_simulated() {
            return Err(Fault::Closed);
        }
        let (reply, answer) = oneshot::channel();
        self.shared.inbox.put(Parcel::Advance(to, reply))?;
        Ok(answer)
    }

    /// Takes no more commands; what was taken in is still decided, written and answered. The writer
    /// ends then: see `ended`.
    pub fn close(&self) {
        self.shared.inbox.close();
    }

    /// Waits until the writer has ended and the store is closed, and says why.
    pub async fn ended(&self) -> Ending {
        let mut ending = self.shared.ending.subscribe();
        match ending.wait_for(Option::is_some).await {
            Ok(ending) => ending.expect("it was waited for"),
            Err(_) => Ending::Broken,
        }
    }
}
