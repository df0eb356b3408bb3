//! Passwords: argon2id with the parameters OWASP recommends, and the same work whether or not the
//! person exists. Knows no person.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::model::limits;

/// OWASP: 19 MiB, two passes, one lane.
fn argon2id() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the recommended parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// How many passwords are worked on at once: half of the processors, 19 MiB each.
pub fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().div_ceil(2))
}

/// The hash of a password nobody has.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("correct horse battery staple"));

/// Whether the text can be a password at all.
pub fn fits(password: &str) -> bool {
    let characters = password.chars().count();
    characters >= limits::PASSWORD_LENGTH_MIN && password.len() <= limits::PASSWORD_LENGTH_MAX
}

/// The hash in PHC form, with a fresh salt. Takes some 20 ms: call it from a blocking thread.
pub fn hash(password: &str) -> String {
    let hash = argon2id().hash_password(password.as_bytes());
    hash.expect("bounded passwords can be hashed").to_string()
}

/// Whether the password is the one of the hash. Without a hash the work is the same and the answer
/// no.
pub fn matches(password: &str, hash: Option<&str>) -> bool {
    let is_person = hash.is_some();
    let hash = hash.unwrap_or_else(|| NOBODY.as_str());
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    let is_same = argon2id().verify_password(password.as_bytes(), &parsed).is_ok();
    is_person && is_same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_matches() {
        let one = hash("a long enough password");
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert!(matches("a long enough password", Some(&one)));
        assert!(!matches("a long enough passwore", Some(&one)));
        assert!(!matches("correct horse battery staple", None));
        assert!(!matches("", Some("")));
        assert_ne!(one, hash("a long enough password"), "salts are fresh");
    }

    #[test]
    fn a_password_has_bounds() {
        assert!(!fits("elevenchars"));
        assert!(fits("twelve chars"));
        assert!(fits("пароль длиннее"));
        assert!(!fits(&"x".repeat(201)));
    }
}
