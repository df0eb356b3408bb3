//! The market before anything happens to it: its people, two pools, listings and credit lines. Made
//! once, and copied for every seed.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use headroom::engine::capacity::{FactoryState, Phase};
use headroom::engine::catalogue::{Region, Sku};
use headroom::engine::command::{Approve, NewSession, SignUp};
use headroom::engine::party::Capabilities;
use headroom::engine::program::{BackstopTerms, GuaranteeTerms, ProgramTerms, ShareStep};
use headroom::engine::{Actor, Command, Settings};
use headroom::model::id::{
    ApplicationId, FactoryId, LineId, OrgId, PoolId, ProgramId, SessionId, UserId,
};
use headroom::model::{Micros, Minute, Price, Role, Segment};
use headroom::sequencer::{Crank, Desk, Errand, Pace};
use headroom::store::Durable;
use uuid::Uuid;

use crate::crowd::{Crowd, Mint, SKU, money};
use crate::disk::Disk;
use crate::process::{answered, scribe};

/// 2027-01-28T08:00Z, a whole hour: soon a month ends, and bills are written.
pub const START: Micros = Micros::new(30_018_720 * 60_000_000);

/// A market that is open, and who is in it.
#[derive(Debug, Clone)]
pub struct Opening {
    pub disk: Disk,
    pub crowd: Crowd,
}

struct Clerk {
    desk: Desk,
    crank: Crank,
    mint: Mint,
}

/// Sets everything up, on a disk that behaves.
pub fn open() -> Opening {
    let disk = Disk::default();
    let pace = Pace::Played(Arc::new(AtomicI64::new(START.count())));
    let (crowd, _, _) = open_on(Box::new(disk.clone()), pace);
    Opening { disk, crowd }
}

/// Sets everything up, on an empty store.
pub fn open_on(store: Box<dyn Durable>, pace: Pace) -> (Crowd, Desk, Crank) {
    let started = Crank::start(store, settings(), scribe, pace);
    let (desk, crank) = started.expect("an empty store loads");
    let mut clerk = Clerk { desk, crank, mint: Mint::default() };
    let officers = clerk.found();
    let (provider, program, pools) = clerk.provide(officers[0]);
    let lines = [money(2_000), money(12_000), money(60_000)];
    let customers = lines.map(|limit| clerk.lend(officers[0], limit)).to_vec();
    let mint = clerk.mint.clone();
    let mut crowd = Crowd { mint, officers, provider, program, pools, customers };
    for (pool, gpus, cents) in [(0, 32, 200), (0, 16, 190), (1, 24, 150)] {
        let hours = (START.minute().plus(60), 24 * 90);
        let price = Price::from_micros(cents * 10_000).expect("a price");
        let listing = crowd.listing(START, pool, gpus, hours, price);
        clerk.must(Actor::User(crowd.provider.1), Command::PublishListing(listing));
    }
    (crowd, clerk.desk, clerk.crank)
}

/// One officer's word is enough below this, and two are needed above.
pub fn settings() -> Settings {
    Settings { two_person_threshold: money(70_000), ..Settings::default() }
}

impl Clerk {
    fn must(&mut self, actor: Actor, command: Command) {
        let said = format!("{command:?}");
        let errand = Errand { actor, request: self.id(), key: None, command };
        let desk = self.desk.clone();
        let done = answered(&mut self.crank, async move { desk.submit(errand).await });
        done.expect("a store that behaves")
            .outcome
            .unwrap_or_else(|refusal| panic!("{said}: {refusal:?}"));
    }

    fn id(&mut self) -> Uuid {
        self.mint.fresh(START)
    }

    fn session(&mut self) -> NewSession {
        let mut refresh_hash = [0; 32];
        refresh_hash[..16].copy_from_slice(self.id().as_bytes());
        NewSession { id: SessionId::new(self.id()), refresh_hash }
    }

    /// The operator with two officers, its product and its place.
    fn found(&mut self) -> [UserId; 2] {
        let (first, second) = (UserId::new(self.id()), UserId::new(self.id()));
        let found = Command::Found {
            org: OrgId::new(self.id()),
            user: first,
            name: "The operator".to_owned(),
            country: "NL".parse().expect("a country"),
            email: "operator@example.test".to_owned(),
            password_hash: "x".to_owned(),
        };
        self.must(Actor::System, found);
        let (email, token_hash) = ("second@example.test".to_owned(), [7; 32]);
        let roles = vec![Role::CreditOfficer];
        let invite = Command::InviteMember { user: second, email, roles, token_hash };
        self.must(Actor::User(first), invite);
        let (password_hash, session) = ("x".to_owned(), self.session());
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        self.must(Actor::Anonymous, accept);
        let sku = Sku {
            code: SKU.parse().expect("a code"),
            gpu_model: "GB300".to_owned(),
            memory_gib: 288,
            gpus_per_node: 4,
            gpus_per_domain: 72,
            interconnect: "nvlink5".to_owned(),
            slot_minutes: 60,
            tick: Price::from_micros(10_000).expect("a price"),
            watts_per_gpu: 1_400,
            created_at: Micros::default(),
        };
        self.must(Actor::User(first), Command::CreateSku(sku));
        let region = Region {
            code: "id-batam".parse().expect("a code"),
            name: "Batam".to_owned(),
            country: "ID".parse().expect("a country"),
            created_at: Micros::default(),
        };
        self.must(Actor::User(first), Command::CreateRegion(region));
        [first, second]
    }

    fn sign_up(&mut self, capabilities: Capabilities) -> (OrgId, UserId) {
        let (org, user) = (OrgId::new(self.id()), UserId::new(self.id()));
        let ask = SignUp {
            org,
            user,
            name: "Somebody".to_owned(),
            capabilities,
            segment: capabilities.customer.then_some(Segment::Startup),
            country: "ID".parse().expect("a country"),
            email: format!("{user}@example.test"),
            password_hash: "x".to_owned(),
            session: self.session(),
        };
        self.must(Actor::Anonymous, Command::SignUp(ask));
        (org, user)
    }

    fn provide(&mut self, officer: UserId) -> ((OrgId, UserId), ProgramId, Vec<PoolId>) {
        let (provider, vendor, guarantor) = (true, true, true);
        let able = Capabilities { provider, vendor, guarantor, ..Capabilities::default() };
        let (org, user) = self.sign_up(able);
        self.must(Actor::User(officer), Command::ApproveOrganization { org });
        let factory = FactoryId::new(self.id());
        let build = Command::CreateFactory {
            id: factory,
            name: "Batam 1".to_owned(),
            region: "id-batam".parse().expect("a code"),
            power_kw: 5_000,
            state: FactoryState::Energized,
        };
        self.must(Actor::User(user), build);
        let mut pools = Vec::new();
        for gpus in [64, 32] {
            let id = PoolId::new(self.id());
            let phases = vec![Phase::new(gpus, Minute::new(START.minute().count() - 60_000))];
            let sku = SKU.parse().expect("a code");
            self.must(Actor::User(user), Command::CreatePool { id, factory, sku, phases });
            pools.push(id);
        }
        let program = ProgramId::new(self.id());
        let (coverage, first_loss, cap) = (8_000, money(50), money(10_000));
        let price = Price::from_micros(900_000).expect("a price");
        let terms = ProgramTerms {
            shares: vec![ShareStep { from_month: 1, vendor_share: 1_500 }],
            guarantee: Some(GuaranteeTerms { coverage, first_loss, cap }),
            backstop: Some(BackstopTerms { price, lead_hours: 12, cap }),
        };
        let name = "Supported".to_owned();
        let create = Command::CreateProgram { id: program, name, vendor: org, terms };
        self.must(Actor::User(officer), create);
        self.must(Actor::User(officer), Command::EnrolPool { program, pool: pools[0] });
        ((org, user), program, pools)
    }

    fn lend(&mut self, officer: UserId, limit: headroom::model::Money) -> (OrgId, UserId) {
        let able = Capabilities { customer: true, ..Capabilities::default() };
        let (org, user) = self.sign_up(able);
        let id = ApplicationId::new(self.id());
        let (purpose, workload) = ("training".to_owned(), None);
        let apply = Command::Apply { id, amount: money(60_000), purpose, workload };
        self.must(Actor::User(user), apply);
        let approve = Approve {
            id,
            line: LineId::new(self.id()),
            limit,
            tenor_months: 12,
            net_days: 30,
            note: String::new(),
            dry_run: false,
        };
        self.must(Actor::User(officer), Command::Approve(approve));
        (org, user)
    }
}
