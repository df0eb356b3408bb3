//! The bank on stage, and the little language of its tables.
//!
//! A line reads `who verb what -> words`: each word must be among those of the outcome. After every
//! line the books must balance, limits be the sum of their parts, deadlines follow from the lines,
//! and a refusal have changed nothing.
//!
//! ```text
//! ann   apply 100                    a customer asks
//! otto  approve ann 100 [tenor= net= dry]      ora: the second officer
//! otto  decline ann other,…          freeze ann    unfreeze ann    limit ann 50 [v=2]
//! ann   hold 30    release 10    draw 5    expire       what trading and time do
//! ```

use uuid::Uuid;

use super::super::super::command::{Approve, NewSession, SignUp};
use super::super::super::credit::{
    Application, ApplicationState, Balances, Credit, Line, LineState,
};
use super::super::super::deadline::Due;
use super::super::super::ledger::{AccountKey, Balance, Book};
use super::super::super::party::Capabilities;
use super::super::super::{Actor, Answer, Command, Effects, Engine, Refusal, Settings, Stamp};
use crate::model::id::{ApplicationId, ContractId, LineId, OrgId, SessionId, UserId};
use crate::model::{Micros, Minute, Money, Role, Segment};

/// 2027-01-01T00:00Z.
const ZERO: i64 = 29_979_360;

/// Who is who: the operator's two officers and its auditor; two customers; a trader of the first.
const PEOPLE: [&str; 6] = ["otto", "ora", "aud", "ann", "bob", "tom"];

pub fn check(table: &str) {
    let mut bank = Bank::new();
    for (number, row) in table.lines().enumerate() {
        let row = row.split('#').next().unwrap_or("").trim();
        if row.is_empty() {
            continue;
        }
        let (doing, expected) = row.split_once("->").unwrap_or((row, ""));
        let outcome = bank.does(doing);
        for word in expected.split_whitespace() {
            let is_there = outcome.split_whitespace().any(|said| said == word);
            assert!(is_there, "line {number}: {row}\n  no {word} in: {outcome}");
        }
    }
}

pub fn money(text: &str) -> Money {
    text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

/// Everything this room must leave alone when it says no.
type Whole = (Vec<Line>, Vec<Application>, Vec<(AccountKey, Balance)>, Vec<(Micros, Due)>);

pub struct Bank {
    pub engine: Engine,
    now: Micros,
    fresh: u128,
    applications: [Option<ApplicationId>; PEOPLE.len()],
    pub lines: [Option<LineId>; PEOPLE.len()],
}

impl Bank {
    pub fn new() -> Self {
        let mut bank = Self {
            engine: Engine::new(Settings::default()),
            now: Minute::new(ZERO).micros(),
            fresh: 1_000,
            applications: [None; PEOPLE.len()],
            lines: [None; PEOPLE.len()],
        };
        bank.must(
            Actor::System,
            Command::Found {
                org: org("otto"),
                user: user("otto"),
                name: "Market".to_owned(),
                country: "US".parse().expect("a country"),
                email: "otto@market.example".to_owned(),
                password_hash: "x".to_owned(),
            },
        );
        for customer in ["ann", "bob"] {
            bank.must(
                Actor::Anonymous,
                Command::SignUp(SignUp {
                    org: org(customer),
                    user: user(customer),
                    name: customer.to_owned(),
                    capabilities: Capabilities { customer: true, ..Capabilities::default() },
                    segment: Some(Segment::Research),
                    country: "DE".parse().expect("a country"),
                    email: format!("{customer}@customer.example"),
                    password_hash: "x".to_owned(),
                    session: session(customer),
                }),
            );
        }
        bank.joins("ora", "otto", Role::CreditOfficer);
        bank.joins("aud", "otto", Role::Auditor);
        bank.joins("tom", "ann", Role::Trader);
        bank
    }

    fn joins(&mut self, who: &str, host: &str, role: Role) {
        let token_hash = session(who).refresh_hash;
        self.must(
            Actor::User(user(host)),
            Command::InviteMember {
                user: user(who),
                email: format!("{who}@member.example"),
                roles: vec![role],
                token_hash,
            },
        );
        let password_hash = "x".to_owned();
        let session = session(who);
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        self.must(Actor::Anonymous, accept);
    }

    fn must(&mut self, actor: Actor, command: Command) {
        let (outcome, _) = self.apply(actor, command);
        assert!(outcome.is_ok(), "the stage could not be set: {outcome:?}");
    }

    fn fresh(&mut self) -> Uuid {
        self.fresh += 1;
        Uuid::from_u128(self.fresh)
    }

    fn stamp(&self, actor: Actor) -> Stamp {
        let seq = self.engine.seq() + 1;
        Stamp { at: self.now, seq, actor, request: Uuid::nil(), key: None }
    }

    fn whole(&self) -> Whole {
        let deadlines = self.engine.deadlines.facts().map(|(at, due)| (at, due.clone()));
        let is_ours = |(_, due): &(Micros, Due)| matches!(due, Due::LineRunsOff(_));
        (
            self.engine.credit.lines().cloned().collect(),
            self.engine.credit.applications().cloned().collect(),
            self.engine.ledger.accounts().collect(),
            deadlines.filter(is_ours).collect(),
        )
    }

    pub fn apply(&mut self, actor: Actor, command: Command) -> (Result<Answer, Refusal>, Effects) {
        let (at, mut out) = (self.stamp(actor), Effects::default());
        let before = self.whole();
        let outcome = self.engine.apply(&at, command, &mut out);
        if outcome.is_err() {
            assert_eq!(out.marks(), 0, "a refusal noted something: {outcome:?}");
        }
        if out.marks() == 0 {
            assert_eq!(before, self.whole(), "something changed that nobody noted: {outcome:?}");
        }
        self.is_sound();
        (outcome, out)
    }

    /// What must be true after everything.
    fn is_sound(&self) {
        for line in self.engine.credit.lines() {
            let Balances { limit, available, held, drawn, defaulted } =
                self.engine.balances(line.id);
            let parts = [available, held, drawn, defaulted];
            assert!(parts.iter().all(|part| !part.is_negative()), "{parts:?}");
            assert_eq!(limit.micros(), parts.map(Money::micros).iter().sum::<i64>());
            // Nothing is free while a decrease waits, and what waits is a decrease.
            if let Some(target) = line.target_limit {
                assert!(available.is_zero() && target < limit, "{line:?} {limit}");
            }
            let is_used_up = line.state == LineState::RunOff && held.is_zero() && drawn.is_zero();
            assert!(!is_used_up, "a line that runs off closes when nothing is used");
            assert_eq!(self.engine.credit.line_of(line.org), Some(line.id));
        }
        let sums = self.engine.ledger.trial_balance(Book::Exp);
        assert_eq!(sums.debits, sums.credits);
        let (lines, applications, _, deadlines) = self.whole();
        let mut derived: Vec<_> = lines.iter().flat_map(Line::deadlines).collect();
        derived.sort();
        assert_eq!(deadlines, derived);
        assert!(applications.iter().all(|ask| ask.state == ApplicationState::Submitted));
        assert_eq!(self.engine.credit.waiting.len(), applications.len());
        let rebuilt = Credit::from_parts(applications, lines, Vec::new(), Vec::new());
        assert_eq!(format!("{rebuilt:?}"), format!("{:?}", self.engine.credit));
    }

    /// One line of a table; answers what came of it, in words.
    pub fn does(&mut self, doing: &str) -> String {
        let mut words = doing.split_whitespace();
        let who = words.next().expect("somebody");
        let verb = words.next().expect("does something");
        let words: Vec<_> = words.collect();
        let option =
            |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str, usual: u32| {
            option(name).map_or(usual, |text| text.parse().expect("a number"))
        };
        let whom = words.first().copied().filter(|word| PEOPLE.contains(word)).unwrap_or(who);
        let amount =
            words.iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
        let amount = amount.map_or(Money::ZERO, |text| money(text));
        let note = option("note").unwrap_or("").to_owned();
        let line = self.lines[place(whom)].unwrap_or(LineId::new(Uuid::nil()));
        let id = self.applications[place(whom)].unwrap_or(ApplicationId::new(Uuid::nil()));
        let command = match verb {
            "apply" => {
                let id = ApplicationId::new(self.fresh());
                let purpose = option("purpose").unwrap_or("post-training").replace('_', " ");
                Command::Apply { id, amount, purpose, workload: None }
            }
            "withdraw" => Command::WithdrawApplication { id },
            "approve" => Command::Approve(Approve {
                id,
                line: LineId::new(self.fresh()),
                limit: amount,
                tenor_months: number("tenor", 12),
                net_days: number("net", 30),
                note,
                dry_run: words.contains(&"dry"),
            }),
            "decline" => {
                let codes = words.get(1).map_or("", |codes| codes);
                let reason_codes = codes.split(',').filter(|code| !code.is_empty());
                Command::Decline {
                    id,
                    reason_codes: reason_codes.map(str::to_owned).collect(),
                    note,
                }
            }
            "freeze" => Command::FreezeLine { id: line, note },
            "unfreeze" => Command::UnfreezeLine { id: line, note },
            "limit" => {
                let version = self.engine.credit.lines().find(|it| it.id == line);
                let version = version.map_or(1, |line| line.version);
                let expect = number("v", version);
                Command::ChangeLimit { id: line, expect, limit: amount, note }
            }
            _ => return self.uses(who, verb, amount),
        };
        let (outcome, out) = self.apply(Actor::User(user(who)), command);
        if let Ok(Answer::Application(ask)) = &outcome {
            let owner = PEOPLE.iter().position(|name| org(name) == ask.org).expect("a customer");
            self.applications[owner] = Some(ask.id);
            self.lines[owner] = ask.line.or(self.lines[owner]);
        }
        self.in_words(&outcome, &out)
    }

    /// What trading and time do to a line.
    fn uses(&mut self, who: &str, verb: &str, amount: Money) -> String {
        let at = self.stamp(Actor::User(user(who)));
        let (mut out, contract) = (Effects::default(), ContractId::new(Uuid::nil()));
        let admitted = self.engine.admits(org(who), amount);
        let line = self.engine.credit.line_of(org(who));
        match (verb, line) {
            ("hold", _) => match admitted {
                Ok(line) => self.engine.hold(&at, line, amount, None, &mut out),
                Err(refusal) => return self.in_words(&Err(refusal), &out),
            },
            ("release", Some(line)) => self.engine.release_hold(&at, line, amount, None, &mut out),
            ("draw", Some(line)) => {
                self.engine.draw(&at, line, amount, contract, at.now(), &mut out);
            }
            ("expire", Some(line)) => {
                // As the tick does: the deadline is taken, then met.
                let (due_at, due) =
                    self.engine.credit.lines[&line].deadlines().next().expect("it runs");
                self.engine.deadlines.clear(due_at, due);
                self.engine.run_off(&at, line, &mut out);
            }
            _ => panic!("{who} cannot {verb}"),
        }
        self.is_sound();
        self.engine.seq = at.seq;
        let line = self.lines[place(who)].expect("a line was used");
        let (line, balances) = (out.lines.get(&line).cloned(), self.engine.balances(line));
        let line = line.or_else(|| self.engine.credit.lines.get(&self.lines[place(who)]?).cloned());
        self.in_words(&Ok(Answer::Line { line: line.expect("it is somewhere"), balances }), &out)
    }

    fn in_words(&self, outcome: &Result<Answer, Refusal>, out: &Effects) -> String {
        let told: Vec<_> = out.events.iter().map(|event| event.kind.as_str()).collect();
        let said = match outcome {
            Ok(Answer::Application(ask)) => {
                let (given, needed) = (ask.approved_by.len(), ask.approvals_needed);
                let line = if ask.line.is_some() { "line" } else { "no-line" };
                format!("{} {given}/{needed} {line} v={}", ask.state, ask.version)
            }
            Ok(Answer::Line { line, balances }) => {
                let Balances { limit, available, held, drawn, .. } = balances;
                let target = line.target_limit.map_or("-".to_owned(), |it| it.to_string());
                let proposal = if line.proposal.is_some() { "proposed" } else { "settled" };
                format!(
                    "{} limit={limit} free={available} held={held} drawn={drawn} to={target} \
                     {proposal} v={} until={}",
                    line.state, line.version, line.expires_at
                )
            }
            Ok(answer) => format!("{answer:?}"),
            Err(refusal) => refused(refusal),
        };
        format!("{said} {}", told.join(" "))
    }
}

fn refused(refusal: &Refusal) -> String {
    let code = refusal.code();
    match refusal {
        Refusal::CreditShort { needed, available, missing, .. } => {
            format!("{code} needed={needed} available={available} missing={missing}")
        }
        Refusal::CreditLineState { state, .. } => format!("{code} {state}"),
        Refusal::OutOfBounds { field, .. } | Refusal::Invalid { field, .. } => {
            format!("{code} {field}")
        }
        Refusal::Unknown { field, named } => format!("{code} {field} {named}"),
        Refusal::NotFound { kind } => format!("{code} {kind}"),
        Refusal::WrongState { kind, state, needed } => format!("{code} {kind} {state} {needed}"),
        Refusal::VersionMismatch { expected, actual } => format!("{code} {expected} {actual}"),
        Refusal::TermsDiffer { first } => {
            format!("{code} {} tenor={} net={}", first.limit, first.tenor_months, first.net_days)
        }
        _ => code.to_owned(),
    }
}

pub fn place(who: &str) -> usize {
    PEOPLE.iter().position(|name| *name == who).unwrap_or_else(|| panic!("who is {who}?"))
}

pub fn org(who: &str) -> OrgId {
    let host = match who {
        "otto" | "ora" | "aud" => 1,
        "bob" => 3,
        _ => 2,
    };
    OrgId::new(Uuid::from_u128(host))
}

pub fn user(who: &str) -> UserId {
    UserId::new(Uuid::from_u128(100 + place(who) as u128))
}

fn session(who: &str) -> NewSession {
    let mark = u8::try_from(place(who)).expect("few people");
    NewSession {
        id: SessionId::new(Uuid::from_u128(200 + place(who) as u128)),
        refresh_hash: [mark; 32],
    }
}
