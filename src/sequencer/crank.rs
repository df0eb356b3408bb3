//! The sequencer without its threads: the writer, the committer and the settler have their turns
//! when somebody says so. For simulations, in which every order of turns must repeat exactly.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Pace;
use super::desk::{Desk, Shared};
use super::writer::{LastWords, Term, share};
use super::{Ending, Scribe};
use crate::engine::Settings;
use crate::store::{self, Durable};

/// A market whose threads are turned by hand. Dropped, it is a process that died:
/// whoever waits for an answer gets none.
pub struct Crank {
    shared: Arc<Shared>,
    settings: Settings,
    scribe: Scribe,
    life: Life,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it")]
enum Life {
    /// A term of office.
    Serving(Term),
    /// A commit has failed; the store is to be loaded again.
    Lost(Box<dyn Durable>),
    Over(Ending),
}

impl fmt::Debug for Crank {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Crank").field("ending", &self.ending()).finish_non_exhaustive()
    }
}

impl Crank {
    /// As [`super::start`], without starting anything.
    ///
    /// # Errors
    /// When the store cannot be loaded.
    pub fn start(
        mut store: Box<dyn Durable>,
        settings: Settings,
        scribe: Scribe,
        pace: Pace,
    ) -> Result<(Desk, Self), store::Fault> {
        let loaded = store.load()?;
        let shared = share(pace, Some(&loaded));
        let desk = Desk { shared: Arc::clone(&shared) };
        let mut term = Term::begin(&shared, settings.clone(), scribe, loaded);
        term.commit_by_hand(store);
        Ok((desk, Self { shared, settings, scribe, life: Life::Serving(term) }))
    }

    /// The writer's turn. It wakes once: hands its batch to a free committer or else takes in what
    /// waits, and decides; after a failed commit it asks the store once for everything anew.
    pub fn write(&mut self) {
        let life = std::mem::replace(&mut self.life, Life::Over(Ending::Broken));
        self.life = match life {
            Life::Serving(mut term) => match term.turn(Duration::ZERO) {
                Ok(true) => Life::Serving(term),
                Ok(false) | Err(_) => {
                    let (store, fault) = term.end();
                    match fault {
                        None => self.over(Ending::Stopped),
                        Some(store::Fault::Deposed) => self.over(Ending::Deposed),
                        Some(_) => Life::Lost(store),
                    }
                }
            },
            Life::Lost(store) => self.load_again(store),
            Life::Over(ending) => Life::Over(ending),
        };
    }

    fn load_again(&self, mut store: Box<dyn Durable>) -> Life {
        match store.load() {
            Ok(loaded) => {
                let settings = self.settings.clone();
                let mut term = Term::begin(&self.shared, settings, self.scribe, loaded);
                term.commit_by_hand(store);
                Life::Serving(term)
            }
            Err(store::Fault::Deposed) => self.over(Ending::Deposed),
            Err(_) if self.shared.inbox.is_closed() => self.over(Ending::Stopped),
            Err(_) => Life::Lost(store),
        }
    }

    /// The committer's turn: one batch is written, if one was handed over.
    pub fn commit(&mut self) {
        if let Life::Serving(term) = &mut self.life {
            term.commit();
        }
    }

    /// The settler's turn: what is written is waited for, shown and answered.
    pub fn settle(&mut self) {
        if let Life::Serving(term) = &mut self.life {
            term.settle();
        }
    }

    /// How the writer ended, if it has.
    pub fn ending(&self) -> Option<Ending> {
        match self.life {
            Life::Over(ending) => Some(ending),
            Life::Serving(_) | Life::Lost(_) => None,
        }
    }

    fn over(&self, ending: Ending) -> Life {
        drop(LastWords { shared: Arc::clone(&self.shared), ending });
        Life::Over(ending)
    }
}
