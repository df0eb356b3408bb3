//! What is invoiced, in the columns of FOCUS (the FinOps Open Cost and Usage Specification): those
//! of version 1.0, and of later ones the capacity reservation and the invoice.
//!
//! A line of an invoice becomes up to four rows: what was delivered (`Used`), what was reserved and
//! not delivered (`Unused`, at no cost), fees, and credits. What credit notes took back of the
//! invoice is a row of its own. So the rows of an invoice add up to its total less its credit
//! notes, to the micro-unit.

use std::collections::BTreeMap;
use std::io::Write;

use super::{CHUNK, Fault, decimal, each, exact, gpu_hours, neutral};
use crate::engine::billing::{Invoice, InvoiceLine, InvoiceState};
use crate::engine::contract::Contract;
use crate::model::id::OrgId;
use crate::model::money::CURRENCY;
use crate::model::{Minute, Money, Month, RegionCode};
use crate::store::read::{InvoiceFilter, Reader};

/// The columns, in the specification's alphabetical order.
const COLUMNS: [&str; 46] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
];

const UNIT: &str = "GPU-Hours";

/// What a row is about.
#[derive(Debug, Clone, Copy)]
enum Charge {
    /// GPU-minutes that were delivered.
    Used(i64),
    /// GPU-minutes that were reserved and not delivered.
    Unused(i64),
    Fees,
    Credits,
    /// Credit notes on the whole invoice.
    Correction,
}

/// Who and what the rows speak of, by name, as cells: people chose these, all else is ours.
#[derive(Debug)]
struct Names {
    organizations: BTreeMap<OrgId, String>,
    regions: BTreeMap<RegionCode, String>,
    /// The operator: it sends the invoices.
    issuer: String,
}

impl Names {
    fn read(reader: &Reader) -> Result<Self, Fault> {
        let (mut organizations, mut issuer) = (BTreeMap::new(), String::new());
        each(
            |page| reader.organizations(&(), page),
            |org| org.id,
            |org| {
                let name = neutral(&org.name).into_owned();
                if org.capabilities.operator {
                    issuer.clone_from(&name);
                }
                organizations.insert(org.id, name);
                Ok(())
            },
        )?;
        let mut regions = BTreeMap::new();
        each(
            |page| reader.regions(&(), page),
            |region| region.code.clone(),
            |region| {
                regions.insert(region.code, neutral(&region.name).into_owned());
                Ok(())
            },
        )?;
        Ok(Self { organizations, regions, issuer })
    }

    fn of(&self, org: OrgId) -> &str {
        self.organizations.get(&org).map_or("", String::as_str)
    }
}

/// Writes the rows of all invoices that have gone out, newest first.
///
/// # Errors
/// When the database cannot be read or the file not be written.
pub(super) fn write(
    (org, month): (Option<OrgId>, Option<Month>),
    reader: &Reader,
    out: impl Write,
    done: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    let names = Names::read(reader)?;
    let mut out = csv::Writer::from_writer(out);
    out.write_record(COLUMNS)?;
    let filter = InvoiceFilter { org, month, state: None };
    let mut written = 0;
    each(
        |page| reader.invoices(&filter, page),
        |invoice| invoice.id,
        |invoice| {
            // A draft is no charge yet.
            if invoice.state == InvoiceState::Draft {
                return Ok(());
            }
            for line in reader.invoice_lines(&invoice.id)? {
                let contract = reader.contract(&line.contract)?;
                for (charge, cost) in charges(&line) {
                    let about = Some((&line, contract.as_ref()));
                    out.write_record(row(&names, &invoice, about, charge, cost))?;
                    written += 1;
                    if written % u64::from(CHUNK) == 0 {
                        done(written);
                    }
                }
            }
            if !invoice.credited.is_zero() {
                let cost = -invoice.credited.micros();
                out.write_record(row(&names, &invoice, None, Charge::Correction, cost))?;
            }
            Ok(())
        },
    )?;
    out.flush()?;
    done(written);
    Ok(())
}

/// What a line charges, with the cost in micro-units.
fn charges(line: &InvoiceLine) -> Vec<(Charge, i64)> {
    let bill = &line.bill;
    let rows = [
        (Charge::Used(bill.delivered), bill.charge.micros(), bill.delivered != 0),
        (Charge::Unused(bill.lost), 0, bill.lost != 0),
        (Charge::Fees, bill.fees.micros(), !bill.fees.is_zero()),
        (Charge::Credits, -bill.credits.micros(), !bill.credits.is_zero()),
    ];
    let there = rows.into_iter().filter(|(_, _, is_there)| *is_there);
    there.map(|(charge, cost, _)| (charge, cost)).collect()
}

fn row(
    names: &Names,
    invoice: &Invoice,
    about: Option<(&InvoiceLine, Option<&Contract>)>,
    charge: Charge,
    cost: i64,
) -> [String; 46] {
    let month = invoice.month.window();
    let window = about.map_or(month, |(line, _)| line.window);
    let provider = about.map_or(names.issuer.as_str(), |(line, _)| names.of(line.provider));
    let contract = about.and_then(|(_, contract)| contract);
    let region = contract.map(|it| &it.region);
    let sku = about.map_or_else(String::new, |(line, _)| line.sku.to_string());
    let resource = about.map_or_else(String::new, |(line, _)| line.contract.to_string());
    let (category, class, frequency, status, minutes, what) = match charge {
        Charge::Used(it) => ("Usage", "", "Usage-Based", "Used", Some(it), "GPU-hours delivered"),
        Charge::Unused(it) => {
            ("Usage", "", "Usage-Based", "Unused", Some(it), "GPU-hours reserved and not delivered")
        }
        Charge::Fees => ("Purchase", "", "One-Time", "", None, "Fees for changes"),
        Charge::Credits => ("Credit", "", "One-Time", "", None, "Credits for service"),
        Charge::Correction => ("Credit", "Correction", "One-Time", "", None, "Credit notes"),
    };
    let quantity = minutes.map_or_else(String::new, gpu_hours);
    let unit = minutes.map_or("", |_| UNIT).to_owned();
    let price = minutes.map_or_else(String::new, |minutes| unit_price(cost, minutes));
    let is_usage = minutes.is_some();
    let cost = exact(Money::from_micros(cost));
    let when_used = |text: &str| if is_usage { text.to_owned() } else { String::new() };
    let empty = String::new;
    [
        empty(),
        cost.clone(),
        invoice.org.to_string(),
        names.of(invoice.org).to_owned(),
        CURRENCY.to_owned(),
        instant(month.end()),
        instant(month.start()),
        when_used(&resource),
        status.to_owned(),
        category.to_owned(),
        class.to_owned(),
        what.to_owned(),
        frequency.to_owned(),
        instant(window.end()),
        instant(window.start()),
        empty(),
        empty(),
        empty(),
        empty(),
        empty(),
        quantity.clone(),
        unit.clone(),
        cost.clone(),
        price.clone(),
        cost.clone(),
        invoice.id.to_string(),
        names.issuer.clone(),
        cost,
        price,
        when_used("Standard"),
        quantity,
        unit,
        provider.to_owned(),
        provider.to_owned(),
        region.map_or_else(empty, ToString::to_string),
        region.and_then(|code| names.regions.get(code)).cloned().unwrap_or_default(),
        resource.clone(),
        empty(),
        about.map_or("", |_| "GPU Block").to_owned(),
        "Compute".to_owned(),
        "GPU Capacity".to_owned(),
        sku.clone(),
        // Each contract has prices of its own.
        about.map_or_else(empty, |_| format!("{sku}/{resource}")),
        empty(),
        empty(),
        tags(contract),
    ]
}

/// What a GPU-hour cost on average, to six decimals.
fn unit_price(cost: i64, minutes: i64) -> String {
    let price = i128::from(cost) * 60 / i128::from(minutes);
    decimal(i64::try_from(price).expect("a price is bounded"), 6)
}

/// What the customer said of the contract, as a JSON object.
fn tags(contract: Option<&Contract>) -> String {
    match contract.and_then(|it| it.workload) {
        Some(workload) => serde_json::json!({ "workload": workload.as_str() }).to_string(),
        None => "{}".to_owned(),
    }
}

/// `2027-01-31T00:00:00Z`.
fn instant(minute: Minute) -> String {
    minute.to_string()
}
