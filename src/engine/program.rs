//! Vendor terms on supported capacity: revenue share by contract month, guarantee, off-take
//! backstop. Versions never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::ask::check_price;
use super::bound;
use super::command::{Answer, Stamp};
use super::effect::{Change, Effects};
use super::party::OrganizationState;
use super::refusal::Refusal;
use crate::model::id::{OrgId, PoolId, ProgramId};
use crate::model::{BasisPoints, Micros, Money, Price, Right, limits};

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

/// The vendor buys what is unsold of supported capacity so long before it is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackstopTerms {
    /// Per GPU-hour, whatever the listing asks.
    pub price: Price,
    pub lead_hours: u32,
    /// The most that is bought in all.
    pub cap: Money,
}

/// What a program says. A contract keeps the version that was in force when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramTerms {
    /// Strictly rising months, the first is 1.
    pub shares: Vec<ShareStep>,
    pub guarantee: Option<GuaranteeTerms>,
    #[serde(default)]
    pub backstop: Option<BackstopTerms>,
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
        if let Some(GuaranteeTerms { coverage, first_loss, cap }) = self.guarantee {
            bound::within("coverage", coverage, 1, WHOLE)?;
            bound::within("first_loss", first_loss.micros(), 0, limits::AMOUNT_MAX)?;
            bound::within("cap", cap.micros(), 1, limits::AMOUNT_MAX)?;
        }
        if let Some(BackstopTerms { price, lead_hours, cap }) = self.backstop {
            check_price("backstop_price", price)?;
            bound::within("lead_hours", lead_hours, 1, limits::BACKSTOP_LEAD_HOURS_MAX)?;
            bound::within("backstop_cap", cap.micros(), 1, limits::AMOUNT_MAX)?;
        }
        Ok(())
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

    /// The one copy of a version that a restored contract was made under, so that restored
    /// contracts share it as those made here do.
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
        self.open_backstop(at, &program, out);
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
        self.backstop_may_become(before, terms.backstop)?;

        // From here it must succeed: every question has been asked.
        let before = before.clone();
        let mut program = before.clone();
        program.version += 1;
        program.terms = Arc::new(terms);
        let answer = self.change_program(program, out);
        self.amend_backstop(at, &before, out);
        Ok(answer)
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

        // From here it must succeed: every question has been asked. The terms are as they were, and
        // so is the version.
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

#[cfg(test)]
mod tests {
    use super::super::command::{Actor, Command};
    use super::super::party::harness::Market;
    use super::*;

    fn step(from_month: u32, vendor_share: BasisPoints) -> ShareStep {
        ShareStep { from_month, vendor_share }
    }

    fn terms(shares: &[ShareStep]) -> ProgramTerms {
        ProgramTerms { shares: shares.to_vec(), guarantee: None, backstop: None }
    }

    fn guaranteed(coverage: BasisPoints, first_loss: i64, cap: i64) -> ProgramTerms {
        let (first_loss, cap) = (Money::from_micros(first_loss), Money::from_micros(cap));
        let guarantee = Some(GuaranteeTerms { coverage, first_loss, cap });
        ProgramTerms { shares: vec![step(1, 1_500)], guarantee, backstop: None }
    }

    fn create(market: &mut Market, vendor: OrgId, terms: ProgramTerms) -> Command {
        let id = ProgramId::new(market.mint());
        Command::CreateProgram { id, name: "Supported".into(), vendor, terms }
    }

    /// A market with a vendor, and a program of it.
    fn with_program() -> (Market, OrgId, ProgramId) {
        let mut market = Market::founded();
        let vendor = market.admitted("vendor", "customer vendor");
        let vendor = market.org(vendor);
        let command = create(&mut market, vendor, terms(&[step(1, 1_500)]));
        let Ok(Answer::Program(program)) = market.ask(market.founder, command) else {
            panic!("a program")
        };
        assert_eq!((program.version, program.created_at), (1, market.now()));
        assert_eq!(market.out.programs.get(&program.id), Some(&program));
        (market, vendor, program.id)
    }

    fn field_of(refusal: Result<Answer, Refusal>) -> &'static str {
        match refusal {
            Err(Refusal::OutOfBounds { field, .. } | Refusal::Invalid { field, .. }) => field,
            other => panic!("not refused for a field: {other:?}"),
        }
    }

    #[test]
    fn the_share_of_a_month_is_that_of_the_last_step_begun() {
        let terms = terms(&[step(1, 2_000), step(13, 1_000), step(25, 0)]);
        for (month, share) in [(0, 0), (1, 2_000), (12, 2_000), (13, 1_000), (24, 1_000), (25, 0)] {
            assert_eq!(terms.vendor_share(month), share, "month {month}");
        }
        assert_eq!(terms.vendor_share(u32::MAX), 0);
    }

    #[test]
    fn every_field_of_the_terms_has_its_bound() {
        let (mut market, vendor, id) = with_program();
        let founder = market.founder;
        let too_many: Vec<ShareStep> = (1..=25).map(|month| step(month, 0)).collect();
        for (field, wrong) in [
            ("shares", terms(&[])),
            ("shares", terms(&too_many)),
            ("from_month", terms(&[step(0, 1)])),
            ("from_month", terms(&[step(2, 1)])),
            ("from_month", terms(&[step(1, 1), step(1, 2)])),
            ("from_month", terms(&[step(1, 1), step(7, 2), step(6, 3)])),
            ("from_month", terms(&[step(1, 1), step(limits::SHARE_MONTH_MAX + 1, 1)])),
            // The platform takes 500 of 10,000 beside the vendor.
            ("vendor_share", terms(&[step(1, 9_501)])),
            ("vendor_share", terms(&[step(1, 0), step(2, u32::MAX)])),
            ("coverage", guaranteed(0, 0, 1)),
            ("coverage", guaranteed(10_001, 0, 1)),
            ("first_loss", guaranteed(8_000, -1, 1)),
            ("first_loss", guaranteed(8_000, limits::AMOUNT_MAX + 1, 1)),
            ("cap", guaranteed(8_000, 0, 0)),
            ("cap", guaranteed(8_000, 0, limits::AMOUNT_MAX + 1)),
        ] {
            let new = create(&mut market, vendor, wrong.clone());
            assert_eq!(field_of(market.ask(founder, new)), field, "{wrong:?}");
            let amend = Command::AmendProgram { id, expect: 1, terms: wrong };
            assert_eq!(field_of(market.ask(founder, amend)), field);
        }
        for good in [terms(&[step(1, 9_500)]), terms(&too_many[..24]), guaranteed(10_000, 0, 1)] {
            let new = create(&mut market, vendor, good);
            assert!(market.ask(founder, new).is_ok());
        }
        let new = create(&mut market, vendor, terms(&[step(1, 1)]));
        let Command::CreateProgram { id, vendor, terms, .. } = new else { unreachable!() };
        let new = Command::CreateProgram { id, name: String::new(), vendor, terms };
        assert_eq!(field_of(market.ask(founder, new)), "name");
    }

    #[test]
    fn the_vendor_is_an_active_vendor() {
        let (mut market, ..) = with_program();
        let founder = market.founder;
        let buyer = market.sign_up("buyer", "customer");
        let waiting = market.sign_up("waiting", "customer vendor");
        for vendor in [buyer, waiting] {
            let vendor = market.org(vendor);
            let new = create(&mut market, vendor, terms(&[step(1, 1)]));
            assert_eq!(field_of(market.ask(founder, new)), "vendor_id");
        }
        let nobody = OrgId::new(market.mint());
        let new = create(&mut market, nobody, terms(&[step(1, 1)]));
        let refusal = Refusal::Unknown { field: "vendor_id", named: nobody.to_string() };
        assert_eq!(market.ask(founder, new), Err(refusal));
    }

    #[test]
    fn an_amendment_makes_a_version_and_leaves_the_old_one_alone() {
        let (mut market, _, id) = with_program();
        let founder = market.founder;
        let old = market.engine.programs.frozen(id).expect("in force");
        let amend =
            |expect, share| Command::AmendProgram { id, expect, terms: terms(&[step(1, share)]) };
        let stale = Refusal::VersionMismatch { expected: 2, actual: 1 };
        assert_eq!(market.ask(founder, amend(2, 1_000)), Err(stale));
        let Ok(Answer::Program(program)) = market.ask(founder, amend(1, 1_000)) else {
            panic!("an amendment")
        };
        assert_eq!((program.version, program.terms.vendor_share(1)), (2, 1_000));
        assert_eq!(market.out.programs.get(&id), Some(&program));
        let [change] = &market.out.changes[..] else { panic!("one change") };
        assert_eq!(change.subject, id.to_string());
        assert!(change.before.as_ref().is_some_and(|json| json.contains("1500")));
        assert!(change.after.as_ref().is_some_and(|json| json.contains("1000")));
        let new = market.engine.programs.frozen(id).expect("in force");
        assert_eq!((old.version, old.terms.vendor_share(1)), (1, 1_500));
        assert_eq!((new.version, new.terms.vendor_share(1)), (2, 1_000));
        let stale = Refusal::VersionMismatch { expected: 1, actual: 2 };
        assert_eq!(market.ask(founder, amend(1, 1_000)), Err(stale));
    }

    #[test]
    fn contracts_share_one_copy_of_a_version() {
        let (mut market, _, id) = with_program();
        let programs = &mut market.engine.programs;
        let first = programs.frozen(id).expect("in force");
        let second = programs.frozen(id).expect("in force");
        assert!(Arc::ptr_eq(&first, &second));
        let read_back = Arc::new(first.as_ref().clone());
        assert!(Arc::ptr_eq(&programs.share(&read_back), &first));
        let older = FrozenProgram { version: 0, ..first.as_ref().clone() };
        let once = programs.share(&Arc::new(older.clone()));
        assert!(Arc::ptr_eq(&programs.share(&Arc::new(older)), &once));
        assert_eq!(programs.frozen(ProgramId::new(uuid::Uuid::nil())), None);
        let rebuilt = Programs::from_parts(programs.programs().cloned().collect());
        assert_eq!(rebuilt.frozen(id), Some(first));
    }

    #[test]
    fn a_pool_is_enrolled_once() {
        let (mut market, _, id) = with_program();
        let founder = market.founder;
        let pool = PoolId::new(market.mint());
        let enrol = |program, pool| Command::EnrolPool { program, pool };
        let unknown = Refusal::Unknown { field: "pool_id", named: pool.to_string() };
        assert_eq!(market.ask(founder, enrol(id, pool)), Err(unknown));
        market.engine.capacity.by_id.insert(pool, 0);
        let nothing = ProgramId::new(market.mint());
        let not_found = Refusal::NotFound { kind: "program" };
        assert_eq!(market.ask(founder, enrol(nothing, pool)), Err(not_found));
        let Ok(Answer::Program(program)) = market.ask(founder, enrol(id, pool)) else {
            panic!("an enrolment")
        };
        assert_eq!((program.version, program.pools.contains(&pool)), (1, true));
        assert_eq!(market.out.programs.get(&id), Some(&program));
        assert_eq!(market.out.changes.len(), 1);
        let again = Refusal::Duplicate { kind: "pool", named: pool.to_string() };
        assert_eq!(market.ask(founder, enrol(id, pool)), Err(again));
    }

    #[test]
    fn programs_are_kept_by_the_operator() {
        let (mut market, vendor, id) = with_program();
        let owner = market.sign_up("acme", "customer");
        let auditor = [crate::model::Role::Auditor];
        let auditor = market.member(market.founder, "aud@op.example", &auditor);
        let pool = PoolId::new(market.mint());
        for (actor, refusal) in [
            (owner, Refusal::NotCapable { capability: "operator" }),
            (auditor, Refusal::NotPermitted { right: Right::Catalogue }),
            (Actor::Anonymous, Refusal::NotActive),
        ] {
            let good = terms(&[step(1, 1)]);
            for command in [
                create(&mut market, vendor, good.clone()),
                Command::AmendProgram { id, expect: 1, terms: good },
                Command::EnrolPool { program: id, pool },
            ] {
                assert_eq!(market.ask(actor, command), Err(refusal.clone()));
            }
        }
    }
}
