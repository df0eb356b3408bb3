//! Where databases of a benchmark are: files in the run's folder, and databases of one PostgreSQL
//! server, ours or a given one. Each measurement gets a fresh one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

use super::cluster::Cluster;
use super::delay::Delay;
use super::{Bench, Trouble};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The places there are.
#[derive(Debug)]
pub struct Places {
    folder: PathBuf,
    /// A URL whose path can be any database's name, and why there is none.
    server: Result<Server, String>,
    count: AtomicU32,
}

#[derive(Debug)]
enum Server {
    Own(Cluster),
    Given(String),
}

/// One database.
#[derive(Debug)]
pub struct Place {
    pub url: String,
    /// The file of SQLite, or the server's URL and the name of the database in it.
    what: What,
}

#[derive(Debug)]
enum What {
    File(PathBuf),
    Database { server: String, name: String },
}

/// As a careful administrator sets a small dedicated server up; nothing that weakens what a commit
/// means.
const SETTINGS: [(&str, &str); 9] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
    ("checkpoint_completion_target", "0.9"),
    ("wal_buffers", "64MB"),
    ("fsync", "on"),
    ("wal_sync_method", "fdatasync"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
];

impl Places {
    /// Finds or starts a PostgreSQL server; without one there is SQLite only, and a remark.
    pub fn find(bench: &Bench) -> Result<Self, Trouble> {
        Self::find_slower(bench, None)
    }

    /// The same, on a disk that takes longer.
    ///
    /// # Errors
    /// Also when a server is given: what it does to its disk is not ours to change.
    pub fn find_slower(bench: &Bench, delay: Option<Delay>) -> Result<Self, Trouble> {
        let folder = bench.out.canonicalize()?;
        let launcher = |program: &Path| delay.map(|delay| delay.script(program));
        let start = |parent: &Path| Cluster::start_by(parent, &SETTINGS, launcher);
        let server = match &bench.postgres {
            Some(_) if delay.is_some() => {
                let foreign = "--fsync-delay-us is for a PostgreSQL that is started here: leave \
                               --postgres out";
                return Err(Trouble::Said(foreign.to_owned()));
            }
            Some(url) => Ok(Server::Given(url.clone())),
            None => start(&folder)
                // The account that PostgreSQL runs as may not be let into our folder.
                .or_else(|_| start("/var/tmp".as_ref()))
                .map(Server::Own)
                .map_err(|error| error.to_string()),
        };
        Ok(Self { folder, server, count: AtomicU32::new(0) })
    }

    pub fn kinds(&self) -> Vec<Kind> {
        let postgres = self.server.is_ok().then_some(Kind::Postgres);
        [Some(Kind::Sqlite), postgres].into_iter().flatten().collect()
    }

    /// What a reader must know of the places.
    pub fn remark(&self) -> Option<String> {
        match &self.server {
            Ok(Server::Own(_)) => {
                let settings = SETTINGS.map(|(name, value)| format!("{name}={value}")).join(", ");
                Some(format!("PostgreSQL: a private cluster on the same disk; {settings}."))
            }
            Ok(Server::Given(_)) => {
                Some("PostgreSQL: the given server, as it is set up.".to_owned())
            }
            Err(reason) => Some(format!("PostgreSQL was not measured: {reason}")),
        }
    }

    /// The address of a database in the server.
    fn server_url(&self, database: &str) -> Result<String, Trouble> {
        match &self.server {
            Ok(Server::Own(cluster)) => Ok(cluster.url(database)),
            Ok(Server::Given(url)) => {
                let (server, rest) = url.rsplit_once('/').unwrap_or((url, ""));
                let options = rest.split_once('?').map_or(String::new(), |(_, o)| format!("?{o}"));
                Ok(format!("{server}/{database}{options}"))
            }
            Err(reason) => Err(Trouble::Said(reason.clone())),
        }
    }

    /// A new, empty database.
    pub fn fresh(&self, kind: Kind) -> Result<Place, Trouble> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        match kind {
            Kind::Sqlite => {
                let own = std::process::id();
                let folder = self.folder.join(format!("sqlite-{own}-{number}"));
                fs::create_dir_all(&folder)?;
                let url = format!("sqlite://{}", folder.join("headroom.db").display());
                Ok(Place { url, what: What::File(folder) })
            }
            Kind::Postgres => {
                let name = format!("headroom_bench_{number}");
                let server = self.server_url("postgres")?;
                administer(&server, &format!("DROP DATABASE IF EXISTS {name}"))?;
                administer(&server, &format!("CREATE DATABASE {name}"))?;
                let url = self.server_url(&name)?;
                Ok(Place { url, what: What::Database { server, name } })
            }
        }
    }
}

impl Place {
    /// Does something with a connection to a database of PostgreSQL.
    pub fn with_client(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<(), tokio_postgres::Error>,
    ) -> Result<(), Trouble> {
        with_client(&self.url, work)
    }

    /// Leaves nothing behind.
    pub fn remove(self) -> Result<(), Trouble> {
        match self.what {
            What::File(folder) => Ok(fs::remove_dir_all(folder)?),
            What::Database { server, name } => {
                administer(&server, &format!("DROP DATABASE {name} WITH (FORCE)"))?;
                // So that the next measurement does not pay for the pages of this one.
                administer(&server, "CHECKPOINT")
            }
        }
    }
}

/// One statement to the server, outside any transaction.
fn administer(url: &str, statement: &str) -> Result<(), Trouble> {
    with_client(url, async |client| client.batch_execute(statement).await)
}

/// Does something with a connection of its own.
fn with_client(
    url: &str,
    work: impl AsyncFnOnce(&Client) -> Result<(), tokio_postgres::Error>,
) -> Result<(), Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let said = |error: tokio_postgres::Error| Trouble::Said(format!("PostgreSQL: {error:?}"));
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(said)?;
        let driver = tokio::spawn(connection);
        let outcome = work(&client).await.map_err(said);
        drop(client);
        drop(driver.await);
        outcome
    })
}
