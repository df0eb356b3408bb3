//! Events as they happen, and from where one left off.

use std::thread;

use serde_json::{Value, json};

use crate::stage::Stage;

/// The numbers of the events in a stream's text.
fn numbers(heard: &str) -> Vec<u64> {
    let lines = heard.lines().filter_map(|line| line.strip_prefix("id: "));
    lines.map(|number| number.parse().expect("a number")).collect()
}

fn types(heard: &str) -> Vec<&str> {
    heard.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
}

#[test]
fn a_stream_tells_what_happens_and_resumes_where_it_was_left() {
    let stage = Stage::new();
    let heard = thread::scope(|scope| {
        // What the stream begins after is known before anything happens.
        let told = stage.customer.get("/v1/events").expect(200);
        let last = told["data"].as_array().expect("a list").len().to_string();
        let headers = [("last-event-id", last.clone())];
        let listener = scope.spawn({
            let stage = &stage;
            move || {
                let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
                stage.customer.listen(&headers, |heard| types(heard).len() >= 2)
            }
        });
        stage.place(&stage.order());
        listener.join().expect("a listener")
    });
    assert_eq!(types(&heard), ["contract.created", "order.filled"]);
    let [first, second] = numbers(&heard)[..] else { panic!("{heard}") };
    assert_eq!(second, first + 1);
    let data: Vec<&str> = heard.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let event: Value = serde_json::from_str(data[1]).expect("JSON");
    assert_eq!(
        (&event["type"], &event["data"]["state"]),
        (&json!("order.filled"), &json!("filled"))
    );
    let listed = stage.customer.get(&format!("/v1/events?after={first}")).expect(200);
    assert_eq!(listed["data"][0], event, "the list and the stream say the same");

    let resumed = stage.customer.listen(&[("last-event-id", &first.to_string())], |heard| {
        heard.contains("order.filled") && heard.ends_with("\n\n")
    });
    assert_eq!(numbers(&resumed), [second]);
    let whole = stage.customer.listen(&[("last-event-id", "0")], |heard| {
        numbers(heard).contains(&second) && heard.ends_with("\n\n")
    });
    assert_eq!(numbers(&whole), (1..=second).collect::<Vec<_>>(), "gap-free from 1");
}

#[test]
fn events_are_the_organization_s_own() {
    let (one, two) = (Stage::new(), Stage::new());
    one.place(&one.order());
    let other = format!("/v1/events?organization={}", one.customer.organization);
    two.customer.get(&other).refused(404, "not_found");
    let seen = one.admin.get(&other).expect(200);
    assert_eq!(seen, one.customer.get("/v1/events").expect(200), "the operator's people read it");
    let ours = two.customer.get("/v1/events").expect(200);
    for event in ours["data"].as_array().expect("a list") {
        assert_eq!(event["organization"], two.customer.organization.as_str());
    }
}
