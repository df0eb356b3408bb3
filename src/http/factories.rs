//! `/v1/factories`: DSX AI factories, where pools stand.

use std::fmt;

use actix_web::web::Data;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::{Json, fault};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::Instant;
use super::{Door, fresh};
use crate::engine::Command;
use crate::engine::capacity::{Factory, FactoryState};
use crate::model::id::{FactoryId, OrgId};
use crate::model::{Code, RegionCode};

/// Megawatts with at most three decimals, kept as kilowatts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Megawatts(pub u32);

/// A factory to be entered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Batam One", "region": "id-batam", "power_mw": 360, "state": "building",
    }))]
pub struct FactoryBody {
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    #[schema(value_type = Code)]
    region: RegionCode,
    power_mw: Megawatts,
    state: FactoryState,
}

/// Where a factory's life has come to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactoryStateBody {
    state: FactoryState,
}

/// A factory.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactoryView {
    id: FactoryId,
    provider: OrgId,
    name: String,
    #[schema(value_type = Code)]
    region: RegionCode,
    power_mw: Megawatts,
    state: FactoryState,
    created_at: Instant,
}

/// Which page of factories.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FactoriesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Serialize for Megawatts {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1_000) {
            out.serialize_u32(self.0 / 1_000)
        } else {
            out.serialize_f64(f64::from(self.0) / 1_000.0)
        }
    }
}

struct MegawattsVisitor;

impl Visitor<'_> for MegawattsVisitor {
    type Value = Megawatts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number of megawatts with at most three decimals")
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Megawatts, E> {
        let kilowatts = whole.checked_mul(1_000).and_then(|kw| u32::try_from(kw).ok());
        kilowatts.map(Megawatts).ok_or_else(|| fault("out_of_bounds", "too many megawatts"))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Megawatts, E> {
        // By its shortest decimal form, so that no digit is made up.
        let text = number.to_string();
        let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
        let fits = rest.len() <= 3 && whole.len() <= 7;
        let digits = format!("{whole}{rest:0<3}");
        let kilowatts = digits.parse().ok().filter(|_| fits);
        let wrong = || fault("invalid", "not a number of megawatts with at most three decimals");
        kilowatts.map(Megawatts).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for Megawatts {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(MegawattsVisitor)
    }
}

impl PartialSchema for Megawatts {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(0))
            .maximum(Some(5_000))
            .multiple_of(Some(0.001))
            .description(Some("The power budget in megawatts, to the kilowatt."))
            .examples([72.5])
            .into()
    }
}

impl ToSchema for Megawatts {}

impl From<&Factory> for FactoryView {
    fn from(one: &Factory) -> Self {
        Self {
            id: one.id,
            provider: one.provider,
            name: one.name.clone(),
            region: one.region.clone(),
            power_mw: Megawatts(one.power_kw),
            state: one.state,
            created_at: Instant(one.created_at),
        }
    }
}

/// List factories
///
/// A provider's own; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/factories", tag = "Capacity",
    params(FactoriesQuery),
    responses((status = 200, description = "A page", body = List<FactoryView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<FactoriesQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("factory", query.limit, query.cursor.as_deref())?;
    let scope = who.scope();
    let slice = door.read(move |reader| reader.factories(&scope, &page)).await?;
    Ok(shown(&page::list("factory", slice, |one| one.id, |one| FactoryView::from(&one))))
}

/// Read a factory
#[utoipa::path(
    get, path = "/v1/factories/{id}", tag = "Capacity",
    params(FactoryId),
    responses((status = 200, description = "The factory", body = FactoryView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<FactoryId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.factory(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.provider));
    let found = found.ok_or_else(|| Problem::not_found("factory"))?;
    Ok(shown(&FactoryView::from(&found)))
}

/// Enter a factory
///
/// Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/factories", tag = "Capacity", params(OptionalKeyHeader),
    responses((status = 201, description = "The factory", body = FactoryView)),
)]
pub async fn create(
    who: Caller<grant::Offer>,
    key: OptionalKey,
    body: Json<FactoryBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let FactoryBody { name, region, power_mw: Megawatts(power_kw), state } = body.value;
    let id = FactoryId::new(fresh());
    door.ask(&who, key, Command::CreateFactory { id, name, region, power_kw, state }).await
}

/// Move a factory along its life
///
/// planned, building, energized, retired: forward only. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/factories/{id}/state", tag = "Capacity", params(FactoryId, OptionalKeyHeader),
    responses((status = 200, description = "The factory", body = FactoryView)),
)]
pub async fn change(
    who: Caller<grant::Offer>,
    id: Path<FactoryId>,
    key: OptionalKey,
    body: Json<FactoryStateBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    door.ask(&who, key, Command::ChangeFactory { id: id.0, state: body.value.state }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megawatts_are_exact_to_the_kilowatt() {
        let read = |text: &str| serde_json::from_str::<Megawatts>(text).map(|mw| mw.0).ok();
        for (text, kilowatts) in
            [("72", 72_000), ("72.5", 72_500), ("0.001", 1), ("1e3", 1_000_000)]
        {
            assert_eq!(read(text), Some(kilowatts), "{text}");
        }
        for text in ["-1", "-0.5", "0.0001", "1e300", "99999999", "\"72\"", "null"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(serde_json::to_string(&Megawatts(72_000)).expect("JSON"), "72");
        assert_eq!(serde_json::to_string(&Megawatts(72_500)).expect("JSON"), "72.5");
    }
}
