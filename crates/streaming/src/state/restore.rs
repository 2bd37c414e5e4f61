// SPDX-License-Identifier: Apache-2.0
//! Puts stored states back: a snapshot, its files in parallel, and then what the batches after it changed.

use std::{
    collections::BTreeSet,
    num::NonZero,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use dstreams_rdd::{Key, Partitioner, Wire, key_hash};
use dstreams_wal::Location;
use parking_lot::Mutex;

use super::{
    base::{open_database, visit_database},
    changes::{BatchChanges, KeyChange},
    codec::decode,
    error::StateError,
    snapshot::{PartReader, describe, parts},
    store::StateStore,
};
use crate::time::Time;

/// Fills the states of a store, and notes on the way whether stored bytes can be merged with those of later batches.
pub(super) struct Restoring<'a, K, S> {
    store: &'a StateStore<K, S>,
    partitioner: &'a dyn Partitioner<K>,
    /// Whether a key belongs into another partition than the one that it was stored in.
    moved: AtomicBool,
    layouts: BTreeSet<u64>,
}

/// Keys go into their maps in bunches, so that a lock is taken once for many.
const BUNCH: usize = 512;

impl<'a, K: Key, S: Wire> Restoring<'a, K, S> {
    pub(super) fn new(store: &'a StateStore<K, S>, partitioner: &'a dyn Partitioner<K>) -> Self {
        for map in store.partitions() {
            map.lock().clear();
        }
        Self { store, partitioner, moved: AtomicBool::new(false), layouts: BTreeSet::new() }
    }

    /// The layout in which everything was stored and in which this program would store it too.
    pub(super) fn layout(&self) -> Option<u64> {
        let moved = self.moved.load(Ordering::Relaxed);
        self.layouts.first().copied().filter(|_| !moved && self.layouts.len() == 1)
    }

    /// Loads the files of a snapshot, which has keys that are not there yet.
    pub(super) fn load(&mut self, dir: &Location) -> Result<(), StateError> {
        let paths = parts(dir)?;
        let described = describe(dir)?;
        self.layouts.insert(described.header.layout);
        let maps = self.store.partitions();
        let share = described.keys.iter().sum::<u64>() / maps.len() as u64;
        for (number, map) in maps.iter().enumerate() {
            // Where keys stay in their partitions it is known how many each has.
            let keys = if paths.len() == maps.len() { described.keys[number] } else { share + share / 8 };
            map.lock().reserve(usize::try_from(keys).unwrap_or(0));
        }
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let this = &*self;
        thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(2, NonZero::get).min(paths.len());
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((number, path)) = next_part(&paths, &next) {
                        if let Err(error) = this.load_part(number, path) {
                            *failed.lock() = Some(error);
                            // The others end after their files.
                            next.store(paths.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// Loads the states of a database, which may be those of a later batch than the log begins with: what is changed
    /// again comes out the same.
    pub(super) fn load_database(&mut self, dir: &Path) -> Result<(), StateError> {
        let database = open_database(dir)?;
        self.layouts.insert(database.about().header.layout);
        visit_database(&database, &mut |entry| {
            let (key, state): (K, S) = (decode(entry.key)?, decode(entry.state)?);
            let hash = key_hash(&key);
            let target = self.target(&key, hash, entry.partition)?;
            self.store.partition(target).lock().insert(hash, key, state, entry.used);
            Ok(())
        })
    }

    fn load_part(&self, number: usize, path: &Location) -> Result<(), StateError> {
        let mut reader = PartReader::open(path)?;
        let mut bunches: Vec<Vec<(u64, K, S, Time)>> =
            self.store.partitions().iter().map(|_| Vec::new()).collect();
        while let Some(block) = reader.next_block()? {
            let place = block.place();
            for entry in block {
                let (key, state, used) = entry?.values::<K, S>().map_err(|cause| place.unreadable(cause))?;
                let hash = key_hash(&key);
                let target = self.target(&key, hash, number)?;
                let bunch = &mut bunches[target];
                bunch.push((hash, key, state, used));
                if bunch.len() >= BUNCH {
                    self.insert(target, bunch);
                }
            }
        }
        for (target, bunch) in bunches.iter_mut().enumerate() {
            self.insert(target, bunch);
        }
        Ok(())
    }

    fn insert(&self, target: usize, bunch: &mut Vec<(u64, K, S, Time)>) {
        let mut map = self.store.partition(target).lock();
        for (hash, key, state, used) in bunch.drain(..) {
            map.insert(hash, key, state, used);
        }
    }

    /// The partition that a key belongs into.
    fn target(&self, key: &K, hash: u64, stored_in: usize) -> Result<usize, StateError> {
        let target = self.partitioner.partition(key, hash);
        if target != stored_in {
            self.moved.store(true, Ordering::Relaxed);
        }
        let partitions = self.store.partitions().len();
        if target < partitions {
            return Ok(target);
        }
        Err(StateError::Schema(format!(
            "the partitioner puts a key into partition {target}, where there are {partitions}"
        )))
    }

    /// Makes the changes of the batch at `time`.
    pub(super) fn apply(&mut self, time: Time, batch: &BatchChanges<'_>) -> Result<(), StateError> {
        self.layouts.insert(batch.layout);
        for part in &batch.parts {
            for change in part.keys() {
                let change = change?;
                let (KeyChange::Put { key, .. } | KeyChange::Touch { key } | KeyChange::Remove { key }) =
                    change;
                let key: K = decode(key)?;
                let target = self.target(&key, key_hash(&key), part.partition)?;
                let mut map = self.store.partition(target).lock();
                match change {
                    KeyChange::Put { state, .. } => map.put(&key, decode(state)?, time),
                    KeyChange::Touch { .. } => map.touch(&key, time),
                    KeyChange::Remove { .. } => map.remove(&key),
                }
            }
        }
        Ok(())
    }
}

/// The next file that nobody reads yet, with its number.
fn next_part<'p>(paths: &'p [Location], next: &AtomicUsize) -> Option<(usize, &'p Location)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    paths.get(number).map(|path| (number, path))
}
