//! Time after the replay: week by week contracts begin, deliver and end, now and then a few GPUs
//! are missing, the office keeps the books, and months are closed.
//!
//! Knows the office and what a provider reports. Knows no rule of the market: what it does, people
//! would.

use std::fmt;
use std::str::FromStr;

use super::calendar::{DAY, HOUR};
use super::market::Market;
use super::summary::{align_right, all, dollars, table};
use super::teller::Teller;
use super::trace::Draws;
use super::{Fault, office};
use crate::engine::billing::{Invoice, PeriodState};
use crate::engine::contract::ContractState;
use crate::engine::{Actor, Command};
use crate::model::{Minute, Money, Month, Window};
use crate::store;
use crate::store::read::{ContractFilter, InvoiceFilter, Page, Reader};

/// How far to go on: whole months of the calendar, or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Months(i32),
    Days(i64),
}

/// The last blocks end some fifteen months after the replay.
const MONTHS_MAX: i32 = 18;

/// The text is not a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("say so many months or days, up to 18 months: 12mo, 90d")]
pub struct SpanError;

/// Contracts that the reports of a week choose from.
const CHOICE: u32 = 100;
/// What is missing: so many GPUs, for so long.
const MISSING: u32 = 4;
const MISSING_HOURS: i64 = 4;

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let unit = text.trim_start_matches(|it: char| it.is_ascii_digit());
        let count = text.trim_end_matches(unit).parse::<i32>().map_err(|_| SpanError)?;
        let fits = |days: i32| (1..=MONTHS_MAX * 30).contains(&days);
        match unit {
            "mo" if (1..=MONTHS_MAX).contains(&count) => Ok(Self::Months(count)),
            "d" if fits(count) => Ok(Self::Days(i64::from(count))),
            _ => Err(SpanError),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Months(count) => write!(out, "{count}mo"),
            Self::Days(count) => write!(out, "{count}d"),
        }
    }
}

impl Span {
    /// The weeks of it, from an instant on.
    pub fn weeks(self, from: Minute) -> Vec<Minute> {
        let end = match self {
            Self::Months(count) => {
                let month = Month::of(from);
                let later = (0..count).fold(month, |month, _| month.next());
                later.start().plus(from.since(month.start()))
            }
            Self::Days(count) => from.plus(count * DAY),
        };
        let mut weeks = Vec::new();
        let mut at = from;
        while at < end {
            at = at.plus(7 * DAY).min(end);
            weeks.push(at);
        }
        weeks
    }
}

/// Lives these weeks. `done` is told how many are over.
///
/// # Errors
/// When the machinery fails.
pub fn live(
    teller: &mut Teller,
    reader: &Reader,
    market: &Market,
    (weeks, seed): (&[Minute], u64),
    mut done: impl FnMut(usize),
) -> Result<(), Fault> {
    for (number, week) in weeks.iter().enumerate() {
        teller.wait(week.micros())?;
        let mut draws = Draws::new(seed ^ 0x7965_6172, u64::try_from(number).unwrap_or_default());
        report(teller, reader, market, &mut draws)?;
        office::keep(teller, reader, market)?;
        done(number + 1);
    }
    Ok(())
}

/// A provider finds that a few GPUs of a contract were missing for the last hours.
fn report(
    teller: &mut Teller,
    reader: &Reader,
    market: &Market,
    draws: &mut Draws,
) -> Result<(), Fault> {
    let state = Some(ContractState::Active);
    let filter = ContractFilter { state, ..ContractFilter::default() };
    let active = reader.contracts(&filter, &Page { after: None, limit: CHOICE })?.data;
    let end = teller.now().minute().floor_to(60);
    let window = Window::new(end.plus(-MISSING_HOURS * HOUR), end).expect("some hours");
    let is_running = |start: Minute| start <= window.start();
    let running = active.iter().filter(|it| is_running(it.window.start().max(it.billed_to)));
    let running: Vec<_> = running.filter(|it| it.losses.is_empty() && it.gpus >= MISSING).collect();
    let place = draws.even(i64::try_from(running.len()).unwrap_or(0) - 1);
    let Some(contract) = usize::try_from(place).ok().and_then(|place| running.get(place)) else {
        return Ok(());
    };
    let owner = market.sites[market.pools[&contract.pool]].owner;
    let (contract, note) = (contract.id, "a rack was down".to_owned());
    let report = Command::ReportDelivery { contract, window, missing: MISSING, note };
    teller.say(Actor::User(owner), report)?;
    Ok(())
}

/// What was billed and paid by month, and that the books balance.
///
/// # Errors
/// When the database cannot be read.
pub fn billed(reader: &Reader) -> Result<String, store::Fault> {
    let invoices = all(|page| reader.invoices(&InvoiceFilter::default(), page), |it| it.id)?;
    let mut months: Vec<_> = invoices.iter().map(|it| it.month).collect();
    months.sort_unstable();
    months.dedup();
    let mut table = table(&["Month", "Invoices", "Billed", "Paid", "Outstanding", "Period"]);
    for month in months {
        let own: Vec<&Invoice> = invoices.iter().filter(|it| it.month == month).collect();
        let sum = |amount: fn(&Invoice) -> Money| {
            dollars(Money::from_micros(own.iter().map(|it| amount(it).micros()).sum()), 2)
        };
        let state = reader.period(month)?.map_or(PeriodState::Open, |period| period.state);
        table.add_row([
            month.to_string(),
            own.len().to_string(),
            sum(|it| it.total),
            sum(|it| it.paid),
            sum(Invoice::outstanding),
            state.to_string(),
        ]);
    }
    align_right(&mut table, 1);
    let difference: i128 = reader
        .accounts(None)?
        .iter()
        .map(|(_, balance)| i128::from(balance.debits) - i128::from(balance.credits))
        .sum();
    Ok(format!("BILLED, in USD\n{table}\nTrial balance over all books: {difference}\n"))
}
