//! What organizations are told. One gap-free sequence per organization, written with the change
//! itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Engine;
use super::billing::{InvoiceState, Payable, PayoutState, PeriodState};
use super::command::Stamp;
use super::contract::ContractState;
use super::credit::{ApplicationState, LineState};
use super::effect::Effects;
use super::incident::{IncidentCause, IncidentState};
use super::listing::ListingState;
use super::order::{OrderState, Reason};
use super::party::OrganizationState;
use crate::model::id::{
    ApplicationId, ContractId, EventId, IncidentId, InvoiceId, LineId, ListingId, OrderId, OrgId,
    PaymentId, PayoutId, PoolId, ProgramId, QuoteId,
};
use crate::model::{Gpus, Micros, Minute, Money, Month, Price, RegionCode, SkuCode, Window};
use crate::words;

words! {
    EventKind {
        OrganizationApproved = "organization.approved",
        OrganizationSuspended = "organization.suspended",
        OrganizationGrouped = "organization.grouped",
        PoolCreated = "pool.created",
        PoolChanged = "pool.changed",
        ListingCreated = "listing.created",
        ListingPublished = "listing.published",
        ListingRepriced = "listing.repriced",
        ListingSoldOut = "listing.sold_out",
        ListingReopened = "listing.reopened",
        /// Unsold capacity came due that its program's backstop did not buy: the cap is used up,
        /// or the vendor's line takes no holds.
        ListingBackstopShort = "listing.backstop_short",
        ListingWithdrawn = "listing.withdrawn",
        ListingExpired = "listing.expired",
        ApplicationSubmitted = "credit_application.submitted",
        ApplicationApproved = "credit_application.approved",
        ApplicationDeclined = "credit_application.declined",
        ApplicationWithdrawn = "credit_application.withdrawn",
        LineActivated = "credit_line.activated",
        LineLimitChanged = "credit_line.limit_changed",
        LineFrozen = "credit_line.frozen",
        LineUnfrozen = "credit_line.unfrozen",
        LineRunOff = "credit_line.run_off",
        LineClosed = "credit_line.closed",
        QuoteExpired = "quote.expired",
        OrderOpened = "order.opened",
        OrderFilled = "order.filled",
        OrderCancelled = "order.cancelled",
        OrderExpired = "order.expired",
        OrderRejected = "order.rejected",
        ContractCreated = "contract.created",
        ContractActive = "contract.active",
        ContractCompleted = "contract.completed",
        ContractDegraded = "contract.degraded",
        ContractAmended = "contract.amended",
        ContractResold = "contract.resold",
        ContractTransferOffered = "contract.transfer_offered",
        ContractTransferWithdrawn = "contract.transfer_withdrawn",
        ContractTransferred = "contract.transferred",
        ContractCancelled = "contract.cancelled",
        ContractTerminated = "contract.terminated",
        ContractCredited = "contract.credited",
        InvoiceDrafted = "invoice.drafted",
        InvoiceOpened = "invoice.opened",
        InvoiceCredited = "invoice.credited",
        InvoiceOverdue = "invoice.overdue",
        InvoicePaid = "invoice.paid",
        InvoiceVoided = "invoice.voided",
        InvoiceWrittenOff = "invoice.written_off",
        PaymentRecorded = "payment.recorded",
        PayoutSent = "payout.sent",
        PayoutPaid = "payout.paid",
        PayoutFailed = "payout.failed",
        StatementReady = "statement.ready",
        PeriodClosed = "period.closed",
        PeriodLocked = "period.locked",
        LinePastDue = "credit_line.past_due",
        LineDelinquent = "credit_line.delinquent",
        LineCured = "credit_line.cured",
        LineDefaulted = "credit_line.defaulted",
        LineReviewed = "credit_line.reviewed",
        ClaimMade = "claim.made",
        ClaimPaid = "claim.paid",
        IncidentOpened = "incident.opened",
        IncidentClosed = "incident.closed",
        ContractSubstitutionOffered = "contract.substitution_offered",
        ContractSubstituted = "contract.substituted",
        ContractCompensated = "contract.compensated",
        ContractRestored = "contract.restored",
    }
}

/// What happened, in facts. The door spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "object", rename_all = "snake_case")]
pub enum EventData {
    Organization {
        id: OrgId,
        state: OrganizationState,
    },
    Pool {
        id: PoolId,
        sku: SkuCode,
        region: RegionCode,
    },
    Listing {
        id: ListingId,
        pool: PoolId,
        state: ListingState,
        gpus: Gpus,
        window: Window,
        price: Price,
    },
    Application {
        id: ApplicationId,
        state: ApplicationState,
        requested: Money,
        line: Option<LineId>,
    },
    Line {
        id: LineId,
        state: LineState,
        limit: Money,
    },
    Quote {
        id: QuoteId,
    },
    Invoice {
        id: InvoiceId,
        month: Month,
        state: InvoiceState,
        total: Money,
        outstanding: Money,
    },
    Payment {
        id: PaymentId,
        amount: Money,
    },
    Payout {
        id: PayoutId,
        payable: Payable,
        state: PayoutState,
        amount: Money,
    },
    Period {
        month: Month,
        state: PeriodState,
    },
    Claim {
        line: LineId,
        program: ProgramId,
        amount: Money,
        paid: Money,
    },
    Incident {
        id: IncidentId,
        pool: PoolId,
        cause: IncidentCause,
        state: IncidentState,
        start: Minute,
        end: Minute,
    },
    Order {
        id: OrderId,
        state: OrderState,
        reason: Option<Reason>,
        filled_gpus: Gpus,
        contract: Option<ContractId>,
    },
    Contract {
        id: ContractId,
        order: OrderId,
        pool: PoolId,
        sku: SkuCode,
        state: ContractState,
        gpus: Gpus,
        start: Minute,
        end: Minute,
        value: Money,
    },
}

/// One fact, told to one organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    pub org: OrgId,
    /// The place in the organization's sequence: 1, 2, 3, without gaps.
    pub no: u64,
    pub kind: EventKind,
    pub at: Micros,
    /// The command that caused it.
    pub seq: u64,
    pub request: Uuid,
    pub data: EventData,
    /// The state before, where there was one.
    pub previous: Option<String>,
}

/// The last number of each organization's sequence.
#[derive(Debug, Default)]
pub struct Heads {
    pub(super) last: BTreeMap<OrgId, u64>,
}

impl Engine {
    /// Tells an organization that something happened.
    pub(super) fn tell(
        &mut self,
        at: &Stamp,
        org: OrgId,
        kind: EventKind,
        data: EventData,
        previous: Option<&str>,
        out: &mut Effects,
    ) {
        let no = match self.events.last.entry(org) {
            Entry::Occupied(mut last) => {
                *last.get_mut() += 1;
                out.event_heads.changed(org, *last.get());
                *last.get()
            }
            Entry::Vacant(place) => {
                out.event_heads.born(org, 1_u64);
                *place.insert(1)
            }
        };
        // A UUIDv7 of the instant; what follows is the place in the one order of all events.
        let place = u32::try_from(out.events.len()).expect("a batch has few events");
        let id = EventId::new(minted(at, place));
        let previous = previous.map(str::to_owned);
        let (at, seq, request) = (at.at, at.seq, at.request);
        out.events.push(Event { id, org, no, kind, at, seq, request, data, previous });
    }
}

/// A UUIDv7 made of the instant, the command and a place in the batch: unique without chance.
pub(super) fn minted(at: &Stamp, place: u32) -> Uuid {
    let millis = u64::try_from(at.at.count() / 1_000).unwrap_or(0);
    // Twelve bits beside the version, six beside the variant: eighteen for the place, the rest for
    // the command.
    let mut tail = at.seq.to_be_bytes();
    tail[0] = ((place >> 12) & 0x3f) as u8;
    let low = (place & 0x0fff) as u16;
    let mut bytes = [0; 10];
    bytes[0..2].copy_from_slice(&low.to_be_bytes());
    bytes[2..10].copy_from_slice(&tail);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}
