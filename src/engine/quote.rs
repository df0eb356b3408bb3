//! Answers to "what would this cost", some of them firm for a few minutes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::effect::Effects;
use super::matching::Block;
use super::order::Ask;
use super::refusal::Refusal;
use crate::model::id::{OrderId, OrgId, QuoteId};
use crate::model::{Micros, Money};
use crate::words;

words! {
    /// `open -> taken | expired`. An indicative quote has no life: it is answered and forgotten.
    QuoteState {
        Indicative = "indicative",
        Open = "open",
        Taken = "taken",
        Expired = "expired",
    }
}

/// The exact cheapest block for an ask, and what it would do to the credit line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub id: QuoteId,
    pub org: OrgId,
    pub ask: Ask,
    pub block: Block,
    pub state: QuoteState,
    /// Available on the line after the hold; `None` without a line. May be negative in an indicative quote.
    pub credit_after: Option<Money>,
    /// When a firm quote lets go.
    pub expires_at: Option<Micros>,
    pub order: Option<OrderId>,
    pub created_at: Micros,
}

/// Open firm quotes.
#[derive(Debug, Default)]
pub struct Quotes {
    pub(super) open: BTreeMap<QuoteId, Quote>,
}

impl Engine {
    pub(super) fn quote(
        &mut self,
        _at: &Stamp,
        _id: QuoteId,
        _ask: Ask,
        _hold_secs: Option<i64>,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }
}
