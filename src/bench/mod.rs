//! `headroom bench`: how fast the market is, beside what a team would build instead, in one run on
//! one machine. Bounded in count and time, loopback only.
//!
//! Knows every room below it and uses their front doors; knows no rule of the market. Each
//! benchmark prints one table and writes one JSON file; what they mean is in BENCHMARKS.md.

mod author;
mod clerk;
pub mod cluster;
mod delay;
mod dice;
mod durable;
mod engine;
mod http;
mod load;
mod machine;
mod market;
mod month;
mod peer;
mod place;
mod quiet;
mod server;
mod sheet;
mod start;
mod watch;

use std::mem::discriminant;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::machine::Machine;
use self::sheet::Sheet;
use crate::engine::Refusal;
use crate::{sequencer, store};

/// What to measure, and how long.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    pub what: What,
    /// The folder for results (JSON) and for the databases of the run
    #[arg(long, global = true, value_name = "FOLDER", default_value = "target/bench")]
    pub out: PathBuf,
    /// A PostgreSQL server to use (databases named headroom_bench_* are made and dropped there);
    /// without it a private cluster is started when PostgreSQL is installed
    #[arg(long, global = true, value_name = "URL")]
    pub postgres: Option<String>,
    /// Seconds of each single measurement
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 4,
        value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// Also the sizes that take minutes (`start` with 1M live contracts)
    #[arg(long, global = true)]
    pub long: bool,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub enum What {
    /// The engine alone: orders fully decided on one thread
    Engine(engine::Options),
    /// The sequencer and the store: reservations onto disk
    Durable(durable::Options),
    /// The whole server over HTTP, beside the ways most teams would build it
    Http(http::Http),
    /// Contracts accrue a month, are invoiced, and the month is closed
    Month,
    /// From exec to ready
    Start,
    /// How long a quiet tenant waits while another one floods
    Quiet,
    /// One after the other
    All,
    /// The peer of `http`, which starts it itself
    #[command(hide = true)]
    Peer(peer::Peer),
}

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{0}")]
    Said(String),
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the market refused what the benchmark needs: {0:?}")]
    Refused(Refusal),
    #[error("{0}")]
    Store(#[from] store::Fault),
    #[error("{0}")]
    Writer(#[from] sequencer::Fault),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// One benchmark.
type Measure = fn(&Bench) -> Result<Sheet, Trouble>;

/// Runs one benchmark, prints its table and writes its file.
///
/// # Errors
/// Why it could not be run.
pub fn run(bench: &Bench) -> Result<(), Trouble> {
    std::fs::create_dir_all(&bench.out)?;
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures mean nothing. Use --release.");
    }
    if let What::Peer(peer) = &bench.what {
        return peer::serve(peer);
    }
    let all: [(What, Measure); 6] = [
        (What::Engine(engine::Options::default()), engine::run),
        (What::Durable(durable::Options::default()), durable::run),
        (What::Month, month::run),
        (What::Start, start::run),
        (What::Quiet, quiet::run),
        (What::Http(http::Http::default()), http::run),
    ];
    for (what, run) in all {
        let is_wanted = discriminant(&what) == discriminant(&bench.what);
        if is_wanted || matches!(bench.what, What::All) {
            finish(&run(bench)?, bench)?;
        }
    }
    Ok(())
}

fn finish(sheet: &Sheet, bench: &Bench) -> Result<(), Trouble> {
    let machine = Machine::look(&bench.out)?;
    println!("{}", sheet.print(&machine));
    let path = bench.out.join(format!("{}.json", sheet.name));
    std::fs::write(&path, sheet.json(&machine))?;
    println!("Written to {}", path.display());
    Ok(())
}
