//! The off-take backstop: what is unsold of supported capacity so long before its delivery is
//! bought by the program's vendor, at the agreed price, up to the agreed cap.
//!
//! A listing is looked at day by day: when the lead time of a UTC day comes, what of that day is
//! free becomes contracts of the vendor. They are held, drawn, invoiced and paid like any other, on
//! a line of the program's own whose limit is what is left of the cap. Their provider has the whole
//! charge: no vendor share, no platform fee.

use uuid::Builder;

use super::Engine;
use super::bound;
use super::charge::less;
use super::command::Stamp;
use super::contract::Contract;
use super::credit::LineState;
use super::deadline::Due;
use super::effect::Effects;
use super::event::EventKind;
use super::listing::Listing;
use super::matching::{Block, Draw};
use super::order::{Ask, Order, Start};
use super::program::{BackstopTerms, Program};
use super::refusal::Refusal;
use crate::model::id::{LineId, ListingId, OrderId, ProgramId};
use crate::model::{Gpus, Micros, Minute, Price, Schedule, Window, limits};

const MINUTES_PER_HOUR: i64 = 60;
/// How far a backstop looks at once.
const DAY_MINUTES: u32 = 24 * 60;
/// What the vendor's orders are known by: their `client_order_id`.
pub const REFERENCE: &str = "backstop";

impl BackstopTerms {
    fn lead_minutes(&self) -> i64 {
        i64::from(self.lead_hours) * MINUTES_PER_HOUR
    }
}

impl Program {
    /// The line that its backstop buys on.
    pub fn backstop_line(&self) -> LineId {
        LineId::new(self.id.uuid())
    }
}

// The terms.
impl Engine {
    /// What is agreed stays agreed: a backstop does not go, nor does its cap fall below what was
    /// bought.
    pub(super) fn backstop_may_become(
        &self,
        before: &Program,
        next: Option<BackstopTerms>,
    ) -> Result<(), Refusal> {
        let Some(was) = before.terms.backstop else { return Ok(()) };
        let Some(next) = next else {
            let rule = "stays once it is agreed; its cap may fall to what was bought";
            return Err(Refusal::Invalid { field: "backstop", rule });
        };
        if next.cap == was.cap {
            return Ok(());
        }
        let line = before.backstop_line();
        let state = self.credit.lines.get(&line).map_or(LineState::Closed, |line| line.state);
        if state != LineState::Active {
            return Err(Refusal::CreditLineState { line, state });
        }
        let bought = less(was.cap, self.balances(line).available);
        bound::within("backstop_cap", next.cap.micros(), bought.micros(), limits::AMOUNT_MAX)
    }

    /// A program's terms have changed: its cap and its listings follow.
    pub(super) fn amend_backstop(&mut self, at: &Stamp, before: &Program, out: &mut Effects) {
        let program = self.programs.program(before.id).expect("it was amended").clone();
        let Some(now) = program.terms.backstop else { return };
        let was = before.terms.backstop;
        match was {
            None => self.open_backstop(at, &program, out),
            Some(was) if was.cap != now.cap => {
                self.move_cap(at, program.backstop_line(), was.cap, now.cap, out);
            }
            Some(_) => {}
        }
        let listings: Vec<Listing> = self
            .capacity
            .listings()
            .filter(|it| it.program == Some(program.id) && it.resale.is_none() && it.is_offered())
            .cloned()
            .collect();
        for listing in listings {
            let next = match was {
                None => self.backed_from(at, listing.program, listing.window),
                Some(was) => {
                    let due = backstop_due(&listing, &was);
                    due.into_iter().for_each(|(due_at, due)| self.deadlines.clear(due_at, due));
                    listing.backstop_at
                }
            };
            self.look_next(listing.id, next, out);
        }
    }
}

// When a listing is looked at.
impl Engine {
    /// The first instant from which a listing that is offered now is backed: the start of its
    /// window, or of a day, for which the lead time has not come yet. What was not on offer by then
    /// is not unsold.
    pub(super) fn backed_from(
        &self,
        at: &Stamp,
        program: Option<ProgramId>,
        window: Window,
    ) -> Option<Minute> {
        let terms = self.programs.program(program?)?.terms.backstop?;
        let earliest = at.next_minute().plus(terms.lead_minutes());
        let is_early = window.start() >= earliest;
        let first = if is_early { window.start() } else { earliest.ceil_to(DAY_MINUTES) };
        (first < window.end()).then_some(first)
    }

    /// What falls due for a listing under its program's terms of now.
    pub(super) fn backstop_due(&self, listing: &Listing) -> Option<(Micros, Due)> {
        let terms = self.programs.program(listing.program?)?.terms.backstop?;
        backstop_due(listing, &terms)
    }

    pub(super) fn file_backstop(&mut self, listing: &Listing) {
        if let Some((due_at, due)) = self.backstop_due(listing) {
            self.deadlines.set(due_at, due);
        }
    }

    pub(super) fn strike_backstop(&mut self, listing: &Listing) {
        if let Some((due_at, due)) = self.backstop_due(listing) {
            self.deadlines.clear(due_at, due);
        }
    }

    /// Notes where a listing is looked at next.
    fn look_next(&mut self, id: ListingId, next: Option<Minute>, out: &mut Effects) {
        let offer = self.capacity.offer_mut(id).expect("a listing that is backed is offered");
        offer.listing.backstop_at = next;
        let listing = offer.listing.clone();
        self.file_backstop(&listing);
        out.shelves.insert(listing.pool);
        out.listings.changed(id, listing);
    }
}

// The purchase.
impl Engine {
    /// The lead time of a listing's next day has come: what of it is unsold is the vendor's. What
    /// has passed while the market slept cannot be delivered any more, and is not bought.
    pub(super) fn buy_unsold(&mut self, at: &Stamp, id: ListingId, out: &mut Effects) {
        let listing =
            self.capacity.listing(id).expect("a deadline leaves with its listing").clone();
        let from = listing.backstop_at.expect("a listing that is backed knows from when");
        let yard = self.capacity.yard(listing.pool).expect("a listing's pool exists");
        let (slot, lot) = (yard.sku.slot_minutes, yard.sku.gpus_per_node);
        let day = from.floor_to(DAY_MINUTES).plus(i64::from(DAY_MINUTES)).ceil_to(slot);
        let end = day.min(listing.window.end());
        let start = from.max(at.next_minute().ceil_to(slot));
        let unsold = Window::new(start, end).map(|day| self.unsold(&listing, day));
        self.look_next(id, (end < listing.window.end()).then_some(end), out);
        let Some(unsold) = unsold else { return };
        for stretch in unsold.stretches() {
            let (start, end) = (stretch.window.start(), stretch.window.end());
            let window = Window::new(start.ceil_to(slot), end.floor_to(slot));
            let gpus = Gpus::try_from(stretch.count.max(0)).expect("a listing is of GPUs");
            let gpus = gpus - gpus % lot;
            if let Some(window) = window.filter(|_| gpus > 0) {
                self.buy_stretch(at, &listing, window, gpus, out);
            }
        }
    }

    /// What of a listing is free and there within a window.
    fn unsold(&self, listing: &Listing, window: Window) -> Schedule {
        let yard = self.capacity.yard(listing.pool).expect("a listing's pool exists");
        let offer = yard.offer(listing.id).expect("a listing that is backed is offered");
        let (mut unsold, room) = (Schedule::empty(), yard.room_to_sell(window));
        for free in offer.free.within(window) {
            for room in room.within(free.window) {
                unsold.add(room.window, free.count.min(room.count).max(0));
            }
        }
        unsold
    }

    /// Buys as much of a stretch as the cap still takes.
    fn buy_stretch(
        &mut self,
        at: &Stamp,
        listing: &Listing,
        window: Window,
        unsold: Gpus,
        out: &mut Effects,
    ) {
        let program = listing.program.and_then(|id| self.programs.program(id));
        let program = program.expect("a listing that is backed is under a program").clone();
        let terms = program.terms.backstop.expect("a program's backstop stays");
        let gpus = self.affordable(&program, &terms, listing, window, unsold);
        if gpus < unsold {
            let kind = EventKind::ListingBackstopShort;
            self.tell_of_listing(at, listing, kind, None, out);
        }
        if gpus == 0 {
            return;
        }
        let line = program.backstop_line();
        let block = block_of(listing, window, gpus, terms.price);
        let value = block.value;
        let order = order_of(at, &program, &block, terms.price);
        self.take(at, block.pool, &block.draws, Some(order.contract_id()), out);
        self.hold(at, line, value, Some(order.contract_id()), out);
        let contract = self.open_contract(at, &order, line, block, value, out);
        self.filled(at, order, contract, true, out);
    }

    /// How many GPUs of a stretch the backstop takes: all, or the lots that fit under what is left
    /// of the cap; none while the vendor's line takes no holds, or where the market has too much at
    /// stake with the provider or the SKU already.
    fn affordable(
        &self,
        program: &Program,
        terms: &BackstopTerms,
        listing: &Listing,
        window: Window,
        unsold: Gpus,
    ) -> Gpus {
        let line = program.backstop_line();
        let is_active = |it: &super::credit::Line| it.state == LineState::Active;
        if !self.credit.lines.get(&line).is_some_and(is_active) {
            return 0;
        }
        let available = self.balances(line).available;
        let lot = self.capacity.yard(listing.pool).expect("it exists").sku.gpus_per_node;
        let value = |lots: Gpus| terms.price.value(lots * lot, window.minutes());
        let fits = |lots: Gpus| {
            let value = value(lots).filter(|value| *value <= available);
            value.is_some_and(|it| self.concentrates(listing.provider, &listing.sku, it).is_ok())
        };
        // The most lots that fit, by halves: what fits does so in any smaller number.
        let (mut least, mut most) = (0, unsold / lot);
        while least < most {
            let middle = most - (most - least) / 2;
            if fits(middle) { least = middle } else { most = middle - 1 }
        }
        least * lot
    }

    /// A contract that a vendor bought under its backstop may be sold on, and is otherwise as it
    /// was agreed.
    pub(super) fn is_ordered(&self, contract: &Contract) -> Result<(), Refusal> {
        if !self.credit.is_backstop(contract.line) {
            return Ok(());
        }
        let (state, needed) = ("bought under a backstop", "ordered by its customer");
        Err(Refusal::WrongState { kind: "contract", state, needed })
    }
}

fn backstop_due(listing: &Listing, terms: &BackstopTerms) -> Option<(Micros, Due)> {
    let from = listing.backstop_at?;
    Some((from.plus(-terms.lead_minutes()).micros(), Due::BackstopBuys(listing.id)))
}

fn block_of(listing: &Listing, window: Window, gpus: Gpus, price: Price) -> Block {
    let worth = price.worth(gpus, window.minutes());
    Block {
        pool: listing.pool,
        provider: listing.provider,
        sku: listing.sku.clone(),
        region: listing.region.clone(),
        gpus,
        window,
        worth,
        value: worth.floor().expect("what is affordable is an amount"),
        // Under no program: the vendor takes no share of what it buys itself.
        draws: vec![Draw { listing: listing.id, program: None, gpus, window, price }],
    }
}

/// The vendor's order for a stretch, so that its purchase reads like any other.
fn order_of(at: &Stamp, program: &Program, block: &Block, price: Price) -> Order {
    let start = block.window.start();
    let ask = Ask {
        skus: vec![block.sku.clone()],
        regions: vec![block.region.clone()],
        gpus: block.gpus,
        min_gpus: None,
        start: Start::At(start),
        minutes: block.window.minutes(),
        limit: Some(price),
        workload: None,
    };
    let id = order_id(at, block.draws[0].listing, start);
    Order {
        client_order_id: Some(REFERENCE.to_owned()),
        ..Order::new(at, id, program.vendor, ask, (start, start))
    }
}

/// A UUIDv7 of the instant of the purchase; the rest is the listing's, told apart by the start: no
/// stretch of a listing is bought twice.
fn order_id(at: &Stamp, listing: ListingId, start: Minute) -> OrderId {
    let millis = u64::try_from(at.at.count() / 1_000).unwrap_or(0);
    let bytes = *listing.uuid().as_bytes();
    let mut tail: [u8; 10] = bytes[6..].try_into().expect("ten of sixteen bytes");
    let start = start.count().to_be_bytes();
    for (byte, more) in tail[2..].iter_mut().zip(start) {
        *byte ^= more;
    }
    OrderId::new(Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
}
