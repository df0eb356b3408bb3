//! The books: accounts, transfers, chains. Double entry, checked amounts, nothing ever changed.
//!
//! Knows debits and credits. Knows nothing of why.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use indexmap::map::Entry as MapEntry;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::command::Stamp;
use super::effect::Effects;
use crate::model::id::{ContractId, LineId, OrgId, PoolId, ProgramId};
use crate::model::{Micros, Minute};
use crate::words;

words! {
    /// One set of books with one unit.
    Book {
        /// Money: the operator's books.
        Gl = "gl",
        /// Money: credit exposure per line.
        Exp = "exp",
        /// Money: guarantees per program and line.
        Gua = "gua",
        /// GPU-minutes: capacity per pool.
        Cap = "cap",
    }
    /// The accounts of all books. `owner` (and for GUA `second`) of an [`AccountKey`] says whose.
    Account {
        /// GPU-minutes that listings brought to market. Owner: pool.
        CapIssued = "cap_issued",
        /// On offer and neither reserved nor gone. Owner: pool.
        CapListed = "cap_listed",
        /// Taken by contracts and firm quotes, not yet delivered. Owner: pool.
        CapReserved = "cap_reserved",
        CapDelivered = "cap_delivered",
        CapLost = "cap_lost",
        CapCancelled = "cap_cancelled",
        CapResold = "cap_resold",
        /// The limit as granted. Owner: line.
        ExpLimit = "exp_limit",
        ExpAvailable = "exp_available",
        ExpHeld = "exp_held",
        ExpDrawn = "exp_drawn",
        ExpDefaulted = "exp_defaulted",
        /// The value of contracts made under a program, unpaid: what first loss and coverage apply
        /// to.
        GuaExposed = "gua_exposed",
        /// The other side of it. Owner: program; second: line.
        GuaSupported = "gua_supported",
        /// The guarantee's cap for one line. Owner: program; second: line.
        GuaCap = "gua_cap",
        GuaAvailable = "gua_available",
        GuaCommitted = "gua_committed",
        GuaCalled = "gua_called",
        GuaPaid = "gua_paid",
        /// 1010: cash. Owner: the operator.
        GlCash = "gl_1010",
        /// 1100: receivable, invoiced. Owner: customer.
        GlInvoiced = "gl_1100",
        /// 1150: receivable, unbilled. Owner: customer.
        GlUnbilled = "gl_1150",
        /// 1160: guarantee receivable. Owner: guarantor.
        GlGuarantee = "gl_1160",
        /// 1165: backstop receivable: what a vendor owes for capacity it bought under a backstop,
        /// invoiced or not. Owner: vendor.
        GlBackstop = "gl_1165",
        /// 2100: provider payable, accrued. Owner: provider.
        GlProviderAccrued = "gl_2100",
        /// 2110: provider payable, available. Owner: provider.
        GlProviderAvailable = "gl_2110",
        /// 2120: provider reserve. Owner: provider.
        GlProviderReserve = "gl_2120",
        /// 2130: payout in transit. Owner: who is paid.
        GlInTransit = "gl_2130",
        /// 2200: vendor share payable, accrued. Owner: vendor.
        GlVendorAccrued = "gl_2200",
        /// 2210: vendor share payable, available. Owner: vendor.
        GlVendorAvailable = "gl_2210",
        /// 2350: customer credit balance: gained by a resale, and waiting for the buyer's money.
        /// Owner: who sold it.
        GlCreditBalance = "gl_2350",
        /// 2360: customer credit balance that the buyer has paid. Owner: who sold it.
        GlCreditAvailable = "gl_2360",
        /// 2500: recoveries owed to a guarantor. Owner: guarantor.
        GlRecoveriesOwed = "gl_2500",
        /// 4100: platform fee revenue. Owner: the operator.
        GlPlatformFee = "gl_4100",
        /// 4200: cancellation fees, the platform's part, and resale fees. Owner: the operator.
        GlCancellationFee = "gl_4200",
        /// 4900: credits for service, the platform's part (contra revenue). Owner: the operator.
        GlServiceCredit = "gl_4900",
        /// 5300: credit loss, the platform's part. Owner: the operator.
        GlCreditLoss = "gl_5300",
        /// 5310: recoveries of it. Owner: the operator.
        GlRecoveries = "gl_5310",
    }
    /// Which side makes an account grow.
    Side {
        Debit = "debit",
        Credit = "credit",
    }
    /// What a transfer records.
    EntryKind {
        LimitGranted = "limit_granted",
        LimitReduced = "limit_reduced",
        HoldPlaced = "hold_placed",
        HoldReleased = "hold_released",
        Drawn = "drawn",
        GuaranteeGranted = "guarantee_granted",
        GuaranteeExposed = "guarantee_exposed",
        GuaranteeCommitted = "guarantee_committed",
        GuaranteeReleased = "guarantee_released",
        CapacityListed = "capacity_listed",
        CapacityUnlisted = "capacity_unlisted",
        CapacityReserved = "capacity_reserved",
        CapacityReleased = "capacity_released",
        CapacityDelivered = "capacity_delivered",
        CapacityLost = "capacity_lost",
        /// Reserved by one customer, and sold on to another.
        CapacityResold = "capacity_resold",
        RevenueEarned = "revenue_earned",
        /// Earned and not due after all: the reverse of `revenue_earned`.
        RevenueReversed = "revenue_reversed",
        /// Drawn and not owed after all.
        DrawReleased = "draw_released",
        ServiceCredited = "service_credited",
        FeeCharged = "fee_charged",
        Invoiced = "invoiced",
        InvoiceCredited = "invoice_credited",
        PaymentReceived = "payment_received",
        /// A payable that waited for the customer's money has it.
        PayableFreed = "payable_freed",
        ReserveHeld = "reserve_held",
        ReserveFreed = "reserve_freed",
        PayoutSent = "payout_sent",
        PayoutPaid = "payout_paid",
        PayoutFailed = "payout_failed",
        Defaulted = "defaulted",
        GuaranteeCalled = "guarantee_called",
        GuaranteePaid = "guarantee_paid",
        WrittenOff = "written_off",
        Recovered = "recovered",
    }
}

impl Account {
    pub const fn book(self) -> Book {
        use Account as A;
        match self {
            A::CapIssued | A::CapListed | A::CapReserved | A::CapDelivered | A::CapLost => {
                Book::Cap
            }
            A::CapCancelled | A::CapResold => Book::Cap,
            A::ExpLimit | A::ExpAvailable | A::ExpHeld | A::ExpDrawn | A::ExpDefaulted => Book::Exp,
            A::GuaExposed | A::GuaSupported | A::GuaCap | A::GuaAvailable => Book::Gua,
            A::GuaCommitted | A::GuaCalled | A::GuaPaid => Book::Gua,
            A::GlCash | A::GlInvoiced | A::GlUnbilled | A::GlGuarantee => Book::Gl,
            A::GlProviderAccrued | A::GlProviderAvailable | A::GlProviderReserve => Book::Gl,
            A::GlInTransit | A::GlVendorAccrued | A::GlVendorAvailable => Book::Gl,
            A::GlRecoveriesOwed | A::GlPlatformFee | A::GlCancellationFee => Book::Gl,
            A::GlServiceCredit | A::GlCreditLoss | A::GlRecoveries => Book::Gl,
            A::GlCreditBalance | A::GlCreditAvailable | A::GlBackstop => Book::Gl,
        }
    }

    /// The normal side. No account here may cross zero on it.
    pub const fn normal(self) -> Side {
        use Account as A;
        match self {
            A::CapIssued | A::ExpLimit | A::GuaCap | A::GuaSupported => Side::Debit,
            A::GlCash | A::GlInvoiced | A::GlUnbilled | A::GlGuarantee => Side::Debit,
            A::GlBackstop | A::GlServiceCredit | A::GlCreditLoss => Side::Debit,
            A::CapListed | A::CapReserved | A::CapDelivered | A::CapLost => Side::Credit,
            A::CapCancelled | A::CapResold => Side::Credit,
            A::ExpAvailable | A::ExpHeld | A::ExpDrawn | A::ExpDefaulted => Side::Credit,
            A::GuaExposed | A::GuaAvailable | A::GuaCommitted | A::GuaCalled => Side::Credit,
            A::GuaPaid | A::GlProviderAccrued | A::GlProviderAvailable => Side::Credit,
            A::GlProviderReserve | A::GlInTransit | A::GlVendorAccrued => Side::Credit,
            A::GlVendorAvailable | A::GlRecoveriesOwed | A::GlPlatformFee => Side::Credit,
            A::GlCancellationFee | A::GlRecoveries => Side::Credit,
            A::GlCreditBalance | A::GlCreditAvailable => Side::Credit,
        }
    }

    /// The name in a written account: the number alone in the operator's books (`1150`).
    pub fn name(self) -> &'static str {
        let word = self.as_str();
        word.strip_prefix("gl_").unwrap_or(word)
    }

    /// Writes an owner with the prefix of its kind, which is a function of the account.
    fn write_owner(self, out: &mut fmt::Formatter<'_>, owner: Uuid) -> fmt::Result {
        match self.book() {
            Book::Gl => write!(out, "{}", OrgId::new(owner)),
            Book::Exp => write!(out, "{}", LineId::new(owner)),
            Book::Gua => write!(out, "{}", ProgramId::new(owner)),
            Book::Cap => write!(out, "{}", PoolId::new(owner)),
        }
    }
}

/// One account of one owner. Ordered by owner first, so that the accounts which one transfer
/// touches lie side by side in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountKey {
    pub account: Account,
    pub owner: Uuid,
    /// The line of a GUA account; nil elsewhere.
    pub second: Uuid,
}

/// What was posted to an account on each side, less what was carried forward from both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    pub debits: i64,
    pub credits: i64,
}

/// One transfer: `amount` from `debit` to `credit`, both of one book. Never changed once written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// One number line for all entries; consecutive.
    pub no: u64,
    /// Transfers of one chain were made together or not at all: the number of their command.
    pub chain: u64,
    pub debit: AccountKey,
    pub credit: AccountKey,
    /// Above zero.
    pub amount: i64,
    pub kind: EntryKind,
    pub contract: Option<ContractId>,
    pub recorded_at: Micros,
    /// The time it is about.
    pub effective_at: Minute,
}

/// How keys are hashed where what is looked up keeps the order in which it came: the same in every
/// run.
pub(super) type Hashing = FixedState;

/// All balances. The entries themselves are in the database.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) accounts: IndexMap<AccountKey, Balance, Hashing>,
    /// The number of the last entry.
    pub(super) last_entry: u64,
}

/// One amount to move, as a room asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    pub debit: AccountKey,
    pub credit: AccountKey,
    /// Zero moves nothing and leaves no entry; below zero is a bug.
    pub amount: i64,
    pub kind: EntryKind,
    pub contract: Option<ContractId>,
    pub effective_at: Minute,
}

/// The two sides of one book, summed over all its accounts. They are equal, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrialBalance {
    pub accounts: usize,
    pub debits: i128,
    pub credits: i128,
}

impl AccountKey {
    pub const fn of(account: Account, owner: Uuid) -> Self {
        Self { account, owner, second: Uuid::nil() }
    }

    pub const fn of_both(account: Account, owner: Uuid, second: Uuid) -> Self {
        Self { account, owner, second }
    }
}

impl Hash for AccountKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As whole numbers, like their order: far fewer steps than byte by byte.
        state.write_u128(self.owner.as_u128() ^ self.second.as_u128().rotate_left(64));
        self.account.hash(state);
    }
}

impl Ord for AccountKey {
    fn cmp(&self, other: &Self) -> Ordering {
        // Whole numbers compare in the order of their bytes, and faster.
        let owners = self.owner.as_u128().cmp(&other.owner.as_u128());
        let seconds = || self.second.as_u128().cmp(&other.second.as_u128());
        owners.then_with(seconds).then_with(|| self.account.cmp(&other.account))
    }
}

impl PartialOrd for AccountKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The account as a path: `1150/org_...`, `exp_held/crl_...`, `gua_cap/prg_.../crl_...`.
impl fmt::Display for AccountKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.account.name())?;
        out.write_str("/")?;
        self.account.write_owner(out, self.owner)?;
        if self.account.book() == Book::Gua {
            write!(out, "/{}", LineId::new(self.second))?;
        }
        Ok(())
    }
}

impl Balance {
    /// The balance on the account's normal side.
    pub fn net(self, account: Account) -> i64 {
        let (more, less) = match account.normal() {
            Side::Debit => (self.debits, self.credits),
            Side::Credit => (self.credits, self.debits),
        };
        more.checked_sub(less).expect("sums are never negative, so their difference fits")
    }

    /// Adds to one side. A side that is full is first carried forward: the part that both sides
    /// have in common leaves both, so that credit held and released for years cannot fill an
    /// account up. Neither the account's balance nor the difference of its book notices.
    fn add(&mut self, side: Side, amount: i64) {
        let sum = match side {
            Side::Debit => &mut self.debits,
            Side::Credit => &mut self.credits,
        };
        if let Some(larger) = sum.checked_add(amount) {
            *sum = larger;
            return;
        }
        let common = self.debits.min(self.credits);
        self.debits -= common;
        self.credits -= common;
        let sum = match side {
            Side::Debit => &mut self.debits,
            Side::Credit => &mut self.credits,
        };
        *sum = sum.checked_add(amount).expect("a balance stays far below 2^63");
    }
}

impl Ledger {
    /// The ledger with these balances, as the store kept them.
    pub(super) fn from_parts(accounts: Vec<(AccountKey, Balance)>, last_entry: u64) -> Self {
        Self { accounts: accounts.into_iter().collect(), last_entry }
    }

    /// Every account to which something was ever posted, in order of the key.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountKey, Balance)> + '_ {
        let mut accounts: Vec<_> =
            self.accounts.iter().map(|(key, balance)| (*key, *balance)).collect();
        accounts.sort_unstable_by_key(|(key, _)| *key);
        accounts.into_iter()
    }

    /// The number of the last entry; 0 before the first.
    pub fn last_entry(&self) -> u64 {
        self.last_entry
    }

    /// The balance of an account on its normal side; zero when nothing was ever posted to it.
    pub fn net(&self, key: AccountKey) -> i64 {
        self.accounts.get(&key).map_or(0, |balance| balance.net(key.account))
    }

    /// The sums of both sides over all accounts of a book.
    pub fn trial_balance(&self, book: Book) -> TrialBalance {
        let mut sums = TrialBalance::default();
        for (_, balance) in self.accounts.iter().filter(|(key, _)| key.account.book() == book) {
            sums.accounts += 1;
            sums.debits += i128::from(balance.debits);
            sums.credits += i128::from(balance.credits);
        }
        sums
    }

    /// Posts one transfer of the command's chain. The gates have made sure that it fits: a balance
    /// that would cross zero, an overflow or two books in one transfer stop the process.
    pub(super) fn post(&mut self, at: &Stamp, transfer: Transfer, out: &mut Effects) {
        let Transfer { debit, credit, amount, kind, contract, effective_at } = transfer;
        assert!(amount >= 0, "{kind}: an amount is never negative, {amount} is");
        if amount == 0 {
            return;
        }
        assert!(debit != credit, "{kind}: a transfer has two accounts, not {debit} twice");
        assert!(
            debit.account.book() == credit.account.book(),
            "{kind}: {debit} and {credit} are of two books"
        );
        self.add(debit, Side::Debit, amount, out);
        self.add(credit, Side::Credit, amount, out);
        self.last_entry += 1;
        out.entries.push(Entry {
            no: self.last_entry,
            chain: at.seq,
            debit,
            credit,
            amount,
            kind,
            contract,
            recorded_at: at.at,
            effective_at,
        });
    }

    /// One side of a transfer. Each account is looked up once: this is the hottest code of the
    /// books.
    fn add(&mut self, key: AccountKey, side: Side, amount: i64, out: &mut Effects) {
        match self.accounts.entry(key) {
            MapEntry::Occupied(mut place) => {
                let balance = place.get_mut();
                balance.add(side, amount);
                assert!(balance.net(key.account) >= 0, "{key} would cross zero");
                out.accounts.changed(key, *balance);
            }
            MapEntry::Vacant(place) => {
                let mut balance = Balance::default();
                balance.add(side, amount);
                assert!(balance.net(key.account) >= 0, "{key} would cross zero");
                out.accounts.born(key, *place.insert(balance));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::command::Actor;

    const LINE: Uuid = Uuid::from_u128(7);
    const LIMIT: AccountKey = AccountKey::of(Account::ExpLimit, LINE);
    const AVAILABLE: AccountKey = AccountKey::of(Account::ExpAvailable, LINE);
    const HELD: AccountKey = AccountKey::of(Account::ExpHeld, LINE);

    fn stamp(seq: u64) -> Stamp {
        let at = Micros::new(90_000_000);
        Stamp { at, seq, actor: Actor::System, request: Uuid::nil(), key: None }
    }

    fn transfer(debit: AccountKey, credit: AccountKey, amount: i64) -> Transfer {
        let effective_at = Minute::new(1);
        Transfer {
            debit,
            credit,
            amount,
            kind: EntryKind::HoldPlaced,
            contract: None,
            effective_at,
        }
    }

    #[test]
    fn a_transfer_moves_an_amount_and_leaves_an_entry() {
        let (mut ledger, mut out) = (Ledger::default(), Effects::default());
        ledger.post(&stamp(3), transfer(LIMIT, AVAILABLE, 100), &mut out);
        ledger.post(&stamp(4), transfer(AVAILABLE, HELD, 30), &mut out);
        assert_eq!([LIMIT, AVAILABLE, HELD].map(|key| ledger.net(key)), [100, 70, 30]);
        let entries: Vec<_> = out.entries.iter().map(|entry| (entry.no, entry.chain)).collect();
        assert_eq!(entries, [(1, 3), (2, 4)]);
        assert_eq!(out.entries[1].recorded_at, Micros::new(90_000_000));
        let sums = ledger.trial_balance(Book::Exp);
        assert_eq!(sums, TrialBalance { accounts: 3, debits: 130, credits: 130 });
        assert_eq!(ledger.trial_balance(Book::Gl), TrialBalance::default());
    }

    #[test]
    fn an_account_is_born_once_and_changes_after() {
        let (mut ledger, mut out) = (Ledger::default(), Effects::default());
        ledger.post(&stamp(1), transfer(LIMIT, AVAILABLE, 100), &mut out);
        assert_eq!(out.accounts.births().count(), 2);
        let mut later = Effects::default();
        ledger.post(&stamp(2), transfer(AVAILABLE, HELD, 30), &mut later);
        assert_eq!(later.accounts.births().count(), 1);
        let changes: Vec<_> = later.accounts.changes().copied().collect();
        assert_eq!(changes, [Balance { debits: 30, credits: 100 }]);
    }

    #[test]
    fn nothing_moved_leaves_nothing() {
        let (mut ledger, mut out) = (Ledger::default(), Effects::default());
        ledger.post(&stamp(1), transfer(LIMIT, AVAILABLE, 0), &mut out);
        assert_eq!((ledger.last_entry(), ledger.accounts().count(), out.marks()), (0, 0, 0));
    }

    #[test]
    fn a_ledger_is_rebuilt_from_its_balances() {
        let (mut ledger, mut out) = (Ledger::default(), Effects::default());
        ledger.post(&stamp(1), transfer(LIMIT, AVAILABLE, 100), &mut out);
        let kept = ledger.accounts().collect();
        let mut rebuilt = Ledger::from_parts(kept, ledger.last_entry());
        assert!(rebuilt.accounts().eq(ledger.accounts()));
        rebuilt.post(&stamp(2), transfer(AVAILABLE, HELD, 1), &mut out);
        assert_eq!(out.entries.last().map(|entry| entry.no), Some(2));
    }

    /// What the gates must never let through stops the process.
    fn stops(debit: AccountKey, credit: AccountKey, amount: i64) -> bool {
        let posted = std::panic::catch_unwind(|| {
            let (mut ledger, mut out) = (Ledger::default(), Effects::default());
            ledger.post(&stamp(1), transfer(LIMIT, AVAILABLE, 100), &mut out);
            ledger.post(&stamp(2), transfer(debit, credit, amount), &mut out);
        });
        posted.is_err()
    }

    #[test]
    fn what_breaks_the_books_stops_the_process() {
        let cap = AccountKey::of(Account::CapListed, LINE);
        for (what, debit, credit, amount, is_bug) in [
            ("all that is there", AVAILABLE, HELD, 100, false),
            ("more than is there", AVAILABLE, HELD, 101, true),
            ("below zero", AVAILABLE, HELD, -1, true),
            ("to itself", AVAILABLE, AVAILABLE, 1, true),
            ("into another book", AVAILABLE, cap, 1, true),
            ("from an account that never was", HELD, AVAILABLE, 1, true),
            ("more than a number holds", LIMIT, AVAILABLE, i64::MAX, true),
        ] {
            assert_eq!(stops(debit, credit, amount), is_bug, "{what}");
        }
    }

    #[test]
    fn holding_and_releasing_never_fills_an_account_up() {
        let (mut ledger, mut out) = (Ledger::default(), Effects::default());
        let large = i64::MAX / 4;
        ledger.post(&stamp(1), transfer(LIMIT, AVAILABLE, large), &mut out);
        for seq in 2..40 {
            ledger.post(&stamp(seq), transfer(AVAILABLE, HELD, large), &mut out);
            assert_eq!([AVAILABLE, HELD].map(|key| ledger.net(key)), [0, large]);
            ledger.post(&stamp(seq), transfer(HELD, AVAILABLE, large), &mut out);
            assert_eq!([AVAILABLE, HELD].map(|key| ledger.net(key)), [large, 0]);
            let sums = ledger.trial_balance(Book::Exp);
            assert_eq!(sums.debits, sums.credits);
        }
    }

    #[test]
    fn accounts_are_written_with_their_owners_prefix() {
        let suffix = "0000000000000000000000000".to_owned() + "7";
        let line = Uuid::from_u128(8);
        for (key, written) in [
            (AccountKey::of(Account::GlUnbilled, LINE), format!("1150/org_{suffix}")),
            (HELD, format!("exp_held/crl_{suffix}")),
            (AccountKey::of(Account::CapListed, LINE), format!("cap_listed/pool_{suffix}")),
            (
                AccountKey::of_both(Account::GuaCap, LINE, line),
                format!("gua_cap/prg_{suffix}/crl_00000000000000000000000008"),
            ),
        ] {
            assert_eq!(key.to_string(), written);
        }
    }
}
