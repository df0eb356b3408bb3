//! Whole databases, copied: into a SQLite file, which is what a backup is whichever database it is
//! of, and back from one. Each is read in one transaction, beside whoever writes.
//!
//! Rows travel as text that the other database reads as values, table by table, so that a new table
//! or column needs nothing here. Knows kinds of columns; knows nothing of what they say.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::QueryableByName;
use diesel::connection::DefaultLoadingMode;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::link::{Db, fault};
pub use super::sqlite::log as log_of;
use super::{Fault, Place, load, postgres, sqlite};

/// Told of each table that was copied, with its rows.
pub type Told<'a> = &'a mut dyn FnMut(&str, u64);

/// Rows that are asked of PostgreSQL at once.
const ROWS_AT_ONCE: u32 = 2_000;

/// Text of one statement that brings rows, beyond which it is sent.
const STATEMENT_BYTES: usize = 1_048_576;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Copies the database at `url` into the empty file `to`. Answers the number of the last commit in
/// it.
///
/// # Errors
/// When either database refuses, or this one belongs to another version of the program.
pub fn save(url: &str, to: &Path, told: Told<'_>) -> Result<u64, Fault> {
    match Place::read(url)? {
        Place::Sqlite(path) => {
            duplicate(&path, to)?;
        }
        Place::Postgres(address) => {
            let mut from = Db::Postgres(Box::new(postgres::Link::open(&address)?));
            let mut file = Db::Sqlite(Box::new(sqlite::open_fresh(to)?));
            load::begin_read(&mut from)?;
            same_version(&mut from, &mut file)?;
            file.run("PRAGMA foreign_keys = OFF; BEGIN")?;
            for table in tables(&mut file)? {
                file.run(&format!("DELETE FROM {table}"))?;
                let count = to_file(&mut from, &mut file, &table)?;
                told(&table, count);
            }
            file.run("COMMIT")?;
            from.run("ROLLBACK")?;
            let ask = "SELECT \"table\" AS line FROM pragma_foreign_key_check LIMIT 1";
            if let Some(table) = lines(&mut file, ask)?.pop() {
                return Err(Fault::Corrupt(format!("a row of {table} points at no row")));
            }
        }
    }
    last_commit(&mut Db::Sqlite(Box::new(sqlite::open_reader(to)?)))
}

/// Fills the database at `url`, in which there is no market yet, from the file `from`. Answers the
/// number of the last commit in it. A SQLite database is one that is not there: it is made under
/// the name `partial` and is for the caller to put in its place.
///
/// # Errors
/// When there is a market already, or somebody writes there; as [`save`].
pub fn bring_back(from: &Path, url: &str, partial: &Path, told: Told<'_>) -> Result<u64, Fault> {
    let mut file = Db::Sqlite(Box::new(sqlite::open_reader(from)?));
    let number = last_commit(&mut file)?;
    match Place::read(url)? {
        Place::Sqlite(path) => {
            if path.exists() {
                return Err(Fault::Taken);
            }
            duplicate(from, partial)?;
        }
        Place::Postgres(address) => {
            let mut link = postgres::Link::open(&address)?;
            link.become_writer(postgres::PATIENCE_AT_START)?;
            postgres::migrate(&address)?;
            let mut to = Db::Postgres(Box::new(link));
            same_version(&mut file, &mut to)?;
            load::begin_read(&mut file)?;
            to.run("BEGIN")?;
            if last_commit(&mut to)? != 0 {
                return Err(Fault::Taken);
            }
            to.run("DELETE FROM meta")?;
            for table in parents_first(&mut file)? {
                let count = from_file(&mut file, &mut to, &table)?;
                told(&table, count);
            }
            to.run("COMMIT")?;
        }
    }
    Ok(number)
}

/// The path of a database that is a file.
///
/// # Errors
/// When `url` cannot be used.
pub fn file_of(url: &str) -> Result<Option<std::path::PathBuf>, Fault> {
    Ok(match Place::read(url)? {
        Place::Sqlite(path) => Some(path),
        Place::Postgres(_) => None,
    })
}

/// One SQLite file as it is in this instant, as another, whatever is being written meanwhile.
fn duplicate(from: &Path, to: &Path) -> Result<(), Fault> {
    let name = to
        .to_str()
        .ok_or_else(|| Fault::Address(format!("the path {} is not valid UTF-8", to.display())))?;
    let mut db = Db::Sqlite(Box::new(sqlite::open_to_copy(from)?));
    db.run(&format!("VACUUM INTO {}", quoted(name)))
}

/// Both are as this version of the program makes them.
fn same_version(one: &mut Db, other: &mut Db) -> Result<(), Fault> {
    let ask = "SELECT version AS line FROM __diesel_schema_migrations ORDER BY version";
    let (one, other) = (lines(one, ask)?, lines(other, ask)?);
    if one == other {
        return Ok(());
    }
    let newest = |all: &[String]| all.last().cloned().unwrap_or_default();
    let sentence = format!(
        "its schema is {} and this program's is {}: let this version open it once (serve), then \
         copy it",
        newest(&one).min(newest(&other)),
        newest(&one).max(newest(&other))
    );
    Err(Fault::Address(sentence))
}

fn last_commit(db: &mut Db) -> Result<u64, Fault> {
    let number = numbers(db, "SELECT commit_no AS number FROM meta")?.pop().unwrap_or_default();
    super::rows::natural("meta.commit_no", number)
}

fn tables(file: &mut Db) -> Result<Vec<String>, Fault> {
    let ask = "SELECT name AS line FROM sqlite_schema WHERE type = 'table'
        AND name NOT LIKE 'sqlite|_%' ESCAPE '|' AND name NOT LIKE '|_|_%' ESCAPE '|'
        ORDER BY rowid";
    lines(file, ask)
}

/// The tables in an order in which every row finds what it points at.
fn parents_first(file: &mut Db) -> Result<Vec<String>, Fault> {
    let mut waiting = BTreeMap::new();
    for table in tables(file)? {
        let ask =
            format!("SELECT DISTINCT \"table\" AS line FROM pragma_foreign_key_list('{table}')");
        waiting.insert(table, lines(file, &ask)?);
    }
    let mut order: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |parents: &[String]| parents.iter().all(|parent| order.contains(parent));
        let ready: Vec<String> = waiting
            .iter()
            .filter(|(_, parents)| is_ready(parents))
            .map(|(table, _)| table.clone())
            .collect();
        assert!(!ready.is_empty(), "tables that point at each other: {waiting:?}");
        for table in ready {
            waiting.remove(&table);
            order.push(table);
        }
    }
    Ok(order)
}

/// A table's columns in the order of the file, and what PostgreSQL holds in each.
fn columns(file: &mut Db, postgres: &mut Db, table: &str) -> Result<Vec<(String, String)>, Fault> {
    let ask = format!("SELECT name AS line FROM pragma_table_info('{table}') ORDER BY cid");
    let names = lines(file, &ask)?;
    let ask = format!(
        "SELECT column_name || ' ' || udt_name AS line FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = '{table}'"
    );
    let kinds: BTreeMap<String, String> = lines(postgres, &ask)?
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let kind = |name: String| {
        let kind = kinds.get(&name).cloned();
        kind.map(|kind| (name, kind))
            .ok_or_else(|| Fault::Corrupt(format!("{table} has a column too few")))
    };
    names.into_iter().map(kind).collect()
}

/// Joins the spelling of each column into one text for the whole row.
fn row(columns: &[(String, String)], spell: impl Fn(&str, &str) -> String) -> String {
    let spelled: Vec<String> = columns
        .iter()
        .map(|(name, kind)| format!("coalesce({}, 'NULL')", spell(&format!("\"{name}\""), kind)))
        .collect();
    format!("'(' || {} || ')'", spelled.join(" || ',' || "))
}

fn insert(table: &str, columns: &[(String, String)]) -> String {
    let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    format!("INSERT INTO {table} ({}) VALUES ", names.join(", "))
}

/// Rows of PostgreSQL, spelled for SQLite.
fn to_file(from: &mut Db, file: &mut Db, table: &str) -> Result<u64, Fault> {
    let columns = columns(file, from, table)?;
    let spelled = row(&columns, |name, kind| match kind {
        "int8" => format!("{name}::text"),
        "bool" => format!("{name}::int::text"),
        "uuid" => format!("'X''' || replace({name}::text, '-', '') || ''''"),
        "bytea" => format!("'X''' || encode({name}, 'hex') || ''''"),
        _ => format!("'''' || replace({name}, '''', '''''') || ''''"),
    });
    from.run(&format!("DECLARE copied CURSOR FOR SELECT {spelled} AS line FROM {table}"))?;
    let mut statement = Statement::new(insert(table, &columns));
    loop {
        let rows = lines(from, &format!("FETCH {ROWS_AT_ONCE} FROM copied"))?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            statement.add(&row, file)?;
        }
    }
    from.run("CLOSE copied")?;
    statement.finish(file)
}

/// Rows of SQLite, spelled for PostgreSQL.
fn from_file(file: &mut Db, to: &mut Db, table: &str) -> Result<u64, Fault> {
    let columns = columns(file, to, table)?;
    let spelled = row(&columns, |name, kind| match kind {
        "int8" => format!("CAST({name} AS TEXT)"),
        "bool" => format!("CASE {name} WHEN 1 THEN 'TRUE' WHEN 0 THEN 'FALSE' END"),
        // Of nothing `hex` makes an empty text.
        "uuid" => format!("CASE WHEN {name} IS NOT NULL THEN '''' || hex({name}) || '''' END"),
        "bytea" => {
            format!("CASE WHEN {name} IS NOT NULL THEN '''\\x' || hex({name}) || '''' END")
        }
        _ => format!("'''' || replace({name}, '''', '''''') || ''''"),
    });
    let mut statement = Statement::new(insert(table, &columns));
    let ask = format!("SELECT {spelled} AS line FROM {table}");
    each_line(sqlite(file), &ask, |line| statement.add(&line, to))?;
    statement.finish(to)
}

fn sqlite(db: &mut Db) -> &mut SqliteConnection {
    match db {
        Db::Sqlite(link) => link,
        Db::Postgres(_) => unreachable!("a backup is a SQLite file"),
    }
}

/// A statement that brings rows, and grows until it is worth sending.
struct Statement {
    head: String,
    text: String,
    count: u64,
}

impl Statement {
    fn new(head: String) -> Self {
        Self { head, text: String::new(), count: 0 }
    }

    fn add(&mut self, row: &str, to: &mut Db) -> Result<(), Fault> {
        self.text.push_str(if self.text.is_empty() { &self.head } else { "," });
        self.text.push_str(row);
        self.count += 1;
        if self.text.len() >= STATEMENT_BYTES { self.send(to) } else { Ok(()) }
    }

    fn send(&mut self, to: &mut Db) -> Result<(), Fault> {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() { Ok(()) } else { to.run(&text) }
    }

    fn finish(mut self, to: &mut Db) -> Result<u64, Fault> {
        self.send(to)?;
        Ok(self.count)
    }
}

fn lines(db: &mut Db, sql: &str) -> Result<Vec<String>, Fault> {
    let rows: Vec<Line> = super::link::on!(db, load, diesel::sql_query(sql))?;
    Ok(rows.into_iter().map(|row| row.line).collect())
}

fn numbers(db: &mut Db, sql: &str) -> Result<Vec<i64>, Fault> {
    let rows: Vec<Number> = super::link::on!(db, load, diesel::sql_query(sql))?;
    Ok(rows.into_iter().map(|row| row.number).collect())
}

/// Row after row, so that a table need not fit into memory.
fn each_line(
    link: &mut SqliteConnection,
    sql: &str,
    mut note: impl FnMut(String) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let rows =
        diesel::RunQueryDsl::load_iter::<Line, DefaultLoadingMode>(diesel::sql_query(sql), link);
    for row in rows.map_err(fault)? {
        note(row.map_err(fault)?.line)?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
