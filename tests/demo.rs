//! The demo as a newcomer starts it: the real binary, a small replay, and what it says about it.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in a folder of its own and answers what it said, once it has ended well.
fn headroom(folder: &Path, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(arguments)
        .arg("--data-dir")
        .arg(folder)
        .current_dir(folder.parent().expect("a folder in a folder"))
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary can be started");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{arguments:?} ended with {status}:\n{stderr}");
    String::from_utf8(stdout).expect("text")
}

/// The number after `name` at the begin of a line, its thousands put together.
fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no line begins with {name:?} in\n{text}"));
    let word = line.split_whitespace().next().expect("something follows");
    word.replace(',', "").parse().unwrap_or_else(|_| panic!("{name}{line}"))
}

#[test]
fn a_small_demo_tells_what_it_did_and_holds() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("demo");
    let text = headroom(&folder, &["demo", "--no-serve", "--orders", "300"]);

    for name in ["Sharon AI", "Firmus", "Batam DSX 3", "Meridian Models", "DEMONSTRATION DATA"] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
    let placed = figure(&text, "ORDERS: ");
    assert!((290.0..=300.0).contains(&placed), "{placed}: a few jobs are quotes that lapse");
    let filled = figure(&text, "Filled");
    assert!(filled > placed / 2.0 && filled <= placed, "{filled} of {placed}");
    let (contracts, bought) = (figure(&text, "REVENUE: "), figure(&text, "Of these"));
    assert!(
        (contracts - filled - bought).abs() < 0.5,
        "one contract for each filled order, and what the backstop bought"
    );
    assert!(bought > 0.0, "some of the supported capacity stayed unsold");
    let whole = figure(&text, "Contracted revenue");
    let parts = ["providers", "vendor", "platform"].map(|part| figure(&text, part));
    assert!(whole > 0.0 && parts.iter().all(|part| *part > 0.0), "{whole} = {parts:?}");
    assert!((parts.iter().sum::<f64>() - whole).abs() < 0.01, "{whole} = {parts:?}");
    assert!(figure(&text, "GPU-hours sold") > 0.0);
    for persona in
        ["operator: admin", "second credit officer", "customer: trader", "provider: owner"]
    {
        assert!(text.contains(persona), "{persona} has no account in\n{text}");
    }
    assert!(text.contains("every invariant hold"), "{text}");

    let verdict = headroom(&folder, &["verify"]);
    assert!(verdict.contains("everything holds"), "{verdict}");
}

#[test]
fn a_demo_lives_on_and_closes_its_months() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("demo");
    let arguments = ["demo", "--no-serve", "--orders", "120", "--advance", "4mo"];
    let text = headroom(&folder, &arguments);
    let closed = text.lines().filter(|line| line.trim_end().ends_with(" closed")).count();
    assert!(closed >= 4, "{closed} months are closed in\n{text}");
    assert!(text.contains("Trial balance over all books: 0"), "{text}");
    let journal = headroom(&folder, &["export", "hledger"]);
    assert!(journal.contains("revenue_earned") && journal.contains("payout_paid"), "{journal}");
    let rows = headroom(&folder, &["export", "invoices"]);
    assert!(rows.lines().count() > closed, "an invoice a customer and month:\n{rows}");
}

#[test]
fn a_demo_does_not_begin_where_a_market_is() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("demo");
    headroom(&folder, &["demo", "--no-serve", "--orders", "0"]);
    let again = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["demo", "--no-serve", "--orders", "0", "--data-dir"])
        .arg(&folder)
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary can be started");
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("has a market in it"), "{said}");
}

#[test]
fn a_demo_is_not_for_other_machines() {
    let refused = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["demo", "--listen", "0.0.0.0:0"])
        .env_remove("DATABASE_URL")
        .output()
        .expect("the binary can be started");
    assert_eq!(refused.status.code(), Some(1));
}
