//! What the store costs: reservations per second by batch size, and the time to load them again.
//!
//! `cargo bench --profile fast --bench store`, with `HEADROOM_BENCH_CONTRACTS` for how many contracts are
//! loaded (100,000 unless told). Each batch is made by the real engine from orders that fill at once.

#![expect(clippy::disallowed_methods, reason = "a bench looks at its watch")]
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_imports,
    reason = "the tests' market is used as it is"
)]
#![expect(clippy::cast_precision_loss, reason = "rates are shown, not kept")]

#[path = "../tests/store/billed.rs"]
mod billed;
#[path = "../tests/cluster/mod.rs"]
mod cluster;
#[path = "../tests/dice/mod.rs"]
mod dice;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/store/market.rs"]
mod market;
#[allow(dead_code, reason = "the market throws its dice; the tests use the rest")]
#[path = "../tests/store/sample.rs"]
mod sample;

use headroom::store::{self, Durable};
use market::Market;
use std::time::{Duration, Instant};

fn main() {
    let contracts = std::env::var("HEADROOM_BENCH_CONTRACTS").ok();
    let contracts: usize = contracts.map_or(100_000, |count| count.parse().expect("a number"));
    println!("{:<10} {:>7} {:>12} {:>11} {:>11}", "store", "batch", "orders/s", "p50", "p99");
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk");
    for size in [1, 64, 512] {
        let url = format!("sqlite://{}/market-{size}.db", folder.path().display());
        write("sqlite", &url, size, Duration::from_secs(4));
        if let Some(cluster) = cluster::shared() {
            write("postgres", &cluster.fresh(), size, Duration::from_secs(4));
        }
    }
    println!();
    println!("{:<10} {:>10} {:>12}", "store", "contracts", "load");
    load("sqlite", &format!("sqlite://{}/load.db", folder.path().display()), contracts);
    if let Some(cluster) = cluster::shared() {
        load("postgres", &cluster.fresh(), contracts);
    }
}

/// Commits batch after batch for so long; only the commits are timed.
fn write(name: &str, url: &str, size: usize, time: Duration) {
    let (mut writer, _reader) = store::open(url).expect("a store");
    let mut market = Market::with_customers(1, 24);
    writer.commit(&market.batch()).expect("the first commit");
    let mut spent: Vec<Duration> = Vec::new();
    while spent.iter().sum::<Duration>() < time {
        assert!((0..size).all(|_| market.fill()));
        let batch = market.batch();
        let start = Instant::now();
        writer.commit(&batch).expect("a commit");
        spent.push(start.elapsed());
    }
    let total: Duration = spent.iter().sum();
    let rate = (spent.len() * size) as f64 / total.as_secs_f64();
    spent.sort();
    let at = |part: usize| spent[spent.len() * part / 100].as_micros();
    println!("{name:<10} {size:>7} {rate:>12.0} {:>8} us {:>8} us", at(50), at(99));
}

fn load(name: &str, url: &str, contracts: usize) {
    let (mut writer, reader) = store::open(url).expect("a store");
    let mut market = Market::with_customers(1, 80);
    for batch in 0..contracts.div_ceil(1_000) {
        assert!((0..1_000).all(|_| market.fill()), "batch {batch}");
        writer.commit(&market.batch()).expect("a commit");
    }
    let start = Instant::now();
    let loaded = reader.load().expect("a load");
    let took = start.elapsed();
    println!("{name:<10} {:>10} {:>9} ms", loaded.snapshot.contracts.len(), took.as_millis());
}
