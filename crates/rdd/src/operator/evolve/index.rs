// SPDX-License-Identifier: Apache-2.0
//! `KeyIndex`: where each key is in the partitions of a dataset, kept from one version of it to the next.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use hashbrown::HashTable;
use parking_lot::Mutex;

use crate::{
    block::memory::Reservation,
    chunk::{CHUNK, Resting},
    context::RddContext,
    partitioner::key_hash,
    record::Key,
    shuffle::{nothing_reserved, reserve, table::place},
};

/// Where the keys of a dataset are, for [`evolve_by_key`](crate::Rdd::evolve_by_key), which brings it from each version
/// of the dataset to the next. It is a cache: what it does not know of a version is found out by reading that once.
///
/// Clones are handles to the same index.
pub struct KeyIndex<K, S>(Arc<Mutex<HashMap<usize, Index<K, S>>>>);

impl<K, S> KeyIndex<K, S> {
    /// An index that knows nothing yet.
    pub fn new() -> Self {
        Self(Arc::default())
    }
}

impl<K, S> Default for KeyIndex<K, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, S> Clone for KeyIndex<K, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, S> std::fmt::Debug for KeyIndex<K, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyIndex").field("partitions", &self.0.lock().len()).finish()
    }
}

impl<K: Key, S: Clone> KeyIndex<K, S> {
    /// Takes the index of a partition, for the records at rest: the one that was kept with them, or a new one. They are
    /// copied if their chunks are not all of one size. Nothing when memory has no room for the index, or a place no
    /// number.
    pub(super) fn take(
        &self,
        partition: usize,
        records: Resting<(K, S)>,
        context: &RddContext,
    ) -> Option<(Resting<(K, S)>, Index<K, S>)> {
        let kept = self.0.lock().remove(&partition);
        if let Some(kept) = kept.filter(|kept| kept.of.as_ptr() == Arc::as_ptr(&records)) {
            return Some((records, kept));
        }
        let records = if is_even(&records) { records } else { Arc::new(evened(&records)) };
        let index = Index::build(&records, context)?;
        Some((records, index))
    }

    /// Keeps the index of a partition whose records are these now.
    pub(super) fn keep(&self, partition: usize, mut index: Index<K, S>, records: &Resting<(K, S)>) {
        index.of = Arc::downgrade(records);
        let bytes = index.bytes();
        if reserve(&mut index.memory, bytes) {
            self.0.lock().insert(partition, index);
        }
    }
}

/// Whether all chunks but the last have [`CHUNK`] records.
fn is_even<T>(records: &[Vec<T>]) -> bool {
    let (last, full) = records.split_last().map_or((0, &[][..]), |(last, full)| (last.len(), full));
    last <= CHUNK && full.iter().all(|chunk| chunk.len() == CHUNK)
}

fn evened<T: Clone>(records: &[Vec<T>]) -> Vec<Vec<T>> {
    let mut all = records.iter().flatten().cloned();
    let mut even = Vec::new();
    loop {
        let chunk: Vec<T> = all.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return even;
        }
        even.push(chunk);
    }
}

/// The places of the keys of one partition. Places are counted through all chunks.
pub(super) struct Index<K, S> {
    table: HashTable<Entry>,
    /// The records whose index it is. Holding them, if weakly, no other ones can come to be in their place.
    of: Weak<Vec<Vec<(K, S)>>>,
    memory: Reservation,
}

/// As much of a key's hash as the table needs, and where the key is.
struct Entry {
    hash: u32,
    place: u32,
}

impl<K: Key, S> Index<K, S> {
    fn build(records: &Resting<(K, S)>, context: &RddContext) -> Option<Self> {
        let keys: usize = records.iter().map(Vec::len).sum();
        // Half of what could be numbered is left for keys that come.
        if keys > (u32::MAX / 2) as usize {
            return None;
        }
        let mut index = Self { table: HashTable::new(), of: Weak::new(), memory: nothing_reserved(context) };
        if !reserve(&mut index.memory, keys * (size_of::<Entry>() + 1) * 2) {
            return None;
        }
        index.table.reserve(keys, Entry::rehash);
        for (number, (key, _)) in (0..).zip(records.iter().flatten()) {
            index.insert(key_hash(key), number);
        }
        Some(index)
    }

    fn bytes(&self) -> usize {
        self.table.capacity() * (size_of::<Entry>() + 1)
    }

    /// The place of the key with this hash of which `is_key` says that it is the one.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_key: impl Fn(u32) -> bool) -> Option<u32> {
        let low = low(hash);
        self.table
            .find(place(hash), |entry| entry.hash == low && is_key(entry.place))
            .map(|entry| entry.place)
    }

    #[inline]
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        let entry = Entry { hash: low(hash), place: number };
        self.table.insert_unique(place(hash), entry, Entry::rehash);
    }

    /// Forgets the key at a place.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        if let Ok(entry) = self.table.find_entry(place(hash), |entry| entry.place == number) {
            entry.remove();
        }
    }

    /// Notes that a key is at another place now.
    pub(super) fn relocate(&mut self, hash: u64, from: u32, to: u32) {
        if let Some(entry) = self.table.find_mut(place(hash), |entry| entry.place == from) {
            entry.place = to;
        }
    }
}

impl Entry {
    fn rehash(&self) -> u64 {
        place(self.hash.into())
    }
}

/// The bits that [`place`] uses.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low(hash: u64) -> u32 {
    hash as u32
}
