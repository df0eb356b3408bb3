//! Who and where a customer is, and what the block is for: programs and set-asides refer to these.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ISO 3166-1 alpha-2 country code. The letters are checked, the assignment is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// The text is not a country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two upper-case letters (ISO 3166-1 alpha-2), such as \"ID\"")]
pub struct CountryError;

impl FromStr for Country {
    type Err = CountryError;
    fn from_str(text: &str) -> Result<Self, CountryError> {
        match text.as_bytes() {
            &[first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => {
                Ok(Self([first, second]))
            }
            _ => Err(CountryError),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| write!(out, "{}", char::from(letter)))
    }
}

impl TryFrom<String> for Country {
    type Error = CountryError;
    fn try_from(text: String) -> Result<Self, CountryError> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.to_string()
    }
}

/// Declares an enum whose written form is its snake_case name, with the reader that knows all of
/// them.
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$word_doc:meta])* $word:ident = $text:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $($(#[$word_doc])* #[serde(rename = $text)] $word,)* }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// The written form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }

            /// The word with this written form.
            pub fn read(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$word),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }
    )*};
}

words! {
    /// What kind of customer an organization is.
    Segment {
        Startup = "startup",
        ModelBuilder = "model_builder",
        InferenceProvider = "inference_provider",
        AgentPlatform = "agent_platform",
        Enterprise = "enterprise",
        Isv = "isv",
        Research = "research",
        RegionalAi = "regional_ai",
    }
    /// What a block is for.
    Workload {
        Training = "training",
        PostTraining = "post_training",
        FineTuning = "fine_tuning",
        Inference = "inference",
        AgenticInference = "agentic_inference",
    }
}
