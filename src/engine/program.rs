//! Vendor terms on supported capacity: revenue share by contract month, guarantee. Versions never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::effect::Effects;
use super::refusal::Refusal;
use crate::model::id::{OrgId, PoolId, ProgramId};
use crate::model::{BasisPoints, Micros, Money};

/// From this contract month on (the first is 1) the vendor takes `vendor_share`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareStep {
    pub from_month: u32,
    pub vendor_share: BasisPoints,
}

/// The vendor carries `coverage` of a line's exposure above `first_loss`, up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuaranteeTerms {
    pub coverage: BasisPoints,
    pub first_loss: Money,
    /// The most for one credit line.
    pub cap: Money,
}

/// What a program says. A contract keeps the version that was in force when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramTerms {
    /// Strictly rising months, the first is 1.
    pub shares: Vec<ShareStep>,
    pub guarantee: Option<GuaranteeTerms>,
}

/// A vendor's program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub id: ProgramId,
    pub name: String,
    pub vendor: OrgId,
    /// Rises by one with every amendment.
    pub version: u32,
    pub terms: Arc<ProgramTerms>,
    pub pools: BTreeSet<PoolId>,
    pub created_at: Micros,
}

/// One version of a program, as a contract freezes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenProgram {
    pub program: ProgramId,
    pub version: u32,
    pub vendor: OrgId,
    pub terms: Arc<ProgramTerms>,
}

/// All programs, each in its newest version.
#[derive(Debug, Default)]
pub struct Programs {
    pub(super) programs: BTreeMap<ProgramId, Program>,
}

impl ProgramTerms {
    /// The vendor's share in a contract month, the first being 1.
    pub fn vendor_share(&self, _month: u32) -> BasisPoints {
        todo!()
    }
}

impl Programs {
    /// The version in force now, to be frozen into a contract.
    pub(super) fn frozen(&self, _program: ProgramId) -> Option<Arc<FrozenProgram>> {
        todo!()
    }
}

impl Engine {
    pub(super) fn create_program(
        &mut self,
        _at: &Stamp,
        _id: ProgramId,
        _name: String,
        _vendor: OrgId,
        _terms: ProgramTerms,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn amend_program(
        &mut self,
        _at: &Stamp,
        _id: ProgramId,
        _expect: u32,
        _terms: ProgramTerms,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn enrol_pool(
        &mut self,
        _at: &Stamp,
        _program: ProgramId,
        _pool: PoolId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }
}
