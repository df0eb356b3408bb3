//! The whole road: reservations over HTTP with authentication, on the real server in a process of
//! its own, beside the ways most teams would build this, on the same PostgreSQL in the same run.

use std::path::PathBuf;

use clap::Args;

use super::author::{Aim, Author};
use super::delay::Delay;
use super::load::{self, Load};
use super::peer::{self, Way};
use super::place::{Kind, Place, Places};
use super::server::Server;
use super::sheet::{Cell, Sheet, Target};
use super::{Bench, Trouble, What};
use crate::store::{self, Durable as _};

/// How `bench http` is run.
#[derive(Debug, Clone, Default, Args)]
pub struct Http {
    /// Make each fsync of every database take so many microseconds longer, as on a slower disk (0:
    /// only watch them). Needs strace and a PostgreSQL that is started here
    #[arg(long, value_name = "MICROS", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub fsync_delay_us: Option<u32>,
    /// Only these subjects: those whose name has this word, such as SQLite or "row locks"
    #[arg(long, value_name = "WORD")]
    pub only: Option<String>,
    /// Only these numbers of connections
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub connections: Vec<u16>,
}

const CONNECTIONS: [u16; 4] = [1, 16, COMPARED, 128];
/// The number of connections at which the peers' pools are tuned and the ratio is taken.
const COMPARED: u16 = 64;
/// Connections of a load that is sent on time, whether answers come or not.
const POURED: u16 = 128;
/// A bound on one measurement: its requests are made before the clock starts.
const REQUESTS_MAX: usize = 80_000;
/// Pool sizes that a peer is tried with.
const POOLS: [usize; 5] = [4, 8, 16, 32, 64];

/// What is to be measured, and where.
struct Course<'a> {
    bench: &'a Bench,
    places: Places,
    delay: Option<Delay>,
    only: Option<String>,
    connections: Vec<u16>,
}

/// One subject under all loads.
#[derive(Debug)]
struct Series {
    aim: Aim,
    subject: String,
    loads: Vec<Load>,
}

impl Series {
    /// The rate that ratios are taken of, where it was measured.
    fn compared(&self) -> Option<f64> {
        let of = |load: &&Load| load.offered.is_none() && load.connections == COMPARED;
        self.loads.iter().find(of).map(Load::rate)
    }

    /// The load at half of what the subject does at most.
    fn poured(&self) -> Option<&Load> {
        self.loads.iter().find(|load| load.offered.is_some())
    }
}

/// Measures all of it: some ten minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let course = Course::plan(bench)?;
    let (mut all, mut targets) = (Vec::new(), Vec::new());
    let mut notes = notes();
    notes.extend(course.delay.map(Delay::remark));
    notes.extend(course.places.remark());
    let aims: &[Aim] = if course.delay.is_some() { &[Aim::Hot] } else { &[Aim::Hot, Aim::Spread] };
    for &aim in aims {
        let mut ours = None;
        for kind in course.places.kinds() {
            let Some(series) = course.market(kind, aim)? else { continue };
            targets.extend(own_targets(&series, kind, &course));
            ours = (kind == Kind::Postgres).then(|| series.compared()).flatten().or(ours);
            all.push(series);
        }
        let has_postgres = course.places.kinds().contains(&Kind::Postgres);
        for way in Way::ALL.into_iter().filter(|_| has_postgres) {
            let Some((pool, series)) = course.rival(way, aim)? else { continue };
            notes.push(format!("{}, {}: best with a pool of {pool}.", way.title(), aim.name()));
            let ratio = ours.zip(series.compared()).map(|(ours, theirs)| ours / theirs);
            targets.extend(ratio.map(|ratio| target(aim, way, ratio, course.delay)));
            all.push(series);
        }
    }
    let (name, title) = match course.delay {
        None => ("http", "bench http: reservations over HTTP, authenticated"),
        Some(_) => ("http-slow-disk", "bench http: reservations over HTTP, on a slower disk"),
    };
    let columns = vec![
        "aim",
        "subject",
        "connections",
        "sent per second",
        "filled",
        "other",
        "per second",
        "p50 us",
        "p99 us",
    ];
    Ok(Sheet { name, title, columns, rows: all.iter().flat_map(rows).collect(), targets, notes })
}

fn rows(series: &Series) -> impl Iterator<Item = Vec<Cell>> {
    series.loads.iter().map(|load| {
        vec![
            Cell::text(series.aim.name()),
            Cell::text(series.subject.clone()),
            Cell::count(u64::from(load.connections)),
            load.offered.map_or_else(|| Cell::text("as answered"), Cell::rate),
            Cell::count(load.filled),
            Cell::count(load.other()),
            Cell::rate(load.rate()),
            Cell::micros(load.spread.p50()),
            Cell::micros(load.spread.p99()),
        ]
    })
}

/// What is promised of our own figures.
fn own_targets(series: &Series, kind: Kind, course: &Course<'_>) -> Vec<Target> {
    let (aim, store) = (series.aim.name(), kind.name());
    let mut targets = Vec::new();
    if let (Kind::Sqlite, None) = (kind, &course.delay)
        && let Some(rate) = series.compared()
    {
        let what = format!("{aim}, {COMPARED} connections: ours on {store}, reservations a second");
        targets.push(Target::at_least(what, 12_000.0, rate));
    }
    if let Some(load) = series.poured() {
        let what = format!("{aim}, half of the peak sent on time: ours on {store}, p99 in ms");
        let millis = super::watch::float(load.spread.p99()) / 1e6;
        targets.push(Target::at_most(what, 50.0, millis));
    }
    targets
}

fn target(aim: Aim, way: Way, ratio: f64, delay: Option<Delay>) -> Target {
    let slower = delay.map_or_else(String::new, |delay| format!(", {delay}"));
    let what = format!("{}, {COMPARED} connections{slower}: ours over {}", aim.name(), way.title());
    let wanted = match (aim, way, delay) {
        (Aim::Hot, Way::Locks, Some(_)) => Some(25.0),
        (Aim::Hot, Way::Locks | Way::Ranges, None) => Some(10.0),
        (Aim::Spread, Way::Locks | Way::Ranges, None) => Some(4.0),
        _ => None,
    };
    match wanted {
        Some(wanted) => Target::at_least(what, wanted, ratio),
        None => Target::shown(what, ratio),
    }
}

fn notes() -> Vec<String> {
    vec![
        "per second: orders answered 201 and filled. The load generator is in this process, one \
         thread, on the same machine; each request has its own idempotency key and one of 128 \
         customers' API keys."
            .to_owned(),
        "sent per second: where it is a number, so many were sent at even distances, whether \
         answers came or not: half of the subject's highest rate. Times are from the instant at \
         which a request was to be sent."
            .to_owned(),
        "ours: the whole server with search over the listings, credit, ledger, events, audit and \
         the remembered answer. The peers: an actix server with the same check of the key that \
         writes order, contract, allocation, two ledger entries, three events, the inventory and \
         credit rows and the remembered answer in one transaction per request, with prepared \
         statements; they do not search, they keep no audit trail and no gap-free event numbers, \
         and none but the row per hour keeps a calendar (a counter, or one unit for any size)."
            .to_owned(),
        format!("the peers' pools: each of {POOLS:?} connections is tried and the best kept."),
    ]
}

/// A folder for a server's keys.
pub fn data_dir(bench: &Bench) -> Result<PathBuf, Trouble> {
    let folder = bench.out.join(format!("server-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl<'a> Course<'a> {
    fn plan(bench: &'a Bench) -> Result<Self, Trouble> {
        let options = match &bench.what {
            What::Http(options) => options.clone(),
            _ => Http::default(),
        };
        let Http { fsync_delay_us, only, mut connections } = options;
        let delay = fsync_delay_us.map(Delay::of).transpose()?;
        if connections.is_empty() {
            let usual: &[u16] = if delay.is_some() { &[COMPARED] } else { &CONNECTIONS };
            connections = usual.to_vec();
        }
        let places = Places::find_slower(bench, delay)?;
        Ok(Self { bench, places, delay, only, connections })
    }

    fn wants(&self, subject: &str) -> bool {
        self.only.as_ref().is_none_or(|word| subject.contains(word.as_str()))
    }

    /// Our server on a fresh database of this kind.
    fn market(&self, kind: Kind, aim: Aim) -> Result<Option<Series>, Trouble> {
        let subject = format!("ours on {}", kind.name());
        if !self.wants(&subject) {
            return Ok(None);
        }
        let place = self.places.fresh(kind)?;
        let mut author = Author::new(aim)?;
        let (mut writer, _) = store::open(&place.url)?;
        writer.load()?;
        author.market.clerk.commit(&mut writer)?;
        drop(writer);
        let data = data_dir(self.bench)?;
        // Where PostgreSQL syncs, our server does not.
        let delay = self.delay.filter(|_| kind == Kind::Sqlite);
        let server = Server::market(&place.url, &data, delay)?;
        let series = self.press(&server, aim, subject, &mut author)?;
        drop(server);
        std::fs::remove_dir_all(data)?;
        place.remove()?;
        Ok(Some(series))
    }

    /// All loads on one server.
    fn press(
        &self,
        server: &Server,
        aim: Aim,
        subject: String,
        author: &mut Author,
    ) -> Result<Series, Trouble> {
        let (port, seconds) = (server.port, self.bench.seconds);
        // What a first second costs (connections, caches, plans) is no part of the figures.
        load::run(port, COMPARED, 1, author.requests(REQUESTS_MAX / 8))?;
        let mut loads = Vec::new();
        for &connections in &self.connections {
            let requests = author.requests(REQUESTS_MAX);
            loads.push(load::run(port, connections, seconds, requests)?);
        }
        let half = loads.iter().map(Load::rate).fold(0.0, f64::max) / 2.0;
        loads.push(load::pour(port, POURED, half, seconds, |count| author.requests(count))?);
        for load in &loads {
            let failures = load.failures();
            if !failures.is_empty() {
                eprintln!("http: {subject}, {} connections: {failures}", load.connections);
            }
        }
        eprintln!("http: {subject}, {} measured", aim.name());
        Ok(Series { aim, subject, loads })
    }

    /// A peer on a fresh database of PostgreSQL, with the pool that suits it best.
    fn rival(&self, way: Way, aim: Aim) -> Result<Option<(usize, Series)>, Trouble> {
        let subject = format!("peer: {}", way.title());
        if !self.wants(&subject) {
            return Ok(None);
        }
        let mut author = Author::new(aim)?;
        let mut best = (0, 0.0);
        let place = self.prepared(way, aim, &author)?;
        for pool in POOLS {
            let server = Server::peer(&place.url, way.word(), pool)?;
            load::run(server.port, COMPARED, 1, author.requests(REQUESTS_MAX / 8))?;
            let load = load::run(server.port, COMPARED, 2, author.requests(REQUESTS_MAX / 2))?;
            if load.rate() > best.1 {
                best = (pool, load.rate());
            }
            drop(server);
        }
        place.remove()?;
        let pool = best.0;
        let place = self.prepared(way, aim, &author)?;
        let server = Server::peer(&place.url, way.word(), pool)?;
        let series = self.press(&server, aim, subject, &mut author)?;
        drop(server);
        place.remove()?;
        Ok(Some((pool, series)))
    }

    fn prepared(&self, way: Way, aim: Aim, author: &Author) -> Result<Place, Trouble> {
        let place = self.places.fresh(Kind::Postgres)?;
        let (listings, hashes) = (aim.listings(), author.hashes());
        place.with_client(async |client| peer::prepare(client, way, listings, &hashes).await)?;
        Ok(place)
    }
}
