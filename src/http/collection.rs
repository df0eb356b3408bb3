//! What follows a credit line's default, under `/v1/credit_lines/{id}`: the decision, guarantors'
//! payments, write-offs, recoveries.

use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::Json;
use super::lines::{self, LineNoteBody, LineView, closed};
use super::money::{Amount, amount_body};
use super::payments::SplitView;
use super::problem::Problem;
use super::query::{Path, part};
use super::reply::{Reply, shown};
use super::time::Instant;
use crate::engine::Command;
use crate::engine::billing::Party;
use crate::engine::credit::{Bearer, Borne, Claim, Collection, DefaultReason};
use crate::model::id::{LineId, OrgId, ProgramId, UserId};

/// Why a line is declared in default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultBody {
    reason: DefaultReason,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// Money that has come in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBody {
    #[schema(schema_with = amount_body)]
    amount: Amount,
    /// The bank's own words for it.
    #[serde(default)]
    #[schema(max_length = 128)]
    reference: String,
}

/// A claim of a defaulted line.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ClaimPath {
    id: LineId,
    program_id: ProgramId,
}

/// What a guarantor was asked to pay.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClaimView {
    program_id: ProgramId,
    guarantor: OrgId,
    amount: Amount,
    paid: Amount,
    /// Which invoices it stands for, and with how much each.
    invoices: Vec<SplitView>,
}

/// Who has borne how much of the loss.
#[derive(Debug, Serialize, ToSchema)]
pub struct BorneView {
    /// `guarantor`, `provider`, `vendor` or `platform`.
    party: &'static str,
    organization_id: Option<OrgId>,
    /// For a vendor: the program of its share.
    program_id: Option<ProgramId>,
    amount: Amount,
    /// What of it came back.
    recovered: Amount,
}

/// A defaulted line's debt and what becomes of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionView {
    credit_line_id: LineId,
    organization_id: OrgId,
    reason: DefaultReason,
    /// The two officers.
    decided_by: Vec<UserId>,
    /// What was drawn when the line defaulted.
    defaulted: Amount,
    claims: Vec<ClaimView>,
    written_off: Amount,
    /// The loss by who bears it: guarantors by what they paid, the others by what was written off.
    borne: Vec<BorneView>,
    /// What the customer paid after all.
    recovered: Amount,
    defaulted_at: Instant,
    changed_at: Instant,
    version: u32,
}

impl FromRequest for ClaimPath {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let path = request.match_info();
        let id = part("id", path.query("id"));
        let program = part("program_id", path.query("program_id"));
        std::future::ready(id.and_then(|id| Ok(ClaimPath { id, program_id: program? })))
    }
}

impl From<&Claim> for ClaimView {
    fn from(one: &Claim) -> Self {
        let invoices = one.invoices.iter();
        Self {
            program_id: one.program,
            guarantor: one.guarantor,
            amount: Amount(one.amount),
            paid: Amount(one.paid),
            invoices: invoices.map(|(id, amount)| SplitView::new(*id, *amount)).collect(),
        }
    }
}

impl From<&Borne> for BorneView {
    fn from(one: &Borne) -> Self {
        let Borne { party, amount, recovered } = *one;
        let (party, organization_id, program_id) = match party {
            Bearer::Guarantor(org) => ("guarantor", Some(org), None),
            Bearer::Party(Party::Provider(org)) => ("provider", Some(org), None),
            Bearer::Party(Party::Vendor { program, vendor }) => {
                ("vendor", Some(vendor), Some(program))
            }
            Bearer::Party(Party::Platform) => ("platform", None, None),
            Bearer::Party(Party::Reseller(org)) => ("reseller", Some(org), None),
        };
        let (amount, recovered) = (Amount(amount), Amount(recovered));
        Self { party, organization_id, program_id, amount, recovered }
    }
}

impl From<&Collection> for CollectionView {
    fn from(one: &Collection) -> Self {
        Self {
            credit_line_id: one.line,
            organization_id: one.org,
            reason: one.reason,
            decided_by: one.decided_by.to_vec(),
            defaulted: Amount(one.defaulted),
            claims: one.claims.iter().map(ClaimView::from).collect(),
            written_off: Amount(one.written_off),
            borne: one.borne.iter().map(BorneView::from).collect(),
            recovered: Amount(one.recovered),
            defaulted_at: Instant(one.defaulted_at),
            changed_at: Instant(one.changed_at),
            version: one.version,
        }
    }
}

/// Declare a default
///
/// Takes two officers: the first proposes, the second does it for the same reason. Contracts are
/// terminated, their capacity returns to the market, guarantors are called; what becomes of the
/// debt is the line's collection. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/default", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The line, with the proposal or in default",
            body = LineView)),
)]
pub async fn declare(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<DefaultBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let DefaultBody { reason, note } = body.value;
    let command = Command::DefaultLine { id: id.0, reason, note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// Read a collection
///
/// What became of a defaulted line's debt.
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}/collection", tag = "Credit",
    params(LineId),
    responses((status = 200, description = "The collection", body = CollectionView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<LineId>, door: Data<Door>) -> Reply {
    lines::find(&who, id.0, &door).await?;
    let found = door.read(move |reader| reader.collection(&id.0)).await?;
    let found = found.ok_or_else(|| Problem::not_found("collection"))?;
    Ok(shown(&CollectionView::from(&found)))
}

/// Record a claim's payment
///
/// A guarantor has paid on a claim. Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/claims/{program_id}/payments", tag = "Credit",
    params(ClaimPath, KeyHeader),
    responses((status = 200, description = "The collection", body = CollectionView)),
)]
pub async fn pay_claim(
    who: Caller<grant::Bill>,
    path: ClaimPath,
    key: RequiredKey,
    body: Json<ReceiptBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let (ReceiptBody { amount: Amount(amount), reference }, line) = (body.value, path.id);
    let command = Command::RecordClaimPayment { line, program: path.program_id, amount, reference };
    door.ask(&who, Some(key), command).await
}

/// Write off
///
/// Gives up what nobody has paid or was claimed for; each party bears its part, and the customer
/// still owes it. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/write_off", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The collection", body = CollectionView)),
)]
pub async fn write_off(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<LineNoteBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::WriteOff { line: id.0, note: body.value.note };
    door.ask(&who, Some(key), command).await
}

/// Record a recovery
///
/// Money has come in on a written-off debt; it is shared by the loss borne. Needs the right `bill`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/recoveries", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The collection", body = CollectionView)),
)]
pub async fn recover(
    who: Caller<grant::Bill>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<ReceiptBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ReceiptBody { amount: Amount(amount), reference } = body.value;
    let command = Command::RecordRecovery { line: id.0, amount, reference };
    door.ask(&who, Some(key), command).await
}
