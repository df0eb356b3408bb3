//! Events, kept answers and the audit trail.

use diesel::prelude::*;

use super::{AuditRow as Audited, Page, Reader, Slice, one_more, slice};
use crate::engine::event::Event;
use crate::model::id::OrgId;
use crate::store::link::on;
use crate::store::rows::record::{AuditRow, EventRow, KeptRow, audit, events, kept};
use crate::store::rows::{entities, maybe, number, uid};
use crate::store::{Fault, KeptAnswer};

impl Reader {
    /// Events of an organization after a number, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn events(&self, org: OrgId, after: u64, limit: u32) -> Result<Slice<Event>, Fault> {
        let rows: Vec<EventRow> = self.read(|db| {
            let query = events::table
                .filter(events::org.eq(uid(org.uuid())))
                .filter(events::no.gt(number(after)))
                .order(events::no);
            on!(db, load, query.limit(one_more(limit)))
        })?;
        slice(rows, limit, entities)
    }

    /// The answer to a command that was handed in under a key: the first one under it. The key and
    /// what it was used for are in the answer's own `key`.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn kept(&self, seq: u64) -> Result<Option<KeptAnswer>, Fault> {
        let row: Option<KeptRow> =
            self.read(|db| Ok(on!(db, get_results, kept::table.find(number(seq)))?.pop()))?;
        maybe(row, KeptAnswer::try_from)
    }

    /// Audit records, newest first; the cursor is the command's number.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn audit(&self, page: &Page<u64>) -> Result<Slice<Audited>, Fault> {
        let after = page.after.map_or(i64::MAX, number);
        let rows: Vec<AuditRow> = self.read(|db| {
            let query = audit::table.filter(audit::seq.lt(after)).order(audit::seq.desc());
            on!(db, load, query.limit(one_more(page.limit)))
        })?;
        slice(rows, page.limit, entities)
    }
}
