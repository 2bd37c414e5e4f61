// SPDX-License-Identifier: Apache-2.0
//! `StateStore`: the state maps of all partitions of a stream, and which earlier versions of them are still read.

use std::{collections::BTreeMap, sync::Arc};

use dstreams_rdd::{Key, Wire};
use parking_lot::Mutex;

use super::map::StateMap;
use crate::time::Time;

/// The states of a stream. What keeps them and how is known in this module only.
pub(crate) struct StateStore<K, S> {
    partitions: Box<[SharedMap<K, S>]>,
    pins: Arc<Pins>,
}

pub(super) type SharedMap<K, S> = Arc<Mutex<StateMap<K, S>>>;

/// Versions that are read, with the number of their readers.
#[derive(Default)]
pub(super) struct Pins(Mutex<BTreeMap<Time, usize>>);

impl Pins {
    pub(super) fn earliest(&self) -> Option<Time> {
        self.0.lock().keys().next().copied()
    }
}

/// Keeps the states after one batch readable until it is dropped.
pub(crate) struct Pin {
    time: Time,
    pins: Arc<Pins>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.0.lock();
        if let Some(readers) = pins.get_mut(&self.time) {
            *readers -= 1;
            if *readers == 0 {
                pins.remove(&self.time);
            }
        }
    }
}

impl<K: Key, S: Wire> StateStore<K, S> {
    /// An empty store. `times_out` says whether keys are looked for that have been idle.
    pub(crate) fn new(partitions: usize, times_out: bool) -> Arc<Self> {
        let empty = || Arc::new(Mutex::new(StateMap::new(times_out)));
        Arc::new(Self { partitions: (0..partitions).map(|_| empty()).collect(), pins: Arc::default() })
    }

    pub(super) fn partition(&self, number: usize) -> &SharedMap<K, S> {
        &self.partitions[number]
    }

    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// Puts the first states of a partition there, unless a batch has changed them already.
    pub(crate) fn load(&self, partition: usize, states: impl Iterator<Item = (K, S)>, time: Time) {
        // The states may come from another store, so that no lock is held while they are read.
        if self.partitions[partition].lock().applied().is_none() {
            let states: Vec<_> = states.collect();
            let mut map = self.partitions[partition].lock();
            if map.applied().is_none() {
                map.load(states.into_iter(), time);
            }
        }
    }

    /// Keeps the states after the batch at `time` readable, from before the next batch is applied.
    pub(crate) fn pin(&self, time: Time) -> Pin {
        *self.pins.0.lock().entry(time).or_insert(0) += 1;
        Pin { time, pins: Arc::clone(&self.pins) }
    }

    /// A copy of the states of a partition after the batch at a pinned time.
    pub(crate) fn at(&self, partition: usize, pin: &Pin) -> Vec<(K, S)> {
        self.partitions[partition].lock().at(pin.time)
    }
}
