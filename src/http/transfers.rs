//! Contracts that go to another organization of the group: `/v1/contracts/{id}/transfer`, and the
//! other's word, `/v1/contracts/{id}/accept_transfer`.

use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Door;
use super::amendments::AmendedView;
use super::caller::{Caller, grant};
use super::contracts::{self, ContractView};
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::{Json, NoBody, Nothing};
use super::query::{DryRun, Path, Query};
use super::reply::Reply;
use crate::engine::Command;
use crate::engine::amendment::{Transfer, TransferStep};
use crate::engine::contract::Contract;
use crate::model::id::{ContractId, OrgId};

/// To whom a contract is offered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferBody {
    /// Another customer of your group; null takes the offer back.
    #[serde(deserialize_with = "Option::deserialize")]
    organization_id: Option<OrgId>,
}

/// Offer a contract to another organization of the group
///
/// What is left of it goes there once the other accepts; until then nothing changes, and any change
/// of the contract ends the offer. With `dry_run=true` every check runs and nothing changes. Needs
/// the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/transfer", tag = "Trading",
    params(ContractId, DryRun, KeyHeader),
    responses((status = 200, description = "The contract", body = ContractView)),
)]
pub async fn offer(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: Json<TransferBody>,
    door: Data<Door>,
) -> Reply {
    let (org, dry_run) = (who.organization(), query.dry_run);
    let to = body.value.organization_id;
    let step = TransferStep::Offer { to };
    let command = Command::Transfer(Transfer { contract: id.0, step, dry_run });
    if dry_run {
        return door.ask_dry(&who, command).await;
    }
    let key = key.over(org, body.fingerprint);
    let is_theirs = move |one: &Contract| one.customer == org;
    door.ask_about(&who, Some(key), command, contracts::settled(id.0, is_theirs)).await
}

/// Accept a contract of another organization of the group
///
/// What was charged until now stays with the other; the hold and the guarantee of the rest go to
/// your credit line. The terms stay. With `dry_run=true` every check runs and nothing changes.
/// Needs the right `trade`.
#[utoipa::path(
    post, path = "/v1/contracts/{id}/accept_transfer", tag = "Trading",
    params(ContractId, DryRun, KeyHeader), request_body = Option<Nothing>,
    responses((status = 200, description = "The change, and the contract after it",
            body = AmendedView)),
)]
pub async fn accept(
    who: Caller<grant::Trade>,
    id: Path<ContractId>,
    query: Query<DryRun>,
    key: RequiredKey,
    body: NoBody,
    door: Data<Door>,
) -> Reply {
    let (org, dry_run) = (who.organization(), query.dry_run);
    let step = TransferStep::Take;
    let command = Command::Transfer(Transfer { contract: id.0, step, dry_run });
    if dry_run {
        return door.ask_dry(&who, command).await;
    }
    let key = key.over(org, body.fingerprint);
    let is_theirs = move |one: &Contract| one.transfer_to == Some(org);
    door.ask_about(&who, Some(key), command, contracts::settled(id.0, is_theirs)).await
}
