//! The twin suite: every test here runs on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test stops at its first surprise")]
#![allow(clippy::wildcard_imports, reason = "a sample has an id of every kind")]

mod billed;
#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../dice/mod.rs"]
mod dice;
mod market;
mod sample;

mod debts;
mod keeps;
mod plans;
mod power;
mod reads;
mod rebuilds;
mod refuses;
mod twins;
mod upgrade;

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use headroom::store::{self, Reader, Writer};

/// An empty place to open a store in, gone with the test.
#[derive(Debug)]
pub enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(String),
}

impl Place {
    pub fn url(&self) -> String {
        match self {
            Place::Sqlite(folder) => format!("sqlite://{}/market.db", folder.path().display()),
            Place::Postgres(url) => url.clone(),
        }
    }

    /// Another empty one of the same kind.
    pub fn another(&self) -> Place {
        match self {
            Place::Sqlite(_) => Place::Sqlite(tempfile::tempdir().unwrap()),
            Place::Postgres(_) => Place::Postgres(cluster::shared().unwrap().fresh()),
        }
    }

    pub fn open(&self) -> (Writer, Reader) {
        store::open(&self.url()).unwrap()
    }

    /// Runs plain SQL behind the store's back.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub fn try_execute(&self, sql: &str) -> Result<(), String> {
        match self {
            Place::Sqlite(folder) => {
                let path = folder.path().join("market.db");
                let mut link = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                // Whoever tampers with a file does not keep its references.
                link.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF")
                    .unwrap();
                link.batch_execute(sql).map_err(|error| error.to_string())
            }
            Place::Postgres(url) => cluster::try_execute(url, sql).map(drop),
        }
    }

    /// An identifier as this database's SQL spells it.
    pub fn id_literal(&self, id: u128) -> String {
        match self {
            Place::Sqlite(_) => format!("x'{id:032x}'"),
            Place::Postgres(_) => format!("'{id:032x}'::uuid"),
        }
    }
}

/// Declares tests that take an empty [`Place`], once for each database.
#[macro_export]
macro_rules! twin {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test] fn $name() {
                super::$name(&$crate::Place::Sqlite(tempfile::tempdir().unwrap()));
            })*
        }
        mod postgres {
            $(#[test] fn $name() {
                if let Some(cluster) = $crate::cluster::shared() {
                    super::$name(&$crate::Place::Postgres(cluster.fresh()));
                }
            })*
        }
    };
}
