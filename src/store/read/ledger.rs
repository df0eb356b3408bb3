//! Accounts and entries of the books.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{AccountBalance, Page, Reader, Slice, one_more, slice};
use crate::engine::ledger::{Account, Book, Entry};
use crate::model::id::{ContractId, LineId};
use crate::store::Fault;
use crate::store::link::on;
use crate::store::rows::ledger::{AccountRow, EntryRow, accounts, entries};
use crate::store::rows::{entities, number, uid};

impl Reader {
    /// All accounts of a book (`None`: all), with their balances, in the order of their keys.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn accounts(&self, book: Option<Book>) -> Result<Vec<AccountBalance>, Fault> {
        let asked = Account::ALL.iter().filter(|account| book.is_none_or(|b| b == account.book()));
        let asked: Vec<&str> = asked.map(|account| account.as_str()).collect();
        let rows: Vec<AccountRow> = self
            .read(|db| on!(db, load, accounts::table.filter(accounts::account.eq_any(&asked))))?;
        let mut accounts: Vec<AccountBalance> = entities(rows)?;
        accounts.sort_by_key(|(key, _)| *key);
        Ok(accounts)
    }

    /// So many entries of all books, in the order in which they were recorded, from the one after
    /// number `after` on.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn entries_after(&self, after: u64, limit: u32) -> Result<Vec<Entry>, Fault> {
        let rows: Vec<EntryRow> = self.read(|db| {
            on!(
                db,
                load,
                entries::table
                    .filter(entries::no.gt(number(after)))
                    .order(entries::no)
                    .limit(i64::from(limit))
            )
        })?;
        entities(rows)
    }

    /// Ledger entries, newest first; the cursor is the entry's number. Filter: the contract, and
    /// the credit line in whose book they are.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn entries(
        &self,
        contract: Option<ContractId>,
        line: Option<LineId>,
        page: &Page<u64>,
    ) -> Result<Slice<Entry>, Fault> {
        let rows: Vec<EntryRow> = self.read(|db| {
            on!(db, load, {
                let mut query = entries::table
                    .order(entries::no.desc())
                    .limit(one_more(page.limit))
                    .into_boxed::<Backend>();
                if let Some(after) = page.after {
                    query = query.filter(entries::no.lt(number(after)));
                }
                if let Some(contract) = contract {
                    query = query.filter(entries::contract.eq(uid(contract.uuid())));
                }
                // Both accounts of such an entry are the line's.
                if let Some(line) = line {
                    query = query
                        .filter(sql::<Bool>(OF_A_LINE))
                        .filter(entries::debit_owner.eq(uid(line.uuid())));
                }
                query
            })
        })?;
        slice(rows, page.limit, entities)
    }
}

/// What is in the book of some line, spelled as the condition of its partial index, word for word.
const OF_A_LINE: &str = "debit_account IN ('exp_available', 'exp_defaulted', 'exp_drawn', \
                         'exp_held', 'exp_limit')";
