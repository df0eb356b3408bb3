//! Organizations, people and API keys, by id and as lists.

use diesel::prelude::*;

use super::{Page, Reader, Slice, page, slice};
use crate::engine::party::{ApiKey, Organization, User};
use crate::model::id::{KeyId, OrgId, UserId};
use crate::store::Fault;
use crate::store::link::on;
use crate::store::rows::party::{
    ApiKeyRow, OrganizationRow, UserRow, api_keys, organizations, users,
};
use crate::store::rows::{entities, maybe, uid};

impl Reader {
    /// An organization.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn organization(&self, id: &OrgId) -> Result<Option<Organization>, Fault> {
        let row: Option<OrganizationRow> = self.read(|db| {
            Ok(on!(db, get_results, organizations::table.find(uid(id.uuid())))?.pop())
        })?;
        maybe(row, Organization::try_from)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn organizations(
        &self,
        _all: &(),
        page: &Page<OrgId>,
    ) -> Result<Slice<Organization>, Fault> {
        let rows: Vec<OrganizationRow> = self.read(|db| page!(db, organizations, page))?;
        slice(rows, page.limit, entities)
    }

    /// A person.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn user(&self, id: &UserId) -> Result<Option<User>, Fault> {
        let row: Option<UserRow> =
            self.read(|db| Ok(on!(db, get_results, users::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, User::try_from)
    }

    /// A page of them, newest first. Filter: the organization.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn users(&self, org: &Option<OrgId>, page: &Page<UserId>) -> Result<Slice<User>, Fault> {
        let rows: Vec<UserRow> =
            self.read(|db| page!(db, users, page, org.map(|org| users::org.eq(uid(org.uuid())))))?;
        slice(rows, page.limit, entities)
    }

    /// An API key.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn key(&self, id: &KeyId) -> Result<Option<ApiKey>, Fault> {
        let row: Option<ApiKeyRow> =
            self.read(|db| Ok(on!(db, get_results, api_keys::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, ApiKey::try_from)
    }

    /// A page of them, newest first. Filter: the organization.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn keys(&self, org: &Option<OrgId>, page: &Page<KeyId>) -> Result<Slice<ApiKey>, Fault> {
        let rows: Vec<ApiKeyRow> = self.read(|db| {
            page!(db, api_keys, page, org.map(|org| api_keys::org.eq(uid(org.uuid()))))
        })?;
        slice(rows, page.limit, entities)
    }
}
