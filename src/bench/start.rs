//! How long the server needs from exec to ready with so many live contracts, and the memory it
//! then has.

use super::clerk::Clerk;
use super::market::{Demand, Market, Reach, Shape, Starts, digest_of, is_filled};
use super::place::{Place, Places};
use super::server::Server;
use super::sheet::{Cell, Sheet, Target};
use super::{Bench, Trouble};
use crate::sequencer::{Clock, Written};
use crate::store::{self, Durable as _};

const LIVE: [u64; 2] = [1_000, 100_000];
const LIVE_LONG: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Starts of each database; the median counts.
const TIMES: usize = 3;
/// Orders in one commit of the filling.
const BATCH: u64 = 2_000;
const DEMAND: Demand = Demand { starts: Starts::Fixed, reach: Reach::Region, size: None };

/// Measures all of it: under a minute; with 1M contracts some minutes.
pub fn run(bench: &Bench) -> Result<Sheet, Trouble> {
    let places = Places::find(bench)?;
    let sizes: &[u64] = if bench.long { &LIVE_LONG } else { &LIVE };
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for kind in places.kinds() {
        for &live in sizes {
            let place = places.fresh(kind)?;
            fill(&place, live)?;
            let (seconds, kib) = start(bench, &place)?;
            place.remove()?;
            rows.push(vec![
                Cell::text(kind.name()),
                Cell::count(live),
                Cell::seconds(seconds),
                Cell::count(kib / 1_024),
            ]);
            let wanted = match live {
                100_000 => Some(3.0),
                1_000_000 => Some(10.0),
                _ => None,
            };
            let what = format!("{}: seconds to ready with {live} live contracts", kind.name());
            targets.extend(wanted.map(|wanted| Target::at_most(what, wanted, seconds)));
            eprintln!("start: {} with {live} measured", kind.name());
        }
    }
    let mut notes = vec![
        "from exec to the first 200 of /readyz, asked every 2 ms; the median of three starts; \
         the files \
         are in the page cache. 1,000 pools, 10,000 listings, and one remembered idempotency key \
         for each \
         contract beside it."
            .to_owned(),
        "memory: the resident set of the whole server once it is ready.".to_owned(),
    ];
    notes.extend(places.remark());
    Ok(Sheet {
        name: "start",
        title: "bench start: from exec to ready",
        columns: vec!["store", "live contracts", "seconds to ready", "resident MiB"],
        rows,
        targets,
        notes,
    })
}

/// A database with so many live contracts, made by real orders.
fn fill(place: &Place, live: u64) -> Result<(), Trouble> {
    let shape = Shape::for_orders(1_000, 10, live, 2.0);
    let clerk = Clerk::new(Clock::System.now(), |_, _, _| Written {
        status: 201,
        headers: String::new(),
        body: vec![b'x'; 600],
    });
    let mut market = Market::open(clerk, shape, digest_of)?;
    let (mut writer, _) = store::open(&place.url)?;
    writer.load()?;
    let mut filled = 0;
    while filled < live {
        for _ in 0..BATCH.min(live - filled) {
            let (actor, command) = market.next_command(DEMAND);
            let key = market.next_key();
            let answer = market.clerk.ask(actor, Some(key), command)?;
            filled += u64::from(is_filled(&answer));
        }
        market.clerk.commit(&mut writer)?;
    }
    Ok(())
}

/// The median seconds, and the memory of the last start.
fn start(bench: &Bench, place: &Place) -> Result<(f64, u64), Trouble> {
    let data = bench.out.join(format!("server-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    let (mut all, mut kib) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let server = Server::market(&place.url, &data, None)?;
        all.push(server.ready_seconds);
        kib = server.resident_kib();
    }
    std::fs::remove_dir_all(data)?;
    all.sort_by(f64::total_cmp);
    Ok((all[TIMES / 2], kib))
}
