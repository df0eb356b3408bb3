//! What the demo has to show: what was sold where and when, for how much and to whose part, what
//! was refused and why, who has how much credit.
//!
//! Everything but outright refusals is read back from the database, so what is printed is what is
//! on disk. Knows tables and sums; decides nothing.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{CellAlignment, LineStyle, Row, Table, TableStyle};

use super::calendar::{Calendar, HOUR};
use super::market::Market;
use super::replay::Tally;
use crate::engine::backstop::REFERENCE;
use crate::engine::charge::Parts;
use crate::engine::contract::{Contract, ContractState};
use crate::engine::credit::{Application, ApplicationState, Balances, Line};
use crate::engine::listing::Listing;
use crate::engine::order::{Order, OrderState};
use crate::engine::party::Organization;
use crate::engine::quote::{Quote, QuoteState};
use crate::model::{Money, Window, limits};
use crate::store::Fault;
use crate::store::read::{ContractFilter, ListingFilter, OrderFilter, Page, Reader, Slice};

/// What is read back of a replayed market.
#[derive(Debug)]
pub struct Harvest {
    pub organizations: Vec<Organization>,
    pub applications: Vec<Application>,
    pub lines: Vec<(Line, Balances)>,
    pub listings: Vec<Listing>,
    pub orders: Vec<Order>,
    pub quotes: Vec<Quote>,
    pub contracts: Vec<Contract>,
}

impl Harvest {
    /// Reads everything the summary counts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn gather(reader: &Reader) -> Result<Self, Fault> {
        let (listing, order) = (ListingFilter::default(), OrderFilter::default());
        let contract = ContractFilter::default();
        Ok(Self {
            organizations: all(|page| reader.organizations(&(), page), |one| one.id)?,
            applications: all(|page| reader.applications(&(None, None), page), |one| one.id)?,
            lines: all(|page| reader.lines(&None, page), |(line, _)| line.id)?,
            listings: all(|page| reader.listings(&listing, page), |one| one.id)?,
            orders: all(|page| reader.orders(&order, page), |one| one.id)?,
            quotes: all(|page| reader.quotes(&None, page), |one| one.id)?,
            contracts: all(|page| reader.contracts(&contract, page), |one| one.id)?,
        })
    }

    /// The orders that customers placed: all but those of the vendor's backstop.
    pub fn asked(&self) -> impl Iterator<Item = &Order> {
        let is_asked = |order: &&Order| order.client_order_id.as_deref() != Some(REFERENCE);
        self.orders.iter().filter(is_asked)
    }

    /// Whether the vendor's backstop bought it.
    fn is_bought(&self, contract: &Contract) -> bool {
        let mut backstops = self.lines.iter().filter(|(line, _)| line.program.is_some());
        backstops.any(|(line, _)| line.id == contract.line)
    }

    /// What all contracts charge for full delivery, and the parties' parts of it.
    fn revenue(&self, of: impl Fn(&Contract) -> bool) -> (Money, Parts) {
        let contracts = self.contracts.iter().filter(|contract| of(contract));
        contracts.fold((Money::ZERO, Parts::default()), |(sum, parts), contract| {
            let (value, more) = contract.charge(contract.window.end());
            let parts = Parts {
                provider: plus(parts.provider, more.provider),
                vendor: plus(parts.vendor, more.vendor),
                platform: plus(parts.platform, more.platform),
                reseller: plus(parts.reseller, more.reseller),
            };
            (plus(sum, value), parts)
        })
    }
}

/// All pages of a list.
pub fn all<T, Id>(
    read: impl Fn(&Page<Id>) -> Result<Slice<T>, Fault>,
    id: impl Fn(&T) -> Id,
) -> Result<Vec<T>, Fault> {
    let mut things = Vec::new();
    loop {
        let page = Page { after: things.last().map(&id), limit: limits::PAGE_MAX * 10 };
        let Slice { data, has_more } = read(&page)?;
        things.extend(data);
        if !has_more {
            return Ok(things);
        }
    }
}

/// The whole summary, as text.
pub fn write(harvest: &Harvest, market: &Market, tally: &Tally, calendar: &Calendar) -> String {
    let mut text = String::new();
    let parts = [
        supply(harvest, market),
        sold_by_month(harvest, market, calendar),
        revenue(harvest),
        orders(harvest, tally),
        credit(harvest),
    ];
    for part in parts {
        writeln!(text, "{part}").expect("text can be written");
    }
    text
}

/// Who offers what.
fn supply(harvest: &Harvest, market: &Market) -> String {
    let mut table =
        table(&["Site", "Provider", "Power", "GPUs, all phases", "Listings", "GPUs listed"]);
    for (place, site) in market.sites.iter().enumerate() {
        let here = || harvest.listings.iter().filter(move |it| market.pools[&it.pool] == place);
        let listed = here().map(|it| i64::from(it.gpus)).sum();
        table.add_row([
            site.name.to_owned(),
            site.provider.to_owned(),
            format!("{} MW", site.power_kw / 1_000),
            grouped(site.installed.into()),
            here().count().to_string(),
            grouped(listed),
        ]);
    }
    align_right(&mut table, 2);
    format!("SUPPLY\n{table}\n")
}

/// For each month and site the average of GPUs under contract, and which part that is of what is
/// listed.
fn sold_by_month(harvest: &Harvest, market: &Market, calendar: &Calendar) -> String {
    let sold = harvest.contracts.iter().map(|it| (market.pools[&it.pool], it.gpus, it.window));
    let sold: Vec<Block> = sold.collect();
    let listed = harvest.listings.iter().map(|it| (market.pools[&it.pool], it.gpus, it.window));
    let listed: Vec<Block> = listed.collect();
    let mut header = vec!["Month"];
    header.extend(market.sites.iter().map(|site| site.name));
    header.push("All sites");
    let mut table = table(&header);
    let span = Window::new(calendar.opens, calendar.ends).expect("the calendar runs forward");
    for (name, month) in Calendar::months(span) {
        let sold = by_site(&sold, month, market.sites.len());
        let listed = by_site(&listed, month, market.sites.len());
        if sold.iter().sum::<i64>() == 0 {
            continue;
        }
        let mut row = vec![name];
        let pairs = sold.iter().zip(&listed).map(|(sold, listed)| (*sold, *listed));
        let total = (sold.iter().sum(), listed.iter().sum());
        row.extend(pairs.chain([total]).map(|(sold, listed)| cell(sold, listed, month)));
        table.add_row(row);
    }
    align_right(&mut table, 1);
    let total: i64 = sold.iter().map(|(_, gpus, window)| i64::from(*gpus) * window.minutes()).sum();
    let total = grouped(total / HOUR);
    format!(
        "SOLD BY SITE AND MONTH: average GPUs under contract (percent of the GPU-hours listed)\n\
         {table}\nGPU-hours sold         {total}\n"
    )
}

/// The place of the site, GPUs, when.
type Block = (usize, u32, Window);

/// GPU-minutes of blocks within a month, by site.
fn by_site(blocks: &[Block], month: Window, sites: usize) -> Vec<i64> {
    let mut sums = vec![0; sites];
    for (site, gpus, window) in blocks {
        if let Some(shared) = window.overlap(month) {
            sums[*site] += i64::from(*gpus) * shared.minutes();
        }
    }
    sums
}

fn cell(sold: i64, listed: i64, month: Window) -> String {
    match (sold * 100 + listed / 2).checked_div(listed) {
        None => "-".to_owned(),
        Some(percent) => format!("{} ({percent} %)", grouped(sold / month.minutes())),
    }
}

fn revenue(harvest: &Harvest) -> String {
    let (value, parts) = harvest.revenue(|_| true);
    let (earned, _) = harvest.revenue(|it| it.state == ContractState::Completed);
    let (bought, _) = harvest.revenue(|it| harvest.is_bought(it));
    let Parts { provider, vendor, platform, reseller: _ } = parts;
    let count = |state| harvest.contracts.iter().filter(|it| it.state == state).count();
    let mut table = table(&["", "USD", "Share"]);
    let rows = [
        ("Contracted revenue", value),
        ("  providers", provider),
        ("  vendor", vendor),
        ("  platform", platform),
        ("  by the backstop", bought),
        ("Earned so far", earned),
    ];
    let decimals = rows.map(|(_, part)| decimals(part).len()).into_iter().max().unwrap_or(0);
    for (name, part) in rows {
        table.add_row([name.to_owned(), dollars(part, decimals), percent(part, value)]);
    }
    align_right(&mut table, 1);
    format!(
        "REVENUE: {} contracts: {} scheduled, {} active, {} completed\n\
         Of these               {} bought by the vendor's backstop\n{table}\n",
        grouped(size(harvest.contracts.len())),
        grouped(size(count(ContractState::Scheduled))),
        grouped(size(count(ContractState::Active))),
        grouped(size(count(ContractState::Completed))),
        grouped(size(harvest.contracts.iter().filter(|it| harvest.is_bought(it)).count())),
    )
}

fn orders(harvest: &Harvest, tally: &Tally) -> String {
    let mut states: BTreeMap<OrderState, i64> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, i64> = BTreeMap::new();
    for order in harvest.asked() {
        *states.entry(order.state).or_default() += 1;
        if let Some(reason) = order.reason {
            *reasons.entry(reason.as_str()).or_default() += 1;
        }
    }
    for (code, count) in &tally.refused {
        *reasons.entry(code).or_default() += i64::try_from(*count).unwrap_or(i64::MAX);
    }
    let count = |state| states.get(&state).copied().unwrap_or(0);
    let asked = i64::try_from(tally.orders).unwrap_or(i64::MAX);
    let ordered = harvest.contracts.iter().filter(|it| !harvest.is_bought(it));
    let sold: i64 = ordered.map(Contract::gpu_minutes).sum();
    let filled = count(OrderState::Filled);
    let quoted = |state| harvest.quotes.iter().filter(|it| it.state == state).count();
    let mut text = format!(
        "ORDERS: {} placed\n\
         Filled                 {} ({} of the orders, {} of the GPU-hours asked for)\n\
         Resting                {}\n\
         Cancelled              {}\n\
         Firm quotes            {} given: {} taken, {} lapsed, {} open\n\n",
        grouped(asked),
        grouped(filled),
        ratio(filled.into(), asked.into()),
        ratio(sold.into(), tally.gpu_minutes.into()),
        grouped(count(OrderState::Open)),
        grouped(count(OrderState::Cancelled)),
        tally.quotes,
        quoted(QuoteState::Taken),
        quoted(QuoteState::Expired),
        quoted(QuoteState::Open),
    );
    reasons.remove("cancelled");
    let mut table = table(&["Not filled because", "Orders", "Share"]);
    let mut reasons: Vec<(&str, i64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        table.add_row([meaning(reason), grouped(count), ratio(count.into(), asked.into())]);
    }
    align_right(&mut table, 1);
    writeln!(text, "{table}").expect("text can be written");
    text
}

/// A reason's word, with what it means.
fn meaning(reason: &str) -> String {
    let words = match reason {
        "capacity" => "not enough GPUs free on one site",
        "price" => "free, but above the limit price",
        "limits" => "outside every listing's size or length",
        "notice" => "too late for every listing",
        "segment" => "listed for others only",
        "no_listing" => "nothing listed there",
        "time_passed" => "rested until its last start or date",
        "no_credit_line" => "no credit line",
        "credit_short" => "too little headroom on the line",
        "credit_line_state" => "the line takes no new holds",
        "quote_gone" => "its quote had lapsed",
        _ => "refused",
    };
    format!("{reason}: {words}")
}

fn credit(harvest: &Harvest) -> String {
    let header = ["Customer", "Segment", "Credit", "Limit USD", "Held", "Drawn", "Available"];
    let mut table = table(&header);
    let mut customers: Vec<&Organization> = harvest
        .organizations
        .iter()
        .filter(|it| it.capabilities.customer && !it.capabilities.vendor)
        .collect();
    customers.sort_by_key(|customer| customer.id);
    let (mut decided, mut waiting) = (0, 0);
    for customer in customers {
        let line = harvest.lines.iter().find(|(line, _)| line.org == customer.id);
        let balances = line.map(|(_, balances)| *balances);
        let amount = |of: fn(Balances) -> Money| {
            balances.map_or_else(|| "-".to_owned(), |balances| whole_dollars(of(balances)))
        };
        let asked = harvest.applications.iter().find(|it| it.org == customer.id);
        match asked.map(|it| it.state) {
            Some(ApplicationState::Submitted) => waiting += 1,
            Some(_) => decided += 1,
            None => {}
        }
        table.add_row([
            customer.name.clone(),
            customer.segment.map_or("-", |segment| segment.as_str()).to_owned(),
            standing(line.map(|(line, _)| line), asked),
            amount(|it| it.limit),
            amount(|it| it.held),
            amount(|it| it.drawn),
            amount(|it| it.available),
        ]);
    }
    align_right(&mut table, 3);
    format!("CREDIT: {decided} applications decided, {waiting} waiting\n{table}\n")
}

/// Where a customer stands with its credit.
fn standing(line: Option<&Line>, asked: Option<&Application>) -> String {
    match (line, asked) {
        (Some(line), Some(asked)) => {
            let officers = match asked.approved_by.len() {
                1 => "one officer".to_owned(),
                several => format!("{several} officers"),
            };
            format!("{} ({officers})", line.state)
        }
        (Some(line), None) => line.state.to_string(),
        (None, Some(asked)) if asked.state == ApplicationState::Submitted => {
            format!("waiting, {} of {} officers", asked.approved_by.len(), asked.approvals_needed)
        }
        (None, Some(asked)) => asked.state.to_string(),
        (None, None) => "none asked for".to_owned(),
    }
}

/// A line under the header and nothing else: it reads well and pastes well.
const LOOKS: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table in the house's looks.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(LOOKS);
    table.set_header(Row::from(header.to_vec()));
    table
}

/// Numbers stand right, from this column on.
pub fn align_right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// An integer with its thousands apart.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// An amount with its thousands apart and so many decimals at least.
pub fn dollars(amount: Money, least: usize) -> String {
    format!("{}.{:0<least$}", whole_dollars(amount), decimals(amount))
}

/// The decimals it takes to write an amount exactly.
fn decimals(amount: Money) -> String {
    amount.to_string().split_once('.').map_or_else(String::new, |(_, it)| it.to_owned())
}

/// An amount without its decimals.
fn whole_dollars(amount: Money) -> String {
    grouped(amount.micros() / 1_000_000)
}

fn percent(part: Money, whole: Money) -> String {
    ratio(part.micros().into(), whole.micros().into())
}

/// A part of a whole in percent, to a tenth.
fn ratio(part: i128, whole: i128) -> String {
    match (part * 1_000 + whole / 2).checked_div(whole) {
        None => "-".to_owned(),
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
    }
}

fn plus(left: Money, right: Money) -> Money {
    left.checked_add(right).expect("a demo's revenue is far below the range of money")
}

fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Minute;

    #[test]
    fn numbers_are_readable() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(dollars(Money::from_micros(1_234_567_890_000), 3), "1,234,567.890");
        assert_eq!(ratio(1, 3), "33.3 %");
        assert_eq!(ratio(0, 0), "-");
    }

    #[test]
    fn a_block_counts_in_the_months_it_touches() {
        let window =
            |start, end| Window::new(Minute::new(start), Minute::new(end)).expect("a window");
        let blocks = [(0, 8, window(0, 150)), (1, 4, window(90, 110)), (0, 8, window(200, 300))];
        assert_eq!(by_site(&blocks, window(0, 100), 2), [800, 40]);
        assert_eq!(by_site(&blocks, window(100, 200), 2), [400, 40]);
        assert_eq!(cell(400, 800, window(0, 100)), "4 (50 %)");
        assert_eq!(cell(0, 0, window(0, 100)), "-");
    }
}
