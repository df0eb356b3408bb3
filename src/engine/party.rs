//! Organizations, their people and keys: who may act. Knows nothing of the market they act in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Actor, Answer, NewSession, SignUp, Stamp};
use super::effect::Effects;
use super::refusal::Refusal;
use crate::model::id::{KeyId, OrgId, SessionId, UserId};
use crate::model::{Country, Micros, Role, Segment};
use crate::words;

/// What an organization may be in the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capabilities {
    pub customer: bool,
    pub provider: bool,
    pub vendor: bool,
    pub guarantor: bool,
    pub operator: bool,
}

words! {
    /// An organization's life. `pending_review -> active <-> suspended`.
    OrganizationState {
        PendingReview = "pending_review",
        Active = "active",
        Suspended = "suspended",
    }
    /// A person's life in an organization. `invited -> active -> removed`.
    UserState {
        Invited = "invited",
        Active = "active",
        Removed = "removed",
    }
}

/// A legal party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub id: OrgId,
    pub name: String,
    pub capabilities: Capabilities,
    pub segment: Option<Segment>,
    pub country: Country,
    pub state: OrganizationState,
    pub created_at: Micros,
    pub version: u32,
}

/// A person. Belongs to one organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub org: OrgId,
    /// Lower case; unique in the market among those not removed.
    pub email: String,
    pub roles: Vec<Role>,
    pub state: UserState,
    /// The argon2id hash in PHC form; empty until an invitation is accepted.
    pub password_hash: String,
    /// SHA-256 of the invitation's token, while invited.
    pub invitation: Option<[u8; 32]>,
    pub created_at: Micros,
    pub version: u32,
}

/// One sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    /// SHA-256 of the refresh token that is good now.
    pub refresh_hash: [u8; 32],
    /// SHA-256 of the one before: presented again, it betrays a copy.
    pub previous_hash: Option<[u8; 32]>,
    pub created_at: Micros,
    pub expires_at: Micros,
    pub closed: bool,
}

/// An API key: a program's way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: KeyId,
    pub org: OrgId,
    pub name: String,
    pub roles: Vec<Role>,
    /// SHA-256 of the secret, which is shown once and kept nowhere.
    pub hash: [u8; 32],
    pub created_by: UserId,
    pub created_at: Micros,
    pub expires_at: Option<Micros>,
    pub last_used_at: Option<Micros>,
    pub revoked: bool,
}

/// Everybody. Suspended organizations and removed people stay, so that their names are not taken again.
#[derive(Debug, Default)]
pub struct Parties {
    pub(super) organizations: BTreeMap<OrgId, Arc<Organization>>,
    pub(super) users: BTreeMap<UserId, Arc<User>>,
    pub(super) by_email: BTreeMap<String, UserId>,
    /// Open sessions only.
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// By refresh hash, the current and the previous.
    pub(super) by_refresh: BTreeMap<[u8; 32], SessionId>,
    /// Keys not revoked and not expired.
    pub(super) keys: BTreeMap<KeyId, ApiKey>,
}

/// Who acts, once it is known that they may act at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    pub organization: Arc<Organization>,
    /// The person, when it is not a key.
    pub user: Option<UserId>,
}

impl Parties {
    /// The organization that acts. Refuses removed people, revoked or expired keys, and `System` and `Anonymous`.
    pub(super) fn acting(&self, _at: &Stamp) -> Result<Acting, Refusal> {
        todo!()
    }

    /// As `acting`, for an active customer.
    pub(super) fn trading(&self, _at: &Stamp) -> Result<Acting, Refusal> {
        todo!()
    }

    /// As `acting`, for an active provider.
    pub(super) fn offering(&self, _at: &Stamp) -> Result<Acting, Refusal> {
        todo!()
    }

    /// As `acting`, for the operator.
    pub(super) fn operating(&self, _at: &Stamp) -> Result<Acting, Refusal> {
        todo!()
    }

    /// As `operating`, for a person: decisions have a name.
    pub(super) fn deciding(&self, _at: &Stamp) -> Result<UserId, Refusal> {
        todo!()
    }

    pub fn organization(&self, id: OrgId) -> Option<&Arc<Organization>> {
        self.organizations.get(&id)
    }

    /// The one operator, once founded.
    pub fn operator(&self) -> Option<&Arc<Organization>> {
        todo!()
    }
}

// The commands.
impl Engine {
    pub(super) fn found(
        &mut self,
        _at: &Stamp,
        _org: OrgId,
        _user: UserId,
        _name: String,
        _country: Country,
        _email: String,
        _password_hash: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn sign_up(
        &mut self,
        _at: &Stamp,
        _ask: SignUp,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn approve_organization(
        &mut self,
        _at: &Stamp,
        _org: OrgId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn suspend_organization(
        &mut self,
        _at: &Stamp,
        _org: OrgId,
        _note: String,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn invite_member(
        &mut self,
        _at: &Stamp,
        _user: UserId,
        _email: String,
        _roles: Vec<Role>,
        _token_hash: [u8; 32],
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn accept_invitation(
        &mut self,
        _at: &Stamp,
        _token_hash: [u8; 32],
        _password_hash: String,
        _session: NewSession,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn change_member(
        &mut self,
        _at: &Stamp,
        _user: UserId,
        _roles: Vec<Role>,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn remove_member(
        &mut self,
        _at: &Stamp,
        _user: UserId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn open_session(
        &mut self,
        _at: &Stamp,
        _user: UserId,
        _session: NewSession,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn refresh_session(
        &mut self,
        _at: &Stamp,
        _presented: [u8; 32],
        _next: [u8; 32],
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn close_session(
        &mut self,
        _at: &Stamp,
        _session: SessionId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    /// A session's time has come.
    pub(super) fn end_session(&mut self, _session: SessionId, _out: &mut Effects) {
        todo!()
    }

    pub(super) fn create_key(
        &mut self,
        _at: &Stamp,
        _key: KeyId,
        _name: String,
        _roles: Vec<Role>,
        _expires_at: Option<Micros>,
        _hash: [u8; 32],
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn revoke_key(
        &mut self,
        _at: &Stamp,
        _key: KeyId,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn note_key_use(
        &mut self,
        _keys: Vec<(KeyId, Micros)>,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }
}
