//! The commands of the binary. Reads what was asked for, calls the room that does it, and turns
//! what came of it into an exit code. Knows nothing else.
//!
//! Exit codes: 0 well, 1 it could not be done (or `verify` found something broken), 2 wrong usage
//! or settings, 3 another process writes this database, 70 an assertion failed: start it anew.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use headroom::backup::{self, Copied};
use headroom::bench::{self, Bench};
use headroom::config::{Config, Flags, Told};
use headroom::export::{self, Export, Format, Syntax, Table};
use headroom::model::Month;
use headroom::model::id::OrgId;
use headroom::sequencer::{Ending, Stopwatch};
use headroom::serve::{self, ServeError};
use headroom::{demo, http, store, telemetry, verify};
use indicatif::{ProgressBar, ProgressStyle};

/// Headroom: an open, self-hosted marketplace and reservation backend for GPU capacity.
///
/// Without a command it serves. Every setting can be given as a flag, in the environment or in a
/// file.
#[derive(Debug, Parser)]
#[command(name = "headroom", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serve the market (the default)
    Serve,
    /// Look at a database: rows, audit chain, and the engine that can be built from them
    Verify,
    /// Write the market into one file, beside a running server if need be
    Backup {
        /// The file; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bring a backup back into a database without a market, and verify it
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        from: PathBuf,
    },
    /// Write the books, the invoices or the contracts as a file that other tools read
    Export(Order),
    /// Serve a market filled with the reference data set and real demand, in its own database
    Demo(demo::Options),
    /// Print the OpenAPI document
    Openapi,
    /// Print every setting and where it comes from
    Config,
    /// Measure this program on this machine, beside what a team would build instead
    Bench(Bench),
}

/// Which file, of what, and where to.
#[derive(Debug, Args)]
struct Order {
    what: What,
    /// The kind of file of a table
    #[arg(long, value_enum, default_value_t = Kind::Csv)]
    format: Kind,
    /// One customer's invoices; one party's contracts [default: everybody's]
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<OrgId>,
    /// For `focus`: the month of the invoices, such as 2027-01 [default: all]
    #[arg(long)]
    month: Option<Month>,
    /// The file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What there is to export.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The operator's books as a journal for hledger
    Hledger,
    /// The operator's books as a journal for beancount
    Beancount,
    /// Invoices in the columns of FOCUS
    Focus,
    /// A table of contracts
    Contracts,
    /// A table of the entries of all books
    Entries,
    /// A table of invoices
    Invoices,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Csv,
    Parquet,
}

impl Order {
    fn export(&self) -> Export {
        let format = match self.format {
            Kind::Csv => Format::Csv,
            Kind::Parquet => Format::Parquet,
        };
        let table = |what| Export::Table { what, format, party: self.organization };
        match self.what {
            What::Hledger => Export::Journal(Syntax::Hledger),
            What::Beancount => Export::Journal(Syntax::Beancount),
            What::Focus => Export::Focus { customer: self.organization, month: self.month },
            What::Contracts => table(Table::Contracts),
            What::Entries => table(Table::Entries),
            What::Invoices => table(Table::Invoices),
        }
    }
}

/// Another process writes this database.
const DEPOSED: u8 = 3;
/// An assertion failed: sysexits.h calls it an internal software error.
const BROKEN: u8 = 70;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let task = cli.command.unwrap_or(Task::Serve);
    let read = match task {
        Task::Demo(_) => demo::settle(&cli.flags),
        _ => Config::read(&cli.flags),
    };
    let config = match read {
        Ok(config) => config,
        Err(error) => return fail(2, &error),
    };
    match &task {
        Task::Config => {
            let line =
                |told: &Told| format!("{:<30} {:<11} {}\n", told.name, told.origin, told.shown);
            return say(&config.told.iter().map(line).collect::<String>());
        }
        Task::Openapi => {
            let text = http::openapi().to_pretty_json().expect("a document is plain data");
            return say(&(text + "\n"));
        }
        Task::Bench(bench) => {
            return match bench::run(bench) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(1, &error),
            };
        }
        Task::Serve
        | Task::Demo(_)
        | Task::Verify
        | Task::Export(_)
        | Task::Backup { .. }
        | Task::Restore { .. } => {}
    }
    if let Err(error) = telemetry::log(&config.log, config.log_format) {
        return fail(2, &error);
    }
    match task {
        Task::Verify => look(&config),
        Task::Export(order) => hand_out(&config, &order),
        Task::Backup { out } => back_up(&config, &out),
        Task::Restore { from } => restore(&config, &from),
        Task::Demo(options) => show(&config, options),
        _ => serve(&config),
    }
}

fn serve(config: &Config) -> ExitCode {
    match serve::run(config) {
        Ok(ending) => ended(ending),
        Err(ServeError::Store(fault @ store::Fault::Deposed)) => fail(DEPOSED, &fault),
        Err(error) => fail(1, &error),
    }
}

fn show(config: &Config, options: demo::Options) -> ExitCode {
    match demo::run(config, options) {
        Ok(ending) => ended(ending),
        Err(error) => fail(1, &error),
    }
}

fn ended(ending: Ending) -> ExitCode {
    match ending {
        Ending::Stopped => ExitCode::SUCCESS,
        Ending::Deposed => fail(DEPOSED, &"another process has taken this database over"),
        Ending::Broken => fail(BROKEN, &"an assertion failed; nothing unsaid was lost"),
    }
}

fn look(config: &Config) -> ExitCode {
    let report = store::open_to_read(&config.database)
        .and_then(|reader| verify::verify(&reader, &serve::settings(config)));
    match report {
        Ok(report) => {
            let said = say(&report.to_string());
            if report.is_sound() { said } else { ExitCode::FAILURE }
        }
        Err(fault) => fail(1, &fault),
    }
}

/// Tells of each table that is copied.
fn tell_of_table(table: &str, rows: u64) {
    eprintln!("  {table:<24} {rows:>12} rows");
}

fn back_up(config: &Config, out: &Path) -> ExitCode {
    let watch = Stopwatch::start();
    match backup::save(&config.database, out, &mut tell_of_table) {
        Ok(Copied { commit, bytes }) => {
            let (name, seconds) = (out.display(), watch.seconds());
            eprintln!("{name}: {bytes} bytes, the market as of commit {commit}, {seconds:.1} s");
            eprintln!("look at it with: headroom verify --database sqlite://PATH");
            ExitCode::SUCCESS
        }
        Err(fault) => fail(1, &fault),
    }
}

/// A backup is worth what comes back of it: what was brought back is looked at.
fn restore(config: &Config, from: &Path) -> ExitCode {
    let watch = Stopwatch::start();
    if let Err(error) = serve::make_private(&config.data_dir) {
        return fail(1, &error);
    }
    match backup::restore(from, &config.database, &mut tell_of_table) {
        Ok(Copied { commit, .. }) => {
            eprintln!("restored as of commit {commit}, {:.1} s", watch.seconds());
            look(config)
        }
        Err(fault) => fail(1, &fault),
    }
}

/// Writes a file; how far it is is said where somebody watches.
fn hand_out(config: &Config, order: &Order) -> ExitCode {
    let written = || -> Result<(), export::Fault> {
        let reader = store::open_to_read(&config.database)?;
        let bar = order.out.as_ref().filter(|_| io::stderr().is_terminal()).map(|_| {
            let looks = "{spinner} {human_pos} written, {per_sec}";
            let style = ProgressStyle::with_template(looks).expect("the template is a constant");
            ProgressBar::new_spinner().with_style(style)
        });
        let mut done = |count| bar.iter().for_each(|bar| bar.set_position(count));
        match &order.out {
            Some(path) => export::write(order.export(), &reader, File::create(path)?, &mut done)?,
            None => export::write(order.export(), &reader, io::stdout(), &mut done)?,
        }
        bar.iter().for_each(ProgressBar::finish_and_clear);
        Ok(())
    };
    match written() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fail(1, &fault),
    }
}

/// Prints, unless whoever reads has heard enough: `headroom openapi | head` is no fault.
fn say(text: &str) -> ExitCode {
    drop(io::stdout().lock().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

fn fail(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("headroom: {why}");
    ExitCode::from(code)
}
