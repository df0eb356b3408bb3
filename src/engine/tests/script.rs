//! A little language for the market, so that a rule and its proof fit on one line.
//!
//! ```text
//! pool     A gb300 144 [at=batam] [from=2d]        provider, factory and pool
//! maintain A 12h..14h 72
//! program  V 1:1500,7:1000 [guarantee=8000/5000/150000] pools=A
//! listing  L1 A 144 10h..34h @2.50 [min= max= minh= maxh= notice= segments= countries=
//!          program=V draft]
//! reprice  L1 @2.60      withdraw L1      release L1
//! line     C1 9000 [segment=startup] [country=DE]  customer with a line (0: none)
//! order    O1 C1 72 10h..20h <=2.50 [gtc|gtd=30h] [atleast=8] [in=batam,sydney] [sku=a,b]
//! order    O1 C1 72 10h..30h/4h <=2.50             any start in the range, for four hours
//! quote    Q1 C1 72 10h..20h [firm=300]            take O1 C1 Q1
//! cancel   O1            freeze C1         now 12h
//! report, grant, finalize, pay, payout, close, books ...: see `till.rs`
//! state, default, claimpaid, writeoff, recover, debt, told ...: see `debt.rs`
//! postpone, mended, accept, reject, incident ...: see `mishap.rs`
//! cancelc, shrink, extend, grow, transfer, receive, terminate, terms: see `change.rs`
//! resell, unsell, sold, went: see `resold.rs`      agree, backed: see `offtake.rs`
//! order O1, contract O1, credit C1, free A 10h..12h, listing L1, book GL …  with `-> …` look
//! ```
//!
//! `-> words` says what comes out: each word must be among the words of the outcome, in that order.
//! After every line all invariants are checked, the engine is rebuilt from its snapshot and
//! compared, and a refused line must have changed nothing.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::capacity::{FactoryState, Phase};
use super::super::catalogue::{Region, Sku};
use super::super::command::{Approve, NewSession, OrderKind, PlaceOrder, PublishListing, SignUp};
use super::super::event::EventKind;
use super::super::ledger::{Book, Entry};
use super::super::listing::{Audience, OrderLimits};
use super::super::matching::Draw;
use super::super::order::{Ask, Start, TimeInForce};
use super::super::party::Capabilities;
use super::super::program::{GuaranteeTerms, ProgramTerms, ShareStep};
use super::super::{Actor, Answer, Command, Effects, Engine, Key, Refusal, Settings, Stamp};
use super::offtake::backstop_terms;
use crate::model::id::{
    ApplicationId, ContractId, FactoryId, LineId, ListingId, OrderId, OrgId, PoolId, ProgramId,
    QuoteId, SessionId, UserId,
};
use crate::model::{Micros, Minute, Money, Price, Segment, Window};

/// Hour zero of every script: 2027-01-01T00:00Z.
const ZERO: i64 = 29_979_360;

/// Runs a script; panics with the line that did not do what it says.
pub fn check(script: &str) {
    let mut stage = Stage::new();
    for (number, line) in script.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            stage.line(line, number + 1);
        }
    }
}

/// The market on stage, and what its things are called.
pub struct Stage {
    pub engine: Engine,
    now: Micros,
    names: BTreeMap<String, Uuid>,
    people: BTreeMap<String, UserId>,
    lines: BTreeMap<String, LineId>,
    commands: Vec<(Stamp, Command)>,
    /// What organizations were told and nobody has looked at.
    pub told: Vec<(OrgId, EventKind)>,
    /// What was posted in the books of capacity.
    pub moved: Vec<Entry>,
    /// The engine is rebuilt and compared after every so many commands that changed something.
    pub rebuild_every: usize,
}

impl Stage {
    pub fn new() -> Self {
        let mut stage = Self {
            engine: Engine::new(Settings::default()),
            now: Minute::new(ZERO).micros(),
            names: BTreeMap::new(),
            people: BTreeMap::new(),
            lines: BTreeMap::new(),
            commands: Vec::new(),
            told: Vec::new(),
            moved: Vec::new(),
            rebuild_every: 1,
        };
        stage.found();
        stage
    }

    fn found(&mut self) {
        let (org, user) =
            (OrgId::new(self.named("operator.org")), UserId::new(self.named("admin")));
        self.people.insert("operator".to_owned(), user);
        let second = UserId::new(self.named("officer"));
        self.people.insert("officer".to_owned(), second);
        self.must(
            Actor::System,
            Command::Found {
                org,
                user,
                name: "Market".to_owned(),
                country: "US".parse().expect("a country"),
                email: "admin@market.example".to_owned(),
                password_hash: "x".to_owned(),
            },
        );
        let operator = self.actor("operator");
        let sku = |code: &str, model: &str, lot| Sku {
            code: code.parse().expect("a code"),
            gpu_model: model.to_owned(),
            memory_gib: 288,
            gpus_per_node: lot,
            gpus_per_domain: 72,
            interconnect: "NVLink 5".to_owned(),
            slot_minutes: 60,
            tick: price("0.01"),
            watts_per_gpu: 1_800,
            created_at: Micros::default(),
        };
        let more = Sku { memory_gib: 576, ..sku("gb300x", "GB300", 4) };
        for sku in [sku("gb300", "GB300", 4), sku("h200", "H200", 8), more] {
            self.must(operator, Command::CreateSku(sku));
        }
        for (code, country) in [("batam", "ID"), ("sydney", "AU")] {
            let region = Region {
                code: code.parse().expect("a code"),
                name: code.to_owned(),
                country: country.parse().expect("a country"),
                created_at: Micros::default(),
            };
            self.must(operator, Command::CreateRegion(region));
        }
    }

    /// The id of a name: the same name, the same id.
    pub fn named(&mut self, name: &str) -> Uuid {
        let next = 1 + self.names.len() as u128;
        *self
            .names
            .entry(name.to_owned())
            .or_insert_with(|| Uuid::from_u128((0x0190_0000_0000_7000_8000_u128 << 48) | next))
    }

    /// Calls what has an id by another name from now on.
    pub fn rename(&mut self, name: &str, id: Uuid) {
        self.names.insert(name.to_owned(), id);
    }

    /// An id that nothing else has.
    pub fn fresh(&mut self) -> Uuid {
        let name = format!("fresh {}", self.names.len());
        self.named(&name)
    }

    pub fn line_of(&self, customer: &str) -> LineId {
        self.lines[customer]
    }

    pub fn actor(&self, name: &str) -> Actor {
        Actor::User(*self.people.get(name).unwrap_or_else(|| panic!("who is {name}?")))
    }

    /// The market's own next stamp.
    pub fn stamp(&self) -> Stamp {
        let (at, seq) = (self.now, self.engine.seq() + 1);
        Stamp { at, seq, actor: Actor::System, request: Uuid::nil(), key: None }
    }

    /// Applies a command; checks that a refusal changed nothing, and every invariant after it.
    pub fn apply(&mut self, actor: Actor, command: Command) -> Result<Answer, Refusal> {
        self.apply_keyed(actor, command, None)
    }

    pub fn apply_keyed(
        &mut self,
        actor: Actor,
        command: Command,
        key: Option<Key>,
    ) -> Result<Answer, Refusal> {
        let at = Stamp { actor, key, ..self.stamp() };
        let mut out = Effects::default();
        let looks = command != Command::Tick && self.rebuild_every == 1;
        let before = looks.then(|| self.engine.digest());
        let outcome = self.engine.apply(&at, command.clone(), &mut out);
        if out.marks() == 0 {
            let after = looks.then(|| self.engine.digest());
            assert_eq!(before, after, "something changed unnoted: {outcome:?}");
            return outcome;
        }
        let is_kept = outcome.is_ok() || key.is_some();
        assert!(is_kept, "a refusal noted something: {outcome:?}");
        self.commands.push((at, command));
        let of_capacity = |it: &&Entry| it.debit.account.book() == Book::Cap;
        self.moved.extend(out.entries.iter().filter(of_capacity));
        self.told.extend(out.events.iter().map(|event| (event.org, event.kind)));
        assert_eq!(self.engine.audit(), Vec::<String>::new(), "after {outcome:?}");
        if !self.commands.len().is_multiple_of(self.rebuild_every) {
            return outcome;
        }
        let rebuilt = Engine::restore(Settings::default(), self.engine.snapshot());
        assert_eq!(rebuilt.audit(), Vec::<String>::new(), "rebuilt after {outcome:?}");
        assert_eq!(rebuilt.digest(), self.engine.digest(), "rebuilt after {outcome:?}");
        outcome
    }

    fn must(&mut self, actor: Actor, command: Command) -> Answer {
        self.apply(actor, command.clone()).unwrap_or_else(|no| panic!("{command:?}: {no:?}"))
    }

    /// Ticks until nothing is due.
    fn tick(&mut self) {
        while let Ok(Answer::Ticked { more: true }) = self.apply(Actor::System, Command::Tick) {}
    }

    /// Says a line that may be refused.
    pub fn try_line(&mut self, line: &str) {
        self.tick();
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run(&words, false);
        self.tick();
    }

    pub fn line(&mut self, line: &str, number: usize) {
        let (said, expected) = match line.split_once("->") {
            Some((said, expected)) => (said.trim(), Some(expected.trim())),
            None => (line, None),
        };
        self.tick();
        let words: Vec<&str> = said.split_whitespace().collect();
        let outcome = self.run(&words, expected.is_some());
        self.tick();
        let Some(expected) = expected else {
            assert!(
                !outcome.starts_with("refused"),
                "line {number}: {line}\n  came out: {outcome}"
            );
            return;
        };
        let mut rest = outcome.split_whitespace();
        for word in expected.split_whitespace() {
            let is_it = |came: &str| {
                let rest = came.strip_prefix(word);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
            };
            let found = rest.any(is_it);
            assert!(found, "line {number}: {line}\n  came out: {outcome}\n  no `{word}` in it");
        }
    }

    fn run(&mut self, words: &[&str], looking: bool) -> String {
        let options = Options::of(words);
        match *words {
            ["pool", name, sku, gpus, ..] => self.pool(name, sku, number(gpus), &options),
            ["maintain", pool, window, gpus, ..] => self.maintain(pool, window, number(gpus)),
            ["program", name, shares, ..] => self.program(name, shares, &options),
            ["listing", name] if looking => self.show_listing(name),
            ["listing", name, pool, gpus, window, ask, ..] => {
                self.listing(name, pool, number(gpus), window, ask, &options)
            }
            ["reprice", name, ask] => {
                let id = ListingId::new(self.named(name));
                let listings = self.engine.snapshot().listings;
                let expect = listings.iter().find(|it| it.id == id);
                let expect = expect.map_or(1, |it| it.version);
                let price = price(ask.trim_start_matches('@'));
                self.by_owner(name, Command::RepriceListing { id, expect, price })
            }
            ["withdraw", name] => {
                let id = ListingId::new(self.named(name));
                self.by_owner(name, Command::WithdrawListing { id })
            }
            ["release", name] => {
                let id = ListingId::new(self.named(name));
                self.by_owner(name, Command::ReleaseListing { id })
            }
            ["line", name, limit, ..] => self.customer(name, limit, &options),
            ["order", name] if looking => self.show_order(name),
            ["order", name, customer, gpus, window, ..] => {
                let ask = self.ask(number(gpus), window, words, &options);
                let time_in_force = options.time_in_force();
                let kind = OrderKind::Ask { ask, time_in_force };
                self.order(name, customer, kind)
            }
            ["take", name, customer, quote] => {
                let quote = QuoteId::new(self.named(quote));
                self.order(name, customer, OrderKind::Quote(quote))
            }
            ["quote", name, customer, gpus, window, ..] => {
                let ask = self.ask(number(gpus), window, words, &options);
                let hold_secs = options.get("firm").map(|secs| secs.parse().expect("seconds"));
                let id = QuoteId::new(self.named(name));
                let command = Command::Quote { id, ask, hold_secs };
                self.tell(customer, command)
            }
            ["cancel", name, customer] => {
                let id = OrderId::new(self.named(name));
                self.tell(customer, Command::CancelOrder { id })
            }
            ["freeze", customer] => {
                let id = self.lines[customer];
                self.tell("operator", Command::FreezeLine { id, note: String::new() })
            }
            ["now", instant] => {
                self.now = time(instant).micros();
                String::new()
            }
            ["contract", name] => self.show_contract(name),
            ["credit", customer] => {
                let it = self.engine.balances(self.lines[customer]);
                let (limit, available, held, drawn) = (it.limit, it.available, it.held, it.drawn);
                format!("limit={limit} available={available} held={held} drawn={drawn}")
            }
            ["free", pool, window] => {
                let pool = PoolId::new(self.named(pool));
                let shelf = self.engine.shelf(pool).expect("a pool");
                let window = span(window);
                let free: i64 = shelf.offers.iter().map(|it| it.free.min_over(window)).sum();
                format!("{}", free.min(shelf.room.min_over(window)))
            }
            _ => {
                let said = self.run_money(words).or_else(|| self.run_debt(words));
                let said = said.or_else(|| self.run_change(words));
                let said = said.or_else(|| self.run_mishap(words));
                let said = said.or_else(|| self.run_resale(words));
                let said = said.or_else(|| self.run_offtake(words));
                said.unwrap_or_else(|| panic!("what is `{}`?", words.join(" ")))
            }
        }
    }

    fn pool(&mut self, name: &str, sku: &str, gpus: u32, options: &Options) -> String {
        let provider = options.get("by").unwrap_or("P").to_owned();
        if !self.people.contains_key(&provider) {
            self.sign_up(&provider, true, options);
            let org = OrgId::new(self.named(&format!("{provider}.org")));
            self.must(self.actor("operator"), Command::ApproveOrganization { org });
        }
        let actor = self.actor(&provider);
        let factory = FactoryId::new(self.named(&format!("{name}.factory")));
        self.must(
            actor,
            Command::CreateFactory {
                id: factory,
                name: format!("{name} factory"),
                region: options.get("at").unwrap_or("batam").parse().expect("a code"),
                power_kw: 1_000_000,
                state: FactoryState::Energized,
            },
        );
        let id = PoolId::new(self.named(name));
        self.people.insert(format!("{name}.owner"), self.people[&provider]);
        let from = time(options.get("from").unwrap_or("0h"));
        let phases = vec![Phase::new(gpus, from)];
        let sku = sku.parse().expect("a code");
        self.said(actor, Command::CreatePool { id, factory, sku, phases })
    }

    fn maintain(&mut self, pool: &str, window: &str, gpus: u32) -> String {
        let actor = self.actor(&format!("{pool}.owner"));
        let pool = PoolId::new(self.named(pool));
        let note = "planned work".to_owned();
        self.said(actor, Command::AddMaintenance { pool, window: span(window), gpus, note })
    }

    fn program(&mut self, name: &str, shares: &str, options: &Options) -> String {
        if !self.people.contains_key("vendor") {
            self.sign_up("vendor", false, &Options::of(&["vendor=yes"]));
            let org = OrgId::new(self.named("vendor.org"));
            self.must(self.actor("operator"), Command::ApproveOrganization { org });
        }
        let step = |text: &str| {
            let (month, share) = text.split_once(':').expect("month:share");
            ShareStep { from_month: number(month), vendor_share: number(share) }
        };
        let guarantee = options.get("guarantee").map(|text| {
            let parts: Vec<&str> = text.split('/').collect();
            GuaranteeTerms {
                coverage: number(parts[0]),
                first_loss: money(parts[1]),
                cap: money(parts[2]),
            }
        });
        let id = ProgramId::new(self.named(name));
        let vendor = OrgId::new(self.named("vendor.org"));
        let backstop = options.get("backstop").map(backstop_terms);
        let shares = shares.split(',').map(step).collect();
        let terms = ProgramTerms { shares, guarantee, backstop };
        self.lines.insert(name.to_owned(), LineId::new(id.uuid()));
        let operator = self.actor("operator");
        let name = name.to_owned();
        let said = self.said(operator, Command::CreateProgram { id, name, vendor, terms });
        for pool in options.get("pools").unwrap_or("").split(',').filter(|it| !it.is_empty()) {
            let pool = PoolId::new(self.named(pool));
            self.must(operator, Command::EnrolPool { program: id, pool });
        }
        said
    }

    fn listing(
        &mut self,
        name: &str,
        pool: &str,
        gpus: u32,
        window: &str,
        ask: &str,
        options: &Options,
    ) -> String {
        let owner = self.people[&format!("{pool}.owner")];
        self.people.insert(format!("{name}.owner"), owner);
        let count = |name| options.get(name).map(number);
        let ask = PublishListing {
            id: ListingId::new(self.named(name)),
            pool: PoolId::new(self.named(pool)),
            gpus,
            window: span(window),
            price: price(ask.trim_start_matches('@')),
            limits: OrderLimits {
                min_gpus: count("min"),
                max_gpus: count("max"),
                min_hours: count("minh"),
                max_hours: count("maxh"),
                notice_hours: count("notice"),
            },
            audience: Audience {
                segments: options
                    .list("segments")
                    .map(|it| Segment::read(it).expect("a segment"))
                    .collect(),
                countries: options.list("countries").map(|it| it.parse().expect("two")).collect(),
            },
            program: options.get("program").map(|it| ProgramId::new(self.named(it))),
            draft: options.has("draft"),
            dry_run: false,
        };
        self.said(Actor::User(owner), Command::PublishListing(ask))
    }

    fn sign_up(&mut self, name: &str, provider: bool, options: &Options) {
        let vendor = options.has("vendor") || options.get("vendor").is_some();
        let user = UserId::new(self.named(&format!("{name}.user")));
        let sign_up = SignUp {
            org: OrgId::new(self.named(&format!("{name}.org"))),
            user,
            name: format!("{name} Ltd"),
            capabilities: Capabilities {
                customer: !provider && !vendor,
                provider,
                vendor,
                ..Capabilities::default()
            },
            segment: Some(
                Segment::read(options.get("segment").unwrap_or("startup")).expect("a segment"),
            ),
            country: options.get("country").unwrap_or("DE").parse().expect("a country"),
            email: format!("{}@example.com", name.to_lowercase()),
            password_hash: "x".to_owned(),
            session: NewSession {
                id: SessionId::new(self.named(&format!("{name}.session"))),
                refresh_hash: [u8::try_from(self.names.len()).expect("few names"); 32],
            },
        };
        self.must(Actor::Anonymous, Command::SignUp(sign_up));
        self.people.insert(name.to_owned(), user);
    }

    fn customer(&mut self, name: &str, limit: &str, options: &Options) -> String {
        self.sign_up(name, false, options);
        let limit = money(limit);
        if limit.is_zero() {
            return String::new();
        }
        let id = ApplicationId::new(self.named(&format!("{name}.application")));
        let line = LineId::new(self.named(&format!("{name}.line")));
        let purpose = "training".to_owned();
        let apply = Command::Apply { id, amount: limit, purpose, workload: None };
        self.must(self.actor(name), apply);
        self.lines.insert(name.to_owned(), line);
        let approve = Approve {
            id,
            line,
            limit,
            tenor_months: 12,
            net_days: 30,
            note: String::new(),
            dry_run: false,
        };
        self.said(self.actor("operator"), Command::Approve(approve))
    }

    fn ask(&mut self, gpus: u32, window: &str, words: &[&str], options: &Options) -> Ask {
        let limit = words.iter().find_map(|word| word.strip_prefix("<=")).map(price);
        let (range, length) = window.split_once('/').unwrap_or((window, ""));
        let range = span(range);
        let (start, minutes) = if length.is_empty() {
            (Start::At(range.start()), range.minutes())
        } else {
            let minutes = time(length).since(time("0h"));
            let (earliest, latest) = (range.start(), range.end().plus(-minutes));
            (Start::Between { earliest, latest }, minutes)
        };
        let code = |text: &str| text.parse().expect("a code");
        Ask {
            skus: options.get("sku").unwrap_or("gb300").split(',').map(code).collect(),
            regions: options.list("in").map(code).collect(),
            gpus,
            min_gpus: options.get("atleast").map(number),
            start,
            minutes,
            limit,
            workload: None,
        }
    }

    fn order(&mut self, name: &str, customer: &str, kind: OrderKind) -> String {
        let id = OrderId::new(self.named(name));
        let place = PlaceOrder { id, kind, client_order_id: None, dry_run: false };
        // The name is the idempotency key: the same name again is the same request again.
        let key = Key { name: id.uuid().as_u128(), fingerprint: 1 };
        let actor = self.actor(customer);
        match self.apply_keyed(actor, Command::PlaceOrder(place), Some(key)) {
            Ok(Answer::Known { .. }) => format!("known {}", self.show_order(name)),
            other => self.spell(other),
        }
    }

    pub fn tell(&mut self, who: &str, command: Command) -> String {
        let actor = self.actor(who);
        self.said(actor, command)
    }

    fn by_owner(&mut self, name: &str, command: Command) -> String {
        let owner = format!("{name}.owner");
        if !self.people.contains_key(&owner) {
            return "refused nobody's".to_owned();
        }
        let actor = self.actor(&owner);
        self.said(actor, command)
    }

    pub fn said(&mut self, actor: Actor, command: Command) -> String {
        let outcome = self.apply(actor, command);
        self.spell(outcome)
    }

    pub fn name_of(&self, uuid: Uuid) -> &str {
        let named = self.names.iter().find(|(_, id)| **id == uuid);
        named.map_or("?", |(name, _)| name.as_str())
    }

    pub fn spell_draws(&self, draws: &[Draw]) -> String {
        let spell = |draw: &Draw| {
            let (name, window) = (self.name_of(draw.listing.uuid()), spell_window(draw.window));
            format!("{name}:{}@{}:{window}", draw.gpus, draw.price)
        };
        draws.iter().map(spell).collect::<Vec<_>>().join(" ")
    }

    pub fn spell(&self, outcome: Result<Answer, Refusal>) -> String {
        match outcome {
            Err(Refusal::NoBlock(shortage)) => {
                format!("refused {} {shortage:?}", shortage.constraint)
            }
            Err(Refusal::CreditShort { missing, .. }) => {
                format!("refused credit missing={missing}")
            }
            Err(refusal) => format!("refused {}", spaced(&format!("{refusal:?}"))),
            Ok(Answer::Order { order, contract: Some(it) }) => format!(
                "contract {} {} {} gpus={} {} average={} {}",
                it.value,
                self.name_of(it.pool.uuid()),
                spell_window(it.window),
                it.gpus,
                order.state,
                it.average,
                self.spell_draws(&it.allocations),
            ),
            Ok(Answer::Order { order, contract: None }) => {
                let bound = order.explanation.as_ref().map(|it| it.constraint);
                let reason = order.reason.or(bound).map_or("", |reason| reason.as_str());
                let why = order.explanation.as_ref().map(|it| {
                    let alternatives: Vec<String> = it
                        .alternatives
                        .iter()
                        .map(|it| {
                            let (kind, gpus, start) = (it.kind, it.gpus, spell_time(it.start));
                            format!("{kind} {gpus} {start} {} @{}", it.region, it.price)
                        })
                        .collect();
                    let free = it.free_gpus.map_or(String::new(), |free| format!("free={free}"));
                    let at =
                        it.short_at.map_or(String::new(), |at| format!("at={}", spell_time(at)));
                    let best = it.best_price.map_or(String::new(), |best| format!("best={best}"));
                    format!("{at} {free} {best} {}", alternatives.join(" "))
                });
                format!("{} {reason} {} hold={}", order.state, why.unwrap_or_default(), order.hold)
            }
            Ok(Answer::Quote(quote)) => format!(
                "{} {} {} after={}",
                quote.block.value,
                spell_window(quote.block.window),
                self.spell_draws(&quote.block.draws),
                quote.credit_after.map_or("none".to_owned(), |after| after.to_string()),
            ),
            Ok(Answer::Maintenance { touched, .. }) => {
                let names = touched.iter().map(|it| self.name_of(it.id.uuid()));
                format!("touched {}", names.collect::<Vec<_>>().join(" "))
            }
            Ok(_) => "done".to_owned(),
        }
    }

    /// An order that rests, or the contract it made; otherwise it is gone from memory.
    fn show_order(&mut self, name: &str) -> String {
        let id = OrderId::new(self.named(name));
        if let Some(order) = self.engine.snapshot().orders.iter().find(|order| order.id == id) {
            return format!("{} hold={}", order.state, order.hold);
        }
        self.show_contract(name)
    }

    pub fn show_contract(&mut self, name: &str) -> String {
        let id = ContractId::new(self.named(name));
        match self.engine.snapshot().contracts.iter().find(|contract| contract.id == id) {
            Some(it) => {
                let committed: Vec<String> = it
                    .commitments
                    .iter()
                    .map(|it| format!("guaranteed={}", it.committed))
                    .collect();
                format!(
                    "contract {} {}{} {} {} {}",
                    it.value,
                    if it.degraded { "degraded " } else { "" },
                    it.state,
                    spell_window(it.window),
                    self.spell_draws(&it.allocations),
                    committed.join(" "),
                )
            }
            None => "gone".to_owned(),
        }
    }

    fn show_listing(&mut self, name: &str) -> String {
        let id = ListingId::new(self.named(name));
        let snapshot = self.engine.snapshot();
        let found = snapshot.listings.iter().find(|listing| listing.id == id);
        found.map_or("gone".to_owned(), |it| format!("{} @{}", it.state, it.price))
    }

    /// Every command that was not refused, with its stamp: a market's whole history.
    pub fn history(&self) -> &[(Stamp, Command)] {
        &self.commands
    }
}

/// `name=value` words and bare flags.
struct Options(Vec<String>);

impl Options {
    fn of(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|word| word == flag)
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).unwrap_or("").split(',').filter(|item| !item.is_empty())
    }

    fn time_in_force(&self) -> TimeInForce {
        match self.get("gtd") {
            Some(date) => TimeInForce::Gtd(time(date)),
            None if self.has("gtc") => TimeInForce::Gtc,
            None => TimeInForce::Ioc,
        }
    }
}

fn spaced(text: &str) -> String {
    text.replace(['{', '}', ',', '(', ')'], " ").replace(": ", "=")
}

pub fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

pub fn money(text: &str) -> Money {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no money"))
}

pub fn price(text: &str) -> Price {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no price"))
}

/// `10h`, `2d`, `90m`, `1d12h`: so long after hour zero.
pub fn time(text: &str) -> Minute {
    let mut minutes = 0;
    let mut digits = String::new();
    for letter in text.chars() {
        let factor = match letter {
            'd' => 24 * 60,
            'h' => 60,
            'm' => 1,
            digit => {
                digits.push(digit);
                continue;
            }
        };
        minutes += factor * digits.parse::<i64>().unwrap_or_else(|_| panic!("`{text}` is no time"));
        digits.clear();
    }
    assert!(digits.is_empty(), "`{text}` lacks its unit");
    Minute::new(ZERO + minutes)
}

/// `10h..20h`.
pub fn span(text: &str) -> Window {
    let (start, end) = text.split_once("..").unwrap_or_else(|| panic!("`{text}` is no window"));
    Window::new(time(start), time(end)).unwrap_or_else(|| panic!("`{text}` is empty"))
}

fn spell_time(instant: Minute) -> String {
    let minutes = instant.count() - ZERO;
    if minutes % 60 == 0 { format!("{}h", minutes / 60) } else { format!("{minutes}m") }
}

pub fn spell_window(window: Window) -> String {
    format!("{}..{}", spell_time(window.start()), spell_time(window.end()))
}
