//! Organizations, people, sessions and API keys as rows.

use super::{code, count, country, digest, json, maybe, parse, uid, word};
use crate::engine::party::{
    ApiKey, Capabilities, Organization, OrganizationState, Session, User, UserState,
};
use crate::model::id::{KeyId, OrgId, SessionId, UserId};
use crate::model::{Micros, Segment};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    OrganizationRow in organizations
    key { id: Id, }
    fixed { created_at: Number, }
    moving {
        name: Text,
        customer: Flag,
        provider: Flag,
        vendor: Flag,
        guarantor: Flag,
        operator: Flag,
        segment: MaybeText,
        country: Text,
        group_code: MaybeText,
        state: Text,
        version: Number,
    }
}

row! {
    UserRow in users
    key { id: Id, }
    fixed { org: Id, created_at: Number, }
    moving {
        email: Text,
        roles: Text,
        state: Text,
        password_hash: Text,
        invitation: MaybeBytes,
        version: Number,
    }
}

row! {
    SessionRow in sessions
    key { id: Id, }
    fixed { user_id: Id, created_at: Number, }
    moving {
        refresh_hash: Bytes,
        previous_hash: MaybeBytes,
        expires_at: Number,
        closed: Flag,
    }
}

row! {
    ApiKeyRow in api_keys
    key { id: Id, }
    fixed { org: Id, hash: Bytes, created_by: Id, created_at: Number, }
    moving {
        name: Text,
        roles: Text,
        expires_at: MaybeNumber,
        last_used_at: MaybeNumber,
        revoked: Flag,
    }
}

impl From<&Organization> for OrganizationRow {
    fn from(thing: &Organization) -> Self {
        let Organization {
            id,
            name,
            capabilities,
            segment,
            country,
            group,
            state,
            created_at,
            version,
        } = thing;
        let Capabilities { customer, provider, vendor, guarantor, operator } = *capabilities;
        Self {
            id: uid(id.uuid()),
            created_at: created_at.count(),
            name: name.clone(),
            customer,
            provider,
            vendor,
            guarantor,
            operator,
            segment: segment.map(|segment| segment.as_str().to_owned()),
            country: country.to_string(),
            group_code: group.as_ref().map(ToString::to_string),
            state: state.as_str().to_owned(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<OrganizationRow> for Organization {
    type Error = Fault;
    fn try_from(row: OrganizationRow) -> Result<Self, Fault> {
        let capabilities = Capabilities {
            customer: row.customer,
            provider: row.provider,
            vendor: row.vendor,
            guarantor: row.guarantor,
            operator: row.operator,
        };
        Ok(Self {
            id: OrgId::new(row.id.0),
            name: row.name,
            capabilities,
            segment: maybe(row.segment, |text| {
                word("organizations.segment", &text, Segment::read)
            })?,
            country: country("organizations.country", &row.country)?,
            group: maybe(row.group_code, |text| code("organizations.group_code", &text))?,
            state: word("organizations.state", &row.state, OrganizationState::read)?,
            created_at: Micros::new(row.created_at),
            version: count("organizations.version", row.version)?,
        })
    }
}

impl From<&User> for UserRow {
    fn from(thing: &User) -> Self {
        let User { id, org, email, roles, state, password_hash, invitation, created_at, version } =
            thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            created_at: created_at.count(),
            email: email.clone(),
            roles: json(roles),
            state: state.as_str().to_owned(),
            password_hash: password_hash.clone(),
            invitation: invitation.map(Vec::from),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<UserRow> for User {
    type Error = Fault;
    fn try_from(row: UserRow) -> Result<Self, Fault> {
        Ok(Self {
            id: UserId::new(row.id.0),
            org: OrgId::new(row.org.0),
            email: row.email,
            roles: parse("users.roles", &row.roles)?,
            state: word("users.state", &row.state, UserState::read)?,
            password_hash: row.password_hash,
            invitation: maybe(row.invitation, |bytes| digest("users.invitation", &bytes))?,
            created_at: Micros::new(row.created_at),
            version: count("users.version", row.version)?,
        })
    }
}

impl From<&Session> for SessionRow {
    fn from(thing: &Session) -> Self {
        let Session { id, user, refresh_hash, previous_hash, created_at, expires_at, closed } =
            thing;
        Self {
            id: uid(id.uuid()),
            user_id: uid(user.uuid()),
            created_at: created_at.count(),
            refresh_hash: refresh_hash.to_vec(),
            previous_hash: previous_hash.map(Vec::from),
            expires_at: expires_at.count(),
            closed: *closed,
        }
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = Fault;
    fn try_from(row: SessionRow) -> Result<Self, Fault> {
        Ok(Self {
            id: SessionId::new(row.id.0),
            user: UserId::new(row.user_id.0),
            refresh_hash: digest("sessions.refresh_hash", &row.refresh_hash)?,
            previous_hash: maybe(row.previous_hash, |bytes| {
                digest("sessions.previous_hash", &bytes)
            })?,
            created_at: Micros::new(row.created_at),
            expires_at: Micros::new(row.expires_at),
            closed: row.closed,
        })
    }
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(thing: &ApiKey) -> Self {
        let ApiKey {
            id,
            org,
            name,
            roles,
            hash,
            created_by,
            created_at,
            expires_at,
            last_used_at,
            revoked,
        } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            hash: hash.to_vec(),
            created_by: uid(created_by.uuid()),
            created_at: created_at.count(),
            name: name.clone(),
            roles: json(roles),
            expires_at: expires_at.map(Micros::count),
            last_used_at: last_used_at.map(Micros::count),
            revoked: *revoked,
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = Fault;
    fn try_from(row: ApiKeyRow) -> Result<Self, Fault> {
        Ok(Self {
            id: KeyId::new(row.id.0),
            org: OrgId::new(row.org.0),
            name: row.name,
            roles: parse("api_keys.roles", &row.roles)?,
            hash: digest("api_keys.hash", &row.hash)?,
            created_by: UserId::new(row.created_by.0),
            created_at: Micros::new(row.created_at),
            expires_at: row.expires_at.map(Micros::new),
            last_used_at: row.last_used_at.map(Micros::new),
            revoked: row.revoked,
        })
    }
}
