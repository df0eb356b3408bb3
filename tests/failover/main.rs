//! Two servers on one database: the second stands by and takes over when the first dies or hangs.
//! Nothing that was acknowledged is lost, nothing happens twice, and a leader that has lost its
//! place cannot write. And a database with a copy that follows: the same when the first one burns.
//!
//! `HEADROOM_FAILOVERS=50 cargo test --test failover` goes round more often than the ordinary run.

#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../kill/server.rs"]
mod server;
#[path = "../kill/stage.rs"]
mod stage;

use std::path::Path;

use cluster::own::Own;
use headroom::sequencer::Stopwatch;
use server::{Server, verify};
use stage::{Load, each_is_there_once, pause};

/// Rounds in the ordinary run; in each the leader is killed once and stopped once.
const ROUNDS: usize = 2;

/// Within so many seconds the second must lead, in a market of this size.
const BOUND_SECONDS: f64 = 10.0;

#[expect(clippy::disallowed_methods, reason = "only the tests' own reader of the environment")]
fn rounds() -> usize {
    std::env::var("HEADROOM_FAILOVERS").ok().and_then(|count| count.parse().ok()).unwrap_or(ROUNDS)
}

#[test]
fn the_second_takes_over_from_one_that_died_or_hangs() {
    let Some(cluster) = cluster::shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, database) = (folder.path(), cluster.fresh());

    // Both have the same signing key, from the same folder.
    let mut leader = Server::start_or_stand_by(folder, &database);
    let mut second = Server::start_or_stand_by(folder, &database);
    let mut load = Load::begin(&[&leader.url, &second.url], 0);
    a_second_shows_and_does_not_write(&leader, &second, &load);

    let mut slowest: f64 = 0.0;
    for round in 0..rounds() {
        work(&load);
        leader.kill();
        let seconds = second.wait_until("ready");
        println!("round {round}: leads {seconds:.2} s after the leader was killed");
        slowest = slowest.max(seconds);
        leader = second;
        second = Server::start_or_stand_by(folder, &database);
        assert_eq!(second.readiness(), "standby");
        load.stage.set_urls(&[&leader.url, &second.url]);

        work(&load);
        leader.signal("STOP");
        let seconds = second.wait_until("ready");
        println!("round {round}: leads {seconds:.2} s after the leader was stopped");
        slowest = slowest.max(seconds);
        load.stage.wait_for_an_answer();
        std::mem::swap(&mut leader, &mut second);
        one_that_was_deposed_cannot_write(round, &second, &leader, &load);
    }
    assert!(slowest <= BOUND_SECONDS, "the slowest took {slowest:.1} s");

    load.stage.wait_for_an_answer();
    let mut acknowledged = load.end();
    println!("{} orders acknowledged over {} takeovers", acknowledged.len(), 2 * rounds());
    for round in 0..rounds() {
        let key = deposed_key(round);
        let again =
            load.customer.post(&format!("{}/v1/orders", leader.url), &key, &load.stage.order(&key));
        acknowledged.insert(key, stage::Said::of(&again.expect("an answer").body));
    }
    each_is_there_once(&leader.url, &load, &acknowledged);
    assert!(leader.stop().success(), "the leader stops in good order");
    second.wait_until("ready");
    assert!(second.stop().success(), "and so does the second");
    let (is_sound, report) = verify(folder, &database);
    assert!(is_sound, "{report}");
}

/// Lets the customers' programs order for a while.
fn work(load: &Load) {
    for _ in 0..20 {
        load.stage.wait_for_an_answer();
    }
}

/// What a second answers, and what it leaves to the leader.
fn a_second_shows_and_does_not_write(leader: &Server, second: &Server, load: &Load) {
    let asker = &load.customer;
    assert_eq!((leader.readiness(), second.readiness()), ("ready".into(), "standby".into()));
    let well = asker.get(&format!("{}/readyz?standby=ok", second.url)).expect("an answer");
    assert_eq!((well.status, well.text("status")), (200, "standby".to_owned()));
    for (server, leads) in [(leader, "headroom_leading 1"), (second, "headroom_leading 0")] {
        let page = asker.get(&format!("{}/metrics", server.url)).expect("an answer");
        let text = String::from_utf8(page.body).expect("text");
        assert!(text.lines().any(|line| line == leads), "{leads}\n{text}");
    }
    // It learns of the customer within its next looks.
    let watch = Stopwatch::start();
    let orders = format!("{}/v1/orders", second.url);
    while asker.get(&orders).expect("an answer").status != 200 {
        assert!(watch.seconds() < 30.0, "it never learns of the key");
        pause(10);
    }
    assert_eq!(asker.get(&format!("{}/v1/skus", second.url)).expect("an answer").status, 200);
    let body = load.stage.order("never");
    for reply in [
        asker.post(&orders, "never", &body),
        asker.get(&format!("{}/v1/market/availability", second.url)),
    ] {
        let reply = reply.expect("an answer");
        assert_eq!((reply.status, &reply.json()["code"]), (503, &"standby".into()));
        assert_eq!(reply.retry_after.as_deref(), Some("1"));
        let page = asker.get(&format!("{}/problems/standby", second.url)).expect("an answer");
        assert_eq!(page.status, 200);
    }
}

fn deposed_key(round: usize) -> String {
    format!("to-the-deposed-{round}")
}

/// One that was stopped, lost its place and goes on: asked at once, it may not write.
fn one_that_was_deposed_cannot_write(round: usize, deposed: &Server, leader: &Server, load: &Load) {
    let key = deposed_key(round);
    let body = load.stage.order(&key);
    deposed.signal("CONT");
    let ask = || load.customer.post(&format!("{}/v1/orders", deposed.url), &key, &body);
    let mut reply = ask().expect("an answer");
    // On a wire from before it was stopped: to it we were silent for too long.
    while reply.status == 408 {
        reply = ask().expect("an answer");
    }
    assert_eq!(reply.status, 503, "{}", reply.json());
    let seconds = deposed.wait_until("standby");
    println!(
        "round {round}: stands by {seconds:.2} s after it went on; said {}",
        reply.json()["code"]
    );
    let reply = load.customer.post(&format!("{}/v1/orders", leader.url), &key, &body);
    let reply = reply.expect("an answer");
    // The first to hear of this key is the leader: the deposed one left nothing behind.
    assert_eq!((reply.status, reply.replayed), (201, false), "{}", reply.json());
}

#[test]
fn on_a_file_the_second_takes_over_from_one_that_died() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, database) = (folder.path(), "sqlite://headroom.db");
    let leader = Server::start_or_stand_by(folder, database);
    let second = Server::start_or_stand_by(folder, database);
    assert_eq!(second.readiness(), "standby");
    let mut load = Load::begin(&[&leader.url, &second.url], 0);
    work(&load);
    leader.kill();
    let seconds = second.wait_until("ready");
    println!("leads {seconds:.2} s after the leader was killed");
    assert!(seconds <= BOUND_SECONDS);
    load.stage.wait_for_an_answer();
    finish(folder, database, second, &mut load);
}

#[test]
fn without_the_setting_a_second_server_ends_with_its_own_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let _leader = Server::start(folder.path(), "sqlite://headroom.db");
    let mut second = server::binary(folder.path(), "sqlite://headroom.db");
    let status = second.arg("serve").status().expect("it runs");
    assert_eq!(status.code(), Some(3));
}

#[test]
fn a_copy_that_follows_has_everything_when_the_first_database_burns() {
    let Some(primary) = Own::fresh() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    primary.database("market");
    let copy = primary.replica();
    // The address names both, and wants the one that can be written.
    let database = format!(
        "postgres://headroom@127.0.0.1:{},127.0.0.1:{}/market?target_session_attrs=read-write",
        primary.port(),
        copy.port()
    );

    let server = Server::start(folder.path(), &database);
    let mut load = Load::begin(&[&server.url], 0);
    work(&load);
    primary.stop_at_once();
    server.wait_while("ready");
    let watch = Stopwatch::start();
    copy.promote();
    server.wait_until("ready");
    println!("promoted, and the server ready on it in {:.2} s", watch.seconds());
    load.stage.wait_for_an_answer();

    // Whoever points a server at the copy by hand finds the same.
    assert!(server.stop().success(), "it stops in good order");
    let database = copy.url("market");
    let server = Server::start(folder.path(), &database);
    load.stage.set_urls(&[&server.url]);
    load.stage.wait_for_an_answer();
    finish(folder.path(), &database, server, &mut load);
}

/// Everything that was acknowledged is there once, and all holds.
fn finish(folder: &Path, database: &str, server: Server, load: &mut Load) {
    let acknowledged = load.end();
    println!("{} orders acknowledged", acknowledged.len());
    each_is_there_once(&server.url, load, &acknowledged);
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, database);
    assert!(is_sound, "{report}");
}
