//! Every setting of the server, on one page, and the only reader of the environment.
//!
//! A flag wins over the environment, the environment over the file, the file over the default. The
//! file is made of lines `NAME=value` with the names of the environment, so there is one grammar to
//! learn. Knows what a value may look like; knows nothing of what is done with it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use crate::model::{BasisPoints, Country, Micros, Money, limits};

/// The settings as flags. Passwords have none: a process's flags are there for everyone to see.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// A file of lines NAME=value, with the names below
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// HEADROOM_LISTEN: where to listen; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Settings")]
    pub listen: Option<String>,
    /// DATABASE_URL: sqlite://FILE (in the data folder) or postgres://... [default:
    /// sqlite://headroom.db]
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    pub database: Option<String>,
    /// HEADROOM_DATA_DIR: where the embedded database and the server's keys are [default: ./data]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Settings")]
    pub data_dir: Option<String>,
    /// HEADROOM_ADMIN_EMAIL: the first person, made at first start [default: admin@headroom.local]
    #[arg(long, global = true, value_name = "EMAIL", help_heading = "Settings")]
    pub admin_email: Option<String>,
    /// HEADROOM_ADMIN_PASSWORD_FILE: holds the first person's password; else one is made and shown
    /// once
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub admin_password_file: Option<String>,
    /// HEADROOM_OPERATOR_NAME: the organization that runs this market [default: Headroom]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    pub operator_name: Option<String>,
    /// HEADROOM_OPERATOR_COUNTRY: where it is, in two letters [default: US]
    #[arg(long, global = true, value_name = "COUNTRY", help_heading = "Settings")]
    pub operator_country: Option<String>,
    /// HEADROOM_CLOCK: system, or simulated for tests that move time by hand [default: system]
    #[arg(long, global = true, value_name = "CLOCK", help_heading = "Settings")]
    pub clock: Option<String>,
    /// HEADROOM_CLOCK_START: where a new market's simulated clock stands [default: now]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Settings")]
    pub clock_start: Option<String>,
    /// HEADROOM_LOG: what is logged [default: info,actix_server=warn,
    /// actix_http=off]
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Settings")]
    pub log: Option<String>,
    /// HEADROOM_LOG_FORMAT: auto, text or json; auto is text on a terminal [default: auto]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Settings")]
    pub log_format: Option<String>,
    /// HEADROOM_TWO_PERSON_THRESHOLD: a credit limit above it takes two officers [default: 1000000]
    #[arg(long, global = true, value_name = "AMOUNT", help_heading = "Settings")]
    pub two_person_threshold: Option<String>,
    /// HEADROOM_PLATFORM_FEE: the platform's share, in basis points [default: 500]
    #[arg(long, global = true, value_name = "BPS", help_heading = "Settings")]
    pub platform_fee: Option<String>,
    /// HEADROOM_CANCELLATION_FEE: of what is left of a contract, in basis points [default: 2500]
    #[arg(long, global = true, value_name = "BPS", help_heading = "Settings")]
    pub cancellation_fee: Option<String>,
    /// HEADROOM_RESALE_FEE: of what is paid for a part that a customer sells on, in basis points
    /// [default: 100]
    #[arg(long, global = true, value_name = "BPS", help_heading = "Settings")]
    pub resale_fee: Option<String>,
    /// HEADROOM_RESERVE: kept back of a provider's part of each payment, in basis points [default:
    /// 500]
    #[arg(long, global = true, value_name = "BPS", help_heading = "Settings")]
    pub reserve: Option<String>,
    /// HEADROOM_RESERVE_DAYS: how long it is kept back [default: 90]
    #[arg(long, global = true, value_name = "DAYS", help_heading = "Settings")]
    pub reserve_days: Option<String>,
    /// HEADROOM_GRACE_DAYS: how long after its due day an invoice may still be paid [default: 3]
    #[arg(long, global = true, value_name = "DAYS", help_heading = "Settings")]
    pub grace_days: Option<String>,
    /// HEADROOM_DRAFT_HOURS: how long a draft invoice waits before it opens by itself [default: 24]
    #[arg(long, global = true, value_name = "HOURS", help_heading = "Settings")]
    pub draft_hours: Option<String>,
    /// HEADROOM_CURRENCY: the market's one settlement currency [default: USD]
    #[arg(long, global = true, value_name = "CODE", help_heading = "Settings")]
    pub currency: Option<String>,
    /// HEADROOM_STANDBY: with true, where another server writes this database, stand by and take
    /// over when it ends or hangs, instead of ending with code 3 [default: false]
    #[arg(long, global = true, value_name = "true|false", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", help_heading = "Settings")]
    pub standby: Option<String>,
    /// HEADROOM_WORKERS: threads that serve requests; 0 is one per processor [default: 0]
    #[arg(long, global = true, value_name = "COUNT", help_heading = "Settings")]
    pub workers: Option<String>,
    /// HEADROOM_KEEP_ALIVE: seconds that a connection may be idle, a little longer than proxies
    /// keep theirs [default: 75]
    #[arg(long, global = true, value_name = "SECONDS", help_heading = "Settings")]
    pub keep_alive: Option<String>,
    /// HEADROOM_RATE_CALLER: requests a second of one API key or person; 0 is no limit [default:
    /// 2000]
    #[arg(long, global = true, value_name = "COUNT", help_heading = "Settings")]
    pub rate_caller: Option<String>,
    /// HEADROOM_RATE_ADDRESS: the same for one address without a credential [default: 200]
    #[arg(long, global = true, value_name = "COUNT", help_heading = "Settings")]
    pub rate_address: Option<String>,
    /// HEADROOM_RATE_SIGN_IN: sign-ups and sign-ins a minute from one address; 0 is no limit
    /// [default: 30]
    #[arg(long, global = true, value_name = "COUNT", help_heading = "Settings")]
    pub rate_sign_in: Option<String>,
    /// HEADROOM_PROXIES: networks, with commas between, whose X-Forwarded-For is believed, such as
    /// 10.0.0.0/8 [default: none]
    #[arg(long, global = true, value_name = "NETWORKS", help_heading = "Settings")]
    pub proxies: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// How the market's time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    System,
    /// By hand; a new market begins at this instant, or now.
    Simulated(Option<Micros>),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// The settings, each read and within its bounds.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    /// `sqlite://` with the whole path, or `postgres://`.
    pub database: String,
    pub data_dir: PathBuf,
    pub admin_email: String,
    /// `None`: one is made at first start.
    pub admin_password: Option<String>,
    pub operator_name: String,
    pub operator_country: Country,
    pub clock: ClockKind,
    pub log: String,
    pub log_format: LogFormat,
    pub two_person_threshold: Money,
    pub platform_fee: BasisPoints,
    pub cancellation_fee: BasisPoints,
    pub resale_fee: BasisPoints,
    /// Kept back of a provider's part of each payment.
    pub reserve: BasisPoints,
    pub reserve_days: u32,
    pub grace_days: u32,
    pub draft_hours: u32,
    /// Three capital letters, as ISO 4217.
    pub currency: String,
    /// Where another server writes, wait to take over.
    pub standby: bool,
    /// 0: one per processor.
    pub workers: usize,
    /// Seconds that a connection may be idle.
    pub keep_alive: u32,
    /// Requests a second of one key or person; 0: no limit, here and below.
    pub rate_caller: u32,
    /// Requests a second of one address without a credential.
    pub rate_address: u32,
    /// Passwords a minute from one address.
    pub rate_sign_in: u32,
    /// Networks whose X-Forwarded-For is believed.
    pub proxies: Vec<(IpAddr, u8)>,
    /// Every value as it was given, for `headroom config`.
    pub told: Vec<Told>,
}

/// Never shows what is secret: neither the password nor what a database URL may hold.
impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.told).finish()
    }
}

/// One setting as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub name: &'static str,
    /// Fit to be shown: secrets are starred.
    pub shown: String,
    pub origin: Origin,
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} (from {origin}): {rule}")]
    Value { name: &'static str, origin: Origin, rule: String },
    #[error("{path}, line {line}: expected NAME=value with a name that `headroom config` lists")]
    Line { path: String, line: usize },
    #[error("{path} cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
}

/// The default of every setting that has one, in the order in which they are shown.
const TABLE: [(&str, &str); 29] = [
    ("HEADROOM_LISTEN", "127.0.0.1:8080"),
    ("DATABASE_URL", "sqlite://headroom.db"),
    ("HEADROOM_DATA_DIR", "./data"),
    ("HEADROOM_ADMIN_EMAIL", "admin@headroom.local"),
    ("HEADROOM_ADMIN_PASSWORD", ""),
    ("HEADROOM_ADMIN_PASSWORD_FILE", ""),
    ("HEADROOM_OPERATOR_NAME", "Headroom"),
    ("HEADROOM_OPERATOR_COUNTRY", "US"),
    ("HEADROOM_CLOCK", "system"),
    ("HEADROOM_CLOCK_START", ""),
    ("HEADROOM_LOG", "info,actix_server=warn,actix_http=off"),
    ("HEADROOM_LOG_FORMAT", "auto"),
    ("HEADROOM_TWO_PERSON_THRESHOLD", "1000000"),
    ("HEADROOM_PLATFORM_FEE", "500"),
    ("HEADROOM_CANCELLATION_FEE", "2500"),
    ("HEADROOM_RESALE_FEE", "100"),
    ("HEADROOM_RESERVE", "500"),
    ("HEADROOM_RESERVE_DAYS", "90"),
    ("HEADROOM_GRACE_DAYS", "3"),
    ("HEADROOM_DRAFT_HOURS", "24"),
    ("HEADROOM_CURRENCY", "USD"),
    ("HEADROOM_STANDBY", "false"),
    ("HEADROOM_WORKERS", "0"),
    ("HEADROOM_KEEP_ALIVE", "75"),
    ("HEADROOM_RATE_CALLER", "2000"),
    ("HEADROOM_RATE_ADDRESS", "200"),
    ("HEADROOM_RATE_SIGN_IN", "30"),
    ("HEADROOM_PROXIES", ""),
    ("HEADROOM_CONFIG", ""),
];

impl Flags {
    /// The flag of a setting, if it has one and it was given.
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "HEADROOM_LISTEN" => self.listen.as_deref(),
            "DATABASE_URL" => self.database.as_deref(),
            "HEADROOM_DATA_DIR" => self.data_dir.as_deref(),
            "HEADROOM_ADMIN_EMAIL" => self.admin_email.as_deref(),
            "HEADROOM_ADMIN_PASSWORD_FILE" => self.admin_password_file.as_deref(),
            "HEADROOM_OPERATOR_NAME" => self.operator_name.as_deref(),
            "HEADROOM_OPERATOR_COUNTRY" => self.operator_country.as_deref(),
            "HEADROOM_CLOCK" => self.clock.as_deref(),
            "HEADROOM_CLOCK_START" => self.clock_start.as_deref(),
            "HEADROOM_LOG" => self.log.as_deref(),
            "HEADROOM_LOG_FORMAT" => self.log_format.as_deref(),
            "HEADROOM_TWO_PERSON_THRESHOLD" => self.two_person_threshold.as_deref(),
            "HEADROOM_PLATFORM_FEE" => self.platform_fee.as_deref(),
            "HEADROOM_CANCELLATION_FEE" => self.cancellation_fee.as_deref(),
            "HEADROOM_RESALE_FEE" => self.resale_fee.as_deref(),
            "HEADROOM_RESERVE" => self.reserve.as_deref(),
            "HEADROOM_RESERVE_DAYS" => self.reserve_days.as_deref(),
            "HEADROOM_GRACE_DAYS" => self.grace_days.as_deref(),
            "HEADROOM_DRAFT_HOURS" => self.draft_hours.as_deref(),
            "HEADROOM_CURRENCY" => self.currency.as_deref(),
            "HEADROOM_STANDBY" => self.standby.as_deref(),
            "HEADROOM_WORKERS" => self.workers.as_deref(),
            "HEADROOM_KEEP_ALIVE" => self.keep_alive.as_deref(),
            "HEADROOM_RATE_CALLER" => self.rate_caller.as_deref(),
            "HEADROOM_RATE_ADDRESS" => self.rate_address.as_deref(),
            "HEADROOM_RATE_SIGN_IN" => self.rate_sign_in.as_deref(),
            "HEADROOM_PROXIES" => self.proxies.as_deref(),
            "HEADROOM_CONFIG" => self.config.as_deref().and_then(Path::to_str),
            _ => None,
        }
    }
}

impl Config {
    /// Reads the flags, the environment and the file.
    ///
    /// # Errors
    /// The first setting that is wrong, by name.
    pub fn read(flags: &Flags) -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
        Self::gather(flags, |name| std::env::var(name).ok())
    }

    fn gather(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let path = flags.get("HEADROOM_CONFIG").map(str::to_owned);
        let file = match path.or_else(|| environment("HEADROOM_CONFIG")) {
            Some(path) => read_file(&path)?,
            None => BTreeMap::new(),
        };
        let found = TABLE.map(|(name, default)| {
            let flag = flags.get(name).map(|value| (value.to_owned(), Origin::Flag));
            let outer = || environment(name).map(|value| (value, Origin::Environment));
            let inner = || file.get(name).map(|value| (value.clone(), Origin::File));
            let (value, origin) = flag
                .or_else(outer)
                .or_else(inner)
                .unwrap_or_else(|| (default.to_owned(), Origin::Default));
            Found { name, value, origin }
        });
        Self::parse(&found)
    }

    fn parse(found: &[Found]) -> Result<Self, ConfigError> {
        let get = |name: &str| {
            found.iter().find(|found| found.name == name).expect("every name is in the table")
        };
        let data_dir = PathBuf::from(&get("HEADROOM_DATA_DIR").value);
        let clock = match get("HEADROOM_CLOCK") {
            found if found.value == "system" => ClockKind::System,
            found if found.value == "simulated" => {
                ClockKind::Simulated(get("HEADROOM_CLOCK_START").instant()?)
            }
            found => return Err(found.wrong("system or simulated")),
        };
        let log_format = match get("HEADROOM_LOG_FORMAT") {
            found if found.value == "auto" => LogFormat::Auto,
            found if found.value == "text" => LogFormat::Text,
            found if found.value == "json" => LogFormat::Json,
            found => return Err(found.wrong("auto, text or json")),
        };
        Ok(Self {
            listen: get("HEADROOM_LISTEN").read("an address and a port, such as 127.0.0.1:8080")?,
            database: get("DATABASE_URL").database(&data_dir)?,
            data_dir,
            admin_email: get("HEADROOM_ADMIN_EMAIL").value.trim().to_lowercase(),
            admin_password: password(
                get("HEADROOM_ADMIN_PASSWORD"),
                get("HEADROOM_ADMIN_PASSWORD_FILE"),
            )?,
            operator_name: get("HEADROOM_OPERATOR_NAME").value.clone(),
            operator_country: get("HEADROOM_OPERATOR_COUNTRY").read("two capital letters")?,
            clock,
            log: get("HEADROOM_LOG").value.clone(),
            log_format,
            two_person_threshold: get("HEADROOM_TWO_PERSON_THRESHOLD").amount()?,
            platform_fee: get("HEADROOM_PLATFORM_FEE").basis_points()?,
            cancellation_fee: get("HEADROOM_CANCELLATION_FEE").basis_points()?,
            resale_fee: get("HEADROOM_RESALE_FEE").basis_points()?,
            reserve: get("HEADROOM_RESERVE").basis_points()?,
            reserve_days: get("HEADROOM_RESERVE_DAYS").up_to(limits::RESERVE_DAYS_MAX, "days")?,
            grace_days: get("HEADROOM_GRACE_DAYS").up_to(limits::GRACE_DAYS_MAX, "days")?,
            draft_hours: get("HEADROOM_DRAFT_HOURS").up_to(limits::DRAFT_HOURS_MAX, "hours")?,
            currency: get("HEADROOM_CURRENCY").currency()?,
            standby: get("HEADROOM_STANDBY").read("true or false")?,
            workers: get("HEADROOM_WORKERS").workers()?,
            keep_alive: get("HEADROOM_KEEP_ALIVE").up_to(limits::KEEP_ALIVE_MAX, "seconds")?,
            rate_caller: get("HEADROOM_RATE_CALLER").up_to(limits::RATE_MAX, "requests")?,
            rate_address: get("HEADROOM_RATE_ADDRESS").up_to(limits::RATE_MAX, "requests")?,
            rate_sign_in: get("HEADROOM_RATE_SIGN_IN").up_to(limits::RATE_MAX, "requests")?,
            proxies: get("HEADROOM_PROXIES").networks()?,
            told: found.iter().map(Found::told).collect(),
        })
    }

    /// Whether the server can be reached from other machines.
    pub fn is_public(&self) -> bool {
        !self.listen.ip().is_loopback()
    }
}

/// One setting as it was given, unread.
struct Found {
    name: &'static str,
    value: String,
    origin: Origin,
}

impl Found {
    fn wrong(&self, rule: &str) -> ConfigError {
        let rule = format!("expected {rule}");
        ConfigError::Value { name: self.name, origin: self.origin, rule }
    }

    fn read<T: FromStr>(&self, rule: &str) -> Result<T, ConfigError> {
        self.value.trim().parse().map_err(|_| self.wrong(rule))
    }

    fn database(&self, data_dir: &Path) -> Result<String, ConfigError> {
        let rule = "sqlite://FILE or postgres://USER@HOST/DATABASE";
        if self.value.starts_with("postgres://") || self.value.starts_with("postgresql://") {
            return Ok(self.value.clone());
        }
        let file = self.value.strip_prefix("sqlite://").unwrap_or_default();
        if file.is_empty() {
            return Err(self.wrong(rule));
        }
        // A whole path stands as it is: `join` sees to that.
        Ok(format!("sqlite://{}", data_dir.join(file).display()))
    }

    fn instant(&self) -> Result<Option<Micros>, ConfigError> {
        if self.value.is_empty() {
            return Ok(None);
        }
        let rule = "a time such as 2027-01-01T00:00:00Z, from the year 2000 to 2199";
        let instant: jiff::Timestamp = self.read(rule)?;
        let instant = Micros::new(instant.as_microsecond());
        let market = limits::MINUTE_MIN..limits::MINUTE_MAX;
        if market.contains(&instant.minute().count()) {
            Ok(Some(instant))
        } else {
            Err(self.wrong(rule))
        }
    }

    fn amount(&self) -> Result<Money, ConfigError> {
        let rule = "an amount such as 1000000 or 2500.50";
        let amount: Money = self.read(rule)?;
        let fits = !amount.is_negative() && amount.micros() <= limits::AMOUNT_MAX;
        fits.then_some(amount).ok_or_else(|| self.wrong(rule))
    }

    fn basis_points(&self) -> Result<BasisPoints, ConfigError> {
        let rule = "basis points from 0 to 10000";
        let parts: BasisPoints = self.read(rule)?;
        (parts <= 10_000).then_some(parts).ok_or_else(|| self.wrong(rule))
    }

    fn up_to(&self, most: u32, unit: &str) -> Result<u32, ConfigError> {
        let rule = format!("a number of {unit} from 0 to {most}");
        let count: u32 = self.read(&rule)?;
        (count <= most).then_some(count).ok_or_else(|| self.wrong(&rule))
    }

    fn currency(&self) -> Result<String, ConfigError> {
        let code = self.value.trim();
        let fits = code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase());
        fits.then(|| code.to_owned())
            .ok_or_else(|| self.wrong("three capital letters, such as USD"))
    }

    fn workers(&self) -> Result<usize, ConfigError> {
        let rule = "a number of threads from 0 to 1024";
        let workers: usize = self.read(rule)?;
        (workers <= 1_024).then_some(workers).ok_or_else(|| self.wrong(rule))
    }

    fn networks(&self) -> Result<Vec<(IpAddr, u8)>, ConfigError> {
        let rule = format!("up to {} networks such as 10.0.0.0/8", limits::PROXIES_MAX);
        let texts = self.value.split(',').map(str::trim).filter(|text| !text.is_empty());
        let networks: Option<Vec<(IpAddr, u8)>> = texts.map(network).collect();
        let networks = networks.filter(|networks| networks.len() <= limits::PROXIES_MAX);
        networks.ok_or_else(|| self.wrong(&rule))
    }

    fn told(&self) -> Told {
        let shown = match self.name {
            "HEADROOM_ADMIN_PASSWORD" if !self.value.is_empty() => "*****".to_owned(),
            "DATABASE_URL" => starred(&self.value),
            _ => self.value.clone(),
        };
        Told { name: self.name, shown, origin: self.origin }
    }
}

/// An address, alone or with how many of its first bits count.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(width), |bits| bits.parse().ok())?;
    (bits <= width).then_some((address, bits))
}

/// A URL with its password starred.
fn starred(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let hidden = match rest.rsplit_once('@') {
        Some((who, place)) => match who.split_once(':') {
            Some((user, _)) => format!("{user}:*****@{place}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    // libpq also takes the password as a parameter.
    match hidden.split_once("password=") {
        Some((before, _)) => format!("{scheme}://{before}password=*****"),
        None => format!("{scheme}://{hidden}"),
    }
}

/// The first person's password: as given, or the first line of a file.
fn password(given: &Found, file: &Found) -> Result<Option<String>, ConfigError> {
    let (found, text) = match (given.value.as_str(), file.value.as_str()) {
        ("", "") => return Ok(None),
        (_, "") => (given, given.value.clone()),
        ("", path) => {
            let text = read_text(path)?;
            (file, text.lines().next().unwrap_or_default().to_owned())
        }
        _ => return Err(file.wrong("this or HEADROOM_ADMIN_PASSWORD, not both")),
    };
    let bounds = limits::PASSWORD_LENGTH_MIN..=limits::PASSWORD_LENGTH_MAX;
    if bounds.contains(&text.chars().count()) {
        Ok(Some(text))
    } else {
        let (least, most) = (limits::PASSWORD_LENGTH_MIN, limits::PASSWORD_LENGTH_MAX);
        Err(found.wrong(&format!("a password of {least} to {most} characters")))
    }
}

fn read_text(path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Lines `NAME=value`; empty lines and those that begin with `#` are passed over.
fn read_file(path: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = read_text(path)?;
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let known = read.filter(|(name, _)| TABLE.iter().any(|(known, _)| known == name));
        let Some((name, value)) = known else {
            return Err(ConfigError::Line { path: path.to_owned(), line: index + 1 });
        };
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        values.insert(name.to_owned(), bare.unwrap_or(value).to_owned());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(flags: &Flags, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::gather(flags, |name| {
            environment.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn told(config: &Config, name: &str) -> (String, Origin) {
        let told = config.told.iter().find(|told| told.name == name).expect("in the table");
        (told.shown.clone(), told.origin)
    }

    #[test]
    fn nothing_given_is_a_loopback_server_on_an_embedded_database() {
        let config = gather(&Flags::default(), &[]).expect("the defaults are good");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database, "sqlite://./data/headroom.db");
        assert_eq!((config.admin_password.as_deref(), config.is_public()), (None, false));
        assert!(config.told.iter().all(|told| told.origin == Origin::Default));
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "# ours\nHEADROOM_LISTEN=127.0.0.1:1\nHEADROOM_LOG = \"warn\"\n\
                    HEADROOM_CURRENCY=EUR\n";
        std::fs::write(file.path(), text).expect("written");
        let flags = Flags {
            config: Some(file.path().to_owned()),
            listen: Some("127.0.0.1:3".to_owned()),
            ..Flags::default()
        };
        let environment = [("HEADROOM_LISTEN", "127.0.0.1:2"), ("HEADROOM_LOG", "debug")];
        let config = gather(&flags, &environment).expect("good");
        assert_eq!(told(&config, "HEADROOM_LISTEN"), ("127.0.0.1:3".to_owned(), Origin::Flag));
        assert_eq!(told(&config, "HEADROOM_LOG"), ("debug".to_owned(), Origin::Environment));
        assert_eq!(told(&config, "HEADROOM_CURRENCY"), ("EUR".to_owned(), Origin::File));
        assert_eq!(told(&config, "HEADROOM_WORKERS"), ("0".to_owned(), Origin::Default));
    }

    #[test]
    fn secrets_are_not_shown() {
        let environment = [
            ("DATABASE_URL", "postgres://me:secret@db:5432/market"),
            ("HEADROOM_ADMIN_PASSWORD", "a secret of some length"),
        ];
        let config = gather(&Flags::default(), &environment).expect("good");
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(told(&config, "DATABASE_URL").0, "postgres://me:*****@db:5432/market");
        assert_eq!(config.database, "postgres://me:secret@db:5432/market");
        assert_eq!(starred("postgres://db/x?password=secret"), "postgres://db/x?password=*****");
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (name, value) in [
            ("HEADROOM_LISTEN", "8080"),
            ("DATABASE_URL", "mysql://x"),
            ("DATABASE_URL", "sqlite://"),
            ("HEADROOM_ADMIN_PASSWORD", "short"),
            ("HEADROOM_CLOCK", "stopped"),
            ("HEADROOM_LOG_FORMAT", "xml"),
            ("HEADROOM_TWO_PERSON_THRESHOLD", "-1"),
            ("HEADROOM_PLATFORM_FEE", "10001"),
            ("HEADROOM_RESERVE", "10001"),
            ("HEADROOM_RESERVE_DAYS", "731"),
            ("HEADROOM_GRACE_DAYS", "-1"),
            ("HEADROOM_DRAFT_HOURS", "721"),
            ("HEADROOM_CURRENCY", "usd"),
            ("HEADROOM_STANDBY", "yes"),
            ("HEADROOM_WORKERS", "many"),
            ("HEADROOM_RATE_CALLER", "-1"),
            ("HEADROOM_RATE_SIGN_IN", "1000001"),
            ("HEADROOM_PROXIES", "10.0.0.0/33"),
            ("HEADROOM_PROXIES", "everybody"),
            ("HEADROOM_OPERATOR_COUNTRY", "USA"),
        ] {
            let fault = gather(&Flags::default(), &[(name, value)]).expect_err(value);
            assert!(fault.to_string().starts_with(name), "{fault}");
        }
        let both = [("HEADROOM_CLOCK", "simulated"), ("HEADROOM_CLOCK_START", "1999-12-31T00:00Z")];
        assert!(gather(&Flags::default(), &both).is_err());
    }

    #[test]
    fn a_file_with_an_unknown_name_is_refused_by_its_line() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "HEADROOM_LOG=info\nHEADROOM_LOGG=info\n").expect("written");
        let flags = Flags { config: Some(file.path().to_owned()), ..Flags::default() };
        let fault = gather(&flags, &[]).expect_err("an unknown name");
        assert!(matches!(fault, ConfigError::Line { line: 2, .. }), "{fault}");
    }

    #[test]
    fn a_whole_path_does_not_move_into_the_data_folder() {
        let environment = [("DATABASE_URL", "sqlite:///var/lib/x.db")];
        let config = gather(&Flags::default(), &environment).expect("good");
        assert_eq!(config.database, "sqlite:///var/lib/x.db");
    }
}
