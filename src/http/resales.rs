//! Parts of contracts that are sold on: `/v1/contracts/{id}/resell`. A sale can be asked what it
//! would do before the part is offered.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::amendments::AmendmentView;
use super::bill::PartsView;
use super::caller::{Caller, grant};
use super::contracts::{self, ContractView};
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::Json;
use super::listings::ListingView;
use super::matching::AllocationView;
use super::money::{Amount, PriceText};
use super::pools::window;
use super::query::{DryRun, Path, Query};
use super::reply::Reply;
use super::time::Moment;
use super::{Door, fresh};
use crate::engine::Command;
use crate::engine::contract::Contract;
use crate::engine::listing::{Audience, OrderLimits};
use crate::engine::resale::{Resale, Resell, Resold};
use crate::model::id::{ContractId, ListingId};
use crate::model::{Country, Segment, limits};

/// A part of a contract, offered to others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResellBody {
    /// Of the contract's own: not on offer yet, not sold on, not bought of a customer.
    #[schema(minimum = 1, maximum = 2_000_000, example = 32)]
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    /// What is asked for it, above or below the contract's own price.
    price_per_gpu_hour: PriceText,
    /// The smallest order it takes part in.
    min_gpus: Option<u32>,
    max_gpus: Option<u32>,
    min_hours: Option<u32>,
    max_hours: Option<u32>,
    /// A block must start at least so long after it is ordered.
    notice_hours: Option<u32>,
    /// Kinds of customers it is for; everyone when empty.
    #[serde(default)]
    #[schema(max_items = 300)]
    segments: Vec<Segment>,
    /// Customers' countries it is for; everyone when empty.
    #[serde(default)]
    #[schema(max_items = 300)]
    countries: Vec<Country>,
}

/// Which offer is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndResaleBody {
    /// All that the contract offers when left out.
    listing_id: Option<ListingId>,
}

/// A part on offer, and what happens if all of it is sold at the asked price.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResoldView {
    /// One for each draw that the part is of.
    listings: Vec<ListingView>,
    /// What the sale does to the contract and its credit, and the fee for it.
    sale: AmendmentView,
    /// What buyers pay for the part.
    proceeds: Amount,
    /// What you still pay for it, by the hour, so that the provider has what it was promised.
    make_whole: Amount,
    /// What you gain by it, once the buyers have paid.
    gain: Amount,
    /// Who has which part of what is charged for all of the contract's capacity, without the sale.
    parts_before: PartsView,
    /// The same with it.
    parts_after: PartsView,
    /// As it is now.
    contract: ContractView,
}

/// What of a contract is offered, was sold on, or was bought of another customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResaleView {
    /// Of the allocations: on offer, at what the contract pays.
    offered: Vec<AllocationView>,
    /// Gone to buyers, at what the contract still pays for it.
    sold: Vec<AllocationView>,
    /// The listings among the allocations that were customers' resales.
    bought_of: Vec<ListingId>,
}

impl From<&Resale> for ResaleView {
    fn from(one: &Resale) -> Self {
        Self {
            offered: one.offered.iter().map(|it| AllocationView::from(&it.draw)).collect(),
            sold: one.sold.iter().map(AllocationView::from).collect(),
            bought_of: one.origins.iter().map(|origin| origin.listing).collect(),
        }
    }
}

impl From<&Resold> for ResoldView {
    fn from(one: &Resold) -> Self {
        Self {
            listings: one.listings.iter().map(ListingView::from).collect(),
            sale: AmendmentView::from(&one.sale),
            proceeds: Amount(one.proceeds),
            make_whole: Amount(one.make_whole),
            gain: Amount(one.gain),
            parts_before: PartsView::from(one.parts_before),
            parts_after: PartsView::from(one.parts_after),
            contract: ContractView::from(&one.contract),
        }
    }
}

/// Sell a part of a contract on
///
/// Offers it to every other customer; until it is bought it stays the contract's. Each hour that is
/// sold is charged to the buyer, and what the provider would miss by it to the contract; what it
/// brings above the contract's price is its customer's. With `dry_run=true` every check runs,
/// nothing changes, and the answer says what the sale would do. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/resell", tag = "Trading",
    params(ContractId, DryRun, KeyHeader),
    responses((status = 200, description = "The listings, and what their sale does",
            body = ResoldView)),
)]
pub async fn create(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<ResellBody>,
    door: Data<Door>,
) -> Reply {
    let org = who.organization();
    let key = key.over(org, body.fingerprint);
    let command = resell(id.0, body.value, query.dry_run)?;
    if query.dry_run {
        return door.ask_dry(&who, command).await;
    }
    let is_theirs = move |one: &Contract| one.customer == org;
    door.ask_about(&who, Some(key), command, contracts::settled(id.0, is_theirs)).await
}

fn resell(
    contract: ContractId,
    body: ResellBody,
    dry_run: bool,
) -> Result<Command, super::problem::Problem> {
    let ResellBody { gpus, start_at, end_at, price_per_gpu_hour, segments, countries, .. } = body;
    Ok(Command::Resell(Resell {
        contract,
        listings: (0..limits::DRAWS_PER_RESALE_MAX).map(|_| ListingId::new(fresh())).collect(),
        gpus,
        window: window(start_at, end_at)?,
        price: price_per_gpu_hour.0,
        limits: OrderLimits {
            min_gpus: body.min_gpus,
            max_gpus: body.max_gpus,
            min_hours: body.min_hours,
            max_hours: body.max_hours,
            notice_hours: body.notice_hours,
        },
        audience: Audience { segments, countries },
        dry_run,
    }))
}

/// Take an offered part back
///
/// What of it is sold stays sold; the rest is the contract's alone again. Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/end_resale", tag = "Trading",
    params(ContractId, KeyHeader),
    responses((status = 200, description = "The contract", body = ContractView)),
)]
pub async fn end(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    key: RequiredKey,
    body: Json<EndResaleBody>,
    door: Data<Door>,
) -> Reply {
    let org = who.organization();
    let key = key.over(org, body.fingerprint);
    let command = Command::EndResale { contract: id.0, listing: body.value.listing_id };
    let is_theirs = move |one: &Contract| one.customer == org;
    door.ask_about(&who, Some(key), command, contracts::settled(id.0, is_theirs)).await
}
