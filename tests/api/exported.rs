//! Exports over HTTP: whose rows are in them, and that they are the files they say they are.

use serde_json::json;

use crate::asking::{Caller, id};
use crate::past::contract_of;
use crate::server::Server;
use crate::stage::{Stage, sign_up};

/// A file as text, with its media type.
#[track_caller]
fn file(caller: &Caller, path: &str) -> (String, String) {
    let answer = caller.get(path);
    assert_eq!(answer.status, 200, "{path}");
    let kind = answer.header("content-type").expect("a media type").to_owned();
    (kind, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn everybody_exports_what_is_theirs() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let january = json!({ "start_at": "2027-01-26T00:00:00Z", "duration_hours": 120 });
    let contract = contract_of(&stage, &stage.order_with(january));
    server.advance_to("2027-02-02T00:00:00Z");
    let stage = stage.again("2027-03-01T00:00:00Z");
    let stranger = sign_up(&stage.admin, &["customer"]);
    let invoices = stage.customer.get("/v1/invoices").expect(200);
    let invoice = id(&invoices["data"][0]);

    let (kind, focus) = file(&stage.customer, "/v1/exports/focus?month=2027-01");
    assert!(kind.starts_with("text/csv"), "{kind}");
    let row = focus.lines().nth(1).expect("a row");
    assert!(row.contains(&format!("{invoice},")) && row.contains(",Used,Usage,"), "{row}");
    assert!(row.contains(",19200.000000,"), "the whole charge: {row}");
    assert!(row.contains(",'=Somewhere,"), "the region's name is no formula: {row}");
    assert_eq!(focus.lines().count(), 2, "{focus}");
    assert_eq!(file(&stage.customer, "/v1/exports/focus?month=2027-02").1.lines().count(), 1);
    for path in ["/v1/exports/focus", "/v1/exports/contracts", "/v1/exports/invoices"] {
        assert_eq!(file(&stranger, path).1.lines().count(), 1, "{path}: nothing but the header");
        assert_eq!(file(&stage.admin, path).1.lines().count(), 2, "{path}");
    }
    let theirs = format!("/v1/exports/focus?organization_id={}", stage.customer.organization);
    stranger.get(&theirs).refused(404, "not_found");
    assert!(file(&stage.provider, "/v1/exports/contracts").1.contains(&contract));

    let (kind, table) = file(&stage.customer, "/v1/exports/contracts?format=parquet");
    assert_eq!(kind, "application/vnd.apache.parquet");
    assert!(table.starts_with("PAR1") && table.ends_with("PAR1"), "both ends of a Parquet file");
    let (kind, journal) = file(&stage.admin, "/v1/exports/journal?syntax=beancount");
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert!(journal.contains(&format!("  contract: \"{contract}\"")), "{journal}");
    let (_, entries) = file(&stage.admin, "/v1/exports/entries");
    let earned = entries.lines().filter(|line| line.contains(",revenue_earned,"));
    let in_journal = journal.lines().filter(|line| line.ends_with("\"revenue_earned\""));
    assert_eq!(earned.count(), in_journal.count());
    stage.admin.get("/v1/exports/entries?format=xlsx").refused(400, "invalid_query");
}
