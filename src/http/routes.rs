//! Every address of the API on one page. Each handler's own file says what it does; this one says
//! where.

use std::collections::BTreeMap;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, Resource, Scope};

use super::kind;
use super::problem::Problem;
use super::reply::Reply;
use super::{
    amendments, applications, audit, calendar, caps, catalogue, clock, collection, contracts,
    delivery, events, exports, exposure, factories, holds, incidents, invoices, keys, ledger,
    lines, listings, market, members, meta, orders, organizations, payments, payouts, periods,
    pools, programs, quotes, resales, revenue, sessions, statements, transfers,
};

/// Writes the page below as actix routes, as a table, and as the list the API reference is made
/// from.
macro_rules! routes {
    ($($path:literal { $($method:ident $room:ident::$handler:ident),* })*) => {
        /// Every path with its methods.
        pub const TABLE: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),*])),*];

        /// Adds every route.
        pub fn configure(app: &mut ServiceConfig) {
            let mut families = Families::default();
            $(
                let resource = web::resource(split($path).1);
                $(let resource = $method(resource, web::to($room::$handler));)*
                families.add($path, resource.default_service(web::to(wrong_method)));
            )*
            families.register(app);
        }

        /// What each handler says of itself.
        #[derive(Debug, utoipa::OpenApi)]
        #[openapi(paths($($($room::$handler),*),*))]
        pub struct Documented;
    };
}

/// A path's family, its first two segments, and the rest. Only the API's own paths have families.
fn split(path: &str) -> (&str, &str) {
    if !path.starts_with("/v1/") {
        return ("", path);
    }
    let rest = path["/v1/".len()..].find('/').map_or(path.len(), |end| "/v1/".len() + end);
    path.split_at(rest)
}

/// The routes by family. The library tries one route after the other, and a variable part with a
/// regular expression: in one row of all paths that took more than half of the server's time for
/// an order (25 of 46 us).
#[derive(Default)]
struct Families(BTreeMap<&'static str, Vec<(&'static str, Resource)>>);

impl Families {
    fn add(&mut self, path: &'static str, resource: Resource) {
        let (family, rest) = split(path);
        self.0.entry(family).or_default().push((rest, resource));
    }

    fn register(self, app: &mut ServiceConfig) {
        for (family, mut routes) in self.0 {
            // What is spelled out is cheaper to compare, and goes before what is variable.
            routes.sort_by_key(|(rest, _)| rest.contains('{'));
            let routes = routes.into_iter().map(|(_, resource)| resource);
            if family.is_empty() {
                for resource in routes {
                    app.service(resource);
                }
            } else {
                app.service(routes.fold(web::scope(family), Scope::service));
            }
        }
    }
}

fn get(resource: Resource, route: actix_web::Route) -> Resource {
    // HEAD answers what GET would, without the body.
    use actix_web::guard::{Any, Get, Head};
    resource.route(route.guard(Any(Get()).or(Head())))
}

fn post(resource: Resource, route: actix_web::Route) -> Resource {
    resource.route(route.guard(actix_web::guard::Post()))
}

fn patch(resource: Resource, route: actix_web::Route) -> Resource {
    resource.route(route.guard(actix_web::guard::Patch()))
}

fn delete(resource: Resource, route: actix_web::Route) -> Resource {
    resource.route(route.guard(actix_web::guard::Delete()))
}

routes! {
    // -- Identity --
    "/v1/signup" { post organizations::sign_up }
    "/v1/sessions" { post sessions::open }
    "/v1/sessions/refresh" { post sessions::refresh }
    "/v1/sessions/{id}" { delete sessions::close }
    "/v1/me" { get sessions::me }
    "/v1/invitations/accept" { post members::accept }
    "/v1/organizations" { get organizations::list }
    "/v1/organizations/{id}" { get organizations::get }
    "/v1/organizations/{id}/approve" { post organizations::approve }
    "/v1/organizations/{id}/suspend" { post organizations::suspend }
    "/v1/organizations/{id}/group" { post organizations::group }
    "/v1/organizations/{id}/members" { get members::list }
    "/v1/organizations/{id}/members/{user_id}" {
        get members::get, patch members::change, delete members::remove
    }
    "/v1/organizations/{id}/invitations" { post members::invite }
    "/v1/api_keys" { get keys::list, post keys::create }
    "/v1/api_keys/{id}" { get keys::get }
    "/v1/api_keys/{id}/revoke" { post keys::revoke }
    // -- Catalogue --
    "/v1/skus" { get catalogue::skus, post catalogue::create_sku }
    "/v1/skus/{code}" { get catalogue::sku }
    "/v1/regions" { get catalogue::regions, post catalogue::create_region }
    "/v1/regions/{code}" { get catalogue::region }
    // -- Capacity --
    "/v1/factories" { get factories::list, post factories::create }
    "/v1/factories/{id}" { get factories::get }
    "/v1/factories/{id}/state" { post factories::change }
    "/v1/pools" { get pools::list, post pools::create }
    "/v1/pools/{id}" { get pools::get }
    "/v1/pools/{id}/phases" { post pools::add_phase }
    "/v1/pools/{id}/phases/postpone" { post incidents::postpone }
    "/v1/pools/{id}/maintenance/end" { post incidents::end_maintenance }
    "/v1/incidents" { get incidents::list }
    "/v1/incidents/{id}" { get incidents::get }
    "/v1/incidents/{id}/answer" { post incidents::answer }
    "/v1/pools/{id}/maintenance" { post pools::add_maintenance }
    "/v1/pools/{id}/schedule" { get pools::schedule }
    // -- Programs and listings --
    "/v1/programs" { get programs::list, post programs::create }
    "/v1/programs/{id}" { get programs::get }
    "/v1/programs/{id}/versions" { post programs::amend }
    "/v1/programs/{id}/pools" { post programs::enrol }
    "/v1/listings" { get listings::list, post listings::create }
    "/v1/listings/{id}" { get listings::get }
    "/v1/listings/{id}/publish" { post listings::publish }
    "/v1/listings/{id}/reprice" { post listings::reprice }
    "/v1/listings/{id}/withdraw" { post listings::withdraw }
    // -- Credit --
    "/v1/credit_applications" { get applications::list, post applications::create }
    "/v1/credit_applications/{id}" { get applications::get }
    "/v1/credit_applications/{id}/approve" { post applications::approve }
    "/v1/credit_applications/{id}/decline" { post applications::decline }
    "/v1/credit_applications/{id}/withdraw" { post applications::withdraw }
    "/v1/caps" { get caps::list, post caps::set }
    "/v1/reviews" { get caps::due }
    "/v1/credit_lines/{id}/review" { post caps::review }
    "/v1/credit_lines" { get lines::list }
    "/v1/credit_lines/{id}" { get lines::get }
    "/v1/credit_lines/{id}/freeze" { post lines::freeze }
    "/v1/credit_lines/{id}/unfreeze" { post lines::unfreeze }
    "/v1/credit_lines/{id}/limit" { post lines::change_limit }
    "/v1/credit_lines/{id}/holds" { get holds::list }
    "/v1/credit_lines/{id}/history" { get lines::history }
    "/v1/credit_lines/{id}/default" { post collection::declare }
    "/v1/credit_lines/{id}/collection" { get collection::get }
    "/v1/credit_lines/{id}/claims/{program_id}/payments" { post collection::pay_claim }
    "/v1/credit_lines/{id}/write_off" { post collection::write_off }
    "/v1/credit_lines/{id}/recoveries" { post collection::recover }
    "/v1/exposure" { get exposure::get }
    // -- Trading --
    "/v1/quotes" { get quotes::list, post quotes::create }
    "/v1/quotes/{id}" { get quotes::get }
    "/v1/orders" { get orders::list, post orders::create }
    "/v1/orders/batch" { post orders::batch }
    "/v1/orders/{id}" { get orders::get }
    "/v1/orders/{id}/cancel" { post orders::cancel }
    "/v1/contracts" { get contracts::list }
    "/v1/contracts/{id}" { get contracts::get }
    "/v1/contracts/{id}/delivery" { post delivery::report }
    "/v1/contracts/{id}/credits" { post delivery::credit }
    "/v1/contracts/{id}/usage" { get delivery::usage }
    "/v1/contracts/{id}/calendar.ics" { get calendar::get }
    "/v1/contracts/{id}/cancellation_quote" { post amendments::quote_cancellation }
    "/v1/contracts/{id}/cancel" { post amendments::cancel }
    "/v1/contracts/{id}/shrink" { post amendments::shrink }
    "/v1/contracts/{id}/extend" { post amendments::extend }
    "/v1/contracts/{id}/grow" { post amendments::grow }
    "/v1/contracts/{id}/resell" { post resales::create }
    "/v1/contracts/{id}/end_resale" { post resales::end }
    "/v1/contracts/{id}/transfer" { post transfers::offer }
    "/v1/contracts/{id}/accept_transfer" { post transfers::accept }
    "/v1/contracts/{id}/amendments" { get amendments::list }
    // -- Billing --
    "/v1/invoices" { get invoices::list }
    "/v1/invoices/{id}" { get invoices::get }
    "/v1/invoices/{id}/finalize" { post invoices::finalize }
    "/v1/invoices/{id}/credit" { post invoices::credit }
    "/v1/invoices/{id}/void" { post invoices::void }
    "/v1/payments" { get payments::list, post payments::create }
    "/v1/payments/{id}" { get payments::get }
    "/v1/payouts" { get payouts::list, post payouts::create }
    "/v1/payouts/{id}" { get payouts::get }
    "/v1/payouts/{id}/settle" { post payouts::settle }
    "/v1/revenue" { get revenue::list }
    "/v1/statements/{month}" { get statements::get }
    "/v1/periods" { get periods::list }
    "/v1/periods/{month}" { get periods::get }
    "/v1/periods/{month}/close" { post periods::close }
    "/v1/periods/{month}/lock" { post periods::lock }
    "/v1/exports/focus" { get exports::focus }
    "/v1/exports/contracts" { get exports::contracts }
    "/v1/exports/invoices" { get exports::invoices }
    "/v1/exports/entries" { get exports::entries }
    "/v1/exports/journal" { get exports::journal }
    // -- Market --
    "/v1/market/availability" { get market::availability }
    "/v1/market/book" { get market::book }
    "/v1/market/trades" { get market::trades }
    "/v1/clock" { get clock::get }
    "/v1/test/clock/advance" { post clock::advance }
    // -- Books, trail, events --
    "/v1/ledger/accounts" { get ledger::accounts }
    "/v1/ledger/entries" { get ledger::entries }
    "/v1/ledger/trial_balance" { get ledger::trial_balance }
    "/v1/audit_records" { get audit::list }
    "/v1/events" { get events::list }
    "/v1/events/stream" { get events::follow }
    // -- The server itself --
    "/" { get meta::home }
    "/healthz" { get meta::healthy }
    "/readyz" { get meta::ready }
    "/metrics" { get meta::metrics }
    "/.well-known/jwks.json" { get meta::jwks }
    "/problems" { get meta::problems }
    "/problems/{slug}" { get meta::problem }
}

/// The address is there, the method is not.
async fn wrong_method(request: HttpRequest) -> Reply {
    let pattern = request.match_pattern().unwrap_or_default();
    let known = TABLE.iter().find(|(path, _)| *path == pattern).map_or(&[][..], |(_, all)| *all);
    let mut allowed: Vec<String> = known.iter().map(|method| method.to_uppercase()).collect();
    if known.contains(&"get") {
        allowed.push("HEAD".to_owned());
    }
    let allowed = allowed.join(", ");
    let detail = format!("This address knows {allowed}.");
    let problem = Problem::new(&kind::METHOD_NOT_ALLOWED, detail);
    Err(problem.header(actix_web::http::header::ALLOW, allowed))
}
