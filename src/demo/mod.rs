//! The demo: the reference market, filled with real demand, then served like any other.
//!
//! Knows the reference data set and how to speak to the market as anyone would. Knows no shortcut:
//! what the demo does, a customer or a provider could have done by the same commands. It lives some
//! months under a simulated clock, closes, and opens again under the machine's.

mod calendar;
mod customers;
mod market;
mod office;
mod people;
mod progress;
mod reference;
#[cfg(test)]
mod rehearsal;
mod replay;
mod summary;
mod teller;
pub mod trace;
mod year;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};

use clap::Args;

use self::calendar::Calendar;
use self::people::{Account, People};
use self::progress::Progress;
use self::summary::Harvest;
use self::teller::Teller;
pub use self::year::Span;
use crate::config::{ClockKind, Config, ConfigError, Flags, Origin};
use crate::sequencer::{self, Clock, Ending, Pace, Stopwatch};
use crate::serve::{self, ServeError};
use crate::{http, store, verify};

/// What can be chosen of a demo. Where it is kept and served are settings as of any server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Options {
    /// Another seed, another market
    #[arg(long, default_value_t = 2017)]
    pub seed: u64,
    /// Replay so many jobs of the trace at most, evenly picked [default: all 18,645]
    #[arg(long, value_name = "COUNT")]
    pub orders: Option<usize>,
    /// After the replay live on for so long, such as 12mo or 90d: contracts deliver, invoices are
    /// paid, months are closed. The market is served under a clock that stands
    #[arg(long, value_name = "SPAN")]
    pub advance: Option<Span>,
    /// Print the summary and end
    #[arg(long)]
    pub no_serve: bool,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("a demo's accounts are for this machine only, and {0} can be reached from others")]
    Public(SocketAddr),
    #[error("a demo begins in a database of its own, and {0} has a market in it")]
    NotFresh(String),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("the demo was refused its own {verb}: {why}")]
    Refused { verb: &'static str, why: String },
    #[error("what the demo wrote does not hold:\n{0}")]
    Broken(String),
    #[error(transparent)]
    Writer(#[from] sequencer::Fault),
    #[error(transparent)]
    Store(#[from] store::Fault),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Machine(#[from] io::Error),
}

/// The settings of a demo: where none are given, a data folder of its own, and a threshold for two
/// officers that suits the size of its lines.
///
/// # Errors
/// As [`Config::read`].
pub fn settle(flags: &Flags) -> Result<Config, ConfigError> {
    let config = Config::read(flags)?;
    let is_default =
        |name| config.told.iter().any(|told| told.name == name && told.origin == Origin::Default);
    let mut flags = flags.clone();
    if is_default("HEADROOM_DATA_DIR") {
        let now = Clock::System.now().count().div_euclid(1_000_000);
        flags.data_dir = Some(format!("./data/demo-{now}"));
    }
    if is_default("HEADROOM_TWO_PERSON_THRESHOLD") {
        flags.two_person_threshold = Some(customers::TWO_PERSON_THRESHOLD.to_owned());
    }
    Config::read(&flags)
}

/// `headroom demo`: makes the market, tells of it, and serves it unless told not to.
///
/// # Errors
/// See [`Fault`].
pub fn run(config: &Config, options: Options) -> Result<Ending, Fault> {
    if config.is_public() {
        return Err(Fault::Public(config.listen));
    }
    if !options.no_serve {
        // A taken port is found out now, not after the replay.
        drop(TcpListener::bind(config.listen).map_err(|why| Fault::Listen(config.listen, why))?);
    }
    let (text, accounts) = make(config, options)?;
    tell(&text);
    tell(&format!("{}\n", accounts_table(&accounts)));
    if options.no_serve {
        return Ok(Ending::Stopped);
    }
    let mut config = config.clone();
    if options.advance.is_some() {
        // The market is ahead of the machine's clock.
        config.clock = ClockKind::Simulated(None);
    }
    let (market, _) = serve::Market::open(&config)?;
    let address = market.address()?;
    tell(&serve::welcome(&config, address, None));
    tell(&format!("  metrics    http://{address}/metrics\n"));
    Ok(market.serve(&config)?)
}

/// Makes the market in a fresh database and answers the summary.
fn make(config: &Config, options: Options) -> Result<(String, Vec<Account>), Fault> {
    let settings = serve::settings(config);
    serve::make_private(&config.data_dir)?;
    let (writer, reader) = store::open(&config.database)?;
    let calendar = Calendar::until(Clock::System.now().minute());
    let pace = Pace::Simulated(Some(calendar.opens.micros()));
    let desk = sequencer::start(Box::new(writer), settings.clone(), http::scribe, pace)?;
    if desk.view().operator().is_some() {
        return Err(Fault::NotFresh(config.data_dir.display().to_string()));
    }
    let mut teller = Teller::new(desk, options.seed)?;
    let mut people = People::new();
    let market = market::put_up(&mut teller, &mut people, &calendar)?;
    let customers = customers::sign_up(&mut teller, &mut people, &market)?;

    let count = options.orders.unwrap_or(usize::MAX);
    let chosen = replay::pick(count);
    let mut progress = Progress::new("replaying", "jobs", chosen.len());
    let watch = Stopwatch::start();
    let cast = replay::Cast { market: &market, customers: &customers, calendar };
    let weekly = |teller: &mut Teller| office::keep(teller, &reader, &market);
    let tally = replay::replay(&mut teller, cast, &chosen, options.seed, weekly, |done| {
        progress.reach(done);
    })?;
    let seconds = watch.seconds();
    progress.end();
    if let Some(span) = options.advance {
        let weeks = span.weeks(calendar.now);
        let mut progress = Progress::new("living", "weeks", weeks.len());
        year::live(&mut teller, &reader, &market, (&weeks, options.seed), |done| {
            progress.reach(done);
        })?;
        progress.end();
    }
    teller.leave();

    let harvest = Harvest::gather(&reader)?;
    let watch = Stopwatch::start();
    let report = verify::verify(&reader, &settings)?;
    if !report.is_sound() {
        return Err(Fault::Broken(report.to_string()));
    }
    let mut text = format!("\n{HEADING}\n\n");
    text += &summary::write(&harvest, &market, &tally, &calendar);
    text += &format!("{}\n", year::billed(&reader)?);
    text += &format!(
        "Replayed {} commands of {} jobs in {seconds:.1} s, each durable before it was answered.\n\
         Verified in {:.1} s: rows, audit chain and every invariant hold, and the database\n\
         rebuilds the same engine (commit {}, digest {}).\n",
        tally.commands,
        chosen.len(),
        watch.seconds(),
        report.commit,
        report.digest,
    );
    Ok((text, people.accounts))
}

/// What everyone should know of the figures below.
const HEADING: &str = "\
DEMONSTRATION DATA. Published are the capacities of Sharon AI (40,000 GB300, 72 MW) and of Firmus
(up to 170,000 GPUs, 360 MW, Batam, early 2027 to early 2028). Phases, prices, program terms and
every other name are made up. Demand is a replay of the Philly trace (Microsoft, CC-BY 4.0;
assets/demand/README.md).";

fn accounts_table(accounts: &[Account]) -> String {
    let mut table = summary::table(&["Sign in as", "Of", "Email", "Password"]);
    for Account { persona, organization, email, password } in accounts {
        table.add_row([*persona, *organization, email.as_str(), password.as_str()]);
    }
    format!("\nACCOUNTS: made just now, shown this once\n{table}\n")
}

/// Writes to standard output. Whoever started us may not listen; that is no reason not to go on.
fn tell(text: &str) {
    drop(io::stdout().lock().write_all(text.as_bytes()));
}
