//! Headroom: an open, self-hosted marketplace and reservation backend for GPU capacity.
//!
//! Floors, bottom up; a room uses lower floors only:
//!
//! ```text
//! 4  http        the door: actix, JSON shapes, tokens
//! 3  sequencer   the one writer: drain, stamp, apply, commit, publish, answer
//! 2  store       the memory: diesel, SQLite and PostgreSQL
//! 1  engine      the brain: pure; decides everything
//! 0  model       words: ids, money, time, schedules
//! ```

pub mod backup;
pub mod bench;
pub mod config;
pub mod demo;
pub mod engine;
pub mod export;
pub mod http;
pub mod model;
pub mod sequencer;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod verify;
pub mod view;
