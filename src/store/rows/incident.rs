//! Incidents as rows, and whose they are.

use std::collections::BTreeSet;

use super::{count, json, parse, uid, window, word};
use crate::engine::incident::{Incident, IncidentCause, IncidentState};
use crate::model::Micros;
use crate::model::id::{IncidentId, OrgId, PoolId};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    IncidentRow in incidents
    key { id: Id, }
    fixed {
        provider: Id,
        pool: Id,
        cause: Text,
        note: Text,
        start_at: Number,
        end_at: Number,
        opened_at: Number,
    }
    moving { affected: Text, state: Text, closed_at: MaybeNumber, version: Number, }
}

row! {
    /// A customer who has a contract in an incident. Never changes.
    IncidentCustomerRow in incident_customers
    key { customer: Id, incident: Id, }
    fixed { }
    moving { }
}

diesel::allow_tables_to_appear_in_same_query!(incidents, incident_customers);

impl From<&Incident> for IncidentRow {
    fn from(thing: &Incident) -> Self {
        let Incident {
            id,
            provider,
            pool,
            cause,
            note,
            window,
            affected,
            state,
            opened_at,
            closed_at,
            version,
        } = thing;
        Self {
            id: uid(id.uuid()),
            provider: uid(provider.uuid()),
            pool: uid(pool.uuid()),
            cause: cause.as_str().to_owned(),
            note: note.clone(),
            start_at: window.start().count(),
            end_at: window.end().count(),
            opened_at: opened_at.count(),
            affected: json(affected),
            state: state.as_str().to_owned(),
            closed_at: closed_at.map(Micros::count),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<IncidentRow> for Incident {
    type Error = Fault;
    fn try_from(row: IncidentRow) -> Result<Self, Fault> {
        Ok(Self {
            id: IncidentId::new(row.id.0),
            provider: OrgId::new(row.provider.0),
            pool: PoolId::new(row.pool.0),
            cause: word("incidents.cause", &row.cause, IncidentCause::read)?,
            note: row.note,
            window: window("incidents.start_at", row.start_at, row.end_at)?,
            affected: parse("incidents.affected", &row.affected)?,
            state: word("incidents.state", &row.state, IncidentState::read)?,
            opened_at: Micros::new(row.opened_at),
            closed_at: row.closed_at.map(Micros::new),
            version: count("incidents.version", row.version)?,
        })
    }
}

impl IncidentCustomerRow {
    /// The customers of an incident, each once.
    pub fn of(incident: &Incident) -> impl Iterator<Item = Self> + use<> {
        let customers: BTreeSet<OrgId> = incident.affected.iter().map(|it| it.customer).collect();
        let id = uid(incident.id.uuid());
        customers.into_iter().map(move |org| Self { customer: uid(org.uuid()), incident: id })
    }
}
