//! The real server under load, killed with `kill -9` at random moments and started again: every
//! order that was acknowledged is there, exactly once, and a retry gets the first answer's bytes.
//!
//! `HEADROOM_KILLS=200 cargo test --test kill` kills more often than the ordinary run, 10000 for a
//! night; with `-- --nocapture` it says how far it is. `HEADROOM_KILL_SEED` draws the same moments
//! again, as far as a machine repeats itself.

#[path = "../cluster/mod.rs"]
mod cluster;
mod disk;
mod outage;
mod relay;
mod server;
mod stage;

use std::path::Path;

use server::{Server, verify};
use stage::{Load, each_is_there_once, pause};

/// Kills in the ordinary run.
const KILLS: usize = 10;

/// Kills of one market. Then it is looked at, taken away, and a fresh one opened: a night of them
/// fills no disk, and what went wrong is known within minutes.
const KILLS_OF_ONE: usize = 250;

#[expect(clippy::disallowed_methods, reason = "only the tests' own reader of the environment")]
fn set<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn kills() -> usize {
    set("HEADROOM_KILLS").unwrap_or(KILLS)
}

#[test]
fn sqlite_keeps_every_acknowledged_order_exactly_once() {
    in_markets("sqlite", |chance, kills| {
        let folder = tempfile::tempdir().expect("a folder");
        survive(folder.path(), "sqlite://headroom.db", chance, kills)
    });
}

#[test]
fn postgres_keeps_every_acknowledged_order_exactly_once() {
    let Some(cluster) = cluster::shared() else { return };
    in_markets("postgres", |chance, kills| {
        let folder = tempfile::tempdir().expect("a folder");
        let database = cluster.fresh();
        let count = survive(folder.path(), &database, chance, kills);
        cluster.remove(&database);
        count
    });
}

/// All kills, one market after the other. `survive` answers how many orders were acknowledged.
fn in_markets(kind: &str, mut survive: impl FnMut(&mut Chance, usize) -> usize) {
    let watch = headroom::sequencer::Stopwatch::start();
    let (mut chance, all) = (Chance::new(), kills());
    let (mut done, mut acknowledged) = (0, 0);
    while done < all {
        let kills = KILLS_OF_ONE.min(all - done);
        acknowledged += survive(&mut chance, kills);
        done += kills;
        let seconds = watch.seconds();
        let each = seconds / f64::from(u32::try_from(done).expect("a night's worth"));
        let left = each * f64::from(u32::try_from(all - done).expect("a night's worth"));
        println!(
            "{kind}: {acknowledged} orders acknowledged over {done} kills of {all}, {seconds:.0} \
             s; {:.0} minutes left",
            left / 60.0
        );
    }
}

/// A linear congruential generator is chance enough for a moment to die at.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = set("HEADROOM_KILL_SEED").unwrap_or_else(rand::random::<u64>);
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// A market's whole life. Answers how many orders were acknowledged.
fn survive(folder: &Path, database: &str, chance: &mut Chance, count: usize) -> usize {
    let mut server = Server::start(folder, database);
    // A night's worth of orders at full speed would be more than the kills are about.
    let rest = if kills() > 1_000 { 50 } else { 0 };
    let mut load = Load::begin(&[&server.url], rest);
    for _ in 0..count {
        load.stage.wait_for_an_answer();
        pause(chance.below(400));
        server.kill();
        server = Server::start(folder, database);
        load.stage.set_urls(&[&server.url]);
    }
    load.stage.wait_for_an_answer();
    let acknowledged = load.end();
    assert!(acknowledged.len() > count, "each life had its answers");

    each_is_there_once(&server.url, &load, &acknowledged);
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, database);
    assert!(is_sound, "{report}");
    acknowledged.len()
}
