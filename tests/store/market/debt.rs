//! One customer's way into default and what follows, step by step: enough to see every fact of it kept.

use super::{Market, money};
use headroom::engine::billing::Payable;
use headroom::engine::command::{NewSession, OrderKind};
use headroom::engine::credit::{Collection, DefaultReason};
use headroom::engine::order::{Start, TimeInForce};
use headroom::engine::{Actor, Answer, Command};
use headroom::model::id::*;
use headroom::model::{Money, Month, Role};

/// What happens, one step after the other.
pub const STEPS: usize = 10;

impl Market {
    /// Does one step. The customer is the first one, the line in default its own.
    pub fn debt(&mut self, step: usize) {
        let officer = Actor::User(self.officer);
        let second = Actor::User(UserId::new(super::Uuid::from_u128(2)));
        let (note, reference) = (String::new(), "by hand".to_owned());
        match step {
            // More than is on offer without support: a guarantor stands behind a part of it.
            0 => {
                self.admit(UserId::new(super::Uuid::from_u128(2)));
                self.buy(160_000, 1);
            }
            // The month ends, the draft opens.
            1 => self.wait(20 * 24 * 60),
            2 => {
                self.buy(8, 48);
                let (id, reason) = (self.debtor(), DefaultReason::Insolvency);
                self.must(officer, Command::DefaultLine { id, reason, note });
            }
            3 => {
                let (id, reason) = (self.debtor(), DefaultReason::Insolvency);
                self.must(second, Command::DefaultLine { id, reason, note });
            }
            4 => self.claim_paid(money(7)),
            5 => {
                let line = self.debtor();
                self.must(officer, Command::WriteOff { line, note });
            }
            6 => self.claim_paid(self.collection().claims[0].unpaid()),
            7 => {
                let (line, amount) = (self.debtor(), money(1_000));
                self.must(officer, Command::RecordRecovery { line, amount, reference });
            }
            8 => {
                let org = self.collection().claims[0].guarantor;
                for paid in [false, true] {
                    let (id, payable) = (PayoutId::new(self.mint()), Payable::Guarantor);
                    let reference = reference.clone();
                    let pay = Command::PayOut { id, org, payable, amount: None, reference };
                    self.must(officer, pay);
                    self.must(officer, Command::SettlePayout { id, paid });
                }
            }
            _ => {
                let month = Month::of(super::Minute::new(super::START));
                self.must(officer, Command::ClosePeriod { month });
                self.must(officer, Command::LockPeriod { month });
            }
        }
    }

    /// The debt, as the engine has it.
    pub fn collection(&self) -> Collection {
        self.engine.snapshot().collections.first().cloned().unwrap()
    }

    fn debtor(&self) -> LineId {
        let snapshot = self.engine.snapshot();
        let customer = snapshot.users.iter().find(|user| user.id == self.customers[0]).unwrap();
        snapshot.lines.iter().find(|line| line.org == customer.org).unwrap().id
    }

    fn claim_paid(&mut self, amount: Money) {
        let (line, program) = (self.debtor(), self.collection().claims[0].program);
        let reference = "by hand".to_owned();
        let paid = Command::RecordClaimPayment { line, program, amount, reference };
        self.must(Actor::User(self.officer), paid);
    }

    /// A second officer.
    fn admit(&mut self, user: UserId) {
        let (token_hash, refresh_hash) = ([7; 32], [8; 32]);
        let (email, roles) = ("second@example.test".to_owned(), vec![Role::CreditOfficer]);
        let invite = Command::InviteMember { user, email, roles, token_hash };
        self.must(Actor::User(self.officer), invite);
        let session = NewSession { id: SessionId::new(self.mint()), refresh_hash };
        let password_hash = "x".to_owned();
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        self.must(Actor::Anonymous, accept);
    }

    /// The customer buys so many GPUs for so many hours from the next hour on.
    fn buy(&mut self, gpus: u32, hours: i64) {
        let ask = self.ask(Start::At(self.next_hour()), gpus, hours, 500);
        let place = self.place(OrderKind::Ask { ask, time_in_force: TimeInForce::Ioc });
        let outcome = self.act(Actor::User(self.customers[0]), place);
        let is_made = matches!(outcome, Ok(Answer::Order { contract: Some(_), .. }));
        assert!(is_made, "{outcome:?}");
    }
}
