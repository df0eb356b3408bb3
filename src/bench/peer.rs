//! The peer of `bench http`: what most teams would build. An actix server like ours, with the same
//! check of the caller's key, that makes each reservation in a transaction of its own on
//! PostgreSQL.
//!
//! It is given every advantage that does not change what it is: no search (the listing is told by
//! the request's key), a counter in place of a calendar, narrow ids, events numbered by a
//! sequence, prepared statements, and the pool size that suits it best. It knows nothing of the
//! rooms of this project.

mod way;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Args;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio_postgres::NoTls;

use way::{Ask, Link, Outcome, Pool};
pub use way::{Listings, Way, prepare};

use super::Trouble;

/// How the peer is started.
#[derive(Debug, Args)]
pub struct Peer {
    /// The database's address
    #[arg(long)]
    on: String,
    #[arg(long)]
    way: String,
    /// Connections to the database, shared by the workers
    #[arg(long)]
    pool: usize,
    /// Where to listen
    #[arg(long)]
    at: SocketAddr,
}

/// The body of a reservation, as ours has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    sku: String,
    regions: Vec<String>,
    gpus: i64,
    start_at: String,
    duration_hours: i64,
    limit_price_per_gpu_hour: String,
}

/// Organization by the digest of its key.
type Keys = BTreeMap<[u8; 32], i64>;

/// Serves until it is killed.
///
/// # Errors
/// When it cannot start.
pub fn serve(peer: &Peer) -> Result<(), Trouble> {
    let way = Way::read(&peer.way).ok_or_else(|| Trouble::Said("no such way".to_owned()))?;
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pool = peer.pool.div_ceil(workers);
    let database = peer.on.clone();
    actix_web::rt::System::new().block_on(async move {
        let (keys, listings) = known(&database).await?;
        let keys = web::Data::new(keys);
        let server = HttpServer::new(move || {
            // A pool to each worker: its connections live where its requests do.
            let pool = Rc::new(Pool::new(database.clone(), way, pool, listings));
            App::new()
                .app_data(keys.clone())
                .app_data(pool)
                .route("/readyz", web::get().to(HttpResponse::Ok))
                .route("/v1/orders", web::post().to(create))
        });
        server.workers(workers).bind(peer.at)?.run().await?;
        Ok(())
    })
}

async fn known(database: &str) -> Result<(Keys, Listings), Trouble> {
    let said = |error: tokio_postgres::Error| Trouble::Said(error.to_string());
    let (client, connection) = tokio_postgres::connect(database, NoTls).await.map_err(said)?;
    let driver = actix_web::rt::spawn(connection);
    let mut keys = Keys::new();
    for row in client.query("SELECT org, key_hash FROM customers", &[]).await.map_err(said)? {
        let hash: Vec<u8> = row.get(1);
        let hash =
            hash.try_into().map_err(|_| Trouble::Said("a digest has 32 bytes".to_owned()))?;
        keys.insert(hash, row.get(0));
    }
    let row = client.query_one("SELECT count(*) FROM listings", &[]).await.map_err(said)?;
    drop(client);
    drop(driver.await);
    Ok((keys, Listings(row.get(0))))
}

async fn create(
    request: HttpRequest,
    keys: web::Data<Keys>,
    body: web::Json<Body>,
) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let key = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let org = key.and_then(|key| {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        keys.get(&hash).copied()
    });
    let Some(org) = org else { return HttpResponse::Unauthorized().finish() };
    let Some(key) = header("idempotency-key") else {
        return HttpResponse::BadRequest().finish();
    };
    let Some(ask) = ask(org, key, &body) else { return HttpResponse::BadRequest().finish() };
    let pool = request.app_data::<Rc<Pool>>().expect("every worker has a pool");
    match pool.reserve(&ask).await {
        Ok(Outcome::Filled(body)) => {
            HttpResponse::Created().content_type("application/json").body(body)
        }
        Ok(Outcome::Refused) => HttpResponse::PaymentRequired().finish(),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// A body as what is to be written. `None` when it makes no sense.
fn ask(org: i64, key: &str, body: &Body) -> Option<Ask> {
    let Body { sku, regions, gpus, start_at, duration_hours, limit_price_per_gpu_hour } = body;
    let digest = Sha256::digest(key.as_bytes());
    let name = digest[..16].to_vec();
    let chance = i64::from_be_bytes(digest[16..24].try_into().ok()?) & i64::MAX;
    let start = start_at.parse::<jiff::Timestamp>().ok()?.as_second() / 60;
    let is_sound = *gpus > 0 && *duration_hours > 0;
    is_sound.then(|| Ask {
        org,
        name,
        chance,
        gpus: *gpus,
        start,
        end: start + duration_hours * 60,
        text: format!(
            "{{\"sku\":\"{sku}\",\"regions\":\"{}\",\"limit\":\"{limit_price_per_gpu_hour}\"}}",
            regions.join(",")
        ),
    })
}

impl Pool {
    async fn reserve(&self, ask: &Ask) -> Result<Outcome, tokio_postgres::Error> {
        let turn = self.turns.acquire().await.expect("the pool is never closed");
        let idle = self.idle.borrow_mut().pop();
        let mut link = match idle {
            Some(link) => link,
            None => self.connect().await?,
        };
        let outcome = link.reserve(ask, self.listings).await?;
        // A connection on which something failed is not given back.
        self.idle.borrow_mut().push(link);
        drop(turn);
        Ok(outcome)
    }

    async fn connect(&self) -> Result<Link, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.database, NoTls).await?;
        actix_web::rt::spawn(connection);
        Link::new(client, self.way).await
    }
}
