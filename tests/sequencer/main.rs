//! The one writer, with a disk that waits, fails and lies on command: nothing is answered or shown
//! before its commit, and after a failure everything begins anew from what is on disk.

mod disk;

use std::time::Duration;

use disk::{Disk, Fate};
use headroom::engine::catalogue::Region;
use headroom::engine::command::{NewSession, SignUp};
use headroom::engine::party::Capabilities;
use headroom::engine::{Actor, Answer, Command, Key, Refusal, Settings};
use headroom::model::id::{OrgId, SessionId, UserId};
use headroom::model::{Micros, Segment, limits};
use headroom::sequencer::{
    Desk, Done, Ending, Errand, Fault, Pace, Written, start, start_or_stand_by,
};
use uuid::Uuid;

const START: Micros = Micros::new(1_800_000_000_000_000);
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes an answer so that two different ones differ in bytes.
fn scribe(outcome: &Result<Answer, Refusal>, request: Uuid, at: Micros) -> Written {
    let status = if outcome.is_ok() { 201 } else { 409 };
    let body = format!("{request} {at} {outcome:?}").into_bytes();
    Written { status, headers: "location: /v1/x".to_owned(), body }
}

fn open(disk: &Disk) -> Desk {
    let store = Box::new(disk.clone());
    start(store, Settings::default(), scribe, Pace::Simulated(Some(START))).expect("it loads")
}

fn admin() -> UserId {
    UserId::new(Uuid::from_u128(2))
}

fn errand(actor: Actor, command: Command) -> Errand {
    Errand { actor, request: Uuid::from_u128(9), key: None, command }
}

fn found() -> Errand {
    let command = Command::Found {
        org: OrgId::new(Uuid::from_u128(1)),
        user: admin(),
        name: "Headroom".to_owned(),
        country: "US".parse().expect("a country"),
        email: "admin@headroom.local".to_owned(),
        password_hash: "$argon2id$x".to_owned(),
    };
    errand(Actor::System, command)
}

fn region(number: usize) -> Errand {
    let region = Region {
        code: format!("region-{number}").parse().expect("a code"),
        name: format!("Region {number}"),
        country: "ID".parse().expect("a country"),
        created_at: Micros::default(),
    };
    errand(Actor::User(admin()), Command::CreateRegion(region))
}

fn keyed(errand: Errand, name: u128, fingerprint: u128) -> Errand {
    Errand { key: Some(Key { name, fingerprint }), ..errand }
}

fn sign_up(number: u128) -> Errand {
    let ask = SignUp {
        org: OrgId::new(Uuid::from_u128(number)),
        user: UserId::new(Uuid::from_u128(number)),
        name: format!("Customer {number}"),
        capabilities: Capabilities { customer: true, ..Capabilities::default() },
        segment: Some(Segment::Startup),
        country: "DE".parse().expect("a country"),
        email: format!("c{number}@example.com"),
        password_hash: "$argon2id$x".to_owned(),
        session: NewSession {
            id: SessionId::new(Uuid::from_u128(number)),
            refresh_hash: Uuid::from_u128(number).as_bytes().repeat(2).try_into().expect("32"),
        },
    };
    errand(Actor::Anonymous, Command::SignUp(ask))
}

/// A market with its operator.
async fn founded() -> (Disk, Desk) {
    let disk = Disk::default();
    let desk = open(&disk);
    let done = desk.submit(found()).await.expect("an answer");
    done.outcome.expect("it is founded");
    (disk, desk)
}

type Asked = tokio::task::JoinHandle<Result<Done, Fault>>;

/// Hands an errand in; returns once it is in the writer's hands or beyond.
async fn hand_in(desk: &Desk, errand: Errand) -> Asked {
    let asker = desk.clone();
    let asked = tokio::spawn(async move { asker.submit(errand).await });
    // The errand is put in on the task's first step, and these tests run on one thread.
    tokio::task::yield_now().await;
    asked
}

async fn answer(asked: Asked) -> Result<Done, Fault> {
    tokio::time::timeout(PATIENCE, asked).await.expect("in time").expect("no panic")
}

async fn ready(desk: &Desk) {
    let wait = async {
        while !desk.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("ready in time");
}

#[tokio::test]
async fn an_answer_comes_after_its_commit_and_so_does_the_view() {
    let (disk, desk) = founded().await;
    let mut commits = desk.commits();
    commits.mark_unchanged();
    let before = desk.view();
    disk.hold();
    let asked = hand_in(&desk, region(1)).await;
    disk.wait_until_held();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!asked.is_finished(), "nothing is answered before its commit");
    assert!(desk.view().regions.is_empty(), "nothing is shown before its commit");
    assert!(!commits.has_changed().expect("the desk is open"));

    disk.release();
    answer(asked).await.expect("an answer").outcome.expect("a region");
    let after = desk.view();
    assert_eq!((after.regions.len(), after.number), (1, before.number + 1));
    assert!(before.regions.is_empty(), "a view never changes in the hands of a reader");
    assert_eq!(*commits.borrow_and_update(), after.number);
}

#[tokio::test]
async fn what_waits_during_a_commit_becomes_one_batch_answered_in_order() {
    let (disk, desk) = founded().await;
    disk.hold();
    let first = hand_in(&desk, region(0)).await;
    disk.wait_until_held();
    let mut rest = Vec::new();
    for number in 1..=50 {
        rest.push(hand_in(&desk, region(number)).await);
    }
    // All of them are taken in before the disk is free for the next batch, however slow the machine.
    while desk.depth() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    disk.release();
    answer(first).await.expect("an answer").outcome.expect("a region");
    for asked in rest {
        answer(asked).await.expect("an answer").outcome.expect("a region");
    }
    assert_eq!(disk.records(), [1, 1, 50], "founding, the first region, all that waited");
    assert_eq!(desk.view().regions.len(), 51);
}

#[tokio::test]
async fn an_answer_without_a_write_waits_for_what_it_was_decided_on() {
    let (disk, desk) = founded().await;
    disk.hold();
    let first = hand_in(&desk, region(1)).await;
    disk.wait_until_held();
    // Refused because of a region that is not on disk yet.
    let second = hand_in(&desk, region(1)).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!second.is_finished(), "it would betray what may never be");
    disk.release();
    answer(first).await.expect("an answer").outcome.expect("a region");
    let refusal = answer(second).await.expect("an answer").outcome.expect_err("taken");
    assert_eq!(refusal.code(), "duplicate");
    assert_eq!(disk.number(), 2, "a refusal without a key writes nothing");
}

/// Three commits behind the founding one, of which the last two are written and not on disk.
async fn unsettled() -> (Disk, Desk, Vec<Asked>) {
    let (disk, desk) = founded().await;
    disk.hold();
    disk.hold_flushes(3);
    let first = hand_in(&desk, region(1)).await;
    disk.wait_until_held();
    let mut asked = vec![hand_in(&desk, region(2)).await, hand_in(&desk, region(3)).await];
    while desk.depth() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    disk.release();
    answer(first).await.expect("an answer").outcome.expect("a region");
    disk.wait_until_written(3);
    asked.push(hand_in(&desk, region(4)).await);
    disk.wait_until_written(4);
    (disk, desk, asked)
}

#[tokio::test]
async fn while_the_disk_is_waited_for_the_next_batch_is_written_and_none_is_shown() {
    let (disk, desk, asked) = unsettled().await;
    // One that only looks at what is not on disk yet waits with the rest.
    let taken = hand_in(&desk, region(4)).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!taken.is_finished() && asked.iter().all(|one| !one.is_finished()));
    assert_eq!((desk.view().number, desk.view().regions.len()), (2, 1));
    disk.release_flushes(true);
    for one in asked {
        answer(one).await.expect("an answer").outcome.expect("a region");
    }
    answer(taken).await.expect("an answer").outcome.expect_err("it is there already");
    assert_eq!((desk.view().number, desk.view().regions.len()), (4, 4));
}

#[tokio::test]
async fn where_the_disk_refuses_everything_written_since_is_in_doubt() {
    let (disk, desk, asked) = unsettled().await;
    disk.release_flushes(false);
    for one in asked {
        assert_eq!(answer(one).await.expect_err("in doubt"), Fault::InDoubt);
    }
    ready(&desk).await;
    // What it had taken after all is found again.
    assert_eq!((desk.view().number, desk.view().regions.len()), (4, 4));
    desk.submit(region(5)).await.expect("an answer").outcome.expect("a region");
}

#[tokio::test]
async fn a_failed_commit_leaves_both_batches_in_doubt_and_the_market_as_it_was() {
    let (disk, desk) = founded().await;
    disk.hold();
    disk.foretell(&[Fate::Refused]);
    disk.fail_loads(2);
    let first = hand_in(&desk, region(1)).await;
    disk.wait_until_held();
    let second = hand_in(&desk, region(2)).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    disk.release();
    assert_eq!(answer(first).await.expect_err("in doubt"), Fault::InDoubt);
    assert_eq!(answer(second).await.expect_err("in doubt"), Fault::InDoubt);

    ready(&desk).await;
    assert!(desk.view().regions.is_empty());
    // The same again goes well: nothing is left of the first try.
    for number in [1, 2] {
        desk.submit(region(number)).await.expect("an answer").outcome.expect("a region");
    }
    assert_eq!(desk.view().regions.len(), 2);
}

#[tokio::test]
async fn while_the_store_is_away_the_desk_says_so_and_still_shows_the_market() {
    let (disk, desk) = founded().await;
    disk.foretell(&[Fate::Refused]);
    disk.fail_loads(usize::MAX);
    assert_eq!(desk.submit(region(1)).await.expect_err("in doubt"), Fault::InDoubt);
    assert_eq!(desk.submit(region(1)).await.expect_err("closed"), Fault::Closed);
    assert!(!desk.is_ready());
    assert!(desk.view().operator().is_some());
    disk.fail_loads(0);
    ready(&desk).await;
    desk.submit(region(1)).await.expect("an answer").outcome.expect("a region");
}

#[tokio::test]
async fn a_retry_after_a_commit_nobody_heard_of_gets_the_first_answer() {
    let (disk, desk) = founded().await;
    disk.foretell(&[Fate::Unheard]);
    let first = desk.submit(keyed(sign_up(7), 1, 1)).await;
    assert_eq!(first.expect_err("in doubt"), Fault::InDoubt);
    ready(&desk).await;
    assert!(desk.view().user_by_email("c7@example.com").is_some(), "it was written");

    let key = Key { name: 1, fingerprint: 1 };
    let again = desk.submit(keyed(sign_up(7), 1, 1)).await.expect("an answer");
    assert!(matches!(again.outcome, Ok(Answer::Known { key: known, .. }) if known == key));
    assert_eq!(again.written, None, "the first answer is on disk");
    assert_eq!(disk.answer(key).expect("kept").status, 201);
    let other = desk.submit(keyed(sign_up(8), 1, 2)).await.expect("an answer");
    assert_eq!(other.outcome, Err(Refusal::KeyReused));
}

#[tokio::test]
async fn an_answer_is_kept_byte_for_byte_also_when_it_is_no() {
    let (disk, desk) = founded().await;
    desk.submit(sign_up(7)).await.expect("an answer").outcome.expect("signed up");
    let done = desk.submit(keyed(sign_up(7), 5, 5)).await.expect("an answer");
    assert!(done.outcome.is_err());
    let written = done.written.expect("it has a key");
    let kept = disk.answer(Key { name: 5, fingerprint: 5 }).expect("kept");
    assert_eq!((kept.status, kept.body), (written.status, written.body));
    assert_eq!(disk.records(), [1, 1, 0], "a remembered no is no deed");
}

#[tokio::test]
async fn a_full_inbox_is_busy() {
    let (disk, desk) = founded().await;
    disk.hold();
    // One commits, a batch is decided on top of it, and the rest fills the inbox.
    let most = 1 + limits::BATCH_MAX + limits::INBOX_MAX;
    let mut asked = vec![hand_in(&desk, region(0)).await];
    disk.wait_until_held();
    let mut busy = 0;
    for number in 1..most + 10 {
        asked.push(hand_in(&desk, region(number)).await);
        // The writer empties the inbox until its batch is full; give it the time.
        while number == limits::BATCH_MAX && desk.depth() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    disk.release();
    for one in asked {
        match answer(one).await {
            Ok(done) => assert!(done.outcome.is_ok()),
            Err(fault) => {
                assert_eq!(fault, Fault::Busy);
                busy += 1;
            }
        }
    }
    assert_eq!(busy, 10);
    assert_eq!(desk.view().regions.len(), most);
}

#[tokio::test]
async fn a_deposed_writer_never_writes_again() {
    let (disk, desk) = founded().await;
    disk.foretell(&[Fate::Deposed]);
    assert_eq!(desk.submit(region(1)).await.expect_err("in doubt"), Fault::InDoubt);
    let ending = tokio::time::timeout(PATIENCE, desk.ended()).await.expect("in time");
    assert_eq!(ending, Ending::Deposed);
    assert_eq!(desk.submit(region(1)).await.expect_err("closed"), Fault::Closed);
    assert_eq!(disk.number(), 1);
}

#[tokio::test]
async fn a_failed_assertion_ends_the_writer_and_leaves_nobody_waiting() {
    let (disk, desk) = founded().await;
    disk.hold();
    disk.foretell(&[Fate::Asserted]);
    let first = hand_in(&desk, region(1)).await;
    disk.wait_until_held();
    let second = hand_in(&desk, region(2)).await;
    disk.release();
    assert_eq!(answer(first).await.expect_err("in doubt"), Fault::InDoubt);
    answer(second).await.expect_err("in doubt, or never decided");
    let ending = tokio::time::timeout(PATIENCE, desk.ended()).await.expect("in time");
    assert_eq!(ending, Ending::Broken);
    assert!(!desk.is_ready());
}

#[tokio::test]
async fn closing_answers_what_was_taken_in_and_nothing_more() {
    let (disk, desk) = founded().await;
    disk.hold();
    let first = hand_in(&desk, region(1)).await;
    disk.wait_until_held();
    let second = hand_in(&desk, region(2)).await;
    desk.close();
    assert_eq!(desk.submit(region(3)).await.expect_err("closed"), Fault::Closed);
    disk.release();
    answer(first).await.expect("an answer").outcome.expect("a region");
    answer(second).await.expect("an answer").outcome.expect("a region");
    let ending = tokio::time::timeout(PATIENCE, desk.ended()).await.expect("in time");
    assert_eq!(ending, Ending::Stopped);

    // The next process finds all of it.
    let desk = open(&disk);
    assert_eq!((desk.view().regions.len(), desk.view().number), (2, 3));
}

#[tokio::test]
async fn a_simulated_clock_moves_by_hand_and_meets_deadlines_on_its_way() {
    let (disk, desk) = founded().await;
    desk.submit(sign_up(7)).await.expect("an answer").outcome.expect("signed up");
    assert_eq!(desk.clock().now(), START);
    assert_eq!(desk.view().sessions.len(), 1);

    // A session unused for its thirty days ends by itself, at its own instant.
    let to = START.plus_secs((limits::REFRESH_TOKEN_DAYS + 5) * 24 * 3_600);
    assert_eq!(desk.advance(to).await, Ok(to));
    assert_eq!(desk.clock().now(), to);
    let view = desk.view();
    assert!(view.sessions.is_empty());
    assert_eq!(view.now, START.plus_secs(limits::REFRESH_TOKEN_DAYS * 24 * 3_600));
    assert_eq!(desk.advance(START).await, Ok(to), "time never runs back");

    // What happens next happens then, and a restart goes on from there.
    let done = desk.submit(region(1)).await.expect("an answer");
    assert_eq!(done.at, to);
    desk.close();
    assert_eq!(desk.ended().await, Ending::Stopped);
    assert_eq!(open(&disk).clock().now(), to);
}

#[tokio::test]
async fn a_system_clock_is_not_moved() {
    let disk = Disk::default();
    let store = Box::new(disk.clone());
    let desk = start(store, Settings::default(), scribe, Pace::System).expect("it loads");
    let now = desk.clock().now();
    assert!(now > START.plus_secs(-10 * 365 * 24 * 3_600));
    assert_eq!(desk.advance(now.plus_secs(60)).await, Err(Fault::Closed));
}

#[test]
fn threads_without_a_runtime_are_served_too() {
    let disk = Disk::default();
    let desk = open(&disk);
    desk.submit_blocking(found()).expect("an answer").outcome.expect("founded");
    let askers: Vec<_> = (0..8)
        .map(|asker| {
            let desk = desk.clone();
            std::thread::spawn(move || {
                for number in 0..50 {
                    let done = desk.submit_blocking(region(asker * 100 + number));
                    done.expect("an answer").outcome.expect("a region");
                }
            })
        })
        .collect();
    askers.into_iter().for_each(|asker| asker.join().expect("all were answered"));
    assert_eq!(desk.view().regions.len(), 400);
    let to = desk.clock().now().plus_secs(1);
    assert_eq!(desk.advance_blocking(to), Ok(to));
}

/// Asks until there is an answer, as a client with a key does.
async fn insist(desk: &Desk, number: usize) -> Done {
    loop {
        let name = u128::try_from(number).expect("small");
        match desk.submit(keyed(region(number), name, name)).await {
            Ok(done) => return done,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

#[tokio::test]
async fn through_random_failures_everything_acknowledged_stays_and_happened_once() {
    const ASKERS: usize = 4;
    const EACH: usize = 60;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut chance = seed;
    let mut roll = move || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        chance >> 33
    };
    let fates: Vec<Fate> = (0..100)
        .map(|_| match roll() % 4 {
            0 => Fate::Refused,
            1 => Fate::Unheard,
            _ => Fate::Written,
        })
        .collect();
    let (disk, desk) = founded().await;
    disk.foretell(&fates);
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let (desk, disk) = (desk.clone(), disk.clone());
            tokio::spawn(async move {
                for number in asker * EACH..(asker + 1) * EACH {
                    let done = insist(&desk, number).await;
                    let key = done.written.as_ref().map(|written| written.body.clone());
                    let name = u128::try_from(number).expect("small");
                    let kept = disk.answer(Key { name, fingerprint: name }).expect("kept");
                    // The first answer, now or before, was good; and these are its bytes.
                    assert_eq!(kept.status, 201, "{:?}", done.outcome);
                    assert!(key.is_none_or(|bytes| bytes == kept.body));
                }
            })
        })
        .collect();
    for asker in askers {
        tokio::time::timeout(PATIENCE * 6, asker).await.expect("in time").expect("no surprise");
    }
    assert_eq!(desk.view().regions.len(), ASKERS * EACH);
    desk.close();
    assert_eq!(desk.ended().await, Ending::Stopped);
    assert_eq!(open(&disk).view().regions.len(), ASKERS * EACH);
}

#[tokio::test]
async fn one_that_stands_by_shows_what_it_sees_takes_over_and_gives_way() {
    let (disk, first) = founded().await;
    first.submit(region(1)).await.expect("an answer").outcome.expect("it is made");
    disk.take(true);
    let store = Box::new(disk.clone());
    let pace = Pace::Simulated(Some(START));
    let desk = start_or_stand_by(store, Settings::default(), scribe, pace).expect("it starts");
    assert!(desk.is_standing_by() && !desk.is_ready());
    assert_eq!(desk.submit(region(2)).await.expect_err("not here"), Fault::Standby);
    let view = desk.view();
    assert_eq!((view.is_glimpse, view.number, view.regions.len()), (true, disk.number(), 1));

    // The other one ends.
    disk.take(false);
    ready(&desk).await;
    assert!(!desk.is_standing_by() && !desk.view().is_glimpse);
    desk.submit(region(2)).await.expect("an answer").outcome.expect("it is made");

    // Another one comes, while nothing is to be written here: it is noticed all the same.
    disk.take(true);
    let standby = async {
        while !desk.is_standing_by() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, standby).await.expect("noticed in time");
    assert_eq!(desk.submit(region(3)).await.expect_err("not here"), Fault::Standby);
    // And one that was not to stand by ends.
    let ending = tokio::time::timeout(PATIENCE, first.ended()).await.expect("in time");
    assert_eq!(ending, Ending::Deposed);

    desk.close();
    assert_eq!(tokio::time::timeout(PATIENCE, desk.ended()).await, Ok(Ending::Stopped));
}
