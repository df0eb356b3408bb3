//! Floor 3, the picture: the market's present as it stood after the last commit, immutable and
//! shared.
//!
//! For signing in and for market data, so that reads never wait for the writer. Knows facts and how
//! to take in new ones. Knows no rule, no database and nothing of what is still being decided.

use std::sync::Arc;

use imbl::OrdMap;

use crate::engine::capacity::Shelf;
use crate::engine::catalogue::{Region, Sku};
use crate::engine::effect::Effects;
use crate::engine::party::{ApiKey, Organization, Session, User, UserState};
use crate::engine::snapshot::Snapshot;
use crate::model::id::{KeyId, OrgId, PoolId, SessionId, UserId};
use crate::model::{Micros, RegionCode, SkuCode};

/// The market as of one commit. Its maps share what did not change with the view before.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The commit's number.
    pub number: u64,
    /// Seen from beside the one who writes: no shelves, and what is here may be a second old.
    pub is_glimpse: bool,
    /// The instant of the last command in it that changed something.
    pub now: Micros,
    pub organizations: OrdMap<OrgId, Arc<Organization>>,
    /// Removed people too: their audit trail has names.
    pub users: OrdMap<UserId, Arc<User>>,
    /// People not removed, by their address in lower case.
    pub users_by_email: OrdMap<String, UserId>,
    /// Not revoked. One may have expired: the caller looks at its date.
    pub keys: OrdMap<KeyId, Arc<ApiKey>>,
    pub keys_by_hash: OrdMap<[u8; 32], KeyId>,
    /// Open ones.
    pub sessions: OrdMap<SessionId, Arc<Session>>,
    pub skus: OrdMap<SkuCode, Arc<Sku>>,
    pub regions: OrdMap<RegionCode, Arc<Region>>,
    pub shelves: OrdMap<PoolId, Arc<Shelf>>,
    /// The number of the last event of each organization that was told something.
    pub heads: OrdMap<OrgId, u64>,
}

impl View {
    /// The picture of what was loaded.
    pub fn new(number: u64, snapshot: &Snapshot, shelves: Vec<Shelf>) -> Self {
        let mut view = Self { number, now: snapshot.now, ..Self::default() };
        for thing in &snapshot.organizations {
            view.organizations.insert(thing.id, Arc::new(thing.clone()));
        }
        for thing in &snapshot.users {
            view.put_user(thing);
        }
        for thing in &snapshot.keys {
            view.put_key(thing);
        }
        for thing in &snapshot.sessions {
            view.put_session(thing);
        }
        for thing in &snapshot.skus {
            view.skus.insert(thing.code.clone(), Arc::new(thing.clone()));
        }
        for thing in &snapshot.regions {
            view.regions.insert(thing.code.clone(), Arc::new(thing.clone()));
        }
        for (org, last) in &snapshot.event_heads {
            view.heads.insert(*org, *last);
        }
        view.put_shelves(shelves);
        view
    }

    /// Takes in what a commit made true. `shelves` are the pictures of `effects.shelves` as the
    /// engine had them when the batch was sealed.
    pub fn absorb(&mut self, number: u64, effects: &Effects, shelves: Vec<Shelf>) {
        self.number = number;
        self.now = self.now.max(effects.now);
        for fact in effects.organizations.values() {
            self.organizations.insert(fact.thing.id, Arc::new(fact.thing.clone()));
        }
        for fact in effects.users.values() {
            self.put_user(&fact.thing);
        }
        for fact in effects.keys.values() {
            self.put_key(&fact.thing);
        }
        for fact in effects.sessions.values() {
            self.put_session(&fact.thing);
        }
        for fact in effects.skus.values() {
            self.skus.insert(fact.thing.code.clone(), Arc::new(fact.thing.clone()));
        }
        for fact in effects.regions.values() {
            self.regions.insert(fact.thing.code.clone(), Arc::new(fact.thing.clone()));
        }
        for (org, fact) in effects.event_heads.iter() {
            self.heads.insert(*org, fact.thing);
        }
        self.put_shelves(shelves);
    }

    /// New pictures of pools.
    pub fn put_shelves(&mut self, shelves: Vec<Shelf>) {
        for shelf in shelves {
            self.shelves.insert(shelf.pool, Arc::new(shelf));
        }
    }

    /// Within one commit an address may pass from a removed person to a new one, and facts come in
    /// the order of their ids: only its holder gives an address up.
    fn put_user(&mut self, user: &User) {
        if user.state != UserState::Removed {
            self.users_by_email.insert(user.email.clone(), user.id);
        } else if self.users_by_email.get(&user.email) == Some(&user.id) {
            self.users_by_email.remove(&user.email);
        }
        self.users.insert(user.id, Arc::new(user.clone()));
    }

    fn put_key(&mut self, key: &ApiKey) {
        if key.revoked {
            self.keys.remove(&key.id);
            self.keys_by_hash.remove(&key.hash);
        } else {
            self.keys_by_hash.insert(key.hash, key.id);
            self.keys.insert(key.id, Arc::new(key.clone()));
        }
    }

    fn put_session(&mut self, session: &Session) {
        if session.closed {
            self.sessions.remove(&session.id);
        } else {
            self.sessions.insert(session.id, Arc::new(session.clone()));
        }
    }

    /// The person who signs in with this address, in lower case.
    pub fn user_by_email(&self, email: &str) -> Option<&Arc<User>> {
        self.users.get(self.users_by_email.get(email)?)
    }

    /// The key with this SHA-256 of its secret.
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Option<&Arc<ApiKey>> {
        self.keys.get(self.keys_by_hash.get(hash)?)
    }

    /// The one operator, once founded.
    pub fn operator(&self) -> Option<&Arc<Organization>> {
        self.organizations.values().find(|one| one.capabilities.operator)
    }
}
