//! The engine's tests: tables in a small language, the naive oracle, random histories.

mod credit;
mod guarantee;
mod matching;
mod naive;
