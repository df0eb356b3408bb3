//! The engine's tests: tables in a small language, the naive oracle, the rules of trading, random
//! histories.

mod capacity;
mod credit;
mod fair;
mod guarantee;
mod history;
mod listing;
mod matching;
mod naive;
mod script;
mod trading;
