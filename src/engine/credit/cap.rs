//! Caps on what may be at stake with one group of customers, one provider, one SKU. Checked at
//! every new hold; what is there already when a cap is set stays.

use serde::{Deserialize, Serialize};

use super::super::Engine;
use super::super::bound;
use super::super::charge::less;
use super::super::command::{Answer, Stamp};
use super::super::effect::{Change, Effects};
use super::super::refusal::Refusal;
use crate::model::id::{OrgId, UserId};
use crate::model::{GroupCode, Micros, Money, SkuCode, limits};

/// What a cap is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapSubject {
    /// All that the group's credit lines have held, drawn and defaulted.
    Group(GroupCode),
    /// What is sold of the provider's and not delivered, with firm quotes.
    Provider(OrgId),
    /// What is sold of the SKU and not delivered, with firm quotes.
    Sku(SkuCode),
}

/// A cap, as an officer set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    pub subject: CapSubject,
    /// `None`: it is lifted.
    pub amount: Option<Money>,
    pub note: String,
    pub set_by: UserId,
    pub set_at: Micros,
    pub version: u32,
}

impl CapSubject {
    /// The kind's word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::Provider(_) => "provider",
            Self::Sku(_) => "sku",
        }
    }

    /// As `kind` and `name` wrote it; `None` for what they never write.
    pub fn read(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "group" => name.parse().ok().map(Self::Group),
            "provider" => name.parse().ok().map(Self::Provider),
            "sku" => name.parse().ok().map(Self::Sku),
            _ => None,
        }
    }

    /// The code or id of it.
    pub fn name(&self) -> String {
        match self {
            Self::Group(code) | Self::Sku(code) => code.to_string(),
            Self::Provider(org) => org.to_string(),
        }
    }
}

impl Engine {
    /// An officer sets a cap, or lifts it with `None`.
    pub(in crate::engine) fn set_cap(
        &mut self,
        at: &Stamp,
        subject: CapSubject,
        amount: Option<Money>,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let officer = self.parties.deciding(at)?;
        bound::note("note", &note)?;
        if let Some(amount) = amount {
            bound::within("amount", amount.micros(), 0, limits::AMOUNT_MAX)?;
        }
        let is_known = match &subject {
            CapSubject::Group(group) => self.parties.group(group).next().is_some(),
            CapSubject::Provider(org) => {
                let found = self.parties.organization(*org);
                found.is_some_and(|it| it.capabilities.provider)
            }
            CapSubject::Sku(sku) => self.catalogue.sku(sku).is_some(),
        };
        let before = self.credit.caps.get(&subject).cloned();
        // A group that has no members any more may still be rid of its cap.
        if !is_known && before.is_none() {
            return Err(Refusal::Unknown { field: "name", named: subject.name() });
        }
        // From here it must succeed: every question has been asked.
        let version = before.as_ref().map_or(1, |cap| cap.version + 1);
        let cap = Cap { subject, amount, note, set_by: officer, set_at: at.at, version };
        let key = cap.subject.clone();
        match before {
            None => out.caps.born(key.clone(), cap.clone()),
            Some(before) => {
                let name = format!("cap on {} {}", key.kind(), key.name());
                out.changes.push(Change::between(&name, &before, &cap));
                out.caps.changed(key.clone(), cap.clone());
            }
        }
        self.credit.caps.insert(key, cap.clone());
        Ok(Answer::Cap(cap))
    }

    /// What is at stake with a subject now.
    pub(in crate::engine) fn exposed(&self, subject: &CapSubject) -> Money {
        let quotes = self.quotes.open.values().map(|quote| &quote.block);
        let of_contracts = |total: Option<&i64>| Money::from_micros(total.copied().unwrap_or(0));
        let sold = &self.contracts.undelivered;
        let (sold, held): (Money, Vec<Money>) = match subject {
            CapSubject::Group(group) => {
                let lines = self.parties.group(group).filter_map(|org| self.credit.line_of(org));
                (Money::ZERO, lines.map(|line| self.balances(line).used()).collect())
            }
            CapSubject::Provider(org) => {
                let theirs = quotes.filter(|block| block.provider == *org);
                (of_contracts(sold.by_provider.get(org)), theirs.map(|it| it.value).collect())
            }
            CapSubject::Sku(sku) => {
                let of_it = quotes.filter(|block| block.sku == *sku);
                (of_contracts(sold.by_sku.get(sku)), of_it.map(|it| it.value).collect())
            }
        };
        held.into_iter().fold(sold, most_of)
    }

    /// Whether a customer's group has room for a new hold.
    pub(super) fn group_admits(&self, org: OrgId, needed: Money) -> Result<(), Refusal> {
        let group = self.parties.organization(org).and_then(|it| it.group.clone());
        group.map_or(Ok(()), |group| self.under_cap(&CapSubject::Group(group), needed))
    }

    /// Whether so much more may be sold of one provider's and of one SKU.
    pub(in crate::engine) fn concentrates(
        &self,
        provider: OrgId,
        sku: &SkuCode,
        needed: Money,
    ) -> Result<(), Refusal> {
        if self.credit.caps.is_empty() {
            return Ok(());
        }
        self.under_cap(&CapSubject::Provider(provider), needed)?;
        self.under_cap(&CapSubject::Sku(sku.clone()), needed)
    }

    fn under_cap(&self, subject: &CapSubject, needed: Money) -> Result<(), Refusal> {
        let cap = self.credit.caps.get(subject).and_then(|cap| cap.amount);
        let Some(cap) = cap.filter(|_| !needed.is_zero()) else { return Ok(()) };
        let exposed = self.exposed(subject);
        let after = most_of(exposed, needed);
        if after <= cap {
            return Ok(());
        }
        let over = less(after, cap);
        let subject = Box::new(subject.clone());
        Err(Refusal::CapExceeded { subject, cap, exposed, needed, over })
    }
}

/// A sum; what does not fit into an amount is above every cap anyway.
fn most_of(sum: Money, more: Money) -> Money {
    sum.checked_add(more).unwrap_or(Money::from_micros(i64::MAX))
}
