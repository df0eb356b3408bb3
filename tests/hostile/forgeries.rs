//! Credentials that somebody made up: each is a 401, on a call that reads and on one that changes,
//! and leaves no trace. The forger knows everything but the private key; some rows are signed with
//! it all the same, since no other server of the same house may be believed either.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use headroom::http::token::Signer;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::asking::{Caller, id};
use crate::picture;
use crate::server::Server;
use crate::stage::{Stage, sign_up};

/// What the forger has: a good token taken apart, the public key, and for some rows the server's
/// own private key.
struct Forge {
    header: Value,
    claims: Value,
    good: String,
    /// The public key, as the server publishes it.
    x: String,
    own: SigningKey,
}

/// The server's own private key: the last 32 bytes of its PKCS#8.
fn signing_key(server: &Server) -> SigningKey {
    let pem = fs::read_to_string(server.key_file()).expect("the server made it");
    let der = STANDARD.decode(pem.lines().nth(1).expect("its middle")).expect("base64");
    SigningKey::from_bytes(der.last_chunk::<32>().expect("a seed"))
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn read(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn merged(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    match value {
        Value::Null => drop(object.as_object_mut().expect("an object").remove(name)),
        value => object[name] = value,
    }
    object
}

impl Forge {
    fn new(server: &Server, good: &str) -> Self {
        let mut parts = good.split('.');
        let mut next = || read(parts.next().expect("three parts"));
        let (header, claims) = (next(), next());
        let jwks = server.anonymous().get("/.well-known/jwks.json").expect(200);
        let x = jwks["keys"][0]["x"].as_str().expect("a key").to_owned();
        let own = signing_key(server);
        Self { header, claims, good: good.to_owned(), x, own }
    }

    /// Signed with the server's own key.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        // As it was, letter for letter, where it is the same.
        let head =
            if *header == self.header { self.parts()[0].to_owned() } else { encoded(header) };
        self.signed_text(&head, &encoded(claims))
    }

    fn signed_text(&self, header: &str, claims: &str) -> String {
        let said = format!("{header}.{claims}");
        let signature = self.own.sign(said.as_bytes()).to_bytes();
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(&self, name: &str, value: Value) -> String {
        self.signed(&merged(&self.header, name, value), &self.claims)
    }

    fn claim(&self, name: &str, value: Value) -> String {
        self.signed(&self.header, &merged(&self.claims, name, value))
    }

    /// The good token with another header, its signature kept.
    fn relabelled(&self, name: &str, value: Value) -> String {
        let header = encoded(&merged(&self.header, name, value));
        let rest = self.good.split_once('.').expect("parts").1;
        format!("{header}.{rest}")
    }

    fn parts(&self) -> [&str; 3] {
        let parts: Vec<&str> = self.good.split('.').collect();
        parts.try_into().expect("three parts")
    }

    /// The public key used as the secret of an HMAC.
    fn confused(&self, alg: Algorithm, secret: &[u8]) -> String {
        let mut header = Header::new(alg);
        header.typ = self.header["typ"].as_str().map(str::to_owned);
        header.kid = self.header["kid"].as_str().map(str::to_owned);
        let key = EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&header, &self.claims, &key).expect("it can be signed")
    }

    /// A signature whose number is written as itself plus the order of the group: it satisfies the
    /// same equation.
    fn malleable(&self) -> String {
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let [head, body, signature] = self.parts();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let mut carry = 0;
        for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The last letter changed in the bits that carry nothing.
    fn trailing(&self) -> String {
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = self.good.chars().next_back().expect("a letter");
        let place = letters.find(last).expect("base64");
        let other = letters.as_bytes()[place ^ 1];
        format!("{}{}", &self.good[..self.good.len() - 1], char::from(other))
    }
}

/// Headers that name another algorithm, another key, or where to find one.
fn headers(forge: &Forge) -> Vec<(&'static str, String)> {
    let [head, body, signature] = forge.parts();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(URL_SAFE_NO_PAD.decode(&forge.x).expect("base64"))
    );
    let raw = URL_SAFE_NO_PAD.decode(&forge.x).expect("base64");
    let none = encoded(&merged(&forge.header, "alg", json!("none")));
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let strange = |header: &Value| {
        let said = format!("{}.{}", encoded(header), encoded(&forge.claims));
        let signature = stranger.sign(said.as_bytes()).to_bytes();
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
        "x": URL_SAFE_NO_PAD.encode(stranger.verifying_key().as_bytes()),
    });
    let pointing = |name: &str, value: Value| strange(&merged(&forge.header, name, value));
    let url = json!("http://127.0.0.1:9/keys.json");
    vec![
        ("our header, spelled otherwise", forge.signed_text(&encoded(&forge.header), body)),
        ("alg none, no signature", format!("{none}.{body}.")),
        ("alg none, the signature kept", format!("{none}.{body}.{signature}")),
        ("alg NoNe", forge.header("alg", json!("NoNe"))),
        ("no alg", forge.header("alg", Value::Null)),
        ("alg is a list", forge.header("alg", json!(["EdDSA"]))),
        ("alg eddsa", forge.header("alg", json!("eddsa"))),
        (
            "HS256 keyed with the public key's text",
            forge.confused(Algorithm::HS256, forge.x.as_bytes()),
        ),
        ("HS256 keyed with the public key's bytes", forge.confused(Algorithm::HS256, &raw)),
        ("HS256 keyed with the public key's PEM", forge.confused(Algorithm::HS256, pem.as_bytes())),
        ("HS512 keyed with the public key's bytes", forge.confused(Algorithm::HS512, &raw)),
        ("HS256 keyed with nothing", forge.confused(Algorithm::HS256, b"")),
        ("RS256 on our signature", forge.relabelled("alg", json!("RS256"))),
        ("PS256 on our signature", forge.header("alg", json!("PS256"))),
        ("ES256 on our signature", forge.header("alg", json!("ES256"))),
        ("HS256 on our signature", forge.header("alg", json!("HS256"))),
        ("typ JWT", forge.header("typ", json!("JWT"))),
        ("no typ", forge.header("typ", Value::Null)),
        ("no kid", forge.header("kid", Value::Null)),
        ("a kid nobody knows", forge.header("kid", json!("unknown"))),
        ("a kid that is a path", forge.header("kid", json!("../../../../dev/null"))),
        ("a kid that is SQL", forge.header("kid", json!("x' UNION SELECT 'AA' --"))),
        ("a kid that is a command", forge.header("kid", json!("|id"))),
        ("a kid that is a number", forge.header("kid", json!(0))),
        ("a kid with our own after a zero", {
            let kid = forge.header["kid"].as_str().expect("a kid");
            forge.header("kid", json!(format!("x\0{kid}")))
        }),
        ("another key under our kid", strange(&forge.header)),
        ("another key and its own kid", pointing("kid", json!("stranger"))),
        ("another key, said in jwk", pointing("jwk", jwk)),
        ("another key, to be fetched from jku", pointing("jku", url.clone())),
        ("another key, to be fetched from x5u", pointing("x5u", url)),
        ("another key, in x5c", pointing("x5c", json!(["MIIB"]))),
        ("an extension that must be understood", {
            let header = merged(&forge.header, "crit", json!(["x-admin"]));
            forge.signed(&merged(&header, "x-admin", json!(true)), &forge.claims)
        }),
        ("a payload that is not encoded", {
            forge.signed(
                &merged(&merged(&forge.header, "b64", json!(false)), "crit", json!(["b64"])),
                &forge.claims,
            )
        }),
        (
            "a header that is no object",
            forge.signed_text(&encoded(&json!("EdDSA")), &encoded(&forge.claims)),
        ),
        ("a header that is no JSON", forge.signed_text(&URL_SAFE_NO_PAD.encode("{"), body)),
        ("a header twice", forge.signed_text(&format!("{head}.{head}"), body)),
    ]
}

/// Claims of another time, place or person, signed with the server's own key.
fn claims(forge: &Forge) -> Vec<(&'static str, String)> {
    let at = forge.claims["iat"].as_i64().expect("seconds");
    let times = |iat: i64, nbf: i64, exp: i64| {
        let claims = merged(&forge.claims, "iat", json!(iat));
        let claims = merged(&merged(&claims, "nbf", json!(nbf)), "exp", json!(exp));
        forge.signed(&forge.header, &claims)
    };
    vec![
        ("expired", times(at - 3_600, at - 3_600, at - 2_700)),
        ("not yet good", times(at + 3_600, at + 3_600, at + 4_500)),
        ("good for a day", times(at, at, at + 86_400)),
        ("good for ever", forge.claim("exp", json!(i64::MAX))),
        ("without an end", forge.claim("exp", Value::Null)),
        ("an end that is a text", forge.claim("exp", json!("2099"))),
        ("an end that is a fraction", forge.claim("exp", json!(4.0e9))),
        ("without a beginning", forge.claim("nbf", Value::Null)),
        ("another issuer", forge.claim("iss", json!("https://elsewhere.example"))),
        ("no issuer", forge.claim("iss", Value::Null)),
        ("another audience", forge.claim("aud", json!("another-api"))),
        ("no audience", forge.claim("aud", Value::Null)),
        ("an empty subject", forge.claim("sub", json!(""))),
        ("no subject", forge.claim("sub", Value::Null)),
        ("a subject of another kind", forge.claim("sub", forge.claims["org"].clone())),
        ("a subject that is SQL", forge.claim("sub", json!("' OR 1=1 --"))),
        ("somebody else's subject", forge.claim("sub", json!("usr_01h2xcejqtf2nbrexx3vqjhp41"))),
        ("no session", forge.claim("sid", Value::Null)),
        ("a session nobody opened", forge.claim("sid", json!("ses_01h2xcejqtf2nbrexx3vqjhp41"))),
        ("a role nobody has", forge.claim("roles", json!(["superuser"]))),
    ]
}

/// Texts that are no token at all, or a good one written otherwise.
fn texts(forge: &Forge) -> Vec<(&'static str, String)> {
    let [head, body, signature] = forge.parts();
    let good = &forge.good;
    vec![
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
        ("without its signature", format!("{head}.{body}")),
        ("with an empty signature", format!("{head}.{body}.")),
        ("cut off", good[..good.len() - 8].to_owned()),
        ("its signature twice", format!("{good}.{signature}")),
        ("itself twice", format!("{good}.{good}")),
        ("its parts in another order", format!("{body}.{head}.{signature}")),
        ("padded", format!("{good}=")),
        ("padded as base64 would be", {
            let bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
            format!("{head}.{body}.{}", URL_SAFE.encode(bytes))
        }),
        ("in the other alphabet", {
            // A slash or plus is certain in the marker; the signature need not have one.
            format!(
                "{head}.{body}.{}",
                format!("{signature}-_").replace('-', "+").replace('_', "/")
            )
        }),
        ("spare bits set", forge.trailing()),
        ("its signature plus the order of the group", forge.malleable()),
        ("a signature of zeros", format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("a tab within", format!("{head}.\t{body}.{signature}")),
        ("quoted", format!("\"{good}\"")),
        ("a comma and more", format!("{good}, Bearer {good}")),
        ("20,000 letters", "a".repeat(20_000)),
        ("a good one and 10,000 letters", format!("{good}{}", "A".repeat(10_000))),
    ]
}

/// Keys and refresh tokens where an access token or a good key belongs.
fn secrets(owner: &Caller, refresh: &str) -> Vec<(&'static str, String)> {
    let made = owner.post("/v1/api_keys", &json!({ "name": "k", "roles": ["trader"] })).expect(201);
    let key = made["secret"].as_str().expect("a secret").to_owned();
    owner.bearing(&key).get("/v1/me").expect(200);
    let revoked = owner.post("/v1/api_keys", &json!({ "name": "r", "roles": ["trader"] }));
    let revoked = revoked.expect(201);
    owner.post(&format!("/v1/api_keys/{}/revoke", id(&revoked)), &json!({})).expect(200);
    let last = key.chars().next_back().expect("a letter");
    let other = if last == 'a' { 'b' } else { 'a' };
    let body = &key["hr_test_".len()..];
    vec![
        ("a refresh token", refresh.to_owned()),
        ("a key with a wrong check", format!("{}{other}", &key[..key.len() - 1])),
        ("a key of another market", key.replacen("hr_test_", "hr_live_", 1)),
        ("a key under a refresh token's name", format!("hr_rt_{body}")),
        ("a key without its name", body.to_owned()),
        ("a key in capitals", key.to_uppercase()),
        ("a key and more", format!("{key}x")),
        ("half a key", key[..20].to_owned()),
        ("a key's id", id(&made)),
        ("a revoked key", revoked["secret"].as_str().expect("a secret").to_owned()),
        ("a key's name alone", "hr_test_".to_owned()),
    ]
}

#[test]
fn no_forged_credential_opens_anything() {
    let server = Server::fresh();
    let stage = Stage::on(&server);
    let admin = server.admin();
    let good = admin.token.clone().expect("a token");
    let me = admin.get("/v1/me").expect(200);
    let tokens = server.anonymous().post(
        "/v1/sessions",
        &json!({ "email": me["user"]["email"], "password": crate::server::PASSWORD }),
    );
    let tokens = tokens.expect(201);
    let forge = Forge::new(&server, &good);
    // The base of the table is good: signed anew with the same key it opens the door.
    admin.bearing(&forge.signed(&forge.header, &forge.claims)).get("/v1/me").expect(200);
    let left = tokens["access_token"].as_str().expect("a token").to_owned();
    let session = tokens["session_id"].as_str().expect("an id");
    let path = format!("/v1/sessions/{session}");
    admin.bearing(&left).send("DELETE", &path, &[], Vec::new()).expect(204);
    let mut table = vec![
        ("a session that was left", left),
        ("another server's token", {
            let other = Signer::new(&[7; 32]);
            let uuid = uuid::Uuid::nil();
            let (user, org) =
                (headroom::model::id::UserId::new(uuid), headroom::model::id::OrgId::new(uuid));
            let session = headroom::model::id::SessionId::new(uuid);
            let now =
                headroom::model::Micros::new(forge.claims["iat"].as_i64().expect("s") * 1_000_000);
            other.issue(user, org, &[headroom::model::Role::Admin], session, now).token
        }),
    ];
    table.extend(headers(&forge));
    table.extend(claims(&forge));
    table.extend(texts(&forge));
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    table.extend(secrets(&sign_up(&admin, &["customer"]), refresh));
    assert!(table.len() >= 80, "{}", table.len());
    let before = picture(&stage.admin);
    let mut wrong = Vec::new();
    let region = json!({ "code": "forged", "name": "Forged", "country": "DE" });
    for (name, credential) in &table {
        let forger = admin.bearing(credential);
        for answer in [forger.get("/v1/organizations"), forger.post("/v1/regions", &region)] {
            let is_challenged = answer.header("www-authenticate").is_some();
            if answer.status != 401 || !is_challenged {
                wrong.push(format!("{name}: {}", answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    admin.get("/v1/me").expect(200);
    assert_eq!(picture(&stage.admin), before, "nothing was changed");
}

#[test]
fn the_key_that_signs_is_nowhere_to_be_read() {
    let server = Server::fresh();
    let pem = fs::read_to_string(server.key_file()).expect("the server made it");
    let secret: String = pem.lines().nth(1).expect("its middle").to_owned();
    let seed = URL_SAFE_NO_PAD.encode(signing_key(&server).to_bytes());
    let admin = server.admin();
    for path in ["/.well-known/jwks.json", "/metrics", "/v1/audit_records?limit=100", "/v1/me"] {
        let text = admin.get(path).text();
        assert!(!text.contains(&secret) && !text.contains(&seed), "{path}");
    }
}
