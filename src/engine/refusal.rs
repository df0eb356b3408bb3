//! Every reason for "no". Facts with numbers; the sentences are the door's.

use super::credit::{Approval, CapSubject, LineState};
use super::matching::Shortage;
use crate::model::id::{LineId, ProgramId};
use crate::model::{Gpus, Minute, Money, Price, Right, Role};

/// The market says no, and nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    // -- Not there, not yours (404, 403) --
    /// No such thing, or not one this caller may know of. The kind's word, as in the API.
    NotFound {
        kind: &'static str,
    },
    /// The caller is not (or no longer) an active person or key.
    NotActive,
    /// No role of the caller gives this right.
    NotPermitted {
        right: Right,
    },
    /// This takes a person with a name, and an API key has none: decisions, and making keys.
    PersonNeeded,
    /// The organization may not do this: it lacks the capability.
    NotCapable {
        capability: &'static str,
    },
    /// The organization waits for review.
    PendingReview,
    /// The organization is suspended.
    Suspended,
    /// Nobody decides a request of their own organization.
    OwnRequest,
    /// These roles do not exist in this kind of organization, or the caller may not give them.
    RoleNotGrantable {
        role: Role,
    },

    // -- Content (422) --
    /// A body names a thing that does not exist: the field and what it named.
    Unknown {
        field: &'static str,
        named: String,
    },
    /// A field is outside its bound.
    OutOfBounds {
        field: &'static str,
        least: i64,
        most: i64,
        given: i64,
    },
    /// A field is wrong in a way that a sentence says best. The sentence is the rule, not the
    /// fault.
    Invalid {
        field: &'static str,
        rule: &'static str,
    },
    /// A quantity is not a multiple of the lot.
    OffLot {
        field: &'static str,
        lot: Gpus,
        given: Gpus,
    },
    /// A price is not a multiple of the tick.
    OffTick {
        field: &'static str,
        tick: Price,
        given: Price,
    },
    /// A time is not on a slot boundary; the nearest ones are.
    OffSlot {
        field: &'static str,
        slot_minutes: u32,
        before: Minute,
        after: Minute,
    },
    /// A time lies before the next slot.
    InThePast {
        field: &'static str,
        given: Minute,
        next: Minute,
    },
    /// A time lies later than the market looks.
    TooFar {
        field: &'static str,
        given: Minute,
        latest: Minute,
    },
    /// A price is zero or above what anybody asks.
    PriceOutOfBounds {
        field: &'static str,
        most: Price,
        given: Price,
    },
    /// A duration is not a whole number of slots.
    OffSlotDuration {
        field: &'static str,
        slot_minutes: u32,
        given: i64,
    },
    /// The sum does not fit into 64 bits of micro-units.
    Overflow {
        field: &'static str,
    },
    /// The factory's power budget does not carry so many GPUs.
    PowerExceeded {
        budget_kw: u32,
        needed_kw: u64,
    },
    /// At some instant the listings would promise more than is installed.
    BeyondInstalled {
        at: Minute,
        installed: i64,
        listed: i64,
        asked: Gpus,
    },
    /// A listing lies outside its program's pools.
    NotEnrolled {
        program: ProgramId,
    },

    // -- State (409, 412) --
    /// Taken: a code, a name, an email.
    Duplicate {
        kind: &'static str,
        named: String,
    },
    /// The thing is not in a state from which this can be done.
    WrongState {
        kind: &'static str,
        state: &'static str,
        needed: &'static str,
    },
    /// `If-Match` named another version.
    VersionMismatch {
        expected: u32,
        actual: u32,
    },
    /// The officer has already said yes; it takes another.
    SameOfficer,
    /// The second officer's terms are not the first one's.
    TermsDiffer {
        first: Approval,
    },
    /// The organization already has a waiting application.
    ApplicationWaiting,
    /// The last owner cannot be removed or demoted.
    LastOwner,
    /// The firm quote has lapsed or was taken.
    QuoteGone {
        state: &'static str,
    },
    /// The firm quote's block or price cannot be had now: indicative quotes cannot be taken.
    QuoteNotFirm,
    /// A bound on how many there may be.
    TooMany {
        kind: &'static str,
        most: usize,
    },
    /// A refresh token, invitation or password that is not, or no longer, good.
    BadCredential,

    // -- Contracts and money (409) --
    /// A report is about time that is not the contract's, or not over.
    OutsideDelivery {
        start: Minute,
        end: Minute,
    },
    /// A report is about time that is invoiced already; what lies after this instant can be
    /// reported.
    AlreadyBilled {
        until: Minute,
    },
    /// More GPUs would be missing at an instant than the contract has there; some are reported
    /// already.
    MoreThanPromised {
        at: Minute,
        promised: Gpus,
        missing: Gpus,
    },
    /// A contract has fewer GPUs of its own at an instant than are asked for: the others are sold
    /// on, on offer, or were themselves bought of a customer.
    PartGone {
        at: Minute,
        left: i64,
        asked: Gpus,
    },
    /// A contract is to become smaller than what of it was sold on at an instant.
    SoldOn {
        at: Minute,
        sold: i64,
        asked: Gpus,
    },
    /// More than there is: of what, how much there is, and how much was asked.
    MoreThanThere {
        what: &'static str,
        there: Money,
        given: Money,
    },
    /// It may be done, but not before this instant.
    TooEarly {
        from: Minute,
    },
    /// The change costs a higher fee than the customer agreed to.
    FeeAbove {
        fee: Money,
        most: Money,
    },
    /// A month cannot be closed yet: what is in the way, and how many of it.
    NotReady {
        waits: Vec<(&'static str, u64)>,
    },

    // -- Idempotency (422) --
    /// The key was used for other content.
    KeyReused,

    // -- Credit (402) --
    /// There is no line to hold against.
    NoCreditLine,
    /// The line is there and may take no new holds.
    CreditLineState {
        line: LineId,
        state: LineState,
    },
    /// The line has too little headroom.
    CreditShort {
        line: LineId,
        needed: Money,
        available: Money,
        missing: Money,
    },

    /// So much more would be at stake with one group, provider or SKU than its cap allows.
    CapExceeded {
        subject: Box<CapSubject>,
        cap: Money,
        exposed: Money,
        needed: Money,
        over: Money,
    },

    // -- Market, where there is no order to carry the reason (409): firm and indicative quotes --
    NoBlock(Box<Shortage>),
}

impl Refusal {
    /// The refusal's one word, for problems, metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::NotFound { .. } => "not_found",
            Refusal::NotActive => "not_active",
            Refusal::NotPermitted { .. } => "not_permitted",
            Refusal::PersonNeeded => "person_needed",
            Refusal::NotCapable { .. } => "not_capable",
            Refusal::PendingReview => "pending_review",
            Refusal::Suspended => "suspended",
            Refusal::OwnRequest => "own_request",
            Refusal::RoleNotGrantable { .. } => "role_not_grantable",
            Refusal::Unknown { .. } => "unknown",
            Refusal::OutOfBounds { .. } => "out_of_bounds",
            Refusal::Invalid { .. } => "invalid",
            Refusal::OffLot { .. } => "off_lot",
            Refusal::OffTick { .. } => "off_tick",
            Refusal::OffSlot { .. } => "off_slot",
            Refusal::InThePast { .. } => "in_the_past",
            Refusal::TooFar { .. } => "too_far",
            Refusal::PriceOutOfBounds { .. } => "price_out_of_bounds",
            Refusal::OffSlotDuration { .. } => "off_slot_duration",
            Refusal::Overflow { .. } => "overflow",
            Refusal::PowerExceeded { .. } => "power_exceeded",
            Refusal::BeyondInstalled { .. } => "beyond_installed",
            Refusal::NotEnrolled { .. } => "not_enrolled",
            Refusal::Duplicate { .. } => "duplicate",
            Refusal::WrongState { .. } => "wrong_state",
            Refusal::VersionMismatch { .. } => "version_mismatch",
            Refusal::SameOfficer => "same_officer",
            Refusal::TermsDiffer { .. } => "terms_differ",
            Refusal::ApplicationWaiting => "application_waiting",
            Refusal::LastOwner => "last_owner",
            Refusal::QuoteGone { .. } => "quote_gone",
            Refusal::QuoteNotFirm => "quote_not_firm",
            Refusal::TooMany { .. } => "too_many",
            Refusal::BadCredential => "bad_credential",
            Refusal::OutsideDelivery { .. } => "outside_delivery",
            Refusal::AlreadyBilled { .. } => "already_billed",
            Refusal::MoreThanPromised { .. } => "more_than_promised",
            Refusal::PartGone { .. } => "part_gone",
            Refusal::SoldOn { .. } => "sold_on",
            Refusal::MoreThanThere { .. } => "more_than_there",
            Refusal::TooEarly { .. } => "too_early",
            Refusal::FeeAbove { .. } => "fee_above",
            Refusal::NotReady { .. } => "not_ready",
            Refusal::KeyReused => "key_reused",
            Refusal::NoCreditLine => "no_credit_line",
            Refusal::CreditLineState { .. } => "credit_line_state",
            Refusal::CreditShort { .. } => "credit_short",
            Refusal::CapExceeded { .. } => "cap_exceeded",
            Refusal::NoBlock(_) => "no_block",
        }
    }
}
