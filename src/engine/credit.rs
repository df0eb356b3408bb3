//! Credit applications and lines. A line's balances are accounts of the EXP ledger; this room knows
//! limits, states and who decided.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Approve, Stamp};
use super::contract::{Commitment, Contract};
use super::effect::Effects;
use super::program::FrozenProgram;
use super::refusal::Refusal;
use crate::model::id::{ApplicationId, ContractId, LineId, OrgId, UserId};
use crate::model::{Micros, Minute, Money, Workload};
use crate::words;

words! {
    /// `submitted -> approved | declined | withdrawn`.
    ApplicationState {
        Submitted = "submitted",
        Approved = "approved",
        Declined = "declined",
        Withdrawn = "withdrawn",
    }
    /// `active <-> frozen`; `active -> past_due -> delinquent -> defaulted`; `active -> run_off -> closed`.
    LineState {
        Active = "active",
        Frozen = "frozen",
        PastDue = "past_due",
        Delinquent = "delinquent",
        Defaulted = "defaulted",
        RunOff = "run_off",
        Closed = "closed",
    }
}

/// Exactly what an officer said yes to. The second yes must be to the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub limit: Money,
    pub tenor_months: u32,
    pub net_days: u32,
}

/// A customer's request for a credit line, or for a higher limit on the one it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    pub id: ApplicationId,
    pub org: OrgId,
    pub requested: Money,
    pub purpose: String,
    pub workload: Option<Workload>,
    pub state: ApplicationState,
    /// The terms that were approved, or wait for a second officer.
    pub approval: Option<Approval>,
    /// The officers who said yes.
    pub approved_by: Vec<UserId>,
    /// How many it takes, known from the first yes on.
    pub approvals_needed: u32,
    pub declined_by: Option<UserId>,
    pub reason_codes: Vec<String>,
    pub note: String,
    pub line: Option<LineId>,
    pub created_at: Micros,
    pub changed_at: Micros,
    pub version: u32,
}

/// A step that waits for a second officer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposal {
    Unfreeze { by: UserId },
    Limit { limit: Money, by: UserId },
}

/// What a line has and where it is: `available = limit - held - drawn - defaulted`. Read off the EXP ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balances {
    pub limit: Money,
    pub available: Money,
    pub held: Money,
    pub drawn: Money,
    pub defaulted: Money,
}

/// A customer's credit line. One to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub id: LineId,
    pub org: OrgId,
    pub application: ApplicationId,
    pub state: LineState,
    /// A decrease that waits for what is used to free: where the limit is going.
    pub target_limit: Option<Money>,
    pub proposal: Option<Proposal>,
    pub net_days: u32,
    /// When the tenor ends and the line runs off.
    pub expires_at: Minute,
    pub note: String,
    pub created_at: Micros,
    pub changed_at: Micros,
    /// Rises with every decision, not with every hold; the ETag.
    pub version: u32,
}

/// Waiting applications and lines that are not closed.
#[derive(Debug, Default)]
pub struct Credit {
    pub(super) applications: BTreeMap<ApplicationId, Application>,
    pub(super) lines: BTreeMap<LineId, Line>,
    pub(super) by_org: BTreeMap<OrgId, LineId>,
}

// What trading asks of credit.
impl Engine {
    /// What a line has and where it is.
    pub fn balances(&self, _line: LineId) -> Balances {
        todo!()
    }

    /// The customer's line, if it may take a new hold of `needed`.
    pub(super) fn admits(&self, _org: OrgId, _needed: Money) -> Result<LineId, Refusal> {
        todo!()
    }

    /// Available to held. The gate is `admits`.
    pub(super) fn hold(
        &mut self,
        _at: &Stamp,
        _line: LineId,
        _amount: Money,
        _contract: Option<ContractId>,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// Held to available; what was freed first serves a decrease of the limit that waits.
    pub(super) fn release_hold(
        &mut self,
        _at: &Stamp,
        _line: LineId,
        _amount: Money,
        _contract: Option<ContractId>,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// Held to drawn.
    pub(super) fn draw(
        &mut self,
        _at: &Stamp,
        _line: LineId,
        _amount: Money,
        _contract: ContractId,
        _effective_at: Minute,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// What each program's guarantor will stand behind, for draws worth `supported` under it: coverage
    /// of what this contract adds to the line's exposure above the first loss, up to what is left of the cap.
    pub(super) fn commitments(
        &self,
        _line: LineId,
        _supported: &[(&FrozenProgram, Money)],
    ) -> Vec<Commitment> {
        todo!()
    }

    /// Posts a new contract's commitments; grants the cap (or its rise) first where it was not.
    pub(super) fn commit_guarantees(
        &mut self,
        _at: &Stamp,
        _contract: &Contract,
        _out: &mut Effects,
    ) {
        todo!()
    }

    /// A line's tenor has ended: `active | frozen | past_due -> run_off`, closed when nothing is used.
    pub(super) fn run_off(&mut self, _at: &Stamp, _line: LineId, _out: &mut Effects) {
        todo!()
    }
}

// The commands.
impl Engine {
    pub(super) fn apply_for_credit(
        &mut self,
        _at: &Stamp,
        _id: ApplicationId,
        _amount: Money,
        _purpose: String,
        _workload: Option<Workload>,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn approve(
        &mut self,
        _at: &Stamp,
        _ask: Approve,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn decline(
        &mut self,
        _at: &Stamp,
        _id: ApplicationId,
        _reason_codes: Vec<String>,
        _note: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn withdraw_application(
        &mut self,
        _at: &Stamp,
        _id: ApplicationId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn freeze_line(
        &mut self,
        _at: &Stamp,
        _id: LineId,
        _note: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn unfreeze_line(
        &mut self,
        _at: &Stamp,
        _id: LineId,
        _note: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn change_limit(
        &mut self,
        _at: &Stamp,
        _id: LineId,
        _expect: u32,
        _limit: Money,
        _note: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }
}
