//! The twin suite: every test here runs on SQLite and on PostgreSQL.

#[path = "../cluster/mod.rs"]
mod cluster;
mod sample;

mod keeps;

use headroom::store::{self, Reader, Writer};

/// An empty place to open a store in, gone with the test.
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

    pub fn open(&self) -> (Writer, Reader) {
        store::open(&self.url()).unwrap()
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
