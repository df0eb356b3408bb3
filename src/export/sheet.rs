//! A table as a file: rows of named, typed columns, as CSV or as Parquet.

use std::io::Write;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::{Fault, exact, neutral};
use crate::model::{Micros, Money};

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Parquet,
}

/// What a column holds. Every cell may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Count,
    /// An amount of money: a decimal with six places.
    Amount,
    /// An instant in UTC, to the microsecond.
    Instant,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Empty,
    Text(String),
    Count(i64),
    Amount(Money),
    Instant(Micros),
}

/// A column's name and kind.
pub type Column = (&'static str, Kind);

/// Rows of a Parquet row group: enough to be read fast, few enough to be in memory.
const GROUP: usize = 10_000;

/// See the module.
pub(super) enum Sheet<W: Write + Send> {
    Csv(csv::Writer<W>),
    Parquet { columns: &'static [Column], file: SerializedFileWriter<W>, rows: Vec<Vec<Cell>> },
}

impl<W: Write + Send> Sheet<W> {
    /// A file of these columns.
    pub(super) fn new(format: Format, columns: &'static [Column], out: W) -> Result<Self, Fault> {
        match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns.iter().map(|(name, _)| name))?;
                Ok(Self::Csv(writer))
            }
            Format::Parquet => {
                let schema = Arc::new(parse_message_type(&schema(columns))?);
                let properties = Arc::new(WriterProperties::builder().build());
                let file = SerializedFileWriter::new(out, schema, properties)?;
                Ok(Self::Parquet { columns, file, rows: Vec::new() })
            }
        }
    }

    /// Adds a row: a cell for each column, of its kind or empty.
    pub(super) fn row(&mut self, cells: Vec<Cell>) -> Result<(), Fault> {
        match self {
            Self::Csv(writer) => Ok(writer.write_record(cells.iter().map(Cell::text))?),
            Self::Parquet { columns, file, rows } => {
                assert_eq!(cells.len(), columns.len(), "a row has a cell for each column");
                rows.push(cells);
                if rows.len() == GROUP { group(columns, file, rows) } else { Ok(()) }
            }
        }
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self {
            Self::Csv(mut writer) => Ok(writer.flush()?),
            Self::Parquet { columns, mut file, mut rows } => {
                group(columns, &mut file, &mut rows)?;
                file.close()?;
                Ok(())
            }
        }
    }
}

impl Cell {
    /// As it stands in a CSV file; nothing when empty.
    fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => neutral(text).into_owned(),
            Self::Count(count) => count.to_string(),
            Self::Amount(amount) => exact(*amount),
            Self::Instant(instant) => instant.to_string(),
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Empty | Self::Text(_) => None,
            Self::Count(count) => Some(*count),
            Self::Amount(amount) => Some(amount.micros()),
            Self::Instant(instant) => Some(instant.count()),
        }
    }

    fn bytes(&self) -> Option<ByteArray> {
        match self {
            Self::Text(text) => Some(ByteArray::from(text.as_str())),
            Self::Empty | Self::Count(_) | Self::Amount(_) | Self::Instant(_) => None,
        }
    }
}

/// The columns as Parquet's own description.
fn schema(columns: &[Column]) -> String {
    let column = |(name, kind): &Column| {
        let what = match kind {
            Kind::Text => ("BYTE_ARRAY", " (UTF8)"),
            Kind::Count => ("INT64", ""),
            Kind::Amount => ("INT64", " (DECIMAL(18,6))"),
            Kind::Instant => ("INT64", " (TIMESTAMP(MICROS,true))"),
        };
        format!("OPTIONAL {} {name}{};", what.0, what.1)
    };
    format!("message headroom {{ {} }}", columns.iter().map(column).collect::<String>())
}

/// Writes the gathered rows, column by column.
fn group<W: Write + Send>(
    columns: &[Column],
    file: &mut SerializedFileWriter<W>,
    rows: &mut Vec<Vec<Cell>>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut group = file.next_row_group()?;
    for (place, (_, kind)) in columns.iter().enumerate() {
        let cells = || rows.iter().map(|row| &row[place]);
        let there: Vec<i16> = cells().map(|cell| i16::from(*cell != Cell::Empty)).collect();
        let mut column = group.next_column()?.expect("as many as were declared");
        match kind {
            Kind::Text => {
                let values: Vec<ByteArray> = cells().filter_map(Cell::bytes).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
            }
            Kind::Count | Kind::Amount | Kind::Instant => {
                let values: Vec<i64> = cells().filter_map(Cell::number).collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    rows.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_harmless_and_numbers_are_left_alone() {
        const COLUMNS: &[Column] = &[("name", Kind::Text), ("n", Kind::Count), ("m", Kind::Amount)];
        let mut out = Vec::new();
        let mut sheet = Sheet::new(Format::Csv, COLUMNS, &mut out).expect("a sheet");
        let cost = Cell::Amount(Money::from_micros(-2_500_000));
        let name = Cell::Text("=HYPERLINK(\"x\")".to_owned());
        sheet.row(vec![name, Cell::Count(-7), cost]).expect("written");
        sheet.finish().expect("written");
        let written = String::from_utf8(out).expect("text");
        assert_eq!(written, "name,n,m\n\"'=HYPERLINK(\"\"x\"\")\",-7,-2.500000\n");
    }
}
