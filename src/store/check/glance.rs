//! What every start looks at, in a moment: whether the last commit is there as a whole, as far as
//! its own row, its audit records and its entries show. The rest is for `headroom verify`, which
//! reads all of the database.

use diesel::prelude::*;

use crate::store::link::{Db, on};
use crate::store::read::AuditRow as Audited;
use crate::store::rows::ledger::entries;
use crate::store::rows::record::{AuditRow, CommitRow, MetaRow, audit, commits};
use crate::store::rows::{corrupt, digest, entities, natural};
use crate::store::{Fault, chain};

/// Refuses a database whose last commit was torn, as far as a glance shows it.
///
/// # Errors
/// [`Fault::Corrupt`] with what is wrong, and when the database cannot be read.
pub fn glance(db: &mut Db, meta: &MetaRow) -> Result<(), Fault> {
    last_commit(db, meta)?;
    let last: Option<i64> = on!(db, first, entries::table.select(diesel::dsl::max(entries::no)))?;
    if last.unwrap_or(0) != meta.last_entry {
        return Err(torn(format_args!("entries end at {last:?}, not at {}", meta.last_entry)));
    }
    Ok(())
}

fn torn(what: impl std::fmt::Display) -> Fault {
    corrupt("the last commit is not whole (see `headroom verify`)", what)
}

/// Its row is the last, and its hash follows from the one before and its records.
fn last_commit(db: &mut Db, meta: &MetaRow) -> Result<(), Fault> {
    let rows: Vec<CommitRow> = on!(db, load, commits::table.order(commits::no.desc()).limit(2))?;
    let Some(last) = rows.first() else {
        let is_new = meta.commit_no == 0;
        return if is_new { Ok(()) } else { Err(torn("there are no commits")) };
    };
    if (last.no, last.seq, &last.hash) != (meta.commit_no, meta.seq, &meta.hash) {
        let (at, found) = (meta.commit_no, last.no);
        return Err(torn(format_args!("the market stands at {at}, the commits end at {found}")));
    }
    let (before, seq) = match rows.get(1) {
        Some(row) => (digest("commits.hash", &row.hash)?, row.seq),
        None => ([0; 32], 0),
    };
    // By their numbers, as there is no index by commit: those since the one before.
    let records: Vec<AuditRow> =
        on!(db, load, audit::table.filter(audit::seq.gt(seq)).order(audit::seq))?;
    let records: Vec<Audited> = entities(records)?;
    let number = natural("commits.no", last.no)?;
    let due = chain::link_read(&before, number, natural("commits.seq", last.seq)?, &records);
    if digest("commits.hash", &last.hash)? != due {
        return Err(torn("its audit records are not those that were written"));
    }
    Ok(())
}
