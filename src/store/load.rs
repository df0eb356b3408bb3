//! Start-up: everything that can still change, as the engine's snapshot. Knows which rows those
//! are.

use std::collections::BTreeMap;

use diesel::dsl::{not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::link::{Db, on};
use super::rows::billing::{
    InvoiceRow, PaymentRow, PayoutRow, PeriodRow, invoices, payments, payouts, periods,
};
use super::rows::capacity::{
    FactoryRow, ListingRow, PoolRow, RegionRow, SkuRow, factories, listings, pools, regions, skus,
};
use super::rows::contract::{AllocationRow, ContractRow, allocations, contracts, join};
use super::rows::credit::{
    ApplicationRow, CapRow, CollectionRow, LineRow, caps, collections,
    credit_applications as applications, credit_lines as lines,
};
use super::rows::incident::{IncidentRow, incidents};
use super::rows::ledger::{AccountRow, accounts};
use super::rows::party::{
    ApiKeyRow, OrganizationRow, SessionRow, UserRow, api_keys, organizations, sessions, users,
};
use super::rows::program::{ProgramRow, VersionRow, Versions, program_versions, programs};
use super::rows::record::{HeadRow, KeptKey, MetaRow, event_heads, kept, meta, remembered};
use super::rows::trading::{OrderRow, QuoteRow, orders, quotes};
use super::rows::{digest, entities, natural};
use super::schema::Uid;
use super::{Fault, Loaded};
use crate::engine::billing::{Invoice, InvoiceLine, Sums};
use crate::engine::contract::Contract;
use crate::engine::credit::Cap;
use crate::engine::ledger::{AccountKey, Balance};
use crate::engine::order::Order;
use crate::engine::program::Program;
use crate::engine::remember::Kept;
use crate::engine::snapshot::Snapshot;
use crate::model::Micros;

/// Rows read at a time of the tables that grow, so that rows and entities are not in memory twice.
const CHUNK: i64 = 20_000;

/// These spell the conditions of the partial indexes, word for word: that is how both databases
/// know that the index answers the question.
pub const OPEN: &str = "state = 'open'";
const DEMANDED: &str = "state IN ('draft', 'open', 'overdue')";
pub const IN_TRANSIT: &str = "state = 'in_transit'";

/// The whole present in one consistent read, whatever is being written meanwhile.
pub fn load(db: &mut Db) -> Result<Loaded, Fault> {
    begin_read(db)?;
    let loaded = read(db);
    let ended = db.run("ROLLBACK");
    let loaded = loaded?;
    ended?;
    Ok(loaded)
}

/// Starts a transaction that sees one state of the database throughout.
pub fn begin_read(db: &mut Db) -> Result<(), Fault> {
    match db {
        Db::Sqlite(_) => db.run("BEGIN"),
        Db::Postgres(_) => db.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
    }
}

/// What a server that stands by shows: who may act and what is traded. `None` when the last commit
/// is `seen` already.
pub fn glimpse(db: &mut Db, seen: Option<u64>) -> Result<Option<Loaded>, Fault> {
    begin_read(db)?;
    let glimpsed = read_glimpse(db, seen);
    let ended = db.run("ROLLBACK");
    let glimpsed = glimpsed?;
    ended?;
    Ok(glimpsed)
}

fn read_glimpse(db: &mut Db, seen: Option<u64>) -> Result<Option<Loaded>, Fault> {
    let meta: MetaRow = on!(db, first, meta::table)?;
    let number = natural("meta.commit_no", meta.commit_no)?;
    if seen == Some(number) {
        return Ok(None);
    }
    let mut snapshot = present(db)?;
    snapshot.now = Micros::new(meta.now_at);
    Ok(Some(Loaded { snapshot, number, hash: digest("meta.hash", &meta.hash)? }))
}

/// A snapshot of the few kinds that every request needs, and of nothing else.
fn present(db: &mut Db) -> Result<Snapshot, Fault> {
    let organizations: Vec<OrganizationRow> =
        on!(db, load, organizations::table.order(organizations::id))?;
    let users: Vec<UserRow> = on!(db, load, users::table.order(users::id))?;
    let sessions: Vec<SessionRow> =
        on!(db, load, sessions::table.filter(not(sessions::closed)).order(sessions::id))?;
    let keys: Vec<ApiKeyRow> =
        on!(db, load, api_keys::table.filter(not(api_keys::revoked)).order(api_keys::id))?;
    let skus: Vec<SkuRow> = on!(db, load, skus::table.order(skus::code))?;
    let regions: Vec<RegionRow> = on!(db, load, regions::table.order(regions::code))?;
    let heads: Vec<HeadRow> = on!(db, load, event_heads::table.order(event_heads::org))?;
    Ok(Snapshot {
        organizations: entities(organizations)?,
        users: entities(users)?,
        sessions: entities(sessions)?,
        keys: entities(keys)?,
        skus: entities(skus)?,
        regions: entities(regions)?,
        event_heads: entities(heads)?,
        ..Snapshot::default()
    })
}

fn read(db: &mut Db) -> Result<Loaded, Fault> {
    let meta: MetaRow = on!(db, first, meta::table)?;
    let now = Micros::new(meta.now_at);
    let versions: Vec<VersionRow> = on!(db, load, program_versions::table)?;
    let versions = Versions::read(versions)?;
    let present = present(db)?;
    let factories: Vec<FactoryRow> = on!(db, load, factories::table.order(factories::id))?;
    let pools: Vec<PoolRow> = on!(db, load, pools::table.order(pools::id))?;
    let offered = ["draft", "live", "sold_out"];
    let listings: Vec<ListingRow> =
        on!(db, load, listings::table.filter(listings::state.eq_any(offered)).order(listings::id))?;
    let applications: Vec<ApplicationRow> = on!(
        db,
        load,
        applications::table.filter(applications::state.eq("submitted")).order(applications::id)
    )?;
    let lines: Vec<LineRow> =
        on!(db, load, lines::table.filter(lines::state.ne("closed")).order(lines::id))?;
    let quotes: Vec<QuoteRow> =
        on!(db, load, quotes::table.filter(sql::<Bool>(OPEN)).order(quotes::id))?;
    let held: Vec<PaymentRow> =
        on!(db, load, payments::table.filter(not(payments::freed)).order(payments::id))?;
    let under_way: Vec<PayoutRow> =
        on!(db, load, payouts::table.filter(sql::<Bool>(IN_TRANSIT)).order(payouts::id))?;
    let months: Vec<PeriodRow> = on!(db, load, periods::table.order(periods::month))?;
    let debts: Vec<CollectionRow> = on!(db, load, collections::table.order(collections::line))?;
    let bounds: Vec<CapRow> = on!(db, load, caps::table)?;
    let trouble: Vec<IncidentRow> =
        on!(db, load, incidents::table.filter(sql::<Bool>(OPEN)).order(incidents::id))?;
    let snapshot = Snapshot {
        now,
        seq: natural("meta.seq", meta.seq)?,
        last_entry: natural("meta.last_entry", meta.last_entry)?,
        organizations: present.organizations,
        users: present.users,
        sessions: present.sessions,
        keys: present.keys,
        skus: present.skus,
        regions: present.regions,
        programs: newest_programs(db, &versions)?,
        factories: entities(factories)?,
        pools: entities(pools)?,
        listings: entities(listings)?,
        applications: entities(applications)?,
        lines: entities(lines)?,
        quotes: entities(quotes)?,
        orders: open_orders(db)?,
        contracts: unsettled_contracts(db, &versions)?,
        invoices: unsettled_invoices(db)?,
        payments: entities(held)?,
        payouts: entities(under_way)?,
        periods: entities(months)?,
        collections: entities(debts)?,
        caps: in_order(bounds)?,
        incidents: entities(trouble)?,
        accounts: all_accounts(db)?,
        event_heads: present.event_heads,
        kept: remembered_keys(db, now)?,
    };
    let number = natural("meta.commit_no", meta.commit_no)?;
    let hash = digest("meta.hash", &meta.hash)?;
    Ok(Loaded { snapshot, number, hash })
}

fn newest_programs(db: &mut Db, versions: &Versions) -> Result<Vec<Program>, Fault> {
    let rows: Vec<ProgramRow> = on!(db, load, programs::table.order(programs::id))?;
    rows.into_iter().map(|row| row.into_program(versions)).collect()
}

fn open_orders(db: &mut Db) -> Result<Vec<Order>, Fault> {
    in_chunks(Uid(uuid::Uuid::nil()), |after| {
        let rows: Vec<OrderRow> = on!(
            db,
            load,
            orders::table
                .filter(sql::<Bool>(OPEN))
                .filter(orders::id.gt(after))
                .order(orders::id)
                .limit(CHUNK)
        )?;
        let last = rows.last().map(|row| row.id);
        Ok((entities(rows)?, last))
    })
}

fn unsettled_contracts(db: &mut Db, versions: &Versions) -> Result<Vec<Contract>, Fault> {
    in_chunks(Uid(uuid::Uuid::nil()), |after| {
        let rows: Vec<ContractRow> = on!(
            db,
            load,
            contracts::table
                .filter(not(contracts::settled))
                .filter(contracts::id.gt(after))
                .order(contracts::id)
                .limit(CHUNK)
        )?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok((Vec::new(), None)) };
        let draws: Vec<AllocationRow> = on!(
            db,
            load,
            allocations::table
                .inner_join(contracts::table)
                .filter(not(contracts::settled))
                .filter(contracts::id.gt(after))
                .filter(contracts::id.le(last))
                .order((allocations::contract, allocations::place))
                .select(allocations::all_columns)
        )?;
        Ok((join(rows, draws, versions)?, Some(last)))
    })
}

/// Draft, open and overdue ones: those of lines in default stay so until nothing of them is waited
/// for.
fn unsettled_invoices(db: &mut Db) -> Result<Vec<(Invoice, Sums)>, Fault> {
    in_chunks(Uid(uuid::Uuid::nil()), |after| {
        let rows: Vec<InvoiceRow> = on!(
            db,
            load,
            invoices::table
                .filter(sql::<Bool>(DEMANDED))
                .filter(invoices::id.gt(after))
                .order(invoices::id)
                .limit(CHUNK)
        )?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok((Vec::new(), None)) };
        // By the invoices themselves: between the first and the last may lie years of paid ones.
        let lines = super::read::lines_of(db, &rows)?;
        let invoices: Vec<Invoice> = entities(rows)?;
        Ok((invoices.into_iter().zip(lines.iter().map(|own| sums_of(own))).collect(), Some(last)))
    })
}

/// What lines add up to.
fn sums_of(lines: &[InvoiceLine]) -> Sums {
    let mut sums = Sums::default();
    lines.iter().for_each(|line| sums.add(line));
    sums
}

/// In the engine's order of subjects.
fn in_order(rows: Vec<CapRow>) -> Result<Vec<Cap>, Fault> {
    let mut caps: Vec<Cap> = entities(rows)?;
    caps.sort_by(|one, next| one.subject.cmp(&next.subject));
    Ok(caps)
}

/// In the engine's order of keys, which is not that of their words.
fn all_accounts(db: &mut Db) -> Result<Vec<(AccountKey, Balance)>, Fault> {
    let rows: Vec<AccountRow> = on!(db, load, accounts::table)?;
    let accounts: Vec<(AccountKey, Balance)> = entities(rows)?;
    Ok(accounts.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
}

/// Keys whose time is not over, oldest first. Their answers stay where they are.
fn remembered_keys(db: &mut Db, now: Micros) -> Result<Vec<Kept>, Fault> {
    in_chunks(-1, |after: i64| {
        let rows: Vec<KeptKey> = on!(
            db,
            load,
            kept::table
                .filter(kept::seq.gt(after))
                .filter(kept::expires_at.gt(now.count()))
                .order(kept::seq)
                .limit(CHUNK)
                .select((kept::seq, kept::name, kept::fingerprint, kept::expires_at))
        )?;
        let last = rows.last().map(|row| row.0);
        Ok((rows.into_iter().map(remembered).collect::<Result<_, _>>()?, last))
    })
}

/// Reads chunk after chunk, each from where the last one ended, until one is empty.
fn in_chunks<T, K>(
    start: K,
    mut read: impl FnMut(K) -> Result<(Vec<T>, Option<K>), Fault>,
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    let mut next = Some(start);
    while let Some(after) = next {
        let (chunk, last) = read(after)?;
        all.extend(chunk);
        next = last;
    }
    Ok(all)
}
