// SPDX-License-Identifier: Apache-2.0
//! What is written to a database of states: the changes of a batch, and many states at once.

use fjall::{Keyspace, OwnedWriteBatch};

use super::{DiskStates, META, idle_key, partition_of, pass, prefix, sorter::Sorter, state_key, state_value};
use crate::{
    state::{
        changes::{BatchChanges, KeyChange},
        codec::put_signed,
        error::StateError,
    },
    time::Time,
};

/// What the timeouts of a batch do to the list of keys of a partition: what is before a time goes, and keys that have
/// been used since are listed under the time of their last use.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::state) struct IdleMoves {
    pub(in crate::state) partition: usize,
    pub(in crate::state) before: Time,
    pub(in crate::state) relisted: Vec<(Time, Vec<u8>)>,
}

impl DiskStates {
    /// Makes the changes of a batch, which the states are then those after: all or none of it.
    pub(in crate::state) fn write(
        &self,
        time: Time,
        changes: &BatchChanges<'_>,
        moves: &[IdleMoves],
    ) -> Result<(), StateError> {
        let mut batch = self.database.batch();
        let mut keys = self.about().keys;
        for part in &changes.parts {
            let partition = part.partition;
            let Some(count) = keys.get_mut(partition) else {
                return Err(StateError::DamagedChanges { offset: 0, problem: "there is no such partition" });
            };
            for change in part.keys() {
                match change? {
                    KeyChange::Put { key, state, new } => {
                        batch.insert(&self.states, state_key(partition, key), state_value(time, state));
                        *count += u64::from(new);
                        if new && self.times_out {
                            batch.insert(&self.idle, idle_key(partition, time, key), []);
                        }
                    }
                    KeyChange::Touch { key } => {
                        if let Some(stored) = self.get(partition, key)? {
                            let value = state_value(time, stored.state());
                            batch.insert(&self.states, state_key(partition, key), value);
                        }
                    }
                    KeyChange::Remove { key } => {
                        batch.remove(&self.states, state_key(partition, key));
                        *count = count.saturating_sub(1);
                    }
                }
            }
        }
        for moved in moves {
            self.move_idle(moved, &mut batch)?;
        }
        {
            let mut about = self.about.lock();
            about.version = Some(time);
            about.keys = keys;
        }
        batch.insert(&self.meta, META, self.about_json());
        pass("commit", &self.path)?;
        batch.commit().map_err(self.failed("write"))
    }

    fn move_idle(&self, moves: &IdleMoves, batch: &mut OwnedWriteBatch) -> Result<(), StateError> {
        let range = prefix(moves.partition).to_vec()..idle_key(moves.partition, moves.before, &[]);
        for entry in self.idle.range(range) {
            batch.remove(&self.idle, entry.key().map_err(self.failed("read"))?);
        }
        for (time, key) in &moves.relisted {
            batch.insert(&self.idle, idle_key(moves.partition, *time, key), []);
        }
        Ok(())
    }

    /// Fills the database, or a partition of it, with states that are not of a batch.
    pub(in crate::state) fn filling(&self) -> Filling<'_> {
        let dir = self.path.parent().unwrap_or(&self.path);
        // Several partitions may be filled at the same time.
        let budget = usize::try_from(self.budget / 8).unwrap_or(usize::MAX);
        let (states, idle) = (Sorter::new(dir, budget), Sorter::new(dir, budget / 2));
        Filling { disk: self, states, idle, used: Vec::new() }
    }

    /// Sets how many keys a partition has, and makes everything durable.
    pub(in crate::state) fn filled(&self, partition: usize, keys: u64) -> Result<(), StateError> {
        self.set_keys(partition, keys);
        self.write_about()?;
        self.persist()
    }

    /// Says of which batch the states are.
    pub(in crate::state) fn set_version(&self, version: Option<Time>) -> Result<(), StateError> {
        self.about.lock().version = version;
        self.write_about()
    }
}

/// States that are being written. They go into the database in the order of their keys and past its journal, as the
/// tables that it would have after all compactions.
pub(in crate::state) struct Filling<'a> {
    disk: &'a DiskStates,
    states: Sorter,
    idle: Sorter,
    used: Vec<u8>,
}

impl Filling<'_> {
    /// Adds a state. Of a key that comes again the last one counts.
    pub(in crate::state) fn put(
        &mut self,
        partition: usize,
        key: &[u8],
        state: &[u8],
        used: Time,
    ) -> Result<(), StateError> {
        self.used.clear();
        put_signed(used.as_millis(), &mut self.used);
        self.states.put([&prefix(partition), key], [&self.used, state])?;
        if self.disk.times_out {
            self.idle.put([&idle_key(partition, used, key), &[]], [&[], &[]])?;
        }
        Ok(())
    }

    /// Writes everything. Returns the number of keys of each partition.
    pub(in crate::state) fn finish(self) -> Result<Vec<u64>, StateError> {
        let disk = self.disk;
        let mut keys = vec![0; disk.about().keys.len()];
        pass("commit", &disk.path)?;
        fill(disk, &disk.states, self.states, |key| keys[partition_of(key)] += 1)?;
        if disk.times_out {
            fill(disk, &disk.idle, self.idle, |_| {})?;
        }
        Ok(keys)
    }
}

fn fill(
    disk: &DiskStates,
    keyspace: &Keyspace,
    sorter: Sorter,
    mut count: impl FnMut(&[u8]),
) -> Result<(), StateError> {
    let mut ingestion = keyspace.start_ingestion().map_err(disk.failed("write"))?;
    sorter.finish(&mut |key, value| {
        count(key);
        ingestion.write(key, value).map_err(disk.failed("write"))
    })?;
    ingestion.finish().map_err(disk.failed("write"))
}
