//! `/v1/contracts`: what was sold, to whom, by whom, on which frozen terms. Made by orders only.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::bill::{BillView, PartsView, rest, total};
use super::caller::{Caller, grant};
use super::delivery;
use super::incidents::SubstituteView;
use super::matching::AllocationView;
use super::money::{Amount, PriceText};
use super::page::{self, List};
use super::problem::Problem;
use super::programs::FrozenProgramView;
use super::query::{Path, Query};
use super::reply::{Reply, shown};
use super::resales::ResaleView;
use super::time::{Instant, Moment};
use crate::engine::contract::{
    Commitment, Contract, ContractBrief, ContractState, SizeUntil, Terms,
};
use crate::engine::{Refusal, SlaStep};
use crate::model::id::{ContractId, LineId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{Code, RegionCode, SkuCode, Workload};
use crate::store::Fault;
use crate::store::read::{ContractFilter, Reader};

/// What a contract was made under. Never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsView {
    platform_fee_bps: u32,
    cancellation_fee_bps: u32,
    net_days: u32,
    /// Credits for poor service, without a claim: the lowest step that a month fell below counts.
    sla: Vec<SlaStepView>,
    programs: Vec<FrozenProgramView>,
}

/// From this availability of a month down the customer is credited this part of its charge.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlaStepView {
    below_bps: u32,
    credit_bps: u32,
}

/// A size that a contract had until an instant.
#[derive(Debug, Serialize, ToSchema)]
pub struct SizeView {
    gpus: u32,
    until: Moment,
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
    /// The size from the last change on, what was sold on included.
    gpus: u32,
    /// The sizes before, each until an instant; empty for most.
    sizes: Vec<SizeView>,
    start_at: Moment,
    end_at: Moment,
    /// When it was over, whichever way.
    ended_at: Option<Moment>,
    /// What is charged for all that is allocated, less what was lost.
    value: Amount,
    /// Who has which part of `value`.
    value_parts: PartsView,
    average_price_per_gpu_hour: PriceText,
    /// What of `value` was earned by delivery up to `accrued_to`.
    accrued: Amount,
    accrued_to: Moment,
    /// What of `value` is not earned yet; the credit line holds it.
    held: Amount,
    /// What of `accrued` is on invoices. Fees and credits: see the usage.
    invoiced: Amount,
    /// Invoices reach up to here.
    billed_to: Moment,
    /// Charged and not yet invoiced.
    unbilled: BillView,
    /// Up to `accrued_to`; exact, sixty are a GPU-hour.
    delivered_gpu_minutes: i64,
    /// Promised and not delivered, up to `accrued_to`.
    lost_gpu_minutes: i64,
    /// What is allocated and neither delivered nor lost.
    remaining_gpu_minutes: i64,
    credit_line_id: LineId,
    allocations: Vec<AllocationView>,
    /// What of the allocations was not delivered, as reported: the dearest draws first.
    losses: Vec<AllocationView>,
    /// Its pool is short of it, or may still be: see the incidents.
    degraded: bool,
    /// Other pools of the provider that stand in for its own.
    substitutes: Vec<SubstituteView>,
    /// What of it is offered to others, was sold on, or was bought of a customer; `null` for most.
    resale: Option<ResaleView>,
    /// How often it was changed.
    amendments: u32,
    /// To whom of the group its customer offers it.
    transfer_to: Option<OrgId>,
    terms: TermsView,
    commitments: Vec<CommitmentView>,
    workload: Option<Workload>,
    created_at: Instant,
    changed_at: Instant,
}

/// A contract with what was paid for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractWithPaidView {
    #[serde(flatten)]
    contract: ContractView,
    /// Its part of what was paid of its invoices, by the customer or its guarantors.
    paid: Amount,
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
            sla: one.sla.iter().map(SlaStepView::from).collect(),
            programs: one
                .programs
                .iter()
                .map(|one| FrozenProgramView::from(one.as_ref()))
                .collect(),
        }
    }
}

impl From<&SlaStep> for SlaStepView {
    fn from(one: &SlaStep) -> Self {
        let SlaStep { below, credit } = *one;
        Self { below_bps: below, credit_bps: credit }
    }
}

impl From<&SizeUntil> for SizeView {
    fn from(one: &SizeUntil) -> Self {
        let SizeUntil { gpus, until } = *one;
        Self { gpus, until: Moment(until) }
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
        let (_, parts) = one.charge(one.window.end());
        let done = one.delivered + one.lost;
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
            sizes: one.sizes.iter().map(SizeView::from).collect(),
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            ended_at: one.ended_at.map(Moment),
            value: Amount(one.value),
            value_parts: PartsView::from(parts),
            average_price_per_gpu_hour: PriceText(one.average),
            accrued: Amount(one.accrued),
            accrued_to: Moment(one.accrued_to),
            held: Amount(one.unaccrued()),
            invoiced: Amount(rest(one.accrued, one.unbilled.charge)),
            billed_to: Moment(one.billed_to),
            unbilled: BillView::from(&one.unbilled),
            delivered_gpu_minutes: one.delivered,
            lost_gpu_minutes: one.lost,
            remaining_gpu_minutes: (one.gpu_minutes() - done).max(0),
            credit_line_id: one.line,
            allocations: one.allocations.iter().map(AllocationView::from).collect(),
            losses: one.losses.iter().map(AllocationView::from).collect(),
            degraded: one.degraded,
            substitutes: one.substitutes.iter().map(SubstituteView::from).collect(),
            resale: one.resale.as_deref().map(ResaleView::from),
            amendments: one.amendments,
            transfer_to: one.transfer_to,
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
    let (party, state, pool) = (who.scope(), query.state, query.pool_id);
    let filter = ContractFilter { party, provider: None, state, pool };
    let slice = door.read(move |reader| reader.contracts(&filter, &page)).await?;
    Ok(shown(&page::list("contract", slice, |one| one.id, |one| ContractView::from(&one))))
}

/// Read a contract
#[utoipa::path(
    get, path = "/v1/contracts/{id}", tag = "Trading",
    params(ContractId),
    responses((status = 200, description = "The contract", body = ContractWithPaidView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<ContractId>, door: Data<Door>) -> Reply {
    let found = find(&who, id.0, &door).await?;
    let contract = ContractView::from(&found);
    let billed = door.read(move |reader| delivery::billed(reader, &found)).await?;
    let paid = Amount(total(billed.iter().map(|(invoice, line)| delivery::paid(invoice, line))));
    Ok(shown(&ContractWithPaidView { contract, paid }))
}

/// The contract, if this caller may see it: its customer, its provider, the operator, and to whom
/// it is offered.
pub async fn find<R>(who: &Caller<R>, id: ContractId, door: &Door) -> Result<Contract, Problem> {
    let found = door.read(move |reader| reader.contract(&id)).await?;
    let is_theirs = |one: &Contract| {
        let parties = [Some(one.customer), Some(one.provider), one.transfer_to];
        parties.into_iter().flatten().any(|party| who.sees(party))
    };
    let found = found.filter(is_theirs);
    found.ok_or_else(|| Problem::not_found("contract"))
}

/// A contract that the engine has forgotten: over and invoiced. `is_theirs` says whether the caller
/// may know.
pub fn settled(
    id: ContractId,
    is_theirs: impl FnOnce(&Contract) -> bool,
) -> impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> {
    move |reader| {
        let (kind, needed) = ("contract", ContractState::Active.as_str());
        let found = reader.contract(&id)?.filter(is_theirs).filter(|one| !one.is_live());
        Ok(found.map(|one| Refusal::WrongState { kind, state: one.state.as_str(), needed }))
    }
}
