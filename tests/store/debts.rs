//! A debt is kept at every step: default, claims, what was written off, what came back, the months that
//! were closed meanwhile. And statements: what of a month is whose.

use crate::keeps::lines_of;
use crate::market::Market;
use crate::market::debt::STEPS;
use crate::sample::{Sample, batch};
use crate::{Place, twin};
use std::sync::Arc;

use headroom::engine::billing::{InvoiceLine, InvoiceState, PayoutState, PeriodState};
use headroom::engine::contract::ContractState;
use headroom::engine::credit::LineState;
use headroom::model::{Minute, Month};
use headroom::store::read::{
    ContractFilter, InvoiceFilter, Page, PaymentFilter, PayoutFilter, StatementLine,
};
use headroom::store::{Durable, check};
use std::collections::BTreeSet;

twin! {
    a_debt_is_kept_from_default_to_recovery
    the_audit_knows_what_guarantors_were_asked_for
    what_is_billed_is_listed_by_exact_fields
    a_statement_has_every_line_in_which_somebody_has_a_part
    contracts_wait_until_they_are_invoiced
}

fn all<I>() -> Page<I> {
    Page { after: None, limit: 1_000 }
}

fn a_debt_is_kept_from_default_to_recovery(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(11);
    writer.commit(&market.batch()).unwrap();
    for step in 0..STEPS {
        market.debt(step);
        writer.commit(&market.batch()).unwrap();
        market.assert_rebuilt(writer.load().unwrap());
        assert_eq!(check(&reader).unwrap(), Vec::<String>::new(), "after step {step}");
    }
    let debt = market.collection();
    assert_eq!(reader.collection(&debt.line).unwrap().as_ref(), Some(&debt));
    assert!(!debt.written_off.is_zero() && !debt.recovered.is_zero());
    let (line, balances) = reader.line(&debt.line).unwrap().unwrap();
    assert_eq!(line.state, LineState::Defaulted);
    assert!(!balances.defaulted.is_zero());
    let filter = InvoiceFilter { org: Some(debt.org), ..InvoiceFilter::default() };
    for invoice in reader.invoices(&filter, &all()).unwrap().data {
        assert_eq!(invoice.state, InvoiceState::WrittenOff);
        assert_eq!(invoice.claimed, invoice.recovered);
    }
    let filter = ContractFilter { party: Some(debt.org), ..ContractFilter::default() };
    let contracts = reader.contracts(&filter, &all()).unwrap().data;
    let states: Vec<ContractState> = contracts.iter().map(|it| it.state).collect();
    assert_eq!(states, [ContractState::Terminated, ContractState::Completed]);
    assert!(contracts.iter().all(|it| it.settled));
    let sent = reader.payouts(&PayoutFilter::default(), &all()).unwrap().data;
    let states: Vec<PayoutState> = sent.iter().map(|it| it.state).collect();
    assert_eq!(states, [PayoutState::Paid, PayoutState::Failed]);
    let periods = reader.periods().unwrap();
    assert_eq!(periods.iter().map(|it| it.state).collect::<Vec<_>>(), [PeriodState::Locked]);
}

fn the_audit_knows_what_guarantors_were_asked_for(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(11);
    (0..=4).for_each(|step| market.debt(step));
    writer.commit(&market.batch()).unwrap();
    assert_eq!(check(&reader).unwrap(), Vec::<String>::new());
    place.execute("UPDATE collections SET claims = '[]'");
    let found = check(&reader).unwrap();
    assert!(found.iter().any(|it| it.contains("gl_1160") && it.contains("is owed")), "{found:?}");
}

fn what_is_billed_is_listed_by_exact_fields(place: &Place) {
    let (mut writer, reader) = place.open();
    let market = Sample::throw(40, 1, 2);
    writer.commit(&batch(1, &[0; 32], market.effects(true))).unwrap();
    let newest = |keep: &dyn Fn(&&headroom::engine::billing::Invoice) -> bool| {
        market.invoices.iter().rev().filter(keep).cloned().collect::<Vec<_>>()
    };
    for state in InvoiceState::ALL {
        let filter = InvoiceFilter { state: Some(*state), ..InvoiceFilter::default() };
        let found = reader.invoices(&filter, &all()).unwrap().data;
        assert_eq!(found, newest(&|it| it.state == *state));
    }
    for one in market.invoices.iter().step_by(7) {
        let filter = InvoiceFilter { org: Some(one.org), ..InvoiceFilter::default() };
        assert_eq!(reader.invoices(&filter, &all()).unwrap().data, newest(&|it| it.org == one.org));
        let filter = InvoiceFilter { month: Some(one.month), ..InvoiceFilter::default() };
        let found = reader.invoices(&filter, &all()).unwrap().data;
        assert_eq!(found, newest(&|it| it.month == one.month));
        let filter = PaymentFilter { org: Some(one.org) };
        let found = reader.payments(&filter, &all()).unwrap().data;
        let theirs = market.payments.iter().rev().filter(|it| it.org == one.org);
        assert_eq!(found, theirs.cloned().collect::<Vec<_>>());
    }
    for state in PayoutState::ALL {
        let filter = PayoutFilter { org: None, state: Some(*state) };
        let found = reader.payouts(&filter, &all()).unwrap().data;
        let theirs = market.payouts.iter().rev().filter(|it| it.state == *state);
        assert_eq!(found, theirs.cloned().collect::<Vec<_>>());
    }
}

fn a_statement_has_every_line_in_which_somebody_has_a_part(place: &Place) {
    let (mut writer, reader) = place.open();
    let market = Sample::throw(40, 1, 2);
    writer.commit(&batch(1, &[0; 32], market.effects(true))).unwrap();
    let mut vendors = 0;
    for invoice in &market.invoices {
        let has_part = |line: &&InvoiceLine, org| {
            line.provider == org || line.bill.programs.iter().any(|part| part.vendor == org)
        };
        let parts = lines_of(&market.invoice_lines, invoice).flat_map(|line| {
            let vendors = line.bill.programs.iter().map(|part| part.vendor);
            vendors.chain([line.provider])
        });
        for org in parts.collect::<BTreeSet<_>>() {
            vendors += usize::from(org != invoice.org);
            let mut due: Vec<StatementLine> = lines_of(&market.invoice_lines, invoice)
                .filter(|line| has_part(line, org))
                .map(|line| StatementLine::from(line.clone()))
                .collect();
            due.sort_by_key(|line| line.window.start());
            let mut found = reader.statement(org, invoice.month).unwrap();
            // Of one contract and one start any order will do.
            let spelled = |line: &StatementLine| format!("{line:?}");
            due.sort_by_cached_key(spelled);
            found.sort_by_cached_key(spelled);
            assert_eq!(found, due);
            assert_eq!(reader.statement(org, invoice.month.next()).unwrap().len(), {
                let next = market.invoices.iter().find(|it| it.month == invoice.month.next());
                let lines = next.map(|it| lines_of(&market.invoice_lines, it));
                lines.map_or(0, |lines| lines.filter(|line| has_part(line, org)).count())
            });
        }
    }
    assert!(vendors > 10, "some have a part as vendors only");
}

fn contracts_wait_until_they_are_invoiced(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(3);
    assert!((0..40).all(|_| market.fill()));
    market.wait(10 * 24 * 60);
    writer.commit(&market.batch()).unwrap();
    let month = Month::of(market.engine.now().minute());
    let waiting = |end: Minute| {
        let contracts = market.engine.snapshot().contracts;
        contracts.iter().filter(|contract| contract.bills_at() <= end).count()
    };
    assert!(waiting(month.end()) > 0);
    for month in [month, month.next(), month.next().next()] {
        assert_eq!(reader.contracts_to_bill(month.end()).unwrap(), waiting(month.end()));
    }
    let mut seen = 0;
    for line in market.engine.snapshot().lines {
        let mut theirs = market.engine.snapshot().contracts;
        theirs.retain(|contract| contract.line == line.id);
        seen += theirs.len();
        let read = reader.unsettled_contracts(&line.id).unwrap();
        assert_eq!(read.into_iter().map(Arc::new).collect::<Vec<_>>(), theirs);
    }
    // Those that were ordered, and what the vendor's backstop bought.
    assert!(seen > 40);
    assert_eq!(seen, market.engine.snapshot().contracts.len());
}
