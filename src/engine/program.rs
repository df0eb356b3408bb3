//! Vendor terms on supported capacity: revenue share by contract month, guarantee. Versions never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::bound;
use super::command::{Answer, Stamp};
use super::effect::{Change, Effects};
use super::party::OrganizationState;
use super::refusal::Refusal;
use crate::model::id::{OrgId, PoolId, ProgramId};
use crate::model::{BasisPoints, Micros, Money, Right, limits};

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
    /// Every version that was in force, kept once: a million contracts freeze one copy.
    versions: BTreeMap<(ProgramId, u32), Arc<FrozenProgram>>,
}

/// The whole, in basis points.
const WHOLE: BasisPoints = 10_000;

impl ProgramTerms {
    /// The vendor's share in a contract month, the first being 1.
    pub fn vendor_share(&self, month: u32) -> BasisPoints {
        let begun = self.shares.iter().rev().find(|step| step.from_month <= month);
        begun.map_or(0, |step| step.vendor_share)
    }

    /// Every field, given what the platform takes beside the vendor.
    fn is_within_bounds(&self, platform_fee: BasisPoints) -> Result<(), Refusal> {
        bound::count("shares", self.shares.len(), 1, limits::SHARE_STEPS_MAX)?;
        let mut before = 0;
        for step in &self.shares {
            bound::within("from_month", step.from_month, 1, limits::SHARE_MONTH_MAX)?;
            let is_first_late = before == 0 && step.from_month != 1;
            if is_first_late || step.from_month <= before {
                let rule = "the first is 1, each later one is greater";
                return Err(Refusal::Invalid { field: "from_month", rule });
            }
            let most = WHOLE.saturating_sub(platform_fee);
            bound::within("vendor_share", step.vendor_share, 0, most)?;
            before = step.from_month;
        }
        let Some(GuaranteeTerms { coverage, first_loss, cap }) = self.guarantee else {
            return Ok(());
        };
        bound::within("coverage", coverage, 1, WHOLE)?;
        bound::within("first_loss", first_loss.micros(), 0, limits::AMOUNT_MAX)?;
        bound::within("cap", cap.micros(), 1, limits::AMOUNT_MAX)
    }
}

impl Programs {
    /// The programs that hold these.
    pub(super) fn from_parts(programs: Vec<Program>) -> Self {
        let mut all = Self::default();
        programs.into_iter().for_each(|program| all.put(program));
        all
    }

    /// A program in its newest version.
    pub fn program(&self, id: ProgramId) -> Option<&Program> {
        self.programs.get(&id)
    }

    /// All programs, in the order of their ids.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        self.programs.values()
    }

    /// The version in force now, to be frozen into a contract. The same one each time.
    pub(super) fn frozen(&self, program: ProgramId) -> Option<Arc<FrozenProgram>> {
        let version = self.programs.get(&program)?.version;
        self.versions.get(&(program, version)).cloned()
    }

    /// The one copy of a version that a restored contract was made under, so that restored contracts
    /// share it as those made here do.
    pub(super) fn share(&mut self, frozen: &Arc<FrozenProgram>) -> Arc<FrozenProgram> {
        let version = (frozen.program, frozen.version);
        let one = self.versions.entry(version).or_insert_with(|| frozen.clone());
        assert_eq!(one, frozen, "a version never changes");
        one.clone()
    }

    fn put(&mut self, program: Program) {
        let Program { id, vendor, version, ref terms, .. } = program;
        let terms = terms.clone();
        let frozen = FrozenProgram { program: id, version, vendor, terms };
        self.versions.entry((id, version)).or_insert_with(|| Arc::new(frozen));
        self.programs.insert(id, program);
    }
}

impl Engine {
    pub(super) fn create_program(
        &mut self,
        at: &Stamp,
        id: ProgramId,
        name: String,
        vendor: OrgId,
        terms: ProgramTerms,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Catalogue)?;
        bound::name("name", &name)?;
        let unknown = || Refusal::Unknown { field: "vendor_id", named: vendor.to_string() };
        let organization = self.parties.organization(vendor).ok_or_else(unknown)?;
        let is_active = organization.state == OrganizationState::Active;
        if !organization.capabilities.vendor || !is_active {
            let rule = "an active organization with the capability `vendor`";
            return Err(Refusal::Invalid { field: "vendor_id", rule });
        }
        terms.is_within_bounds(self.settings.platform_fee)?;
        assert!(self.programs.program(id).is_none(), "identifiers are fresh");

        // From here it must succeed: every question has been asked.
        let (terms, pools, created_at) = (Arc::new(terms), BTreeSet::new(), at.at);
        let program = Program { id, name, vendor, version: 1, terms, pools, created_at };
        out.programs.born(id, program.clone());
        self.programs.put(program.clone());
        Ok(Answer::Program(program))
    }

    /// New terms for contracts made from now on; made contracts keep theirs.
    pub(super) fn amend_program(
        &mut self,
        at: &Stamp,
        id: ProgramId,
        expect: u32,
        terms: ProgramTerms,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Catalogue)?;
        let before = self.programs.program(id).ok_or(Refusal::NotFound { kind: "program" })?;
        if before.version != expect {
            let actual = before.version;
            return Err(Refusal::VersionMismatch { expected: expect, actual });
        }
        terms.is_within_bounds(self.settings.platform_fee)?;

        // From here it must succeed: every question has been asked.
        let mut program = before.clone();
        program.version += 1;
        program.terms = Arc::new(terms);
        Ok(self.change_program(program, out))
    }

    /// Puts a pool's capacity under a program. A pool may be under several; its listings say which.
    pub(super) fn enrol_pool(
        &mut self,
        at: &Stamp,
        program: ProgramId,
        pool: PoolId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Catalogue)?;
        let found = self.programs.program(program);
        let before = found.ok_or(Refusal::NotFound { kind: "program" })?;
        if !self.capacity.by_id.contains_key(&pool) {
            return Err(Refusal::Unknown { field: "pool_id", named: pool.to_string() });
        }
        if before.pools.contains(&pool) {
            return Err(Refusal::Duplicate { kind: "pool", named: pool.to_string() });
        }
        if before.pools.len() >= limits::POOLS_PER_PROGRAM_MAX {
            return Err(Refusal::TooMany { kind: "pool", most: limits::POOLS_PER_PROGRAM_MAX });
        }

        // From here it must succeed: every question has been asked. The terms are as they were, and so
        // is the version.
        let mut program = before.clone();
        program.pools.insert(pool);
        Ok(self.change_program(program, out))
    }

    fn change_program(&mut self, program: Program, out: &mut Effects) -> Answer {
        let before = self.programs.program(program.id).expect("it was there");
        out.changes.push(Change::between(&program.id, before, &program));
        out.programs.changed(program.id, program.clone());
        self.programs.put(program.clone());
        Answer::Program(program)
    }
}
