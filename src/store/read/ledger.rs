//! Accounts and entries of the books.

use std::cmp::Reverse;

use diesel::prelude::*;
use uuid::Uuid;

use super::{AccountBalance, Page, Reader, Slice, one_more, slice};
use crate::engine::ledger::{Account, Book, Entry};
use crate::model::id::ContractId;
use crate::store::Fault;
use crate::store::link::{Db, on};
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

    /// Ledger entries, newest first; the cursor is the entry's number. Filter: the contract, and
    /// the owner of either account.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub fn entries(
        &self,
        contract: Option<ContractId>,
        owner: Option<Uuid>,
        page: &Page<u64>,
    ) -> Result<Slice<Entry>, Fault> {
        let rows = self.read(|db| match owner {
            None => entries_where(db, contract, Side::Any, page),
            // Each side has its index; asked at once, neither would serve.
            Some(owner) => {
                let debits = entries_where(db, contract, Side::Debit(owner), page)?;
                let credits = entries_where(db, contract, Side::CreditOnly(owner), page)?;
                let mut both = debits;
                both.extend(credits);
                both.sort_by_key(|row| Reverse(row.no));
                Ok(both)
            }
        })?;
        slice(rows, page.limit, entities)
    }
}

/// Whose entries.
#[derive(Clone, Copy)]
enum Side {
    Any,
    /// The account debited is this owner's. In most books both are, and this is all of them.
    Debit(Uuid),
    /// The account credited is this owner's, and the one debited is not.
    CreditOnly(Uuid),
}

fn entries_where(
    db: &mut Db,
    contract: Option<ContractId>,
    side: Side,
    page: &Page<u64>,
) -> Result<Vec<EntryRow>, Fault> {
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
        match side {
            Side::Any => query,
            Side::Debit(owner) => query.filter(entries::debit_owner.eq(uid(owner))),
            Side::CreditOnly(owner) => query
                .filter(entries::credit_owner.eq(uid(owner)))
                .filter(entries::credit_owner.ne(entries::debit_owner)),
        }
    })
}
