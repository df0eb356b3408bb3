//! Contracts, ledger entries and invoices as tables.

use std::io::Write;

use super::sheet::{Cell, Column, Kind, Sheet};
use super::{CHUNK, Fault, Format, Table, each};
use crate::engine::billing::Invoice;
use crate::engine::contract::Contract;
use crate::engine::ledger::{AccountKey, Book, Entry};
use crate::model::id::OrgId;
use crate::store::read::{ContractFilter, InvoiceFilter, Reader};

use Kind::{Amount, Count, Instant, Text};

/// A contract a row. `gpu_minutes` are exact; sixty are a GPU-hour.
const CONTRACTS: &[Column] = &[
    ("id", Text),
    ("order_id", Text),
    ("state", Text),
    ("customer", Text),
    ("provider", Text),
    ("pool_id", Text),
    ("sku", Text),
    ("region", Text),
    ("gpus", Count),
    ("start_at", Instant),
    ("end_at", Instant),
    ("ended_at", Instant),
    ("value", Amount),
    ("provider_part", Amount),
    ("vendor_part", Amount),
    ("platform_part", Amount),
    ("accrued", Amount),
    ("accrued_to", Instant),
    ("billed_to", Instant),
    ("unbilled", Amount),
    ("delivered_gpu_minutes", Count),
    ("lost_gpu_minutes", Count),
    ("amendments", Count),
    ("created_at", Instant),
];

/// A transfer a row. `amount` is money, but in the book `cap`: there it is `gpu_minutes`.
const ENTRIES: &[Column] = &[
    ("number", Count),
    ("chain", Count),
    ("ledger", Text),
    ("kind", Text),
    ("debit", Text),
    ("credit", Text),
    ("amount", Amount),
    ("gpu_minutes", Count),
    ("contract_id", Text),
    ("recorded_at", Instant),
    ("effective_at", Instant),
];

const INVOICES: &[Column] = &[
    ("id", Text),
    ("customer", Text),
    ("credit_line_id", Text),
    ("month", Text),
    ("state", Text),
    ("total", Amount),
    ("paid", Amount),
    ("credited", Amount),
    ("claimed", Amount),
    ("recovered", Amount),
    ("written_off", Amount),
    ("outstanding", Amount),
    ("drafted_at", Instant),
    ("opened_at", Instant),
    ("due_at", Instant),
];

/// Writes a table.
///
/// # Errors
/// When the database cannot be read or the file not be written.
pub(super) fn write(
    (what, format, party): (Table, Format, Option<OrgId>),
    reader: &Reader,
    out: impl Write + Send,
    done: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    let columns = match what {
        Table::Contracts => CONTRACTS,
        Table::Entries => ENTRIES,
        Table::Invoices => INVOICES,
    };
    let mut sheet = Sheet::new(format, columns, out)?;
    let mut written = 0;
    let mut add = |row: Vec<Cell>| {
        sheet.row(row)?;
        written += 1;
        if written % u64::from(CHUNK) == 0 {
            done(written);
        }
        Ok(())
    };
    match what {
        Table::Contracts => {
            let filter = ContractFilter { party, ..ContractFilter::default() };
            each(|page| reader.contracts(&filter, page), |it| it.id, |it| add(contract(&it)))?;
        }
        Table::Invoices => {
            let filter = InvoiceFilter { org: party, ..InvoiceFilter::default() };
            each(|page| reader.invoices(&filter, page), |it| it.id, |it| add(invoice(&it)))?;
        }
        Table::Entries => {
            let mut after = 0;
            loop {
                let entries = reader.entries_after(after, CHUNK)?;
                let Some(last) = entries.last() else { break };
                after = last.no;
                entries.iter().try_for_each(|it| add(entry(it)))?;
            }
        }
    }
    sheet.finish()?;
    done(written);
    Ok(())
}

fn text(what: &impl ToString) -> Cell {
    Cell::Text(what.to_string())
}

fn count(number: u64) -> Cell {
    Cell::Count(i64::try_from(number).expect("numbers of a market are far below 2^63"))
}

fn contract(it: &Contract) -> Vec<Cell> {
    let (_, parts) = it.charge(it.window.end());
    vec![
        text(&it.id),
        text(&it.order),
        text(&it.state),
        text(&it.customer),
        text(&it.provider),
        text(&it.pool),
        text(&it.sku),
        text(&it.region),
        count(u64::from(it.gpus)),
        Cell::Instant(it.window.start().micros()),
        Cell::Instant(it.window.end().micros()),
        it.ended_at.map_or(Cell::Empty, |at| Cell::Instant(at.micros())),
        Cell::Amount(it.value),
        Cell::Amount(parts.provider),
        Cell::Amount(parts.vendor),
        Cell::Amount(parts.platform),
        Cell::Amount(it.accrued),
        Cell::Instant(it.accrued_to.micros()),
        Cell::Instant(it.billed_to.micros()),
        Cell::Amount(it.unbilled.amount()),
        Cell::Count(it.delivered),
        Cell::Count(it.lost),
        count(u64::from(it.amendments)),
        Cell::Instant(it.created_at),
    ]
}

fn entry(it: &Entry) -> Vec<Cell> {
    let Entry { no, chain, debit, credit, amount, kind, contract, recorded_at, effective_at } = it;
    let book = debit.account.book();
    let account = |key: &AccountKey| text(key);
    let (money, minutes) = match book {
        Book::Cap => (Cell::Empty, Cell::Count(*amount)),
        Book::Gl | Book::Exp | Book::Gua => {
            (Cell::Amount(crate::model::Money::from_micros(*amount)), Cell::Empty)
        }
    };
    vec![
        count(*no),
        count(*chain),
        text(&book),
        text(kind),
        account(debit),
        account(credit),
        money,
        minutes,
        contract.map_or(Cell::Empty, |id| text(&id)),
        Cell::Instant(*recorded_at),
        Cell::Instant(effective_at.micros()),
    ]
}

fn invoice(it: &Invoice) -> Vec<Cell> {
    vec![
        text(&it.id),
        text(&it.org),
        text(&it.line),
        text(&it.month),
        text(&it.state),
        Cell::Amount(it.total),
        Cell::Amount(it.paid),
        Cell::Amount(it.credited),
        Cell::Amount(it.claimed),
        Cell::Amount(it.recovered),
        Cell::Amount(it.written_off),
        Cell::Amount(it.outstanding()),
        Cell::Instant(it.drafted_at),
        it.opened_at.map_or(Cell::Empty, Cell::Instant),
        it.due_at.map_or(Cell::Empty, |at| Cell::Instant(at.micros())),
    ]
}
