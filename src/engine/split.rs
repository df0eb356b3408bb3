//! Splitting a charge by weights without losing a unit: the Webster (Sainte-Lague) divisor method
//! on the running total, so that no part ever steps back.
//!
//! Knows whole numbers and weights. Knows neither who gets a part nor what was posted before.

use crate::model::{BasisPoints, Money};

/// The whole, in basis points: what the weights of a split sum to.
const WHOLE: i128 = 10_000;

/// The parts of `total` by `weights` (basis points that sum to 10,000), exact to the micro-unit.
/// Of a growing total no part ever shrinks. Of weights with an equal claim the first one wins.
///
/// # Panics
/// When the weights do not sum to 10,000 or the total is negative: the code is wrong.
pub fn webster<const N: usize>(total: Money, weights: [BasisPoints; N]) -> [Money; N] {
    assert!(!total.is_negative(), "a charge is never negative");
    let weights = weights.map(i128::from);
    assert!(weights.iter().sum::<i128>() == WHOLE, "weights sum to the whole");
    let total = i128::from(total.micros());
    let mut parts = [0; N];
    hand_out(total, WHOLE, &weights, &mut parts);
    parts.map(money)
}

fn money(part: i128) -> Money {
    Money::from_micros(i64::try_from(part).expect("no part exceeds the total"))
}

/// Splits `total` into `parts` by weights that sum to `whole`.
fn hand_out(total: i128, whole: i128, weights: &[i128], parts: &mut [i128]) {
    // The method hands out units one by one, each to the largest `weight / (2 * units + 1)`.
    // Rounding every exact part to the nearest unit, halves up, hands out all the units with a
    // quotient of at least `whole / (2 * total)`: the beginning of that same sequence, ties
    // included, at most N / 2 units short or long. So what is left is to go on, or back, by those
    // few.
    for (part, weight) in parts.iter_mut().zip(weights) {
        *part = (2 * total * weight + whole) / (2 * whole);
    }
    let mut missing = total - parts.iter().sum::<i128>();
    while missing > 0 {
        let place = next(weights, parts);
        parts[place] += 1;
        missing -= 1;
    }
    while missing < 0 {
        let place = last(weights, parts);
        parts[place] -= 1;
        missing += 1;
    }
}

/// The parts of `total` in the proportions of `weights`: as [`webster`], for amounts as weights.
///
/// # Panics
/// When a weight is negative or all are zero though the total is not: the code is wrong.
pub fn apportion(total: Money, weights: &[Money]) -> Vec<Money> {
    if total.is_zero() {
        return vec![Money::ZERO; weights.len()];
    }
    assert!(!total.is_negative(), "a charge is never negative");
    assert!(weights.iter().all(|weight| !weight.is_negative()), "a weight is never negative");
    let weights: Vec<i128> = weights.iter().map(|weight| i128::from(weight.micros())).collect();
    let whole: i128 = weights.iter().sum();
    assert!(whole > 0, "somebody has a part");
    let mut parts = vec![0; weights.len()];
    hand_out(i128::from(total.micros()), whole, &weights, &mut parts);
    parts.into_iter().map(money).collect()
}

/// Who gets the next unit: the largest `weight / (2 * part + 1)`, of equals the first.
fn next(weights: &[i128], parts: &[i128]) -> usize {
    let mut best = 0;
    for place in 1..weights.len() {
        // Fractions are compared across: exact, and at most 2^14 * 2^64.
        let challenger = weights[place] * (2 * parts[best] + 1);
        if challenger > weights[best] * (2 * parts[place] + 1) {
            best = place;
        }
    }
    best
}

/// Who got the last unit: the smallest `weight / (2 * part - 1)` among those with any, of equals
/// the last.
fn last(weights: &[i128], parts: &[i128]) -> usize {
    let mut holders = (0..weights.len()).filter(|&place| parts[place] > 0);
    let first = holders.next().expect("units that are too many were handed to somebody");
    holders.fold(first, |worst, place| {
        let challenger = weights[place] * (2 * parts[worst] - 1);
        if challenger <= weights[worst] * (2 * parts[place] - 1) { place } else { worst }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split<const N: usize>(total: i64, weights: [BasisPoints; N]) -> [i64; N] {
        webster(Money::from_micros(total), weights).map(Money::micros)
    }

    /// The oracle: one unit after the other.
    fn one_by_one<const N: usize>(total: i64, weights: [BasisPoints; N]) -> [i64; N] {
        let mut parts = [0_i64; N];
        for _ in 0..total {
            let claim = |place: usize| (i64::from(weights[place]), 2 * parts[place] + 1);
            let winner = (1..N).fold(0, |best, place| {
                let ((weight, size), (best_weight, best_size)) = (claim(place), claim(best));
                if weight * best_size > best_weight * size { place } else { best }
            });
            parts[winner] += 1;
        }
        parts
    }

    #[test]
    fn parts_of_charges() {
        for (total, parts) in [
            (0, [0, 0, 0]),
            (1, [1, 0, 0]),
            (9, [8, 1, 0]),
            (10, [8, 2, 0]),
            (11, [8, 2, 1]),
            (160_000_000, [128_000_000, 24_000_000, 8_000_000]),
            (120_000_000, [96_000_000, 18_000_000, 6_000_000]),
        ] {
            assert_eq!(split(total, [8_000, 1_500, 500]), parts, "{total}");
        }
    }

    #[test]
    fn of_equal_claims_the_first_wins() {
        assert_eq!(split(1, [5_000, 5_000]), [1, 0]);
        assert_eq!(split(3, [5_000, 5_000]), [2, 1]);
        assert_eq!(split(2, [2_500, 2_500, 2_500, 2_500]), [1, 1, 0, 0]);
    }

    #[test]
    fn the_largest_total_is_split_exactly() {
        let parts = split(i64::MAX, [8_000, 1_500, 500]);
        assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(i64::MAX));
        assert_eq!(split(i64::MAX, [10_000, 0, 0]), [i64::MAX, 0, 0]);
    }

    fn weights<const N: usize>() -> impl Strategy<Value = [BasisPoints; N]> {
        let cuts = prop::collection::vec(0..=10_000_u32, N - 1);
        // Small multiples meet in ties more often than random cuts do.
        (cuts, prop_oneof![Just(1), Just(100), Just(1_250)]).prop_map(|(mut cuts, grain)| {
            cuts.iter_mut().for_each(|cut| *cut = *cut / grain * grain);
            cuts.push(10_000);
            cuts.sort_unstable();
            let mut from = 0;
            std::array::from_fn(|place| cuts[place] - std::mem::replace(&mut from, cuts[place]))
        })
    }

    proptest! {
        #[test]
        fn equals_units_handed_out_one_by_one(
            three in weights::<3>(), seven in weights::<7>(), total in 0..2_000_i64,
        ) {
            prop_assert_eq!(split(total, three), one_by_one(total, three));
            prop_assert_eq!(split(total, seven), one_by_one(total, seven));
        }

        #[test]
        fn sums_are_exact_and_no_part_steps_back(
            weights in weights::<5>(), total in 0..i64::MAX, step in 0..1_000_000_i64,
        ) {
            let later = total.saturating_add(step);
            let (before, after) = (split(total, weights), split(later, weights));
            let sum: i128 = before.iter().map(|part| i128::from(*part)).sum();
            prop_assert_eq!(sum, i128::from(total));
            for (part, grown) in before.into_iter().zip(after) {
                prop_assert!(0 <= part && part <= grown);
            }
            let next = split(total.saturating_add(1), weights);
            let moved = before.iter().zip(next).filter(|(part, next)| **part != *next).count();
            prop_assert!(moved <= 1);
        }
    }
}
