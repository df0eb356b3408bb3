//! `/v1/contracts`: what was sold, to whom, by whom, on which frozen terms. Made by orders only.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::matching::AllocationView;
use super::money::{Amount, PriceText};
use super::page::{self, List};
use super::problem::Problem;
use super::programs::FrozenProgramView;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use crate::engine::contract::{Commitment, Contract, ContractBrief, ContractState, Terms};
use crate::model::id::{ContractId, LineId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{Code, RegionCode, SkuCode, Workload};
use crate::store::read::ContractFilter;

/// What a contract was made under. Never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsView {
    platform_fee_bps: u32,
    cancellation_fee_bps: u32,
    net_days: u32,
    programs: Vec<FrozenProgramView>,
}

/// What a program's guarantor stands behind because of this contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommitmentView {
    program_id: ProgramId,
    supported: Amount,
    committed: Amount,
}

/// A contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractView {
    id: ContractId,
    order_id: OrderId,
    state: ContractState,
    customer: OrgId,
    provider: OrgId,
    pool_id: PoolId,
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Code)]
    region: RegionCode,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    /// What full delivery is charged.
    value: Amount,
    average_price_per_gpu_hour: PriceText,
    /// What has been delivered so far.
    delivered_value: Amount,
    credit_line_id: LineId,
    allocations: Vec<AllocationView>,
    terms: TermsView,
    commitments: Vec<CommitmentView>,
    workload: Option<Workload>,
    created_at: Instant,
    changed_at: Instant,
}

/// A contract in one line.
#[derive(Debug, Serialize, ToSchema)]
pub struct BriefView {
    id: ContractId,
    state: ContractState,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
}

/// Which contracts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContractsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<ContractState>,
    pool_id: Option<PoolId>,
}

impl From<&Terms> for TermsView {
    fn from(one: &Terms) -> Self {
        Self {
            platform_fee_bps: one.platform_fee,
            cancellation_fee_bps: one.cancellation_fee,
            net_days: one.net_days,
            programs: one
                .programs
                .iter()
                .map(|one| FrozenProgramView::from(one.as_ref()))
                .collect(),
        }
    }
}

impl From<&Commitment> for CommitmentView {
    fn from(one: &Commitment) -> Self {
        Self {
            program_id: one.program,
            supported: Amount(one.supported),
            committed: Amount(one.committed),
        }
    }
}

impl From<&Contract> for ContractView {
    fn from(one: &Contract) -> Self {
        Self {
            id: one.id,
            order_id: one.order,
            state: one.state,
            customer: one.customer,
            provider: one.provider,
            pool_id: one.pool,
            sku: one.sku.clone(),
            region: one.region.clone(),
            gpus: one.gpus,
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            value: Amount(one.value),
            average_price_per_gpu_hour: PriceText(one.average),
            delivered_value: Amount(one.accrued),
            credit_line_id: one.line,
            allocations: one.allocations.iter().map(AllocationView::from).collect(),
            terms: TermsView::from(&one.terms),
            commitments: one.commitments.iter().map(CommitmentView::from).collect(),
            workload: one.workload,
            created_at: Instant(one.created_at),
            changed_at: Instant(one.changed_at),
        }
    }
}

impl From<&ContractBrief> for BriefView {
    fn from(one: &ContractBrief) -> Self {
        Self {
            id: one.id,
            state: one.state,
            gpus: one.gpus,
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
        }
    }
}

/// List contracts
///
/// Those the caller's organization bought or delivers; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/contracts", tag = "Trading",
    params(ContractsQuery),
    responses((status = 200, description = "A page", body = List<ContractView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<ContractsQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("contract", query.limit, query.cursor.as_deref())?;
    let filter = ContractFilter { party: who.scope(), state: query.state, pool: query.pool_id };
    let slice = door.read(move |reader| reader.contracts(&filter, &page)).await?;
    Ok(shown(&page::list("contract", slice, |one| one.id, |one| ContractView::from(&one))))
}

/// Read a contract
#[utoipa::path(
    get, path = "/v1/contracts/{id}", tag = "Trading",
    params(ContractId),
    responses((status = 200, description = "The contract", body = ContractView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<ContractId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.contract(&id.0)).await?;
    let found = found.filter(|one| who.sees(one.customer) || who.sees(one.provider));
    let found = found.ok_or_else(|| Problem::not_found("contract"))?;
    Ok(shown(&ContractView::from(&found)))
}
