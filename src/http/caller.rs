//! Who is calling, and whether they hold the right that the handler names in its argument's type.
//!
//! Every request is checked against the market's present: a removed person, a closed session, a
//! revoked key or a changed role counts from the next request on. Knows no resource.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use uuid::Uuid;

use super::Door;
use super::kind;
use super::problem::Problem;
use super::secret::{self, Purpose};
use crate::engine::Actor;
use crate::engine::party::{ApiKey, Organization, User, UserState};
use crate::model::id::{KeyId, OrgId, SessionId};
use crate::model::{Micros, Right, Role};
use crate::sequencer;
use crate::view::View;

/// One marker for each right, to be named in a handler's argument.
pub mod grant {
    use crate::model::Right;

    /// A right as a type.
    pub trait Grant {
        const RIGHT: Right;
    }

    macro_rules! grants {
        ($($right:ident)*) => {$(
            #[doc = concat!("The right `", stringify!($right), "`.")]
            #[derive(Debug, Clone, Copy)]
            pub struct $right;
            impl Grant for $right {
                const RIGHT: Right = Right::$right;
            }
        )*};
    }

    grants! {
        View Administer Trade ApplyForCredit Offer Admit Catalogue DecideCredit Bill Audit
        SetClock
    }
}

use grant::Grant;

/// The request's id: the caller's own if it sent a UUID, else a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

/// Somebody who holds the right `R`.
#[derive(Debug)]
pub struct Caller<R> {
    identity: Identity,
    request: Uuid,
    right: PhantomData<R>,
}

/// Anybody at all: for sign-up, sign-in and market data.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    request: Uuid,
}

/// What handing in a command needs to know of whoever asks.
pub trait Asker {
    fn actor(&self) -> Actor;
    fn request(&self) -> Uuid;
}

/// A known person or key.
#[derive(Debug, Clone)]
pub struct Identity {
    organization: Arc<Organization>,
    credential: Credential,
}

#[derive(Debug, Clone)]
enum Credential {
    User(Arc<User>, SessionId),
    Key(Arc<ApiKey>),
}

impl Identity {
    fn roles(&self) -> &[Role] {
        match &self.credential {
            Credential::User(user, _) => &user.roles,
            Credential::Key(key) => &key.roles,
        }
    }

    fn actor(&self) -> Actor {
        match &self.credential {
            Credential::User(user, _) => Actor::User(user.id),
            Credential::Key(key) => Actor::Key(key.id),
        }
    }

    pub fn may(&self, right: Right) -> bool {
        self.roles().iter().any(|role| role.may(right))
    }
}

impl<R> Caller<R> {
    pub fn organization(&self) -> OrgId {
        self.identity.organization.id
    }

    /// The whole organization, as it is now.
    pub fn party(&self) -> &Organization {
        &self.identity.organization
    }

    pub fn roles(&self) -> &[Role] {
        self.identity.roles()
    }

    /// The person, when it is not a key.
    pub fn user(&self) -> Option<&User> {
        match &self.identity.credential {
            Credential::User(user, _) => Some(user),
            Credential::Key(_) => None,
        }
    }

    /// The key, when it is not a person.
    pub fn key(&self) -> Option<&ApiKey> {
        match &self.identity.credential {
            Credential::User(..) => None,
            Credential::Key(key) => Some(key),
        }
    }

    /// The session a person signed in with.
    pub fn session(&self) -> Option<SessionId> {
        match &self.identity.credential {
            Credential::User(_, session) => Some(*session),
            Credential::Key(_) => None,
        }
    }

    pub fn may(&self, right: Right) -> bool {
        self.identity.may(right)
    }

    /// Whether what belongs to `org` may be shown to this caller.
    pub fn sees(&self, org: OrgId) -> bool {
        self.organization() == org || self.may(Right::Audit)
    }

    /// What lists are narrowed to: the caller's own things, or everybody's for those who audit.
    pub fn scope(&self) -> Option<OrgId> {
        if self.may(Right::Audit) { None } else { Some(self.organization()) }
    }
}

impl<R> Asker for Caller<R> {
    fn actor(&self) -> Actor {
        self.identity.actor()
    }

    fn request(&self) -> Uuid {
        self.request
    }
}

impl Asker for Visitor {
    fn actor(&self) -> Actor {
        Actor::Anonymous
    }

    fn request(&self) -> Uuid {
        self.request
    }
}

fn request_id(request: &HttpRequest) -> Uuid {
    request.extensions().get::<RequestId>().map_or_else(super::fresh, |id| id.0)
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Visitor { request: request_id(request) }))
    }
}

impl<R: Grant> FromRequest for Caller<R> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit::<R>(request))
    }
}

/// Whose good credential the request bears, if any: a key's or a person's id. Who it is is kept
/// for the handler.
pub fn recognize(request: &HttpRequest) -> Option<Uuid> {
    let door = request.app_data::<Data<Door>>().expect("the server was started with a door");
    let identity = bearer(request).and_then(|credential| identify(door, credential)).ok()?;
    let who = match &identity.credential {
        Credential::User(user, _) => user.id.uuid(),
        Credential::Key(key) => key.id.uuid(),
    };
    request.extensions_mut().insert(identity);
    Some(who)
}

fn admit<R: Grant>(request: &HttpRequest) -> Result<Caller<R>, Problem> {
    let door = request.app_data::<Data<Door>>().expect("the server was started with a door");
    // Taken out before it is asked for again: the extensions lend themselves once at a time.
    let recognized = request.extensions_mut().remove::<Identity>();
    let identity = match recognized {
        Some(identity) => identity,
        None => identify(door, bearer(request)?)?,
    };
    // The log line names the organization, whatever becomes of the request.
    request.extensions_mut().insert(Named(identity.organization.id));
    if !identity.may(R::RIGHT) {
        let detail = format!("This needs the right {}.", R::RIGHT);
        let problem = Problem::new(&kind::NOT_PERMITTED, detail).with("right", R::RIGHT);
        return Err(problem.with("roles", identity.roles()));
    }
    Ok(Caller { identity, request: request_id(request), right: PhantomData })
}

/// The organization a request was made for.
#[derive(Debug, Clone, Copy)]
pub struct Named(pub OrgId);

/// The credential in the one `Authorization` header.
fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::unauthenticated(
            "There is no Authorization header, or more than one.",
        ));
    };
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, credential)| credential.trim())
        .ok_or_else(|| Problem::unauthenticated("The Authorization header is not of type Bearer."))
}

fn identify(door: &Door, credential: &str) -> Result<Identity, Problem> {
    let view = door.desk.view();
    let found = if secret::is_key(credential) {
        by_key(door, &view, credential)
    } else {
        by_token(door, &view, credential)
    };
    found.ok_or_else(|| match view.is_glimpse {
        // One that stands by may not have heard of it yet.
        true => Problem::from(sequencer::Fault::Standby),
        false => Problem::unauthenticated("The credential is not, or no longer, good."),
    })
}

fn by_key(door: &Door, view: &View, text: &str) -> Option<Identity> {
    let hash = secret::presented(Purpose::LiveKey, text)
        .or_else(|| secret::presented(Purpose::TestKey, text))?;
    let key = view.key_by_hash(&hash)?;
    // Keys end by the market's clock, as the engine sees it.
    let now = door.desk.clock().now();
    if key.revoked || key.expires_at.is_some_and(|end| end <= now) {
        return None;
    }
    door.uses.note(key, now);
    let organization = view.organizations.get(&key.org)?.clone();
    Some(Identity { organization, credential: Credential::Key(key.clone()) })
}

fn by_token(door: &Door, view: &View, text: &str) -> Option<Identity> {
    let verified = door.remembered.verify(&door.signer, text, super::wall()).ok()?;
    let session = view.sessions.get(&verified.session)?;
    let user = view.users.get(&verified.user)?;
    let is_open =
        !session.closed && session.user == user.id && session.expires_at > door.desk.clock().now();
    if !is_open || user.state != UserState::Active {
        return None;
    }
    let organization = view.organizations.get(&user.org)?.clone();
    Some(Identity { organization, credential: Credential::User(user.clone(), session.id) })
}

/// A key's last use is noted at most this often.
const NOTE_AFTER_SECONDS: i64 = 60;

/// Which keys were seen at work, until the writer is told.
#[derive(Debug, Default)]
pub struct Uses(Mutex<BTreeMap<KeyId, Micros>>);

impl Uses {
    fn note(&self, key: &ApiKey, now: Micros) {
        let is_stale = key.last_used_at.is_none_or(|at| at.plus_secs(NOTE_AFTER_SECONDS) <= now);
        if is_stale {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.id, now);
        }
    }

    /// Hands over what was seen, to be told to the writer.
    pub fn take(&self) -> Vec<(KeyId, Micros)> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen).into_iter().collect()
    }
}
