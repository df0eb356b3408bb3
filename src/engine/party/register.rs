//! The register of everybody: keeps organizations, people, sessions and keys, and finds them again.
//!
//! Every write to them goes through here, so that each index, each noted fact and each line of the
//! audit trail is kept in one place. Asks no question: by the time it is called, all have been
//! asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{ApiKey, Organization, OrganizationState, Session, User, UserState};
use crate::engine::effect::{Change, Effects};
use crate::model::GroupCode;
use crate::model::id::{KeyId, OrgId, SessionId, UserId};

/// Everybody. Suspended organizations and removed people stay: what they did still names them.
#[derive(Debug, Default)]
pub struct Parties {
    organizations: BTreeMap<OrgId, Arc<Organization>>,
    users: BTreeMap<UserId, Arc<User>>,
    /// Open sessions only.
    sessions: BTreeMap<SessionId, Session>,
    /// Keys not revoked. Expired ones stay until they are revoked; they open nothing.
    keys: BTreeMap<KeyId, Arc<ApiKey>>,
    // What follows is derived.
    operator: Option<OrgId>,
    groups: BTreeSet<(GroupCode, OrgId)>,
    /// People not removed, also invited ones.
    by_email: BTreeMap<String, UserId>,
    by_invitation: BTreeMap<[u8; 32], UserId>,
    /// People not removed.
    members: BTreeSet<(OrgId, UserId)>,
    /// By refresh hash, the current and the previous.
    by_refresh: BTreeMap<[u8; 32], SessionId>,
    signed_in: BTreeSet<(UserId, SessionId)>,
    key_rings: BTreeSet<(OrgId, KeyId)>,
}

// What can be asked.
impl Parties {
    /// The register that holds these: all organizations and people, open sessions, keys not
    /// revoked.
    pub(in crate::engine) fn from_parts(
        organizations: Vec<Organization>,
        users: Vec<User>,
        sessions: Vec<Session>,
        keys: Vec<ApiKey>,
    ) -> Self {
        let mut parties = Self::default();
        organizations.into_iter().for_each(|one| parties.enter_organization(one));
        users.into_iter().for_each(|one| parties.enter_user(one));
        sessions.into_iter().for_each(|one| parties.enter_session(one));
        keys.into_iter().for_each(|one| parties.enter_key(one));
        parties
    }

    pub fn organization(&self, id: OrgId) -> Option<&Arc<Organization>> {
        self.organizations.get(&id)
    }

    /// A customer that may trade now: what rests for others waits.
    pub(in crate::engine) fn active_customer(&self, org: OrgId) -> Option<&Organization> {
        let is_active = |it: &&Organization| it.state == OrganizationState::Active;
        self.organization(org).map(AsRef::as_ref).filter(is_active)
    }

    /// The organizations of a group.
    pub(in crate::engine) fn group(&self, group: &GroupCode) -> impl Iterator<Item = OrgId> {
        let least = (group.clone(), OrgId::new(uuid::Uuid::nil()));
        let most = (group.clone(), OrgId::new(uuid::Uuid::max()));
        self.groups.range(least..=most).map(|(_, org)| *org)
    }

    /// The one operator, once founded.
    pub fn operator(&self) -> Option<&Arc<Organization>> {
        self.organization(self.operator?)
    }

    /// A person, removed or not.
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// Who has this address (in lower case) now, also if only invited.
    pub fn user_by_email(&self, email: &str) -> Option<&Arc<User>> {
        self.users.get(self.by_email.get(email)?)
    }

    /// A key that is not revoked.
    pub fn key(&self, id: KeyId) -> Option<&Arc<ApiKey>> {
        self.keys.get(&id)
    }

    /// All organizations, in the order of their ids.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<Organization>> {
        self.organizations.values()
    }

    /// All people, removed ones too, in the order of their ids.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// Open sessions, in the order of their ids.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// Keys not revoked, in the order of their ids.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<ApiKey>> {
        self.keys.values()
    }

    /// The invited person whose invitation has this token.
    pub(super) fn invited(&self, token_hash: &[u8; 32]) -> Option<&Arc<User>> {
        self.users.get(self.by_invitation.get(token_hash)?)
    }

    /// An organization's people, without the removed ones.
    pub(super) fn members(&self, org: OrgId) -> impl Iterator<Item = &Arc<User>> {
        let all = (org, UserId::new(uuid::Uuid::nil()))..=(org, UserId::new(uuid::Uuid::max()));
        self.members.range(all).map(|(_, user)| &self.users[user])
    }

    /// An open session.
    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The open session that was given this refresh token, now or just before.
    pub(super) fn session_by_refresh(&self, hash: &[u8; 32]) -> Option<&Session> {
        self.sessions.get(self.by_refresh.get(hash)?)
    }

    /// A person's open sessions.
    pub(super) fn sessions_of(&self, user: UserId) -> impl Iterator<Item = &Session> {
        let least = (user, SessionId::new(uuid::Uuid::nil()));
        let most = (user, SessionId::new(uuid::Uuid::max()));
        self.signed_in.range(least..=most).map(|(_, session)| &self.sessions[session])
    }

    /// An organization's keys that are not revoked.
    pub(super) fn keys_of(&self, org: OrgId) -> impl Iterator<Item = &Arc<ApiKey>> {
        let all = (org, KeyId::new(uuid::Uuid::nil()))..=(org, KeyId::new(uuid::Uuid::max()));
        self.key_rings.range(all).map(|(_, key)| &self.keys[key])
    }
}

// What is written: the thing, its indexes, the fact, the audit trail.
impl Parties {
    pub(super) fn add_organization(&mut self, born: &Organization, out: &mut Effects) {
        self.enter_organization(born.clone());
        out.organizations.born(born.id, born.clone());
    }

    pub(super) fn change_organization(&mut self, is: &Organization, out: &mut Effects) {
        let was = self.organizations.insert(is.id, Arc::new(is.clone())).expect("it was there");
        assert_eq!(was.capabilities, is.capabilities, "capabilities do not change");
        if let Some(group) = &was.group {
            self.groups.remove(&(group.clone(), is.id));
        }
        self.groups.extend(is.group.clone().map(|group| (group, is.id)));
        out.organizations.changed(is.id, is.clone());
        out.changes.push(Change::between(&is.id, was.as_ref(), is));
    }

    pub(super) fn add_user(&mut self, born: &User, out: &mut Effects) {
        self.enter_user(born.clone());
        out.users.born(born.id, born.clone());
    }

    pub(super) fn change_user(&mut self, is: &User, out: &mut Effects) {
        let was = self.users.remove(&is.id).expect("it was there");
        self.by_email.remove(&was.email);
        self.members.remove(&(was.org, was.id));
        if let Some(invitation) = was.invitation {
            self.by_invitation.remove(&invitation);
        }
        self.enter_user(is.clone());
        out.users.changed(is.id, is.clone());
        out.changes.push(Change::between(&is.id, &person_in_public(&was), &person_in_public(is)));
    }

    pub(super) fn add_session(&mut self, born: &Session, out: &mut Effects) {
        self.enter_session(born.clone());
        out.sessions.born(born.id, born.clone());
    }

    /// Rewrites a session; a closed one is not kept.
    pub(super) fn change_session(&mut self, is: &Session, out: &mut Effects) {
        let was = self.sessions.remove(&is.id).expect("it was there");
        self.by_refresh.remove(&was.refresh_hash);
        if let Some(previous) = was.previous_hash {
            self.by_refresh.remove(&previous);
        }
        self.signed_in.remove(&(was.user, was.id));
        if !is.closed {
            self.enter_session(is.clone());
        }
        out.sessions.changed(is.id, is.clone());
        let (was, now) = (session_in_public(&was), session_in_public(is));
        out.changes.push(Change::between(&is.id, &was, &now));
    }

    pub(super) fn add_key(&mut self, born: &ApiKey, out: &mut Effects) {
        self.enter_key(born.clone());
        out.keys.born(born.id, born.clone());
    }

    /// Rewrites a key; a revoked one is not kept.
    pub(super) fn change_key(&mut self, is: &ApiKey, out: &mut Effects) {
        let was = self.keys.remove(&is.id).expect("it was there");
        self.key_rings.remove(&(was.org, was.id));
        if !is.revoked {
            self.enter_key(is.clone());
        }
        out.keys.changed(is.id, is.clone());
        out.changes.push(Change::between(&is.id, &key_in_public(&was), &key_in_public(is)));
    }

    fn enter_organization(&mut self, one: Organization) {
        if one.capabilities.operator {
            let before = self.operator.replace(one.id);
            assert!(before.is_none(), "there is one operator");
        }
        self.groups.extend(one.group.clone().map(|group| (group, one.id)));
        let before = self.organizations.insert(one.id, Arc::new(one));
        assert!(before.is_none(), "an organization is founded once");
    }

    fn enter_user(&mut self, one: User) {
        if one.state != UserState::Removed {
            let before = self.by_email.insert(one.email.clone(), one.id);
            assert!(before.is_none(), "an address belongs to one person");
            self.members.insert((one.org, one.id));
        }
        if let Some(invitation) = one.invitation {
            let before = self.by_invitation.insert(invitation, one.id);
            assert!(before.is_none(), "an invitation invites one person");
        }
        let before = self.users.insert(one.id, Arc::new(one));
        assert!(before.is_none(), "a person is entered once");
    }

    fn enter_session(&mut self, one: Session) {
        assert!(!one.closed, "closed sessions are not kept");
        for hash in [Some(one.refresh_hash), one.previous_hash].into_iter().flatten() {
            let before = self.by_refresh.insert(hash, one.id);
            assert!(before.is_none(), "a refresh token is fresh");
        }
        self.signed_in.insert((one.user, one.id));
        let before = self.sessions.insert(one.id, one);
        assert!(before.is_none(), "a session is opened once");
    }

    fn enter_key(&mut self, one: ApiKey) {
        assert!(!one.revoked, "revoked keys are not kept");
        self.key_rings.insert((one.org, one.id));
        let before = self.keys.insert(one.id, Arc::new(one));
        assert!(before.is_none(), "a key is made once");
    }
}

// For the audit trail: all but the secrets. A new field must be considered here.

fn person_in_public(user: &User) -> Value {
    let User { id, org, email, roles, state, created_at, version, .. } = user;
    // Named, so that a reader sees what stays out of the trail.
    let User { password_hash: _, invitation: _, .. } = user;
    json!({
        "id": id, "org": org, "email": email, "roles": roles, "state": state,
        "created_at": created_at, "version": version,
    })
}

fn session_in_public(session: &Session) -> Value {
    let Session { id, user, refresh_hash: _, previous_hash: _, created_at, expires_at, closed } =
        session;
    json!({
        "id": id, "user": user, "created_at": created_at, "expires_at": expires_at,
        "closed": closed,
    })
}

fn key_in_public(key: &ApiKey) -> Value {
    let ApiKey {
        id,
        org,
        name,
        roles,
        hash: _,
        created_by,
        created_at,
        expires_at,
        last_used_at,
        revoked,
    } = key;
    json!({
        "id": id, "org": org, "name": name, "roles": roles, "created_by": created_by,
        "created_at": created_at, "expires_at": expires_at, "last_used_at": last_used_at,
        "revoked": revoked,
    })
}
