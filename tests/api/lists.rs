//! Pages: everything once, whatever is inserted meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::asking::id;
use crate::stage::Stage;

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().expect("a list").iter().map(id).collect()
}

#[test]
fn a_walk_meets_every_order_once_while_others_arrive() {
    let stage = Stage::new();
    // Cheap ones that do not fill: the list does not mind.
    let dear = stage.order_with(json!({ "limit_price_per_gpu_hour": "0.01" }));
    let placed: Vec<String> = (0..45).map(|_| id(&stage.place(&dear))).collect();
    let (mut met, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = stage.customer.get(&format!("/v1/orders?limit=10{cursor}")).expect(200);
        let here = ids(&page);
        pages.push(here.len());
        met.extend(here);
        assert_eq!(page["has_more"] == json!(true), page["next_cursor"].is_string());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        stage.place(&dear);
    }
    assert_eq!(pages, [10, 10, 10, 10, 5]);
    let newest_first: Vec<String> = placed.iter().rev().cloned().collect();
    assert_eq!(met, newest_first);
    let all = stage.customer.get("/v1/orders?limit=100").expect(200);
    assert_eq!(ids(&all).iter().collect::<BTreeSet<_>>().len(), 49);
    let default = stage.customer.get("/v1/orders").expect(200);
    assert_eq!((ids(&default).len(), &default["has_more"]), (20, &json!(true)));
    let none = stage.customer.get("/v1/orders?state=filled").expect(200);
    assert_eq!((ids(&none).len(), &none["next_cursor"]), (0, &Value::Null));
}

#[test]
fn a_page_has_bounds_and_a_cursor_its_list() {
    let stage = Stage::new();
    for _ in 0..2 {
        stage.resting();
    }
    let orders = stage.customer.get("/v1/orders?limit=1").expect(200);
    let cursor = orders["next_cursor"].as_str().expect("one more");
    let lists = ["orders", "listings", "contracts", "credit_applications", "events", "api_keys"];
    for list in [&lists[..], &["invoices", "payments", "payouts", "credit_lines"]].concat() {
        for limit in ["0", "101", "-1", "x", "1.5", "99999999999"] {
            let refused = stage.customer.get(&format!("/v1/{list}?limit={limit}"));
            refused.refused(400, "invalid_query");
        }
        stage.customer.get(&format!("/v1/{list}?limit=100")).expect(200);
    }
    for foreign in [cursor, "x", "", "%00", "b3JkZXI6", &"A".repeat(300)] {
        let refused = stage.customer.get(&format!("/v1/contracts?cursor={foreign}"));
        refused.refused(400, "invalid_cursor");
    }
    let twice = stage.customer.get("/v1/orders?limit=1&limit=2");
    twice.refused(400, "invalid_query");
}

#[test]
fn lists_show_their_own_and_the_operator_everything() {
    let (one, two) = (Stage::new(), Stage::new());
    let (mine, theirs) = (one.resting(), two.resting());
    let own = ids(&one.customer.get("/v1/orders").expect(200));
    assert_eq!(own, std::slice::from_ref(&mine));
    let all = ids(&one.admin.get("/v1/orders?limit=100&state=open").expect(200));
    assert!(all.contains(&mine) && all.contains(&theirs));
    let found = one.customer.get(&format!("/v1/listings?region={}", one.region)).expect(200);
    assert_eq!(ids(&found), std::slice::from_ref(&one.listing), "by exact field");
    assert_eq!(ids(&two.provider.get("/v1/pools").expect(200)), std::slice::from_ref(&two.pool));
}
