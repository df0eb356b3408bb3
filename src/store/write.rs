//! The writer: one batch of facts, one transaction. Births are plain inserts, so a duplicate key is
//! a bug found; changes must find their row. Knows which table each fact belongs to; knows no rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;

use super::flush::{Flush, Log, Progress};
use super::lease::{Pulse, Second};
use super::link::{Db, on};
use super::rows::billing::{InvoiceLineRow, InvoiceRow, PaymentRow, PayoutRow, PeriodRow};
use super::rows::capacity::{FactoryRow, ListingRow, PoolRow, RegionRow, SkuRow};
use super::rows::contract::{AllocationRow, AmendmentRow, ContractRow, allocations};
use super::rows::credit::{ApplicationRow, CapRow, CollectionRow, LineRow};
use super::rows::incident::{IncidentCustomerRow, IncidentRow};
use super::rows::ledger::{AccountRow, EntryRow};
use super::rows::party::{ApiKeyRow, OrganizationRow, SessionRow, UserRow};
use super::rows::program::{ProgramRow, VersionRow, program_versions};
use super::rows::record::{AuditRow, CommitRow, EventRow, HeadRow, KeptRow, kept, meta};
use super::rows::trading::{OrderRow, QuoteRow};
use super::rows::{count, number, uid};
use super::schema::Uid;
use super::step::{Plan, Statement};
use super::{Batch, Durable, Fault, Loaded, Place, load, postgres, sqlite};
use crate::engine::contract::Contract;
use crate::engine::effect::{Effects, Facts};
use crate::model::Micros;
use crate::model::id::{ContractId, ProgramId};

/// Kept answers are dropped every so many commits, at most so many of them at a time.
const FORGET_EVERY: u64 = 64;
const FORGET_MOST: i64 = 4_096;

/// The one who may write. Holds the lock as long as it lives.
pub struct Writer {
    place: Place,
    /// `None` after a fault, until it loads again.
    session: Option<Session>,
    /// The lock file of a SQLite database, kept open.
    lock: Option<File>,
    /// Without a session it stands by for the one who has one.
    second: Option<Second>,
    /// What of the commits is on disk, for the readers beside it.
    progress: Arc<Progress>,
}

/// A connection that holds the writer's lock.
struct Session {
    db: Db,
    /// The versions of programs that are in the database.
    versions: BTreeSet<(ProgramId, u32)>,
    /// SQLite's, which is brought on disk after a commit; PostgreSQL does it in one.
    log: Option<Log>,
    /// Says that this process lives, where others stand by.
    _pulse: Option<Pulse>,
}

impl Writer {
    /// Takes the writer's lock, connects and brings the schema up to date.
    pub(super) fn open(place: Place, progress: Arc<Progress>) -> Result<Self, Fault> {
        let lock = match &place {
            Place::Sqlite(path) => Some(sqlite::lock(path)?),
            Place::Postgres(_) => None,
        };
        let session = Session::open(&place, &progress, postgres::PATIENCE_AT_START)?;
        Ok(Self { place, session: Some(session), lock, second: None, progress })
    }

    /// Takes nothing yet: `load` does, once nobody else writes.
    pub(super) fn stand_by(place: Place, progress: Arc<Progress>) -> Self {
        let second = Some(Second::new(place.clone()));
        Self { place, session: None, lock: None, second, progress }
    }

    /// A session that may write, as soon as there is one to be had.
    fn take_over(&mut self) -> Result<Session, Fault> {
        let Some(second) = &mut self.second else {
            let patience = postgres::PATIENCE_AFTER_FAULT;
            return Session::open(&self.place, &self.progress, patience);
        };
        match &self.place {
            Place::Sqlite(path) => {
                if self.lock.is_none() {
                    self.lock = Some(sqlite::lock(path)?);
                }
                Session::open(&self.place, &self.progress, Duration::ZERO)
            }
            Place::Postgres(address) => Session::lead(address, second.take_over(address)?),
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Session {
    fn open(place: &Place, progress: &Arc<Progress>, patience: Duration) -> Result<Self, Fault> {
        match place {
            Place::Sqlite(path) => {
                let db = Db::Sqlite(Box::new(sqlite::open_writer(path)?));
                let log = Log::open(&sqlite::log(path), Arc::clone(progress))?;
                Ok(Self { log: Some(log), ..Self::begin(db, None)? })
            }
            Place::Postgres(address) => {
                let mut link = postgres::Link::open(address)?;
                link.become_writer(patience)?;
                Self::lead(address, link)
            }
        }
    }

    /// With a connection that is the writer.
    fn lead(address: &postgres::Address, mut link: postgres::Link) -> Result<Self, Fault> {
        let pulse = Pulse::start(address, &mut link)?;
        postgres::migrate(address)?;
        Self::begin(Db::Postgres(Box::new(link)), Some(pulse))
    }

    fn begin(mut db: Db, pulse: Option<Pulse>) -> Result<Self, Fault> {
        let versions =
            program_versions::table.select((program_versions::program, program_versions::version));
        let versions: Vec<(Uid, i64)> = on!(&mut db, load, versions)?;
        let versions = versions.into_iter().map(|(program, version)| {
            Ok((ProgramId::new(program.0), count("program_versions.version", version)?))
        });
        let versions = versions.collect::<Result<_, Fault>>()?;
        Ok(Self { db, versions, log: None, _pulse: pulse })
    }
}

impl Durable for Writer {
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault> {
        self.write(batch)?.map_or(Ok(()), |flush| flush())
    }

    fn write(&mut self, batch: &Batch) -> Result<Option<Flush>, Fault> {
        // After a fault the connection may have lost its lock; only `load` makes a new one.
        let mut session = self.session.take().ok_or_else(unloaded)?;
        let moved = moved(&mut session.db, &batch.effects)?;
        let versions = new_versions(&batch.effects, &session.versions);
        let names: Vec<(ProgramId, u32)> = versions.keys().copied().collect();
        let mut plan = plan(batch, versions.into_values().collect(), &moved);
        let is_time = batch.number.is_multiple_of(FORGET_EVERY);
        if is_time && is_any_over(&mut session.db, batch.effects.now)? {
            plan.also(forget(batch.effects.now));
        }
        let (log, number) = (session.log.as_ref(), batch.number);
        let tell = |tell: fn(&Log, u64)| log.map_or((), |log| tell(log, number));
        let done = plan.carry_out(&mut session.db, || tell(Log::show));
        done.inspect_err(|_| tell(Log::hide))?;
        let flush = log.map(|log| log.flush(number));
        session.versions.extend(names);
        self.session = Some(session);
        Ok(flush)
    }

    fn load(&mut self) -> Result<Loaded, Fault> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.take_over()?,
        };
        let loaded = load::load_quickly(&mut session.db, || beside(&self.place))?;
        self.session = Some(session);
        Ok(loaded)
    }

    /// A file's lock is not lost; a session may be.
    fn holds(&mut self) -> Result<(), Fault> {
        let mut session = self.session.take().ok_or_else(unloaded)?;
        if let Db::Postgres(_) = session.db {
            session.db.run("SELECT 1")?;
        }
        self.session = Some(session);
        Ok(())
    }

    fn glimpse(&mut self, seen: Option<u64>) -> Result<Option<Loaded>, Fault> {
        self.second.as_mut().map_or(Ok(None), |second| second.glimpse(seen))
    }
}

/// A second connection, to read a large market with.
fn beside(place: &Place) -> Result<Db, Fault> {
    match place {
        Place::Sqlite(path) => Ok(Db::Sqlite(Box::new(sqlite::open_reader(path)?))),
        Place::Postgres(address) => {
            let mut db = Db::Postgres(Box::new(postgres::Link::open(address)?));
            db.run(postgres::LOADER_SETTINGS)?;
            Ok(db)
        }
    }
}

fn unloaded() -> Fault {
    Fault::Database("nothing may be written after a fault until all is loaded again".to_owned())
}

/// The log of a SQLite database is copied back, so that the file alone is whole.
impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(Session { db: Db::Sqlite(link), .. }) = &mut self.session {
            // A reader in the way or a full disk only means that the log stays; it is read at the
            // next start.
            sqlite::checkpoint(link).ok();
        }
    }
}

/// The whole commit. `moved` are the contracts whose allocations changed: looked up before, because
/// reading a row is far cheaper than writing it again.
fn plan(batch: &Batch, versions: Vec<VersionRow>, moved: &[&Contract]) -> Plan {
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
        kept: names,
        // In the audit records already.
        changes: _,
        // For the published picture.
        shelves: _,
        now: _,
    } = &batch.effects;
    assert_eq!(names.len(), batch.answers.len(), "every key is kept with its answer");

    let mut plan = Plan::default();
    plan.move_on(next_meta(batch));
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
    plan.births(versions);
    plan.facts::<_, _, ListingRow>(listings);
    plan.facts::<_, _, ApplicationRow>(applications);
    plan.facts::<_, _, LineRow>(lines);
    plan.facts::<_, _, QuoteRow>(quotes);
    plan.facts::<_, _, OrderRow>(orders);
    plan_contracts(&mut plan, contracts, moved);
    plan.births(amendments.iter().map(AmendmentRow::from).collect());
    plan.facts::<_, _, InvoiceRow>(invoices);
    plan.births(invoice_lines.iter().map(InvoiceLineRow::from).collect());
    plan.facts::<_, _, PaymentRow>(payments);
    plan.facts::<_, _, PayoutRow>(payouts);
    plan.facts::<_, _, PeriodRow>(periods);
    plan.facts::<_, _, CollectionRow>(collections);
    plan.facts::<_, _, CapRow>(caps);
    plan.facts::<_, _, IncidentRow>(incidents);
    plan.births(incidents.births().flat_map(IncidentCustomerRow::of).collect());
    plan.keyed(accounts, AccountRow::of);
    plan.births(entries.iter().map(EntryRow::from).collect());
    plan.keyed(event_heads, |org, last| HeadRow::of(*org, *last));
    plan.births(events.iter().map(EventRow::from).collect());
    plan.births(names.iter().zip(&batch.answers).map(|(k, a)| KeptRow::of(k, a)).collect());
    plan
}

/// Contracts with the allocations of those that were made and those that moved.
fn plan_contracts(
    plan: &mut Plan,
    contracts: &Facts<ContractId, Arc<Contract>>,
    moved: &[&Contract],
) {
    plan.facts::<_, _, ContractRow>(contracts);
    if !moved.is_empty() {
        let ids: Vec<Uid> = moved.iter().map(|contract| uid(contract.id.uuid())).collect();
        plan.also(diesel::delete(allocations::table.filter(allocations::contract.eq_any(ids))));
    }
    let placed = contracts.births().map(AsRef::as_ref).chain(moved.iter().copied());
    plan.births(placed.flat_map(AllocationRow::of).collect());
}

/// What a commit changes of `meta`.
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

/// Moves `meta` on by one commit. Touches no row when somebody else has moved it.
fn next_meta(batch: &Batch) -> impl Statement {
    let now = batch.effects.now;
    let next = Next {
        commit_no: number(batch.number),
        seq: number(batch.seq),
        hash: batch.hash.to_vec(),
        now_at: (now != Micros::default()).then(|| now.count()),
        last_entry: batch.effects.entries.last().map(|entry| number(entry.no)),
    };
    let before = number(batch.number) - 1;
    diesel::update(meta::table.filter(meta::commit_no.eq(before))).set(next)
}

/// Whether the oldest kept answer's time is over. Nearly always it is not, and looking at one row
/// is far cheaper than at as many as may be dropped.
fn is_any_over(db: &mut Db, now: Micros) -> Result<bool, Fault> {
    let oldest = kept::table.select(kept::expires_at).order(kept::seq).limit(1);
    let oldest: Vec<i64> = on!(db, load, oldest)?;
    Ok(oldest.iter().any(|expires_at| *expires_at <= now.count()))
}

/// Drops kept answers whose time is over. They expire in the order of their numbers, so it looks at
/// the oldest only.
fn forget(now: Micros) -> impl Statement {
    let oldest = diesel::alias!(kept as oldest);
    let first =
        oldest.select(oldest.field(kept::seq)).order(oldest.field(kept::seq)).limit(FORGET_MOST);
    let over = kept::seq.eq_any(first).and(kept::expires_at.le(now.count()));
    diesel::delete(kept::table.filter(over))
}

/// The versions of programs that this batch is the first to name: those of programs that were made
/// or amended, and those that its contracts froze (a version may have come and gone within the
/// batch).
fn new_versions(
    effects: &Effects,
    known: &BTreeSet<(ProgramId, u32)>,
) -> BTreeMap<(ProgramId, u32), VersionRow> {
    let current = effects.programs.values().map(|fact| {
        let program = &fact.thing;
        (program.id, program.version, program.vendor, &program.terms)
    });
    let frozen = effects.contracts.values().flat_map(|fact| {
        let programs = fact.thing.terms.programs.iter();
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

/// The contracts that changed and whose allocations did too: they rarely do.
fn moved<'e>(db: &mut Db, effects: &'e Effects) -> Result<Vec<&'e Contract>, Fault> {
    let changed: Vec<&Contract> = effects.contracts.changes().map(AsRef::as_ref).collect();
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
