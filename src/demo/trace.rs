//! Real demand: 18,645 jobs of a shared GPU cluster, and how each becomes a wish for a block.
//!
//! Knows the trace shipped in `assets/demand` (its README has provenance, licence and this
//! mapping in words) and the arithmetic of the mapping. Knows no engine, no organization and no
//! clock; its only randomness is seeded, so the same mapping wishes the same, always.
//!
//! To replay: read [`jobs`], choose for each job the product it will be offered, and turn
//! [`Mapping::wish`] of it into an order. Jobs are in the order of submission, so are the wishes.
//!
//! ```
//! use headroom::demo::trace::{self, Mapping, Product};
//! use headroom::model::Minute;
//!
//! let price = |text: &str| text.parse().expect("a price");
//! let product = Product { lot: 8, slot_minutes: 60, tick: price("0.01"), ask: price("2.50") };
//! let mapping = Mapping::starting(Minute::new(30_000_000));
//! for (number, job) in (0..).zip(trace::jobs()) {
//!     let wish = mapping.wish(number, &job, &product);
//!     assert!(wish.gpus % product.lot == 0 && wish.earliest >= wish.ordered_at);
//! }
//! ```

use serde::Deserialize;

use crate::model::{BasisPoints, Gpus, Minute, Money, Price};

/// The trimmed trace, carried in the binary so that the demo needs no file beside it.
const TRACE: &str = include_str!("../../assets/demand/philly_2017.csv");

/// One job of the trace, as it was run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// Minutes from the first job of the trace to the submission of this one.
    pub submit_minute: i64,
    /// GPUs it ran on.
    pub gpus: Gpus,
    /// How long it ran, at least an hour.
    pub minutes: i64,
    /// The virtual cluster it came from: an anonymous code.
    pub customer: String,
}

/// What a job is measured against: the grain of a SKU and a price it is offered at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// Quantities are multiples of this. Not zero.
    pub lot: Gpus,
    /// Windows start and end on multiples of this. Not zero.
    pub slot_minutes: u32,
    /// Prices are multiples of this. Not zero.
    pub tick: Price,
    /// The price around which limits are drawn.
    pub ask: Price,
}

/// How jobs of a small cluster of 2017 become wishes for blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// When the first job of the trace is submitted. The trace begins on a Monday.
    pub begins_at: Minute,
    /// GPUs wished for each GPU the job ran on, before rounding up to the lot.
    pub gpus_factor: u32,
    /// Nobody orders further ahead than this; most order much later. In minutes.
    pub lead_max: i64,
    /// Nobody waits longer than this for a start, nor longer than the block itself. In minutes.
    pub patience_max: i64,
    /// The least anyone would pay, in basis points of the ask.
    pub limit_least: BasisPoints,
    /// The most anyone would pay, in basis points of the ask. Not under the least.
    pub limit_most: BasisPoints,
    /// Another seed, another market.
    pub seed: u64,
}

/// A block that someone wants: everything of an order except which SKUs and regions would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The moment of ordering.
    pub ordered_at: Minute,
    /// The virtual cluster that asks: one organization each.
    pub customer: String,
    /// A multiple of the lot, never zero.
    pub gpus: Gpus,
    /// A multiple of the slot, never zero.
    pub minutes: i64,
    /// The first start that would do: on a slot, not before the moment of ordering.
    pub earliest: Minute,
    /// The last start that would do: on a slot, not before the earliest.
    pub latest: Minute,
    /// The most the average may be: on a tick, never zero.
    pub limit: Price,
}

/// The jobs of the trace, in the order of their submission.
pub fn jobs() -> Vec<Job> {
    csv::Reader::from_reader(TRACE.as_bytes())
        .deserialize()
        .map(|row| row.expect("the trace is part of the program and a test has read it"))
        .collect()
}

impl Mapping {
    /// The mapping of the demo: sixty-four GPUs for one, up to thirty days ahead, up to a week of
    /// patience, limits from 85 to 125 percent of the ask.
    pub const fn starting(begins_at: Minute) -> Self {
        Self {
            begins_at,
            gpus_factor: 64,
            lead_max: 30 * 24 * 60,
            patience_max: 7 * 24 * 60,
            limit_least: 8_500,
            limit_most: 12_500,
            seed: 2017,
        }
    }

    /// What job number `number` wishes of `product`. The same arguments give the same wish.
    ///
    /// # Panics
    /// When a grain of the product is zero, or the factor lifts a job beyond the range of [`Gpus`].
    pub fn wish(&self, number: u64, job: &Job, product: &Product) -> Wish {
        let mut draws = Draws::new(self.seed, number);
        let slot = product.slot_minutes;
        let ordered_at = self.begins_at.plus(job.submit_minute);
        let minutes = Minute::new(job.minutes).ceil_to(slot).count();
        let earliest = ordered_at.plus(draws.mostly_little(self.lead_max)).ceil_to(slot);
        let patience = draws.even(self.patience_max.min(minutes));
        Wish {
            ordered_at,
            customer: job.customer.clone(),
            gpus: job
                .gpus
                .checked_mul(self.gpus_factor)
                .and_then(|gpus| gpus.checked_next_multiple_of(product.lot))
                .expect("the factor is chosen for jobs of at most 128 GPUs"),
            minutes,
            earliest,
            latest: earliest.plus(Minute::new(patience).floor_to(slot).count()),
            limit: self.limit(&mut draws, product),
        }
    }

    /// A limit price: two even draws, their mean, of the ask, down to a tick.
    fn limit(&self, draws: &mut Draws, product: &Product) -> Price {
        let span = i64::from(self.limit_most) - i64::from(self.limit_least);
        let above = draws.even(span).midpoint(draws.even(span));
        let share = u32::try_from(i64::from(self.limit_least) + above)
            .expect("between the least and the most, which are basis points");
        let exact = Money::from_micros(product.ask.micros()).portion(share);
        let exact = exact.expect("a small multiple of a price").micros();
        let tick = product.tick.micros();
        let past_tick = exact.checked_rem(tick).expect("a tick is not zero");
        let on_tick = exact.checked_sub(past_tick).expect("less than itself");
        Price::from_micros(on_tick.max(tick)).expect("a part of a price is not negative")
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): twenty lines that give the same numbers on every machine
/// and with every version of every library, which is what a replay wants of its dice.
#[derive(Debug)]
pub(super) struct Draws(u64);

impl Draws {
    /// The draws of one job: its own stream, whatever was drawn for the others.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let stream = Draws(seed).next() ^ number;
        Draws(Draws(stream).next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From zero to `most`, each as likely; zero when there is no choice.
    pub(super) fn even(&mut self, most: i64) -> i64 {
        let choices = u128::try_from(most.max(0)).expect("not negative") + 1;
        let scaled = (u128::from(self.next()) * choices) >> 64;
        i64::try_from(scaled).expect("at most `most`")
    }

    /// From zero to `most`, a quarter of them below a sixteenth of it.
    fn mostly_little(&mut self, most: i64) -> i64 {
        let permille = i128::from(self.even(1_000));
        let scaled = i128::from(most) * permille * permille / 1_000_000;
        i64::try_from(scaled).expect("at most `most`")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().expect("a price")
    }

    fn products() -> [Product; 3] {
        let rack = Product { lot: 4, slot_minutes: 60, tick: price("0.01"), ask: price("3.10") };
        let board = Product { lot: 8, slot_minutes: 30, tick: price("0.05"), ask: price("2.00") };
        let day = Product { lot: 72, slot_minutes: 1440, tick: price("0.25"), ask: price("5.50") };
        [rack, board, day]
    }

    fn wishes(mapping: &Mapping, product: &Product) -> Vec<Wish> {
        (0..).zip(jobs()).map(|(number, job)| mapping.wish(number, &job, product)).collect()
    }

    #[test]
    fn the_trace_is_what_its_readme_says() {
        let jobs = jobs();
        assert_eq!(jobs.len(), 18_645);
        assert_eq!(jobs.iter().map(|job| u64::from(job.gpus)).sum::<u64>(), 34_300);
        let gpu_minutes: i64 = jobs.iter().map(|job| i64::from(job.gpus) * job.minutes).sum();
        assert_eq!(gpu_minutes, 57_609_372, "960,156.2 GPU-hours");
        assert_eq!(jobs.iter().map(|job| job.gpus).max(), Some(128));
        assert_eq!(jobs.iter().map(|job| job.minutes).max(), Some(77_138));
        assert_eq!(jobs.iter().map(|job| job.minutes).min(), Some(60));
        assert_eq!(jobs.last().map(|job| job.submit_minute), Some(156_672));
        assert!(jobs.is_sorted_by_key(|job| job.submit_minute));
    }

    #[test]
    fn fifteen_customers_share_it_unevenly() {
        let mut by_customer: BTreeMap<String, (u32, i64)> = BTreeMap::new();
        for job in jobs() {
            let (count, gpu_minutes) = by_customer.entry(job.customer).or_default();
            *count += 1;
            *gpu_minutes += i64::from(job.gpus) * job.minutes;
        }
        assert_eq!(by_customer.len(), 15);
        assert_eq!(by_customer["6214e9"], (9_957, 5_168_716), "the busiest");
        assert_eq!(by_customer["ee9e8c"], (1_219, 15_346_334), "the hungriest");
    }

    #[test]
    fn one_job_is_mapped_as_the_readme_says() {
        let job = Job { submit_minute: 61, gpus: 3, minutes: 61, customer: "a".into() };
        let begins_at = Minute::new(30_000_000);
        let still = Mapping {
            lead_max: 0,
            patience_max: 0,
            limit_least: 9_950,
            limit_most: 9_950,
            gpus_factor: 3,
            ..Mapping::starting(begins_at)
        };
        let [rack, ..] = products();
        let expected = Wish {
            ordered_at: begins_at.plus(61),
            customer: "a".into(),
            gpus: 12,
            minutes: 120,
            earliest: begins_at.plus(120),
            latest: begins_at.plus(120),
            limit: price("3.08"),
        };
        assert_eq!(still.wish(7, &job, &rack), expected);
    }

    #[test]
    fn every_wish_stands_on_the_grain_of_its_product() {
        let mapping = Mapping::starting(Minute::new(30_000_007));
        for product in products() {
            let slot = product.slot_minutes;
            for (wish, job) in wishes(&mapping, &product).iter().zip(jobs()) {
                assert!(wish.gpus % product.lot == 0 && wish.gpus >= job.gpus * 64);
                assert!(wish.gpus < job.gpus * 64 + product.lot);
                assert!(wish.minutes >= job.minutes && Minute::new(wish.minutes).is_aligned(slot));
                assert!(wish.minutes < job.minutes + i64::from(slot));
                assert!(wish.earliest.is_aligned(slot) && wish.latest.is_aligned(slot));
                assert!(wish.ordered_at <= wish.earliest && wish.earliest <= wish.latest);
                assert!(wish.latest.since(wish.earliest) <= mapping.patience_max.min(wish.minutes));
                let last = wish.ordered_at.plus(mapping.lead_max).ceil_to(slot);
                assert!(wish.earliest <= last);
                assert!(wish.limit.is_on_tick(product.tick));
                let most = Money::from_micros(product.ask.micros()).portion(mapping.limit_most);
                assert!(Some(wish.limit.micros()) <= most.map(Money::micros));
            }
        }
    }

    #[test]
    fn the_same_seed_wishes_the_same_and_another_seed_does_not() {
        let mapping = Mapping::starting(Minute::new(30_000_000));
        let [rack, ..] = products();
        let first = wishes(&mapping, &rack);
        assert_eq!(first, wishes(&mapping, &rack));
        let other = wishes(&Mapping { seed: 2018, ..mapping }, &rack);
        let changed = first.iter().zip(&other).filter(|(one, two)| one.limit != two.limit).count();
        assert!(changed > 15_000, "only {changed} limits moved with the seed");
    }

    #[test]
    fn limits_gather_around_the_middle_of_their_range_and_starts_near_the_order() {
        let mapping = Mapping::starting(Minute::new(30_000_000));
        let [rack, ..] = products();
        let wishes = wishes(&mapping, &rack);
        let over_ask = wishes.iter().filter(|wish| wish.limit >= rack.ask).count();
        let share = over_ask * 100 / wishes.len();
        // A triangle from 85 to 125 lies above 100 with 1 - (15/40)^2 * 2 = 72 percent.
        assert!((68..=75).contains(&share), "{share} percent would pay the ask");
        let soon = wishes.iter().filter(|wish| wish.earliest.since(wish.ordered_at) < 45 * 60);
        let soon = soon.count() * 100 / wishes.len();
        // A lead under a sixteenth of thirty days (45 hours) falls to a quarter of the orders.
        assert!((22..=28).contains(&soon), "{soon} percent start within 45 hours");
    }

    #[test]
    fn the_dice_are_splitmix64() {
        let mut draws = Draws(1_234_567);
        let drawn: Vec<u64> = std::iter::repeat_with(|| draws.next()).take(3).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
