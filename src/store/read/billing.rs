//! Invoices, payments, payouts, months, statements, changes to contracts and debts in collection,
//! by id and as lists.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{Page, Reader, Slice, page, slice};
use crate::engine::amendment::Amendment;
use crate::engine::billing::{
    Invoice, InvoiceLine, InvoiceState, Payment, Payout, PayoutState, Period,
};
use crate::engine::charge::Bill;
use crate::engine::contract::Contract;
use crate::engine::credit::Collection;
use crate::engine::ledger::Entry;
use crate::model::id::{ContractId, InvoiceId, LineId, OrgId, PaymentId, PayoutId};
use crate::model::{Minute, Month, SkuCode, Window};
use crate::store::Fault;
use crate::store::link::{Db, on};
use crate::store::rows::billing::{
    InvoiceLineRow, InvoiceRow, PaymentRow, PayoutRow, PeriodRow, invoice_lines, invoices,
    payments, payouts, periods,
};
use crate::store::rows::contract::{AmendmentRow, ContractRow, amendments, contracts};
use crate::store::rows::credit::{CollectionRow, collections, credit_lines as lines};
use crate::store::rows::ledger::{EntryRow, entries};
use crate::store::rows::{entities, maybe, uid};
use crate::store::schema::Uid;

/// What invoices a caller wants to see. `None` anywhere means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    pub org: Option<OrgId>,
    pub state: Option<InvoiceState>,
    pub month: Option<Month>,
}

/// What payments a caller wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    pub org: Option<OrgId>,
}

/// What payouts a caller wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayoutFilter {
    pub org: Option<OrgId>,
    pub state: Option<PayoutState>,
}

/// What one contract was billed in a month, for those who have a part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    pub contract: ContractId,
    pub provider: OrgId,
    pub sku: SkuCode,
    pub window: Window,
    pub bill: Bill,
}

impl From<InvoiceLine> for StatementLine {
    fn from(line: InvoiceLine) -> Self {
        let InvoiceLine { contract, provider, sku, window, bill, .. } = line;
        Self { contract, provider, sku, window, bill }
    }
}

impl Reader {
    /// An invoice.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn invoice(&self, id: &InvoiceId) -> Result<Option<Invoice>, Fault> {
        let row: Option<InvoiceRow> =
            self.read(|db| Ok(on!(db, get_results, invoices::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Invoice::try_from)
    }

    /// The lines of an invoice, in their order.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn invoice_lines(&self, id: &InvoiceId) -> Result<Vec<InvoiceLine>, Fault> {
        let of_it = invoice_lines::invoice.eq(uid(id.uuid()));
        let rows: Vec<InvoiceLineRow> = self.read(|db| {
            on!(db, load, invoice_lines::table.filter(of_it).order(invoice_lines::place))
        })?;
        entities(rows)
    }

    /// What some invoices charge for one contract, in no order.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn lines_for(
        &self,
        contract: &ContractId,
        invoices: &[InvoiceId],
    ) -> Result<Vec<InvoiceLine>, Fault> {
        let ids: Vec<Uid> = invoices.iter().map(|id| uid(id.uuid())).collect();
        let of_it = invoice_lines::contract.eq(uid(contract.uuid()));
        let rows: Vec<InvoiceLineRow> = self.read(|db| {
            let those = invoice_lines::invoice.eq_any(&ids);
            on!(db, load, invoice_lines::table.filter(those).filter(of_it))
        })?;
        entities(rows)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn invoices(
        &self,
        filter: &InvoiceFilter,
        page: &Page<InvoiceId>,
    ) -> Result<Slice<Invoice>, Fault> {
        let InvoiceFilter { org, state, month } = filter;
        let rows: Vec<InvoiceRow> = self.read(|db| {
            page!(
                db,
                invoices,
                page,
                org.map(|org| invoices::org.eq(uid(org.uuid()))),
                state.map(|state| invoices::state.eq(state.as_str())),
                month.map(|month| invoices::month.eq(i64::from(month.count())))
            )
        })?;
        slice(rows, page.limit, entities)
    }

    /// A payment.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn payment(&self, id: &PaymentId) -> Result<Option<Payment>, Fault> {
        let row: Option<PaymentRow> =
            self.read(|db| Ok(on!(db, get_results, payments::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Payment::try_from)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn payments(
        &self,
        PaymentFilter { org }: &PaymentFilter,
        page: &Page<PaymentId>,
    ) -> Result<Slice<Payment>, Fault> {
        let rows: Vec<PaymentRow> = self.read(|db| {
            page!(db, payments, page, org.map(|org| payments::org.eq(uid(org.uuid()))))
        })?;
        slice(rows, page.limit, entities)
    }

    /// A payout.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn payout(&self, id: &PayoutId) -> Result<Option<Payout>, Fault> {
        let row: Option<PayoutRow> =
            self.read(|db| Ok(on!(db, get_results, payouts::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Payout::try_from)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn payouts(
        &self,
        PayoutFilter { org, state }: &PayoutFilter,
        page: &Page<PayoutId>,
    ) -> Result<Slice<Payout>, Fault> {
        let rows: Vec<PayoutRow> = self.read(|db| {
            page!(
                db,
                payouts,
                page,
                org.map(|org| payouts::org.eq(uid(org.uuid()))),
                state.map(|state| payouts::state.eq(state.as_str()))
            )
        })?;
        slice(rows, page.limit, entities)
    }

    /// Every month that was closed, the first one first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn periods(&self) -> Result<Vec<Period>, Fault> {
        let rows: Vec<PeriodRow> =
            self.read(|db| on!(db, load, periods::table.order(periods::month)))?;
        entities(rows)
    }

    /// A month, if it was closed.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn period(&self, month: Month) -> Result<Option<Period>, Fault> {
        let month = i64::from(month.count());
        let row: Option<PeriodRow> =
            self.read(|db| Ok(on!(db, get_results, periods::table.find(month))?.pop()))?;
        maybe(row, Period::try_from)
    }

    /// What was done to a contract, the first change first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn amendments(&self, contract: &ContractId) -> Result<Vec<Amendment>, Fault> {
        let contract = uid(contract.uuid());
        let rows: Vec<AmendmentRow> = self.read(|db| {
            on!(
                db,
                load,
                amendments::table.filter(amendments::contract.eq(contract)).order(amendments::no)
            )
        })?;
        entities(rows)
    }

    /// The debt of a line that defaulted.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn collection(&self, line: &LineId) -> Result<Option<Collection>, Fault> {
        let row: Option<CollectionRow> = self.read(|db| {
            Ok(on!(db, get_results, collections::table.find(uid(line.uuid())))?.pop())
        })?;
        maybe(row, Collection::try_from)
    }

    /// What was billed in a month of which an organization has a part, as provider or as vendor.
    /// What was taken back of it since is among the corrections of the month in which it was.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn statement(&self, org: OrgId, month: Month) -> Result<Vec<StatementLine>, Fault> {
        let mut rows = self.read(|db| {
            let mut rows = billed_in(db, org, month, Role::Provider)?;
            rows.extend(billed_in(db, org, month, Role::VendorOnly)?);
            Ok(rows)
        })?;
        rows.sort_by_key(|row| (row.contract, row.start_at));
        let lines: Vec<InvoiceLine> = entities(rows)?;
        // Its name was looked for in text; now it is read.
        let has_part = |line: &InvoiceLine| {
            line.provider == org || line.bill.programs.iter().any(|part| part.vendor == org)
        };
        Ok(lines.into_iter().filter(has_part).map(StatementLine::from).collect())
    }

    /// What was recorded in a month and corrects bills of it or of earlier ones, or their payment,
    /// where it is an organization's: credit notes, losses given up, recoveries. The first one
    /// first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn corrections(&self, org: OrgId, month: Month) -> Result<Vec<Entry>, Fault> {
        let (own, since) = (uid(org.uuid()), month.start().micros().count());
        let until = month.end().micros().count();
        let rows: Vec<EntryRow> = self.read(|db| {
            on!(
                db,
                load,
                entries::table
                    .filter(sql::<Bool>(CORRECTIONS))
                    .filter(entries::recorded_at.ge(since).and(entries::recorded_at.lt(until)))
                    .filter(entries::debit_owner.eq(own).or(entries::credit_owner.eq(own)))
                    .order(entries::no)
            )
        })?;
        entities(rows)
    }

    /// The contracts of a line that are not over or not invoiced to their end, in order of the id.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn unsettled_contracts(&self, line: &LineId) -> Result<Vec<Contract>, Fault> {
        self.read_at_once(|db| {
            // Contracts are found by who ordered them or has them since, who has few lines.
            let owner = lines::table.find(uid(line.uuid())).select(lines::org);
            let owners: Vec<Uid> = on!(db, load, owner)?;
            let Some(owner) = owners.first().copied() else { return Ok(Vec::new()) };
            let holds = contracts::holder.is_not_null();
            let holds = holds.and(contracts::holder.assume_not_null().eq(owner));
            let rows: Vec<ContractRow> = on!(
                db,
                load,
                contracts::table
                    .filter(contracts::customer.eq(owner).or(holds))
                    .filter(diesel::dsl::not(contracts::settled))
                    .filter(contracts::line.eq(uid(line.uuid())))
                    .order(contracts::id)
            )?;
            super::whole(db, rows)
        })
    }

    /// How many contracts wait for their invoice of a month that ends at `end`, or of one before.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn contracts_to_bill(&self, end: Minute) -> Result<usize, Fault> {
        let end = end.count();
        let live = contracts::ended_at.is_null().and(contracts::billed_to.lt(end));
        let over = contracts::ended_at.le(end);
        let count: Vec<i64> = self.read(|db| {
            on!(
                db,
                load,
                contracts::table
                    .filter(diesel::dsl::not(contracts::settled))
                    .filter(live.nullable().or(over))
                    .count()
            )
        })?;
        Ok(count.first().and_then(|count| usize::try_from(*count).ok()).unwrap_or(0))
    }

    /// How many invoices of a month, or of one before it, are not open yet.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn drafts_up_to(&self, month: Month) -> Result<usize, Fault> {
        let is_draft = invoices::state.eq(InvoiceState::Draft.as_str());
        let is_of_it = invoices::month.le(i64::from(month.count()));
        let count: Vec<i64> =
            self.read(|db| on!(db, load, invoices::table.filter(is_draft.and(is_of_it)).count()))?;
        Ok(count.first().and_then(|count| usize::try_from(*count).ok()).unwrap_or(0))
    }
}

/// What an organization's part in a line is.
#[derive(Clone, Copy)]
enum Role {
    Provider,
    /// It has a share in what another one delivered.
    VendorOnly,
}

/// What corrects a bill, spelled as the condition of its partial index, word for word.
const CORRECTIONS: &str = "kind IN ('invoice_credited', 'written_off', 'recovered')";

/// The lines of a month in which an organization has a part. A provider's are a range of an index;
/// of a vendor's all of the month's are looked at, in the database.
fn billed_in(
    db: &mut Db,
    org: OrgId,
    month: Month,
    role: Role,
) -> Result<Vec<InvoiceLineRow>, Fault> {
    on!(db, load, {
        let query = invoice_lines::table
            .filter(invoice_lines::month.eq(i64::from(month.count())))
            .into_boxed::<Backend>();
        let own = uid(org.uuid());
        match role {
            Role::Provider => query.filter(invoice_lines::provider.eq(own)),
            Role::VendorOnly => query
                .filter(invoice_lines::provider.ne(own))
                .filter(invoice_lines::programs.like(format!("%{org}%"))),
        }
    })
}

/// The lines of invoices, in the order of `rows` and of their places.
pub(in crate::store) fn lines_of(
    db: &mut Db,
    rows: &[InvoiceRow],
) -> Result<Vec<Vec<InvoiceLine>>, Fault> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    let found: Vec<InvoiceLineRow> = on!(
        db,
        load,
        invoice_lines::table
            .filter(invoice_lines::invoice.eq_any(&ids))
            .order((invoice_lines::invoice, invoice_lines::place))
    )?;
    let mut lines: BTreeMap<Uid, Vec<InvoiceLine>> = BTreeMap::new();
    for row in found {
        lines.entry(row.invoice).or_default().push(InvoiceLine::try_from(row)?);
    }
    Ok(ids.iter().map(|id| lines.remove(id).unwrap_or_default()).collect())
}
