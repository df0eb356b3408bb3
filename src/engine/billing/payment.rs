//! Payments: money that customers paid, and whose payables became available by it.

use serde::{Deserialize, Serialize};

use super::{Invoice, InvoiceState, MINUTES_PER_DAY, Party};
use crate::engine::charge::{less, sum};
use crate::engine::command::{Answer, Stamp};
use crate::engine::credit::Line;
use crate::engine::deadline::Due;
use crate::engine::effect::Effects;
use crate::engine::event::{EventData, EventKind};
use crate::engine::ledger::{Account, AccountKey, EntryKind};
use crate::engine::refusal::Refusal;
use crate::engine::{Engine, bound};
use crate::model::id::{InvoiceId, OrgId, PaymentId};
use crate::model::{BasisPoints, Micros, Minute, Money, Right, limits};

/// What of a payment went to which invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub invoice: InvoiceId,
    pub amount: Money,
}

/// What of a provider's part is kept back for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    pub provider: OrgId,
    pub amount: Money,
}

/// Money that a customer paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub id: PaymentId,
    pub org: OrgId,
    pub amount: Money,
    /// The bank's or the customer's own words for it.
    pub reference: String,
    /// Oldest due first, unless one invoice was named.
    pub splits: Vec<Split>,
    pub reserves: Vec<Reserve>,
    /// When the reserves become available.
    pub frees_at: Minute,
    /// They have.
    pub freed: bool,
    pub recorded_at: Micros,
}

impl Engine {
    /// Money has come in. It pays the named invoice, or the customer's oldest due first; what was
    /// waiting for it becomes available to providers and vendors, less the reserve.
    pub(in crate::engine) fn record_payment(
        &mut self,
        at: &Stamp,
        id: PaymentId,
        org: OrgId,
        amount: Money,
        invoice: Option<InvoiceId>,
        reference: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        if self.parties.organization(org).is_none() {
            let named = org.to_string();
            return Err(Refusal::Unknown { field: "organization_id", named });
        }
        bound::reference("reference", &reference)?;
        bound::within("amount", amount.micros(), 1, limits::AMOUNT_MAX)?;
        let demanded = match invoice {
            Some(named) => vec![self.demanded_of(org, named)?],
            None => self.oldest_due(org),
        };
        let there = demanded.iter().map(|it| it.outstanding()).fold(Money::ZERO, sum);
        if amount > there {
            return Err(Refusal::MoreThanThere { what: "outstanding", there, given: amount });
        }
        // From here it must succeed: every question has been asked.
        let (mut left, mut splits) = (amount, Vec::new());
        for invoice in demanded {
            let part = left.min(invoice.outstanding());
            if !part.is_zero() {
                splits.push(Split { invoice: invoice.id, amount: part });
                left = less(left, part);
            }
        }
        let mut reserves = Vec::new();
        for &Split { invoice, amount } in &splits {
            self.pay_invoice(at, invoice, amount, &mut reserves, out);
        }
        let days = i64::from(self.settings.reserve_days);
        let payment = Payment {
            id,
            org,
            amount,
            reference,
            splits,
            frees_at: at.now().plus(days * MINUTES_PER_DAY),
            freed: reserves.is_empty(),
            reserves,
            recorded_at: at.at,
        };
        if !payment.freed {
            self.deadlines.set(payment.frees_at.micros(), Due::ReserveFrees(id));
            self.billing.payments.insert(id, payment.clone());
        }
        out.payments.born(id, payment.clone());
        let data = EventData::Payment { id, amount };
        self.tell(at, org, EventKind::PaymentRecorded, data, None, out);
        Ok(Answer::Payment(payment))
    }

    fn demanded_of(&self, org: OrgId, id: InvoiceId) -> Result<&Invoice, Refusal> {
        let invoice = self.billing.invoice(id)?;
        if invoice.org != org {
            return Err(Refusal::NotFound { kind: "invoice" });
        }
        self.collectable(id)
    }

    /// What a customer can pay, the oldest due first.
    fn oldest_due(&self, org: OrgId) -> Vec<&Invoice> {
        let mut due: Vec<&Invoice> =
            self.billing.of_org(org).filter(|it| self.collectable(it.id).is_ok()).collect();
        due.sort_by_key(|invoice| (invoice.due_at, invoice.id));
        due
    }

    /// Part of a payment meets one invoice.
    fn pay_invoice(
        &mut self,
        at: &Stamp,
        id: InvoiceId,
        amount: Money,
        reserves: &mut Vec<Reserve>,
        out: &mut Effects,
    ) {
        let mut invoice = self.billing.invoices[&id].clone();
        let operator = self.parties.operator().expect("a market has an operator").id;
        let cash = AccountKey::of(Account::GlCash, operator.uuid());
        let receivable = AccountKey::of(self.credit.invoiced(invoice.line), invoice.org.uuid());
        self.post_money(at, cash, receivable, amount, EntryKind::PaymentReceived, out);
        let reserve = self.settings.reserve;
        reserves.extend(self.free_parts(at, &invoice, amount, reserve, out));
        for part in self.billing.next_parts(&invoice, amount) {
            if let Party::Vendor { program, .. } = part.party {
                self.unexpose(at, invoice.line, program, part.charged, None, out);
            }
        }
        self.repay(at, invoice.line, amount, out);
        invoice.paid = sum(invoice.paid, amount);
        self.settle_if_whole(at, &mut invoice, out);
        self.settled_invoice(at, invoice, out);
    }

    /// Makes the parties' parts of the next `amount` of an invoice available to them; answers what
    /// is kept back: `reserve` of the providers' parts.
    pub(in crate::engine) fn free_parts(
        &mut self,
        at: &Stamp,
        invoice: &Invoice,
        amount: Money,
        reserve: BasisPoints,
        out: &mut Effects,
    ) -> Vec<Reserve> {
        let mut reserves = Vec::new();
        for part in self.billing.next_parts(invoice, amount) {
            match part.party {
                Party::Provider(provider) => {
                    let back = part.amount.portion(reserve);
                    let back = back.expect("a part is no more than the whole");
                    let own = |account| AccountKey::of(account, provider.uuid());
                    let waiting = own(Account::GlProviderAccrued);
                    let (free, kept) = (less(part.amount, back), own(Account::GlProviderReserve));
                    let (to, kind) = (own(Account::GlProviderAvailable), EntryKind::PayableFreed);
                    self.post_money(at, waiting, to, free, kind, out);
                    self.post_money(at, waiting, kept, back, EntryKind::ReserveHeld, out);
                    if !back.is_zero() {
                        reserves.push(Reserve { provider, amount: back });
                    }
                }
                Party::Vendor { vendor, .. } => {
                    let own = |account| AccountKey::of(account, vendor.uuid());
                    let (from, to) =
                        (own(Account::GlVendorAccrued), own(Account::GlVendorAvailable));
                    self.post_money(at, from, to, part.amount, EntryKind::PayableFreed, out);
                }
                Party::Reseller(org) => {
                    let own = |account| AccountKey::of(account, org.uuid());
                    let (from, to) =
                        (own(Account::GlCreditBalance), own(Account::GlCreditAvailable));
                    self.post_money(at, from, to, part.amount, EntryKind::PayableFreed, out);
                }
                // Its part was revenue when it was earned.
                Party::Platform => {}
            }
        }
        reserves
    }

    /// What was kept back of a payment becomes available.
    pub(in crate::engine) fn free_reserve(&mut self, at: &Stamp, id: PaymentId, out: &mut Effects) {
        let mut payment = self.billing.payments.remove(&id).expect("a reserve frees once");
        for reserve in &payment.reserves {
            let own = |account| AccountKey::of(account, reserve.provider.uuid());
            let (from, to) = (own(Account::GlProviderReserve), own(Account::GlProviderAvailable));
            self.post_money(at, from, to, reserve.amount, EntryKind::ReserveFreed, out);
        }
        payment.freed = true;
        out.payments.changed(id, payment);
    }

    /// Whether an invoice of a line is overdue.
    pub(in crate::engine) fn is_overdue(&self, line: &Line) -> bool {
        let mut own = self.billing.of_org(line.org).filter(|invoice| invoice.line == line.id);
        own.any(|invoice| invoice.state == InvoiceState::Overdue)
    }
}
