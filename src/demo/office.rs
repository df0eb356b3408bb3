//! The operator's office in the demo: once a week what is due is paid, what is available is paid
//! out, and a month that is over is closed.
//!
//! Knows the books as anyone reads them and the commands of the operator's people. Decides nothing
//! that an operator could not.

use super::market::Market;
use super::teller::Teller;
use super::{Fault, summary};
use crate::engine::billing::{InvoiceState, Payable};
use crate::engine::ledger::Account;
use crate::engine::{Actor, Command};
use crate::model::id::{OrgId, PaymentId, PayoutId};
use crate::model::{Minute, Money, Month};
use crate::store::read::{InvoiceFilter, Reader};

const DAY: i64 = 24 * 60;

/// Customers pay so long after an invoice came, well within their thirty days.
const PAYS_AFTER: i64 = 20 * DAY;

/// One week's work, at the end of a day.
///
/// # Errors
/// When the machinery fails.
pub fn keep(teller: &mut Teller, reader: &Reader, market: &Market) -> Result<(), Fault> {
    let operator = Actor::User(market.operator.owner);
    let today = teller.now().minute();
    collect(teller, reader, operator, today)?;
    pay_out(teller, reader, operator)?;
    let month = Month::of(Month::of(today).start().plus(-1));
    let is_ready = reader.period(month)?.is_none()
        && reader.drafts_up_to(month)? == 0
        && reader.contracts_to_bill(month.end())? == 0;
    if is_ready {
        teller.say(operator, Command::ClosePeriod { month })?;
    }
    Ok(())
}

/// Customers pay what came some weeks ago.
fn collect(
    teller: &mut Teller,
    reader: &Reader,
    operator: Actor,
    today: Minute,
) -> Result<(), Fault> {
    let open = InvoiceFilter { state: Some(InvoiceState::Open), ..InvoiceFilter::default() };
    for invoice in summary::all(|page| reader.invoices(&open, page), |one| one.id)? {
        let came = invoice.opened_at.map(|opened_at| opened_at.minute().plus(PAYS_AFTER));
        if came.is_some_and(|pays_at| pays_at <= today) {
            let (id, org) = (PaymentId::new(teller.fresh()), invoice.org);
            let (amount, invoice) = (invoice.outstanding(), Some(invoice.id));
            let reference = "bank transfer".to_owned();
            let pay = Command::RecordPayment { id, org, amount, invoice, reference };
            teller.say(operator, pay)?;
        }
    }
    Ok(())
}

/// Providers and the vendor are paid what is available to them.
fn pay_out(teller: &mut Teller, reader: &Reader, operator: Actor) -> Result<(), Fault> {
    for (key, balance) in reader.accounts(None)? {
        let payable = match key.account {
            Account::GlProviderAvailable => Payable::Provider,
            Account::GlVendorAvailable => Payable::Vendor,
            Account::GlCreditAvailable => Payable::Customer,
            _ => continue,
        };
        let there = Money::from_micros(balance.net(key.account));
        if there.is_zero() {
            continue;
        }
        let (id, org) = (PayoutId::new(teller.fresh()), OrgId::new(key.owner));
        let (amount, reference) = (Some(there), "weekly payout".to_owned());
        teller.say(operator, Command::PayOut { id, org, payable, amount, reference })?;
        teller.say(operator, Command::SettlePayout { id, paid: true })?;
    }
    Ok(())
}
