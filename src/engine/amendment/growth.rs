//! More of a contract: extended, grown. What is added is found and priced as a new order for it
//! would be, on the same site.

use super::super::Engine;
use super::super::charge::{Bill, less, sum};
use super::super::command::Stamp;
use super::super::contract::{Commitment, Contract};
use super::super::listing::no_later;
use super::super::matching::{self, Block, Stack};
use super::super::order::{Ask, Start, buyer};
use super::super::party::Organization;
use super::super::program::FrozenProgram;
use super::super::refusal::Refusal;
use super::{AmendmentKind, Plan};
use crate::engine::bound;
use crate::engine::capacity::on_lot;
use crate::model::{Gpus, Minute, Money, Price, Window, limits};

impl Engine {
    /// The same GPUs from the end on, until a later one.
    pub(super) fn plan_extend(
        &self,
        at: &Stamp,
        customer: &Organization,
        before: Contract,
        end: Minute,
        limit: Option<Price>,
    ) -> Result<Plan, Refusal> {
        let field = "end_at";
        let (start, old_end) = (before.window.start(), before.window.end());
        if end <= old_end {
            return Err(Refusal::Invalid { field, rule: "lies after the contract's end" });
        }
        no_later(field, end, start.plus(limits::WINDOW_MINUTES_MAX))?;
        let slot_minutes = self.slot_of(&before);
        if !end.is_aligned(slot_minutes) {
            let (before, after) = (end.floor_to(slot_minutes), end.ceil_to(slot_minutes));
            return Err(Refusal::OffSlot { field, slot_minutes, before, after });
        }
        let added = Window::new(old_end, end).expect("the new end lies after the old one");
        let block = self.block_of(at, customer, &before, before.gpus, added, limit)?;
        let mut after = before.clone();
        after.window = Window::new(start, end).expect("a longer window is one");
        self.more_of(AmendmentKind::Extend, old_end, before, after, block)
    }

    /// More GPUs to the end.
    pub(super) fn plan_grow(
        &self,
        at: &Stamp,
        customer: &Organization,
        before: Contract,
        gpus: Gpus,
        from: Option<Minute>,
        limit: Option<Price>,
    ) -> Result<Plan, Refusal> {
        let effective_at = self.effective(at, &before, from)?;
        if before.sizes.iter().any(|size| size.until > effective_at) {
            let rule = "does not lie before the contract's last change of size";
            return Err(Refusal::Invalid { field: "from", rule });
        }
        bound::within("gpus", gpus, i64::from(before.gpus) + 1, limits::GPUS_MAX)?;
        let lot = self.catalogue.sku(&before.sku).expect("a contract's SKU exists").gpus_per_node;
        on_lot("gpus", gpus, lot)?;
        let rest = Window::new(effective_at, before.window.end()).expect("it lies before the end");
        let block = self.block_of(at, customer, &before, gpus - before.gpus, rest, limit)?;
        let mut after = before.clone();
        after.resize(effective_at, gpus);
        self.more_of(AmendmentKind::Grow, effective_at, before, after, block)
    }

    /// The cheapest block that a contract can be added to: on its site, for a window.
    fn block_of(
        &self,
        at: &Stamp,
        customer: &Organization,
        contract: &Contract,
        gpus: Gpus,
        window: Window,
        limit: Option<Price>,
    ) -> Result<Block, Refusal> {
        let ask = Ask {
            skus: vec![contract.sku.clone()],
            regions: Vec::new(),
            gpus,
            min_gpus: None,
            start: Start::At(window.start()),
            minutes: window.minutes(),
            limit,
            workload: None,
        };
        let (earliest, latest) = self.admit_ask(at, &ask)?;
        let wanted = ask.wanted(earliest, latest);
        let (who, now) = (buyer(customer), at.next_minute());
        matching::in_pool(&self.capacity, who, wanted, contract.pool, now).map_err(Refusal::NoBlock)
    }

    /// The plan of a change that adds a block to a contract whose window or size has grown: there
    /// is credit for it, and guarantors stand behind their part.
    fn more_of(
        &self,
        kind: AmendmentKind,
        effective_at: Minute,
        before: Contract,
        mut after: Contract,
        block: Block,
    ) -> Result<Plan, Refusal> {
        for frozen in self.programs_of(&block.draws) {
            let programs = &mut after.terms.programs;
            // What it was made under stays as it was.
            let place = programs.binary_search_by_key(&frozen.program, |it| it.program);
            if let Err(place) = place {
                programs.insert(place, frozen);
            }
        }
        let origins = self.origins_of(&block.draws);
        after.resale_mut(|resale| resale.join(origins));
        let mut stack = Stack::of(&before.allocations);
        stack.add(&block.draws);
        after.reallocate(stack.draws());
        if after.value > Money::from_micros(limits::AMOUNT_MAX) {
            return Err(Refusal::Overflow { field: "value" });
        }
        let needed = less(after.unaccrued(), before.unaccrued());
        let line = self.admits(before.customer, needed)?;
        self.concentrates(before.provider, &before.sku, needed)?;
        if line != before.line {
            // Its own line is closed.
            return Err(Refusal::NoCreditLine);
        }
        let commitments = self.commitments_added(&before, &after);
        for added in &commitments {
            after.commit(*added);
        }
        let (added, removed, fee) = (block.draws, Vec::new(), Bill::default());
        Ok(Plan { kind, effective_at, before, after, removed, added, commitments, fee })
    }

    /// What guarantors will stand behind in addition, by program.
    fn commitments_added(&self, before: &Contract, after: &Contract) -> Vec<Commitment> {
        let [had, has] = [before, after].map(|it| it.tally(it.window.end()));
        let grown =
            |frozen: &FrozenProgram| less(has.charged(frozen.program), had.charged(frozen.program));
        let supported = after.terms.programs.iter().map(|it| (it.as_ref(), grown(it)));
        let supported: Vec<_> = supported.filter(|(_, grown)| !grown.is_zero()).collect();
        self.commitments(before.line, &supported)
    }
}

impl Contract {
    /// Adds to what a guarantor stands behind.
    fn commit(&mut self, added: Commitment) {
        match self.commitments.iter_mut().find(|it| it.program == added.program) {
            Some(it) => {
                it.supported = sum(it.supported, added.supported);
                it.committed = sum(it.committed, added.committed);
            }
            None => self.commitments.push(added),
        }
    }
}
