//! A contract as a calendar entry (RFC 5545): knows how that is spelled, and nothing of actix but
//! the answer's type.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Door;
use super::caller::{Caller, grant};
use super::contracts;
use super::query::Path;
use super::reply::Reply;
use crate::engine::contract::{Contract, ContractState};
use crate::model::Micros;
use crate::model::id::ContractId;

/// Octets of one line, without its end.
const LINE_OCTETS: usize = 75;

/// Read a contract as a calendar
///
/// One event from its start to its end, for the calendar of whoever works with the GPUs.
#[utoipa::path(
    get, path = "/v1/contracts/{id}/calendar.ics", tag = "Trading",
    params(ContractId),
    responses((status = 200, description = "A calendar with one event",
            body = String,
            content_type = "text/calendar")),
)]
pub async fn get(who: Caller<grant::View>, id: Path<ContractId>, door: Data<Door>) -> Reply {
    let contract = contracts::find(&who, id.0, &door).await?;
    Ok(HttpResponse::Ok().content_type("text/calendar; charset=utf-8").body(written(&contract)))
}

/// The calendar, complete.
fn written(one: &Contract) -> String {
    let (start, end) = (one.window.start().micros(), one.window.end().micros());
    let status = match one.state {
        ContractState::Scheduled | ContractState::Active | ContractState::Completed => "CONFIRMED",
        ContractState::Cancelled | ContractState::Terminated => "CANCELLED",
    };
    let summary = format!("{} GPUs {} in {}", one.gpus, one.sku.as_str(), one.region.as_str());
    let about = format!("Contract {}\nPool {}", one.id, one.pool);
    let lines = [
        ("BEGIN", "VCALENDAR".to_owned()),
        ("VERSION", "2.0".to_owned()),
        ("PRODID", "-//Headroom//Contracts//EN".to_owned()),
        ("CALSCALE", "GREGORIAN".to_owned()),
        ("METHOD", "PUBLISH".to_owned()),
        ("BEGIN", "VEVENT".to_owned()),
        ("UID", format!("{}@headroom", one.id)),
        // Stable between reads, so that an unchanged contract is an unchanged calendar.
        ("DTSTAMP", date_time(one.changed_at)),
        ("DTSTART", date_time(start)),
        ("DTEND", date_time(end)),
        ("SEQUENCE", one.amendments.to_string()),
        ("STATUS", status.to_owned()),
        ("TRANSP", "TRANSPARENT".to_owned()),
        ("SUMMARY", escaped(&summary)),
        ("DESCRIPTION", escaped(&about)),
        ("END", "VEVENT".to_owned()),
        ("END", "VCALENDAR".to_owned()),
    ];
    lines.iter().map(|(name, value)| folded(&format!("{name}:{value}"))).collect()
}

/// `20270201T000000Z`: an instant in UTC, to the second.
fn date_time(at: Micros) -> String {
    let text = at.to_string();
    let whole = text.split(['.', 'Z']).next().unwrap_or(&text);
    let bare: String = whole.chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
    format!("{bare}Z")
}

/// A text as a value: commas, semicolons, backslashes and line ends mean something there.
fn escaped(text: &str) -> String {
    let mut value = String::new();
    for letter in text.chars() {
        match letter {
            '\\' | ',' | ';' => value.extend(['\\', letter]),
            '\n' => value.push_str("\\n"),
            '\r' => {}
            other => value.push(other),
        }
    }
    value
}

/// A line no longer than it may be: the rest goes on after a line end and a space. Characters stay
/// whole.
fn folded(line: &str) -> String {
    let mut written = String::new();
    let mut octets = 0;
    for letter in line.chars() {
        if octets + letter.len_utf8() > LINE_OCTETS {
            written.push_str("\r\n ");
            octets = 1;
        }
        written.push(letter);
        octets += letter.len_utf8();
    }
    written.push_str("\r\n");
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_spelled_in_utc_to_the_second() {
        for (micros, text) in [
            (1_801_440_000_000_000, "20270201T000000Z"),
            (1_801_440_001_500_000, "20270201T000001Z"),
        ] {
            assert_eq!(date_time(Micros::new(micros)), text);
        }
    }

    #[test]
    fn what_means_something_is_escaped() {
        assert_eq!(escaped("a, b; c\\d\r\ne"), "a\\, b\\; c\\\\d\\ne");
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let text = format!("SUMMARY:{}", "ü€".repeat(60));
        let lines = folded(&text);
        let parts: Vec<&str> = lines.trim_end().split("\r\n").collect();
        assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= LINE_OCTETS));
        let unfolded = lines.replace("\r\n ", "");
        assert_eq!(unfolded.trim_end(), text);
        assert_eq!(folded("SHORT:1"), "SHORT:1\r\n");
    }
}
