//! Pages for GET: every kind by id and as a list, newest first. Reads never wait for the writer.
//!
//! Lists go by the identifiers, which grow with time: a page is a range of the primary key or of
//! the one index a list has, whatever was inserted meanwhile. Knows what is asked for; decides
//! nothing.

mod billing;
mod capacity;
mod credit;
mod incident;
mod ledger;
mod party;
mod record;
mod trading;

pub(super) use billing::lines_of;
pub use billing::{InvoiceFilter, PaymentFilter, PayoutFilter, StatementLine};
pub use incident::IncidentFilter;
pub(super) use trading::whole;

use std::sync::Arc;
use std::time::Duration;

use super::flush::Progress;
use super::link::{Db, on};
use super::rows::record::{MetaRow, meta};
use super::{Fault, Loaded, Place, load, postgres, sqlite};
use crate::engine::ledger::{AccountKey, Balance};
use crate::model::id::{ContractId, OrgId, PoolId};
use crate::model::{RegionCode, SkuCode};

/// Which page of a list. Lists run from the newest to the oldest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<Id> {
    /// Things older than this one only.
    pub after: Option<Id>,
    /// At most so many, at least 1.
    pub limit: u32,
}

/// One page, and whether there is another.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice<T> {
    pub data: Vec<T>,
    pub has_more: bool,
}

/// What orders a caller wants to see. `None` anywhere means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    pub org: Option<OrgId>,
    pub state: Option<crate::engine::order::OrderState>,
    pub client_order_id: Option<String>,
}

/// What contracts a caller wants to see; `party` is the customer or the provider, `provider` the
/// provider alone: where both are given, `party` counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContractFilter {
    pub party: Option<OrgId>,
    pub provider: Option<OrgId>,
    pub state: Option<crate::engine::contract::ContractState>,
    pub pool: Option<PoolId>,
}

/// What listings a caller wants to see. `owner_or_public` sees that provider's all and everyone's
/// public ones, which are those live and sold out; [`ListingFilter::NOBODY`] sees the public ones
/// only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingFilter {
    pub provider: Option<OrgId>,
    pub pool: Option<PoolId>,
    pub sku: Option<SkuCode>,
    pub region: Option<RegionCode>,
    pub state: Option<crate::engine::listing::ListingState>,
    pub owner_or_public: Option<OrgId>,
}

impl ListingFilter {
    /// For `owner_or_public`: no organization's id, so nothing but what is public.
    pub const NOBODY: OrgId = OrgId::new(uuid::Uuid::nil());
}

/// One price at which capacity changed hands, for the public price history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    pub contract: ContractId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: crate::model::Gpus,
    pub window: crate::model::Window,
    pub average: crate::model::Price,
    pub value: crate::model::Money,
    pub at: crate::model::Micros,
}

/// One account with its balance.
pub type AccountBalance = (AccountKey, Balance);

/// An audit record as read back.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    pub seq: u64,
    pub commit: u64,
    pub at: crate::model::Micros,
    pub actor: crate::engine::Actor,
    pub request: uuid::Uuid,
    pub verb: String,
    pub what: String,
    pub changes: Option<String>,
}

/// Read connections kept open. More readers wait for one to be free: the disk has no more to give.
const CONNECTIONS: u32 = 8;

/// How long a reader waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool of read connections. Cheap to clone; blocking: call it from a blocking thread.
#[derive(Clone)]
pub struct Reader {
    pool: r2d2::Pool<Opener>,
    /// What of the commits is on disk, by the writer beside it.
    progress: Arc<Progress>,
}

/// Makes read connections for the pool.
#[derive(Debug)]
struct Opener {
    place: Place,
}

impl r2d2::ManageConnection for Opener {
    type Connection = Db;
    type Error = Fault;

    fn connect(&self) -> Result<Db, Fault> {
        match &self.place {
            Place::Sqlite(path) => Ok(Db::Sqlite(Box::new(sqlite::open_reader(path)?))),
            Place::Postgres(address) => {
                let mut db = Db::Postgres(Box::new(postgres::Link::open(address)?));
                db.run("SET default_transaction_read_only = on")?;
                Ok(db)
            }
        }
    }

    fn is_valid(&self, db: &mut Db) -> Result<(), Fault> {
        db.run("SELECT 1")
    }

    /// Asked when it is given back; `is_valid` is asked before it is lent again, which is when it
    /// counts.
    fn has_broken(&self, _db: &mut Db) -> bool {
        false
    }
}

/// The pool says only that it waited in vain; the first connection, made without it, says why.
impl Reader {
    pub(super) fn of(place: Place, progress: Arc<Progress>) -> Self {
        let pool = r2d2::Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(Some(0))
            .connection_timeout(PATIENCE)
            .test_on_check_out(true)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(Opener { place });
        Self { pool, progress }
    }

    /// Whether there is anything to read, and if not, why.
    pub(super) fn test(&self) -> Result<(), Fault> {
        self.read(|db| {
            let _last: MetaRow = on!(db, first, meta::table)?;
            Ok(())
        })
    }

    /// Everything that can still change, as [`super::Durable::load`], beside whoever writes.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn load(&self) -> Result<Loaded, Fault> {
        self.read(load::load)
    }

    /// Lends a connection. What was read is given once it is on disk.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&mut Db) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut db = self
            .pool
            .get()
            .map_err(|error| Fault::Database(format!("no connection to read from: {error}")))?;
        let outcome = work(&mut db)?;
        drop(db);
        self.progress.wait()?;
        Ok(outcome)
    }

    /// As `read`, of one moment: what takes more than one statement does not see half of a commit.
    pub(super) fn read_at_once<T>(
        &self,
        work: impl FnOnce(&mut Db) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.read(|db| load::at_once(db, work))
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader").field("pool", &self.pool.state()).finish_non_exhaustive()
    }
}

/// One page of rows: asks for one more than the page has, to know whether there is another.
fn slice<R, T>(
    mut rows: Vec<R>,
    limit: u32,
    read: impl FnOnce(Vec<R>) -> Result<Vec<T>, Fault>,
) -> Result<Slice<T>, Fault> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Slice { data: read(rows)?, has_more })
}

/// The LIMIT that [`slice`] wants.
fn one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// A page of a table by its identifier, newest first: `page!(db, table, id, page, filters...)`.
/// Each filter is an `Option` of a condition; `None` means all.
macro_rules! page {
    ($db:expr, $table:ident, $page:expr $(, $filter:expr)*) => {
        $crate::store::link::on!($db, load, {
            let mut query = $table::table
                .order($table::id.desc())
                .limit($crate::store::read::one_more($page.limit))
                .into_boxed::<Backend>();
            if let Some(after) = &$page.after {
                query = query.filter($table::id.lt($crate::store::rows::uid(after.uuid())));
            }
            $(if let Some(condition) = $filter {
                query = query.filter(condition);
            })*
            query
        })
    };
}
use page;
