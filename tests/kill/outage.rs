//! The database is taken away from under the server: restarted, cut off in the middle of a commit,
//! out of disk. The server lives on, and is ready again soon after the database is.

use headroom::sequencer::Stopwatch;

use super::cluster::own::Own;
use super::relay::{Cut, Relay};
use super::server::{Server, verify};
use super::stage::{ASKERS, Load, each_is_there_once, pause};
use super::{Chance, cluster};

/// Rounds of each kind of trouble in the ordinary run.
pub const ROUNDS: usize = 3;

/// Within so many seconds of the database's return the server takes orders again.
pub const BOUND_SECONDS: f64 = 5.0;

/// Says what the slowest return was, and that none was slower than is promised.
pub fn judge(what: &str, times: &[f64]) {
    let slowest = times.iter().copied().fold(0.0, f64::max);
    println!("{what}: {} times, ready again after at most {slowest:.2} s", times.len());
    assert!(!times.is_empty() && slowest <= BOUND_SECONDS, "{what}: {times:?}");
}

/// Stops the load; everything is there once, and all holds.
pub fn finish(folder: &std::path::Path, database: &str, server: Server, load: &mut Load) {
    load.stage.wait_for_an_answer();
    let acknowledged = load.end();
    println!("{} orders acknowledged", acknowledged.len());
    each_is_there_once(&server.url, load, &acknowledged);
    assert!(server.stop().success(), "it stops in good order");
    let (is_sound, report) = verify(folder, database);
    assert!(is_sound, "{report}");
}

#[test]
fn postgres_may_be_stopped_at_once_and_started_again() {
    let Some(postgres) = Own::fresh() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres.database("market");
    let server = Server::start(folder.path(), &database);
    let mut load = Load::begin(&[&server.url], 0);
    let mut chance = Chance::new();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        load.stage.wait_for_an_answer();
        pause(chance.below(300));
        postgres.stop_at_once();
        server.wait_while("ready");
        pause(chance.below(1_500));
        postgres.start();
        times.push(server.wait_until("ready"));
    }
    judge("stopped at once and started again", &times);
    finish(folder.path(), &database, server, &mut load);
}

#[test]
fn a_wire_may_be_cut_in_the_middle_of_a_commit() {
    let Some(postgres) = Own::fresh() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let direct = postgres.database("market");
    let relay = Relay::to(postgres.port());
    let database = format!("postgres://headroom@127.0.0.1:{}/market", relay.port);
    let server = Server::start(folder.path(), &database);
    let mut load = Load::begin(&[&server.url], 0);
    let mut chance = Chance::new();
    let mut times = Vec::new();
    for round in 0..3 * ROUNDS {
        load.stage.wait_for_an_answer();
        pause(chance.below(100));
        match round % 3 {
            0 => relay.cut(Cut::After),
            1 => relay.cut(Cut::Before),
            _ => relay.cut_all(),
        }
        // The wire can be used again at once.
        let watch = Stopwatch::start();
        load.stage.wait_for_an_answer();
        server.wait_until("ready");
        times.push(watch.seconds());
    }
    judge("cut off", &times);
    // A commit whose answer was lost was kept: those who asked again were told so.
    let told_again = load.stage.told_again();
    println!("{told_again} orders were kept, and their first answers lost");
    assert!(told_again >= ROUNDS, "each cut after COMMIT lost the answer to what was kept");
    finish(folder.path(), &direct, server, &mut load);
}

/// The server process of the writer's session finds its disk full: PostgreSQL stops in the middle
/// of writing its log and comes back by itself, or it refuses a table more room and goes on. Then
/// the server has a new session before anybody could see that it was not ready.
#[test]
fn postgres_may_run_out_of_disk() {
    let Some(postgres) = Own::fresh() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres.database("market");
    let url = postgres.url("market");
    let server = Server::start(folder.path(), &database);
    let mut load = Load::begin(&[&server.url], 0);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        load.stage.wait_for_an_answer();
        let ask = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted";
        let writer = cluster::try_execute(&url, ask).expect("it answers");
        let [writer] = &writer[..] else { panic!("one writer: {writer:?}") };
        let lives = format!("SELECT pid FROM pg_stat_activity WHERE pid = {writer}");
        super::disk::limit(postgres.user_runs("prlimit"), writer, "1");
        let watch = Stopwatch::start();
        while cluster::try_execute(&url, &lives).is_ok_and(|found| !found.is_empty()) {
            assert!(watch.seconds() < 60.0, "a session that cannot write is given up");
            pause(5);
        }
        // What was under way before is no sign that it is over.
        let before = load.stage.count() + ASKERS;
        let mut returned = watch.seconds();
        while load.stage.count() <= before || server.readiness() != "ready" {
            assert!(watch.seconds() < 60.0, "PostgreSQL comes back by itself");
            if cluster::try_execute(&url, "SELECT 1").is_err() {
                returned = watch.seconds();
            }
            pause(5);
        }
        times.push(watch.seconds() - returned);
    }
    judge("PostgreSQL out of disk", &times);
    finish(folder.path(), &database, server, &mut load);
}
