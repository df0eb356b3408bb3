//! Contracts, their allocations and what was done to them as rows. The programs of a contract are
//! references to versions.

use std::sync::Arc;

use super::program::Versions;
use super::{code, corrupt, count, json, maybe, parse, price, uid, window, word};
use crate::engine::amendment::{Amendment, AmendmentKind};
use crate::engine::charge::Bill;
use crate::engine::contract::{Contract, ContractState, Terms};
use crate::engine::matching::Draw;
use crate::model::id::{ContractId, LineId, ListingId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{Micros, Minute, Money, Workload, Worth};
use crate::store::Fault;
use crate::store::schema::{Uid, row};

row! {
    ContractRow in contracts
    key { id: Id, }
    fixed {
        order_id: Id,
        customer: Id,
        provider: Id,
        sku: Text,
        region: Text,
        platform_fee: Number,
        cancellation_fee: Number,
        net_days: Number,
        sla: Text,
        workload: MaybeText,
        created_at: Number,
    }
    moving {
        holder: MaybeId,
        line: Id,
        pool: Id,
        gpus: Number,
        start_at: Number,
        end_at: Number,
        earliest: Number,
        latest: Number,
        worth: Text,
        value: Number,
        average: Number,
        programs: Text,
        commitments: Text,
        state: Text,
        accrued: Number,
        accrued_to: Number,
        sizes: Text,
        losses: Text,
        substitutes: Text,
        degraded: Flag,
        resale: MaybeText,
        delivered: Number,
        lost: Number,
        unbilled: MaybeText,
        billed_to: Number,
        ended_at: MaybeNumber,
        settled: Flag,
        amendments: Number,
        transfer_to: MaybeId,
        changed_at: Number,
    }
}

row! {
    /// One draw of a contract; `place` keeps their order.
    AllocationRow in allocations
    key { contract: Id, place: Number, }
    fixed {
        listing: Id,
        program: MaybeId,
        gpus: Number,
        start_at: Number,
        end_at: Number,
        price: Number,
    }
    moving { }
}

row! {
    /// Never changes.
    AmendmentRow in amendments
    key { contract: Id, no: Number, }
    fixed {
        kind: Text,
        effective_at: Number,
        size_before: Text,
        size_after: Text,
        moved: MaybeText,
        fee: Number,
        held_before: Number,
        held_after: Number,
        made_at: Number,
    }
    moving { }
}

diesel::joinable!(allocations -> contracts (contract));
diesel::allow_tables_to_appear_in_same_query!(allocations, contracts);

impl From<&Arc<Contract>> for ContractRow {
    fn from(thing: &Arc<Contract>) -> Self {
        Self::from(thing.as_ref())
    }
}

impl From<&Contract> for ContractRow {
    fn from(thing: &Contract) -> Self {
        // The allocations are rows of their own.
        let Contract {
            id,
            order,
            customer,
            ordered_by,
            line,
            provider,
            pool,
            sku,
            region,
            gpus,
            sizes,
            window,
            earliest,
            latest,
            worth,
            value,
            average,
            allocations: _,
            losses,
            substitutes,
            degraded,
            resale,
            terms,
            commitments,
            state,
            accrued,
            accrued_to,
            delivered,
            lost,
            unbilled,
            billed_to,
            ended_at,
            settled,
            amendments,
            transfer_to,
            workload,
            created_at,
            changed_at,
        } = thing;
        let Terms { platform_fee, cancellation_fee, net_days, sla, programs } = terms;
        let programs: Vec<_> =
            programs.iter().map(|frozen| (frozen.program, frozen.version)).collect();
        Self {
            id: uid(id.uuid()),
            order_id: uid(order.uuid()),
            customer: uid(ordered_by.uuid()),
            // Most stay with who ordered them.
            holder: (customer != ordered_by).then(|| uid(customer.uuid())),
            line: uid(line.uuid()),
            provider: uid(provider.uuid()),
            sku: sku.as_str().to_owned(),
            region: region.as_str().to_owned(),
            platform_fee: i64::from(*platform_fee),
            cancellation_fee: i64::from(*cancellation_fee),
            net_days: i64::from(*net_days),
            sla: json(sla),
            workload: workload.map(|workload| workload.as_str().to_owned()),
            created_at: created_at.count(),
            pool: uid(pool.uuid()),
            gpus: i64::from(*gpus),
            start_at: window.start().count(),
            end_at: window.end().count(),
            earliest: earliest.count(),
            latest: latest.count(),
            worth: json(worth),
            value: value.micros(),
            average: average.micros(),
            programs: json(&programs),
            commitments: json(commitments),
            state: state.as_str().to_owned(),
            accrued: accrued.micros(),
            accrued_to: accrued_to.count(),
            sizes: json(sizes),
            losses: json(losses),
            substitutes: json(substitutes),
            degraded: *degraded,
            resale: resale.as_ref().map(json),
            delivered: *delivered,
            lost: *lost,
            unbilled: Some(json(unbilled)),
            billed_to: billed_to.count(),
            ended_at: ended_at.map(Minute::count),
            settled: *settled,
            amendments: i64::from(*amendments),
            transfer_to: transfer_to.map(|org| uid(org.uuid())),
            changed_at: changed_at.count(),
        }
    }
}

impl ContractRow {
    /// The contract, with its allocations in order and its programs from the one copy of each
    /// version.
    pub fn into_contract(
        self,
        allocations: Vec<Draw>,
        versions: &Versions,
    ) -> Result<Contract, Fault> {
        let named: Vec<(ProgramId, u32)> = parse("contracts.programs", &self.programs)?;
        let programs = named
            .into_iter()
            .map(|(program, version)| versions.get(program, version))
            .collect::<Result<_, _>>()?;
        let terms = Terms {
            platform_fee: count("contracts.platform_fee", self.platform_fee)?,
            cancellation_fee: count("contracts.cancellation_fee", self.cancellation_fee)?,
            net_days: count("contracts.net_days", self.net_days)?,
            sla: parse("contracts.sla", &self.sla)?,
            programs,
        };
        let unbilled = maybe(self.unbilled, |text| parse("contracts.unbilled", &text))?;
        let mut contract = Contract {
            id: ContractId::new(self.id.0),
            order: OrderId::new(self.order_id.0),
            customer: OrgId::new(self.holder.unwrap_or(self.customer).0),
            ordered_by: OrgId::new(self.customer.0),
            line: LineId::new(self.line.0),
            provider: OrgId::new(self.provider.0),
            pool: PoolId::new(self.pool.0),
            sku: code("contracts.sku", &self.sku)?,
            region: code("contracts.region", &self.region)?,
            gpus: count("contracts.gpus", self.gpus)?,
            sizes: parse("contracts.sizes", &self.sizes)?,
            window: window("contracts.start_at", self.start_at, self.end_at)?,
            earliest: Minute::new(self.earliest),
            latest: Minute::new(self.latest),
            worth: parse::<Worth>("contracts.worth", &self.worth)?,
            value: Money::from_micros(self.value),
            average: price("contracts.average", self.average)?,
            allocations,
            losses: parse("contracts.losses", &self.losses)?,
            substitutes: parse("contracts.substitutes", &self.substitutes)?,
            degraded: self.degraded,
            resale: maybe(self.resale, |text| parse("contracts.resale", &text))?,
            terms,
            commitments: parse("contracts.commitments", &self.commitments)?,
            state: word("contracts.state", &self.state, ContractState::read)?,
            accrued: Money::from_micros(self.accrued),
            accrued_to: Minute::new(self.accrued_to),
            delivered: self.delivered,
            lost: self.lost,
            unbilled: Bill::default(),
            billed_to: Minute::new(self.billed_to),
            ended_at: self.ended_at.map(Minute::new),
            settled: self.settled,
            amendments: count("contracts.amendments", self.amendments)?,
            transfer_to: self.transfer_to.map(|org| OrgId::new(org.0)),
            workload: maybe(self.workload, |text| {
                word("contracts.workload", &text, Workload::read)
            })?,
            created_at: Micros::new(self.created_at),
            changed_at: Micros::new(self.changed_at),
        };
        // A row from before there were invoices: all that was accrued waits for its first one.
        contract.unbilled = unbilled.unwrap_or_else(|| contract.tally(contract.accrued_to));
        Ok(contract)
    }
}

impl AllocationRow {
    /// The allocations of a contract, in their order.
    pub fn of(contract: &Contract) -> impl Iterator<Item = Self> + '_ {
        (0_i64..).zip(&contract.allocations).map(|(place, draw)| {
            let Draw { listing, program, gpus, window, price } = draw;
            Self {
                contract: uid(contract.id.uuid()),
                place,
                listing: uid(listing.uuid()),
                program: program.map(|program| uid(program.uuid())),
                gpus: i64::from(*gpus),
                start_at: window.start().count(),
                end_at: window.end().count(),
                price: price.micros(),
            }
        })
    }
}

impl TryFrom<AllocationRow> for Draw {
    type Error = Fault;
    fn try_from(row: AllocationRow) -> Result<Self, Fault> {
        Ok(Self {
            listing: ListingId::new(row.listing.0),
            program: row.program.map(|program| ProgramId::new(program.0)),
            gpus: count("allocations.gpus", row.gpus)?,
            window: window("allocations.start_at", row.start_at, row.end_at)?,
            price: price("allocations.price", row.price)?,
        })
    }
}

impl From<&Amendment> for AmendmentRow {
    fn from(thing: &Amendment) -> Self {
        let Amendment {
            contract,
            no,
            kind,
            effective_at,
            before,
            after,
            moved,
            fee,
            held_before,
            held_after,
            made_at,
        } = thing;
        Self {
            contract: uid(contract.uuid()),
            no: i64::from(*no),
            kind: kind.as_str().to_owned(),
            effective_at: effective_at.count(),
            size_before: json(before),
            size_after: json(after),
            moved: moved.as_ref().map(json),
            fee: fee.micros(),
            held_before: held_before.micros(),
            held_after: held_after.micros(),
            made_at: made_at.count(),
        }
    }
}

impl TryFrom<AmendmentRow> for Amendment {
    type Error = Fault;
    fn try_from(row: AmendmentRow) -> Result<Self, Fault> {
        Ok(Self {
            contract: ContractId::new(row.contract.0),
            no: count("amendments.no", row.no)?,
            kind: word("amendments.kind", &row.kind, AmendmentKind::read)?,
            effective_at: Minute::new(row.effective_at),
            before: parse("amendments.size_before", &row.size_before)?,
            after: parse("amendments.size_after", &row.size_after)?,
            moved: maybe(row.moved, |text| parse("amendments.moved", &text))?,
            fee: Money::from_micros(row.fee),
            held_before: Money::from_micros(row.held_before),
            held_after: Money::from_micros(row.held_after),
            made_at: Micros::new(row.made_at),
        })
    }
}

/// Contracts with their allocations. `rows` and `allocations` are both in the order of the
/// contract's id, one way or the other, and the allocations of each contract in the order of their
/// place.
pub fn join(
    rows: Vec<ContractRow>,
    allocations: Vec<AllocationRow>,
    versions: &Versions,
) -> Result<Vec<Contract>, Fault> {
    let mut allocations = allocations.into_iter().peekable();
    let mut contracts = Vec::with_capacity(rows.len());
    for row in rows {
        let is_of_it = |next: &AllocationRow| next.contract == row.id;
        let mut draws = Vec::new();
        while let Some(next) = allocations.next_if(is_of_it) {
            draws.push(Draw::try_from(next)?);
        }
        contracts.push(row.into_contract(draws, versions)?);
    }
    match allocations.next() {
        None => Ok(contracts),
        Some(AllocationRow { contract: Uid(contract), .. }) => Err(corrupt(
            "allocations.contract",
            format_args!("{contract} is not where it should be"),
        )),
    }
}
