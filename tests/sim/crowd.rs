//! Everyone who asks something of the market, and what they might ask next. They know what anybody can
//! read: what is committed.

use std::sync::Arc;

use headroom::engine::amendment::{Change, Transfer, TransferStep};
use headroom::engine::billing::Payable;
use headroom::engine::command::{ChangeContract, OrderKind, PlaceOrder, PublishListing};
use headroom::engine::contract::Contract;
use headroom::engine::credit::{CapSubject, DefaultReason, ReviewOutcome};
use headroom::engine::listing::{Audience, OrderLimits};
use headroom::engine::order::{Ask, Start, TimeInForce};
use headroom::engine::resale::Resell;
use headroom::engine::{Actor, Command};
use headroom::model::id::{
    ContractId, LineId, ListingId, OrderId, OrgId, PaymentId, PayoutId, PoolId, ProgramId, QuoteId,
    UserId,
};
use headroom::model::{Micros, Minute, Money, Month, Price, Window};
use uuid::Uuid;

use crate::dice::Dice;
use crate::facts::Facts;

pub const SKU: &str = "gb300-nvl72";

/// Fresh identifiers, growing with time as the door's do.
#[derive(Debug, Clone, Default)]
pub struct Mint(u64);

impl Mint {
    pub fn fresh(&mut self, now: Micros) -> Uuid {
        self.0 += 1;
        let millis = u64::try_from(now.count() / 1_000).expect("after 1970");
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&self.0.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

/// Who is there, and what does not change.
#[derive(Debug, Clone)]
pub struct Crowd {
    pub mint: Mint,
    pub officers: [UserId; 2],
    pub provider: (OrgId, UserId),
    pub program: ProgramId,
    pub pools: Vec<PoolId>,
    pub customers: Vec<(OrgId, UserId)>,
}

/// What somebody asks.
pub type Wish = (Actor, Command);

/// One look at the market, from which a wish comes.
struct Look<'a> {
    facts: &'a Facts,
    dice: &'a mut Dice,
    now: Micros,
}

impl Look<'_> {
    fn next_hour(&self) -> Minute {
        self.now.minute().plus(1).ceil_to(60)
    }

    fn hours(&mut self, most: usize) -> i64 {
        i64::try_from(self.dice.below(most)).expect("small")
    }

    fn price(&mut self) -> Price {
        let cents = self.dice.pick(&[90, 150, 190, 200, 250, 500]);
        Price::from_micros(cents * 10_000).expect("a price")
    }

    fn gpus(&mut self, most: usize) -> u32 {
        4 * u32::try_from(self.dice.below(most / 4) + 1).expect("small")
    }

    fn ask(&mut self) -> Ask {
        let earliest = self.next_hour().plus(60 * self.hours(30));
        let start = match self.dice.below(3) {
            0 => Start::Now,
            1 => Start::At(earliest),
            _ => Start::Between { earliest, latest: earliest.plus(600) },
        };
        Ask {
            skus: vec![SKU.parse().expect("a code")],
            regions: Vec::new(),
            gpus: self.gpus(48),
            min_gpus: None,
            start,
            minutes: 60 * (1 + self.hours(24)),
            limit: Some(self.price()),
            workload: None,
        }
    }

    fn contract(&mut self) -> Option<Arc<Contract>> {
        self.dice.choose(self.facts.contracts.values().filter(|it| it.is_live())).cloned()
    }
}

impl Crowd {
    fn officer(&self) -> Actor {
        Actor::User(self.officers[0])
    }

    fn owner(&self, org: OrgId) -> Actor {
        let known = self.customers.iter().find(|(id, _)| *id == org);
        Actor::User(known.map_or(self.provider.1, |(_, user)| *user))
    }

    /// What somebody might ask now. Much of it is refused: that is part of it.
    pub fn wish(&mut self, dice: &mut Dice, facts: &Facts, now: Micros) -> Wish {
        let mut look = Look { facts, dice, now };
        let wish = match look.dice.below(20) {
            0..9 => Some(self.trade(&mut look)),
            9..11 => self.offer(&mut look),
            11..13 => self.lend(&mut look),
            13..16 => self.amend(&mut look),
            16..19 => self.settle(&mut look),
            _ => self.falter(&mut look),
        };
        wish.unwrap_or_else(|| self.trade(&mut look))
    }

    fn trade(&mut self, look: &mut Look<'_>) -> Wish {
        let customer = Actor::User(look.dice.pick(&self.customers).1);
        let id = self.mint.fresh(look.now);
        let place = |kind| {
            let id = OrderId::new(id);
            Command::PlaceOrder(PlaceOrder { id, kind, client_order_id: None, dry_run: false })
        };
        match look.dice.below(8) {
            0 => {
                let hold_secs = look.dice.pick(&[None, Some(60), Some(900)]);
                (customer, Command::Quote { id: QuoteId::new(id), ask: look.ask(), hold_secs })
            }
            1 => match look.dice.choose(look.facts.quotes.values()) {
                Some(quote) => (self.owner(quote.org), place(OrderKind::Quote(quote.id))),
                None => (customer, Command::CancelOrder { id: OrderId::new(id) }),
            },
            2 => match look.dice.choose(look.facts.orders.values()) {
                Some(order) => (self.owner(order.org), Command::CancelOrder { id: order.id }),
                None => (customer, Command::CancelOrder { id: OrderId::new(id) }),
            },
            _ => {
                let time_in_force = look.dice.pick(&[TimeInForce::Ioc, TimeInForce::Gtc]);
                (customer, place(OrderKind::Ask { ask: look.ask(), time_in_force }))
            }
        }
    }

    /// A listing for so many hours from `start` on.
    pub fn listing(
        &mut self,
        now: Micros,
        pool: usize,
        gpus: u32,
        hours: (Minute, i64),
        price: Price,
    ) -> PublishListing {
        PublishListing {
            id: ListingId::new(self.mint.fresh(now)),
            pool: self.pools[pool],
            gpus,
            window: Window::lasting(hours.0, hours.1 * 60).expect("it lasts"),
            price,
            limits: OrderLimits::default(),
            audience: Audience::default(),
            program: (pool == 0).then_some(self.program),
            draft: false,
            dry_run: false,
        }
    }

    fn offer(&mut self, look: &mut Look<'_>) -> Option<Wish> {
        let provider = Actor::User(self.provider.1);
        let command = match look.dice.below(4) {
            0 | 1 => {
                let (pool, gpus, price) = (look.dice.below(2), look.gpus(24), look.price());
                let hours = (look.next_hour().plus(60 * look.hours(20)), 20 + look.hours(400));
                Command::PublishListing(self.listing(look.now, pool, gpus, hours, price))
            }
            2 => {
                let listing = look.dice.choose(look.facts.listings.values())?;
                let expect = listing.version;
                let price = look.price();
                Command::RepriceListing { id: listing.id, expect, price }
            }
            _ => {
                let id = look.dice.choose(look.facts.listings.values())?.id;
                Command::WithdrawListing { id }
            }
        };
        Some((provider, command))
    }

    fn lend(&mut self, look: &mut Look<'_>) -> Option<Wish> {
        let line = look.dice.choose(look.facts.lines.values())?;
        let (id, note, expect) = (line.id, "by the book".to_owned(), line.version);
        let command = match look.dice.below(9) {
            0 => Command::FreezeLine { id, note },
            1..4 => Command::UnfreezeLine { id, note },
            4..6 => {
                let limit = money(look.dice.pick(&[500, 3_000, 20_000, 80_000]));
                Command::ChangeLimit { id, expect, limit, note }
            }
            6 => {
                let outcome = look.dice.pick(&[ReviewOutcome::Confirmed, ReviewOutcome::Lower]);
                Command::ReviewLine { id, outcome, next_months: 3, note }
            }
            7 => {
                let subject = CapSubject::Sku(SKU.parse().expect("a code"));
                let amount = look.dice.pick(&[None, Some(money(4_000)), Some(money(60_000))]);
                Command::SetCap { subject, amount, note }
            }
            // Rarely: the customer has nothing to trade on any more.
            _ if look.dice.one_in(4) => {
                Command::DefaultLine { id, reason: DefaultReason::Insolvency, note }
            }
            _ => Command::UnfreezeLine { id, note },
        };
        Some((Actor::User(look.dice.pick(&self.officers)), command))
    }

    fn amend(&mut self, look: &mut Look<'_>) -> Option<Wish> {
        let contract = look.contract()?;
        let (id, owner) = (contract.id, self.owner(contract.customer));
        let change = match look.dice.below(8) {
            0 => Change::Cancel,
            1 | 2 => Change::Shrink { gpus: contract.gpus.saturating_sub(4), from: None },
            3 => Change::Extend { end: contract.window.end().plus(120), limit: None },
            4 => Change::Grow { gpus: contract.gpus + 4, from: None, limit: None },
            5 => return self.sell_on(look, &contract),
            6 => {
                let to = look.dice.pick(&self.customers).0;
                let (to, take) = (Some(to), contract.transfer_to);
                let step = take.map_or(TransferStep::Offer { to }, |_| TransferStep::Take);
                let who = take.map_or(owner, |org| self.owner(org));
                let transfer = Transfer { contract: id, step, dry_run: false };
                return Some((who, Command::Transfer(transfer)));
            }
            _ => {
                let start = contract.window.start().max(contract.billed_to);
                let end = look.now.minute().min(contract.window.end());
                let (window, missing) = (Window::new(start, end)?, look.dice.pick(&[0, 4, 8]));
                let note = String::new();
                let report = Command::ReportDelivery { contract: id, window, missing, note };
                return Some((Actor::User(self.provider.1), report));
            }
        };
        let change = ChangeContract { id, change, fee_max: None, dry_run: look.dice.one_in(8) };
        Some((owner, Command::ChangeContract(change)))
    }

    fn sell_on(&mut self, look: &mut Look<'_>, contract: &Contract) -> Option<Wish> {
        let owner = self.owner(contract.customer);
        if !contract.offered().is_empty() && look.dice.one_in(3) {
            let end = Command::EndResale { contract: contract.id, listing: None };
            return Some((owner, end));
        }
        let start = contract.window.start().max(look.next_hour());
        let resell = Resell {
            contract: contract.id,
            listings: (0..4).map(|_| ListingId::new(self.mint.fresh(look.now))).collect(),
            gpus: look.dice.pick(&[4, 8, contract.gpus]),
            window: Window::new(start, contract.window.end())?,
            price: look.price(),
            limits: OrderLimits::default(),
            audience: Audience::default(),
            dry_run: false,
        };
        Some((owner, Command::Resell(resell)))
    }

    fn settle(&mut self, look: &mut Look<'_>) -> Option<Wish> {
        let (note, reference) = ("by hand".to_owned(), "by hand".to_owned());
        let owed = look.facts.invoices.values().filter(|one| !one.outstanding().is_zero());
        let invoice = look.dice.choose(owed);
        // Where nothing is billed yet, what needs no bill.
        let least = if invoice.is_some() { 0 } else { 6 };
        let command = match least + look.dice.below(10 - least) {
            0 => Command::FinalizeInvoice { id: invoice?.id },
            1..4 => {
                let (id, org) = (PaymentId::new(self.mint.fresh(look.now)), invoice?.org);
                let amount = look.dice.pick(&[invoice?.outstanding(), money(7)]);
                Command::RecordPayment { id, org, amount, invoice: None, reference }
            }
            4 => Command::CreditInvoice { id: invoice?.id, amount: money(1), note },
            5 => Command::VoidInvoice { id: invoice?.id, note },
            6 => {
                let id = PayoutId::new(self.mint.fresh(look.now));
                let payable = look.dice.pick(&[Payable::Provider, Payable::Vendor]);
                let org = self.provider.0;
                Command::PayOut { id, org, payable, amount: None, reference }
            }
            7 => {
                let id = look.dice.choose(look.facts.payouts.values())?.id;
                Command::SettlePayout { id, paid: look.dice.one_in(2) }
            }
            8 => {
                let month = Month::of(look.now.minute().plus(-40 * 24 * 60));
                look.dice.pick(&[Command::ClosePeriod { month }, Command::LockPeriod { month }])
            }
            _ => match look.dice.choose(look.facts.collections.values()) {
                Some(debt) => self.collect(look, debt.line),
                None => {
                    let contract = look.contract()?.id;
                    Command::GrantCredit { contract, amount: money(1), note }
                }
            },
        };
        Some((self.officer(), command))
    }

    fn collect(&self, look: &mut Look<'_>, line: LineId) -> Command {
        let (program, amount) = (self.program, money(look.dice.pick(&[1, 50])));
        let reference = "by hand".to_owned();
        match look.dice.below(3) {
            0 => Command::RecordClaimPayment { line, program, amount, reference },
            1 => Command::WriteOff { line, note: reference },
            _ => Command::RecordRecovery { line, amount, reference },
        }
    }

    /// A pool has less for a while, or is well again; who is offered another place answers.
    fn falter(&mut self, look: &mut Look<'_>) -> Option<Wish> {
        let waiting: Vec<(_, ContractId, OrgId)> = look
            .facts
            .incidents
            .values()
            .flat_map(|one| one.affected.iter().map(|it| (one.id, it)))
            .filter(|(_, it)| it.waiting().is_some())
            .map(|(id, it)| (id, it.contract, it.customer))
            .collect();
        if !waiting.is_empty() && look.dice.one_in(2) {
            let (incident, contract, org) = look.dice.pick(&waiting);
            let accept = look.dice.one_in(2);
            let answer = Command::AnswerSubstitution { incident, contract, accept };
            return Some((self.owner(org), answer));
        }
        let (pool, note) = (look.dice.pick(&self.pools), "a flood".to_owned());
        let command = if look.dice.one_in(3) {
            Command::EndMaintenance { pool, window: 1 }
        } else {
            let start = look.next_hour().plus(60 * look.hours(24));
            let window = Window::lasting(start, 60 * (1 + look.hours(20))).expect("it lasts");
            Command::AddMaintenance { pool, window, gpus: look.gpus(48), note }
        };
        Some((Actor::User(self.provider.1), command))
    }
}

pub fn money(units: i64) -> Money {
    Money::from_micros(units * 1_000_000)
}
