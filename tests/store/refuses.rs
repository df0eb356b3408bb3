//! What a store does not do: write for two, write for the deposed, believe a row that is not there, write
//! half of a batch, or open what it cannot.

use crate::market::Market;
use crate::sample::{Sample, batch};
use crate::{Place, cluster, twin};
use headroom::engine::Effects;
use headroom::store::{self, Durable, Fault, check};

twin! {
    a_second_writer_is_refused_until_the_first_is_gone
    a_deposed_writer_writes_nothing
    a_thing_is_born_once
    a_thing_that_changes_is_there
    what_a_reservation_refers_to_is_there
    half_a_batch_is_nothing
    after_a_fault_nothing_is_written_until_all_is_loaded
    a_newer_schema_is_not_touched
    readers_cannot_write
}

fn a_second_writer_is_refused_until_the_first_is_gone(place: &Place) {
    let (writer, _) = place.open();
    let second = store::open(&place.url()).unwrap_err();
    assert!(matches!(second, Fault::Deposed), "{second}");
    assert_eq!(second.to_string(), "another writer owns this database");
    drop(writer);
    let (mut writer, _) = place.open();
    writer.commit(&batch(1, &[0; 32], Effects::default())).unwrap();
}

fn a_deposed_writer_writes_nothing(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(1);
    writer.commit(&market.batch()).unwrap();
    let before = reader.load().unwrap();
    place.execute("UPDATE meta SET commit_no = 7");
    assert!(market.fill());
    let fault = writer.commit(&market.batch()).unwrap_err();
    assert!(matches!(fault, Fault::Deposed), "{fault}");
    place.execute("UPDATE meta SET commit_no = 1");
    let after = reader.load().unwrap();
    assert_eq!(after.snapshot, before.snapshot);
    assert_eq!(check(&reader).unwrap(), Vec::<String>::new());
}

fn a_thing_is_born_once(place: &Place) {
    let (mut writer, _) = place.open();
    let market = Sample::throw(3, 1, 2);
    let first = batch(1, &[0; 32], market.effects(true));
    writer.commit(&first).unwrap();
    let again = writer.commit(&batch(2, &first.hash, market.effects(true))).unwrap_err();
    assert!(matches!(again, Fault::Database(_)), "{again}");
    assert_eq!(writer.load().unwrap().number, 1);
}

fn a_thing_that_changes_is_there(place: &Place) {
    let (mut writer, _) = place.open();
    let few = batch(1, &[0; 32], Sample::throw(3, 1, 2).effects(true));
    writer.commit(&few).unwrap();
    let more = Sample::throw(4, 1, 2);
    let fault = writer.commit(&batch(2, &few.hash, more.effects(false))).unwrap_err();
    assert!(matches!(fault, Fault::Corrupt(_)), "{fault}");
    let loaded = writer.load().unwrap();
    assert_eq!((loaded.number, loaded.snapshot.organizations.len()), (1, 3));
}

/// A copy of a row that names a parent which is nowhere; with its parents it is welcome.
fn what_a_reservation_refers_to_is_there(place: &Place) {
    let (mut writer, _reader) = place.open();
    let mut market = Market::open(1);
    while !market.fill() {}
    writer.commit(&market.batch()).unwrap();
    let (nowhere, fresh) = (place.id_literal(7), place.id_literal(8));
    let on = if matches!(place, Place::Sqlite(_)) { "PRAGMA foreign_keys = ON;" } else { "" };
    let fresh = format!("id = {fresh}");
    let rows: [(&str, &str, &[&str]); 5] = [
        ("audit", "seq = seq + 7777", &["commit_no"]),
        ("orders", &fresh, &["org"]),
        ("contracts", &fresh, &["order_id", "line", "pool"]),
        ("allocations", "place = place + 7777", &["contract", "listing"]),
        ("events", "no = no + 7777", &["org"]),
    ];
    for (table, key, references) in rows {
        let copy = |change: &str| {
            place.try_execute(&format!(
                "{on} CREATE TEMP TABLE copy AS SELECT * FROM {table} LIMIT 1;
                 UPDATE copy SET {key} {change}; INSERT INTO {table} SELECT * FROM copy;"
            ))
        };
        for reference in references {
            let orphan = if *reference == "commit_no" { "7777" } else { &nowhere };
            assert!(copy(&format!(", {reference} = {orphan}")).is_err(), "{table}.{reference}");
        }
        assert_eq!(copy(""), Ok(()), "{table}");
    }
}

fn half_a_batch_is_nothing(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut sample = Sample::throw(3, 1, 2);
    // The very last table written refuses.
    sample.kept[2].seq = sample.kept[1].seq;
    let fault = writer.commit(&batch(1, &[0; 32], sample.effects(true))).unwrap_err();
    assert!(matches!(fault, Fault::Database(_)), "{fault}");
    let loaded = reader.load().unwrap();
    assert_eq!((loaded.number, loaded.snapshot.organizations.len()), (0, 0));
}

fn after_a_fault_nothing_is_written_until_all_is_loaded(place: &Place) {
    let (mut writer, _) = place.open();
    let wrong = batch(2, &[0; 32], Effects::default());
    assert!(matches!(writer.commit(&wrong).unwrap_err(), Fault::Deposed));
    let right = batch(1, &[0; 32], Effects::default());
    let fault = writer.commit(&right).unwrap_err();
    assert!(fault.to_string().contains("until all is loaded again"), "{fault}");
    assert_eq!(writer.load().unwrap().number, 0);
    writer.commit(&right).unwrap();
    assert_eq!(writer.load().unwrap().number, 1);
}

fn a_newer_schema_is_not_touched(place: &Place) {
    drop(place.open());
    place.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    let fault = store::open(&place.url()).unwrap_err();
    assert!(matches!(fault, Fault::Newer(_)), "{fault}");
    assert!(fault.to_string().contains("99990101000000"), "{fault}");
}

fn readers_cannot_write(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(1);
    writer.commit(&market.batch()).unwrap();
    // Reading goes on while the writer is at it, and sees whole commits only.
    let reading = std::thread::spawn(move || {
        (0..50).map(|_| reader.load().unwrap().number).collect::<Vec<_>>()
    });
    for _ in 0..50 {
        assert!(market.fill());
        writer.commit(&market.batch()).unwrap();
    }
    let seen = reading.join().unwrap();
    assert!(seen.is_sorted() && seen[0] >= 1 && seen[49] <= 51, "{seen:?}");
}

#[test]
fn addresses_that_cannot_be_are_explained_and_never_repeated() {
    for (url, told) in [
        ("", "sqlite:// or postgres://"),
        ("mysql://root:hunter2@localhost/x", "sqlite:// or postgres://"),
        ("sqlite://", "needs a path"),
        ("sqlite://:memory:", "no :memory:"),
        ("sqlite:///x.db?mode=ro", "no parameters"),
        ("sqlite:relative.db", "needs a path"),
        ("postgres://localhost", "needs a database"),
        ("postgres://u:hunter2@localhost:nowhere/x", "not a PostgreSQL address"),
        ("postgres://u:hunter2@localhost/x?sslmode=perhaps", "sslmode"),
        ("postgres://u:hunter2@localhost/x?colour=red", "colour"),
    ] {
        let fault = store::open(url).unwrap_err();
        assert!(matches!(fault, Fault::Address(_)), "{url}: {fault}");
        let said = format!("{fault} {fault:?}");
        assert!(said.contains(told), "{url}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "Dear Sir or Madam, this is not a database. ".repeat(100)).unwrap();
    let fault = store::open(&format!("sqlite://{}", path.display())).unwrap_err();
    assert!(fault.to_string().contains("not a database"), "{fault}");
    let fault = store::open_to_read("sqlite:///nowhere/market.db").unwrap_err();
    assert!(fault.to_string().contains("there is no database at"), "{fault}");
    assert!(std::fs::read_to_string(path).unwrap().starts_with("Dear"));
}

#[test]
fn a_database_that_cannot_be_reached_says_why() {
    let Some(cluster) = cluster::shared() else { return };
    cluster.fresh();
    for (url, told) in [
        (cluster.tcp_url("postgres", "wrong"), "does not accept this user and password"),
        (cluster.tcp_url("no_such_market", cluster::PASSWORD), "no such database"),
        ("postgres://u:hunter2@127.0.0.1:1/x".to_owned(), "could not be reached"),
        (
            cluster.tcp_url("postgres?sslmode=require", cluster::PASSWORD),
            "server does not support TLS",
        ),
    ] {
        let fault = store::open(&url).unwrap_err();
        let said = format!("{fault} {fault:?}");
        assert!(said.contains(told), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("wrong"), "{said}");
    }
    let (mut writer, _) = store::open(&cluster.tcp_url("postgres", cluster::PASSWORD)).unwrap();
    assert_eq!(writer.load().unwrap().number, 0);
}

#[test]
fn a_writer_whose_session_was_killed_loads_and_goes_on() {
    let Some(cluster) = cluster::shared() else { return };
    let url = cluster.fresh();
    let (mut writer, reader) = store::open(&url).unwrap();
    let mut market = Market::open(1);
    writer.commit(&market.batch()).unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    cluster::execute(&url, kill);
    assert!(market.fill());
    let lost = market.batch();
    let fault = writer.commit(&lost).unwrap_err();
    assert!(matches!(fault, Fault::Database(_)), "{fault}");
    assert_eq!(writer.load().unwrap().number, 1);
    writer.commit(&lost).unwrap();
    cluster::execute(&url, kill);
    market.assert_rebuilt(writer.load().unwrap_or_else(|_| writer.load().unwrap()));
    market.assert_rebuilt(reader.load().unwrap());
}
