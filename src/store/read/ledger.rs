//! Accounts and entries of the books.

use diesel::prelude::*;
use uuid::Uuid;

use super::{AccountBalance, Page, Reader, Slice, one_more, slice};
use crate::engine::ledger::{Account, Book, Entry};
use crate::model::id::ContractId;
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

    /// Ledger entries, newest first; the cursor is the entry's number. Filter: the contract, which has an
    /// index; the owner of either account, which looks at every entry and is for auditors.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn entries(
        &self,
        contract: Option<ContractId>,
        owner: Option<Uuid>,
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
                if let Some(owner) = owner.map(uid) {
                    let either = entries::debit_owner.eq(owner).or(entries::credit_owner.eq(owner));
                    query = query.filter(either);
                }
                query
            })
        })?;
        slice(rows, page.limit, entities)
    }
}
