//! The demo without a disk: the whole replay before a store that only remembers, so that what the
//! reference data leads to can be looked at in a unit test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::calendar::{Calendar, DAY};
use super::people::People;
use super::replay::{Cast, Tally};
use super::summary::{self, Harvest};
use super::teller::Teller;
use super::{customers, market, replay};
use crate::engine::contract::{Contract, ContractState};
use crate::engine::credit::{Application, ApplicationState, Balances, Line, LineState};
use crate::engine::effect::Effects;
use crate::engine::ledger::{Account, AccountKey, Balance};
use crate::engine::listing::Listing;
use crate::engine::order::{Order, OrderState, Reason};
use crate::engine::party::Organization;
use crate::engine::quote::{Quote, QuoteState};
use crate::engine::{Engine, Settings};
use crate::model::id::{ApplicationId, ContractId, LineId, ListingId, OrderId, OrgId, QuoteId};
use crate::model::{Minute, Money};
use crate::store::{Batch, Durable, Fault, Loaded};
use crate::{http, sequencer};

/// 2026-11-23T01:30:00Z.
const NOW: Minute = Minute::new(29_923_290);

/// Everything that was committed, the last word on each thing.
#[derive(Debug, Clone, Default)]
struct Notebook(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    organizations: BTreeMap<OrgId, Organization>,
    applications: BTreeMap<ApplicationId, Application>,
    lines: BTreeMap<LineId, Line>,
    listings: BTreeMap<ListingId, Listing>,
    orders: BTreeMap<OrderId, Arc<Order>>,
    quotes: BTreeMap<QuoteId, Quote>,
    contracts: BTreeMap<ContractId, Arc<Contract>>,
    accounts: BTreeMap<AccountKey, Balance>,
}

impl Durable for Notebook {
    fn commit(&mut self, batch: &Batch) -> Result<(), Fault> {
        let Effects {
            organizations,
            applications,
            lines,
            listings,
            orders,
            quotes,
            contracts,
            accounts,
            ..
        } = &batch.effects;
        let mut notes = self.0.lock().expect("nobody panics while writing");
        macro_rules! note {
            ($($facts:ident)*) => {$(
                notes.$facts.extend($facts.iter().map(|(id, fact)| (*id, fact.thing.clone())));
            )*};
        }
        note!(organizations applications lines listings orders quotes contracts accounts);
        Ok(())
    }

    fn load(&mut self) -> Result<Loaded, Fault> {
        let snapshot = Engine::new(Settings::default()).snapshot();
        Ok(Loaded { snapshot, number: 0, hash: [0; 32] })
    }
}

impl Notebook {
    fn harvest(&self) -> Harvest {
        let notes = self.0.lock().expect("nobody panics while reading");
        let net = |account, line: LineId| {
            let balance = notes.accounts.get(&AccountKey::of(account, line.uuid()));
            Money::from_micros(balance.map_or(0, |it| (it.credits - it.debits).abs()))
        };
        let balances = |line| Balances {
            limit: net(Account::ExpLimit, line),
            available: net(Account::ExpAvailable, line),
            held: net(Account::ExpHeld, line),
            drawn: net(Account::ExpDrawn, line),
            defaulted: net(Account::ExpDefaulted, line),
        };
        Harvest {
            organizations: notes.organizations.values().cloned().collect(),
            applications: notes.applications.values().cloned().collect(),
            lines: notes.lines.values().map(|it| (it.clone(), balances(it.id))).collect(),
            listings: notes.listings.values().cloned().collect(),
            orders: notes.orders.values().map(|it| it.as_ref().clone()).collect(),
            quotes: notes.quotes.values().cloned().collect(),
            contracts: notes.contracts.values().map(|it| it.as_ref().clone()).collect(),
        }
    }
}

/// Plays it through.
fn rehearse(orders: usize, seed: u64) -> (Harvest, Tally, String) {
    let notebook = Notebook::default();
    let calendar = Calendar::until(NOW);
    let threshold = market::money(customers::TWO_PERSON_THRESHOLD);
    let settings = Settings { two_person_threshold: threshold, ..Settings::default() };
    let pace = sequencer::Pace::Simulated(Some(calendar.opens.micros()));
    let store = Box::new(notebook.clone());
    let desk = sequencer::start(store, settings, http::scribe, pace).expect("a new market");
    let mut teller = Teller::new(desk, seed).expect("a runtime");
    let mut people = People::new();
    let market = market::put_up(&mut teller, &mut people, &calendar).expect("a market");
    let customers = customers::sign_up(&mut teller, &mut people, &market).expect("customers");
    let cast = Cast { market: &market, customers: &customers, calendar };
    let jobs = replay::pick(orders);
    let tally = replay::replay(&mut teller, cast, &jobs, seed, |_| Ok(()), drop).expect("a replay");
    teller.leave();
    let harvest = notebook.harvest();
    let text = summary::write(&harvest, &market, &tally, &calendar);
    (harvest, tally, text)
}

#[test]
fn a_small_demo_has_something_of_everything() {
    let (harvest, tally, text) = rehearse(1_500, 2017);
    let orders = |state| harvest.asked().filter(|it| it.state == state).count();
    let placed = usize::try_from(tally.orders).expect("small");
    let refused: u64 = tally.refused.values().sum();
    assert_eq!(placed, harvest.asked().count() + usize::try_from(refused).expect("small"));
    let filled = orders(OrderState::Filled) * 100 / placed;
    assert!((60..=95).contains(&filled), "{filled} percent filled\n{text}");
    // The rest is what the vendor's backstop bought of what stayed unsold.
    let bought = harvest.orders.len() - harvest.asked().count();
    assert_eq!(orders(OrderState::Filled) + bought, harvest.contracts.len());
    assert!(bought > 0, "nothing is bought under the backstop\n{text}");

    let contracts = |state| harvest.contracts.iter().filter(|it| it.state == state).count();
    for state in [ContractState::Scheduled, ContractState::Active, ContractState::Completed] {
        assert!(contracts(state) > 0, "no contract is {state}\n{text}");
    }
    let is_because = |order: &&Order| order.reason == Some(Reason::Price);
    assert!(harvest.orders.iter().any(|it| is_because(&it)), "no price was too high\n{text}");
    assert!(harvest.quotes.iter().any(|it| it.state == QuoteState::Open), "{text}");
    let last = harvest.contracts.iter().map(|it| it.window.start()).max().expect("contracts");
    assert!(last > NOW.plus(300 * DAY) && last < NOW.plus(460 * DAY), "the last begins {last}");
}

#[test]
fn credit_is_granted_frozen_declined_withdrawn_and_waits() {
    let (harvest, _, text) = rehearse(0, 2017);
    let asked = |state| harvest.applications.iter().filter(|it| it.state == state).count();
    // Eleven customers, and the vendor's backstop.
    assert_eq!(asked(ApplicationState::Approved), 12, "{text}");
    assert_eq!(asked(ApplicationState::Declined), 1);
    assert_eq!(asked(ApplicationState::Withdrawn), 1);
    assert_eq!(asked(ApplicationState::Submitted), 2);
    let by_two = harvest.applications.iter().filter(|it| it.approved_by.len() == 2);
    assert_eq!(by_two.count(), 1);
    let frozen = harvest.lines.iter().filter(|(line, _)| line.state == LineState::Frozen);
    assert_eq!(frozen.count(), 1);
}

#[test]
fn the_same_seed_at_the_same_time_makes_the_same_market() {
    let (one, told, _) = rehearse(200, 7);
    let (other, told_again, _) = rehearse(200, 7);
    assert_eq!((one.orders, one.contracts), (other.orders, other.contracts));
    assert_eq!((one.listings, one.lines, told), (other.listings, other.lines, told_again));
    assert_ne!(one.quotes, rehearse(200, 8).0.quotes);
}
