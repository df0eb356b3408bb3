//! `/v1/signup`, `/v1/organizations`: legal parties, and their admission by the operator.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Visitor, grant};
use super::idempotency::{NoKey, OptionalKey, OptionalKeyHeader};
use super::json::{Json, NoBody, Nothing};
use super::members::MemberView;
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::secret::{Purpose, Secret};
use super::sessions::{NewTokens, TokensView, created};
use super::time::Instant;
use super::{Door, fresh, password};
use crate::engine::command::{NewSession, SignUp};
use crate::engine::party::{Capabilities, Organization, OrganizationState};
use crate::engine::{Answer, Command};
use crate::model::id::{OrgId, SessionId, UserId};
use crate::model::{Country, GroupCode, Segment};

/// What an organization may be in the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Customer,
    Provider,
    Vendor,
    Guarantor,
    /// The one that runs the market; not to be signed up for.
    Operator,
}

/// The organization that signs up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Tidal Research", "capabilities": ["customer"], "segment": "research", "country": "AU",
    }))]
pub struct OrganizationBody {
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// At least one, of customer, provider, vendor and guarantor.
    #[schema(min_items = 1, max_items = 4)]
    capabilities: Vec<Capability>,
    /// What kind of customer it is; customers name one.
    segment: Option<Segment>,
    country: Country,
}

/// A new organization and its owner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUpBody {
    organization: OrganizationBody,
    #[schema(max_length = 254, example = "owner@tidal.example")]
    email: String,
    /// 12 to 200 characters; a passphrase is best.
    #[schema(min_length = 12, max_length = 200, format = "password")]
    password: String,
}

/// Why an organization is stopped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendBody {
    /// For the audit trail.
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// The group that an organization belongs to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "group": "tidal" }))]
pub struct GroupBody {
    /// A code of the operator's choice; null takes the organization out of its group.
    #[serde(deserialize_with = "Option::deserialize")]
    group: Option<GroupCode>,
}

/// A legal party.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationView {
    id: OrgId,
    name: String,
    capabilities: Vec<Capability>,
    segment: Option<Segment>,
    country: Country,
    /// The group that it belongs to, as the operator says.
    group: Option<GroupCode>,
    state: OrganizationState,
    created_at: Instant,
}

/// What a sign-up made, and the tokens to go on with.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedUpView {
    pub organization: OrganizationView,
    pub user: MemberView,
    #[serde(flatten)]
    pub tokens: TokensView,
}

/// Which page of organizations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrganizationsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<&Organization> for OrganizationView {
    fn from(one: &Organization) -> Self {
        let Capabilities { customer, provider, vendor, guarantor, operator } = one.capabilities;
        let all = [
            (customer, Capability::Customer),
            (provider, Capability::Provider),
            (vendor, Capability::Vendor),
            (guarantor, Capability::Guarantor),
            (operator, Capability::Operator),
        ];
        Self {
            id: one.id,
            name: one.name.clone(),
            capabilities: all.iter().filter(|(has, _)| *has).map(|(_, what)| *what).collect(),
            segment: one.segment,
            country: one.country,
            group: one.group.clone(),
            state: one.state,
            created_at: Instant(one.created_at),
        }
    }
}

impl OrganizationBody {
    fn capabilities(&self) -> Result<Capabilities, Problem> {
        let mut all = Capabilities::default();
        for (place, capability) in self.capabilities.iter().enumerate() {
            let has = match capability {
                Capability::Customer => &mut all.customer,
                Capability::Provider => &mut all.provider,
                Capability::Vendor => &mut all.vendor,
                Capability::Guarantor => &mut all.guarantor,
                Capability::Operator => {
                    let pointer = format!("/organization/capabilities/{place}");
                    let detail = "There is one operator; nobody signs up for it.";
                    return Err(Problem::field(pointer, "unknown_value", detail));
                }
            };
            *has = true;
        }
        Ok(all)
    }
}

/// The password, hashed off the worker's thread.
pub async fn hashed(door: &Door, password: String, pointer: &str) -> Result<String, Problem> {
    if !password::fits(&password) {
        let detail = "A password has 12 to 200 characters.";
        return Err(Problem::field(pointer, "out_of_bounds", detail));
    }
    door.hashing(move || password::hash(&password)).await
}

/// Sign up
///
/// A new organization and its owner, who is signed in at once. Customers start active, without
/// credit; providers wait for review. Takes no `Idempotency-Key`: a repetition is refused by its
/// e-mail address.
#[utoipa::path(
    post, path = "/v1/signup", tag = "Identity", security(()),
    responses((status = 201, description = "Signed up and signed in", body = SignedUpView)),
)]
pub async fn sign_up(who: Visitor, _: NoKey, body: Json<SignUpBody>, door: Data<Door>) -> Reply {
    let SignUpBody { organization, email, password } = body.value;
    let capabilities = organization.capabilities()?;
    let password_hash = hashed(&door, password, "/password").await?;
    let refresh = Secret::fresh(Purpose::Refresh);
    let session = NewSession { id: SessionId::new(fresh()), refresh_hash: refresh.hash() };
    let OrganizationBody { name, capabilities: _, segment, country } = organization;
    let (org, user) = (OrgId::new(fresh()), UserId::new(fresh()));
    let email = email.trim().to_lowercase();
    let ask =
        SignUp { org, user, name, capabilities, segment, country, email, password_hash, session };
    let done = door.decide(&who, Command::SignUp(ask)).await;
    let parts = ["name", "capabilities", "segment", "country"];
    match done.map_err(|no| no.within("/organization", &parts))?.0 {
        Answer::SignedIn { organization, user, session } => {
            let tokens = door.tokens(NewTokens { user: &user, session: &session, refresh });
            let view = SignedUpView {
                user: MemberView::from(&user),
                organization: OrganizationView::from(&organization),
                tokens,
            };
            Ok(created(&format!("/v1/organizations/{}", organization.id), &view))
        }
        other => unexpected(&other),
    }
}

/// An answer of another kind than the command has: the code is wrong.
pub fn unexpected(answer: &Answer) -> Result<HttpResponse, Problem> {
    tracing::error!(?answer, "an answer of the wrong kind");
    Err(Problem::new(&super::kind::INTERNAL, super::kind::INTERNAL.meaning))
}

/// List organizations
///
/// All of them for the operator's people; for others a list of one, their own.
#[utoipa::path(
    get, path = "/v1/organizations", tag = "Identity",
    params(OrganizationsQuery),
    responses((status = 200, description = "A page", body = List<OrganizationView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<OrganizationsQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("organization", query.limit, query.cursor.as_deref())?;
    if who.scope().is_some() {
        return Ok(shown(&page::whole(vec![OrganizationView::from(who.party())])));
    }
    let slice = door.read(move |reader| reader.organizations(&(), &page)).await?;
    let view = |one: Organization| OrganizationView::from(&one);
    Ok(shown(&page::list("organization", slice, |one| one.id, view)))
}

/// Read an organization
#[utoipa::path(
    get, path = "/v1/organizations/{id}", tag = "Identity",
    params(OrgId),
    responses((status = 200, description = "The organization", body = OrganizationView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<OrgId>, door: Data<Door>) -> Reply {
    let view = door.desk.view();
    let found = view.organizations.get(&id.0).filter(|_| who.sees(id.0));
    let found = found.ok_or_else(|| Problem::not_found("organization"))?;
    Ok(shown(&OrganizationView::from(found.as_ref())))
}

/// Admit an organization
///
/// Ends the review of a provider, or lifts a suspension. Needs the right `admit`.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/approve", tag = "Identity",
    params(OrgId, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The organization, active", body = OrganizationView)),
)]
pub async fn approve(
    who: Caller<grant::Admit>,
    id: Path<OrgId>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::ApproveOrganization { org: id.0 }).await
}

/// Suspend an organization
///
/// What it has goes on; nothing new can start. Needs the right `admit`.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/suspend", tag = "Identity",
    params(OrgId, OptionalKeyHeader),
    responses((status = 200, description = "The organization, suspended", body = OrganizationView)),
)]
pub async fn suspend(
    who: Caller<grant::Admit>,
    id: Path<OrgId>,
    key: OptionalKey,
    body: Json<SuspendBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::SuspendOrganization { org: id.0, note: body.value.note }).await
}

/// Put an organization into a group
///
/// Organizations under one roof share a group: contracts can be transferred among them, and caps on
/// exposure count them as one. `null` takes it out. Needs the right `admit`.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/group", tag = "Identity",
    params(OrgId, OptionalKeyHeader),
    responses((status = 200, description = "The organization", body = OrganizationView)),
)]
pub async fn group(
    who: Caller<grant::Admit>,
    id: Path<OrgId>,
    key: OptionalKey,
    body: Json<GroupBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::GroupOrganization { org: id.0, group: body.value.group }).await
}
