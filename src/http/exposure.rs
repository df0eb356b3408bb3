//! `/v1/exposure`: what the market stands to lose, by customer, group, provider and program. Reads
//! only, for the operator.

use std::collections::BTreeMap;

use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Door;
use super::caller::{Caller, grant};
use super::money::Amount;
use super::page::gather;
use super::query::{NoQuery, Query};
use super::reply::{Reply, shown};
use crate::engine::charge::sum;
use crate::engine::credit::{Balances, Line, LineState};
use crate::engine::ledger::{Account, AccountKey, Balance, Book};
use crate::model::id::{LineId, OrgId, ProgramId};
use crate::model::{Code, GroupCode, Money};
use crate::store::Fault;
use crate::store::read::Reader;

/// What one customer's credit line carries.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerExposureView {
    organization_id: OrgId,
    credit_line_id: LineId,
    state: LineState,
    limit: Amount,
    held: Amount,
    drawn: Amount,
    defaulted: Amount,
}

/// What the credit lines of one group of customers carry together.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupExposureView {
    #[schema(value_type = Code)]
    group: GroupCode,
    /// How many lines.
    lines: u64,
    limit: Amount,
    held: Amount,
    drawn: Amount,
    defaulted: Amount,
}

/// What is owed on one provider's capacity.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderExposureView {
    organization_id: OrgId,
    /// By contracts with it, not yet delivered.
    held: Amount,
    /// Its part of what is delivered and not yet paid by customers.
    unpaid: Amount,
}

/// What the guarantor of one program stands behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgramExposureView {
    program_id: ProgramId,
    /// The unpaid value of contracts under it.
    exposed: Amount,
    /// The guaranteed part of that.
    committed: Amount,
    /// Claimed and not yet paid.
    called: Amount,
    /// Paid on claims.
    paid: Amount,
}

/// Who could cost how much.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExposureView {
    /// Lines that are not closed.
    customers: Vec<CustomerExposureView>,
    /// Customers that belong to a group.
    groups: Vec<GroupExposureView>,
    providers: Vec<ProviderExposureView>,
    programs: Vec<ProgramExposureView>,
}

/// Read the exposure
///
/// By customer and by group of customers: held, drawn and defaulted. By provider: what is held on
/// contracts with it, and what customers have not paid of its part. By program: what its guarantee
/// covers. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/exposure", tag = "Credit",
    responses((status = 200, description = "All of it", body = ExposureView)),
)]
pub async fn get(_: Caller<grant::Audit>, _: Query<NoQuery>, door: Data<Door>) -> Reply {
    let view = door.read(|reader| {
        let lines = open_lines(reader)?;
        Ok(ExposureView {
            providers: providers(reader, &lines)?,
            programs: programs(reader)?,
            groups: groups(reader, &lines)?,
            customers: lines.into_iter().map(CustomerExposureView::from).collect(),
        })
    });
    Ok(shown(&view.await?))
}

impl From<(Line, Balances)> for CustomerExposureView {
    fn from((line, balances): (Line, Balances)) -> Self {
        Self {
            organization_id: line.org,
            credit_line_id: line.id,
            state: line.state,
            limit: Amount(balances.limit),
            held: Amount(balances.held),
            drawn: Amount(balances.drawn),
            defaulted: Amount(balances.defaulted),
        }
    }
}

/// Every line that is not closed.
fn open_lines(reader: &Reader) -> Result<Vec<(Line, Balances)>, Fault> {
    let mut lines = gather(|page| reader.lines(&None, page), |(line, _)| line.id, |_| true)?;
    lines.retain(|(line, _)| line.state != LineState::Closed);
    Ok(lines)
}

/// The lines of the customers of each group, added up.
fn groups(reader: &Reader, lines: &[(Line, Balances)]) -> Result<Vec<GroupExposureView>, Fault> {
    let members = gather(|page| reader.organizations(&(), page), |one| one.id, |_| true)?;
    let group_of: BTreeMap<OrgId, GroupCode> =
        members.into_iter().filter_map(|one| Some((one.id, one.group?))).collect();
    let mut all: BTreeMap<&GroupCode, (u64, Balances)> = BTreeMap::new();
    for (line, more) in lines.iter().filter(|(line, _)| line.program.is_none()) {
        let Some(group) = group_of.get(&line.org) else { continue };
        let (count, sums) = all.entry(group).or_default();
        *count += 1;
        sums.limit = sum(sums.limit, more.limit);
        sums.held = sum(sums.held, more.held);
        sums.drawn = sum(sums.drawn, more.drawn);
        sums.defaulted = sum(sums.defaulted, more.defaulted);
    }
    let view = |(group, (lines, it)): (&GroupCode, (u64, Balances))| GroupExposureView {
        group: group.clone(),
        lines,
        limit: Amount(it.limit),
        held: Amount(it.held),
        drawn: Amount(it.drawn),
        defaulted: Amount(it.defaulted),
    };
    Ok(all.into_iter().map(view).collect())
}

/// Line by line: all that holds credit is a contract that is not settled, whatever its state.
fn providers(
    reader: &Reader,
    lines: &[(Line, Balances)],
) -> Result<Vec<ProviderExposureView>, Fault> {
    let mut all: BTreeMap<OrgId, (Money, Money)> = BTreeMap::new();
    for (line, _) in lines {
        for one in reader.unsettled_contracts(&line.id)? {
            let (held, _) = all.entry(one.provider).or_default();
            *held = sum(*held, one.unaccrued());
        }
    }
    let unpaid = by_owner(&reader.accounts(Some(Book::Gl))?, Account::GlProviderAccrued);
    for (owner, amount) in unpaid {
        all.entry(OrgId::new(owner)).or_default().1 = amount;
    }
    let view = |(organization_id, (held, unpaid)): (OrgId, (Money, Money))| ProviderExposureView {
        organization_id,
        held: Amount(held),
        unpaid: Amount(unpaid),
    };
    Ok(all.into_iter().map(view).collect())
}

fn programs(reader: &Reader) -> Result<Vec<ProgramExposureView>, Fault> {
    let accounts = reader.accounts(Some(Book::Gua))?;
    let sums = |account| by_owner(&accounts, account);
    let (exposed, committed) = (sums(Account::GuaExposed), sums(Account::GuaCommitted));
    let (called, paid) = (sums(Account::GuaCalled), sums(Account::GuaPaid));
    let of = |all: &BTreeMap<Uuid, Money>, program: &Uuid| {
        Amount(all.get(program).copied().unwrap_or_default())
    };
    let mut programs: Vec<Uuid> = accounts.iter().map(|(key, _)| key.owner).collect();
    programs.sort_unstable();
    programs.dedup();
    let view = |program: &Uuid| ProgramExposureView {
        program_id: ProgramId::new(*program),
        exposed: of(&exposed, program),
        committed: of(&committed, program),
        called: of(&called, program),
        paid: of(&paid, program),
    };
    Ok(programs.iter().map(view).collect())
}

/// What an account's owners have in it, all lines of a program together. Owners of nothing are left
/// out.
fn by_owner(accounts: &[(AccountKey, Balance)], account: Account) -> BTreeMap<Uuid, Money> {
    let mut all: BTreeMap<Uuid, Money> = BTreeMap::new();
    for (key, balance) in accounts.iter().filter(|(key, _)| key.account == account) {
        let owned = all.entry(key.owner).or_default();
        *owned = sum(*owned, Money::from_micros(balance.net(account)));
    }
    all.retain(|_, amount| !amount.is_zero());
    all
}
