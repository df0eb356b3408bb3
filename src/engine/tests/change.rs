//! The part of the script language that is about changes to contracts.
//!
//! ```text
//! cancelc O1 C1 [fee=5.00] [dry]             everything from the next slot on
//! shrink  O1 C1 32 [from=20h] [fee=] [dry]   so many GPUs are left
//! extend  O1 C1 34h [<=2.60] [dry]           until then
//! grow    O1 C1 96 [from=20h] [<=2.60] [dry] so many GPUs there will be
//! group   C1 tidal                           the operator says to whom it belongs; `-`: to nobody
//! transfer O1 C1 C2                          offers it to C2; `-`: to nobody
//! receive O1 C2 [dry]                        takes it
//! hand    O1 C1 C2                           both at once
//! terminate O1                               as when its customer defaults
//! terms   O1 -> ...                          state, size, window, value, worth, draws, programs
//! ```
//!
//! A change is asked first without being done: the answer of the deed must be the same.

use super::super::amendment::{Change, Transfer, TransferStep};
use super::super::command::ChangeContract;
use super::super::{Answer, Command, Effects, Refusal};
use super::script::{Stage, money, number, price, spell_window, time};
use crate::model::id::{ContractId, OrgId};

impl Stage {
    /// Says a line about changes; `None` when it is none.
    pub fn run_change(&mut self, words: &[&str]) -> Option<String> {
        let option = |start| words.iter().find_map(|word: &&str| word.strip_prefix(start));
        let from = option("from=").map(time);
        let limit = option("<=").map(price);
        let change = match *words {
            ["cancelc", ..] => Change::Cancel,
            ["shrink", _, _, gpus, ..] => Change::Shrink { gpus: number(gpus), from },
            ["extend", _, _, end, ..] => Change::Extend { end: time(end), limit },
            ["grow", _, _, gpus, ..] => Change::Grow { gpus: number(gpus), from, limit },
            ["group", who, group] => return Some(self.group(who, group)),
            ["transfer", name, customer, to] => return Some(self.transfer(name, customer, to)),
            ["hand", name, customer, to] => {
                let offered = self.transfer(name, customer, to);
                let taken = !offered.starts_with("refused");
                return Some(if taken { self.accept(name, to, false) } else { offered });
            }
            ["receive", name, customer, ..] => {
                let dry = words.contains(&"dry");
                return Some(self.accept(name, customer, dry));
            }
            ["terminate", name] => return Some(self.terminate(name)),
            ["terms", name] => return Some(self.show_terms(name)),
            _ => return None,
        };
        let (name, customer) = (words[1], words[2]);
        let id = ContractId::new(self.named(name));
        let fee_max = option("fee=").map(money);
        let ask = ChangeContract { id, change, fee_max, dry_run: true };
        let actor = self.actor(customer);
        let quoted = self.apply(actor, Command::ChangeContract(ask.clone()));
        if words.contains(&"dry") {
            return Some(self.spell_change(quoted));
        }
        let deed = ChangeContract { dry_run: false, ..ask };
        let done = self.apply(actor, Command::ChangeContract(deed));
        assert_eq!(quoted, done, "a change is as it was quoted");
        Some(self.spell_change(done))
    }

    fn spell_change(&self, outcome: Result<Answer, Refusal>) -> String {
        let Ok(Answer::Amended { amendment: it, contract }) = outcome else {
            return self.spell(outcome);
        };
        assert_eq!((it.contract, it.no), (contract.id, contract.amendments));
        format!(
            "{} {} gpus={} {} value={} fee={} held={} was {} {} {} held={}",
            it.no,
            it.kind,
            it.after.gpus,
            spell_window(it.after.window),
            it.after.value,
            it.fee,
            it.held_after,
            it.before.gpus,
            spell_window(it.before.window),
            it.before.value,
            it.held_before,
        )
    }

    fn group(&mut self, who: &str, group: &str) -> String {
        let org = OrgId::new(self.named(&format!("{who}.org")));
        let group = (group != "-").then(|| group.parse().expect("a code"));
        self.tell("operator", Command::GroupOrganization { org, group })
    }

    fn transfer(&mut self, name: &str, customer: &str, to: &str) -> String {
        let contract = ContractId::new(self.named(name));
        let to = (to != "-").then(|| OrgId::new(self.named(&format!("{to}.org"))));
        let actor = self.actor(customer);
        let offer = |dry_run| {
            let step = TransferStep::Offer { to };
            Command::Transfer(Transfer { contract, step, dry_run })
        };
        let quoted = self.apply(actor, offer(true));
        let done = self.apply(actor, offer(false));
        assert_eq!(quoted, done, "an offer is as it was quoted");
        self.spell(done)
    }

    fn accept(&mut self, name: &str, customer: &str, dry: bool) -> String {
        let contract = ContractId::new(self.named(name));
        let actor = self.actor(customer);
        let take = |dry_run| {
            let step = TransferStep::Take;
            Command::Transfer(Transfer { contract, step, dry_run })
        };
        let quoted = self.apply(actor, take(true));
        if dry {
            return self.spell_change(quoted);
        }
        let done = self.apply(actor, take(false));
        let amendment = |outcome: &Result<Answer, Refusal>| match outcome {
            Ok(Answer::Amended { amendment, .. }) => Ok(amendment.clone()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.clone()),
        };
        assert_eq!(amendment(&quoted), amendment(&done), "a transfer is as it was quoted");
        self.spell_change(done)
    }

    /// As a default does to each of its customer's contracts.
    fn terminate(&mut self, name: &str) -> String {
        let id = ContractId::new(self.named(name));
        if !self.engine.contracts.unsettled.contains_key(&id) {
            return "refused gone".to_owned();
        }
        let (at, mut out) = (self.stamp(), Effects::default());
        self.engine.terminate_contract(&at, id, &mut out);
        let sku = self.engine.contract(id).sku.clone();
        self.engine.retry(&at, &sku, &mut out);
        self.engine.seq = at.seq;
        self.engine.now = at.at;
        assert_eq!(self.engine.audit(), Vec::<String>::new(), "after terminating {name}");
        "done".to_owned()
    }

    fn show_terms(&mut self, name: &str) -> String {
        let id = ContractId::new(self.named(name));
        let Some(it) = self.engine.contracts.unsettled.get(&id) else {
            return "gone".to_owned();
        };
        let sizes = it.sizes.iter().map(|size| {
            let until = size.until.since(time("0h")) / 60;
            format!("{}<{until}h", size.gpus)
        });
        let terms = it.terms.programs.iter();
        let terms = terms.map(|it| format!("{}.{}", self.name_of(it.program.uuid()), it.version));
        let backed = it.commitments.iter().map(|it| format!("{}/{}", it.committed, it.supported));
        format!(
            "{} {} gpus={} {} value={} average={} {} {} {} fees={}",
            it.state,
            sizes.collect::<Vec<_>>().join(" "),
            it.gpus,
            spell_window(it.window),
            it.value,
            it.average,
            self.spell_draws(&it.allocations),
            terms.collect::<Vec<_>>().join(" "),
            backed.collect::<Vec<_>>().join(" "),
            it.unbilled.fees,
        )
    }
}
