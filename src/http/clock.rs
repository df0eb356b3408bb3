//! `/v1/clock`: the market's time; under a simulated clock, moving it.

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Door;
use super::caller::{Caller, grant};
use super::json::Json;
use super::problem::Problem;
use super::reply::{Reply, shown};
use super::time::Instant;

/// How far one call may move the clock: the longest horizon of the market.
const ADVANCE_SECONDS_MAX: u32 = 5 * 366 * 24 * 3_600;

/// Where to move the clock: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "seconds": 3600 }))]
pub struct AdvanceBody {
    to: Option<Instant>,
    #[schema(minimum = 1, maximum = 158_112_000)]
    seconds: Option<u32>,
}

/// The market's time.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockView {
    now: Instant,
    /// Whether time passes only when it is moved.
    simulated: bool,
}

/// What time is it?
#[utoipa::path(
    get, path = "/v1/clock", tag = "Market", security(()),
    responses((status = 200, description = "The market's time", body = ClockView)),
)]
pub async fn get(door: Data<Door>) -> Reply {
    let clock = door.desk.clock();
    Ok(shown(&ClockView { now: Instant(clock.now()), simulated: clock.is_simulated() }))
}

/// Move the clock
///
/// Only on a server started with `--clock simulated`; elsewhere there is no such address.
/// Everything that falls due on the way is met. Needs the right `set_clock`.
#[utoipa::path(
    post, path = "/v1/test/clock/advance", tag = "Market",
    responses((status = 200, description = "The market's time now", body = ClockView)),
)]
pub async fn advance(
    _: Caller<grant::SetClock>,
    body: Json<AdvanceBody>,
    door: Data<Door>,
) -> Reply {
    let clock = door.desk.clock();
    if !clock.is_simulated() {
        return Err(Problem::not_found("address"));
    }
    let now = clock.now();
    let to = match (body.value.to, body.value.seconds) {
        (Some(to), None) => to.0,
        (None, Some(seconds @ 1..=ADVANCE_SECONDS_MAX)) => now.plus_secs(i64::from(seconds)),
        _ => {
            let detail = "Send either to, or seconds between 1 and 158112000.";
            return Err(Problem::field("/seconds", "out_of_bounds", detail));
        }
    };
    if to < now || to > now.plus_secs(i64::from(ADVANCE_SECONDS_MAX)) {
        let detail =
            format!("The clock stands at {now} and moves forward only, five years at most.");
        return Err(Problem::field("/to", "out_of_bounds", detail));
    }
    let now = door.desk.advance(to).await?;
    Ok(shown(&ClockView { now: Instant(now), simulated: true }))
}
