//! SKUs, regions, programs, factories, pools and listings, by id or code and as lists.

use diesel::prelude::*;

use super::{ListingFilter, Page, Reader, Slice, one_more, page, slice};
use crate::engine::capacity::{Factory, Pool};
use crate::engine::catalogue::{Region, Sku};
use crate::engine::listing::Listing;
use crate::engine::program::Program;
use crate::model::id::{FactoryId, ListingId, OrgId, PoolId, ProgramId};
use crate::model::{RegionCode, SkuCode};
use crate::store::Fault;
use crate::store::link::{Db, on};
use crate::store::rows::capacity::{
    FactoryRow, ListingRow, PoolRow, RegionRow, SkuRow, factories, listings, pools, regions, skus,
};
use crate::store::rows::program::{ProgramRow, VersionRow, Versions, program_versions, programs};
use crate::store::rows::{entities, maybe, uid};
use crate::store::schema::Uid;

impl Reader {
    /// A SKU.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn sku(&self, code: &SkuCode) -> Result<Option<Sku>, Fault> {
        let row: Option<SkuRow> =
            self.read(|db| Ok(on!(db, get_results, skus::table.find(code.as_str()))?.pop()))?;
        maybe(row, Sku::try_from)
    }

    /// A page of them, in reverse order of the code.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn skus(&self, _all: &(), page: &Page<SkuCode>) -> Result<Slice<Sku>, Fault> {
        let after = page.after.as_ref().map_or(AFTER_ALL_CODES, SkuCode::as_str);
        let rows: Vec<SkuRow> = self.read(|db| {
            let query = skus::table.filter(skus::code.lt(after)).order(skus::code.desc());
            on!(db, load, query.limit(one_more(page.limit)))
        })?;
        slice(rows, page.limit, entities)
    }

    /// A region.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn region(&self, code: &RegionCode) -> Result<Option<Region>, Fault> {
        let row: Option<RegionRow> =
            self.read(|db| Ok(on!(db, get_results, regions::table.find(code.as_str()))?.pop()))?;
        maybe(row, Region::try_from)
    }

    /// A page of them, in reverse order of the code.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn regions(&self, _all: &(), page: &Page<RegionCode>) -> Result<Slice<Region>, Fault> {
        let after = page.after.as_ref().map_or(AFTER_ALL_CODES, RegionCode::as_str);
        let rows: Vec<RegionRow> = self.read(|db| {
            let query = regions::table.filter(regions::code.lt(after)).order(regions::code.desc());
            on!(db, load, query.limit(one_more(page.limit)))
        })?;
        slice(rows, page.limit, entities)
    }

    /// A program in its newest version.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn program(&self, id: &ProgramId) -> Result<Option<Program>, Fault> {
        self.read(|db| {
            let rows: Vec<ProgramRow> = on!(db, load, programs::table.find(uid(id.uuid())))?;
            Ok(with_terms(db, rows)?.pop())
        })
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn programs(&self, _all: &(), page: &Page<ProgramId>) -> Result<Slice<Program>, Fault> {
        self.read(|db| {
            let rows: Vec<ProgramRow> = page!(db, programs, page)?;
            slice(rows, page.limit, |rows| with_terms(db, rows))
        })
    }

    /// A factory.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn factory(&self, id: &FactoryId) -> Result<Option<Factory>, Fault> {
        let row: Option<FactoryRow> =
            self.read(|db| Ok(on!(db, get_results, factories::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Factory::try_from)
    }

    /// A page of them, newest first. Filter: the provider.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn factories(
        &self,
        provider: &Option<OrgId>,
        page: &Page<FactoryId>,
    ) -> Result<Slice<Factory>, Fault> {
        let rows: Vec<FactoryRow> = self.read(|db| {
            page!(
                db,
                factories,
                page,
                provider.map(|provider| factories::provider.eq(uid(provider.uuid())))
            )
        })?;
        slice(rows, page.limit, entities)
    }

    /// A pool.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn pool(&self, id: &PoolId) -> Result<Option<Pool>, Fault> {
        let row: Option<PoolRow> =
            self.read(|db| Ok(on!(db, get_results, pools::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Pool::try_from)
    }

    /// A page of them, newest first. Filter: the provider.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn pools(
        &self,
        provider: &Option<OrgId>,
        page: &Page<PoolId>,
    ) -> Result<Slice<Pool>, Fault> {
        let rows: Vec<PoolRow> = self.read(|db| {
            page!(
                db,
                pools,
                page,
                provider.map(|provider| pools::provider.eq(uid(provider.uuid())))
            )
        })?;
        slice(rows, page.limit, entities)
    }

    /// A listing.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn listing(&self, id: &ListingId) -> Result<Option<Listing>, Fault> {
        let row: Option<ListingRow> =
            self.read(|db| Ok(on!(db, get_results, listings::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Listing::try_from)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn listings(
        &self,
        filter: &ListingFilter,
        page: &Page<ListingId>,
    ) -> Result<Slice<Listing>, Fault> {
        let ListingFilter { provider, pool, sku, region, state, owner_or_public } = filter;
        let public = ["live", "sold_out"];
        let rows: Vec<ListingRow> = self.read(|db| {
            page!(
                db,
                listings,
                page,
                provider.map(|provider| listings::provider.eq(uid(provider.uuid()))),
                pool.map(|pool| listings::pool.eq(uid(pool.uuid()))),
                sku.as_ref().map(|sku| listings::sku.eq(sku.as_str())),
                region.as_ref().map(|region| listings::region.eq(region.as_str())),
                state.map(|state| listings::state.eq(state.as_str())),
                owner_or_public.map(|owner| listings::provider
                    .eq(uid(owner.uuid()))
                    .or(listings::reseller
                        .assume_not_null()
                        .eq(uid(owner.uuid()))
                        .and(listings::reseller.is_not_null()))
                    .or(listings::state.eq_any(public)))
            )
        })?;
        slice(rows, page.limit, entities)
    }
}

/// Codes are made of characters that come before it.
const AFTER_ALL_CODES: &str = "~";

/// Programs with the terms of their newest versions.
fn with_terms(db: &mut Db, rows: Vec<ProgramRow>) -> Result<Vec<Program>, Fault> {
    let versions = versions(db, rows.iter().map(|row| row.id).collect())?;
    rows.into_iter().map(|row| row.into_program(&versions)).collect()
}

/// Every version of some programs.
pub(super) fn versions(db: &mut Db, programs: Vec<Uid>) -> Result<Versions, Fault> {
    if programs.is_empty() {
        return Ok(Versions::default());
    }
    let versions = program_versions::table.filter(program_versions::program.eq_any(programs));
    let rows: Vec<VersionRow> = on!(db, load, versions)?;
    Versions::read(rows)
}
