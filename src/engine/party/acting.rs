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

    /// As `acting`, for an active customer that may trade, or a vendor with what its backstop
    /// bought.
    ///
    /// # Errors
    /// As `customer`.
    pub(in crate::engine) fn reselling(&self, at: &Stamp) -> Result<Acting, Refusal> {
        let acting = self.acting(at)?;
        let capable = acting.organization.capabilities;
        if !capable.customer && !capable.vendor {
            return Err(Refusal::NotCapable { capability: "customer" });
        }
        acting.needs(Right::Trade)?;
        acting.is_admitted()?;
        Ok(acting)
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

#[cfg(test)]
mod tests {
    use super::super::harness::{Market, user};
    use super::*;
    use crate::engine::command::Command;
    use uuid::Uuid;

    fn stamp(market: &Market, actor: Actor) -> Stamp {
        Stamp { at: market.now(), seq: 1_000, actor, request: Uuid::nil(), key: None }
    }

    const NOT_TRADE: Refusal = Refusal::NotPermitted { right: Right::Trade };
    const NOT_OFFER: Refusal = Refusal::NotPermitted { right: Right::Offer };
    const NOT_DECIDE: Refusal = Refusal::NotPermitted { right: Right::DecideCredit };
    const NO_CUSTOMER: Refusal = Refusal::NotCapable { capability: "customer" };
    const NO_PROVIDER: Refusal = Refusal::NotCapable { capability: "provider" };
    const NO_OPERATOR: Refusal = Refusal::NotCapable { capability: "operator" };

    #[test]
    fn each_gate_lets_in_whom_it_should() {
        let mut market = Market::founded();
        let founder = market.founder;
        let buyer = market.sign_up("buyer", "customer");
        let seller = market.admitted("seller", "provider");
        let both = market.admitted("both", "customer provider");
        let waits = market.sign_up("waits", "customer provider");
        let viewer = market.member(both, "viewer@both.example", &[Role::Viewer]);
        let trader = market.member(both, "trader@both.example", &[Role::Trader]);
        let stock = market.member(both, "stock@both.example", &[Role::Inventory]);
        let finance = market.member(both, "money@both.example", &[Role::Finance]);
        let auditor = market.member(founder, "audit@op.example", &[Role::Auditor]);
        let officer = market.member(founder, "credit@op.example", &[Role::CreditOfficer]);
        let suspended = market.sign_up("suspended", "customer");
        let (org, note) = (market.org(suspended), String::new());
        market.ask(founder, Command::SuspendOrganization { org, note }).expect("a suspension");

        let no = Err::<(), Refusal>;
        let table = [
            (buyer, Ok(()), no(NO_PROVIDER), no(NO_OPERATOR)),
            (seller, no(NO_CUSTOMER), Ok(()), no(NO_OPERATOR)),
            (both, Ok(()), Ok(()), no(NO_OPERATOR)),
            (waits, no(Refusal::PendingReview), no(Refusal::PendingReview), no(NO_OPERATOR)),
            (suspended, no(Refusal::Suspended), no(NO_PROVIDER), no(NO_OPERATOR)),
            (viewer, no(NOT_TRADE), no(NOT_OFFER), no(NO_OPERATOR)),
            (trader, Ok(()), no(NOT_OFFER), no(NO_OPERATOR)),
            (stock, no(NOT_TRADE), Ok(()), no(NO_OPERATOR)),
            (finance, no(NOT_TRADE), no(NOT_OFFER), no(NO_OPERATOR)),
            (founder, no(NO_CUSTOMER), no(NO_PROVIDER), Ok(())),
            (officer, no(NO_CUSTOMER), no(NO_PROVIDER), Ok(())),
            (auditor, no(NO_CUSTOMER), no(NO_PROVIDER), no(NOT_DECIDE)),
        ];
        for (actor, trades, offers, decides) in table {
            let (at, parties) = (stamp(&market, actor), &market.engine.parties);
            assert_eq!(parties.acting(&at).map(|acting| acting.user), Ok(Some(user(actor))));
            assert_eq!(parties.trading(&at).map(|_| ()), trades, "{actor:?} trades");
            assert_eq!(parties.offering(&at).map(|_| ()), offers, "{actor:?} offers");
            assert_eq!(parties.deciding(&at).map(|_| ()), decides, "{actor:?} decides");
        }
        let (at, parties) = (stamp(&market, finance), &market.engine.parties);
        assert!(parties.customer(&at, Right::ApplyForCredit).is_ok(), "finance asks for credit");
    }

    #[test]
    fn nobody_acts_who_is_not_there() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let (_, invited) = market.invited(owner, "new@acme.example", &[Role::Viewer]);
        let removed = market.member(owner, "old@acme.example", &[Role::Viewer]);
        market.ask(owner, Command::RemoveMember { user: user(removed) }).expect("a removal");
        let unknown = UserId::new(market.mint());
        for actor in [
            Actor::System,
            Actor::Anonymous,
            Actor::User(invited),
            removed,
            Actor::User(unknown),
            Actor::Key(crate::model::id::KeyId::new(unknown.uuid())),
        ] {
            let acting = market.engine.parties.acting(&stamp(&market, actor));
            assert_eq!(acting, Err(Refusal::NotActive), "{actor:?}");
        }
    }

    #[test]
    fn a_key_acts_with_its_own_roles_until_its_time_is_over() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let end = market.now().plus_secs(60);
        let key = Actor::Key(market.key(owner, &[Role::Trader], Some(end)));
        let acting = market.engine.parties.trading(&stamp(&market, key)).expect("a trader");
        assert_eq!((acting.user, acting.org()), (None, market.org(owner)));
        assert_eq!(acting.roles(), [Role::Trader]);
        assert_eq!(acting.person(), Err(Refusal::PersonNeeded));
        let no = Refusal::NotPermitted { right: Right::Administer };
        assert_eq!(acting.needs(Right::Administer), Err(no));

        market.wait(60);
        let acting = market.engine.parties.acting(&stamp(&market, key));
        assert_eq!(acting, Err(Refusal::NotActive));

        let key = Actor::Key(market.key(market.founder, &[Role::CreditOfficer], None));
        let decides = market.engine.parties.deciding(&stamp(&market, key));
        assert_eq!(decides, Err(Refusal::PersonNeeded), "decisions have a name");
    }
}
