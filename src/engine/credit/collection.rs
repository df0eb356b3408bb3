//! What follows a default: claims on guarantors, write-offs, recoveries shared by the loss borne.
//!
//! Knows the debt of a line in default and who bears it. Knows nothing of how the line got there:
//! that is `default`.

use serde::{Deserialize, Serialize};

use super::super::billing::{Invoice, InvoiceState, Party};
use super::super::charge::{less, sum};
use super::super::command::{Answer, Stamp};
use super::super::effect::{Change, Effects};
use super::super::event::{EventData, EventKind};
use super::super::ledger::{Account, AccountKey, EntryKind};
use super::super::refusal::Refusal;
use super::super::split::apportion;
use super::super::{Engine, bound};
use super::line::RECOVER;
use crate::model::id::{InvoiceId, LineId, OrgId, ProgramId, UserId};
use crate::model::{Micros, Money, Right, limits};
use crate::words;

words! {
    /// Why a line was declared in default.
    DefaultReason {
        /// Sixty days past due.
        Unpaid = "unpaid",
        Insolvency = "insolvency",
        Fraud = "fraud",
    }
}

/// What a guarantor was asked to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub program: ProgramId,
    pub guarantor: OrgId,
    pub amount: Money,
    pub paid: Money,
    /// Which invoices it stands for, and with how much each.
    pub invoices: Vec<(InvoiceId, Money)>,
}

/// Who has borne how much of the loss, and what of it came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Borne {
    pub party: Bearer,
    pub amount: Money,
    pub recovered: Money,
}

/// Who bears a part of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearer {
    Guarantor(OrgId),
    Party(Party),
}

/// A defaulted line's debt and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    pub line: LineId,
    pub org: OrgId,
    pub reason: DefaultReason,
    /// The two officers.
    pub decided_by: [UserId; 2],
    /// What was drawn when the line defaulted.
    pub defaulted: Money,
    pub claims: Vec<Claim>,
    pub written_off: Money,
    /// The loss by who bears it: guarantors by what they paid, the others by what was written off.
    /// In the order in which each first bore something.
    pub borne: Vec<Borne>,
    /// What the customer paid after all.
    pub recovered: Money,
    pub defaulted_at: Micros,
    pub changed_at: Micros,
    pub version: u32,
}

impl Claim {
    /// What the guarantor has not paid yet.
    pub fn unpaid(&self) -> Money {
        less(self.amount, self.paid)
    }

    /// The invoices that its next `amount` settles, in their order.
    fn next(&self, amount: Money) -> Vec<(InvoiceId, Money)> {
        let (mut before, mut left) = (self.paid, amount);
        let mut parts = Vec::new();
        for &(invoice, whole) in &self.invoices {
            let settled = before.min(whole);
            before = less(before, settled);
            let part = left.min(less(whole, settled));
            left = less(left, part);
            if !part.is_zero() {
                parts.push((invoice, part));
            }
        }
        parts
    }
}

impl Collection {
    /// All that anybody has borne.
    pub fn loss(&self) -> Money {
        self.borne.iter().map(|borne| borne.amount).fold(Money::ZERO, sum)
    }

    /// Somebody bears so much more.
    fn bears(&mut self, party: Bearer, amount: Money) {
        if amount.is_zero() {
            return;
        }
        match self.borne.iter_mut().find(|borne| borne.party == party) {
            Some(borne) => borne.amount = sum(borne.amount, amount),
            None => self.borne.push(Borne { party, amount, recovered: Money::ZERO }),
        }
    }

    /// How `amount` that came back is shared by the loss borne. Split on the running total, so that
    /// any way of cutting what comes back adds up to the same.
    fn shares_of(&self, amount: Money) -> Vec<Money> {
        let losses: Vec<Money> = self.borne.iter().map(|borne| borne.amount).collect();
        let shares = apportion(sum(self.recovered, amount), &losses);
        let steps = shares.iter().zip(&self.borne).map(|(&share, borne)| {
            let is_more = share >= borne.recovered;
            is_more.then(|| less(share, borne.recovered))
        });
        // A guarantor that paid since has moved the proportions: nobody gives back what it has, and
        // what comes now is shared by what is still missing.
        steps.collect::<Option<Vec<Money>>>().unwrap_or_else(|| {
            let missing = self.borne.iter().map(|borne| less(borne.amount, borne.recovered));
            apportion(amount, &missing.collect::<Vec<Money>>())
        })
    }
}

// The commands.
impl Engine {
    /// A guarantor has paid of what was claimed of it. What that stands for becomes available to
    /// the parties as if the customer had paid; nothing is kept back, since a guarantor's payment
    /// is not charged back.
    pub(in crate::engine) fn record_claim_payment(
        &mut self,
        at: &Stamp,
        line: LineId,
        program: ProgramId,
        amount: Money,
        reference: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        bound::reference("reference", reference)?;
        bound::within("amount", amount.micros(), 1, limits::AMOUNT_MAX)?;
        let collection = self.credit.collection(line)?;
        let place = collection.claims.iter().position(|claim| claim.program == program);
        let place = place.ok_or(Refusal::NotFound { kind: "claim" })?;
        let there = collection.claims[place].unpaid();
        if amount > there {
            let what = "claimed and not yet paid";
            return Err(Refusal::MoreThanThere { what, there, given: amount });
        }
        // From here it must succeed: every question has been asked.
        let mut collection = collection.clone();
        let claim = &mut collection.claims[place];
        let (parts, guarantor) = (claim.next(amount), claim.guarantor);
        claim.paid = sum(claim.paid, amount);
        let (claimed, paid) = (claim.amount, claim.paid);
        let receivable = AccountKey::of(Account::GlGuarantee, guarantor.uuid());
        let cash = self.cash();
        self.post_money(at, cash, receivable, amount, EntryKind::GuaranteePaid, out);
        self.settle_claim(at, line, program, amount, out);
        for (invoice, part) in parts {
            let mut invoice = self.billing.invoices[&invoice].clone();
            let kept = self.free_parts(at, &invoice, part, 0, out);
            assert!(kept.is_empty(), "nothing is kept back of a guarantor's payment");
            invoice.recovered = sum(invoice.recovered, part);
            self.keep_collected(at, invoice, out);
        }
        collection.bears(Bearer::Guarantor(guarantor), amount);
        let data = EventData::Claim { line, program, amount: claimed, paid };
        self.tell(at, guarantor, EventKind::ClaimPaid, data, None, out);
        Ok(self.keep_collection(at, collection, out))
    }

    /// What no guarantor was asked for is given up, by everybody in proportion to their part: who
    /// is paid when the customer pays bears the loss when it does not. The customer still owes it,
    /// and its line still says so (EXP `defaulted`): only a recovery takes that down.
    pub(in crate::engine) fn write_off(
        &mut self,
        at: &Stamp,
        line: LineId,
        note: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.deciding_about(at, line, note)?;
        let collection = self.credit.collection(line)?;
        if self.outstanding(collection).is_zero() {
            return Err(Refusal::WrongState {
                kind: "collection",
                state: "written off",
                needed: "something outstanding",
            });
        }
        // From here it must succeed: every question has been asked.
        let mut collection = collection.clone();
        let owed: Vec<Invoice> = self.owed(&collection).cloned().collect();
        for mut invoice in owed {
            let amount = invoice.outstanding();
            self.give_up(at, &mut collection, &invoice, amount, out);
            invoice.written_off = sum(invoice.written_off, amount);
            collection.written_off = sum(collection.written_off, amount);
            self.keep_collected(at, invoice, out);
        }
        for backing in self.backings(line) {
            self.unexpose(at, line, backing.program, backing.exposed, None, out);
        }
        Ok(self.keep_collection(at, collection, out))
    }

    /// The customer has paid after all. What comes back is shared by the loss that each has borne.
    pub(in crate::engine) fn record_recovery(
        &mut self,
        at: &Stamp,
        line: LineId,
        amount: Money,
        reference: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        bound::reference("reference", reference)?;
        bound::within("amount", amount.micros(), 1, limits::AMOUNT_MAX)?;
        let collection = self.credit.collection(line)?;
        if !self.outstanding(collection).is_zero() {
            let (state, needed) = ("outstanding", "written off");
            return Err(Refusal::WrongState { kind: "collection", state, needed });
        }
        let there = less(collection.loss(), collection.recovered);
        if amount > there {
            let what = "borne and not yet recovered";
            return Err(Refusal::MoreThanThere { what, there, given: amount });
        }
        // From here it must succeed: every question has been asked.
        let mut collection = collection.clone();
        let (shares, cash) = (collection.shares_of(amount), self.cash());
        for (borne, share) in collection.borne.iter_mut().zip(shares) {
            let account = self.recovers(borne.party);
            self.post_money(at, cash, account, share, EntryKind::Recovered, out);
            borne.recovered = sum(borne.recovered, share);
        }
        collection.recovered = sum(collection.recovered, amount);
        self.ledger.post(at, RECOVER.transfer(line, amount, at.now()), out);
        Ok(self.keep_collection(at, collection, out))
    }
}

// Their steps.
impl Engine {
    /// The operator's cash account.
    fn cash(&self) -> AccountKey {
        self.own(Account::GlCash)
    }

    /// An account of the operator.
    fn own(&self, account: Account) -> AccountKey {
        let operator = self.parties.operator().expect("a market has an operator").id;
        AccountKey::of(account, operator.uuid())
    }

    /// Where what comes back to a bearer of the loss goes.
    fn recovers(&self, bearer: Bearer) -> AccountKey {
        match bearer {
            Bearer::Guarantor(org) => AccountKey::of(Account::GlRecoveriesOwed, org.uuid()),
            Bearer::Party(Party::Provider(org)) => {
                AccountKey::of(Account::GlProviderAvailable, org.uuid())
            }
            Bearer::Party(Party::Vendor { vendor, .. }) => {
                AccountKey::of(Account::GlVendorAvailable, vendor.uuid())
            }
            Bearer::Party(Party::Platform) => self.own(Account::GlRecoveries),
            Bearer::Party(Party::Reseller(org)) => {
                AccountKey::of(Account::GlCreditAvailable, org.uuid())
            }
        }
    }

    /// The invoices of a line in default on which anything is neither claimed nor given up.
    pub(in crate::engine) fn owed(&self, of: &Collection) -> impl Iterator<Item = &Invoice> {
        let line = of.line;
        let invoices = self.billing.of_org(of.org).filter(move |it| it.line == line);
        invoices.filter(|invoice| !invoice.outstanding().is_zero())
    }

    /// The sum of it.
    pub(in crate::engine) fn outstanding(&self, of: &Collection) -> Money {
        self.owed(of).map(Invoice::outstanding).fold(Money::ZERO, sum)
    }

    /// Posts the loss of `amount` of an invoice: everybody's part of it.
    fn give_up(
        &mut self,
        at: &Stamp,
        collection: &mut Collection,
        invoice: &Invoice,
        amount: Money,
        out: &mut Effects,
    ) {
        let receivable = AccountKey::of(self.credit.invoiced(invoice.line), invoice.org.uuid());
        for part in self.billing.next_parts(invoice, amount) {
            let loses = match part.party {
                Party::Provider(org) => AccountKey::of(Account::GlProviderAccrued, org.uuid()),
                Party::Vendor { vendor, .. } => {
                    AccountKey::of(Account::GlVendorAccrued, vendor.uuid())
                }
                Party::Platform => self.own(Account::GlCreditLoss),
                Party::Reseller(org) => AccountKey::of(Account::GlCreditBalance, org.uuid()),
            };
            self.post_money(at, loses, receivable, part.amount, EntryKind::WrittenOff, out);
            collection.bears(Bearer::Party(part.party), part.amount);
        }
    }

    /// Keeps an invoice of a line in default; it is over once nothing of it is waited for, neither
    /// from the customer nor from a guarantor.
    fn keep_collected(&mut self, at: &Stamp, mut invoice: Invoice, out: &mut Effects) {
        if invoice.outstanding().is_zero() && invoice.claimed == invoice.recovered {
            let was = Some(invoice.state);
            let (next, kind) = if invoice.written_off.is_zero() {
                (InvoiceState::Paid, EventKind::InvoicePaid)
            } else {
                (InvoiceState::WrittenOff, EventKind::InvoiceWrittenOff)
            };
            invoice.enter(next);
            self.tell_of_invoice(at, &invoice, kind, was, out);
        }
        self.keep_invoice(at, invoice, out);
    }

    fn keep_collection(&mut self, at: &Stamp, mut after: Collection, out: &mut Effects) -> Answer {
        after.changed_at = at.at;
        after.version += 1;
        let before = &self.credit.collections[&after.line];
        out.changes.push(Change::between(&after.line, before, &after));
        out.collections.changed(after.line, after.clone());
        self.credit.collections.insert(after.line, after.clone());
        Answer::Collection(after)
    }
}
