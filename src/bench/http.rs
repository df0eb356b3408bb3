//! The whole road: reservations over HTTP with authentication, on the real server in a process of
//! its own, beside the ways most teams would build this, on the same PostgreSQL in the same run.

use std::path::PathBuf;

use super::clerk::Clerk;
use super::load::{self, Load};
use super::market::{Demand, Market, Reach, Shape, Starts};
use super::peer::{self, Listings, Way};
use super::place::{Kind, Place, Places};
use super::server::Server;
use super::sheet::{Cell, Sheet, Target};
use super::{Bench, Trouble};
use crate::engine::order::{Ask, Start};
use crate::http::secret::{Purpose, Secret};
use crate::model::Minute;
use crate::sequencer::{Clock, Written};
use crate::store::{self, Durable as _};

const CONNECTIONS: [usize; 4] = [1, 16, 64, 128];
/// The number of connections at which the peers' pools are tuned and the ratio is taken.
const COMPARED: usize = 64;
/// A bound on one measurement: its requests are made before the clock starts.
const REQUESTS_MAX: usize = 80_000;
/// Pool sizes that a peer is tried with.
const POOLS: [usize; 5] = [4, 8, 16, 32, 64];
const CUSTOMERS: usize = 128;
const DEMAND: Demand = Demand { starts: Starts::Fixed, reach: Reach::Region, size: None };

/// What the requests are aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Everybody wants the same listing.
    Hot,
    /// A thousand listings in a hundred pools; an order looks at a hundred of them.
    Spread,
}

impl Aim {
    const fn name(self) -> &'static str {
        match self {
            Self::Hot => "one hot listing",
            Self::Spread => "1,000 listings",
        }
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Hot => Shape {
                pools: 1,
                listings_per_pool: 1,
                gpus_per_listing: 1_600_000,
                supported: false,
            },
            Self::Spread => Shape {
                pools: 100,
                listings_per_pool: 10,
                gpus_per_listing: 8_000,
                supported: false,
            },
        }
    }

    const fn listings(self) -> Listings {
        match self {
            Self::Hot => Listings(1),
            Self::Spread => Listings(1_000),
        }
    }
}

/// One subject under all loads.
#[derive(Debug)]
struct Series {
    aim: Aim,
    subject: String,
    loads: Vec<Load>,
}

impl Series {
    fn compared(&self) -> &Load {
        let compared = self.loads.iter().find(|load| load.connections == COMPARED);
        compared.expect("it is one of the loads")
    }
}

/// Makes requests: the customers' keys in the clear, and orders of a market.
pub struct Author {
    secrets: Vec<String>,
    pub market: Market,
    sent: u64,
}

/// Measures all of it: some six minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let places = Places::find(bench)?;
    let (mut all, mut targets) = (Vec::new(), Vec::new());
    let mut notes = notes();
    notes.extend(places.remark());
    for aim in [Aim::Hot, Aim::Spread] {
        let mut ours = None;
        for kind in places.kinds() {
            let series = market(bench, &places, kind, aim)?;
            ours = (kind == Kind::Postgres).then(|| series.compared().rate()).or(ours);
            all.push(series);
        }
        let Some(ours) = ours else { continue };
        for way in Way::ALL {
            let (pool, series) = rival(bench, &places, way, aim)?;
            notes.push(format!("{}, {}: best with a pool of {pool}.", way.title(), aim.name()));
            let ratio = ours / series.compared().rate();
            targets.extend(target(aim, way, ratio));
            all.push(series);
        }
    }
    Ok(Sheet {
        name: "http",
        title: "bench http: reservations over HTTP, authenticated",
        columns: vec![
            "aim",
            "subject",
            "connections",
            "filled",
            "other",
            "per second",
            "p50 us",
            "p99 us",
        ],
        rows: all.iter().flat_map(rows).collect(),
        targets,
        notes,
    })
}

fn rows(series: &Series) -> impl Iterator<Item = Vec<Cell>> {
    series.loads.iter().map(|load| {
        vec![
            Cell::text(series.aim.name()),
            Cell::text(series.subject.clone()),
            Cell::count(u64::try_from(load.connections).expect("a 64-bit length")),
            Cell::count(load.filled),
            Cell::count(load.other()),
            Cell::rate(load.rate()),
            Cell::micros(load.spread.p50()),
            Cell::micros(load.spread.p99()),
        ]
    })
}

fn target(aim: Aim, way: Way, ratio: f64) -> Option<Target> {
    let what = format!("{}, {COMPARED} connections: ours over {}", aim.name(), way.title());
    match (aim, way) {
        (Aim::Hot, Way::Locks) => Some(Target::at_least(what, 5.0, ratio)),
        _ => Some(Target::shown(what, ratio)),
    }
}

fn notes() -> Vec<String> {
    vec![
        "per second: orders answered 201 and filled. The load generator is in this process, one \
         thread, on \
         the same machine; each request has its own idempotency key and one of 128 customers' \
         API keys."
            .to_owned(),
        "ours: the whole server with search over the listings, credit, ledger, events, audit and \
         the \
         remembered answer. The peers: an actix server with the same check of the key that \
         writes order, \
         contract, allocation, two ledger entries, three events, the inventory and credit rows \
         and the \
         remembered answer in one transaction per request, with prepared statements; they do not \
         search, \
         they keep no calendar (a counter, or one unit for any size), no audit trail and no \
         gap-free event \
         numbers."
            .to_owned(),
        format!("the peers' pools: each of {POOLS:?} connections is tried and the best kept."),
    ]
}

/// Our server on a fresh database of this kind.
fn market(bench: &Bench, places: &Places, kind: Kind, aim: Aim) -> Result<Series, Trouble> {
    let place = places.fresh(kind)?;
    let mut author = Author::new(aim)?;
    let (mut writer, _) = store::open(&place.url)?;
    writer.load()?;
    author.market.clerk.commit(&mut writer)?;
    drop(writer);
    let data = data_dir(bench)?;
    let server = Server::market(&place.url, &data)?;
    let subject = format!("ours on {}", kind.name());
    let series = press(bench, &server, aim, subject, &mut author)?;
    drop(server);
    std::fs::remove_dir_all(data)?;
    place.remove()?;
    Ok(series)
}

/// A folder for a server's keys.
pub fn data_dir(bench: &Bench) -> Result<PathBuf, Trouble> {
    let folder = bench.out.join(format!("server-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// All loads on one server.
fn press(
    bench: &Bench,
    server: &Server,
    aim: Aim,
    subject: String,
    author: &mut Author,
) -> Result<Series, Trouble> {
    // What a first second costs (connections, caches, plans) is no part of the figures.
    load::run(server.port, COMPARED, 1, author.requests(REQUESTS_MAX / 8))?;
    let mut loads = Vec::new();
    for connections in CONNECTIONS {
        let requests = author.requests(REQUESTS_MAX);
        let load = load::run(server.port, connections, bench.seconds, requests)?;
        let failures = load.failures();
        if !failures.is_empty() {
            eprintln!("http: {subject}, {connections} connections: {failures}");
        }
        loads.push(load);
    }
    eprintln!("http: {subject}, {} measured", aim.name());
    Ok(Series { aim, subject, loads })
}

/// A peer on a fresh database of PostgreSQL, with the pool that suits it best.
fn rival(bench: &Bench, places: &Places, way: Way, aim: Aim) -> Result<(usize, Series), Trouble> {
    let mut author = Author::new(aim)?;
    let mut best = (0, 0.0);
    for pool in POOLS {
        let place = prepared(places, aim, &author)?;
        let server = Server::peer(&place.url, way.word(), pool)?;
        load::run(server.port, COMPARED, 1, author.requests(REQUESTS_MAX / 8))?;
        let load = load::run(server.port, COMPARED, 2, author.requests(REQUESTS_MAX / 2))?;
        if load.rate() > best.1 {
            best = (pool, load.rate());
        }
        drop(server);
        place.remove()?;
    }
    let pool = best.0;
    let place = prepared(places, aim, &author)?;
    let server = Server::peer(&place.url, way.word(), pool)?;
    let subject = format!("peer: {}", way.title());
    let series = press(bench, &server, aim, subject, &mut author)?;
    drop(server);
    place.remove()?;
    Ok((pool, series))
}

fn prepared(places: &Places, aim: Aim, author: &Author) -> Result<Place, Trouble> {
    let place = places.fresh(Kind::Postgres)?;
    let hashes: Vec<[u8; 32]> = author.secrets.iter().map(|secret| digest(secret)).collect();
    place.with_client(async |client| peer::prepare(client, aim.listings(), &hashes).await)?;
    Ok(place)
}

fn digest(secret: &str) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(secret.as_bytes()).into()
}

impl Author {
    /// Customers of a fresh market.
    pub fn new(aim: Aim) -> Result<Self, Trouble> {
        let secrets: Vec<Secret> =
            (0..CUSTOMERS).map(|_| Secret::fresh(Purpose::LiveKey)).collect();
        let hashes: Vec<[u8; 32]> = secrets.iter().map(Secret::hash).collect();
        let clerk = Clerk::new(Clock::System.now(), |_, _, _| Written {
            status: 201,
            headers: String::new(),
            body: Vec::new(),
        });
        let market = Market::open(clerk, aim.shape(), |customer| hashes[customer])?;
        let secrets = secrets.into_iter().map(Secret::reveal).collect();
        Ok(Self { secrets, market, sent: 0 })
    }

    /// So many requests that were never made before.
    fn requests(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.request()).collect()
    }

    /// As many of one customer.
    pub fn requests_of(&mut self, who: usize, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.request_of(who)).collect()
    }

    fn request(&mut self) -> Vec<u8> {
        let who = usize::try_from(self.sent + 1).expect("a 64-bit length") % self.secrets.len();
        self.request_of(who)
    }

    fn request_of(&mut self, who: usize) -> Vec<u8> {
        self.sent += 1;
        let (_, ask) = self.market.next_order(DEMAND);
        let body = body(&ask);
        let (secret, number, length) = (&self.secrets[who], self.sent, body.len());
        format!(
            "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\
             Idempotency-Key: bench-{number}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// An order in the API's words.
fn body(ask: &Ask) -> String {
    let start: Minute = match ask.start {
        Start::At(start) => start,
        Start::Now | Start::Between { .. } => unreachable!("these orders have a fixed start"),
    };
    serde_json::json!({
        "sku": ask.skus[0],
        "regions": ask.regions,
        "gpus": ask.gpus,
        "start_at": start.to_string(),
        "duration_hours": ask.minutes / 60,
        "limit_price_per_gpu_hour": ask.limit.map(|limit| limit.to_string()),
    })
    .to_string()
}
