//! The two schemas are twins: same migrations, same tables, same columns of matching kinds, same words.

use crate::{Place, twin};
use headroom::engine::ledger::{Account, Side};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Columns = BTreeMap<String, String>;

/// Table by table, the columns of all migrations in a folder with their kinds.
fn tables(folder: &str) -> BTreeMap<String, Columns> {
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for name in migrations(folder) {
        let path = format!("{}/migrations/{folder}/{name}/up.sql", env!("CARGO_MANIFEST_DIR"));
        let mut open: Option<String> = None;
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(table) = line.strip_prefix("CREATE TABLE ") {
                open = Some(table.trim_end_matches(" (").to_owned());
            } else if let Some(table) = line.strip_prefix("DROP TABLE ") {
                tables.remove(table.trim_end_matches(';'));
            } else if let Some((table, next)) = renamed(line) {
                let columns = tables.remove(table).unwrap();
                tables.insert(next.to_owned(), columns);
            } else if let Some((table, column)) = added(line) {
                let mut words = column.split_whitespace();
                let (column, kind) = (words.next().unwrap(), words.next().unwrap());
                let kind = kind.trim_end_matches([',', ';']).to_owned();
                tables.get_mut(table).unwrap().insert(column.to_owned(), kind);
            } else if line.starts_with(')') {
                open = None;
            } else if let Some(table) = &open
                && line.starts_with("    ")
                && !line.starts_with("     ")
            {
                let mut words = line.split_whitespace();
                let (column, kind) = (words.next().unwrap(), words.next().unwrap());
                if !["CHECK", "PRIMARY", "UNIQUE", "FOREIGN"].contains(&column) {
                    let kind = kind.trim_end_matches(',').to_owned();
                    tables.entry(table.clone()).or_default().insert(column.to_owned(), kind);
                }
            }
        }
    }
    tables
}

/// `ALTER TABLE one RENAME TO other;`
fn renamed(line: &str) -> Option<(&str, &str)> {
    let (table, next) = line.strip_prefix("ALTER TABLE ")?.split_once(" RENAME TO ")?;
    Some((table, next.trim_end_matches(';')))
}

/// `ALTER TABLE one ADD COLUMN column KIND ...;`
fn added(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("ALTER TABLE ")?.split_once(" ADD COLUMN ")
}

fn migrations(folder: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn both_schemas_have_the_same_tables_and_columns() {
    assert_eq!(migrations("sqlite"), migrations("postgres"));
    let (sqlite, postgres) = (tables("sqlite"), tables("postgres"));
    assert!(sqlite.len() >= 24, "the tables were read: {:?}", sqlite.keys());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (table, columns) in &sqlite {
        let twin = &postgres[table];
        assert_eq!(columns.keys().collect::<Vec<_>>(), twin.keys().collect::<Vec<_>>(), "{table}");
        for (column, kind) in columns {
            let pair = (kind.as_str(), twin[column].as_str());
            let matching = [
                ("TEXT", "TEXT"),
                ("INTEGER", "BIGINT"),
                ("INTEGER", "BOOLEAN"),
                ("BLOB", "UUID"),
                ("BLOB", "BYTEA"),
            ];
            assert!(matching.contains(&pair), "{table}.{column}: {pair:?}");
        }
    }
}

twin! {
    no_account_may_cross_zero
}

/// The CHECK on accounts knows the normal side of every account.
fn no_account_may_cross_zero(place: &Place) {
    drop(place.open());
    let id = place.id_literal(7);
    for account in Account::ALL {
        let insert = |debits: i64, credits: i64| {
            format!("INSERT INTO accounts VALUES ('{account}', {id}, {id}, {debits}, {credits})")
        };
        let (sound, crossed) = match account.normal() {
            Side::Debit => (insert(2, 1), insert(1, 2)),
            Side::Credit => (insert(1, 2), insert(2, 1)),
        };
        assert!(place.try_execute(&crossed).is_err(), "{account}");
        assert_eq!(place.try_execute(&sound), Ok(()), "{account}");
    }
}
