//! How organizations come, are admitted and are stopped. Knows nothing of what they trade.

use super::{Capabilities, Organization, OrganizationState, User, UserState};
use crate::engine::Engine;
use crate::engine::bound;
use crate::engine::command::{Actor, Answer, SignUp, Stamp};
use crate::engine::effect::Effects;
use crate::engine::event::{EventData, EventKind};
use crate::engine::refusal::Refusal;
use crate::model::id::{OrgId, UserId};
use crate::model::{Country, Right, Role};

impl Engine {
    /// The market's first act: its operator, and the operator's first person with every operator role.
    #[expect(clippy::too_many_arguments, reason = "a command's fields, taken apart once")]
    pub(in crate::engine) fn found(
        &mut self,
        at: &Stamp,
        org: OrgId,
        user: UserId,
        name: String,
        country: Country,
        email: String,
        password_hash: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if at.actor != Actor::System {
            return Err(Refusal::NotActive);
        }
        if self.parties.operator().is_some() {
            let (state, needed) = ("founded", "new");
            return Err(Refusal::WrongState { kind: "market", state, needed });
        }
        bound::name("name", &name)?;
        let email = self.free_email("email", &email, at)?;

        // From here it must succeed: every question has been asked.
        self.lapse_invitation(&email, out);
        let organization = Organization {
            id: org,
            name,
            capabilities: Capabilities { operator: true, ..Capabilities::default() },
            segment: None,
            country,
            state: OrganizationState::Active,
            created_at: at.at,
            version: 1,
        };
        let roles = vec![Role::Admin, Role::CreditOfficer, Role::MarketOps, Role::Auditor];
        let founder = first_person(user, org, email, roles, password_hash, at);
        self.parties.add_organization(&organization, out);
        self.parties.add_user(&founder, out);
        Ok(Answer::Organization(organization))
    }

    /// A new organization and its owner, who is signed in at once.
    pub(in crate::engine) fn sign_up(
        &mut self,
        at: &Stamp,
        ask: SignUp,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if at.actor != Actor::Anonymous {
            return Err(Refusal::NotActive);
        }
        bound::name("name", &ask.name)?;
        may_be_asked_for(&ask)?;
        let email = self.free_email("email", &ask.email, at)?;

        // From here it must succeed: every question has been asked.
        self.lapse_invitation(&email, out);
        let only_customer = Capabilities { customer: true, ..Capabilities::default() };
        let state = if ask.capabilities == only_customer {
            OrganizationState::Active
        } else {
            OrganizationState::PendingReview
        };
        let organization = Organization {
            id: ask.org,
            name: ask.name,
            capabilities: ask.capabilities,
            segment: ask.segment,
            country: ask.country,
            state,
            created_at: at.at,
            version: 1,
        };
        let roles = vec![Role::Owner];
        let owner = first_person(ask.user, ask.org, email, roles, ask.password_hash, at);
        self.parties.add_organization(&organization, out);
        self.parties.add_user(&owner, out);
        let session = self.start_session(at, ask.user, ask.session, out);
        Ok(Answer::SignedIn { organization, user: owner, session })
    }

    /// Admits a pending organization or lifts a suspension.
    pub(in crate::engine) fn approve_organization(
        &mut self,
        at: &Stamp,
        org: OrgId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let organization = self.reviewed(at, org)?;
        if organization.state == OrganizationState::Active {
            let (state, needed) = (organization.state.as_str(), "pending_review or suspended");
            return Err(Refusal::WrongState { kind: "organization", state, needed });
        }

        // From here it must succeed: every question has been asked.
        let kind = EventKind::OrganizationApproved;
        Ok(self.move_organization(at, organization, OrganizationState::Active, kind, out))
    }

    /// Stops an organization from starting anything new; what it has goes on.
    pub(in crate::engine) fn suspend_organization(
        &mut self,
        at: &Stamp,
        org: OrgId,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let organization = self.reviewed(at, org)?;
        bound::note("note", &note)?;
        if organization.state != OrganizationState::Active {
            let (state, needed) = (organization.state.as_str(), "active");
            return Err(Refusal::WrongState { kind: "organization", state, needed });
        }

        // From here it must succeed: every question has been asked. The note is in the audit trail.
        let kind = EventKind::OrganizationSuspended;
        Ok(self.move_organization(at, organization, OrganizationState::Suspended, kind, out))
    }

    /// The organization that the operator's person decides about, never their own.
    fn reviewed(&self, at: &Stamp, org: OrgId) -> Result<Organization, Refusal> {
        let acting = self.parties.operating(at, Right::Admit)?;
        acting.person()?;
        let found = self.parties.organization(org);
        let organization = found.ok_or(Refusal::NotFound { kind: "organization" })?;
        if organization.id == acting.org() {
            return Err(Refusal::OwnRequest);
        }
        Ok(organization.as_ref().clone())
    }

    fn move_organization(
        &mut self,
        at: &Stamp,
        mut organization: Organization,
        state: OrganizationState,
        kind: EventKind,
        out: &mut Effects,
    ) -> Answer {
        let previous = organization.state.as_str();
        organization.state = state;
        organization.version += 1;
        self.parties.change_organization(&organization, out);
        let data = EventData::Organization { id: organization.id, state };
        self.tell(at, organization.id, kind, data, Some(previous), out);
        Answer::Organization(organization)
    }
}

/// Somebody who is there from the first moment of an organization.
fn first_person(
    id: UserId,
    org: OrgId,
    email: String,
    roles: Vec<Role>,
    password_hash: String,
    at: &Stamp,
) -> User {
    let (state, created_at) = (UserState::Active, at.at);
    User { id, org, email, roles, state, password_hash, invitation: None, created_at, version: 1 }
}

/// What may be asked for at sign-up: to buy, to sell, or both; never to run the market.
fn may_be_asked_for(ask: &SignUp) -> Result<(), Refusal> {
    let Capabilities { customer, provider, vendor: _, guarantor: _, operator } = ask.capabilities;
    if operator || !(customer || provider) {
        let rule = "customer or provider, also vendor and guarantor, never operator";
        return Err(Refusal::Invalid { field: "capabilities", rule });
    }
    if customer && ask.segment.is_none() {
        return Err(Refusal::Invalid { field: "segment", rule: "a customer names its segment" });
    }
    Ok(())
}
