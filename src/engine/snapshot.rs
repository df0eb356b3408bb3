//! The engine as plain values, and back: what the store loads at start, and the digest that shows
//! that what is in the database rebuilds the same engine.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::billing::{Billing, Invoice, Payment, Payout, Period, Sums};
use super::capacity::{Factory, Pool};
use super::catalogue::{Catalogue, Region, Sku};
use super::contract::{Contract, Contracts};
use super::credit::{Application, Cap, Collection, Credit, Line};
use super::deadline::{Deadlines, Due};
use super::event::Heads;
use super::incident::{Affected, Incident, Incidents};
use super::ledger::{Account, AccountKey, Balance, Book, Ledger};
use super::listing::Listing;
use super::order::Order;
use super::party::{ApiKey, Organization, Parties, Session, User};
use super::program::{Program, Programs};
use super::quote::Quote;
use super::remember::{Kept, Memory};
use super::resale::draws_of;
use super::{Engine, Settings};
use crate::model::Micros;
use crate::model::id::{OrgId, PoolId};

/// Everything that can still change, as facts. Schedules, queues and deadlines are derived from
/// them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Snapshot {
    pub now: Micros,
    pub seq: u64,
    pub last_entry: u64,
    pub organizations: Vec<Organization>,
    pub users: Vec<User>,
    /// Open ones.
    pub sessions: Vec<Session>,
    /// Not revoked.
    pub keys: Vec<ApiKey>,
    pub skus: Vec<Sku>,
    pub regions: Vec<Region>,
    pub programs: Vec<Program>,
    pub factories: Vec<Factory>,
    pub pools: Vec<Pool>,
    /// Drafts, live and sold out.
    pub listings: Vec<Listing>,
    /// Submitted.
    pub applications: Vec<Application>,
    /// Not closed.
    pub lines: Vec<Line>,
    /// Open.
    pub quotes: Vec<Quote>,
    /// Open.
    pub orders: Vec<Order>,
    /// Scheduled and active, and those not yet invoiced to their end.
    pub contracts: Vec<Arc<Contract>>,
    /// Draft, open and overdue, and those of lines in collection.
    pub invoices: Vec<(Invoice, Sums)>,
    /// Whose reserves are still held.
    pub payments: Vec<Payment>,
    /// Under way.
    pub payouts: Vec<Payout>,
    pub periods: Vec<Period>,
    /// Of lines in default.
    pub collections: Vec<Collection>,
    /// Lifted ones too.
    pub caps: Vec<Cap>,
    /// Open.
    pub incidents: Vec<Incident>,
    pub accounts: Vec<(AccountKey, Balance)>,
    pub event_heads: Vec<(OrgId, u64)>,
    /// Not expired at `now`, oldest first.
    pub kept: Vec<Kept>,
}

impl Snapshot {
    /// What a glance shows of facts that do not go together, in a sentence: a book whose sides are
    /// not equal, or lines that hold something else than orders, quotes and contracts want held.
    /// Every start asks; the whole audit takes as long again as the start.
    pub fn imbalance(&self) -> Option<String> {
        for book in Book::ALL {
            let own = self.accounts.iter().filter(|(key, _)| key.account.book() == *book);
            let excess = own.map(|(_, it)| i128::from(it.debits) - i128::from(it.credits));
            let excess: i128 = excess.sum();
            if excess != 0 {
                return Some(format!("the book {book} is out of balance by {excess}"));
            }
        }
        let lines = self.accounts.iter().filter(|(key, _)| key.account == Account::ExpHeld);
        let held: i128 = lines.map(|(key, it)| i128::from(it.net(key.account))).sum();
        let wants = self.orders.iter().map(|it| it.hold);
        let wants = wants.chain(self.quotes.iter().map(|it| it.block.value));
        let wants = wants.chain(self.contracts.iter().map(|it| it.unaccrued()));
        let wanted: i128 = wants.map(|amount| i128::from(amount.micros())).sum();
        (held != wanted).then(|| format!("lines hold {held}, and {wanted} is to be held"))
    }
}

impl Engine {
    /// Everything that can still change, each list in key order.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            now: self.now,
            seq: self.seq,
            last_entry: self.ledger.last_entry(),
            organizations: self.parties.organizations().map(|it| it.as_ref().clone()).collect(),
            users: self.parties.users().map(|it| it.as_ref().clone()).collect(),
            sessions: self.parties.sessions().cloned().collect(),
            keys: self.parties.keys().map(|it| it.as_ref().clone()).collect(),
            skus: self.catalogue.skus().map(|it| it.as_ref().clone()).collect(),
            regions: self.catalogue.regions().map(|it| it.as_ref().clone()).collect(),
            programs: self.programs.programs().cloned().collect(),
            factories: self.capacity.factories().cloned().collect(),
            pools: self.capacity.pools().cloned().collect(),
            listings: self.capacity.listings().cloned().collect(),
            applications: self.credit.applications().cloned().collect(),
            lines: self.credit.lines().cloned().collect(),
            quotes: self.quotes.open.values().cloned().collect(),
            orders: self.book.orders().cloned().collect(),
            contracts: self.contracts.all().cloned().collect(),
            invoices: self.billing.with_sums().collect(),
            payments: self.billing.payments.values().cloned().collect(),
            payouts: self.billing.payouts.values().cloned().collect(),
            periods: self.billing.periods.values().cloned().collect(),
            collections: self.credit.collections.values().cloned().collect(),
            caps: self.credit.caps.values().cloned().collect(),
            incidents: self.incidents.open.values().cloned().collect(),
            accounts: self.ledger.accounts().collect(),
            event_heads: self.events.last.iter().map(|(org, no)| (*org, *no)).collect(),
            kept: self.memory.kept(self.now).collect(),
        }
    }

    /// The engine that these facts describe. Schedules, queues and deadlines are derived anew.
    pub fn restore(settings: Settings, snapshot: Snapshot) -> Engine {
        let Snapshot {
            now,
            seq,
            last_entry,
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
            kept,
        } = snapshot;
        let mut engine = Engine::new(settings);
        engine.now = now;
        engine.seq = seq;
        engine.parties = Parties::from_parts(organizations, users, sessions, keys);
        engine.catalogue = Catalogue::from_parts(skus, regions);
        engine.programs = Programs::from_parts(programs);
        engine.credit = Credit::from_parts(applications, lines, collections, caps);
        engine.billing = Billing::from_parts(invoices, payments, payouts, periods);
        engine.ledger = Ledger::from_parts(accounts, last_entry);
        engine.memory = Memory::from_kept(&kept);
        drop(kept);
        engine.events = Heads { last: event_heads.into_iter().collect() };
        engine.restore_capacity(factories, pools, listings);
        for quote in quotes {
            engine.capacity.retake(quote.block.pool, &quote.block.draws);
            engine.quotes.open.insert(quote.id, quote);
        }
        engine.restore_contracts(contracts);
        for incident in &incidents {
            for offer in incident.affected.iter().filter_map(Affected::waiting) {
                engine.capacity.lend(offer.pool, &offer.parts);
            }
        }
        engine.incidents = Incidents::from_parts(incidents);
        engine.capacity.outline_all();
        for order in orders {
            engine.book.add(order);
        }
        engine.deadlines = engine.derived_deadlines();
        let markets: Vec<_> = engine.book.markets().cloned().collect();
        for sku in markets {
            engine.deadlines.set_sweep(now, sku);
        }
        engine
    }

    /// Contracts, and what they take, offer and stand in for. Pool by pool, as each pool's
    /// quantities are added up at once.
    fn restore_contracts(&mut self, mut contracts: Vec<Arc<Contract>>) {
        for contract in &mut contracts {
            self.share_programs(contract);
        }
        let mut by_pool: Vec<(PoolId, usize)> =
            contracts.iter().enumerate().map(|(place, it)| (it.pool, place)).collect();
        by_pool.sort_unstable();
        for own in by_pool.chunk_by(|(one, _), (next, _)| one == next) {
            let its = || own.iter().map(|(_, place)| contracts[*place].as_ref());
            let homed: Vec<_> = its().map(|it| it.homed(&it.allocations)).collect();
            self.capacity.retake_all(own[0].0, &homed);
        }
        for contract in &contracts {
            if !contract.offered().is_empty() {
                self.capacity.offer_on(contract.pool, &draws_of(contract.offered()));
            }
            self.stand_in(contract);
        }
        self.contracts = Contracts::from_parts(contracts);
    }

    /// So that restored contracts share the one copy of each version, as those made here do.
    fn share_programs(&mut self, contract: &mut Arc<Contract>) {
        let has_bought = contract.resale.as_ref().is_some_and(|it| !it.origins.is_empty());
        if contract.terms.programs.is_empty() && !has_bought {
            return;
        }
        let contract = Arc::make_mut(contract);
        for frozen in &mut contract.terms.programs {
            *frozen = self.programs.share(frozen);
        }
        for origin in contract.resale.iter_mut().flat_map(|it| &mut it.origins) {
            origin.program = origin.program.take().map(|it| self.programs.share(&it));
        }
    }

    fn restore_capacity(
        &mut self,
        factories: Vec<Factory>,
        pools: Vec<Pool>,
        listings: Vec<Listing>,
    ) {
        for factory in factories {
            self.capacity.add_factory(factory);
        }
        for pool in pools {
            let sku = self.catalogue.sku(&pool.sku).expect("a pool's SKU exists");
            let sku = sku.clone();
            self.capacity.add_pool(pool, sku);
        }
        for listing in listings {
            self.capacity.add_offer(listing);
        }
    }

    /// The deadlines that follow from the facts, without sweeps.
    pub(super) fn derived_deadlines(&self) -> Deadlines {
        let sessions = self
            .parties
            .sessions()
            .map(|session| (session.expires_at, Due::SessionEnds(session.id)));
        let listings = self
            .capacity
            .listings()
            .map(|listing| (listing.window.end().micros(), Due::ListingEnds(listing.id)));
        let backstops = self.capacity.listings().filter_map(|listing| self.backstop_due(listing));
        let lines = self.credit.lines().flat_map(Line::deadlines);
        let quotes = self.quotes.open.values().map(|quote| {
            let expires_at = quote.expires_at.expect("an open quote is firm");
            (expires_at, Due::QuoteLapses(quote.id))
        });
        let orders =
            self.book.orders().map(|order| (order.lapses_at(), Due::OrderLapses(order.id)));
        let contracts = self.contracts.iter().flat_map(Contract::deadlines);
        sessions
            .chain(contracts)
            .chain(self.incidents.open.values().filter_map(Incident::deadline))
            .chain(self.billing.deadlines(&self.settings))
            .chain(listings)
            .chain(backstops)
            .chain(lines)
            .chain(quotes)
            .chain(orders)
            .collect()
    }

    /// SHA-256 over the snapshot and over everything derived from it, in hexadecimal.
    pub fn digest(&self) -> String {
        let deadlines: Vec<_> = self.deadlines.facts().collect();
        let whole = (self.snapshot(), deadlines, self.capacity.digest_view(self.now.minute()));
        let mut hash = Hasher(Sha256::new());
        serde_json::to_writer(&mut hash, &whole).expect("plain values are written without fail");
        hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A writer that keeps only the digest of what was written.
struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
