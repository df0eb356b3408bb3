//! `/v1/listings`: providers' offers, their limits and their prices.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::{Json, NoBody, Nothing};
use super::money::PriceText;
use super::page::{self, List};
use super::pools::window;
use super::problem::Problem;
use super::query::{DryRun, Path, Query};
use super::reply::{Reply, shown, shown_with_tag};
use super::time::{Instant, Moment};
use super::version::{IfMatch, IfMatchHeader};
use super::{Door, fresh};
use crate::engine::command::PublishListing;
use crate::engine::listing::{Audience, Listing, ListingState, OrderLimits};
use crate::engine::party::Organization;
use crate::engine::{Command, Refusal};
use crate::model::id::{ListingId, OrgId, PoolId, ProgramId};
use crate::model::{Code, Country, RegionCode, Segment, SkuCode};
use crate::store::Fault;
use crate::store::read::{ListingFilter, Reader};

/// An offer to be published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListingBody {
    pool_id: PoolId,
    #[schema(minimum = 1, maximum = 2_000_000, example = 1440)]
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
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
    /// The program the capacity is supported under.
    program_id: Option<ProgramId>,
    /// Kept as a draft that nobody else sees until it is published.
    #[serde(default)]
    draft: bool,
}

/// The new price.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepriceBody {
    price_per_gpu_hour: PriceText,
}

/// An offer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListingView {
    id: ListingId,
    provider: OrgId,
    pool_id: PoolId,
    #[schema(value_type = Code)]
    sku: SkuCode,
    #[schema(value_type = Code)]
    region: RegionCode,
    gpus: u32,
    start_at: Moment,
    end_at: Moment,
    price_per_gpu_hour: PriceText,
    min_gpus: Option<u32>,
    max_gpus: Option<u32>,
    min_hours: Option<u32>,
    max_hours: Option<u32>,
    notice_hours: Option<u32>,
    segments: Vec<Segment>,
    countries: Vec<Country>,
    program_id: Option<ProgramId>,
    /// The start of the next stretch that the program's backstop looks at: what of it is unsold
    /// when the lead time comes is the vendor's.
    backstop_at: Option<Moment>,
    /// A part of a contract that its customer sells on.
    is_resale: bool,
    state: ListingState,
    /// Rises with every change; the `ETag`.
    version: u32,
    created_at: Instant,
}

/// Which listings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListingsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    provider: Option<OrgId>,
    pool_id: Option<PoolId>,
    #[param(value_type = Option<Code>)]
    sku: Option<SkuCode>,
    #[param(value_type = Option<Code>)]
    region: Option<RegionCode>,
    state: Option<ListingState>,
}

impl From<&Listing> for ListingView {
    fn from(one: &Listing) -> Self {
        let OrderLimits { min_gpus, max_gpus, min_hours, max_hours, notice_hours } = one.limits;
        let Audience { segments, countries } = one.audience.clone();
        Self {
            id: one.id,
            provider: one.provider,
            pool_id: one.pool,
            sku: one.sku.clone(),
            region: one.region.clone(),
            gpus: one.gpus,
            start_at: Moment(one.window.start()),
            end_at: Moment(one.window.end()),
            price_per_gpu_hour: PriceText(one.price),
            min_gpus,
            max_gpus,
            min_hours,
            max_hours,
            notice_hours,
            segments,
            countries,
            program_id: one.program,
            backstop_at: one.backstop_at.map(Moment),
            is_resale: one.resale.is_some(),
            state: one.state,
            version: one.version,
            created_at: Instant(one.created_at),
        }
    }
}

impl ListingBody {
    fn into_command(self, dry_run: bool) -> Result<Command, Problem> {
        let window = window(self.start_at, self.end_at)?;
        Ok(Command::PublishListing(PublishListing {
            id: ListingId::new(fresh()),
            pool: self.pool_id,
            gpus: self.gpus,
            window,
            price: self.price_per_gpu_hour.0,
            limits: OrderLimits {
                min_gpus: self.min_gpus,
                max_gpus: self.max_gpus,
                min_hours: self.min_hours,
                max_hours: self.max_hours,
                notice_hours: self.notice_hours,
            },
            audience: Audience { segments: self.segments, countries: self.countries },
            program: self.program_id,
            draft: self.draft,
            dry_run,
        }))
    }
}

/// Whether a listing is for this organization to see: its own, or a live one meant for its kind.
fn is_for(listing: &Listing, party: &Organization) -> bool {
    if [listing.provider, listing.owner()].contains(&party.id) {
        return true;
    }
    let Audience { segments, countries } = &listing.audience;
    let fits_segment =
        segments.is_empty() || party.segment.is_some_and(|segment| segments.contains(&segment));
    let fits_country = countries.is_empty() || countries.contains(&party.country);
    let is_out = matches!(listing.state, ListingState::Live | ListingState::SoldOut);
    is_out && fits_segment && fits_country
}

/// A provider's own listing that the engine has forgotten: in which state it ended.
fn ended(
    id: ListingId,
    provider: OrgId,
    needed: &'static str,
) -> impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> {
    move |reader| {
        let found = reader.listing(&id)?.filter(|one| one.owner() == provider);
        let kind = "listing";
        Ok(found.map(|one| Refusal::WrongState { kind, state: one.state.as_str(), needed }))
    }
}

/// List listings
///
/// A provider's own in every state, and everybody's that are live and meant for the caller's kind
/// of customer. Pages may be shorter than `limit` for that reason; `has_more` tells whether there
/// are others.
#[utoipa::path(
    get, path = "/v1/listings", tag = "Listings",
    params(ListingsQuery),
    responses((status = 200, description = "A page", body = List<ListingView>)),
)]
pub async fn list(
    who: Caller<grant::View>,
    query: Query<ListingsQuery>,
    door: Data<Door>,
) -> Reply {
    let ListingsQuery { limit, cursor, provider, pool_id, sku, region, state } = query.0;
    let page = page::page("listing", limit, cursor.as_deref())?;
    let owner_or_public = who.scope();
    let filter = ListingFilter { provider, pool: pool_id, sku, region, state, owner_or_public };
    let slice = door.read(move |reader| reader.listings(&filter, &page)).await?;
    let is_shown = |one: &Listing| owner_or_public.is_none() || is_for(one, who.party());
    // The cursor goes by the last one read, so that a page of strangers' listings still leads on.
    let shown_too: Vec<bool> = slice.data.iter().map(is_shown).collect();
    let view = |one: Listing| ListingView::from(&one);
    let mut list = page::list("listing", slice, |one| one.id, view);
    let mut keep = shown_too.into_iter();
    list.data.retain(|_| keep.next().unwrap_or(false));
    Ok(shown(&list))
}

/// Read a listing
#[utoipa::path(
    get, path = "/v1/listings/{id}", tag = "Listings",
    params(ListingId),
    responses((status = 200, description = "The listing, with its ETag", body = ListingView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<ListingId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.listing(&id.0)).await?;
    let found = found.filter(|one| who.scope().is_none() || is_for(one, who.party()));
    let found = found.ok_or_else(|| Problem::not_found("listing"))?;
    Ok(shown_with_tag(&ListingView::from(&found), found.version))
}

/// Publish a listing
///
/// Live at once, unless it is kept as a draft. Never more than is installed. With `dry_run=true`
/// every check runs and nothing changes. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/listings", tag = "Listings", params(DryRun, OptionalKeyHeader),
    responses(
        (status = 201, description = "The listing", body = ListingView),
        (status = 200, description = "What a dry run found", body = ListingView),
    ),
)]
pub async fn create(
    who: Caller<grant::Offer>,
    query: Query<DryRun>,
    key: OptionalKey,
    body: Json<ListingBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = body.value.into_command(query.dry_run)?;
    if query.dry_run {
        door.ask_dry(&who, command).await
    } else {
        door.ask(&who, key, command).await
    }
}

/// Publish a draft
///
/// Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/listings/{id}/publish", tag = "Listings",
    params(ListingId, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The listing, live", body = ListingView)),
)]
pub async fn publish(
    who: Caller<grant::Offer>,
    id: Path<ListingId>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ended = ended(id.0, who.organization(), "draft");
    door.ask_about(&who, key, Command::ReleaseListing { id: id.0 }, ended).await
}

/// Reprice a listing
///
/// For blocks sold from now on; nothing sold is repriced. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/listings/{id}/reprice", tag = "Listings",
    params(ListingId, IfMatchHeader, OptionalKeyHeader),
    responses((status = 200, description = "The listing at its new price", body = ListingView)),
)]
pub async fn reprice(
    who: Caller<grant::Offer>,
    id: Path<ListingId>,
    seen: IfMatch,
    key: OptionalKey,
    body: Json<RepriceBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let price = body.value.price_per_gpu_hour.0;
    let command = Command::RepriceListing { id: id.0, expect: seen.0, price };
    door.ask_about(&who, key, command, ended(id.0, who.organization(), "live")).await
}

/// Withdraw a listing
///
/// What is unsold leaves the market; what is sold stays sold. Needs the right `offer`.
#[utoipa::path(
    post, path = "/v1/listings/{id}/withdraw", tag = "Listings",
    params(ListingId, OptionalKeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The listing, withdrawn", body = ListingView)),
)]
pub async fn withdraw(
    who: Caller<grant::Offer>,
    id: Path<ListingId>,
    key: OptionalKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ended = ended(id.0, who.organization(), "live");
    door.ask_about(&who, key, Command::WithdrawListing { id: id.0 }, ended).await
}
