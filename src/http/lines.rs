//! `/v1/credit_lines`: limits, what is held and drawn on them, and the officers' changes.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::Json;
use super::ledger::EntryView;
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{Path, Query};
use super::reply::{Reply, shown, shown_with_tag};
use super::time::{Instant, Moment};
use super::version::{IfMatch, IfMatchHeader};
use crate::engine::contract::{Contract, ContractState};
use crate::engine::credit::{Balances, Line, LineState, Proposal};
use crate::engine::ledger::Entry;
use crate::engine::order::OrderState;
use crate::engine::quote::QuoteState;
use crate::engine::{Command, Refusal};
use crate::model::id::{ApplicationId, ContractId, LineId, OrderId, OrgId, QuoteId, UserId};
use crate::model::{Money, limits};
use crate::store::Fault;
use crate::store::read::{ContractFilter, OrderFilter, Page, Reader, Slice};

/// Things that hold, of one kind, in one answer: enough for people, bounded for the server.
const HOLDS_MAX: usize = 1_000;

/// Why a line is frozen or unfrozen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineNoteBody {
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A new limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitBody {
    #[schema(schema_with = amount_body)]
    limit: Amount,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A step that waits for a second officer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalView {
    /// `unfreeze` or `limit`.
    step: &'static str,
    /// The limit proposed.
    limit: Option<Amount>,
    proposed_by: UserId,
}

/// A credit line: `available = limit - held - drawn - defaulted`.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineView {
    id: LineId,
    organization_id: OrgId,
    application_id: ApplicationId,
    state: LineState,
    limit: Amount,
    available: Amount,
    /// By contracts not yet delivered, resting orders and firm quotes.
    held: Amount,
    /// Delivered and not yet paid.
    drawn: Amount,
    defaulted: Amount,
    /// `(held + drawn) / limit`, to four decimals.
    #[schema(example = 0.4608)]
    utilisation_ratio: f64,
    /// Where the limit is going, when a decrease waits for credit to free.
    target_limit: Option<Amount>,
    proposal: Option<ProposalView>,
    net_days: u32,
    /// When the line runs off.
    expires_at: Moment,
    note: String,
    /// Rises with every decision; the `ETag`.
    version: u32,
    created_at: Instant,
    changed_at: Instant,
}

/// Something that holds credit.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// The resting order, if it is one.
    order_id: Option<OrderId>,
    /// The firm quote, if it is one.
    quote_id: Option<QuoteId>,
    /// The contract, if it is one.
    contract_id: Option<ContractId>,
    amount: Amount,
    created_at: Instant,
}

/// Which page of a list of lines or entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinesQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl LineView {
    pub fn new(line: &Line, balances: Balances) -> Self {
        let Balances { limit, available, held, drawn, defaulted } = balances;
        Self {
            id: line.id,
            organization_id: line.org,
            application_id: line.application,
            state: line.state,
            limit: Amount(limit),
            available: Amount(available),
            held: Amount(held),
            drawn: Amount(drawn),
            defaulted: Amount(defaulted),
            utilisation_ratio: ratio(held, drawn, limit),
            target_limit: line.target_limit.map(Amount),
            proposal: line.proposal.as_ref().map(ProposalView::from),
            net_days: line.net_days,
            expires_at: Moment(line.expires_at),
            note: line.note.clone(),
            version: line.version,
            created_at: Instant(line.created_at),
            changed_at: Instant(line.changed_at),
        }
    }
}

/// To four decimals, by whole numbers; nothing of a line without a limit.
fn ratio(held: Money, drawn: Money, limit: Money) -> f64 {
    let used = i128::from(held.micros()) + i128::from(drawn.micros());
    let parts = (used * 10_000).checked_div(i128::from(limit.micros())).unwrap_or(0);
    f64::from(i32::try_from(parts).unwrap_or(i32::MAX)) / 10_000.0
}

impl From<&Proposal> for ProposalView {
    fn from(one: &Proposal) -> Self {
        match *one {
            Proposal::Unfreeze { by } => Self { step: "unfreeze", limit: None, proposed_by: by },
            Proposal::Limit { limit, by } => {
                Self { step: "limit", limit: Some(Amount(limit)), proposed_by: by }
            }
        }
    }
}

/// List credit lines
///
/// A customer's own; all of them for the operator's people.
#[utoipa::path(
    get, path = "/v1/credit_lines", tag = "Credit",
    params(LinesQuery),
    responses((status = 200, description = "A page", body = List<LineView>)),
)]
pub async fn list(who: Caller<grant::View>, query: Query<LinesQuery>, door: Data<Door>) -> Reply {
    let page = page::page("credit_line", query.limit, query.cursor.as_deref())?;
    let scope = who.scope();
    let slice = door.read(move |reader| reader.lines(&scope, &page)).await?;
    let view = |(line, balances): (Line, Balances)| LineView::new(&line, balances);
    Ok(shown(&page::list("credit_line", slice, |(line, _)| line.id, view)))
}

/// The line, if this caller may see it.
async fn find<R>(who: &Caller<R>, id: LineId, door: &Door) -> Result<(Line, Balances), Problem> {
    let found = door.read(move |reader| reader.line(&id)).await?;
    let found = found.filter(|(line, _)| who.sees(line.org));
    found.ok_or_else(|| Problem::not_found("credit_line"))
}

/// Read a credit line
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}", tag = "Credit",
    params(LineId),
    responses((status = 200, description = "The line, with its ETag", body = LineView)),
)]
pub async fn get(who: Caller<grant::View>, id: Path<LineId>, door: Data<Door>) -> Reply {
    let (line, balances) = find(&who, id.0, &door).await?;
    Ok(shown_with_tag(&LineView::new(&line, balances), line.version))
}

/// A line that the engine has forgotten: closed.
fn closed(id: LineId) -> impl FnOnce(&Reader) -> Result<Option<Refusal>, Fault> {
    move |reader| {
        let (kind, needed) = ("credit_line", LineState::Active.as_str());
        let found = reader.line(&id)?.map(|(line, _)| line.state.as_str());
        Ok(found.map(|state| Refusal::WrongState { kind, state, needed }))
    }
}

/// Freeze a credit line
///
/// At once, by one officer: no new holds. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/freeze", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The line, frozen", body = LineView)),
)]
pub async fn freeze(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<LineNoteBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::FreezeLine { id: id.0, note: body.value.note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// Unfreeze a credit line
///
/// Takes two officers: the first proposes, the second does it. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/unfreeze", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The line", body = LineView)),
)]
pub async fn unfreeze(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<LineNoteBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let command = Command::UnfreezeLine { id: id.0, note: body.value.note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// Change a limit
///
/// An increase above the market's threshold takes two officers; a decrease takes what is free now
/// and the rest as it frees. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/limit", tag = "Credit",
    params(LineId, IfMatchHeader, KeyHeader),
    responses((status = 200, description = "The line", body = LineView)),
)]
pub async fn change_limit(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    seen: IfMatch,
    key: RequiredKey,
    body: Json<LimitBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let LimitBody { limit: Amount(limit), note } = body.value;
    let command = Command::ChangeLimit { id: id.0, expect: seen.0, limit, note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}

/// List what holds
///
/// The resting orders, firm quotes and contracts that `held` is made of, up to a thousand of each
/// kind.
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}/holds", tag = "Credit",
    params(LineId),
    responses((status = 200, description = "All holds", body = List<HoldView>)),
)]
pub async fn holds(who: Caller<grant::View>, id: Path<LineId>, door: Data<Door>) -> Reply {
    let (line, _) = find(&who, id.0, &door).await?;
    let now = door.desk.clock().now();
    // Firm quotes are young: the list is read back no further than they can live.
    let oldest = now.plus_secs(-limits::QUOTE_SECONDS_MAX);
    let found = door.read(move |reader| {
        let mut holds = order_holds(reader, line.org)?;
        holds.extend(quote_holds(reader, line.org, Instant(oldest))?);
        holds.extend(contract_holds(reader, &line)?);
        Ok(holds)
    });
    Ok(shown(&page::whole(found.await?)))
}

/// Reads pages of a list until it ends, the bound is met, or `go_on` says no.
fn gather<T, Id>(
    read: impl Fn(&Page<Id>) -> Result<Slice<T>, Fault>,
    id: impl Fn(&T) -> Id,
    go_on: impl Fn(&T) -> bool,
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let slice = read(&Page { after, limit: limits::PAGE_MAX })?;
        let goes_on = slice.has_more && slice.data.last().is_some_and(&go_on);
        after = slice.data.last().map(&id);
        all.extend(slice.data);
        if !goes_on || all.len() >= HOLDS_MAX {
            return Ok(all);
        }
    }
}

fn order_holds(reader: &Reader, org: OrgId) -> Result<Vec<HoldView>, Fault> {
    let filter =
        OrderFilter { org: Some(org), state: Some(OrderState::Open), client_order_id: None };
    let orders = gather(|page| reader.orders(&filter, page), |one| one.id, |_| true)?;
    let held = orders.into_iter().filter(|one| !one.hold.is_zero()).map(|one| HoldView {
        order_id: Some(one.id),
        quote_id: None,
        contract_id: None,
        amount: Amount(one.hold),
        created_at: Instant(one.created_at),
    });
    Ok(held.collect())
}

fn quote_holds(reader: &Reader, org: OrgId, oldest: Instant) -> Result<Vec<HoldView>, Fault> {
    let is_young = |at| Instant(at) >= oldest;
    let quotes = gather(
        |page| reader.quotes(&Some(org), page),
        |one| one.id,
        |one| is_young(one.created_at),
    )?;
    let open = quotes.into_iter().filter(|one| one.state == QuoteState::Open);
    let held = open.map(|one| HoldView {
        order_id: None,
        quote_id: Some(one.id),
        contract_id: None,
        amount: Amount(one.block.value),
        created_at: Instant(one.created_at),
    });
    Ok(held.collect())
}

fn contract_holds(reader: &Reader, line: &Line) -> Result<Vec<HoldView>, Fault> {
    let mut contracts = Vec::new();
    for state in [ContractState::Scheduled, ContractState::Active] {
        let filter = ContractFilter { party: Some(line.org), state: Some(state), pool: None };
        contracts.extend(gather(|page| reader.contracts(&filter, page), |one| one.id, |_| true)?);
    }
    let carried = contracts.into_iter().filter(|one| one.line == line.id);
    let held = carried.map(|one: Contract| HoldView {
        order_id: None,
        quote_id: None,
        contract_id: Some(one.id),
        amount: Amount(one.value.checked_sub(one.accrued).unwrap_or(Money::ZERO)),
        created_at: Instant(one.created_at),
    });
    Ok(held.collect())
}

/// List a line's history
///
/// Every transfer that ever moved its balances, newest first.
#[utoipa::path(
    get, path = "/v1/credit_lines/{id}/history", tag = "Credit",
    params(LineId, LinesQuery),
    responses((status = 200, description = "A page", body = List<EntryView>)),
)]
pub async fn history(
    who: Caller<grant::View>,
    id: Path<LineId>,
    query: Query<LinesQuery>,
    door: Data<Door>,
) -> Reply {
    let page = page::page("history", query.limit, query.cursor.as_deref())?;
    let (line, _) = find(&who, id.0, &door).await?;
    let slice = door.read(move |reader| reader.entries(None, Some(line.id), &page)).await?;
    Ok(shown(&page::list("history", slice, |one| one.no, |one: Entry| EntryView::from(&one))))
}
