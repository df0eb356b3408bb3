//! Opens a market and serves it until somebody stops it: the one place where the rooms are put
//! together.
//!
//! Knows the order of things at start and at stop. Knows no rule of the market and no shape of the
//! API.

use std::fmt;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{ClockKind, Config};
use crate::engine::{Actor, Command, Refusal, Settings};
use crate::http::rate::{Limits, Rates};
use crate::http::token::Signer;
use crate::http::{self, Door, password};
use crate::model::id::{OrgId, UserId};
use crate::sequencer::{self, Clock, Desk, Ending, Errand, Pace};
use crate::store::{self, read::Reader};
use crate::telemetry::{self, PrometheusHandle, TelemetryError};

/// Why a server could not be started, in a sentence for the person who started it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("cannot use the data folder {0}: {1}")]
    DataDir(String, io::Error),
    #[error(transparent)]
    Store(#[from] store::Fault),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("the market's first person was refused ({}): look at HEADROOM_ADMIN_EMAIL, \
             HEADROOM_OPERATOR_NAME and HEADROOM_OPERATOR_COUNTRY", .0.code())]
    Founding(Refusal),
    #[error(transparent)]
    Writer(#[from] sequencer::Fault),
    #[error("cannot serve: {0}")]
    Serve(io::Error),
}

/// A market that is open and not yet served.
#[derive(Debug)]
pub struct Market {
    pub desk: Desk,
    pub reader: Reader,
    signer: Signer,
    metrics: PrometheusHandle,
    listener: TcpListener,
}

/// The market's first person, just made.
pub struct Founder {
    pub email: String,
    /// The password, when it was made here and is known to nobody else.
    pub password: Option<String>,
}

impl fmt::Debug for Founder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Founder").field("email", &self.email).finish_non_exhaustive()
    }
}

/// What the engine needs to know of the settings.
pub fn settings(config: &Config) -> Settings {
    Settings {
        two_person_threshold: config.two_person_threshold,
        platform_fee: config.platform_fee,
        cancellation_fee: config.cancellation_fee,
        resale_fee: config.resale_fee,
        reserve: config.reserve,
        reserve_days: config.reserve_days,
        grace_days: config.grace_days,
        draft_hours: config.draft_hours,
        // What every new contract promises; there is no setting for it.
        sla: Settings::default().sla,
    }
}

type Opener = fn(&str) -> Result<(store::Writer, Reader), store::Fault>;
type Starter =
    fn(Box<dyn store::Durable>, Settings, sequencer::Scribe, Pace) -> Result<Desk, store::Fault>;

/// What the door needs to know of them.
fn rates(config: &Config) -> Limits {
    Limits {
        caller: config.rate_caller,
        address: config.rate_address,
        sign_in: config.rate_sign_in,
        proxies: config.proxies.clone(),
    }
}

impl Market {
    /// Takes the address, the database and its lock; loads the market and starts the writer. A
    /// market that has no operator is given one. Where another server has the lock, one that is
    /// set to stands by.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn open(config: &Config) -> Result<(Self, Option<Founder>), ServeError> {
        // What can fail cheaply comes first: a taken port should not leave a new database behind.
        let listener = TcpListener::bind(config.listen)
            .map_err(|error| ServeError::Listen(config.listen, error))?;
        make_private(&config.data_dir)?;
        let key = config.data_dir.join("signing-key.pem");
        let signer = Signer::open(&key)
            .map_err(|error| ServeError::DataDir(key.display().to_string(), error))?;
        let metrics = telemetry::measure()?;
        let pace = match config.clock {
            ClockKind::System => Pace::System,
            ClockKind::Simulated(start) => Pace::Simulated(start),
        };
        let (open, start): (Opener, Starter) = match config.standby {
            true => (store::open_or_stand_by, sequencer::start_or_stand_by),
            false => (store::open, sequencer::start),
        };
        let (writer, reader) = open(&config.database)?;
        let desk = start(Box::new(writer), settings(config), http::scribe, pace)?;
        if !desk.clock().is_simulated() && desk.view().now > Clock::System.now() {
            let until = desk.view().now.to_string();
            tracing::warn!(until, "the market's last command lies ahead: its time stands still");
        }
        let market = Self { desk, reader, signer, metrics, listener };
        let founder = market.found(config)?;
        Ok((market, founder))
    }

    /// Makes the operator and its first person, unless they are there.
    fn found(&self, config: &Config) -> Result<Option<Founder>, ServeError> {
        // Where another server writes, it has made them.
        if self.desk.is_standing_by() || self.desk.view().operator().is_some() {
            return Ok(None);
        }
        let made = config.admin_password.is_none().then(make_password);
        let secret = config.admin_password.as_ref().or(made.as_ref()).expect("given or made");
        let command = Command::Found {
            org: OrgId::new(http::fresh()),
            user: UserId::new(http::fresh()),
            name: config.operator_name.clone(),
            country: config.operator_country,
            email: config.admin_email.clone(),
            password_hash: password::hash(secret),
        };
        let (actor, request) = (Actor::System, Uuid::nil());
        let errand = Errand { actor, request, key: None, command };
        self.desk.submit_blocking(errand)?.outcome.map_err(ServeError::Founding)?;
        Ok(Some(Founder { email: config.admin_email.clone(), password: made }))
    }

    /// Where the server can be reached from this machine.
    ///
    /// # Errors
    /// When the system does not know its own socket.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        self.listener.local_addr().map_err(ServeError::Serve)
    }

    /// Serves until a signal or until the writer ends. What was taken in by then is written and
    /// answered.
    ///
    /// # Errors
    /// When the server cannot be started.
    pub fn serve(self, config: &Config) -> Result<Ending, ServeError> {
        let workers = match config.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Serve)?;
        allow_many_files();
        runtime.block_on(async {
            let Self { desk, reader, signer, metrics, listener } = self;
            tokio::spawn(keep_up(metrics.clone()));
            let rates = Rates::new(rates(config));
            let door = Door::new(desk.clone(), reader, signer, Some(metrics), rates);
            let keep_alive = Duration::from_secs(config.keep_alive.into());
            let server = http::serve(listener, door, workers, keep_alive);
            let server = server.map_err(ServeError::Serve)?;
            let handle = server.handle();
            let served = tokio::spawn(server);
            tokio::select! {
                name = stop_signal() => tracing::info!(signal = name, "stopping"),
                ending = desk.ended() => tracing::error!(?ending, "the writer has ended"),
            }
            handle.stop(true).await;
            drop(served.await);
            desk.close();
            Ok(desk.ended().await)
        })
    }
}

/// Lets the metrics drop what is old.
async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// Waits until the process is asked to stop, and says how.
async fn stop_signal() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate()).expect("a handler can be set");
        let mut interrupt = signal(SignalKind::interrupt()).expect("a handler can be set");
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.expect("a handler can be set");
        "ctrl-c"
    }
}

/// Lets this process hold as many connections as the system allows it: each is two open files, and
/// what is allowed at first is often a thousand.
fn allow_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current: _, maximum } = getrlimit(Resource::Nofile);
        if let Err(fault) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::info!(%fault, "the number of open files stays as it was");
        }
    }
}

/// Makes the data folder, for its owner's eyes only, unless it is there.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(folder: &Path) -> Result<(), ServeError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| ServeError::DataDir(folder.display().to_string(), error))
}

/// Twenty-four characters without look-alikes: 139 bits.
pub fn make_password() -> String {
    const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let letter = || char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
    std::iter::repeat_with(letter).take(24).collect()
}

/// `headroom serve`: opens the market, says where it is, serves it.
///
/// # Errors
/// See [`ServeError`].
pub fn run(config: &Config) -> Result<Ending, ServeError> {
    let (market, founder) = Market::open(config)?;
    let mut text = welcome(config, market.address()?, founder.as_ref());
    if market.desk.is_standing_by() {
        text += "  standby    another server leads; this one takes over when it ends\n";
    }
    // Whoever started us may not listen; that is no reason not to serve.
    drop(io::stdout().lock().write_all(text.as_bytes()));
    if config.is_public() {
        tracing::warn!(
            address = %config.listen,
            "other machines can reach this server, and it speaks plain HTTP: put TLS in front"
        );
    }
    market.serve(config)
}

/// What a newcomer needs to know. The first line is for programs too.
pub fn welcome(config: &Config, address: SocketAddr, founder: Option<&Founder>) -> String {
    let url = format!("http://{address}");
    let shown = config.told.iter().find(|told| told.name == "DATABASE_URL");
    let data = match config.database.strip_prefix("sqlite://") {
        Some(path) => path,
        None => shown.map_or("PostgreSQL", |told| told.shown.as_str()),
    };
    let mut text = format!(
        "listening on {url}\n  API        {url}/v1\n  reference  {url}/docs\n  data       {data}\n"
    );
    if let Some(founder) = founder {
        let password = founder.password.as_deref();
        let password = password
            .map_or("as you set it".to_owned(), |made| format!("{made}   (shown this once)"));
        text += &format!("  admin      {}\n  password   {password}\n", founder.email);
    }
    text
}
