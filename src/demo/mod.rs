//! The demo: the reference market, filled with real demand.
//!
//! Knows the reference data set and how to speak to the market as anyone would. Knows no shortcut:
//! what the demo does, a customer or a provider could have done by the same commands.

pub mod trace;
