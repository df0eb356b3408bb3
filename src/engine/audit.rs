//! Every invariant of the market, on one page, over the whole engine. Reads everything, changes
//! nothing.

mod collections;
mod incidents;
mod resales;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::billing::{InvoiceState, Party};
use super::charge::Bill;
use super::contract::{Contract, Undelivered};
use super::credit::LineState;
use super::ledger::{Account, AccountKey, Book};
use super::listing::Listing;
use super::matching::{Draw, over_time};
use super::order::OrderState;
use super::quote::QuoteState;
use crate::model::id::{LineId, ListingId, OrgId, PoolId};
use crate::model::{Money, Schedule};

impl Engine {
    /// Checks every invariant; answers a sentence for each that is broken. Empty is sound.
    pub fn audit(&self) -> Vec<String> {
        let mut broken = Vec::new();
        self.audit_capacity(&mut broken);
        self.audit_incidents(&mut broken);
        self.audit_undelivered(&mut broken);
        self.audit_lines(&mut broken);
        self.audit_contracts(&mut broken);
        self.audit_resales(&mut broken);
        self.audit_receivables(&mut broken);
        self.audit_collections(&mut broken);
        self.audit_books(&mut broken);
        self.audit_states(&mut broken);
        broken.extend(self.book.audit());
        broken
    }

    /// Listed never exceeds installed but in a recorded shortfall; sold and held never exceed
    /// listed. What is free follows from what contracts and firm quotes have taken, and from
    /// nothing else.
    fn audit_capacity(&self, broken: &mut Vec<String>) {
        let mut by_pool: BTreeMap<PoolId, Schedule> = BTreeMap::new();
        let mut by_listing: BTreeMap<ListingId, Schedule> = BTreeMap::new();
        let mut reserved: BTreeMap<PoolId, i64> = BTreeMap::new();
        for (pool, draws) in self.live_draws() {
            for draw in draws.iter() {
                let gpus = i64::from(draw.gpus);
                by_pool.entry(pool).or_default().add(draw.window, gpus);
                by_listing.entry(draw.listing).or_default().add(draw.window, gpus);
                *reserved.entry(pool).or_insert(0) += gpus * draw.window.minutes();
            }
        }
        for contract in self.contracts.iter() {
            *reserved.entry(contract.pool).or_insert(0) -= contract.delivered + contract.lost;
        }
        self.audit_yards(&by_pool, &by_listing, broken);
        for pool in self.capacity.pools() {
            let key = AccountKey::of(Account::CapReserved, pool.id.uuid());
            let (booked, live) = (self.ledger.net(key), reserved.get(&pool.id).copied());
            if booked != live.unwrap_or(0) {
                broken.push(format!("{}: reserved in the books {booked}, live {live:?}", pool.id));
            }
        }
    }

    /// The yards' schedules against the draws, from now on: the past is forgotten.
    fn audit_yards(
        &self,
        by_pool: &BTreeMap<PoolId, Schedule>,
        by_listing: &BTreeMap<ListingId, Schedule>,
        broken: &mut Vec<String>,
    ) {
        let now = self.now.minute();
        for yard in &self.capacity.yards {
            let mut room = yard.installed.clone();
            room.subtract_all(by_pool.get(&yard.pool.id).unwrap_or(&Schedule::empty()));
            for offer in yard.resales() {
                room.add_all(&offer.free);
            }
            if room.since(now) != yard.room.since(now) {
                broken.push(format!(
                    "{}: its room is not what is installed less taken",
                    yard.pool.id
                ));
            }
            for offer in yard.offers.iter().filter(|offer| offer.listing.resale.is_none()) {
                let Listing { id, gpus, window, .. } = offer.listing;
                let mut free = Schedule::flat(window, i64::from(gpus));
                free.subtract_all(by_listing.get(&id).unwrap_or(&Schedule::empty()));
                if free.since(now) != offer.free.since(now) {
                    broken.push(format!("{id}: what is free is not what is listed less taken"));
                }
                if free.stretches().any(|stretch| stretch.count < 0) {
                    broken.push(format!("{id}: sold beyond what is listed"));
                }
            }
        }
        broken.extend(self.capacity.faults(now));
    }

    /// Everything that contracts and firm quotes draw.
    fn live_draws(&self) -> impl Iterator<Item = (PoolId, Cow<'_, [Draw]>)> {
        let contracts = self.contracts.iter().map(|it| (it.pool, it.homed(&it.allocations)));
        let blocks = self.quotes.open.values().map(|quote| &quote.block);
        let quotes = blocks.map(|it| (it.pool, Cow::Borrowed(it.draws.as_slice())));
        contracts.chain(quotes)
    }

    /// limit = available + held + drawn + defaulted, none negative; every held micro-unit is some
    /// contract's, resting order's or firm quote's; every drawn one is charged by some contract and
    /// not yet invoiced, or invoiced and not yet settled.
    fn audit_lines(&self, broken: &mut Vec<String>) {
        let mut holds: BTreeMap<LineId, i128> = BTreeMap::new();
        let mut drawn: BTreeMap<LineId, i128> = BTreeMap::new();
        for contract in self.contracts.iter() {
            *drawn.entry(contract.line).or_insert(0) += exact(contract.unbilled.amount());
        }
        for invoice in self.billing.invoices.values() {
            *drawn.entry(invoice.line).or_insert(0) += exact(invoice.outstanding());
        }
        let mut add = |line: Option<LineId>, amount: Money, what: &dyn std::fmt::Display| match line
        {
            // A closed line holds nothing, and what is paid for may still be delivered.
            Some(_) if amount.is_zero() => {}
            Some(line) => *holds.entry(line).or_insert(0) += i128::from(amount.micros()),
            None => broken.push(format!("{what} holds on no line")),
        };
        for contract in self.contracts.iter() {
            add(Some(contract.line), contract.unaccrued(), &contract.id);
        }
        for order in self.book.orders() {
            add(self.credit.line_of(order.org), order.hold, &order.id);
        }
        for quote in self.quotes.open.values() {
            add(self.credit.line_of(quote.org), quote.block.value, &quote.id);
        }
        for line in self.credit.lines() {
            let it = self.balances(line.id);
            let parts = [it.available, it.held, it.drawn, it.defaulted];
            let sum: i128 = parts.iter().map(|part| i128::from(part.micros())).sum();
            if sum != i128::from(it.limit.micros()) || parts.iter().any(|part| part.is_negative()) {
                broken.push(format!("{}: the limit is not the sum of its parts: {it:?}", line.id));
            }
            let draws = drawn.remove(&line.id).unwrap_or(0);
            // A line in default has nothing drawn: see `audit_collections`.
            if line.state != LineState::Defaulted && draws != exact(it.drawn) {
                broken.push(format!("{}: drawn {} is not the {draws} owed", line.id, it.drawn));
            }
            let held = holds.remove(&line.id).unwrap_or(0);
            if held != i128::from(it.held.micros()) {
                broken
                    .push(format!("{}: held {} is not the {held} of its holds", line.id, it.held));
            }
        }
        for line in holds.keys() {
            broken.push(format!("{line}: something holds on a line that is not there"));
        }
    }

    /// Allocations add up to the contract's GPUs at every instant; the parties' parts to the
    /// charge.
    fn audit_contracts(&self, broken: &mut Vec<String>) {
        for contract in self.contracts.iter() {
            let allocated = over_time(&contract.allocations);
            if contract.is_live() && allocated != contract.promised() {
                broken.push(format!("{}: its allocations are not its GPUs", contract.id));
            }
            let mut left = allocated;
            left.subtract_all(&over_time(&contract.losses));
            if left.stretches().any(|stretch| stretch.count < 0) {
                broken.push(format!("{}: more is lost than was promised", contract.id));
            }
            self.audit_accrual(contract, broken);
            let (value, parts) = contract.charge(contract.window.end());
            let sum: i128 = [parts.provider, parts.vendor, parts.platform, parts.reseller]
                .iter()
                .map(|part| i128::from(part.micros()))
                .sum();
            if value != contract.value || sum != i128::from(value.micros()) {
                broken.push(format!("{}: the parts are not the charge", contract.id));
            }
            if contract.id.uuid() != contract.order.uuid() {
                broken.push(format!("{}: made by another order", contract.id));
            }
        }
        for quote in self.quotes.open.values() {
            let gpus = i64::from(quote.block.gpus);
            if over_time(&quote.block.draws) != Schedule::flat(quote.block.window, gpus) {
                broken.push(format!("{}: its draws are not its GPUs", quote.id));
            }
        }
    }

    /// The totals that caps are measured by are those of the contracts.
    fn audit_undelivered(&self, broken: &mut Vec<String>) {
        let mut fresh = Undelivered::default();
        self.contracts.iter().for_each(|contract| fresh.add(contract, 1));
        let is_there = |total: &i64| *total != 0;
        let mut kept = self.contracts.undelivered.clone();
        for totals in [&mut fresh, &mut kept] {
            totals.by_provider.retain(|_, total| is_there(total));
            totals.by_sku.retain(|_, total| is_there(total));
        }
        if kept != fresh {
            broken.push("what is undelivered is not the sum of the contracts".to_owned());
        }
    }

    /// What was posted is what was delivered by then; what waits for the invoice adds up.
    fn audit_accrual(&self, contract: &Contract, broken: &mut Vec<String>) {
        let id = contract.id;
        let due = contract.tally(contract.accrued_to);
        let posted = (contract.accrued, contract.delivered, contract.lost);
        if posted != (due.charge, due.delivered, due.lost) {
            broken.push(format!("{id}: accrued {posted:?} of what is due {due:?}"));
        }
        let Bill { provider, platform, programs, gains, .. } = &contract.unbilled;
        let shares: i128 = programs.iter().map(|part| exact(part.share)).sum();
        let gains: i128 = gains.iter().map(|gain| exact(gain.amount)).sum();
        let parts = exact(*provider) + exact(*platform) + shares + gains;
        if exact(contract.unbilled.amount()) != parts {
            broken.push(format!("{id}: the parts of what is unbilled do not add up"));
        }
    }

    /// What customers owe is in the books as receivables, unbilled and invoiced; what parties wait
    /// for as payables.
    fn audit_receivables(&self, broken: &mut Vec<String>) {
        let mut owed: BTreeMap<AccountKey, i128> = BTreeMap::new();
        let mut add = |account, owner: OrgId, amount: i128| {
            *owed.entry(AccountKey::of(account, owner.uuid())).or_insert(0) += amount;
        };
        for contract in self.contracts.iter() {
            let Bill { provider, programs, gains, .. } = &contract.unbilled;
            let unbilled = self.credit.unbilled(contract.line);
            add(unbilled, contract.customer, exact(contract.unbilled.amount()));
            add(Account::GlProviderAccrued, contract.provider, exact(*provider));
            for part in programs {
                add(Account::GlVendorAccrued, part.vendor, exact(part.share));
            }
            for gain in gains {
                add(Account::GlCreditBalance, gain.reseller, exact(gain.amount));
            }
        }
        for invoice in self.billing.invoices.values() {
            let receivable = match invoice.state {
                InvoiceState::Draft => self.credit.unbilled(invoice.line),
                _ => self.credit.invoiced(invoice.line),
            };
            add(receivable, invoice.org, exact(invoice.outstanding()));
            for part in self.billing.parts_left(invoice) {
                match part.party {
                    Party::Provider(org) => {
                        add(Account::GlProviderAccrued, org, exact(part.amount));
                    }
                    Party::Vendor { vendor, .. } => {
                        add(Account::GlVendorAccrued, vendor, exact(part.amount));
                    }
                    Party::Reseller(org) => {
                        add(Account::GlCreditBalance, org, exact(part.amount));
                    }
                    Party::Platform => {}
                }
            }
        }
        let kinds = [
            Account::GlUnbilled,
            Account::GlInvoiced,
            Account::GlBackstop,
            Account::GlProviderAccrued,
            Account::GlVendorAccrued,
            Account::GlCreditBalance,
        ];
        for (key, balance) in self.ledger.accounts() {
            let due = owed.remove(&key).unwrap_or(0);
            let booked = i128::from(balance.net(key.account));
            if kinds.contains(&key.account) && booked != due {
                broken.push(format!("{key}: {booked} in the books, {due} owed"));
            }
        }
        for (key, due) in owed.into_iter().filter(|(_, due)| *due != 0) {
            broken.push(format!("{key}: nothing in the books, {due} owed"));
        }
    }

    /// In every book, debits equal credits and no account has crossed zero.
    fn audit_books(&self, broken: &mut Vec<String>) {
        let mut sums: BTreeMap<Book, i128> = BTreeMap::new();
        for (key, balance) in self.ledger.accounts() {
            let difference = i128::from(balance.debits) - i128::from(balance.credits);
            *sums.entry(key.account.book()).or_insert(0) += difference;
            if balance.net(key.account) < 0 {
                broken.push(format!("{key} has crossed zero: {balance:?}"));
            }
        }
        for (book, sum) in sums {
            if sum != 0 {
                broken.push(format!("the {book} book is out of balance by {sum}"));
            }
        }
    }

    /// Only what is in a live state is in memory, and every deadline follows from a fact.
    fn audit_states(&self, broken: &mut Vec<String>) {
        for contract in self.contracts.iter() {
            if contract.is_live() != contract.ended_at.is_none() {
                broken.push(format!("{} is {} and has an end", contract.id, contract.state));
            }
            if contract.settled {
                broken.push(format!("{} is settled and still in memory", contract.id));
            }
        }
        for invoice in self.billing.invoices.values() {
            let is_over = matches!(
                invoice.state,
                InvoiceState::Paid | InvoiceState::Void | InvoiceState::WrittenOff
            );
            if is_over && invoice.claimed == invoice.recovered {
                broken.push(format!("{} is {} and still in memory", invoice.id, invoice.state));
            }
        }
        for order in self.book.orders().filter(|order| order.state != OrderState::Open) {
            broken.push(format!("{} is {} and still in the book", order.id, order.state));
        }
        for quote in self.quotes.open.values().filter(|it| it.state != QuoteState::Open) {
            broken.push(format!("{} is {} and still held", quote.id, quote.state));
        }
        let derived = self.derived_deadlines();
        let [derived, kept]: [BTreeSet<_>; 2] =
            [&derived, &self.deadlines].map(|it| it.facts().collect());
        for (at, due) in derived.symmetric_difference(&kept) {
            broken.push(format!("the deadline {due:?} at {at} is not the one that follows"));
        }
    }
}

fn exact(money: Money) -> i128 {
    i128::from(money.micros())
}
