// SPDX-License-Identifier: Apache-2.0
//! `KeyIndex`: where each key is in the partitions of a dataset, kept from one version of it to the next.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::places::KeyPlaces;
use crate::{
    block::memory::Reservation,
    chunk::{CHUNK, Resting},
    context::RddContext,
    partitioner::key_hash,
    record::Key,
    shuffle::{nothing_reserved, reserve},
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

/// Records at rest with their index.
type Indexed<K, S> = (Resting<(K, S)>, Index<K, S>);

impl<K: Key, S: Clone> KeyIndex<K, S> {
    /// Takes the index of a partition, for the records at rest: the one that was kept with them, or a new one. They are
    /// copied if their chunks are not all of one size. Nothing when memory has no room for the index, a place no number, or
    /// a key is there twice.
    pub(super) fn take(
        &self,
        partition: usize,
        records: Resting<(K, S)>,
        context: &RddContext,
    ) -> Option<Indexed<K, S>> {
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
        let bytes = index.places.bytes();
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

/// The places of the keys of one partition, counted through all chunks.
pub(super) struct Index<K, S> {
    pub(super) places: KeyPlaces,
    /// How many values the last step brought: the next one is expected to bring as many.
    pub(super) values: usize,
    /// The records whose index it is. Holding them, if weakly, no other ones can come to be in their place.
    of: Weak<Vec<Vec<(K, S)>>>,
    memory: Reservation,
}

impl<K: Key, S> Index<K, S> {
    fn build(records: &Resting<(K, S)>, context: &RddContext) -> Option<Self> {
        let keys: usize = records.iter().map(Vec::len).sum();
        let mut memory = nothing_reserved(context);
        // Half of what could be numbered is left for keys that come.
        if keys > KeyPlaces::LIMIT / 2 || !reserve(&mut memory, KeyPlaces::bytes_for(keys)) {
            return None;
        }
        let mut places = KeyPlaces::default();
        places.reserve(keys);
        for (place, (key, _)) in records.iter().flatten().enumerate() {
            let hash = key_hash(key);
            if places.find(hash, |other| records[other / CHUNK][other % CHUNK].0 == *key).is_some() {
                return None;
            }
            places.insert(hash, place);
        }
        Some(Self { places, values: 0, of: Weak::new(), memory })
    }
}
