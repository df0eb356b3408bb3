//! The part of the script language that is about lines that are not paid.
//!
//! ```text
//! officer                         a second officer joins the operator
//! state    C1 -> past_due late    look at a line: its state, whether it is past due, a proposal
//! default  C1 unpaid by=officer   unfreeze C1 by=officer    limit C1 100.00 by=officer
//! claimpaid C1 PG 100.00          writeoff C1               recover C1 100.00
//! debt     C1 -> ...              look at what is in collection, claimed, borne and recovered
//! told     C1 -> ...              what somebody was told since the last look
//! ```

use super::super::billing::Party;
use super::super::command::NewSession;
use super::super::credit::{Bearer, DefaultReason};
use super::super::event::EventKind;
use super::super::{Actor, Command};
use super::script::{Stage, money};
use crate::model::Role;
use crate::model::id::{OrgId, ProgramId, SessionId, UserId};

impl Stage {
    /// Says a line of debt; `None` when it is none.
    pub fn run_debt(&mut self, words: &[&str]) -> Option<String> {
        let by = words.iter().find_map(|word| word.strip_prefix("by=")).unwrap_or("operator");
        Some(match *words {
            ["state", customer] => self.show_line(customer),
            ["default", customer, reason, ..] => {
                let id = self.line_of(customer);
                let reason = DefaultReason::read(reason).expect("a reason");
                self.tell(by, Command::DefaultLine { id, reason, note: String::new() })
            }
            ["unfreeze", customer, ..] => {
                let id = self.line_of(customer);
                self.tell(by, Command::UnfreezeLine { id, note: String::new() })
            }
            ["limit", customer, amount, ..] => {
                let id = self.line_of(customer);
                let lines = self.engine.snapshot().lines;
                let expect = lines.iter().find(|it| it.id == id).map_or(1, |it| it.version);
                let (limit, note) = (money(amount), String::new());
                self.tell(by, Command::ChangeLimit { id, expect, limit, note })
            }
            ["claimpaid", customer, program, amount, ..] => {
                let (line, program) = (self.line_of(customer), ProgramId::new(self.named(program)));
                let (amount, reference) = (money(amount), String::new());
                self.tell(by, Command::RecordClaimPayment { line, program, amount, reference })
            }
            ["writeoff", customer, ..] => {
                let line = self.line_of(customer);
                self.tell(by, Command::WriteOff { line, note: String::new() })
            }
            ["recover", customer, amount, ..] => {
                let (line, amount) = (self.line_of(customer), money(amount));
                let reference = String::new();
                self.tell(by, Command::RecordRecovery { line, amount, reference })
            }
            ["officer"] => self.officer(),
            ["debt", customer] => self.show_debt(customer),
            ["told", who] => self.told(who),
            _ => return None,
        })
    }

    /// The operator's second officer joins.
    fn officer(&mut self) -> String {
        let user = UserId::new(self.named("officer"));
        let token_hash = [251; 32];
        let invite = Command::InviteMember {
            user,
            email: "officer@market.example".to_owned(),
            roles: vec![Role::CreditOfficer],
            token_hash,
        };
        self.tell("operator", invite);
        let session = NewSession {
            id: SessionId::new(self.named("officer.session")),
            refresh_hash: [252; 32],
        };
        let password_hash = "x".to_owned();
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        self.said(Actor::Anonymous, accept)
    }

    /// What somebody was told since the last look.
    fn told(&mut self, who: &str) -> String {
        let org = OrgId::new(self.named(&format!("{who}.org")));
        let (told, others) = self.told.drain(..).partition(|(to, _)| *to == org);
        self.told = others;
        told.into_iter().map(|(_, kind): (OrgId, EventKind)| format!("{kind} ")).collect()
    }

    fn show_line(&mut self, customer: &str) -> String {
        let id = self.line_of(customer);
        let lines = self.engine.snapshot().lines;
        let Some(line) = lines.iter().find(|it| it.id == id) else { return "gone".to_owned() };
        let late = if line.past_due_since.is_some() { "late" } else { "in-time" };
        let waits = if line.proposal.is_some() { "proposed" } else { "settled" };
        format!("{} {late} {waits}", line.state)
    }

    fn show_debt(&mut self, customer: &str) -> String {
        let line = self.line_of(customer);
        let all = self.engine.snapshot().collections;
        let Some(it) = all.iter().find(|it| it.line == line) else { return "none".to_owned() };
        let mut said = format!(
            "{} defaulted={} written_off={} recovered={}",
            it.reason, it.defaulted, it.written_off, it.recovered
        );
        for claim in &it.claims {
            let (name, over) = (self.name_of(claim.program.uuid()), claim.invoices.len());
            said += &format!(" claim={name}:{}/{} over={over}", claim.paid, claim.amount);
        }
        for borne in &it.borne {
            let name = |org: OrgId| self.name_of(org.uuid()).trim_end_matches(".org").to_owned();
            let who = match borne.party {
                Bearer::Guarantor(org) => format!("guarantor.{}", name(org)),
                Bearer::Party(Party::Provider(org)) => name(org),
                Bearer::Party(Party::Vendor { vendor, .. }) => name(vendor),
                Bearer::Party(Party::Platform) => "platform".to_owned(),
                Bearer::Party(Party::Reseller(org)) => name(org),
            };
            said += &format!(" {who}={}/{}", borne.recovered, borne.amount);
        }
        said
    }
}
