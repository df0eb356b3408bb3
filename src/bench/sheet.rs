//! The result of one benchmark: a table for people, the same as JSON for machines, and what it was
//! measured against. Knows how to lay figures out; knows nothing of where they come from.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::machine::Machine;

/// One benchmark's result.
#[derive(Debug)]
pub struct Sheet {
    /// The name of its file.
    pub name: &'static str,
    pub title: &'static str,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
    pub targets: Vec<Target>,
    /// What a reader must know to read it right.
    pub notes: Vec<String>,
}

/// One figure, as it is shown and as it is kept.
#[derive(Debug, Clone)]
pub struct Cell {
    shown: String,
    kept: Value,
    is_number: bool,
}

/// What was promised, and what came of it.
#[derive(Debug)]
pub struct Target {
    pub what: String,
    pub wanted: String,
    pub measured: String,
    /// `None` when nothing was promised and the figure is only shown.
    pub met: Option<bool>,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kept: json!(text), shown: text, is_number: false }
    }

    pub fn count(count: u64) -> Self {
        Self { shown: grouped(count), kept: json!(count), is_number: true }
    }

    /// So many in a second.
    pub fn rate(rate: f64) -> Self {
        Self { shown: whole(rate), kept: json!(rate.round()), is_number: true }
    }

    /// A time given in nanoseconds, shown in microseconds.
    pub fn micros(nanos: u64) -> Self {
        let micros = super::watch::float(nanos) / 1_000.0;
        let shown = if micros < 100.0 { format!("{micros:.2}") } else { whole(micros) };
        Self { shown, kept: json!(micros), is_number: true }
    }

    pub fn seconds(seconds: f64) -> Self {
        Self { shown: format!("{seconds:.3}"), kept: json!(seconds), is_number: true }
    }

    /// One figure as a multiple of another.
    pub fn ratio(ratio: f64) -> Self {
        Self { shown: format!("{ratio:.2}"), kept: json!(ratio), is_number: true }
    }
}

impl Target {
    /// At least `wanted`.
    pub fn at_least(what: impl Into<String>, wanted: f64, measured: f64) -> Self {
        let met = Some(measured >= wanted);
        Self {
            what: what.into(),
            wanted: format!(">= {}", short(wanted)),
            met,
            measured: short(measured),
        }
    }

    /// At most `wanted`.
    pub fn at_most(what: impl Into<String>, wanted: f64, measured: f64) -> Self {
        let met = Some(measured <= wanted);
        Self {
            what: what.into(),
            wanted: format!("<= {}", short(wanted)),
            met,
            measured: short(measured),
        }
    }
}

impl Target {
    /// Nothing was promised; the figure is worth showing.
    pub fn shown(what: impl Into<String>, measured: f64) -> Self {
        let (what, wanted) = (what.into(), "-".to_owned());
        Self { what, wanted, measured: short(measured), met: None }
    }
}

impl Sheet {
    /// For people.
    pub fn print(&self, machine: &Machine) -> String {
        let mut rows = Table::new();
        rows.load_style(presets::ASCII_MARKDOWN).set_header(self.columns.clone());
        for row in &self.rows {
            rows.add_row(row.iter().map(|cell| cell.shown.clone()));
        }
        for (place, cell) in self.rows.first().into_iter().flatten().enumerate() {
            if cell.is_number
                && let Some(column) = rows.column_mut(place)
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = format!("\n{}\n{}\n\n{rows}\n", self.title, machine.line());
        if !self.targets.is_empty() {
            let mut targets = Table::new();
            let header = ["target", "wanted", "measured", "met"];
            targets.load_style(presets::ASCII_MARKDOWN).set_header(header);
            for Target { what, wanted, measured, met } in &self.targets {
                let met = met.map_or("-", |met| if met { "yes" } else { "NO" });
                targets.add_row([what.as_str(), wanted, measured, met]);
            }
            text.push_str(&format!("\n{targets}\n"));
        }
        for note in &self.notes {
            text.push_str(&format!("\n- {note}"));
        }
        text.push('\n');
        text
    }

    /// For machines.
    pub fn json(&self, machine: &Machine) -> String {
        let row = |row: &Vec<Cell>| {
            let pairs = self.columns.iter().zip(row);
            Value::Object(
                pairs.map(|(name, cell)| ((*name).to_owned(), cell.kept.clone())).collect(),
            )
        };
        let target = |target: &Target| {
            let Target { what, wanted, measured, met } = target;
            json!({ "target": what, "wanted": wanted, "measured": measured, "met": met })
        };
        let whole = json!({
            "benchmark": self.name,
            "title": self.title,
            "machine": machine.json(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "targets": self.targets.iter().map(target).collect::<Vec<_>>(),
            "notes": self.notes,
        });
        serde_json::to_string_pretty(&whole).expect("plain data is JSON")
    }
}

/// A number with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Rounded, with its thousands apart.
fn whole(number: f64) -> String {
    format!("{number:.0}").parse().map_or_else(|_| format!("{number:.0}"), grouped)
}

fn short(number: f64) -> String {
    if number.abs() >= 100.0 { whole(number) } else { format!("{number:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_laid_out_for_reading() {
        for (cell, shown) in [
            (Cell::count(1_234_567), "1,234,567"),
            (Cell::count(12), "12"),
            (Cell::rate(999.6), "1,000"),
            (Cell::micros(1_234), "1.23"),
            (Cell::micros(1_234_567), "1,235"),
            (Cell::ratio(0.714), "0.71"),
        ] {
            assert_eq!(cell.shown, shown);
        }
    }

    #[test]
    fn a_target_is_met_at_its_figure() {
        assert!(Target::at_least("speed", 2.0, 2.0).met == Some(true));
        assert!(Target::at_least("speed", 2.0, 1.9).met == Some(false));
        assert!(Target::at_most("growth", 2.0, 2.0).met == Some(true));
        assert!(Target::at_most("growth", 2.0, 2.1).met == Some(false));
        assert!(Target::shown("ratio", 2.1).met.is_none());
    }
}
