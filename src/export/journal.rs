//! The operator's books (the GL ledger) as a plain-text journal, in the syntax of hledger or of
//! beancount. One transaction for each entry, in the order in which they were recorded, exact to
//! the micro-unit.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use super::{CHUNK, Fault, decimal, each};
use crate::engine::ledger::{Account, AccountKey, Book, Entry, EntryKind};
use crate::engine::party::Organization;
use crate::model::id::OrgId;
use crate::model::money::CURRENCY;
use crate::model::{Micros, Minute};
use crate::store::read::Reader;

/// Whose syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Hledger,
    Beancount,
}

/// Where an account stands in the tree of accounts; `None` outside the operator's books.
const fn path(account: Account) -> Option<&'static str> {
    use Account as A;
    match account {
        A::GlCash => Some("Assets:1010-Cash"),
        A::GlInvoiced => Some("Assets:1100-Receivable-Invoiced"),
        A::GlUnbilled => Some("Assets:1150-Receivable-Unbilled"),
        A::GlBackstop => Some("Assets:1165-Receivable-Backstop"),
        A::GlGuarantee => Some("Assets:1160-Receivable-Guarantee"),
        A::GlProviderAccrued => Some("Liabilities:2100-Provider-Accrued"),
        A::GlProviderAvailable => Some("Liabilities:2110-Provider-Available"),
        A::GlProviderReserve => Some("Liabilities:2120-Provider-Reserve"),
        A::GlInTransit => Some("Liabilities:2130-Payout-In-Transit"),
        A::GlVendorAccrued => Some("Liabilities:2200-Vendor-Accrued"),
        A::GlVendorAvailable => Some("Liabilities:2210-Vendor-Available"),
        A::GlCreditBalance => Some("Liabilities:2350-Customer-Gains-Accrued"),
        A::GlCreditAvailable => Some("Liabilities:2360-Customer-Gains-Available"),
        A::GlRecoveriesOwed => Some("Liabilities:2500-Recoveries-Owed"),
        A::GlPlatformFee => Some("Income:4100-Platform-Fee"),
        A::GlCancellationFee => Some("Income:4200-Cancellation-Fee"),
        A::GlServiceCredit => Some("Income:4900-Service-Credit"),
        A::GlCreditLoss => Some("Expenses:5300-Credit-Loss"),
        A::GlRecoveries => Some("Income:5310-Recoveries"),
        A::CapIssued | A::CapListed | A::CapReserved | A::CapDelivered | A::CapLost => None,
        A::CapCancelled | A::CapResold => None,
        A::ExpLimit | A::ExpAvailable | A::ExpHeld | A::ExpDrawn | A::ExpDefaulted => None,
        A::GuaExposed | A::GuaSupported | A::GuaCap | A::GuaAvailable => None,
        A::GuaCommitted | A::GuaCalled | A::GuaPaid => None,
    }
}

/// The account and its owner, in letters that both syntaxes take: `Assets:1010-Cash:Org-01J...`.
fn name(key: AccountKey) -> String {
    let path = path(key.account).expect("an entry of the operator's books is between its accounts");
    let owner = OrgId::new(key.owner).to_string();
    let suffix = owner.rsplit('_').next().unwrap_or_default().to_uppercase();
    format!("{path}:Org-{suffix}")
}

/// The day an entry is about. What was delivered until midnight belongs to the day before.
fn day(entry: &Entry) -> String {
    let is_of_time_past = matches!(
        entry.kind,
        EntryKind::RevenueEarned | EntryKind::RevenueReversed | EntryKind::ServiceCredited
    );
    let about = entry.effective_at.plus(if is_of_time_past { -1 } else { 0 });
    date(about.micros())
}

/// `2027-01-31`, of an instant.
fn date(instant: Micros) -> String {
    instant.to_string().chars().take(10).collect()
}

/// Writes the journal.
///
/// # Errors
/// When the database cannot be read or the file not be written.
pub(super) fn write(
    syntax: Syntax,
    reader: &Reader,
    out: impl Write,
    done: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    let mut out = BufWriter::new(out);
    let mut names: BTreeMap<OrgId, Organization> = BTreeMap::new();
    let all = |page: &_| reader.organizations(&(), page);
    each(
        all,
        |org| org.id,
        |org| {
            names.insert(org.id, org);
            Ok(())
        },
    )?;
    let accounts = reader.accounts(Some(Book::Gl))?;
    // Nothing is older than its owner, and no entry is about a time before the market.
    let first = names.values().map(|org| org.created_at).min().unwrap_or_default();
    let opened = date(first.minute().plus(-24 * 60).micros());
    head(syntax, &mut out)?;
    for (key, _) in accounts {
        let owner = names.get(&OrgId::new(key.owner)).map_or("", |org| org.name.as_str());
        open(syntax, &mut out, &opened, &name(key), owner)?;
    }
    let (mut after, mut written) = (0, 0);
    loop {
        let entries = reader.entries_after(after, CHUNK)?;
        let Some(last) = entries.last() else { break };
        after = last.no;
        for entry in entries.iter().filter(|it| it.debit.account.book() == Book::Gl) {
            transaction(syntax, &mut out, entry)?;
            written += 1;
        }
        done(written);
    }
    Ok(out.flush()?)
}

fn head(syntax: Syntax, out: &mut impl Write) -> Result<(), Fault> {
    match syntax {
        Syntax::Hledger => {
            writeln!(out, "; The operator's books, one transaction an entry.")?;
            writeln!(out, "commodity 1000.000000 {CURRENCY}\n")?;
        }
        Syntax::Beancount => {
            writeln!(out, ";; The operator's books, one transaction an entry.")?;
            writeln!(out, "option \"title\" \"Headroom\"")?;
            writeln!(out, "option \"operating_currency\" \"{CURRENCY}\"\n")?;
        }
    }
    Ok(())
}

/// Declares an account.
fn open(
    syntax: Syntax,
    out: &mut impl Write,
    day: &str,
    name: &str,
    owner: &str,
) -> Result<(), Fault> {
    let owner = owner.replace(['"', '\\', '\n', '\r'], " ");
    match syntax {
        Syntax::Hledger => writeln!(out, "account {name}  ; {}", owner.replace(';', ","))?,
        Syntax::Beancount => {
            writeln!(out, "{day} open {name} {CURRENCY}\n  owner: \"{owner}\"")?;
        }
    }
    Ok(())
}

/// One entry: the debit and, below it, the credit.
fn transaction(syntax: Syntax, out: &mut impl Write, entry: &Entry) -> Result<(), Fault> {
    let (day, no, chain, kind) = (day(entry), entry.no, entry.chain, entry.kind);
    let (debit, credit) = (name(entry.debit), name(entry.credit));
    let (more, less) = (decimal(entry.amount, 6), decimal(-entry.amount, 6));
    let (recorded, about): (Micros, Minute) = (entry.recorded_at, entry.effective_at);
    let contract = entry.contract.map(|id| id.to_string());
    match syntax {
        Syntax::Hledger => {
            write!(out, "\n{day} * {kind}  ; entry:{no}, chain:{chain}, recorded:{recorded}")?;
            write!(out, ", about:{about}")?;
            if let Some(contract) = contract {
                write!(out, ", contract:{contract}")?;
            }
            writeln!(out)?;
        }
        Syntax::Beancount => {
            writeln!(out, "\n{day} * \"{kind}\"\n  entry: {no}\n  chain: {chain}")?;
            writeln!(out, "  recorded: \"{recorded}\"\n  about: \"{about}\"")?;
            if let Some(contract) = contract {
                writeln!(out, "  contract: \"{contract}\"")?;
            }
        }
    }
    writeln!(out, "  {debit}  {more} {CURRENCY}\n  {credit}  {less} {CURRENCY}")?;
    Ok(())
}
