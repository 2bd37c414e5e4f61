// SPDX-License-Identifier: Apache-2.0
//! `Folded`: what several batches together have done to each key, without copies of keys and states.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table};

use super::{
    changes::{BatchChanges, KeyChange, LoggedPart},
    error::StateError,
};
use crate::time::Time;

/// What has become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since<'a> {
    Put { state: &'a [u8], used: Time },
    Touched { used: Time },
    Removed,
}

/// The changes of some batches by partition and key. A key takes 17 bytes or so, wherever its own ones are.
pub(super) struct Folded<'a> {
    parts: Vec<LoggedPart<'a>>,
    times: Vec<Time>,
    keys: Vec<HashTable<Place>>,
    hasher: RandomState,
}

/// The change that counts for a key, and the batch that used the key last, as numbers.
#[derive(Clone, Copy)]
struct Place {
    part: u32,
    used: u32,
    /// Where the change is in the part.
    position: usize,
}

impl<'a> Folded<'a> {
    /// Folds the logged changes of batches, given in the order of their times.
    pub(super) fn new(partitions: usize, changes: &'a [(Time, Vec<u8>)]) -> Result<Self, StateError> {
        let keys = (0..partitions).map(|_| HashTable::new()).collect();
        let times = changes.iter().map(|(time, _)| *time).collect();
        let mut folded = Self { parts: Vec::new(), times, keys, hasher: RandomState::default() };
        for (batch, (_, bytes)) in changes.iter().enumerate().filter(|(_, (_, bytes))| !bytes.is_empty()) {
            for part in BatchChanges::decode(bytes)?.parts {
                folded.add(part, number(batch)?)?;
            }
        }
        Ok(folded)
    }

    fn add(&mut self, logged: LoggedPart<'a>, used: u32) -> Result<(), StateError> {
        let Self { parts, keys, hasher, .. } = self;
        let Some(table) = keys.get_mut(logged.partition) else {
            return Err(damaged("there is no such partition"));
        };
        let part = number(parts.len())?;
        let mut changes = logged.keys();
        parts.push(logged);
        loop {
            let position = changes.position();
            let Some(change) = changes.next() else { return Ok(()) };
            let change = change?;
            let new = Place { part, used, position };
            let same = |place: &Place| change_at(parts, place).key() == change.key();
            let hash = |place: &Place| hasher.hash_one(change_at(parts, place).key());
            match table.entry(hasher.hash_one(change.key()), same, hash) {
                hash_table::Entry::Vacant(vacant) => drop(vacant.insert(new)),
                hash_table::Entry::Occupied(mut known) => {
                    let place = known.get_mut();
                    // A state that was put before stays what counts.
                    let is_touch = matches!(change, KeyChange::Touch { .. });
                    if is_touch && matches!(change_at(parts, place), KeyChange::Put { .. }) {
                        place.used = used;
                    } else {
                        *place = new;
                    }
                }
            }
        }
    }

    /// Takes out what has become of a key; nothing if that is nothing.
    pub(super) fn take(&mut self, partition: usize, key: &[u8]) -> Option<Since<'a>> {
        let Self { parts, keys, hasher, .. } = self;
        let found = keys
            .get_mut(partition)?
            .find_entry(hasher.hash_one(key), |place| change_at(parts, place).key() == key);
        let (place, _) = found.ok()?.remove();
        Some(self.since(&place).1)
    }

    /// Calls `f` for each key of a partition that is left, and takes it out.
    pub(super) fn drain(
        &mut self,
        partition: usize,
        mut f: impl FnMut(&'a [u8], Since<'a>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let left = self.keys.get_mut(partition).map(std::mem::take).unwrap_or_default();
        left.into_iter().try_for_each(|place| {
            let (key, since) = self.since(&place);
            f(key, since)
        })
    }

    fn since(&self, place: &Place) -> (&'a [u8], Since<'a>) {
        let used = self.times[place.used as usize];
        match change_at(&self.parts, place) {
            KeyChange::Put { key, state, .. } => (key, Since::Put { state, used }),
            KeyChange::Touch { key } => (key, Since::Touched { used }),
            KeyChange::Remove { key } => (key, Since::Removed),
        }
    }
}

fn change_at<'a>(parts: &[LoggedPart<'a>], place: &Place) -> KeyChange<'a> {
    parts[place.part as usize].change_at(place.position).expect("it was read when its place was noted")
}

fn number(of: usize) -> Result<u32, StateError> {
    u32::try_from(of).map_err(|_| damaged("there are too many of them"))
}

fn damaged(problem: &'static str) -> StateError {
    StateError::DamagedChanges { offset: 0, problem }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{
        super::changes::{PartitionChanges, encode_batch},
        *,
    };

    /// A key, and its new state, or whether it is touched and not removed.
    type Change = (u8, Result<Vec<u8>, bool>);

    proptest! {
        #[test]
        fn the_changes_of_a_key_come_to_the_last_ones(
            batches in prop::collection::vec(prop::collection::vec((0..20u8, any::<Result<Vec<u8>, bool>>()), 0..30), 0..6),
        ) {
            let logged: Vec<_> = (0i64..).zip(&batches).map(|(time, batch)| (Time::from_millis(time), logged(batch))).collect();
            let mut expected: BTreeMap<u8, Since<'_>> = BTreeMap::new();
            for ((used, _), batch) in logged.iter().zip(&batches) {
                for (key, change) in batch {
                    let since = match (change, expected.get(key)) {
                        (Ok(state), _) => Since::Put { state, used: *used },
                        (Err(true), Some(Since::Put { state, .. })) => Since::Put { state, used: *used },
                        (Err(true), _) => Since::Touched { used: *used },
                        (Err(false), _) => Since::Removed,
                    };
                    expected.insert(*key, since);
                }
            }
            let mut folded = Folded::new(2, &logged).expect("they are whole");
            for key in 0..10 {
                prop_assert_eq!(folded.take(usize::from(key % 2), &[key]), expected.remove(&key));
                prop_assert_eq!(folded.take(usize::from(key % 2), &[key]), None);
            }
            for partition in 0..2 {
                folded.drain(partition, |key, since| {
                    assert_eq!(Some(since), expected.remove(&key[0]));
                    Ok(())
                }).expect("nothing fails");
            }
            prop_assert!(expected.is_empty());
        }
    }

    fn logged(batch: &[Change]) -> Vec<u8> {
        let mut partitions = vec![PartitionChanges::default(); 2];
        for (key, change) in batch {
            let key = std::slice::from_ref(key);
            let change = match change {
                Ok(state) => KeyChange::Put { key, state, new: false },
                Err(true) => KeyChange::Touch { key },
                Err(false) => KeyChange::Remove { key },
            };
            change.encode(&mut partitions[usize::from(key[0] % 2)].keys);
        }
        encode_batch(7, &partitions).unwrap_or_default()
    }

    #[test]
    fn a_partition_that_is_not_there_is_an_error() {
        let batch = vec![(Time::ZERO, logged(&[(1, Err(true))]))];
        assert!(matches!(Folded::new(1, &batch), Err(StateError::DamagedChanges { .. })));
    }
}
