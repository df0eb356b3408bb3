//! What was charged and who has which part of it: the shapes that contracts, invoices and
//! statements share.

use serde::Serialize;
use utoipa::ToSchema;

use super::money::Amount;
use crate::engine::charge::{Bill, Parts, less, sum};
use crate::model::Money;

/// The parties' parts of an amount: they sum exactly to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartsView {
    provider: Amount,
    vendor: Amount,
    platform: Amount,
    /// What customers gain of whom it was bought.
    reseller: Amount,
}

/// What was charged over some time: `amount = charge + fees - credits`.
#[derive(Debug, Serialize, ToSchema)]
pub struct BillView {
    /// For what was delivered.
    charge: Amount,
    /// For changes that the customer wanted.
    fees: Amount,
    /// Taken off for service below the promise.
    credits: Amount,
    /// What the customer owes of it.
    amount: Amount,
    /// Exact; sixty are a GPU-hour.
    delivered_gpu_minutes: i64,
    /// Promised and not delivered.
    lost_gpu_minutes: i64,
    /// Who has which part of `amount`.
    parts: PartsView,
}

impl From<Parts> for PartsView {
    fn from(one: Parts) -> Self {
        let Parts { provider, vendor, platform, reseller } = one;
        Self {
            provider: Amount(provider),
            vendor: Amount(vendor),
            platform: Amount(platform),
            reseller: Amount(reseller),
        }
    }
}

impl From<&Bill> for BillView {
    fn from(one: &Bill) -> Self {
        let Bill { charge, fees, credits, delivered, lost, provider, platform, .. } = *one;
        let vendor = one.programs.iter().fold(Money::ZERO, |all, part| sum(all, part.share));
        let reseller = one.gains.iter().fold(Money::ZERO, |all, gain| sum(all, gain.amount));
        Self {
            charge: Amount(charge),
            fees: Amount(fees),
            credits: Amount(credits),
            amount: Amount(one.amount()),
            delivered_gpu_minutes: delivered,
            lost_gpu_minutes: lost,
            parts: PartsView::from(Parts { provider, vendor, platform, reseller }),
        }
    }
}

/// The sum of amounts.
pub fn total(amounts: impl IntoIterator<Item = Money>) -> Money {
    amounts.into_iter().fold(Money::ZERO, sum)
}

/// What of one amount is left without another; never below zero.
pub fn rest(whole: Money, part: Money) -> Money {
    less(whole, part).max(Money::ZERO)
}
