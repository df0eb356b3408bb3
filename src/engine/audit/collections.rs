//! What must be true of lines in default, their claims and the loss on them.

use std::collections::BTreeMap;

use super::super::Engine;
use super::super::billing::InvoiceState;
use super::super::charge::sum;
use super::super::credit::{Bearer, Claim, Collection, LineState};
use super::super::ledger::{Account, AccountKey};
use super::exact;
use crate::model::Money;
use crate::model::id::OrgId;

impl Engine {
    /// Every line in default has a collection and no other has; nothing of its customer is under
    /// way; the debt is where the books say it is, and every part of the loss is somebody's.
    pub(super) fn audit_collections(&self, broken: &mut Vec<String>) {
        let mut unpaid: BTreeMap<OrgId, i128> = BTreeMap::new();
        for it in self.credit.collections.values() {
            let line = self.credit.lines.get(&it.line);
            if line.is_none_or(|line| line.state != LineState::Defaulted || line.org != it.org) {
                broken.push(format!("{} is in collection and not in default", it.line));
            }
            for claim in &it.claims {
                *unpaid.entry(claim.guarantor).or_insert(0) += exact(claim.unpaid());
                self.audit_claim(it, claim, broken);
            }
            self.audit_rest(it, broken);
            self.audit_debt(it, broken);
            self.audit_loss(it, broken);
        }
        for line in self.credit.lines().filter(|line| line.state == LineState::Defaulted) {
            if !self.credit.collections.contains_key(&line.id) {
                broken.push(format!("{} is in default and not in collection", line.id));
            }
        }
        let books = self.ledger.accounts().filter(|(key, _)| key.account == Account::GlGuarantee);
        for (key, balance) in books {
            let due = unpaid.remove(&OrgId::new(key.owner)).unwrap_or(0);
            let booked = i128::from(balance.net(key.account));
            if booked != due {
                broken.push(format!("{key}: {booked} in the books, {due} claimed and unpaid"));
            }
        }
        for (guarantor, due) in unpaid.into_iter().filter(|(_, due)| *due != 0) {
            broken.push(format!("{guarantor}: nothing in the books, {due} claimed and unpaid"));
        }
    }

    /// Nothing of a customer in default is under way.
    fn audit_rest(&self, it: &Collection, broken: &mut Vec<String>) {
        let contracts = self.contracts.iter().filter(|contract| contract.line == it.line).count();
        let orders = self.book.resting(it.org);
        let quotes = self.quotes.open.values().filter(|quote| quote.org == it.org).count();
        let invoices = self.billing.of_org(it.org);
        let drafts = invoices.filter(|invoice| invoice.state == InvoiceState::Draft).count();
        let left = [contracts, orders, quotes, drafts];
        if left != [0; 4] {
            broken.push(format!(
                "{} is in default and has {left:?} contracts, orders, quotes and drafts",
                it.line
            ));
        }
    }

    /// What defaulted was claimed, written off or is outstanding; what was recovered is owed no
    /// more.
    fn audit_debt(&self, it: &Collection, broken: &mut Vec<String>) {
        let claimed = total(it.claims.iter().map(|claim| claim.amount));
        let parts = [claimed, it.written_off, self.outstanding(it)];
        let sum: i128 = parts.iter().map(|part| exact(*part)).sum();
        if sum != exact(it.defaulted) {
            broken.push(format!("{}: {} in default is not {parts:?}", it.line, it.defaulted));
        }
        let balances = self.balances(it.line);
        if exact(balances.defaulted) != exact(it.defaulted) - exact(it.recovered) {
            let (owed, recovered) = (balances.defaulted, it.recovered);
            broken.push(format!("{}: owes {owed} after {recovered} was recovered", it.line));
        }
        if !balances.held.is_zero() || !balances.drawn.is_zero() {
            broken.push(format!("{} is in default and in use: {balances:?}", it.line));
        }
    }

    /// A claim is that of its invoices, and in the books of guarantees as called or paid.
    fn audit_claim(&self, it: &Collection, claim: &Claim, broken: &mut Vec<String>) {
        let net = |account| {
            let key = AccountKey::of_both(account, claim.program.uuid(), it.line.uuid());
            Money::from_micros(self.ledger.net(key))
        };
        let booked = [Account::GuaCommitted, Account::GuaCalled, Account::GuaPaid].map(net);
        if booked != [Money::ZERO, claim.unpaid(), claim.paid] || claim.unpaid().is_negative() {
            broken.push(format!("{}: {booked:?} in the books of {claim:?}", it.line));
        }
        if total(claim.invoices.iter().map(|(_, part)| *part)) != claim.amount {
            broken.push(format!("{}: the invoices are not the claim: {claim:?}", it.line));
        }
    }

    /// Guarantors bear what they paid, the others what was written off; nobody gets back more.
    fn audit_loss(&self, it: &Collection, broken: &mut Vec<String>) {
        let mut paid: BTreeMap<OrgId, i128> = BTreeMap::new();
        for claim in it.claims.iter().filter(|claim| !claim.paid.is_zero()) {
            *paid.entry(claim.guarantor).or_insert(0) += exact(claim.paid);
        }
        let mut given_up = 0;
        for borne in &it.borne {
            match borne.party {
                Bearer::Guarantor(org) if paid.remove(&org) == Some(exact(borne.amount)) => {}
                Bearer::Guarantor(org) => {
                    broken.push(format!("{}: {org} bears what it did not pay", it.line));
                }
                Bearer::Party(_) => given_up += exact(borne.amount),
            }
            if borne.recovered > borne.amount || borne.recovered.is_negative() {
                broken.push(format!("{}: {borne:?} has more than it lost", it.line));
            }
        }
        let recovered = total(it.borne.iter().map(|borne| borne.recovered));
        if given_up != exact(it.written_off) || !paid.is_empty() || recovered != it.recovered {
            broken.push(format!("{}: the loss is not all somebody's: {it:?}", it.line));
        }
    }
}

fn total(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(Money::ZERO, sum)
}
