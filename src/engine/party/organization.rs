//! How organizations come, are admitted and are stopped. Knows nothing of what they trade.

use super::{Capabilities, Organization, OrganizationState, User, UserState};
use crate::engine::Engine;
use crate::engine::bound;
use crate::engine::command::{Actor, Answer, SignUp, Stamp};
use crate::engine::effect::Effects;
use crate::engine::event::{EventData, EventKind};
use crate::engine::refusal::Refusal;
use crate::model::id::{OrgId, UserId};
use crate::model::{Country, GroupCode, Right, Role};

impl Engine {
    /// The market's first act: its operator, and the operator's first person with every operator
    /// role.
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
            group: None,
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
            group: None,
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

    /// Says which group an organization belongs to; `None`: it stands alone.
    pub(in crate::engine) fn group_organization(
        &mut self,
        at: &Stamp,
        org: OrgId,
        group: Option<GroupCode>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let mut organization = self.reviewed(at, org)?;
        if organization.group == group {
            return Ok(Answer::Organization(organization));
        }

        // From here it must succeed: every question has been asked.
        organization.group = group;
        organization.version += 1;
        self.parties.change_organization(&organization, out);
        let (kind, state) = (EventKind::OrganizationGrouped, organization.state);
        self.tell(at, org, kind, EventData::Organization { id: org, state }, None, out);
        Ok(Answer::Organization(organization))
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

/// What may be asked for at sign-up: anything but to run the market.
fn may_be_asked_for(ask: &SignUp) -> Result<(), Refusal> {
    let Capabilities { customer, provider, vendor, guarantor, operator } = ask.capabilities;
    if operator || !(customer || provider || vendor || guarantor) {
        let rule = "one or more of customer, provider, vendor and guarantor";
        return Err(Refusal::Invalid { field: "capabilities", rule });
    }
    if customer && ask.segment.is_none() {
        return Err(Refusal::Invalid { field: "segment", rule: "a customer names its segment" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Market, signed_in, user};
    use super::*;
    use crate::engine::command::Command;
    use crate::model::{Segment, limits};

    #[test]
    fn the_market_is_founded_once_and_by_itself() {
        let mut market = Market::unfounded();
        let (org, founder) = (OrgId::new(market.mint()), UserId::new(market.mint()));
        let found = market.foundation(org, founder);
        assert_eq!(market.ask(Actor::Anonymous, found.clone()), Err(Refusal::NotActive));
        market.ask(Actor::System, found.clone()).expect("a foundation");
        let parties = &market.engine.parties;
        assert_eq!(parties.operator().map(|operator| operator.id), Some(org));
        let roles = [Role::Admin, Role::CreditOfficer, Role::MarketOps, Role::Auditor];
        assert_eq!(parties.user(founder).expect("the founder").roles, roles);
        assert!(market.out.users.get(&founder).is_some());

        let again = Refusal::WrongState { kind: "market", state: "founded", needed: "new" };
        assert_eq!(market.ask(Actor::System, found), Err(again));
    }

    #[test]
    fn only_pure_customers_start_at_once() {
        let (active, waits) = (OrganizationState::Active, OrganizationState::PendingReview);
        let mut market = Market::founded();
        for (name, capabilities, state) in [
            ("a", "customer", active),
            ("b", "provider", waits),
            ("c", "customer provider", waits),
            ("d", "customer vendor", waits),
            ("e", "customer guarantor", waits),
            ("f", "provider vendor guarantor", waits),
        ] {
            let ask = market.application(name, capabilities);
            let new = ask.session.clone();
            let answer = market.ask(Actor::Anonymous, Command::SignUp(ask));
            let (organization, owner, session) = signed_in(answer);
            assert_eq!(organization.state, state, "{capabilities}");
            assert_eq!((owner.roles, owner.state), (vec![Role::Owner], UserState::Active));
            assert_eq!((session.id, session.refresh_hash), (new.id, new.refresh_hash));
            let fact = market.out.organizations.get(&organization.id);
            assert_eq!(fact, Some(&organization));
            assert!(market.out.users.get(&owner.id).is_some());
            assert_eq!(market.out.sessions.get(&session.id), Some(&session));
        }
    }

    #[test]
    fn a_sign_up_that_cannot_be_is_refused() {
        type Spoil = fn(&mut SignUp);
        type Case = (&'static str, Spoil, Option<(i64, i64, i64)>);
        let bounds = |least, most, given| (least, most, given);
        let cases: [Case; 9] = [
            ("name", |ask| ask.name = String::new(), Some(bounds(1, 120, 0))),
            ("name", |ask| ask.name = "x".repeat(121), Some(bounds(1, 120, 121))),
            ("name", |ask| ask.name = "a\tb".into(), None),
            ("email", |ask| ask.email = "acme.example".into(), None),
            ("email", |ask| ask.email = "a b@acme.example".into(), None),
            ("email", |ask| ask.email = format!("{}@b.c", "x".repeat(300)), Some((3, 254, 304))),
            ("capabilities", |ask| ask.capabilities = Capabilities::default(), None),
            ("capabilities", |ask| ask.capabilities.operator = true, None),
            ("segment", |ask| ask.segment = None, None),
        ];
        let mut market = Market::founded();
        for (wrong, spoil, numbers) in cases {
            let mut ask = market.application("acme", "customer");
            spoil(&mut ask);
            match (market.ask(Actor::Anonymous, Command::SignUp(ask)), numbers) {
                (Err(Refusal::Invalid { field, .. }), None) => assert_eq!(field, wrong),
                (Err(Refusal::OutOfBounds { field, least, most, given }), Some(numbers)) => {
                    assert_eq!((field, (least, most, given)), (wrong, numbers));
                }
                other => panic!("{wrong}: {other:?}"),
            }
        }
        let ask = market.application("acme", "customer");
        let founder = market.founder;
        assert_eq!(market.ask(founder, Command::SignUp(ask)), Err(Refusal::NotActive));
    }

    #[test]
    fn an_address_signs_up_once() {
        let mut market = Market::founded();
        market.sign_up("acme", "customer");
        let mut again = market.application("other", "provider");
        again.email = "Owner@ACME.example".into();
        let named = "owner@acme.example".into();
        let refusal = Refusal::Duplicate { kind: "email", named };
        assert_eq!(market.ask(Actor::Anonymous, Command::SignUp(again)), Err(refusal));
    }

    #[test]
    fn a_provider_without_customers_names_no_segment() {
        let mut market = Market::founded();
        let mut ask = market.application("acme", "provider");
        ask.segment = Some(Segment::Isv);
        let answer = market.ask(Actor::Anonymous, Command::SignUp(ask));
        assert_eq!(signed_in(answer).0.segment, Some(Segment::Isv), "but may");
    }

    #[test]
    fn admission_and_suspension_follow_the_table() {
        let mut market = Market::founded();
        let founder = market.founder;
        let owner = market.sign_up("acme", "provider");
        let org = market.org(owner);
        let wrong =
            |state, needed| Err(Refusal::WrongState { kind: "organization", state, needed });
        let approve = || Command::ApproveOrganization { org };
        let suspend = || Command::SuspendOrganization { org, note: "why".into() };
        let both = "pending_review or suspended";

        assert_eq!(market.ask(founder, suspend()), wrong("pending_review", "active"));
        for (command, state, kind, previous) in [
            (approve(), "active", "organization.approved", "pending_review"),
            (suspend(), "suspended", "organization.suspended", "active"),
            (approve(), "active", "organization.approved", "suspended"),
        ] {
            let answer = market.ask(founder, command).expect("a decision");
            let Answer::Organization(now) = answer else { panic!("{answer:?}") };
            assert_eq!(now.state.as_str(), state);
            assert_eq!(market.out.organizations.get(&org), Some(&now));
            let [event] = &market.out.events[..] else { panic!("one event") };
            assert_eq!((event.org, event.kind.as_str()), (org, kind));
            assert_eq!(event.previous.as_deref(), Some(previous));
            let [change] = &market.out.changes[..] else { panic!("one change") };
            assert_eq!(change.subject, org.to_string());
            assert!(change.before.as_ref().is_some_and(|json| json.contains(previous)));
            assert!(change.after.as_ref().is_some_and(|json| json.contains(state)));
            let again = if state == "active" { approve() } else { suspend() };
            let needed = if state == "active" { both } else { "active" };
            assert_eq!(market.ask(founder, again), wrong(state, needed));
        }
        let version = market.engine.parties.organization(org).expect("acme").version;
        assert_eq!(version, 4);
    }

    #[test]
    fn the_operator_says_which_group_an_organization_belongs_to() {
        let mut market = Market::founded();
        let founder = market.founder;
        let owner = market.sign_up("acme", "customer");
        let org = market.org(owner);
        let group = |name: Option<&str>| name.map(|name| name.parse().expect("a code"));
        for (name, version) in
            [(Some("acme"), 2), (Some("acme"), 2), (Some("tidal"), 3), (None, 4), (None, 4)]
        {
            let command = Command::GroupOrganization { org, group: group(name) };
            let answer = market.ask(founder, command).expect("a decision");
            let Answer::Organization(now) = answer else { panic!("{answer:?}") };
            assert_eq!((&now.group, now.version), (&group(name), version));
            assert_eq!(market.engine.parties.organization(org).map(AsRef::as_ref), Some(&now));
        }
    }

    #[test]
    fn who_may_not_decide_about_organizations_does_not() {
        let mut market = Market::founded();
        let founder = market.founder;
        let owner = market.sign_up("acme", "provider");
        let auditor = market.member(founder, "aud@op.example", &[Role::Auditor]);
        let key = Actor::Key(market.key(founder, &[Role::MarketOps], None));
        let (org, own) = (market.org(owner), market.operator);
        let missing = OrgId::new(user(owner).uuid());
        for (actor, org, refusal) in [
            (owner, org, Refusal::NotCapable { capability: "operator" }),
            (auditor, org, Refusal::NotPermitted { right: Right::Admit }),
            (key, org, Refusal::PersonNeeded),
            (Actor::Anonymous, org, Refusal::NotActive),
            (Actor::System, org, Refusal::NotActive),
            (founder, missing, Refusal::NotFound { kind: "organization" }),
            (founder, own, Refusal::OwnRequest),
        ] {
            let approve = Command::ApproveOrganization { org };
            assert_eq!(market.ask(actor, approve), Err(refusal.clone()));
            let group = Command::GroupOrganization { org, group: None };
            assert_eq!(market.ask(actor, group), Err(refusal.clone()));
            let suspend = Command::SuspendOrganization { org, note: String::new() };
            assert_eq!(market.ask(actor, suspend), Err(refusal));
        }
        let note = "x".repeat(limits::NOTE_LENGTH_MAX + 1);
        let given = market.ask(founder, Command::SuspendOrganization { org, note });
        let refusal = Refusal::OutOfBounds { field: "note", least: 0, most: 2_000, given: 2_001 };
        assert_eq!(given, Err(refusal));
    }
}
