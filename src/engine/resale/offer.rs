//! A part of a contract on offer: listed by its customer, taken back, or past.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::Engine;
use super::super::amendment::Amendment;
use super::super::bound;
use super::super::capacity::{Offer, on_lot};
use super::super::charge::{Parts, total};
use super::super::command::{Answer, Stamp};
use super::super::contract::Contract;
use super::super::deadline::Due;
use super::super::effect::{Change, Effects};
use super::super::event::EventKind;
use super::super::listing::{
    Audience, Listing, ListingState, OrderLimits, limits_fit, on_slot, price_fits,
};
use super::super::matching::{Draw, Stack, over_time};
use super::super::refusal::Refusal;
use super::sale::{origin_of, plan, worth_at};
use super::{Offered, Resale, Source, both};
use crate::model::id::{ContractId, ListingId, OrgId, PoolId};
use crate::model::{Gpus, Money, Price, Schedule, Window, limits};

/// A part of a contract to be offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resell {
    pub contract: ContractId,
    /// For the listings that come of it: one for each draw that the part is of.
    pub listings: Vec<ListingId>,
    pub gpus: Gpus,
    pub window: Window,
    pub price: Price,
    pub limits: OrderLimits,
    pub audience: Audience,
    /// Only says what it would do if all of it were sold: the quote of a resale.
    pub dry_run: bool,
}

/// A part of a contract on offer, and what happens if all of it is sold at the asked price.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Resold {
    /// One for each draw that the part is of.
    pub listings: Vec<Listing>,
    /// As it is now; as it is before in a quote.
    pub contract: Contract,
    /// The sale: what it does to the contract and its credit, and its fee.
    pub sale: Amendment,
    /// What buyers pay for the part.
    pub proceeds: Money,
    /// What the seller still pays for it.
    pub make_whole: Money,
    /// What the seller gains by it.
    pub gain: Money,
    /// Who has which part of what is charged for all of it, without the sale and with it.
    pub parts_before: Parts,
    pub parts_after: Parts,
}

impl Engine {
    /// Offers a part of a contract to others, for its customer, or says what its sale would do.
    pub(in crate::engine) fn resell(
        &mut self,
        at: &Stamp,
        ask: Resell,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.reselling(at)?.organization;
        let own = self.own_contract(customer.id, ask.contract)?;
        self.line_trades(own)?;
        if own.degraded {
            let (state, needed) = ("degraded", "whole");
            return Err(Refusal::WrongState { kind: "contract", state, needed });
        }
        let draws = self.part_of(at, own, &ask)?;
        let yard = self.capacity.yard(own.pool).expect("a contract's pool exists");
        let most = limits::LISTINGS_PER_POOL_MAX;
        let resales = yard.resales().count();
        if resales + draws.len() > most {
            return Err(Refusal::TooMany { kind: "resales of one pool", most });
        }
        let offered: BTreeSet<ListingId> = own.offered().iter().map(|it| it.draw.listing).collect();
        let most = limits::RESALES_PER_CONTRACT_MAX;
        if offered.len() + draws.len() > most {
            return Err(Refusal::TooMany { kind: "resales of one contract", most });
        }
        let fee = self.settings.resale_fee;
        let listing = |(draw, id): (&Draw, &ListingId)| {
            let source = Source {
                contract: own.id,
                reseller: customer.id,
                home: draw.listing,
                base: draw.price,
                fee,
            };
            listing_of(at, own, &ask, draw, *id, source)
        };
        let listings: Vec<Listing> = draws.iter().zip(&ask.listings).map(listing).collect();
        let quote = Self::quote_resale(at, own, listings);
        if ask.dry_run {
            return Ok(Answer::Resold(Box::new(quote)));
        }
        // From here it must succeed: every question has been asked.
        Ok(Answer::Resold(Box::new(self.offer_part(at, quote, out))))
    }

    /// Takes back what is not sold of an offered part, or of all of them.
    pub(in crate::engine) fn end_resale(
        &mut self,
        at: &Stamp,
        id: ContractId,
        listing: Option<ListingId>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.reselling(at)?.organization.id;
        let own = self.own_contract(customer, id)?;
        let on_offer = own.offered().iter().map(|it| it.draw.listing);
        let ended: BTreeSet<ListingId> =
            on_offer.filter(|it| listing.is_none_or(|named| named == *it)).collect();
        if ended.is_empty() {
            return Err(Refusal::NotFound { kind: "listing" });
        }
        // From here it must succeed: every question has been asked.
        for listing in ended {
            self.withdraw_resale(at, listing, out);
        }
        Ok(Answer::Contract(self.contract(id).clone()))
    }

    /// Takes back all that a contract offers: it is over.
    pub(in crate::engine) fn withdraw_resales(
        &mut self,
        at: &Stamp,
        id: ContractId,
        out: &mut Effects,
    ) {
        let offered: BTreeSet<ListingId> =
            self.contract(id).offered().iter().map(|it| it.draw.listing).collect();
        for listing in offered {
            self.withdraw_resale(at, listing, out);
        }
    }

    /// A pool has less than before: where there is not enough for what is sold without what its
    /// contracts offer to others, they need it themselves.
    pub(in crate::engine) fn withdraw_short_resales(
        &mut self,
        at: &Stamp,
        pool: PoolId,
        window: Window,
        out: &mut Effects,
    ) {
        let yard = self.capacity.yard(pool).expect("the pool exists");
        if yard.firm_room().min_over(window) >= 0 {
            return;
        }
        let is_hit = |offer: &&Offer| offer.listing.window.overlap(window).is_some();
        let hit = yard.resales().filter(is_hit);
        let hit: Vec<ListingId> = hit.map(|offer| offer.listing.id).collect();
        for listing in hit {
            self.withdraw_resale(at, listing, out);
        }
    }

    fn withdraw_resale(&mut self, at: &Stamp, id: ListingId, out: &mut Effects) {
        let before = self.capacity.listing(id).expect("what is on offer has a listing").clone();
        let source = before.resale.expect("a contract offers resales");
        self.deadlines.clear(before.window.end().micros(), Due::ListingEnds(id));
        let listing = self.leave(at, &before, ListingState::Withdrawn, out);
        out.changes.push(Change::between(&id, &before, &listing));
        self.stop_offering(source.contract, id, out);
    }

    /// A resale has left: what of it is not sold is its contract's as before.
    pub(in crate::engine) fn stop_offering(
        &mut self,
        id: ContractId,
        listing: ListingId,
        out: &mut Effects,
    ) {
        let Some(contract) = self.contracts.get_mut(id) else { return };
        if !contract.offered().iter().any(|it| it.draw.listing == listing) {
            return;
        }
        contract.resale_mut(|resale| resale.offered.retain(|it| it.draw.listing != listing));
        out.contracts.changed(id, self.contracts.shared(id));
    }

    /// A live contract of a customer.
    fn own_contract(&self, customer: OrgId, id: ContractId) -> Result<&Contract, Refusal> {
        let own = self.contracts.unsettled.get(&id).filter(|it| it.customer == customer);
        let own = own.ok_or(Refusal::NotFound { kind: "contract" })?;
        if own.is_live() {
            return Ok(own);
        }
        let (state, needed) = (own.state.as_str(), "scheduled or active");
        Err(Refusal::WrongState { kind: "contract", state, needed })
    }

    /// The draws that an offered part is of, the dearest first: it is well-formed, ahead, and the
    /// contract's own at every instant.
    fn part_of(&self, at: &Stamp, own: &Contract, ask: &Resell) -> Result<Vec<Draw>, Refusal> {
        let sku = self.catalogue.sku(&own.sku).expect("a contract's SKU exists");
        bound::within("gpus", ask.gpus, 1, limits::GPUS_MAX)?;
        on_lot("gpus", ask.gpus, sku.gpus_per_node)?;
        price_fits(ask.price, sku)?;
        let (start, end) = (ask.window.start(), ask.window.end());
        on_slot("start_at", start, sku.slot_minutes)?;
        on_slot("end_at", end, sku.slot_minutes)?;
        let next = at.next_minute().ceil_to(sku.slot_minutes);
        if start < next {
            return Err(Refusal::InThePast { field: "start_at", given: start, next });
        }
        let paid = ask.price.value(ask.gpus, ask.window.minutes());
        let most = Money::from_micros(limits::AMOUNT_MAX);
        if paid.is_none_or(|paid| paid > most) {
            return Err(Refusal::Overflow { field: "price_per_gpu_hour" });
        }
        limits_fit(&ask.limits, sku.gpus_per_node)?;
        bound::count("segments", ask.audience.segments.len(), 0, limits::AUDIENCE_MAX)?;
        bound::count("countries", ask.audience.countries.len(), 0, limits::AUDIENCE_MAX)?;
        let stack = Stack::of(&own.sellable());
        let draws = stack.dearest(Schedule::flat(ask.window, i64::from(ask.gpus)));
        own_throughout(&draws, ask.window, ask.gpus)?;
        // In as few pieces as can be: where its size changed, a draw may have been cut.
        let draws = Stack::of(&draws).draws();
        let most = ask.listings.len();
        if draws.len() > most {
            return Err(Refusal::TooMany { kind: "draws in one resale", most });
        }
        Ok(draws)
    }

    /// What happens to a contract if all of some listings is sold.
    fn quote_resale(at: &Stamp, own: &Contract, listings: Vec<Listing>) -> Resold {
        let mut before = own.accrued_by(at.now());
        for listing in &listings {
            before.offer(listing);
        }
        let sold: Vec<(Source, Draw)> = listings.iter().filter_map(whole).collect();
        let bought: Vec<Draw> = sold.iter().map(|(_, draw)| draw.clone()).collect();
        let mut origins = Resale::default();
        for listing in &listings {
            let origin = listing.resale.map(|source| origin_of(listing, source, own));
            origins.join(origin.into_iter().collect());
        }
        let end = own.window.end();
        let (proceeds, buyers) = total(&origins.bought(&bought, &[], end, end));
        let mut plan = plan(before, &sold);
        plan.after.amendments += 1;
        let (_, parts_before) = plan.before.charge(end);
        let (_, parts_after) = plan.after.charge(end);
        let worth = |price: Price, draw: &Draw| price.worth(draw.gpus, draw.window.minutes());
        let make_whole = worth_at(&sold, |source, draw| worth(source.make_whole(draw.price), draw));
        Resold {
            listings,
            contract: own.clone(),
            sale: plan.amendment(at),
            proceeds,
            make_whole,
            gain: buyers.reseller,
            parts_before,
            parts_after: both(parts_after, buyers),
        }
    }

    /// Puts the listings of a part on the market; answers how it stands once resting orders were
    /// tried.
    fn offer_part(&mut self, at: &Stamp, mut quote: Resold, out: &mut Effects) -> Resold {
        let id = quote.contract.id;
        for listing in &quote.listings {
            let contract = self.contracts.get_mut(id).expect("it was there");
            let offered = contract.offer(listing).draw;
            self.capacity.add_offer(listing.clone());
            self.capacity.offer_on(listing.pool, &[offered]);
            self.capacity.outline(listing.pool);
            self.deadlines.set(listing.window.end().micros(), Due::ListingEnds(listing.id));
            out.listings.born(listing.id, listing.clone());
        }
        let contract = self.contract(id).clone();
        out.changes.push(Change::between(&id, &quote.contract.resale, &contract.resale));
        out.contracts.changed(id, contract);
        for listing in &quote.listings {
            self.bring_to_market(at, listing, EventKind::ListingPublished, None, out);
        }
        quote.listings =
            quote.listings.into_iter().map(|listing| self.now_listed(listing)).collect();
        quote.contract = self.contract(id).clone();
        quote
    }
}

impl Contract {
    /// Adds a listing to what it offers.
    fn offer(&mut self, listing: &Listing) -> Offered {
        let source = listing.resale.expect("a contract offers resales");
        let Listing { id, program, gpus, window, .. } = *listing;
        let draw = Draw { listing: id, program, gpus, window, price: source.base };
        let offered = Offered { home: source.home, draw };
        self.resale_mut(|resale| resale.offered.push(offered.clone()));
        offered
    }

    /// What of its draws can be offered: not on offer yet, and not itself bought of a customer.
    fn sellable(&self) -> Vec<Draw> {
        let Some(resale) = &self.resale else { return self.allocations.clone() };
        let mut stack = Stack::of(&resale.own(&self.allocations));
        let home = |it: &Offered| Draw { listing: it.home, ..it.draw.clone() };
        stack.remove(&resale.offered.iter().map(home).collect::<Vec<_>>());
        stack.draws()
    }
}

/// All of a listing, as somebody who buys it at its ask draws it.
fn whole(listing: &Listing) -> Option<(Source, Draw)> {
    let Listing { id, program, gpus, window, price, resale, .. } = *listing;
    Some((resale?, Draw { listing: id, program, gpus, window, price }))
}

fn listing_of(
    at: &Stamp,
    own: &Contract,
    ask: &Resell,
    draw: &Draw,
    id: ListingId,
    source: Source,
) -> Listing {
    Listing {
        id,
        provider: own.provider,
        pool: own.pool,
        sku: own.sku.clone(),
        region: own.region.clone(),
        gpus: draw.gpus,
        window: draw.window,
        price: ask.price,
        limits: ask.limits,
        audience: ask.audience.clone(),
        program: draw.program,
        resale: Some(source),
        state: ListingState::Live,
        taken: 0,
        backstop_at: None,
        published_seq: at.seq,
        created_at: at.at,
        version: 1,
    }
}

/// Refuses a part of which something is not there, with the first instant at which it is not.
fn own_throughout(draws: &[Draw], window: Window, gpus: Gpus) -> Result<(), Refusal> {
    for stretch in over_time(draws).within(window) {
        if stretch.count < i64::from(gpus) {
            let (at, left) = (stretch.window.start(), stretch.count);
            return Err(Refusal::PartGone { at, left, asked: gpus });
        }
    }
    Ok(())
}
