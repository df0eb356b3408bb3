//! The audit of a database by itself: what must always be true, over all rows and without the
//! engine. Knows the books, the audit chain and what a contract is made of; decides nothing.
//!
//! That what is sold is installed, or is in an incident, is not asked here but by the engine's own
//! audit, over the same rows: it takes every schedule at once.

mod counts;
pub(super) mod glance;

use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use uuid::Uuid;

use super::link::{Db, on};
use super::load::{IN_TRANSIT, OPEN};
use super::read::{AuditRow as Audited, Reader};
use super::rows::billing::{InvoiceRow, PaymentRow, PayoutRow, invoices, payments, payouts};
use super::rows::capacity::{ListingRow, listings};
use super::rows::contract::{ContractRow, contracts};
use super::rows::credit::{CollectionRow, LineRow, collections, credit_lines};
use super::rows::ledger::{AccountRow, EntryRow, accounts, entries};
use super::rows::record::{
    AuditRow, CommitRow, HeadRow, MetaRow, audit, commits, event_heads, events, meta,
};
use super::rows::trading::{OrderRow, QuoteRow, orders, quotes};
use super::rows::{digest, entities, natural};
use super::schema::Uid;
use super::{Fault, chain};
use crate::engine::billing::{Invoice, InvoiceState, Payment, Payout};
use crate::engine::charge::Bill;
use crate::engine::contract::{Contract, ContractState};
use crate::engine::credit::{Collection, Line, LineState};
use crate::engine::ledger::{Account, AccountKey, Balance, Entry};
use crate::engine::listing::Listing;
use crate::engine::matching::Draw;
use crate::engine::order::Order;
use crate::engine::quote::Quote;
use crate::model::id::{LineId, ListingId, OrgId};
use crate::model::{Minute, Money, Schedule, Worth};

diesel::allow_tables_to_appear_in_same_query!(contracts, orders);

/// Rows read at a time.
const CHUNK: i64 = 10_000;

/// After so many broken things a reader has seen enough; the rest is counted.
const FINDINGS_MAX: usize = 100;

/// Checks everything that rows alone can show; answers a sentence for each thing that is broken.
/// Empty is sound. Reads all of the database, in one consistent view, beside whoever writes.
///
/// # Errors
/// When the database cannot be reached or read.
pub fn check(reader: &Reader) -> Result<Vec<String>, Fault> {
    reader.read_at_once(|db| look(db).map(Findings::sentences))
}

fn look(db: &mut Db) -> Result<Findings, Fault> {
    let mut found = Findings::default();
    let meta: MetaRow = on!(db, first, meta::table)?;
    audit_chain(db, &meta, &mut found)?;
    event_numbers(db, &mut found)?;
    let balances = books(db, &meta, &mut found)?;
    let mut used = Used { backstops: backstops(db)?, ..Used::default() };
    all_contracts(db, &mut used, &mut found)?;
    all_invoices(db, &mut used, &mut found)?;
    on_the_way(db, &mut used)?;
    owed(&balances, &used, &mut found);
    resting(db, &mut used)?;
    lines(db, &balances, &used, &mut found)?;
    listed(db, used, &mut found)?;
    filled_orders(db, &mut found)?;
    counts::references(db, &mut found)?;
    counts::keys(db, &meta, &mut found)?;
    counts::amendments(db, &mut found)?;
    Ok(found)
}

/// What is broken, in sentences.
#[derive(Default)]
struct Findings {
    sentences: Vec<String>,
    more: usize,
}

impl Findings {
    fn note(&mut self, sentence: String) {
        if self.sentences.len() < FINDINGS_MAX {
            self.sentences.push(sentence);
        } else {
            self.more += 1;
        }
    }

    fn unless(&mut self, sound: bool, sentence: impl FnOnce() -> String) {
        if !sound {
            self.note(sentence());
        }
    }

    fn sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.sentences.push(format!("and {} more", self.more));
        }
        self.sentences
    }
}

/// Each commit's hash follows from the one before and its records; the last is the one in `meta`.
fn audit_chain(db: &mut Db, meta: &MetaRow, found: &mut Findings) -> Result<(), Fault> {
    let (mut last, mut hash, mut seq) = (0, [0; 32], 0);
    loop {
        let rows: Vec<CommitRow> = on!(
            db,
            load,
            commits::table.filter(commits::no.gt(last)).order(commits::no).limit(CHUNK)
        )?;
        let (Some(first), Some(end)) = (rows.first(), rows.last()) else { break };
        let (first, end) = (first.no, end.no);
        let records: Vec<AuditRow> = on!(
            db,
            load,
            audit::table
                .filter(audit::commit_no.between(first, end))
                .order((audit::commit_no, audit::seq))
        )?;
        let records: Vec<Audited> = entities(records)?;
        let mut by_commit: BTreeMap<u64, Vec<Audited>> = BTreeMap::new();
        for record in records {
            by_commit.entry(record.commit).or_default().push(record);
        }
        for row in rows {
            found.unless(row.no == last + 1, || format!("commit {} is missing", last + 1));
            let number = natural("commits.no", row.no)?;
            let records = by_commit.remove(&number).unwrap_or_default();
            let written = digest("commits.hash", &row.hash)?;
            let due = chain::link_read(&hash, number, natural("commits.seq", row.seq)?, &records);
            found.unless(written == due, || {
                format!("the audit records of commit {number} are not those that were written")
            });
            // Goes on from what is written, so that one break is told once.
            (last, hash, seq) = (row.no, written, row.seq);
        }
    }
    let is_last = (meta.commit_no, meta.seq) == (last, seq) && meta.hash == hash;
    found.unless(is_last, || {
        format!("the last commit is {last}, and the market stands at {}", meta.commit_no)
    });
    Ok(())
}

/// Of one organization: how many events, the first number and the last.
type Numbers = (Uid, i64, Option<i64>, Option<i64>);

/// One event per number, from the first on, up to the organization's last. Old ones may be gone.
fn event_numbers(db: &mut Db, found: &mut Findings) -> Result<(), Fault> {
    use diesel::dsl::{count_star, max, min};
    let heads: Vec<HeadRow> = on!(db, load, event_heads::table.order(event_heads::org))?;
    let told: Vec<Numbers> = on!(
        db,
        load,
        events::table.group_by(events::org).select((
            events::org,
            count_star(),
            min(events::no),
            max(events::no)
        ))
    )?;
    let told: BTreeMap<Uid, (i64, Option<i64>, Option<i64>)> =
        told.into_iter().map(|(org, count, first, last)| (org, (count, first, last))).collect();
    for HeadRow { org, last } in heads {
        let sound = match told.get(&org) {
            Some((count, Some(first), Some(end))) => *end == last && *count == last - first + 1,
            _ => false,
        };
        found.unless(sound, || {
            format!("the events of {} are not 1 to {last} without gaps", OrgId::new(org.0))
        });
    }
    Ok(())
}

/// The entries are numbered without gaps, each moves an amount above zero between two accounts of
/// one book, and their sums are the accounts' balances: so in every book debits equal credits.
fn books(
    db: &mut Db,
    meta: &MetaRow,
    found: &mut Findings,
) -> Result<BTreeMap<AccountKey, Balance>, Fault> {
    let mut sums: BTreeMap<AccountKey, (i128, i128)> = BTreeMap::new();
    let mut last = 0;
    loop {
        let rows: Vec<EntryRow> = on!(
            db,
            load,
            entries::table.filter(entries::no.gt(last)).order(entries::no).limit(CHUNK)
        )?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            found.unless(row.no == last + 1, || format!("entry {} is missing", last + 1));
            last = row.no;
            let entry = Entry::try_from(row)?;
            let is_of_one_book = entry.debit.account.book() == entry.credit.account.book();
            found.unless(is_of_one_book, || format!("entry {last} spans two books"));
            found.unless(entry.debit != entry.credit, || format!("entry {last} moves nothing"));
            found.unless(entry.amount > 0, || format!("entry {last} has no amount above zero"));
            sums.entry(entry.debit).or_default().0 += i128::from(entry.amount);
            sums.entry(entry.credit).or_default().1 += i128::from(entry.amount);
        }
    }
    found.unless(last == meta.last_entry, || {
        format!("the last entry is {last}, and the market counts {}", meta.last_entry)
    });
    let rows: Vec<AccountRow> = on!(db, load, accounts::table)?;
    let balances: Vec<(AccountKey, Balance)> = entities(rows)?;
    for (key, balance) in &balances {
        let (debits, credits) = sums.remove(key).unwrap_or_default();
        let is_sum = debits == i128::from(balance.debits) && credits == i128::from(balance.credits);
        found.unless(is_sum, || {
            format!("the balance of {} is not the sum of its entries", spell(key))
        });
        found.unless(balance.net(key.account) >= 0, || format!("{} is below zero", spell(key)));
    }
    for key in sums.keys() {
        found.note(format!("{} has entries and no balance", spell(key)));
    }
    Ok(balances.into_iter().collect())
}

fn spell(key: &AccountKey) -> String {
    let AccountKey { account, owner, second } = key;
    if second.is_nil() {
        format!("{account}/{owner}")
    } else {
        format!("{account}/{owner}/{second}")
    }
}

/// What contracts, resting orders and firm quotes use: credit by line and by customer, GPUs by
/// listing.
#[derive(Default)]
struct Used {
    held_by_line: BTreeMap<LineId, i128>,
    held_by_customer: BTreeMap<OrgId, i128>,
    /// Charged, and not yet settled.
    drawn_by_line: BTreeMap<LineId, i128>,
    /// What the operator's books must have: unbilled and invoiced receivables by customer, claims
    /// by guarantor, reserves by provider, payouts under way by who is paid.
    owed: BTreeMap<AccountKey, i128>,
    /// Lines that backstops buy on.
    backstops: BTreeSet<LineId>,
    /// Rises and falls of what is taken.
    taken: BTreeMap<ListingId, Vec<(Minute, i64)>>,
}

impl Used {
    fn owe(&mut self, account: Account, org: OrgId, amount: i128) {
        *self.owed.entry(AccountKey::of(account, org.uuid())).or_default() += amount;
    }

    /// Where the books keep what is owed on a line: a backstop has one account, invoiced or not.
    fn receivable(&self, line: LineId, account: Account) -> Account {
        if self.backstops.contains(&line) { Account::GlBackstop } else { account }
    }

    fn draw(&mut self, line: LineId, account: Account, customer: OrgId, amount: i128) {
        *self.drawn_by_line.entry(line).or_default() += amount;
        self.owe(account, customer, amount);
    }

    fn take(&mut self, draw: &Draw) {
        let steps = self.taken.entry(draw.listing).or_default();
        steps.push((draw.window.start(), i64::from(draw.gpus)));
        steps.push((draw.window.end(), -i64::from(draw.gpus)));
    }
}

/// The lines that vendors' backstops buy on.
fn backstops(db: &mut Db) -> Result<BTreeSet<LineId>, Fault> {
    let are = credit_lines::program.is_not_null();
    let ids: Vec<Uid> = on!(db, load, credit_lines::table.filter(are).select(credit_lines::id))?;
    Ok(ids.into_iter().map(|id| LineId::new(id.0)).collect())
}

fn all_contracts(db: &mut Db, used: &mut Used, found: &mut Findings) -> Result<(), Fault> {
    let mut last = Uid(Uuid::nil());
    loop {
        let rows: Vec<ContractRow> = on!(
            db,
            load,
            contracts::table.filter(contracts::id.gt(last)).order(contracts::id).limit(CHUNK)
        )?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.id;
        for contract in super::read::whole(db, rows)? {
            made_of_its_parts(&contract, found);
            let left = exact(contract.value) - exact(contract.accrued);
            *used.held_by_line.entry(contract.line).or_default() += left;
            let unbilled = exact(contract.unbilled.amount());
            let account = used.receivable(contract.line, Account::GlUnbilled);
            used.draw(contract.line, account, contract.customer, unbilled);
            contract.homed(&contract.allocations).iter().for_each(|draw| used.take(draw));
            let bought = contract.allocations.iter();
            let is_bought =
                |draw: &&Draw| contract.resale.as_ref().is_some_and(|it| it.origin(draw).is_some());
            bought.filter(is_bought).for_each(|draw| used.take(draw));
        }
    }
}

/// A contract's allocations add up to its GPUs at every instant of its window and to nothing
/// outside it, their charge less what was lost to its value; what is posted is what was delivered
/// by then.
fn made_of_its_parts(contract: &Contract, found: &mut Findings) {
    let mut drawn = Schedule::empty();
    let mut worth = Worth::ZERO;
    for draw in &contract.allocations {
        drawn.add(draw.window, i64::from(draw.gpus));
        worth = worth.plus(draw.price.worth(draw.gpus, draw.window.minutes()));
    }
    // One that ended before its time keeps the size that was promised on record.
    let is_whole = contract.is_live() || contract.state == ContractState::Completed;
    found.unless(!is_whole || drawn == contract.promised(), || {
        format!("the allocations of {} do not add up to its GPUs at every instant", contract.id)
    });
    let whole = contract.tally(contract.window.end());
    let posted = contract.tally(contract.accrued_to);
    let is_posted = posted.charge == contract.accrued
        && (posted.delivered, posted.lost) == (contract.delivered, contract.lost);
    found.unless(is_posted, || format!("what {} has earned is not what it delivered", contract.id));
    adds_up(&contract.unbilled, &contract.id, found);
    found.unless(contract.is_live() == contract.ended_at.is_none(), || {
        format!("{} is {}, which is not what its end says", contract.id, contract.state)
    });
    let is_over = contract.ended_at.is_some() && contract.unbilled.is_empty();
    found.unless(!contract.settled || is_over, || {
        format!("{} is settled, and something of it is not billed", contract.id)
    });
    let is_worth_it = worth == contract.worth && whole.charge == contract.value;
    found.unless(is_worth_it, || {
        format!("the value of {} is not that of its allocations", contract.id)
    });
}

/// The parties' parts of a bill are its amount.
fn adds_up(bill: &Bill, of: &dyn std::fmt::Display, found: &mut Findings) {
    let shares: i128 = bill.programs.iter().map(|part| exact(part.share)).sum();
    let gains: i128 = bill.gains.iter().map(|gain| exact(gain.amount)).sum();
    let parts = exact(bill.provider) + exact(bill.platform) + shares + gains;
    found.unless(exact(bill.amount()) == parts, || {
        format!("the parts of what {of} bills do not add up to it")
    });
}

fn exact(money: Money) -> i128 {
    i128::from(money.micros())
}

/// An invoice's lines add up to its total, and nothing is settled twice.
fn all_invoices(db: &mut Db, used: &mut Used, found: &mut Findings) -> Result<(), Fault> {
    use InvoiceState::{Draft, Open, Overdue, Paid, Void, WrittenOff};
    let mut last = Uid(Uuid::nil());
    loop {
        let rows: Vec<InvoiceRow> = on!(
            db,
            load,
            invoices::table.filter(invoices::id.gt(last)).order(invoices::id).limit(CHUNK)
        )?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.id;
        let lines = super::read::lines_of(db, &rows)?;
        let invoices: Vec<Invoice> = entities(rows)?;
        for (invoice, lines) in invoices.into_iter().zip(lines) {
            let id = invoice.id;
            lines.iter().for_each(|line| adds_up(&line.bill, &id, found));
            let total: i128 = lines.iter().map(|line| exact(line.bill.amount())).sum();
            found.unless(total == exact(invoice.total), || {
                format!("the lines of {id} do not add up to its total")
            });
            let left = exact(invoice.outstanding());
            found.unless(left >= 0, || format!("more than all of {id} is settled"));
            let (account, is_over) = match invoice.state {
                Draft => (Account::GlUnbilled, false),
                Open | Overdue => (Account::GlInvoiced, false),
                Paid | Void | WrittenOff => (Account::GlInvoiced, true),
            };
            let is_settled = left == 0 && invoice.claimed == invoice.recovered;
            found.unless(!is_over || is_settled, || {
                format!("{id} is {}, and something of it is waited for", invoice.state)
            });
            let account = used.receivable(invoice.line, account);
            used.draw(invoice.line, account, invoice.org, left);
        }
    }
}

/// What is kept back of payments, what is on its way to somebody, what guarantors were asked for.
fn on_the_way(db: &mut Db, used: &mut Used) -> Result<(), Fault> {
    let rows: Vec<PaymentRow> = on!(db, load, payments::table.filter(not(payments::freed)))?;
    for payment in entities::<_, Payment>(rows)? {
        for reserve in &payment.reserves {
            used.owe(Account::GlProviderReserve, reserve.provider, exact(reserve.amount));
        }
    }
    let rows: Vec<PayoutRow> = on!(db, load, payouts::table.filter(sql::<Bool>(IN_TRANSIT)))?;
    for payout in entities::<_, Payout>(rows)? {
        used.owe(Account::GlInTransit, payout.org, exact(payout.amount));
    }
    let rows: Vec<CollectionRow> = on!(db, load, collections::table)?;
    for collection in entities::<_, Collection>(rows)? {
        for claim in &collection.claims {
            let left = exact(claim.amount) - exact(claim.paid);
            used.owe(Account::GlGuarantee, claim.guarantor, left);
        }
    }
    Ok(())
}

/// What is owed by anybody or waits for somebody is what the operator's books say.
fn owed(balances: &BTreeMap<AccountKey, Balance>, used: &Used, found: &mut Findings) {
    let kinds = [
        Account::GlUnbilled,
        Account::GlInvoiced,
        Account::GlBackstop,
        Account::GlGuarantee,
        Account::GlProviderReserve,
        Account::GlInTransit,
    ];
    let mut owed = used.owed.clone();
    for (key, balance) in balances.iter().filter(|(key, _)| kinds.contains(&key.account)) {
        let due = owed.remove(key).unwrap_or(0);
        let booked = i128::from(balance.net(key.account));
        found.unless(booked == due, || format!("{} has {booked}, and {due} is owed", spell(key)));
    }
    for (key, due) in owed.into_iter().filter(|(_, due)| *due != 0) {
        found.note(format!("{} is not there, and {due} is owed", spell(&key)));
    }
}

/// What orders that rest and quotes that are firm hold.
fn resting(db: &mut Db, used: &mut Used) -> Result<(), Fault> {
    let rows: Vec<OrderRow> = on!(db, load, orders::table.filter(sql::<Bool>(OPEN)))?;
    for order in entities::<_, Order>(rows)? {
        let held = used.held_by_customer.entry(order.org).or_default();
        *held += i128::from(order.hold.micros());
    }
    let rows: Vec<QuoteRow> = on!(db, load, quotes::table.filter(sql::<Bool>(OPEN)))?;
    for quote in entities::<_, Quote>(rows)? {
        let held = used.held_by_customer.entry(quote.org).or_default();
        *held += i128::from(quote.block.value.micros());
        quote.block.draws.iter().for_each(|draw| used.take(draw));
    }
    Ok(())
}

/// limit = available + held + drawn + defaulted, and held is what contracts, orders and quotes
/// hold.
fn lines(
    db: &mut Db,
    balances: &BTreeMap<AccountKey, Balance>,
    used: &Used,
    found: &mut Findings,
) -> Result<(), Fault> {
    use Account::{ExpAvailable, ExpDefaulted, ExpDrawn, ExpHeld, ExpLimit};
    let rows: Vec<LineRow> = on!(db, load, credit_lines::table.order(credit_lines::id))?;
    for line in entities::<_, Line>(rows)? {
        let net = |account: Account| {
            let balance = balances.get(&AccountKey::of(account, line.id.uuid()));
            i128::from(balance.map_or(0, |balance| balance.net(account)))
        };
        let parts = net(ExpAvailable) + net(ExpHeld) + net(ExpDrawn) + net(ExpDefaulted);
        found.unless(net(ExpLimit) == parts, || {
            format!("the limit of {} is not what is available, held, drawn and defaulted", line.id)
        });
        let drawn = used.drawn_by_line.get(&line.id).copied().unwrap_or(0);
        // What is owed on a line in default is drawn no more: it is defaulted.
        let is_drawn = line.state == LineState::Defaulted || net(ExpDrawn) == drawn;
        found.unless(is_drawn, || {
            format!("{} has drawn {}, and {drawn} is owed on it", line.id, net(ExpDrawn))
        });
        // A closed line holds nothing; what its customer holds is on the one that is open.
        let is_open = line.state != LineState::Closed;
        let by_contracts = used.held_by_line.get(&line.id).copied().unwrap_or(0);
        let is_own = is_open && line.program.is_none();
        let by_customer = used.held_by_customer.get(&line.org).copied().filter(|_| is_own);
        let due = by_contracts + by_customer.unwrap_or(0);
        let held = net(ExpHeld);
        found.unless(held == due, || {
            format!("{} holds {held}, and its contracts, orders and quotes {due}", line.id)
        });
    }
    Ok(())
}

/// At no instant is more of a listing taken than it lists.
fn listed(db: &mut Db, mut used: Used, found: &mut Findings) -> Result<(), Fault> {
    let mut last = Uid(Uuid::nil());
    loop {
        let rows: Vec<ListingRow> = on!(
            db,
            load,
            listings::table.filter(listings::id.gt(last)).order(listings::id).limit(CHUNK)
        )?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.id;
        for listing in entities::<_, Listing>(rows)? {
            let steps = used.taken.remove(&listing.id).unwrap_or_default();
            if let Some((instant, taken, most)) = oversold(&listing, steps) {
                let id = listing.id;
                found.note(format!("{id} has sold {taken} of {most} GPUs at {instant}"));
            }
        }
    }
}

/// The first instant at which more is taken than listed, with both numbers.
fn oversold(listing: &Listing, mut steps: Vec<(Minute, i64)>) -> Option<(Minute, i64, i64)> {
    steps.sort_unstable();
    let mut taken = 0;
    for at_once in steps.chunk_by(|one, next| one.0 == next.0) {
        let instant = at_once.first()?.0;
        taken += at_once.iter().map(|(_, step)| step).sum::<i64>();
        let most = if listing.window.holds(instant) { i64::from(listing.gpus) } else { 0 };
        if taken > most {
            return Some((instant, taken, most));
        }
    }
    None
}

/// Every filled order has its contract.
fn filled_orders(db: &mut Db, found: &mut Findings) -> Result<(), Fault> {
    let made = contracts::table.filter(contracts::id.nullable().eq(orders::contract));
    let without: Vec<OrderRow> = on!(
        db,
        load,
        orders::table.filter(orders::state.eq("filled")).filter(not(exists(made))).limit(CHUNK)
    )?;
    for order in entities::<_, Order>(without)? {
        found.note(format!("{} is filled and has no contract", order.id));
    }
    Ok(())
}
