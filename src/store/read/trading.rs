//! Quotes, orders, contracts and trades, by id and as lists.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::capacity::versions;
use super::{ContractFilter, OrderFilter, Page, Reader, Slice, Trade, one_more, page, slice};
use crate::engine::contract::{Contract, ContractState};
use crate::engine::order::{Order, OrderState};
use crate::engine::quote::Quote;
use crate::model::id::{ContractId, OrderId, OrgId, ProgramId, QuoteId};
use crate::model::{Micros, Money, RegionCode, SkuCode};
use crate::store::Fault;
use crate::store::link::{Db, on};
use crate::store::rows::contract::{AllocationRow, ContractRow, allocations, contracts, join};
use crate::store::rows::trading::{OrderRow, QuoteRow, orders, quotes};
use crate::store::rows::{code, count, entities, maybe, parse, price, uid, window};
use crate::store::schema::Uid;

/// What vendors buy under their backstops is no trade: its price was agreed long before.
const ON_OWN_LINES: &str =
    "contracts.line NOT IN (SELECT id FROM credit_lines WHERE program IS NOT NULL)";

impl Reader {
    /// A firm quote.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn quote(&self, id: &QuoteId) -> Result<Option<Quote>, Fault> {
        let row: Option<QuoteRow> =
            self.read(|db| Ok(on!(db, get_results, quotes::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Quote::try_from)
    }

    /// A page of them, newest first. Filter: the organization.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn quotes(&self, org: &Option<OrgId>, page: &Page<QuoteId>) -> Result<Slice<Quote>, Fault> {
        let rows: Vec<QuoteRow> = self
            .read(|db| page!(db, quotes, page, org.map(|org| quotes::org.eq(uid(org.uuid())))))?;
        slice(rows, page.limit, entities)
    }

    /// An order.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn order(&self, id: &OrderId) -> Result<Option<Order>, Fault> {
        let row: Option<OrderRow> =
            self.read(|db| Ok(on!(db, get_results, orders::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Order::try_from)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn orders(
        &self,
        filter: &OrderFilter,
        page: &Page<OrderId>,
    ) -> Result<Slice<Order>, Fault> {
        let rows = self.read(|db| match filter.org {
            None => all_orders(db, filter, page),
            // Those that are filled, by the index of their contracts, and the rest by their own.
            Some(org) => {
                let filled = filled_orders(db, org, filter, page)?;
                Ok(newest_of_both(filled, unfilled_orders(db, org, filter, page)?, |row| row.id))
            }
        })?;
        slice(rows, page.limit, entities)
    }

    /// A contract.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn contract(&self, id: &ContractId) -> Result<Option<Contract>, Fault> {
        self.read_at_once(|db| {
            let rows: Vec<ContractRow> = on!(db, load, contracts::table.find(uid(id.uuid())))?;
            Ok(whole(db, rows)?.pop())
        })
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn contracts(
        &self,
        filter: &ContractFilter,
        page: &Page<ContractId>,
    ) -> Result<Slice<Contract>, Fault> {
        self.read_at_once(|db| {
            let rows = match filter.party {
                None => {
                    let side = filter.provider.map_or(Side::Any, Side::Provider);
                    contracts_where(db, filter, page, side)?
                }
                // Each side has its index; asked at once, neither would serve.
                Some(party) => {
                    let ordered = contracts_where(db, filter, page, Side::Customer(party))?;
                    let taken = contracts_where(db, filter, page, Side::Holder(party))?;
                    let bought = newest_of_both(ordered, taken, |row| row.id);
                    let sold = contracts_where(db, filter, page, Side::Provider(party))?;
                    newest_of_both(bought, sold, |row| row.id)
                }
            };
            slice(rows, page.limit, |rows| whole(db, rows))
        })
    }

    /// Trades of a SKU and region (`None`: all), newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn trades(
        &self,
        sku: Option<&SkuCode>,
        region: Option<&RegionCode>,
        page: &Page<ContractId>,
    ) -> Result<Slice<Trade>, Fault> {
        let rows: Vec<ContractRow> = self.read(|db| {
            page!(
                db,
                contracts,
                page,
                sku.map(|sku| contracts::sku.eq(sku.as_str())),
                region.map(|region| contracts::region.eq(region.as_str())),
                Some(sql::<Bool>(ON_OWN_LINES))
            )
        })?;
        slice(rows, page.limit, |rows| rows.into_iter().map(trade).collect())
    }
}

/// Everybody's.
fn all_orders(
    db: &mut Db,
    filter: &OrderFilter,
    page: &Page<OrderId>,
) -> Result<Vec<OrderRow>, Fault> {
    let OrderFilter { org: _, state, client_order_id } = filter;
    page!(
        db,
        orders,
        page,
        state.map(|state| orders::state.eq(state.as_str())),
        client_order_id.as_ref().map(|id| orders::client_order_id.eq(id))
    )
}

/// The condition of a partial index, word for word.
const UNFILLED: &str = "state <> 'filled'";

fn unfilled_orders(
    db: &mut Db,
    org: OrgId,
    filter: &OrderFilter,
    page: &Page<OrderId>,
) -> Result<Vec<OrderRow>, Fault> {
    let OrderFilter { org: _, state, client_order_id } = filter;
    page!(
        db,
        orders,
        page,
        Some(sql::<Bool>(UNFILLED)),
        Some(orders::org.eq(uid(org.uuid()))),
        state.map(|state| orders::state.eq(state.as_str())),
        client_order_id.as_ref().map(|id| orders::client_order_id.eq(id))
    )
}

/// An order's contract wears its id, and its customer's who ordered it: whoever has it now.
fn filled_orders(
    db: &mut Db,
    org: OrgId,
    filter: &OrderFilter,
    page: &Page<OrderId>,
) -> Result<Vec<OrderRow>, Fault> {
    let OrderFilter { org: _, state, client_order_id } = filter;
    if state.is_some_and(|state| state != OrderState::Filled) {
        return Ok(Vec::new());
    }
    on!(db, load, {
        let mut query = contracts::table
            .inner_join(orders::table.on(orders::id.eq(contracts::id)))
            .filter(contracts::customer.eq(uid(org.uuid())))
            .filter(orders::state.eq(OrderState::Filled.as_str()))
            .order(contracts::id.desc())
            .limit(one_more(page.limit))
            .select(orders::all_columns)
            .into_boxed::<Backend>();
        if let Some(after) = page.after {
            query = query.filter(contracts::id.lt(uid(after.uuid())));
        }
        if let Some(id) = client_order_id {
            query = query.filter(orders::client_order_id.eq(id));
        }
        query
    })
}

/// Whose contracts.
#[derive(Clone, Copy)]
enum Side {
    Any,
    /// Who ordered it and has it.
    Customer(OrgId),
    /// To whom it went since.
    Holder(OrgId),
    Provider(OrgId),
}

fn contracts_where(
    db: &mut Db,
    filter: &ContractFilter,
    page: &Page<ContractId>,
    side: Side,
) -> Result<Vec<ContractRow>, Fault> {
    let ContractFilter { party: _, provider: _, state, pool } = filter;
    let (customer, holder, provider) = match side {
        Side::Any => (None, None, None),
        Side::Customer(org) => (Some(org), None, None),
        Side::Holder(org) => (None, Some(org), None),
        Side::Provider(org) => (None, None, Some(org)),
    };
    page!(
        db,
        contracts,
        page,
        customer.map(|org| contracts::customer.eq(uid(org.uuid()))),
        customer.map(|_| contracts::holder.is_null()),
        holder.map(|org| contracts::holder.assume_not_null().eq(uid(org.uuid()))),
        holder.map(|_| contracts::holder.is_not_null()),
        provider.map(|org| contracts::provider.eq(uid(org.uuid()))),
        state.map(|state: ContractState| contracts::state.eq(state.as_str())),
        pool.map(|pool| contracts::pool.eq(uid(pool.uuid())))
    )
}

/// Merges two lists that run newest first; a contract of one who trades with itself is in both.
fn newest_of_both<R>(one: Vec<R>, other: Vec<R>, id: impl Fn(&R) -> Uid) -> Vec<R> {
    let mut both = one;
    both.extend(other);
    both.sort_by_key(|row| std::cmp::Reverse(id(row)));
    both.dedup_by_key(|row| id(row));
    both
}

/// Contracts with their allocations and frozen programs. `rows` run by id, one way or the other.
pub(in crate::store) fn whole(db: &mut Db, rows: Vec<ContractRow>) -> Result<Vec<Contract>, Fault> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    let mut draws: Vec<AllocationRow> = on!(
        db,
        load,
        allocations::table
            .filter(allocations::contract.eq_any(&ids))
            .order((allocations::contract.desc(), allocations::place))
    )?;
    if rows.first().map(|row| row.id) < rows.last().map(|row| row.id) {
        draws.sort_by_key(|row| (row.contract, row.place));
    }
    let mut programs = Vec::new();
    for row in &rows {
        let named: Vec<(ProgramId, u32)> = parse("contracts.programs", &row.programs)?;
        programs.extend(named.into_iter().map(|(program, _)| uid(program.uuid())));
    }
    programs.sort();
    programs.dedup();
    let versions = versions(db, programs)?;
    join(rows, draws, &versions)
}

fn trade(row: ContractRow) -> Result<Trade, Fault> {
    Ok(Trade {
        contract: ContractId::new(row.id.0),
        sku: code("contracts.sku", &row.sku)?,
        region: code("contracts.region", &row.region)?,
        gpus: count("contracts.gpus", row.gpus)?,
        window: window("contracts.start_at", row.start_at, row.end_at)?,
        average: price("contracts.average", row.average)?,
        value: Money::from_micros(row.value),
        at: Micros::new(row.created_at),
    })
}
