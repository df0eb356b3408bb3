//! Pages for GET: every kind by id and as a list, newest first. Reads never wait for the writer.

use super::Fault;
use crate::engine::Key;
use crate::engine::capacity::{Factory, Pool};
use crate::engine::catalogue::{Region, Sku};
use crate::engine::contract::Contract;
use crate::engine::credit::{Application, Balances, Line};
use crate::engine::event::Event;
use crate::engine::ledger::{AccountKey, Balance, Book, Entry};
use crate::engine::listing::Listing;
use crate::engine::order::Order;
use crate::engine::party::{ApiKey, Organization, User};
use crate::engine::program::Program;
use crate::engine::quote::Quote;
use crate::model::id::{
    ApplicationId, ContractId, FactoryId, LineId, ListingId, OrderId, OrgId, PoolId, ProgramId,
    QuoteId, UserId,
};
use crate::model::{RegionCode, SkuCode};

use super::KeptAnswer;

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

/// What contracts a caller wants to see; `party` is the customer or the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContractFilter {
    pub party: Option<OrgId>,
    pub state: Option<crate::engine::contract::ContractState>,
    pub pool: Option<PoolId>,
}

/// What listings a caller wants to see. `owner_or_public` sees that provider's all and others' live ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingFilter {
    pub provider: Option<OrgId>,
    pub pool: Option<PoolId>,
    pub sku: Option<SkuCode>,
    pub region: Option<RegionCode>,
    pub state: Option<crate::engine::listing::ListingState>,
    pub owner_or_public: Option<OrgId>,
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

/// A pool of read connections. Cheap to clone; blocking: call it from a blocking thread.
#[derive(Debug, Clone)]
pub struct Reader {}

macro_rules! by_id_and_page {
    ($($(#[$doc:meta])* $one:ident, $many:ident: $thing:ty, $id:ty, $filter:ty;)*) => {
        impl Reader {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// When the database cannot be reached or read.
            pub fn $one(&self, _id: &$id) -> Result<Option<$thing>, Fault> {
                todo!()
            }

            /// A page of them, newest first.
            ///
            /// # Errors
            /// When the database cannot be reached or read.
            pub fn $many(&self, _filter: &$filter, _page: &Page<$id>) -> Result<Slice<$thing>, Fault> {
                todo!()
            }
        )*}
    };
}

by_id_and_page! {
    /// An organization. Its filter: nothing.
    organization, organizations: Organization, OrgId, ();
    /// A person. Filter: the organization.
    user, users: User, UserId, Option<OrgId>;
    /// An API key. Filter: the organization.
    key, keys: ApiKey, crate::model::id::KeyId, Option<OrgId>;
    /// A SKU; lists in reverse order of the code.
    sku, skus: Sku, SkuCode, ();
    /// A region; lists in reverse order of the code.
    region, regions: Region, RegionCode, ();
    /// A program in its newest version.
    program, programs: Program, ProgramId, ();
    /// A factory. Filter: the provider.
    factory, factories: Factory, FactoryId, Option<OrgId>;
    /// A pool. Filter: the provider.
    pool, pools: Pool, PoolId, Option<OrgId>;
    listing, listings: Listing, ListingId, ListingFilter;
    /// A credit application. Filter: the organization, the state.
    application, applications: Application, ApplicationId, (Option<OrgId>, Option<crate::engine::credit::ApplicationState>);
    /// A credit line with its balances. Filter: the organization.
    line, lines: (Line, Balances), LineId, Option<OrgId>;
    /// A firm quote. Filter: the organization.
    quote, quotes: Quote, QuoteId, Option<OrgId>;
    order, orders: Order, OrderId, OrderFilter;
    contract, contracts: Contract, ContractId, ContractFilter;
}

impl Reader {
    /// Events of an organization after a number, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn events(&self, _org: OrgId, _after: u64, _limit: u32) -> Result<Slice<Event>, Fault> {
        todo!()
    }

    /// The first answer under a key.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn kept(&self, _key: Key) -> Result<Option<KeptAnswer>, Fault> {
        todo!()
    }

    /// Trades of a SKU and region (`None`: all), newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn trades(
        &self,
        _sku: Option<&SkuCode>,
        _region: Option<&RegionCode>,
        _page: &Page<ContractId>,
    ) -> Result<Slice<Trade>, Fault> {
        todo!()
    }

    /// All accounts of a book (`None`: all), with their balances.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn accounts(&self, _book: Option<Book>) -> Result<Vec<AccountBalance>, Fault> {
        todo!()
    }

    /// Ledger entries, newest first; the cursor is the entry's number. Filter: the contract, the line.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn entries(
        &self,
        _contract: Option<ContractId>,
        _owner: Option<uuid::Uuid>,
        _page: &Page<u64>,
    ) -> Result<Slice<Entry>, Fault> {
        todo!()
    }

    /// Audit records, newest first; the cursor is the command's number.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn audit(&self, _page: &Page<u64>) -> Result<Slice<AuditRow>, Fault> {
        todo!()
    }
}

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
