//! The one table from the market's reasons for "no" to problems: where its sentences are written.

use serde_json::{Value, json};

use super::kind::{self, Kind};
use super::matching::ShortageView;
use super::money::{Amount, PriceText, money};
use super::problem::Problem;
use super::time::Moment;
use crate::engine::Refusal;

/// A refusal in the door's words.
impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        market(refusal).or_else(|| state(refusal)).unwrap_or_else(|| content(refusal))
    }
}

/// The JSON pointer of a field the engine names. A dot steps into an object.
fn pointer(field: &str) -> String {
    format!("/{}", field.replace('.', "/"))
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
            Problem::new(&kind::CREDIT_LINE_BLOCKED, detail)
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
        Refusal::BadCredential => {
            Problem::unauthenticated("The credential is not, or no longer, good.")
        }
        Refusal::KeyReused => plain(&kind::IDEMPOTENCY_KEY_REUSED),
        _ => return None,
    };
    Some(problem)
}

/// Fields of the body, each with the rule it broke.
fn content(refusal: &Refusal) -> Problem {
    let (field, code, detail, numbers): (&str, &str, String, Value) = match refusal {
        Refusal::Unknown { field, named } => {
            let detail = format!("\"{named}\" does not exist.");
            (field, "unknown_reference", detail, json!({ "named": named }))
        }
        Refusal::OutOfBounds { field, least, most, given } => {
            let detail = format!("{given} is not between {least} and {most}.");
            let numbers = json!({ "least": least, "most": most, "given": given });
            (field, "out_of_bounds", detail, numbers)
        }
        Refusal::Invalid { field, rule } => {
            (field, "invalid", format!("The field {rule}."), json!({}))
        }
        Refusal::OffLot { field, lot, given } => {
            let detail = format!("{given} is not a multiple of the lot of {lot} GPUs.");
            (field, "off_lot", detail, json!({ "lot": lot, "given": given }))
        }
        Refusal::OffTick { field, tick, given } => {
            let detail = format!("{given} is not a multiple of the price step {tick}.");
            let numbers = json!({ "tick": PriceText(*tick), "given": PriceText(*given) });
            (field, "off_tick", detail, numbers)
        }
        Refusal::OffSlot { field, slot_minutes, before, after } => {
            let detail = format!(
                "The time is not on a boundary of {slot_minutes} minutes; the nearest are {before} and \
                 {after}."
            );
            let numbers = json!({
                "slot_minutes": slot_minutes, "before": Moment(*before), "after": Moment(*after),
            });
            (field, "off_slot", detail, numbers)
        }
        Refusal::InThePast { field, given, next } => {
            let detail = format!("{given} has passed; the next slot begins at {next}.");
            (
                field,
                "in_the_past",
                detail,
                json!({ "given": Moment(*given), "next": Moment(*next) }),
            )
        }
        Refusal::OffSlotDuration { field, slot_minutes, given } => {
            let detail = format!("{given} minutes are not whole slots of {slot_minutes} minutes.");
            let numbers = json!({ "slot_minutes": slot_minutes, "given": given });
            (field, "off_slot_duration", detail, numbers)
        }
        Refusal::Overflow { field } => {
            (field, "overflow", "The amount is too large to be counted.".to_owned(), json!({}))
        }
        Refusal::PowerExceeded { budget_kw, needed_kw } => {
            let detail = format!("The factory has {budget_kw} kW; this needs {needed_kw} kW.");
            let numbers = json!({ "budget_kw": budget_kw, "needed_kw": needed_kw });
            ("gpus", "power_exceeded", detail, numbers)
        }
        Refusal::BeyondInstalled { at, installed, listed, asked } => {
            let detail = format!(
                "At {at} the pool has {installed} GPUs installed and {listed} listed: {asked} more do not \
                 fit."
            );
            let numbers = json!({
                "at": Moment(*at), "installed": installed, "listed": listed, "asked": asked,
            });
            ("gpus", "beyond_installed", detail, numbers)
        }
        Refusal::NotEnrolled { program } => {
            let detail = format!("The pool is not enrolled in {program}.");
            ("program_id", "not_enrolled", detail, json!({ "program_id": program }))
        }
        // `market` and `state` have taken these.
        Refusal::NotFound { .. }
        | Refusal::NotActive
        | Refusal::NotCapable { .. }
        | Refusal::PendingReview
        | Refusal::Suspended
        | Refusal::OwnRequest
        | Refusal::RoleNotGrantable { .. }
        | Refusal::Duplicate { .. }
        | Refusal::WrongState { .. }
        | Refusal::VersionMismatch { .. }
        | Refusal::SameOfficer
        | Refusal::TermsDiffer { .. }
        | Refusal::ApplicationWaiting
        | Refusal::LastOwner
        | Refusal::QuoteGone { .. }
        | Refusal::QuoteNotFirm
        | Refusal::TooMany { .. }
        | Refusal::BadCredential
        | Refusal::KeyReused
        | Refusal::NoCreditLine
        | Refusal::CreditLineState { .. }
        | Refusal::CreditShort { .. }
        | Refusal::NoBlock(_) => return plain(&kind::INTERNAL),
    };
    let problem = Problem::field(pointer(field), code, detail);
    let Value::Object(numbers) = numbers else { return problem };
    numbers.iter().fold(problem, |problem, (name, value)| problem.with(name, value))
}
