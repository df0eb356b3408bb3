//! Incidents, by id and as lists.

use diesel::prelude::*;

use super::{Page, Reader, Slice, page, slice};
use crate::engine::incident::{Incident, IncidentState};
use crate::model::id::{IncidentId, OrgId, PoolId};
use crate::store::Fault;
use crate::store::link::{Db, on};
use crate::store::rows::incident::{IncidentRow, incident_customers, incidents};
use crate::store::rows::{entities, maybe, uid};

/// What incidents a caller wants to see; `party` is the provider or one of the customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    pub party: Option<OrgId>,
    pub state: Option<IncidentState>,
    pub pool: Option<PoolId>,
}

impl Reader {
    /// An incident.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, Fault> {
        let row: Option<IncidentRow> =
            self.read(|db| Ok(on!(db, get_results, incidents::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Incident::try_from)
    }

    /// A page of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn incidents(
        &self,
        filter: &IncidentFilter,
        page: &Page<IncidentId>,
    ) -> Result<Slice<Incident>, Fault> {
        let rows = self.read(|db| match filter.party {
            None => all(db, filter, page),
            Some(party) => of_party(db, party, filter, page),
        })?;
        slice(rows, page.limit, entities)
    }
}

fn all(
    db: &mut Db,
    filter: &IncidentFilter,
    page: &Page<IncidentId>,
) -> Result<Vec<IncidentRow>, Fault> {
    let IncidentFilter { party: _, state, pool } = filter;
    page!(
        db,
        incidents,
        page,
        state.map(|state| incidents::state.eq(state.as_str())),
        pool.map(|pool| incidents::pool.eq(uid(pool.uuid())))
    )
}

fn of_party(
    db: &mut Db,
    party: OrgId,
    filter: &IncidentFilter,
    page: &Page<IncidentId>,
) -> Result<Vec<IncidentRow>, Fault> {
    let IncidentFilter { party: _, state, pool } = filter;
    let party = uid(party.uuid());
    let bought = incident_customers::table
        .filter(incident_customers::customer.eq(party))
        .select(incident_customers::incident);
    page!(
        db,
        incidents,
        page,
        Some(incidents::provider.eq(party).or(incidents::id.eq_any(bought))),
        state.map(|state| incidents::state.eq(state.as_str())),
        pool.map(|pool| incidents::pool.eq(uid(pool.uuid())))
    )
}
