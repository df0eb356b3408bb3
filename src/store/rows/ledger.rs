//! Accounts and entries as rows.

use super::{natural, number, uid, word};
use crate::engine::ledger::{Account, AccountKey, Balance, Entry, EntryKind};
use crate::model::id::ContractId;
use crate::model::{Micros, Minute};
use crate::store::Fault;
use crate::store::schema::{Uid, row};

row! {
    AccountRow in accounts
    key { account: Text, owner: Id, second: Id, }
    fixed { }
    moving { debits: Number, credits: Number, }
}

row! {
    /// Never changes.
    EntryRow in entries
    key { no: Number, }
    fixed {
        chain: Number,
        debit_account: Text,
        debit_owner: Id,
        debit_second: Id,
        credit_account: Text,
        credit_owner: Id,
        credit_second: Id,
        amount: Number,
        kind: Text,
        contract: MaybeId,
        recorded_at: Number,
        effective_at: Number,
    }
    moving { }
}

impl AccountRow {
    pub fn of(key: &AccountKey, balance: &Balance) -> Self {
        let AccountKey { account, owner, second } = *key;
        let Balance { debits, credits } = *balance;
        Self {
            account: account.as_str().to_owned(),
            owner: uid(owner),
            second: uid(second),
            debits,
            credits,
        }
    }
}

impl TryFrom<AccountRow> for (AccountKey, Balance) {
    type Error = Fault;
    fn try_from(row: AccountRow) -> Result<Self, Fault> {
        let key = account("accounts.account", &row.account, row.owner, row.second)?;
        Ok((key, Balance { debits: row.debits, credits: row.credits }))
    }
}

impl From<&Entry> for EntryRow {
    fn from(thing: &Entry) -> Self {
        let Entry { no, chain, debit, credit, amount, kind, contract, recorded_at, effective_at } =
            thing;
        Self {
            no: number(*no),
            chain: number(*chain),
            debit_account: debit.account.as_str().to_owned(),
            debit_owner: uid(debit.owner),
            debit_second: uid(debit.second),
            credit_account: credit.account.as_str().to_owned(),
            credit_owner: uid(credit.owner),
            credit_second: uid(credit.second),
            amount: *amount,
            kind: kind.as_str().to_owned(),
            contract: contract.map(|contract| uid(contract.uuid())),
            recorded_at: recorded_at.count(),
            effective_at: effective_at.count(),
        }
    }
}

impl TryFrom<EntryRow> for Entry {
    type Error = Fault;
    fn try_from(row: EntryRow) -> Result<Self, Fault> {
        let (debit, credit) = (row.debit_account, row.credit_account);
        Ok(Self {
            no: natural("entries.no", row.no)?,
            chain: natural("entries.chain", row.chain)?,
            debit: account("entries.debit_account", &debit, row.debit_owner, row.debit_second)?,
            credit: account(
                "entries.credit_account",
                &credit,
                row.credit_owner,
                row.credit_second,
            )?,
            amount: row.amount,
            kind: word("entries.kind", &row.kind, EntryKind::read)?,
            contract: row.contract.map(|contract| ContractId::new(contract.0)),
            recorded_at: Micros::new(row.recorded_at),
            effective_at: Minute::new(row.effective_at),
        })
    }
}

fn account(what: &str, text: &str, owner: Uid, second: Uid) -> Result<AccountKey, Fault> {
    let account = word(what, text, Account::read)?;
    Ok(AccountKey { account, owner: owner.0, second: second.0 })
}
