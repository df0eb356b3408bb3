//! One provider with one factory and one pool, for the tests of what a provider may do.

use uuid::Uuid;

use crate::engine::capacity::{FactoryState, Phase, Pool};
use crate::engine::catalogue::{Region, Sku};
use crate::engine::command::{Actor, Answer, Command, PublishListing, Stamp};
use crate::engine::effect::Effects;
use crate::engine::event::EventKind;
use crate::engine::ledger::{Account, AccountKey};
use crate::engine::listing::{Audience, Listing, OrderLimits};
use crate::engine::matching::Draw;
use crate::engine::party::harness::{Market, code};
use crate::engine::refusal::Refusal;
use crate::model::id::{FactoryId, ListingId, PoolId};
use crate::model::{Gpus, Micros, Minute, Price, Window};

/// A market with a provider at work: 144 GPUs of a SKU whose lot is 4, whose slot is an hour and
/// whose tick is a cent, in a factory of 300 kW at 1 kW a GPU. It is eight in the morning.
#[derive(Debug)]
pub(super) struct Fair {
    pub(super) market: Market,
    pub(super) provider: Actor,
    pub(super) factory: FactoryId,
    pub(super) pool: PoolId,
}

pub(super) fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

impl Fair {
    pub(super) fn new() -> Self {
        let mut market = Market::founded();
        let founder = market.founder;
        let sku = Sku {
            code: code("gb300"),
            gpu_model: "GB300".into(),
            memory_gib: 288,
            gpus_per_node: 4,
            gpus_per_domain: 72,
            interconnect: "NVLink 5".into(),
            slot_minutes: 60,
            tick: price("0.01"),
            watts_per_gpu: 1_000,
            created_at: Micros::default(),
        };
        market.ask(founder, Command::CreateSku(sku)).expect("a SKU");
        let (name, country) = ("Batam".to_owned(), "ID".parse().expect("a country"));
        let (region, created_at) = (code("batam"), Micros::default());
        let region = Region { code: region, name, country, created_at };
        market.ask(founder, Command::CreateRegion(region)).expect("a region");
        let provider = market.admitted("firmus", "provider");
        let factory = FactoryId::new(market.mint());
        let pool = PoolId::new(market.mint());
        let mut fair = Self { market, provider, factory, pool };
        fair.ask(fair.opening(factory)).expect("a factory");
        let phases = vec![Phase::new(144, fair.hour(-100))];
        let sku = code("gb300");
        fair.ask(Command::CreatePool { id: pool, factory, sku, phases }).expect("a pool");
        fair
    }

    pub(super) fn opening(&self, id: FactoryId) -> Command {
        let (name, region) = ("Batam One".to_owned(), code("batam"));
        let (power_kw, state) = (300, FactoryState::Building);
        Command::CreateFactory { id, name, region, power_kw, state }
    }

    /// The provider asks.
    pub(super) fn ask(&mut self, command: Command) -> Result<Answer, Refusal> {
        self.market.ask(self.provider, command)
    }

    /// So many hours after the market's first instant.
    pub(super) fn hour(&self, hours: i64) -> Minute {
        Minute::new(30_000_000 + hours * 60)
    }

    pub(super) fn hours(&self, from: i64, to: i64) -> Window {
        Window::new(self.hour(from), self.hour(to)).expect("a window")
    }

    /// An offer of so many GPUs at 2.50.
    pub(super) fn offer(&mut self, gpus: Gpus, from: i64, to: i64) -> PublishListing {
        PublishListing {
            id: ListingId::new(self.market.mint()),
            pool: self.pool,
            gpus,
            window: self.hours(from, to),
            price: price("2.50"),
            limits: OrderLimits::default(),
            audience: Audience::default(),
            program: None,
            draft: false,
            dry_run: false,
        }
    }

    pub(super) fn publish(&mut self, gpus: Gpus, from: i64, to: i64) -> Listing {
        let offer = self.offer(gpus, from, to);
        listing(self.ask(Command::PublishListing(offer)))
    }

    pub(super) fn stamp(&self) -> Stamp {
        let (at, seq) = (self.market.now(), self.market.engine.seq() + 1);
        Stamp { at, seq, actor: Actor::System, request: Uuid::nil(), key: None }
    }

    pub(super) fn draw(&self, of: &Listing, gpus: Gpus, from: i64, to: i64) -> Draw {
        let window = self.hours(from, to);
        Draw { listing: of.id, program: None, gpus, window, price: of.price }
    }

    /// Takes a draw, as a match would.
    pub(super) fn take(&mut self, draw: &Draw) -> Effects {
        let (at, mut out) = (self.stamp(), Effects::default());
        self.market.engine.take(&at, self.pool, std::slice::from_ref(draw), None, &mut out);
        out
    }

    pub(super) fn give_back(&mut self, draw: &Draw) -> Effects {
        let (at, mut out) = (self.stamp(), Effects::default());
        self.market.engine.give_back(&at, self.pool, std::slice::from_ref(draw), None, &mut out);
        out
    }

    /// GPU-hours that the books have as issued, listed, reserved and delivered.
    pub(super) fn books(&self) -> [i64; 4] {
        let accounts =
            [Account::CapIssued, Account::CapListed, Account::CapReserved, Account::CapDelivered];
        let ledger = &self.market.engine.ledger;
        accounts.map(|account| ledger.net(AccountKey::of(account, self.pool.uuid())) / 60)
    }

    pub(super) fn record(&self) -> Pool {
        let yard = self.market.engine.capacity.yard(self.pool);
        yard.expect("the pool").pool.clone()
    }

    /// What is wrong with the pool's quantities; empty is sound.
    pub(super) fn faults(&self) -> Vec<String> {
        self.market.engine.capacity.faults(self.market.now().minute())
    }
}

pub(super) fn listing(answer: Result<Answer, Refusal>) -> Listing {
    match answer {
        Ok(Answer::Listing(listing)) => listing,
        other => panic!("no listing: {other:?}"),
    }
}

/// What the organizations were told.
pub(super) fn told(out: &Effects) -> Vec<EventKind> {
    out.events.iter().map(|event| event.kind).collect()
}
