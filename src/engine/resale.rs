//! What of a contract is sold on to another customer: on offer, sold, or bought of somebody.
//!
//! A part that is offered stays its customer's until it is bought. Then the buyer's contract has it
//! at the price it paid, and the seller's keeps the difference up to its own price: the make-whole,
//! which is charged with the hours. What the buyer pays above that price is the seller's gain. So
//! the provider's side is paid what it was promised.

mod offer;
mod sale;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::charge::{Parts, Run, segments, worth_within};
use super::contract::Contract;
use super::matching::{Draw, Stack, over_time};
use super::program::FrozenProgram;
use crate::model::id::{ContractId, ListingId, OrgId};
use crate::model::{BasisPoints, Minute, Money, Price, Schedule, Window, Worth};

pub use offer::{Resell, Resold};
pub(super) use sale::draws_of;

/// What makes a listing a resale. It offers a part of one draw of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub contract: ContractId,
    /// Its customer.
    pub reseller: OrgId,
    /// The listing that the draw is of: where it goes when its buyer gives it up.
    pub home: ListingId,
    /// What the contract pays for it.
    pub base: Price,
    /// The fee on what is sold, in basis points of what the buyer pays.
    pub fee: BasisPoints,
}

/// Whose a draw was before it was bought, and the terms under which its provider is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The resale: draws of it in the buyer's contract name it.
    pub listing: ListingId,
    pub source: Source,
    /// When the seller's contract began: its months count from there.
    pub since: Minute,
    pub platform_fee: BasisPoints,
    pub program: Option<Arc<FrozenProgram>>,
}

/// A part of a contract on offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// The listing that the contract has it of.
    pub home: ListingId,
    /// The same by its resale, at what the contract pays.
    pub draw: Draw,
}

/// What of a contract is offered, sold on and bought. None for most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resale {
    /// Of the allocations, what is on offer.
    pub offered: Vec<Offered>,
    /// What was sold on, at the difference that is still paid: the make-whole, or nothing.
    pub sold: Vec<Draw>,
    /// Of the allocations, what was bought of whom.
    pub origins: Vec<Origin>,
}

impl Source {
    /// What the seller still pays for what is sold at a price.
    pub fn make_whole(&self, price: Price) -> Price {
        above(self.base, price)
    }

    /// What the seller gains by it.
    pub fn gain(&self, price: Price) -> Price {
        above(price, self.base)
    }
}

/// By how much one price is above another.
fn above(one: Price, other: Price) -> Price {
    Price::from_micros((one.micros() - other.micros()).max(0)).expect("not below zero")
}

impl Origin {
    /// What of the draws was bought here, each at the price that `at` makes of its own.
    fn draws(&self, draws: &[Draw], at: impl Fn(Price) -> Price) -> Vec<Draw> {
        let own = draws.iter().filter(|draw| draw.listing == self.listing);
        own.map(|draw| Draw { price: at(draw.price), ..draw.clone() }).collect()
    }

    /// What is charged for it: under the seller's terms up to the seller's price, and what is above
    /// it as the seller's gain.
    fn runs(&self, draws: &[Draw], losses: &[Draw], end: Minute, to: Minute, all: &mut Vec<Run>) {
        let Some(window) = Window::new(self.since, end) else { return };
        let base = |price: Price| price.min(self.source.base);
        let gain = |price: Price| self.source.gain(price);
        let worth = |at: &dyn Fn(Price) -> Price, window| {
            let program = self.program.as_ref().map(|frozen| frozen.program);
            let within = |draws| worth_within(&self.draws(draws, at), program, window, to);
            within(draws).minus(within(losses))
        };
        let stretches = match &self.program {
            Some(frozen) => segments(window, frozen),
            None => vec![(window, 0)],
        };
        for (window, vendor_share) in stretches {
            all.push(Run {
                program: self.program.as_ref().map(|frozen| frozen.program),
                vendor: self.program.as_ref().map(|frozen| frozen.vendor),
                reseller: None,
                window,
                worth: worth(&base, window),
                vendor_share,
                platform_fee: self.platform_fee,
            });
        }
        let gained = worth(&gain, window);
        if gained != Worth::ZERO {
            all.push(Run {
                program: None,
                vendor: None,
                reseller: Some(self.source.reseller),
                window,
                worth: gained,
                vendor_share: 0,
                platform_fee: 0,
            });
        }
    }
}

impl Resale {
    /// Whose a draw was, when it was bought of a customer.
    pub fn origin(&self, draw: &Draw) -> Option<&Origin> {
        self.origins.iter().find(|origin| origin.listing == draw.listing)
    }

    /// The draws that are charged by the contract's own terms: what it has not bought of a
    /// customer.
    pub(super) fn own(&self, draws: &[Draw]) -> Vec<Draw> {
        draws.iter().filter(|draw| self.origin(draw).is_none()).cloned().collect()
    }

    /// The runs of what was bought of customers.
    pub(super) fn bought(
        &self,
        draws: &[Draw],
        losses: &[Draw],
        end: Minute,
        to: Minute,
    ) -> Vec<Run> {
        let mut all = Vec::new();
        for origin in &self.origins {
            origin.runs(draws, losses, end, to, &mut all);
        }
        all
    }

    /// What a contract starts with that is made of these.
    pub(super) fn bought_of(origins: Vec<Origin>) -> Option<Box<Resale>> {
        let is_any = !origins.is_empty();
        is_any.then(|| Box::new(Resale { origins, ..Resale::default() }))
    }

    /// Adds the origins of what is bought in addition.
    pub(super) fn join(&mut self, origins: Vec<Origin>) {
        for origin in origins {
            if !self.origins.iter().any(|it| it.listing == origin.listing) {
                self.origins.push(origin);
            }
        }
    }

    /// Charges nothing more for what was sold on and is not delivered to its buyer. Answers whether
    /// that changed anything.
    fn waive(&mut self, gone: &[Draw]) -> bool {
        let mut stack = Stack::of(&self.sold);
        let mut waived = false;
        for draw in gone.iter().filter(|draw| draw.price != Price::default()) {
            let same = |sold: &&Draw| sold.listing == draw.listing && sold.price == draw.price;
            let layer: Vec<Draw> = self.sold.iter().filter(same).cloned().collect();
            let wanted = Schedule::flat(draw.window, i64::from(draw.gpus));
            let there = Stack::of(&layer).dearest(wanted);
            let free: Vec<Draw> =
                there.iter().map(|it| Draw { price: Price::default(), ..it.clone() }).collect();
            stack.remove(&there);
            stack.add(&free);
            self.sold = stack.draws();
            waived |= !there.is_empty();
        }
        waived
    }

    /// Forgets what was sold on from an instant on: it is charged some other way, or never.
    pub(super) fn cut_from(&mut self, from: Minute) {
        let before = |draw: &Draw| {
            let window = Window::new(draw.window.start(), draw.window.end().min(from))?;
            Some(Draw { window, ..draw.clone() })
        };
        self.sold = self.sold.iter().filter_map(before).collect();
    }

    /// How many GPUs are sold on over time.
    pub fn sold_gpus(&self) -> Schedule {
        over_time(&self.sold)
    }

    fn is_empty(&self) -> bool {
        let Self { offered, sold, origins } = self;
        offered.is_empty() && sold.is_empty() && origins.is_empty()
    }
}

impl Contract {
    /// Draws by the listings that they go back to: what was bought of a customer by the one it
    /// first came from.
    pub fn homed<'a>(&self, draws: &'a [Draw]) -> Cow<'a, [Draw]> {
        let Some(resale) = self.resale.as_ref().filter(|resale| !resale.origins.is_empty()) else {
            return Cow::Borrowed(draws);
        };
        let home = |draw: &Draw| {
            let origin = resale.origin(draw);
            let listing = origin.map_or(draw.listing, |origin| origin.source.home);
            Draw { listing, ..draw.clone() }
        };
        Cow::Owned(draws.iter().map(home).collect())
    }

    /// What of it is on offer.
    pub fn offered(&self) -> &[Offered] {
        self.resale.as_ref().map_or(&[], |resale| resale.offered.as_slice())
    }

    /// What of it was sold on, at what is still paid for it.
    pub fn sold(&self) -> &[Draw] {
        self.resale.as_ref().map_or(&[], |resale| resale.sold.as_slice())
    }

    /// Changes what is offered, sold or bought; keeps nothing where nothing is left.
    pub(super) fn resale_mut<T>(&mut self, change: impl FnOnce(&mut Resale) -> T) -> T {
        let mut resale = self.resale.take().unwrap_or_default();
        let answer = change(&mut resale);
        self.resale = (!resale.is_empty()).then_some(resale);
        answer
    }
}

/// The parties' parts together with those of another amount.
pub(super) fn both(one: Parts, other: Parts) -> Parts {
    use super::charge::sum;
    Parts {
        provider: sum(one.provider, other.provider),
        vendor: sum(one.vendor, other.vendor),
        platform: sum(one.platform, other.platform),
        reseller: sum(one.reseller, other.reseller),
    }
}

/// What one seller has gained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gain {
    pub reseller: OrgId,
    pub amount: Money,
}
