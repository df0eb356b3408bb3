//! Start-up: everything that can still change, as the engine's snapshot. Knows which rows those
//! are.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use diesel::dsl::{not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::check::glance::glance;
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

/// A market of fewer commands than that is loaded before a second connection has come about.
const SMALL: u64 = 50_000;

/// Chunks of contracts that may wait for the next one who does something with them.
const WAITING: usize = 2;

/// The whole present in one consistent read, whatever is being written meanwhile.
pub fn load(db: &mut Db) -> Result<Loaded, Fault> {
    at_once(db, |db| read(db, None))
}

/// As `load`, for the one who writes: with a second connection, so that a large market is read on
/// two at a time. Nobody else commits, so both see the same; should they not, one does it alone. A
/// database whose last commit is not whole is not loaded.
pub fn load_quickly(
    db: &mut Db,
    open: impl FnOnce() -> Result<Db, Fault>,
) -> Result<Loaded, Fault> {
    at_once(db, |db| {
        let meta: MetaRow = on!(db, first, meta::table)?;
        glance(db, &meta)?;
        let is_small = natural("meta.seq", meta.seq)? < SMALL;
        // A database with no place for one more is loaded all the same.
        let mut beside = if is_small { None } else { open().ok() };
        let mut is_same = false;
        if let Some(beside) = &mut beside {
            begin_read(beside)?;
            let seen: MetaRow = on!(beside, first, meta::table)?;
            is_same = seen.commit_no == meta.commit_no;
        }
        read(db, beside.as_mut().filter(|_| is_same))
    })
}

/// Does something in a transaction that sees one state of the database throughout.
pub fn at_once<T>(db: &mut Db, work: impl FnOnce(&mut Db) -> Result<T, Fault>) -> Result<T, Fault> {
    begin_read(db)?;
    let done = work(db);
    let ended = db.run("ROLLBACK");
    let done = done?;
    ended?;
    Ok(done)
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
    at_once(db, |db| read_glimpse(db, seen))
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

fn read(db: &mut Db, beside: Option<&mut Db>) -> Result<Loaded, Fault> {
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
    let (contracts, kept) = match beside {
        None => (unsettled_contracts(db, &versions)?, remembered_keys(db, now)?),
        Some(beside) => contracts_and_keys(db, beside, &versions, now)?,
    };
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
        contracts,
        invoices: unsettled_invoices(db)?,
        payments: entities(held)?,
        payouts: entities(under_way)?,
        periods: entities(months)?,
        collections: entities(debts)?,
        caps: in_order(bounds)?,
        incidents: entities(trouble)?,
        accounts: all_accounts(db)?,
        event_heads: present.event_heads,
        kept,
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

fn unsettled_contracts(db: &mut Db, versions: &Versions) -> Result<Vec<Arc<Contract>>, Fault> {
    in_chunks(Uid(uuid::Uuid::nil()), |after| {
        let rows = some_contracts(db, after)?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok((Vec::new(), None)) };
        let draws = their_draws(db, after, last)?;
        Ok((shared(join(rows, draws, versions)?), Some(last)))
    })
}

/// The same and the keys, each step on a thread: rows of contracts come from one connection, what
/// they draw from another, and a third puts them together. Contracts are nearly all that there is
/// to load in a large market, and these steps take about as long as each other.
fn contracts_and_keys(
    db: &mut Db,
    beside: &mut Db,
    versions: &Versions,
    now: Micros,
) -> Result<(Vec<Arc<Contract>>, Vec<Kept>), Fault> {
    let (rows_to, rows) = sync_channel::<(Uid, Vec<ContractRow>)>(WAITING);
    let (whole_to, whole) = sync_channel(WAITING);
    std::thread::scope(|scope| {
        let drawing = scope.spawn(move || -> Result<(), Fault> {
            for (after, rows) in rows {
                let last = rows.last().map_or(after, |row| row.id);
                let draws = their_draws(beside, after, last)?;
                // Who hears no more has failed, and says why.
                if whole_to.send((rows, draws)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let joining = scope.spawn(move || -> Result<Vec<Arc<Contract>>, Fault> {
            let mut all = Vec::new();
            for (rows, draws) in whole {
                all.extend(shared(join(rows, draws, versions)?));
            }
            Ok(all)
        });
        let reading = in_chunks(Uid(uuid::Uuid::nil()), |after| {
            let rows = some_contracts(db, after)?;
            let last = rows.last().map(|row| row.id);
            let is_heard = last.is_none() || rows_to.send((after, rows)).is_ok();
            Ok((Vec::<()>::new(), last.filter(|_| is_heard)))
        });
        drop(rows_to);
        let kept = reading.and_then(|_| remembered_keys(db, now));
        // Whoever failed first is who it is about: the others only heard no more.
        let drawn = drawing.join().unwrap_or_else(|panic| resume_unwind(panic));
        let joined = joining.join().unwrap_or_else(|panic| resume_unwind(panic));
        let (contracts, (), kept) = (joined?, drawn?, kept?);
        Ok((contracts, kept))
    })
}

/// A chunk of unsettled ones.
fn some_contracts(db: &mut Db, after: Uid) -> Result<Vec<ContractRow>, Fault> {
    on!(
        db,
        load,
        contracts::table
            .filter(not(contracts::settled))
            .filter(contracts::id.gt(after))
            .order(contracts::id)
            .limit(CHUNK)
    )
}

/// What the unsettled ones from one to another draw. In the order of contracts, as SQLite then goes
/// by them: half the time of looking for the contract of each draw. The bounds are said of both
/// tables, so that PostgreSQL can go through them side by side.
fn their_draws(db: &mut Db, after: Uid, last: Uid) -> Result<Vec<AllocationRow>, Fault> {
    on!(
        db,
        load,
        allocations::table
            .inner_join(contracts::table)
            .filter(not(contracts::settled))
            .filter(contracts::id.gt(after))
            .filter(contracts::id.le(last))
            .filter(allocations::contract.gt(after))
            .filter(allocations::contract.le(last))
            .order((contracts::id, allocations::place))
            .select(allocations::all_columns)
    )
}

/// As the engine has them from then on, so that none of them is moved again.
fn shared(contracts: Vec<Contract>) -> Vec<Arc<Contract>> {
    contracts.into_iter().map(Arc::new).collect()
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
