//! A pool at work: what is installed, promised, taken and free over time, and the offers in their
//! order.
//!
//! Everything here is derived from entities and can be built anew from them. Knows no command and
//! no effect.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::outline::Outline;
use super::{Factory, Free, Maintenance, Phase, Pool, Shelf};
use crate::engine::catalogue::Sku;
use crate::engine::incident::Part;
use crate::engine::listing::{Listing, ListingState};
use crate::engine::matching::Draw;
use crate::model::id::{FactoryId, ListingId, PoolId};
use crate::model::schedule::Change;
use crate::model::{Minute, Price, RegionCode, Schedule, SkuCode, Window, limits};

/// A listing as the matcher sees it: the offer and what of it is free.
#[derive(Debug)]
pub(in crate::engine) struct Offer {
    pub(in crate::engine) listing: Listing,
    /// Listed less sold and held.
    pub(in crate::engine) free: Schedule,
}

/// The place of an offer among the others of its pool: cheapest first, then oldest.
type Place = (Price, u64, ListingId);

/// Yards by the place of their first live offer.
pub(in crate::engine) type Lane = BTreeSet<(Price, u64, usize)>;

/// A pool at work.
#[derive(Debug)]
pub(in crate::engine) struct Yard {
    pub(in crate::engine) pool: Pool,
    pub(in crate::engine) sku: Arc<Sku>,
    /// Phases less maintenance; with what other pools stand in for, less what stands in for others.
    pub(in crate::engine) installed: Schedule,
    /// Installed less what contracts and firm quotes have taken, but for what contracts offer to
    /// others. Below zero where a shortfall is recorded.
    pub(in crate::engine) room: Schedule,
    /// What listings promise together, drafts too, and what listings that have left have sold.
    pub(in crate::engine) listed: Schedule,
    /// Live and sold-out offers, cheapest first, then oldest.
    pub(in crate::engine) offers: Vec<Offer>,
    pub(in crate::engine) drafts: Vec<Listing>,
    /// The end of the last maintenance window. From then on there is room for all that is free,
    /// because listed never exceeds installed; before it the matcher asks.
    pub(in crate::engine) maintained_until: Minute,
    /// The place of the first live offer: how cheap this pool can be at best.
    best: Option<(Price, u64)>,
    /// What the offers have free, in outline; `None` until it is drawn.
    pub(in crate::engine) outline: Option<Outline>,
}

/// All factories and pools.
#[derive(Debug, Default)]
pub struct Capacity {
    pub(in crate::engine) factories: BTreeMap<FactoryId, Factory>,
    /// In the order of their arrival; never removed, so an index stays good.
    pub(in crate::engine) yards: Vec<Yard>,
    pub(in crate::engine) by_id: BTreeMap<PoolId, usize>,
    /// The yards of each SKU that have a live offer, by the place of their first: an order looks at
    /// the cheapest pools first and stops when the next cannot be better.
    pub(in crate::engine) by_price: BTreeMap<SkuCode, Lane>,
    /// The same of each region: most orders name one, and it has few of a SKU's pools.
    pub(in crate::engine) by_region: BTreeMap<SkuCode, BTreeMap<RegionCode, Lane>>,
    /// Those of them that customers sell on.
    pub(in crate::engine) resales: BTreeSet<ListingId>,
    /// Where each listing that can still change is.
    pub(in crate::engine) by_listing: BTreeMap<ListingId, usize>,
}

/// What the digest says of one pool, from an instant on.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PoolDigest {
    pub pool: PoolId,
    pub installed: Schedule,
    pub room: Schedule,
    pub listed: Schedule,
    /// Live and sold-out offers in their order.
    pub offers: Vec<(ListingId, Schedule)>,
    pub drafts: BTreeSet<ListingId>,
}

/// For ever: from this instant to the market's last.
pub(in crate::engine) fn from_now_on(from: Minute) -> Option<Window> {
    Window::new(from, Minute::new(limits::MINUTE_MAX))
}

fn place(listing: &Listing) -> Place {
    (listing.price, listing.published_seq, listing.id)
}

impl Offer {
    fn new(listing: Listing) -> Self {
        let free = Schedule::flat(listing.window, i64::from(listing.gpus));
        Self { listing, free }
    }

    /// Whether nothing is free from `now` to the end of the window.
    pub(in crate::engine) fn is_sold_out(&self, now: Minute) -> bool {
        self.free.end().is_none_or(|end| end <= now)
    }
}

impl Yard {
    fn new(pool: Pool, sku: Arc<Sku>) -> Self {
        let (phases, maintenance) = (pool.phases.clone(), pool.maintenance.clone());
        let mut yard = Self {
            pool,
            sku,
            installed: Schedule::empty(),
            room: Schedule::empty(),
            listed: Schedule::empty(),
            offers: Vec::new(),
            drafts: Vec::new(),
            maintained_until: Minute::new(limits::MINUTE_MIN),
            best: None,
            outline: None,
        };
        phases.into_iter().for_each(|phase| yard.raise(phase));
        maintenance.iter().for_each(|away| yard.lower(away));
        yard
    }

    /// A phase arrives.
    pub(super) fn raise(&mut self, phase: Phase) {
        let window = from_now_on(phase.from).expect("phases begin within the market's time");
        self.installed.add(window, i64::from(phase.gpus));
        self.room.add(window, i64::from(phase.gpus));
        if phase.announced.is_some() {
            self.maintained_until = self.maintained_until.max(phase.from);
        }
    }

    /// So many GPUs more or fewer within windows: those of another pool, or for another.
    fn shift(&mut self, parts: &[Part], sign: i64) {
        for part in parts {
            let gpus = sign * i64::from(part.gpus);
            self.installed.add(part.window, gpus);
            self.room.add(part.window, gpus);
            self.maintained_until = self.maintained_until.max(part.window.end());
        }
    }

    /// A phase that comes later is not there until then.
    pub(super) fn postpone(&mut self, phase: Phase, from: Minute) {
        if let Some(late) = Window::new(phase.from, from) {
            self.installed.add(late, -i64::from(phase.gpus));
            self.room.add(late, -i64::from(phase.gpus));
            self.maintained_until = self.maintained_until.max(from);
        }
    }

    /// A maintenance window takes GPUs away.
    pub(super) fn lower(&mut self, away: &Maintenance) {
        self.installed.add(away.window, -i64::from(away.gpus));
        self.room.add(away.window, -i64::from(away.gpus));
        self.maintained_until = self.maintained_until.max(away.window.end());
    }

    /// Whether somewhere in `window` there may be less room than the listings have free.
    pub(in crate::engine) fn may_be_short(&self, window: Window) -> bool {
        window.start() < self.maintained_until
    }

    /// The room that a sale within `window` may use. What contracts offer to others is room for who
    /// buys just that: where there is not enough beside it for all that listings have free, it does
    /// not count, or a listing would sell what a contract has and may take back.
    pub(in crate::engine) fn room_to_sell(&self, window: Window) -> Cow<'_, Schedule> {
        if self.resales().all(|offer| offer.free.is_zero_over(window)) {
            return Cow::Borrowed(&self.room);
        }
        let (firm, mut free) = (self.firm_room(), Schedule::empty());
        let listings = self.offers.iter().filter(|offer| offer.listing.resale.is_none());
        listings.for_each(|offer| free.add_all(&offer.free));
        let mut room = Schedule::empty();
        for free in free.within(window) {
            for firm in firm.within(free.window) {
                for all in self.room.within(firm.window) {
                    let is_short = free.count > firm.count;
                    room.add(all.window, if is_short { firm.count } else { all.count });
                }
            }
        }
        Cow::Owned(room)
    }

    /// The room beside what contracts offer to others.
    pub(in crate::engine) fn firm_room(&self) -> Cow<'_, Schedule> {
        let mut room = Cow::Borrowed(&self.room);
        self.resales().for_each(|offer| room.to_mut().subtract_all(&offer.free));
        room
    }

    /// Offers of what contracts have.
    pub(in crate::engine) fn resales(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(|offer| offer.listing.resale.is_some())
    }

    /// The first instant in `window` at which `gpus` more would promise more than is installed,
    /// with what is installed and listed there.
    pub(in crate::engine) fn first_excess(
        &self,
        window: Window,
        gpus: i64,
    ) -> Option<(Minute, i64, i64)> {
        for has in self.installed.within(window) {
            for promised in self.listed.within(has.window) {
                if promised.count + gpus > has.count {
                    return Some((promised.window.start(), has.count, promised.count));
                }
            }
        }
        None
    }

    /// Where a listing stands among the offers. `price` is where it stood when it was drawn from:
    /// most often it still does.
    pub(super) fn offer_at(&self, listing: ListingId, price: Price) -> Option<usize> {
        let from = self.offers.partition_point(|offer| offer.listing.price < price);
        let same = |offer: &Offer| offer.listing.id == listing;
        let near = self.offers[from..].iter().position(same).map(|after| from + after);
        near.or_else(|| self.offers[..from].iter().position(same))
    }

    pub(in crate::engine) fn offer(&self, listing: ListingId) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.listing.id == listing)
    }

    pub(in crate::engine) fn draft(&self, listing: ListingId) -> Option<&Listing> {
        self.drafts.iter().find(|draft| draft.id == listing)
    }

    fn draw_outline(&mut self) {
        self.outline = Some(Outline::of(&self.offers));
    }

    /// What is free of an offer has changed within `window`.
    pub(super) fn free_changed(&mut self, place: usize, window: Window) {
        if let Some(outline) = &mut self.outline {
            outline.note(place, &self.offers[place], window);
        }
    }

    /// Takes the room that a block's draws need. They add up to its size at every instant, so one
    /// change does for all: the room of a busy pool is its longest schedule.
    pub(super) fn occupy(&mut self, draws: &[Draw]) {
        let start = draws.iter().map(|draw| draw.window.start()).min();
        let end = draws.iter().map(|draw| draw.window.end()).max();
        let window = start.zip(end).and_then(|(start, end)| Window::new(start, end));
        let window = window.expect("a block has draws and they last");
        let first = draws.iter().filter(|draw| draw.window.start() == window.start());
        let size: i64 = first.map(|draw| i64::from(draw.gpus)).sum();
        self.room.add(window, -size);
    }

    pub(super) fn stand(&mut self, offer: Offer) {
        let key = place(&offer.listing);
        let at = self.offers.partition_point(|other| place(&other.listing) < key);
        self.offers.insert(at, offer);
        self.outline = None;
    }

    /// Lets go of steps that lie before `now`, a bunch at a time.
    pub(super) fn trim(&mut self, now: Minute) {
        self.installed.trim(now);
        self.room.trim(now);
        self.listed.trim(now);
    }
}

// Building, from entities alone.
impl Capacity {
    pub(in crate::engine) fn add_factory(&mut self, factory: Factory) {
        self.factories.insert(factory.id, factory);
    }

    /// A pool with its phases and maintenance.
    pub(in crate::engine) fn add_pool(&mut self, pool: Pool, sku: Arc<Sku>) {
        let before = self.by_id.insert(pool.id, self.yards.len());
        assert!(before.is_none(), "a pool is added once");
        self.yards.push(Yard::new(pool, sku));
    }

    /// A draft, live or sold-out listing, untaken; `retake` applies what live contracts have of it.
    pub(in crate::engine) fn add_offer(&mut self, listing: Listing) {
        let at = self.index(listing.pool);
        let before = self.by_listing.insert(listing.id, at);
        assert!(before.is_none(), "a listing is added once");
        let yard = &mut self.yards[at];
        if listing.resale.is_some() {
            // Its capacity was listed once already. What of it is on offer, the contract says.
            self.resales.insert(listing.id);
            yard.stand(Offer { listing, free: Schedule::empty() });
            self.reorder(at);
            return;
        }
        yard.listed.add(listing.window, i64::from(listing.gpus));
        match listing.state {
            ListingState::Draft => yard.drafts.push(listing),
            ListingState::Live | ListingState::SoldOut => yard.stand(Offer::new(listing)),
            ListingState::Withdrawn | ListingState::Expired => {
                unreachable!("a listing that has left is not an offer")
            }
        }
        self.reorder(at);
    }

    /// Applies the draws of a live contract or an open firm quote, without any effect. Once all
    /// listings are there: what of a draw's listing has left still binds the pool.
    pub(in crate::engine) fn retake(&mut self, pool: PoolId, draws: &[Draw]) {
        let at = self.index(pool);
        let yard = &mut self.yards[at];
        for draw in draws {
            let gpus = i64::from(draw.gpus);
            yard.room.add(draw.window, -gpus);
            match yard.offer_at(draw.listing, draw.price) {
                Some(offer) => yard.offers[offer].free.add(draw.window, -gpus),
                None => yard.listed.add(draw.window, gpus),
            }
        }
    }

    /// As `retake`, of all contracts of a pool at once. `draws` are theirs.
    pub(in crate::engine) fn retake_all(&mut self, pool: PoolId, draws: &[Cow<'_, [Draw]>]) {
        let at = self.index(pool);
        let yard = &mut self.yards[at];
        let (mut room, mut listed) = (Vec::new(), Vec::new());
        let mut free: Vec<Vec<Change>> = vec![Vec::new(); yard.offers.len()];
        for draw in draws.iter().flat_map(|its| its.iter()) {
            let gpus = i64::from(draw.gpus);
            let taken = Change::within(draw.window, -gpus);
            room.extend(taken);
            match yard.offer_at(draw.listing, draw.price) {
                Some(offer) => free[offer].extend(taken),
                None => listed.extend(Change::within(draw.window, gpus)),
            }
        }
        yard.room.add_many(&mut room);
        yard.listed.add_many(&mut listed);
        for (offer, mut changes) in yard.offers.iter_mut().zip(free) {
            offer.free.add_many(&mut changes);
        }
    }

    /// A pool stands in for another, or is held to.
    pub(in crate::engine) fn lend(&mut self, pool: PoolId, parts: &[Part]) {
        let at = self.index(pool);
        self.yards[at].shift(parts, -1);
    }

    /// It stands in no more.
    pub(in crate::engine) fn unlend(&mut self, pool: PoolId, parts: &[Part]) {
        let at = self.index(pool);
        self.yards[at].shift(parts, 1);
    }

    /// Another pool stands in for this one.
    pub(in crate::engine) fn borrow(&mut self, pool: PoolId, parts: &[Part]) {
        self.unlend(pool, parts);
    }

    /// It stands in no more.
    pub(in crate::engine) fn unborrow(&mut self, pool: PoolId, parts: &[Part]) {
        self.lend(pool, parts);
    }

    /// What a contract offers to others of what it has: free, and in the pool's room.
    pub(in crate::engine) fn offer_on(&mut self, pool: PoolId, draws: &[Draw]) {
        let at = self.index(pool);
        let yard = &mut self.yards[at];
        for draw in draws {
            let mut offers = yard.offers.iter_mut();
            let offer = offers.find(|offer| offer.listing.id == draw.listing);
            let offer = offer.expect("what is on offer has a listing");
            offer.free.add(draw.window, i64::from(draw.gpus));
            yard.room.add(draw.window, i64::from(draw.gpus));
        }
    }

    /// A listing leaves. What it has sold from then on still binds the pool, the rest is free to be
    /// listed.
    pub(in crate::engine) fn remove(&mut self, listing: &Listing) {
        let at = self.by_listing.remove(&listing.id).expect("a listing leaves once");
        let yard = &mut self.yards[at];
        match yard.offer_at(listing.id, listing.price) {
            Some(place) => {
                let offer = yard.offers.remove(place);
                yard.draw_outline();
                match self.resales.remove(&listing.id) {
                    // It goes on as what it was: reserved.
                    true => yard.room.subtract_all(&offer.free),
                    false => yard.listed.subtract_all(&offer.free),
                }
            }
            None => {
                yard.drafts.retain(|draft| draft.id != listing.id);
                yard.listed.add(listing.window, -i64::from(listing.gpus));
            }
        }
        self.reorder(at);
    }

    /// An offer or draft takes the place that its new price gives it.
    pub(in crate::engine) fn reprice(&mut self, listing: &Listing) {
        let at = self.by_listing[&listing.id];
        let yard = &mut self.yards[at];
        match yard.offers.iter().position(|offer| offer.listing.id == listing.id) {
            Some(place) => {
                let offer = yard.offers.remove(place);
                yard.stand(Offer { listing: listing.clone(), free: offer.free });
                yard.draw_outline();
            }
            None => {
                let mut drafts = yard.drafts.iter_mut();
                let draft = drafts.find(|draft| draft.id == listing.id);
                *draft.expect("a listing is an offer or a draft") = listing.clone();
            }
        }
        self.reorder(at);
    }

    /// Puts a yard where its first live offer now belongs.
    pub(super) fn reorder(&mut self, at: usize) {
        let yard = &mut self.yards[at];
        let first = yard.offers.iter().find(|offer| offer.listing.state == ListingState::Live);
        let best = first.map(|offer| (offer.listing.price, offer.listing.published_seq));
        if best == yard.best {
            return;
        }
        let regions = self.by_region.entry(yard.pool.sku.clone()).or_default();
        let region = regions.entry(yard.pool.region.clone()).or_default();
        let all = self.by_price.entry(yard.pool.sku.clone()).or_default();
        for lane in [all, region] {
            if let Some((price, seq)) = yard.best {
                lane.remove(&(price, seq, at));
            }
            if let Some((price, seq)) = best {
                lane.insert((price, seq, at));
            }
        }
        yard.best = best;
    }

    /// Draws the outline of a pool whose offers are others than before.
    pub(in crate::engine) fn outline(&mut self, pool: PoolId) {
        let at = self.index(pool);
        self.yards[at].draw_outline();
    }

    /// Draws all outlines: once what is taken is taken.
    pub(in crate::engine) fn outline_all(&mut self) {
        self.yards.iter_mut().for_each(Yard::draw_outline);
    }

    pub(super) fn index(&self, pool: PoolId) -> usize {
        *self.by_id.get(&pool).expect("a pool that is spoken of exists")
    }
}

// Reading.
impl Capacity {
    pub(in crate::engine) fn yard(&self, pool: PoolId) -> Option<&Yard> {
        self.by_id.get(&pool).map(|at| &self.yards[*at])
    }

    /// In key order.
    pub(in crate::engine) fn factories(&self) -> impl Iterator<Item = &Factory> {
        self.factories.values()
    }

    /// In key order.
    pub(in crate::engine) fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.by_id.values().map(|at| &self.yards[*at].pool)
    }

    /// Drafts, live and sold-out listings, in key order.
    pub(in crate::engine) fn listings(&self) -> impl Iterator<Item = &Listing> {
        self.by_listing.keys().map(|id| self.listing(*id).expect("a listing is where it is filed"))
    }

    /// A listing that can still change.
    pub(in crate::engine) fn listing(&self, id: ListingId) -> Option<&Listing> {
        let yard = &self.yards[*self.by_listing.get(&id)?];
        yard.offer(id).map(|offer| &offer.listing).or_else(|| yard.draft(id))
    }

    /// An offer, to note on it what moves neither its place nor what is free of it.
    pub(in crate::engine) fn offer_mut(&mut self, id: ListingId) -> Option<&mut Offer> {
        let yard = &mut self.yards[*self.by_listing.get(&id)?];
        yard.offers.iter_mut().find(|offer| offer.listing.id == id)
    }

    /// Everything derived, from `now` on, in key order: equal in an engine and in one rebuilt from
    /// its facts.
    pub fn digest_view(&self, now: Minute) -> Vec<PoolDigest> {
        let digest = |yard: &Yard| PoolDigest {
            pool: yard.pool.id,
            installed: yard.installed.since(now),
            room: yard.room.since(now),
            listed: yard.listed.since(now),
            offers: yard.offers.iter().map(|o| (o.listing.id, o.free.since(now))).collect(),
            drafts: yard.drafts.iter().map(|draft| draft.id).collect(),
        };
        self.by_id.values().map(|at| digest(&self.yards[*at])).collect()
    }

    /// What is wrong with one pool's quantities from `now` on, in sentences; empty is sound.
    pub(in crate::engine) fn faults(&self, now: Minute) -> Vec<String> {
        self.yards.iter().flat_map(|yard| yard_faults(yard, now)).collect()
    }

    pub(super) fn shelf(&self, pool: PoolId, now: Minute) -> Option<Shelf> {
        let yard = self.yard(pool)?;
        let live = yard.offers.iter().filter(|offer| offer.listing.state == ListingState::Live);
        Some(Shelf {
            pool,
            provider: yard.pool.provider,
            sku: yard.pool.sku.clone(),
            region: yard.pool.region.clone(),
            installed: yard.installed.since(now),
            room: yard.room.since(now),
            offers: live
                .map(|offer| Free { listing: offer.listing.clone(), free: offer.free.since(now) })
                .collect(),
        })
    }
}

/// Listed within installed outside maintenance; free within listed; all that is free has room.
fn yard_faults(yard: &Yard, now: Minute) -> Vec<String> {
    let mut faults = Vec::new();
    let pool = yard.pool.id;
    let Some(ahead) = from_now_on(now) else { return faults };
    let mut free = Schedule::empty();
    for offer in &yard.offers {
        let id = offer.listing.id;
        for stretch in offer.free.within(ahead) {
            let within = i64::from(offer.listing.gpus);
            if stretch.count < 0 || stretch.count > within {
                faults.push(format!("{id}: {} free of {within}", stretch.count));
            }
        }
        free.add_all(&offer.free);
    }
    if let Some(sound) = from_now_on(now.max(yard.maintained_until)) {
        if let Some((at, installed, listed)) = yard.first_excess(sound, 0) {
            faults.push(format!("{pool}: {listed} listed of {installed} installed at {at}"));
        }
        for stretch in free.within(sound) {
            let room = yard.room.min_over(stretch.window);
            if stretch.count > room {
                let at = stretch.window.start();
                faults.push(format!("{pool}: {} free with room for {room} at {at}", stretch.count));
            }
        }
    }
    faults
}
