//! Markets to measure on, made by real commands, and the orders that come to them. The same shape
//! and seed give the same market and the same orders.
//!
//! Ten pools make a *group*: one SKU in one region, which is where an order looks. Larger markets
//! have more groups, ten regions to a SKU first and then more, as a real one would.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Trouble;
use super::clerk::Clerk;
use super::dice::Dice;
use crate::engine::capacity::{FactoryState, Phase};
use crate::engine::catalogue::{Region, Sku};
use crate::engine::command::{Approve, NewSession, OrderKind, PlaceOrder, PublishListing, SignUp};
use crate::engine::listing::{Audience, OrderLimits};
use crate::engine::order::{Ask, OrderState, Start, TimeInForce};
use crate::engine::party::Capabilities;
use crate::engine::program::{ProgramTerms, ShareStep};
use crate::engine::{Actor, Answer, Command, Key};
use crate::model::id::{
    ApplicationId, FactoryId, KeyId, LineId, ListingId, OrderId, OrgId, PoolId, ProgramId,
    SessionId, UserId,
};
use crate::model::{
    Country, Gpus, Micros, Minute, Money, Price, RegionCode, Role, Segment, SkuCode, Window, limits,
};

/// GPUs of a node: every order is a multiple of it.
pub const LOT: u32 = 8;
/// The largest order, in nodes.
const NODES_MAX: u64 = 16;
/// How long blocks last, in hours: mostly short, some of days.
const HOURS: [i64; 10] = [1, 2, 3, 4, 6, 8, 12, 24, 48, 72];
/// GPU-hours of the mean order: 68 GPUs for 18 hours.
const GPU_HOURS_MEAN: u64 = 1_224;
/// Blocks start within so many days, from tomorrow on.
const DAYS: i64 = 300;
/// Listings run so long: past the last start and the longest block.
const LISTED_DAYS: i64 = 365;
const DAY: i64 = 24 * 60;
const POOLS_PER_GROUP: usize = 10;
const CUSTOMERS: usize = 128;

/// How large a market is.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// A multiple of ten, or one: then it is a group of its own.
    pub pools: usize,
    pub listings_per_pool: usize,
    pub gpus_per_listing: Gpus,
    /// All of it is supported by a vendor's program.
    pub supported: bool,
}

/// A market ready to trade.
#[derive(Debug)]
pub struct Market {
    pub clerk: Clerk,
    pub shape: Shape,
    /// The operator's first person.
    pub founder: Actor,
    pub customers: Vec<Customer>,
    pub groups: Vec<Group>,
    pub first_start: Minute,
    dice: Dice,
    minted: u64,
}

/// Someone who trades by key.
#[derive(Debug, Clone)]
pub struct Customer {
    pub key: KeyId,
}

/// Ten pools of one SKU in one region.
#[derive(Debug, Clone)]
pub struct Group {
    pub sku: SkuCode,
    pub region: RegionCode,
}

/// Which starts an order accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    Fixed,
    /// All at the market's first start.
    Together,
    /// Any slot within so many days.
    Floating(i64),
}

/// Where an order looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One region: ten pools.
    Region,
    /// Every region that has the SKU.
    Anywhere,
}

/// What kind of orders come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub starts: Starts,
    pub reach: Reach,
    /// `None`: every size and length. Else so many nodes for so many hours.
    pub size: Option<(u32, i64)>,
}

impl Shape {
    /// A market whose capacity is `over` times what `orders` mean orders will take.
    pub fn for_orders(pools: usize, listings_per_pool: usize, orders: u64, over: f64) -> Self {
        let listings = pools * listings_per_pool;
        let wanted = super::watch::float(orders * GPU_HOURS_MEAN) * over;
        let hours = super::watch::float(DAYS.unsigned_abs() * 24);
        let gpus = wanted / hours / super::watch::float_of(listings);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number that is then brought within bounds"
        )]
        let nodes = (gpus / f64::from(LOT)).ceil() as u32;
        let gpus_per_listing = (nodes.max(4) * LOT).min(limits::GPUS_MAX / 1_000 / LOT * LOT);
        Self { pools, listings_per_pool, gpus_per_listing, supported: false }
    }
}

impl Market {
    /// A market of this shape at the clerk's time, with nothing sold. `key_hashes` gives each
    /// customer's key the digest of a secret that is known elsewhere.
    pub fn open(
        clerk: Clerk,
        shape: Shape,
        key_hash: impl Fn(usize) -> [u8; 32],
    ) -> Result<Self, Trouble> {
        let first_start = clerk.now.minute().plus(DAY).ceil_to(60);
        let mut market = Self {
            clerk,
            shape,
            founder: Actor::System,
            customers: Vec::new(),
            groups: Vec::new(),
            first_start,
            dice: Dice::new(7),
            minted: 0,
        };
        let founder = market.found()?;
        market.founder = founder;
        let provider = market.provider(founder)?;
        for number in 0..CUSTOMERS {
            let customer = market.customer(founder, number, key_hash(number))?;
            market.customers.push(customer);
        }
        market.stock(founder, provider)?;
        Ok(market)
    }

    /// A fresh identifier: a UUIDv7 of the clerk's time, growing.
    fn mint(&mut self) -> Uuid {
        self.minted += 1;
        let millis = u64::try_from(self.clerk.now.count() / 1_000).expect("after 1970");
        let (step, place) = (self.minted / 4_096, self.minted % 4_096);
        let mut random = [0; 10];
        let place = u16::try_from(place).expect("below 4,096");
        random[..2].copy_from_slice(&place.to_be_bytes());
        random[2..].copy_from_slice(&self.dice.roll().to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis + step, &random).into_uuid()
    }

    fn found(&mut self) -> Result<Actor, Trouble> {
        let (org, user) = (OrgId::new(self.mint()), UserId::new(self.mint()));
        let (name, email) = ("Bench".to_owned(), "admin@bench.example".to_owned());
        let password_hash = String::new();
        let found = Command::Found { org, user, name, country: country(), email, password_hash };
        self.clerk.ask(Actor::System, None, found)?;
        Ok(Actor::User(user))
    }

    fn sign_up(
        &mut self,
        name: String,
        capabilities: Capabilities,
    ) -> Result<(OrgId, Actor), Trouble> {
        let (org, user) = (OrgId::new(self.mint()), UserId::new(self.mint()));
        let id = SessionId::new(self.mint());
        let refresh_hash = Sha256::digest(id.uuid().as_bytes()).into();
        let ask = SignUp {
            org,
            user,
            email: format!("owner@{name}.example"),
            name,
            capabilities,
            segment: capabilities.customer.then_some(Segment::Startup),
            country: country(),
            password_hash: String::new(),
            session: NewSession { id, refresh_hash },
        };
        self.clerk.ask(Actor::Anonymous, None, Command::SignUp(ask))?;
        Ok((org, Actor::User(user)))
    }

    fn provider(&mut self, founder: Actor) -> Result<Actor, Trouble> {
        let capabilities = Capabilities { provider: true, ..Capabilities::default() };
        let (org, owner) = self.sign_up("provider".to_owned(), capabilities)?;
        self.clerk.ask(founder, None, Command::ApproveOrganization { org })?;
        Ok(owner)
    }

    fn customer(
        &mut self,
        founder: Actor,
        number: usize,
        hash: [u8; 32],
    ) -> Result<Customer, Trouble> {
        let capabilities = Capabilities { customer: true, ..Capabilities::default() };
        let (_, owner) = self.sign_up(format!("customer-{number}"), capabilities)?;
        let (id, line) = (ApplicationId::new(self.mint()), LineId::new(self.mint()));
        let limit = Money::from_micros(limits::AMOUNT_MAX);
        let purpose = "to be measured".to_owned();
        let apply = Command::Apply { id, amount: limit, purpose, workload: None };
        self.clerk.ask(owner, None, apply)?;
        let (note, dry_run) = (String::new(), false);
        let approve = Approve { id, line, limit, tenor_months: 24, net_days: 30, note, dry_run };
        self.clerk.ask(founder, None, Command::Approve(approve))?;
        let key = KeyId::new(self.mint());
        let (name, roles) = ("bench".to_owned(), vec![Role::Trader]);
        let create = Command::CreateKey { key, name, roles, expires_at: None, hash };
        self.clerk.ask(owner, None, create)?;
        Ok(Customer { key })
    }

    /// The catalogue, the pools and their listings.
    fn stock(&mut self, founder: Actor, provider: Actor) -> Result<(), Trouble> {
        let groups = self.shape.pools.div_ceil(POOLS_PER_GROUP);
        // Ten SKUs once there are that many groups; the rest are regions.
        let skus = groups.min(POOLS_PER_GROUP);
        let regions = groups.div_ceil(skus);
        let skus: Vec<SkuCode> = (0..skus).map(|number| code("gpu", number)).collect();
        let regions: Vec<RegionCode> = (0..regions).map(|number| code("region", number)).collect();
        for sku in &skus {
            self.clerk.ask(founder, None, Command::CreateSku(product(sku)))?;
        }
        let program = if self.shape.supported { Some(self.program(founder)?) } else { None };
        let mut factories = Vec::new();
        for region in &regions {
            let name = region.to_string();
            let create = Region {
                code: region.clone(),
                name,
                country: country(),
                created_at: Micros::default(),
            };
            self.clerk.ask(founder, None, Command::CreateRegion(create))?;
            factories.push(self.factory(provider, region)?);
        }
        for (region, factory) in regions.iter().zip(factories) {
            for sku in &skus {
                self.groups.push(Group { sku: sku.clone(), region: region.clone() });
                for _ in 0..self.shape.pools.min(POOLS_PER_GROUP) {
                    self.pool(provider, factory, sku, program.map(|it| (founder, it)))?;
                }
            }
        }
        Ok(())
    }

    fn factory(&mut self, provider: Actor, region: &RegionCode) -> Result<FactoryId, Trouble> {
        let id = FactoryId::new(self.mint());
        let (name, region) = (format!("factory {region}"), region.clone());
        let (power_kw, state) = (limits::POWER_KW_MAX, FactoryState::Energized);
        let create = Command::CreateFactory { id, name, region, power_kw, state };
        self.clerk.ask(provider, None, create)?;
        Ok(id)
    }

    /// A vendor's program: 15 % of the revenue, no guarantee.
    fn program(&mut self, founder: Actor) -> Result<ProgramId, Trouble> {
        let capabilities = Capabilities { vendor: true, ..Capabilities::default() };
        let (vendor, _) = self.sign_up("vendor".to_owned(), capabilities)?;
        self.clerk.ask(founder, None, Command::ApproveOrganization { org: vendor })?;
        let (id, name) = (ProgramId::new(self.mint()), "support".to_owned());
        let shares = vec![ShareStep { from_month: 1, vendor_share: 1_500 }];
        let terms = ProgramTerms { shares, guarantee: None, backstop: None };
        self.clerk.ask(founder, None, Command::CreateProgram { id, name, vendor, terms })?;
        Ok(id)
    }

    fn pool(
        &mut self,
        provider: Actor,
        factory: FactoryId,
        sku: &SkuCode,
        program: Option<(Actor, ProgramId)>,
    ) -> Result<(), Trouble> {
        let Shape { listings_per_pool, gpus_per_listing: gpus, .. } = self.shape;
        let (pool, start) = (PoolId::new(self.mint()), self.first_start.plus(-DAY));
        let all = gpus * u32::try_from(listings_per_pool).expect("few listings");
        let phases = vec![Phase::new(all, start)];
        let create = Command::CreatePool { id: pool, factory, sku: sku.clone(), phases };
        self.clerk.ask(provider, None, create)?;
        if let Some((founder, program)) = program {
            self.clerk.ask(founder, None, Command::EnrolPool { program, pool })?;
        }
        for _ in 0..listings_per_pool {
            let id = ListingId::new(self.mint());
            let window = Window::lasting(self.first_start, LISTED_DAYS * DAY).expect("a year");
            // 2.00 to 4.99 a GPU-hour.
            let cents = 200 + i64::try_from(self.dice.below(300)).expect("small");
            let price = Price::from_micros(cents * 10_000).expect("above zero");
            let publish = PublishListing {
                id,
                pool,
                gpus,
                window,
                price,
                limits: OrderLimits::default(),
                audience: Audience::default(),
                program: program.map(|(_, id)| id),
                draft: false,
                dry_run: false,
            };
            self.clerk.ask(provider, None, Command::PublishListing(publish))?;
        }
        Ok(())
    }

    /// The next order: who places it, and what it asks.
    pub fn next_order(&mut self, demand: Demand) -> (Actor, Ask) {
        let Demand { starts, reach, size } = demand;
        let customer = Actor::Key(self.dice.pick(&self.customers).key);
        let Group { sku, region } = self.dice.pick(&self.groups).clone();
        let days = match starts {
            Starts::Fixed | Starts::Together => DAYS,
            Starts::Floating(days) => DAYS - days,
        };
        let hours = self.dice.below(days.unsigned_abs() * 24);
        let earliest = self.first_start.plus(i64::try_from(hours).expect("small") * 60);
        let start = match starts {
            Starts::Fixed => Start::At(earliest),
            Starts::Together => Start::At(self.first_start),
            Starts::Floating(days) => {
                Start::Between { earliest, latest: earliest.plus(days * DAY) }
            }
        };
        let (nodes, hours) = size.unwrap_or_else(|| {
            let nodes = u32::try_from(1 + self.dice.below(NODES_MAX)).expect("small");
            (nodes, *self.dice.pick(&HOURS))
        });
        let regions = match reach {
            Reach::Region => vec![region],
            Reach::Anywhere => Vec::new(),
        };
        let ask = Ask {
            skus: vec![sku],
            regions,
            gpus: nodes * LOT,
            min_gpus: None,
            start,
            minutes: hours * 60,
            limit: Price::from_micros(9_990_000),
            workload: None,
        };
        (customer, ask)
    }

    /// The next order as a command that fills now or not at all.
    pub fn next_command(&mut self, demand: Demand) -> (Actor, Command) {
        let (actor, ask) = self.next_order(demand);
        let kind = OrderKind::Ask { ask, time_in_force: TimeInForce::Ioc };
        let id = OrderId::new(self.mint());
        let place = PlaceOrder { id, kind, client_order_id: None, dry_run: false };
        (actor, Command::PlaceOrder(place))
    }

    /// A key nobody has used.
    pub fn next_key(&mut self) -> Key {
        let wide = |dice: &mut Dice| u128::from(dice.roll()) << 64 | u128::from(dice.roll());
        Key { name: wide(&mut self.dice), fingerprint: wide(&mut self.dice) }
    }
}

fn country() -> Country {
    "SG".parse().expect("two letters")
}

fn code<T: std::str::FromStr>(word: &str, number: usize) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("{word}-{number}").parse().expect("a code")
}

fn product(code: &SkuCode) -> Sku {
    Sku {
        code: code.clone(),
        gpu_model: "NVIDIA GB300".to_owned(),
        memory_gib: 288,
        gpus_per_node: LOT,
        gpus_per_domain: 72,
        interconnect: "NVLink 5".to_owned(),
        slot_minutes: 60,
        tick: Price::from_micros(10_000).expect("a cent"),
        // One watt: factories have a power budget, and benchmarks need many GPUs.
        watts_per_gpu: 1,
        created_at: Micros::default(),
    }
}

/// What a customer's key is known by.
pub fn digest_of(number: usize) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    digest
}

/// Whether an answer is an order that was filled.
pub fn is_filled(answer: &Answer) -> bool {
    matches!(answer, Answer::Order { order, .. } if order.state == OrderState::Filled)
}
