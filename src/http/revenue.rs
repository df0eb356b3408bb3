//! `/v1/revenue`: what a provider's contracts bring, month by month, delivered or still to come.
//! Reads only; what is invoiced of it is in the statements.

use std::collections::BTreeMap;

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::money::Amount;
use super::page::{self, List, walk};
use super::problem::Problem;
use super::query::Query;
use super::reply::{Reply, shown};
use super::time::MonthText;
use crate::engine::charge::{Bill, sum};
use crate::engine::contract::Contract;
use crate::model::id::OrgId;
use crate::model::{Money, Month};
use crate::store::read::ContractFilter;

/// Whose revenue.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevenueQuery {
    /// The caller's own organization when left out; for the operator's people any.
    organization_id: Option<OrgId>,
}

/// What contracts charge for the hours of one month, as they stand now: what was lost or given up
/// is taken off.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevenueView {
    month: MonthText,
    /// Contracts with hours in it.
    contracts: u64,
    /// What customers are charged for the hours of it.
    contracted: Amount,
    /// The provider's part of that, before what customers are credited.
    provider_part: Amount,
    /// What of the charge is earned already.
    earned: Amount,
}

/// One month's sums.
#[derive(Debug, Default)]
struct Sums {
    contracts: u64,
    contracted: Money,
    provider: Money,
    earned: Money,
}

/// Read contracted revenue by month
///
/// Every month in which the provider's contracts have hours, from the first to the last: contracted
/// and earned. Fees and credits are in the statements.
#[utoipa::path(
    get, path = "/v1/revenue", tag = "Billing",
    params(RevenueQuery),
    responses((status = 200, description = "All months", body = List<RevenueView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<RevenueQuery>, door: Data<Door>) -> Reply {
    let org = query.organization_id.unwrap_or_else(|| who.organization());
    if !who.sees(org) || !door.desk.view().organizations.contains_key(&org) {
        return Err(Problem::not_found("organization"));
    }
    let months = door.read(move |reader| {
        // Of what it sells only, by the index of providers, a page in memory at a time. SQL cannot
        // add it up: each month's part is what running totals of one contract's draws leave, and
        // what invoices say is older than the losses that were reported since.
        let filter = ContractFilter { provider: Some(org), ..ContractFilter::default() };
        let mut months = BTreeMap::new();
        walk(
            |page| reader.contracts(&filter, page),
            |one| one.id,
            |one| {
                add(&one, &mut months);
                true
            },
        )?;
        Ok(months)
    });
    let view = |(month, it): (Month, Sums)| RevenueView {
        month: MonthText(month),
        contracts: it.contracts,
        contracted: Amount(it.contracted),
        provider_part: Amount(it.provider),
        earned: Amount(it.earned),
    };
    Ok(shown(&page::whole(months.await?.into_iter().map(view).collect())))
}

/// Adds what a contract charges, month by month. Each month's is the difference of two running
/// totals, so that all of them are the contract's value.
fn add(contract: &Contract, months: &mut BTreeMap<Month, Sums>) {
    let mut before = Bill::default();
    let mut month = Month::of(contract.window.start());
    while month.start() < contract.window.end() {
        let to = month.end().min(contract.window.end());
        let total = contract.tally(to);
        let mut own = total.clone();
        own.take(&before);
        let mut earned = contract.tally(to.min(contract.accrued_to));
        earned.take(&contract.tally(month.start().min(contract.accrued_to)));
        if !own.charge.is_zero() {
            let sums = months.entry(month).or_default();
            sums.contracts += 1;
            sums.contracted = sum(sums.contracted, own.charge);
            sums.provider = sum(sums.provider, own.provider);
            sums.earned = sum(sums.earned, earned.charge);
        }
        before = total;
        month = month.next();
    }
}
