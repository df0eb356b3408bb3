//! Credit applications and lines. A line's balances are accounts of the EXP ledger; this room knows
//! limits, states and who decided. It knows nothing of what is bought with credit.

mod aging;
mod application;
mod backstop;
mod cap;
mod collection;
mod default;
mod guarantee;
mod limit;
mod line;
mod review;

use std::collections::BTreeMap;

pub use cap::{Cap, CapSubject};
pub use collection::{Bearer, Borne, Claim, Collection, DefaultReason};

pub use review::{Review, ReviewOutcome};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::Stamp;
use super::deadline::Due;
use super::effect::{Change, Effects};
use super::event::{EventData, EventKind};
use super::refusal::Refusal;
use crate::model::id::{ApplicationId, LineId, OrgId, ProgramId, UserId};
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
    /// Why an application was declined: the principal reasons, in the words of adverse-action
    /// notices.
    DeclineReason {
        IncompleteApplication = "incomplete_application",
        UnverifiableInformation = "unverifiable_information",
        InsufficientHistory = "insufficient_history",
        InsufficientIncome = "insufficient_income",
        InsufficientCollateral = "insufficient_collateral",
        ExcessiveObligations = "excessive_obligations",
        DelinquentObligations = "delinquent_obligations",
        ExposureLimit = "exposure_limit",
        SanctionsScreening = "sanctions_screening",
        UnsupportedPurpose = "unsupported_purpose",
        Other = "other",
    }
    /// `active <-> frozen`; `frozen -> past_due` when it was so meanwhile; `active <-> past_due ->
    /// delinquent -> defaulted`; `delinquent -> active` when all is paid; `active | frozen |
    /// past_due -> run_off -> closed`; any but closed `-> defaulted` for insolvency or fraud.
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

/// A line that is past due for so long is delinquent.
const DELINQUENT_MINUTES: i64 = 30 * 24 * 60;

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
    Default { reason: DefaultReason, by: UserId },
}

/// What a line has and where it is: `available = limit - held - drawn - defaulted`. Read off the
/// EXP ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balances {
    pub limit: Money,
    pub available: Money,
    pub held: Money,
    pub drawn: Money,
    pub defaulted: Money,
}

/// A customer's credit line, one to a customer; or what a vendor's backstop may still buy and has
/// not paid, one to a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub id: LineId,
    pub org: OrgId,
    pub application: ApplicationId,
    /// Whose backstop is bought on it; `None` for a customer's own line.
    pub program: Option<ProgramId>,
    pub state: LineState,
    /// A decrease that waits for what is used to free: where the limit is going.
    pub target_limit: Option<Money>,
    pub proposal: Option<Proposal>,
    pub net_days: u32,
    /// When the tenor ends and the line runs off.
    pub expires_at: Minute,
    /// Since when an invoice is unpaid past its grace; `None` while all are paid in time.
    pub past_due_since: Option<Minute>,
    pub note: String,
    /// By when an officer looks at it again.
    pub review_at: Minute,
    pub review: Option<Review>,
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
    /// The waiting application of each organization that has one.
    pub(super) waiting: BTreeMap<OrgId, ApplicationId>,
    /// Of every line that defaulted.
    pub(super) collections: BTreeMap<LineId, Collection>,
    /// Lifted ones too.
    pub(super) caps: BTreeMap<CapSubject, Cap>,
}

impl ApplicationState {
    /// The table of edges.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Submitted => matches!(next, Self::Approved | Self::Declined | Self::Withdrawn),
            Self::Approved | Self::Declined | Self::Withdrawn => false,
        }
    }
}

impl LineState {
    /// The table of edges.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Active => {
                matches!(next, Self::Frozen | Self::PastDue | Self::RunOff | Self::Defaulted)
            }
            Self::Frozen => {
                matches!(next, Self::Active | Self::PastDue | Self::RunOff | Self::Defaulted)
            }
            Self::PastDue => {
                matches!(next, Self::Active | Self::Delinquent | Self::RunOff | Self::Defaulted)
            }
            Self::Delinquent => matches!(next, Self::Active | Self::Defaulted),
            Self::RunOff => matches!(next, Self::Closed | Self::Defaulted),
            Self::Defaulted | Self::Closed => false,
        }
    }
}

impl Application {
    /// Moves along an edge of the table; any other move is a bug.
    fn enter(&mut self, next: ApplicationState) {
        assert!(self.state.may_become(next), "an application went {} -> {next}", self.state);
        self.state = next;
    }
}

impl Line {
    /// Moves along an edge of the table; any other move is a bug.
    fn enter(&mut self, next: LineState) {
        assert!(self.state.may_become(next), "a line went {} -> {next}", self.state);
        self.state = next;
    }

    /// What falls due for this line by itself: the end of its tenor, while it can still run off,
    /// and delinquency, while it is past due.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (Micros, Due)> + use<> {
        let runs = self.state.may_become(LineState::RunOff);
        let runs_off = runs.then(|| (self.expires_at.micros(), Due::LineRunsOff(self.id)));
        let since = self.past_due_since.filter(|_| self.state == LineState::PastDue);
        let ages_at = |since: Minute| since.plus(DELINQUENT_MINUTES).micros();
        let ages = since.map(|since| (ages_at(since), Due::LineAges(self.id)));
        runs_off.into_iter().chain(ages)
    }
}

impl Balances {
    /// What keeps a line from closing: held, drawn and defaulted together.
    pub fn used(&self) -> Money {
        let used =
            self.held.checked_add(self.drawn).and_then(|sum| sum.checked_add(self.defaulted));
        used.expect("what is used never exceeds the limit")
    }
}

impl Credit {
    /// Credit as the store kept it: waiting applications and lines that are not closed.
    pub(super) fn from_parts(
        applications: Vec<Application>,
        lines: Vec<Line>,
        collections: Vec<Collection>,
        caps: Vec<Cap>,
    ) -> Self {
        Self {
            by_org: lines
                .iter()
                .filter(|line| line.program.is_none())
                .map(|line| (line.org, line.id))
                .collect(),
            waiting: applications.iter().map(|ask| (ask.org, ask.id)).collect(),
            applications: applications.into_iter().map(|ask| (ask.id, ask)).collect(),
            lines: lines.into_iter().map(|line| (line.id, line)).collect(),
            caps: caps.into_iter().map(|cap| (cap.subject.clone(), cap)).collect(),
            collections: collections.into_iter().map(|it| (it.line, it)).collect(),
        }
    }

    /// Waiting applications, in order of the id.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.values()
    }

    /// Lines that are not closed, in order of the id.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    /// A customer's own line, in whatever state, unless it is closed.
    pub fn line_of(&self, org: OrgId) -> Option<LineId> {
        self.by_org.get(&org).copied()
    }

    /// The line of an organization, if it may take new holds.
    pub(super) fn trading_line(&self, org: OrgId) -> Option<LineId> {
        self.line_of(org).filter(|id| self.lines[id].state == LineState::Active)
    }

    /// The payment terms of a line that is not closed, in days.
    pub(super) fn net_days(&self, line: LineId) -> u32 {
        self.lines[&line].net_days
    }

    fn application(&self, id: ApplicationId) -> Result<&Application, Refusal> {
        self.applications.get(&id).ok_or(Refusal::NotFound { kind: "credit_application" })
    }

    /// The collection of a line that defaulted.
    fn collection(&self, line: LineId) -> Result<&Collection, Refusal> {
        self.collections.get(&line).ok_or(Refusal::NotFound { kind: "collection" })
    }

    fn line(&self, id: LineId) -> Result<&Line, Refusal> {
        self.lines.get(&id).ok_or(Refusal::NotFound { kind: "credit_line" })
    }
}

// How this room notes what it decided.
impl Engine {
    /// Nobody decides about their own organization.
    fn may_decide(&self, officer: UserId, owner: OrgId) -> Result<(), Refusal> {
        let own = self.parties.user(officer).is_some_and(|user| user.org == owner);
        if own { Err(Refusal::OwnRequest) } else { Ok(()) }
    }

    /// Keeps an application as it has become; one that no longer waits leaves the engine.
    fn keep_application(&mut self, before: &Application, after: Application, out: &mut Effects) {
        let (id, org) = (after.id, after.org);
        out.changes.push(Change::between(&id, before, &after));
        out.applications.changed(id, after.clone());
        if after.state == ApplicationState::Submitted {
            self.credit.applications.insert(id, after);
        } else {
            self.credit.applications.remove(&id);
            self.credit.waiting.remove(&org);
        }
    }

    /// Keeps a line as it has become, with its deadline; a closed one leaves the engine.
    fn keep_line(&mut self, at: &Stamp, mut after: Line, out: &mut Effects) {
        after.changed_at = at.at;
        let before = self.credit.lines.remove(&after.id);
        for (due_at, due) in before.iter().flat_map(Line::deadlines) {
            self.deadlines.clear(due_at, due);
        }
        for (due_at, due) in after.deadlines() {
            self.deadlines.set(due_at, due);
        }
        match before {
            None => out.lines.born(after.id, after.clone()),
            Some(before) => {
                out.changes.push(Change::between(&after.id, &before, &after));
                out.lines.changed(after.id, after.clone());
            }
        }
        let is_own = after.program.is_none();
        if after.state == LineState::Closed {
            if is_own {
                self.credit.by_org.remove(&after.org);
            }
        } else {
            if is_own {
                self.credit.by_org.insert(after.org, after.id);
            }
            self.credit.lines.insert(after.id, after);
        }
    }

    fn tell_application(
        &mut self,
        at: &Stamp,
        ask: &Application,
        kind: EventKind,
        previous: Option<ApplicationState>,
        out: &mut Effects,
    ) {
        let Application { id, org, requested, state, line, .. } = *ask;
        let data = EventData::Application { id, state, requested, line };
        self.tell(at, org, kind, data, previous.map(ApplicationState::as_str), out);
    }

    fn tell_line(
        &mut self,
        at: &Stamp,
        line: &Line,
        kind: EventKind,
        previous: Option<LineState>,
        out: &mut Effects,
    ) {
        let Line { id, org, state, .. } = *line;
        let data = EventData::Line { id, state, limit: self.balances(id).limit };
        self.tell(at, org, kind, data, previous.map(LineState::as_str), out);
    }
}
