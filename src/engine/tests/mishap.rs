//! The part of the script language that is about pools with less than what is sold.
//!
//! ```text
//! maintain A 12h..14h 72 -> touched O1       opens an incident, if anything sold is short
//! postpone A 2 30h -> touched O1             the second phase comes later
//! mended   A 1                               the first maintenance window ends now
//! accept   O1 C1         reject O1 C1        answer to the oldest open incident of O1
//! incident A             the oldest open incident of a pool: whose, how much, what became of it
//! moved    O1            where else it is served
//! group    C1 tidal      cap group=tidal 500   cap provider=P none   review C1 confirmed 3
//! ```

use super::super::credit::{CapSubject, ReviewOutcome};
use super::super::incident::{Incident, Part};
use super::super::{Answer, Command};
use super::script::{Stage, money, number, spell_window, time};
use crate::model::id::{ContractId, IncidentId, OrgId, PoolId};

impl Stage {
    /// Says a line about shortfalls; `None` when it is none.
    pub fn run_mishap(&mut self, words: &[&str]) -> Option<String> {
        let said = match *words {
            ["postpone", pool, phase, from] => {
                let actor = self.actor(&format!("{pool}.owner"));
                let pool = PoolId::new(self.named(pool));
                let phase = phase.parse().expect("a number");
                let (from, note) = (time(from), "late".to_owned());
                self.said(actor, Command::PostponePhase { pool, phase, from, note })
            }
            ["mended", pool, window] => {
                let actor = self.actor(&format!("{pool}.owner"));
                let pool = PoolId::new(self.named(pool));
                let window = window.parse().expect("a number");
                self.said(actor, Command::EndMaintenance { pool, window })
            }
            ["accept", name, who] => self.answer(name, who, true),
            ["reject", name, who] => self.answer(name, who, false),
            ["incident", pool] => {
                let pool = PoolId::new(self.named(pool));
                let open = self.engine.incidents.open.values().find(|it| it.pool == pool).cloned();
                open.map_or("none".to_owned(), |it| self.spell_incident(&it))
            }
            ["moved", name] => {
                let id = ContractId::new(self.named(name));
                let moved = self.engine.contract(id).substitutes.clone();
                let spell = |it: &super::super::incident::Substitute| {
                    let pool = self.name_of(it.pool.uuid());
                    format!("{pool}:{}:{}", it.gpus, spell_window(it.window))
                };
                moved.iter().map(spell).collect::<Vec<_>>().join(" ")
            }
            ["group", who, group] => {
                let org = OrgId::new(self.named(&format!("{who}.org")));
                let group = (group != "none").then(|| group.parse().expect("a code"));
                self.tell("operator", Command::GroupOrganization { org, group })
            }
            ["cap", subject, amount] => {
                let subject = match subject.split_once('=').expect("kind=name") {
                    ("group", code) => CapSubject::Group(code.parse().expect("a code")),
                    ("sku", code) => CapSubject::Sku(code.parse().expect("a code")),
                    (_, who) => CapSubject::Provider(OrgId::new(self.named(&format!("{who}.org")))),
                };
                let amount = (amount != "none").then(|| money(amount));
                self.tell("operator", Command::SetCap { subject, amount, note: String::new() })
            }
            ["review", who] => {
                let line = &self.engine.credit.lines[&self.line_of(who)];
                let outcome = line.review.as_ref().map_or("none", |it| it.outcome.as_str());
                let days = line.review_at.since(time("0h")) / 60 / 24;
                format!("{outcome} next={days}d")
            }
            ["review", who, outcome, next_months] => {
                let id = self.line_of(who);
                let outcome = ReviewOutcome::read(outcome).expect("an outcome");
                let (next_months, note) = (number(next_months), String::new());
                self.tell("operator", Command::ReviewLine { id, outcome, next_months, note })
            }
            _ => return None,
        };
        Some(said)
    }

    fn answer(&mut self, name: &str, who: &str, accept: bool) -> String {
        let contract = ContractId::new(self.named(name));
        let its = |it: &&Incident| it.affected.iter().any(|a| a.contract == contract);
        let open = self.engine.incidents.open.values().find(its).map(|it| it.id);
        let incident = open.unwrap_or_else(|| IncidentId::new(self.named("no incident")));
        let actor = self.actor(who);
        let outcome = self.apply(actor, Command::AnswerSubstitution { incident, contract, accept });
        match outcome {
            Ok(Answer::Incident(it)) => self.spell_incident(&it),
            other => self.spell(other),
        }
    }

    fn spell_incident(&self, it: &Incident) -> String {
        let parts = |parts: &[Part]| {
            let spell = |it: &Part| format!("{}:{}", it.gpus, spell_window(it.window));
            parts.iter().map(spell).collect::<Vec<_>>().join(",")
        };
        let spell = |it: &super::super::incident::Affected| {
            let offer = it.offer.as_ref().map_or(String::new(), |offer| {
                let by = offer.expires_at.since(time("0h"));
                let pool = self.name_of(offer.pool.uuid());
                format!(" in {pool} {} by={by}m", parts(&offer.parts))
            });
            let name = self.name_of(it.contract.uuid());
            format!("{name} {} {}{offer}", it.outcome, parts(&it.missing))
        };
        let affected = it.affected.iter().map(spell).collect::<Vec<_>>().join(" ");
        format!("{} {} {affected}", it.state, it.cause)
    }
}
