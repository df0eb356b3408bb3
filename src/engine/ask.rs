//! What an ask must be before the market looks for it: every field within its bound, times on the
//! slot.

use super::Engine;
use super::catalogue::Sku;
use super::command::Stamp;
use super::order::{Ask, Start};
use super::refusal::Refusal;
use crate::model::{Gpus, Minute, Price, SkuCode, limits};

impl Engine {
    /// Checks an ask and resolves its start: the earliest and the latest slot at which the block
    /// may begin.
    ///
    /// # Errors
    /// The first field that is out of bounds, with the nearest legal value where there is one.
    pub(super) fn admit_ask(&self, at: &Stamp, ask: &Ask) -> Result<(Minute, Minute), Refusal> {
        check_count("skus", ask.skus.len(), 1)?;
        check_count("regions", ask.regions.len(), 0)?;
        check_gpus("gpus", ask.gpus, limits::GPUS_MAX)?;
        if let Some(min_gpus) = ask.min_gpus {
            check_gpus("min_gpus", min_gpus, ask.gpus)?;
        }
        if !(1..=limits::WINDOW_MINUTES_MAX).contains(&ask.minutes) {
            let most = limits::WINDOW_MINUTES_MAX;
            let given = ask.minutes;
            return Err(Refusal::OutOfBounds { field: "duration_minutes", least: 1, most, given });
        }
        if let Some(limit) = ask.limit {
            check_price("limit_price_per_gpu_hour", limit)?;
            let most = limit.value(ask.gpus, ask.minutes);
            if most.is_none_or(|value| value.micros() > limits::AMOUNT_MAX) {
                return Err(Refusal::Overflow { field: "limit_price_per_gpu_hour" });
            }
        }
        for region in &ask.regions {
            if !self.catalogue.regions.contains_key(region) {
                let named = region.to_string();
                return Err(Refusal::Unknown { field: "regions", named });
            }
        }
        let (earliest, latest) = self.resolve_start(at, ask)?;
        for code in &ask.skus {
            check_sku(self.sku(code)?, ask, earliest, latest)?;
        }
        Ok((earliest, latest))
    }

    fn sku(&self, code: &SkuCode) -> Result<&Sku, Refusal> {
        match self.catalogue.skus.get(code) {
            Some(sku) => Ok(sku),
            None => Err(Refusal::Unknown { field: "sku", named: code.to_string() }),
        }
    }

    /// `now` is the next slot boundary; times before it are in the past.
    fn resolve_start(&self, at: &Stamp, ask: &Ask) -> Result<(Minute, Minute), Refusal> {
        for code in &ask.skus {
            self.sku(code)?;
        }
        let next = at.next_minute().ceil_to(self.catalogue.slot_of(&ask.skus));
        let (earliest, latest) = match ask.start {
            Start::Now => (next, next),
            Start::At(start) => (start, start),
            Start::Between { earliest, latest } => (earliest, latest),
        };
        let field = "start_at";
        if earliest < next {
            return Err(Refusal::InThePast { field, given: earliest, next });
        }
        if latest < earliest {
            return Err(Refusal::Invalid {
                field,
                rule: "has its latest at or after its earliest",
            });
        }
        if latest.since(earliest) > limits::START_RANGE_MINUTES_MAX {
            let latest_legal = earliest.plus(limits::START_RANGE_MINUTES_MAX);
            return Err(Refusal::TooFar { field, given: latest, latest: latest_legal });
        }
        let horizon = next.plus(limits::HORIZON_MINUTES);
        if latest > horizon {
            return Err(Refusal::TooFar { field, given: latest, latest: horizon });
        }
        Ok((earliest, latest))
    }
}

/// Every SKU that an ask accepts must be able to serve it as asked.
fn check_sku(sku: &Sku, ask: &Ask, earliest: Minute, latest: Minute) -> Result<(), Refusal> {
    let lot = sku.gpus_per_node;
    let sizes = [("gpus", Some(ask.gpus)), ("min_gpus", ask.min_gpus)];
    for (field, given) in sizes {
        if let Some(given) = given.filter(|given| !given.is_multiple_of(lot)) {
            return Err(Refusal::OffLot { field, lot, given });
        }
    }
    let slot_minutes = sku.slot_minutes;
    if ask.minutes % i64::from(slot_minutes) != 0 {
        let given = ask.minutes;
        return Err(Refusal::OffSlotDuration { field: "duration_minutes", slot_minutes, given });
    }
    for given in [earliest, latest] {
        if !given.is_aligned(slot_minutes) {
            let (before, after) = (given.floor_to(slot_minutes), given.ceil_to(slot_minutes));
            return Err(Refusal::OffSlot { field: "start_at", slot_minutes, before, after });
        }
    }
    match ask.limit {
        Some(given) if !given.is_on_tick(sku.tick) => {
            Err(Refusal::OffTick { field: "limit_price_per_gpu_hour", tick: sku.tick, given })
        }
        _ => Ok(()),
    }
}

fn check_count(field: &'static str, count: usize, least: i64) -> Result<(), Refusal> {
    let most = i64::try_from(limits::CHOICES_MAX).expect("a small bound");
    let given = i64::try_from(count).unwrap_or(i64::MAX);
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(Refusal::OutOfBounds { field, least, most, given })
}

fn check_gpus(field: &'static str, given: Gpus, most: Gpus) -> Result<(), Refusal> {
    if (1..=most).contains(&given) {
        return Ok(());
    }
    Err(Refusal::OutOfBounds { field, least: 1, most: i64::from(most), given: i64::from(given) })
}

/// A price above zero and not absurd.
pub(super) fn check_price(field: &'static str, price: Price) -> Result<(), Refusal> {
    if (1..=limits::PRICE_MAX).contains(&price.micros()) {
        return Ok(());
    }
    let most = Price::from_micros(limits::PRICE_MAX).expect("a positive bound");
    Err(Refusal::PriceOutOfBounds { field, most, given: price })
}
