//! Organizations, their people and keys: who may act. Knows nothing of the market they act in.
//!
//! This page holds what they are; `acting` says who may act, `register` keeps them and finds them
//! again, and one page each has the commands about organizations, members, sessions and keys.

mod acting;
#[cfg(test)]
pub(super) mod harness;
mod key;
mod member;
mod organization;
mod register;
mod session;

use serde::{Deserialize, Serialize};

pub use self::acting::Acting;
pub use self::register::Parties;
use crate::model::id::{KeyId, OrgId, SessionId, UserId};
use crate::model::{Country, GroupCode, Micros, Role, Segment};
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

impl Capabilities {
    /// Whether an organization with these capabilities has such a role to give.
    pub const fn grants(self, role: Role) -> bool {
        match role {
            Role::Viewer => true,
            Role::Owner | Role::Trader | Role::Finance => self.customer || self.provider,
            Role::Inventory => self.provider,
            Role::Admin | Role::CreditOfficer | Role::MarketOps | Role::Auditor => self.operator,
        }
    }

    /// The role that keeps the organization's house: someone active always holds it.
    pub const fn keeper(self) -> Role {
        if self.operator { Role::Admin } else { Role::Owner }
    }
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
    /// Organizations under one roof share a group: the operator says which.
    pub group: Option<GroupCode>,
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
