//! A provider's public offer out of one pool, its limits and its life.

use serde::{Deserialize, Serialize};

use super::capacity::{Yard, change, gpu_minutes, on_lot};
use super::catalogue::Sku;
use super::command::{Answer, PublishListing, Stamp};
use super::deadline::Due;
use super::effect::Effects;
use super::event::{EventData, EventKind};
use super::ledger::{Account, AccountKey};
use super::refusal::Refusal;
use super::resale::Source;
use super::{Engine, bound};
use crate::model::id::{ListingId, OrgId, PoolId, ProgramId};
use crate::model::{
    Country, Gpus, Micros, Minute, Price, RegionCode, Segment, SkuCode, Window, limits,
};
use crate::words;

words! {
    /// `draft -> live <-> sold_out`; `draft|live|sold_out -> withdrawn | expired`.
    ListingState {
        Draft = "draft",
        Live = "live",
        SoldOut = "sold_out",
        Withdrawn = "withdrawn",
        Expired = "expired",
    }
}

/// Which orders a listing takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderLimits {
    pub min_gpus: Option<Gpus>,
    pub max_gpus: Option<Gpus>,
    pub min_hours: Option<u32>,
    pub max_hours: Option<u32>,
    /// A block must start at least so long after it is ordered.
    pub notice_hours: Option<u32>,
}

/// Whom a listing is shown and sold to; an empty list means everyone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audience {
    pub segments: Vec<Segment>,
    pub countries: Vec<Country>,
}

/// A provider's public offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub id: ListingId,
    pub provider: OrgId,
    pub pool: PoolId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: Gpus,
    pub window: Window,
    pub price: Price,
    pub limits: OrderLimits,
    pub audience: Audience,
    pub program: Option<ProgramId>,
    /// Of which contract it is a part, when a customer sells it on.
    pub resale: Option<Source>,
    pub state: ListingState,
    /// GPU-minutes of it that contracts and firm quotes have taken and not given back, completed
    /// ones included: what of it is still on offer cannot be told from live contracts alone.
    pub taken: i64,
    /// The start of the next stretch that its program's backstop will look at.
    pub backstop_at: Option<Minute>,
    /// The number of the command that published it: the smaller, the older.
    pub published_seq: u64,
    pub created_at: Micros,
    /// Rises with every change but `taken` and `backstop_at`; the ETag.
    pub version: u32,
}

impl ListingState {
    /// The table.
    pub const fn may_become(self, next: ListingState) -> bool {
        use ListingState::{Draft, Expired, Live, SoldOut, Withdrawn};
        matches!(
            (self, next),
            (Draft | SoldOut, Live | Withdrawn | Expired) | (Live, SoldOut | Withdrawn | Expired)
        )
    }
}

impl Listing {
    /// Takes one edge of the table.
    pub(super) fn turn(&mut self, next: ListingState) {
        let (id, was) = (self.id, self.state);
        assert!(was.may_become(next), "{id} does not go from {was} to {next}");
        self.state = next;
        self.version += 1;
    }

    /// Who offers it: the pool's provider, or a customer that sells a part of a contract on.
    pub fn owner(&self) -> OrgId {
        self.resale.map_or(self.provider, |source| source.reseller)
    }

    /// Whether it is in the market, sold out or not.
    pub(super) fn is_offered(&self) -> bool {
        matches!(self.state, ListingState::Live | ListingState::SoldOut)
    }

    /// GPU-minutes of it that nobody has taken.
    fn untaken(&self) -> i64 {
        gpu_minutes(self.gpus, self.window) - self.taken
    }
}

// The commands.
impl Engine {
    /// Offers capacity of a pool. Of a window that has begun only the rest is offered, from the
    /// next slot on.
    pub(super) fn publish_listing(
        &mut self,
        at: &Stamp,
        ask: PublishListing,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let yard = self.own_yard(provider, ask.pool)?;
        self.working_factory(provider, yard.pool.factory)?;
        let window = self.offer_fits(at, yard, &ask)?;
        if let Some(program) = ask.program {
            self.program_covers(program, ask.pool)?;
        }
        let most = limits::LISTINGS_PER_POOL_MAX;
        // What customers sell on does not keep the provider out.
        let resales = yard.resales().count();
        if yard.offers.len() - resales + yard.drafts.len() >= most {
            return Err(Refusal::TooMany { kind: "listings of one pool", most });
        }
        let beyond = yard.first_excess(window, i64::from(ask.gpus));
        if let Some((at, installed, listed)) = beyond {
            return Err(Refusal::BeyondInstalled { at, installed, listed, asked: ask.gpus });
        }
        let listing = Listing {
            id: ask.id,
            provider,
            pool: ask.pool,
            sku: yard.pool.sku.clone(),
            region: yard.pool.region.clone(),
            gpus: ask.gpus,
            window,
            price: ask.price,
            limits: ask.limits,
            audience: ask.audience,
            program: ask.program,
            resale: None,
            state: if ask.draft { ListingState::Draft } else { ListingState::Live },
            taken: 0,
            backstop_at: if ask.draft { None } else { self.backed_from(at, ask.program, window) },
            published_seq: at.seq,
            created_at: at.at,
            version: 1,
        };
        if ask.dry_run {
            return Ok(Answer::Listing(listing));
        }
        // From here it must succeed: every question has been asked.
        self.capacity.add_offer(listing.clone());
        self.capacity.outline(listing.pool);
        self.deadlines.set(window.end().micros(), Due::ListingEnds(listing.id));
        self.file_backstop(&listing);
        out.listings.born(listing.id, listing.clone());
        if listing.state == ListingState::Live {
            self.bring_to_market(at, &listing, EventKind::ListingPublished, None, out);
        } else {
            self.tell_of_listing(at, &listing, EventKind::ListingCreated, None, out);
        }
        Ok(Answer::Listing(self.now_listed(listing)))
    }

    pub(super) fn release_listing(
        &mut self,
        at: &Stamp,
        id: ListingId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let before = self.own_listing(provider, id)?.clone();
        if before.state != ListingState::Draft {
            return Err(wrong_state(&before, "draft"));
        }
        let slot = self.capacity.yard(before.pool).expect("it is there").sku.slot_minutes;
        let window = rest_of(before.window, at.next_minute(), slot)?;
        let amount = gpu_minutes(before.gpus, window);
        self.books_take(before.pool, amount)?;
        // From here it must succeed: every question has been asked.
        self.capacity.remove(&before);
        let backstop_at = self.backed_from(at, before.program, window);
        let mut listing = Listing { window, backstop_at, published_seq: at.seq, ..before.clone() };
        listing.turn(ListingState::Live);
        self.file_backstop(&listing);
        self.capacity.add_offer(listing.clone());
        self.capacity.outline(listing.pool);
        out.changes.push(change(id.to_string(), &before, &listing));
        out.listings.changed(id, listing.clone());
        let was = Some(ListingState::Draft);
        self.bring_to_market(at, &listing, EventKind::ListingPublished, was, out);
        Ok(Answer::Listing(self.now_listed(listing)))
    }

    /// Asks another price from now on. Contracts keep theirs.
    pub(super) fn reprice_listing(
        &mut self,
        at: &Stamp,
        id: ListingId,
        expect: u32,
        price: Price,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let before = self.own_listing(provider, id)?.clone();
        if before.version != expect {
            return Err(Refusal::VersionMismatch { expected: expect, actual: before.version });
        }
        let yard = self.capacity.yard(before.pool).expect("it is there");
        price_fits(price, &yard.sku)?;
        // From here it must succeed: every question has been asked.
        let listing = Listing { price, version: before.version + 1, ..before.clone() };
        self.capacity.reprice(&listing);
        out.changes.push(change(id.to_string(), &before, &listing));
        out.listings.changed(id, listing.clone());
        out.shelves.insert(listing.pool);
        self.tell_of_listing(at, &listing, EventKind::ListingRepriced, Some(before.state), out);
        if price < before.price && listing.state == ListingState::Live {
            self.retry(at, &listing.sku, out);
        }
        Ok(Answer::Listing(self.now_listed(listing)))
    }

    pub(super) fn withdraw_listing(
        &mut self,
        at: &Stamp,
        id: ListingId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let provider = self.parties.offering(at)?.organization.id;
        let before = self.own_listing(provider, id)?.clone();
        // From here it must succeed: every question has been asked.
        self.deadlines.clear(before.window.end().micros(), Due::ListingEnds(id));
        let listing = self.leave(at, &before, ListingState::Withdrawn, out);
        out.changes.push(change(id.to_string(), &before, &listing));
        Ok(Answer::Listing(listing))
    }

    /// A listing's window has ended.
    pub(super) fn end_listing(&mut self, at: &Stamp, id: ListingId, out: &mut Effects) {
        let ended = self.capacity.listing(id).expect("a listing's deadline leaves with it").clone();
        if let Some(source) = ended.resale {
            self.stop_offering(source.contract, id, out);
        }
        self.leave(at, &ended, ListingState::Expired, out);
    }
}

// Checks and steps that the commands share.
impl Engine {
    /// A listing of this provider that can still change; another's does not exist for it.
    fn own_listing(&self, provider: OrgId, id: ListingId) -> Result<&Listing, Refusal> {
        let listing = self.capacity.listing(id);
        listing
            .filter(|listing| listing.provider == provider && listing.resale.is_none())
            .ok_or(Refusal::NotFound { kind: "listing" })
    }

    /// Everything about an offer that can be judged by itself; answers the window that is left of
    /// it.
    fn offer_fits(&self, at: &Stamp, yard: &Yard, ask: &PublishListing) -> Result<Window, Refusal> {
        let sku = yard.sku.as_ref();
        bound::within("gpus", i64::from(ask.gpus), 1, i64::from(limits::GPUS_MAX))?;
        on_lot("gpus", ask.gpus, sku.gpus_per_node)?;
        price_fits(ask.price, sku)?;
        let (start, end) = (ask.window.start(), ask.window.end());
        let (now, slot) = (at.next_minute(), sku.slot_minutes);
        if start.count() < limits::MINUTE_MIN {
            return Err(Refusal::InThePast { field: "start_at", given: start, next: now });
        }
        no_later("start_at", start, now.plus(limits::HORIZON_MINUTES))?;
        no_later("end_at", end, start.plus(limits::WINDOW_MINUTES_MAX))?;
        on_slot("start_at", start, slot)?;
        on_slot("end_at", end, slot)?;
        let window = rest_of(ask.window, now, slot)?;
        limits_fit(&ask.limits, sku.gpus_per_node)?;
        bound::count("segments", ask.audience.segments.len(), 0, limits::AUDIENCE_MAX)?;
        bound::count("countries", ask.audience.countries.len(), 0, limits::AUDIENCE_MAX)?;
        self.books_take(ask.pool, gpu_minutes(ask.gpus, window))?;
        Ok(window)
    }

    fn program_covers(&self, program: ProgramId, pool: PoolId) -> Result<(), Refusal> {
        let Some(terms) = self.programs.programs.get(&program) else {
            return Err(Refusal::Unknown { field: "program_id", named: program.to_string() });
        };
        if terms.pools.contains(&pool) { Ok(()) } else { Err(Refusal::NotEnrolled { program }) }
    }

    /// Whether the pool's account has room for `amount` more. Its sums only grow; whoever lists and
    /// withdraws the largest window a million times is refused long before they overflow.
    fn books_take(&self, pool: PoolId, amount: i64) -> Result<(), Refusal> {
        let key = AccountKey::of(Account::CapIssued, pool.uuid());
        let issued = self.ledger.accounts.get(&key).map_or(0, |balance| balance.debits);
        match issued.checked_add(amount) {
            Some(sum) if sum <= i64::MAX / 4 => Ok(()),
            _ => Err(Refusal::Overflow { field: "gpus" }),
        }
    }

    /// A listing is live: its GPU-minutes are on offer, its provider hears it, resting orders are
    /// tried.
    pub(super) fn bring_to_market(
        &mut self,
        at: &Stamp,
        listing: &Listing,
        kind: EventKind,
        was: Option<ListingState>,
        out: &mut Effects,
    ) {
        out.shelves.insert(listing.pool);
        // What is sold on was brought to market before.
        let is_new = listing.resale.is_none();
        let amount = if is_new { gpu_minutes(listing.gpus, listing.window) } else { 0 };
        let way = (Account::CapIssued, Account::CapListed);
        self.move_capacity(at, listing.pool, way, amount, None, at.now(), out);
        self.tell_of_listing(at, listing, kind, was, out);
        self.retry(at, &listing.sku, out);
    }

    /// Takes what is unsold of a listing off the market and off the engine's memory.
    pub(super) fn leave(
        &mut self,
        at: &Stamp,
        before: &Listing,
        state: ListingState,
        out: &mut Effects,
    ) -> Listing {
        self.capacity.remove(before);
        self.strike_backstop(before);
        let mut listing = Listing { backstop_at: None, ..before.clone() };
        listing.turn(state);
        out.listings.changed(listing.id, listing.clone());
        out.shelves.insert(listing.pool);
        if before.resale.is_none() && before.state != ListingState::Draft {
            let off = (Account::CapListed, Account::CapIssued);
            self.move_capacity(at, listing.pool, off, listing.untaken(), None, at.now(), out);
        }
        let kind = match state {
            ListingState::Withdrawn => EventKind::ListingWithdrawn,
            _ => EventKind::ListingExpired,
        };
        self.tell_of_listing(at, &listing, kind, Some(before.state), out);
        listing
    }

    /// The listing as it is after resting orders may have taken of it.
    pub(super) fn now_listed(&self, listing: Listing) -> Listing {
        self.capacity.listing(listing.id).cloned().unwrap_or(listing)
    }

    pub(super) fn tell_of_listing(
        &mut self,
        at: &Stamp,
        listing: &Listing,
        kind: EventKind,
        was: Option<ListingState>,
        out: &mut Effects,
    ) {
        let data = EventData::Listing {
            id: listing.id,
            pool: listing.pool,
            state: listing.state,
            gpus: listing.gpus,
            window: listing.window,
            price: listing.price,
        };
        self.tell(at, listing.owner(), kind, data, was.map(ListingState::as_str), out);
    }
}

fn wrong_state(listing: &Listing, needed: &'static str) -> Refusal {
    Refusal::WrongState { kind: "listing", state: listing.state.as_str(), needed }
}

/// What of a window can still be sold: all of it from the next slot on.
fn rest_of(window: Window, now: Minute, slot_minutes: u32) -> Result<Window, Refusal> {
    let next = now.ceil_to(slot_minutes);
    let past = Refusal::InThePast { field: "end_at", given: window.end(), next };
    Window::new(window.start().max(next), window.end()).ok_or(past)
}

pub(super) fn price_fits(price: Price, sku: &Sku) -> Result<(), Refusal> {
    let field = "price_per_gpu_hour";
    let most = Price::from_micros(limits::PRICE_MAX).expect("a bound above zero");
    if price == Price::default() || price > most {
        return Err(Refusal::PriceOutOfBounds { field, most, given: price });
    }
    let tick = sku.tick;
    if price.is_on_tick(tick) {
        Ok(())
    } else {
        Err(Refusal::OffTick { field, tick, given: price })
    }
}

/// Refuses a time that lies later than `latest`.
pub(super) fn no_later(field: &'static str, given: Minute, latest: Minute) -> Result<(), Refusal> {
    if given <= latest { Ok(()) } else { Err(Refusal::TooFar { field, given, latest }) }
}

pub(super) fn on_slot(
    field: &'static str,
    given: Minute,
    slot_minutes: u32,
) -> Result<(), Refusal> {
    if given.is_aligned(slot_minutes) {
        return Ok(());
    }
    let (before, after) = (given.floor_to(slot_minutes), given.ceil_to(slot_minutes));
    Err(Refusal::OffSlot { field, slot_minutes, before, after })
}

/// Limits that some order can meet: whole lots, at least one of everything, least not above most.
pub(super) fn limits_fit(limits: &OrderLimits, lot: Gpus) -> Result<(), Refusal> {
    let OrderLimits { min_gpus, max_gpus, min_hours, max_hours, notice_hours } = *limits;
    for (field, gpus) in [("min_gpus", min_gpus), ("max_gpus", max_gpus)] {
        let Some(gpus) = gpus else { continue };
        bound::within(field, i64::from(gpus), 1, i64::from(limits::GPUS_MAX))?;
        on_lot(field, gpus, lot)?;
    }
    let longest = limits::WINDOW_MINUTES_MAX / 60;
    for (field, hours) in [("min_hours", min_hours), ("max_hours", max_hours)] {
        bound::within(field, hours.map_or(1, i64::from), 1, longest)?;
    }
    let notice = notice_hours.map_or(0, i64::from);
    bound::within("notice_hours", notice, 0, limits::HORIZON_MINUTES / 60)?;
    if min_gpus.zip(max_gpus).is_some_and(|(least, most)| least > most) {
        return Err(Refusal::Invalid { field: "min_gpus", rule: "min_gpus is at most max_gpus" });
    }
    if min_hours.zip(max_hours).is_some_and(|(least, most)| least > most) {
        return Err(Refusal::Invalid {
            field: "min_hours",
            rule: "min_hours is at most max_hours",
        });
    }
    Ok(())
}
