//! A part of a contract is bought: it is the buyer's from then on. What becomes of it there, is
//! followed here: what the buyer loses or gives up, the seller makes whole no longer.

use std::collections::BTreeMap;

use super::super::Engine;
use super::super::amendment::{AmendmentKind, Plan};
use super::super::capacity::gpu_minutes;
use super::super::charge::{Bill, less, sum};
use super::super::command::Stamp;
use super::super::contract::Contract;
use super::super::effect::{Change, Effects};
use super::super::event::EventKind;
use super::super::ledger::Account;
use super::super::listing::Listing;
use super::super::matching::{Draw, Stack};
use super::{Offered, Origin, Resale, Source};
use crate::model::id::ContractId;
use crate::model::{Minute, Money, Worth};

impl Engine {
    /// Whose draws are, that are drawn from customers' resales.
    pub(in crate::engine) fn origins_of(&self, draws: &[Draw]) -> Vec<Origin> {
        if self.capacity.resales.is_empty() {
            return Vec::new();
        }
        let mut resale = Resale::default();
        for draw in draws.iter().filter(|draw| self.capacity.resales.contains(&draw.listing)) {
            let listing = self.capacity.listing(draw.listing).expect("a resale is a listing");
            let origin =
                |source: Source| origin_of(listing, source, self.contract(source.contract));
            resale.join(listing.resale.map(origin).into_iter().collect());
        }
        resale.origins
    }

    /// A contract has drawn from resales: the parts leave the sellers' contracts for it, in the
    /// schedules and in the CAP ledger, and the sellers pay the fee and what makes the provider
    /// whole.
    pub(in crate::engine) fn sell_on(
        &mut self,
        at: &Stamp,
        buyer: ContractId,
        bought: Vec<(Source, Draw)>,
        out: &mut Effects,
    ) {
        let mut by_seller: BTreeMap<ContractId, Vec<(Source, Draw)>> = BTreeMap::new();
        for part in bought {
            by_seller.entry(part.0.contract).or_default().push(part);
        }
        for (seller, sold) in by_seller {
            self.accrue(at, seller, at.now(), out);
            let plan = plan(self.contract(seller).clone(), &sold);
            let minutes = sold.iter().map(|(_, draw)| gpu_minutes(draw.gpus, draw.window)).sum();
            let pool = plan.after.pool;
            let told = self.amend_seller(at, plan, out);
            let (reserved, resold) = (Account::CapReserved, Account::CapResold);
            let (from, to) = ((reserved, resold), (resold, reserved));
            self.move_capacity(at, pool, from, minutes, Some(seller), at.now(), out);
            self.move_capacity(at, pool, to, minutes, Some(buyer), at.now(), out);
            self.tell_parties(at, EventKind::ContractResold, &told, None, out);
        }
    }

    /// A buyer has given up what it bought: the seller makes it whole no longer, for the fee that
    /// its own terms ask of what is given up.
    pub(in crate::engine) fn given_up_for_sellers(
        &mut self,
        at: &Stamp,
        buyer: &Contract,
        removed: &[Draw],
        out: &mut Effects,
    ) {
        for (seller, gone) in by_seller(buyer, removed) {
            let live = self.contracts.unsettled.get(&seller).filter(|it| it.is_live());
            if live.is_none_or(|it| !it.makes_whole(&gone)) {
                continue;
            }
            self.accrue(at, seller, at.now(), out);
            let plan = release(self.contract(seller).clone(), &gone);
            let told = self.amend_seller(at, plan, out);
            self.tell_parties(at, EventKind::ContractAmended, &told, None, out);
        }
    }

    /// Hours of a contract were not delivered: who sold them on makes them whole no longer. What is
    /// invoiced stays as it is.
    pub(in crate::engine) fn lost_for_sellers(
        &mut self,
        at: &Stamp,
        buyer: ContractId,
        losses: &[Draw],
        out: &mut Effects,
    ) {
        let buyer = self.contract(buyer);
        for (seller, mut lost) in by_seller(buyer, losses) {
            let Some(contract) = self.contracts.unsettled.get(&seller) else { continue };
            lost.retain(|draw| draw.window.start() >= contract.billed_to);
            if contract.makes_whole(&lost) {
                let to = contract.accrued_to;
                let waive = |contract: &mut Contract| {
                    contract.resale_mut(|resale| resale.waive(&lost));
                };
                self.restate(at, seller, to, waive, out);
            }
        }
    }

    /// Makes a plan for a seller true, and records it.
    fn amend_seller(&mut self, at: &Stamp, mut plan: Plan, out: &mut Effects) -> Contract {
        plan.after.unbilled.add(&plan.fee);
        plan.after.amendments += 1;
        plan.after.changed_at = at.at;
        let amendment = plan.amendment(at);
        let after = plan.after.clone();
        out.changes.push(Change::between(&after.id, &amendment.before, &amendment.after));
        out.amendments.push(amendment);
        self.make(at, plan, out);
        after
    }
}

/// Whose a draw of a resale was, and on which terms of theirs.
pub(super) fn origin_of(listing: &Listing, source: Source, seller: &Contract) -> Origin {
    let program = seller.terms.programs.iter().find(|it| Some(it.program) == listing.program);
    Origin {
        listing: listing.id,
        source,
        since: seller.window.start(),
        platform_fee: seller.terms.platform_fee,
        program: program.cloned(),
    }
}

/// Draws of a contract by whom they were bought of, at what each seller makes them whole with.
fn by_seller(buyer: &Contract, draws: &[Draw]) -> BTreeMap<ContractId, Vec<Draw>> {
    let mut sellers: BTreeMap<ContractId, Vec<Draw>> = BTreeMap::new();
    let Some(resale) = &buyer.resale else { return sellers };
    for draw in draws {
        let Some(Origin { source, .. }) = resale.origin(draw) else { continue };
        let price = source.make_whole(draw.price);
        sellers.entry(source.contract).or_default().push(Draw { price, ..draw.clone() });
    }
    sellers
}

/// What the sale of parts does to a contract that has accrued to now.
pub(super) fn plan(before: Contract, sold: &[(Source, Draw)]) -> Plan {
    let mut after = before.clone();
    let mut stack = Stack::of(&before.allocations);
    let mut offered = Stack::of(&draws_of(before.offered()));
    let mut kept = Stack::of(before.sold());
    for (source, draw) in sold {
        let at = |price| Draw { price, ..draw.clone() };
        stack.remove(&[Draw { listing: source.home, ..at(source.base) }]);
        offered.remove(&[at(source.base)]);
        kept.add(&[at(source.make_whole(draw.price))]);
    }
    after.resale_mut(|resale| {
        resale.offered = homed(&offered, &resale.offered);
        resale.sold = kept.draws();
    });
    after.reallocate(stack.draws());
    let parts: Vec<Draw> = sold.iter().map(|(_, draw)| draw.clone()).collect();
    let effective_at = starts(&parts, &before);
    let released = less(before.unaccrued(), after.unaccrued());
    let fee = sold.iter().map(fee).fold(Money::ZERO, sum).min(released);
    let fee = Bill { fees: fee, platform: fee, ..Bill::default() };
    changed(AmendmentKind::Resell, effective_at, before, after, fee)
}

/// What it does to a seller that its buyer gave something up.
fn release(before: Contract, gone: &[Draw]) -> Plan {
    let mut after = before.clone();
    after.resale_mut(|resale| resale.waive(gone));
    after.reallocate(before.allocations.clone());
    let mut waived = before.tally(before.window.end());
    waived.take(&after.tally(after.window.end()));
    let fees = waived.charge.portion(before.terms.cancellation_fee);
    let fees = fees.expect("a part is no more than the whole").min(waived.charge);
    let fee = Bill { fees, ..waived.parts_of(fees) };
    let effective_at = starts(gone, &before);
    changed(AmendmentKind::Release, effective_at, before, after, fee)
}

fn changed(
    kind: AmendmentKind,
    effective_at: Minute,
    before: Contract,
    after: Contract,
    fee: Bill,
) -> Plan {
    let (removed, added, commitments) = (Vec::new(), Vec::new(), Vec::new());
    Plan { kind, effective_at, before, after, removed, added, commitments, fee }
}

fn starts(draws: &[Draw], contract: &Contract) -> Minute {
    draws.iter().map(|draw| draw.window.start()).min().unwrap_or(contract.window.start())
}

/// The fee on one part that is sold, of what the buyer pays for it.
fn fee((source, draw): &(Source, Draw)) -> Money {
    let paid = draw.price.value(draw.gpus, draw.window.minutes());
    let fee = paid.and_then(|paid| paid.portion(source.fee));
    fee.expect("what is affordable is an amount")
}

/// What all of some parts is worth at a price that each makes.
pub(super) fn worth_at(sold: &[(Source, Draw)], at: impl Fn(&Source, &Draw) -> Worth) -> Money {
    let worth = sold.iter().map(|(source, draw)| at(source, draw));
    worth.fold(Worth::ZERO, Worth::plus).floor().expect("a part of what is affordable")
}

pub(in crate::engine) fn draws_of(offered: &[Offered]) -> Vec<Draw> {
    offered.iter().map(|it| it.draw.clone()).collect()
}

/// What is left on offer, with its homes.
fn homed(left: &Stack, before: &[Offered]) -> Vec<Offered> {
    let home = |draw: Draw| {
        let of = before.iter().find(|it| it.draw.listing == draw.listing);
        let home = of.expect("what is left was on offer").home;
        Offered { home, draw }
    };
    left.draws().into_iter().map(home).collect()
}

impl Contract {
    /// Whether it still pays for any of what was sold on.
    fn makes_whole(&self, gone: &[Draw]) -> bool {
        self.resale.as_ref().is_some_and(|resale| resale.as_ref().clone().waive(gone))
    }
}
