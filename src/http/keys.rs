//! `/v1/api_keys`: programs' ways in. A key is shown once and known by its digest only.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{NoKey, OptionalKey, OptionalKeyHeader};
use super::json::{Json, NoBody, Nothing};
use super::organizations::unexpected;
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::secret::Secret;
use super::sessions::created;
use super::time::Instant;
use super::{Door, fresh};
use crate::engine::party::ApiKey;
use crate::engine::{Answer, Command};
use crate::model::Role;
use crate::model::id::{KeyId, OrgId, UserId};

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    #[schema(min_length = 1, max_length = 120, example = "training cluster")]
    name: String,
    #[schema(min_items = 1, max_items = 9)]
    roles: Vec<Role>,
    /// When it ends by itself; never when left out.
    expires_at: Option<Instant>,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    id: KeyId,
    organization_id: OrgId,
    name: String,
    roles: Vec<Role>,
    created_by: UserId,
    created_at: Instant,
    expires_at: Option<Instant>,
    /// To the minute, roughly.
    last_used_at: Option<Instant>,
    revoked: bool,
}

/// A key with its secret, this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKeyView {
    #[serde(flatten)]
    key: KeyView,
    /// The key itself. Shown here only and kept nowhere.
    #[schema(example = "hr_live_...")]
    secret: String,
}

/// Which page of keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<&ApiKey> for KeyView {
    fn from(one: &ApiKey) -> Self {
        Self {
            id: one.id,
            organization_id: one.org,
            name: one.name.clone(),
            roles: one.roles.clone(),
            created_by: one.created_by,
            created_at: Instant(one.created_at),
            expires_at: one.expires_at.map(Instant),
            last_used_at: one.last_used_at.map(Instant),
            revoked: one.revoked,
        }
    }
}

/// List API keys
///
/// Those of the caller's own organization, revoked ones too.
#[utoipa::path(
    get, path = "/v1/api_keys", tag = "Identity",
    params(KeysQuery),
    responses((status = 200, description = "A page", body = List<KeyView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<KeysQuery>, door: Data<Door>) -> Reply {
    let page = page::page("api_key", query.limit, query.cursor.as_deref())?;
    let org = who.organization();
    let slice = door.read(move |reader| reader.keys(&Some(org), &page)).await?;
    Ok(shown(&page::list("api_key", slice, |one| one.id, |one| KeyView::from(&one))))
}

/// Read an API key
#[utoipa::path(
    get, path = "/v1/api_keys/{id}", tag = "Identity",
    params(KeyId),
    responses((status = 200, description = "The key, without its secret", body = KeyView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<KeyId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.key(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.org));
    let found = found.ok_or_else(|| Problem::not_found("api_key"))?;
    Ok(shown(&KeyView::from(&found)))
}

/// Make an API key
///
/// The answer carries the key once. Takes no `Idempotency-Key`, since secrets are kept nowhere.
/// Needs the right `administer`.
#[utoipa::path(
    post, path = "/v1/api_keys", tag = "Identity",
    responses((status = 201, description = "The key, shown once", body = NewKeyView)),
)]
pub async fn create(
    who: Caller<grant::Administer>,
    _: NoKey,
    body: Json<KeyBody>,
    door: Data<Door>,
) -> Reply {
    let KeyBody { name, roles, expires_at } = body.value;
    let (secret, key) = (Secret::fresh(door.key_purpose()), KeyId::new(fresh()));
    let (hash, expires_at) = (secret.hash(), expires_at.map(|at| at.0));
    let command = Command::CreateKey { key, name, roles, expires_at, hash };
    match door.decide(&who, command).await?.0 {
        Answer::Key(key) => {
            let view = NewKeyView { key: KeyView::from(&key), secret: secret.reveal() };
            Ok(created(&format!("/v1/api_keys/{}", key.id), &view))
        }
        other => unexpected(&other),
    }
}

/// Revoke an API key
///
/// Counts from the next request on. Needs the right `administer`.
#[utoipa::path(
    post, path = "/v1/api_keys/{id}/revoke", tag = "Identity",
    params(KeyId, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The key, revoked", body = KeyView)),
)]
pub async fn revoke(
    who: Caller<grant::Administer>,
    id: Path<KeyId>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::RevokeKey { key: id.0 }).await
}
