//! From the market's answers to bytes: one rendering for everybody, so that an answer kept under a
//! key and an answer sent at once are the same.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde::Serialize;
use uuid::Uuid;

use super::amendments::AmendedView;
use super::applications::ApplicationView;
use super::caps::CapView;
use super::catalogue::{RegionView, SkuView};
use super::collection::CollectionView;
use super::contracts::{BriefView, ContractView};
use super::factories::FactoryView;
use super::incidents::IncidentView;
use super::invoices::InvoiceView;
use super::keys::KeyView;
use super::lines::LineView;
use super::listings::ListingView;
use super::members::MemberView;
use super::orders::OrderView;
use super::organizations::OrganizationView;
use super::payments::PaymentView;
use super::payouts::PayoutView;
use super::periods::PeriodView;
use super::pools::{MaintenanceView, PoolView};
use super::problem::{PROBLEM_JSON, Problem};
use super::programs::ProgramView;
use super::quotes::QuoteView;
use super::resales::ResoldView;
use super::sessions::SessionView;
use super::version::etag;
use crate::engine::billing::PayoutState;
use crate::engine::credit::ApplicationState;
use crate::engine::order::OrderState;
use crate::engine::party::UserState;
use crate::engine::quote::QuoteState;
use crate::engine::{Answer, Refusal};
use crate::model::Micros;
use crate::sequencer::Written;

/// What a handler answers.
pub type Reply = Result<HttpResponse, Problem>;

/// Writes an answer, given nothing but the answer: what the sequencer keeps under a key.
pub fn scribe(outcome: &Result<Answer, Refusal>, request: Uuid, at: Micros) -> Written {
    match outcome {
        Ok(answer) => written(answer, at),
        Err(refusal) => {
            let problem = Problem::from(refusal);
            let (status, headers) = (problem.kind().status, problem.header_lines());
            Written { status, headers, body: problem.body(request) }
        }
    }
}

/// Sends what was written.
pub fn send(written: Written) -> HttpResponse {
    let status = StatusCode::from_u16(written.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    for line in written.headers.lines() {
        if let Some((name, value)) = line.split_once(": ")
            && let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
        {
            answer.insert_header((name, value));
        }
    }
    if written.body.is_empty() {
        return answer.finish();
    }
    let kind = if status.is_success() { "application/json" } else { PROBLEM_JSON };
    answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(kind)));
    answer.body(written.body)
}

/// A thing as it is now.
pub fn shown(view: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(bytes(view))
}

/// A thing as it is now, with the tag that changing it asks for.
pub fn shown_with_tag(view: &impl Serialize, version: u32) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::ETAG, etag(version)))
        .body(bytes(view))
}

fn bytes(view: &impl Serialize) -> Vec<u8> {
    // An order with its contract has some 1,800: grown by doubling from the library's 128, a
    // quarter of the time went into copying.
    let mut bytes = Vec::with_capacity(2_048);
    serde_json::to_writer(&mut bytes, view).expect("views are plain JSON");
    bytes
}

/// A thing that may have been made just now, and where it is to be found.
struct Page<'a, V> {
    view: &'a V,
    is_new: bool,
    location: String,
    version: Option<u32>,
}

impl<V: Serialize> Page<'_, V> {
    fn write(self) -> Written {
        let mut headers = String::new();
        if self.is_new {
            headers.push_str(&format!("location: {}\n", self.location));
        }
        if let Some(version) = self.version {
            headers.push_str(&format!("etag: {}\n", etag(version)));
        }
        let status = if self.is_new { 201 } else { 200 };
        Written { status, headers, body: bytes(self.view) }
    }
}

fn page<V: Serialize>(view: &V, is_new: bool, location: String, version: Option<u32>) -> Written {
    Page { view, is_new, location, version }.write()
}

/// An answer of 200 or 201: what was born at this very instant, and has not changed since, is new.
fn written(answer: &Answer, at: Micros) -> Written {
    match answer {
        Answer::Done | Answer::Known { .. } | Answer::Ticked { .. } => {
            Written { status: 204, headers: String::new(), body: Vec::new() }
        }
        Answer::SignedIn { organization, .. } | Answer::Organization(organization) => {
            let location = format!("/v1/organizations/{}", organization.id);
            page(&OrganizationView::from(organization), false, location, None)
        }
        Answer::User(user) => {
            let is_untouched = user.state == UserState::Invited && user.version == 1;
            let is_new = user.created_at == at && is_untouched;
            let location = format!("/v1/organizations/{}/members/{}", user.org, user.id);
            page(&MemberView::from(user), is_new, location, None)
        }
        Answer::Session(session) => page(&SessionView::from(session), false, String::new(), None),
        Answer::Key(key) => {
            let is_new = key.created_at == at && !key.revoked;
            page(&KeyView::from(key), is_new, format!("/v1/api_keys/{}", key.id), None)
        }
        Answer::Sku(sku) => page(&SkuView::from(sku), true, format!("/v1/skus/{}", sku.code), None),
        Answer::Region(region) => {
            page(&RegionView::from(region), true, format!("/v1/regions/{}", region.code), None)
        }
        Answer::Program(one) => {
            let is_new = one.created_at == at && one.version == 1 && one.pools.is_empty();
            let location = format!("/v1/programs/{}", one.id);
            page(&ProgramView::from(one), is_new, location, Some(one.version))
        }
        Answer::Factory(one) => {
            let is_new = one.created_at == at && one.version == 1;
            page(&FactoryView::from(one), is_new, format!("/v1/factories/{}", one.id), None)
        }
        Answer::Pool(one) => {
            let is_new = one.created_at == at && one.version == 1;
            page(&PoolView::from(one), is_new, format!("/v1/pools/{}", one.id), None)
        }
        Answer::Maintenance { pool, touched } => {
            let touched = touched.iter().map(BriefView::from).collect();
            let view = MaintenanceView { pool: PoolView::from(pool), touched };
            page(&view, false, String::new(), None)
        }
        trade => trading(trade, at),
    }
}

/// The rest of [`written`]: offers, credit and trades.
fn trading(answer: &Answer, at: Micros) -> Written {
    match answer {
        Answer::Listing(one) => {
            let is_new = one.created_at == at && one.version == 1;
            let location = format!("/v1/listings/{}", one.id);
            page(&ListingView::from(one), is_new, location, Some(one.version))
        }
        Answer::Application(one) => {
            let is_untouched =
                one.state == ApplicationState::Submitted && one.approved_by.is_empty();
            let is_new = one.created_at == at && is_untouched;
            let location = format!("/v1/credit_applications/{}", one.id);
            page(&ApplicationView::from(one), is_new, location, None)
        }
        Answer::Line { line, balances } => {
            page(&LineView::new(line, *balances), false, String::new(), Some(line.version))
        }
        Answer::Quote(one) => {
            let mut answer =
                page(&QuoteView::from(one), true, format!("/v1/quotes/{}", one.id), None);
            // An indicative quote is answered and forgotten: there is no place to find it at.
            if one.state == QuoteState::Indicative {
                answer.headers.clear();
            }
            answer
        }
        Answer::Order { order, contract } => {
            let is_new = order.created_at == at && order.state != OrderState::Cancelled;
            let view = OrderView::new(order, contract.as_deref());
            page(&view, is_new, format!("/v1/orders/{}", order.id), None)
        }
        billed => settled(billed, at),
    }
}

/// The rest of [`trading`]: contracts as they live, and the money they move.
fn settled(answer: &Answer, at: Micros) -> Written {
    match answer {
        Answer::Contract(one) => page(&ContractView::from(one), false, String::new(), None),
        Answer::Amended { amendment, contract } => {
            page(&AmendedView::new(amendment, contract), false, String::new(), None)
        }
        Answer::Resold(one) => page(&ResoldView::from(one.as_ref()), false, String::new(), None),
        Answer::Invoice(one) => page(&InvoiceView::from(one), false, String::new(), None),
        Answer::Payment(one) => {
            let is_new = one.recorded_at == at;
            page(&PaymentView::from(one), is_new, format!("/v1/payments/{}", one.id), None)
        }
        Answer::Payout(one) => {
            let is_new = one.created_at == at && one.state == PayoutState::InTransit;
            page(&PayoutView::from(one), is_new, format!("/v1/payouts/{}", one.id), None)
        }
        Answer::Period(one) => page(&PeriodView::from(one), false, String::new(), None),
        Answer::Cap(one) => page(&CapView::from(one), false, String::new(), None),
        Answer::Incident(one) => page(&IncidentView::from(one), false, String::new(), None),
        Answer::Collection(one) => page(&CollectionView::from(one), false, String::new(), None),
        // `written` and `trading` have taken these.
        Answer::Done
        | Answer::Known { .. }
        | Answer::Ticked { .. }
        | Answer::SignedIn { .. }
        | Answer::Organization(_)
        | Answer::User(_)
        | Answer::Session(_)
        | Answer::Key(_)
        | Answer::Sku(_)
        | Answer::Region(_)
        | Answer::Program(_)
        | Answer::Factory(_)
        | Answer::Pool(_)
        | Answer::Maintenance { .. }
        | Answer::Listing(_)
        | Answer::Application(_)
        | Answer::Line { .. }
        | Answer::Quote(_)
        | Answer::Order { .. } => Written { status: 204, headers: String::new(), body: Vec::new() },
    }
}
