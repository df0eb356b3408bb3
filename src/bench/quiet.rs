//! How long a quiet tenant waits for its answers while a noisy one floods the server over many
//! connections, with and without a limit on how often a caller may ask.

use std::time::Duration;

use super::author::{Aim, Author};
use super::http::data_dir;
use super::load::{self, Load};
use super::place::{Kind, Places};
use super::server::Server;
use super::sheet::{Cell, Sheet, Target};
use super::watch::float;
use super::{Bench, Trouble};
use crate::store::{self, Durable as _};

const NOISY: usize = 0;
const QUIET: usize = 1;
/// Connections of the noisy tenant.
const CONNECTIONS: u16 = 64;
/// Requests a second of one caller, where there is a limit.
const LIMIT: u32 = 200;
/// The quiet tenant asks fifty times a second.
const EVERY: Duration = Duration::from_millis(20);
const PER_SECOND: u64 = 50;
/// Each way is measured so often, in turn; the round in the middle counts.
const ROUNDS: usize = 5;
/// More than can be asked in one round.
const REQUESTS_MAX: usize = 40_000;

/// One round of one way.
struct Round {
    quiet: Load,
    noisy: Option<Load>,
}

/// Measures all of it: some minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let places = Places::find(bench)?;
    let ways = [("alone", 0, false), ("flood, no limit", 0, true), ("flood, limit", LIMIT, true)];
    let mut rounds: [Vec<Round>; 3] = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        for (way, (name, rate, is_noisy)) in ways.iter().enumerate() {
            rounds[way].push(measure(bench, &places, *rate, *is_noisy)?);
            eprintln!("quiet: {name}, round {} of {ROUNDS} measured", round + 1);
        }
    }
    let [alone, unlimited, limited] = &rounds;
    let ratio = |ways: &[Round]| float(middle(ways)) / float(middle(alone));
    let targets = vec![
        Target::at_most("quiet tenant's p99, flood under a limit, over alone", 1.5, ratio(limited)),
        Target::shown("quiet tenant's p99, flood without a limit, over alone", ratio(unlimited)),
    ];
    let rows = ways.iter().zip(&rounds).flat_map(|((name, ..), rounds)| rows(name, rounds));
    let mut notes = vec![format!(
        "the quiet tenant orders {PER_SECOND} times a second on one connection; the noisy one as \
         often as it is answered, on {CONNECTIONS}. Where there is a limit it is {LIMIT} a second \
         for each caller. SQLite; each round on a fresh market, a second after the flood began, \
         when the quota that was saved up is gone; the ratio is of the middle rounds."
    )];
    notes.push("the load generators share the machine's processors with the server.".to_owned());
    notes.extend(places.remark());
    Ok(Sheet {
        name: "quiet",
        title: "bench quiet: a quiet tenant beside a noisy one",
        columns: vec![
            "way",
            "quiet filled",
            "quiet p50 us",
            "quiet p99 us",
            "noisy filled a second",
            "noisy refused a second",
        ],
        rows: rows.collect(),
        targets,
        notes,
    })
}

/// The p99 of the round in the middle.
fn middle(rounds: &[Round]) -> u64 {
    let mut all: Vec<u64> = rounds.iter().map(|round| round.quiet.spread.p99()).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

fn rows(name: &str, rounds: &[Round]) -> Vec<Vec<Cell>> {
    let row = |Round { quiet, noisy }: &Round| {
        let (filled, refused) = noisy.as_ref().map_or((0.0, 0.0), |load| {
            let refused = load.statuses.get(&429).copied().unwrap_or(0);
            (load.rate(), float(refused) / load.seconds)
        });
        vec![
            Cell::text(name),
            Cell::count(quiet.filled),
            Cell::micros(quiet.spread.p50()),
            Cell::micros(quiet.spread.p99()),
            Cell::rate(filled),
            Cell::rate(refused),
        ]
    };
    rounds.iter().map(row).collect()
}

fn measure(bench: &Bench, places: &Places, rate: u32, is_noisy: bool) -> Result<Round, Trouble> {
    let place = places.fresh(Kind::Sqlite)?;
    let mut author = Author::new(Aim::Hot)?;
    let (mut writer, _) = store::open(&place.url)?;
    writer.load()?;
    author.market.clerk.commit(&mut writer)?;
    drop(writer);
    let data = data_dir(bench)?;
    let server = Server::limited(&place.url, &data, rate)?;
    let port = server.port;
    // What a first second costs is no part of the figures.
    load::stroll(port, EVERY, author.requests_of(QUIET, 50))?;
    let count = usize::try_from(PER_SECOND * bench.seconds).expect("a minute at most");
    let first = author.requests_of(QUIET, 50);
    let asked = author.requests_of(QUIET, count);
    let flood = is_noisy.then(|| author.requests_of(NOISY, REQUESTS_MAX));
    let seconds = bench.seconds;
    let noisy = flood
        .map(|flood| std::thread::spawn(move || load::run(port, CONNECTIONS, seconds + 1, flood)));
    // The flood's first second, in which a full quota is let in at once, is no part of the figures.
    load::stroll(port, EVERY, first)?;
    let quiet = load::stroll(port, EVERY, asked)?;
    let noisy = match noisy {
        Some(noisy) => Some(noisy.join().expect("the flood does not panic")?),
        None => None,
    };
    drop(server);
    std::fs::remove_dir_all(data)?;
    place.remove()?;
    Ok(Round { quiet, noisy })
}
