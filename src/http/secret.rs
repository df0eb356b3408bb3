//! Secrets shown once: API keys, refresh tokens, invitations. Only their SHA-256 is ever kept.

use std::fmt;

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random characters in a secret: 178 bits.
const RANDOM: usize = 30;

/// Characters that carry the CRC32 of what stands before them.
const CHECK: usize = 6;

/// What a secret opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A key of a market in which time passes by itself.
    LiveKey,
    /// A key of a market under a simulated clock.
    TestKey,
    Refresh,
    Invitation,
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Purpose::LiveKey => "hr_live_",
            Purpose::TestKey => "hr_test_",
            Purpose::Refresh => "hr_rt_",
            Purpose::Invitation => "hr_inv_",
        }
    }
}

/// A fresh secret in the clear. Shown once; never logged, so it has no `Debug` that tells.
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn fresh(purpose: Purpose) -> Self {
        let mut text = purpose.prefix().to_owned();
        let random = (0..RANDOM).map(|_| ALPHABET[rand::random_range(0..ALPHABET.len())]);
        text.extend(random.map(char::from));
        let check = check(&text);
        text.push_str(&check);
        Self(text)
    }

    pub fn hash(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// The secret itself, for the one answer that shows it.
    pub fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(...)")
    }
}

/// The digest to look a presented secret up by; `None` when it cannot be one: wrong prefix, length,
/// alphabet or check, so that slips and scans cost no look-up.
pub fn presented(purpose: Purpose, text: &str) -> Option<[u8; 32]> {
    let rest = text.strip_prefix(purpose.prefix())?;
    let shaped = rest.len() == RANDOM + CHECK && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    if !shaped {
        return None;
    }
    let (said, checked) = text.split_at(text.len() - CHECK);
    (check(said) == checked).then(|| digest(text))
}

/// Whether the text looks like an API key, as against a token.
pub fn is_key(text: &str) -> bool {
    text.starts_with(Purpose::LiveKey.prefix()) || text.starts_with(Purpose::TestKey.prefix())
}

pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The CRC32 in base 62, six characters.
fn check(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut letters = [b'0'; CHECK];
    for letter in letters.iter_mut().rev() {
        let place = usize::try_from(rest % 62).expect("below 62");
        *letter = ALPHABET[place];
        rest /= 62;
    }
    letters.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_digest_only() {
        let secret = Secret::fresh(Purpose::LiveKey);
        let hash = secret.hash();
        assert!(!format!("{secret:?}").contains("hr_live"));
        let text = secret.reveal();
        assert!(text.starts_with("hr_live_") && text.len() == 44, "{text}");
        assert_eq!(presented(Purpose::LiveKey, &text), Some(hash));
        assert_ne!(text, Secret::fresh(Purpose::LiveKey).reveal());
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_looked_up() {
        let text = Secret::fresh(Purpose::LiveKey).reveal();
        let other = if text.ends_with('0') { "1" } else { "0" };
        let slipped = format!("{}{other}", &text[..text.len() - 1]);
        let swapped = text.replacen("hr_live_", "hr_test_", 1);
        let short = &text[..text.len() - 1];
        let long = format!("{text}0");
        let wide = format!("{}é", &text[..text.len() - 2]);
        for wrong in [slipped.as_str(), &swapped, short, &long, &wide, "", "hr_live_", "hr_"] {
            assert_eq!(presented(Purpose::LiveKey, wrong), None, "{wrong}");
        }
        assert_eq!(presented(Purpose::TestKey, &swapped), None, "the check covers the prefix");
        assert_eq!(presented(Purpose::Refresh, &text), None);
    }
}
