//! What must be remembered of a batch of commands: whole facts, each thing once, births told from
//! changes.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::amendment::Amendment;
use super::billing::{Invoice, InvoiceLine, Payment, Payout, Period};
use super::capacity::{Factory, Pool};
use super::catalogue::{Region, Sku};
use super::contract::Contract;
use super::credit::{Application, Cap, CapSubject, Collection, Line};
use super::event::Event;
use super::incident::Incident;
use super::ledger::{self, AccountKey, Balance, Hashing};
use super::listing::Listing;
use super::order::Order;
use super::party::{ApiKey, Organization, Session, User};
use super::program::Program;
use super::quote::Quote;
use super::remember::Kept;
use crate::model::id::{
    ApplicationId, ContractId, FactoryId, IncidentId, InvoiceId, KeyId, LineId, ListingId, OrderId,
    OrgId, PaymentId, PayoutId, PoolId, ProgramId, QuoteId, SessionId, UserId,
};
use crate::model::{Micros, Month, RegionCode, SkuCode};

/// A thing as it is after the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact<T> {
    /// It did not exist before the batch: an insert, and a duplicate key is a bug found.
    pub born: bool,
    pub thing: T,
}

/// The things of one kind that a batch touched, by key; the last word on each wins. Looked up by
/// hash and kept in the order in which they were first touched: facts are noted in the hottest code
/// there is. Whoever reads them has them in the order of their keys.
#[derive(Debug, Clone)]
pub struct Facts<K, T> {
    facts: IndexMap<K, Fact<T>, Hashing>,
    /// How often something was noted.
    notes: usize,
}

impl<K, T> Default for Facts<K, T> {
    fn default() -> Self {
        Self { facts: IndexMap::default(), notes: 0 }
    }
}

impl<K: Ord + Hash, T: PartialEq> PartialEq for Facts<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.notes == other.notes && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Hash, T> Facts<K, T> {
    /// Notes a thing that did not exist before.
    pub fn born(&mut self, key: K, thing: impl Into<T>) {
        self.notes += 1;
        let before = self.facts.insert(key, Fact { born: true, thing: thing.into() });
        assert!(before.is_none(), "a thing is born once");
    }

    /// Notes what a thing has become.
    pub fn changed(&mut self, key: K, thing: impl Into<T>) {
        self.notes += 1;
        let thing = thing.into();
        match self.facts.entry(key) {
            Entry::Occupied(mut place) => place.get_mut().thing = thing,
            Entry::Vacant(place) => {
                place.insert(Fact { born: false, thing });
            }
        }
    }

    fn room_for_as_much(&self) -> Self {
        let facts = IndexMap::with_capacity_and_hasher(self.facts.len(), Hashing::default());
        Self { facts, notes: 0 }
    }

    /// In key order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Fact<T>)> {
        let mut facts: Vec<_> = self.facts.iter().collect();
        facts.sort_unstable_by_key(|(key, _)| *key);
        facts.into_iter()
    }

    /// In key order.
    pub fn values(&self) -> impl Iterator<Item = &Fact<T>> {
        self.iter().map(|(_, fact)| fact)
    }

    /// What was born, in key order.
    pub fn births(&self) -> impl Iterator<Item = &T> {
        self.values().filter(|fact| fact.born).map(|fact| &fact.thing)
    }

    /// What existed and changed, in key order.
    pub fn changes(&self) -> impl Iterator<Item = &T> {
        self.values().filter(|fact| !fact.born).map(|fact| &fact.thing)
    }

    pub fn get(&self, key: &K) -> Option<&T> {
        self.facts.get(key).map(|fact| &fact.thing)
    }

    pub fn len(&self) -> usize {
        self.facts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}

/// A mutable thing before and after a command, for the audit trail. JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The written id or code of the thing.
    pub subject: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Change {
    /// A thing that was and is, as JSON. The caller leaves secrets out of what it gives.
    pub fn between<T: serde::Serialize>(subject: &impl std::fmt::Display, was: &T, is: &T) -> Self {
        let json = |thing| serde_json::to_string(thing).expect("entities have text keys only");
        Self { subject: subject.to_string(), before: Some(json(was)), after: Some(json(is)) }
    }
}

/// Everything a batch of commands made true.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    pub organizations: Facts<OrgId, Organization>,
    pub users: Facts<UserId, User>,
    pub sessions: Facts<SessionId, Session>,
    pub keys: Facts<KeyId, ApiKey>,
    pub skus: Facts<SkuCode, Sku>,
    pub regions: Facts<RegionCode, Region>,
    pub programs: Facts<ProgramId, Program>,
    pub factories: Facts<FactoryId, Factory>,
    pub pools: Facts<PoolId, Pool>,
    pub listings: Facts<ListingId, Listing>,
    pub applications: Facts<ApplicationId, Application>,
    pub lines: Facts<LineId, Line>,
    pub quotes: Facts<QuoteId, Quote>,
    pub orders: Facts<OrderId, Arc<Order>>,
    pub contracts: Facts<ContractId, Arc<Contract>>,
    pub invoices: Facts<InvoiceId, Invoice>,
    pub payments: Facts<PaymentId, Payment>,
    pub payouts: Facts<PayoutId, Payout>,
    pub periods: Facts<Month, Period>,
    pub collections: Facts<LineId, Collection>,
    pub caps: Facts<CapSubject, Cap>,
    pub incidents: Facts<IncidentId, Incident>,
    pub accounts: Facts<AccountKey, Balance>,
    /// The last event number of each organization that was told something.
    pub event_heads: Facts<OrgId, u64>,
    /// Only grow.
    pub amendments: Vec<Amendment>,
    pub invoice_lines: Vec<InvoiceLine>,
    pub entries: Vec<ledger::Entry>,
    pub events: Vec<Event>,
    pub kept: Vec<Kept>,
    /// Before and after of the command being applied; the sequencer takes them for its audit
    /// record.
    pub changes: Vec<Change>,
    /// Pools whose picture changed.
    pub shelves: BTreeSet<PoolId>,
    /// The market's time after the batch.
    pub now: Micros,
}

impl Effects {
    /// Nothing yet, with room for as much as there is here: batches are much like those before
    /// them, and to grow step by step costs more than to decide.
    pub fn room_for_as_much(&self) -> Self {
        Self {
            listings: self.listings.room_for_as_much(),
            orders: self.orders.room_for_as_much(),
            contracts: self.contracts.room_for_as_much(),
            accounts: self.accounts.room_for_as_much(),
            event_heads: self.event_heads.room_for_as_much(),
            entries: Vec::with_capacity(self.entries.len()),
            events: Vec::with_capacity(self.events.len()),
            kept: Vec::with_capacity(self.kept.len()),
            ..Self::default()
        }
    }

    /// How often something was noted. It grows with every fact: two equal answers mean that nothing
    /// was.
    pub fn marks(&self) -> usize {
        let Self {
            organizations,
            users,
            sessions,
            keys,
            skus,
            regions,
            programs,
            factories,
            pools,
            listings,
            applications,
            lines,
            quotes,
            orders,
            contracts,
            invoices,
            payments,
            payouts,
            periods,
            collections,
            caps,
            incidents,
            accounts,
            event_heads,
            amendments,
            invoice_lines,
            entries,
            events,
            kept,
            changes: _,
            shelves: _,
            now: _,
        } = self;
        organizations.notes
            + users.notes
            + sessions.notes
            + keys.notes
            + skus.notes
            + regions.notes
            + programs.notes
            + factories.notes
            + pools.notes
            + listings.notes
            + applications.notes
            + lines.notes
            + quotes.notes
            + orders.notes
            + contracts.notes
            + invoices.notes
            + payments.notes
            + payouts.notes
            + periods.notes
            + collections.notes
            + caps.notes
            + incidents.notes
            + accounts.notes
            + event_heads.notes
            + amendments.len()
            + invoice_lines.len()
            + entries.len()
            + events.len()
            + kept.len()
    }
}
