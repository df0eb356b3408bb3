//! How often a caller may ask: so many requests in so many seconds, refilled evenly (the generic
//! cell rate algorithm), for each key and person, and for each address of those who bear none.
//!
//! Knows keys, people and addresses, and time as it is handed in; not what is asked, except that
//! what hashes a password is dearer. The libraries for it do not fit: one is under the GPL, and the
//! other's stores grow with the strangers they meet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};

use super::problem::Problem;
use super::{Door, caller, kind};
use crate::model::limits;
use crate::sequencer::Stopwatch;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who asked too often is answered after so many milliseconds: a client that asks again at once,
/// on as many connections as it likes, then costs next to nothing, and one that reads Retry-After
/// loses none of it. Not all wait equally long, or they would come back in waves.
const PAUSE_MILLIS: RangeInclusive<u64> = 100..=500;

/// Each of these costs some 20 ms of a processor and 19 MiB: a password is hashed.
const DEAR: [&str; 3] = ["/v1/signup", "/v1/sessions", "/v1/invitations/accept"];

/// An orchestrator that is refused its probe kills the server.
pub const FREE: [&str; 2] = ["/healthz", "/readyz"];

/// So many requests in so many seconds: as many at once, and evenly after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The name of the policy, as callers read it.
    name: &'static str,
    requests: u32,
    seconds: u32,
}

/// How often whom, and behind which proxies. `0` requests: as often as they like.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Requests a second of one key or person.
    pub caller: u32,
    /// Requests a second of one address, without a good credential.
    pub address: u32,
    /// Passwords a minute from one address.
    pub sign_in: u32,
    /// Networks whose word on where a request came from is taken.
    pub proxies: Vec<(IpAddr, u8)>,
}

/// What an account says after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It was within the quota: how many more are at once, and the seconds until all are.
    Within { left: u64, seconds: u64 },
    /// It was not: nothing is charged, and one more fits after so many seconds.
    Above { seconds: u64 },
}

const NANOS: u64 = 1_000_000_000;

impl Quota {
    /// What one request takes up of the time.
    fn interval(self) -> u64 {
        (u64::from(self.seconds) * NANOS / u64::from(self.requests.max(1))).max(1)
    }

    /// Charges one request to an account that is whole again at `due`. Answers when it then is.
    fn charge(self, due: u64, now: u64) -> (u64, Standing) {
        let interval = self.interval();
        let whole = interval * u64::from(self.requests);
        let debt = due.saturating_sub(now) + interval;
        if debt > whole {
            let seconds = (debt - whole).div_ceil(NANOS);
            return (due, Standing::Above { seconds });
        }
        let standing =
            Standing::Within { left: (whole - debt) / interval, seconds: debt.div_ceil(NANOS) };
        (now + debt, standing)
    }

    /// For `RateLimit-Policy`.
    fn policy(self) -> String {
        let Self { name, requests, seconds } = self;
        format!("\"{name}\";q={requests};w={seconds}")
    }

    /// For `RateLimit`.
    fn standing(self, standing: Standing) -> String {
        let (left, seconds) = match standing {
            Standing::Within { left, seconds } => (left, seconds),
            Standing::Above { seconds } => (0, seconds),
        };
        format!("\"{}\";r={left};t={seconds}", self.name)
    }
}

/// Accounts under one quota.
#[derive(Debug)]
struct Meter {
    quota: Quota,
    accounts: Mutex<Accounts>,
}

/// By whom, when each is whole again: who is whole need not be remembered.
#[derive(Debug, Default)]
struct Accounts {
    due: BTreeMap<u128, u64>,
    swept_at: Option<u64>,
}

/// The account of all who come while no more can be remembered.
const REST: u128 = 0;

impl Meter {
    fn charge(&self, who: u128, now: u64) -> Standing {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let who = if accounts.has_room(who, now) { who } else { REST };
        let due = accounts.due.get(&who).copied().unwrap_or(now);
        let (due, standing) = self.quota.charge(due, now);
        accounts.due.insert(who, due);
        standing
    }
}

impl Accounts {
    /// Whether this one is remembered or can be. Those that are whole give way; looking for them is
    /// done once a second at most, however many strangers come.
    fn has_room(&mut self, who: u128, now: u64) -> bool {
        if self.due.len() < limits::RATE_ACCOUNTS_MAX || self.due.contains_key(&who) {
            return true;
        }
        if self.swept_at.is_none_or(|at| now >= at + NANOS) {
            self.swept_at = Some(now);
            self.due.retain(|_, due| *due > now);
        }
        self.due.len() < limits::RATE_ACCOUNTS_MAX
    }
}

/// All accounts of the door.
#[derive(Debug)]
pub struct Rates {
    caller: Option<Meter>,
    address: Option<Meter>,
    sign_in: Option<Meter>,
    proxies: Vec<(IpAddr, u8)>,
    /// Time here is since the server started: it must not run back.
    since: Stopwatch,
    /// Refusals that wait to be answered.
    paused: AtomicUsize,
}

impl Rates {
    pub fn new(limits: Limits) -> Self {
        let meter = |name, requests: u32, seconds| {
            let quota = Quota { name, requests, seconds };
            (requests > 0).then(|| Meter { quota, accounts: Mutex::default() })
        };
        Self {
            // A second's worth at once: more would make others wait as long.
            caller: meter("caller", limits.caller, 1),
            address: meter("address", limits.address, 1),
            sign_in: meter("sign-in", limits.sign_in, 60),
            proxies: limits.proxies,
            since: Stopwatch::start(),
            paused: AtomicUsize::new(0),
        }
    }

    /// The quota that this request falls under, and whom it is charged to.
    fn account(&self, request: &ServiceRequest) -> Option<(&Meter, u128)> {
        // As the routes see it: decoded, so that no spelling of a path is another one.
        let path = request.match_info().as_str();
        if FREE.contains(&path) {
            return None;
        }
        if request.method() == Method::POST && DEAR.contains(&path) {
            let meter = self.sign_in.as_ref()?;
            return Some((meter, self.origin(request)));
        }
        match caller::recognize(request.request()) {
            Some(who) => Some((self.caller.as_ref()?, who.as_u128())),
            None => Some((self.address.as_ref()?, self.origin(request))),
        }
    }

    /// Where the request comes from, as a number.
    fn origin(&self, request: &ServiceRequest) -> u128 {
        let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let Some(peer) = peer else { return REST };
        number(origin(peer, request.headers(), &self.proxies))
    }

    /// Waits a little before a refusal, unless too many do.
    async fn pause(&self) {
        if self.paused.fetch_add(1, Ordering::Relaxed) < limits::RATE_PAUSED_MAX {
            let pause = rand::random_range(PAUSE_MILLIS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.paused.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The peer, or whom a trusted peer names: the last in the chain that is not a proxy of ours. What
/// stands before it is the client's own word.
fn origin(peer: IpAddr, headers: &HeaderMap, proxies: &[(IpAddr, u8)]) -> IpAddr {
    let is_ours = |address: &IpAddr| proxies.iter().any(|network| is_within(*address, *network));
    if !is_ours(&peer) {
        return peer;
    }
    let hops = headers.get_all(&FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut last = peer;
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        last = address.to_canonical();
        if !is_ours(&last) {
            break;
        }
    }
    last
}

fn is_within(address: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    let (one, other, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let rest = u32::from(bits).min(width).abs_diff(width);
    one.checked_shr(rest) == other.checked_shr(rest)
}

/// One number for what one subscriber has: an address, or the last 64 bits of many.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// Charges every request to its account, says in every answer how that stands, and refuses what is
/// above it before anything is read or done.
///
/// # Errors
/// What the rooms within did not turn into an answer themselves.
pub async fn limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let door = request.app_data::<Data<Door>>().expect("the server was started with a door");
    let door = door.clone();
    let rates = &door.rates;
    let Some((meter, who)) = rates.account(&request) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let now = u64::try_from(rates.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let standing = meter.charge(who, now);
    let mut answer = match standing {
        Standing::Within { .. } => next.call(request).await?.map_into_boxed_body(),
        Standing::Above { seconds } => {
            metrics::counter!("headroom_http_rate_limited_total", "policy" => meter.quota.name)
                .increment(1);
            rates.pause().await;
            request.into_response(refusal(meter.quota, seconds).error_response())
        }
    };
    for (name, value) in
        [(POLICY, meter.quota.policy()), (STANDING, meter.quota.standing(standing))]
    {
        let value = HeaderValue::from_str(&value).expect("names and digits");
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}

fn refusal(quota: Quota, seconds: u64) -> Problem {
    let Quota { name, requests, seconds: window } = quota;
    let detail = format!("The policy \"{name}\" allows {requests} requests in {window} seconds.");
    Problem::new(&kind::RATE_LIMITED, detail)
        .with("violated-policies", [name])
        .header(header::RETRY_AFTER, seconds.max(1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { name: "caller", requests: 4, seconds: 2 };
    const HALF: u64 = NANOS / 2;

    fn meter() -> Meter {
        Meter { quota: QUOTA, accounts: Mutex::default() }
    }

    #[test]
    fn a_burst_is_let_in_and_then_one_as_each_falls_free() {
        let meter = meter();
        let left: Vec<Standing> = (0..5).map(|_| meter.charge(7, 0)).collect();
        let within = |left, seconds| Standing::Within { left, seconds };
        let all = [
            within(3, 1),
            within(2, 1),
            within(1, 2),
            within(0, 2),
            Standing::Above { seconds: 1 },
        ];
        assert_eq!(left, all);
        assert_eq!(meter.charge(8, 0), within(3, 1), "another one's account is another one's");
        assert_eq!(meter.charge(7, HALF - 1), Standing::Above { seconds: 1 });
        assert_eq!(meter.charge(7, HALF), within(0, 2));
        assert_eq!(meter.charge(7, HALF), Standing::Above { seconds: 1 });
        assert_eq!(meter.charge(7, 60 * NANOS), within(3, 1), "it holds no more than it does");
    }

    #[test]
    fn a_steady_caller_gets_exactly_its_rate() {
        for requests in [1_u32, 3, 7, 1_000, 4_000, 2_000_000] {
            let quota = Quota { name: "caller", requests, seconds: 2 };
            let (mut due, mut served) = (0, 0_u64);
            // Asks a thousand times in each of ten windows.
            for tick in 0..10_000_u64 {
                let (next, standing) = quota.charge(due, tick * 2_000_000);
                due = next;
                served += u64::from(matches!(standing, Standing::Within { .. }));
            }
            let most = u64::from(requests) * 11;
            let least = u64::from(requests) * 10;
            assert!(served <= most && served >= least.min(10_000), "{requests}: {served}");
        }
    }

    #[test]
    fn strangers_do_not_fill_the_memory_and_do_not_get_more() {
        let meter = meter();
        let strangers = u128::try_from(limits::RATE_ACCOUNTS_MAX).expect("it fits") + 1_000;
        let within = (1..=strangers)
            .filter(|who| matches!(meter.charge(*who, 0), Standing::Within { .. }))
            .count();
        let held = meter.accounts.lock().expect("sound").due.len();
        assert_eq!(held, limits::RATE_ACCOUNTS_MAX + 1, "and the one of the rest");
        assert_eq!(within, limits::RATE_ACCOUNTS_MAX + 4, "who came too late share one quota");
        // Later all are whole, and give way.
        assert!(matches!(meter.charge(u128::MAX, 10 * NANOS), Standing::Within { left: 3, .. }));
        assert_eq!(meter.accounts.lock().expect("sound").due.len(), 1);
    }

    #[test]
    fn the_headers_are_structured_fields() {
        assert_eq!(QUOTA.policy(), r#""caller";q=4;w=2"#);
        let standing = Standing::Within { left: 3, seconds: 1 };
        assert_eq!(QUOTA.standing(standing), r#""caller";r=3;t=1"#);
        assert_eq!(QUOTA.standing(Standing::Above { seconds: 5 }), r#""caller";r=0;t=5"#);
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_came_from() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let proxies = [(ip("10.0.0.0"), 8), (ip("fd00::"), 8)];
        let came = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            origin(ip(peer), &headers, &proxies).to_string()
        };
        assert_eq!(came("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "a stranger's word");
        assert_eq!(came("10.1.1.1", &[]), "10.1.1.1");
        assert_eq!(came("10.1.1.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(came("10.1.1.1", &["6.6.6.6, 198.51.100.1"]), "198.51.100.1", "the last hop");
        assert_eq!(came("10.1.1.1", &["6.6.6.6", "198.51.100.1, 10.2.2.2"]), "198.51.100.1");
        assert_eq!(came("fd00::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(came("10.1.1.1", &["somewhere, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(came("10.1.1.1", &["::ffff:10.3.3.3"]), "10.3.3.3");
        assert!(is_within(ip("192.0.2.1"), (ip("0.0.0.0"), 0)));
        assert!(is_within(ip("::1"), (ip("::"), 0)));
        assert!(!is_within(ip("192.0.2.1"), (ip("192.0.2.0"), 32)));
    }

    #[test]
    fn one_subscriber_is_one_number() {
        let ip = |text: &str| number(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:1"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }
}
