//! Who acts, and what they may do: the engine's own gate, the last one. Changes nothing.

use std::sync::Arc;

use super::{ApiKey, Organization, OrganizationState, Parties, User, UserState};
use crate::engine::command::{Actor, Stamp};
use crate::engine::refusal::Refusal;
use crate::model::id::{OrgId, UserId};
use crate::model::{Right, Role};

/// Who acts, once it is known that they may act at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    pub organization: Arc<Organization>,
    /// The person, when it is not a key.
    pub user: Option<UserId>,
    bearer: Bearer,
}

/// Whose roles count.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bearer {
    Person(Arc<User>),
    Key(Arc<ApiKey>),
}

impl Acting {
    /// The acting organization.
    pub fn org(&self) -> OrgId {
        self.organization.id
    }

    /// The roles of the person or the key that acts.
    pub fn roles(&self) -> &[Role] {
        match &self.bearer {
            Bearer::Person(user) => &user.roles,
            Bearer::Key(key) => &key.roles,
        }
    }

    /// Asks for a right.
    ///
    /// # Errors
    /// `NotPermitted`, when no role gives it.
    pub fn needs(&self, right: Right) -> Result<(), Refusal> {
        if self.roles().iter().any(|role| role.may(right)) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { right })
    }

    /// Asks for a person.
    ///
    /// # Errors
    /// `PersonNeeded`, when it is a key.
    pub fn person(&self) -> Result<UserId, Refusal> {
        self.user.ok_or(Refusal::PersonNeeded)
    }

    /// Asks that the organization may start something new.
    ///
    /// # Errors
    /// `PendingReview` or `Suspended`.
    fn is_admitted(&self) -> Result<(), Refusal> {
        match self.organization.state {
            OrganizationState::Active => Ok(()),
            OrganizationState::PendingReview => Err(Refusal::PendingReview),
            OrganizationState::Suspended => Err(Refusal::Suspended),
        }
    }
}

impl Parties {
    /// The organization that acts, in whatever state it is: also those that wait for review or are
    /// suspended read, and keep their members.
    ///
    /// # Errors
    /// `NotActive` for removed people, revoked or expired keys, and for `System` and `Anonymous`.
    pub(in crate::engine) fn acting(&self, at: &Stamp) -> Result<Acting, Refusal> {
        let bearer = match at.actor {
            Actor::System | Actor::Anonymous => None,
            Actor::User(id) => {
                let active = self.user(id).filter(|user| user.state == UserState::Active);
                active.cloned().map(Bearer::Person)
            }
            Actor::Key(id) => {
                let good = |key: &&Arc<ApiKey>| key.expires_at.is_none_or(|end| at.at < end);
                self.key(id).filter(good).cloned().map(Bearer::Key)
            }
        };
        let bearer = bearer.ok_or(Refusal::NotActive)?;
        let (org, user) = match &bearer {
            Bearer::Person(user) => (user.org, Some(user.id)),
            Bearer::Key(key) => (key.org, None),
        };
        let organization = self.organization(org).expect("nobody is without an organization");
        Ok(Acting { organization: organization.clone(), user, bearer })
    }

    /// As `acting`, for an active customer whose caller holds this right.
    ///
    /// # Errors
    /// `NotCapable`, `NotPermitted`, `PendingReview`, `Suspended`.
    pub(in crate::engine) fn customer(&self, at: &Stamp, right: Right) -> Result<Acting, Refusal> {
        let acting = self.acting(at)?;
        if !acting.organization.capabilities.customer {
            return Err(Refusal::NotCapable { capability: "customer" });
        }
        acting.needs(right)?;
        acting.is_admitted()?;
        Ok(acting)
    }

    /// An active customer that may trade.
    ///
    /// # Errors
    /// As `customer`.
    pub(in crate::engine) fn trading(&self, at: &Stamp) -> Result<Acting, Refusal> {
        self.customer(at, Right::Trade)
    }

    /// As `acting`, for an active provider that may offer.
    ///
    /// # Errors
    /// `NotCapable`, `NotPermitted`, `PendingReview`, `Suspended`.
    pub(in crate::engine) fn offering(&self, at: &Stamp) -> Result<Acting, Refusal> {
        let acting = self.acting(at)?;
        if !acting.organization.capabilities.provider {
            return Err(Refusal::NotCapable { capability: "provider" });
        }
        acting.needs(Right::Offer)?;
        acting.is_admitted()?;
        Ok(acting)
    }

    /// As `acting`, for the operator, whose caller holds this right.
    ///
    /// # Errors
    /// `NotCapable`, `NotPermitted`.
    pub(in crate::engine) fn operating(&self, at: &Stamp, right: Right) -> Result<Acting, Refusal> {
        let acting = self.acting(at)?;
        if !acting.organization.capabilities.operator {
            return Err(Refusal::NotCapable { capability: "operator" });
        }
        acting.needs(right)?;
        Ok(acting)
    }

    /// The operator's person who decides on credit: decisions have a name.
    ///
    /// # Errors
    /// As `operating`, and `PersonNeeded` for a key.
    pub(in crate::engine) fn deciding(&self, at: &Stamp) -> Result<UserId, Refusal> {
        self.operating(at, Right::DecideCredit)?.person()
    }
}
