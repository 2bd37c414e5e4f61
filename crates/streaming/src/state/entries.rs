// SPDX-License-Identifier: Apache-2.0
//! `Entries`: keys with their states in a hash table, and spots, which save looking twice.

use std::hash::Hash;

use dstreams_rdd::key_hash;
use hashbrown::{HashTable, hash_table};

use crate::time::Time;

/// A key and its state.
pub(super) struct Entry<K, S> {
    pub(super) key: K,
    pub(super) state: S,
    pub(super) used: Time,
    /// Where the list of idle keys has the key.
    pub(super) listed: Time,
    /// The attempt that has last written down the state.
    pub(super) logged_in: u64,
}

/// Where a key is, or may be when the table has been changed since.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    hash: u64,
    bucket: Option<usize>,
}

impl Spot {
    /// For a key that is not in the table; `hash` is that of the key.
    pub(super) fn free(hash: u64) -> Self {
        Self { hash, bucket: None }
    }

    /// Whether the key is in the table.
    pub(super) fn is_filled(self) -> bool {
        self.bucket.is_some()
    }
}

/// Keys with their states.
pub(super) struct Entries<K, S> {
    table: HashTable<Entry<K, S>>,
    /// How often keys have come or gone, after which those that stay may be elsewhere.
    moves: u64,
}

impl<K: Hash + Eq, S> Entries<K, S> {
    pub(super) fn new() -> Self {
        Self { table: HashTable::new(), moves: 0 }
    }

    pub(super) fn reserve(&mut self, keys: usize) {
        self.moves += 1;
        self.table.reserve(keys, rehash);
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn iter(&self) -> hash_table::Iter<'_, Entry<K, S>> {
        self.table.iter()
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&mut Entry<K, S>) -> bool) {
        self.moves += 1;
        self.table.retain(keep);
    }

    /// How often keys have come or gone: as long as it stays the same, spots hold.
    #[inline]
    pub(super) fn moves(&self) -> u64 {
        self.moves
    }

    /// Looks where a key is.
    #[inline]
    pub(super) fn find(&self, key: &K) -> Spot {
        self.find_by(key_hash(key), key)
    }

    #[inline]
    fn find_by(&self, hash: u64, key: &K) -> Spot {
        Spot { hash, bucket: self.table.find_bucket_index(hash, |entry| entry.key == *key) }
    }

    /// Where a key is that was, or was not, at a spot before.
    #[inline]
    pub(super) fn still(&self, spot: Spot, key: &K) -> Spot {
        match self.at(spot) {
            Some(entry) if entry.key == *key => spot,
            _ => self.find_by(spot.hash, key),
        }
    }

    #[inline]
    pub(super) fn at(&self, spot: Spot) -> Option<&Entry<K, S>> {
        self.table.get_bucket(spot.bucket?)
    }

    #[inline]
    pub(super) fn at_mut(&mut self, spot: Spot) -> Option<&mut Entry<K, S>> {
        self.table.get_bucket_mut(spot.bucket?)
    }

    /// The entry of a key.
    pub(super) fn get(&self, key: &K) -> Option<&Entry<K, S>> {
        self.at(self.find(key))
    }

    /// The entry of a key, to be changed.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut Entry<K, S>> {
        self.at_mut(self.find(key))
    }

    /// Adds a key that is not there and is looked for at the spot. Returns where it is now.
    pub(super) fn insert(&mut self, spot: Spot, entry: Entry<K, S>) -> Spot {
        self.moves += 1;
        let bucket = self.table.insert_unique(spot.hash, entry, rehash).bucket_index();
        Spot { bucket: Some(bucket), ..spot }
    }

    /// Takes a key out; its spot is free then.
    pub(super) fn remove(&mut self, key: &K) -> Option<(Spot, Entry<K, S>)> {
        self.moves += 1;
        let hash = key_hash(key);
        let found = self.table.find_entry(hash, |entry| entry.key == *key).ok()?;
        Some((Spot::free(hash), found.remove().0))
    }
}

fn rehash<K: Hash, S>(entry: &Entry<K, S>) -> u64 {
    key_hash(&entry.key)
}
