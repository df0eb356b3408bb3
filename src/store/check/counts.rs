//! What SQL alone can count of what is broken: no row comes here.

use diesel::sql_types::BigInt;

use super::Findings;
use crate::store::Fault;
use crate::store::link::{Db, on};
use crate::store::rows::record::MetaRow;

/// A column whose every value is the key of another table's row: table, column, table, key.
type Reference = [&'static str; 4];

/// What a reservation writes refers to. PostgreSQL asks for these at birth only (see the migration
/// `leaner`), so that a parent that somebody took away by hand is found here.
const REFERENCES: [Reference; 9] = [
    ["audit", "commit_no", "commits", "no"],
    ["orders", "org", "organizations", "id"],
    ["contracts", "order_id", "orders", "id"],
    ["contracts", "line", "credit_lines", "id"],
    ["contracts", "pool", "pools", "id"],
    ["allocations", "contract", "contracts", "id"],
    ["allocations", "listing", "listings", "id"],
    ["events", "org", "event_heads", "org"],
    ["incident_customers", "incident", "incidents", "id"],
];

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Whatever is referred to is there.
pub(super) fn references(db: &mut Db, found: &mut Findings) -> Result<(), Fault> {
    for [table, column, parent, key] in REFERENCES {
        let orphans = format!(
            "SELECT count(*) AS count FROM {table} WHERE NOT EXISTS \
             (SELECT 1 FROM {parent} AS parent WHERE parent.{key} = {table}.{column})"
        );
        let Count { count } = on!(db, get_result, diesel::sql_query(orphans))?;
        found.unless(count == 0, || format!("{count} {table} are of {parent} that are not there"));
    }
    Ok(())
}

/// A key answers one command. Only those that are still remembered count: what has run out may be
/// there a little longer, beside its successor.
pub(super) fn keys(db: &mut Db, meta: &MetaRow, found: &mut Findings) -> Result<(), Fault> {
    let twice = diesel::sql_query(format!(
        "SELECT count(*) - count(DISTINCT name) AS count FROM kept WHERE expires_at > {}",
        meta.now_at
    ));
    let Count { count } = on!(db, get_result, twice)?;
    found.unless(count == 0, || format!("{count} answers are kept under a key that has another"));
    Ok(())
}

/// Each change of a contract left its record: as many as the contract says, with the numbers from 1
/// on.
pub(super) fn amendments(db: &mut Db, found: &mut Findings) -> Result<(), Fault> {
    let short = diesel::sql_query(
        "SELECT count(*) AS count FROM contracts LEFT JOIN \
         (SELECT contract, count(*) AS records, max(no) AS last FROM amendments GROUP BY contract) \
         AS made ON made.contract = contracts.id \
         WHERE contracts.amendments <> coalesce(made.records, 0) \
         OR contracts.amendments <> coalesce(made.last, 0)",
    );
    let Count { count } = on!(db, get_result, short)?;
    found.unless(count == 0, || {
        format!("{count} contracts have other changes on record than they were given")
    });
    Ok(())
}
