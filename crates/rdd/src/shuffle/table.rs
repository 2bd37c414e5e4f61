// SPDX-License-Identifier: Apache-2.0
//! The combining table: one entry per key.

use std::borrow::Borrow;

use hashbrown::{HashTable, hash_table};

use super::{
    aggregator::Aggregator,
    footprint::{Mean, heap_size},
};
use crate::{
    error::TaskError,
    partitioner::key_hash,
    record::{Key, Wire},
};

/// How many new entries there are for each one that is measured.
const MEASURED_EVERY: usize = 64;

/// Keys and their accumulators. They lie in the table itself, so that a key that is there costs one look into memory.
pub(crate) struct CombineTable<K, C> {
    table: HashTable<(K, C)>,
    /// Fills the place of an accumulator while user code holds it; it is a copy of no meaning.
    spare: Option<C>,
    /// How many values have come, first ones included.
    values: usize,
    /// What an entry holds when it is new, and what a further value adds to it.
    entry_heap: Mean,
    growth: Mean,
}

/// The entries of a table, in the order of their places, which depends on the keys and on nothing else.
pub(crate) type Entries<K, C> = hash_table::IntoIter<(K, C)>;

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
            table: HashTable::new(),
            spare: None,
            values: 0,
            entry_heap: Mean::default(),
            growth: Mean::default(),
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many values have come.
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    /// The entries; the table is empty afterwards.
    pub(crate) fn take(&mut self) -> Entries<K, C> {
        self.spare = None;
        self.values = 0;
        std::mem::take(&mut self.table).into_iter()
    }

    /// The memory that the table takes, as estimated.
    pub(crate) fn bytes(&self) -> usize {
        let places = self.table.capacity().saturating_mul(size_of::<(K, C)>() + 1);
        let grown = self.growth.times(self.values - self.len());
        places.saturating_add(self.entry_heap.times(self.len())).saturating_add(grown)
    }

    /// Adds accumulators of keys that are not there, each once: the first run of combined ones needs no looking for keys.
    pub(crate) fn extend_with_new(&mut self, pairs: &[(K, C)]) {
        self.values += pairs.len();
        for (key, acc) in pairs {
            self.insert(key.clone(), key_hash(key), acc.clone());
        }
    }

    /// The memory of a table with room for this many keys, what they own elsewhere not counted.
    pub(crate) fn bytes_for(keys: usize) -> usize {
        let places = keys.saturating_mul(8).div_ceil(7).checked_next_power_of_two().unwrap_or(usize::MAX);
        places.saturating_mul(size_of::<(K, C)>() + 1)
    }

    /// Makes room for this many keys more.
    pub(crate) fn reserve(&mut self, keys: usize) {
        self.table.reserve(keys, |(key, _)| place(key_hash(key)));
    }

    /// Merges the pairs of a chunk into the accumulators. Of the first one it is looked how much its accumulator grows.
    #[inline]
    pub(crate) fn extend<Q: TableKey<K>, V, A: Aggregator<V, Acc = C>>(
        &mut self,
        mut pairs: impl ExactSizeIterator<Item = (Q, V)>,
        by: &A,
    ) -> Result<(), TaskError> {
        self.values += pairs.len();
        if let Some((key, value)) = pairs.next() {
            let hash = key_hash(key.borrow());
            self.add_measured(key, hash, value, by)?;
        }
        for (key, value) in pairs {
            let hash = key_hash(key.borrow());
            self.add(key, hash, value, by)?;
        }
        Ok(())
    }

    /// As [`add`](Self::add), and looks how much the accumulator grows.
    fn add_measured<Q: TableKey<K>, V, A: Aggregator<V, Acc = C>>(
        &mut self,
        key: Q,
        hash: u64,
        value: V,
        by: &A,
    ) -> Result<(), TaskError> {
        let Some((known, acc)) = self.table.find(place(hash), |(other, _)| other == key.borrow()) else {
            return self.add(key, hash, value, by);
        };
        let (known, before) = (known.clone(), heap_size(acc));
        self.add(key, hash, value, by)?;
        let acc = self.table.find(place(hash), |(other, _)| *other == known).map(|(_, acc)| acc);
        if let (Some(before), Some(after)) = (before, acc.and_then(heap_size)) {
            self.growth.add(after.saturating_sub(before));
        }
        Ok(())
    }

    /// Merges `value` into the accumulator of `key`, whose [`key_hash`] is `hash`.
    #[inline]
    fn add<Q: TableKey<K>, V, A: Aggregator<V, Acc = C>>(
        &mut self,
        key: Q,
        hash: u64,
        value: V,
        by: &A,
    ) -> Result<(), TaskError> {
        if let Some((_, acc)) = self.table.find_mut(place(hash), |(other, _)| other == key.borrow()) {
            let spare = self.spare.take().unwrap_or_else(|| acc.clone());
            let merged = by.add(std::mem::replace(acc, spare), value)?;
            self.spare = Some(std::mem::replace(acc, merged));
            return Ok(());
        }
        self.insert(key.into_key(), hash, by.create(value)?);
        Ok(())
    }

    fn insert(&mut self, key: K, hash: u64, acc: C) {
        let entry = (key, acc);
        // What needs no drop owns nothing elsewhere.
        if std::mem::needs_drop::<(K, C)>() && self.len().is_multiple_of(MEASURED_EVERY) {
            self.entry_heap.add(heap_size(&entry).unwrap_or_default());
        }
        self.table.insert_unique(place(hash), entry, |(key, _)| place(key_hash(key)));
    }
}

/// Where the table looks for a key. It uses both ends of what it is given, but the high bits of the hash are alike for
/// all keys of a partition: partitioners have used them.
#[inline]
pub(crate) fn place(hash: u64) -> u64 {
    (hash & u64::from(u32::MAX)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
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
            table.add(key.to_owned(), hash, 1, &sum).unwrap();
        }
        table.values = 3;
        let mut entries: Vec<_> = table.take().collect();
        entries.sort();
        assert_eq!(entries, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }

    #[test]
    fn lists_are_charged_for_each_value_and_sums_are_not() {
        let pairs = || (0..50_000u64).map(|n| (n % 10, n));
        let mut lists = CombineTable::new();
        let mut sums = CombineTable::new();
        for chunk in pairs().collect::<Vec<_>>().chunks(1000) {
            lists.extend(chunk.iter().copied(), &Collect::new()).unwrap();
            sums.extend(chunk.iter().copied(), &Reduce(|a, b| Ok(a + b))).unwrap();
        }
        assert!(lists.bytes() > 8 * 49_000, "{}", lists.bytes());
        assert!(sums.bytes() < 2000, "{}", sums.bytes());
        assert_eq!(lists.take().len(), 10);
        assert_eq!(lists.bytes(), 0);
    }
}
