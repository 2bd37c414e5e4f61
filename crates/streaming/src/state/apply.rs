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
        Applying { map, pins, time, rules, left, mapped: Vec::new().into_iter(), logged }
    }
}

/// The mapped records of a batch, made a chunk at a time. The partition is locked for as long as this lives.
pub(crate) struct Applying<K: Key, V, S: Wire, M> {
    map: ArcMutexGuard<RawMutex, StateMap<K, S>>,
    pins: Arc<Pins>,
    time: Time,
    rules: Rules<K, V, S, M>,
    left: Left<K, V>,
    /// Those that have been made and not been taken.
    mapped: std::vec::IntoIter<M>,
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
    /// Applies the next records. Their keys are looked up together, so that the waits for memory overlap. False when
    /// there are no more.
    fn map_chunk(&mut self) -> bool {
        let Left::Records(records) = &mut self.left else { return false };
        let map = &mut *self.map;
        let spots: Vec<Spot> = records.chunk().iter().map(|(key, _)| map.find(key)).collect();
        let (looked, any) = (map.moves(), !spots.is_empty());
        let mut mapped = Vec::with_capacity(spots.len());
        for (spot, (key, value)) in spots.into_iter().zip(records) {
            let spot = if map.moves() == looked { spot } else { map.still(spot, &key) };
            let spot = if map.may_be_on_disk(spot) { fetched(map, spot, &key) } else { spot };
            let mut state = State::of(map.get_at(spot));
            mapped.extend((self.rules.function)(self.time, &key, Some(value), &mut state));
            match state.into_change() {
                Change::Updated(state) => map.put_at(spot, &key, state, self.time),
                Change::Removed => map.remove(&key),
                // Being read keeps a key from timing out.
                Change::None if self.rules.timeout.is_some() => map.touch_at(spot, &key, self.time),
                Change::None => {}
            }
        }
        self.log(&mapped);
        self.mapped = mapped.into_iter();
        any
    }

    fn map_idle(&mut self, key: &K) -> Option<M> {
        let spot = self.map.find(key);
        let spot = fetched(&mut self.map, spot, key);
        let mut state = State::of_idle(self.map.get_at(spot)?);
        let mapped = (self.rules.function)(self.time, key, None, &mut state);
        drop(state);
        self.map.remove(key);
        mapped
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

    fn log(&mut self, mapped: &[M]) {
        let Some(logged) = &mut self.logged else { return };
        if let Err(error) = mapped.iter().try_for_each(|mapped| logged.push(mapped)) {
            panic!("a mapped record of the batch at {} cannot be logged: {error}", self.time);
        }
    }
}

/// Where the key is now, in memory.
fn fetched<K: Key, S: Wire>(map: &mut StateMap<K, S>, spot: Spot, key: &K) -> Spot {
    match map.fetch(spot, key) {
        Ok(spot) => spot,
        Err(error) => panic!("a state cannot be read: {error}"),
    }
}

impl<K: Key, V, S: Wire, M: Wire> Iterator for Applying<K, V, S, M> {
    type Item = M;

    #[inline]
    fn next(&mut self) -> Option<M> {
        loop {
            if let Some(mapped) = self.mapped.next() {
                return Some(mapped);
            }
            match &mut self.left {
                Left::Records(_) => {
                    if !self.map_chunk() {
                        self.left = Left::Idle(self.idle().into_iter());
                    }
                }
                Left::Idle(keys) => {
                    if let Some(key) = keys.next() {
                        let mapped = self.map_idle(&key);
                        self.log(mapped.as_slice());
                        if mapped.is_some() {
                            return mapped;
                        }
                    } else {
                        self.end();
                    }
                }
                Left::Nothing => return None,
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
