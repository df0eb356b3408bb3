//! The draws of a contract as quantities over time, one for each listing and price: to take the
//! dearest away, and to write down what is left.

use std::collections::BTreeMap;

use super::Draw;
use crate::model::id::{ListingId, ProgramId};
use crate::model::{Gpus, Price, Schedule, Window};

/// Draws of one listing at one price lie on one layer.
type Layer = (Price, ListingId, Option<ProgramId>);

/// Draws, by layer. The dearest is the last.
#[derive(Debug, Default)]
pub(in crate::engine) struct Stack {
    layers: BTreeMap<Layer, Schedule>,
}

impl Stack {
    pub(in crate::engine) fn of(draws: &[Draw]) -> Self {
        let mut stack = Self::default();
        stack.change(draws, 1);
        stack
    }

    pub(in crate::engine) fn add(&mut self, draws: &[Draw]) {
        self.change(draws, 1);
    }

    pub(in crate::engine) fn remove(&mut self, draws: &[Draw]) {
        self.change(draws, -1);
    }

    fn change(&mut self, draws: &[Draw], sign: i64) {
        for draw in draws {
            let layer = (draw.price, draw.listing, draw.program);
            self.layers.entry(layer).or_default().add(draw.window, sign * i64::from(draw.gpus));
        }
    }

    /// So many GPUs at each instant, the dearest first. Of equal prices the listing made last is
    /// the first to go.
    pub(in crate::engine) fn dearest(&self, mut wanted: Schedule) -> Vec<Draw> {
        let mut taken = Vec::new();
        for (layer, there) in self.layers.iter().rev() {
            let wants: Vec<_> = wanted.stretches().collect();
            for want in wants {
                for has in there.within(want.window) {
                    let count = has.count.min(want.count);
                    if count > 0 {
                        wanted.add(has.window, -count);
                        taken.push(draw(*layer, has.window, count));
                    }
                }
            }
        }
        taken
    }

    /// All of it as draws, ordered by start, then by price.
    pub(in crate::engine) fn draws(&self) -> Vec<Draw> {
        let mut draws = Vec::new();
        for (layer, there) in &self.layers {
            draws.extend(there.stretches().map(|it| draw(*layer, it.window, it.count)));
        }
        // Stable: within one start the layers keep their order.
        draws.sort_by_key(|draw| draw.window.start());
        draws
    }
}

fn draw((price, listing, program): Layer, window: Window, count: i64) -> Draw {
    let gpus = Gpus::try_from(count).expect("a layer holds a number of GPUs");
    Draw { listing, program, gpus, window, price }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Minute;
    use uuid::Uuid;

    fn hours(start: i64, end: i64) -> Window {
        Window::new(Minute::new(start * 60), Minute::new(end * 60)).expect("a window")
    }

    fn of(listing: u128, gpus: Gpus, window: Window, cents: i64) -> Draw {
        let price = Price::from_micros(cents * 10_000).expect("a price");
        Draw {
            listing: ListingId::new(Uuid::from_u128(listing)),
            program: None,
            gpus,
            window,
            price,
        }
    }

    #[test]
    fn the_dearest_go_first_and_the_rest_is_written_down() {
        let draws = [of(1, 8, hours(0, 10), 200), of(2, 4, hours(0, 6), 250)];
        let mut stack = Stack::of(&draws);
        assert_eq!(stack.draws(), draws);
        let taken = stack.dearest(Schedule::flat(hours(4, 8), 6));
        let expected =
            [of(2, 4, hours(4, 6), 250), of(1, 2, hours(4, 6), 200), of(1, 6, hours(6, 8), 200)];
        assert_eq!(taken, expected);
        stack.remove(&taken);
        let rest = [
            of(1, 8, hours(0, 4), 200),
            of(2, 4, hours(0, 4), 250),
            of(1, 6, hours(4, 6), 200),
            of(1, 2, hours(6, 8), 200),
            of(1, 8, hours(8, 10), 200),
        ];
        assert_eq!(stack.draws(), rest);
        stack.add(&taken);
        assert_eq!(stack.draws(), draws);
    }
}
