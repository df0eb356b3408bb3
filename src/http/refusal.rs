//! The one table from the market's reasons for "no" to problems: where its sentences are written.

use actix_web::http::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use super::kind::{self, Kind};
use super::matching::ShortageView;
use super::money::{Amount, PriceText, money};
use super::periods::WaitView;
use super::problem::{CHALLENGE, Problem};
use super::time::Moment;
use crate::engine::Refusal;

/// A refusal in the door's words.
impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        // Each part takes the variants it knows; a test holds that together they know all.
        let known = market(refusal).or_else(|| state(refusal)).or_else(|| settlement(refusal));
        let known = known.or_else(|| content(refusal));
        known.unwrap_or_else(|| plain(&kind::INTERNAL))
    }
}

/// The JSON pointer of a field the engine names. A dot steps into an object; a few fields are
/// spelled otherwise in bodies.
fn pointer(field: &str) -> String {
    let spelled = match field {
        "power_kw" => "power_mw",
        "from" => "start_at",
        "coverage" => "guarantee/coverage_bps",
        "first_loss" => "guarantee/first_loss",
        "cap" => "guarantee/cap",
        "backstop_price" => "backstop/price_per_gpu_hour",
        "lead_hours" => "backstop/lead_hours",
        "backstop_cap" => "backstop/cap",
        "vendor_share" | "from_month" => "shares",
        "phases.gpus" | "phases.from" => "phases",
        other => other,
    };
    format!("/{}", spelled.replace('.', "/"))
}

fn plain(kind: &'static Kind) -> Problem {
    Problem::new(kind, kind.meaning)
}

/// Credit and the market itself: the numbers are the answer.
fn market(refusal: &Refusal) -> Option<Problem> {
    let problem = match refusal {
        Refusal::NoCreditLine => plain(&kind::NO_CREDIT_LINE),
        Refusal::CreditLineState { line, state } => {
            let detail = format!("The credit line is {state} and takes no new holds.");
            Problem::new(&kind::CREDIT_LINE_STATE, detail)
                .with("credit_line_id", line)
                .with("state", state)
        }
        Refusal::CreditShort { line, needed, available, missing } => {
            let detail = format!(
                "This needs {needed}, the line has {available} available: {missing} is missing."
            );
            Problem::new(&kind::CREDIT_SHORT, detail)
                .with("credit_line_id", line)
                .with("needed", Amount(*needed))
                .with("available", Amount(*available))
                .with("missing", Amount(*missing))
        }
        Refusal::CapExceeded { subject, cap, exposed, needed, over } => {
            let (kind, name) = (subject.kind(), subject.name());
            let detail = format!(
                "This needs {needed}; of the {cap} that may be at stake with the {kind} {name}, \
                 {exposed} are: {over} too much."
            );
            Problem::new(&kind::CAP_EXCEEDED, detail)
                .with("subject", kind)
                .with("name", name)
                .with("cap", Amount(*cap))
                .with("exposed", Amount(*exposed))
                .with("needed", Amount(*needed))
                .with("over", Amount(*over))
        }
        Refusal::NoBlock(shortage) => {
            let view = ShortageView::from(shortage.as_ref());
            let detail = format!("No block fits: {} bound.", shortage.constraint);
            Problem::new(&kind::NO_BLOCK, detail).with("explanation", view)
        }
        _ => return None,
    };
    Some(problem)
}

/// Who, what and in which state.
fn state(refusal: &Refusal) -> Option<Problem> {
    let problem = match refusal {
        Refusal::NotFound { kind } => Problem::not_found(kind),
        Refusal::NotActive => plain(&kind::NOT_ACTIVE),
        Refusal::NotPermitted { right } => {
            let detail = format!("This needs the right {right}.");
            Problem::new(&kind::NOT_PERMITTED, detail).with("right", right)
        }
        Refusal::PersonNeeded => plain(&kind::PERSON_NEEDED),
        Refusal::NotCapable { capability } => {
            let detail = format!("This organization is not a {capability}.");
            Problem::new(&kind::NOT_CAPABLE, detail).with("capability", capability)
        }
        Refusal::PendingReview => plain(&kind::PENDING_REVIEW),
        Refusal::Suspended => plain(&kind::SUSPENDED),
        Refusal::OwnRequest => plain(&kind::OWN_REQUEST),
        Refusal::RoleNotGrantable { role } => {
            let detail = format!("The role {role} cannot be given here by this caller.");
            Problem::new(&kind::ROLE_NOT_GRANTABLE, detail).with("role", role)
        }
        Refusal::Duplicate { kind, named } => {
            let detail = format!("There is already a {kind} \"{named}\".");
            Problem::new(&kind::DUPLICATE, detail).with("kind", kind).with("named", named)
        }
        Refusal::WrongState { kind, state, needed } => {
            let detail = format!("The {kind} is {state}; this needs {needed}.");
            Problem::new(&kind::WRONG_STATE, detail)
                .with("kind", kind)
                .with("state", state)
                .with("needed", needed)
        }
        Refusal::VersionMismatch { expected, actual } => {
            let detail = format!("If-Match names version {expected}; the current one is {actual}.");
            Problem::new(&kind::VERSION_MISMATCH, detail)
                .with("expected", expected)
                .with("actual", actual)
        }
        Refusal::SameOfficer => plain(&kind::SAME_OFFICER),
        Refusal::TermsDiffer { first } => {
            let terms = json!({
                "limit": money(first.limit),
                "tenor_months": first.tenor_months,
                "net_days": first.net_days,
            });
            plain(&kind::TERMS_DIFFER).with("first", terms)
        }
        Refusal::ApplicationWaiting => plain(&kind::APPLICATION_WAITING),
        Refusal::LastOwner => plain(&kind::LAST_OWNER),
        Refusal::QuoteGone { state } => {
            let detail = format!("The quote is {state}.");
            Problem::new(&kind::QUOTE_GONE, detail).with("state", state)
        }
        Refusal::QuoteNotFirm => plain(&kind::QUOTE_NOT_FIRM),
        Refusal::TooMany { kind, most } => {
            let detail = format!("There may be at most {most} of: {kind}.");
            Problem::new(&kind::TOO_MANY, detail).with("kind", kind).with("most", most)
        }
        Refusal::BadCredential => plain(&kind::BAD_CREDENTIAL).header(WWW_AUTHENTICATE, CHALLENGE),
        Refusal::KeyReused => plain(&kind::KEY_REUSED),
        _ => return None,
    };
    Some(problem)
}

/// Delivery and money: what was asked, and what there is.
fn settlement(refusal: &Refusal) -> Option<Problem> {
    let problem = match refusal {
        Refusal::OutsideDelivery { start, end } => {
            let detail = format!("What can be reported lies between {start} and {end}.");
            Problem::new(&kind::OUTSIDE_DELIVERY, detail)
                .with("start_at", Moment(*start))
                .with("end_at", Moment(*end))
        }
        Refusal::AlreadyBilled { until } => {
            let detail = format!("Everything before {until} is invoiced.");
            Problem::new(&kind::ALREADY_BILLED, detail).with("billed_to", Moment(*until))
        }
        Refusal::MoreThanPromised { at, promised, missing } => {
            let detail = format!(
                "At {at} the contract has {promised} GPUs; {missing} more cannot be missing."
            );
            Problem::new(&kind::MORE_THAN_PROMISED, detail)
                .with("at", Moment(*at))
                .with("promised_gpus", promised)
                .with("missing_gpus", missing)
        }
        Refusal::PartGone { at, left, asked } => {
            let detail = format!(
                "At {at} the contract has {left} GPUs that can be offered, and {asked} were asked \
                 for."
            );
            Problem::new(&kind::PART_GONE, detail)
                .with("at", Moment(*at))
                .with("left_gpus", left)
                .with("asked_gpus", asked)
        }
        Refusal::SoldOn { at, sold, asked } => {
            let detail = format!("At {at} {sold} of its GPUs are sold on, more than {asked}.");
            Problem::new(&kind::SOLD_ON, detail)
                .with("at", Moment(*at))
                .with("sold_gpus", sold)
                .with("asked_gpus", asked)
        }
        Refusal::MoreThanThere { what, there, given } => {
            let detail = format!("{given} is more than the {there} that is {what}.");
            Problem::new(&kind::MORE_THAN_THERE, detail)
                .with("what", what)
                .with("there", Amount(*there))
                .with("given", Amount(*given))
        }
        Refusal::FeeAbove { fee, most } => {
            let detail = format!("The fee is {fee}, and at most {most} was agreed to.");
            Problem::new(&kind::FEE_ABOVE, detail)
                .with("fee", Amount(*fee))
                .with("fee_max", Amount(*most))
        }
        Refusal::TooEarly { from } => {
            let detail = format!("This can be done from {from} on.");
            Problem::new(&kind::TOO_EARLY, detail).with("from", Moment(*from))
        }
        Refusal::NotReady { waits } => {
            let counted = waits.iter().map(|(what, count)| format!("{what} ({count})"));
            let counted = counted.collect::<Vec<_>>().join(", ");
            let waits: Vec<WaitView> = waits.iter().map(WaitView::from).collect();
            Problem::new(&kind::NOT_READY, format!("In the way: {counted}.")).with("waits", waits)
        }
        _ => return None,
    };
    Some(problem)
}

/// A field's fault: what is wrong with it, and the numbers.
struct Fault(&'static str, String, Value);

/// Fields of the body, each with the rule it broke.
fn content(refusal: &Refusal) -> Option<Problem> {
    let Fault(field, detail, numbers) = quantity(refusal).or_else(|| time(refusal))?;
    let problem = Problem::field(pointer(field), refusal.code(), detail);
    let numbers = numbers.as_object().cloned().unwrap_or_default();
    Some(numbers.iter().fold(problem, |problem, (name, value)| problem.with(name, value)))
}

fn quantity(refusal: &Refusal) -> Option<Fault> {
    let fault = match refusal {
        Refusal::Unknown { field, named } => {
            Fault(field, format!("\"{named}\" does not exist."), json!({ "named": named }))
        }
        Refusal::OutOfBounds { field, least, most, given } => Fault(
            field,
            format!("{given} is not between {least} and {most}."),
            json!({ "least": least, "most": most, "given": given }),
        ),
        Refusal::Invalid { field, rule } => {
            Fault(field, format!("The field {field} {rule}."), Value::Null)
        }
        Refusal::OffLot { field, lot, given } => Fault(
            field,
            format!("{given} is not a multiple of the lot of {lot} GPUs."),
            json!({ "lot": lot, "given": given }),
        ),
        Refusal::OffTick { field, tick, given } => Fault(
            field,
            format!("{given} is not a multiple of the price step {tick}."),
            json!({ "tick": PriceText(*tick), "given": PriceText(*given) }),
        ),
        Refusal::PriceOutOfBounds { field, most, given } => Fault(
            field,
            format!("{given} is not above zero and at most {most}."),
            json!({ "most": PriceText(*most), "given": PriceText(*given) }),
        ),
        Refusal::Overflow { field } => {
            Fault(field, "The amount is too large to be counted.".to_owned(), Value::Null)
        }
        Refusal::PowerExceeded { budget_kw, needed_kw } => Fault(
            "gpus",
            format!("The factory has {budget_kw} kW; this needs {needed_kw} kW."),
            json!({ "budget_kw": budget_kw, "needed_kw": needed_kw }),
        ),
        Refusal::BeyondInstalled { at, installed, listed, asked } => Fault(
            "gpus",
            format!(
                "At {at} the pool has {installed} GPUs installed and {listed} listed: {asked} more \
                 do not fit."
            ),
            json!({
                "at": Moment(*at), "installed": installed, "listed": listed, "asked": asked,
            }),
        ),
        Refusal::NotEnrolled { program } => Fault(
            "program_id",
            format!("The pool is not enrolled in {program}."),
            json!({ "program_id": program }),
        ),
        _ => return None,
    };
    Some(fault)
}

fn time(refusal: &Refusal) -> Option<Fault> {
    let fault = match refusal {
        Refusal::OffSlot { field, slot_minutes, before, after } => Fault(
            field,
            format!(
                "The time is not on a boundary of {slot_minutes} minutes; the nearest are {before} \
                 and {after}."
            ),
            json!({
                "slot_minutes": slot_minutes, "before": Moment(*before), "after": Moment(*after),
            }),
        ),
        Refusal::InThePast { field, given, next } => Fault(
            field,
            format!("{given} has passed; the next slot begins at {next}."),
            json!({ "given": Moment(*given), "next": Moment(*next) }),
        ),
        Refusal::TooFar { field, given, latest } => Fault(
            field,
            format!("{given} is later than {latest}, as far as the market looks."),
            json!({ "given": Moment(*given), "latest": Moment(*latest) }),
        ),
        Refusal::OffSlotDuration { field, slot_minutes, given } => Fault(
            field,
            format!("{given} minutes are not whole slots of {slot_minutes} minutes."),
            json!({ "slot_minutes": slot_minutes, "given": given }),
        ),
        _ => return None,
    };
    Some(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::credit::{Approval, CapSubject, LineState};
    use crate::engine::matching::Shortage;
    use crate::engine::order::Reason;
    use crate::model::id::{LineId, OrgId, ProgramId};
    use crate::model::{Minute, Money, Price, Right, Role};
    use uuid::Uuid;

    /// One of each; the match makes the compiler ask for those to come.
    fn every_refusal() -> Vec<Refusal> {
        let line = LineId::new(Uuid::nil());
        let program = ProgramId::new(Uuid::nil());
        let (now, price) = (Minute::new(30_000_000), Price::default());
        let (kind, field, state) = ("order", "gpus", "open");
        let money = Money::from_micros(1);
        let shortage = Shortage {
            constraint: Reason::Capacity,
            free_gpus: Some(8),
            short_at: Some(now),
            best_price: None,
            earliest_start: None,
            gpus_range: None,
            hours_range: None,
            alternatives: Vec::new(),
        };
        let first = Approval { limit: money, tenor_months: 12, net_days: 30 };
        vec![
            Refusal::NotFound { kind },
            Refusal::NotActive,
            Refusal::NotPermitted { right: Right::Trade },
            Refusal::PersonNeeded,
            Refusal::NotCapable { capability: "customer" },
            Refusal::PendingReview,
            Refusal::Suspended,
            Refusal::OwnRequest,
            Refusal::RoleNotGrantable { role: Role::Admin },
            Refusal::Unknown { field, named: "x".to_owned() },
            Refusal::OutOfBounds { field, least: 1, most: 2, given: 3 },
            Refusal::Invalid { field, rule: "is odd" },
            Refusal::OffLot { field, lot: 4, given: 5 },
            Refusal::OffTick { field, tick: price, given: price },
            Refusal::OffSlot { field, slot_minutes: 60, before: now, after: now },
            Refusal::InThePast { field, given: now, next: now },
            Refusal::TooFar { field, given: now, latest: now },
            Refusal::PriceOutOfBounds { field, most: price, given: price },
            Refusal::OffSlotDuration { field, slot_minutes: 60, given: 61 },
            Refusal::Overflow { field },
            Refusal::PowerExceeded { budget_kw: 1, needed_kw: 2 },
            Refusal::BeyondInstalled { at: now, installed: 1, listed: 1, asked: 1 },
            Refusal::NotEnrolled { program },
            Refusal::Duplicate { kind, named: "x".to_owned() },
            Refusal::WrongState { kind, state, needed: state },
            Refusal::VersionMismatch { expected: 1, actual: 2 },
            Refusal::SameOfficer,
            Refusal::TermsDiffer { first },
            Refusal::ApplicationWaiting,
            Refusal::LastOwner,
            Refusal::QuoteGone { state },
            Refusal::QuoteNotFirm,
            Refusal::TooMany { kind, most: 1 },
            Refusal::BadCredential,
            Refusal::OutsideDelivery { start: now, end: now },
            Refusal::AlreadyBilled { until: now },
            Refusal::MoreThanPromised { at: now, promised: 64, missing: 65 },
            Refusal::PartGone { at: now, left: 8, asked: 64 },
            Refusal::SoldOn { at: now, sold: 64, asked: 8 },
            Refusal::MoreThanThere { what: "outstanding", there: money, given: money },
            Refusal::FeeAbove { fee: money, most: money },
            Refusal::TooEarly { from: now },
            Refusal::NotReady { waits: vec![("draft_invoices", 2)] },
            Refusal::KeyReused,
            Refusal::NoCreditLine,
            Refusal::CreditLineState { line, state: LineState::Frozen },
            Refusal::CreditShort { line, needed: money, available: money, missing: money },
            Refusal::CapExceeded {
                subject: Box::new(CapSubject::Provider(OrgId::new(Uuid::nil()))),
                cap: money,
                exposed: money,
                needed: money,
                over: money,
            },
            Refusal::NoBlock(Box::new(shortage)),
        ]
    }

    #[test]
    fn every_refusal_has_its_own_problem_and_page() {
        let all = every_refusal();
        assert_eq!(all.len(), 49, "one of each: the count in `Refusal::code`");
        for refusal in all {
            let problem = Problem::from(&refusal);
            assert_eq!(problem.kind().code, refusal.code());
            assert!(problem.kind().status < 500, "{}", refusal.code());
            let body = problem.value(Uuid::nil());
            let page = format!("/problems/{}", problem.kind().slug());
            assert_eq!(body["type"], page.as_str());
            assert_eq!(body["request_id"], Uuid::nil().to_string().as_str());
            assert!(body["detail"].as_str().is_some_and(|text| text.ends_with('.')), "{body}");
            if problem.kind().status == 422 && refusal != Refusal::KeyReused {
                assert_eq!(problem.errors().len(), 1, "{body}");
            }
        }
    }

    #[test]
    fn numbers_are_members() {
        let line = LineId::new(Uuid::nil());
        let money = |text: &str| text.parse::<Money>().expect("money");
        let refusal = Refusal::CreditShort {
            line,
            needed: money("115200"),
            available: money("100000"),
            missing: money("15200"),
        };
        let body = Problem::from(&refusal).value(Uuid::nil());
        assert_eq!(body["status"], 402);
        assert_eq!(body["missing"], json!({ "amount": "15200.00", "currency": "USD" }));
    }
}
