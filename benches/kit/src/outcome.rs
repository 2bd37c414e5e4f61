// SPDX-License-Identifier: Apache-2.0
//! What a run has given, as a checksum that must be the same on every side: a count and a sum of every measured batch,
//! which cost next to nothing, and every single result of one batch after them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::Arguments;

/// Collects results, in any order of batches. Clones are the same outcome.
#[derive(Debug, Clone)]
pub struct Outcome {
    first: usize,
    last: usize,
    batches: Arc<Mutex<BTreeMap<usize, Tally>>>,
}

/// How many results a batch has given, their sum, and for the last batch a digest of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    results: u64,
    sum: u64,
    digest: u64,
}

/// The key of a result, for the checksum.
pub trait Keyed {
    /// A hash that is the same in every process, and in Java.
    fn digest(&self) -> u64;
}

impl Keyed for &str {
    fn digest(&self) -> u64 {
        of_bytes(self.as_bytes())
    }
}

impl Keyed for u64 {
    fn digest(&self) -> u64 {
        mix(*self)
    }
}

impl<A: Keyed, B: Keyed> Keyed for (A, B) {
    fn digest(&self) -> u64 {
        mix(self.0.digest()).wrapping_add(self.1.digest())
    }
}

/// Spreads the bits of a number.
pub fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// FNV-1a of the bytes.
pub fn of_bytes(bytes: &[u8]) -> u64 {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash)
}

impl Outcome {
    /// The outcome of the batches that these arguments ask for; those before the measured ones do not count.
    pub fn new(arguments: &Arguments) -> Self {
        Self { first: arguments.warm, last: arguments.last(), batches: Arc::default() }
    }

    /// Whether every result of this batch has to be given to [`take`](Self::take), not only their number and sum to
    /// [`add`](Self::add).
    pub fn is_last(&self, batch: usize) -> bool {
        batch == self.last
    }

    /// Takes how many results a batch, or a part of it, has given, and the sum of their values.
    pub fn add(&self, batch: usize, results: u64, sum: u64) {
        self.merge(batch, Tally { results, sum, digest: 0 });
    }

    /// Takes the results of a batch or of a part of it: keys that are different from each other, with their values.
    pub fn take<K: Keyed>(&self, batch: usize, results: impl Iterator<Item = (K, u64)>) {
        let mut tally = Tally::default();
        let is_last = self.is_last(batch);
        for (key, value) in results {
            tally.results += 1;
            tally.sum = tally.sum.wrapping_add(value);
            if is_last {
                let digest = key.digest().wrapping_mul(value.wrapping_mul(2).wrapping_add(1));
                tally.digest = tally.digest.wrapping_add(digest);
            }
        }
        self.merge(batch, tally);
    }

    fn merge(&self, batch: usize, part: Tally) {
        let mut batches = self.batches.lock().expect("nothing panics with the lock");
        let tally = batches.entry(batch).or_default();
        tally.results += part.results;
        tally.sum = tally.sum.wrapping_add(part.sum);
        tally.digest = tally.digest.wrapping_add(part.digest);
    }

    /// The checksum of all batches from the first measured one on.
    ///
    /// # Panics
    ///
    /// If one of them has given nothing.
    pub fn checksum(&self) -> u64 {
        let batches = self.batches.lock().expect("nothing panics with the lock");
        (self.first..=self.last).fold(0, |checksum, batch| {
            let tally = batches.get(&batch).unwrap_or_else(|| panic!("batch {batch} has no results"));
            [tally.results, tally.sum, tally.digest].iter().fold(checksum, |sum, part| mix(sum ^ part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome { first: 1, last: 2, batches: Arc::default() }
    }

    #[test]
    fn the_order_of_results_does_not_matter_and_each_one_does() {
        let of = |last: [(&str, u64); 2], sum| {
            let outcome = outcome();
            outcome.add(0, 7, 7);
            outcome.take(2, last.into_iter());
            outcome.add(1, 1, sum);
            outcome.checksum()
        };
        let checksum = of([("a", 1), ("b", 2)], 5);
        assert_eq!(of([("b", 2), ("a", 1)], 5), checksum);
        assert_ne!(of([("a", 2), ("b", 1)], 5), checksum);
        assert_ne!(of([("a", 1), ("c", 2)], 5), checksum);
        assert_ne!(of([("a", 1), ("b", 2)], 6), checksum);
    }

    #[test]
    fn parts_of_a_batch_can_come_apart() {
        let (whole, parts) = (outcome(), outcome());
        for batch in 1..=2 {
            whole.take(batch, [("a", 1), ("b", 2)].into_iter());
            parts.take(batch, [("b", 2)].into_iter());
            parts.take(batch, [("a", 1)].into_iter());
        }
        assert_eq!(parts.checksum(), whole.checksum());
    }

    #[test]
    #[should_panic(expected = "batch 1 has no results")]
    fn a_measured_batch_without_results_is_no_run() {
        outcome().checksum();
    }
}
