//! The part of the script language that is about selling parts of contracts on.
//!
//! ```text
//! resell  R1 O1 C1 16 10h..20h @2.40 [min= max= minh= maxh= notice=] [dry]
//!                                            offers a part; its listings are R1, R1.2, R1.3 ...
//! unsell  O1 C1 [R1]                         takes back what is not sold of R1, or of all
//! sold    O1 -> ...                          what it offers, has sold on and has bought
//! went    O1 -> ...                          its GPU-hours in the books of capacity
//! ```
//!
//! An offer is asked first without being made: the answer of the deed must quote the same sale.

use std::collections::BTreeMap;

use super::super::ledger::Account;
use super::super::listing::{Audience, OrderLimits};
use super::super::resale::Resell;
use super::super::{Answer, Command, Refusal};
use super::script::{Stage, number, price, span};
use crate::model::id::{ContractId, ListingId};

/// Draws that one offered part may be of.
const DRAWS_MAX: usize = 4;

impl Stage {
    /// Says a line about resales; `None` when it is none.
    pub fn run_resale(&mut self, words: &[&str]) -> Option<String> {
        Some(match *words {
            ["resell", name, contract, customer, gpus, window, ask, ..] => {
                let (gpus, window) = (number(gpus), span(window));
                let option = |start| words.iter().find_map(|word| word.strip_prefix(start));
                let ask = Resell {
                    contract: ContractId::new(self.named(contract)),
                    listings: self.listings_of(name),
                    gpus,
                    window,
                    price: price(ask.trim_start_matches('@')),
                    limits: OrderLimits {
                        min_gpus: option("min=").map(number),
                        max_gpus: option("max=").map(number),
                        min_hours: option("minh=").map(number),
                        max_hours: option("maxh=").map(number),
                        notice_hours: option("notice=").map(number),
                    },
                    audience: Audience::default(),
                    dry_run: true,
                };
                self.resell(customer, ask, words.contains(&"dry"))
            }
            ["unsell", contract, customer, ..] => {
                let contract = ContractId::new(self.named(contract));
                let listing = words.get(3).map(|name| ListingId::new(self.named(name)));
                self.tell(customer, Command::EndResale { contract, listing })
            }
            ["sold", name] => self.show_sold(name),
            ["went", name] => self.show_moved(name),
            _ => return None,
        })
    }

    fn listings_of(&mut self, name: &str) -> Vec<ListingId> {
        let others = (2..=DRAWS_MAX).map(|place| format!("{name}.{place}"));
        let names: Vec<String> = [name.to_owned()].into_iter().chain(others).collect();
        names.iter().map(|name| ListingId::new(self.named(name))).collect()
    }

    fn resell(&mut self, customer: &str, ask: Resell, dry: bool) -> String {
        let actor = self.actor(customer);
        let quoted = self.apply(actor, Command::Resell(ask.clone()));
        if dry {
            return self.spell_resold(quoted);
        }
        let done = self.apply(actor, Command::Resell(Resell { dry_run: false, ..ask }));
        match (&quoted, &done) {
            (Ok(Answer::Resold(quoted)), Ok(Answer::Resold(done))) => {
                assert_eq!(quoted.sale, done.sale, "a sale is as it was quoted");
            }
            (quoted, done) => assert_eq!(quoted, done, "a refusal is as it was quoted"),
        }
        self.spell_resold(done)
    }

    fn spell_resold(&self, outcome: Result<Answer, Refusal>) -> String {
        let it = match outcome {
            Ok(Answer::Resold(it)) => it,
            other => return self.spell(other),
        };
        let listings = it.listings.iter().map(|listing| {
            let source = listing.resale.expect("a resale");
            let (name, home) = (self.name_of(listing.id.uuid()), self.name_of(source.home.uuid()));
            format!("{name}={}:{home}@{} {}", listing.gpus, source.base, listing.state)
        });
        let [before, after] = [it.parts_before, it.parts_after]
            .map(|it| format!("{}+{}+{}+{}", it.provider, it.vendor, it.platform, it.reseller));
        format!(
            "{} value={} fee={} held={} was {} held={} proceeds={} make-whole={} gain={} \
             parts={before} then={after}",
            listings.collect::<Vec<_>>().join(" "),
            it.sale.after.value,
            it.sale.fee,
            it.sale.held_after,
            it.sale.before.value,
            it.sale.held_before,
            it.proceeds,
            it.make_whole,
            it.gain,
        )
    }

    fn show_sold(&mut self, name: &str) -> String {
        let id = ContractId::new(self.named(name));
        let Some(it) = self.engine.contracts.unsettled.get(&id) else {
            return "gone".to_owned();
        };
        let Some(resale) = &it.resale else { return "nothing".to_owned() };
        let offered: Vec<_> = resale.offered.iter().map(|it| it.draw.clone()).collect();
        let bought = resale.origins.iter().map(|origin| {
            let reseller = self.name_of(origin.source.reseller.uuid()).trim_end_matches(".org");
            format!("{}/{reseller}@{}", self.name_of(origin.listing.uuid()), origin.source.base)
        });
        format!(
            "offers {} sold {} bought {}",
            self.spell_draws(&offered),
            self.spell_draws(&resale.sold),
            bought.collect::<Vec<_>>().join(" "),
        )
    }

    /// What is left of its GPU-hours in each account.
    fn show_moved(&mut self, name: &str) -> String {
        let id = ContractId::new(self.named(name));
        let mut net: BTreeMap<Account, i64> = BTreeMap::new();
        for entry in self.moved.iter().filter(|entry| entry.contract == Some(id)) {
            *net.entry(entry.debit.account).or_insert(0) -= entry.amount;
            *net.entry(entry.credit.account).or_insert(0) += entry.amount;
        }
        let spell = |(account, amount): (&Account, &i64)| format!("{account}={}", amount / 60);
        net.iter().map(spell).collect::<Vec<_>>().join(" ")
    }
}
