//! What is written comes back, every field of every kind: by the snapshot what can still change,
//! by the reader everything.

use crate::sample::{NOW, Sample, batch};
use crate::{Place, twin};
use headroom::engine::billing::{Invoice, InvoiceLine, InvoiceState, PayoutState, Sums};
use headroom::engine::credit::{ApplicationState, Line, LineState};
use headroom::engine::incident::IncidentState;
use headroom::engine::listing::ListingState;
use headroom::engine::order::OrderState;
use headroom::engine::quote::QuoteState;
use headroom::engine::snapshot::Snapshot;
use headroom::model::Minute;
use headroom::model::id::OrgId;
use headroom::store::read::{IncidentFilter, Page};
use headroom::store::{Durable, Reader};
use std::sync::Arc;

twin! {
    an_empty_database_is_an_empty_market
    everything_comes_back
    whatever_may_change_of_a_thing_changes
}

fn an_empty_database_is_an_empty_market(place: &Place) {
    let (mut writer, _) = place.open();
    let loaded = writer.load().unwrap();
    assert_eq!(loaded.snapshot, Snapshot::default());
    assert_eq!((loaded.number, loaded.hash), (0, [0; 32]));
}

fn everything_comes_back(place: &Place) {
    let (mut writer, reader) = place.open();
    // More than one statement's worth on SQLite, and every word of every state many times.
    let market = Sample::throw(100, 1, 2);
    let first = batch(1, &[0; 32], market.effects(true));
    writer.commit(&first).unwrap();
    let loaded = writer.load().unwrap();
    assert_eq!((loaded.number, loaded.hash), (1, first.hash));
    assert_snapshot(&loaded.snapshot, &market, first.seq);
    assert_read(&reader, &market);
    drop(writer);
    let (mut writer, reader) = place.open();
    assert_snapshot(&writer.load().unwrap().snapshot, &market, first.seq);
    assert_snapshot(&reader.load().unwrap().snapshot, &market, first.seq);
    assert_read(&reader, &market);
}

fn whatever_may_change_of_a_thing_changes(place: &Place) {
    let (mut writer, reader) = place.open();
    let before = Sample::throw(40, 1, 2);
    let first = batch(1, &[0; 32], before.effects(true));
    writer.commit(&first).unwrap();
    let mut prev = first;
    for (number, moving) in [(2, 77), (3, 99)] {
        let mut after = Sample::throw(40, 1, moving);
        for (contract, old) in after.contracts.iter_mut().zip(&before.contracts) {
            contract.terms.clone_from(&old.terms);
        }
        let next = batch(number, &prev.hash, after.effects(false));
        writer.commit(&next).unwrap();
        assert_snapshot(&writer.load().unwrap().snapshot, &after, next.seq);
        assert_read(&reader, &after);
        prev = next;
    }
}

/// A snapshot is exactly those of the market's things that can still change.
fn assert_snapshot(snapshot: &Snapshot, market: &Sample, seq: u64) {
    let kept = market.clone();
    let expected = Snapshot {
        now: NOW,
        seq,
        last_entry: market.entries.last().unwrap().no,
        organizations: kept.organizations,
        users: kept.users,
        sessions: only(kept.sessions, |thing| !thing.closed),
        keys: only(kept.keys, |thing| !thing.revoked),
        skus: kept.skus,
        regions: kept.regions,
        programs: kept.programs,
        factories: kept.factories,
        pools: kept.pools,
        listings: only(kept.listings, |thing| {
            matches!(thing.state, ListingState::Draft | ListingState::Live | ListingState::SoldOut)
        }),
        applications: only(kept.applications, |thing| thing.state == ApplicationState::Submitted),
        lines: only(kept.lines, |thing| thing.state != LineState::Closed),
        quotes: only(kept.quotes, |thing| thing.state == QuoteState::Open),
        orders: only(kept.orders, |thing| thing.state == OrderState::Open),
        contracts: only(kept.contracts, |thing| !thing.settled).into_iter().map(Arc::new).collect(),
        invoices: only(kept.invoices, |thing| {
            use InvoiceState::{Draft, Open, Overdue};
            matches!(thing.state, Draft | Open | Overdue)
        })
        .into_iter()
        .map(|invoice| (invoice.clone(), sums(&kept.invoice_lines, &invoice)))
        .collect(),
        payments: only(kept.payments, |thing| !thing.freed),
        payouts: only(kept.payouts, |thing| thing.state == PayoutState::InTransit),
        periods: kept.periods,
        collections: kept.collections,
        caps: kept.caps,
        incidents: only(kept.incidents, |thing| thing.state == IncidentState::Open),
        accounts: kept.accounts,
        event_heads: kept.heads,
        kept: only(kept.kept, |thing| thing.expires_at > NOW),
    };
    assert_eq!(*snapshot, expected);
    let mut copies = std::collections::BTreeMap::new();
    for frozen in snapshot.contracts.iter().flat_map(|contract| &contract.terms.programs) {
        let first = copies.entry((frozen.program, frozen.version)).or_insert(frozen);
        assert!(Arc::ptr_eq(first, frozen), "one copy of each version");
    }
}

fn only<T>(all: Vec<T>, keep: impl Fn(&T) -> bool) -> Vec<T> {
    all.into_iter().filter(keep).collect()
}

/// Every thing, by its id and in its list, newest first.
fn assert_read(reader: &Reader, market: &Sample) {
    macro_rules! read {
        ($($things:ident, $one:ident, $many:ident($filter:expr), $key:ident, $is:expr;)*) => {$(
            for thing in &market.$things {
                let found = reader.$one(&thing.$key).unwrap().expect("it is there");
                assert_eq!($is(found), *thing);
            }
            let mut newest_first = market.$things.clone();
            newest_first.reverse();
            let mut read = Vec::new();
            let mut after = None;
            loop {
                let page = reader.$many(&$filter, &Page { after, limit: 7 }).unwrap();
                assert!(page.data.len() == 7 || !page.has_more);
                read.extend(page.data.into_iter().map($is));
                after = read.last().map(|thing| thing.$key.clone());
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(read, newest_first);
        )*};
    }
    read! {
        organizations, organization, organizations(()), id, |it| it;
        users, user, users(None), id, |it| it;
        keys, key, keys(None), id, |it| it;
        skus, sku, skus(()), code, |it| it;
        regions, region, regions(()), code, |it| it;
        programs, program, programs(()), id, |it| it;
        factories, factory, factories(None), id, |it| it;
        pools, pool, pools(None), id, |it| it;
        listings, listing, listings(Default::default()), id, |it| it;
        applications, application, applications((None, None)), id, |it| it;
        lines, line, lines(None), id, |(line, _): (Line, _)| line;
        quotes, quote, quotes(None), id, |it| it;
        orders, order, orders(Default::default()), id, |it| it;
        contracts, contract, contracts(Default::default()), id, |it| it;
        invoices, invoice, invoices(Default::default()), id, |it| it;
        payments, payment, payments(Default::default()), id, |it| it;
        payouts, payout, payouts(Default::default()), id, |it| it;
        incidents, incident, incidents(Default::default()), id, |it| it;
    }
    assert_eq!(reader.caps().unwrap(), market.caps);
    let due = reader.lines_to_review(Minute::new(i64::MAX), &Page { after: None, limit: 1_000 });
    let is_open = |line: &&Line| !matches!(line.state, LineState::Closed | LineState::Defaulted);
    assert_eq!(due.unwrap().data.len(), market.lines.iter().filter(is_open).count());
    assert_eq!(reader.periods().unwrap(), market.periods);
    for period in &market.periods {
        assert_eq!(reader.period(period.month).unwrap().as_ref(), Some(period));
    }
    for collection in &market.collections {
        assert_eq!(reader.collection(&collection.line).unwrap().as_ref(), Some(collection));
    }
    for amendment in &market.amendments {
        let made = reader.amendments(&amendment.contract).unwrap();
        assert_eq!(made, std::slice::from_ref(amendment));
    }
    for invoice in &market.invoices {
        let stated = reader.statement(invoice.org, invoice.month).unwrap();
        let lines: Vec<_> = lines_of(&market.invoice_lines, invoice).cloned().collect();
        assert_eq!(reader.invoice_lines(&invoice.id).unwrap(), lines);
        assert_eq!(stated.len(), lines.len(), "of {}", invoice.id);
    }
    for incident in &market.incidents {
        let parties = incident.affected.iter().map(|it| it.customer).chain([incident.provider]);
        for party in parties.map(Some) {
            let filter = IncidentFilter { party, ..IncidentFilter::default() };
            let theirs = reader.incidents(&filter, &Page { after: None, limit: 1_000 }).unwrap();
            assert!(theirs.data.contains(incident), "{party:?} sees {}", incident.id);
        }
        let party = Some(OrgId::new(uuid::Uuid::nil()));
        let filter = IncidentFilter { party, ..IncidentFilter::default() };
        let others = reader.incidents(&filter, &Page { after: None, limit: 1_000 }).unwrap();
        assert_eq!(others.data, []);
    }
    assert_eq!(reader.accounts(None).unwrap(), market.accounts);
}

/// The lines of one invoice, in their order.
pub fn lines_of<'a>(
    lines: &'a [InvoiceLine],
    invoice: &Invoice,
) -> impl Iterator<Item = &'a InvoiceLine> + use<'a> {
    let id = invoice.id;
    lines.iter().filter(move |line| line.invoice == id)
}

/// What the lines of one invoice add up to.
fn sums(lines: &[InvoiceLine], invoice: &Invoice) -> Sums {
    let mut sums = Sums::default();
    lines_of(lines, invoice).for_each(|line| sums.add(line));
    sums
}
