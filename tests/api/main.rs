//! The real server, asked over HTTP as its callers ask it.
//!
//! Most tests share one server and keep apart by having organizations and a region of their own;
//! those that move the clock, restart the server or count everything have a server to themselves.

mod asking;
mod past;
mod server;
mod stage;

mod access;
mod backstops;
mod billing;
mod credit;
mod explained;
mod exported;
mod incidents;
mod journey;
mod lists;
mod malformed;
mod objects;
mod reference;
mod refused;
mod repeats;
mod resales;
mod statement;
mod stream;
mod tokens;
mod trading;
