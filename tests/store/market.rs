//! A small market at work: the real engine under random commands, in batches, as the sequencer makes them.

#[path = "market/debt.rs"] // also where a bench borrows this file
pub mod debt;

use crate::dice::Dice;
use headroom::engine::amendment::Change;
use headroom::engine::billing::Payable;
use headroom::engine::capacity::{FactoryState, Phase};
use headroom::engine::catalogue::{Region, Sku};
use headroom::engine::command::{
    Approve, ChangeContract, NewSession, OrderKind, PlaceOrder, PublishListing, SignUp,
};
use headroom::engine::contract::Contract;
use headroom::engine::credit::CapSubject;
use headroom::engine::listing::{Audience, OrderLimits};
use headroom::engine::order::{Ask, Start, TimeInForce};
use headroom::engine::party::Capabilities;
use headroom::engine::program::{BackstopTerms, GuaranteeTerms, ProgramTerms, ShareStep};
use headroom::engine::resale::Resell;
use headroom::engine::{Actor, Answer, Command, Effects, Engine, Key, Refusal, Settings, Stamp};
use headroom::model::id::*;
use headroom::model::{Micros, Minute, Money, Month, Price, Segment, Window};
use headroom::store::{AuditRecord, Batch, KeptAnswer, Loaded, chain};
use uuid::Uuid;

/// 2027-01-15T08:00Z, a whole hour.
const START: i64 = 30_000_000;

/// The engine and what its driver remembers of it.
pub struct Market {
    pub engine: Engine,
    dice: Dice,
    now: i64,
    seq: u64,
    number: u64,
    hash: [u8; 32],
    minted: u64,
    /// What the open batch has made true so far.
    out: Effects,
    audit: Vec<AuditRecord>,
    answers: Vec<KeptAnswer>,
    officer: UserId,
    provider: UserId,
    customers: Vec<UserId>,
    pools: Vec<PoolId>,
    listings: Vec<ListingId>,
    orders: Vec<(usize, OrderId)>,
    quotes: Vec<(usize, QuoteId)>,
}

impl Market {
    /// A market with a provider, two pools, a program, a listing and customers with credit lines, all of
    /// it in the open batch.
    pub fn open(seed: u64) -> Self {
        Self::with_customers(seed, 6)
    }

    /// As `open`, with so many customers.
    pub fn with_customers(seed: u64, customers: usize) -> Self {
        let backstop = BackstopTerms {
            price: Price::from_micros(1_200_000).unwrap(),
            lead_hours: 36,
            cap: money(1_000_000),
        };
        Self::put_up(seed, customers, Some(backstop))
    }

    /// As `open`, without a backstop, as markets were before there were any.
    pub fn unbacked(seed: u64) -> Self {
        Self::put_up(seed, 6, None)
    }

    fn put_up(seed: u64, customers: usize, backstop: Option<BackstopTerms>) -> Self {
        let mut market = Self {
            engine: Engine::new(Settings::default()),
            dice: Dice::new(seed),
            now: START * 60_000_000,
            seq: 0,
            number: 0,
            hash: [0; 32],
            minted: 0,
            out: Effects::default(),
            audit: Vec::new(),
            answers: Vec::new(),
            officer: UserId::new(Uuid::nil()),
            provider: UserId::new(Uuid::nil()),
            customers: Vec::new(),
            pools: Vec::new(),
            listings: Vec::new(),
            orders: Vec::new(),
            quotes: Vec::new(),
        };
        market.officer = UserId::new(market.mint());
        market.found();
        market.provide(backstop);
        market.lend(customers);
        market
    }

    fn found(&mut self) {
        let found = Command::Found {
            org: OrgId::new(self.mint()),
            user: self.officer,
            name: "The operator".to_owned(),
            country: "NL".parse().unwrap(),
            email: "operator@example.test".to_owned(),
            password_hash: "x".to_owned(),
        };
        self.must(Actor::System, found);
        let officer = Actor::User(self.officer);
        let created_at = Micros::default();
        self.must(
            officer,
            Command::CreateSku(Sku {
                code: "gb300-nvl72".parse().unwrap(),
                gpu_model: "GB300".to_owned(),
                memory_gib: 288,
                gpus_per_node: 4,
                gpus_per_domain: 72,
                interconnect: "nvlink5".to_owned(),
                slot_minutes: 60,
                tick: Price::from_micros(10_000).unwrap(),
                watts_per_gpu: 1_400,
                created_at,
            }),
        );
        self.must(
            officer,
            Command::CreateRegion(Region {
                code: "id-batam".parse().unwrap(),
                name: "Batam".to_owned(),
                country: "ID".parse().unwrap(),
                created_at,
            }),
        );
    }

    fn provide(&mut self, backstop: Option<BackstopTerms>) {
        let (org, user) = self.sign_up(
            "Provider",
            Capabilities {
                provider: true,
                vendor: true,
                guarantor: true,
                ..Capabilities::default()
            },
        );
        let officer = Actor::User(self.officer);
        self.must(officer, Command::ApproveOrganization { org });
        self.provider = user;
        let provider = Actor::User(user);
        let factory = FactoryId::new(self.mint());
        self.must(
            provider,
            Command::CreateFactory {
                id: factory,
                name: "Batam 1".to_owned(),
                region: "id-batam".parse().unwrap(),
                power_kw: 5_000_000,
                state: FactoryState::Energized,
            },
        );
        for _ in 0..2 {
            let id = PoolId::new(self.mint());
            let phases = vec![Phase::new(400_000, Minute::new(START - 60_000))];
            let sku = "gb300-nvl72".parse().unwrap();
            self.must(provider, Command::CreatePool { id, factory, sku, phases });
            self.pools.push(id);
        }
        let program = ProgramId::new(self.mint());
        self.must(
            officer,
            Command::CreateProgram {
                id: program,
                name: "Supported".to_owned(),
                vendor: org,
                terms: ProgramTerms {
                    shares: vec![ShareStep { from_month: 1, vendor_share: 1_500 }],
                    guarantee: Some(GuaranteeTerms {
                        coverage: 8_000,
                        first_loss: money(500),
                        cap: money(100_000),
                    }),
                    backstop,
                },
            },
        );
        self.must(officer, Command::EnrolPool { program, pool: self.pools[0] });
        self.publish(0, 200_000, 0, 24 * 365, 200, Some(program));
        self.publish(0, 100_000, 0, 24 * 365, 190, None);
        self.publish(1, 8_000, 0, 24 * 30, 150, None);
    }

    fn lend(&mut self, customers: usize) {
        for place in 0..customers {
            let (_, user) = self.sign_up(
                &format!("Customer {place}"),
                Capabilities { customer: true, ..Capabilities::default() },
            );
            self.customers.push(user);
            let id = ApplicationId::new(self.mint());
            let amount = money(900_000_000);
            let apply =
                Command::Apply { id, amount, purpose: "training".to_owned(), workload: None };
            self.must(Actor::User(user), apply);
            let line = LineId::new(self.mint());
            let approve = Approve {
                id,
                line,
                limit: money(900_000),
                tenor_months: 12,
                net_days: 30,
                note: String::new(),
                dry_run: false,
            };
            self.must(Actor::User(self.officer), Command::Approve(approve));
        }
    }

    fn sign_up(&mut self, name: &str, capabilities: Capabilities) -> (OrgId, UserId) {
        let (org, user) = (OrgId::new(self.mint()), UserId::new(self.mint()));
        let mut refresh_hash = [0; 32];
        refresh_hash[..16].copy_from_slice(self.mint().as_bytes());
        let session = NewSession { id: SessionId::new(self.mint()), refresh_hash };
        self.must(
            Actor::Anonymous,
            Command::SignUp(SignUp {
                org,
                user,
                name: name.to_owned(),
                capabilities,
                segment: capabilities.customer.then_some(Segment::Startup),
                country: "ID".parse().unwrap(),
                email: format!("{user}@example.test"),
                password_hash: "x".to_owned(),
                session,
            }),
        );
        (org, user)
    }

    pub fn publish(
        &mut self,
        pool: usize,
        gpus: u32,
        from_hour: i64,
        hours: i64,
        cents: i64,
        program: Option<ProgramId>,
    ) {
        let id = ListingId::new(self.mint());
        let start = self.next_hour().plus(from_hour * 60);
        let publish = Command::PublishListing(PublishListing {
            id,
            pool: self.pools[pool],
            gpus,
            window: Window::lasting(start, hours * 60).unwrap(),
            price: Price::from_micros(cents * 10_000).unwrap(),
            limits: OrderLimits::default(),
            audience: Audience::default(),
            program,
            draft: false,
            dry_run: false,
        });
        if self.act(Actor::User(self.provider), publish).is_ok() {
            self.listings.push(id);
        }
    }

    /// A fresh identifier, growing with time as the door's do.
    fn mint(&mut self) -> Uuid {
        self.minted += 1;
        let millis = u64::try_from(self.now / 1_000).unwrap();
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&self.minted.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }

    fn next_hour(&self) -> Minute {
        Micros::new(self.now).minute().plus(1).ceil_to(60)
    }

    fn must(&mut self, actor: Actor, command: Command) {
        let said = format!("{command:?}");
        self.act(actor, command).unwrap_or_else(|refusal| panic!("{said}: {refusal:?}"));
    }

    /// Applies one command in the open batch, under a key.
    pub fn act(&mut self, actor: Actor, command: Command) -> Result<Answer, Refusal> {
        self.now += 1_000;
        self.seq += 1;
        let at = Micros::new(self.now);
        let request = self.mint();
        let key = Key { name: self.dice.next().into(), fingerprint: u128::from(self.seq) };
        let stamp = Stamp { at, seq: self.seq, actor, request, key: Some(key) };
        let (verb, what) = (command.verb(), format!("{{\"command\":\"{}\"}}", command.verb()));
        let outcome = self.engine.apply(&stamp, command, &mut self.out);
        self.out.changes.clear();
        self.answers.push(KeptAnswer {
            key,
            status: if outcome.is_ok() { 201 } else { 409 },
            headers: format!("location: /v1/orders/{request}\n"),
            body: vec![b'x'; 900],
        });
        let seq = self.seq;
        self.audit.push(AuditRecord { seq, at, actor, request, verb, what, changes: None });
        outcome
    }

    /// Time passes, and what falls due is met.
    pub fn wait(&mut self, minutes: i64) {
        self.now += minutes * 60_000_000;
        loop {
            self.seq += 1;
            let stamp = Stamp {
                at: Micros::new(self.now),
                seq: self.seq,
                actor: Actor::System,
                request: Uuid::nil(),
                key: None,
            };
            match self.engine.apply(&stamp, Command::Tick, &mut self.out) {
                Ok(Answer::Ticked { more: true }) => {}
                _ => break,
            }
        }
    }

    /// An order of 8 GPUs for an hour that fills at once.
    pub fn fill(&mut self) -> bool {
        let start = self.next_hour().plus(60 * i64::try_from(self.dice.below(24 * 300)).unwrap());
        let ask = self.ask(Start::At(start), 8, 1, 500);
        let customer = self.dice.pick(&self.customers);
        let place = self.place(OrderKind::Ask { ask, time_in_force: TimeInForce::Ioc });
        let outcome = self.act(Actor::User(customer), place);
        matches!(outcome, Ok(Answer::Order { contract: Some(_), .. }))
    }

    fn place(&mut self, kind: OrderKind) -> Command {
        let id = OrderId::new(self.mint());
        Command::PlaceOrder(PlaceOrder { id, kind, client_order_id: None, dry_run: false })
    }

    fn ask(&mut self, start: Start, gpus: u32, hours: i64, cents: i64) -> Ask {
        Ask {
            skus: vec!["gb300-nvl72".parse().unwrap()],
            regions: Vec::new(),
            gpus,
            min_gpus: None,
            start,
            minutes: hours * 60,
            limit: Price::from_micros(cents * 10_000),
            workload: None,
        }
    }

    /// One random thing that somebody might do. Many are refused: that is part of it.
    pub fn stir(&mut self) {
        let who = self.dice.below(self.customers.len());
        let customer = Actor::User(self.customers[who]);
        let provider = Actor::User(self.provider);
        let from = i64::try_from(self.dice.below(40)).unwrap();
        let earliest = self.next_hour().plus(from * 60);
        let hours = i64::try_from(self.dice.below(30)).unwrap() + 1;
        let gpus = 4 * u32::try_from(self.dice.below(2_500) + 1).unwrap();
        let cents = self.dice.pick(&[100, 150, 190, 200, 500]);
        match self.dice.below(15) {
            10..14 => self.settle(customer),
            14 => self.falter(),
            0..4 => {
                let start = match self.dice.below(3) {
                    0 => Start::Now,
                    1 => Start::At(earliest),
                    _ => Start::Between { earliest, latest: earliest.plus(600) },
                };
                let ask = self.ask(start, gpus, hours, cents);
                let time_in_force = self.dice.pick(&[TimeInForce::Ioc, TimeInForce::Gtc]);
                let place = self.place(OrderKind::Ask { ask, time_in_force });
                if let Ok(Answer::Order { order, .. }) = self.act(customer, place) {
                    self.orders.push((who, order.id));
                }
            }
            4 => {
                let ask = self.ask(Start::At(earliest), gpus, hours, 500);
                let id = QuoteId::new(self.mint());
                if self.act(customer, Command::Quote { id, ask, hold_secs: Some(600) }).is_ok() {
                    self.quotes.push((who, id));
                }
            }
            5 if !self.quotes.is_empty() => {
                let (who, quote) = self.dice.pick(&self.quotes);
                let place = self.place(OrderKind::Quote(quote));
                self.act(Actor::User(self.customers[who]), place).ok();
            }
            6 if !self.orders.is_empty() => {
                let (who, id) = self.dice.pick(&self.orders);
                self.act(Actor::User(self.customers[who]), Command::CancelOrder { id }).ok();
            }
            7 => {
                let pool = self.dice.below(2);
                self.publish(pool, gpus, from, hours, cents, None);
            }
            8 => {
                let id = self.dice.pick(&self.listings);
                self.act(provider, Command::WithdrawListing { id }).ok();
            }
            _ => {
                let minutes = self.dice.pick(&[1, 20, 180]);
                self.wait(minutes);
            }
        }
    }

    /// A pool fails, or is well again; whoever is offered another place answers; caps come and go.
    fn falter(&mut self) {
        let (provider, officer) = (Actor::User(self.provider), Actor::User(self.officer));
        let incidents = self.engine.snapshot().incidents;
        let waiting = incidents.iter().find_map(|incident| {
            let waits = incident.affected.iter().find(|it| it.waiting().is_some());
            waits.map(|it| (incident.id, it.contract, it.customer))
        });
        let pool = self.dice.pick(&self.pools);
        match (self.dice.below(6), waiting) {
            (0..3, Some((incident, contract, org))) => {
                let user = self.engine.snapshot().users.into_iter().find(|it| it.org == org);
                let accept = self.dice.pick(&[true, false]);
                let answer = Command::AnswerSubstitution { incident, contract, accept };
                self.act(Actor::User(user.unwrap().id), answer).ok();
            }
            (3, _) => {
                self.act(provider, Command::EndMaintenance { pool, window: 1 }).ok();
            }
            (4, _) => {
                let subject = CapSubject::Sku("gb300-nvl72".parse().unwrap());
                let amount = self.dice.pick(&[None, Some(money(200_000))]);
                self.must(officer, Command::SetCap { subject, amount, note: String::new() });
            }
            _ => {
                let start = self.next_hour().plus(60 * self.dice.pick(&[0, 6, 24]));
                let window = Window::lasting(start, 60 * self.dice.pick(&[5, 40])).unwrap();
                let gpus = self.dice.pick(&[392_000, 396_000, 400_000]);
                let note = "a flood".to_owned();
                self.act(provider, Command::AddMaintenance { pool, window, gpus, note }).ok();
            }
        }
    }

    /// One random thing that happens to a contract or to money, on what the engine has.
    fn settle(&mut self, customer: Actor) {
        let (officer, provider) = (Actor::User(self.officer), Actor::User(self.provider));
        let snapshot = self.engine.snapshot();
        let contracts = snapshot.contracts;
        let invoices: Vec<_> = snapshot.invoices.into_iter().map(|(it, _)| it).collect();
        if contracts.is_empty() {
            return self.wait(60);
        }
        let contract = self.dice.pick(&contracts);
        let invoice = (!invoices.is_empty()).then(|| self.dice.pick(&invoices));
        let (note, reference) = (String::new(), "by hand".to_owned());
        let now = Micros::new(self.now).minute();
        let command = match (self.dice.below(13), invoice) {
            (0..2, _) => {
                let start = contract.window.start().max(contract.billed_to);
                let Some(window) = Window::new(start, now.min(contract.window.end())) else {
                    return self.wait(600);
                };
                let missing = self.dice.pick(&[0, 4, 8]);
                let contract = contract.id;
                let report = Command::ReportDelivery { contract, window, missing, note };
                return drop(self.act(provider, report));
            }
            (2, _) => {
                let change = match self.dice.below(4) {
                    0 => Change::Cancel,
                    1 => Change::Shrink { gpus: 4, from: None },
                    2 => {
                        let end = contract.window.end().plus(120);
                        Change::Extend { end, limit: None }
                    }
                    _ => Change::Grow { gpus: contract.gpus + 4, from: None, limit: None },
                };
                let (id, fee_max, dry_run) = (contract.id, None, false);
                let change = ChangeContract { id, change, fee_max, dry_run };
                return drop(self.act(customer, Command::ChangeContract(change)));
            }
            (3, _) => {
                let amount = Money::from_micros(self.dice.pick(&[1, 1_000_000]));
                Command::GrantCredit { contract: contract.id, amount, note }
            }
            (4, Some(invoice)) => Command::FinalizeInvoice { id: invoice.id },
            (5..8, Some(invoice)) => {
                let amount = self.dice.pick(&[invoice.outstanding(), money(7)]);
                let (id, org) = (PaymentId::new(self.mint()), invoice.org);
                Command::RecordPayment { id, org, amount, invoice: None, reference }
            }
            (8, Some(invoice)) => Command::CreditInvoice { id: invoice.id, amount: money(1), note },
            (9, _) => {
                let id = PayoutId::new(self.mint());
                let (org, payable) = (contract.provider, Payable::Provider);
                Command::PayOut { id, org, payable, amount: None, reference }
            }
            (10, _) => match snapshot.payouts.first() {
                Some(payout) => {
                    let paid = self.dice.pick(&[true, false]);
                    Command::SettlePayout { id: payout.id, paid }
                }
                None => Command::ClosePeriod { month: Month::of(now.plus(-40 * 24 * 60)) },
            },
            (11, _) => return self.sell_on(&contract),
            // A week, now and then: months end, invoices fall due.
            _ => return self.wait(7 * 24 * 60),
        };
        self.act(officer, command).ok();
    }

    /// A contract's customer offers a part of it to others, or takes back what it offers.
    fn sell_on(&mut self, contract: &Contract) {
        let users = self.engine.snapshot().users;
        let owner = users.iter().find(|user| user.org == contract.customer).unwrap().id;
        if !contract.offered().is_empty() && self.dice.below(3) == 0 {
            let end = Command::EndResale { contract: contract.id, listing: None };
            return drop(self.act(Actor::User(owner), end));
        }
        let start = contract.window.start().max(self.next_hour());
        let Some(window) = Window::new(start, contract.window.end()) else { return };
        let cents = self.dice.pick(&[50, 150, 190, 300]);
        let resell = Command::Resell(Resell {
            contract: contract.id,
            listings: (0..4).map(|_| ListingId::new(self.mint())).collect(),
            gpus: self.dice.pick(&[4, 8, contract.gpus]),
            window,
            price: Price::from_micros(cents * 10_000).unwrap(),
            limits: OrderLimits::default(),
            audience: Audience::default(),
            dry_run: false,
        });
        self.act(Actor::User(owner), resell).ok();
    }

    /// Closes the open batch.
    pub fn batch(&mut self) -> Batch {
        self.number += 1;
        let audit = std::mem::take(&mut self.audit);
        let seq = self.engine.seq();
        self.hash = chain::link(&self.hash, self.number, seq, &audit);
        Batch {
            number: self.number,
            seq,
            effects: std::mem::take(&mut self.out),
            audit,
            answers: std::mem::take(&mut self.answers),
            hash: self.hash,
        }
    }

    /// What is in the store rebuilds this very engine.
    pub fn assert_rebuilt(&self, loaded: Loaded) {
        assert_eq!((loaded.number, loaded.hash), (self.number, self.hash));
        let rebuilt = Engine::restore(Settings::default(), loaded.snapshot);
        assert_eq!(rebuilt.digest(), self.engine.digest());
        assert_eq!(rebuilt.audit(), Vec::<String>::new());
    }
}

fn money(units: i64) -> Money {
    Money::from_micros(units * 1_000_000)
}
