//! PostgreSQL: addresses, TLS, a connection with its own little runtime, the writer's lock,
//! migrations.
//!
//! `sslmode` in the address means what it means to libpq: `disable` (never), `prefer` (the default:
//! when the server offers it), `require` (always; keeps listeners out, does not prove who the
//! server is) and `verify-full` (always, and the certificate must be for this host and from a known
//! authority: the system's, or those in the file named by `SSL_CERT_FILE`). `verify-ca` is taken as
//! `verify-full`.

use std::sync::Arc;
use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Fault;
use super::link::fault;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The key of the one advisory lock that makes a connection the writer: the letters `headroom`.
pub const WRITER_LOCK: i64 = i64::from_be_bytes(*b"headroom");

/// How long a connection may take to come about, and how long the server may leave what was sent
/// to it unconfirmed: then it is taken for gone.
const CONNECT_SECS: u64 = 10;

/// How long a process that starts waits for one that just stopped.
pub const PATIENCE_AT_START: Duration = Duration::from_secs(2);

/// How long a writer waits for its own last session to be gone, after a fault. The server may still
/// be busy with the last commit; only when that session ends is it decided, and the lock free.
/// Longer than the server takes to notice that nobody is there any more (see [`WRITER_SETTINGS`]).
pub const PATIENCE_AFTER_FAULT: Duration = Duration::from_secs(40);

/// Where a PostgreSQL database is, and how to speak to it. Its debug form shows no password.
#[derive(Debug, Clone)]
pub struct Address {
    config: tokio_postgres::Config,
    verify: bool,
}

/// A connection and the runtime that drives it. The runtime only runs while somebody waits here, on
/// the waiting thread, so that no other thread is involved.
pub struct Link {
    connection: AsyncPgConnection,
    /// Taken only when the link is dropped.
    runtime: Option<Runtime>,
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=...`.
    ///
    /// # Errors
    /// A sentence that does not repeat the address, since it may hold a password.
    pub fn read(url: &str) -> Result<Self, Fault> {
        let mut verify = false;
        let mut plain = url.to_owned();
        for strict in ["sslmode=verify-full", "sslmode=verify-ca"] {
            if plain.contains(strict) {
                verify = true;
                plain = plain.replace(strict, "sslmode=require");
            }
        }
        let mut config: tokio_postgres::Config = plain.parse().map_err(|error| {
            let mut sentence = format!("not a PostgreSQL address: {error}");
            if let Some(cause) = std::error::Error::source(&error) {
                sentence = format!("{sentence}: {cause}");
            }
            Fault::Address(sentence)
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Fault::Address("a PostgreSQL address needs a host".to_owned()));
        }
        if config.get_dbname().is_none() {
            let sentence = "a PostgreSQL address needs a database: postgres://host/database";
            return Err(Fault::Address(sentence.to_owned()));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(CONNECT_SECS));
        }
        if config.get_application_name().is_none() {
            config.application_name("headroom");
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(CONNECT_SECS));
            config.keepalives_idle(Duration::from_secs(CONNECT_SECS));
        }
        Ok(Self { config, verify })
    }

    /// The same place for a session of another name.
    pub fn named(&self, name: &str) -> Self {
        let mut named = self.clone();
        named.config.application_name(name);
        named
    }
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// A sentence that says whether the server, the database or the password is the trouble.
    pub fn open(address: &Address) -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
        let connection = runtime.block_on(connect(address))?;
        Ok(Self { connection, runtime: Some(runtime) })
    }

    /// Waits for what `work` does with the connection.
    pub fn wait<R>(&mut self, work: impl AsyncFnOnce(&mut AsyncPgConnection) -> R) -> R {
        let runtime = self.runtime.as_ref().expect("taken only by drop");
        runtime.block_on(work(&mut self.connection))
    }

    /// Makes this connection the writer: takes the lock, which the server holds until the session
    /// ends.
    ///
    /// # Errors
    /// [`Fault::Deposed`] when another session still holds it when `patience` is over.
    pub fn become_writer(&mut self, patience: Duration) -> Result<(), Fault> {
        let wait = format!(
            "SET lock_timeout = {}; SELECT pg_advisory_lock({WRITER_LOCK}); SET lock_timeout = 0",
            patience.as_millis()
        );
        let waited = self.wait(async |link| link.batch_execute(&wait).await);
        // The reason is in the language of the server: asked again, it says yes or no.
        if let Err(error) = waited {
            return Err(if self.is_locked()? { Fault::Deposed } else { fault(error) });
        }
        self.settle()
    }

    /// As [`Self::become_writer`], without waiting. Whether it is the writer now.
    ///
    /// # Errors
    /// When the server refuses or is gone.
    pub fn try_become_writer(&mut self) -> Result<bool, Fault> {
        if self.is_locked()? {
            return Ok(false);
        }
        self.settle()?;
        Ok(true)
    }

    /// Sets what the writer's connections have set.
    ///
    /// # Errors
    /// When the server refuses or is gone.
    pub fn settle(&mut self) -> Result<(), Fault> {
        self.wait(async |link| link.batch_execute(WRITER_SETTINGS).await).map_err(fault)
    }

    /// Whether another session is the writer; if not, this one is from now on.
    fn is_locked(&mut self) -> Result<bool, Fault> {
        let ask = format!("NOT pg_try_advisory_lock({WRITER_LOCK})");
        let ask = diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(&ask));
        self.wait(async |link| diesel_async::RunQueryDsl::get_result(ask, link).await)
            .map_err(fault)
    }
}

/// What only the writer sets. It finds every row it changes by its primary key, so a plan that was
/// made while a table was small must not read all of it when it has grown. Ways that are switched
/// off count as dear ways, which would make the server compile such plans anew each time, at 30 ms
/// a commit: its statements are short, so it compiles none. And since there is one good plan
/// whatever the number of rows, it is made once and not weighed against new ones. An entry of an
/// index is dear, so that a change looks each row up instead of walking the whole index and
/// comparing every row of it with every change: statistics taken at the wrong moment made that look
/// cheap, and halved the rate until they were taken again. Nor is a table kept at hand to be
/// compared with every new row, as the check that what a row refers to is there would do: planned
/// while the table was small, it took two thirds of the rate at 500 reservations a commit. A commit
/// that was answered is on disk: `off` is not accepted, stronger settings than `on` are left alone.
const WRITER_SETTINGS: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET cpu_index_tuple_cost = 100;
    SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_material = off;
    SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') = 'off';";

/// What a connection sets that reads what contracts draw, some thousand contracts at a time, in
/// their order. Going through both tables side by side takes less time than looking for each
/// contract's draws, unless nearly all contracts between two are settled: the server knows which,
/// so it plans each piece by the numbers that are asked for. It neither sorts what an index has in
/// order nor reads a table whole for each piece.
pub const LOADER_SETTINGS: &str = "
    SET plan_cache_mode = force_custom_plan;
    SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0;
    SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;";

/// The runtime of a link may be dropped from async code, where waiting for it would panic.
impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Brings the schema up to date. The caller holds the writer's lock on another connection.
///
/// # Errors
/// [`Fault::Newer`] when the database knows migrations that this program does not.
pub fn migrate(address: &Address) -> Result<(), Fault> {
    // The harness waits for answers on this thread while the worker drives the connection.
    let runtime =
        Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(no_runtime)?;
    let connection = runtime.block_on(connect(address))?;
    let outcome = {
        let _inside = runtime.enter();
        let mut harness = AsyncMigrationHarness::new(connection);
        bring_up_to_date::<Pg>(&mut harness, MIGRATIONS)
    };
    runtime.shutdown_background();
    outcome
}

/// Runs what is pending; refuses a schema from the future.
pub fn bring_up_to_date<DB: diesel::backend::Backend>(
    harness: &mut impl MigrationHarness<DB>,
    ours: impl MigrationSource<DB>,
) -> Result<(), Fault> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Fault::Database(format!("the schema could not be brought up to date: {error}"))
    };
    let known: Vec<Box<dyn Migration<DB>>> = ours.migrations().map_err(failed)?;
    let applied = harness.applied_migrations().map_err(failed)?;
    let is_ours = |version: &_| known.iter().any(|ours| ours.name().version() == *version);
    if let Some(newer) = applied.iter().find(|version| !is_ours(version)) {
        return Err(Fault::Newer(newer.to_string()));
    }
    let pending = harness.pending_migrations(ours).map_err(failed)?;
    harness.run_migrations(&pending).map_err(failed)?;
    Ok(())
}

fn no_runtime(error: std::io::Error) -> Fault {
    Fault::Database(format!("no runtime for the connection: {error}"))
}

async fn connect(address: &Address) -> Result<AsyncPgConnection, Fault> {
    let tls = MakeRustlsConnect::new(tls(address.verify)?);
    let (client, connection) = address.config.connect(tls).await.map_err(not_connected)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection)
        .await
        .map_err(|error| Fault::Database(error.to_string()))
}

/// What is wrong, in words for the person who wrote the address.
fn not_connected(error: tokio_postgres::Error) -> Fault {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    let said = cause.unwrap_or_else(|| error.to_string());
    Fault::Database(match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            format!("PostgreSQL does not accept this user and password: {said}")
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => format!("no such database: {said}"),
        Some(_) => format!("PostgreSQL refused the connection: {said}"),
        None => format!("PostgreSQL could not be reached: {said}"),
    })
}

fn tls(verify: bool) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Database(format!("no TLS: {error}")))?;
    let builder = if verify {
        let mut known = RootCertStore::empty();
        known.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        builder.with_root_certificates(known)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    };
    Ok(builder.with_no_client_auth())
}

/// Accepts any certificate, as libpq does below `verify-ca`: the talk is private, the peer
/// unproven.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
