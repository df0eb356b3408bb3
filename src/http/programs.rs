//! `/v1/programs`: vendor terms on supported capacity, in versions that never change.

use std::sync::Arc;

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, grant};
use super::idempotency::{OptionalKey, OptionalKeyHeader};
use super::json::Json;
use super::money::{Amount, PriceText};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown, shown_with_tag};
use super::time::Instant;
use super::version::{IfMatch, IfMatchHeader};
use super::{Door, fresh};
use crate::engine::Command;
use crate::engine::program::{
    BackstopTerms, FrozenProgram, GuaranteeTerms, Program, ProgramTerms, ShareStep,
};
use crate::model::id::{LineId, OrgId, PoolId, ProgramId};

/// From this contract month on the vendor takes this share.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShareStep, example = json!({ "from_month": 1, "vendor_share_bps": 1500 }))]
pub struct ShareBody {
    /// The first month of a contract is 1.
    #[schema(minimum = 1)]
    from_month: u32,
    /// In hundredths of a percent.
    #[schema(maximum = 10_000)]
    vendor_share_bps: u32,
}

/// What the vendor stands behind.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Guarantee)]
pub struct GuaranteeBody {
    /// How much of the exposure above the first loss, in hundredths of a percent.
    #[schema(maximum = 10_000, example = 8000)]
    coverage_bps: u32,
    /// What the customer's exposure must exceed first.
    first_loss: Amount,
    /// The most for one credit line.
    cap: Amount,
}

/// The vendor buys what is unsold of supported capacity so long before its delivery: each UTC day
/// of a listing at once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Backstop)]
pub struct BackstopBody {
    /// What the vendor pays, whatever the listing asks.
    price_per_gpu_hour: PriceText,
    /// How long before a day begins. What was not on offer by then is not bought.
    #[schema(minimum = 1, maximum = 2208, example = 72)]
    lead_hours: u32,
    /// The most that is bought in all. It may fall to what was bought already, and no further.
    cap: Amount,
}

/// The terms of a version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProgramTerms)]
pub struct TermsBody {
    /// Rising months, the first is 1.
    #[schema(min_items = 1, max_items = 24)]
    shares: Vec<ShareBody>,
    guarantee: Option<GuaranteeBody>,
    /// Stays once it is agreed.
    backstop: Option<BackstopBody>,
}

/// A program to be entered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramBody {
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// The vendor's organization.
    vendor_id: OrgId,
    #[schema(min_items = 1, max_items = 24)]
    shares: Vec<ShareBody>,
    guarantee: Option<GuaranteeBody>,
    backstop: Option<BackstopBody>,
}

/// A pool to be put under a program.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolBody {
    pool_id: PoolId,
}

/// A program in its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgramView {
    id: ProgramId,
    name: String,
    vendor_id: OrgId,
    version: u32,
    shares: Vec<ShareBody>,
    guarantee: Option<GuaranteeBody>,
    backstop: Option<BackstopBody>,
    /// The credit line that the backstop buys on: its limit is what is left of the cap.
    backstop_line_id: Option<LineId>,
    pools: Vec<PoolId>,
    created_at: Instant,
}

/// One version of a program, as a contract keeps it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrozenProgramView {
    program_id: ProgramId,
    version: u32,
    vendor_id: OrgId,
    shares: Vec<ShareBody>,
    guarantee: Option<GuaranteeBody>,
    backstop: Option<BackstopBody>,
}

/// Which page of programs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProgramsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl TermsBody {
    fn into_terms(self) -> ProgramTerms {
        let step = |step: ShareBody| ShareStep {
            from_month: step.from_month,
            vendor_share: step.vendor_share_bps,
        };
        let guarantee = |terms: GuaranteeBody| GuaranteeTerms {
            coverage: terms.coverage_bps,
            first_loss: terms.first_loss.0,
            cap: terms.cap.0,
        };
        let backstop = |terms: BackstopBody| BackstopTerms {
            price: terms.price_per_gpu_hour.0,
            lead_hours: terms.lead_hours,
            cap: terms.cap.0,
        };
        ProgramTerms {
            shares: self.shares.into_iter().map(step).collect(),
            guarantee: self.guarantee.map(guarantee),
            backstop: self.backstop.map(backstop),
        }
    }
}

impl From<&Arc<ProgramTerms>> for TermsBody {
    fn from(terms: &Arc<ProgramTerms>) -> Self {
        let step = |step: &ShareStep| ShareBody {
            from_month: step.from_month,
            vendor_share_bps: step.vendor_share,
        };
        let guarantee = |terms: GuaranteeTerms| GuaranteeBody {
            coverage_bps: terms.coverage,
            first_loss: Amount(terms.first_loss),
            cap: Amount(terms.cap),
        };
        let backstop = |terms: BackstopTerms| BackstopBody {
            price_per_gpu_hour: PriceText(terms.price),
            lead_hours: terms.lead_hours,
            cap: Amount(terms.cap),
        };
        Self {
            shares: terms.shares.iter().map(step).collect(),
            guarantee: terms.guarantee.map(guarantee),
            backstop: terms.backstop.map(backstop),
        }
    }
}

impl From<&Program> for ProgramView {
    fn from(one: &Program) -> Self {
        let TermsBody { shares, guarantee, backstop } = TermsBody::from(&one.terms);
        Self {
            id: one.id,
            name: one.name.clone(),
            vendor_id: one.vendor,
            version: one.version,
            shares,
            guarantee,
            backstop,
            backstop_line_id: backstop.map(|_| one.backstop_line()),
            pools: one.pools.iter().copied().collect(),
            created_at: Instant(one.created_at),
        }
    }
}

impl From<&FrozenProgram> for FrozenProgramView {
    fn from(one: &FrozenProgram) -> Self {
        let TermsBody { shares, guarantee, backstop } = TermsBody::from(&one.terms);
        Self {
            program_id: one.program,
            version: one.version,
            vendor_id: one.vendor,
            shares,
            guarantee,
            backstop,
        }
    }
}

/// List programs
#[utoipa::path(
    get, path = "/v1/programs", tag = "Programs",
    params(ProgramsQuery),
    responses((status = 200, description = "A page", body = List<ProgramView>)),
)]
pub async fn list(_: Caller<grant::View>, query: Query<ProgramsQuery>, door: Data<Door>) -> Reply {
    let page = page::page("program", query.limit, query.cursor.as_deref())?;
    let slice = door.read(move |reader| reader.programs(&(), &page)).await?;
    Ok(shown(&page::list("program", slice, |one| one.id, |one| ProgramView::from(&one))))
}

/// Read a program
#[utoipa::path(
    get, path = "/v1/programs/{id}", tag = "Programs",
    params(ProgramId),
    responses((status = 200, description = "The program, with its ETag", body = ProgramView)),
)]
pub async fn get(_: Caller<grant::View>, id: Path<ProgramId>, door: Data<Door>) -> Reply {
    let found = door.read(move |reader| reader.program(&id.0)).await?;
    let found = found.ok_or_else(|| Problem::not_found("program"))?;
    Ok(shown_with_tag(&ProgramView::from(&found), found.version))
}

/// Enter a program
///
/// Needs the right `catalogue`.
#[utoipa::path(
    post, path = "/v1/programs", tag = "Programs", params(OptionalKeyHeader),
    responses((status = 201, description = "The program", body = ProgramView)),
)]
pub async fn create(
    who: Caller<grant::Catalogue>,
    key: OptionalKey,
    body: Json<ProgramBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ProgramBody { name, vendor_id: vendor, shares, guarantee, backstop } = body.value;
    let terms = TermsBody { shares, guarantee, backstop }.into_terms();
    let id = ProgramId::new(fresh());
    door.ask(&who, key, Command::CreateProgram { id, name, vendor, terms }).await
}

/// Amend a program
///
/// A new version for contracts made from now on; those already made keep theirs. Needs the right
/// `catalogue`.
#[utoipa::path(
    post, path = "/v1/programs/{id}/versions", tag = "Programs",
    params(ProgramId, IfMatchHeader, OptionalKeyHeader),
    responses((status = 200, description = "The program in its new version", body = ProgramView)),
)]
pub async fn amend(
    who: Caller<grant::Catalogue>,
    id: Path<ProgramId>,
    seen: IfMatch,
    key: OptionalKey,
    body: Json<TermsBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let terms = body.value.into_terms();
    door.ask(&who, key, Command::AmendProgram { id: id.0, expect: seen.0, terms }).await
}

/// Enrol a pool
///
/// Puts a pool's capacity under the program, so that listings may name it. Needs the right
/// `catalogue`.
#[utoipa::path(
    post, path = "/v1/programs/{id}/pools", tag = "Programs", params(ProgramId, OptionalKeyHeader),
    responses((status = 200, description = "The program", body = ProgramView)),
)]
pub async fn enrol(
    who: Caller<grant::Catalogue>,
    id: Path<ProgramId>,
    key: OptionalKey,
    body: Json<EnrolBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let pool = body.value.pool_id;
    door.ask(&who, key, Command::EnrolPool { program: id.0, pool }).await
}
