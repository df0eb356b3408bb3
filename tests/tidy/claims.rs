//! SECURITY.md names files and tests as evidence: each must be there, or the page claims too much.

use std::collections::BTreeSet;
use std::fs;

use crate::source::root;

/// Everything in backquotes that is a path of this project, with the test it names, if any.
fn evidence(text: &str) -> BTreeSet<(String, Option<String>)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let paths =
        quoted.filter(|word| ["tests/", "src/"].iter().any(|start| word.starts_with(start)));
    let named = paths.map(|word| match word.split_once("::") {
        Some((path, test)) => (path.to_owned(), Some(test.to_owned())),
        None => (word.to_owned(), None),
    });
    named.collect()
}

/// Whether a function of this name is marked as a test, up to three lines above.
fn has_test(code: &str, name: &str) -> bool {
    let lines: Vec<&str> = code.lines().map(str::trim_start).collect();
    let [plain, waiting] = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(at, line)| {
        let is_named = line.starts_with(&plain) || line.starts_with(&waiting);
        let above = &lines[at.saturating_sub(3)..at];
        is_named && above.iter().any(|mark| *mark == "#[test]" || mark.starts_with("#[tokio::test"))
    })
}

#[test]
fn what_the_security_page_names_is_there() {
    let text = fs::read_to_string(root().join("SECURITY.md")).expect("the page is there");
    let evidence = evidence(&text);
    assert!(evidence.iter().filter(|(_, test)| test.is_some()).count() >= 30, "{evidence:?}");
    let mut missing = Vec::new();
    for (path, test) in evidence {
        let file = root().join(&path);
        let Some(test) = test else {
            if !file.exists() {
                missing.push(path);
            }
            continue;
        };
        if !fs::read_to_string(&file).is_ok_and(|code| has_test(&code, &test)) {
            missing.push(format!("{path}::{test}"));
        }
    }
    assert!(missing.is_empty(), "SECURITY.md names what is not there: {missing:#?}");
}

#[test]
fn every_line_of_its_tables_has_its_evidence_or_says_that_there_is_none() {
    let text = fs::read_to_string(root().join("SECURITY.md")).expect("the page is there");
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let last = line.trim_end_matches(" |").rsplit(" | ").next().expect("a column");
        let is_head = last == "Shown by";
        assert!(is_head || last == "-" || last.starts_with('`'), "no evidence: {line}");
        rows += usize::from(!is_head);
    }
    assert!(rows >= 40, "{rows} rows");
}

#[test]
fn evidence_is_found_in_backquotes() {
    let text = "so `tests/a.rs::b_c` and `src/d.rs`, not `cargo x` or tests/e.rs";
    let expected =
        [("src/d.rs".to_owned(), None), ("tests/a.rs".to_owned(), Some("b_c".to_owned()))];
    assert_eq!(evidence(text), BTreeSet::from(expected));
}
