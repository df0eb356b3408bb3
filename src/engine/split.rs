//! Splitting a charge by weights without losing a unit: the Webster (Sainte-Lague) divisor method on the
//! running total, so that no part ever steps back.

use crate::model::{BasisPoints, Money};

/// The parts of `total` by `weights` (basis points that sum to 10,000), exact to the micro-unit.
/// Of a growing total no part ever shrinks.
pub fn webster<const N: usize>(_total: Money, _weights: [BasisPoints; N]) -> [Money; N] {
    todo!()
}
