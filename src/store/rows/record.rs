//! What is written beside the market's things: events, kept answers, the audit trail and the
//! commits.

use uuid::Uuid;

use super::{corrupt, count, json, natural, number, parse, uid, word};
use crate::engine::event::{Event, EventKind};
use crate::engine::remember::Kept;
use crate::engine::{Actor, Key};
use crate::model::Micros;
use crate::model::id::{EventId, KeyId, OrgId, UserId};
use crate::store::packing::{Packed, pack, unpack};
use crate::store::read::AuditRow as AuditPage;
use crate::store::schema::{Uid, row};
use crate::store::{AuditRecord, Batch, Fault, KeptAnswer};

row! {
    HeadRow in event_heads
    key { org: Id, }
    fixed { }
    moving { last: Number, }
}

row! {
    /// Never changes.
    EventRow in events
    key { org: Id, no: Number, }
    fixed {
        id: Id,
        kind: Text,
        at: Number,
        seq: Number,
        request: Id,
        data: Text,
        previous: MaybeText,
    }
    moving { }
}

row! {
    /// Never changes. `seq` is the key because it grows, so that the oldest are found first and new
    /// ones are written side by side; the engine knows it of every key that it remembers.
    KeptRow in kept
    key { seq: Number, }
    fixed {
        name: Id,
        fingerprint: Id,
        expires_at: Number,
        status: Number,
        headers: Text,
        body: Bytes,
        packing: Number,
    }
    moving { }
}

row! {
    /// Never changes.
    AuditRow in audit
    key { seq: Number, }
    fixed {
        commit_no: Number,
        at: Number,
        actor_kind: Text,
        actor: MaybeId,
        request: Id,
        verb: Text,
        what: Text,
        changes: MaybeText,
    }
    moving { }
}

row! {
    /// Never changes.
    CommitRow in commits
    key { no: Number, }
    fixed { seq: Number, hash: Bytes, }
    moving { }
}

diesel::table! {
    use crate::store::schema::sql::{Bytes, Number};
    /// One row: the last commit.
    meta (id) {
        id -> Number,
        commit_no -> Number,
        seq -> Number,
        now_at -> Number,
        hash -> Bytes,
        last_entry -> Number,
    }
}

/// The one row of `meta`.
#[derive(Debug, Clone, PartialEq, diesel::Queryable)]
pub struct MetaRow {
    pub id: i64,
    pub commit_no: i64,
    pub seq: i64,
    pub now_at: i64,
    pub hash: Vec<u8>,
    pub last_entry: i64,
}

impl From<&Event> for EventRow {
    fn from(thing: &Event) -> Self {
        let Event { id, org, no, kind, at, seq, request, data, previous } = thing;
        Self {
            org: uid(org.uuid()),
            no: number(*no),
            id: uid(id.uuid()),
            kind: kind.as_str().to_owned(),
            at: at.count(),
            seq: number(*seq),
            request: uid(*request),
            data: json(data),
            previous: previous.clone(),
        }
    }
}

impl TryFrom<EventRow> for Event {
    type Error = Fault;
    fn try_from(row: EventRow) -> Result<Self, Fault> {
        Ok(Self {
            id: EventId::new(row.id.0),
            org: OrgId::new(row.org.0),
            no: natural("events.no", row.no)?,
            kind: word("events.kind", &row.kind, EventKind::read)?,
            at: Micros::new(row.at),
            seq: natural("events.seq", row.seq)?,
            request: row.request.0,
            data: parse("events.data", &row.data)?,
            previous: row.previous,
        })
    }
}

impl HeadRow {
    pub fn of(org: OrgId, last: u64) -> Self {
        Self { org: uid(org.uuid()), last: number(last) }
    }
}

impl TryFrom<HeadRow> for (OrgId, u64) {
    type Error = Fault;
    fn try_from(row: HeadRow) -> Result<Self, Fault> {
        Ok((OrgId::new(row.org.0), natural("event_heads.last", row.last)?))
    }
}

impl KeptRow {
    pub fn of(kept: &Kept, answer: &KeptAnswer) -> Self {
        let Kept { key, seq, expires_at } = kept;
        let KeptAnswer { key: answered, status, headers, body } = answer;
        assert_eq!(key, answered, "answers stand in the order of the keys they are kept under");
        let Packed { packing, body } = pack(body);
        Self {
            seq: number(*seq),
            name: uid(Uuid::from_u128(key.name)),
            fingerprint: uid(Uuid::from_u128(key.fingerprint)),
            expires_at: expires_at.count(),
            status: i64::from(*status),
            headers: headers.clone(),
            body,
            packing,
        }
    }
}

/// A key without its answer, as the engine needs it: the columns `seq, name, fingerprint,
/// expires_at`.
pub type KeptKey = (i64, Uid, Uid, i64);

/// The key as the engine remembers it.
pub fn remembered((seq, name, fingerprint, expires_at): KeptKey) -> Result<Kept, Fault> {
    Ok(Kept {
        key: Key { name: name.0.as_u128(), fingerprint: fingerprint.0.as_u128() },
        seq: natural("kept.seq", seq)?,
        expires_at: Micros::new(expires_at),
    })
}

impl TryFrom<KeptRow> for KeptAnswer {
    type Error = Fault;
    fn try_from(row: KeptRow) -> Result<Self, Fault> {
        let status = count("kept.status", row.status)?;
        let key = Key { name: row.name.0.as_u128(), fingerprint: row.fingerprint.0.as_u128() };
        Ok(Self {
            key,
            status: u16::try_from(status).map_err(|error| corrupt("kept.status", error))?,
            headers: row.headers,
            body: unpack(Packed { packing: row.packing, body: row.body })?,
        })
    }
}

impl AuditRow {
    pub fn of(commit_no: u64, record: &AuditRecord) -> Self {
        let AuditRecord { seq, at, actor, request, verb, what, changes } = record;
        let (kind, actor) = match actor {
            Actor::System => ("system", None),
            Actor::Anonymous => ("anonymous", None),
            Actor::User(user) => ("user", Some(uid(user.uuid()))),
            Actor::Key(key) => ("key", Some(uid(key.uuid()))),
        };
        Self {
            seq: number(*seq),
            commit_no: number(commit_no),
            at: at.count(),
            actor_kind: kind.to_owned(),
            actor,
            request: uid(*request),
            verb: (*verb).to_owned(),
            what: what.clone(),
            changes: changes.clone(),
        }
    }
}

impl TryFrom<AuditRow> for AuditPage {
    type Error = Fault;
    fn try_from(row: AuditRow) -> Result<Self, Fault> {
        let actor = match (row.actor_kind.as_str(), row.actor) {
            ("system", None) => Actor::System,
            ("anonymous", None) => Actor::Anonymous,
            ("user", Some(user)) => Actor::User(UserId::new(user.0)),
            ("key", Some(key)) => Actor::Key(KeyId::new(key.0)),
            (kind, _) => return Err(corrupt("audit.actor_kind", kind)),
        };
        Ok(Self {
            seq: natural("audit.seq", row.seq)?,
            commit: natural("audit.commit_no", row.commit_no)?,
            at: Micros::new(row.at),
            actor,
            request: row.request.0,
            verb: row.verb,
            what: row.what,
            changes: row.changes,
        })
    }
}

impl CommitRow {
    pub fn of(batch: &Batch) -> Self {
        Self { no: number(batch.number), seq: number(batch.seq), hash: batch.hash.to_vec() }
    }
}
