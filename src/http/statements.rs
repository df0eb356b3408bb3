//! `/v1/statements`: what an organization earned in a month as a provider or as a vendor, contract
//! by contract.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::bill::total;
use super::caller::{Caller, grant};
use super::money::Amount;
use super::periods::MonthPath;
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment, MonthText};
use crate::engine::billing::PeriodState;
use crate::engine::charge::{Bill, less, sum};
use crate::engine::ledger::{Account, AccountKey, Entry, EntryKind};
use crate::model::id::{ContractId, OrgId};
use crate::model::{Code, Money, SkuCode};
use crate::store::read::StatementLine;

/// Whose statement.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatementQuery {
    /// The caller's own organization when left out; for the operator's people any.
    organization_id: Option<OrgId>,
}

/// What one contract charged in the month, and who has which part of it:
/// `gross + fees - credits = provider_part + vendor_share + platform_part`.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementLineView {
    contract_id: ContractId,
    #[schema(value_type = Code)]
    sku: SkuCode,
    start_at: Moment,
    end_at: Moment,
    /// Exact; sixty are a GPU-hour.
    delivered_gpu_minutes: i64,
    lost_gpu_minutes: i64,
    /// For what was delivered.
    gross: Amount,
    fees: Amount,
    credits: Amount,
    provider_part: Amount,
    /// Of all programs that the contract is supported under.
    vendor_share: Amount,
    platform_part: Amount,
    /// What of it is this organization's.
    net: Amount,
}

/// The sums of a statement's lines.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementSumsView {
    delivered_gpu_minutes: i64,
    lost_gpu_minutes: i64,
    gross: Amount,
    fees: Amount,
    credits: Amount,
    vendor_share: Amount,
    platform_part: Amount,
    net: Amount,
}

/// A later word on a bill of this month or of an earlier one: a credit note, a loss that was given
/// up, a recovery. A statement is never rewritten; what corrects it is in the month in which it was
/// recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct CorrectionView {
    /// The ledger entry.
    entry: u64,
    /// Corrections of one chain were made together.
    chain: u64,
    kind: EntryKind,
    recorded_at: Instant,
    /// More for the organization, or less (below zero).
    amount: Amount,
}

/// One side of a statement: every contract and its sums; what was corrected meanwhile.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementSideView {
    data: Vec<StatementLineView>,
    totals: StatementSumsView,
    corrections: Vec<CorrectionView>,
    /// The sum of the corrections.
    corrected: Amount,
    /// What the month comes to: the net of the contracts and the corrections.
    earned: Amount,
}

/// What an organization earned in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementView {
    month: MonthText,
    organization_id: OrgId,
    /// Until the month is closed, its numbers may still move.
    period_state: PeriodState,
    /// For what it delivered.
    as_provider: StatementSideView,
    /// For its share in what was delivered on capacity it supports.
    as_vendor: StatementSideView,
}

/// What a line is to whoever the statement is for.
#[derive(Debug, Clone, Copy)]
enum Side {
    Provider,
    Vendor,
}

impl Side {
    /// Whether an organization is on this side of a line.
    fn has(self, org: OrgId, line: &StatementLine) -> bool {
        match self {
            Side::Provider => line.provider == org,
            Side::Vendor => line.bill.programs.iter().any(|part| part.vendor == org),
        }
    }

    /// What of a line is the organization's on this side.
    fn net(self, org: OrgId, bill: &Bill) -> Money {
        match self {
            Side::Provider => bill.provider,
            Side::Vendor => shares(bill, |vendor| vendor == org),
        }
    }

    /// What an entry gives the organization on this side, or takes; `None` when it is not about it.
    fn change(self, org: OrgId, entry: &Entry) -> Option<Money> {
        use Account::{GlProviderAccrued, GlProviderAvailable, GlVendorAccrued, GlVendorAvailable};
        let is_own = |key: AccountKey| {
            let accounts = match self {
                Side::Provider => [GlProviderAccrued, GlProviderAvailable],
                Side::Vendor => [GlVendorAccrued, GlVendorAvailable],
            };
            key.owner == org.uuid() && accounts.contains(&key.account)
        };
        let amount = Money::from_micros(entry.amount);
        match (is_own(entry.debit), is_own(entry.credit)) {
            (true, false) => Some(less(Money::ZERO, amount)),
            (false, true) => Some(amount),
            (true, true) | (false, false) => None,
        }
    }
}

/// The shares of some vendors in a bill.
fn shares(bill: &Bill, whose: impl Fn(OrgId) -> bool) -> Money {
    let parts = bill.programs.iter().filter(|part| whose(part.vendor));
    total(parts.map(|part| part.share))
}

impl StatementLineView {
    fn new(line: &StatementLine, net: Money) -> Self {
        let bill = &line.bill;
        Self {
            contract_id: line.contract,
            sku: line.sku.clone(),
            start_at: Moment(line.window.start()),
            end_at: Moment(line.window.end()),
            delivered_gpu_minutes: bill.delivered,
            lost_gpu_minutes: bill.lost,
            gross: Amount(bill.charge),
            fees: Amount(bill.fees),
            credits: Amount(bill.credits),
            provider_part: Amount(bill.provider),
            vendor_share: Amount(shares(bill, |_| true)),
            platform_part: Amount(bill.platform),
            net: Amount(net),
        }
    }
}

impl CorrectionView {
    fn new(entry: &Entry, amount: Money) -> Self {
        Self {
            entry: entry.no,
            chain: entry.chain,
            kind: entry.kind,
            recorded_at: Instant(entry.recorded_at),
            amount: Amount(amount),
        }
    }
}

impl StatementSideView {
    fn new(org: OrgId, side: Side, lines: &[StatementLine], entries: &[Entry]) -> Self {
        let lines = lines.iter().filter(|line| side.has(org, line));
        let view = |line: &StatementLine| StatementLineView::new(line, side.net(org, &line.bill));
        let data: Vec<StatementLineView> = lines.map(view).collect();
        let totals = StatementSumsView::new(&data);
        let change = |entry: &Entry| Some(CorrectionView::new(entry, side.change(org, entry)?));
        let corrections: Vec<CorrectionView> = entries.iter().filter_map(change).collect();
        let corrected = Amount(total(corrections.iter().map(|it| it.amount.0)));
        let earned = Amount(sum(totals.net.0, corrected.0));
        Self { data, totals, corrections, corrected, earned }
    }
}

impl StatementSumsView {
    fn new(lines: &[StatementLineView]) -> Self {
        let all = |amount: fn(&StatementLineView) -> Amount| {
            Amount(total(lines.iter().map(|line| amount(line).0)))
        };
        Self {
            delivered_gpu_minutes: lines.iter().map(|line| line.delivered_gpu_minutes).sum(),
            lost_gpu_minutes: lines.iter().map(|line| line.lost_gpu_minutes).sum(),
            gross: all(|line| line.gross),
            fees: all(|line| line.fees),
            credits: all(|line| line.credits),
            vendor_share: all(|line| line.vendor_share),
            platform_part: all(|line| line.platform_part),
            net: all(|line| line.net),
        }
    }
}

/// Read a statement
///
/// What an organization earned in a month, contract by contract: as a provider its part of what it
/// delivered, as a vendor its share in the capacity it supports. What is corrected after the month
/// is closed (credit notes, write-offs, recoveries) is in the statement of the month in which it
/// was recorded; a closed statement does not change.
#[utoipa::path(
    get, path = "/v1/statements/{month}", tag = "Billing",
    params(MonthPath, StatementQuery),
    responses((status = 200, description = "The statement", body = StatementView)),
)]
pub async fn get(
    who: Caller<grant::View>,
    month: Path<MonthText>,
    query: Query<StatementQuery>,
    door: Data<Door>,
) -> Reply {
    let org = query.organization_id.unwrap_or_else(|| who.organization());
    if !who.sees(org) || !door.desk.view().organizations.contains_key(&org) {
        return Err(Problem::not_found("organization"));
    }
    let MonthText(month) = month.0;
    let found = door.read(move |reader| {
        let state = reader.period(month)?.map_or(PeriodState::Open, |period| period.state);
        Ok((state, reader.statement(org, month)?, reader.corrections(org, month)?))
    });
    let (period_state, lines, entries) = found.await?;
    Ok(shown(&StatementView {
        month: MonthText(month),
        organization_id: org,
        period_state,
        as_provider: StatementSideView::new(org, Side::Provider, &lines, &entries),
        as_vendor: StatementSideView::new(org, Side::Vendor, &lines, &entries),
    }))
}
