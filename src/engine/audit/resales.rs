//! What must be true of what customers sell on.

use std::collections::BTreeMap;

use super::super::Engine;
use super::super::contract::Contract;
use super::super::matching::over_time;
use crate::model::id::ListingId;
use crate::model::{Price, Schedule};

/// GPUs over time that a seller makes whole, by the listing and by how much an hour.
type Owed = BTreeMap<(ListingId, Price), Schedule>;

impl Engine {
    /// What is on offer is what its contract offers, and the contract has it; sellers make whole
    /// what their buyers have, and nothing else.
    pub(super) fn audit_resales(&self, broken: &mut Vec<String>) {
        let now = self.now.minute();
        let mut offered: BTreeMap<ListingId, Schedule> = BTreeMap::new();
        let mut owed = Owed::new();
        for contract in self.contracts.iter() {
            let mut own = over_time(&contract.allocations);
            for it in contract.offered() {
                let gpus = i64::from(it.draw.gpus);
                own.add(it.draw.window, -gpus);
                offered.entry(it.draw.listing).or_default().add(it.draw.window, gpus);
            }
            let is_short = own.stretches().any(|stretch| stretch.count < 0);
            if is_short || !(contract.is_live() || contract.offered().is_empty()) {
                broken.push(format!("{} offers what it does not have", contract.id));
            }
            if contract.is_live() {
                // What was sold at its price or above is not made whole.
                for draw in contract.sold().iter().filter(|it| it.price != Price::default()) {
                    let made = owed.entry((draw.listing, draw.price)).or_default();
                    made.add(draw.window, i64::from(draw.gpus));
                }
            }
            self.take_bought(contract, &mut owed);
        }
        for ((listing, _), left) in owed.iter().filter(|(_, left)| !left.since(now).is_empty()) {
            broken.push(format!("{listing}: made whole is not what was bought: {left:?}"));
        }
        for yard in &self.capacity.yards {
            for offer in yard.resales() {
                let id = offer.listing.id;
                let due = offered.remove(&id).unwrap_or_default();
                if due.since(now) != offer.free.since(now) {
                    broken.push(format!("{id}: what is free is not what is offered"));
                }
            }
        }
        for listing in offered.keys() {
            broken.push(format!("{listing} is offered and not on the market"));
        }
    }

    /// Takes what a contract has bought off what its sellers make whole.
    fn take_bought(&self, contract: &Contract, owed: &mut Owed) {
        let Some(resale) = &contract.resale else { return };
        for draw in &contract.allocations {
            let Some(origin) = resale.origin(draw) else { continue };
            let seller = self.contracts.unsettled.get(&origin.source.contract);
            let made_whole = origin.source.make_whole(draw.price);
            if seller.is_some_and(|it| it.is_live()) && made_whole != Price::default() {
                let left = owed.entry((draw.listing, made_whole)).or_default();
                left.add(draw.window, -i64::from(draw.gpus));
            }
        }
    }
}
