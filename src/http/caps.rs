//! `/v1/caps`: how much may be at stake with one group of customers, one provider, one SKU. And the
//! reviews of credit lines.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::idempotency::{KeyHeader, RequiredKey};
use super::json::Json;
use super::lines::{LineView, closed};
use super::money::{Amount, amount_body};
use super::page::{self, List};
use super::problem::Problem;
use super::query::{NoQuery, Path, Query};
use super::reply::{Reply, shown};
use super::time::Instant;
use crate::engine::Command;
use crate::engine::credit::{Balances, Cap, CapSubject, Line, ReviewOutcome};
use crate::model::id::{LineId, UserId};
use crate::store::read::Reader;

/// What a cap is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapKind {
    /// What all credit lines of a group have held, drawn and defaulted.
    Group,
    /// What is sold of a provider's and not delivered, with firm quotes.
    Provider,
    /// What is sold of a SKU and not delivered, with firm quotes.
    Sku,
}

/// A cap to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapBody {
    subject: CapKind,
    /// The group's or SKU's code, or the provider's id.
    #[schema(max_length = 64, example = "tidal")]
    name: String,
    /// `null` lifts the cap.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(schema_with = amount_body)]
    amount: Option<Amount>,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// A cap.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapView {
    subject: CapKind,
    name: String,
    /// `null`: it is lifted.
    amount: Option<Amount>,
    note: String,
    set_by: UserId,
    set_at: Instant,
}

/// What came of a review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBody {
    /// The change itself is a call of its own.
    outcome: ReviewOutcome,
    /// In so many months it is looked at again.
    #[schema(minimum = 1, maximum = 24)]
    next_months: u32,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// Which page of reviews.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewsQuery {
    /// 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<&Cap> for CapView {
    fn from(one: &Cap) -> Self {
        let subject = match one.subject {
            CapSubject::Group(_) => CapKind::Group,
            CapSubject::Provider(_) => CapKind::Provider,
            CapSubject::Sku(_) => CapKind::Sku,
        };
        Self {
            subject,
            name: one.subject.name(),
            amount: one.amount.map(Amount),
            note: one.note.clone(),
            set_by: one.set_by,
            set_at: Instant(one.set_at),
        }
    }
}

impl CapBody {
    fn subject(&self) -> Result<CapSubject, Problem> {
        let kind = match self.subject {
            CapKind::Group => "group",
            CapKind::Provider => "provider",
            CapKind::Sku => "sku",
        };
        let subject = CapSubject::read(kind, &self.name);
        let wrong = || Problem::field("/name", "unknown_value", "A code, or a provider's id.");
        subject.ok_or_else(wrong)
    }
}

/// List caps
///
/// Every cap that was ever set; without an amount it is lifted. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/caps", tag = "Credit",
    responses((status = 200, description = "All of them", body = List<CapView>)),
)]
pub async fn list(_: Caller<grant::Audit>, _: Query<NoQuery>, door: Data<Door>) -> Reply {
    let caps = door.read(Reader::caps).await?;
    Ok(shown(&page::whole(caps.iter().map(CapView::from).collect())))
}

/// Set a cap
///
/// From now on nothing that would go above it is held: orders, firm quotes, growth. What is there
/// already stays. Needs the right `decide_credit`.
#[utoipa::path(
    post, path = "/v1/caps", tag = "Credit", params(KeyHeader),
    responses((status = 200, description = "The cap", body = CapView)),
)]
pub async fn set(
    who: Caller<grant::DecideCredit>,
    key: RequiredKey,
    body: Json<CapBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let subject = body.value.subject()?;
    let CapBody { amount, note, .. } = body.value;
    let amount = amount.map(|it| it.0);
    door.ask(&who, Some(key), Command::SetCap { subject, amount, note }).await
}

/// List due reviews
///
/// Credit lines whose review is due, newest first. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/reviews", tag = "Credit", params(ReviewsQuery),
    responses((status = 200, description = "A page", body = List<LineView>)),
)]
pub async fn due(_: Caller<grant::Audit>, query: Query<ReviewsQuery>, door: Data<Door>) -> Reply {
    let page = page::page("review", query.limit, query.cursor.as_deref())?;
    let now = door.desk.clock().now().minute();
    let slice = door.read(move |reader| reader.lines_to_review(now, &page)).await?;
    let view = |(line, balances): (Line, Balances)| LineView::new(&line, balances);
    Ok(shown(&page::list("review", slice, |(line, _)| line.id, view)))
}

/// Review a credit line
///
/// Records what an officer found, and when the line is looked at again. Needs the right
/// `decide_credit`.
#[utoipa::path(
    post, path = "/v1/credit_lines/{id}/review", tag = "Credit", params(LineId, KeyHeader),
    responses((status = 200, description = "The line", body = LineView)),
)]
pub async fn review(
    who: Caller<grant::DecideCredit>,
    id: Path<LineId>,
    key: RequiredKey,
    body: Json<ReviewBody>,
    door: Data<Door>,
) -> Reply {
    let key = key.over(who.organization(), body.fingerprint);
    let ReviewBody { outcome, next_months, note } = body.value;
    let command = Command::ReviewLine { id: id.0, outcome, next_months, note };
    door.ask_about(&who, Some(key), command, closed(id.0)).await
}
