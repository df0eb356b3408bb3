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

    /// Removes a member: their sessions close, their address is free again, the keys they made
    /// stay.
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

    /// An address in the form in which it is kept, if nobody has it. An invitation that has lapsed
    /// gives way, so that nobody's address can be kept from them by inviting it.
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

#[cfg(test)]
mod tests {
    use super::super::harness::{Market, digest, signed_in, user};
    use super::*;
    use crate::engine::command::Command;

    const WEEK: i64 = limits::INVITATION_DAYS * SECONDS_PER_DAY;

    fn invite(market: &mut Market, email: &str, roles: &[Role]) -> Command {
        let user = UserId::new(market.mint());
        let (email, roles) = (email.into(), roles.to_vec());
        Command::InviteMember { user, email, roles, token_hash: digest(1) }
    }

    fn accept(market: &mut Market, token_hash: [u8; 32]) -> Command {
        let (password_hash, session) = ("secret".into(), market.new_session());
        Command::AcceptInvitation { token_hash, password_hash, session }
    }

    #[test]
    fn an_invitation_is_accepted_once_and_signs_in() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let (token, invited) = market.invited(owner, "New@acme.example", &[Role::Trader]);
        let fact = market.out.users.get(&invited).expect("a birth").clone();
        assert_eq!((fact.email.as_str(), fact.state), ("new@acme.example", UserState::Invited));

        let take = accept(&mut market, token);
        assert_eq!(market.ask(owner, take), Err(Refusal::NotActive));
        let take = accept(&mut market, token);
        let (organization, person, session) = signed_in(market.ask(Actor::Anonymous, take));
        assert_eq!((organization.id, person.id), (market.org(owner), invited));
        assert_eq!((person.state, person.invitation), (UserState::Active, None));
        assert_eq!(person.password_hash, "secret");
        assert_eq!(session.user, invited);
        let told = format!("{:?}", market.out.changes);
        assert!(!told.contains("secret") && !told.contains("invitation"), "{told}");

        let take = accept(&mut market, token);
        assert_eq!(market.ask(Actor::Anonymous, take), Err(Refusal::BadCredential));
        let take = accept(&mut market, digest(77));
        assert_eq!(market.ask(Actor::Anonymous, take), Err(Refusal::BadCredential));
    }

    #[test]
    fn an_invitation_waits_a_week_and_then_gives_way() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let (token, invited) = market.invited(owner, "new@acme.example", &[Role::Viewer]);
        let held = Refusal::Duplicate { kind: "email", named: "new@acme.example".into() };
        market.wait(WEEK - 1);
        let again = invite(&mut market, "new@acme.example", &[Role::Viewer]);
        assert_eq!(market.ask(owner, again.clone()), Err(held.clone()));
        market.wait(1);
        let late = accept(&mut market, token);
        assert_eq!(market.ask(Actor::Anonymous, late), Err(Refusal::BadCredential));
        let mut elsewhere = market.application("other", "customer");
        elsewhere.email = "new@acme.example".into();
        market.ask(Actor::Anonymous, Command::SignUp(elsewhere)).expect("their own address");
        let state = market.out.users.get(&invited).map(|user| user.state);
        assert_eq!(state, Some(UserState::Removed));
        assert_eq!(market.ask(owner, again), Err(held));
    }

    #[test]
    fn roles_are_those_the_organization_has() {
        let table: [(&str, &[Role]); 3] = [
            ("customer", &[Role::Owner, Role::Trader, Role::Viewer, Role::Finance]),
            (
                "provider",
                &[Role::Owner, Role::Trader, Role::Viewer, Role::Finance, Role::Inventory],
            ),
            (
                "operator",
                &[Role::Viewer, Role::Admin, Role::CreditOfficer, Role::MarketOps, Role::Auditor],
            ),
        ];
        let mut market = Market::founded();
        for (kind, grantable) in table {
            let keeper =
                if kind == "operator" { market.founder } else { market.sign_up(kind, kind) };
            let pet = market.member(keeper, &format!("pet@{kind}.example"), &[Role::Viewer]);
            for &role in Role::ALL {
                let change = Command::ChangeMember { user: user(pet), roles: vec![role] };
                let given = market.ask(keeper, change).map(|_| ());
                let no = Err(Refusal::RoleNotGrantable { role });
                let expected = if grantable.contains(&role) { Ok(()) } else { no };
                assert_eq!(given, expected, "{kind} grants {role}");
            }
        }
    }

    #[test]
    fn roles_are_some_and_each_once() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let none = invite(&mut market, "a@acme.example", &[]);
        let refusal = Refusal::OutOfBounds { field: "roles", least: 1, most: 9, given: 0 };
        assert_eq!(market.ask(owner, none), Err(refusal));
        let twice = invite(&mut market, "a@acme.example", &[Role::Viewer, Role::Viewer]);
        let refusal = Refusal::Invalid { field: "roles", rule: "each role once" };
        assert_eq!(market.ask(owner, twice), Err(refusal));
    }

    #[test]
    fn only_an_administrator_keeps_members_and_only_their_own() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let other = market.sign_up("other", "customer");
        let viewer = market.member(owner, "v@acme.example", &[Role::Viewer]);
        let removed = market.member(owner, "r@acme.example", &[Role::Viewer]);
        market.ask(owner, Command::RemoveMember { user: user(removed) }).expect("a removal");
        let no_right = Refusal::NotPermitted { right: Right::Administer };
        let not_found = Refusal::NotFound { kind: "member" };
        for (actor, member, refusal) in [
            (viewer, owner, &no_right),
            (other, owner, &not_found),
            (owner, other, &not_found),
            (owner, removed, &not_found),
            (removed, owner, &Refusal::NotActive),
            (Actor::Anonymous, owner, &Refusal::NotActive),
        ] {
            let user = user(member);
            let change = Command::ChangeMember { user, roles: vec![Role::Viewer] };
            assert_eq!(market.ask(actor, change), Err(refusal.clone()));
            assert_eq!(market.ask(actor, Command::RemoveMember { user }), Err(refusal.clone()));
        }
        let newcomer = invite(&mut market, "n@acme.example", &[Role::Viewer]);
        assert_eq!(market.ask(viewer, newcomer), Err(no_right));
    }

    #[test]
    fn someone_always_keeps_the_house() {
        let mut market = Market::founded();
        let acme = market.sign_up("acme", "customer");
        for (keeper, role, lesser) in
            [(acme, Role::Owner, Role::Viewer), (market.founder, Role::Admin, Role::Auditor)]
        {
            let own = user(keeper);
            let demote = || Command::ChangeMember { user: own, roles: vec![lesser] };
            let remove = || Command::RemoveMember { user: own };
            // One who is only invited does not keep the house yet.
            market.invited(keeper, &format!("later@{role}.example"), &[role]);
            assert_eq!(market.ask(keeper, demote()), Err(Refusal::LastOwner));
            assert_eq!(market.ask(keeper, remove()), Err(Refusal::LastOwner));
            let keep = Command::ChangeMember { user: own, roles: vec![lesser, role] };
            market.ask(keeper, keep).expect("still a keeper");
            let heir = market.member(keeper, &format!("heir@{role}.example"), &[role]);
            market.ask(keeper, demote()).expect("an heir is there");
            market.ask(heir, remove()).expect("no keeper any more");
            let last = Command::RemoveMember { user: user(heir) };
            assert_eq!(market.ask(heir, last), Err(Refusal::LastOwner));
        }
    }

    #[test]
    fn removal_signs_out_and_frees_the_address() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let member = market.member(owner, "m@acme.example", &[Role::Owner]);
        let session = market.out.sessions.births().next().expect("signed in").clone();
        let key = market.key(member, &[Role::Viewer], None);
        let waiting = market.engine.next_deadline();
        market.ask(owner, Command::RemoveMember { user: user(member) }).expect("a removal");
        assert!(market.out.sessions.get(&session.id).is_some_and(|session| session.closed));
        assert_eq!(market.engine.parties.sessions_of(user(member)).count(), 0);
        assert_eq!(market.engine.next_deadline(), waiting, "the owner's session still waits");
        assert!(market.engine.parties.key(key).is_some(), "the keys they made stay");
        market.member(owner, "m@acme.example", &[Role::Viewer]);
    }

    #[test]
    fn members_are_bounded() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        for number in 1..limits::MEMBERS_PER_ORG_MAX {
            let user = UserId::new(market.mint());
            let mut token_hash = [0; 32];
            token_hash[..16].copy_from_slice(user.uuid().as_bytes());
            let (email, roles) = (format!("{number}@acme.example"), vec![Role::Viewer]);
            let invite = Command::InviteMember { user, email, roles, token_hash };
            market.ask_freely(owner, invite).expect("room for another");
        }
        let one_more = invite(&mut market, "last@acme.example", &[Role::Viewer]);
        let refusal = Refusal::TooMany { kind: "member", most: limits::MEMBERS_PER_ORG_MAX };
        assert_eq!(market.ask(owner, one_more), Err(refusal));
    }

    #[test]
    fn the_register_is_rebuilt_from_its_parts() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer provider");
        let member = market.member(owner, "m@acme.example", &[Role::Owner]);
        market.invited(owner, "n@acme.example", &[Role::Viewer]);
        market.key(owner, &[Role::Trader], None);
        market.ask(owner, Command::RemoveMember { user: user(member) }).expect("a removal");
        let parties = &market.engine.parties;
        let rebuilt = crate::engine::party::Parties::from_parts(
            parties.organizations().map(|one| one.as_ref().clone()).collect(),
            parties.users().map(|one| one.as_ref().clone()).collect(),
            parties.sessions().cloned().collect(),
            parties.keys().map(|one| one.as_ref().clone()).collect(),
        );
        assert_eq!(format!("{rebuilt:?}"), format!("{parties:?}"));
    }
}
