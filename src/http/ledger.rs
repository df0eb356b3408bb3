//! `/v1/ledger`: the operator's view of the books. Reads only.

use std::collections::BTreeMap;

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Door;
use super::caller::{Caller, grant};
use super::page::{self, List};
use super::query::Query;
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use crate::engine::ledger::{Account, AccountKey, Balance, Book, Entry, EntryKind};
use crate::model::id::{ContractId, LineId};
use crate::model::{Micros, Money};
use crate::store::Fault;
use crate::store::read::{AccountBalance, Page, Reader};

/// Entries read at once on the way back to an instant.
const ENTRIES_AT_ONCE: u32 = 10_000;

/// An account of a book.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    ledger: Book,
    account: Account,
    /// The UUID of whoever or whatever it belongs to: an organization, a line, a pool, a program.
    owner: Uuid,
    /// For `gua`: the UUID of the line.
    line: Option<Uuid>,
    /// `USD`, or `gpu_minutes` for `cap`.
    unit: &'static str,
    debits: String,
    credits: String,
    /// On the account's normal side.
    balance: String,
}

/// How often the accounts are looked at while entries come in.
const LOOKS: u32 = 5;

/// One side of a transfer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LegView {
    account: Account,
    owner: Uuid,
    line: Option<Uuid>,
}

/// One transfer. Never changed once written.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    number: u64,
    /// Transfers of one chain were made together or not at all.
    chain: u64,
    ledger: Book,
    kind: EntryKind,
    debit: LegView,
    credit: LegView,
    unit: &'static str,
    #[schema(example = "115200.00")]
    amount: String,
    contract_id: Option<ContractId>,
    recorded_at: Instant,
    /// The time it is about.
    effective_at: Moment,
}

/// One book's sums.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BookSumsView {
    ledger: Book,
    unit: &'static str,
    /// How many accounts it has.
    accounts: u64,
    debits: String,
    credits: String,
    /// `0`, always.
    #[schema(example = "0")]
    difference: String,
}

/// The proof that debits equal credits.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialBalanceView {
    data: Vec<BookSumsView>,
}

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountsQuery {
    ledger: Option<Book>,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntriesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    contract_id: Option<ContractId>,
    credit_line_id: Option<LineId>,
}

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrialBalanceQuery {
    /// What was recorded up to and at this instant; now when left out.
    as_of: Option<Instant>,
}

/// What a book counts.
const fn unit(book: Book) -> &'static str {
    match book {
        Book::Gl | Book::Exp | Book::Gua => super::money::CURRENCY,
        Book::Cap => "gpu_minutes",
    }
}

/// A count of a book, spelled in its unit.
fn spelled(book: Book, count: i64) -> String {
    match book {
        Book::Gl | Book::Exp | Book::Gua => Money::from_micros(count).to_string(),
        Book::Cap => count.to_string(),
    }
}

fn second(key: AccountKey) -> Option<Uuid> {
    (!key.second.is_nil()).then_some(key.second)
}

impl From<AccountKey> for LegView {
    fn from(key: AccountKey) -> Self {
        Self { account: key.account, owner: key.owner, line: second(key) }
    }
}

impl From<&AccountBalance> for AccountView {
    fn from((key, balance): &AccountBalance) -> Self {
        let book = key.account.book();
        let Balance { debits, credits } = *balance;
        Self {
            ledger: book,
            account: key.account,
            owner: key.owner,
            line: second(*key),
            unit: unit(book),
            debits: spelled(book, debits),
            credits: spelled(book, credits),
            balance: spelled(book, balance.net(key.account)),
        }
    }
}

impl From<&Entry> for EntryView {
    fn from(one: &Entry) -> Self {
        let book = one.debit.account.book();
        Self {
            number: one.no,
            chain: one.chain,
            ledger: book,
            kind: one.kind,
            debit: LegView::from(one.debit),
            credit: LegView::from(one.credit),
            unit: unit(book),
            amount: spelled(book, one.amount),
            contract_id: one.contract,
            recorded_at: Instant(one.recorded_at),
            effective_at: Moment(one.effective_at),
        }
    }
}

/// List accounts
///
/// With what was ever posted to each. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/ledger/accounts", tag = "Ledger",
    params(AccountsQuery),
    responses((status = 200, description = "All of them", body = List<AccountView>)),
)]
pub async fn accounts(
    _: Caller<grant::Audit>,
    query: Query<AccountsQuery>,
    door: Data<Door>,
) -> Reply {
    let ledger = query.ledger;
    let all = door.read(move |reader| reader.accounts(ledger)).await?;
    Ok(shown(&page::whole(all.iter().map(AccountView::from).collect())))
}

/// List entries
///
/// Every transfer, newest first. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/ledger/entries", tag = "Ledger",
    params(EntriesQuery),
    responses((status = 200, description = "A page", body = List<EntryView>)),
)]
pub async fn entries(
    _: Caller<grant::Audit>,
    query: Query<EntriesQuery>,
    door: Data<Door>,
) -> Reply {
    let EntriesQuery { limit, cursor, contract_id, credit_line_id } = query.0;
    let page = page::page("entry", limit, cursor.as_deref())?;
    let slice = door.read(move |reader| reader.entries(contract_id, credit_line_id, &page)).await?;
    Ok(shown(&page::list("entry", slice, |one| one.no, |one| EntryView::from(&one))))
}

/// Prove the books
///
/// In every ledger what was debited equals what was credited, now or at any instant before. Needs
/// the right `audit`.
#[utoipa::path(
    get, path = "/v1/ledger/trial_balance", tag = "Ledger",
    params(TrialBalanceQuery),
    responses((status = 200, description = "Each ledger's sums", body = TrialBalanceView)),
)]
pub async fn trial_balance(
    _: Caller<grant::Audit>,
    query: Query<TrialBalanceQuery>,
    door: Data<Door>,
) -> Reply {
    let all = match query.as_of {
        None => door.read(|reader| reader.accounts(None)).await?,
        Some(Instant(as_of)) => door.read(move |reader| accounts_at(reader, as_of)).await?,
    };
    Ok(shown(&TrialBalanceView { data: prove(&all) }))
}

/// Every account as it stood at an instant: as it stands now, less what was recorded since. If that
/// keeps moving while it is looked at: the sum of all that was recorded by then.
fn accounts_at(reader: &Reader, as_of: Micros) -> Result<Vec<AccountBalance>, Fault> {
    for _ in 0..LOOKS {
        let last = last_entry(reader)?;
        let mut accounts: BTreeMap<AccountKey, Balance> =
            reader.accounts(None)?.into_iter().collect();
        // The numbers belong together only if nothing was written between the two reads.
        if last_entry(reader)? != last {
            continue;
        }
        let mut after = last.map(|last| last.saturating_add(1));
        loop {
            let slice = reader.entries(None, None, &Page { after, limit: ENTRIES_AT_ONCE })?;
            for entry in slice.data.iter().take_while(|one| one.recorded_at > as_of) {
                take_back(&mut accounts, entry);
            }
            after = slice.data.last().map(|one| one.no);
            let is_older = slice.data.last().is_none_or(|one| one.recorded_at <= as_of);
            if is_older || !slice.has_more {
                accounts.retain(|_, balance| *balance != Balance::default());
                return Ok(accounts.into_iter().collect());
            }
        }
    }
    recorded_by(reader, as_of)
}

/// Every account as the sum of its entries, which never change. Slow, and always the truth.
fn recorded_by(reader: &Reader, as_of: Micros) -> Result<Vec<AccountBalance>, Fault> {
    let mut accounts: BTreeMap<AccountKey, Balance> = BTreeMap::new();
    let read = |page: &_| reader.entries(None, None, page);
    page::walk(
        read,
        |one: &Entry| one.no,
        |one| {
            if one.recorded_at <= as_of {
                accounts.entry(one.debit).or_default().debits += one.amount;
                accounts.entry(one.credit).or_default().credits += one.amount;
            }
            true
        },
    )?;
    Ok(accounts.into_iter().collect())
}

fn last_entry(reader: &Reader) -> Result<Option<u64>, Fault> {
    let newest = reader.entries(None, None, &Page { after: None, limit: 1 })?;
    Ok(newest.data.first().map(|one| one.no))
}

/// Takes an entry off the accounts that it was posted to.
fn take_back(accounts: &mut BTreeMap<AccountKey, Balance>, entry: &Entry) {
    if let Some(debit) = accounts.get_mut(&entry.debit) {
        debit.debits -= entry.amount;
    }
    if let Some(credit) = accounts.get_mut(&entry.credit) {
        credit.credits -= entry.amount;
    }
}

/// In how many books debits are not credits.
pub fn out_of_balance(all: &[AccountBalance]) -> usize {
    prove(all).iter().filter(|one| one.difference != "0").count()
}

/// Sums each book, in more bits than any account has.
fn prove(all: &[AccountBalance]) -> Vec<BookSumsView> {
    let mut sums: BTreeMap<Book, (u64, i128, i128)> =
        Book::ALL.iter().map(|book| (*book, (0, 0, 0))).collect();
    for (key, Balance { debits, credits }) in all {
        let (accounts, sum_debits, sum_credits) =
            sums.get_mut(&key.account.book()).expect("every book is there");
        *accounts += 1;
        *sum_debits += i128::from(*debits);
        *sum_credits += i128::from(*credits);
    }
    let view = |(book, (accounts, debits, credits)): (Book, (u64, i128, i128))| BookSumsView {
        ledger: book,
        unit: unit(book),
        accounts,
        debits: spelled_sum(book, debits),
        credits: spelled_sum(book, credits),
        difference: match debits - credits {
            0 => "0".to_owned(),
            difference => spelled_sum(book, difference),
        },
    };
    sums.into_iter().map(view).collect()
}

/// A sum, spelled. Sums beyond 64 bits are shown in micro-units rather than not at all.
fn spelled_sum(book: Book, sum: i128) -> String {
    i64::try_from(sum).map_or_else(|_| format!("{sum} micro-units"), |count| spelled(book, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_book_has_no_difference() {
        let key = |account, n| AccountKey::of(account, Uuid::from_u128(n));
        let balance = |debits, credits| Balance { debits, credits };
        let mut all = vec![
            (key(Account::ExpLimit, 1), balance(250_000_000_000, 0)),
            (key(Account::ExpAvailable, 1), balance(115_200_000_000, 250_000_000_000)),
            (key(Account::ExpHeld, 1), balance(0, 115_200_000_000)),
            (key(Account::CapIssued, 2), balance(46_080, 0)),
            (key(Account::CapListed, 2), balance(0, 46_080)),
        ];
        let of = |all: &[AccountBalance], book| {
            let found = prove(all).into_iter().find(|one| one.ledger == book);
            let one = found.expect("every book is there");
            (one.accounts, one.debits, one.credits, one.difference)
        };
        let texts = |n, debits: &str, credits: &str, difference: &str| {
            (n, debits.to_owned(), credits.to_owned(), difference.to_owned())
        };
        assert_eq!(of(&all, Book::Exp), texts(3, "365200.00", "365200.00", "0"));
        assert_eq!(of(&all, Book::Cap), texts(2, "46080", "46080", "0"));
        assert_eq!(of(&all, Book::Gl), texts(0, "0.00", "0.00", "0"));
        all[0].1.debits += 1;
        assert_eq!(of(&all, Book::Exp).3, "0.000001");
    }
}
