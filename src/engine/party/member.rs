//! An organization's people: invited, accepted, changed, removed. Someone always keeps the house.

use std::collections::BTreeSet;

use super::{Organization, User, UserState};
use crate::engine::Engine;
use crate::engine::bound;
use crate::engine::command::{Actor, Answer, NewSession, Stamp};
use crate::engine::effect::Effects;
use crate::engine::refusal::Refusal;
use crate::model::id::UserId;
use crate::model::{Micros, Right, Role, limits};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

impl User {
    /// Whether this is an invitation that nobody accepted in time.
    fn has_lapsed(&self, now: Micros) -> bool {
        let end = self.created_at.plus_secs(limits::INVITATION_DAYS * SECONDS_PER_DAY);
        self.state == UserState::Invited && end <= now
    }
}

impl Engine {
    pub(in crate::engine) fn invite_member(
        &mut self,
        at: &Stamp,
        user: UserId,
        email: String,
        roles: Vec<Role>,
        token_hash: [u8; 32],
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let acting = self.parties.acting(at)?;
        acting.needs(Right::Administer)?;
        grantable(&acting.organization, &roles)?;
        let email = self.free_email("email", &email, at)?;
        if self.parties.members(acting.org()).count() >= limits::MEMBERS_PER_ORG_MAX {
            return Err(Refusal::TooMany { kind: "member", most: limits::MEMBERS_PER_ORG_MAX });
        }

        // From here it must succeed: every question has been asked.
        self.lapse_invitation(&email, out);
        let invited = User {
            id: user,
            org: acting.org(),
            email,
            roles,
            state: UserState::Invited,
            password_hash: String::new(),
            invitation: Some(token_hash),
            created_at: at.at,
            version: 1,
        };
        self.parties.add_user(&invited, out);
        Ok(Answer::User(invited))
    }

    /// The invited person takes a password and is signed in.
    pub(in crate::engine) fn accept_invitation(
        &mut self,
        at: &Stamp,
        token_hash: [u8; 32],
        password_hash: String,
        session: NewSession,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if at.actor != Actor::Anonymous {
            return Err(Refusal::NotActive);
        }
        let invited = self.parties.invited(&token_hash).ok_or(Refusal::BadCredential)?;
        if invited.has_lapsed(at.at) {
            return Err(Refusal::BadCredential);
        }
        let org = self.parties.organization(invited.org).expect("its members name it");

        // From here it must succeed: every question has been asked.
        let organization = org.as_ref().clone();
        let mut user = invited.as_ref().clone();
        user.state = UserState::Active;
        user.password_hash = password_hash;
        user.invitation = None;
        user.version += 1;
        self.parties.change_user(&user, out);
        let session = self.start_session(at, user.id, session, out);
        Ok(Answer::SignedIn { organization, user, session })
    }

    /// Gives a member other roles, at once: also open sessions act with them.
    pub(in crate::engine) fn change_member(
        &mut self,
        at: &Stamp,
        user: UserId,
        roles: Vec<Role>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (organization, mut member) = self.administered(at, user)?;
        grantable(&organization, &roles)?;
        let keeps = roles.contains(&organization.capabilities.keeper());
        if !keeps && self.is_last_keeper(&organization, &member) {
            return Err(Refusal::LastOwner);
        }

        // From here it must succeed: every question has been asked.
        member.roles = roles;
        member.version += 1;
        self.parties.change_user(&member, out);
        Ok(Answer::User(member))
    }

    /// Removes a member: their sessions close, their address is free again, the keys they made stay.
    pub(in crate::engine) fn remove_member(
        &mut self,
        at: &Stamp,
        user: UserId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (organization, member) = self.administered(at, user)?;
        if self.is_last_keeper(&organization, &member) {
            return Err(Refusal::LastOwner);
        }

        // From here it must succeed: every question has been asked.
        self.close_all_sessions(user, out);
        let removed = self.remove_person(member, out);
        Ok(Answer::User(removed))
    }

    /// The member of the caller's own organization that the caller may change.
    fn administered(&self, at: &Stamp, user: UserId) -> Result<(Organization, User), Refusal> {
        let acting = self.parties.acting(at)?;
        acting.needs(Right::Administer)?;
        let own = |member: &&_| is_member(member, &acting.organization);
        let member = self.parties.user(user).map(AsRef::as_ref).filter(own);
        let member: &User = member.ok_or(Refusal::NotFound { kind: "member" })?;
        Ok((acting.organization.as_ref().clone(), member.clone()))
    }

    /// Whether nobody else would be left to keep the organization's house.
    fn is_last_keeper(&self, organization: &Organization, member: &User) -> bool {
        let keeper = organization.capabilities.keeper();
        let keeps = |user: &User| user.state == UserState::Active && user.roles.contains(&keeper);
        let mut others = self.parties.members(organization.id).filter(|user| user.id != member.id);
        keeps(member) && !others.any(|user| keeps(user))
    }

    /// An address in the form in which it is kept, if nobody has it. An invitation that has lapsed gives
    /// way, so that nobody's address can be kept from them by inviting it.
    pub(super) fn free_email(
        &self,
        field: &'static str,
        text: &str,
        at: &Stamp,
    ) -> Result<String, Refusal> {
        let email = bound::email(field, text)?;
        let holder = self.parties.user_by_email(&email);
        if holder.is_some_and(|holder| !holder.has_lapsed(at.at)) {
            return Err(Refusal::Duplicate { kind: "email", named: email });
        }
        Ok(email)
    }

    /// Removes whom `free_email` found to be in the way.
    pub(super) fn lapse_invitation(&mut self, email: &str, out: &mut Effects) {
        if let Some(holder) = self.parties.user_by_email(email) {
            let holder = holder.as_ref().clone();
            assert_eq!(holder.state, UserState::Invited, "only invitations lapse");
            self.remove_person(holder, out);
        }
    }

    fn remove_person(&mut self, mut person: User, out: &mut Effects) -> User {
        person.state = UserState::Removed;
        person.invitation = None;
        person.version += 1;
        self.parties.change_user(&person, out);
        person
    }
}

fn is_member(user: &User, organization: &Organization) -> bool {
    user.org == organization.id && user.state != UserState::Removed
}

/// Whether this kind of organization has these roles to give.
///
/// # Errors
/// `OutOfBounds` for none, `Invalid` for one named twice, `RoleNotGrantable`.
pub(super) fn grantable(organization: &Organization, roles: &[Role]) -> Result<(), Refusal> {
    bound::count("roles", roles.len(), 1, Role::ALL.len())?;
    let mut seen = BTreeSet::new();
    if !roles.iter().all(|&role| seen.insert(role)) {
        return Err(Refusal::Invalid { field: "roles", rule: "each role once" });
    }
    match roles.iter().find(|&&role| !organization.capabilities.grants(role)) {
        Some(&role) => Err(Refusal::RoleNotGrantable { role }),
        None => Ok(()),
    }
}
