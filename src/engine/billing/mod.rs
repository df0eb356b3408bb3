//! What customers owe and what becomes of it: invoices by month, payments, payouts, closed months.
//!
//! Knows what was charged and who has a part in it. Knows nothing of capacity; the money that moves
//! is in the ledger's GL book.

mod invoice;
mod payment;
mod payout;
mod period;

use std::collections::{BTreeMap, BTreeSet};

pub use invoice::{Invoice, InvoiceLine, InvoiceState, Part, Party, Sums};
pub use payment::{Payment, Reserve, Split};
pub use payout::{Payable, Payout, PayoutState};
pub use period::{Period, PeriodState};

use super::Settings;
use super::deadline::Due;
use crate::model::id::{InvoiceId, OrgId, PaymentId, PayoutId};
use crate::model::{Micros, Month};

const MINUTES_PER_DAY: i64 = 24 * 60;
const SECONDS_PER_HOUR: i64 = 60 * 60;

/// Invoices that can still change, payments whose reserves are held, payouts under way, and the
/// months that are closed.
#[derive(Debug, Default)]
pub struct Billing {
    /// Draft, open and overdue ones, and those whose rest waits for a guarantor.
    pub(super) invoices: BTreeMap<InvoiceId, Invoice>,
    /// What the lines of each add up to.
    pub(super) sums: BTreeMap<InvoiceId, Sums>,
    /// The same by customer.
    pub(super) by_org: BTreeMap<OrgId, BTreeSet<InvoiceId>>,
    pub(super) payments: BTreeMap<PaymentId, Payment>,
    pub(super) payouts: BTreeMap<PayoutId, Payout>,
    pub(super) periods: BTreeMap<Month, Period>,
}

impl Billing {
    /// Billing as the store kept it.
    pub(super) fn from_parts(
        invoices: Vec<(Invoice, Sums)>,
        payments: Vec<Payment>,
        payouts: Vec<Payout>,
        periods: Vec<Period>,
    ) -> Self {
        let mut billing = Self {
            payments: payments.into_iter().map(|it| (it.id, it)).collect(),
            payouts: payouts.into_iter().map(|it| (it.id, it)).collect(),
            periods: periods.into_iter().map(|it| (it.month, it)).collect(),
            ..Self::default()
        };
        for (invoice, sums) in invoices {
            billing.sums.insert(invoice.id, sums);
            billing.keep(invoice);
        }
        billing
    }

    /// The invoices of a customer that can still change, in order of the id.
    pub(super) fn of_org(&self, org: OrgId) -> impl Iterator<Item = &Invoice> {
        let ids = self.by_org.get(&org).into_iter().flatten();
        ids.map(|id| &self.invoices[id])
    }

    /// Those that can still change with what their lines add up to, in order of the id.
    pub(super) fn with_sums(&self) -> impl Iterator<Item = (Invoice, Sums)> {
        self.invoices.values().map(|it| (it.clone(), self.sums[&it.id].clone()))
    }

    /// Keeps an invoice that can still change.
    pub(super) fn keep(&mut self, invoice: Invoice) {
        self.by_org.entry(invoice.org).or_default().insert(invoice.id);
        self.invoices.insert(invoice.id, invoice);
    }

    /// Lets go of one that cannot.
    pub(super) fn let_go(&mut self, invoice: &Invoice) {
        self.invoices.remove(&invoice.id);
        self.sums.remove(&invoice.id);
        if let Some(ids) = self.by_org.get_mut(&invoice.org) {
            ids.remove(&invoice.id);
            if ids.is_empty() {
                self.by_org.remove(&invoice.org);
            }
        }
    }

    /// What falls due for all of it.
    pub(super) fn deadlines(&self, settings: &Settings) -> impl Iterator<Item = (Micros, Due)> {
        let invoices = self.invoices.values().filter_map(|it| it.deadline(settings));
        let reserves = self.payments.values();
        let reserves = reserves.map(|it| (it.frees_at.micros(), Due::ReserveFrees(it.id)));
        invoices.chain(reserves)
    }
}
