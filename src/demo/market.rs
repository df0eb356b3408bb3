//! Puts up the reference market: catalogue, providers, factories, pools, the vendor's program,
//! offers.
//!
//! Knows in which order a market comes to be and who does what in it. What is put up is in the
//! tables next door.

use std::collections::BTreeMap;

use super::Fault;
use super::calendar::{Calendar, DAY};
use super::people::{Newcomer, Party, People};
use super::reference::{
    OfferPlan, PLACES, PRODUCTS, PROVIDERS, PoolPlan, ProductPlan, ProviderPlan, SitePlan,
};
use super::teller::Teller;
use super::trace::Product;
use crate::engine::capacity::Phase;
use crate::engine::catalogue::{Region, Sku};
use crate::engine::command::PublishListing;
use crate::engine::listing::{Audience, OrderLimits};
use crate::engine::party::Capabilities;
use crate::engine::program::{BackstopTerms, GuaranteeTerms, ProgramTerms, ShareStep};
use crate::engine::{Actor, Command};
use crate::model::id::{FactoryId, ListingId, PoolId, ProgramId, UserId};
use crate::model::{Code, Gpus, Micros, Minute, Money, Price, Role, Segment, SkuCode, Window};

/// The name of the operator.
pub const OPERATOR: &str = "Headroom Demonstration Market";

/// The vendor. Its name and its terms are made up.
const VENDOR: &str = "Northgate Silicon";

/// The step of every price.
const TICK: &str = "0.01";

/// Windows begin and end on the hour.
pub const SLOT_MINUTES: u32 = 60;

/// A product as the replay asks for it.
#[derive(Debug, Clone)]
pub struct Offered {
    pub code: SkuCode,
    pub product: Product,
    /// From then on there is some of it.
    pub from: Minute,
}

/// One factory, for the summary.
#[derive(Debug, Clone)]
pub struct Site {
    pub name: &'static str,
    pub provider: &'static str,
    pub owner: UserId,
    pub installed: Gpus,
    pub power_kw: u32,
}

/// The market as it was put up.
#[derive(Debug)]
pub struct Market {
    pub operator: Party,
    /// The operator's second credit officer.
    pub second_officer: UserId,
    pub products: BTreeMap<&'static str, Offered>,
    pub sites: Vec<Site>,
    /// The place in `sites` of each pool.
    pub pools: BTreeMap<PoolId, usize>,
}

/// Founds the market and fills it with supply.
///
/// # Errors
/// When the machinery fails.
pub fn put_up(
    teller: &mut Teller,
    people: &mut People,
    calendar: &Calendar,
) -> Result<Market, Fault> {
    let operator = people.found(teller, OPERATOR)?;
    let admin = operator.owner;
    let email = "credit@operator.example";
    let persona = "operator: second credit officer";
    let second_officer =
        people.join(teller, admin, OPERATOR, email, Role::CreditOfficer, persona)?;
    let market = Market {
        operator,
        second_officer,
        products: BTreeMap::new(),
        sites: Vec::new(),
        pools: BTreeMap::new(),
    };
    let mut works = Works { teller, people, calendar, market };
    works.catalogue()?;
    let program = works.program()?;
    for plan in &PROVIDERS {
        works.provider(plan, program)?;
    }
    Ok(works.market)
}

/// The market while it is being put up.
struct Works<'a> {
    teller: &'a mut Teller,
    people: &'a mut People,
    calendar: &'a Calendar,
    market: Market,
}

impl Works<'_> {
    fn operate(&mut self, command: Command) -> Result<(), Fault> {
        let admin = Actor::User(self.market.operator.owner);
        self.teller.say(admin, command).map(drop)
    }

    fn catalogue(&mut self) -> Result<(), Fault> {
        for plan in &PLACES {
            let (code, country) = (code(plan.code), plan.country.parse().expect("a country"));
            let (name, created_at) = (plan.name.to_owned(), Micros::default());
            self.operate(Command::CreateRegion(Region { code, name, country, created_at }))?;
        }
        for plan in &PRODUCTS {
            self.operate(Command::CreateSku(sku(plan)))?;
            let (lot, slot_minutes) = (plan.lot, SLOT_MINUTES);
            let product = Product { lot, slot_minutes, tick: price(TICK), ask: price(plan.ask) };
            let (code, from) = (code(plan.code), Minute::new(i64::MAX));
            self.market.products.insert(plan.code, Offered { code, product, from });
        }
        Ok(())
    }

    /// The vendor, who also guarantees and may buy what stays unsold, and its one program.
    fn program(&mut self) -> Result<ProgramId, Fault> {
        let (customer, vendor, guarantor) = (true, true, true);
        let vendor = self.join(&Newcomer {
            name: VENDOR,
            country: "US",
            domain: "northgate.example",
            segment: Some(Segment::Enterprise),
            capabilities: Capabilities { customer, vendor, guarantor, ..Capabilities::default() },
            persona: Some("vendor: owner"),
        })?;
        let shares = [(1, 1_500), (2, 1_200), (4, 900), (13, 600)];
        let shares = shares
            .map(|(from_month, vendor_share)| ShareStep { from_month, vendor_share })
            .to_vec();
        let (first_loss, cap) = (money("250000"), money("20000000"));
        let guarantee = Some(GuaranteeTerms { coverage: 8_000, first_loss, cap });
        // Low enough that customers' demand comes first, and small beside it.
        let (price, lead_hours, cap) = (price("1.40"), 48, money("3000000"));
        let backstop = Some(BackstopTerms { price, lead_hours, cap });
        let terms = ProgramTerms { shares, guarantee, backstop };
        let id = ProgramId::new(self.teller.fresh());
        let name = "Supported capacity".to_owned();
        self.operate(Command::CreateProgram { id, name, vendor: vendor.org, terms })?;
        Ok(id)
    }

    /// Signs up an organization that needs the operator's approval, and approves it.
    fn join(&mut self, who: &Newcomer) -> Result<Party, Fault> {
        let party = self.people.sign_up(self.teller, who)?;
        self.operate(Command::ApproveOrganization { org: party.org })?;
        Ok(party)
    }

    fn provider(&mut self, plan: &'static ProviderPlan, program: ProgramId) -> Result<(), Fault> {
        let is_first = self.market.sites.is_empty();
        let party = self.join(&Newcomer {
            name: plan.name,
            country: plan.country,
            domain: plan.domain,
            segment: None,
            capabilities: Capabilities { provider: true, ..Capabilities::default() },
            persona: is_first.then_some("provider: owner"),
        })?;
        if plan.sites.len() > 1 {
            let email = format!("inventory@{}", plan.domain);
            let (role, persona) = (Role::Inventory, "provider: inventory");
            self.people.join(self.teller, party.owner, plan.name, &email, role, persona)?;
        }
        let program = plan.supported.then_some(program);
        for site in plan.sites {
            self.site(plan.name, party.owner, site, program)?;
        }
        Ok(())
    }

    fn site(
        &mut self,
        provider: &'static str,
        owner: UserId,
        plan: &'static SitePlan,
        program: Option<ProgramId>,
    ) -> Result<(), Fault> {
        let id = FactoryId::new(self.teller.fresh());
        let (name, region) = (plan.name.to_owned(), code(plan.region));
        let (power_kw, state) = (plan.power_kw, plan.state);
        let factory = Command::CreateFactory { id, name, region, power_kw, state };
        self.teller.say(Actor::User(owner), factory)?;
        let phases = plan.pools.iter().flat_map(|pool| pool.phases);
        let installed = phases.map(|(gpus, _)| gpus).sum();
        let site = Site { name: plan.name, provider, owner, installed, power_kw };
        self.market.sites.push(site);
        for pool in plan.pools {
            self.pool(owner, id, pool, program)?;
        }
        Ok(())
    }

    fn pool(
        &mut self,
        owner: UserId,
        factory: FactoryId,
        plan: &'static PoolPlan,
        program: Option<ProgramId>,
    ) -> Result<(), Fault> {
        let id = PoolId::new(self.teller.fresh());
        let day = |when| self.calendar.day(when);
        let phases: Vec<Phase> =
            plan.phases.iter().map(|&(gpus, when)| Phase::new(gpus, day(when))).collect();
        let (sku, given) = (code(plan.sku), phases.clone());
        let create = Command::CreatePool { id, factory, sku, phases: given };
        self.teller.say(Actor::User(owner), create)?;
        self.market.pools.insert(id, self.market.sites.len() - 1);
        if let Some(program) = program {
            self.operate(Command::EnrolPool { program, pool: id })?;
        }
        let offered = self.market.products.get_mut(plan.sku).expect("a pool is of a product");
        let lot = offered.product.lot;
        let earliest = phases.iter().map(|phase| phase.from).min();
        offered.from = offered.from.min(earliest.expect("a pool has a phase"));
        for phase in phases {
            for offer in plan.offers {
                self.offer(owner, id, phase, offer, lot, program)?;
            }
        }
        Ok(())
    }

    /// Publishes one part of one phase, from its delivery to the end of the demo's calendar. Two
    /// days later than installed, so that a factory is looked over before it is sold.
    fn offer(
        &mut self,
        owner: UserId,
        pool: PoolId,
        phase: Phase,
        plan: &OfferPlan,
        lot: Gpus,
        program: Option<ProgramId>,
    ) -> Result<(), Fault> {
        let part = phase.gpus / 100 * plan.percent;
        let gpus = part - part % lot;
        let Some(window) = Window::new(phase.from.plus(2 * DAY), self.calendar.ends) else {
            return Ok(());
        };
        let limit = |number: u32| (number > 0).then_some(number);
        let limits = OrderLimits {
            min_gpus: limit(plan.min_gpus),
            max_gpus: limit(plan.max_gpus),
            min_hours: limit(plan.min_hours),
            max_hours: None,
            notice_hours: limit(plan.notice_hours),
        };
        let audience = Audience { segments: plan.segments.to_vec(), countries: Vec::new() };
        let publish = PublishListing {
            id: ListingId::new(self.teller.fresh()),
            pool,
            gpus,
            window,
            price: price(plan.price),
            limits,
            audience,
            program,
            draft: false,
            dry_run: false,
        };
        self.teller.say(Actor::User(owner), Command::PublishListing(publish)).map(drop)
    }
}

fn sku(plan: &ProductPlan) -> Sku {
    Sku {
        code: code(plan.code),
        gpu_model: plan.gpu_model.to_owned(),
        memory_gib: plan.memory_gib,
        gpus_per_node: plan.lot,
        gpus_per_domain: plan.domain,
        interconnect: plan.interconnect.to_owned(),
        slot_minutes: SLOT_MINUTES,
        tick: price(TICK),
        watts_per_gpu: plan.watts,
        created_at: Micros::default(),
    }
}

/// A code of the reference data.
pub fn code(text: &str) -> Code {
    text.parse().expect("a code of the reference data")
}

/// A price of the reference data.
pub fn price(text: &str) -> Price {
    text.parse().expect("a price of the reference data")
}

/// An amount of the reference data.
pub fn money(text: &str) -> Money {
    text.parse().expect("an amount of the reference data")
}
