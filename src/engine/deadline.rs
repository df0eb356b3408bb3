//! What falls due, and when. Drained by `Command::Tick`, a bounded number at a time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::effect::Effects;

use crate::model::id::{
    ContractId, IncidentId, InvoiceId, LineId, ListingId, OrderId, PaymentId, QuoteId, SessionId,
};
use crate::model::{Micros, SkuCode, limits};

/// Something that happens by itself at an instant. Ordered as declared within one instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// An offer ends unanswered, or what was lost is over. Before anything else of that instant: a
    /// contract is whole again before it ends or is invoiced.
    IncidentMoves(IncidentId),
    QuoteLapses(QuoteId),
    ContractEnds(ContractId),
    ContractStarts(ContractId),
    OrderLapses(OrderId),
    /// What a listing has unsold of its next stretch is bought by its program's vendor.
    BackstopBuys(ListingId),
    ListingEnds(ListingId),
    /// A month has ended: what the contract delivered in it goes to the customer's invoice.
    ContractBills(ContractId),
    /// A draft has waited long enough for the operator's eyes.
    InvoiceOpens(InvoiceId),
    /// An invoice is past its grace.
    InvoiceMisses(InvoiceId),
    /// A line has been past due for long.
    LineAges(LineId),
    LineRunsOff(LineId),
    /// What was kept back of a payment becomes available.
    ReserveFrees(PaymentId),
    SessionEnds(SessionId),
    /// A market whose resting orders were not all looked at; retried from the next priority on.
    Sweep(SkuCode),
}

/// All of it, in order of time. By instant first: contracts begin and end on the hour, so a few
/// thousand instants have nearly all there is, and one more costs hardly more where a million are.
#[derive(Debug, Default)]
pub struct Deadlines {
    due: BTreeMap<Micros, BTreeSet<Due>>,
}

impl Deadlines {
    pub(super) fn set(&mut self, at: Micros, due: Due) {
        self.due.entry(at).or_default().insert(due);
    }

    pub(super) fn clear(&mut self, at: Micros, due: Due) {
        if let Some(then) = self.due.get_mut(&at) {
            then.remove(&due);
            if then.is_empty() {
                self.due.remove(&at);
            }
        }
    }

    /// A market's queue is to be looked at further: on the next Tick, which is any instant after
    /// this one.
    pub(super) fn set_sweep(&mut self, now: Micros, sku: SkuCode) {
        self.set(Micros::new(now.count().saturating_add(1)), Due::Sweep(sku));
    }

    /// All of it, in order, without the sweeps, which are no facts: after a restart every market is
    /// swept.
    pub(super) fn facts(&self) -> impl Iterator<Item = (Micros, &Due)> {
        let each = self.due.iter().flat_map(|(at, then)| then.iter().map(|due| (*at, due)));
        each.filter(|(_, due)| !matches!(due, Due::Sweep(_)))
    }

    /// The next deadline, whenever it is.
    pub(super) fn next(&self) -> Option<Micros> {
        self.due.first_key_value().map(|(at, _)| *at)
    }

    /// Takes the first deadline at or before `now`.
    pub(super) fn pop(&mut self, now: Micros) -> Option<(Micros, Due)> {
        let mut first = self.due.first_entry().filter(|first| *first.key() <= now)?;
        let at = *first.key();
        let due = first.get_mut().pop_first().expect("an instant with nothing due is not kept");
        if first.get().is_empty() {
            first.remove();
        }
        Some((at, due))
    }
}

impl FromIterator<(Micros, Due)> for Deadlines {
    fn from_iter<I: IntoIterator<Item = (Micros, Due)>>(all: I) -> Self {
        let mut deadlines = Self::default();
        all.into_iter().for_each(|(at, due)| deadlines.set(at, due));
        deadlines
    }
}

impl Engine {
    /// Meets what has fallen due, at most [`limits::DEADLINES_PER_TICK`] of it.
    pub(super) fn tick(&mut self, at: &Stamp, out: &mut Effects) -> Answer {
        for _ in 0..limits::DEADLINES_PER_TICK {
            let Some((_, due)) = self.deadlines.pop(at.at) else { break };
            self.meet(at, due, out);
        }
        // By the time of the last change, which is what a restart knows: a Tick that changes
        // nothing leaves no other trace either.
        self.memory.forget(self.now);
        Answer::Ticked { more: self.deadlines.next().is_some_and(|next| next <= at.at) }
    }

    fn meet(&mut self, at: &Stamp, due: Due, out: &mut Effects) {
        match due {
            Due::IncidentMoves(id) => self.meet_incident(at, id, out),
            Due::QuoteLapses(id) => self.lapse_quote(at, id, out),
            Due::ContractStarts(id) => self.start_contract(at, id, out),
            Due::ContractEnds(id) => self.complete_contract(at, id, out),
            Due::OrderLapses(id) => self.lapse_order(at, id, out),
            Due::BackstopBuys(id) => self.buy_unsold(at, id, out),
            Due::ListingEnds(id) => self.end_listing(at, id, out),
            Due::ContractBills(id) => self.bill_contract(at, id, out),
            Due::InvoiceOpens(id) => self.mature_invoice(at, id, out),
            Due::InvoiceMisses(id) => self.miss_invoice(at, id, out),
            Due::LineAges(id) => self.age_line(at, id, out),
            Due::ReserveFrees(id) => self.free_reserve(at, id, out),
            Due::LineRunsOff(id) => self.run_off(at, id, out),
            Due::SessionEnds(id) => self.end_session(id, out),
            Due::Sweep(sku) => self.sweep(at, &sku, out),
        }
    }
}
