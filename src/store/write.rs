//! The writer: one batch of facts, one transaction. Births are plain inserts, so a duplicate key is a bug
//! found; changes must find their row. Knows which table each fact belongs to; knows no rule.
//!
//! The two databases differ here and only here. SQLite is in this process: a prepared statement for every
//! few rows. PostgreSQL is a round trip away: one prepared statement per table, rows as arrays through
//! UNNEST, all statements of a commit sent before the first answer is read, COMMIT once all are right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use diesel::connection::Connection;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};

use super::link::{Db, fault, on};
use super::rows::capacity::{FactoryRow, ListingRow, PoolRow, RegionRow, SkuRow};
use super::rows::contract::{AllocationRow, ContractRow, allocations};
use super::rows::credit::{ApplicationRow, LineRow};
use super::rows::ledger::{AccountRow, EntryRow};
use super::rows::party::{ApiKeyRow, OrganizationRow, SessionRow, UserRow};
use super::rows::program::{ProgramRow, VersionRow, program_versions};
use super::rows::record::{AuditRow, CommitRow, EventRow, HeadRow, KeptRow, kept, meta};
use super::rows::trading::{OrderRow, QuoteRow};
use super::rows::{count, number, uid};
use super::schema::{ChangeColumns, ChangeRow, InsertColumns, InsertRows, Row, Uid};
use super::{Batch, Durable, Fault, Loaded, Place, load, postgres, sqlite};
use crate::engine::contract::Contract;
use crate::engine::effect::{Effects, Facts};
use crate::model::Micros;
use crate::model::id::ProgramId;

/// Rows in one INSERT on SQLite: few enough texts to keep prepared, long enough to spread their cost.
const ROWS_PER_INSERT: usize = 16;

/// Kept answers are dropped every so many commits, at most so many of them at a time.
const FORGET_EVERY: u64 = 64;
const FORGET_MOST: i64 = 4_096;

/// The one who may write. Holds the lock as long as it lives.
pub struct Writer {
    place: Place,
    /// `None` after a fault, until it loads again.
    session: Option<Session>,
    /// The lock file of a SQLite database, kept open.
    _lock: Option<File>,
}

/// A connection that holds the writer's lock.
struct Session {
    db: Db,
    /// The versions of programs that are in the database.
    versions: BTreeSet<(ProgramId, u32)>,
}

impl Writer {
    /// Takes the writer's lock, connects and brings the schema up to date.
    pub(super) fn open(place: Place) -> Result<Self, Fault> {
        let lock = match &place {
            Place::Sqlite(path) => Some(sqlite::lock(path)?),
            Place::Postgres(_) => None,
        };
        let session = Session::open(&place, postgres::PATIENCE_AT_START)?;
        Ok(Self { place, session: Some(session), _lock: lock })
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Session {
    fn open(place: &Place, patience: Duration) -> Result<Self, Fault> {
        let mut db = match place {
            Place::Sqlite(path) => Db::Sqlite(Box::new(sqlite::open_writer(path)?)),
            Place::Postgres(address) => {
                let mut link = postgres::Link::open(address)?;
                link.become_writer(patience)?;
                postgres::migrate(address)?;
                Db::Postgres(Box::new(link))
            }
        };
        let versions =
            program_versions::table.select((program_versions::program, program_versions::version));
        let versions: Vec<(Uid, i64)> = on!(&mut db, load, versions)?;
        let versions = versions.into_iter().map(|(program, version)| {
            Ok((ProgramId::new(program.0), count("program_versions.version", version)?))
        });
        let versions = versions.collect::<Result<_, Fault>>()?;
        Ok(Self { db, versions })
    }
}

impl Durable for Writer {
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault> {
        // After a fault the connection may have lost its lock; only `load` makes a new one.
        let mut session = self.session.take().ok_or_else(unloaded)?;
        let moved = moved(&mut session.db, &batch.effects)?;
        let (steps, versions) = steps(batch, &moved, &session.versions);
        match &mut session.db {
            Db::Sqlite(link) => write_sqlite(link, steps)?,
            Db::Postgres(link) => link.wait(async |link| write_postgres(link, steps).await)?,
        }
        session.versions.extend(versions);
        self.session = Some(session);
        Ok(())
    }

    fn load(&mut self) -> Result<Loaded, Fault> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.place, postgres::PATIENCE_AFTER_FAULT)?,
        };
        let loaded = load::load(&mut session.db)?;
        self.session = Some(session);
        Ok(loaded)
    }
}

/// The log of a SQLite database is copied back, so that the file alone is whole.
impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(Session { db: Db::Sqlite(link), .. }) = &mut self.session {
            // A reader in the way or a full disk only means that the log stays; it is read at the next start.
            sqlite::checkpoint(link).ok();
        }
    }
}

/// One statement or one table's share of a commit.
trait Step: Send {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize>;
    fn on_postgres<'l>(self: Box<Self>, link: &'l AsyncPgConnection) -> Answer<'l>;
}

type Answer<'l> = Pin<Box<dyn Future<Output = QueryResult<usize>> + Send + 'l>>;

/// A step, how many rows it must touch (`None`: as many as there are), and what it means if it does not.
struct Planned {
    step: Box<dyn Step>,
    rows: Option<usize>,
    otherwise: fn() -> Fault,
}

impl Planned {
    fn judge(&self, touched: usize) -> Result<(), Fault> {
        match self.rows {
            Some(rows) if rows != touched => Err((self.otherwise)()),
            _ => Ok(()),
        }
    }
}

fn unloaded() -> Fault {
    Fault::Database("nothing may be written after a fault until all is loaded again".to_owned())
}

fn lost() -> Fault {
    Fault::Corrupt("a thing that changed is not there".to_owned())
}

struct Births<R>(Vec<R>);
struct Changes<R>(Vec<R>);
/// Any statement that diesel spells the same way for both.
struct Plain<Q>(Q);

impl<R: Row> Step for Births<R> {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize> {
        let mut touched = 0;
        let chunks = self.0.chunks_exact(ROWS_PER_INSERT);
        let rest = chunks.remainder();
        for rows in chunks.chain(rest.chunks(1)) {
            touched += link.execute_returning_count(&InsertRows(rows))?;
        }
        Ok(touched)
    }

    fn on_postgres<'l>(self: Box<Self>, mut link: &'l AsyncPgConnection) -> Answer<'l> {
        link.execute_returning_count(InsertColumns::<R>(R::columns(self.0)))
    }
}

impl<R: Row> Step for Changes<R> {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize> {
        let mut touched = 0;
        for row in &self.0 {
            touched += link.execute_returning_count(&ChangeRow(row))?;
        }
        Ok(touched)
    }

    fn on_postgres<'l>(self: Box<Self>, mut link: &'l AsyncPgConnection) -> Answer<'l> {
        link.execute_returning_count(ChangeColumns::<R>(R::moves(self.0)))
    }
}

impl<Q> Step for Plain<Q>
where
    Q: QueryFragment<Sqlite> + QueryFragment<Pg> + QueryId + Send,
{
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize> {
        link.execute_returning_count(&self.0)
    }

    fn on_postgres<'l>(self: Box<Self>, mut link: &'l AsyncPgConnection) -> Answer<'l> {
        link.execute_returning_count(self.0)
    }
}

/// The steps of a commit in the order in which they are written: what is referred to comes first.
#[derive(Default)]
struct Plan(Vec<Planned>);

impl Plan {
    fn births<R: Row>(&mut self, rows: Vec<R>) {
        self.add(rows.len(), Births(rows));
    }

    fn changes<R: Row>(&mut self, rows: Vec<R>) {
        self.add(rows.len(), Changes(rows));
    }

    fn facts<'f, K, T, R>(&mut self, facts: &'f Facts<K, T>)
    where
        K: Ord,
        R: Row + From<&'f T>,
    {
        self.births(facts.births().map(R::from).collect());
        self.changes(facts.changes().map(R::from).collect());
    }

    fn keyed<K: Ord, T, R: Row>(&mut self, facts: &Facts<K, T>, row: impl Fn(&K, &T) -> R) {
        let (mut births, mut changes) = (Vec::new(), Vec::new());
        for (key, fact) in facts.iter() {
            let rows = if fact.born { &mut births } else { &mut changes };
            rows.push(row(key, &fact.thing));
        }
        self.births(births);
        self.changes(changes);
    }

    fn add(&mut self, rows: usize, step: impl Step + 'static) {
        if rows > 0 {
            self.0.push(Planned { step: Box::new(step), rows: Some(rows), otherwise: lost });
        }
    }

    /// A statement that may touch any number of rows.
    fn also(&mut self, step: impl Step + 'static) {
        self.0.push(Planned { step: Box::new(step), rows: None, otherwise: lost });
    }
}

/// The whole commit, and the versions of programs that it adds.
fn steps(
    batch: &Batch,
    moved: &[&Contract],
    known: &BTreeSet<(ProgramId, u32)>,
) -> (Vec<Planned>, Vec<(ProgramId, u32)>) {
    let Effects {
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
        accounts,
        event_heads,
        entries,
        events,
        kept: names,
        // In the audit records already.
        changes: _,
        // For the published picture.
        shelves: _,
        now: _,
    } = &batch.effects;
    assert_eq!(names.len(), batch.answers.len(), "every key is kept with its answer");

    let mut plan = Plan::default();
    plan.0.push(Planned {
        step: Box::new(move_on(batch)),
        rows: Some(1),
        otherwise: || Fault::Deposed,
    });
    plan.births(vec![CommitRow::of(batch)]);
    plan.births(batch.audit.iter().map(|record| AuditRow::of(batch.number, record)).collect());
    plan.facts::<_, _, OrganizationRow>(organizations);
    plan.facts::<_, _, UserRow>(users);
    plan.facts::<_, _, SessionRow>(sessions);
    plan.facts::<_, _, ApiKeyRow>(keys);
    plan.facts::<_, _, SkuRow>(skus);
    plan.facts::<_, _, RegionRow>(regions);
    plan.facts::<_, _, FactoryRow>(factories);
    plan.facts::<_, _, PoolRow>(pools);
    plan.facts::<_, _, ProgramRow>(programs);
    let versions = new_versions(&batch.effects, known);
    let names_of_versions = versions.keys().copied().collect();
    plan.births(versions.into_values().collect());
    plan.facts::<_, _, ListingRow>(listings);
    plan.facts::<_, _, ApplicationRow>(applications);
    plan.facts::<_, _, LineRow>(lines);
    plan.facts::<_, _, QuoteRow>(quotes);
    plan.facts::<_, _, OrderRow>(orders);
    plan.facts::<_, _, ContractRow>(contracts);
    if !moved.is_empty() {
        let ids: Vec<Uid> = moved.iter().map(|contract| uid(contract.id.uuid())).collect();
        plan.also(Plain(diesel::delete(
            allocations::table.filter(allocations::contract.eq_any(ids)),
        )));
    }
    let placed = contracts.births().chain(moved.iter().copied());
    plan.births(placed.flat_map(AllocationRow::of).collect());
    plan.keyed(accounts, AccountRow::of);
    plan.births(entries.iter().map(EntryRow::from).collect());
    plan.keyed(event_heads, |org, last| HeadRow::of(*org, *last));
    plan.births(events.iter().map(EventRow::from).collect());
    plan.births(names.iter().zip(&batch.answers).map(|(k, a)| KeptRow::of(k, a)).collect());
    if batch.number.is_multiple_of(FORGET_EVERY) {
        plan.also(forget(batch.effects.now));
    }
    (plan.0, names_of_versions)
}

/// Moves `meta` on by one commit. Touches no row when somebody else has moved it.
fn move_on(batch: &Batch) -> impl Step + 'static {
    #[derive(AsChangeset)]
    #[diesel(table_name = meta)]
    struct Next {
        commit_no: i64,
        seq: i64,
        hash: Vec<u8>,
        /// `None` where the batch says nothing of it: it stays as it was.
        now_at: Option<i64>,
        last_entry: Option<i64>,
    }
    let now = batch.effects.now;
    let next = Next {
        commit_no: number(batch.number),
        seq: number(batch.seq),
        hash: batch.hash.to_vec(),
        now_at: (now != Micros::default()).then(|| now.count()),
        last_entry: batch.effects.entries.last().map(|entry| number(entry.no)),
    };
    let before = number(batch.number) - 1;
    Plain(diesel::update(meta::table.filter(meta::commit_no.eq(before))).set(next))
}

/// Drops kept answers whose time is over. They expire in the order of their numbers, so it looks at the
/// oldest only.
fn forget(now: Micros) -> impl Step + 'static {
    let oldest = diesel::alias!(kept as oldest);
    let first =
        oldest.select(oldest.field(kept::seq)).order(oldest.field(kept::seq)).limit(FORGET_MOST);
    let over = kept::seq.eq_any(first).and(kept::expires_at.le(now.count()));
    Plain(diesel::delete(kept::table.filter(over)))
}

/// The versions of programs that this batch is the first to name: those of programs that were made or
/// amended, and those that its contracts froze (a version may have come and gone within the batch).
fn new_versions(
    effects: &Effects,
    known: &BTreeSet<(ProgramId, u32)>,
) -> BTreeMap<(ProgramId, u32), VersionRow> {
    let current = effects.programs.values().map(|fact| {
        let program = &fact.thing;
        (program.id, program.version, program.vendor, &program.terms)
    });
    let frozen = effects.contracts.births().flat_map(|contract| {
        let programs = contract.terms.programs.iter();
        programs.map(|frozen| (frozen.program, frozen.version, frozen.vendor, &frozen.terms))
    });
    let mut versions = BTreeMap::new();
    for (program, version, vendor, terms) in current.chain(frozen) {
        if !known.contains(&(program, version)) {
            versions
                .entry((program, version))
                .or_insert_with(|| VersionRow::of(program, version, vendor, terms));
        }
    }
    versions
}

/// The contracts that changed and whose allocations did too. They rarely do, so what is there is looked
/// at first: reading a row is far cheaper than writing it again.
fn moved<'e>(db: &mut Db, effects: &'e Effects) -> Result<Vec<&'e Contract>, Fault> {
    let changed: Vec<&Contract> = effects.contracts.changes().collect();
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uid> = changed.iter().map(|contract| uid(contract.id.uuid())).collect();
    let there: Vec<AllocationRow> = on!(
        db,
        load,
        allocations::table
            .filter(allocations::contract.eq_any(&ids))
            .order((allocations::contract, allocations::place))
    )?;
    let mut by_contract: BTreeMap<Uid, Vec<AllocationRow>> = BTreeMap::new();
    for row in there {
        by_contract.entry(row.contract).or_default().push(row);
    }
    let is_moved = |contract: &&Contract| {
        let before = by_contract.get(&uid(contract.id.uuid())).map_or(&[][..], Vec::as_slice);
        !AllocationRow::of(contract).eq(before.iter().cloned())
    };
    Ok(changed.into_iter().filter(is_moved).collect())
}

fn write_sqlite(link: &mut SqliteConnection, steps: Vec<Planned>) -> Result<(), Fault> {
    // Immediate: a transaction that may write from its start never fails half-way for want of the lock.
    let outcome = link.immediate_transaction(|link| {
        for planned in &steps {
            let touched = planned.step.on_sqlite(link).map_err(Undone::Refused)?;
            planned.judge(touched).map_err(Undone::Judged)?;
        }
        Ok(())
    });
    outcome.map_err(|undone| match undone {
        Undone::Refused(error) => fault(error),
        Undone::Judged(fault) => fault,
    })
}

/// Why a transaction was rolled back.
enum Undone {
    Refused(diesel::result::Error),
    Judged(Fault),
}

impl From<diesel::result::Error> for Undone {
    fn from(error: diesel::result::Error) -> Self {
        Undone::Refused(error)
    }
}

/// Sends BEGIN and every step without waiting, reads all answers, judges them, then commits. After a
/// fault the caller drops the connection, and the server rolls back.
async fn write_postgres(link: &mut AsyncPgConnection, steps: Vec<Planned>) -> Result<(), Fault> {
    let shared: &AsyncPgConnection = link;
    let mut answers: Vec<Answer<'_>> = Vec::with_capacity(steps.len() + 1);
    let mut begin = shared;
    answers.push(Box::pin(async move { begin.batch_execute("BEGIN").await.map(|()| 0) }));
    let mut expected = vec![None];
    for Planned { step, rows, otherwise } in steps {
        answers.push(step.on_postgres(shared));
        expected.push(rows.map(|rows| (rows, otherwise)));
    }
    for (answer, expected) in in_order(answers).await.into_iter().zip(expected) {
        let touched = answer.map_err(fault)?;
        if let Some((rows, otherwise)) = expected
            && rows != touched
        {
            return Err(otherwise());
        }
    }
    link.batch_execute("COMMIT").await.map_err(fault)
}

/// Drives all at once, asking each in the order of the list whenever anything moves, so that they are
/// sent in that order: a statement sends when it is first asked or, while one before it is being
/// prepared, when it gets its turn at the queue for that, which is fair.
async fn in_order(mut answers: Vec<Answer<'_>>) -> Vec<QueryResult<usize>> {
    let mut done: Vec<Option<QueryResult<usize>>> = answers.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (answer, done) in answers.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(outcome) = answer.as_mut().poll(context)
            {
                *done = Some(outcome);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
