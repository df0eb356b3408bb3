//! `/v1/periods`: months that are open, closed and locked, and what keeps one from being closed.

use actix_web::web::Data;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::{NoBody, Nothing};
use super::ledger::out_of_balance;
use super::page::{self, List};
use super::query::{NoQuery, Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, MonthText};
use crate::engine::Command;
use crate::engine::billing::{Period, PeriodState};
use crate::model::id::UserId;
use crate::model::{Minute, Month};
use crate::store::Fault;
use crate::store::read::Reader;

/// A month in the path.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path")]
pub struct MonthPath {
    /// A calendar month in UTC: `2027-02`.
    month: MonthText,
}

/// Something that keeps a month from being closed.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitView {
    /// `month_not_over`, `earlier_months_open`, `before_closed_months`, `contracts_to_bill`,
    /// `draft_invoices` or `books_out_of_balance`.
    what: &'static str,
    /// How many of it.
    count: u64,
}

/// A month.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    month: MonthText,
    state: PeriodState,
    closed_by: Option<UserId>,
    closed_at: Option<Instant>,
    locked_by: Option<UserId>,
    locked_at: Option<Instant>,
    /// Of an open month that is read by itself: what keeps it from being closed. Empty: nothing.
    waits: Option<Vec<WaitView>>,
}

impl From<&(&'static str, u64)> for WaitView {
    fn from(&(what, count): &(&'static str, u64)) -> Self {
        Self { what, count }
    }
}

impl From<&Period> for PeriodView {
    fn from(one: &Period) -> Self {
        Self {
            month: MonthText(one.month),
            state: one.state,
            closed_by: Some(one.closed_by),
            closed_at: Some(Instant(one.closed_at)),
            locked_by: one.locked_by,
            locked_at: one.locked_at.map(Instant),
            waits: None,
        }
    }
}

impl PeriodView {
    /// A month that nobody has closed.
    fn open(month: Month, waits: Option<Vec<WaitView>>) -> Self {
        Self {
            month: MonthText(month),
            state: PeriodState::Open,
            closed_by: None,
            closed_at: None,
            locked_by: None,
            locked_at: None,
            waits,
        }
    }
}

/// List months
///
/// From this one back to the first that had a market, newest first. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/periods", tag = "Billing",
    responses((status = 200, description = "All of them", body = List<PeriodView>)),
)]
pub async fn list(_: Caller<grant::Audit>, _: Query<NoQuery>, door: Data<Door>) -> Reply {
    let closed = door.read(Reader::periods).await?;
    let now = door.desk.clock().now().minute();
    let founded = door.desk.view().operator().map_or(now, |one| one.created_at.minute());
    let first = closed.iter().map(|one| one.month).chain([Month::of(founded)]).min();
    let last = closed.iter().map(|one| one.month).chain([Month::of(now)]).max();
    let (first, last) = (first.unwrap_or(Month::of(now)), last.unwrap_or(Month::of(now)));
    let months = std::iter::successors(Some(first), |one| Some(one.next()));
    let shown_as = |month: Month| match closed.iter().find(|one| one.month == month) {
        Some(period) => PeriodView::from(period),
        None => PeriodView::open(month, None),
    };
    let mut all: Vec<PeriodView> =
        months.take_while(|month| *month <= last).map(shown_as).collect();
    all.reverse();
    Ok(shown(&page::whole(all)))
}

/// Read a month
///
/// An open one with what keeps it from being closed. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/periods/{month}", tag = "Billing",
    params(MonthPath),
    responses((status = 200, description = "The month", body = PeriodView)),
)]
pub async fn get(_: Caller<grant::Audit>, month: Path<MonthText>, door: Data<Door>) -> Reply {
    let MonthText(month) = month.0;
    let now = door.desk.clock().now().minute();
    let view = door.read(move |reader| match reader.period(month)? {
        Some(period) => Ok(PeriodView::from(&period)),
        None => Ok(PeriodView::open(month, Some(waits(reader, month, now)?))),
    });
    Ok(shown(&view.await?))
}

/// What keeps an open month from being closed, as the engine would say it: told from reads, so that
/// looking does not ask the writer.
fn waits(reader: &Reader, month: Month, now: Minute) -> Result<Vec<WaitView>, Fault> {
    let end = month.end();
    let last = reader.periods()?.iter().map(|one| one.month).max();
    let between = |last: Month| i64::from(month.count()) - i64::from(last.count()) - 1;
    // The first month that is closed begins the row; after it none is left out.
    let earlier = last.map_or(0, between);
    let number = |count: usize| u64::try_from(count).expect("a 64-bit length");
    let all = [
        ("month_not_over", u64::from(now < end)),
        ("earlier_months_open", u64::try_from(earlier.max(0)).unwrap_or(0)),
        ("before_closed_months", u64::from(earlier < 0)),
        ("contracts_to_bill", number(reader.contracts_to_bill(end)?)),
        ("draft_invoices", number(reader.drafts_up_to(month)?)),
        ("books_out_of_balance", number(out_of_balance(&reader.accounts(None)?))),
    ];
    Ok(all.iter().filter(|(_, count)| *count > 0).map(WaitView::from).collect())
}

/// Close a month
///
/// One that is over and settled; providers' and vendors' statements are ready then. What waits is a
/// refusal that says so. Needs the right `bill`, and a person.
#[utoipa::path(
    post, path = "/v1/periods/{month}/close", tag = "Billing",
    params(MonthPath, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The month, closed", body = PeriodView)),
)]
pub async fn close(
    who: Caller<grant::Bill>,
    month: Path<MonthText>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::ClosePeriod { month: month.0.0 }).await
}

/// Lock a month
///
/// A closed one, for good. Needs the right `bill`, and a person.
#[utoipa::path(
    post, path = "/v1/periods/{month}/lock", tag = "Billing",
    params(MonthPath, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The month, locked", body = PeriodView)),
)]
pub async fn lock(
    who: Caller<grant::Bill>,
    month: Path<MonthText>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::LockPeriod { month: month.0.0 }).await
}
