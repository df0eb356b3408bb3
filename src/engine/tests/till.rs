//! The part of the script language that is about delivery and money.
//!
//! ```text
//! report   O1 10h..11h 16         the provider: 16 GPUs were missing in that hour; 0 confirms it
//! grant    O1 1000.00             the operator credits the customer
//! finalize C1                     all drafts of C1 become demands
//! invoice  C1 -> ...              look at what C1 has not settled: state total outstanding
//! note     C1 100.00              a credit note on the first of them      void C1
//! pay      C1 100.00              money comes in
//! payout   P [100.00] [as=vendor] money goes out, and arrives            bounce P  does not
//! close    2027-01    lock 2027-01
//! books    1100 C1 -> 40.00       what an account holds; GPU-hours in the books of capacity
//! accrued  O1 -> ...              what a contract has earned and delivered
//! ```

use super::super::Command;
use super::super::billing::Payable;
use super::super::ledger::{Account, AccountKey, Book};
use super::script::{Stage, money, number, span};
use crate::model::Money;
use crate::model::id::{ContractId, InvoiceId, OrgId, PaymentId, PayoutId};

impl Stage {
    /// Says a line of money; `None` when it is none.
    pub fn run_money(&mut self, words: &[&str]) -> Option<String> {
        Some(match *words {
            ["report", name, window, missing] => {
                let contract = ContractId::new(self.named(name));
                let (window, missing) = (span(window), number(missing));
                let note = String::new();
                let report = Command::ReportDelivery { contract, window, missing, note };
                let provider = self.provider_of(contract);
                self.tell(&provider, report)
            }
            ["grant", name, amount] => {
                let (contract, amount) = (ContractId::new(self.named(name)), money(amount));
                let note = String::new();
                self.tell("operator", Command::GrantCredit { contract, amount, note })
            }
            ["finalize", customer] => {
                let mut said = "refused nothing to finalize".to_owned();
                for id in self.invoices_of(customer, "draft") {
                    said = self.tell("operator", Command::FinalizeInvoice { id });
                }
                said
            }
            ["invoice", customer] => {
                let org = OrgId::new(self.named(&format!("{customer}.org")));
                let own = self.engine.billing.of_org(org);
                own.map(|it| format!("{} {} {} ", it.state, it.total, it.outstanding())).collect()
            }
            ["note", customer, amount] => {
                let id = self.first_invoice(customer)?;
                let (amount, note) = (money(amount), String::new());
                self.tell("operator", Command::CreditInvoice { id, amount, note })
            }
            ["void", customer] => {
                let id = self.first_invoice(customer)?;
                self.tell("operator", Command::VoidInvoice { id, note: String::new() })
            }
            ["pay", customer, amount] => {
                let org = OrgId::new(self.named(&format!("{customer}.org")));
                let id = PaymentId::new(self.fresh());
                let (amount, invoice, reference) = (money(amount), None, String::new());
                let pay = Command::RecordPayment { id, org, amount, invoice, reference };
                self.tell("operator", pay)
            }
            ["payout" | "bounce", who, ..] => self.pay_out(words, who),
            ["close", month] => {
                let month = month.parse().expect("a month");
                self.tell("operator", Command::ClosePeriod { month })
            }
            ["lock", month] => {
                let month = month.parse().expect("a month");
                self.tell("operator", Command::LockPeriod { month })
            }
            ["books", account, who] => self.books(account, who, who),
            ["books", account, who, second] => self.books(account, who, second),
            ["accrued", name] => {
                let id = ContractId::new(self.named(name));
                let all = self.engine.snapshot().contracts;
                let it = all.iter().find(|it| it.id == id);
                it.map_or("gone".to_owned(), |it| {
                    let (delivered, lost) = (it.delivered / 60, it.lost / 60);
                    let (accrued, unbilled) = (it.accrued, it.unbilled.amount());
                    format!("{} {accrued} {delivered} lost={lost} unbilled={unbilled}", it.state)
                })
            }
            _ => return None,
        })
    }

    /// Who made the pool of a contract.
    fn provider_of(&mut self, contract: ContractId) -> String {
        let all = self.engine.snapshot().contracts;
        let provider = all.iter().find(|it| it.id == contract).map(|it| it.provider.uuid());
        let name = provider.map_or("P.org".to_owned(), |org| self.name_of(org).to_owned());
        name.trim_end_matches(".org").to_owned()
    }

    fn invoices_of(&mut self, customer: &str, state: &str) -> Vec<InvoiceId> {
        let org = OrgId::new(self.named(&format!("{customer}.org")));
        let own = self.engine.billing.of_org(org).filter(|it| it.state.as_str() == state);
        own.map(|it| it.id).collect()
    }

    /// What is outstanding of a customer's first invoice that can still change.
    pub fn owed(&mut self, customer: &str) -> Option<String> {
        let org = OrgId::new(self.named(&format!("{customer}.org")));
        self.engine.billing.of_org(org).next().map(|it| it.outstanding().to_string())
    }

    fn first_invoice(&mut self, customer: &str) -> Option<InvoiceId> {
        let org = OrgId::new(self.named(&format!("{customer}.org")));
        self.engine.billing.of_org(org).next().map(|it| it.id)
    }

    fn pay_out(&mut self, words: &[&str], who: &str) -> String {
        let org = OrgId::new(self.named(&format!("{who}.org")));
        let id = PayoutId::new(self.fresh());
        let amount = words.get(2).filter(|word| !word.contains('=')).map(|word| money(word));
        let as_what = words.iter().find_map(|word| word.strip_prefix("as="));
        let payable = as_what.map_or(Payable::Provider, |it| Payable::read(it).expect("a word"));
        let reference = String::new();
        let said = self.tell("operator", Command::PayOut { id, org, payable, amount, reference });
        if said.starts_with("refused") {
            return said;
        }
        let paid = words[0] == "payout";
        self.tell("operator", Command::SettlePayout { id, paid })
    }

    fn books(&mut self, account: &str, who: &str, second: &str) -> String {
        let word = if account.starts_with(|it: char| it.is_ascii_digit()) {
            format!("gl_{account}")
        } else {
            account.to_owned()
        };
        let account = Account::read(&word).unwrap_or_else(|| panic!("no account {word}"));
        let key = match account.book() {
            Book::Gl => AccountKey::of(account, self.named(&format!("{who}.org"))),
            Book::Exp => AccountKey::of(account, self.line_of(who).uuid()),
            Book::Gua => {
                let (program, line) = (self.named(who), self.line_of(second).uuid());
                AccountKey::of_both(account, program, line)
            }
            Book::Cap => AccountKey::of(account, self.named(who)),
        };
        let net = self.engine.ledger.net(key);
        if account.book() == Book::Cap {
            (net / 60).to_string()
        } else {
            Money::from_micros(net).to_string()
        }
    }
}
