//! A connection to either database, and the one macro that runs a diesel expression on it.

use super::Fault;
use super::postgres;
use diesel::sqlite::SqliteConnection;

/// A connection to whichever database this is.
pub enum Db {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<postgres::Link>),
}

/// Runs one diesel expression with one of the methods of `RunQueryDsl`, on whichever database this
/// is: `on!(db, load, orders::table.filter(...))`. It is written once and type-checked for each;
/// inside it `Backend` names the one at hand, for `into_boxed`.
macro_rules! on {
    ($db:expr, $method:ident, $query:expr) => {
        match $db {
            $crate::store::link::Db::Sqlite(link) => {
                #[allow(dead_code, reason = "only boxed queries name it")]
                type Backend = diesel::sqlite::Sqlite;
                diesel::RunQueryDsl::$method($query, &mut **link)
            }
            $crate::store::link::Db::Postgres(link) => {
                #[allow(dead_code, reason = "only boxed queries name it")]
                type Backend = diesel::pg::Pg;
                link.wait(async |link| diesel_async::RunQueryDsl::$method($query, link).await)
            }
        }
        .map_err($crate::store::link::fault)
    };
}
pub(super) use on;

/// The database's own words. They name tables and constraints, never values or passwords.
pub fn fault(error: diesel::result::Error) -> Fault {
    Fault::Database(error.to_string())
}

impl Db {
    /// Runs plain SQL without answers: transactions and settings.
    ///
    /// # Errors
    /// When the database refuses or is gone.
    pub fn run(&mut self, sql: &str) -> Result<(), Fault> {
        match self {
            Db::Sqlite(link) => {
                diesel::connection::SimpleConnection::batch_execute(&mut **link, sql)
            }
            Db::Postgres(link) => link.wait(async |link| {
                diesel_async::SimpleAsyncConnection::batch_execute(link, sql).await
            }),
        }
        .map_err(fault)
    }
}
