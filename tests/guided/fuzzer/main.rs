//! The inputs of tests/guided, looked for by libFuzzer: it sees which code an input reaches.
#![no_main]

#[path = "../commands.rs"]
mod commands;
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::run(bytes));
