//! What PostgreSQL reads for a commit depends on what is written, not on what is there: the plans
//! it makes while tables are small still look rows up when they are large. SQLite has one plan.

use crate::market::Market;
use crate::{Place, cluster};
use headroom::store::Durable as _;

/// Enough for a plan that reads all of a table to look cheap when it is made.
const AT_FIRST: usize = 1_000;
const COMMITS: usize = 100;
const IN_EACH: usize = 10;
/// Of tables and indexes, by all statements of a reservation together. It was 13 when this was
/// written, and 83 with a plan that reads all contracts for the allocations of each commit.
const READ_EACH: u64 = 30;

#[test]
fn a_commit_reads_what_it_writes() {
    let Some(cluster) = cluster::shared() else { return };
    let url = cluster.fresh();
    let (mut writer, _) = Place::Postgres(url.clone()).open();
    let mut market = Market::open(1);
    // So small that an order draws from two of them: more allocations than contracts.
    (100..120).for_each(|cents| market.publish(0, 4, 0, 24 * 365, cents, None));
    writer.commit(&market.batch()).unwrap();
    let mut commit = |count: usize| {
        let filled = (0..count).filter(|_| market.fill()).count();
        assert_eq!(filled, count, "there is room for all");
        writer.commit(&market.batch()).unwrap();
    };
    commit(AT_FIRST);
    (0..COMMITS).for_each(|_| commit(IN_EACH));
    // What a session has counted is told when it ends.
    drop(writer);
    let read = read_so_far(&url);
    let reservations = u64::try_from(AT_FIRST + COMMITS * IN_EACH).unwrap();
    println!("{read} rows read for {reservations} reservations");
    assert!(read > reservations, "nothing was counted");
    assert!(read < READ_EACH * reservations, "{read} rows read for {reservations} reservations");
}

/// Rows and entries of indexes that were read in this database.
fn read_so_far(url: &str) -> u64 {
    let count = "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)
        + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)";
    let found = cluster::try_execute(url, count).unwrap();
    found[0].parse().unwrap()
}
