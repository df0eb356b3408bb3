//! API keys: how programs get in. Only digests of secrets are known here.

use super::ApiKey;
use super::member::grantable;
use crate::engine::Engine;
use crate::engine::bound;
use crate::engine::command::{Actor, Answer, Stamp};
use crate::engine::effect::Effects;
use crate::engine::refusal::Refusal;
use crate::model::id::KeyId;
use crate::model::{Micros, Right, Role, limits};

impl Engine {
    /// A key with roles that the person who makes it may give. A key makes no keys.
    pub(in crate::engine) fn create_key(
        &mut self,
        at: &Stamp,
        key: KeyId,
        name: String,
        roles: Vec<Role>,
        expires_at: Option<Micros>,
        hash: [u8; 32],
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let acting = self.parties.acting(at)?;
        acting.needs(Right::Administer)?;
        let created_by = acting.person()?;
        bound::name("name", &name)?;
        grantable(&acting.organization, &roles)?;
        if expires_at.is_some_and(|end| end <= at.at || end.minute().count() > limits::MINUTE_MAX) {
            let rule = "in the future, and before the year 2200";
            return Err(Refusal::Invalid { field: "expires_at", rule });
        }
        if self.parties.keys_of(acting.org()).count() >= limits::KEYS_PER_ORG_MAX {
            return Err(Refusal::TooMany { kind: "api_key", most: limits::KEYS_PER_ORG_MAX });
        }

        // From here it must succeed: every question has been asked.
        let key = ApiKey {
            id: key,
            org: acting.org(),
            name,
            roles,
            hash,
            created_by,
            created_at: at.at,
            expires_at,
            last_used_at: None,
            revoked: false,
        };
        self.parties.add_key(&key, out);
        Ok(Answer::Key(key))
    }

    /// Ends a key at once and for good.
    pub(in crate::engine) fn revoke_key(
        &mut self,
        at: &Stamp,
        key: KeyId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let acting = self.parties.acting(at)?;
        acting.needs(Right::Administer)?;
        let own = self.parties.key(key).filter(|key| key.org == acting.org());
        let mut key = own.ok_or(Refusal::NotFound { kind: "api_key" })?.as_ref().clone();

        // From here it must succeed: every question has been asked.
        key.revoked = true;
        self.parties.change_key(&key, out);
        Ok(Answer::Key(key))
    }

    /// The door saw these keys at work. Keys revoked meanwhile are passed over; a use only moves
    /// forward.
    pub(in crate::engine) fn note_key_use(
        &mut self,
        at: &Stamp,
        keys: Vec<(KeyId, Micros)>,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if at.actor != Actor::System {
            return Err(Refusal::NotActive);
        }

        // From here it must succeed: every question has been asked.
        for (id, used_at) in keys {
            let Some(key) = self.parties.key(id) else { continue };
            if key.last_used_at.is_none_or(|last| last < used_at) {
                let mut key = key.as_ref().clone();
                key.last_used_at = Some(used_at);
                self.parties.change_key(&key, out);
            }
        }
        Ok(Answer::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Market, digest};
    use super::*;
    use crate::engine::command::Command;

    fn create(market: &mut Market, name: &str, roles: &[Role], end: Option<Micros>) -> Command {
        let key = KeyId::new(market.mint());
        let (name, roles, hash) = (name.into(), roles.to_vec(), digest(3));
        Command::CreateKey { key, name, roles, expires_at: end, hash }
    }

    #[test]
    fn keys_are_made_by_people_who_administer() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let viewer = market.member(owner, "v@acme.example", &[Role::Viewer]);
        let key = Actor::Key(market.key(owner, &[Role::Owner], None));
        let no_right = Refusal::NotPermitted { right: Right::Administer };
        for (actor, refusal) in [
            (viewer, no_right),
            (key, Refusal::PersonNeeded),
            (Actor::Anonymous, Refusal::NotActive),
        ] {
            let command = create(&mut market, "ci", &[Role::Trader], None);
            assert_eq!(market.ask(actor, command), Err(refusal));
        }
        let command = create(&mut market, "ci", &[Role::Trader], None);
        let Ok(Answer::Key(made)) = market.ask(owner, command) else { panic!("a key") };
        assert_eq!((made.org, &made.roles[..]), (market.org(owner), &[Role::Trader][..]));
        assert_eq!(made.created_at, market.now());
        assert_eq!(market.out.keys.get(&made.id), Some(&made));
    }

    #[test]
    fn every_field_of_a_key_has_its_bound() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let now = market.now();
        let after = |seconds| Some(now.plus_secs(seconds));
        let expires = |rule| Refusal::Invalid { field: "expires_at", rule };
        let rule = "in the future, and before the year 2200";
        let trader = &[Role::Trader][..];
        let name = |given| Refusal::OutOfBounds { field: "name", least: 1, most: 120, given };
        for (text, roles, end, refusal) in [
            ("", trader, None, name(0)),
            (&"x".repeat(121), trader, None, name(121)),
            ("ci", &[Role::Inventory], None, Refusal::RoleNotGrantable { role: Role::Inventory }),
            ("ci", &[Role::Admin], None, Refusal::RoleNotGrantable { role: Role::Admin }),
            ("ci", trader, after(0), expires(rule)),
            ("ci", trader, after(-1), expires(rule)),
            ("ci", trader, Some(Micros::new(i64::MAX)), expires(rule)),
            ("ci", trader, Some(Micros::new(i64::MIN)), expires(rule)),
        ] {
            let command = create(&mut market, text, roles, end);
            assert_eq!(market.ask(owner, command), Err(refusal));
        }
        let command = create(&mut market, "ci", trader, after(1));
        assert!(market.ask(owner, command).is_ok());
    }

    #[test]
    fn keys_are_bounded_and_a_revoked_one_makes_room() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let first = market.key(owner, &[Role::Viewer], None);
        for _ in 1..limits::KEYS_PER_ORG_MAX {
            market.key(owner, &[Role::Viewer], None);
        }
        let one_more = create(&mut market, "ci", &[Role::Viewer], None);
        let refusal = Refusal::TooMany { kind: "api_key", most: limits::KEYS_PER_ORG_MAX };
        assert_eq!(market.ask(owner, one_more.clone()), Err(refusal));
        market.ask(owner, Command::RevokeKey { key: first }).expect("a revocation");
        assert!(market.ask(owner, one_more).is_ok());
    }

    #[test]
    fn a_revoked_key_is_over_at_once() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let other = market.sign_up("other", "customer");
        let viewer = market.member(owner, "v@acme.example", &[Role::Viewer]);
        let id = market.key(owner, &[Role::Owner], None);
        let key = Actor::Key(id);
        let revoke = || Command::RevokeKey { key: id };
        let not_found = Refusal::NotFound { kind: "api_key" };
        let no_right = Refusal::NotPermitted { right: Right::Administer };
        assert_eq!(market.ask(other, revoke()), Err(not_found.clone()));
        assert_eq!(market.ask(viewer, revoke()), Err(no_right));
        let Ok(Answer::Key(gone)) = market.ask(key, revoke()) else { panic!("a key") };
        assert!(gone.revoked);
        assert_eq!(market.out.keys.get(&id), Some(&gone));
        let told = format!("{:?}", market.out.changes);
        assert!(told.contains("revoked") && !told.contains("hash"), "{told}");
        assert_eq!(market.ask(key, revoke()), Err(Refusal::NotActive));
        assert_eq!(market.ask(owner, revoke()), Err(not_found));
    }

    #[test]
    fn the_last_use_only_moves_forward() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let id = market.key(owner, &[Role::Viewer], None);
        let unknown = KeyId::new(market.mint());
        let note = |at| Command::NoteKeyUse { keys: vec![(unknown, at), (id, at)] };
        assert_eq!(market.ask(owner, note(market.now())), Err(Refusal::NotActive));
        let (early, late) = (Micros::new(5), Micros::new(9));
        for (used_at, noted, facts) in [(early, early, 1), (late, late, 1), (early, late, 0)] {
            assert_eq!(market.ask(Actor::System, note(used_at)), Ok(Answer::Done));
            assert_eq!(market.out.keys.len(), facts);
            let last = market.engine.parties.key(id).expect("a key").last_used_at;
            assert_eq!(last, Some(noted));
        }
    }
}
