//! How the model's words and ids are written, for the API reference. The words themselves know
//! nothing of it.

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::engine::amendment::AmendmentKind;
use crate::engine::billing::{InvoiceState, Payable, PayoutState, PeriodState};
use crate::engine::capacity::FactoryState;
use crate::engine::contract::ContractState;
use crate::engine::credit::{ApplicationState, DefaultReason, LineState, ReviewOutcome};
use crate::engine::event::EventKind;
use crate::engine::incident::{IncidentCause, IncidentState, ShortfallOutcome};
use crate::engine::ledger::{Account, Book, EntryKind};
use crate::engine::listing::ListingState;
use crate::engine::matching::AlternativeKind;
use crate::engine::order::{OrderState, Reason};
use crate::engine::party::{OrganizationState, UserState};
use crate::engine::quote::QuoteState;
use crate::model::id::{
    ApplicationId, ContractId, EventId, FactoryId, IncidentId, InvoiceId, KeyId, LineId, ListingId,
    OrderId, OrgId, PaymentId, PayoutId, PoolId, ProgramId, QuoteId, SessionId, UserId,
};
use crate::model::{Code, Country, Right, Role, Segment, Workload};

macro_rules! words {
    ($($word:ident)*) => {$(
        impl PartialSchema for $word {
            fn schema() -> RefOr<Schema> {
                let words = $word::ALL.iter().map(|word| word.as_str());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }
        impl ToSchema for $word {}
    )*

        /// Every word, for the places that only refer to them.
        pub fn words(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            $(schemas.push((<$word as ToSchema>::name().into_owned(), $word::schema()));)*
        }
    };
}

macro_rules! ids {
    ($($id:ident = $example:literal)*) => {$(
        impl PartialSchema for $id {
            fn schema() -> RefOr<Schema> {
                text(&format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", $id::PREFIX), $example).into()
            }
        }
        impl ToSchema for $id {}
        impl IntoParams for $id {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![in_path("id", $id::schema())]
            }
        }
    )*};
}

words! {
    FactoryState ContractState ApplicationState LineState EventKind Account Book EntryKind
    ListingState AlternativeKind OrderState Reason OrganizationState UserState QuoteState Right Role
    Segment Workload AmendmentKind InvoiceState Payable PayoutState PeriodState DefaultReason
    ReviewOutcome IncidentCause IncidentState ShortfallOutcome
}

ids! {
    ApplicationId = "app_01h2xcejqtf2nbrexx3vqjhp41"
    ContractId = "ctr_01h2xcejqtf2nbrexx3vqjhp41"
    EventId = "evt_01h2xcejqtf2nbrexx3vqjhp41"
    FactoryId = "fac_01h2xcejqtf2nbrexx3vqjhp41"
    InvoiceId = "inv_01h2xcejqtf2nbrexx3vqjhp41"
    KeyId = "key_01h2xcejqtf2nbrexx3vqjhp41"
    LineId = "crl_01h2xcejqtf2nbrexx3vqjhp41"
    ListingId = "lst_01h2xcejqtf2nbrexx3vqjhp41"
    OrderId = "ord_01h2xcejqtf2nbrexx3vqjhp41"
    OrgId = "org_01h2xcejqtf2nbrexx3vqjhp41"
    PaymentId = "pmt_01h2xcejqtf2nbrexx3vqjhp41"
    IncidentId = "inc_01h2xcejqtf2nbrexx3vqjhp41"
    PayoutId = "pyo_01h2xcejqtf2nbrexx3vqjhp41"
    PoolId = "pool_01h2xcejqtf2nbrexx3vqjhp41"
    ProgramId = "prg_01h2xcejqtf2nbrexx3vqjhp41"
    QuoteId = "quo_01h2xcejqtf2nbrexx3vqjhp41"
    SessionId = "ses_01h2xcejqtf2nbrexx3vqjhp41"
    UserId = "usr_01h2xcejqtf2nbrexx3vqjhp41"
}

fn text(pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .examples([Value::String(example.to_owned())])
}

fn in_path(name: &str, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .build()
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        text("^[a-z][a-z0-9_.-]{1,39}$", "gb300-nvl72").into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "Code".into()
    }
}

impl IntoParams for Code {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![in_path("code", Code::schema())]
    }
}

impl PartialSchema for Country {
    fn schema() -> RefOr<Schema> {
        text("^[A-Z]{2}$", "ID").into()
    }
}

impl ToSchema for Country {}
