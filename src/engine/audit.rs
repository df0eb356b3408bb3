//! Every invariant of the market, on one page, over the whole engine.

use super::Engine;

impl Engine {
    /// Checks every invariant; answers a sentence for each that is broken. Empty is sound.
    pub fn audit(&self) -> Vec<String> {
        todo!()
    }
}
