//! What is on the faulty disk: every fact by its key, as the last commit that touched it left it. Knows
//! which of them an engine is loaded from.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use headroom::engine::Effects;
use headroom::engine::amendment::Amendment;
use headroom::engine::billing::{
    Invoice, InvoiceLine, InvoiceState, Payment, Payout, PayoutState, Period, Sums,
};
use headroom::engine::capacity::{Factory, Pool};
use headroom::engine::catalogue::{Region, Sku};
use headroom::engine::contract::Contract;
use headroom::engine::credit::{
    Application, ApplicationState, Cap, CapSubject, Collection, Line, LineState,
};
use headroom::engine::effect::Facts as Touched;
use headroom::engine::event::Event;
use headroom::engine::incident::{Incident, IncidentState};
use headroom::engine::ledger::{AccountKey, Balance, Entry};
use headroom::engine::listing::{Listing, ListingState};
use headroom::engine::order::{Order, OrderState};
use headroom::engine::party::{ApiKey, Organization, Session, User};
use headroom::engine::program::Program;
use headroom::engine::quote::{Quote, QuoteState};
use headroom::engine::remember::Kept;
use headroom::engine::snapshot::Snapshot;
use headroom::model::id::{
    ApplicationId, ContractId, FactoryId, IncidentId, InvoiceId, KeyId, LineId, ListingId, OrderId,
    OrgId, PaymentId, PayoutId, PoolId, ProgramId, QuoteId, SessionId, UserId,
};
use headroom::model::{Micros, Month, RegionCode, SkuCode};

/// All of it, history too.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub now: Micros,
    pub seq: u64,
    pub organizations: BTreeMap<OrgId, Organization>,
    pub users: BTreeMap<UserId, User>,
    pub sessions: BTreeMap<SessionId, Session>,
    pub keys: BTreeMap<KeyId, ApiKey>,
    pub skus: BTreeMap<SkuCode, Sku>,
    pub regions: BTreeMap<RegionCode, Region>,
    pub programs: BTreeMap<ProgramId, Program>,
    pub factories: BTreeMap<FactoryId, Factory>,
    pub pools: BTreeMap<PoolId, Pool>,
    pub listings: BTreeMap<ListingId, Listing>,
    pub applications: BTreeMap<ApplicationId, Application>,
    pub lines: BTreeMap<LineId, Line>,
    pub quotes: BTreeMap<QuoteId, Quote>,
    pub orders: BTreeMap<OrderId, Arc<Order>>,
    pub contracts: BTreeMap<ContractId, Arc<Contract>>,
    pub invoices: BTreeMap<InvoiceId, Invoice>,
    pub payments: BTreeMap<PaymentId, Payment>,
    pub payouts: BTreeMap<PayoutId, Payout>,
    pub periods: BTreeMap<Month, Period>,
    pub collections: BTreeMap<LineId, Collection>,
    pub caps: BTreeMap<CapSubject, Cap>,
    pub incidents: BTreeMap<IncidentId, Incident>,
    pub accounts: BTreeMap<AccountKey, Balance>,
    pub event_heads: BTreeMap<OrgId, u64>,
    pub amendments: Vec<Amendment>,
    pub invoice_lines: BTreeMap<InvoiceId, Vec<InvoiceLine>>,
    pub entries: Vec<Entry>,
    pub events: Vec<Event>,
    pub kept: Vec<Kept>,
}

/// Facts of one kind after a commit. The database asks the same: what is born was not there, what
/// changed was.
fn put<K: Ord + Hash + Clone, T: Clone>(table: &mut BTreeMap<K, T>, touched: &Touched<K, T>) {
    for (key, fact) in touched.iter() {
        let before = table.insert(key.clone(), fact.thing.clone());
        assert_eq!(before.is_none(), fact.born, "what is born was not there, what changed was");
    }
}

/// As `put`, for what the database writes whether it was there or not.
fn set<K: Ord + Hash + Clone, T: Clone>(table: &mut BTreeMap<K, T>, touched: &Touched<K, T>) {
    table.extend(touched.iter().map(|(key, fact)| (key.clone(), fact.thing.clone())));
}

fn live<K, T: Clone>(table: &BTreeMap<K, impl Borrow<T>>, lives: impl Fn(&T) -> bool) -> Vec<T> {
    table.values().map(Borrow::borrow).filter(|thing| lives(thing)).cloned().collect()
}

fn all<K, T: Clone>(table: &BTreeMap<K, T>) -> Vec<T> {
    table.values().cloned().collect()
}

impl Facts {
    /// Takes in what a commit made true. `writes` is asked of each table in turn whether its rows
    /// reach the disk; on an honest one all do.
    pub fn take_in(&mut self, seq: u64, effects: &Effects, writes: &mut dyn FnMut() -> bool) {
        self.seq = seq;
        self.now = self.now.max(effects.now);
        macro_rules! tables {
            ($($way:ident $name:ident),*) => { $(
                if !effects.$name.is_empty() && writes() {
                    $way(&mut self.$name, &effects.$name);
                }
            )* };
        }
        tables!(
            put organizations, put users, put sessions, put keys, put skus, put regions,
            put programs, put factories, put pools, put listings, put applications, put lines,
            put quotes, put orders, put contracts, put invoices, put payments, put payouts,
            put periods, put collections, set caps, put incidents, set accounts, set event_heads
        );
        if !effects.invoice_lines.is_empty() && writes() {
            for line in &effects.invoice_lines {
                self.invoice_lines.entry(line.invoice).or_default().push(line.clone());
            }
        }
        if !effects.entries.is_empty() && writes() {
            self.entries.extend(&effects.entries);
        }
        if !effects.events.is_empty() && writes() {
            self.events.extend(effects.events.iter().cloned());
        }
        if !effects.kept.is_empty() && writes() {
            self.kept.extend(effects.kept.iter().copied());
        }
        self.amendments.extend(effects.amendments.iter().cloned());
    }

    /// What an engine is loaded from: everything that can still change.
    pub fn snapshot(&self) -> Snapshot {
        let live_listing = [ListingState::Draft, ListingState::Live, ListingState::SoldOut];
        let demanded = [InvoiceState::Draft, InvoiceState::Open, InvoiceState::Overdue];
        let invoices = live(&self.invoices, |one| demanded.contains(&one.state));
        Snapshot {
            now: self.now,
            seq: self.seq,
            last_entry: self.entries.last().map_or(0, |entry| entry.no),
            organizations: all(&self.organizations),
            users: all(&self.users),
            sessions: live(&self.sessions, |one| !one.closed),
            keys: live(&self.keys, |one| !one.revoked),
            skus: all(&self.skus),
            regions: all(&self.regions),
            programs: all(&self.programs),
            factories: all(&self.factories),
            pools: all(&self.pools),
            listings: live(&self.listings, |one| live_listing.contains(&one.state)),
            applications: live(&self.applications, |one| one.state == ApplicationState::Submitted),
            lines: live(&self.lines, |one| one.state != LineState::Closed),
            quotes: live(&self.quotes, |one| one.state == QuoteState::Open),
            orders: live(&self.orders, |one: &Order| one.state == OrderState::Open),
            contracts: self.contracts.values().filter(|one| !one.settled).cloned().collect(),
            invoices: invoices.into_iter().map(|one| self.with_sums(one)).collect(),
            payments: live(&self.payments, |one| !one.freed),
            payouts: live(&self.payouts, |one| one.state == PayoutState::InTransit),
            periods: all(&self.periods),
            collections: all(&self.collections),
            caps: all(&self.caps),
            incidents: live(&self.incidents, |one| one.state == IncidentState::Open),
            accounts: self.accounts.iter().map(|(key, balance)| (*key, *balance)).collect(),
            event_heads: self.event_heads.iter().map(|(org, last)| (*org, *last)).collect(),
            kept: self.kept.iter().filter(|one| one.expires_at > self.now).copied().collect(),
        }
    }

    fn with_sums(&self, invoice: Invoice) -> (Invoice, Sums) {
        let mut sums = Sums::default();
        self.invoice_lines.get(&invoice.id).into_iter().flatten().for_each(|line| sums.add(line));
        (invoice, sums)
    }

    /// What rows alone show: the entries add up to the balances and are numbered without gaps, and so
    /// are each organization's events. Answers the first thing that is not so.
    pub fn look(&self) -> Result<(), String> {
        let mut sums: BTreeMap<AccountKey, (i128, i128)> = BTreeMap::new();
        for (entry, no) in self.entries.iter().zip(1..) {
            if entry.no != no {
                return Err(format!("entry {no} is missing"));
            }
            sums.entry(entry.debit).or_default().0 += i128::from(entry.amount);
            sums.entry(entry.credit).or_default().1 += i128::from(entry.amount);
        }
        for (key, balance) in &self.accounts {
            let booked = (i128::from(balance.debits), i128::from(balance.credits));
            if sums.remove(key).unwrap_or_default() != booked {
                return Err(format!("the balance of {key} is not the sum of its entries"));
            }
        }
        if let Some(key) = sums.keys().next() {
            return Err(format!("{key} has entries and no balance"));
        }
        let mut told: BTreeMap<OrgId, u64> = BTreeMap::new();
        for event in &self.events {
            let last = told.entry(event.org).or_default();
            *last += 1;
            if event.no != *last {
                return Err(format!("event {last} of {} is missing", event.org));
            }
        }
        if told != self.event_heads {
            return Err("the events told are not those that are counted".to_owned());
        }
        Ok(())
    }
}
