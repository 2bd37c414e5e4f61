// SPDX-License-Identifier: Apache-2.0
//! One batch applied to the states of a partition: the function called record by record, then for what times out.

use std::sync::Arc;

use dstreams_rdd::{Key, Records, Wire};
use parking_lot::{ArcMutexGuard, RawMutex};

use super::{
    State,
    changes::MappedRecords,
    entries::Spot,
    map::StateMap,
    store::{Pins, StateStore},
    value::Change,
};
use crate::time::{Duration, Time};

/// The function of a spec.
pub(crate) type Function<K, V, S, M> =
    Arc<dyn Fn(Time, &K, Option<V>, &mut State<'_, S>) -> Option<M> + Send + Sync>;

/// What is done to states in every batch.
pub(crate) struct Rules<K, V, S, M> {
    pub(crate) function: Function<K, V, S, M>,
    pub(crate) timeout: Option<Duration>,
}

impl<K, V, S, M> Clone for Rules<K, V, S, M> {
    fn clone(&self) -> Self {
        Self { function: Arc::clone(&self.function), timeout: self.timeout }
    }
}

impl<K: Key, S: Wire> StateStore<K, S> {
    /// Applies the batch at `time` to a partition while its mapped records are read. It counts when they have been read
    /// to the end, and is undone otherwise.
    pub(crate) fn apply<V, M>(
        &self,
        partition: usize,
        time: Time,
        records: Records<(K, V)>,
        rules: Rules<K, V, S, M>,
    ) -> Applying<K, V, S, M> {
        self.begin();
        let mut map = self.partition(partition).lock_arc();
        map.begin(time);
        let logged = self.logs_mapped().then(MappedRecords::default);
        let (pins, left) = (Arc::clone(self.pins()), Left::Records(records));
        Applying { map, pins, time, rules, left, spots: Vec::new().into_iter(), logged }
    }
}

/// The mapped records of a batch, made one by one. The partition is locked for as long as this lives.
pub(crate) struct Applying<K: Key, V, S: Wire, M> {
    map: ArcMutexGuard<RawMutex, StateMap<K, S>>,
    pins: Arc<Pins>,
    time: Time,
    rules: Rules<K, V, S, M>,
    left: Left<K, V>,
    /// Those of the records of the present chunk that are left.
    spots: std::vec::IntoIter<Spot>,
    /// The mapped records so far, where they are logged.
    logged: Option<MappedRecords>,
}

/// What is left to be done.
enum Left<K, V> {
    Records(Records<(K, V)>),
    Idle(std::vec::IntoIter<K>),
    Nothing,
}

impl<K: Key, V, S: Wire, M: Wire> Applying<K, V, S, M> {
    fn map(&mut self, spot: Spot, key: &K, value: V) -> Option<M> {
        let spot = self.fetch(spot, key);
        let mut state = State::of(self.map.get_at(spot));
        let mapped = (self.rules.function)(self.time, key, Some(value), &mut state);
        match state.into_change() {
            Change::Updated(state) => self.map.put_at(spot, key, state, self.time),
            Change::Removed => self.map.remove(key),
            // Being read keeps a key from timing out.
            Change::None if self.rules.timeout.is_some() => self.map.touch_at(spot, key, self.time),
            Change::None => {}
        }
        mapped
    }

    /// The next record, and where its key may be. The keys of a chunk are looked up together, so that the waits for
    /// memory overlap.
    fn next_record(&mut self) -> Option<(Spot, (K, V))> {
        let Left::Records(records) = &mut self.left else { return None };
        if self.spots.as_slice().is_empty() {
            let found: Vec<Spot> = records.chunk().iter().map(|(key, _)| self.map.find(key)).collect();
            self.spots = found.into_iter();
        }
        Some((self.spots.next()?, records.next()?))
    }

    fn map_idle(&mut self, key: &K) -> Option<M> {
        let spot = self.fetch(self.map.find(key), key);
        let mut state = State::of_idle(self.map.get_at(spot)?);
        let mapped = (self.rules.function)(self.time, key, None, &mut state);
        drop(state);
        self.map.remove(key);
        mapped
    }

    /// Where the key is now, in memory.
    #[inline]
    fn fetch(&mut self, spot: Spot, key: &K) -> Spot {
        let spot = self.map.still(spot, key);
        match self.map.fetch(spot, key) {
            Ok(spot) => spot,
            Err(error) => panic!("a state cannot be read: {error}"),
        }
    }

    /// The keys that time out.
    fn idle(&mut self) -> Vec<K> {
        let Some(timeout) = self.rules.timeout else { return Vec::new() };
        let mut idle = self.map.take_idle(self.time - timeout);
        match self.map.take_idle_on_disk(self.time - timeout) {
            Ok(on_disk) => idle.extend(on_disk),
            Err(error) => panic!("the idle keys cannot be read: {error}"),
        }
        idle
    }

    fn end(&mut self) {
        if let Err(error) = self.map.log_batch(self.logged.take()) {
            panic!("the changes of the batch at {} cannot be logged: {error}", self.time);
        }
        self.map.commit(self.pins.earliest());
        self.left = Left::Nothing;
    }

    fn log(&mut self, mapped: &M) {
        let Some(logged) = &mut self.logged else { return };
        if let Err(error) = logged.push(mapped) {
            panic!("a mapped record of the batch at {} cannot be logged: {error}", self.time);
        }
    }
}

impl<K: Key, V, S: Wire, M: Wire> Iterator for Applying<K, V, S, M> {
    type Item = M;

    fn next(&mut self) -> Option<M> {
        loop {
            let mapped = match &mut self.left {
                Left::Records(_) => {
                    if let Some((spot, (key, value))) = self.next_record() {
                        self.map(spot, &key, value)
                    } else {
                        self.left = Left::Idle(self.idle().into_iter());
                        None
                    }
                }
                Left::Idle(keys) => {
                    if let Some(key) = keys.next() {
                        self.map_idle(&key)
                    } else {
                        self.end();
                        None
                    }
                }
                Left::Nothing => return None,
            };
            if let Some(mapped) = mapped {
                self.log(&mapped);
                return Some(mapped);
            }
        }
    }
}

impl<K: Key, V, S: Wire, M> Drop for Applying<K, V, S, M> {
    fn drop(&mut self) {
        if !matches!(self.left, Left::Nothing) {
            self.map.roll_back();
        }
    }
}
