//! The inputs of tests/guided, looked for by libFuzzer: it sees which code an input reaches.
#![no_main]

#[path = "../commands.rs"]
mod commands;
#[path = "../targets.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

/// The one target that is aimed at, when one is: the name of it in `targets.rs`.
static ONLY: LazyLock<Option<usize>> = LazyLock::new(|| {
    let wanted = std::env::var("HEADROOM_FUZZ_TARGET").ok().filter(|name| !name.is_empty())?;
    let place = targets::TARGETS.iter().position(|(name, _)| *name == wanted);
    Some(place.unwrap_or_else(|| panic!("there is no target {wanted:?}")))
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let first = bytes.first().map(|first| usize::from(*first) % targets::TARGETS.len());
    // Time spent on other targets is not time spent on this one.
    if ONLY.is_some() && first != *ONLY {
        return Corpus::Reject;
    }
    targets::run(bytes);
    Corpus::Keep
});
