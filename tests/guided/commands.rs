//! Bytes as a history: each few bytes are a command into the engine, well-formed and often absurd.
//! Whatever comes, nothing panics, every invariant holds, and the engine rebuilt from its snapshot
//! is the same one.

use headroom::engine::amendment::{Change, Transfer, TransferStep};
use headroom::engine::billing::Payable;
use headroom::engine::capacity::{FactoryState, Phase};
use headroom::engine::catalogue::{Region, Sku};
use headroom::engine::command::{
    Approve, ChangeContract, NewSession, OrderKind, PlaceOrder, PublishListing, SignUp,
};
use headroom::engine::credit::{CapSubject, DefaultReason, ReviewOutcome};
use headroom::engine::effect::Effects;
use headroom::engine::listing::{Audience, OrderLimits};
use headroom::engine::order::{Ask, Start, TimeInForce};
use headroom::engine::party::Capabilities;
use headroom::engine::program::{BackstopTerms, GuaranteeTerms, ProgramTerms, ShareStep};
use headroom::engine::resale::Resell;
use headroom::engine::{Actor, Command, Engine, Key, Settings, Stamp};
use headroom::model::id::{
    ApplicationId, ContractId, FactoryId, IncidentId, InvoiceId, LineId, ListingId, OrderId, OrgId,
    PaymentId, PayoutId, PoolId, ProgramId, QuoteId, SessionId, UserId,
};
use headroom::model::{
    Country, Micros, Minute, Money, Month, Price, RegionCode, Role, Segment, SkuCode, Window,
};
use uuid::Uuid;

/// Commands of one history: longer ones find nothing that these do not, and take their time.
const COMMANDS_MAX: usize = 96;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// What is left of the input; when it is used up, zeros.
struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }

    fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }
}

/// The engine, its people, and everything that was made so far.
struct World {
    engine: Engine,
    effects: Effects,
    now: Micros,
    minted: u128,
    officers: [Actor; 2],
    provider: Actor,
    customers: Vec<Actor>,
    orgs: Vec<OrgId>,
    programs: Vec<ProgramId>,
    pools: Vec<PoolId>,
    listings: Vec<ListingId>,
    applications: Vec<ApplicationId>,
    lines: Vec<LineId>,
    quotes: Vec<QuoteId>,
    orders: Vec<OrderId>,
    contracts: Vec<ContractId>,
    invoices: Vec<InvoiceId>,
    payouts: Vec<PayoutId>,
    incidents: Vec<IncidentId>,
}

fn sku() -> SkuCode {
    "gb300".parse().expect("a code")
}

fn region(place: usize) -> RegionCode {
    ["here", "there"][place % 2].parse().expect("a code")
}

fn country() -> Country {
    "SG".parse().expect("two letters")
}

fn money(tape: &mut Tape<'_>) -> Money {
    // From a millionth to a thousand million, and sometimes odd.
    let size = 10_i64.pow(u32::from(tape.byte() % 16));
    Money::from_micros(size * i64::from(tape.byte()) + i64::from(tape.byte() % 3))
}

fn price(tape: &mut Tape<'_>) -> Price {
    let cents = i64::from(tape.byte()) + 1;
    Price::from_micros(cents * 10_000 + i64::from(tape.byte() == 255)).expect("above zero")
}

impl World {
    fn new() -> Self {
        let now = Minute::new(29_000_000).micros();
        let nobody = Actor::Anonymous;
        let settings = Settings {
            two_person_threshold: Money::from_micros(50_000_000_000),
            ..Settings::default()
        };
        let mut world = Self {
            engine: Engine::new(settings),
            effects: Effects::default(),
            now,
            minted: 0,
            officers: [nobody; 2],
            provider: nobody,
            customers: Vec::new(),
            orgs: Vec::new(),
            programs: Vec::new(),
            pools: Vec::new(),
            listings: Vec::new(),
            applications: Vec::new(),
            lines: Vec::new(),
            quotes: Vec::new(),
            orders: Vec::new(),
            contracts: Vec::new(),
            invoices: Vec::new(),
            payouts: Vec::new(),
            incidents: Vec::new(),
        };
        world.people();
        world.stock();
        world
    }

    fn mint(&mut self) -> Uuid {
        self.minted += 1;
        let millis = u64::try_from(self.now.count() / 1_000).expect("after 1970");
        let random = (self.minted << 16).to_be_bytes();
        let random = random.last_chunk::<10>().expect("sixteen have ten");
        uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
    }

    /// Asks, and keeps what came of it in mind.
    fn ask(&mut self, actor: Actor, key: Option<Key>, command: Command) -> bool {
        let stamp =
            Stamp { at: self.now, seq: self.engine.seq() + 1, actor, request: Uuid::nil(), key };
        let outcome = self.engine.apply(&stamp, command, &mut self.effects);
        let effects = std::mem::take(&mut self.effects);
        self.applications.extend(effects.applications.births().map(|one| one.id));
        self.lines.extend(effects.lines.births().map(|one| one.id));
        self.listings.extend(effects.listings.births().map(|one| one.id));
        self.quotes.extend(effects.quotes.births().map(|one| one.id));
        self.orders.extend(effects.orders.births().map(|one| one.id));
        self.contracts.extend(effects.contracts.births().map(|one| one.id));
        self.invoices.extend(effects.invoices.births().map(|one| one.id));
        self.payouts.extend(effects.payouts.births().map(|one| one.id));
        self.incidents.extend(effects.incidents.births().map(|one| one.id));
        outcome.is_ok()
    }

    fn must(&mut self, actor: Actor, command: Command) {
        assert!(self.ask(actor, None, command), "the stage is sound");
    }

    fn session(&mut self) -> NewSession {
        let id = SessionId::new(self.mint());
        let mut refresh_hash = [0; 32];
        refresh_hash[..16].copy_from_slice(id.uuid().as_bytes());
        NewSession { id, refresh_hash }
    }

    fn sign_up(&mut self, name: &str, capabilities: Capabilities) -> Actor {
        let (org, user) = (OrgId::new(self.mint()), UserId::new(self.mint()));
        let session = self.session();
        let ask = SignUp {
            org,
            user,
            email: format!("owner@{name}.example"),
            name: name.to_owned(),
            capabilities,
            segment: capabilities.customer.then_some(Segment::Startup),
            country: country(),
            password_hash: String::new(),
            session,
        };
        self.must(Actor::Anonymous, Command::SignUp(ask));
        if !capabilities.customer {
            self.must(self.officers[0], Command::ApproveOrganization { org });
        }
        self.orgs.push(org);
        Actor::User(user)
    }

    fn people(&mut self) {
        let (org, user) = (OrgId::new(self.mint()), UserId::new(self.mint()));
        let (name, email) = ("House".to_owned(), "admin@house.example".to_owned());
        let password_hash = String::new();
        let found = Command::Found { org, user, name, country: country(), email, password_hash };
        self.must(Actor::System, found);
        let second = UserId::new(self.mint());
        self.officers = [Actor::User(user), Actor::User(second)];
        let roles = vec![Role::Admin, Role::CreditOfficer, Role::MarketOps];
        let (email, token_hash) = ("second@house.example".to_owned(), [7; 32]);
        let invite = Command::InviteMember { user: second, email, roles, token_hash };
        self.must(self.officers[0], invite);
        let (password_hash, session) = (String::new(), self.session());
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        self.must(Actor::Anonymous, accept);
        let none = Capabilities::default();
        self.provider = self.sign_up("provider", Capabilities { provider: true, ..none });
        let vendor = Capabilities { vendor: true, guarantor: true, ..none };
        self.sign_up("vendor", vendor);
        for name in ["one", "two", "three"] {
            let customer = self.sign_up(name, Capabilities { customer: true, ..none });
            self.customers.push(customer);
        }
    }

    fn stock(&mut self) {
        let [officer, _] = self.officers;
        let product = Sku {
            code: sku(),
            gpu_model: "GB300".to_owned(),
            memory_gib: 288,
            gpus_per_node: 8,
            gpus_per_domain: 72,
            interconnect: "NVLink".to_owned(),
            slot_minutes: 60,
            tick: Price::from_micros(10_000).expect("a cent"),
            watts_per_gpu: 1_000,
            created_at: Micros::default(),
        };
        self.must(officer, Command::CreateSku(product));
        let (id, vendor) = (ProgramId::new(self.mint()), self.orgs[1]);
        let guarantee = GuaranteeTerms {
            coverage: 8_000,
            first_loss: Money::from_micros(1_000_000),
            cap: Money::from_micros(1_000_000_000_000),
        };
        let shares = vec![ShareStep { from_month: 1, vendor_share: 1_500 }];
        let backstop = BackstopTerms {
            price: Price::from_micros(1_200_000).expect("above zero"),
            lead_hours: 6,
            cap: Money::from_micros(5_000_000_000),
        };
        let terms = ProgramTerms { shares, guarantee: Some(guarantee), backstop: Some(backstop) };
        let name = "support".to_owned();
        self.must(officer, Command::CreateProgram { id, name, vendor, terms });
        self.programs.push(id);
        for place in 0..2 {
            let code = region(place);
            let (name, created_at) = (code.to_string(), Micros::default());
            let entry = Region { code: code.clone(), name, country: country(), created_at };
            self.must(officer, Command::CreateRegion(entry));
            let factory = FactoryId::new(self.mint());
            let (name, power_kw, state) = ("F".to_owned(), 100_000, FactoryState::Energized);
            let create =
                Command::CreateFactory { id: factory, name, region: code, power_kw, state };
            self.must(self.provider, create);
            let pool = PoolId::new(self.mint());
            let phases = vec![Phase::new(64, self.now.minute()), Phase::new(64, self.day(20))];
            self.must(self.provider, Command::CreatePool { id: pool, factory, sku: sku(), phases });
            self.pools.push(pool);
        }
        let enrol = Command::EnrolPool { program: id, pool: self.pools[0] };
        self.must(officer, enrol);
        for customer in self.customers.clone() {
            let (id, line) = (ApplicationId::new(self.mint()), LineId::new(self.mint()));
            let limit = Money::from_micros(40_000_000_000);
            let purpose = "to be tried".to_owned();
            self.must(customer, Command::Apply { id, amount: limit, purpose, workload: None });
            let (note, dry_run) = (String::new(), false);
            let yes = Approve { id, line, limit, tenor_months: 6, net_days: 30, note, dry_run };
            self.must(officer, Command::Approve(yes));
        }
    }

    fn day(&self, days: i64) -> Minute {
        self.now.minute().ceil_to(60).plus(days * DAY)
    }

    /// An instant from a week ago to two months ahead, mostly on a slot.
    fn instant(&self, tape: &mut Tape<'_>) -> Minute {
        let days = i64::from(tape.byte() % 68) - 7;
        let rest = tape.byte();
        let odd = i64::from(rest == 255);
        self.day(days).plus(i64::from(rest % 24) * HOUR + odd)
    }

    fn window(&self, tape: &mut Tape<'_>) -> Option<Window> {
        let start = self.instant(tape);
        let hours = [1, 2, 6, 24, 72, 24 * 7, 24 * 31, 24 * 400][tape.below(8)];
        Window::lasting(start, hours * HOUR)
    }

    fn gpus(&self, tape: &mut Tape<'_>) -> u32 {
        let byte = tape.byte();
        if byte == 255 { u32::MAX } else { u32::from(byte % 20) * 8 + u32::from(byte > 250) }
    }

    fn ask_of(&self, tape: &mut Tape<'_>) -> Ask {
        let start = match tape.below(4) {
            0 => Start::Now,
            1 => Start::Between { earliest: self.instant(tape), latest: self.instant(tape) },
            _ => Start::At(self.instant(tape)),
        };
        let regions = match tape.below(3) {
            0 => Vec::new(),
            place => vec![region(place)],
        };
        Ask {
            skus: vec![sku()],
            regions,
            gpus: self.gpus(tape),
            min_gpus: tape.coin().then(|| self.gpus(tape)),
            start,
            minutes: [60, 120, 360, 1_440, 10_080, 44_640, 61][tape.below(7)],
            limit: Some(price(tape)),
            workload: None,
        }
    }

    /// The next command of the tape and who gives it; `None` where it names what is not there.
    fn next(&mut self, tape: &mut Tape<'_>) -> Option<(Actor, Command)> {
        let kind = tape.byte();
        let customer = tape.pick(&self.customers).expect("three of them");
        match kind % 5 {
            0 => Some((customer, self.trade(tape)?)),
            1 => Some((customer, self.change(tape)?)),
            2 => Some((self.provider, self.supply(tape)?)),
            3 => Some((tape.pick(&self.officers)?, self.settle(tape)?)),
            _ => {
                // Whoever it is not for asks for it too.
                let all = [self.provider, self.officers[0], self.officers[1], customer];
                Some((tape.pick(&all)?, self.credit(tape)?))
            }
        }
    }

    fn trade(&mut self, tape: &mut Tape<'_>) -> Option<Command> {
        let (client_order_id, dry_run) = (None, tape.byte() > 240);
        Some(match tape.below(8) {
            0 => Command::CancelOrder { id: tape.pick(&self.orders)? },
            1 => {
                let id = QuoteId::new(self.mint());
                let hold_secs = tape.coin().then(|| i64::from(tape.byte()) * 4);
                Command::Quote { id, ask: self.ask_of(tape), hold_secs }
            }
            2 => {
                let (id, quote) = (OrderId::new(self.mint()), tape.pick(&self.quotes)?);
                let kind = OrderKind::Quote(quote);
                Command::PlaceOrder(PlaceOrder { id, kind, client_order_id, dry_run })
            }
            more => {
                let time_in_force = match more {
                    3 => TimeInForce::Gtc,
                    4 => TimeInForce::Gtd(self.instant(tape)),
                    _ => TimeInForce::Ioc,
                };
                let id = OrderId::new(self.mint());
                let kind = OrderKind::Ask { ask: self.ask_of(tape), time_in_force };
                Command::PlaceOrder(PlaceOrder { id, kind, client_order_id, dry_run })
            }
        })
    }

    fn change(&mut self, tape: &mut Tape<'_>) -> Option<Command> {
        let id = tape.pick(&self.contracts)?;
        let dry_run = tape.byte() > 200;
        let fee_max = tape.coin().then(|| money(tape));
        let from = tape.coin().then(|| self.instant(tape));
        let limit = tape.coin().then(|| price(tape));
        let change = match tape.below(9) {
            0 => Change::Cancel,
            1 => Change::Shrink { gpus: self.gpus(tape), from },
            2 => Change::Extend { end: self.instant(tape), limit },
            3 => Change::Grow { gpus: self.gpus(tape), from, limit },
            4 => {
                let to = tape.coin().then(|| tape.pick(&self.orgs)).flatten();
                let step = TransferStep::Offer { to };
                return Some(Command::Transfer(Transfer { contract: id, step, dry_run }));
            }
            5 => {
                let step = TransferStep::Take;
                return Some(Command::Transfer(Transfer { contract: id, step, dry_run }));
            }
            6 => {
                let listing = tape.coin().then(|| tape.pick(&self.listings)).flatten();
                return Some(Command::EndResale { contract: id, listing });
            }
            7 => {
                let incident = tape.pick(&self.incidents)?;
                let accept = tape.coin();
                return Some(Command::AnswerSubstitution { incident, contract: id, accept });
            }
            _ => {
                let listings =
                    (0..1 + tape.below(3)).map(|_| ListingId::new(self.mint())).collect();
                return Some(Command::Resell(Resell {
                    contract: id,
                    listings,
                    gpus: self.gpus(tape),
                    window: self.window(tape)?,
                    price: price(tape),
                    limits: OrderLimits::default(),
                    audience: Audience::default(),
                    dry_run,
                }));
            }
        };
        Some(Command::ChangeContract(ChangeContract { id, change, fee_max, dry_run }))
    }

    fn supply(&mut self, tape: &mut Tape<'_>) -> Option<Command> {
        let pool = tape.pick(&self.pools)?;
        let note = String::new();
        Some(match tape.below(10) {
            0 => Command::WithdrawListing { id: tape.pick(&self.listings)? },
            1 => Command::ReleaseListing { id: tape.pick(&self.listings)? },
            2 => {
                let (id, expect) = (tape.pick(&self.listings)?, u32::from(tape.byte() % 4));
                Command::RepriceListing { id, expect, price: price(tape) }
            }
            3 => {
                let phase = Phase::new(self.gpus(tape), self.instant(tape));
                Command::AddPhase { pool, phase }
            }
            4 => {
                let (phase, from) = (tape.below(4), self.instant(tape));
                Command::PostponePhase { pool, phase, from, note }
            }
            5 => {
                let (window, gpus) = (self.window(tape)?, self.gpus(tape));
                Command::AddMaintenance { pool, window, gpus, note }
            }
            6 => Command::EndMaintenance { pool, window: tape.below(4) },
            7 => {
                let contract = tape.pick(&self.contracts)?;
                let (window, missing) = (self.window(tape)?, self.gpus(tape));
                Command::ReportDelivery { contract, window, missing, note }
            }
            _ => {
                let id = ListingId::new(self.mint());
                let program = tape.coin().then(|| self.programs[0]);
                let limits = OrderLimits {
                    min_gpus: tape.coin().then(|| self.gpus(tape)),
                    max_hours: tape.coin().then(|| u32::from(tape.byte())),
                    ..OrderLimits::default()
                };
                Command::PublishListing(PublishListing {
                    id,
                    pool,
                    gpus: self.gpus(tape),
                    window: self.window(tape)?,
                    price: price(tape),
                    limits,
                    audience: Audience::default(),
                    program,
                    draft: tape.byte() > 230,
                    dry_run: tape.byte() > 240,
                })
            }
        })
    }

    /// What the operator does with money and months.
    fn settle(&mut self, tape: &mut Tape<'_>) -> Option<Command> {
        let (note, reference) = (String::new(), String::new());
        let month = Month::of(self.now.minute().plus(-30 * DAY));
        Some(match tape.below(11) {
            0 => Command::FinalizeInvoice { id: tape.pick(&self.invoices)? },
            1 => {
                Command::CreditInvoice { id: tape.pick(&self.invoices)?, amount: money(tape), note }
            }
            2 => Command::VoidInvoice { id: tape.pick(&self.invoices)?, note },
            3 => {
                let contract = tape.pick(&self.contracts)?;
                Command::GrantCredit { contract, amount: money(tape), note }
            }
            4 | 5 => {
                let (id, org) = (PaymentId::new(self.mint()), tape.pick(&self.orgs)?);
                let invoice = tape.coin().then(|| tape.pick(&self.invoices)).flatten();
                Command::RecordPayment { id, org, amount: money(tape), invoice, reference }
            }
            6 => {
                let (id, org) = (PayoutId::new(self.mint()), tape.pick(&self.orgs)?);
                let payable = if tape.coin() { Payable::Provider } else { Payable::Vendor };
                let amount = tape.coin().then(|| money(tape));
                Command::PayOut { id, org, payable, amount, reference }
            }
            7 => Command::SettlePayout { id: tape.pick(&self.payouts)?, paid: tape.coin() },
            8 => Command::ClosePeriod { month },
            9 => Command::LockPeriod { month },
            _ => {
                let org = tape.pick(&self.orgs)?;
                if tape.coin() {
                    Command::SuspendOrganization { org, note }
                } else {
                    Command::ApproveOrganization { org }
                }
            }
        })
    }

    fn credit(&mut self, tape: &mut Tape<'_>) -> Option<Command> {
        let (note, reference) = (String::new(), String::new());
        let id = tape.pick(&self.lines)?;
        let (amount, dry_run) = (money(tape), false);
        Some(match tape.below(12) {
            0 => Command::FreezeLine { id, note },
            1 => Command::UnfreezeLine { id, note },
            2 => {
                let expect = u32::from(tape.byte() % 4);
                Command::ChangeLimit { id, expect, limit: amount, note }
            }
            3 => {
                let subject = match tape.below(2) {
                    0 => CapSubject::Sku(sku()),
                    _ => CapSubject::Provider(self.orgs[0]),
                };
                Command::SetCap { subject, amount: tape.coin().then_some(amount), note }
            }
            4 => {
                let (outcome, next_months) = (ReviewOutcome::Confirmed, u32::from(tape.byte()));
                Command::ReviewLine { id, outcome, next_months, note }
            }
            5 => Command::DefaultLine { id, reason: DefaultReason::Fraud, note },
            6 => {
                let program = self.programs[0];
                Command::RecordClaimPayment { line: id, program, amount, reference }
            }
            7 => Command::WriteOff { line: id, note },
            8 => Command::RecordRecovery { line: id, amount, reference },
            9 => {
                let (id, purpose) = (ApplicationId::new(self.mint()), "more".to_owned());
                Command::Apply { id, amount, purpose, workload: None }
            }
            10 => {
                let (id, line) = (tape.pick(&self.applications)?, LineId::new(self.mint()));
                let (tenor_months, net_days) = (u32::from(tape.byte()), u32::from(tape.byte()));
                let limit = amount;
                Command::Approve(Approve { id, line, limit, tenor_months, net_days, note, dry_run })
            }
            _ => {
                let group = tape.coin().then(sku);
                Command::GroupOrganization { org: tape.pick(&self.orgs)?, group }
            }
        })
    }

    /// Time goes on, and what falls due by then happens at its own instant.
    fn wait(&mut self, tape: &mut Tape<'_>) {
        let minutes = [1, 61, 6 * HOUR, DAY, 7 * DAY, 31 * DAY][tape.below(6)];
        let then = Micros::new(self.now.count() + minutes * 60_000_000);
        for _ in 0..10_000 {
            let due = self.engine.next_deadline().filter(|due| *due <= then);
            let Some(due) = due else { break };
            self.now = self.now.max(due);
            self.ask(Actor::System, None, Command::Tick);
        }
        self.now = self.now.max(then);
        self.ask(Actor::System, None, Command::Tick);
    }

    fn check(&self) {
        let broken = self.engine.audit();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}

/// Lives one history.
pub fn live(bytes: &[u8]) {
    let mut tape = Tape(bytes);
    let mut world = World::new();
    for step in 0..COMMANDS_MAX {
        if tape.0.is_empty() {
            break;
        }
        if tape.byte() % 8 == 0 {
            world.wait(&mut tape);
        } else if let Some((actor, command)) = world.next(&mut tape) {
            let name = u128::from(tape.byte() % 16);
            let key = (name > 0).then_some(Key { name, fingerprint: 1 });
            // Most commands are without a key; the few keys are used again and again.
            let key = key.filter(|key| key.name > 12);
            world.ask(actor, key, command);
        }
        if step % 8 == 7 {
            world.check();
        }
    }
    world.check();
    let digest = world.engine.digest();
    let settings = Settings {
        two_person_threshold: Money::from_micros(50_000_000_000),
        ..Settings::default()
    };
    let again = Engine::restore(settings, world.engine.snapshot());
    assert_eq!(again.digest(), digest, "rebuilt it is another one");
}
