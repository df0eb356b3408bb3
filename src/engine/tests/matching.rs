//! The matcher against the oracle, on random markets: equal blocks, honest refusals, alternatives
//! that fill.

use proptest::prelude::*;

use super::naive::{self, CELLS, Found, Naive, Wish, build, cell, sites, wish};
use crate::engine::capacity::Capacity;
use crate::engine::matching::{
    Alternative, AlternativeKind, Block, Shortage, Slate, cheapest, fill,
};
use crate::engine::order::Reason;
use crate::model::{Code, Price};

fn ask(capacity: &Capacity, wish: &Wish) -> Result<Block, Box<Shortage>> {
    cheapest(capacity, wish.buyer, wish.wanted(), wish.now, &mut Slate::default())
}

/// A block as the oracle writes it.
fn written(block: &Block, minutes: i64) -> Found {
    assert_eq!(block.window.minutes(), minutes);
    assert_eq!(Some(block.value), block.worth.floor());
    let draws = &block.draws;
    Found {
        pool: block.pool,
        gpus: block.gpus,
        start: cell(block.window.start()),
        worth: block.worth,
        draws: draws.iter().map(|d| (d.listing, d.gpus, d.window, d.price)).collect(),
    }
}

/// The wish with its answers when a part of it is different.
fn with(wish: &Wish, change: impl FnOnce(&mut Wish)) -> Wish {
    let mut changed = wish.clone();
    change(&mut changed);
    changed
}

fn other_regions(wish: &Wish) -> Vec<Code> {
    let all = ["r0", "r1", "r2"].map(naive::code);
    all.into_iter().filter(|region| !wish.regions.contains(region)).collect()
}

/// What the oracle says of the alternative, and the wish that asks for it.
fn expected(naive: &Naive, wish: &Wish, kind: AlternativeKind) -> Option<(Wish, Found)> {
    let changed = match kind {
        AlternativeKind::LaterStart => {
            let mut starts = wish.latest + 1..CELLS;
            return starts.find_map(|start| {
                let later = with(wish, |wish| (wish.earliest, wish.latest) = (start, start));
                naive.cheapest(&later).map(|found| (later, found))
            });
        }
        AlternativeKind::FewerGpus => {
            let most = wish.min_gpus.unwrap_or(wish.gpus) - 1;
            with(wish, |wish| (wish.min_gpus, wish.gpus) = (Some(1), most))
        }
        AlternativeKind::OtherRegion => {
            let regions = other_regions(wish);
            if wish.regions.is_empty() || regions.is_empty() {
                return None;
            }
            with(wish, |wish| wish.regions = regions)
        }
        AlternativeKind::HigherPrice => with(wish, |wish| wish.limit = None),
    };
    naive.cheapest(&changed).map(|found| (changed, found))
}

/// The ask that the alternative's own words make.
fn taken_at_its_word(wish: &Wish, offer: &Alternative) -> Wish {
    with(wish, |wish| match offer.kind {
        AlternativeKind::LaterStart => {
            (wish.earliest, wish.latest) = (cell(offer.start), cell(offer.start));
        }
        AlternativeKind::FewerGpus => (wish.gpus, wish.min_gpus) = (offer.gpus, None),
        AlternativeKind::OtherRegion => wish.regions = vec![offer.region.clone()],
        AlternativeKind::HigherPrice => wish.limit = Some(offer.price),
    })
}

fn average(found: &Found, wish: &Wish) -> Option<Price> {
    found.worth.average(found.gpus, wish.minutes)
}

/// Every number of a refusal, checked.
fn check_shortage(
    capacity: &Capacity,
    naive: &Naive,
    wish: &Wish,
    shortage: &Shortage,
) -> Result<(), TestCaseError> {
    let at_any_price = expected(naive, wish, AlternativeKind::HigherPrice);
    for &kind in AlternativeKind::ALL {
        let offered: Vec<_> = shortage.alternatives.iter().filter(|a| a.kind == kind).collect();
        let expected = expected(naive, wish, kind);
        prop_assert_eq!(offered.len(), usize::from(expected.is_some()), "{}", kind);
        let (Some(offer), Some((changed, found))) = (offered.first(), expected) else { continue };
        prop_assert_eq!(cell(offer.start), found.start);
        prop_assert_eq!(offer.gpus, found.gpus);
        prop_assert_eq!(Some(offer.value), found.worth.floor());
        prop_assert_eq!(Some(offer.price), average(&found, &changed));
        let taken = taken_at_its_word(wish, offer);
        let slate = &mut Slate::default();
        let block = fill(capacity, taken.buyer, taken.wanted(), taken.now, slate);
        prop_assert_eq!(block.map(|block| block.value), Some(offer.value), "{}", kind);
    }
    let bound = match shortage.constraint {
        Reason::Price => Reason::Capacity,
        other => other,
    };
    prop_assert_eq!(bound, naive.furthest(wish));
    match shortage.constraint {
        Reason::Price => {
            let (changed, found) = at_any_price.expect("it is only the price");
            prop_assert_eq!(shortage.best_price, average(&found, &changed));
        }
        Reason::Capacity => {
            prop_assert!(at_any_price.is_none());
            let at_any_price = with(wish, |wish| wish.limit = None);
            let fewer = expected(naive, &at_any_price, AlternativeKind::FewerGpus);
            let free = fewer.map_or(0, |(_, found)| found.gpus);
            prop_assert_eq!(shortage.free_gpus, Some(free));
        }
        _ => prop_assert!(at_any_price.is_none()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn equals_the_oracle(sites in sites(), wish in wish()) {
        let (mut capacity, naive) = build(&sites, wish.now);
        let expected = naive.cheapest(&wish);
        let unguided = ask(&capacity, &wish);
        capacity.outline_all();
        prop_assert_eq!(&ask(&capacity, &wish), &unguided, "outlines only save time");
        match unguided {
            Ok(block) => {
                let found = written(&block, wish.minutes);
                prop_assert_eq!(Some(found), expected);
                let mut slate = Slate::default();
                for again in ["on a clean slate", "on a used one"] {
                    let block_again =
                        fill(&capacity, wish.buyer, wish.wanted(), wish.now, &mut slate);
                    prop_assert_eq!(block_again.as_ref(), Some(&block), "{}", again);
                }
            }
            Err(shortage) => {
                prop_assert_eq!(None, expected);
                check_shortage(&capacity, &naive, &wish, &shortage)?;
            }
        }
    }
}

/// The random markets are worth something only if orders fill and fail for every reason in them.
#[test]
fn the_random_markets_have_every_outcome() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut outcomes = std::collections::BTreeMap::new();
    let mut stacked = 0;
    for _ in 0..2_000 {
        let tree = (sites(), wish()).new_tree(&mut runner).expect("a market");
        let (sites, wish) = tree.current();
        let (capacity, _) = build(&sites, wish.now);
        let outcome = match ask(&capacity, &wish) {
            Ok(block) => {
                stacked += u32::from(block.draws.len() > 1);
                "filled"
            }
            Err(shortage) => shortage.constraint.as_str(),
        };
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    for outcome in ["filled", "no_listing", "segment", "limits", "notice", "capacity", "price"] {
        let times = outcomes.get(outcome).copied().unwrap_or(0);
        assert!(times >= 15, "{outcome}: {times} of {outcomes:?}");
    }
    assert!(stacked >= 100, "{stacked} blocks were drawn from several listings: {outcomes:?}");
}
