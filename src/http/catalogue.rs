//! `/v1/skus`, `/v1/regions`: the products and the places. Everyone reads, the operator writes.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::Json;
use super::money::PriceText;
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::Instant;
use crate::engine::Command;
use crate::engine::catalogue::{Region, Sku};
use crate::model::{Code, Country, Micros, RegionCode, SkuCode};

/// A GPU product to be traded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkuBody {
    #[schema(value_type = Code)]
    code: SkuCode,
    #[schema(min_length = 1, max_length = 120, example = "NVIDIA GB300")]
    gpu_model: String,
    #[schema(minimum = 1, example = 288)]
    memory_gib: u32,
    /// The lot: every quantity is a multiple of it.
    #[schema(minimum = 1, maximum = 1024, example = 4)]
    gpus_per_node: u32,
    /// GPUs in one scale-up domain.
    #[schema(minimum = 1, example = 72)]
    gpus_per_domain: u32,
    #[schema(max_length = 120, example = "NVLink 5, 72 GPUs")]
    interconnect: String,
    /// Windows start and end on multiples of this.
    #[serde(default = "one_hour")]
    #[schema(minimum = 1, maximum = 1440, default = 60)]
    slot_minutes: u32,
    /// Prices are multiples of this.
    #[serde(default = "one_cent")]
    #[schema(value_type = PriceText)]
    tick: PriceText,
    #[schema(minimum = 1, example = 1400)]
    watts_per_gpu: u32,
}

const fn one_hour() -> u32 {
    60
}

fn one_cent() -> PriceText {
    PriceText("0.01".parse().expect("a cent is a price"))
}

/// A GPU product.
#[derive(Debug, Serialize, ToSchema)]
pub struct SkuView {
    #[schema(value_type = Code)]
    code: SkuCode,
    gpu_model: String,
    memory_gib: u32,
    gpus_per_node: u32,
    gpus_per_domain: u32,
    interconnect: String,
    slot_minutes: u32,
    tick: PriceText,
    watts_per_gpu: u32,
    created_at: Instant,
}

/// A place customers can ask for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "id-batam", "name": "Batam", "country": "ID" }))]
pub struct RegionBody {
    #[schema(value_type = Code)]
    code: RegionCode,
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    country: Country,
}

/// A place.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegionView {
    #[schema(value_type = Code)]
    code: RegionCode,
    name: String,
    country: Country,
    created_at: Instant,
}

/// Which page of the catalogue.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CatalogueQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<&Sku> for SkuView {
    fn from(one: &Sku) -> Self {
        Self {
            code: one.code.clone(),
            gpu_model: one.gpu_model.clone(),
            memory_gib: one.memory_gib,
            gpus_per_node: one.gpus_per_node,
            gpus_per_domain: one.gpus_per_domain,
            interconnect: one.interconnect.clone(),
            slot_minutes: one.slot_minutes,
            tick: PriceText(one.tick),
            watts_per_gpu: one.watts_per_gpu,
            created_at: Instant(one.created_at),
        }
    }
}

impl From<&Region> for RegionView {
    fn from(one: &Region) -> Self {
        Self {
            code: one.code.clone(),
            name: one.name.clone(),
            country: one.country,
            created_at: Instant(one.created_at),
        }
    }
}

/// List SKUs
#[utoipa::path(
    get, path = "/v1/skus", tag = "Catalogue", security(()),
    params(CatalogueQuery),
    responses((status = 200, description = "A page, from the last code to the first",
            body = List<SkuView>)),
)]
pub async fn skus(query: Query<CatalogueQuery>, door: Data<Door>) -> Reply {
    let page = page::page("sku", query.limit, query.cursor.as_deref())?;
    let slice = door.read(move |reader| reader.skus(&(), &page)).await?;
    Ok(shown(&page::list("sku", slice, |one| one.code.clone(), |one| SkuView::from(&one))))
}

/// Read a SKU
#[utoipa::path(
    get, path = "/v1/skus/{code}", tag = "Catalogue", security(()),
    params(Code),
    responses((status = 200, description = "The SKU", body = SkuView)),
)]
pub async fn sku(code: Path<Code>, door: Data<Door>) -> Reply {
    let view = door.desk.view();
    let found = view.skus.get(&code.0).ok_or_else(|| Problem::not_found("sku"))?;
    Ok(shown(&SkuView::from(found.as_ref())))
}

/// Add a SKU
///
/// Needs the right `catalogue`.
#[utoipa::path(
    post, path = "/v1/skus", tag = "Catalogue", params(OptionalKeyHeader),
    responses((status = 201, description = "The SKU", body = SkuView)),
)]
pub async fn create_sku(
    who: Caller<grant::Catalogue>,
    key: OptionalKey,
    body: Json<SkuBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ask = body.value;
    let sku = Sku {
        code: ask.code,
        gpu_model: ask.gpu_model,
        memory_gib: ask.memory_gib,
        gpus_per_node: ask.gpus_per_node,
        gpus_per_domain: ask.gpus_per_domain,
        interconnect: ask.interconnect,
        slot_minutes: ask.slot_minutes,
        tick: ask.tick.0,
        watts_per_gpu: ask.watts_per_gpu,
        // The engine sets the instant at which it decides.
        created_at: Micros::default(),
    };
    door.ask(&who, key, Command::CreateSku(sku)).await
}

/// List regions
#[utoipa::path(
    get, path = "/v1/regions", tag = "Catalogue", security(()),
    params(CatalogueQuery),
    responses((status = 200, description = "A page, from the last code to the first",
            body = List<RegionView>)),
)]
pub async fn regions(query: Query<CatalogueQuery>, door: Data<Door>) -> Reply {
    let page = page::page("region", query.limit, query.cursor.as_deref())?;
    let slice = door.read(move |reader| reader.regions(&(), &page)).await?;
    Ok(shown(&page::list("region", slice, |one| one.code.clone(), |one| RegionView::from(&one))))
}

/// Read a region
#[utoipa::path(
    get, path = "/v1/regions/{code}", tag = "Catalogue", security(()),
    params(Code),
    responses((status = 200, description = "The region", body = RegionView)),
)]
pub async fn region(code: Path<Code>, door: Data<Door>) -> Reply {
    let view = door.desk.view();
    let found = view.regions.get(&code.0).ok_or_else(|| Problem::not_found("region"))?;
    Ok(shown(&RegionView::from(found.as_ref())))
}

/// Add a region
///
/// Needs the right `catalogue`.
#[utoipa::path(
    post, path = "/v1/regions", tag = "Catalogue", params(OptionalKeyHeader),
    responses((status = 201, description = "The region", body = RegionView)),
)]
pub async fn create_region(
    who: Caller<grant::Catalogue>,
    key: OptionalKey,
    body: Json<RegionBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let RegionBody { code, name, country } = body.value;
    let region = Region { code, name, country, created_at: Micros::default() };
    door.ask(&who, key, Command::CreateRegion(region)).await
}
