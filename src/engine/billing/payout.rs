//! Payouts: money on its way to providers, vendors and guarantors.

use serde::{Deserialize, Serialize};

use crate::engine::command::{Answer, Stamp};
use crate::engine::effect::{Change, Effects};
use crate::engine::event::{EventData, EventKind};
use crate::engine::ledger::{Account, AccountKey, EntryKind};
use crate::engine::refusal::Refusal;
use crate::engine::{Engine, bound};
use crate::model::id::{OrgId, PayoutId};
use crate::model::{Micros, Money, Right, limits};
use crate::words;

words! {
    /// `in_transit -> paid | failed`.
    PayoutState {
        InTransit = "in_transit",
        Paid = "paid",
        Failed = "failed",
    }
    /// What is paid out.
    Payable {
        /// A provider's part of what customers paid.
        Provider = "provider",
        /// A vendor's share of it.
        Vendor = "vendor",
        /// What was recovered of a guarantor's loss.
        Guarantor = "guarantor",
        /// What a customer gained by selling on.
        Customer = "customer",
    }
}

/// Money that leaves the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    pub id: PayoutId,
    pub org: OrgId,
    pub payable: Payable,
    pub amount: Money,
    pub state: PayoutState,
    pub reference: String,
    pub created_at: Micros,
    pub changed_at: Micros,
}

impl PayoutState {
    /// The table: where a payout may go from here.
    pub const fn may_become(self, next: PayoutState) -> bool {
        matches!((self, next), (PayoutState::InTransit, PayoutState::Paid | PayoutState::Failed))
    }
}

impl Payable {
    /// The account from which it is paid.
    const fn account(self) -> Account {
        match self {
            Payable::Provider => Account::GlProviderAvailable,
            Payable::Vendor => Account::GlVendorAvailable,
            Payable::Guarantor => Account::GlRecoveriesOwed,
            Payable::Customer => Account::GlCreditAvailable,
        }
    }
}

impl Engine {
    /// Sends out what is available to an organization. It is on its way until the bank says how it
    /// ended.
    pub(in crate::engine) fn pay_out(
        &mut self,
        at: &Stamp,
        id: PayoutId,
        org: OrgId,
        payable: Payable,
        amount: Option<Money>,
        reference: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        if self.parties.organization(org).is_none() {
            let named = org.to_string();
            return Err(Refusal::Unknown { field: "organization_id", named });
        }
        bound::reference("reference", &reference)?;
        let from = AccountKey::of(payable.account(), org.uuid());
        let there = Money::from_micros(self.ledger.net(from));
        if amount.is_none() && there.is_zero() {
            let rule = "nothing is available to be paid out";
            return Err(Refusal::Invalid { field: "amount", rule });
        }
        let amount = amount.unwrap_or(there);
        bound::within("amount", amount.micros(), 1, limits::AMOUNT_MAX)?;
        if amount > there {
            let what = "available to be paid out";
            return Err(Refusal::MoreThanThere { what, there, given: amount });
        }
        // From here it must succeed: every question has been asked.
        let transit = AccountKey::of(Account::GlInTransit, org.uuid());
        self.post_money(at, from, transit, amount, EntryKind::PayoutSent, out);
        let (state, created_at, changed_at) = (PayoutState::InTransit, at.at, at.at);
        let payout = Payout { id, org, payable, amount, state, reference, created_at, changed_at };
        out.payouts.born(id, payout.clone());
        self.billing.payouts.insert(id, payout.clone());
        self.tell_of_payout(at, &payout, EventKind::PayoutSent, None, out);
        Ok(Answer::Payout(payout))
    }

    /// The bank has said how a payout ended: paid, or back to be sent again.
    pub(in crate::engine) fn settle_payout(
        &mut self,
        at: &Stamp,
        id: PayoutId,
        paid: bool,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        let before = self.billing.payouts.get(&id).ok_or(Refusal::NotFound { kind: "payout" })?;
        // From here it must succeed: every question has been asked.
        let before = before.clone();
        let operator = self.parties.operator().expect("a market has an operator").id;
        let transit = AccountKey::of(Account::GlInTransit, before.org.uuid());
        let (state, to, entry, event) = if paid {
            let cash = AccountKey::of(Account::GlCash, operator.uuid());
            (PayoutState::Paid, cash, EntryKind::PayoutPaid, EventKind::PayoutPaid)
        } else {
            let back = AccountKey::of(before.payable.account(), before.org.uuid());
            (PayoutState::Failed, back, EntryKind::PayoutFailed, EventKind::PayoutFailed)
        };
        self.post_money(at, transit, to, before.amount, entry, out);
        assert!(before.state.may_become(state), "a payout's edges are in its table");
        let payout = Payout { state, changed_at: at.at, ..before.clone() };
        out.changes.push(Change::between(&id, &before, &payout));
        out.payouts.changed(id, payout.clone());
        self.billing.payouts.remove(&id);
        self.tell_of_payout(at, &payout, event, Some(before.state), out);
        Ok(Answer::Payout(payout))
    }

    fn tell_of_payout(
        &mut self,
        at: &Stamp,
        payout: &Payout,
        kind: EventKind,
        previous: Option<PayoutState>,
        out: &mut Effects,
    ) {
        let Payout { id, org, payable, state, amount, .. } = *payout;
        let data = EventData::Payout { id, payable, state, amount };
        self.tell(at, org, kind, data, previous.map(PayoutState::as_str), out);
    }
}
