//! Lists by their filters, page by page, and what has no list of its own: events, kept answers, the
//! ledger, trades, the audit trail.

use crate::market::Market;
use crate::sample::{Sample, batch};
use crate::{Place, twin};
use headroom::engine::contract::{Contract, ContractState};
use headroom::engine::ledger::Account::{ExpAvailable, ExpHeld, ExpLimit};
use headroom::engine::ledger::Book;
use headroom::engine::listing::{Listing, ListingState};
use headroom::engine::order::OrderState;
use headroom::model::id::LineId;
use headroom::store::read::{ContractFilter, ListingFilter, OrderFilter, Page};
use headroom::store::{Durable, Reader};

twin! {
    lists_are_filtered_by_exact_fields
    what_is_written_beside_is_read_back
    a_page_stays_where_it_is_while_things_are_added
    answers_are_forgotten_when_their_time_is_over
}

fn all<I>() -> Page<I> {
    Page { after: None, limit: 1_000 }
}

fn newest<T: Clone>(of: &[T], keep: impl Fn(&&T) -> bool) -> Vec<T> {
    of.iter().rev().filter(keep).cloned().collect()
}

fn written(place: &Place, size: usize) -> (Sample, Reader) {
    let (mut writer, reader) = place.open();
    let market = Sample::throw(size, 1, 2);
    writer.commit(&batch(1, &[0; 32], market.effects(true))).unwrap();
    (market, reader)
}

fn lists_are_filtered_by_exact_fields(place: &Place) {
    let (market, reader) = written(place, 60);
    for org in market.organizations.iter().map(|org| org.id).step_by(7) {
        let some = Some(org);
        let of = |found: headroom::model::id::OrgId| found == org;
        assert_eq!(
            reader.users(&some, &all()).unwrap().data,
            newest(&market.users, |it| of(it.org))
        );
        assert_eq!(reader.keys(&some, &all()).unwrap().data, newest(&market.keys, |it| of(it.org)));
        assert_eq!(
            reader.factories(&some, &all()).unwrap().data,
            newest(&market.factories, |it| of(it.provider))
        );
        assert_eq!(
            reader.pools(&some, &all()).unwrap().data,
            newest(&market.pools, |it| of(it.provider))
        );
        assert_eq!(
            reader.quotes(&some, &all()).unwrap().data,
            newest(&market.quotes, |it| of(it.org))
        );
        let filter = OrderFilter { org: some, ..OrderFilter::default() };
        assert_eq!(
            reader.orders(&filter, &all()).unwrap().data,
            newest(&market.orders, |it| of(it.org))
        );
        let filter = ContractFilter { party: some, ..ContractFilter::default() };
        assert_eq!(
            reader.contracts(&filter, &all()).unwrap().data,
            newest(&market.contracts, |it| of(it.customer) || of(it.provider))
        );
        let filter = ContractFilter { provider: some, ..ContractFilter::default() };
        assert_eq!(
            reader.contracts(&filter, &all()).unwrap().data,
            newest(&market.contracts, |it| of(it.provider))
        );
        let filter = ListingFilter { owner_or_public: some, ..ListingFilter::default() };
        let public = |it: &Listing| matches!(it.state, ListingState::Live | ListingState::SoldOut);
        assert_eq!(
            reader.listings(&filter, &all()).unwrap().data,
            newest(&market.listings, |it| of(it.provider) || of(it.owner()) || public(it))
        );
        let nobody = Some(ListingFilter::NOBODY);
        let filter = ListingFilter { owner_or_public: nobody, ..ListingFilter::default() };
        assert_eq!(
            reader.listings(&filter, &all()).unwrap().data,
            newest(&market.listings, |it| public(it))
        );
    }
    for state in OrderState::ALL {
        let filter = OrderFilter { state: Some(*state), ..OrderFilter::default() };
        assert_eq!(
            reader.orders(&filter, &all()).unwrap().data,
            newest(&market.orders, |it| it.state == *state)
        );
    }
    for state in ContractState::ALL {
        let filter = ContractFilter { state: Some(*state), ..ContractFilter::default() };
        assert_eq!(
            reader.contracts(&filter, &all()).unwrap().data,
            newest(&market.contracts, |it| it.state == *state)
        );
    }
    let named = market.orders.iter().find_map(|it| it.client_order_id.clone()).unwrap();
    let filter = OrderFilter { client_order_id: Some(named.clone()), ..OrderFilter::default() };
    assert_eq!(
        reader.orders(&filter, &all()).unwrap().data,
        newest(&market.orders, |it| it.client_order_id.as_ref() == Some(&named))
    );
    let sku = market.listings[3].sku.clone();
    let filter = ListingFilter { sku: Some(sku), ..ListingFilter::default() };
    assert_eq!(reader.listings(&filter, &all()).unwrap().data, [market.listings[3].clone()]);
    let pool = market.contracts[5].pool;
    let filter = ContractFilter { pool: Some(pool), ..ContractFilter::default() };
    assert_eq!(reader.contracts(&filter, &all()).unwrap().data, [market.contracts[5].clone()]);
}

fn what_is_written_beside_is_read_back(place: &Place) {
    let (market, reader) = written(place, 12);
    for (org, last) in &market.heads {
        let theirs: Vec<_> = market.events.iter().filter(|it| it.org == *org).cloned().collect();
        assert_eq!(reader.events(*org, 0, 100).unwrap().data, theirs);
        let page = reader.events(*org, 1, 3).unwrap();
        assert_eq!(page.data, theirs[1..].iter().take(3).cloned().collect::<Vec<_>>());
        assert_eq!(page.has_more, *last > 4);
    }
    for kept in &market.kept {
        let answer = reader.kept(kept.seq).unwrap().expect("it was kept");
        assert_eq!((answer.key, answer.status), (kept.key, 201));
        assert_eq!(answer.headers, "location: /v1/orders/x\netag: \"1\"\n");
        assert_eq!(answer.body, [0, 0xff, b'{', b'}']);
    }
    assert_eq!(reader.kept(1 << 62).unwrap(), None);
    let mut recorded = Vec::new();
    while let Some(more) = Some(reader.entries_after(recorded.len() as u64, 7).unwrap()) {
        if more.is_empty() {
            break;
        }
        recorded.extend(more);
    }
    assert_eq!(recorded, market.entries, "in the order in which they were recorded");
    let entries = reader.entries(None, None, &all()).unwrap().data;
    assert_eq!(entries, newest(&market.entries, |_| true));
    let contract = market.contracts[2].id;
    assert_eq!(
        reader.entries(Some(contract), None, &all()).unwrap().data,
        newest(&market.entries, |it| it.contract == Some(contract))
    );
    let line = LineId::new(market.entries[1].debit.owner);
    let of_line = newest(&market.entries, |it| {
        it.debit.owner == line.uuid() && it.debit.account.book() == Book::Exp
    });
    assert!(of_line.len() > 2);
    assert_eq!(reader.entries(None, Some(line), &all()).unwrap().data, of_line);
    for book in Book::ALL {
        let theirs = market.accounts.iter().filter(|(key, _)| key.account.book() == *book);
        assert_eq!(reader.accounts(Some(*book)).unwrap(), theirs.copied().collect::<Vec<_>>());
    }
    for (line, balances) in reader.lines(&None, &all()).unwrap().data {
        let net = |account| {
            let mut all = market.accounts.iter();
            let (key, balance) = all
                .find(|(key, _)| key.account == account && key.owner == line.id.uuid())
                .expect("each line has its accounts");
            balance.net(key.account)
        };
        assert_eq!(balances.limit.micros(), net(ExpLimit));
        assert_eq!(balances.available.micros(), net(ExpAvailable));
        assert_eq!(balances.held.micros(), net(ExpHeld));
    }
    // What a backstop bought is no trade.
    let is_own = |it: &&Contract| {
        market.lines.iter().any(|line| line.id == it.line && line.program.is_none())
    };
    let trades = reader.trades(None, None, &all()).unwrap().data;
    assert_eq!(trades.len(), newest(&market.contracts, is_own).len());
    assert!((1..12).contains(&trades.len()));
    let sku = "h200-hgx8".parse().unwrap();
    let region = "id-batam".parse().unwrap();
    let theirs = newest(&market.contracts, |it| it.sku == sku && is_own(it));
    let trades = reader.trades(Some(&sku), Some(&region), &all()).unwrap().data;
    assert_eq!(
        trades.iter().map(|it| (it.contract, it.value)).collect::<Vec<_>>(),
        theirs.iter().map(|it| (it.id, it.value)).collect::<Vec<_>>()
    );
    let audit = reader.audit(&Page { after: Some(10), limit: 2 }).unwrap();
    assert!(audit.has_more);
    assert_eq!(audit.data.iter().map(|it| it.seq).collect::<Vec<_>>(), [9, 8]);
    assert_eq!(audit.data[0].what, "{\"it's\":\"東京\"}");
}

fn a_page_stays_where_it_is_while_things_are_added(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(5);
    let fill = |market: &mut Market, writer: &mut headroom::store::Writer| {
        assert!(market.fill());
        writer.commit(&market.batch()).unwrap();
    };
    (0..6).for_each(|_| fill(&mut market, &mut writer));
    let everything = reader.orders(&OrderFilter::default(), &all()).unwrap().data;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = reader.orders(&OrderFilter::default(), &Page { after, limit: 2 }).unwrap();
        seen.extend(page.data);
        after = seen.last().map(|order| order.id);
        fill(&mut market, &mut writer);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, everything);
}

fn answers_are_forgotten_when_their_time_is_over(place: &Place) {
    let (mut writer, reader) = place.open();
    let mut market = Market::open(9);
    assert!(market.fill());
    let first = market.batch();
    let old = first.effects.kept.last().unwrap().seq;
    writer.commit(&first).unwrap();
    market.wait(60 * 24 * 31);
    for _ in 2..=63 {
        market.stir();
        writer.commit(&market.batch()).unwrap();
    }
    assert!(reader.kept(old).unwrap().is_some(), "its turn comes with the 64th commit");
    // Filled or refused, its answer is kept.
    market.fill();
    let last = market.batch();
    let fresh = last.effects.kept.last().unwrap().seq;
    writer.commit(&last).unwrap();
    assert_eq!(reader.kept(old).unwrap(), None);
    assert!(reader.kept(fresh).unwrap().is_some());
    market.assert_rebuilt(writer.load().unwrap());
}
