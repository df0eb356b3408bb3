//! A store that keeps half of a commit, which ours never does: a real SQLite database behind a hand that
//! drops tables from one transaction. What must come of it: the database refuses it, or no engine can be
//! built from it, or `verify` finds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use headroom::engine::Key;
use headroom::sequencer::{Errand, Pace};
use headroom::store::{self, Batch, Durable, Fault, Loaded, Writer};
use headroom::verify::verify;

use crate::dice::Dice;
use crate::facts::Facts;
use crate::opening::{START, open_on, settings};
use crate::process::answered;

/// What a torn commit is made of, and what the hand is to do to the next one.
#[derive(Debug, Default)]
struct Bench {
    facts: Facts,
    tear: Option<Tear>,
    /// The tables that were dropped, once it is done.
    dropped: Vec<&'static str>,
    /// What the database said to it.
    is_refused: bool,
}

#[derive(Debug, Clone)]
enum Tear {
    /// This table, from the first commit that has it and others.
    One(&'static str),
    /// Half of the tables, of the first commit that has several.
    Half(Dice),
    /// The row that says which commit was the last.
    Meta,
}

#[derive(Debug)]
struct Torn {
    writer: Writer,
    /// The database's file, to be changed behind the writer's back.
    file: PathBuf,
    bench: Arc<Mutex<Bench>>,
}

/// What carries money, capacity, or the trail of what was done: of these nothing is lost unnoticed.
/// (Of what else there is, some can be: a row that nothing else speaks of, such as a kept answer.)
const WATCHED: [&str; 10] = [
    "contracts",
    "amendments",
    "quotes",
    "invoices",
    "invoice_lines",
    "payments",
    "accounts",
    "entries",
    "events",
    "audit",
];

/// A batch of which some tables are left out, by name.
fn without(batch: &Batch, is_dropped: &mut dyn FnMut(&'static str) -> bool) -> (Batch, Names) {
    let Batch { number, seq, effects, audit, answers, hash } = batch;
    let (mut effects, mut audit, mut answers) = (effects.clone(), audit.clone(), answers.clone());
    let (mut dropped, mut left) = (Vec::new(), Vec::new());
    macro_rules! tables {
        ($($name:ident),*) => { $(
            if !effects.$name.is_empty() {
                if is_dropped(stringify!($name)) {
                    effects.$name = Default::default();
                    dropped.push(stringify!($name));
                } else {
                    left.push(stringify!($name));
                }
            }
        )* };
    }
    tables!(
        listings,
        lines,
        quotes,
        orders,
        contracts,
        invoices,
        invoice_lines,
        payments,
        payouts,
        periods,
        collections,
        caps,
        incidents,
        pools,
        amendments,
        accounts,
        entries,
        events,
        kept
    );
    if dropped.contains(&"kept") {
        answers.clear();
    }
    if !audit.is_empty() {
        if is_dropped("audit") {
            audit.clear();
            dropped.push("audit");
        } else {
            left.push("audit");
        }
    }
    let half = Batch { number: *number, seq: *seq, effects, audit, answers, hash: *hash };
    (half, Names { dropped, left })
}

#[derive(Debug)]
struct Names {
    dropped: Vec<&'static str>,
    left: Vec<&'static str>,
}

impl Torn {
    fn execute(&self, sql: &str) {
        let file = self.file.to_str().expect("a plain path");
        let mut link = SqliteConnection::establish(file).expect("it is there");
        let sql = format!("PRAGMA busy_timeout = 5000; {sql}");
        link.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

impl Durable for Torn {
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault> {
        let mut bench = self.bench.lock().expect("nobody panics while holding it");
        let torn = match bench.tear.clone() {
            None => None,
            Some(Tear::Meta) => {
                (bench.tear, bench.dropped) = (None, vec!["meta"]);
                self.execute("CREATE TABLE kept_meta AS SELECT * FROM meta");
                self.writer.commit(batch)?;
                let back = "DELETE FROM meta; INSERT INTO meta SELECT * FROM kept_meta";
                self.execute(&format!("{back}; DROP TABLE kept_meta"));
                return Ok(());
            }
            Some(Tear::One(table)) => Some(without(batch, &mut |name| name == table)),
            Some(Tear::Half(mut dice)) => Some(without(batch, &mut |_| dice.one_in(2))),
        };
        // One in which money moves: what else a command changes may be nobody's business.
        if let Some((half, Names { dropped, left })) = torn
            && !batch.effects.entries.is_empty()
            && !(dropped.is_empty() || left.is_empty())
        {
            (bench.tear, bench.dropped) = (None, dropped);
            let result = self.writer.commit(&half);
            bench.is_refused = result.is_err();
            // The row of the last commit is one of those that are there, as it was to be.
            if let (Ok(()), Some(last)) = (&result, batch.effects.entries.last()) {
                self.execute(&format!("UPDATE meta SET last_entry = {}", last.no));
            }
            return result;
        }
        bench.facts.take_in(batch.seq, &batch.effects, &mut || true);
        self.writer.commit(batch)
    }

    fn load(&mut self) -> Result<Loaded, Fault> {
        self.writer.load()
    }
}

/// How it was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Refused,
    /// By `verify`, and a server does not start on it.
    AtStart,
    /// By `verify` only.
    Verified,
    Unnoticed,
}

/// A few hours in a market, until a commit is torn.
fn tear(folder: &Path, seed: u64, tear: Tear) -> Option<(Vec<&'static str>, Found)> {
    let file = folder.join("market.db");
    let url = format!("sqlite://{}", file.display());
    let (writer, reader) = store::open(&url).expect("a database");
    let bench = Arc::new(Mutex::new(Bench::default()));
    let store = Box::new(Torn { writer, file, bench: Arc::clone(&bench) });
    let (mut crowd, desk, mut crank) = open_on(store, Pace::Simulated(Some(START)));
    let mut dice = Dice::new(seed);
    for step in 0..90 {
        if step == 10 {
            bench.lock().expect("free").tear = Some(tear.clone());
        }
        if dice.one_in(8) {
            let days = dice.pick(&[0, 0, 1, 5, 12]);
            let to = desk.clock().now().plus_secs(days * 86_400 + 1_200);
            let desk = desk.clone();
            answered(&mut crank, async move { desk.advance(to).await }).ok();
        } else {
            let now = desk.clock().now();
            let wish = crowd.wish(&mut dice, &bench.lock().expect("free").facts, now);
            let (actor, command) = wish;
            let request = crowd.mint.fresh(now);
            let name = request.as_u128();
            let key = Some(Key { name, fingerprint: name });
            let (desk, errand) = (desk.clone(), Errand { actor, request, key, command });
            answered(&mut crank, async move { desk.submit(errand).await }).ok();
        }
        let dropped = std::mem::take(&mut bench.lock().expect("free").dropped);
        if dropped.is_empty() {
            continue;
        }
        let report = verify(&reader, &settings()).expect("it can be read");
        let found = match (report.is_sound(), bench.lock().expect("free").is_refused) {
            (true, true) => Found::Refused,
            (false, false) => {
                // The lock goes with the one who had it.
                drop((crowd, desk, crank));
                let start = store::open(&url).and_then(|(mut writer, _)| writer.load());
                match start.map(|loaded| loaded.snapshot.imbalance()) {
                    Ok(None) => Found::Verified,
                    Ok(Some(_)) | Err(Fault::Corrupt(_)) => Found::AtStart,
                    Err(fault) => panic!("{fault}"),
                }
            }
            (true, false) => Found::Unnoticed,
            (false, true) => panic!("a commit that was refused left something: {report}"),
        };
        return Some((dropped, found));
    }
    None
}

#[test]
fn half_a_commit_is_refused_or_found() {
    let ones = WATCHED.into_iter().map(Tear::One).chain([Tear::Meta]).zip(1..);
    let halves = (100..114).map(|seed| (Tear::Half(Dice::new(seed)), seed));
    let mut tally: BTreeMap<Found, u64> = BTreeMap::new();
    for (how, seed) in ones.chain(halves) {
        let folder = tempfile::tempdir().expect("a folder");
        let Some((dropped, found)) = tear(folder.path(), seed, how) else { continue };
        println!("{found:?} without {}", dropped.join(", "));
        if dropped.iter().any(|table| *table == "meta" || WATCHED.contains(table)) {
            assert_ne!(found, Found::Unnoticed, "without {dropped:?}");
            // The last commit's row, its trail and the end of its entries are looked at every time.
            let shows = ["meta", "audit", "entries"].iter().any(|one| dropped.contains(one));
            assert!(!shows || found != Found::Verified, "started without {dropped:?}");
            *tally.entry(found).or_default() += 1;
        }
    }
    println!("{tally:?}");
    assert!(tally.values().sum::<u64>() > 15, "it was tried: {tally:?}");
}
