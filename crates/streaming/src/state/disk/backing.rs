// SPDX-License-Identifier: Apache-2.0
//! `Backing`: what a `StateMap` that has its states on disk knows of them, and what it has not written there yet.

use std::{
    collections::{BTreeMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use dstreams_rdd::{Key, Wire};

use super::{DiskStates, IdleMoves, StoredState};
use crate::{
    state::{
        codec::{decode, encode},
        error::StateError,
    },
    time::Time,
};

/// A partition of a database behind a map. The map has the states that batches have changed since the last one that was
/// written, and some of those that it has read.
pub(in crate::state) struct Backing<K> {
    disk: Arc<DiskStates>,
    partition: usize,
    /// Keys that are removed and may still be on disk, by the batch that did it.
    removed: BTreeMap<Time, HashSet<K, foldhash::fast::RandomState>>,
    /// The last batch that was written.
    written: Option<Time>,
    /// What the timeouts of the present batch have done to the list of keys.
    moves: Option<IdleMoves>,
    bytes: Vec<u8>,
}

impl<K: Hash + Eq> Backing<K> {
    pub(in crate::state) fn new(disk: Arc<DiskStates>, partition: usize) -> Self {
        let written = disk.about().version;
        Self { disk, partition, removed: BTreeMap::new(), written, moves: None, bytes: Vec::new() }
    }

    /// Whether the batch at `time` is written, so that it cannot be undone.
    pub(in crate::state) fn has_written(&self, time: Time) -> bool {
        self.written >= Some(time)
    }

    pub(in crate::state) fn is_removed(&self, key: &K) -> bool {
        self.removed.values().any(|keys| keys.contains(key))
    }

    pub(in crate::state) fn remove(&mut self, time: Time, key: K) {
        self.removed.entry(time).or_default().insert(key);
    }

    /// Forgets what the batch at `time` has removed.
    pub(in crate::state) fn undo(&mut self, time: Time) {
        self.removed.remove(&time);
        self.moves = None;
    }

    /// The batch at `time` and those before it are written.
    pub(in crate::state) fn written(&mut self, time: Time) {
        self.written = self.written.max(Some(time));
        self.removed = self.removed.split_off(&(time + crate::time::milliseconds(1)));
    }

    pub(in crate::state) fn set_moves(&mut self, moves: IdleMoves) {
        self.moves = Some(IdleMoves { partition: self.partition, ..moves });
    }

    pub(in crate::state) fn take_moves(&mut self) -> Option<IdleMoves> {
        self.moves.take()
    }
}

impl<K: Key> Backing<K> {
    /// The state of a key on disk and when it was last used.
    pub(in crate::state) fn get<S: Wire>(&mut self, key: &K) -> Result<Option<(S, Time)>, StateError> {
        if self.is_removed(key) {
            return Ok(None);
        }
        self.bytes.clear();
        encode(key, &mut self.bytes)?;
        let stored = self.disk.get(self.partition, &self.bytes)?;
        stored.map(|stored| Ok((decode(stored.state())?, stored.used))).transpose()
    }

    /// All keys on disk with their states.
    pub(in crate::state) fn iter<S: Wire>(&self) -> impl Iterator<Item = Result<(K, S), StateError>> + '_ {
        self.disk.iter(self.partition).map(|entry| {
            let (key, stored) = entry?;
            Ok((decode(&key)?, decode(stored.state())?))
        })
    }

    /// The keys on disk that are listed under times before `before`, some maybe removed or used since, as bytes.
    pub(in crate::state) fn listed(
        &self,
        before: Time,
    ) -> impl Iterator<Item = Result<Vec<u8>, StateError>> + '_ {
        self.disk.listed(self.partition, before)
    }

    /// As [`get`](Self::get) for a key as bytes, which is not in the map.
    pub(in crate::state) fn stored(&self, key: &[u8]) -> Result<Option<StoredState>, StateError> {
        self.disk.get(self.partition, key)
    }
}
