//! Access tokens: EdDSA JWTs of the `at+jwt` type, signed with a key of our own, verified strictly,
//! and remembered for a while once verified. Knows people's ids and their sessions; not what they
//! may do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::id::{OrgId, SessionId, UserId};
use crate::model::{Micros, Role, limits};

/// Who makes the tokens, and for whom.
const ISSUER: &str = "headroom";
const AUDIENCE: &str = "headroom-api";

/// RFC 9068: an access token, not any other JWT.
const TYPE: &str = "at+jwt";

/// Nothing we sign is this long; longer texts are not looked at.
const TOKEN_LENGTH_MAX: usize = 4_096;

/// Verified tokens remembered in each of two generations: 100 bytes each, so a few megabytes.
const REMEMBERED_MAX: usize = 32_768;

/// PKCS#8 of an Ed25519 seed: this, then the 32 bytes of the seed.
const PKCS8: [u8; 16] = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Signs and verifies.
pub struct Signer {
    kid: String,
    /// The first part of every token of ours: the only one that is taken.
    head: String,
    x: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    org: OrgId,
    roles: Vec<Role>,
    sid: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// What a good token says. Roles are read from the market's present, so that a change counts at
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub user: UserId,
    pub session: SessionId,
    /// Seconds since 1970 at which it ends.
    pub expires: i64,
}

/// A token, and when it ends.
#[derive(Debug)]
pub struct Issued {
    pub token: String,
    pub expires_at: Micros,
}

/// The token is not good. Why is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotGood;

/// Seconds since 1970.
fn seconds(now: Micros) -> i64 {
    now.count().div_euclid(1_000_000)
}

impl Signer {
    /// A signer with this secret seed.
    pub fn new(seed: &[u8; 32]) -> Self {
        let der = [PKCS8.as_slice(), seed].concat();
        let x = URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(seed).verifying_key().as_bytes());
        // RFC 7638: the thumbprint of the public key's required members in order.
        let thumb = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // Times are compared below, with the clock that is handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let kid = URL_SAFE_NO_PAD.encode(thumb);
        let head = serde_json::to_vec(&header(&kid)).expect("a header is plain JSON");
        Self {
            kid,
            head: URL_SAFE_NO_PAD.encode(head),
            encoding: EncodingKey::from_ed_der(&der),
            decoding: DecodingKey::from_ed_components(&x).expect("a public key of our own"),
            x,
            validation,
        }
    }

    /// The signer whose key is in this file; made, readable by the owner only, when there is none.
    /// Of servers that start at once one makes it, and the others read it.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        let seed = match fs::read_to_string(path) {
            Ok(pem) => read_pem(&pem),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
            Err(fault) => return Err(fault),
        };
        // None yet, or not all of it: then whoever writes it has the file's lock.
        let seed = match seed {
            Some(seed) => Some(seed),
            None => made_or_read(path)?,
        };
        let what = || format!("{} is not an Ed25519 key in PEM", path.display());
        seed.map(|seed| Self::new(&seed)).ok_or_else(|| io::Error::other(what()))
    }

    /// A token for a person's session. `now` is real time whatever the market's clock shows: a
    /// token is about a real person at a real screen, and other servers verify it by their own
    /// clocks.
    pub fn issue(
        &self,
        user: UserId,
        org: OrgId,
        roles: &[Role],
        session: SessionId,
        now: Micros,
    ) -> Issued {
        let at = seconds(now);
        let exp = at + limits::ACCESS_TOKEN_SECONDS;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            org,
            roles: roles.to_vec(),
            sid: session,
            iat: at,
            nbf: at,
            exp,
            jti: super::fresh(),
        };
        let token = self.sign(&header(&self.kid), &claims);
        Issued { token, expires_at: Micros::new(0).plus_secs(exp) }
    }

    fn sign(&self, header: &Header, claims: &impl Serialize) -> String {
        jsonwebtoken::encode(header, claims, &self.encoding).expect("our own claims can be signed")
    }

    /// What the token says, if every part of it is as it should be.
    ///
    /// # Errors
    /// When anything is not.
    pub fn verify(&self, token: &str, now: Micros) -> Result<Verified, NotGood> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(NotGood);
        }
        // Letter for letter: no other algorithm, key or extension can be spelled in it.
        if token.split_once('.').is_none_or(|(head, _)| head != self.head) {
            return Err(NotGood);
        }
        let claims = decode::<Claims>(token, &self.decoding, &self.validation);
        let claims = claims.map_err(|_| NotGood)?.claims;
        let at = seconds(now);
        let is_short = claims.exp.saturating_sub(claims.iat) <= limits::ACCESS_TOKEN_SECONDS;
        if is_short && claims.nbf <= at && at < claims.exp {
            Ok(Verified { user: claims.sub, session: claims.sid, expires: claims.exp })
        } else {
            Err(NotGood)
        }
    }

    /// The public key, as others read it.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.kid, "x": self.x,
        }] })
    }
}

fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(kid.to_owned());
    header
}

fn write_pem(seed: &[u8; 32]) -> String {
    let der = [PKCS8.as_slice(), seed].concat();
    format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(der))
}

fn read_pem(pem: &str) -> Option<[u8; 32]> {
    let inner = pem.trim().strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    let der = STANDARD.decode(inner.trim()).ok()?;
    der.strip_prefix(&PKCS8)?.try_into().ok()
}

/// Under the file's lock: what is in it, once it is not empty; until then a new key.
fn made_or_read(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.lock()?;
    let mut pem = String::new();
    file.read_to_string(&mut pem)?;
    if !pem.is_empty() {
        return Ok(read_pem(&pem));
    }
    let mut seed = [0; 32];
    rand::fill(&mut seed);
    file.write_all(write_pem(&seed).as_bytes())?;
    file.sync_all()?;
    Ok(Some(seed))
}

/// Tokens whose signature was checked, by their digest: checking costs 60 microseconds, this one.
#[derive(Debug, Default)]
pub struct Remembered(RwLock<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<[u8; 32], Verified>,
    /// Filled before `young` was; dropped as a whole when that is full too.
    old: BTreeMap<[u8; 32], Verified>,
}

impl Remembered {
    /// What the token says, from memory or by checking it. Never past its end.
    ///
    /// # Errors
    /// When it is not good.
    pub fn verify(&self, signer: &Signer, token: &str, now: Micros) -> Result<Verified, NotGood> {
        let digest = super::secret::digest(token);
        let known = {
            let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let young = generations.young.get(&digest).copied();
            young
                .map(|verified| (verified, true))
                .or_else(|| generations.old.get(&digest).copied().map(|verified| (verified, false)))
        };
        let (verified, is_young) = match known {
            Some(known) => known,
            None => (signer.verify(token, now)?, false),
        };
        if seconds(now) >= verified.expires {
            return Err(NotGood);
        }
        if !is_young {
            self.keep(digest, verified);
        }
        Ok(verified)
    }

    fn keep(&self, digest: [u8; 32], verified: Verified) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= REMEMBERED_MAX {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(digest, verified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros::new(1_800_000_000_000_000);

    fn signer() -> Signer {
        Signer::new(&[7; 32])
    }

    fn ids() -> (UserId, OrgId, SessionId) {
        let uuid = Uuid::from_u128(5);
        (UserId::new(uuid), OrgId::new(uuid), SessionId::new(uuid))
    }

    fn issued(signer: &Signer) -> String {
        let (user, org, session) = ids();
        signer.issue(user, org, &[Role::Owner], session, NOW).token
    }

    fn claims() -> Value {
        let (user, org, session) = ids();
        let at = seconds(NOW);
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": user, "org": org, "roles": ["owner"],
            "sid": session, "iat": at, "nbf": at, "exp": at + 900, "jti": Uuid::nil(),
        })
    }

    fn part(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn a_token_lives_for_fifteen_minutes() {
        let signer = signer();
        let token = issued(&signer);
        let verified = signer.verify(&token, NOW).expect("fresh");
        assert_eq!((verified.user, verified.session), (ids().0, ids().2));
        assert!(signer.verify(&token, NOW.plus_secs(899)).is_ok());
        assert_eq!(signer.verify(&token, NOW.plus_secs(900)), Err(NotGood));
        assert_eq!(signer.verify(&token, NOW.plus_secs(-1)), Err(NotGood));
    }

    #[test]
    fn claims_that_are_not_ours_are_refused() {
        let signer = signer();
        let at = seconds(NOW);
        let sign = |claims: &Value| signer.sign(&header(&signer.kid), claims);
        assert!(signer.verify(&sign(&claims()), NOW).is_ok(), "the base of this table is good");
        for (name, value) in [
            ("iss", json!("somebody")),
            ("iss", Value::Null),
            ("aud", json!("another-api")),
            ("aud", Value::Null),
            ("sub", json!("nobody")),
            ("sub", json!("org_01h2xcejqtf2nbrexx3vqjhp41")),
            ("sub", Value::Null),
            ("sid", Value::Null),
            ("org", Value::Null),
            ("exp", json!(at)),
            ("exp", json!(at - 1)),
            ("exp", json!("later")),
            ("exp", Value::Null),
            ("exp", json!(at + 901)),
            ("exp", json!(i64::MAX)),
            ("nbf", json!(at + 1)),
            ("nbf", Value::Null),
            ("roles", json!(["emperor"])),
        ] {
            let mut wrong = claims();
            match (&value, wrong.as_object_mut()) {
                (Value::Null, Some(members)) => drop(members.remove(name)),
                _ => wrong[name] = value.clone(),
            }
            assert_eq!(signer.verify(&sign(&wrong), NOW), Err(NotGood), "{name} {value}");
        }
    }

    #[test]
    fn headers_that_are_not_ours_are_refused() {
        let signer = signer();
        let claims = claims();
        let edited = |edit: fn(&mut Header)| {
            let mut header = header(&signer.kid);
            edit(&mut header);
            signer.sign(&header, &claims)
        };
        for wrong in [
            edited(|header| header.typ = Some("JWT".to_owned())),
            edited(|header| header.typ = None),
            edited(|header| header.kid = Some("other".to_owned())),
            edited(|header| header.kid = None),
        ] {
            assert_eq!(signer.verify(&wrong, NOW), Err(NotGood));
        }
    }

    #[test]
    fn forged_and_broken_tokens_are_refused() {
        let signer = signer();
        let good = issued(&signer);
        let parts: Vec<&str> = good.split('.').collect();
        let [head, body, signature] = parts[..] else { panic!("three parts") };
        let alg = |alg: &str| part(&json!({ "alg": alg, "typ": TYPE, "kid": signer.kid }));
        let mut richer = claims();
        richer["sub"] = json!(UserId::new(Uuid::from_u128(6)));
        // The public key used as an HMAC secret, the classic confusion.
        let confused = {
            let mut header = Header::new(Algorithm::HS256);
            header.typ = Some(TYPE.to_owned());
            header.kid = Some(signer.kid.clone());
            let key = EncodingKey::from_secret(signer.x.as_bytes());
            jsonwebtoken::encode(&header, &claims(), &key).expect("signed")
        };
        let stranger = Signer::new(&[8; 32]);
        let other_key = stranger.sign(&header(&signer.kid), &claims());
        for wrong in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            format!("{head}.{body}"),
            format!("{head}.{body}."),
            format!("{head}.{body}.{signature}."),
            format!("{head}.{body}.{}", &signature[1..]),
            format!("{head}.{}.{signature}", part(&richer)),
            format!("{}.{body}.", alg("none")),
            format!("{}.{body}.{signature}", alg("none")),
            format!("{}.{body}.{signature}", alg("HS256")),
            format!("{}.{body}.{signature}", alg("ES256")),
            format!("{}.{body}.{signature}", alg("eddsa")),
            format!("{head}.{signature}.{body}"),
            format!(" {good}"),
            format!("{good} "),
            format!("{good}="),
            good.replacen('.', "=.", 1),
            "x".repeat(100_000),
            format!("{good}{}", "A".repeat(5_000)),
            other_key,
            issued(&stranger),
            confused,
        ] {
            assert_eq!(signer.verify(&wrong, NOW), Err(NotGood), "{wrong:.80}");
        }
    }

    #[test]
    fn a_remembered_token_still_ends() {
        let (signer, remembered) = (signer(), Remembered::default());
        let token = issued(&signer);
        assert!(remembered.verify(&signer, &token, NOW).is_ok());
        assert!(remembered.verify(&signer, &token, NOW.plus_secs(899)).is_ok());
        assert_eq!(remembered.verify(&signer, &token, NOW.plus_secs(900)), Err(NotGood));
        assert_eq!(remembered.verify(&signer, "nonsense", NOW), Err(NotGood));
        assert_eq!(remembered.0.read().expect("sound").young.len(), 1, "refusals are not kept");
    }

    #[test]
    fn the_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("signing-key.pem");
        let first = Signer::open(&path).expect("made");
        let again = Signer::open(&path).expect("read");
        assert_eq!(first.jwks(), again.jwks());
        assert!(again.verify(&issued(&first), NOW).is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(&path, "not a key").expect("written");
        assert!(Signer::open(&path).is_err());
    }

    #[test]
    fn servers_that_start_at_once_have_one_key() {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 0..50 {
            let path = folder.path().join(format!("{round}.pem"));
            let start = std::sync::Barrier::new(4);
            let open = || {
                start.wait();
                Signer::open(&path).expect("one makes it, the others read it").jwks()
            };
            let keys = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
                threads.into_iter().map(|it| it.join().expect("no panic")).collect::<Vec<_>>()
            });
            assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        }
    }
}
