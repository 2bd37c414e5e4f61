// SPDX-License-Identifier: Apache-2.0
//! The values that a step brings, each beside the place of its key, and how they are handed out key by key.

use super::index::Index;
use crate::{
    chunk::{CHUNK, Resting},
    partitioner::key_hash,
    record::Key,
};

/// No value: the end of a chain.
const NONE: u32 = u32::MAX;

/// The values of a step in the order of their coming, with the places of their keys. Keys that were not there before
/// have the places after those that were.
pub(super) struct Touched<K, V> {
    /// How many keys were there before.
    before: usize,
    fresh: Vec<K>,
    places: Vec<u32>,
    values: Vec<Option<V>>,
}

impl<K: Key, V> Touched<K, V> {
    /// No values yet, with room for as many as are `expected`.
    pub(super) fn new(before: usize, expected: usize) -> Self {
        let (places, values) = (Vec::with_capacity(expected), Vec::with_capacity(expected));
        Self { before, fresh: Vec::new(), places, values }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline]
    pub(super) fn add<S>(&mut self, before: &Resting<(K, S)>, index: &mut Index<K, S>, key: &K, value: V) {
        let hash = key_hash(key);
        let found = index.places.find(hash, |place| match place.checked_sub(self.before) {
            None => before[place / CHUNK][place % CHUNK].0 == *key,
            Some(fresh) => self.fresh[fresh] == *key,
        });
        let place = found.unwrap_or_else(|| {
            let place = self.before + self.fresh.len();
            index.places.insert(hash, place);
            self.fresh.push(key.clone());
            place
        });
        self.places.push(number(place));
        self.values.push(Some(value));
    }

    /// The memory that all this takes.
    pub(super) fn bytes(&self) -> usize {
        self.fresh.capacity() * size_of::<K>()
            + self.places.capacity() * 2 * size_of::<u32>()
            + self.values.capacity() * size_of::<Option<V>>()
            + (self.before + self.fresh.len()) * size_of::<u32>()
    }

    /// The values as one chain for each key.
    pub(super) fn chained(self) -> Chained<K, V> {
        let mut first = vec![NONE; self.before + self.fresh.len()];
        let mut next = vec![NONE; self.places.len()];
        // From the last value on, so that each one comes before those that came after it.
        for (value, place) in self.places.iter().enumerate().rev() {
            next[value] = std::mem::replace(&mut first[*place as usize], number(value));
        }
        Chained { before: self.before, fresh: self.fresh, first, next, values: self.values }
    }
}

fn number(of: usize) -> u32 {
    u32::try_from(of).expect("memory ends before the numbers do")
}

/// The values of each key, by the place of the key.
pub(super) struct Chained<K, V> {
    before: usize,
    fresh: Vec<K>,
    /// The number of the first value of the key at each place.
    first: Vec<u32>,
    /// The number of the value after each value.
    next: Vec<u32>,
    values: Vec<Option<V>>,
}

impl<K, V> Chained<K, V> {
    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.first.len()
    }

    /// Takes the values of the key at a place.
    #[inline]
    pub(super) fn values(&mut self, place: usize) -> KeyValues<'_, V> {
        KeyValues(Values::Chain { values: &mut self.values, next: &self.next, at: self.first[place] })
    }

    /// The key at a place, if it was not there before.
    pub(super) fn fresh(&self, place: usize) -> Option<&K> {
        place.checked_sub(self.before).map(|fresh| &self.fresh[fresh])
    }
}

/// The values of a key in one step of [`evolve_by_key`](crate::Rdd::evolve_by_key), in the order of their coming.
pub struct KeyValues<'a, V>(Values<'a, V>);

enum Values<'a, V> {
    Chain { values: &'a mut [Option<V>], next: &'a [u32], at: u32 },
    All(std::vec::IntoIter<V>),
}

impl<V> KeyValues<'_, V> {
    pub(super) fn all(values: Vec<V>) -> Self {
        Self(Values::All(values.into_iter()))
    }
}

impl<V> KeyValues<'_, V> {
    /// Whether there are no more.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Values::Chain { at, .. } => *at == NONE,
            Values::All(values) => values.as_slice().is_empty(),
        }
    }
}

impl<V> Iterator for KeyValues<'_, V> {
    type Item = V;

    #[inline]
    fn next(&mut self) -> Option<V> {
        match &mut self.0 {
            Values::Chain { values, next, at } => {
                if *at == NONE {
                    return None;
                }
                let value = values[*at as usize].take();
                *at = next[*at as usize];
                value
            }
            Values::All(values) => values.next(),
        }
    }
}

impl<V> std::fmt::Debug for KeyValues<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyValues").finish_non_exhaustive()
    }
}
