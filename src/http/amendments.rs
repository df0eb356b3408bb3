//! Changes to a contract, under `/v1/contracts/{id}`: cancel, shrink, extend, grow. Each can be
//! asked what it would do before it is done.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Door;
use super::caller::{Caller, grant};
use super::contracts::{self, ContractView};
use super::idempotency::{KeyHeader, RequiredKey};
use super::incidents::MoveView;
use super::json::{Json, NoBody, Nothing};
use super::money::{Amount, PriceText, amount_body};
use super::organizations::unexpected;
use super::page::{self, List};
use super::query::{DryRun, Path, Query};
use super::reply::{Reply, shown};
use super::time::{Instant, Moment};
use crate::engine::amendment::{Amendment, AmendmentKind, Change, Size};
use crate::engine::command::ChangeContract;
use crate::engine::contract::Contract;
use crate::engine::{Answer, Command};
use crate::model::Micros;
use crate::model::id::ContractId;

/// Ends a contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "fee_max": { "amount": "5000.00", "currency": "USD" } }))]
pub struct CancelBody {
    /// The most you will pay as a fee; a higher one is a refusal.
    #[schema(schema_with = amount_body)]
    fee_max: Option<Amount>,
}

/// Makes a contract smaller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShrinkBody {
    /// So many GPUs from then on, fewer than now.
    #[schema(minimum = 1, maximum = 2_000_000, example = 32)]
    gpus: u32,
    /// From the next slot when left out.
    start_at: Option<Moment>,
    /// The most you will pay as a fee; a higher one is a refusal.
    #[schema(schema_with = amount_body)]
    fee_max: Option<Amount>,
}

/// Makes a contract longer, in the same pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// Later than now.
    end_at: Moment,
    /// The most that the added time may cost on average; any price when left out.
    limit_price_per_gpu_hour: Option<PriceText>,
    /// The most you will pay as a fee; a higher one is a refusal.
    #[schema(schema_with = amount_body)]
    fee_max: Option<Amount>,
}

/// Makes a contract larger, in the same pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrowBody {
    /// So many GPUs from then on, more than now.
    #[schema(minimum = 1, maximum = 2_000_000, example = 128)]
    gpus: u32,
    /// From the next slot when left out.
    start_at: Option<Moment>,
    /// The most that the added GPUs may cost on average; any price when left out.
    limit_price_per_gpu_hour: Option<PriceText>,
    /// The most you will pay as a fee; a higher one is a refusal.
    #[schema(schema_with = amount_body)]
    fee_max: Option<Amount>,
}

/// How large a contract is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtentView {
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    value: Amount,
}

/// One change to a contract: done, or as it would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct AmendmentView {
    contract_id: ContractId,
    /// 1, 2, 3 within the contract.
    number: u32,
    kind: AmendmentKind,
    /// The instant from which it counts.
    effective_at: Moment,
    before: ExtentView,
    after: ExtentView,
    /// For a substitution: the pool that stands in, and until when.
    moved: Option<MoveView>,
    /// What the customer is charged for the change.
    fee: Amount,
    /// What the contract holds on the credit line.
    held_before: Amount,
    held_after: Amount,
    made_at: Instant,
}

/// A change, and the contract after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AmendedView {
    amendment: AmendmentView,
    contract: ContractView,
}

/// What cancelling would cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct CancellationQuoteView {
    /// The cancellation as it would be, with its fee.
    amendment: AmendmentView,
    /// The next slot boundary: up to this instant the numbers hold.
    expires_at: Moment,
}

impl From<&Size> for ExtentView {
    fn from(one: &Size) -> Self {
        let Size { gpus, window, value } = *one;
        let (start_at, end_at) = (Moment(window.start()), Moment(window.end()));
        Self { gpus, start_at, end_at, value: Amount(value) }
    }
}

impl From<&Amendment> for AmendmentView {
    fn from(one: &Amendment) -> Self {
        Self {
            contract_id: one.contract,
            number: one.no,
            kind: one.kind,
            effective_at: Moment(one.effective_at),
            before: ExtentView::from(&one.before),
            after: ExtentView::from(&one.after),
            moved: one.moved.as_ref().map(MoveView::from),
            fee: Amount(one.fee),
            held_before: Amount(one.held_before),
            held_after: Amount(one.held_after),
            made_at: Instant(one.made_at),
        }
    }
}

impl AmendedView {
    pub fn new(amendment: &Amendment, contract: &Contract) -> Self {
        Self { amendment: AmendmentView::from(amendment), contract: ContractView::from(contract) }
    }
}

/// Hands in a change, or only asks what it would do.
async fn change(
    who: &Caller<grant::Trade>,
    (key, fingerprint): (RequiredKey, u128),
    ask: ChangeContract,
    door: &Door,
) -> Reply {
    let (org, id, dry_run) = (who.organization(), ask.id, ask.dry_run);
    let command = Command::ChangeContract(ask);
    if dry_run {
        return door.ask_dry(who, command).await;
    }
    let key = key.over(org, fingerprint);
    let is_theirs = move |one: &Contract| one.customer == org;
    door.ask_about(who, Some(key), command, contracts::settled(id, is_theirs)).await
}

/// Cancel a contract
///
/// All that is left of it, from the next slot on; the fee is by its terms. With `dry_run=true`
/// every check runs and nothing changes. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/cancel", tag = "Trading",
    params(ContractId, DryRun, KeyHeader),
    responses((status = 200, description = "The change, and the contract after it",
            body = AmendedView)),
)]
pub async fn cancel(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<CancelBody>,
    door: Data<Door>,
) -> Reply {
    let CancelBody { fee_max } = body.value;
    let fee_max = fee_max.map(|most| most.0);
    let change_to = Change::Cancel;
    let ask = ChangeContract { id: id.0, change: change_to, fee_max, dry_run: query.dry_run };
    change(&who, (key, body.fingerprint), ask, &door).await
}

/// Shrink a contract
///
/// Fewer GPUs from an instant on; the dearest go first. With `dry_run=true` every check runs and
/// nothing changes. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/shrink", tag = "Trading",
    params(ContractId, DryRun, KeyHeader),
    responses((status = 200, description = "The change, and the contract after it",
            body = AmendedView)),
)]
pub async fn shrink(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<ShrinkBody>,
    door: Data<Door>,
) -> Reply {
    let ShrinkBody { gpus, start_at, fee_max } = body.value;
    let (from, fee_max) = (start_at.map(|at| at.0), fee_max.map(|most| most.0));
    let change_to = Change::Shrink { gpus, from };
    let ask = ChangeContract { id: id.0, change: change_to, fee_max, dry_run: query.dry_run };
    change(&who, (key, body.fingerprint), ask, &door).await
}

/// Extend a contract
///
/// A later end, in the same pool, at the listings' asks. With `dry_run=true` every check runs and
/// nothing changes. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/extend", tag = "Trading",
    params(ContractId, DryRun, KeyHeader),
    responses((status = 200, description = "The change, and the contract after it",
            body = AmendedView)),
)]
pub async fn extend(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<ExtendBody>,
    door: Data<Door>,
) -> Reply {
    let ExtendBody { end_at: Moment(end), limit_price_per_gpu_hour, fee_max } = body.value;
    let (limit, fee_max) = (limit_price_per_gpu_hour.map(|it| it.0), fee_max.map(|most| most.0));
    let change_to = Change::Extend { end, limit };
    let ask = ChangeContract { id: id.0, change: change_to, fee_max, dry_run: query.dry_run };
    change(&who, (key, body.fingerprint), ask, &door).await
}

/// Grow a contract
///
/// More GPUs from an instant to the end, in the same pool, at the listings' asks. With
/// `dry_run=true` every check runs and nothing changes. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/grow", tag = "Trading",
    params(ContractId, DryRun, KeyHeader),
    responses((status = 200, description = "The change, and the contract after it",
            body = AmendedView)),
)]
pub async fn grow(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<GrowBody>,
    door: Data<Door>,
) -> Reply {
    let GrowBody { gpus, start_at, limit_price_per_gpu_hour, fee_max } = body.value;
    let (from, fee_max) = (start_at.map(|at| at.0), fee_max.map(|most| most.0));
    let limit = limit_price_per_gpu_hour.map(|it| it.0);
    let change_to = Change::Grow { gpus, from, limit };
    let ask = ChangeContract { id: id.0, change: change_to, fee_max, dry_run: query.dry_run };
    change(&who, (key, body.fingerprint), ask, &door).await
}

/// Quote a cancellation
///
/// What cancelling now would cost, and until when that holds. Nothing is changed. Needs the right
/// `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/cancellation_quote", tag = "Trading",
    params(ContractId), request_body = Option<Nothing>,
    responses((status = 200, description = "The cancellation as it would be",
            body = CancellationQuoteView)),
)]
pub async fn quote_cancellation(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    _: NoBody,
    door: Data<Door>,
) -> Reply {
    let ask = ChangeContract { id: id.0, change: Change::Cancel, fee_max: None, dry_run: true };
    match door.decide(&who, Command::ChangeContract(ask)).await? {
        (Answer::Amended { amendment, contract }, now) => {
            let expires_at = next_slot(&door, &contract, now);
            let amendment = AmendmentView::from(&amendment);
            Ok(shown(&CancellationQuoteView { amendment, expires_at }))
        }
        (other, _) => unexpected(&other),
    }
}

/// The first slot boundary at or after an instant: what is counted from it is the same until then.
fn next_slot(door: &Door, contract: &Contract, now: Micros) -> Moment {
    let view = door.desk.view();
    let slot = view.skus.get(&contract.sku).map_or(1, |sku| sku.slot_minutes);
    let begun = now.minute();
    let next = if begun.micros() == now { begun } else { begun.plus(1) };
    Moment(next.ceil_to(slot))
}

/// List a contract's amendments
///
/// Every change to it, the first one first.
#[utoipa::path(
    get, path = "/v1/contracts/{id}/amendments", tag = "Trading",
    params(ContractId),
    responses((status = 200, description = "All of them", body = List<AmendmentView>)),
)]
pub async fn list(who: Caller<grant::View>, id: Path<ContractId>, door: Data<Door>) -> Reply {
    contracts::find(&who, id.0, &door).await?;
    let all = door.read(move |reader| reader.amendments(&id.0)).await?;
    Ok(shown(&page::whole(all.iter().map(AmendmentView::from).collect())))
}
