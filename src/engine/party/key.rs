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
    #[expect(clippy::too_many_arguments, reason = "a command's fields, taken apart once")]
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

    /// The door saw these keys at work. Keys revoked meanwhile are passed over; a use only moves forward.
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
