//! The books: accounts, transfers, chains. Double entry, checked amounts, nothing ever changed.
//!
//! Knows debits and credits. Knows nothing of why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::command::Stamp;
use super::effect::Effects;
use crate::model::id::ContractId;
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
        /// The value of contracts made under a program, unpaid: what first loss and coverage apply to.
        GuaExposed = "gua_exposed",
        /// The other side of it. Owner: program; second: line.
        GuaSupported = "gua_supported",
        /// The guarantee's cap for one line. Owner: program; second: line.
        GuaCap = "gua_cap",
        GuaAvailable = "gua_available",
        GuaCommitted = "gua_committed",
        GuaCalled = "gua_called",
        GuaPaid = "gua_paid",
        /// 1150: receivable, unbilled. Owner: customer.
        GlUnbilled = "gl_1150",
        /// 2100: provider payable, accrued. Owner: provider.
        GlProviderAccrued = "gl_2100",
        /// 2200: vendor share payable, accrued. Owner: vendor.
        GlVendorAccrued = "gl_2200",
        /// 4100: platform fee revenue. Owner: the operator.
        GlPlatformFee = "gl_4100",
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
        RevenueEarned = "revenue_earned",
    }
}

impl Account {
    pub const fn book(self) -> Book {
        use Account::{
            CapCancelled, CapDelivered, CapIssued, CapListed, CapLost, CapReserved, CapResold,
            ExpAvailable, ExpDefaulted, ExpDrawn, ExpHeld, ExpLimit, GlPlatformFee,
            GlProviderAccrued, GlUnbilled, GlVendorAccrued, GuaAvailable, GuaCalled, GuaCap,
            GuaCommitted, GuaExposed, GuaPaid, GuaSupported,
        };
        match self {
            CapIssued | CapListed | CapReserved | CapDelivered | CapLost | CapCancelled
            | CapResold => Book::Cap,
            ExpLimit | ExpAvailable | ExpHeld | ExpDrawn | ExpDefaulted => Book::Exp,
            GuaExposed | GuaSupported | GuaCap | GuaAvailable | GuaCommitted | GuaCalled
            | GuaPaid => Book::Gua,
            GlUnbilled | GlProviderAccrued | GlVendorAccrued | GlPlatformFee => Book::Gl,
        }
    }

    /// The normal side. No account here may cross zero on it.
    pub const fn normal(self) -> Side {
        match self {
            Account::CapIssued
            | Account::ExpLimit
            | Account::GuaCap
            | Account::GuaSupported
            | Account::GlUnbilled => Side::Debit,
            _ => Side::Credit,
        }
    }
}

/// One account of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    pub account: Account,
    pub owner: Uuid,
    /// The line of a GUA account; nil elsewhere.
    pub second: Uuid,
}

/// What was ever posted to an account on each side.
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

/// All balances. The entries themselves are in the database.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) accounts: BTreeMap<AccountKey, Balance>,
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

impl AccountKey {
    pub const fn of(account: Account, owner: Uuid) -> Self {
        Self { account, owner, second: Uuid::nil() }
    }

    pub const fn of_both(account: Account, owner: Uuid, second: Uuid) -> Self {
        Self { account, owner, second }
    }
}

impl Balance {
    /// The balance on the account's normal side.
    pub fn net(self, account: Account) -> i64 {
        match account.normal() {
            Side::Debit => self.debits - self.credits,
            Side::Credit => self.credits - self.debits,
        }
    }
}

impl Ledger {
    /// The balance of an account on its normal side; zero when nothing was ever posted to it.
    pub fn net(&self, key: AccountKey) -> i64 {
        self.accounts.get(&key).map_or(0, |balance| balance.net(key.account))
    }

    /// Posts one transfer of the command's chain. The gates have made sure that it fits: a balance
    /// that would cross zero, an overflow or two books in one transfer stop the process.
    pub(super) fn post(&mut self, _at: &Stamp, _transfer: Transfer, _out: &mut Effects) {
        todo!()
    }
}
