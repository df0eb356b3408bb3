//! Who signs up for the demo: the operator, organizations with their owners, members, and the
//! accounts that are shown at the end.
//!
//! Passwords are made here, shown once and kept nowhere. Everyone who is not shown has a password
//! that nobody knows.

use super::Fault;
use super::teller::Teller;
use crate::engine::command::{NewSession, SignUp};
use crate::engine::party::Capabilities;
use crate::engine::{Actor, Command};
use crate::http::password;
use crate::http::secret::{Purpose, Secret};
use crate::model::id::{OrgId, SessionId, UserId};
use crate::model::{Role, Segment};
use crate::serve::make_password;

/// A way in, for one who reads the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub persona: &'static str,
    pub organization: &'static str,
    pub email: String,
    pub password: String,
}

/// Makes people, and remembers the accounts to be shown.
#[derive(Debug)]
pub struct People {
    /// The hash of a password that nobody knows.
    nobody: String,
    pub accounts: Vec<Account>,
}

/// An organization and its owner.
#[derive(Debug, Clone, Copy)]
pub struct Party {
    pub org: OrgId,
    pub owner: UserId,
}

/// An organization that signs up.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer {
    pub name: &'static str,
    pub country: &'static str,
    /// Of its addresses.
    pub domain: &'static str,
    pub segment: Option<Segment>,
    pub capabilities: Capabilities,
    /// What the owner is shown as; `None` for one whom nobody signs in as.
    pub persona: Option<&'static str>,
}

impl People {
    pub fn new() -> Self {
        Self { nobody: password::hash(&make_password()), accounts: Vec::new() }
    }

    /// The operator and its administrator, who is its first credit officer too.
    ///
    /// # Errors
    /// When the market does not take it.
    pub fn found(&mut self, teller: &mut Teller, name: &'static str) -> Result<Party, Fault> {
        let (org, owner) = (OrgId::new(teller.fresh()), UserId::new(teller.fresh()));
        let email = "admin@operator.example".to_owned();
        let password_hash = self.shown("operator: admin, credit officer", name, &email);
        let country = "SG".parse().expect("a country");
        let name = name.to_owned();
        let found = Command::Found { org, user: owner, name, country, email, password_hash };
        teller.say(Actor::System, found)?;
        Ok(Party { org, owner })
    }

    /// Signs an organization up. Its owner is signed out again at once.
    ///
    /// # Errors
    /// When the market does not take it.
    pub fn sign_up(&mut self, teller: &mut Teller, who: &Newcomer) -> Result<Party, Fault> {
        let (org, user) = (OrgId::new(teller.fresh()), UserId::new(teller.fresh()));
        let email = format!("owner@{}", who.domain);
        let password_hash = match who.persona {
            Some(persona) => self.shown(persona, who.name, &email),
            None => self.nobody.clone(),
        };
        let session = new_session(teller);
        let id = session.id;
        let ask = SignUp {
            org,
            user,
            name: who.name.to_owned(),
            capabilities: who.capabilities,
            segment: who.segment,
            country: who.country.parse().expect("a country"),
            email,
            password_hash,
            session,
        };
        teller.say(Actor::Anonymous, Command::SignUp(ask))?;
        teller.say(Actor::User(user), Command::CloseSession { session: id })?;
        Ok(Party { org, owner: user })
    }

    /// Invites someone into an organization; they accept, and are signed out again.
    ///
    /// # Errors
    /// When the market does not take it.
    pub fn join(
        &mut self,
        teller: &mut Teller,
        host: UserId,
        organization: &'static str,
        email: &str,
        role: Role,
        persona: &'static str,
    ) -> Result<UserId, Fault> {
        let user = UserId::new(teller.fresh());
        let token_hash = Secret::fresh(Purpose::Invitation).hash();
        let (email, roles) = (email.to_owned(), vec![role]);
        let password_hash = self.shown(persona, organization, &email);
        let invite = Command::InviteMember { user, email, roles, token_hash };
        teller.say(Actor::User(host), invite)?;
        let session = new_session(teller);
        let id = session.id;
        let accept = Command::AcceptInvitation { token_hash, password_hash, session };
        teller.say(Actor::Anonymous, accept)?;
        teller.say(Actor::User(user), Command::CloseSession { session: id })?;
        Ok(user)
    }

    /// Makes a password, remembers it for the summary, and answers its hash.
    fn shown(&mut self, persona: &'static str, organization: &'static str, email: &str) -> String {
        let (email, password) = (email.to_owned(), make_password());
        let hash = password::hash(&password);
        self.accounts.push(Account { persona, organization, email, password });
        hash
    }
}

impl Default for People {
    fn default() -> Self {
        Self::new()
    }
}

/// A session whose refresh token nobody has.
fn new_session(teller: &mut Teller) -> NewSession {
    let refresh_hash = Secret::fresh(Purpose::Refresh).hash();
    NewSession { id: SessionId::new(teller.fresh()), refresh_hash }
}
