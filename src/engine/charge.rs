//! What a block charges the customer, and who gets which part of it.
//!
//! What was not delivered is charged to nobody: it is taken off the draws before they are counted.
//! A charge is a sum of runs. A run is the time of one program under one share; it is floored once
//! on its running total and split by Webster on that total, so any way of cutting time adds up to
//! the same.

use std::sync::Arc;

use super::Engine;
use super::contract::{Contract, Terms};
use super::matching::Draw;
use super::program::FrozenProgram;
use super::resale::{Gain, Origin, Resale, both};
use super::split::{apportion, webster};
use crate::model::id::{OrgId, ProgramId};
use crate::model::{BasisPoints, Minute, Money, Window, Worth};

/// The whole, in basis points.
const WHOLE: BasisPoints = 10_000;

/// Contract months are never shorter: a window up to this long lies in its first month.
const SHORTEST_MONTH_MINUTES: i64 = 28 * 24 * 60;

/// From this availability down (basis points of the GPU-minutes of a month) the customer is
/// credited this part of the month's charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SlaStep {
    pub below: BasisPoints,
    pub credit: BasisPoints,
}

/// What is charged under one program, and the vendor's share of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProgramPart {
    pub program: ProgramId,
    pub vendor: OrgId,
    /// What its guarantee covers.
    pub charged: Money,
    pub share: Money,
}

/// What a contract charges over some time, and who has which part:
/// `charge + fees - credits = provider + platform + every share + every gain`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Bill {
    /// For what was delivered.
    pub charge: Money,
    /// For changes that the customer wanted.
    pub fees: Money,
    /// Taken off for service below the promise.
    pub credits: Money,
    /// GPU-minutes.
    pub delivered: i64,
    /// GPU-minutes that were promised and not delivered.
    pub lost: i64,
    pub provider: Money,
    pub platform: Money,
    /// By program, in the order of the contract's terms.
    pub programs: Vec<ProgramPart>,
    /// What customers gain of whom this was bought.
    #[serde(default)]
    pub gains: Vec<Gain>,
}

/// The sum of two amounts that are both within the market's bounds.
pub fn sum(left: Money, right: Money) -> Money {
    left.checked_add(right).expect("amounts are bounded far below 2^63")
}

/// The difference of two amounts that are both within the market's bounds.
pub fn less(left: Money, right: Money) -> Money {
    left.checked_sub(right).expect("amounts are bounded far below 2^63")
}

impl Bill {
    /// What the customer owes of it.
    pub fn amount(&self) -> Money {
        less(sum(self.charge, self.fees), self.credits)
    }

    /// What of it is charged under a program.
    pub fn charged(&self, program: ProgramId) -> Money {
        let part = self.programs.iter().find(|part| part.program == program);
        part.map_or(Money::ZERO, |part| part.charged)
    }

    /// Nothing happened: no money, no time.
    pub fn is_empty(&self) -> bool {
        let Self { charge, fees, credits, delivered, lost, .. } = *self;
        [charge, fees, credits].iter().all(|it| it.is_zero()) && delivered == 0 && lost == 0
    }

    /// Adds another bill of the same contract, part by part.
    pub fn add(&mut self, other: &Bill) {
        self.combine(other, sum, |left, right| left + right);
    }

    /// Takes another bill of the same contract off, part by part. Parts may fall below zero: what
    /// was posted before was too much.
    pub fn take(&mut self, other: &Bill) {
        self.combine(other, less, |left, right| left - right);
    }

    fn combine(
        &mut self,
        other: &Bill,
        money: fn(Money, Money) -> Money,
        time: fn(i64, i64) -> i64,
    ) {
        let Bill { charge, fees, credits, delivered, lost, provider, platform, programs, gains } =
            other;
        self.charge = money(self.charge, *charge);
        self.fees = money(self.fees, *fees);
        self.credits = money(self.credits, *credits);
        self.delivered = time(self.delivered, *delivered);
        self.lost = time(self.lost, *lost);
        self.provider = money(self.provider, *provider);
        self.platform = money(self.platform, *platform);
        for part in programs {
            let mine = self.part_of(part.program, part.vendor);
            mine.charged = money(mine.charged, part.charged);
            mine.share = money(mine.share, part.share);
        }
        for gain in gains {
            let mine = self.gain_of(gain.reseller);
            mine.amount = money(mine.amount, gain.amount);
        }
    }

    fn part_of(&mut self, program: ProgramId, vendor: OrgId) -> &mut ProgramPart {
        let place = self.programs.iter().position(|part| part.program == program);
        let place = place.unwrap_or_else(|| {
            let (charged, share) = (Money::ZERO, Money::ZERO);
            self.programs.push(ProgramPart { program, vendor, charged, share });
            self.programs.len() - 1
        });
        &mut self.programs[place]
    }

    fn gain_of(&mut self, reseller: OrgId) -> &mut Gain {
        let place = self.gains.iter().position(|gain| gain.reseller == reseller);
        let place = place.unwrap_or_else(|| {
            self.gains.push(Gain { reseller, amount: Money::ZERO });
            self.gains.len() - 1
        });
        &mut self.gains[place]
    }

    /// The parties' parts of `amount`, in the proportions of this bill's. `charged` is split among
    /// the programs as it is here, so that what a guarantee covers follows.
    ///
    /// # Panics
    /// When the bill is empty: there are no proportions.
    pub fn parts_of(&self, amount: Money) -> Bill {
        let mut weights = vec![self.provider, self.platform];
        weights.extend(self.programs.iter().map(|part| part.share));
        weights.extend(self.gains.iter().map(|gain| gain.amount));
        let parts = apportion(amount, &weights);
        let unsupported =
            self.programs.iter().fold(self.amount(), |rest, part| less(rest, part.charged));
        let mut covers = vec![unsupported.max(Money::ZERO)];
        covers.extend(self.programs.iter().map(|part| part.charged));
        let covers = apportion(amount, &covers);
        let (shares, gains) = parts[2..].split_at(self.programs.len());
        let programs = self.programs.iter().zip(shares.iter().zip(&covers[1..]));
        let programs = programs
            .map(|(part, (&share, &charged))| ProgramPart { charged, share, ..*part })
            .collect();
        let gains = self.gains.iter().zip(gains);
        let gains = gains.map(|(gain, &amount)| Gain { amount, ..*gain }).collect();
        Bill { provider: parts[0], platform: parts[1], programs, gains, ..Bill::default() }
    }
}

/// The parties' parts of an amount. They sum exactly to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Parts {
    pub provider: Money,
    pub vendor: Money,
    pub platform: Money,
    /// What customers gain of whom it was bought.
    pub reseller: Money,
}

/// One run of a contract: a program (or none), the time under one share of it, the weights of the
/// split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub program: Option<ProgramId>,
    pub vendor: Option<OrgId>,
    /// All of it is this customer's gain.
    pub reseller: Option<OrgId>,
    pub window: Window,
    /// Worth delivered within the run's window up to the asked instant.
    pub worth: Worth,
    pub vendor_share: BasisPoints,
    pub platform_fee: BasisPoints,
}

impl Run {
    /// What the customer is charged for the run.
    pub fn value(&self) -> Money {
        self.worth.floor().expect("a contract's value was found to fit when it was made")
    }

    /// The parties' parts of it.
    pub fn parts(&self) -> Parts {
        if self.reseller.is_some() {
            return Parts { reseller: self.value(), ..Parts::default() };
        }
        let provider_share = WHOLE - self.vendor_share - self.platform_fee;
        let [provider, vendor, platform] =
            webster(self.value(), [provider_share, self.vendor_share, self.platform_fee]);
        Parts { provider, vendor, platform, reseller: Money::ZERO }
    }
}

/// The runs of `draws` less `losses` that begin with `window`, counted up to `to`.
pub fn runs(
    draws: &[Draw],
    losses: &[Draw],
    window: Window,
    to: Minute,
    platform_fee: BasisPoints,
    programs: &[Arc<FrozenProgram>],
) -> Vec<Run> {
    let mut runs = Vec::new();
    let delivered = |program, segment| {
        let promised = worth_within(draws, program, segment, to);
        promised.minus(worth_within(losses, program, segment, to))
    };
    if draws.iter().any(|draw| draw.program.is_none()) {
        let worth = delivered(None, window);
        runs.push(Run {
            program: None,
            vendor: None,
            reseller: None,
            window,
            worth,
            vendor_share: 0,
            platform_fee,
        });
    }
    for frozen in programs {
        for (segment, vendor_share) in segments(window, frozen) {
            let program = Some(frozen.program);
            let worth = delivered(program, segment);
            let vendor = Some(frozen.vendor);
            let (reseller, window) = (None, segment);
            runs.push(Run { program, vendor, reseller, window, worth, vendor_share, platform_fee });
        }
    }
    runs
}

/// The worth of the draws under `program` within `window`, up to `to`.
pub(super) fn worth_within(
    draws: &[Draw],
    program: Option<ProgramId>,
    window: Window,
    to: Minute,
) -> Worth {
    let Some(counted) = Window::new(window.start(), window.end().min(to)) else {
        return Worth::ZERO;
    };
    draws
        .iter()
        .filter(|draw| draw.program == program)
        .filter_map(|draw| Some((draw, draw.window.overlap(counted)?)))
        .fold(Worth::ZERO, |sum, (draw, time)| {
            sum.plus(draw.price.worth(draw.gpus, time.minutes()))
        })
}

/// The stretches of `window` under one vendor share each, by contract month.
pub(super) fn segments(window: Window, frozen: &FrozenProgram) -> Vec<(Window, BasisPoints)> {
    let steps = &frozen.terms.shares;
    if window.minutes() <= SHORTEST_MONTH_MINUTES || steps.len() == 1 {
        return vec![(window, frozen.terms.vendor_share(1))];
    }
    let mut segments = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let start = month_start(window.start(), step.from_month);
        let next = steps.get(place + 1).map(|next| month_start(window.start(), next.from_month));
        let end = next.map_or(window.end(), |next| next.min(window.end()));
        if let Some(segment) = Window::new(start, end) {
            segments.push((segment, step.vendor_share));
        }
    }
    segments
}

/// When contract month `month` begins: the day and time of the start, so many calendar months later
/// (the last day of a month where that day does not exist).
pub fn month_start(start: Minute, month: u32) -> Minute {
    let begin = jiff::Timestamp::from_microsecond(start.micros().count())
        .expect("the market's times are within the calendar")
        .to_zoned(jiff::tz::TimeZone::UTC);
    let months = i64::from(month.saturating_sub(1));
    match begin.checked_add(jiff::Span::new().months(months.min(12_000))) {
        Ok(later) => Minute::new(later.timestamp().as_second().div_euclid(60)),
        Err(_) => Minute::new(crate::model::limits::MINUTE_MAX),
    }
}

impl Contract {
    /// The contract's runs, counted up to `to`.
    pub fn runs(&self, to: Minute) -> Vec<Run> {
        let Terms { platform_fee, programs, .. } = &self.terms;
        let fee = *platform_fee;
        let Some(resale) = &self.resale else {
            return runs(&self.allocations, &self.losses, self.window, to, fee, programs);
        };
        let mut own = resale.own(&self.allocations);
        own.extend(resale.sold.iter().cloned());
        let mut all = runs(&own, &resale.own(&self.losses), self.window, to, fee, programs);
        all.extend(resale.bought(&self.allocations, &self.losses, self.window.end(), to));
        all
    }

    /// Everything delivered up to `to`, and what was not, as one bill without fees and credits.
    pub fn tally(&self, to: Minute) -> Bill {
        let mut bill = Bill::default();
        for run in self.runs(to) {
            let (value, parts) = (run.value(), run.parts());
            bill.charge = sum(bill.charge, value);
            bill.provider = sum(bill.provider, parts.provider);
            bill.platform = sum(bill.platform, parts.platform);
            if let (Some(program), Some(vendor)) = (run.program, run.vendor) {
                let part = bill.part_of(program, vendor);
                part.charged = sum(part.charged, value);
                part.share = sum(part.share, parts.vendor);
            }
            if let Some(reseller) = run.reseller {
                let gain = bill.gain_of(reseller);
                gain.amount = sum(gain.amount, value);
            }
        }
        bill.lost = minutes_by(&self.losses, to);
        bill.delivered = minutes_by(&self.allocations, to) - bill.lost;
        bill
    }

    /// What is charged for delivery up to `to`, and the parties' parts of it.
    pub fn charge(&self, to: Minute) -> (Money, Parts) {
        total(&self.runs(to))
    }
}

/// GPU-minutes of draws up to `to`.
fn minutes_by(draws: &[Draw], to: Minute) -> i64 {
    let minutes = |draw: &Draw| {
        let counted = Window::new(draw.window.start(), draw.window.end().min(to));
        counted.map_or(0, |counted| i64::from(draw.gpus) * counted.minutes())
    };
    draws.iter().map(minutes).sum()
}

/// The sum of runs: the charge and its parts.
pub fn total(runs: &[Run]) -> (Money, Parts) {
    runs.iter().fold((Money::ZERO, Parts::default()), |(value, parts), run| {
        (sum(value, run.value()), both(parts, run.parts()))
    })
}

impl Engine {
    /// The programs that `draws` are supported under, in their versions of now.
    pub(super) fn programs_of(&self, draws: &[Draw]) -> Vec<Arc<FrozenProgram>> {
        let mut ids: Vec<ProgramId> = draws.iter().filter_map(|draw| draw.program).collect();
        ids.sort_unstable();
        ids.dedup();
        let frozen = |id| self.programs.frozen(id).expect("a listing's program exists");
        ids.into_iter().map(frozen).collect()
    }

    /// What a block will be charged when it is made a contract now.
    pub(super) fn value_of(&self, draws: &[Draw], window: Window) -> Money {
        let origins = self.origins_of(draws);
        if origins.is_empty() && draws.iter().all(|draw| draw.program.is_none()) {
            // One run, as most blocks have.
            let worth = worth_within(draws, None, window, window.end());
            return worth.floor().expect("what is affordable is an amount");
        }
        self.runs_of(draws, window, origins).iter().fold(Money::ZERO, |sum, run| {
            sum.checked_add(run.value()).expect("the sum of floors is at most the floored sum")
        })
    }

    /// The runs of a block when it is made a contract now.
    pub(super) fn runs_of(&self, draws: &[Draw], window: Window, origins: Vec<Origin>) -> Vec<Run> {
        let programs = self.programs_of(draws);
        let fee = self.settings.platform_fee;
        if origins.is_empty() {
            return runs(draws, &[], window, window.end(), fee, &programs);
        }
        let resale = Resale { origins, ..Resale::default() };
        let end = window.end();
        let mut all = runs(&resale.own(draws), &[], window, end, fee, &programs);
        all.extend(resale.bought(draws, &[], end, end));
        all
    }
}
