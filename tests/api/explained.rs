//! A "no" names what bound and what is near, and what it says is near is there.

use serde_json::{Value, json};

use crate::asking::id;
use crate::server::Server;
use crate::stage::{Stage, merged, number, offer, pool, region};

/// Orders with these fields set otherwise.
fn ask(stage: &Stage, fields: Value) -> Value {
    let order = stage.place(&stage.order_with(fields));
    let read = stage.customer.get(&format!("/v1/orders/{}", id(&order))).expect(200);
    assert_eq!(read, order, "the explanation stays with the order");
    order
}

/// Takes each alternative as it was offered.
fn all_fill(stage: &Stage, order: &Value, kinds: &[&str]) {
    let near = order["explanation"]["alternatives"].as_array().expect("a list");
    let offered: Vec<&str> = near.iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(offered, kinds, "{order}");
    for one in near {
        let body = json!({
            "sku": one["sku"], "regions": [one["region"]], "gpus": one["gpus"],
            "start_at": one["start_at"], "duration_minutes": one["duration_minutes"],
            "limit_price_per_gpu_hour": one["average_price_per_gpu_hour"],
        });
        let path = "/v1/orders?dry_run=true";
        let filled = stage.customer.keyed(path, &format!("near{}", number()), &body).expect(200);
        assert_eq!(filled["state"], "filled", "{one} gave {filled}");
        assert_eq!(filled["value"], one["value"]);
        assert_eq!(stage.place(&body)["state"], "filled", "and not only in theory");
    }
}

#[test]
fn what_did_not_fill_says_why_and_what_would() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let second = region(&stage.admin);
    let (_, other) = pool(&stage.provider, &second);
    stage.provider.post("/v1/listings", &offer(&other, 720, "2.90")).expect(201);

    // Nearly everything is sold for the first of February.
    ask(&stage, json!({ "gpus": 700 }));
    let short = ask(&stage, json!({}));
    assert_eq!((&short["state"], &short["reason"]), (&json!("expired"), &json!("capacity")));
    let explanation = &short["explanation"];
    assert_eq!(explanation["constraint"], "capacity");
    assert_eq!(explanation["free_gpus"], 20);
    assert_eq!(explanation["short_at"], "2027-02-01T00:00:00Z");
    all_fill(&stage, &short, &["later_start", "fewer_gpus", "other_region"]);

    let everywhere = json!([stage.region, second]);
    let cheap = json!({ "regions": everywhere, "limit_price_per_gpu_hour": "2.40",
                        "start_at": "2027-03-01T00:00:00Z" });
    let dear = ask(&stage, cheap);
    assert_eq!((&dear["state"], &dear["reason"]), (&json!("expired"), &json!("price")));
    assert_eq!(dear["explanation"]["best_price_per_gpu_hour"], "2.50");
    all_fill(&stage, &dear, &["higher_price"]);
}

#[test]
fn what_never_could_fill_is_rejected_with_the_rule() {
    let stage = Stage::new();
    let nowhere = region(&stage.admin);
    let none = ask(&stage, json!({ "regions": [nowhere] }));
    assert_eq!((&none["state"], &none["reason"]), (&json!("rejected"), &json!("no_listing")));

    // One listing of every kind that this customer cannot have.
    for (limit, reason) in [
        (json!({ "segments": ["research"] }), "segment"),
        (json!({ "countries": ["AU"] }), "segment"),
        (json!({ "min_gpus": 128 }), "limits"),
        (json!({ "max_hours": 12 }), "limits"),
        (json!({ "notice_hours": 1000 }), "notice"),
    ] {
        let place = region(&stage.admin);
        let (_, pool) = pool(&stage.provider, &place);
        let listing = merged(offer(&pool, 720, "2.50"), limit.clone());
        stage.provider.post("/v1/listings", &listing).expect(201);
        let order = ask(&stage, json!({ "regions": [place] }));
        assert_eq!(
            (&order["state"], &order["reason"]),
            (&json!("rejected"), &json!(reason)),
            "{limit}"
        );
        let explanation = &order["explanation"];
        match reason {
            "notice" => assert_eq!(explanation["earliest_start_at"], "2027-02-11T16:00:00Z"),
            "limits" if limit.get("min_gpus").is_some() => {
                assert_eq!(explanation["gpus_range"], json!({ "least": 128, "most": 720 }));
            }
            "limits" => assert_eq!(explanation["hours_range"], json!({ "least": 1, "most": 12 })),
            _ => assert_eq!(explanation["constraint"], "segment"),
        }
    }
}
