//! Invoices and their lines, payments, payouts and closed months as rows.

use super::{code, corrupt, count, json, parse, uid, window, word};
use crate::engine::billing::{
    Invoice, InvoiceLine, InvoiceState, Payable, Payment, Payout, PayoutState, Period, PeriodState,
};
use crate::engine::charge::Bill;
use crate::model::id::{ContractId, InvoiceId, LineId, OrgId, PaymentId, PayoutId, UserId};
use crate::model::{Micros, Minute, Money, Month};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    InvoiceRow in invoices
    key { id: Id, }
    fixed { org: Id, line: Id, month: Number, net_days: Number, drafted_at: Number, }
    moving {
        state: Text,
        total: Number,
        paid: Number,
        credited: Number,
        claimed: Number,
        recovered: Number,
        written_off: Number,
        opened_at: MaybeNumber,
        due_at: MaybeNumber,
        changed_at: Number,
        version: Number,
    }
}

row! {
    /// One line of an invoice; `place` keeps their order. Never changes. The month is the
    /// invoice's, beside it so that statements are read by it.
    InvoiceLineRow in invoice_lines
    key { invoice: Id, place: Number, }
    fixed {
        month: Number,
        contract: Id,
        provider: Id,
        sku: Text,
        start_at: Number,
        end_at: Number,
        charge: Number,
        fees: Number,
        credits: Number,
        delivered: Number,
        lost: Number,
        provider_part: Number,
        platform_part: Number,
        programs: Text,
        gains: Text,
    }
    moving { }
}

row! {
    PaymentRow in payments
    key { id: Id, }
    fixed {
        org: Id,
        amount: Number,
        reference: Text,
        splits: Text,
        reserves: Text,
        frees_at: Number,
        recorded_at: Number,
    }
    moving { freed: Flag, }
}

row! {
    PayoutRow in payouts
    key { id: Id, }
    fixed { org: Id, payable: Text, amount: Number, reference: Text, created_at: Number, }
    moving { state: Text, changed_at: Number, }
}

row! {
    PeriodRow in periods
    key { month: Number, }
    fixed { closed_by: Id, closed_at: Number, }
    moving { state: Text, locked_by: MaybeId, locked_at: MaybeNumber, }
}

diesel::joinable!(invoice_lines -> invoices (invoice));
diesel::allow_tables_to_appear_in_same_query!(invoice_lines, invoices);

pub fn month(what: &str, number: i64) -> Result<Month, Fault> {
    let month = i32::try_from(number).ok().and_then(Month::new);
    month.ok_or_else(|| corrupt(what, format_args!("no such month: {number}")))
}

impl From<&Invoice> for InvoiceRow {
    fn from(thing: &Invoice) -> Self {
        let Invoice {
            id,
            org,
            line,
            month,
            state,
            total,
            paid,
            credited,
            claimed,
            recovered,
            written_off,
            net_days,
            drafted_at,
            opened_at,
            due_at,
            changed_at,
            version,
        } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            line: uid(line.uuid()),
            month: i64::from(month.count()),
            net_days: i64::from(*net_days),
            drafted_at: drafted_at.count(),
            state: state.as_str().to_owned(),
            total: total.micros(),
            paid: paid.micros(),
            credited: credited.micros(),
            claimed: claimed.micros(),
            recovered: recovered.micros(),
            written_off: written_off.micros(),
            opened_at: opened_at.map(Micros::count),
            due_at: due_at.map(Minute::count),
            changed_at: changed_at.count(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<InvoiceRow> for Invoice {
    type Error = Fault;
    fn try_from(row: InvoiceRow) -> Result<Self, Fault> {
        Ok(Self {
            id: InvoiceId::new(row.id.0),
            org: OrgId::new(row.org.0),
            line: LineId::new(row.line.0),
            month: month("invoices.month", row.month)?,
            state: word("invoices.state", &row.state, InvoiceState::read)?,
            total: Money::from_micros(row.total),
            paid: Money::from_micros(row.paid),
            credited: Money::from_micros(row.credited),
            claimed: Money::from_micros(row.claimed),
            recovered: Money::from_micros(row.recovered),
            written_off: Money::from_micros(row.written_off),
            net_days: count("invoices.net_days", row.net_days)?,
            drafted_at: Micros::new(row.drafted_at),
            opened_at: row.opened_at.map(Micros::new),
            due_at: row.due_at.map(Minute::new),
            changed_at: Micros::new(row.changed_at),
            version: count("invoices.version", row.version)?,
        })
    }
}

impl From<&InvoiceLine> for InvoiceLineRow {
    fn from(thing: &InvoiceLine) -> Self {
        let InvoiceLine { invoice, place, month, contract, provider, sku, window, bill } = thing;
        let Bill {
            charge,
            fees,
            credits,
            delivered,
            lost,
            provider: own,
            platform,
            programs,
            gains,
        } = bill;
        Self {
            invoice: uid(invoice.uuid()),
            place: i64::from(*place),
            month: i64::from(month.count()),
            contract: uid(contract.uuid()),
            provider: uid(provider.uuid()),
            sku: sku.as_str().to_owned(),
            start_at: window.start().count(),
            end_at: window.end().count(),
            charge: charge.micros(),
            fees: fees.micros(),
            credits: credits.micros(),
            delivered: *delivered,
            lost: *lost,
            provider_part: own.micros(),
            platform_part: platform.micros(),
            programs: json(programs),
            gains: json(gains),
        }
    }
}

impl TryFrom<InvoiceLineRow> for InvoiceLine {
    type Error = Fault;
    fn try_from(row: InvoiceLineRow) -> Result<Self, Fault> {
        Ok(Self {
            invoice: InvoiceId::new(row.invoice.0),
            place: count("invoice_lines.place", row.place)?,
            month: month("invoice_lines.month", row.month)?,
            contract: ContractId::new(row.contract.0),
            provider: OrgId::new(row.provider.0),
            sku: code("invoice_lines.sku", &row.sku)?,
            window: window("invoice_lines.start_at", row.start_at, row.end_at)?,
            bill: Bill {
                charge: Money::from_micros(row.charge),
                fees: Money::from_micros(row.fees),
                credits: Money::from_micros(row.credits),
                delivered: row.delivered,
                lost: row.lost,
                provider: Money::from_micros(row.provider_part),
                platform: Money::from_micros(row.platform_part),
                programs: parse("invoice_lines.programs", &row.programs)?,
                gains: parse("invoice_lines.gains", &row.gains)?,
            },
        })
    }
}

impl From<&Payment> for PaymentRow {
    fn from(thing: &Payment) -> Self {
        let Payment { id, org, amount, reference, splits, reserves, frees_at, freed, recorded_at } =
            thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            amount: amount.micros(),
            reference: reference.clone(),
            splits: json(splits),
            reserves: json(reserves),
            frees_at: frees_at.count(),
            recorded_at: recorded_at.count(),
            freed: *freed,
        }
    }
}

impl TryFrom<PaymentRow> for Payment {
    type Error = Fault;
    fn try_from(row: PaymentRow) -> Result<Self, Fault> {
        Ok(Self {
            id: PaymentId::new(row.id.0),
            org: OrgId::new(row.org.0),
            amount: Money::from_micros(row.amount),
            reference: row.reference,
            splits: parse("payments.splits", &row.splits)?,
            reserves: parse("payments.reserves", &row.reserves)?,
            frees_at: Minute::new(row.frees_at),
            freed: row.freed,
            recorded_at: Micros::new(row.recorded_at),
        })
    }
}

impl From<&Payout> for PayoutRow {
    fn from(thing: &Payout) -> Self {
        let Payout { id, org, payable, amount, state, reference, created_at, changed_at } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            payable: payable.as_str().to_owned(),
            amount: amount.micros(),
            reference: reference.clone(),
            created_at: created_at.count(),
            state: state.as_str().to_owned(),
            changed_at: changed_at.count(),
        }
    }
}

impl TryFrom<PayoutRow> for Payout {
    type Error = Fault;
    fn try_from(row: PayoutRow) -> Result<Self, Fault> {
        Ok(Self {
            id: PayoutId::new(row.id.0),
            org: OrgId::new(row.org.0),
            payable: word("payouts.payable", &row.payable, Payable::read)?,
            amount: Money::from_micros(row.amount),
            state: word("payouts.state", &row.state, PayoutState::read)?,
            reference: row.reference,
            created_at: Micros::new(row.created_at),
            changed_at: Micros::new(row.changed_at),
        })
    }
}

impl From<&Period> for PeriodRow {
    fn from(thing: &Period) -> Self {
        let Period { month, state, closed_by, closed_at, locked_by, locked_at } = thing;
        Self {
            month: i64::from(month.count()),
            closed_by: uid(closed_by.uuid()),
            closed_at: closed_at.count(),
            state: state.as_str().to_owned(),
            locked_by: locked_by.map(|user| uid(user.uuid())),
            locked_at: locked_at.map(Micros::count),
        }
    }
}

impl TryFrom<PeriodRow> for Period {
    type Error = Fault;
    fn try_from(row: PeriodRow) -> Result<Self, Fault> {
        Ok(Self {
            month: month("periods.month", row.month)?,
            state: word("periods.state", &row.state, PeriodState::read)?,
            closed_by: UserId::new(row.closed_by.0),
            closed_at: Micros::new(row.closed_at),
            locked_by: row.locked_by.map(|user| UserId::new(user.0)),
            locked_at: row.locked_at.map(Micros::new),
        })
    }
}
