//! What leaves the house as files in formats that others have defined: the journal for accounting
//! tools, FOCUS for cost tools, tables for everything else.
//!
//! Reads pages from the store and writes rows as they come: no table is ever in memory whole.
//! Knows no rule of the market, and nothing of who may have which file.

pub mod focus;
pub mod journal;
pub mod sheet;
pub mod tables;

use std::borrow::Cow;
use std::io::Write;

use crate::model::id::OrgId;
use crate::model::{Money, Month};
use crate::store;
use crate::store::read::{Page, Reader, Slice};

pub use journal::Syntax;
pub use sheet::Format;

/// Things read at a time.
const CHUNK: u32 = 1_000;

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// The operator's books as a double-entry journal.
    Journal(Syntax),
    /// What is invoiced, in the columns of FOCUS: of one customer or all, of one month or all.
    Focus { customer: Option<OrgId>, month: Option<Month> },
    /// A table.
    Table { what: Table, format: Format, party: Option<OrgId> },
}

/// The tables there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Of one party, or all.
    Contracts,
    /// All books; of nobody in particular.
    Entries,
    /// Of one customer, or all.
    Invoices,
}

/// Why a file was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Store(#[from] store::Fault),
    #[error("the file cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the file cannot be written: {0}")]
    Csv(#[from] csv::Error),
    #[error("the file cannot be written: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

/// Writes a file. `done` is told how many things are in it so far.
///
/// # Errors
/// When the database cannot be read or the file not be written.
pub fn write(
    export: Export,
    reader: &Reader,
    out: impl Write + Send,
    done: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    match export {
        Export::Journal(syntax) => journal::write(syntax, reader, out, done),
        Export::Focus { customer, month } => focus::write((customer, month), reader, out, done),
        Export::Table { what, format, party } => {
            tables::write((what, format, party), reader, out, done)
        }
    }
}

/// Gives every thing of a list to `each`, newest first.
fn each<T, Id>(
    read: impl Fn(&Page<Id>) -> Result<Slice<T>, store::Fault>,
    id: impl Fn(&T) -> Id,
    mut each: impl FnMut(T) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let Slice { data, has_more } = read(&Page { after, limit: CHUNK })?;
        after = data.last().map(&id);
        data.into_iter().try_for_each(&mut each)?;
        if !has_more {
            return Ok(());
        }
    }
}

/// A text as a cell of a CSV file: one that a spreadsheet would take for a formula begins with an
/// apostrophe, which makes a text of it. Never for numbers, which begin with a minus rightly.
fn neutral(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// An amount with all its six decimals: what every tool reads the same way.
fn exact(amount: Money) -> String {
    decimal(amount.micros(), 6)
}

/// `units` of `10^-places`, written out.
fn decimal(units: i64, places: u32) -> String {
    let whole = 10_u64.pow(places);
    let (sign, size) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    let width = usize::try_from(places).expect("a few places");
    format!("{sign}{}.{:0width$}", size / whole, size % whole)
}

/// GPU-hours of GPU-minutes, to six decimals.
fn gpu_hours(minutes: i64) -> String {
    let millionths = i128::from(minutes) * 1_000_000 / 60;
    decimal(i64::try_from(millionths).expect("a contract's time is bounded"), 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_no_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
            ("", ""),
        ] {
            assert_eq!(neutral(text), cell, "{text:?}");
        }
    }

    #[test]
    fn amounts_are_written_out() {
        for (micros, written) in [
            (0, "0.000000"),
            (1, "0.000001"),
            (-2_500_000, "-2.500000"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(exact(Money::from_micros(micros)), written);
        }
        assert_eq!(gpu_hours(100), "1.666666");
    }
}
