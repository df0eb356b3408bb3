//! `/v1/sessions`, `/v1/me`: people signing in, staying signed in, and leaving.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Visitor, grant};
use super::idempotency::NoKey;
use super::json::Json;
use super::keys::KeyView;
use super::members::MemberView;
use super::organizations::{OrganizationView, unexpected};
use super::problem::Problem;
use super::query::Path;
use super::reply::{Reply, shown};
use super::secret::{self, Purpose, Secret};
use super::time::Instant;
use super::{Door, fresh, password, wall};
use crate::engine::command::NewSession;
use crate::engine::party::{Session, User, UserState};
use crate::engine::{Answer, Command};
use crate::model::id::{SessionId, UserId};
use crate::model::{Right, limits};

/// An address and its password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    #[schema(max_length = 254, example = "owner@tidal.example")]
    email: String,
    #[schema(max_length = 200, format = "password")]
    password: String,
}

/// The refresh token that is good now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    refresh_token: String,
}

/// The way in for the next quarter of an hour, and the way to stay.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensView {
    session_id: SessionId,
    /// A JWT to be sent as `Authorization: Bearer ...`.
    access_token: String,
    /// Good once, for the next tokens. Shown here only.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// When the access token ends.
    expires_at: Instant,
}

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    id: SessionId,
    user_id: UserId,
    created_at: Instant,
    expires_at: Instant,
}

/// Who the caller is.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeView {
    organization: OrganizationView,
    /// The person; `null` for a key.
    user: Option<MemberView>,
    /// The key; `null` for a person.
    api_key: Option<KeyView>,
    session_id: Option<SessionId>,
    /// Everything the caller may do.
    rights: Vec<Right>,
}

impl From<&Session> for SessionView {
    fn from(one: &Session) -> Self {
        Self {
            id: one.id,
            user_id: one.user,
            created_at: Instant(one.created_at),
            expires_at: Instant(one.expires_at),
        }
    }
}

/// What tokens are made of.
#[derive(Debug)]
pub struct NewTokens<'a> {
    pub user: &'a User,
    pub session: &'a Session,
    pub refresh: Secret,
}

impl Door {
    /// The tokens of a session, spelled.
    pub fn tokens(&self, new: NewTokens<'_>) -> TokensView {
        let NewTokens { user, session, refresh } = new;
        let issued = self.signer.issue(user.id, user.org, &user.roles, session.id, wall());
        TokensView {
            session_id: session.id,
            access_token: issued.token,
            refresh_token: refresh.reveal(),
            token_type: "Bearer",
            expires_at: Instant(issued.expires_at),
        }
    }
}

/// 201 for what carries a secret and so is never kept.
pub fn created(location: &str, view: &impl Serialize) -> HttpResponse {
    HttpResponse::Created().insert_header((header::LOCATION, location)).json(view)
}

/// Sign in
///
/// Takes no `Idempotency-Key`: the answer carries secrets that are kept nowhere.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "Identity", security(()),
    responses(
        (status = 201, description = "Signed in", body = TokensView),
        (status = 401, description = "No such address, or another password",
                body = super::problem::ProblemView,
                content_type = "application/problem+json"),
    ),
)]
pub async fn open(who: Visitor, _: NoKey, body: Json<SignInBody>, door: Data<Door>) -> Reply {
    let SignInBody { email, password } = body.value;
    let wrong = || Problem::unauthenticated("No such address, or another password.");
    if password.len() > limits::PASSWORD_LENGTH_MAX || email.len() > limits::EMAIL_LENGTH_MAX {
        return Err(wrong());
    }
    // Who signs in may be new: one that stands by need not have heard of them.
    let view = door.market()?;
    let user = view.user_by_email(&email.trim().to_lowercase()).cloned();
    let user = user.filter(|user| user.state == UserState::Active);
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    // The same work for a stranger as for a person, so that the time tells nothing.
    let is_right = door.hashing(move || password::matches(&password, hash.as_deref())).await?;
    let user = user.filter(|_| is_right).ok_or_else(wrong)?;
    let refresh = Secret::fresh(Purpose::Refresh);
    let session = NewSession { id: SessionId::new(fresh()), refresh_hash: refresh.hash() };
    let command = Command::OpenSession { user: user.id, session };
    match door.decide(&who, command).await?.0 {
        Answer::SignedIn { user, session, .. } => {
            let tokens = door.tokens(NewTokens { user: &user, session: &session, refresh });
            Ok(created(&format!("/v1/sessions/{}", session.id), &tokens))
        }
        Answer::Session(session) => {
            let tokens = door.tokens(NewTokens { user: &user, session: &session, refresh });
            Ok(created(&format!("/v1/sessions/{}", session.id), &tokens))
        }
        other => unexpected(&other),
    }
}

/// Refresh the tokens
///
/// A refresh token is good once. One that comes twice was copied, and ends its session.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", tag = "Identity", security(()),
    responses(
        (status = 200, description = "The next tokens", body = TokensView),
        (status = 401, description = "Not a good token",
                body = super::problem::ProblemView,
                content_type = "application/problem+json"),
    ),
)]
pub async fn refresh(who: Visitor, _: NoKey, body: Json<RefreshBody>, door: Data<Door>) -> Reply {
    let wrong = || Problem::unauthenticated("The refresh token is not, or no longer, good.");
    let presented = secret::presented(Purpose::Refresh, &body.value.refresh_token);
    let presented_hash = presented.ok_or_else(wrong)?;
    let refresh = Secret::fresh(Purpose::Refresh);
    let command = Command::RefreshSession { presented_hash, next_hash: refresh.hash() };
    match door.decide(&who, command).await?.0 {
        Answer::SignedIn { user, session, .. } => {
            Ok(shown(&door.tokens(NewTokens { user: &user, session: &session, refresh })))
        }
        Answer::Session(session) => {
            let view = door.desk.view();
            let user = view.users.get(&session.user).ok_or_else(wrong)?;
            Ok(shown(&door.tokens(NewTokens { user, session: &session, refresh })))
        }
        other => unexpected(&other),
    }
}

/// Sign out
///
/// Ends one of the caller's own sessions, and every token of it, at once.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "Identity",
    params(SessionId),
    responses((status = 204, description = "Signed out")),
)]
pub async fn close(who: Caller<grant::View>, id: Path<SessionId>, door: Data<Door>) -> Reply {
    let view = door.desk.view();
    let session = view.sessions.get(&id.0);
    let is_own = session.is_some_and(|one| who.user().is_some_and(|user| user.id == one.user));
    if !is_own {
        return Err(Problem::not_found("session"));
    }
    door.decide(&who, Command::CloseSession { session: id.0 }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who am I?
#[utoipa::path(
    get, path = "/v1/me", tag = "Identity",
    responses((status = 200, description = "The caller", body = MeView)),
)]
pub async fn me(who: Caller<grant::View>) -> Reply {
    let rights = Right::ALL.iter().copied().filter(|right| who.may(*right)).collect();
    Ok(shown(&MeView {
        organization: OrganizationView::from(who.party()),
        user: who.user().map(MemberView::from),
        api_key: who.key().map(KeyView::from),
        session_id: who.session(),
        rights,
    }))
}
