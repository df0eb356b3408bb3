//! The engine as plain values, and back: what the store loads at start, and the digest that shows that
//! what is in the database rebuilds the same engine.

use serde::Serialize;

use super::capacity::{Factory, Pool};
use super::catalogue::{Region, Sku};
use super::contract::Contract;
use super::credit::{Application, Line};
use super::ledger::{AccountKey, Balance};
use super::listing::Listing;
use super::order::Order;
use super::party::{ApiKey, Organization, Session, User};
use super::program::Program;
use super::quote::Quote;
use super::remember::Kept;
use super::{Engine, Settings};
use crate::model::Micros;
use crate::model::id::OrgId;

/// Everything that can still change, as facts. Schedules, queues and deadlines are derived from them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Snapshot {
    pub now: Micros,
    pub seq: u64,
    pub last_entry: u64,
    pub organizations: Vec<Organization>,
    pub users: Vec<User>,
    /// Open ones.
    pub sessions: Vec<Session>,
    /// Not revoked.
    pub keys: Vec<ApiKey>,
    pub skus: Vec<Sku>,
    pub regions: Vec<Region>,
    pub programs: Vec<Program>,
    pub factories: Vec<Factory>,
    pub pools: Vec<Pool>,
    /// Drafts, live and sold out.
    pub listings: Vec<Listing>,
    /// Submitted.
    pub applications: Vec<Application>,
    /// Not closed.
    pub lines: Vec<Line>,
    /// Open.
    pub quotes: Vec<Quote>,
    /// Open.
    pub orders: Vec<Order>,
    /// Scheduled and active.
    pub contracts: Vec<Contract>,
    pub accounts: Vec<(AccountKey, Balance)>,
    pub event_heads: Vec<(OrgId, u64)>,
    /// Not yet forgotten, oldest first.
    pub kept: Vec<Kept>,
}

impl Engine {
    /// Everything that can still change, each list in key order.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// The engine that these facts describe. Schedules, queues and deadlines are derived anew.
    pub fn restore(_settings: Settings, _snapshot: Snapshot) -> Engine {
        todo!()
    }

    /// SHA-256 over the snapshot and over everything derived from it, in hexadecimal.
    pub fn digest(&self) -> String {
        todo!()
    }
}
