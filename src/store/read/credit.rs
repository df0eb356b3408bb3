//! Credit applications and lines, by id and as lists.

use diesel::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

use super::{Page, Reader, Slice, page, slice};
use crate::engine::credit::{Application, ApplicationState, Balances, Cap, Line};
use crate::engine::ledger::{Account, AccountKey, Balance};
use crate::model::id::{ApplicationId, LineId, OrgId};
use crate::model::{Minute, Money};
use crate::store::Fault;
use crate::store::link::{Db, on};
use crate::store::rows::credit::{
    ApplicationRow, CapRow, LineRow, caps, credit_applications as applications,
    credit_lines as lines,
};
use crate::store::rows::ledger::{AccountRow, accounts};
use crate::store::rows::{entities, maybe, uid};
use crate::store::schema::Uid;

impl Reader {
    /// A credit application.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn application(&self, id: &ApplicationId) -> Result<Option<Application>, Fault> {
        let row: Option<ApplicationRow> = self
            .read(|db| Ok(on!(db, get_results, applications::table.find(uid(id.uuid())))?.pop()))?;
        maybe(row, Application::try_from)
    }

    /// A page of them, newest first. Filter: the organization, the state.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn applications(
        &self,
        (org, state): &(Option<OrgId>, Option<ApplicationState>),
        page: &Page<ApplicationId>,
    ) -> Result<Slice<Application>, Fault> {
        let rows: Vec<ApplicationRow> = self.read(|db| {
            page!(
                db,
                applications,
                page,
                org.map(|org| applications::org.eq(uid(org.uuid()))),
                state.map(|state| applications::state.eq(state.as_str()))
            )
        })?;
        slice(rows, page.limit, entities)
    }

    /// A credit line with its balances.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn line(&self, id: &LineId) -> Result<Option<(Line, Balances)>, Fault> {
        self.read_at_once(|db| {
            let rows: Vec<LineRow> = on!(db, load, lines::table.find(uid(id.uuid())))?;
            Ok(with_balances(db, rows)?.pop())
        })
    }

    /// Every cap that was ever set, also those that are lifted.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn caps(&self) -> Result<Vec<Cap>, Fault> {
        let order = (caps::kind, caps::name);
        let rows: Vec<CapRow> = self.read(|db| on!(db, load, caps::table.order(order)))?;
        entities(rows)
    }

    /// Lines whose review is due by an instant and that may still be reviewed, newest first.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn lines_to_review(
        &self,
        by: Minute,
        page: &Page<LineId>,
    ) -> Result<Slice<(Line, Balances)>, Fault> {
        self.read_at_once(|db| {
            let rows: Vec<LineRow> = page!(
                db,
                lines,
                page,
                Some(lines::review_at.le(by.count())),
                Some(lines::state.ne_all(["closed", "defaulted"]))
            )?;
            slice(rows, page.limit, |rows| with_balances(db, rows))
        })
    }

    /// A page of them, newest first. Filter: the organization.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn lines(
        &self,
        org: &Option<OrgId>,
        page: &Page<LineId>,
    ) -> Result<Slice<(Line, Balances)>, Fault> {
        self.read_at_once(|db| {
            let rows: Vec<LineRow> =
                page!(db, lines, page, org.map(|org| lines::org.eq(uid(org.uuid()))))?;
            slice(rows, page.limit, |rows| with_balances(db, rows))
        })
    }
}

/// Lines with what their accounts in the EXP ledger say.
fn with_balances(db: &mut Db, rows: Vec<LineRow>) -> Result<Vec<(Line, Balances)>, Fault> {
    use Account::{ExpAvailable, ExpDefaulted, ExpDrawn, ExpHeld, ExpLimit};
    let owners: Vec<Uid> = rows.iter().map(|row| row.id).collect();
    let kinds = [ExpLimit, ExpAvailable, ExpHeld, ExpDrawn, ExpDefaulted];
    let kinds_named = kinds.map(Account::as_str);
    let rows_of_accounts: Vec<AccountRow> = on!(
        db,
        load,
        accounts::table
            .filter(accounts::account.eq_any(kinds_named))
            .filter(accounts::owner.eq_any(&owners))
            .filter(accounts::second.eq(uid(Uuid::nil())))
    )?;
    let balances: Vec<(AccountKey, Balance)> = entities(rows_of_accounts)?;
    let balances: BTreeMap<AccountKey, Balance> = balances.into_iter().collect();
    let net = |account: Account, owner: Uid| {
        let balance = balances.get(&AccountKey::of(account, owner.0));
        Money::from_micros(balance.map_or(0, |balance| balance.net(account)))
    };
    rows.into_iter()
        .map(|row| {
            let [limit, available, held, drawn, defaulted] = kinds.map(|kind| net(kind, row.id));
            let balances = Balances { limit, available, held, drawn, defaulted };
            Ok((Line::try_from(row)?, balances))
        })
        .collect()
}
