//! Who leads, where several servers share one PostgreSQL database.
//!
//! The writer's lock says who leads; the server that holds a session lets go of its lock when the
//! session ends. A process that was stopped in the middle keeps its session, since the kernel
//! answers for it. So the leader has a pulse: a second session in which it asks something every
//! second, and which wears the process number of the first in its name. PostgreSQL itself notes
//! when that was last asked, by its own clock; nothing is written. One that stands by looks at it,
//! and ends the session of a leader that has given no sign of life. From then on that leader cannot
//! write, whatever it still believes: a commit needs the session that held the lock.
//!
//! Knows sessions and signs of life; knows nothing of what a leader does.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Integer, Nullable, Text};

use super::link::{Db, fault};
use super::postgres::{Address, Link, WRITER_LOCK};
use super::{Fault, Loaded, Place, load, sqlite};

/// How often a leader shows that it lives.
const PULSE: Duration = Duration::from_secs(1);

/// How long after its last sign of life a leader loses its place, in seconds. Several pulses long:
/// a short stall of either machine is not death.
const STALE_SECS: u32 = 5;

/// The leader's pulse. It ends when it is dropped.
pub struct Pulse {
    /// Nothing is sent: that it is there keeps the thread going.
    _rope: Sender<()>,
}

#[derive(QueryableByName)]
struct Own {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

impl Pulse {
    /// Starts a pulse for the session that is the writer.
    ///
    /// # Errors
    /// When the session is gone.
    pub fn start(address: &Address, writer: &mut Link) -> Result<Self, Fault> {
        let ask = diesel::sql_query("SELECT pg_backend_pid() AS pid");
        let own: Own = writer
            .wait(async |link| diesel_async::RunQueryDsl::get_result(ask, link).await)
            .map_err(fault)?;
        let address = address.named(&format!("headroom pulse {}", own.pid));
        let (rope, held) = channel::<()>();
        thread::Builder::new()
            .name("pulse".to_owned())
            .spawn(move || {
                let mut session = None;
                loop {
                    if let Err(fault) = beat(&address, &mut session) {
                        tracing::warn!(%fault, "the leader's pulse failed");
                        session = None;
                    }
                    if held.recv_timeout(PULSE) == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
            })
            .expect("a thread can be started");
        Ok(Self { _rope: rope })
    }
}

fn beat(address: &Address, session: &mut Option<Db>) -> Result<(), Fault> {
    let db = match session {
        Some(db) => db,
        None => session.insert(Db::Postgres(Box::new(Link::open(address)?))),
    };
    db.run("SELECT 1")
}

/// One that stands by: what it needs to look on, and to take over.
pub struct Second {
    place: Place,
    /// Kept open, so that a takeover need not wait for a connection.
    db: Option<Db>,
    /// The sign of a leader that looked dead when it was last looked at.
    suspect: Option<String>,
}

/// The session that holds the writer's lock.
#[derive(QueryableByName)]
struct Rival {
    #[diesel(sql_type = Integer)]
    pid: i32,
    /// When the session began and when it last gave a sign of life.
    #[diesel(sql_type = Nullable<Text>)]
    sign: Option<String>,
    #[diesel(sql_type = Bool)]
    is_stale: bool,
}

#[derive(QueryableByName)]
struct Ended {
    #[diesel(sql_type = Bool)]
    is_ended: bool,
}

impl Second {
    pub fn new(place: Place) -> Self {
        Self { place, db: None, suspect: None }
    }

    /// The writer's connection, if nobody else has it or whoever has it gives no sign of life.
    ///
    /// # Errors
    /// [`Fault::Deposed`] while another session is the writer.
    pub fn take_over(&mut self, address: &Address) -> Result<Link, Fault> {
        let mut link = match self.db.take() {
            Some(Db::Postgres(link)) => link,
            Some(Db::Sqlite(_)) | None => Box::new(Link::open(address)?),
        };
        if link.try_become_writer()? {
            self.suspect = None;
            return Ok(*link);
        }
        self.judge(&mut link)?;
        self.db = Some(Db::Postgres(link));
        Err(Fault::Deposed)
    }

    /// Ends the leader's session when it looked dead twice, by the same sign: after a stall of the
    /// database all look dead, until they had time to ask again.
    fn judge(&mut self, link: &mut Link) -> Result<(), Fault> {
        let rivals: Vec<Rival> = ask(link, &rival())?;
        let stale = rivals.into_iter().find(|rival| rival.is_stale);
        let Some(Rival { pid, sign: Some(sign), .. }) = stale else {
            self.suspect = None;
            return Ok(());
        };
        if self.suspect.as_ref() == Some(&sign) {
            // Asked again in the same statement: it may have come to in between.
            let end = format!(
                "SELECT pg_terminate_backend(pid) AS is_ended FROM ({}) AS rival
                 WHERE is_stale AND sign = '{sign}'",
                rival()
            );
            let ended: Vec<Ended> = ask(link, &end)?;
            let is_ended = ended.iter().any(|one| one.is_ended);
            tracing::warn!(pid, is_ended, "the leader gave no sign of life: its session is ended");
        }
        self.suspect = Some(sign);
        Ok(())
    }

    /// See [`super::Durable::glimpse`].
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn glimpse(&mut self, seen: Option<u64>) -> Result<Option<Loaded>, Fault> {
        let mut db = match (self.db.take(), &self.place) {
            (Some(db), _) => db,
            (None, Place::Sqlite(path)) => Db::Sqlite(Box::new(sqlite::open_reader(path)?)),
            (None, Place::Postgres(address)) => Db::Postgres(Box::new(Link::open(address)?)),
        };
        let glimpsed = load::glimpse(&mut db, seen)?;
        self.db = Some(db);
        Ok(glimpsed)
    }
}

/// Runs a query on a session that stands by.
fn ask<T>(link: &mut Link, sql: &str) -> Result<Vec<T>, Fault>
where
    T: QueryableByName<diesel::pg::Pg> + Send + 'static,
{
    let query = diesel::sql_query(sql);
    link.wait(async |link| diesel_async::RunQueryDsl::load(query, link).await).map_err(fault)
}

/// Asks for the session that holds the lock. One that is at work is alive, unless the server waits
/// for its next word: then, as when it is idle, what counts is when it or its pulse last spoke.
fn rival() -> String {
    let (class, object) = (WRITER_LOCK >> 32, WRITER_LOCK & 0xffff_ffff);
    format!(
        "SELECT holder.pid, writer.backend_start || ' ' || seen.at AS sign,
            coalesce((writer.state <> 'active' OR writer.wait_event_type = 'Client')
                AND seen.at < clock_timestamp() - interval '{STALE_SECS} seconds', false)
                AS is_stale
        FROM pg_locks AS holder
        JOIN pg_stat_activity AS writer ON writer.pid = holder.pid
        CROSS JOIN LATERAL (SELECT greatest(writer.state_change, max(pulse.state_change)) AS at
            FROM pg_stat_activity AS pulse
            WHERE pulse.application_name = 'headroom pulse ' || holder.pid) AS seen
        WHERE holder.locktype = 'advisory' AND holder.granted AND holder.objsubid = 1
            AND holder.classid = '{class}'::oid AND holder.objid = '{object}'::oid
            AND holder.database = (SELECT oid FROM pg_database
                WHERE datname = current_database())"
    )
}
