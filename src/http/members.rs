//! Members of an organization: invited, given roles, removed.

use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Visitor, grant};
use super::idempotency::NoKey;
use super::json::Json;
use super::organizations::{OrganizationView, SignedUpView, hashed, unexpected};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query, part};
use super::reply::{Reply, shown};
use super::secret::{self, Purpose, Secret};
use super::sessions::{NewTokens, created};
use super::time::Instant;
use super::{Door, fresh};
use crate::engine::command::NewSession;
use crate::engine::party::{User, UserState};
use crate::engine::{Answer, Command};
use crate::model::Role;
use crate::model::id::{OrgId, SessionId, UserId};

/// Whom to invite, as what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    #[schema(max_length = 254, example = "trader@tidal.example")]
    email: String,
    #[schema(min_items = 1, max_items = 9)]
    roles: Vec<Role>,
}

/// The invitation's token, and the password the new member chooses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    invitation_token: String,
    /// 12 to 200 characters; a passphrase is best.
    #[schema(min_length = 12, max_length = 200, format = "password")]
    password: String,
}

/// All the roles a member is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolesBody {
    #[schema(min_items = 1, max_items = 9)]
    roles: Vec<Role>,
}

/// A person in an organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    id: UserId,
    organization_id: OrgId,
    email: String,
    roles: Vec<Role>,
    state: UserState,
    created_at: Instant,
}

/// An invited member, and the token to hand to them.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationView {
    #[serde(flatten)]
    member: MemberView,
    /// Good for seven days, once. Shown here only: pass it on by a way you trust.
    invitation_token: String,
}

/// A member of an organization.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct MemberPath {
    id: OrgId,
    user_id: UserId,
}

/// Which page of members.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<&User> for MemberView {
    fn from(one: &User) -> Self {
        Self {
            id: one.id,
            organization_id: one.org,
            email: one.email.clone(),
            roles: one.roles.clone(),
            state: one.state,
            created_at: Instant(one.created_at),
        }
    }
}

impl FromRequest for MemberPath {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let path = request.match_info();
        let id = part("id", path.query("id"));
        let user = part("user_id", path.query("user_id"));
        std::future::ready(id.and_then(|id| Ok(MemberPath { id, user_id: user? })))
    }
}

/// Members are changed by their own organization only, whoever may look on.
fn own<R>(who: &Caller<R>, org: OrgId) -> Result<(), Problem> {
    if who.organization() == org { Ok(()) } else { Err(Problem::not_found("organization")) }
}

/// List members
#[utoipa::path(
    get, path = "/v1/organizations/{id}/members", tag = "Identity",
    params(OrgId, MembersQuery),
    responses((status = 200, description = "A page", body = List<MemberView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    id: Path<OrgId>,
    query: Query<MembersQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("member", query.limit, query.cursor.as_deref())?;
    if !who.sees(id.0) || !door.desk.view().organizations.contains_key(&id.0) {
        return Err(Problem::not_found("organization"));
    }
    let slice = door.read(move |reader| reader.users(&Some(id.0), &page)).await?;
    Ok(shown(&page::list("member", slice, |one| one.id, |one| MemberView::from(&one))))
}

/// Read a member
#[utoipa::path(
    get, path = "/v1/organizations/{id}/members/{user_id}", tag = "Identity", params(MemberPath),
    responses((status = 200, description = "The member", body = MemberView)),
)]
pub async fn get(who: Caller<grant::View>, path: MemberPath, door: Data<Door>) -> Reply {
    let view = door.desk.view();
    let found = view.users.get(&path.user_id);
    let found = found.filter(|user| user.org == path.id && who.sees(user.org));
    let found = found.ok_or_else(|| Problem::not_found("member"))?;
    Ok(shown(&MemberView::from(found.as_ref())))
}

/// Invite a member
///
/// The answer carries the invitation's token once; no mail is sent. Needs the right `administer`.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/invitations", tag = "Identity",
    params(OrgId),
    responses((status = 201, description = "Invited", body = InvitationView)),
)]
pub async fn invite(
    who: Caller<grant::Administer>,
    id: Path<OrgId>,
    _: NoKey,
    body: Json<InvitationBody>,
    door: Data<Door>,
) -> Reply {
    own(&who, id.0)?;
    let InvitationBody { email, roles } = body.value;
    let (secret, user) = (Secret::fresh(Purpose::Invitation), UserId::new(fresh()));
    let email = email.trim().to_lowercase();
    let command = Command::InviteMember { user, email, roles, token_hash: secret.hash() };
    match door.decide(&who, command).await?.0 {
        Answer::User(user) => {
            let location = format!("/v1/organizations/{}/members/{}", user.org, user.id);
            let (member, token) = (MemberView::from(&user), secret.reveal());
            Ok(created(&location, &InvitationView { member, invitation_token: token }))
        }
        other => unexpected(&other),
    }
}

/// Accept an invitation
///
/// The new member chooses a password and is signed in at once.
#[utoipa::path(
    post, path = "/v1/invitations/accept", tag = "Identity", security(()),
    responses(
        (status = 201, description = "A member now, signed in", body = SignedUpView),
        (status = 401, description = "Not a good token",
                body = super::problem::ProblemView,
                content_type = "application/problem+json"),
    ),
)]
pub async fn accept(who: Visitor, _: NoKey, body: Json<AcceptBody>, door: Data<Door>) -> Reply {
    let AcceptBody { invitation_token, password } = body.value;
    let wrong = || Problem::unauthenticated("The invitation is not, or no longer, good.");
    let token_hash = secret::presented(Purpose::Invitation, &invitation_token).ok_or_else(wrong)?;
    let password_hash = hashed(&door, password, "/password").await?;
    let refresh = Secret::fresh(Purpose::Refresh);
    let session = NewSession { id: SessionId::new(fresh()), refresh_hash: refresh.hash() };
    let command = Command::AcceptInvitation { token_hash, password_hash, session };
    match door.decide(&who, command).await?.0 {
        Answer::SignedIn { organization, user, session } => {
            let tokens = door.tokens(NewTokens { user: &user, session: &session, refresh });
            let location = format!("/v1/organizations/{}/members/{}", user.org, user.id);
            let (organization, user) =
                (OrganizationView::from(&organization), MemberView::from(&user));
            Ok(created(&location, &SignedUpView { organization, user, tokens }))
        }
        other => unexpected(&other),
    }
}

/// Change a member's roles
///
/// Counts from the member's next request on. Needs the right `administer`.
#[utoipa::path(
    patch, path = "/v1/organizations/{id}/members/{user_id}", tag = "Identity", params(MemberPath),
    responses((status = 200, description = "The member", body = MemberView)),
)]
pub async fn change(
    who: Caller<grant::Administer>,
    path: MemberPath,
    body: Json<RolesBody>,
    door: Data<Door>,
) -> Reply {
    own(&who, path.id)?;
    let roles = body.value.roles;
    door.ask(&who, None, Command::ChangeMember { user: path.user_id, roles }).await
}

/// Remove a member
///
/// Ends every session of theirs at once. Needs the right `administer`.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}/members/{user_id}", tag = "Identity", params(MemberPath),
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(who: Caller<grant::Administer>, path: MemberPath, door: Data<Door>) -> Reply {
    own(&who, path.id)?;
    door.decide(&who, Command::RemoveMember { user: path.user_id }).await?;
    Ok(HttpResponse::NoContent().finish())
}
