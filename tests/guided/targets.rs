//! What is done with bytes that a fuzzer finds, or found: the first byte says which parser reads
//! the rest. Nothing may panic, and what was read and is written again must read the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use headroom::config::{Config, Flags};
use headroom::http::money::{Amount, PriceText};
use headroom::http::secret::{self, Purpose};
use headroom::http::time::{Instant, Moment, MonthText, StartAt};
use headroom::http::token::Signer;
use headroom::http::{self, json, page, query};
use headroom::model::id::{
    ApplicationId, ContractId, FactoryId, InvoiceId, KeyId, LineId, ListingId, OrderId, OrgId,
    PaymentId, PoolId, ProgramId, QuoteId, SessionId, UserId,
};
use headroom::model::{
    Country, Micros, Minute, Money, Month, Price, Role, Schedule, SkuCode, Window, limits,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::commands;

/// A parser of bytes.
type Target = fn(&[u8]);

/// All of them, by the first byte. New ones go to the end: the corpus counts on their places.
pub const TARGETS: &[(&str, Target)] = &[
    ("ids", ids),
    ("money", money),
    ("times", times),
    ("codes", codes),
    ("schedules", schedules),
    ("bodies", bodies),
    ("queries", queries),
    ("cursors", cursors),
    ("credentials", credentials),
    ("settings", settings),
    ("setting file", setting_file),
    ("commands", commands::live),
];

/// Does with the bytes what their first one says.
pub fn run(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let (_, target) = TARGETS[usize::from(*first) % TARGETS.len()];
    target(rest);
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads a text, writes it and reads that.
fn there_and_back<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    let again = written.parse::<T>().ok();
    assert_eq!(again.as_ref(), Some(&read), "{text:?} is written {written:?}");
    Some(read)
}

fn ids(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let read = [
        there_and_back::<OrgId>(text).is_some(),
        there_and_back::<UserId>(text).is_some(),
        there_and_back::<KeyId>(text).is_some(),
        there_and_back::<SessionId>(text).is_some(),
        there_and_back::<FactoryId>(text).is_some(),
        there_and_back::<PoolId>(text).is_some(),
        there_and_back::<ListingId>(text).is_some(),
        there_and_back::<ProgramId>(text).is_some(),
        there_and_back::<ApplicationId>(text).is_some(),
        there_and_back::<LineId>(text).is_some(),
        there_and_back::<QuoteId>(text).is_some(),
        there_and_back::<OrderId>(text).is_some(),
        there_and_back::<ContractId>(text).is_some(),
        there_and_back::<InvoiceId>(text).is_some(),
        there_and_back::<PaymentId>(text).is_some(),
    ];
    assert!(read.iter().filter(|one| **one).count() <= 1, "{text} is of two kinds");
}

fn money(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(amount) = there_and_back::<Money>(text) {
        assert_eq!(amount.portion(10_000), Some(amount), "all of it is all of it");
        assert_eq!(amount.checked_sub(amount), Some(Money::default()));
    }
    if let Some(price) = there_and_back::<Price>(text) {
        let _worth = price.worth(u32::MAX, i64::from(i32::MAX)).floor();
    }
    // As JSON has it, in both spellings of an amount.
    drop(serde_json::from_str::<Amount>(text));
    drop(serde_json::from_str::<PriceText>(text));
}

fn times(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    there_and_back::<Month>(text);
    for known in [text.parse::<Instant>().is_ok(), text.parse::<Moment>().is_ok()] {
        assert!(!known || text.is_ascii(), "{text:?} is a time");
    }
    // The door takes the months of the market's calendar only.
    let bare = text.parse::<Month>().ok();
    assert!(
        text.parse::<MonthText>().is_ok_and(|month| Some(month.0) == bare)
            || bare.is_none_or(is_beyond)
    );
    drop(serde_json::from_str::<StartAt>(text));
    drop(serde_json::from_str::<Moment>(text));
    if let Ok(Moment(minute)) = text.parse::<Moment>() {
        assert!(Month::of(minute).window().holds(minute));
        assert!(minute.plus_months(1).is_none_or(|later| later > minute));
        assert!(minute.floor_to(60) <= minute && minute <= minute.ceil_to(60));
    }
}

fn codes(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    there_and_back::<SkuCode>(text);
    there_and_back::<Country>(text);
    drop(serde_json::from_str::<Role>(text));
    let kind = http::kind::Kind::by_slug(text);
    assert!(kind.is_none_or(|kind| kind.slug() == text));
}

/// Whether a month is not one of the market's.
fn is_beyond(month: Month) -> bool {
    let calendar = limits::MINUTE_MIN..limits::MINUTE_MAX;
    !calendar.contains(&month.start().count())
}

/// Changes of a schedule, beside an array of hours.
fn schedules(bytes: &[u8]) {
    const HOURS: usize = 128;
    let mut schedule = Schedule::empty();
    let mut naive = [0_i64; HOURS];
    let hour = |place: usize| Minute::new(i64::try_from(place).expect("few") * 60);
    for change in bytes.chunks_exact(3).take(64) {
        let [start, length, by] = [change[0], change[1], change[2]].map(usize::from);
        let start = start % HOURS;
        let end = (start + 1 + length % 32).min(HOURS);
        let by = i64::try_from(by).expect("a byte") - 128;
        let window = Window::new(hour(start), hour(end)).expect("not empty");
        schedule.add(window, by);
        naive[start..end].iter_mut().for_each(|count| *count += by);
        let least = naive[start..end].iter().min().copied().expect("not empty");
        assert_eq!(schedule.min_over(window), least);
    }
    for (place, count) in naive.iter().enumerate() {
        assert_eq!(schedule.at(hour(place)), *count, "in hour {place}");
    }
}

/// Reads a strict body; a refusal must be a 4xx that says where.
fn body<T: DeserializeOwned>(bytes: &[u8]) {
    if let Err(problem) = json::read::<T>(bytes) {
        let status = problem.kind().status;
        assert!((400..500).contains(&status), "{status}");
        assert!(!problem.body(Uuid::nil()).is_empty());
    }
}

fn bodies(bytes: &[u8]) {
    const BODIES: &[fn(&[u8])] = &[
        body::<http::orders::OrderBody>,
        body::<http::quotes::QuoteBody>,
        body::<http::listings::ListingBody>,
        body::<http::listings::RepriceBody>,
        body::<http::organizations::SignUpBody>,
        body::<http::sessions::SignInBody>,
        body::<http::factories::FactoryBody>,
        body::<http::pools::PoolBody>,
        body::<http::pools::PhaseBody>,
        body::<http::pools::MaintenanceBody>,
        body::<http::programs::ProgramBody>,
        body::<http::programs::TermsBody>,
        body::<http::applications::ApplicationBody>,
        body::<http::applications::ApproveBody>,
        body::<http::applications::DeclineBody>,
        body::<http::lines::LimitBody>,
        body::<http::caps::CapBody>,
        body::<http::caps::ReviewBody>,
        body::<http::payments::PaymentBody>,
        body::<http::payouts::PayoutBody>,
        body::<http::amendments::ShrinkBody>,
        body::<http::amendments::ExtendBody>,
        body::<http::amendments::GrowBody>,
        body::<http::resales::ResellBody>,
        body::<http::transfers::TransferBody>,
        body::<http::members::InvitationBody>,
        body::<http::members::RolesBody>,
        body::<http::keys::KeyBody>,
        body::<http::incidents::AnswerBody>,
        body::<http::incidents::PostponeBody>,
        body::<http::collection::DefaultBody>,
        body::<http::clock::AdvanceBody>,
    ];
    if let Some((first, rest)) = bytes.split_first() {
        BODIES[usize::from(*first) % BODIES.len()](rest);
    }
}

fn question<T: DeserializeOwned>(text: &str) {
    if let Err(problem) = query::read::<T>(text) {
        assert!((400..500).contains(&problem.kind().status));
    }
}

fn queries(bytes: &[u8]) {
    const QUERIES: &[fn(&str)] = &[
        question::<query::DryRun>,
        question::<http::quotes::QuotesQuery>,
        question::<http::listings::ListingsQuery>,
        question::<http::contracts::ContractsQuery>,
        question::<http::pools::ScheduleQuery>,
        question::<http::ledger::EntriesQuery>,
        question::<http::ledger::TrialBalanceQuery>,
        question::<http::audit::AuditQuery>,
        question::<http::events::EventsQuery>,
        question::<http::incidents::IncidentsQuery>,
        question::<http::payments::PaymentsQuery>,
        question::<http::statements::StatementQuery>,
    ];
    let Some((first, rest)) = bytes.split_first() else { return };
    if let Some(text) = text(rest) {
        QUERIES[usize::from(*first) % QUERIES.len()](text);
    }
}

fn cursors(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let limit = Some(u32::try_from(text.len()).unwrap_or(u32::MAX));
    if let Ok(page) = page::page::<OrderId>("order", limit, Some(text)) {
        assert!(!format!("{page:?}").is_empty());
    }
}

fn credentials(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    for purpose in [Purpose::LiveKey, Purpose::TestKey, Purpose::Refresh, Purpose::Invitation] {
        let digest = secret::presented(purpose, text);
        assert!(digest.is_none_or(|digest| digest == secret::digest(text)));
    }
    let now = Micros::new(1_800_000_000_000_000);
    let signer = Signer::new(&[7; 32]);
    assert!(signer.verify(text, now).is_err(), "a token was forged: {text}");
}

/// Every setting that is a text: addresses, URLs, amounts, networks.
fn settings(bytes: &[u8]) {
    let Some(text) = text(bytes).map(str::to_owned) else { return };
    let given = Some(text.clone());
    for flags in [
        Flags { listen: given.clone(), ..Flags::default() },
        Flags { database: given.clone(), ..Flags::default() },
        Flags { two_person_threshold: given.clone(), ..Flags::default() },
        Flags { proxies: given.clone(), ..Flags::default() },
        Flags { operator_country: given.clone(), ..Flags::default() },
        Flags { currency: given.clone(), ..Flags::default() },
        Flags { platform_fee: given.clone(), ..Flags::default() },
        Flags { clock: Some("simulated".to_owned()), clock_start: given, ..Flags::default() },
    ] {
        match Config::read(&flags) {
            Ok(config) => assert!(!config.told.is_empty()),
            Err(fault) => assert!(!fault.to_string().is_empty()),
        }
    }
}

fn setting_file(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    let flags = Flags { config: Some(file.path().to_owned()), ..Flags::default() };
    if let Err(fault) = Config::read(&flags) {
        assert!(!fault.to_string().is_empty());
    }
}
