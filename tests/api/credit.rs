//! A credit line under many hands: never a cent more than its limit, and never without its
//! officers.

use std::thread;

use serde_json::{Value, json};

use crate::stage::{Stage, cents, credit, member, sign_up};

/// What a line must always be: `limit = available + held + drawn + defaulted`, nothing below zero.
#[track_caller]
fn is_whole(line: &Value) {
    let parts = ["available", "held", "drawn", "defaulted"].map(|name| cents(&line[name]));
    assert!(parts.iter().all(|part| *part >= 0), "{line}");
    assert_eq!(parts.iter().sum::<i64>(), cents(&line["limit"]), "{line}");
}

#[test]
fn sixteen_at_once_cannot_spend_a_cent_twice() {
    let mut stage = Stage::new();
    // Each order is 3,840.00 and has a day to itself, so that only credit can be short: five fit.
    stage.customer = sign_up(&stage.admin, &["customer"]);
    stage.line = credit(&stage.admin, &stage.customer, "20000");
    let stage = &stage;
    let answers = thread::scope(|scope| {
        let ask = |day: usize| {
            move || {
                let start = json!({ "start_at": format!("2027-02-{day:02}T00:00:00Z") });
                let order = stage.order_with(start);
                stage.customer.keyed("/v1/orders", &format!("day-{day}"), &order)
            }
        };
        let asked: Vec<_> = (1..=16).map(|day| scope.spawn(ask(day))).collect();
        asked.into_iter().map(|one| one.join().expect("an answer")).collect::<Vec<_>>()
    });
    let (filled, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|one| one.status == 201);
    let spent: i64 = filled.iter().map(|one| cents(&one.json()["value"])).sum();
    assert_eq!((filled.len(), refused.len(), spent), (5, 11, 1_920_000));
    for one in refused {
        let body = one.refused(402, "credit_short");
        assert_eq!(cents(&body["missing"]), cents(&body["needed"]) - cents(&body["available"]));
    }
    let line = stage.balances();
    is_whole(&line);
    assert_eq!(cents(&line["held"]), spent);
}

#[test]
fn a_frozen_line_holds_nothing_new_until_two_have_thawed_it() {
    let stage = Stage::new();
    let second = member(&stage.admin, &["credit_officer"]);
    stage.place(&stage.order());
    let path = format!("/v1/credit_lines/{}", stage.line);
    let note = json!({ "note": "a missed payment elsewhere" });
    let frozen = stage.admin.keyed(&format!("{path}/freeze"), "f", &note).expect(200);
    assert_eq!((&frozen["state"], &frozen["note"]), (&json!("frozen"), &note["note"]));
    let refused = stage.customer.keyed("/v1/orders", "frozen", &stage.order());
    assert_eq!(refused.refused(402, "credit_line_state")["state"], "frozen");

    let thaw = format!("{path}/unfreeze");
    let first = stage.admin.keyed(&thaw, "u1", &note).expect(200);
    assert_eq!(
        (&first["state"], &first["proposal"]["step"]),
        (&json!("frozen"), &json!("unfreeze"))
    );
    stage.admin.keyed(&thaw, "u2", &note).refused(409, "same_officer");
    let thawed = second.keyed(&thaw, "u3", &note).expect(200);
    assert_eq!((&thawed["state"], &thawed["proposal"]), (&json!("active"), &Value::Null));
    // The refusal was about that moment and is kept; a new intent has a new key.
    let same = stage.customer.keyed("/v1/orders", "frozen", &stage.order());
    assert!(same.was_replayed() && same.status == 402, "{}", same.text());
    stage.place(&stage.order());
}

#[test]
fn a_lower_limit_takes_what_is_free_and_the_rest_as_it_frees() {
    let stage = Stage::new();
    let resting = stage.resting();
    stage.place(&stage.order());
    let path = format!("/v1/credit_lines/{}", stage.line);
    let read = stage.customer.get(&path);
    let tag = read.header("etag").expect("a tag").to_owned();
    let change = format!("{path}/limit");
    let lower = json!({ "limit": { "amount": "4000.00", "currency": "USD" } });
    stage.admin.keyed(&change, "l0", &lower).refused(428, "version_required");
    let old = [("if-match", "\"99\""), ("idempotency-key", "l1")];
    stage.admin.with(&change, &old, &lower).refused(412, "version_mismatch");
    let seen = [("if-match", tag.as_str()), ("idempotency-key", "l2")];
    let lowered = stage.admin.with(&change, &seen, &lower).expect(200);
    is_whole(&lowered);
    // 3,840.00 and 1,536.00 are held: the limit cannot go below yet.
    assert_eq!((cents(&lowered["limit"]), cents(&lowered["available"])), (537_600, 0));
    assert_eq!(cents(&lowered["target_limit"]), 400_000);
    stage.customer.post(&format!("/v1/orders/{resting}/cancel"), &json!({})).expect(200);
    let after = stage.balances();
    is_whole(&after);
    assert_eq!((cents(&after["limit"]), cents(&after["available"])), (400_000, 16_000));
    assert_eq!(after["target_limit"], Value::Null);
}
