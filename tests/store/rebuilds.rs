//! What is in the database rebuilds the engine that wrote it, and passes its own audit; and the audit
//! finds what was tampered with.

use crate::market::Market;
use crate::{Place, twin};
use headroom::store::read::{IncidentFilter, Page};
use headroom::store::{Durable, check};

twin! {
    random_batches_rebuild_the_engine_that_wrote_them
    the_audit_finds_what_was_tampered_with
}

fn random_batches_rebuild_the_engine_that_wrote_them(place: &Place) {
    let mut incidents = 0;
    for seed in 1..4 {
        let place = place.another();
        let (mut writer, reader) = place.open();
        writer.load().unwrap();
        let mut market = Market::open(seed);
        for step in 0..60 {
            writer.commit(&market.batch()).unwrap();
            if step % 10 == 0 {
                market.assert_rebuilt(writer.load().unwrap());
            }
            (0..1 + step % 7).for_each(|_| market.stir());
        }
        writer.commit(&market.batch()).unwrap();
        market.assert_rebuilt(reader.load().unwrap());
        assert_eq!(check(&reader).unwrap(), Vec::<String>::new());
        let all = Page { after: None, limit: 1_000 };
        incidents += reader.incidents(&IncidentFilter::default(), &all).unwrap().data.len();
    }
    assert!(incidents > 0, "pools fail, and somebody is hit");
}

fn the_audit_finds_what_was_tampered_with(place: &Place) {
    // Each line: what somebody does to the rows, and a word of the sentence that tells of it.
    let tampers = [
        ("UPDATE audit SET what = 'x' WHERE seq = 3", "audit records"),
        ("DELETE FROM audit WHERE seq = 3", "audit records"),
        ("UPDATE commits SET hash = (SELECT hash FROM meta)", "audit records"),
        ("UPDATE meta SET seq = seq + 1", "the market stands at"),
        ("DELETE FROM events WHERE no = 2", "without gaps"),
        ("UPDATE event_heads SET last = last + 1", "without gaps"),
        ("DELETE FROM entries WHERE no = 5", "entry 5 is missing"),
        ("UPDATE entries SET amount = amount + 1 WHERE no = 5", "not the sum of its entries"),
        (
            "UPDATE accounts SET debits = debits + 1 WHERE account = 'exp_limit'",
            "not what is available",
        ),
        ("UPDATE allocations SET gpus = gpus + 4", "add up to its GPUs"),
        ("UPDATE allocations SET price = price + 60", "value"),
        ("DELETE FROM allocations", "add up to its GPUs"),
        ("UPDATE listings SET gpus = 4", "has sold"),
        ("UPDATE contracts SET accrued = value, state = 'active'", "holds"),
        ("UPDATE contracts SET delivered = delivered + 1", "has earned"),
        ("UPDATE contracts SET value = value + 1", "value"),
        ("UPDATE invoices SET total = total + 1", "do not add up to its total"),
        ("UPDATE invoices SET paid = 1", "is owed"),
        ("UPDATE invoice_lines SET provider_part = provider_part + 1", "do not add up to it"),
        ("UPDATE invoice_lines SET charge = charge + 1", "do not add up"),
        ("DELETE FROM invoice_lines", "do not add up to its total"),
        ("UPDATE invoices SET state = 'paid'", "is waited for"),
        ("UPDATE contracts SET settled = (state = 'scheduled')", "is settled, and"),
        ("UPDATE contracts SET ended_at = 7 WHERE state = 'scheduled'", "not what its end says"),
        ("UPDATE orders SET contract = NULL WHERE state = 'filled'", "has no contract"),
        ("UPDATE audit SET commit_no = 77 WHERE seq = 3", "audit are of commits"),
        ("UPDATE orders SET org = id", "orders are of organizations"),
        ("UPDATE contracts SET order_id = pool", "contracts are of orders"),
        ("UPDATE contracts SET line = pool", "contracts are of credit_lines"),
        ("UPDATE contracts SET pool = line", "contracts are of pools"),
        // Those that were billed are held by their invoices' lines.
        ("DELETE FROM contracts WHERE billed_to = start_at", "allocations are of contracts"),
        ("UPDATE allocations SET listing = contract", "allocations are of listings"),
        ("UPDATE events SET org = id", "events are of event_heads"),
        ("UPDATE contracts SET amendments = amendments + 1", "other changes on record"),
    ];
    for (tamper, told) in tampers {
        let place = place.another();
        let (mut writer, reader) = place.open();
        let mut market = Market::open(1);
        writer.commit(&market.batch()).unwrap();
        assert!((0..40).all(|_| market.fill()));
        writer.commit(&market.batch()).unwrap();
        // A month ends, so that something is billed; and there is more that is not delivered.
        market.wait(32 * 24 * 60);
        assert!((0..5).all(|_| market.fill()));
        writer.commit(&market.batch()).unwrap();
        assert_eq!(check(&reader).unwrap(), Vec::<String>::new(), "before {tamper}");
        place.execute(tamper);
        let found = check(&reader).unwrap();
        assert!(found.iter().any(|sentence| sentence.contains(told)), "{tamper}: {found:?}");
    }
}
