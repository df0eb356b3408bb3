//! `/v1/audit_records`: who did what, and what it changed. For the operator's auditors.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Door;
use super::caller::{Caller, grant};
use super::page::{self, List};
use super::query::Query;
use super::reply::{Reply, shown};
use super::time::Instant;
use crate::engine::Actor;
use crate::store::read::AuditRow;

/// One command, as it was carried out.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditView {
    /// The command's place in the one order of all commands.
    number: u64,
    /// The commit that made it last; commits are chained by their hashes.
    commit: u64,
    at: Instant,
    /// `usr_...`, `key_...`, `system` or `anonymous`.
    actor: String,
    request_id: Uuid,
    verb: String,
    /// The command, without secrets.
    command: Value,
    /// `{subject, before, after}` of each thing it changed; `null` when it only created.
    changes: Value,
}

/// Which page of records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

fn actor(actor: Actor) -> String {
    match actor {
        Actor::System => "system".to_owned(),
        Actor::Anonymous => "anonymous".to_owned(),
        Actor::User(id) => id.to_string(),
        Actor::Key(id) => id.to_string(),
    }
}

/// Stored JSON as a value; text that is none is shown as text rather than not at all.
fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

impl From<&AuditRow> for AuditView {
    fn from(one: &AuditRow) -> Self {
        Self {
            number: one.seq,
            commit: one.commit,
            at: Instant(one.at),
            actor: actor(one.actor),
            request_id: one.request,
            verb: one.verb.clone(),
            command: stored(&one.what),
            changes: one.changes.as_deref().map_or(Value::Null, stored),
        }
    }
}

/// List audit records
///
/// Everything that was ever done, newest first. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/audit_records", tag = "Ledger",
    params(AuditQuery),
    responses((status = 200, description = "A page", body = List<AuditView>)),
)]
pub async fn list(_: Caller<grant::Audit>, query: Query<AuditQuery>, door: Data<Door>) -> Reply {
    let page = page::page("audit_record", query.limit, query.cursor.as_deref())?;
    let slice = door.read(move |reader| reader.audit(&page)).await?;
    Ok(shown(&page::list("audit_record", slice, |one| one.seq, |one| AuditView::from(&one))))
}
