//! The engine's tests: tables in a small language, the naive oracle, the rules of trading, random
//! histories.

mod aging;
mod amendment;
mod backstop;
mod capacity;
mod change;
mod collection;
mod concentration;
mod credit;
mod debt;
mod fair;
mod golden;
mod guarantee;
mod history;
mod incident;
mod listing;
mod matching;
mod mishap;
mod naive;
mod offtake;
mod resale;
mod resold;
mod script;
mod till;
mod trading;
mod transfer;
