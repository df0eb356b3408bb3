//! Markets made of dice: every kind of thing with odd values, to see that a store keeps all of them.

use crate::billed::{bill, resale, sizes, sla, source};
use crate::dice::Dice;
use headroom::engine::amendment::Amendment;
use headroom::engine::billing::{Invoice, InvoiceLine, Payment, Payout, Period};
use headroom::engine::capacity::{Factory, FactoryState, Maintenance, Phase, Pool};
use headroom::engine::catalogue::{Region, Sku};
use headroom::engine::contract::{Commitment, Contract, ContractState, Terms};
use headroom::engine::credit::{
    Application, ApplicationState, Approval, Cap, Collection, DefaultReason, Line, LineState,
    Proposal, Review, ReviewOutcome,
};
use headroom::engine::effect::{Effects, Facts};
use headroom::engine::event::{Event, EventData, EventKind};
use headroom::engine::incident::{Incident, Substitute};
use headroom::engine::ledger::{Account, AccountKey, Balance, Entry, EntryKind, Side};
use headroom::engine::listing::{Audience, Listing, ListingState, OrderLimits};
use headroom::engine::matching::{Alternative, AlternativeKind, Block, Draw, Shortage};
use headroom::engine::order::{Ask, Order, OrderState, Reason, Start, TimeInForce};
use headroom::engine::party::{
    ApiKey, Capabilities, Organization, OrganizationState, Session, User, UserState,
};
use headroom::engine::program::{
    BackstopTerms, FrozenProgram, GuaranteeTerms, Program, ProgramTerms, ShareStep,
};
use headroom::engine::quote::{Quote, QuoteState};
use headroom::engine::remember::Kept;
use headroom::engine::{Actor, Key};
use headroom::model::id::*;
use headroom::model::*;
use headroom::store::{AuditRecord, Batch, KeptAnswer, chain};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;
use uuid::Uuid;

impl Dice {
    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.below(2) == 0 { None } else { Some(make(self)) }
    }

    pub fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    pub fn count(&mut self) -> u32 {
        self.pick(&[0, 1, 7, 65_536, u32::MAX])
    }

    pub fn many(&mut self) -> u32 {
        self.pick(&[1, 8, 72, 170_000, u32::MAX])
    }

    pub fn amount(&mut self) -> Money {
        Money::from_micros(self.pick(&[0, 1, 2_500_000, i64::MAX]))
    }

    pub fn price(&mut self) -> Price {
        Price::from_micros(self.pick(&[0, 1, 2_500_000, i64::MAX])).unwrap()
    }

    pub fn micros(&mut self) -> Micros {
        Micros::new(self.pick(&[0, 1, 1_790_000_000_000_001, i64::MAX]))
    }

    pub fn minute(&mut self) -> Minute {
        Minute::new(self.pick(&[0, 30_000_000, limits::MINUTE_MAX]))
    }

    pub fn window(&mut self) -> Window {
        let start = self.minute();
        Window::lasting(start, self.pick(&[1, 60, limits::WINDOW_MINUTES_MAX])).unwrap()
    }

    fn worth(&mut self) -> Worth {
        let price = Price::from_micros(self.pick(&[0, 1, i64::MAX])).unwrap();
        price.worth(self.many(), self.pick(&[1, i64::from(u32::MAX)]))
    }

    pub fn text(&mut self) -> String {
        let odd =
            ["", "plain", "it's \"quoted\" \\ ; -- \n\t", "Ünïcödé 東京 🚀", "{}", "NULL", " x "];
        self.pick(&odd).to_owned()
    }

    fn hash(&mut self) -> [u8; 32] {
        let fill = self.pick(&[0, 0xff, 0x27]);
        let mut hash = [fill; 32];
        hash[..8].copy_from_slice(&self.next().to_be_bytes());
        hash
    }

    pub fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(u128::from(self.next()) << 64 | u128::from(self.next()))
    }

    fn roles(&mut self) -> Vec<Role> {
        self.some(3, |dice| dice.pick(Role::ALL))
    }
}

/// Identifiers that grow, as those of the door do.
pub fn grown(kind: u64, place: usize) -> Uuid {
    let place = u128::try_from(place).unwrap();
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(kind) << 32 | place)
}

/// One market: every list in key order.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    pub organizations: Vec<Organization>,
    pub users: Vec<User>,
    pub sessions: Vec<Session>,
    pub keys: Vec<ApiKey>,
    pub skus: Vec<Sku>,
    pub regions: Vec<Region>,
    pub programs: Vec<Program>,
    pub factories: Vec<Factory>,
    pub pools: Vec<Pool>,
    pub listings: Vec<Listing>,
    pub applications: Vec<Application>,
    pub lines: Vec<Line>,
    pub quotes: Vec<Quote>,
    pub orders: Vec<Order>,
    pub contracts: Vec<Contract>,
    pub invoices: Vec<Invoice>,
    pub payments: Vec<Payment>,
    pub payouts: Vec<Payout>,
    pub periods: Vec<Period>,
    pub collections: Vec<Collection>,
    pub caps: Vec<Cap>,
    pub incidents: Vec<Incident>,
    pub amendments: Vec<Amendment>,
    pub invoice_lines: Vec<InvoiceLine>,
    pub accounts: Vec<(AccountKey, Balance)>,
    pub heads: Vec<(OrgId, u64)>,
    pub entries: Vec<Entry>,
    pub events: Vec<Event>,
    pub kept: Vec<Kept>,
}

pub const NOW: Micros = Micros::new(1_790_000_000_000_000);

impl Sample {
    /// A market with `size` things of each kind. Two samples of one size differ in everything that may
    /// change of a thing, and in nothing else when `fixed` is the same.
    pub fn throw(size: usize, fixed: u64, moving: u64) -> Self {
        let mut market = Self::default();
        for place in 0..size {
            // What never changes comes from its own dice, thrown in the same order every time.
            let still = &mut Dice::new(fixed.wrapping_add(u64::try_from(place).unwrap() << 20));
            let dice = &mut Dice::new(moving.wrapping_add(u64::try_from(place).unwrap() << 40));
            market.parties(place, still, dice);
            market.catalogue(place, still, dice);
            market.credit(place, still, dice);
            market.trade(place, still, dice);
            market.billing(place, still, dice);
        }
        market
    }

    fn parties(&mut self, place: usize, still: &mut Dice, dice: &mut Dice) {
        let org = OrgId::new(grown(1, place));
        let user = UserId::new(grown(2, place));
        self.organizations.push(Organization {
            id: org,
            name: dice.text(),
            capabilities: Capabilities {
                customer: dice.below(2) == 0,
                provider: dice.below(2) == 0,
                vendor: dice.below(2) == 0,
                guarantor: dice.below(2) == 0,
                operator: dice.below(2) == 0,
            },
            segment: dice.maybe(|dice| dice.pick(Segment::ALL)),
            country: dice.pick(&["ID", "AU", "ZZ"]).parse().unwrap(),
            group: dice.maybe(|dice| dice.pick(&["roof", "tidal"]).parse().unwrap()),
            state: dice.pick(OrganizationState::ALL),
            created_at: still.micros(),
            version: dice.count(),
        });
        self.users.push(User {
            id: user,
            org,
            email: format!("{place}-{}@example.test", dice.next()),
            roles: dice.roles(),
            state: dice.pick(UserState::ALL),
            password_hash: dice.text(),
            invitation: dice.maybe(Dice::hash),
            created_at: still.micros(),
            version: dice.count(),
        });
        self.sessions.push(Session {
            id: SessionId::new(grown(3, place)),
            user,
            refresh_hash: dice.hash(),
            previous_hash: dice.maybe(Dice::hash),
            created_at: still.micros(),
            expires_at: dice.micros(),
            closed: dice.below(2) == 0,
        });
        self.keys.push(ApiKey {
            id: KeyId::new(grown(4, place)),
            org,
            name: dice.text(),
            roles: dice.roles(),
            hash: still.hash(),
            created_by: user,
            created_at: still.micros(),
            expires_at: dice.maybe(Dice::micros),
            last_used_at: dice.maybe(Dice::micros),
            revoked: dice.below(2) == 0,
        });
        let last = u64::try_from(place).unwrap() + 1;
        self.heads.push((org, last));
    }

    fn catalogue(&mut self, place: usize, still: &mut Dice, dice: &mut Dice) {
        let org = OrgId::new(grown(1, place));
        let code = |kind: &str| -> Code { format!("{kind}-{place:05}").parse().unwrap() };
        self.skus.push(Sku {
            code: code("sku"),
            gpu_model: dice.text(),
            memory_gib: dice.count(),
            gpus_per_node: dice.many(),
            gpus_per_domain: dice.many(),
            interconnect: dice.text(),
            slot_minutes: dice.many(),
            tick: Price::from_micros(dice.pick(&[1, i64::MAX])).unwrap(),
            watts_per_gpu: dice.count(),
            created_at: still.micros(),
        });
        self.regions.push(Region {
            code: code("region"),
            name: dice.text(),
            country: dice.pick(&["ID", "AU"]).parse().unwrap(),
            created_at: still.micros(),
        });
        let factory = FactoryId::new(grown(5, place));
        self.factories.push(Factory {
            id: factory,
            provider: org,
            name: dice.text(),
            region: code("region"),
            power_kw: dice.count(),
            state: dice.pick(FactoryState::ALL),
            created_at: still.micros(),
            version: dice.count(),
        });
        let pool = PoolId::new(grown(6, place));
        self.pools.push(Pool {
            id: pool,
            provider: org,
            factory,
            region: code("region"),
            sku: code("sku"),
            phases: dice.some(3, |dice| Phase::new(dice.many(), dice.minute())),
            maintenance: dice.some(3, |dice| Maintenance {
                window: dice.window(),
                gpus: dice.many(),
                note: dice.text(),
            }),
            created_at: still.micros(),
            version: dice.count(),
        });
        let program = ProgramId::new(grown(7, place));
        self.programs.push(Program {
            id: program,
            name: dice.text(),
            vendor: org,
            version: u32::try_from(dice.next() % 1_000_000).unwrap() + 1,
            terms: Arc::new(terms(dice)),
            pools: BTreeSet::from_iter(dice.some(3, |dice| PoolId::new(dice.uuid()))),
            created_at: still.micros(),
        });
        self.listings.push(Listing {
            id: ListingId::new(grown(8, place)),
            provider: org,
            pool,
            sku: code("sku"),
            region: code("region"),
            gpus: dice.many(),
            window: dice.window(),
            price: dice.price(),
            limits: OrderLimits {
                min_gpus: dice.maybe(Dice::count),
                max_gpus: dice.maybe(Dice::count),
                min_hours: dice.maybe(Dice::count),
                max_hours: dice.maybe(Dice::count),
                notice_hours: dice.maybe(Dice::count),
            },
            audience: Audience {
                segments: dice.some(3, |dice| dice.pick(Segment::ALL)),
                countries: dice.some(3, |dice| dice.pick(&["ID", "AU"]).parse().unwrap()),
            },
            program: dice.maybe(|_| program),
            resale: still.maybe(source),
            state: dice.pick(ListingState::ALL),
            taken: dice.pick(&[0, 1, i64::MAX]),
            backstop_at: dice.maybe(Dice::minute),
            published_seq: dice.next() >> 1,
            created_at: still.micros(),
            version: dice.count(),
        });
    }

    fn credit(&mut self, place: usize, still: &mut Dice, dice: &mut Dice) {
        let org = OrgId::new(grown(1, place));
        let user = UserId::new(grown(2, place));
        let application = ApplicationId::new(grown(9, place));
        let line = LineId::new(grown(10, place));
        self.applications.push(Application {
            id: application,
            org,
            requested: Money::from_micros(dice.pick(&[1, i64::MAX])),
            purpose: dice.text(),
            workload: dice.maybe(|dice| dice.pick(Workload::ALL)),
            state: dice.pick(ApplicationState::ALL),
            approval: dice.maybe(|dice| Approval {
                limit: dice.amount(),
                tenor_months: dice.count(),
                net_days: dice.count(),
            }),
            approved_by: dice.some(2, |dice| UserId::new(dice.uuid())),
            approvals_needed: dice.count(),
            declined_by: dice.maybe(|_| user),
            reason_codes: dice.some(3, Dice::text),
            note: dice.text(),
            line: dice.maybe(|_| line),
            created_at: still.micros(),
            changed_at: dice.micros(),
            version: dice.count(),
        });
        self.lines.push(Line {
            id: line,
            org,
            application,
            program: place.is_multiple_of(2).then(|| ProgramId::new(grown(7, place))),
            state: dice.pick(LineState::ALL),
            target_limit: dice.maybe(Dice::amount),
            past_due_since: dice.maybe(Dice::minute),
            proposal: dice.maybe(|dice| match dice.below(3) {
                0 => Proposal::Unfreeze { by: user },
                1 => {
                    let reason = dice.pick(DefaultReason::ALL);
                    Proposal::Default { reason, by: user }
                }
                _ => Proposal::Limit { limit: dice.amount(), by: user },
            }),
            net_days: dice.count(),
            expires_at: dice.minute(),
            note: dice.text(),
            review_at: dice.minute(),
            review: dice.maybe(|dice| Review {
                outcome: dice.pick(ReviewOutcome::ALL),
                note: dice.text(),
                by: user,
                at: dice.micros(),
            }),
            created_at: still.micros(),
            changed_at: dice.micros(),
            version: dice.count(),
        });
        for (number, account) in Account::ALL.iter().enumerate() {
            let second =
                if account.as_str().starts_with("gua") { grown(11, place) } else { Uuid::nil() };
            let owner = grown(10, place);
            let more = dice.pick(&[0, 1, i64::MAX]);
            let less = dice.pick(&[0, more / 2, more]);
            let balance = match account.normal() {
                Side::Debit => Balance { debits: more, credits: less },
                Side::Credit => Balance { debits: less, credits: more },
            };
            self.accounts.push((AccountKey { account: *account, owner, second }, balance));
            let no = u64::try_from(place * Account::ALL.len() + number).unwrap() + 1;
            self.entries.push(Entry {
                no,
                chain: still.next() >> 1,
                debit: AccountKey { account: *account, owner, second },
                credit: AccountKey { account: *account, owner: grown(12, place), second },
                amount: still.pick(&[1, i64::MAX]),
                kind: still.pick(EntryKind::ALL),
                contract: still.maybe(|_| ContractId::new(grown(14, place))),
                recorded_at: still.micros(),
                effective_at: still.minute(),
            });
        }
        self.accounts.sort_by_key(|(key, _)| *key);
    }

    fn trade(&mut self, place: usize, still: &mut Dice, dice: &mut Dice) {
        let org = OrgId::new(grown(1, place));
        let order = OrderId::new(grown(14, place));
        let quote = QuoteId::new(grown(13, place));
        self.quotes.push(Quote {
            id: quote,
            org,
            ask: ask(still),
            block: block(still, place),
            state: dice.pick(QuoteState::ALL),
            credit_after: still
                .maybe(|dice| Money::from_micros(dice.pick(&[i64::MIN, -1, i64::MAX]))),
            expires_at: still.maybe(Dice::micros),
            order: dice.maybe(|_| order),
            created_at: still.micros(),
        });
        self.orders.push(Order {
            id: order,
            org,
            client_order_id: still.maybe(Dice::text),
            ask: ask(still),
            earliest: dice.minute(),
            latest: dice.minute(),
            time_in_force: match still.below(3) {
                0 => TimeInForce::Ioc,
                1 => TimeInForce::Gtc,
                _ => TimeInForce::Gtd(still.minute()),
            },
            quote: still.maybe(|_| quote),
            state: dice.pick(OrderState::ALL),
            reason: dice.maybe(|dice| dice.pick(Reason::ALL)),
            explanation: dice.maybe(|dice| Box::new(shortage(dice))),
            contract: dice.maybe(|_| ContractId::new(order.uuid())),
            filled_gpus: dice.count(),
            value: dice.maybe(Dice::amount),
            average: dice.maybe(Dice::price),
            hold: dice.amount(),
            seq: still.next() >> 1,
            created_at: still.micros(),
            changed_at: dice.micros(),
        });
        let contract = contract(place, still, dice, &self.programs);
        self.contracts.push(contract);
        let last = self.heads[place].1;
        for no in 1..=last {
            self.events.push(event(org, no, still));
        }
        self.kept.push(Kept {
            key: Key {
                name: grown(15, place).as_u128(),
                fingerprint: u128::MAX - u128::from(last),
            },
            seq: last,
            expires_at: Micros::new(NOW.count() + still.pick(&[-1, 0, 1, 1_000])),
        });
    }

    /// All of it as what one batch made true: born, or changed.
    pub fn effects(&self, born: bool) -> Effects {
        let mut out = Effects { now: NOW, ..Effects::default() };
        put(&mut out.organizations, born, &self.organizations, |thing| thing.id);
        put(&mut out.users, born, &self.users, |thing| thing.id);
        put(&mut out.sessions, born, &self.sessions, |thing| thing.id);
        put(&mut out.keys, born, &self.keys, |thing| thing.id);
        put(&mut out.skus, born, &self.skus, |thing| thing.code.clone());
        put(&mut out.regions, born, &self.regions, |thing| thing.code.clone());
        put(&mut out.programs, born, &self.programs, |thing| thing.id);
        put(&mut out.factories, born, &self.factories, |thing| thing.id);
        put(&mut out.pools, born, &self.pools, |thing| thing.id);
        put(&mut out.listings, born, &self.listings, |thing| thing.id);
        put(&mut out.applications, born, &self.applications, |thing| thing.id);
        put(&mut out.lines, born, &self.lines, |thing| thing.id);
        put(&mut out.quotes, born, &self.quotes, |thing| thing.id);
        put(&mut out.orders, born, &self.orders, |thing| thing.id);
        put(&mut out.contracts, born, &self.contracts, |thing| thing.id);
        put(&mut out.invoices, born, &self.invoices, |thing| thing.id);
        put(&mut out.payments, born, &self.payments, |thing| thing.id);
        put(&mut out.payouts, born, &self.payouts, |thing| thing.id);
        put(&mut out.periods, born, &self.periods, |thing| thing.month);
        put(&mut out.collections, born, &self.collections, |thing| thing.line);
        put(&mut out.caps, born, &self.caps, |thing| thing.subject.clone());
        put(&mut out.incidents, born, &self.incidents, |thing| thing.id);
        for (key, balance) in &self.accounts {
            note(&mut out.accounts, born, *key, *balance);
        }
        for (org, last) in &self.heads {
            note(&mut out.event_heads, born, *org, *last);
        }
        if born {
            out.amendments = self.amendments.clone();
            out.invoice_lines = self.invoice_lines.clone();
            out.entries = self.entries.clone();
            out.events = self.events.clone();
            out.kept = self.kept.clone();
        }
        out
    }
}

fn put<K: Ord + Hash, T: Clone, Noted: From<T>>(
    facts: &mut Facts<K, Noted>,
    born: bool,
    all: &[T],
    key: impl Fn(&T) -> K,
) {
    for thing in all {
        note(facts, born, key(thing), thing.clone().into());
    }
}

fn note<K: Ord + Hash, T>(facts: &mut Facts<K, T>, born: bool, key: K, thing: T) {
    if born { facts.born(key, thing) } else { facts.changed(key, thing) }
}

fn ask(dice: &mut Dice) -> Ask {
    Ask {
        skus: dice.some(3, |dice| dice.pick(&["gb300-nvl72", "h200-hgx8"]).parse().unwrap()),
        regions: dice.some(3, |dice| dice.pick(&["id-batam", "au-sydney"]).parse().unwrap()),
        gpus: dice.count(),
        min_gpus: dice.maybe(Dice::count),
        start: match dice.below(3) {
            0 => Start::Now,
            1 => Start::At(dice.minute()),
            _ => Start::Between { earliest: dice.minute(), latest: dice.minute() },
        },
        minutes: dice.pick(&[1, i64::MAX]),
        limit: dice.maybe(Dice::price),
        workload: dice.maybe(|dice| dice.pick(Workload::ALL)),
    }
}

fn draw(dice: &mut Dice, place: usize) -> Draw {
    Draw {
        listing: ListingId::new(grown(8, place)),
        program: dice.maybe(|dice| ProgramId::new(dice.uuid())),
        gpus: dice.many(),
        window: dice.window(),
        price: dice.price(),
    }
}

fn block(dice: &mut Dice, place: usize) -> Block {
    Block {
        pool: PoolId::new(grown(6, place)),
        provider: OrgId::new(dice.uuid()),
        sku: "gb300-nvl72".parse().unwrap(),
        region: "id-batam".parse().unwrap(),
        gpus: dice.many(),
        window: dice.window(),
        worth: dice.worth(),
        value: dice.amount(),
        draws: dice.some(3, |dice| draw(dice, place)),
    }
}

fn shortage(dice: &mut Dice) -> Shortage {
    Shortage {
        constraint: dice.pick(Reason::ALL),
        free_gpus: dice.maybe(Dice::count),
        short_at: dice.maybe(Dice::minute),
        best_price: dice.maybe(Dice::price),
        earliest_start: dice.maybe(Dice::minute),
        gpus_range: dice.maybe(|dice| (dice.count(), dice.count())),
        hours_range: dice.maybe(|dice| (dice.count(), dice.count())),
        alternatives: dice.some(2, |dice| Alternative {
            kind: dice.pick(AlternativeKind::ALL),
            sku: "gb300-nvl72".parse().unwrap(),
            region: "id-batam".parse().unwrap(),
            gpus: dice.many(),
            start: dice.minute(),
            minutes: dice.pick(&[1, i64::MAX]),
            price: dice.price(),
            value: dice.amount(),
        }),
    }
}

fn terms(dice: &mut Dice) -> ProgramTerms {
    ProgramTerms {
        shares: dice
            .some(3, |dice| ShareStep { from_month: dice.count(), vendor_share: dice.count() }),
        guarantee: dice.maybe(|dice| GuaranteeTerms {
            coverage: dice.count(),
            first_loss: dice.amount(),
            cap: dice.amount(),
        }),
        backstop: dice.maybe(|dice| BackstopTerms {
            price: dice.price(),
            lead_hours: dice.count(),
            cap: dice.amount(),
        }),
    }
}

fn contract(place: usize, still: &mut Dice, dice: &mut Dice, programs: &[Program]) -> Contract {
    // Frozen under a version of its own that is not any program's newest.
    let program = &programs[place];
    let frozen = FrozenProgram {
        program: program.id,
        version: 2_000_000,
        vendor: program.vendor,
        terms: Arc::new(ProgramTerms {
            shares: vec![ShareStep { from_month: 1, vendor_share: 1_500 }],
            guarantee: None,
            backstop: None,
        }),
    };
    let value = dice.pick(&[0, 60, i64::MAX]);
    Contract {
        id: ContractId::new(grown(14, place)),
        order: OrderId::new(grown(14, place)),
        customer: OrgId::new(grown(1, dice.pick(&[place, 0]))),
        ordered_by: OrgId::new(grown(1, place)),
        line: LineId::new(grown(10, dice.pick(&[place, 0]))),
        // Some trade with themselves.
        provider: OrgId::new(grown(1, still.pick(&[place, 0]))),
        pool: PoolId::new(grown(6, place)),
        sku: still.pick(&["gb300-nvl72", "h200-hgx8"]).parse().unwrap(),
        region: "id-batam".parse().unwrap(),
        gpus: dice.many(),
        sizes: sizes(dice),
        window: dice.window(),
        earliest: dice.minute(),
        latest: dice.minute(),
        worth: dice.worth(),
        value: Money::from_micros(value),
        average: dice.price(),
        allocations: dice.some(4, |dice| draw(dice, place)),
        losses: dice.some(2, |dice| draw(dice, place)),
        substitutes: dice.some(2, |dice| Substitute {
            pool: PoolId::new(dice.uuid()),
            gpus: dice.many(),
            window: dice.window(),
        }),
        degraded: dice.pick(&[true, false]),
        resale: dice.maybe(|dice| Box::new(resale(dice, &frozen, |dice| draw(dice, place)))),
        terms: Terms {
            platform_fee: still.pick(&[0, 500, 10_000]),
            cancellation_fee: still.pick(&[0, 2_500, 10_000]),
            net_days: still.count(),
            sla: sla(still),
            programs: still.some(1, |_| Arc::new(frozen.clone())),
        },
        commitments: dice.some(2, |dice| Commitment {
            program: ProgramId::new(dice.uuid()),
            supported: dice.amount(),
            committed: dice.amount(),
        }),
        state: dice.pick(ContractState::ALL),
        accrued: Money::from_micros(value / dice.pick(&[1, 2])),
        accrued_to: dice.minute(),
        delivered: dice.pick(&[0, 1, i64::MAX]),
        lost: dice.pick(&[0, 1, i64::MAX]),
        unbilled: bill(dice),
        billed_to: dice.minute(),
        ended_at: dice.maybe(Dice::minute),
        settled: dice.pick(&[true, false]),
        amendments: dice.count(),
        transfer_to: dice.maybe(|dice| OrgId::new(dice.uuid())),
        workload: still.maybe(|dice| dice.pick(Workload::ALL)),
        created_at: still.micros(),
        changed_at: dice.micros(),
    }
}

fn event(org: OrgId, no: u64, dice: &mut Dice) -> Event {
    let data = match dice.below(8) {
        0 => EventData::Organization { id: org, state: dice.pick(OrganizationState::ALL) },
        1 => EventData::Pool {
            id: PoolId::new(dice.uuid()),
            sku: "gb300-nvl72".parse().unwrap(),
            region: "id-batam".parse().unwrap(),
        },
        2 => EventData::Listing {
            id: ListingId::new(dice.uuid()),
            pool: PoolId::new(dice.uuid()),
            state: dice.pick(ListingState::ALL),
            gpus: dice.many(),
            window: dice.window(),
            price: dice.price(),
        },
        3 => EventData::Application {
            id: ApplicationId::new(dice.uuid()),
            state: dice.pick(ApplicationState::ALL),
            requested: dice.amount(),
            line: dice.maybe(|dice| LineId::new(dice.uuid())),
        },
        4 => EventData::Line {
            id: LineId::new(dice.uuid()),
            state: dice.pick(LineState::ALL),
            limit: dice.amount(),
        },
        5 => EventData::Quote { id: QuoteId::new(dice.uuid()) },
        6 => EventData::Order {
            id: OrderId::new(dice.uuid()),
            state: dice.pick(OrderState::ALL),
            reason: dice.maybe(|dice| dice.pick(Reason::ALL)),
            filled_gpus: dice.count(),
            contract: dice.maybe(|dice| ContractId::new(dice.uuid())),
        },
        _ => EventData::Contract {
            id: ContractId::new(dice.uuid()),
            order: OrderId::new(dice.uuid()),
            pool: PoolId::new(dice.uuid()),
            sku: "gb300-nvl72".parse().unwrap(),
            state: dice.pick(ContractState::ALL),
            gpus: dice.many(),
            start: dice.minute(),
            end: dice.minute(),
            value: dice.amount(),
        },
    };
    Event {
        id: EventId::new(dice.uuid()),
        org,
        no,
        kind: dice.pick(EventKind::ALL),
        at: dice.micros(),
        seq: dice.next() >> 1,
        request: dice.uuid(),
        data,
        previous: dice.maybe(Dice::text),
    }
}

/// The batch that follows a commit: audit records for each actor, an answer for each key.
pub fn batch(number: u64, prev: &[u8; 32], effects: Effects) -> Batch {
    let actors = [
        Actor::System,
        Actor::Anonymous,
        Actor::User(UserId::new(grown(2, 0))),
        Actor::Key(KeyId::new(grown(4, 0))),
    ];
    let seq = number * 10;
    let audit: Vec<AuditRecord> = (0..)
        .zip(actors)
        .map(|(place, actor)| AuditRecord {
            seq: seq - 3 + place,
            at: NOW,
            actor,
            request: Uuid::from_u128(place.into()),
            verb: "tick",
            what: "{\"it's\":\"東京\"}".to_owned(),
            changes: (place % 2 == 0).then(|| "[]".to_owned()),
        })
        .collect();
    let answers = effects
        .kept
        .iter()
        .map(|kept| KeptAnswer {
            key: kept.key,
            status: 201,
            headers: "location: /v1/orders/x\netag: \"1\"\n".to_owned(),
            body: vec![0, 0xff, b'{', b'}'],
        })
        .collect();
    let hash = chain::link(prev, number, seq, &audit);
    Batch { number, seq, effects, audit, answers, hash }
}
