//! Floor 1, the brain. Decides everything about the market.
//!
//! Never reads a clock, a file, a socket or a random number; never awaits; never logs; no hash
//! order. Same commands, same state, always. `apply` is the only road in: every question is asked
//! before the first write, so a refusal leaves the engine as it was and no rollback code exists.

pub mod amendment;
mod ask;
pub mod audit;
pub mod backstop;
pub mod billing;
pub mod book;
mod bound;
pub mod capacity;
pub mod catalogue;
pub mod charge;
pub mod command;
pub mod contract;
pub mod credit;
pub mod deadline;
mod delivery;
pub mod effect;
pub mod event;
pub mod incident;
pub mod ledger;
pub mod listing;
pub mod matching;
pub mod order;
pub mod party;
pub mod program;
pub mod quote;
pub mod refusal;
pub mod remember;
pub mod resale;
pub mod snapshot;
pub mod split;
pub mod stamp;
#[cfg(test)]
mod tests;

pub use charge::SlaStep;
pub use command::{Actor, Answer, Command, Key, Stamp};
pub use effect::Effects;
pub use refusal::Refusal;

use crate::model::{BasisPoints, Micros, Money};

/// What the operator set for the whole market. Given at start, never changed while running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// A credit limit above this needs two different officers.
    pub two_person_threshold: Money,
    /// The platform's share of every delivered amount, in basis points.
    pub platform_fee: BasisPoints,
    /// The fee for cancelling what is left of a contract, in basis points of its value.
    pub cancellation_fee: BasisPoints,
    /// The fee on what a customer sells on of a contract, in basis points of what the buyer pays.
    pub resale_fee: BasisPoints,
    /// What customers are credited when a month's service was below the promise.
    pub sla: Vec<SlaStep>,
    /// What is kept back of a provider's part of each payment, in basis points.
    pub reserve: BasisPoints,
    /// How long it is kept back.
    pub reserve_days: u32,
    /// How long after its due day an invoice may still be paid in time.
    pub grace_days: u32,
    /// How long a draft invoice waits for the operator's eyes before it opens by itself.
    pub draft_hours: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            two_person_threshold: Money::from_micros(1_000_000_000_000),
            platform_fee: 500,
            cancellation_fee: 2_500,
            resale_fee: 100,
            sla: vec![
                SlaStep { below: 9_950, credit: 500 },
                SlaStep { below: 9_900, credit: 1_000 },
                SlaStep { below: 9_500, credit: 2_500 },
            ],
            reserve: 500,
            reserve_days: 90,
            grace_days: 3,
            draft_hours: 24,
        }
    }
}

/// The whole market's present, in memory.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    /// The last instant the market was told; it never runs backwards.
    now: Micros,
    /// The number of the last command that was applied.
    seq: u64,
    parties: party::Parties,
    catalogue: catalogue::Catalogue,
    programs: program::Programs,
    capacity: capacity::Capacity,
    book: book::Book,
    quotes: quote::Quotes,
    contracts: contract::Contracts,
    incidents: incident::Incidents,
    billing: billing::Billing,
    credit: credit::Credit,
    ledger: ledger::Ledger,
    deadlines: deadline::Deadlines,
    memory: remember::Memory,
    events: event::Heads,
    /// No part of the market: what a search for a block writes on.
    slate: matching::Slate,
}

impl Engine {
    /// A market in which nothing has happened.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Micros::default(),
            seq: 0,
            parties: party::Parties::default(),
            catalogue: catalogue::Catalogue::default(),
            programs: program::Programs::default(),
            capacity: capacity::Capacity::default(),
            book: book::Book::default(),
            quotes: quote::Quotes::default(),
            contracts: contract::Contracts::default(),
            incidents: incident::Incidents::default(),
            billing: billing::Billing::default(),
            credit: credit::Credit::default(),
            ledger: ledger::Ledger::default(),
            deadlines: deadline::Deadlines::default(),
            memory: remember::Memory::default(),
            events: event::Heads::default(),
            slate: matching::Slate::default(),
        }
    }

    /// The number of the last command that changed something.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The instant of the last command that changed something.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The next instant at which something falls due.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.deadlines.next()
    }

    /// Decides one command. `out` gathers what must be remembered; a refusal leaves the market as
    /// it was, except that a key is remembered with it, so that the same question has the same
    /// answer. One refusal does more: a refresh token used twice ends its session (see
    /// `refresh_session`).
    ///
    /// # Errors
    /// The reason for "no".
    ///
    /// # Panics
    /// When the stamp runs backwards or an invariant is broken: the code is wrong, the process
    /// stops.
    pub fn apply(
        &mut self,
        at: &Stamp,
        command: Command,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        assert!(at.seq > self.seq && at.at >= self.now, "stamps only grow");
        if let Some(key) = at.key {
            match self.memory.recall(key) {
                Some(seen) if seen.fingerprint == key.fingerprint => {
                    return Ok(Answer::Known { key, seq: seen.seq });
                }
                Some(_) => return Err(Refusal::KeyReused),
                None => {}
            }
        }
        let marks = out.marks();
        let outcome = self.decide(at, command, out);
        if let Some(key) = at.key {
            self.memory.keep(key, at.seq, at.at, out);
        }
        if out.marks() != marks {
            self.seq = at.seq;
            self.now = at.at;
            out.now = at.at;
        }
        outcome
    }

    #[expect(clippy::too_many_lines, reason = "the switchboard: a line or two a command")]
    fn decide(
        &mut self,
        at: &Stamp,
        command: Command,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        match command {
            Command::Tick => Ok(self.tick(at, out)),
            Command::Found { org, user, name, country, email, password_hash } => {
                self.found(at, org, user, name, country, email, password_hash, out)
            }
            Command::SignUp(ask) => self.sign_up(at, ask, out),
            Command::ApproveOrganization { org } => self.approve_organization(at, org, out),
            Command::SuspendOrganization { org, note } => {
                self.suspend_organization(at, org, note, out)
            }
            Command::GroupOrganization { org, group } => {
                self.group_organization(at, org, group, out)
            }
            Command::InviteMember { user, email, roles, token_hash } => {
                self.invite_member(at, user, email, roles, token_hash, out)
            }
            Command::AcceptInvitation { token_hash, password_hash, session } => {
                self.accept_invitation(at, token_hash, password_hash, session, out)
            }
            Command::ChangeMember { user, roles } => self.change_member(at, user, roles, out),
            Command::RemoveMember { user } => self.remove_member(at, user, out),
            Command::OpenSession { user, session } => self.open_session(at, user, session, out),
            Command::RefreshSession { presented_hash, next_hash } => {
                self.refresh_session(at, presented_hash, next_hash, out)
            }
            Command::CloseSession { session } => self.close_session(at, session, out),
            Command::CreateKey { key, name, roles, expires_at, hash } => {
                self.create_key(at, key, name, roles, expires_at, hash, out)
            }
            Command::RevokeKey { key } => self.revoke_key(at, key, out),
            Command::NoteKeyUse { keys } => self.note_key_use(at, keys, out),
            Command::CreateSku(sku) => self.create_sku(at, sku, out),
            Command::CreateRegion(region) => self.create_region(at, region, out),
            Command::CreateProgram { id, name, vendor, terms } => {
                self.create_program(at, id, name, vendor, terms, out)
            }
            Command::AmendProgram { id, expect, terms } => {
                self.amend_program(at, id, expect, terms, out)
            }
            Command::EnrolPool { program, pool } => self.enrol_pool(at, program, pool, out),
            Command::CreateFactory { id, name, region, power_kw, state } => {
                self.create_factory(at, id, name, region, power_kw, state, out)
            }
            Command::ChangeFactory { id, state } => self.change_factory(at, id, state, out),
            Command::CreatePool { id, factory, sku, phases } => {
                self.create_pool(at, id, factory, sku, phases, out)
            }
            Command::AddPhase { pool, phase } => self.add_phase(at, pool, phase, out),
            Command::PostponePhase { pool, phase, from, note } => {
                self.postpone_phase(at, pool, phase, from, &note, out)
            }
            Command::EndMaintenance { pool, window } => self.end_maintenance(at, pool, window, out),
            Command::AnswerSubstitution { incident, contract, accept } => {
                self.answer_substitution(at, incident, contract, accept, out)
            }
            Command::AddMaintenance { pool, window, gpus, note } => {
                self.add_maintenance(at, pool, window, gpus, note, out)
            }
            Command::PublishListing(ask) => self.publish_listing(at, ask, out),
            Command::ReleaseListing { id } => self.release_listing(at, id, out),
            Command::RepriceListing { id, expect, price } => {
                self.reprice_listing(at, id, expect, price, out)
            }
            Command::WithdrawListing { id } => self.withdraw_listing(at, id, out),
            Command::Apply { id, amount, purpose, workload } => {
                self.apply_for_credit(at, id, amount, purpose, workload, out)
            }
            Command::Approve(ask) => self.approve(at, ask, out),
            Command::Decline { id, reason_codes, note } => {
                self.decline(at, id, reason_codes, note, out)
            }
            Command::WithdrawApplication { id } => self.withdraw_application(at, id, out),
            Command::FreezeLine { id, note } => self.freeze_line(at, id, note, out),
            Command::UnfreezeLine { id, note } => self.unfreeze_line(at, id, note, out),
            Command::ChangeLimit { id, expect, limit, note } => {
                self.change_limit(at, id, expect, limit, note, out)
            }
            Command::SetCap { subject, amount, note } => {
                self.set_cap(at, subject, amount, note, out)
            }
            Command::ReviewLine { id, outcome, next_months, note } => {
                self.review_line(at, id, outcome, next_months, note, out)
            }
            Command::Quote { id, ask, hold_secs } => self.quote(at, id, ask, hold_secs, out),
            Command::PlaceOrder(ask) => self.place_order(at, ask, out),
            Command::CancelOrder { id } => self.cancel_order(at, id, out),
            Command::ReportDelivery { contract, window, missing, note } => {
                self.report_delivery(at, contract, window, missing, &note, out)
            }
            Command::GrantCredit { contract, amount, note } => {
                self.grant_credit(at, contract, amount, &note, out)
            }
            Command::ChangeContract(ask) => self.change_contract(at, ask, out),
            Command::Resell(ask) => self.resell(at, ask, out),
            Command::EndResale { contract, listing } => self.end_resale(at, contract, listing, out),
            Command::Transfer(ask) => self.transfer(at, ask, out),
            Command::FinalizeInvoice { id } => self.finalize_invoice(at, id, out),
            Command::CreditInvoice { id, amount, note } => {
                self.credit_invoice(at, id, amount, &note, out)
            }
            Command::VoidInvoice { id, note } => self.void_invoice(at, id, &note, out),
            Command::RecordPayment { id, org, amount, invoice, reference } => {
                self.record_payment(at, id, org, amount, invoice, reference, out)
            }
            Command::PayOut { id, org, payable, amount, reference } => {
                self.pay_out(at, id, org, payable, amount, reference, out)
            }
            Command::SettlePayout { id, paid } => self.settle_payout(at, id, paid, out),
            Command::ClosePeriod { month } => self.close_period(at, month, out),
            Command::LockPeriod { month } => self.lock_period(at, month, out),
            Command::DefaultLine { id, reason, note } => {
                self.default_line(at, id, reason, note, out)
            }
            Command::RecordClaimPayment { line, program, amount, reference } => {
                self.record_claim_payment(at, line, program, amount, &reference, out)
            }
            Command::WriteOff { line, note } => self.write_off(at, line, &note, out),
            Command::RecordRecovery { line, amount, reference } => {
                self.record_recovery(at, line, amount, &reference, out)
            }
        }
    }
}
