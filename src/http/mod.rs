//! Floor 4, the door: the only room that knows actix, tokens and the shapes of JSON.
//!
//! Turns requests into commands for the sequencer and into reads of the store, and answers into
//! bytes. Decides nothing about the market; every rule it checks is one of spelling or of who is
//! calling.

#![expect(unused_qualifications, reason = "the API reference's macros write them")]

pub mod amendments;
pub mod applications;
pub mod audit;
pub mod bill;
pub mod calendar;
pub mod caller;
pub mod caps;
mod catalogue;
pub mod clock;
pub mod collection;
pub mod contracts;
pub mod delivery;
pub mod events;
mod exports;
pub mod exposure;
pub mod factories;
pub mod holds;
pub mod idempotency;
pub mod incidents;
mod invoices;
pub mod json;
pub mod keys;
pub mod kind;
pub mod ledger;
pub mod lines;
pub mod listings;
pub mod market;
pub mod matching;
pub mod members;
pub mod meta;
pub mod money;
pub mod openapi;
pub mod orders;
pub mod organizations;
pub mod page;
pub mod password;
pub mod payments;
pub mod payouts;
pub mod periods;
pub mod pools;
pub mod problem;
pub mod programs;
pub mod query;
pub mod quotes;
pub mod rate;
pub mod refusal;
pub mod reply;
pub mod resales;
pub mod revenue;
pub mod routes;
pub mod schema;
pub mod secret;
pub mod sessions;
pub mod socket;
pub mod statements;
pub mod time;
pub mod token;
pub mod trail;
pub mod transfers;
pub mod version;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, middleware, web};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use openapi::openapi;
pub use reply::scribe;

use crate::engine::{Actor, Answer, Command, Key, Refusal};
use crate::model::Micros;
use crate::sequencer::{self, Clock, Desk, Done, Errand, View, Written};
use crate::store::read::Reader;
use crate::store::{Fault, KeptAnswer};
use caller::{Asker, Uses};
use problem::Problem;
use rate::Rates;
use reply::Reply;
use secret::Purpose;
use socket::Sockets;
use token::{Remembered, Signer};

/// A client that has not sent its headers by then is slow on purpose.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the writer is told which keys were at work.
const NOTE_USES_EVERY: Duration = Duration::from_secs(15);

/// What the door needs to do its work. One for all workers.
#[derive(Debug)]
pub struct Door {
    desk: Desk,
    reader: Reader,
    signer: Signer,
    remembered: Remembered,
    uses: Uses,
    /// Renders `/metrics`; without one that page says so.
    metrics: Option<PrometheusHandle>,
    /// Event streams that are open.
    streams: AtomicUsize,
    /// Room for exports.
    exports: Arc<Semaphore>,
    /// Room for hashing passwords.
    hashes: Semaphore,
    rates: Rates,
}

impl Door {
    pub fn new(
        desk: Desk,
        reader: Reader,
        signer: Signer,
        metrics: Option<PrometheusHandle>,
        rates: Rates,
    ) -> Self {
        let (remembered, uses) = (Remembered::default(), Uses::default());
        let exports = Arc::new(Semaphore::new(exports::EXPORTS_MAX));
        let streams = AtomicUsize::new(0);
        let hashes = Semaphore::new(password::at_once());
        Self { desk, reader, signer, remembered, uses, metrics, streams, exports, hashes, rates }
    }

    /// Hands in a command and answers what came of it, as it was or will be written under its key.
    async fn ask(&self, who: &impl Asker, key: Option<Key>, command: Command) -> Reply {
        Ok(reply::send(self.written(who, key, command).await?))
    }

    /// What came of a command, written: now, or when its key was first used.
    async fn written(
        &self,
        who: &impl Asker,
        key: Option<Key>,
        command: Command,
    ) -> Result<Written, Problem> {
        let request = who.request();
        let done = self.submit(who, key, command).await?;
        if let Ok(Answer::Known { key, seq }) = done.outcome {
            return self.again(key, seq).await;
        }
        Ok(done.written.unwrap_or_else(|| scribe(&done.outcome, request, done.at)))
    }

    /// As `ask`, about a thing that the engine forgets once it has ended. `ended` looks it up in
    /// the store: what is there, and this caller's to know, is in the wrong state rather than not
    /// found.
    async fn ask_about(
        &self,
        who: &impl Asker,
        key: Option<Key>,
        command: Command,
        ended: impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> + Send + 'static,
    ) -> Reply {
        let written = self.written(who, key, command).await?;
        if written.status != 404 {
            return Ok(reply::send(written));
        }
        let Some(refusal) = self.read(ended).await? else { return Ok(reply::send(written)) };
        // Under the id of the request that was answered first: a repetition gets the same bytes.
        let body: Option<serde_json::Value> = serde_json::from_slice(&written.body).ok();
        let first = body.and_then(|body| body["request_id"].as_str()?.parse().ok());
        let mut answer = scribe(&Err(refusal), first.unwrap_or(who.request()), Micros::default());
        answer.headers.push_str(&written.headers);
        Ok(reply::send(answer))
    }

    /// As `ask`, for what would be: nothing was made, so there is no place to find it at.
    async fn ask_dry(&self, who: &impl Asker, command: Command) -> Reply {
        let done = self.submit(who, None, command).await?;
        let mut written = scribe(&done.outcome, who.request(), done.at);
        if written.status == 201 {
            written.status = 200;
            written.headers.clear();
        }
        Ok(reply::send(written))
    }

    /// Hands in a command whose answer the handler spells itself.
    async fn decide(
        &self,
        who: &impl Asker,
        command: Command,
    ) -> Result<(Answer, Micros), Problem> {
        let done = self.submit(who, None, command).await?;
        let at = done.at;
        done.outcome.map(|answer| (answer, at)).map_err(|refusal| Problem::from(&refusal))
    }

    async fn submit(
        &self,
        who: &impl Asker,
        key: Option<Key>,
        command: Command,
    ) -> Result<Done, Problem> {
        let (actor, request) = (who.actor(), who.request());
        Ok(self.desk.submit(Errand { actor, request, key, command }).await?)
    }

    /// The first answer under a key, byte for byte.
    async fn again(&self, key: Key, seq: u64) -> Result<Written, Problem> {
        let KeptAnswer { key: _, status, mut headers, body } = self.kept(key, seq).await?;
        headers.push_str("idempotent-replayed: true\n");
        Ok(Written { status, headers, body })
    }

    /// What is kept under a key that was used by command `seq`.
    async fn kept(&self, key: Key, seq: u64) -> Result<KeptAnswer, Problem> {
        let kept = self.read(move |reader| reader.kept(seq)).await?;
        // The engine remembers a key a little longer than the store does; then it is as if in
        // doubt.
        kept.filter(|kept| kept.key == key).ok_or_else(|| Problem::from(sequencer::Fault::InDoubt))
    }

    /// The market's present, which a server that stands by does not know.
    fn market(&self) -> Result<Arc<View>, Problem> {
        let view = self.desk.view();
        if view.is_glimpse { Err(Problem::from(sequencer::Fault::Standby)) } else { Ok(view) }
    }

    /// Reads from the store, off the worker's own thread.
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.reader.clone();
        Ok(off_thread(move || ask(&reader)).await??)
    }

    /// Works on a password, off the worker's own thread; few at a time, so that a flood of
    /// sign-ins takes neither all processors nor the memory.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.hashes.acquire().await;
        let _place = place.map_err(|_| Problem::from(sequencer::Fault::Closed))?;
        off_thread(work).await
    }

    /// The kind of keys that are made here.
    fn key_purpose(&self) -> Purpose {
        if self.desk.clock().is_simulated() { Purpose::TestKey } else { Purpose::LiveKey }
    }

    /// Tells the writer now and then which keys were at work.
    async fn note_uses(self: Arc<Self>) {
        loop {
            tokio::time::sleep(NOTE_USES_EVERY).await;
            let keys = self.uses.take();
            if keys.is_empty() {
                continue;
            }
            let command = Command::NoteKeyUse { keys };
            let errand = Errand { actor: Actor::System, request: fresh(), key: None, command };
            // Lost under load, it is noted at the key's next use.
            if let Err(fault) = self.desk.submit(errand).await {
                tracing::debug!(%fault, "the use of keys was not noted");
            }
        }
    }
}

/// Work that takes long or blocks.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    web::block(work).await.map_err(|_| Problem::from(sequencer::Fault::Closed))
}

/// A fresh UUIDv7: the one place that mints them.
#[expect(clippy::disallowed_methods, reason = "identifiers are minted at the door, here alone")]
pub fn fresh() -> Uuid {
    Uuid::now_v7()
}

/// Real time, whatever the market's clock shows: for what concerns real people's credentials.
fn wall() -> Micros {
    Clock::System.now()
}

/// Starts serving on a listener. Stops, after the requests under way, when the server's handle says
/// so.
///
/// # Errors When the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    door: Door,
    workers: usize,
    keep_alive: Duration,
) -> std::io::Result<Server> {
    let door = web::Data::new(door);
    let sockets = Arc::new(Sockets::default());
    let guarded = Arc::clone(&sockets);
    // A stream that has nothing to tell comes forward by its heartbeat.
    let patience = (keep_alive + HEADERS_TIMEOUT).max(2 * events::HEARTBEAT);
    tokio::spawn(async move { guarded.guard(patience).await });
    tokio::spawn(Arc::clone(&door.clone().into_inner()).note_uses());
    let docs = openapi();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(door.clone())
            .wrap(middleware::from_fn(rate::limit))
            .wrap(middleware::from_fn(trail::trail))
            .configure(routes::configure)
            .route("/docs", web::get().to(meta::to_docs))
            .service(meta::docs(docs.clone()))
            .default_service(web::to(meta::nowhere))
    })
    .workers(workers)
    .client_request_timeout(HEADERS_TIMEOUT)
    .keep_alive(keep_alive)
    .on_connect(move |stream, data| {
        if let Some(handle) = stream.downcast_ref().and_then(socket::handle) {
            data.insert(sockets.watch(handle));
        }
    })
    .shutdown_timeout(10)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}
