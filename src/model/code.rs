//! Readable codes: what SKUs and regions are addressed by (`gb300-nvl72`, `id-batam`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::limits;

/// A readable code: 2 to 40 of `a-z`, `0-9`, `-`, `_` and `.`, starting with a letter. Cheap to
/// clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Code(Arc<str>);

/// The code of a GPU product.
pub type SkuCode = Code;

/// The code of a region.
pub type RegionCode = Code;

/// The code of a group of organizations under one roof.
pub type GroupCode = Code;

/// The text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is 2 to 40 of a-z, 0-9, '-', '_' and '.', starting with a letter")]
pub struct CodeError;

impl Code {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        let all_well = text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
        });
        let fits = (2..=limits::CODE_LENGTH_MAX).contains(&text.len());
        if starts_well && all_well && fits { Ok(Self(text.into())) } else { Err(CodeError) }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

// Written as it stands: derived, it would be copied first, and an order spells many.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> String {
        code.0.as_ref().to_owned()
    }
}
