//! Trouble: a pool with less than what is sold, as its provider, the customer and others see it;
//! caps and reviews.

use serde_json::json;

use crate::past::shortfall;
use crate::stage::{Stage, member, number, sign_up};

#[test]
fn a_customer_takes_the_place_that_is_offered_and_keeps_its_price() {
    let stage = Stage::new();
    let (incident, contract) = shortfall(&stage);
    let path = format!("/v1/incidents/{incident}");
    let seen = stage.customer.get(&path).expect(200);
    assert_eq!((&seen["state"], &seen["cause"]), (&json!("open"), &json!("maintenance")));
    let affected = &seen["affected"][0];
    let missing = json!([{
        "gpus": 4, "start_at": "2027-03-10T00:00:00Z", "end_at": "2027-03-10T06:00:00Z",
    }]);
    assert_eq!((&affected["missing"], &affected["outcome"]), (&missing, &json!("offered")));
    assert_eq!(affected["offer"]["parts"][0]["gpus"], 8, "one site");
    assert_eq!(stage.provider.get(&path).expect(200)["affected"], seen["affected"]);
    let stranger = sign_up(&stage.admin, &["customer"]);
    stranger.get(&path).expect(404);
    assert_eq!(stranger.get("/v1/incidents").expect(200)["data"], json!([]));
    let ours = stage.customer.get("/v1/incidents?state=open").expect(200);
    assert_eq!(ours["data"][0]["id"], incident.as_str());

    let home = format!("/v1/contracts/{contract}");
    let before = stage.customer.get(&home).expect(200);
    assert_eq!(before["degraded"], true);
    let answer = format!("{path}/answer");
    let yes = json!({ "contract_id": contract, "answer": "accept" });
    let of_another = stranger.keyed(&answer, "theirs", &yes);
    assert_eq!(of_another.expect(404)["code"], "not_found");
    let done = stage.customer.keyed(&answer, "yes", &yes).expect(200);
    assert_eq!(
        (&done["state"], &done["affected"][0]["outcome"]),
        (&json!("closed"), &json!("substituted"))
    );
    assert_eq!(stage.customer.keyed(&answer, "yes", &yes).expect(200), done, "the same key");
    let again = stage.customer.keyed(&answer, "once more", &yes).expect(409);
    assert_eq!(again["code"], "wrong_state");
    assert_eq!(stage.customer.get(&path).expect(200), done);

    let after = stage.customer.get(&home).expect(200);
    for same in ["value", "value_parts", "held", "average_price_per_gpu_hour", "pool_id", "terms"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["degraded"], false);
    assert_eq!(after["substitutes"][0]["gpus"], 8);
    let made = stage.customer.get(&format!("{home}/amendments")).expect(200);
    let made = &made["data"][0];
    assert_eq!((&made["kind"], &made["before"]), (&json!("substitute"), &made["after"]));
    assert_eq!(made["moved"]["to_pool_id"], after["substitutes"][0]["pool_id"]);
}

#[test]
fn who_declines_does_not_pay_for_what_is_lost() {
    let stage = Stage::new();
    let (incident, contract) = shortfall(&stage);
    let home = format!("/v1/contracts/{contract}");
    // Eight GPUs for twelve hours; four of them are lost for six.
    assert_eq!(stage.customer.get(&home).expect(200)["value"]["amount"], "240.00");
    let no = json!({ "contract_id": contract, "answer": "decline" });
    let answer = format!("/v1/incidents/{incident}/answer");
    let done = stage.customer.keyed(&answer, "no", &no).expect(200);
    assert_eq!((&done["state"], &done["affected"][0]["outcome"]), (&json!("open"), &json!("lost")));
    let after = stage.customer.get(&home).expect(200);
    assert_eq!(
        (&after["value"]["amount"], &after["held"]["amount"]),
        (&json!("180.00"), &json!("180.00"))
    );
    assert_eq!((&after["degraded"], &after["losses"][0]["gpus"]), (&json!(true), &json!(4)));
    let never =
        stage.customer.keyed(&answer, "never", &json!({ "contract_id": contract })).expect(422);
    assert_eq!(never["errors"][0]["pointer"], "/answer");
}

#[test]
fn a_cap_on_a_group_refuses_with_its_numbers() {
    let stage = Stage::new();
    let money = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let group = format!("/v1/organizations/{}/group", stage.customer.organization);
    let roof = format!("roof-{}", number());
    let grouped = stage.admin.post(&group, &json!({ "group": roof })).expect(200);
    assert_eq!(grouped["group"], roof.as_str());
    stage.admin.post(&group, &json!({})).expect(422);
    let cap = |amount| json!({ "subject": "group", "name": roof, "amount": amount });
    let set = stage.admin.keyed("/v1/caps", "set", &cap(money("5000.00"))).expect(200);
    assert_eq!((&set["subject"], &set["amount"]), (&json!("group"), &money("5000.00")));
    stage.place(&stage.order());
    let refused = stage.customer.keyed("/v1/orders", "second", &stage.order()).expect(409);
    assert_eq!(refused["code"], "cap_exceeded");
    for (number, amount) in
        [("exposed", "3840.00"), ("needed", "3840.00"), ("cap", "5000.00"), ("over", "2680.00")]
    {
        assert_eq!(refused[number], money(amount), "{number}");
    }
    let exposure = stage.admin.get("/v1/exposure").expect(200);
    let groups = exposure["groups"].as_array().expect("groups");
    let own = groups.iter().find(|one| one["group"] == roof.as_str()).expect("the group");
    assert_eq!((&own["lines"], &own["held"]), (&json!(1), &money("3840.00")));
    stage.admin.keyed("/v1/caps", "lift", &cap(json!(null))).expect(200);
    stage.place(&stage.order());
    let unknown = json!({ "subject": "provider", "name": "nobody", "amount": null });
    let unknown = stage.admin.keyed("/v1/caps", "nobody", &unknown).expect(422);
    assert_eq!(unknown["errors"][0]["pointer"], "/name");
}

#[test]
fn a_line_is_reviewed_and_says_so() {
    let stage = Stage::new();
    let path = format!("/v1/credit_lines/{}", stage.line);
    let review = json!({ "outcome": "confirmed", "next_months": 3, "note": "pays in time" });
    let officer = member(&stage.admin, &["credit_officer"]);
    let line = officer.keyed(&format!("{path}/review"), "seen", &review).expect(200);
    assert_eq!(line["last_review"]["outcome"], "confirmed");
    assert_eq!(stage.balances()["review_at"], line["review_at"]);
    let due = officer.get("/v1/reviews?limit=100").expect(200);
    let lines = due["data"].as_array().expect("a list");
    assert!(lines.iter().all(|one| one["id"] != stage.line.as_str()), "not due: {due}");
}
