//! All that may be asked of the market, by whom, and what it answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::amendment::{Amendment, Change, Transfer};
use super::billing::{Invoice, Payable, Payment, Payout, Period};
use super::capacity::{Factory, FactoryState, Phase, Pool};
use super::catalogue::{Region, Sku};
use super::contract::{Contract, ContractBrief};
use super::credit::{
    Application, Balances, Cap, CapSubject, Collection, DefaultReason, Line, ReviewOutcome,
};
use super::incident::Incident;
use super::listing::{Audience, Listing, OrderLimits};
use super::order::{Ask, Order, TimeInForce};
use super::party::{ApiKey, Capabilities, Organization, Session, User};
use super::program::{Program, ProgramTerms};
use super::quote::Quote;
use super::resale::{Resell, Resold};
pub use super::stamp::{Actor, Key, Stamp};
use crate::model::id::{
    ApplicationId, ContractId, FactoryId, IncidentId, InvoiceId, KeyId, LineId, ListingId, OrderId,
    OrgId, PaymentId, PayoutId, PoolId, ProgramId, QuoteId, SessionId, UserId,
};
use crate::model::{
    Country, Gpus, GroupCode, Micros, Minute, Money, Month, Price, RegionCode, Role, Segment,
    SkuCode, Window, Workload,
};

/// The first refresh token of a session that a command opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSession {
    pub id: SessionId,
    /// SHA-256 of the refresh token.
    #[serde(skip)]
    pub refresh_hash: [u8; 32],
}

/// What is asked. Identifiers in it are fresh ones, minted at the door, for what the command
/// creates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    // -- Time --
    /// Meets what has fallen due, a bounded number of deadlines at a time.
    Tick,

    // -- Parties --
    /// First start: the operator and its first person, who holds every operator role.
    Found {
        org: OrgId,
        user: UserId,
        name: String,
        country: Country,
        email: String,
        #[serde(skip)]
        password_hash: String,
    },
    /// A new organization and its owner. Customers start active, providers wait for review.
    SignUp(SignUp),
    /// Admits a pending organization or lifts a suspension.
    ApproveOrganization {
        org: OrgId,
    },
    /// Stops an organization from starting anything new; what it has goes on.
    SuspendOrganization {
        org: OrgId,
        note: String,
    },
    /// Puts an organization into a group, or with `None` out of any.
    GroupOrganization {
        org: OrgId,
        group: Option<GroupCode>,
    },
    InviteMember {
        user: UserId,
        email: String,
        roles: Vec<Role>,
        #[serde(skip)]
        token_hash: [u8; 32],
    },
    AcceptInvitation {
        #[serde(skip)]
        token_hash: [u8; 32],
        #[serde(skip)]
        password_hash: String,
        session: NewSession,
    },
    ChangeMember {
        user: UserId,
        roles: Vec<Role>,
    },
    RemoveMember {
        user: UserId,
    },
    /// The door has checked the password.
    OpenSession {
        user: UserId,
        session: NewSession,
    },
    /// Trades a refresh token for the next one. A token used twice ends its session.
    RefreshSession {
        #[serde(skip)]
        presented_hash: [u8; 32],
        #[serde(skip)]
        next_hash: [u8; 32],
    },
    CloseSession {
        session: SessionId,
    },
    CreateKey {
        key: KeyId,
        name: String,
        roles: Vec<Role>,
        expires_at: Option<Micros>,
        #[serde(skip)]
        hash: [u8; 32],
    },
    RevokeKey {
        key: KeyId,
    },
    /// The door saw these keys at work; kept for `last_used_at`.
    NoteKeyUse {
        keys: Vec<(KeyId, Micros)>,
    },

    // -- Catalogue --
    CreateSku(Sku),
    CreateRegion(Region),
    CreateProgram {
        id: ProgramId,
        name: String,
        vendor: OrgId,
        terms: ProgramTerms,
    },
    /// New terms for contracts made from now on; made contracts keep theirs.
    AmendProgram {
        id: ProgramId,
        expect: u32,
        terms: ProgramTerms,
    },
    /// Puts a pool's capacity under a program.
    EnrolPool {
        program: ProgramId,
        pool: PoolId,
    },

    // -- Capacity --
    CreateFactory {
        id: FactoryId,
        name: String,
        region: RegionCode,
        power_kw: u32,
        state: FactoryState,
    },
    ChangeFactory {
        id: FactoryId,
        state: FactoryState,
    },
    CreatePool {
        id: PoolId,
        factory: FactoryId,
        sku: SkuCode,
        phases: Vec<Phase>,
    },
    /// So many more GPUs from a date on.
    AddPhase {
        pool: PoolId,
        phase: Phase,
    },
    /// A phase that has not come yet comes later. Phases are counted from one.
    PostponePhase {
        pool: PoolId,
        phase: usize,
        from: Minute,
        note: String,
    },
    /// A maintenance window ends now, or does not begin. Windows are counted from one.
    EndMaintenance {
        pool: PoolId,
        window: usize,
    },
    /// A customer whose contract runs short takes the other pool that is offered, or does not.
    AnswerSubstitution {
        incident: IncidentId,
        contract: ContractId,
        accept: bool,
    },
    /// So many fewer GPUs within a window.
    AddMaintenance {
        pool: PoolId,
        window: Window,
        gpus: Gpus,
        note: String,
    },

    // -- Listings --
    PublishListing(PublishListing),
    /// Makes a draft live.
    ReleaseListing {
        id: ListingId,
    },
    RepriceListing {
        id: ListingId,
        expect: u32,
        price: Price,
    },
    /// Takes what is unsold off the market; what is sold stays sold.
    WithdrawListing {
        id: ListingId,
    },

    // -- Credit --
    Apply {
        id: ApplicationId,
        amount: Money,
        purpose: String,
        workload: Option<Workload>,
    },
    Approve(Approve),
    Decline {
        id: ApplicationId,
        reason_codes: Vec<String>,
        note: String,
    },
    WithdrawApplication {
        id: ApplicationId,
    },
    FreezeLine {
        id: LineId,
        note: String,
    },
    /// Takes two different officers: the first call proposes, the second one does it.
    UnfreezeLine {
        id: LineId,
        note: String,
    },
    /// An increase above the threshold takes two officers; a decrease takes what is free now and
    /// the rest as it frees.
    ChangeLimit {
        id: LineId,
        expect: u32,
        limit: Money,
        note: String,
    },

    /// Caps what may be at stake with one group, provider or SKU; `None` lifts the cap.
    SetCap {
        subject: CapSubject,
        amount: Option<Money>,
        note: String,
    },
    /// An officer has looked at a line again; the next time is in so many months.
    ReviewLine {
        id: LineId,
        outcome: ReviewOutcome,
        next_months: u32,
        note: String,
    },

    // -- Trading --
    /// What would this cost. `hold_secs` makes it firm: capacity and credit wait so long.
    Quote {
        id: QuoteId,
        ask: Ask,
        hold_secs: Option<i64>,
    },
    PlaceOrder(PlaceOrder),
    CancelOrder {
        id: OrderId,
    },

    // -- Contracts --
    /// The provider says what was delivered within a window: all but `missing` GPUs. Nothing
    /// missing confirms the window.
    ReportDelivery {
        contract: ContractId,
        window: Window,
        missing: Gpus,
        note: String,
    },
    /// The operator credits a customer for a contract's service, beyond the ladder of its terms.
    GrantCredit {
        contract: ContractId,
        amount: Money,
        note: String,
    },
    ChangeContract(ChangeContract),
    /// Offers a part of a contract to others.
    Resell(Resell),
    Transfer(Transfer),
    /// Takes what is not sold of an offered part back; `None`: of all of them.
    EndResale {
        contract: ContractId,
        listing: Option<ListingId>,
    },

    // -- Billing --
    /// A draft becomes a demand.
    FinalizeInvoice {
        id: InvoiceId,
    },
    /// A credit note: takes part of an open invoice back.
    CreditInvoice {
        id: InvoiceId,
        amount: Money,
        note: String,
    },
    /// Takes all of an unpaid invoice back.
    VoidInvoice {
        id: InvoiceId,
        note: String,
    },
    /// Money has come in. It pays the named invoice, or the customer's oldest due first.
    RecordPayment {
        id: PaymentId,
        org: OrgId,
        amount: Money,
        invoice: Option<InvoiceId>,
        reference: String,
    },
    /// Sends out what is available to an organization; `None`: all of it.
    PayOut {
        id: PayoutId,
        org: OrgId,
        payable: Payable,
        amount: Option<Money>,
        reference: String,
    },
    /// The bank has said how a payout ended.
    SettlePayout {
        id: PayoutId,
        paid: bool,
    },
    ClosePeriod {
        month: Month,
    },
    /// A closed month is never opened again.
    LockPeriod {
        month: Month,
    },

    // -- Default --
    /// Takes two different officers: the first call proposes, the second one does it.
    DefaultLine {
        id: LineId,
        reason: DefaultReason,
        note: String,
    },
    /// A guarantor has paid on a claim.
    RecordClaimPayment {
        line: LineId,
        program: ProgramId,
        amount: Money,
        reference: String,
    },
    /// Gives up what nobody has paid or was claimed for.
    WriteOff {
        line: LineId,
        note: String,
    },
    /// Money has come in on a written-off debt.
    RecordRecovery {
        line: LineId,
        amount: Money,
        reference: String,
    },
}

/// See [`Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeContract {
    pub id: ContractId,
    pub change: Change,
    /// The most the customer will pay as a fee for it; more is a refusal.
    pub fee_max: Option<Money>,
    /// Only says what it would do: the quote of a change.
    pub dry_run: bool,
}

/// See [`Command::SignUp`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignUp {
    pub org: OrgId,
    pub user: UserId,
    pub name: String,
    pub capabilities: Capabilities,
    pub segment: Option<Segment>,
    pub country: Country,
    pub email: String,
    #[serde(skip)]
    pub password_hash: String,
    pub session: NewSession,
}

/// See [`Command::PublishListing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishListing {
    pub id: ListingId,
    pub pool: PoolId,
    pub gpus: Gpus,
    pub window: Window,
    pub price: Price,
    pub limits: OrderLimits,
    pub audience: Audience,
    pub program: Option<ProgramId>,
    /// Kept as a draft that nobody sees until it is released.
    pub draft: bool,
    pub dry_run: bool,
}

/// One officer's yes to an application. Above the threshold the second yes must be to the same
/// terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approve {
    pub id: ApplicationId,
    /// For the line that may come of it.
    pub line: LineId,
    pub limit: Money,
    pub tenor_months: u32,
    pub net_days: u32,
    pub note: String,
    pub dry_run: bool,
}

/// A customer's request for a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceOrder {
    pub id: OrderId,
    pub kind: OrderKind,
    pub client_order_id: Option<String>,
    pub dry_run: bool,
}

/// What an order is made of: an ask, or a firm quote taken as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    Ask { ask: Ask, time_in_force: TimeInForce },
    Quote(QuoteId),
}

impl Command {
    /// The verb, for the audit trail and the metrics.
    pub const fn verb(&self) -> &'static str {
        match self {
            Command::Tick => "tick",
            Command::Found { .. } => "found",
            Command::SignUp(_) => "sign_up",
            Command::ApproveOrganization { .. } => "approve_organization",
            Command::SuspendOrganization { .. } => "suspend_organization",
            Command::GroupOrganization { .. } => "group_organization",
            Command::InviteMember { .. } => "invite_member",
            Command::AcceptInvitation { .. } => "accept_invitation",
            Command::ChangeMember { .. } => "change_member",
            Command::RemoveMember { .. } => "remove_member",
            Command::OpenSession { .. } => "open_session",
            Command::RefreshSession { .. } => "refresh_session",
            Command::CloseSession { .. } => "close_session",
            Command::CreateKey { .. } => "create_key",
            Command::RevokeKey { .. } => "revoke_key",
            Command::NoteKeyUse { .. } => "note_key_use",
            Command::CreateSku(_) => "create_sku",
            Command::CreateRegion(_) => "create_region",
            Command::CreateProgram { .. } => "create_program",
            Command::AmendProgram { .. } => "amend_program",
            Command::EnrolPool { .. } => "enrol_pool",
            Command::CreateFactory { .. } => "create_factory",
            Command::ChangeFactory { .. } => "change_factory",
            Command::CreatePool { .. } => "create_pool",
            Command::AddPhase { .. } => "add_phase",
            Command::PostponePhase { .. } => "postpone_phase",
            Command::EndMaintenance { .. } => "end_maintenance",
            Command::AnswerSubstitution { .. } => "answer_substitution",
            Command::AddMaintenance { .. } => "add_maintenance",
            Command::PublishListing(_) => "publish_listing",
            Command::ReleaseListing { .. } => "release_listing",
            Command::RepriceListing { .. } => "reprice_listing",
            Command::WithdrawListing { .. } => "withdraw_listing",
            Command::Apply { .. } => "apply",
            Command::Approve(_) => "approve",
            Command::Decline { .. } => "decline",
            Command::WithdrawApplication { .. } => "withdraw_application",
            Command::FreezeLine { .. } => "freeze_line",
            Command::UnfreezeLine { .. } => "unfreeze_line",
            Command::ChangeLimit { .. } => "change_limit",
            Command::SetCap { .. } => "set_cap",
            Command::ReviewLine { .. } => "review_line",
            Command::Quote { .. } => "quote",
            Command::PlaceOrder(_) => "place_order",
            Command::CancelOrder { .. } => "cancel_order",
            Command::ReportDelivery { .. } => "report_delivery",
            Command::GrantCredit { .. } => "grant_credit",
            Command::ChangeContract(_) => "change_contract",
            Command::Resell(_) => "resell",
            Command::EndResale { .. } => "end_resale",
            Command::Transfer(_) => "transfer",
            Command::FinalizeInvoice { .. } => "finalize_invoice",
            Command::CreditInvoice { .. } => "credit_invoice",
            Command::VoidInvoice { .. } => "void_invoice",
            Command::RecordPayment { .. } => "record_payment",
            Command::PayOut { .. } => "pay_out",
            Command::SettlePayout { .. } => "settle_payout",
            Command::ClosePeriod { .. } => "close_period",
            Command::LockPeriod { .. } => "lock_period",
            Command::DefaultLine { .. } => "default_line",
            Command::RecordClaimPayment { .. } => "record_claim_payment",
            Command::WriteOff { .. } => "write_off",
            Command::RecordRecovery { .. } => "record_recovery",
        }
    }
}

/// What the market answers: the thing as it now is.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The key was seen before with the same content; the first answer is in the store, under the
    /// number of the command that it was given to.
    Known {
        key: Key,
        seq: u64,
    },
    /// Nothing to show.
    Done,
    /// Deadlines were met; `more` when others are still due.
    Ticked {
        more: bool,
    },
    SignedIn {
        organization: Organization,
        user: User,
        session: Session,
    },
    Organization(Organization),
    User(User),
    Session(Session),
    Key(ApiKey),
    Sku(Sku),
    Region(Region),
    Program(Program),
    Factory(Factory),
    Pool(Pool),
    Cap(Cap),
    Incident(Incident),
    /// The pool after it has less, and the contracts that run short by it.
    Maintenance {
        pool: Pool,
        touched: Vec<ContractBrief>,
    },
    Listing(Listing),
    Application(Application),
    Line {
        line: Line,
        balances: Balances,
    },
    Quote(Quote),
    Order {
        order: Arc<Order>,
        contract: Option<Arc<Contract>>,
    },
    Contract(Contract),
    /// A change to a contract and the contract after it; as it would be when only quoted.
    Amended {
        amendment: Amendment,
        contract: Contract,
    },
    /// A part of a contract on offer, and what its sale does; as it would be when only quoted.
    Resold(Box<Resold>),
    Invoice(Invoice),
    Payment(Payment),
    Payout(Payout),
    Period(Period),
    Collection(Collection),
}
