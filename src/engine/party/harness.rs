//! A founded market for tests: who asks, what, and what must hold after every "no".

use uuid::Uuid;

use super::{Capabilities, Organization, Session, User};
use crate::engine::command::{Actor, Answer, Command, NewSession, SignUp, Stamp};
use crate::engine::{Effects, Engine, Refusal, Settings};
use crate::model::id::{KeyId, OrgId, SessionId, UserId};
use crate::model::{Code, Micros, Role, Segment};

/// A market at work, with fresh identifiers, and a clock that moves when it is told to.
#[derive(Debug)]
pub(in crate::engine) struct Market {
    pub(in crate::engine) engine: Engine,
    /// What the last command made true.
    pub(in crate::engine) out: Effects,
    pub(in crate::engine) operator: OrgId,
    /// The operator's first person, who has every operator role.
    pub(in crate::engine) founder: Actor,
    now: Micros,
    seq: u64,
    minted: u128,
}

pub(in crate::engine) fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

/// A digest that no other number has.
pub(in crate::engine) fn digest(number: u8) -> [u8; 32] {
    [number; 32]
}

impl Market {
    /// A market in which nothing has happened.
    pub(in crate::engine) fn unfounded() -> Self {
        Self {
            engine: Engine::new(Settings::default()),
            out: Effects::default(),
            operator: OrgId::new(Uuid::nil()),
            founder: Actor::Anonymous,
            now: Micros::new(1_800_000_000_000_000),
            seq: 0,
            minted: 0,
        }
    }

    pub(in crate::engine) fn founded() -> Self {
        let mut market = Self::unfounded();
        let (org, user) = (OrgId::new(market.mint()), UserId::new(market.mint()));
        let found = market.foundation(org, user);
        market.ask(Actor::System, found).expect("a foundation");
        (market.operator, market.founder) = (org, Actor::User(user));
        market
    }

    pub(in crate::engine) fn foundation(&self, org: OrgId, user: UserId) -> Command {
        let country = "SG".parse().expect("a country");
        let (name, email) = ("Headroom".into(), "admin@headroom.example".into());
        let password_hash = "the admin's secret".into();
        Command::Found { org, user, name, country, email, password_hash }
    }

    pub(in crate::engine) fn now(&self) -> Micros {
        self.now
    }

    pub(in crate::engine) fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus_secs(seconds);
    }

    pub(in crate::engine) fn mint(&mut self) -> Uuid {
        self.minted += 1;
        Uuid::from_u128(self.minted)
    }

    pub(in crate::engine) fn new_session(&mut self) -> NewSession {
        let id = self.mint();
        let mut refresh_hash = [0xa5; 32];
        refresh_hash[..16].copy_from_slice(id.as_bytes());
        NewSession { id: SessionId::new(id), refresh_hash }
    }

    /// Asks. A refusal must have noted nothing and left the engine as it was, to the last index.
    pub(in crate::engine) fn ask(
        &mut self,
        actor: Actor,
        command: Command,
    ) -> Result<Answer, Refusal> {
        let before = format!("{:?}", self.engine);
        let outcome = self.ask_freely(actor, command);
        if outcome.is_err() {
            assert_eq!(self.out, Effects::default(), "a refusal notes nothing");
            assert_eq!(format!("{:?}", self.engine), before, "a refusal changes nothing");
        }
        outcome
    }

    /// Asks, also what may be refused and still change something.
    pub(in crate::engine) fn ask_freely(
        &mut self,
        actor: Actor,
        command: Command,
    ) -> Result<Answer, Refusal> {
        self.seq += 1;
        self.out = Effects::default();
        let stamp = Stamp { at: self.now, seq: self.seq, actor, request: Uuid::nil(), key: None };
        self.engine.apply(&stamp, command, &mut self.out)
    }

    /// A sign-up that asks for these capabilities, such as "customer provider".
    pub(in crate::engine) fn application(&mut self, name: &str, capabilities: &str) -> SignUp {
        let asked = |word| capabilities.split(' ').any(|one| one == word);
        SignUp {
            org: OrgId::new(self.mint()),
            user: UserId::new(self.mint()),
            name: name.into(),
            capabilities: Capabilities {
                customer: asked("customer"),
                provider: asked("provider"),
                vendor: asked("vendor"),
                guarantor: asked("guarantor"),
                operator: asked("operator"),
            },
            segment: asked("customer").then_some(Segment::Startup),
            country: "ID".parse().expect("a country"),
            email: format!("owner@{name}.example"),
            password_hash: "an owner's secret".into(),
            session: self.new_session(),
        }
    }

    /// Signs an organization up and answers its owner.
    pub(in crate::engine) fn sign_up(&mut self, name: &str, capabilities: &str) -> Actor {
        let application = self.application(name, capabilities);
        let answer = self.ask(Actor::Anonymous, Command::SignUp(application));
        Actor::User(signed_in(answer).1.id)
    }

    /// As `sign_up`, admitted by the operator.
    pub(in crate::engine) fn admitted(&mut self, name: &str, capabilities: &str) -> Actor {
        let owner = self.sign_up(name, capabilities);
        let org = self.org(owner);
        let founder = self.founder;
        self.ask(founder, Command::ApproveOrganization { org }).expect("an approval");
        owner
    }

    /// Invites a person and lets them accept.
    pub(in crate::engine) fn member(&mut self, owner: Actor, email: &str, roles: &[Role]) -> Actor {
        let (token_hash, user) = self.invited(owner, email, roles);
        let (password_hash, session) = ("a member's secret".into(), self.new_session());
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        self.ask(Actor::Anonymous, accept).expect("an acceptance");
        Actor::User(user)
    }

    /// Invites a person and answers the invitation's digest.
    pub(in crate::engine) fn invited(
        &mut self,
        owner: Actor,
        email: &str,
        roles: &[Role],
    ) -> ([u8; 32], UserId) {
        let user = UserId::new(self.mint());
        let mut token_hash = [0x17; 32];
        token_hash[..16].copy_from_slice(user.uuid().as_bytes());
        let (email, roles) = (email.into(), roles.to_vec());
        self.ask(owner, Command::InviteMember { user, email, roles, token_hash })
            .expect("an invitation");
        (token_hash, user)
    }

    /// Makes a key with these roles.
    pub(in crate::engine) fn key(
        &mut self,
        owner: Actor,
        roles: &[Role],
        expires_at: Option<Micros>,
    ) -> KeyId {
        let key = KeyId::new(self.mint());
        let (name, roles, hash) = ("ci".into(), roles.to_vec(), digest(9));
        self.ask(owner, Command::CreateKey { key, name, roles, expires_at, hash }).expect("a key");
        key
    }

    /// The organization of a person.
    pub(in crate::engine) fn org(&self, person: Actor) -> OrgId {
        self.engine.parties.user(user(person)).expect("a person").org
    }
}

/// The person's identifier.
pub(in crate::engine) fn user(actor: Actor) -> UserId {
    match actor {
        Actor::User(user) => user,
        other => panic!("{other:?} is no person"),
    }
}

pub(in crate::engine) fn signed_in(
    answer: Result<Answer, Refusal>,
) -> (Organization, User, Session) {
    match answer {
        Ok(Answer::SignedIn { organization, user, session }) => (organization, user, session),
        other => panic!("nobody was signed in: {other:?}"),
    }
}
