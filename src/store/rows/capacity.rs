//! SKUs, regions, factories, pools and listings as rows.

use super::{code, count, country, json, maybe, natural, number, parse, price, uid, window, word};
use crate::engine::capacity::{Factory, FactoryState, Pool};
use crate::engine::catalogue::{Region, Sku};
use crate::engine::listing::{Listing, ListingState};
use crate::model::id::{FactoryId, ListingId, OrgId, PoolId, ProgramId};
use crate::model::{Micros, Minute};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    SkuRow in skus
    key { code: Text, }
    fixed { created_at: Number, }
    moving {
        gpu_model: Text,
        memory_gib: Number,
        gpus_per_node: Number,
        gpus_per_domain: Number,
        interconnect: Text,
        slot_minutes: Number,
        tick: Number,
        watts_per_gpu: Number,
    }
}

row! {
    RegionRow in regions
    key { code: Text, }
    fixed { created_at: Number, }
    moving { name: Text, country: Text, }
}

row! {
    FactoryRow in factories
    key { id: Id, }
    fixed { provider: Id, region: Text, created_at: Number, }
    moving { name: Text, power_kw: Number, state: Text, version: Number, }
}

row! {
    PoolRow in pools
    key { id: Id, }
    fixed { provider: Id, factory: Id, region: Text, sku: Text, created_at: Number, }
    moving { phases: Text, maintenance: Text, version: Number, }
}

row! {
    ListingRow in listings
    key { id: Id, }
    fixed {
        provider: Id,
        pool: Id,
        sku: Text,
        region: Text,
        created_at: Number,
        reseller: MaybeId,
        resale: MaybeText,
    }
    moving {
        program: MaybeId,
        gpus: Number,
        start_at: Number,
        end_at: Number,
        price: Number,
        limits: Text,
        audience: Text,
        state: Text,
        taken: Number,
        backstop_at: MaybeNumber,
        published_seq: Number,
        version: Number,
    }
}

impl From<&Sku> for SkuRow {
    fn from(thing: &Sku) -> Self {
        let Sku {
            code,
            gpu_model,
            memory_gib,
            gpus_per_node,
            gpus_per_domain,
            interconnect,
            slot_minutes,
            tick,
            watts_per_gpu,
            created_at,
        } = thing;
        Self {
            code: code.as_str().to_owned(),
            created_at: created_at.count(),
            gpu_model: gpu_model.clone(),
            memory_gib: i64::from(*memory_gib),
            gpus_per_node: i64::from(*gpus_per_node),
            gpus_per_domain: i64::from(*gpus_per_domain),
            interconnect: interconnect.clone(),
            slot_minutes: i64::from(*slot_minutes),
            tick: tick.micros(),
            watts_per_gpu: i64::from(*watts_per_gpu),
        }
    }
}

impl TryFrom<SkuRow> for Sku {
    type Error = Fault;
    fn try_from(row: SkuRow) -> Result<Self, Fault> {
        Ok(Self {
            code: code("skus.code", &row.code)?,
            gpu_model: row.gpu_model,
            memory_gib: count("skus.memory_gib", row.memory_gib)?,
            gpus_per_node: count("skus.gpus_per_node", row.gpus_per_node)?,
            gpus_per_domain: count("skus.gpus_per_domain", row.gpus_per_domain)?,
            interconnect: row.interconnect,
            slot_minutes: count("skus.slot_minutes", row.slot_minutes)?,
            tick: price("skus.tick", row.tick)?,
            watts_per_gpu: count("skus.watts_per_gpu", row.watts_per_gpu)?,
            created_at: Micros::new(row.created_at),
        })
    }
}

impl From<&Region> for RegionRow {
    fn from(thing: &Region) -> Self {
        let Region { code, name, country, created_at } = thing;
        Self {
            code: code.as_str().to_owned(),
            created_at: created_at.count(),
            name: name.clone(),
            country: country.to_string(),
        }
    }
}

impl TryFrom<RegionRow> for Region {
    type Error = Fault;
    fn try_from(row: RegionRow) -> Result<Self, Fault> {
        Ok(Self {
            code: code("regions.code", &row.code)?,
            name: row.name,
            country: country("regions.country", &row.country)?,
            created_at: Micros::new(row.created_at),
        })
    }
}

impl From<&Factory> for FactoryRow {
    fn from(thing: &Factory) -> Self {
        let Factory { id, provider, name, region, power_kw, state, created_at, version } = thing;
        Self {
            id: uid(id.uuid()),
            provider: uid(provider.uuid()),
            region: region.as_str().to_owned(),
            created_at: created_at.count(),
            name: name.clone(),
            power_kw: i64::from(*power_kw),
            state: state.as_str().to_owned(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<FactoryRow> for Factory {
    type Error = Fault;
    fn try_from(row: FactoryRow) -> Result<Self, Fault> {
        Ok(Self {
            id: FactoryId::new(row.id.0),
            provider: OrgId::new(row.provider.0),
            name: row.name,
            region: code("factories.region", &row.region)?,
            power_kw: count("factories.power_kw", row.power_kw)?,
            state: word("factories.state", &row.state, FactoryState::read)?,
            created_at: Micros::new(row.created_at),
            version: count("factories.version", row.version)?,
        })
    }
}

impl From<&Pool> for PoolRow {
    fn from(thing: &Pool) -> Self {
        let Pool { id, provider, factory, region, sku, phases, maintenance, created_at, version } =
            thing;
        Self {
            id: uid(id.uuid()),
            provider: uid(provider.uuid()),
            factory: uid(factory.uuid()),
            region: region.as_str().to_owned(),
            sku: sku.as_str().to_owned(),
            created_at: created_at.count(),
            phases: json(phases),
            maintenance: json(maintenance),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<PoolRow> for Pool {
    type Error = Fault;
    fn try_from(row: PoolRow) -> Result<Self, Fault> {
        Ok(Self {
            id: PoolId::new(row.id.0),
            provider: OrgId::new(row.provider.0),
            factory: FactoryId::new(row.factory.0),
            region: code("pools.region", &row.region)?,
            sku: code("pools.sku", &row.sku)?,
            phases: parse("pools.phases", &row.phases)?,
            maintenance: parse("pools.maintenance", &row.maintenance)?,
            created_at: Micros::new(row.created_at),
            version: count("pools.version", row.version)?,
        })
    }
}

impl From<&Listing> for ListingRow {
    fn from(thing: &Listing) -> Self {
        let Listing {
            id,
            provider,
            pool,
            sku,
            region,
            gpus,
            window,
            price,
            limits,
            audience,
            program,
            resale,
            state,
            taken,
            backstop_at,
            published_seq,
            created_at,
            version,
        } = thing;
        Self {
            id: uid(id.uuid()),
            provider: uid(provider.uuid()),
            pool: uid(pool.uuid()),
            sku: sku.as_str().to_owned(),
            region: region.as_str().to_owned(),
            created_at: created_at.count(),
            reseller: resale.map(|source| uid(source.reseller.uuid())),
            resale: resale.as_ref().map(json),
            program: program.map(|program| uid(program.uuid())),
            gpus: i64::from(*gpus),
            start_at: window.start().count(),
            end_at: window.end().count(),
            price: price.micros(),
            limits: json(limits),
            audience: json(audience),
            state: state.as_str().to_owned(),
            taken: *taken,
            backstop_at: backstop_at.map(Minute::count),
            published_seq: number(*published_seq),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<ListingRow> for Listing {
    type Error = Fault;
    fn try_from(row: ListingRow) -> Result<Self, Fault> {
        Ok(Self {
            id: ListingId::new(row.id.0),
            provider: OrgId::new(row.provider.0),
            pool: PoolId::new(row.pool.0),
            sku: code("listings.sku", &row.sku)?,
            region: code("listings.region", &row.region)?,
            gpus: count("listings.gpus", row.gpus)?,
            window: window("listings.start_at", row.start_at, row.end_at)?,
            price: price("listings.price", row.price)?,
            limits: parse("listings.limits", &row.limits)?,
            audience: parse("listings.audience", &row.audience)?,
            program: row.program.map(|program| ProgramId::new(program.0)),
            resale: maybe(row.resale, |text| parse("listings.resale", &text))?,
            state: word("listings.state", &row.state, ListingState::read)?,
            taken: row.taken,
            backstop_at: row.backstop_at.map(Minute::new),
            published_seq: natural("listings.published_seq", row.published_seq)?,
            created_at: Micros::new(row.created_at),
            version: count("listings.version", row.version)?,
        })
    }
}
