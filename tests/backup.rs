//! A restore drill: a market is backed up while customers order, and brought back into a fresh
//! place of either kind. Every order that was acknowledged before the backup began is there, with
//! its first answer, and the market goes on.

#[path = "cluster/mod.rs"]
mod cluster;
#[path = "kill/server.rs"]
mod server;
#[path = "kill/stage.rs"]
mod stage;

use std::fs;
use std::path::Path;
use std::process::Output;

use server::{Server, binary, verify};
use stage::{Acknowledged, Load, Said, orders};

/// Orders that are in before the backup begins.
const ORDERS: usize = 300;

#[test]
fn a_market_in_a_file_comes_back_from_its_backup() {
    drill("sqlite://headroom.db");
}

#[test]
fn a_market_in_postgres_comes_back_from_its_backup() {
    let Some(cluster) = cluster::shared() else { return };
    drill(&cluster.fresh());
}

fn drill(database: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), database);
    let mut load = Load::begin(&[&server.url], 0);
    while load.stage.count() < ORDERS {
        load.stage.wait_for_an_answer();
    }
    let before = load.stage.acknowledged();
    let backup = folder.path().join("market.backup");
    let made = back_up(folder.path(), database, &backup);
    assert!(made.status.success(), "{}", words(&made));
    load.stage.wait_for_an_answer();
    let all = load.end();
    println!("{} orders before, {} after: {}", before.len(), all.len(), words(&made));
    assert!(server.stop().success(), "it stops in good order");

    // It never writes over another one.
    let bytes = fs::read(&backup).expect("a backup");
    let again = back_up(folder.path(), database, &backup);
    assert_eq!(again.status.code(), Some(1), "{}", words(&again));
    assert!(words(&again).contains("there already"), "{}", words(&again));
    assert_eq!(fs::read(&backup).expect("a backup"), bytes);

    let (is_sound, report) = verify(folder.path(), &format!("sqlite://{}", backup.display()));
    assert!(is_sound, "{report}");
    let digest = digest(&report);
    let mut places = vec!["sqlite://headroom.db".to_owned()];
    places.extend(cluster::shared().map(cluster::Cluster::fresh));
    for place in places {
        let there = tempfile::tempdir().expect("a folder");
        let back = restore(there.path(), &backup, &place);
        assert!(back.status.success(), "{}", words(&back));
        assert_eq!(self::digest(&words(&back)), digest, "it is the same market");
        let twice = restore(there.path(), &backup, &place);
        assert_eq!(twice.status.code(), Some(1), "{}", words(&twice));
        assert!(words(&twice).contains("already"), "{}", words(&twice));
        goes_on(there.path(), &place, &load, &before, &all);
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("plain letters"))
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

/// What was said before the backup is there, what is there was said, and there is room for more.
fn goes_on(folder: &Path, place: &str, load: &Load, before: &Acknowledged, all: &Acknowledged) {
    let server = Server::start(folder, place);
    let customer = &load.customer;
    let found = orders(&server.url, customer);
    println!("{} orders in {place}", found.len());
    for (key, said) in before {
        assert_eq!(found.get(key), Some(&said.id), "{key} was acknowledged before the backup");
    }
    for (key, id) in &found {
        assert_eq!(all.get(key).map(|said| &said.id), Some(id), "{key} was acknowledged");
    }
    let url = format!("{}/v1/orders", server.url);
    let ask = |key: &str| customer.post(&url, key, &load.stage.order(key)).expect("an answer");
    for (key, said) in before.iter().take(50) {
        let reply = ask(key);
        assert_eq!((reply.status, reply.replayed), (201, true), "{key}");
        assert_eq!(&Said::of(&reply.body), said, "{key}");
    }
    let reply = ask("the first of a new life");
    assert_eq!((reply.status, reply.replayed), (201, false));
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, place);
    assert!(is_sound, "{report}");
}

fn back_up(folder: &Path, database: &str, out: &Path) -> Output {
    binary(folder, database).arg("backup").arg("--out").arg(out).output().expect("it runs")
}

fn restore(folder: &Path, from: &Path, database: &str) -> Output {
    binary(folder, database).arg("restore").arg(from).output().expect("it runs")
}

fn words(output: &Output) -> String {
    (String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr)).into_owned()
}

/// The digest of the engine, as `verify` writes it.
fn digest(report: &str) -> String {
    let line = report.lines().find_map(|line| line.trim().strip_prefix("digest"));
    line.unwrap_or_else(|| panic!("no digest in {report}")).trim().to_owned()
}

/// A market with everything in it goes through both databases and comes out as it was.
#[test]
fn a_market_of_every_kind_goes_round_through_both_databases() {
    let Some(cluster) = cluster::shared() else { return };
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let [first, second, third] = &folders[..] else { unreachable!("three were made") };
    let (file, postgres) = ("sqlite://headroom.db", cluster.fresh());
    let made = binary(first.path(), file)
        .args(["demo", "--no-serve", "--orders", "200", "--advance", "3mo"])
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{}", words(&made));

    let stations = [(first, file), (second, postgres.as_str()), (third, file)];
    for (number, pair) in stations.windows(2).enumerate() {
        let [(here, from), (there, to)] = pair else { unreachable!("two at a time") };
        let backup = here.path().join(format!("{number}.backup"));
        let saved = back_up(here.path(), from, &backup);
        assert!(saved.status.success(), "{}", words(&saved));
        let back = restore(there.path(), &backup, to);
        assert!(back.status.success(), "{}", words(&back));
    }
    let seen = stations.map(|(folder, place)| {
        let (is_sound, report) = verify(folder.path(), place);
        assert!(is_sound, "{report}");
        let exports = ["entries", "invoices", "contracts", "beancount"].map(|what| {
            let file = binary(folder.path(), place).args(["export", what]).output();
            let file = file.expect("it runs");
            assert!(file.status.success() && file.stdout.len() > 1_000, "{}", words(&file));
            file.stdout
        });
        (report, exports)
    });
    assert!(seen[0] == seen[1] && seen[1] == seen[2], "{} {} {}", seen[0].0, seen[1].0, seen[2].0);
}
