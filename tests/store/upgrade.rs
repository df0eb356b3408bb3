//! A market from before there were invoices goes on: its rows survive the schema's change, what was
//! earned is invoiced, and what had not begun earns as anything does.

use std::sync::Arc;

use crate::market::Market;
use crate::{Place, twin};
use headroom::engine::billing::InvoiceState;
use headroom::engine::contract::{Contract, ContractState};
use headroom::engine::{Engine, Settings};
use headroom::store::read::{InvoiceFilter, Page};
use headroom::store::{self, Durable, check};
use std::collections::BTreeMap;

twin! {
    a_market_from_before_there_were_invoices_goes_on
}

/// The way back to the first schema. The rows stay, as the program of that time would have written them.
const BACK: &str = "
    DROP TABLE invoice_lines;
    DROP TABLE invoices;
    DROP TABLE payments;
    DROP TABLE payouts;
    DROP TABLE periods;
    DROP TABLE amendments;
    DROP TABLE collections;
    DROP INDEX contracts_unsettled;
    CREATE INDEX contracts_live ON contracts (id) WHERE state IN ('scheduled', 'active');
    ALTER TABLE contracts DROP COLUMN sizes;
    ALTER TABLE contracts DROP COLUMN losses;
    ALTER TABLE contracts DROP COLUMN sla;
    ALTER TABLE contracts DROP COLUMN delivered;
    ALTER TABLE contracts DROP COLUMN lost;
    ALTER TABLE contracts DROP COLUMN unbilled;
    ALTER TABLE contracts DROP COLUMN billed_to;
    ALTER TABLE contracts DROP COLUMN ended_at;
    ALTER TABLE contracts DROP COLUMN settled;
    ALTER TABLE contracts DROP COLUMN amendments;
    ALTER TABLE contracts DROP COLUMN resale;
    ALTER TABLE contracts DROP COLUMN transfer_to;
    DROP INDEX contracts_holder;
    ALTER TABLE contracts DROP COLUMN holder;
    ALTER TABLE listings DROP COLUMN reseller;
    ALTER TABLE listings DROP COLUMN resale;
    ALTER TABLE credit_lines DROP COLUMN past_due_since;
    DROP INDEX entries_corrections;
    ALTER TABLE credit_lines DROP COLUMN program;
    ALTER TABLE listings DROP COLUMN backstop_at;
    DROP TABLE caps;
    ALTER TABLE credit_lines DROP COLUMN review_at;
    ALTER TABLE credit_lines DROP COLUMN review;
    DROP TABLE incident_customers;
    DROP TABLE incidents;
    ALTER TABLE contracts DROP COLUMN substitutes;
    ALTER TABLE contracts DROP COLUMN degraded;
    ALTER TABLE kept DROP COLUMN packing;
    ALTER TABLE organizations DROP COLUMN group_code;
    DELETE FROM __diesel_schema_migrations WHERE version > '00000000000002';";

fn a_market_from_before_there_were_invoices_goes_on(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::unbacked(4);
    market.debt(0);
    assert!((0..60).all(|_| market.fill()));
    // Within one month nothing accrues but what is over: so it was before.
    market.wait(14 * 24 * 60);
    writer.commit(&market.batch()).unwrap();
    let before = reader.load().unwrap().snapshot;
    let count = |state| before.contracts.iter().filter(|it| it.state == state).count();
    assert!(count(ContractState::Completed) > 0 && count(ContractState::Scheduled) > 0);
    drop((writer, reader));
    place.execute(BACK);

    let (mut writer, reader) = store::open(&place.url()).unwrap();
    let loaded = writer.load().unwrap();
    let mut expected = before;
    // There was no ladder of credits then.
    expected.contracts.iter_mut().for_each(|it| Arc::make_mut(it).terms.sla.clear());
    for line in &mut expected.lines {
        line.review_at = line.created_at.minute().plus(262_800);
    }
    assert_eq!(loaded.snapshot, expected);
    assert_eq!(check(&reader).unwrap(), Vec::<String>::new());

    market.engine = Engine::restore(Settings::default(), loaded.snapshot);
    assert_eq!(market.engine.audit(), Vec::<String>::new());
    market.wait(20 * 24 * 60);
    writer.commit(&market.batch()).unwrap();
    market.assert_rebuilt(writer.load().unwrap());
    assert_eq!(check(&reader).unwrap(), Vec::<String>::new());
    let all = Page { after: None, limit: 1_000 };
    let invoices = reader.invoices(&InvoiceFilter::default(), &all).unwrap().data;
    assert!(invoices.iter().all(|invoice| invoice.state == InvoiceState::Open));
    let lines = invoices.iter().flat_map(|it| reader.invoice_lines(&it.id).unwrap());
    let billed: BTreeMap<_, _> =
        lines.map(|line| (line.contract, (line.bill.amount(), line.bill.delivered))).collect();
    let is_over = |it: &&Arc<Contract>| it.state == ContractState::Completed;
    for contract in expected.contracts.iter().filter(is_over) {
        let whole = (contract.value, contract.gpu_minutes());
        assert_eq!(billed.get(&contract.id), Some(&whole), "of {}", contract.id);
    }
}
