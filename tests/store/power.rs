//! SQLite's log and the disk: what was flushed outlives the power, what was not is shown to nobody.

use std::path::Path;
use std::time::Duration;

use crate::Place;
use crate::dice::Dice;
use crate::market::Market;
use headroom::store::read::Page;
use headroom::store::{self, Durable, check};

fn place() -> Place {
    Place::Sqlite(tempfile::tempdir().unwrap())
}

#[test]
fn a_read_is_given_once_what_it_saw_is_on_disk() {
    let place = place();
    let (mut writer, reader) = place.open();
    let mut market = Market::open(1);
    let page = Page { after: None, limit: 10 };
    let flush = writer.write(&market.batch()).unwrap().unwrap();
    let (tell, early) = std::sync::mpsc::channel();
    let (thread, first) = (reader.clone(), page.clone());
    std::thread::spawn(move || tell.send(thread.users(&None, &first).unwrap()));
    let soon = early.recv_timeout(Duration::from_millis(50));
    assert!(soon.is_err(), "it has seen what the power could take");
    flush().unwrap();
    assert!(!early.recv().unwrap().data.is_empty());
    assert!(!reader.users(&None, &page).unwrap().data.is_empty());
}

#[test]
fn who_loads_after_a_lost_flush_finds_what_is_written_and_shows_it() {
    let place = place();
    let (mut writer, reader) = place.open();
    let mut market = Market::open(1);
    writer.commit(&market.batch()).unwrap();
    assert!(market.fill());
    drop(writer.write(&market.batch()).unwrap());
    // A commit that fails, so that all is opened anew.
    place
        .execute("CREATE TRIGGER no BEFORE INSERT ON commits BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert!(market.fill());
    writer.write(&market.batch()).map(drop).unwrap_err();
    place.execute("DROP TRIGGER no");
    assert_eq!(writer.load().unwrap().number, 2);
    assert_eq!(reader.load().unwrap().number, 2);
}

/// A copy of a database whose power goes now: of its log, the first `safe` bytes are on disk, and of
/// each sector after them nobody knows.
fn lose_power(from: &Path, to: &Path, safe: usize, dice: &mut Dice) {
    std::fs::copy(from.join("market.db"), to.join("market.db")).unwrap();
    let mut log = std::fs::read(from.join("market.db-wal")).unwrap();
    let end = safe + dice.below(log.len() - safe + 1);
    log.truncate(if dice.one_in(2) { end } else { log.len() });
    let spoilt = dice.pick(&[10, 100, 1_000]);
    for sector in log[safe..].chunks_mut(512) {
        if dice.one_in(spoilt) {
            sector.fill(0);
        }
    }
    std::fs::write(to.join("market.db-wal"), log).unwrap();
}

#[test]
fn the_power_takes_nothing_that_was_flushed_and_leaves_no_half() {
    let place = place();
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let (mut writer, _reader) = place.open();
    let mut market = Market::open(1);
    writer.commit(&market.batch()).unwrap();
    let (mut dice, mut found) = (Dice::new(7), [0; 3]);
    for flushed in (1..).step_by(3).take(12) {
        let log = folder.path().join("market.db-wal");
        let safe = usize::try_from(std::fs::metadata(log).unwrap().len()).unwrap();
        for _ in 0..2 {
            assert!(market.fill());
            drop(writer.write(&market.batch()).unwrap());
        }
        for _ in 0..4 {
            let copy = tempfile::tempdir().unwrap();
            lose_power(folder.path(), copy.path(), safe, &mut dice);
            let url = format!("sqlite://{}/market.db", copy.path().display());
            let (mut writer, reader) = store::open(&url).unwrap();
            let number = writer.load().unwrap().number;
            assert!((flushed..=flushed + 2).contains(&number), "{number} after {flushed}");
            assert_eq!(check(&reader).unwrap(), Vec::<String>::new());
            found[usize::try_from(number - flushed).unwrap()] += 1;
        }
        assert!(market.fill());
        writer.commit(&market.batch()).unwrap();
    }
    println!("commits found beside those flushed: {found:?}");
    assert!(found.iter().all(|times| *times > 0), "all of it was tried: {found:?}");
}
