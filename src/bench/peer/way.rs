//! Ways to make a reservation in one transaction: rows locked by statements from the client, the
//! same within one function on the server, an exclusion constraint with a retry, and a row for each
//! hour of a listing. All write the same rows.

use std::cell::RefCell;

use tokio::sync::Semaphore;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement, Transaction};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `SELECT ... FOR UPDATE` on the listing and the credit line, each statement from the client.
    Locks,
    /// The same in one function on the server: one round trip.
    Function,
    /// A `tstzrange` exclusion constraint, tried again on a violation.
    Ranges,
    /// What is free in each hour of a listing is a row of its own.
    Hours,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Locks, Self::Function, Self::Ranges, Self::Hours];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Locks => "locks",
            Self::Function => "function",
            Self::Ranges => "ranges",
            Self::Hours => "hours",
        }
    }

    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.word() == word)
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Locks => "row locks, statements from the client",
            Self::Function => "row locks, one function on the server",
            Self::Ranges => "exclusion constraint, retried",
            Self::Hours => "a row for each hour",
        }
    }
}

/// How many listings there are: their ids are 0, 1, 2...
#[derive(Debug, Clone, Copy)]
pub struct Listings(pub i64);

/// Units of a listing that the exclusion constraint tells apart, over all listings.
const UNITS: i64 = 65_536;
/// How often another unit is tried.
const TRIES: i64 = 20;

/// A reservation to make.
#[derive(Debug)]
pub struct Ask {
    pub org: i64,
    /// The digest of the idempotency key.
    pub name: Vec<u8>,
    /// A number that differs from request to request: which listing, which unit.
    pub chance: i64,
    pub gpus: i64,
    /// Minutes since 1970.
    pub start: i64,
    pub end: i64,
    pub text: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The body of the answer.
    Filled(String),
    Refused,
}

/// The connections of one worker.
pub struct Pool {
    pub(super) database: String,
    pub(super) way: Way,
    pub(super) listings: Listings,
    pub(super) turns: Semaphore,
    pub(super) idle: RefCell<Vec<Link>>,
}

impl Pool {
    pub fn new(database: String, way: Way, size: usize, listings: Listings) -> Self {
        let turns = Semaphore::new(size);
        Self { database, way, listings, turns, idle: RefCell::new(Vec::new()) }
    }
}

/// One connection with its statements prepared.
pub struct Link {
    client: Client,
    way: Way,
    statements: Vec<Statement>,
}

const SCHEMA: &str = include_str!("schema.sql");

/// Makes the tables, so many listings of plenty, and the customers with these digests of their
/// keys.
///
/// # Errors
/// The database's.
pub async fn prepare(
    client: &Client,
    way: Way,
    listings: Listings,
    hashes: &[[u8; 32]],
) -> Result<(), Error> {
    client.batch_execute(SCHEMA).await?;
    let stock = "INSERT INTO listings SELECT id, 2500000, 0, 1000000000000000 \
                 FROM generate_series(0, $1::bigint - 1) AS id";
    client.execute(stock, &[&listings.0]).await?;
    for (org, hash) in (0_i64..).zip(hashes) {
        let hash = hash.as_slice();
        client.execute("INSERT INTO customers VALUES ($1, $2)", &[&org, &hash]).await?;
        let line = "INSERT INTO lines VALUES ($1, 1000000000000000000, 0)";
        client.execute(line, &[&org]).await?;
    }
    if way == Way::Hours {
        client.execute(HOURS_STOCK, &[&listings.0]).await?;
    }
    // So that nothing of the filling is written while something is measured.
    client.batch_execute("VACUUM ANALYZE").await?;
    client.batch_execute("CHECKPOINT").await
}

// The statements of the client, in the order in which they are sent.
const KEPT: usize = 0;
const LISTING: usize = 1;
const LINE: usize = 2;
const ORDER: usize = 3;
const CONTRACT: usize = 4;
const ALLOCATION: usize = 5;
const ENTRIES: usize = 6;
const EVENTS: usize = 7;
const TAKE: usize = 8;
const HOLD: usize = 9;
const KEEP: usize = 10;

const STATEMENTS: [&str; 11] = [
    "SELECT status, body FROM kept WHERE name = $1",
    "SELECT price, taken, capacity FROM listings WHERE id = $1 FOR UPDATE",
    "SELECT available, held FROM lines WHERE org = $1 FOR UPDATE",
    "INSERT INTO orders (org, ask, state, created_at) \
     VALUES ($1, $2, 'filled', extract(epoch FROM now())::bigint) RETURNING id",
    "INSERT INTO contracts (id, customer, provider, listing, gpus, start_at, end_at, value, \
     price, state) \
     VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, 'scheduled')",
    "INSERT INTO allocations (contract, place, listing, gpus, start_at, end_at, price) \
     VALUES ($1, 0, $2, $3, $4, $5, $6)",
    "INSERT INTO entries (chain, debit, credit, owner, amount, kind, contract) \
     VALUES ($1, 'exp_available', 'exp_held', $2, $3, 'hold_placed', $1), \
            ($1, 'cap_listed', 'cap_reserved', $4, $5, 'reserved', $1)",
    "INSERT INTO events (org, kind, data) VALUES ($1, 'order.filled', $2), \
     ($1, 'contract.created', $2), (0, 'contract.created', $2)",
    "UPDATE listings SET taken = $2 WHERE id = $1",
    "UPDATE lines SET available = $2, held = $3 WHERE org = $1",
    "INSERT INTO kept (name, status, body) VALUES ($1, 201, $2)",
];

/// Plenty in each hour of 310 days from now: orders start within 301 and last three at most.
const HOURS_STOCK: &str = "INSERT INTO hours \
     SELECT listing, extract(epoch FROM now())::bigint / 3600 + hour, 2500000 \
     FROM generate_series(0, $1::bigint - 1) AS listing, generate_series(0, 310 * 24) AS hour";

/// Locks and takes the hours in their order, because the index is walked in it: see `Link::new`.
/// It changes fewer rows than there are hours where one of them has too little.
const HOURS_TAKE: &str = "UPDATE hours SET free = free - $4 \
     WHERE listing = $1 AND hour >= $2 AND hour < $3 AND free >= $4";

const FUNCTION: &str = "SELECT reserve($1, $2, $3, $4, $5, $6, $7)";

/// As the allocation of the others, in a table that excludes overlaps of one unit.
const BOOKING: &str = "INSERT INTO bookings (contract, listing, unit, during, gpus, price) \
     VALUES ($1, $2, $3, tstzrange(to_timestamp($4), to_timestamp($5)), $6, $7)";

impl Link {
    pub async fn new(client: Client, way: Way) -> Result<Self, Error> {
        let texts: Vec<&str> = match way {
            Way::Locks => STATEMENTS.to_vec(),
            Way::Function => vec![FUNCTION],
            Way::Ranges => {
                let mut texts = STATEMENTS.to_vec();
                // The price is read without a lock: the constraint keeps the inventory.
                texts[LISTING] = "SELECT price, taken, capacity FROM listings WHERE id = $1";
                texts[ALLOCATION] = BOOKING;
                texts
            }
            Way::Hours => {
                // The only way to the rows is then in the order of the hours, and no two callers
                // wait for each other.
                client
                    .batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
                    .await?;
                let mut texts = STATEMENTS.to_vec();
                // The price is read without a lock: the hours keep the inventory.
                texts[LISTING] = "SELECT price, taken, capacity FROM listings WHERE id = $1";
                texts[TAKE] = HOURS_TAKE;
                texts
            }
        };
        let mut statements = Vec::new();
        for text in texts {
            statements.push(client.prepare(text).await?);
        }
        Ok(Self { client, way, statements })
    }

    pub async fn reserve(&mut self, ask: &Ask, listings: Listings) -> Result<Outcome, Error> {
        let listing = ask.chance % listings.0;
        match self.way {
            Way::Function => self.call(ask, listing).await,
            Way::Locks | Way::Ranges | Way::Hours => self.transact(ask, listing, listings).await,
        }
    }

    async fn call(&mut self, ask: &Ask, listing: i64) -> Result<Outcome, Error> {
        let Ask { org, name, gpus, start, end, text, .. } = ask;
        let values: [&(dyn ToSql + Sync); 7] = [org, name, &listing, gpus, start, end, text];
        let row = self.client.query_one(&self.statements[0], &values).await?;
        let body: Option<String> = row.get(0);
        Ok(body.map_or(Outcome::Refused, Outcome::Filled))
    }

    async fn transact(
        &mut self,
        ask: &Ask,
        listing: i64,
        listings: Listings,
    ) -> Result<Outcome, Error> {
        let Self { client, way, statements } = self;
        let said = &*statements;
        let deal = client.transaction().await?;
        if let Some(row) = deal.query_opt(&said[KEPT], &[&ask.name]).await? {
            return Ok(Outcome::Filled(row.get(1)));
        }
        let offer = deal.query_one(&said[LISTING], &[&listing]).await?;
        let (price, taken, capacity): (i64, i64, i64) = (offer.get(0), offer.get(1), offer.get(2));
        let minutes = (ask.end - ask.start) * ask.gpus;
        let value = price * minutes / 60;
        let line = deal.query_one(&said[LINE], &[&ask.org]).await?;
        let (available, held): (i64, i64) = (line.get(0), line.get(1));
        if taken + minutes > capacity || value > available {
            return Ok(Outcome::Refused);
        }
        let id: i64 = deal.query_one(&said[ORDER], &[&ask.org, &ask.text]).await?.get(0);
        let Ask { org, gpus, start, end, .. } = ask;
        let values: [&(dyn ToSql + Sync); 8] =
            [&id, org, &listing, gpus, start, end, &value, &price];
        deal.execute(&said[CONTRACT], &values).await?;
        let mut deal = deal;
        match way {
            Way::Ranges => {
                if !book(&mut deal, &said[ALLOCATION], ask, id, listing, listings, price).await? {
                    return Ok(Outcome::Refused);
                }
            }
            Way::Locks | Way::Function => {
                let values: [&(dyn ToSql + Sync); 6] = [&id, &listing, gpus, start, end, &price];
                deal.execute(&said[ALLOCATION], &values).await?;
                deal.execute(&said[TAKE], &[&listing, &(taken + minutes)]).await?;
            }
            Way::Hours => {
                let values: [&(dyn ToSql + Sync); 6] = [&id, &listing, gpus, start, end, &price];
                deal.execute(&said[ALLOCATION], &values).await?;
                // Orders start and end on the hour.
                let (from, to) = (start / 60, end / 60);
                let hours = deal.execute(&said[TAKE], &[&listing, &from, &to, gpus]).await?;
                if i64::try_from(hours) != Ok(to - from) {
                    return Ok(Outcome::Refused);
                }
            }
        }
        let values: [&(dyn ToSql + Sync); 5] = [&id, org, &value, &listing, &minutes];
        deal.execute(&said[ENTRIES], &values).await?;
        deal.execute(&said[EVENTS], &[org, &ask.text]).await?;
        let rest = [available - value, held + value];
        deal.execute(&said[HOLD], &[org, &rest[0], &rest[1]]).await?;
        let body = format!("{{\"id\":{id},\"state\":\"filled\",\"value\":{value}}}");
        deal.execute(&said[KEEP], &[&ask.name, &body]).await?;
        deal.commit().await?;
        Ok(Outcome::Filled(body))
    }
}

/// Books some unit of a listing; tries another one when it is taken. `false` when none was found.
async fn book(
    deal: &mut Transaction<'_>,
    statement: &Statement,
    ask: &Ask,
    id: i64,
    listing: i64,
    listings: Listings,
    price: i64,
) -> Result<bool, Error> {
    let units = (UNITS / listings.0).max(1);
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
    let (start, end) = ((ask.start * 60) as f64, (ask.end * 60) as f64);
    for attempt in 0..TRIES {
        let unit = (ask.chance / listings.0 + attempt * 7_919) % units;
        let point = deal.transaction().await?;
        let values: [&(dyn ToSql + Sync); 7] =
            [&id, &listing, &unit, &start, &end, &ask.gpus, &price];
        match point.execute(statement, &values).await {
            Ok(_) => {
                point.commit().await?;
                return Ok(true);
            }
            Err(error) if error.code() == Some(&SqlState::EXCLUSION_VIOLATION) => {
                point.rollback().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
