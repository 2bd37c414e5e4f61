// SPDX-License-Identifier: Apache-2.0
//! The combining table: one entry per key, in the order of the keys' first coming.

use hashbrown::HashTable;

use super::aggregator::Aggregator;
use crate::{
    error::TaskError,
    record::{Data, Key},
};

/// Keys and their accumulators. The entries lie in a vector, which a shuffle can hand on as it is; a table of
/// positions finds them. Growing that table needs neither the keys nor their hash function.
pub(crate) struct CombineTable<K, C> {
    index: HashTable<Position>,
    entries: Vec<(K, C)>,
    /// Fills the place of an accumulator while user code holds it; it is a copy of no meaning.
    spare: Option<C>,
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

impl<K: Key, C: Data> CombineTable<K, C> {
    pub(crate) fn new() -> Self {
        Self { index: HashTable::new(), entries: Vec::new(), spare: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries in the order of their keys' first coming.
    pub(crate) fn entries(&self) -> &[(K, C)] {
        &self.entries
    }

    pub(crate) fn into_entries(self) -> Vec<(K, C)> {
        self.entries
    }

    /// The entries; the table is empty afterwards and keeps its place for positions.
    pub(crate) fn take_entries(&mut self) -> Vec<(K, C)> {
        self.index.clear();
        self.spare = None;
        std::mem::take(&mut self.entries)
    }

    /// Merges `value` into the accumulator of `key`, whose [`key_hash`](crate::key_hash) is `hash`. Returns whether
    /// the key is new; its entry is then the last one.
    #[inline]
    pub(crate) fn add<V, A: Aggregator<V, Acc = C>>(
        &mut self,
        key: K,
        hash: u64,
        value: V,
        by: &A,
    ) -> Result<bool, TaskError> {
        match self.find(&key, hash) {
            Some(entry) => self.update(entry, |acc| by.add(acc, value)).map(|()| false),
            None => self.insert(key, hash, by.create(value)?).map(|()| true),
        }
    }

    /// As [`add`](Self::add) with a key that is cloned only when it is new.
    #[inline]
    pub(crate) fn add_borrowed<V, A: Aggregator<V, Acc = C>>(
        &mut self,
        key: &K,
        hash: u64,
        value: V,
        by: &A,
    ) -> Result<bool, TaskError> {
        match self.find(key, hash) {
            Some(entry) => self.update(entry, |acc| by.add(acc, value)).map(|()| false),
            None => self.insert(key.clone(), hash, by.create(value)?).map(|()| true),
        }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    fn find(&self, key: &K, hash: u64) -> Option<u32> {
        let hash = hash as u32;
        let same =
            |position: &Position| position.hash == hash && self.entries[position.entry as usize].0 == *key;
        self.index.find(Position::spread(hash), same).map(|position| position.entry)
    }

    #[inline]
    fn update(&mut self, entry: u32, merge: impl FnOnce(C) -> Result<C, TaskError>) -> Result<(), TaskError> {
        let place = &mut self.entries[entry as usize].1;
        let spare = self.spare.take().unwrap_or_else(|| place.clone());
        let merged = merge(std::mem::replace(place, spare))?;
        self.spare = Some(std::mem::replace(place, merged));
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    fn insert(&mut self, key: K, hash: u64, acc: C) -> Result<(), TaskError> {
        let Ok(entry) = u32::try_from(self.entries.len()) else {
            return Err(TaskError::Other("a partition has more than 2^32 keys; use more partitions".into()));
        };
        let hash = hash as u32;
        self.entries.push((key, acc));
        self.index.insert_unique(Position::spread(hash), Position { hash, entry }, |position| {
            Position::spread(position.hash)
        });
        Ok(())
    }
}
