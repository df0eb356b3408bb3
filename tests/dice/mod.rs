//! Chance that repeats: SplitMix64 from a seed.
#![allow(dead_code, reason = "each suite uses its part of it")]

/// A generator; the same seed gives the same draws.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `most` - 1.
    pub fn below(&mut self, most: usize) -> usize {
        let most = u64::try_from(most).expect("64 bits");
        usize::try_from(self.next() % most).expect("it is below a usize")
    }

    /// Once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One of them, if there are any.
    pub fn choose<'a, T>(&mut self, of: impl Iterator<Item = &'a T>) -> Option<&'a T> {
        let all: Vec<&T> = of.collect();
        if all.is_empty() { None } else { Some(all[self.below(all.len())]) }
    }
}
