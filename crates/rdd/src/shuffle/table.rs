// SPDX-License-Identifier: Apache-2.0
//! The combining table: one entry per key, in the order of the keys' first coming.

use std::borrow::Borrow;

use hashbrown::HashTable;

use super::{
    aggregator::Aggregator,
    footprint::{Mean, heap_size},
};
use crate::{
    error::TaskError,
    partitioner::key_hash,
    record::{Key, Wire},
};

/// Keys and their accumulators. The entries lie in a vector, which a shuffle can hand on as it is; a table of
/// positions finds them. Growing that table needs neither the keys nor their hash function.
pub(crate) struct CombineTable<K, C> {
    index: HashTable<Position>,
    entries: Vec<(K, C)>,
    /// Fills the place of an accumulator while user code holds it; it is a copy of no meaning.
    spare: Option<C>,
    /// How many values have come, first ones included.
    values: usize,
    /// What an entry holds when it is new, and what a further value adds to it.
    entry_heap: Mean,
    growth: Mean,
}

#[derive(Clone, Copy)]
struct Position {
    /// The low half of the key's hash. Partitioners use the high bits, which are alike for all keys of a partition.
    hash: u32,
    entry: u32,
}

impl Position {
    /// The hash for the table of positions, which looks at both ends of it.
    #[inline]
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// A key, or a reference to one that is cloned only when the table does not have it.
pub(crate) trait TableKey<K>: Borrow<K> {
    fn into_key(self) -> K;
}

impl<K> TableKey<K> for K {
    #[inline]
    fn into_key(self) -> K {
        self
    }
}

impl<K: Clone> TableKey<K> for &K {
    #[inline]
    fn into_key(self) -> K {
        self.clone()
    }
}

impl<K: Key, C: Wire> CombineTable<K, C> {
    pub(crate) fn new() -> Self {
        Self {
            index: HashTable::new(),
            entries: Vec::new(),
            spare: None,
            values: 0,
            entry_heap: Mean::default(),
            growth: Mean::default(),
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many values have come.
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    /// The entries in the order of their keys' first coming.
    pub(crate) fn into_entries(self) -> Vec<(K, C)> {
        self.entries
    }

    /// The entries; the table is empty afterwards.
    pub(crate) fn take_entries(&mut self) -> Vec<(K, C)> {
        self.index = HashTable::new();
        self.spare = None;
        self.values = 0;
        std::mem::take(&mut self.entries)
    }

    /// The memory that the table takes, as estimated.
    pub(crate) fn bytes(&self) -> usize {
        let entry = size_of::<(K, C)>() + size_of::<Position>() + 1;
        let grown = self.growth.times(self.values - self.entries.len());
        self.len()
            .saturating_mul(entry)
            .saturating_add(self.entry_heap.times(self.len()))
            .saturating_add(grown)
    }

    /// Merges the pairs of a chunk into the accumulators. Calls `inserted` with every new key and its hash.
    #[inline]
    pub(crate) fn extend<Q: TableKey<K>, V, A: Aggregator<V, Acc = C>>(
        &mut self,
        mut pairs: impl Iterator<Item = (Q, V)>,
        by: &A,
        mut inserted: impl FnMut(&K, u64) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let before = self.len();
        if let Some((key, value)) = pairs.next() {
            self.values += 1;
            self.add_measured(key, value, by, &mut inserted)?;
        }
        for (key, value) in pairs {
            self.values += 1;
            let hash = key_hash(key.borrow());
            self.add(key, hash, value, by, &mut inserted)?;
        }
        if let Some(new) = self.entries[before..].last() {
            self.entry_heap.add(heap_size(new).unwrap_or_default());
        }
        Ok(())
    }

    /// As [`add`](Self::add), and looks how much the accumulator grows.
    fn add_measured<Q: TableKey<K>, V, A: Aggregator<V, Acc = C>>(
        &mut self,
        key: Q,
        value: V,
        by: &A,
        inserted: &mut impl FnMut(&K, u64) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let hash = key_hash(key.borrow());
        let entry = self.find(key.borrow(), hash);
        let size = |table: &Self| heap_size(&table.entries[entry? as usize].1);
        let before = size(self);
        self.add(key, hash, value, by, inserted)?;
        if let (Some(before), Some(after)) = (before, size(self)) {
            self.growth.add(after.saturating_sub(before));
        }
        Ok(())
    }

    #[inline]
    fn add<Q: TableKey<K>, V, A: Aggregator<V, Acc = C>>(
        &mut self,
        key: Q,
        hash: u64,
        value: V,
        by: &A,
        inserted: &mut impl FnMut(&K, u64) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        if let Some(entry) = self.find(key.borrow(), hash) {
            let place = &mut self.entries[entry as usize].1;
            let spare = self.spare.take().unwrap_or_else(|| place.clone());
            let merged = by.add(std::mem::replace(place, spare), value)?;
            self.spare = Some(std::mem::replace(place, merged));
            return Ok(());
        }
        inserted(key.borrow(), hash)?;
        self.insert(key.into_key(), hash, by.create(value)?)
    }

    #[inline]
    fn find(&self, key: &K, hash: u64) -> Option<u32> {
        let hash = low_half(hash);
        let same =
            |position: &Position| position.hash == hash && self.entries[position.entry as usize].0 == *key;
        self.index.find(Position::spread(hash), same).map(|position| position.entry)
    }

    fn insert(&mut self, key: K, hash: u64, acc: C) -> Result<(), TaskError> {
        let Ok(entry) = u32::try_from(self.entries.len()) else {
            return Err(TaskError::Other("a partition has more than 2^32 keys; use more partitions".into()));
        };
        let hash = low_half(hash);
        self.entries.push((key, acc));
        self.index.insert_unique(Position::spread(hash), Position { hash, entry }, |position| {
            Position::spread(position.hash)
        });
        Ok(())
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low_half(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::shuffle::aggregator::{Collect, Reduce};

    #[test]
    fn keys_of_equal_hash_halves_stay_apart() {
        let mut table = CombineTable::new();
        let sum = Reduce(|a: u64, b: u64| Ok(a + b));
        for (key, hash) in [("a", 5), ("b", 5 | 1 << 40), ("a", 5)] {
            table.add(key.to_owned(), hash, 1, &sum, &mut |_, _| Ok(())).unwrap();
        }
        assert_eq!(table.into_entries(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }

    #[test]
    fn lists_are_charged_for_each_value_and_sums_are_not() {
        let pairs = || (0..50_000u64).map(|n| (n % 10, n));
        let mut lists = CombineTable::new();
        let mut sums = CombineTable::new();
        for chunk in pairs().collect::<Vec<_>>().chunks(1000) {
            lists.extend(chunk.iter().copied(), &Collect::new(), |_, _| Ok(())).unwrap();
            sums.extend(chunk.iter().copied(), &Reduce(|a, b| Ok(a + b)), |_, _| Ok(())).unwrap();
        }
        assert!(lists.bytes() > 8 * 49_000, "{}", lists.bytes());
        assert!(sums.bytes() < 1000, "{}", sums.bytes());
        assert_eq!(lists.take_entries().len(), 10);
        assert_eq!(lists.bytes(), 0);
    }
}
