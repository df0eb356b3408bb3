//! Identifiers: a UUIDv7 worn with the prefix of its kind (`ord_01h2xcejqtf2nbrexx3vqjhp41`).
//!
//! The written form is a TypeID (prefix, underscore, 26 characters of Crockford base32). Nothing
//! here makes a random number: fresh identifiers are minted at the door and given to the engine as
//! values.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use typeid_suffix::prelude::TypeIdSuffix;
use uuid::Uuid;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text carries another kind's prefix, or none.
    #[error("expected an id that starts with `{expected}_`")]
    Prefix { expected: &'static str },
    /// The prefix is right and what follows is not 26 characters of base32.
    #[error("the part after `{expected}_` is not 26 characters of lower-case base32")]
    Suffix { expected: &'static str },
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name(Uuid);

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                state.write_u128(self.0.as_u128());
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                // Whole numbers compare in the order of their bytes, and three times as fast.
                self.0.as_u128().cmp(&other.0.as_u128())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The prefix of the written form, without its underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Wears a UUID as this kind of identifier.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, as the database keeps it.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(out, $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(out, $prefix, self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                read_id(text, $prefix).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A legal party: customer, provider, vendor, guarantor or the operator.
    OrgId = "org";
    /// A person who belongs to one organization.
    UserId = "usr";
    /// An API key.
    KeyId = "key";
    /// One sign-in of a person: a chain of refresh tokens.
    SessionId = "ses";
    /// A DSX AI factory.
    FactoryId = "fac";
    /// The GPUs of one SKU in one factory.
    PoolId = "pool";
    /// A provider's offer out of one pool.
    ListingId = "lst";
    /// Vendor terms on supported capacity.
    ProgramId = "prg";
    /// A credit application.
    ApplicationId = "app";
    /// A credit line.
    LineId = "crl";
    /// An answer to "what would this cost".
    QuoteId = "quo";
    /// A request for a block.
    OrderId = "ord";
    /// The revenue-bearing record of a match. Wears the UUID of the order that made it.
    ContractId = "ctr";
    /// What one customer is charged for one month.
    InvoiceId = "inv";
    /// Money that a customer paid.
    PaymentId = "pmt";
    /// Money that the market pays out.
    PayoutId = "pyo";
    /// A pool's shortfall. Made of its instant and number, as events are.
    IncidentId = "inc";
    /// A fact that was published to one organization.
    EventId = "evt";
}

fn write_id(out: &mut fmt::Formatter<'_>, prefix: &str, uuid: Uuid) -> fmt::Result {
    write!(out, "{prefix}_{}", TypeIdSuffix::from(uuid))
}

fn read_id(text: &str, expected: &'static str) -> Result<Uuid, IdError> {
    let suffix = text
        .strip_prefix(expected)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError::Prefix { expected })?;
    let suffix = TypeIdSuffix::from_str(suffix).map_err(|_| IdError::Suffix { expected })?;
    Ok(suffix.to_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = OrderId::new(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        assert_eq!(id.to_string(), "ord_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn another_kind_is_refused_by_name() {
        let fault = "org_01h2xcejqtf2nbrexx3vqjhp41".parse::<OrderId>();
        assert_eq!(fault, Err(IdError::Prefix { expected: "ord" }));
        let fault = "ord_01h2xcejqtf2nbrexx3vqjhp4".parse::<OrderId>();
        assert_eq!(fault, Err(IdError::Suffix { expected: "ord" }));
        let fault = "ord_81h2xcejqtf2nbrexx3vqjhp41".parse::<OrderId>();
        assert_eq!(fault, Err(IdError::Suffix { expected: "ord" }));
    }
}
