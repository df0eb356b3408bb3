//! The real server under load, killed with `kill -9` at random moments and started again: every
//! order that was acknowledged is there, exactly once, and a retry gets the first answer's bytes.
//!
//! `HEADROOM_KILLS=200 cargo test --test kill` kills more often than the ordinary run.

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

#[expect(clippy::disallowed_methods, reason = "only the tests' own reader of the environment")]
fn kills() -> usize {
    std::env::var("HEADROOM_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(KILLS)
}

#[test]
fn sqlite_keeps_every_acknowledged_order_exactly_once() {
    let folder = tempfile::tempdir().expect("a folder");
    survive(folder.path(), "sqlite://headroom.db");
}

#[test]
fn postgres_keeps_every_acknowledged_order_exactly_once() {
    let Some(cluster) = cluster::shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    survive(folder.path(), &cluster.fresh());
}

/// A linear congruential generator is chance enough for a moment to die at.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn survive(folder: &Path, database: &str) {
    let mut chance = Chance::new();
    let mut server = Server::start(folder, database);
    // A night's worth of orders at full speed would be more than the kills are about.
    let rest = if kills() > 1_000 { 50 } else { 0 };
    let mut load = Load::begin(&[&server.url], rest);
    for _ in 0..kills() {
        load.stage.wait_for_an_answer();
        pause(chance.below(400));
        server.kill();
        server = Server::start(folder, database);
        load.stage.set_urls(&[&server.url]);
    }
    load.stage.wait_for_an_answer();
    let acknowledged = load.end();
    let kind = database.split(':').next().expect("an address has a scheme");
    println!("{kind}: {} orders acknowledged over {} kills", acknowledged.len(), kills());
    assert!(acknowledged.len() > kills(), "each life had its answers");

    each_is_there_once(&server.url, &load, &acknowledged);
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, database);
    assert!(is_sound, "{report}");
}
