//! The engine's tests: tables in a small language, the naive oracle, the rules of trading, random histories.

mod credit;
mod guarantee;
mod history;
mod matching;
mod naive;
mod script;
mod trading;
