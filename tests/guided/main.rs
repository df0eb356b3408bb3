//! Every input that guided fuzzing ever found worth keeping, once more: what was broken stays
//! mended, without a fuzzer. `tests/guided/run` looks for new ones.

mod commands;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn everything_in_the_corpus_is_read_without_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guided/corpus");
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let bytes = fs::read(entry.expect("it can be listed").path()).expect("an input");
        let first = bytes.first().copied().unwrap_or_default();
        let (name, _) = targets::TARGETS[usize::from(first) % targets::TARGETS.len()];
        *counts.entry(name).or_insert(0) += 1;
        targets::run(&bytes);
    }
    for (name, _) in targets::TARGETS {
        assert!(counts.contains_key(name), "nothing of {name} in the corpus: {counts:?}");
    }
}

#[test]
fn the_first_byte_chooses_and_any_rest_is_taken() {
    for first in 0..=u8::MAX {
        for rest in [&b""[..], b"\xff\xfe", b"{}", b"org_01h2xcejqtf2nbrexx3vqjhp41", b"0"] {
            targets::run(&[&[first], rest].concat());
        }
    }
}
