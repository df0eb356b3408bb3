//! The replay: the jobs of the trace, day by day, as orders, quotes and cancellations of the
//! customers, with the providers moving their prices now and then.
//!
//! Knows the mapping's wishes and what customers do with them. Knows no rule of the market: it
//! says what it wants and counts what it is told.

use std::collections::BTreeMap;

use super::Fault;
use super::calendar::{Calendar, DAY, HEAD_START, LEAD_MAX};
use super::customers::{self, Customer};
use super::market::{Market, Offered, SLOT_MINUTES, code, price};
use super::teller::{Outcome, Teller, Turn};
use super::trace::{self, Draws, Job, Mapping, Product, Wish};
use crate::engine::command::{OrderKind, PlaceOrder};
use crate::engine::order::{Ask, OrderState, Start, TimeInForce};
use crate::engine::{Actor, Answer, Command, Refusal};
use crate::model::id::{OrderId, QuoteId, UserId};
use crate::model::{Micros, Minute, Price};

/// GPUs ordered for each GPU a job ran on.
const GPUS_FACTOR: u32 = 192;

/// Limit prices, in basis points of the list price.
const LIMIT_LEAST: u32 = 8_800;
const LIMIT_MOST: u32 = 13_200;

/// So many of a hundred orders rest until cancelled, and so many until a date.
const GTC_PERCENT: i64 = 3;
const GTD_PERCENT: i64 = 1;

/// One order in so many is made by way of a firm quote, and one such quote in three is not taken.
const QUOTE_EVERY: i64 = 300;

/// So many of a hundred orders accept a second product too.
const SECOND_CHOICE_PERCENT: i64 = 15;

/// Firm quotes asked for just before the demo is handed over, to be open still.
const QUOTES_AT_LAST: usize = 5;

/// Providers look at their prices once in so many days.
const REPRICE_DAYS: i64 = 7;

/// The operator's office works once in so many days.
const OFFICE_DAYS: i64 = 7;

/// The price band of the reference data.
const PRICE_LEAST: &str = "2.00";
const PRICE_MOST: &str = "5.50";

/// What the replay was told, where the store does not keep it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Orders handed in.
    pub orders: u64,
    /// What they asked for, in GPU-minutes.
    pub gpu_minutes: i64,
    /// Orders that were refused outright, which leaves no order behind, by the refusal's code.
    pub refused: BTreeMap<&'static str, u64>,
    /// Firm quotes that were given.
    pub quotes: u64,
    /// Quotes that could not be given.
    pub quotes_refused: u64,
    /// How often a provider moved a price.
    pub repriced: u64,
    /// Orders, quotes, cancellations and prices.
    pub commands: u64,
}

/// What a turn was for.
#[derive(Debug, Clone, Copy)]
enum Matter {
    Waiting,
    Order { customer: usize },
    Quote,
    Cancellation,
    Price,
}

/// The replay under way.
#[derive(Debug)]
pub struct Replay<'a> {
    teller: &'a mut Teller,
    calendar: Calendar,
    market: &'a Market,
    customers: &'a [Customer],
    mapping: Mapping,
    seed: u64,
    /// Which resting order is given up on which day, and by whom.
    given_up: BTreeMap<(i64, OrderId), UserId>,
    turns: Vec<Turn>,
    matters: Vec<Matter>,
    tally: Tally,
}

/// Who plays, on which days.
#[derive(Debug, Clone, Copy)]
pub struct Cast<'a> {
    pub market: &'a Market,
    pub customers: &'a [Customer],
    pub calendar: Calendar,
}

/// Replays these jobs, day by day until now. `weekly` is what the operator's office does at the end
/// of each week; `done` is told how many are through.
///
/// # Errors
/// When the machinery fails.
pub fn replay(
    teller: &mut Teller,
    Cast { market, customers, calendar }: Cast<'_>,
    jobs: &[(u64, Job)],
    seed: u64,
    mut weekly: impl FnMut(&mut Teller) -> Result<(), Fault>,
    mut done: impl FnMut(usize),
) -> Result<Tally, Fault> {
    let mapping = Mapping {
        gpus_factor: GPUS_FACTOR,
        lead_max: LEAD_MAX,
        limit_least: LIMIT_LEAST,
        limit_most: LIMIT_MOST,
        seed,
        ..Mapping::starting(calendar.first_order.plus(HEAD_START))
    };
    let (given_up, turns, matters) = (BTreeMap::new(), Vec::new(), Vec::new());
    let tally = Tally::default();
    let mut replay = Replay {
        teller,
        calendar,
        market,
        customers,
        mapping,
        seed,
        given_up,
        turns,
        matters,
        tally,
    };
    let last_day = calendar.now.since(calendar.first_order).div_euclid(DAY);
    let mut through = 0;
    for day in 0..=last_day {
        let today =
            jobs[through..].iter().take_while(|(_, job)| job.submit_minute < (day + 1) * DAY);
        let today = &jobs[through..through + today.count()];
        replay.day(day, today)?;
        through += today.len();
        done(through);
        if day % OFFICE_DAYS == OFFICE_DAYS - 1 {
            weekly(replay.teller)?;
        }
        if day == last_day * 2 / 3 {
            customers::freeze(replay.teller, customers, market)?;
        }
    }
    customers::apply_late(replay.teller, customers, market)?;
    replay.hand_over(jobs)?;
    Ok(replay.tally)
}

/// `count` jobs of the trace with their numbers, evenly picked so that its bursts stay.
pub fn pick(count: usize) -> Vec<(u64, Job)> {
    let jobs = trace::jobs();
    let (total, count) = (jobs.len(), count.min(jobs.len()));
    let is_picked = |place: usize| (place + 1) * count / total > place * count / total;
    let numbered = (0..).zip(jobs).enumerate();
    numbered.filter(|(place, _)| is_picked(*place)).map(|(_, job)| job).collect()
}

impl Replay<'_> {
    /// Everything that is said on one day, handed in at once and in order.
    fn day(&mut self, day: i64, jobs: &[(u64, Job)]) -> Result<(), Fault> {
        let begin = self.calendar.first_order.plus(day * DAY);
        self.wait(begin.micros());
        self.give_up(day);
        if day % REPRICE_DAYS == REPRICE_DAYS - 1 {
            self.move_prices(day);
        }
        for (number, job) in jobs {
            self.order(day, *number, job)?;
        }
        self.speak(day)
    }

    /// The clock reaches now, and some quotes are open.
    fn hand_over(&mut self, jobs: &[(u64, Job)]) -> Result<(), Fault> {
        self.teller.wait(self.calendar.now.micros())?;
        for (number, job) in jobs.iter().rev().filter(|(_, job)| job.gpus > 1).take(QUOTES_AT_LAST)
        {
            let (wish, customer, ask) = self.wish(*number, job);
            let earliest = wish.earliest.max(self.calendar.now.plus(DAY).ceil_to(SLOT_MINUTES));
            let latest = wish.latest.max(earliest);
            let start = Start::Between { earliest, latest };
            let id = QuoteId::new(self.teller.fresh());
            let quote = Command::Quote { id, ask: Ask { start, ..ask }, hold_secs: Some(900) };
            self.say(Matter::Quote, self.customers[customer].trader, quote);
        }
        self.speak(0)
    }

    fn wait(&mut self, to: Micros) {
        self.turns.push(Turn::Wait(to));
        self.matters.push(Matter::Waiting);
    }

    fn say(&mut self, matter: Matter, who: UserId, command: Command) {
        self.turns.push(Turn::Say(Actor::User(who), command));
        self.matters.push(matter);
        self.tally.commands += 1;
    }

    /// Hands in what was gathered and counts what came of it.
    fn speak(&mut self, day: i64) -> Result<(), Fault> {
        let outcomes = self.teller.take(std::mem::take(&mut self.turns))?;
        let matters = std::mem::take(&mut self.matters);
        for (matter, outcome) in matters.into_iter().zip(outcomes) {
            self.count(day, matter, outcome);
        }
        Ok(())
    }

    fn count(&mut self, day: i64, matter: Matter, outcome: Outcome) {
        let Some(outcome) = outcome else { return };
        match (matter, outcome) {
            (Matter::Order { customer }, Ok(Answer::Order { order, .. })) => {
                if order.state == OrderState::Open {
                    self.maybe_give_up(day, customer, order.id, order.seq);
                }
            }
            (Matter::Order { .. }, Err(refusal)) => {
                *self.tally.refused.entry(refusal.code()).or_default() += 1;
            }
            (Matter::Quote, Ok(_)) => self.tally.quotes += 1,
            (Matter::Quote, Err(_)) => self.tally.quotes_refused += 1,
            (Matter::Price, Ok(_)) => self.tally.repriced += 1,
            // The listing may have sold out or reopened over night: another version.
            (Matter::Price, Err(_)) => {}
            // It may have filled, or lapsed, between the decision to give it up and the morning
            // after.
            (Matter::Cancellation, Ok(_) | Err(Refusal::NotFound { .. })) => {}
            (matter, outcome) => unreachable!("{matter:?} does not end in {outcome:?}"),
        }
    }

    /// Half of those who rest give up within three weeks.
    fn maybe_give_up(&mut self, day: i64, customer: usize, order: OrderId, number: u64) {
        let mut draws = Draws::new(self.seed ^ 0x6769_7665, number);
        if draws.even(1) == 0 {
            let on = day + 1 + draws.even(20);
            self.given_up.insert((on, order), self.customers[customer].trader);
        }
    }

    fn give_up(&mut self, day: i64) {
        let later = self.given_up.split_off(&(day + 1, OrderId::new(uuid::Uuid::nil())));
        for ((_, id), who) in std::mem::replace(&mut self.given_up, later) {
            self.say(Matter::Cancellation, who, Command::CancelOrder { id });
        }
    }

    /// Each pool's provider moves one of its prices by a few cents, as they stood last night.
    fn move_prices(&mut self, day: i64) {
        let view = self.teller.desk().view();
        let number = u64::try_from(day).expect("days count up");
        let mut draws = Draws::new(self.seed ^ 0x7072_6963, number);
        for shelf in view.shelves.values().filter(|shelf| !shelf.offers.is_empty()) {
            let place = draws.even(i64::try_from(shelf.offers.len()).unwrap_or(1) - 1);
            let listing = &shelf.offers[usize::try_from(place).unwrap_or(0)].listing;
            let cents = draws.even(8) - 4;
            let moved = Price::from_micros(listing.price.micros() + cents * 10_000);
            let Some(moved) = moved.filter(|moved| (band()).contains(moved)) else { continue };
            if cents != 0 {
                let (id, expect) = (listing.id, listing.version);
                let owner = self.market.sites[self.market.pools[&shelf.pool]].owner;
                let reprice = Command::RepriceListing { id, expect, price: moved };
                self.say(Matter::Price, owner, reprice);
            }
        }
    }

    /// One job of the trace, said in the market's words.
    fn order(&mut self, day: i64, number: u64, job: &Job) -> Result<(), Fault> {
        let mut draws = Draws::new(self.seed ^ 0x6f72_6465, number);
        let (wish, customer, ask) = self.wish(number, job);
        let who = self.customers[customer].trader;
        let at = wish.ordered_at.plus(-HEAD_START);
        self.wait(at.micros());
        let kind = if draws.even(QUOTE_EVERY - 1) == 0 {
            let id = QuoteId::new(self.teller.fresh_at(at.micros()));
            let quote = Command::Quote { id, ask: ask.clone(), hold_secs: Some(900) };
            let given = self.tally.quotes;
            self.say(Matter::Quote, who, quote);
            self.speak(day)?;
            if self.tally.quotes == given || draws.even(2) == 0 {
                return Ok(());
            }
            OrderKind::Quote(id)
        } else {
            let time_in_force = time_in_force(draws.even(99), at);
            OrderKind::Ask { ask: ask.clone(), time_in_force }
        };
        self.tally.orders += 1;
        self.tally.gpu_minutes += i64::from(ask.gpus) * ask.minutes;
        let id = OrderId::new(self.teller.fresh_at(at.micros()));
        let client_order_id = Some(format!("philly-{number:05}"));
        let place = PlaceOrder { id, kind, client_order_id, dry_run: false };
        self.say(Matter::Order { customer }, who, Command::PlaceOrder(place));
        Ok(())
    }

    /// What a job wishes, who wishes it, and the ask it becomes: of a product that is there by
    /// then.
    fn wish(&self, number: u64, job: &Job) -> (Wish, usize, Ask) {
        let mut draws = Draws::new(self.seed ^ 0x7769_7368, number);
        let is_whose = |customer: &Customer| customer.plan.cluster == job.customer;
        let place = self.customers.iter().position(is_whose);
        let place = place.expect("every virtual cluster is a customer");
        let plan = self.customers[place].plan;
        // The start does not depend on the product: all have the same slot.
        let first = &self.market.products[plan.taste[0].0];
        let start = self.mapping.wish(number, job, &first.product).earliest;
        let choice = choose(plan.taste, draws.even(999), |sku| {
            self.market.products[sku].from.plus(2 * DAY) <= start
        });
        let offered = choice.map_or(first, |sku| &self.market.products[sku]);
        let wish = self.mapping.wish(number, job, &offered.product);
        let mut skus = vec![offered.code.clone()];
        if draws.even(99) < SECOND_CHOICE_PERCENT {
            let others = plan.taste.iter().map(|(sku, _)| &self.market.products[sku]);
            skus.extend(others.filter(|other| goes_with(other, offered)).map(|it| it.code.clone()));
        }
        let half = (wish.gpus / 2).next_multiple_of(offered.product.lot);
        let takes_less = job.gpus >= 4 && draws.even(3) == 0;
        let ask = Ask {
            skus,
            regions: plan.regions.iter().map(|region| code(region)).collect(),
            gpus: wish.gpus,
            min_gpus: takes_less.then_some(half),
            start: Start::Between { earliest: wish.earliest, latest: wish.latest },
            minutes: wish.minutes,
            limit: Some(wish.limit),
            workload: Some(plan.workload),
        };
        (wish, place, ask)
    }
}

/// Rest until cancelled, until a date two weeks ahead, or fill now, by a draw of a hundred.
fn time_in_force(draw: i64, at: Minute) -> TimeInForce {
    if draw < GTC_PERCENT {
        TimeInForce::Gtc
    } else if draw < GTC_PERCENT + GTD_PERCENT {
        TimeInForce::Gtd(at.plus(14 * DAY))
    } else {
        TimeInForce::Ioc
    }
}

/// The product that a draw of a thousand falls on, by weight, among those that are there.
fn choose(
    taste: &[(&'static str, u32)],
    draw: i64,
    is_there: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let there = || taste.iter().filter(|(sku, _)| is_there(sku));
    let all: u32 = there().map(|(_, weight)| weight).sum();
    let mut left = i64::from(all) * draw / 1_000;
    for (sku, weight) in there() {
        left -= i64::from(*weight);
        if left < 0 {
            return Some(sku);
        }
    }
    None
}

/// Another product that would do instead: it comes in the same lots.
fn goes_with(other: &Offered, first: &Offered) -> bool {
    let Product { lot, .. } = first.product;
    other.product.lot == lot && other.code != first.code
}

fn band() -> std::ops::RangeInclusive<Price> {
    price(PRICE_LEAST)..=price(PRICE_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picked_jobs_are_spread_over_the_trace() {
        let (all, some) = (pick(usize::MAX), pick(300));
        assert_eq!((all.len(), some.len()), (18_645, 300));
        assert!(some.iter().all(|job| all.contains(job)));
        let half = some.iter().filter(|(number, _)| *number < 9_322).count();
        assert_eq!(half, 149);
        assert!(pick(0).is_empty());
    }

    #[test]
    fn choices_follow_their_weights_among_what_is_there() {
        let taste: &[(&str, u32)] = &[("a", 1), ("b", 2), ("c", 1)];
        let count = |is_there: fn(&str) -> bool, sku| {
            (0..1_000).filter(|draw| choose(taste, *draw, is_there) == Some(sku)).count()
        };
        assert_eq!([count(|_| true, "a"), count(|_| true, "b")], [250, 500]);
        assert_eq!([count(|sku| sku != "b", "a"), count(|sku| sku != "b", "b")], [500, 0]);
        assert_eq!(choose(taste, 0, |_| false), None);
    }
}
