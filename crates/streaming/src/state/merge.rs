// SPDX-License-Identifier: Apache-2.0
//! Makes a snapshot of the one before and what the batches since then changed, beside the batches that go on.
//!
//! Only bytes are compared and copied, unless keys have moved to other partitions or types have changed since: then what
//! was stored before is read and written anew. Memory is taken for the changes, not for the states.

use dstreams_rdd::{Key, Partitioner, Wire, key_hash};
use dstreams_wal::Location;

use super::{
    base::visit,
    changes::{BatchChanges, KeyChange, PartitionChanges, encode_batch},
    codec::{decode, encode},
    error::StateError,
    fold::{Folded, Since},
    snapshot::{self, PartWriter, Written},
    store::Kept,
};
use crate::time::Time;

/// Writes keys and states the way this program does.
pub(super) struct Rewriter<'a, K> {
    pub(super) kept: &'a Kept,
    pub(super) partitioner: &'a dyn Partitioner<K>,
}

/// A key and its state, or nothing for one that is touched or removed, as this program writes them.
#[derive(Default)]
pub(super) struct Rewritten {
    pub(super) partition: usize,
    pub(super) key: Vec<u8>,
    pub(super) state: Vec<u8>,
}

impl<K: Key> Rewriter<'_, K> {
    pub(super) fn rewrite<S: Wire>(
        &self,
        key: &[u8],
        state: Option<&[u8]>,
        into: &mut Rewritten,
    ) -> Result<(), StateError> {
        let key: K = decode(key)?;
        into.key.clear();
        into.state.clear();
        encode(&key, &mut into.key)?;
        if let Some(state) = state {
            encode(&decode::<S>(state)?, &mut into.state)?;
        }
        into.partition = self.partitioner.partition(&key, key_hash(&key));
        Ok(())
    }

    /// The changes of a batch in the layout of this program.
    pub(super) fn changes<S: Wire>(&self, bytes: Vec<u8>) -> Result<Vec<u8>, StateError> {
        let batch = BatchChanges::decode(&bytes)?;
        if batch.layout == self.kept.layout() {
            return Ok(bytes);
        }
        let mut partitions = vec![PartitionChanges::default(); self.kept.schema.partitions];
        let mut new = Rewritten::default();
        for change in batch.parts.iter().flat_map(|part| part.keys()) {
            let change = change?;
            let (key, state) = match change {
                KeyChange::Put { key, state, .. } => (key, Some(state)),
                KeyChange::Touch { key } | KeyChange::Remove { key } => (key, None),
            };
            self.rewrite::<S>(key, state, &mut new)?;
            let change = match change {
                KeyChange::Put { new: is_new, .. } => {
                    KeyChange::Put { key: &new.key, state: &new.state, new: is_new }
                }
                KeyChange::Touch { .. } => KeyChange::Touch { key: &new.key },
                KeyChange::Remove { .. } => KeyChange::Remove { key: &new.key },
            };
            change.encode(&mut partitions[new.partition].keys);
        }
        // What is left is empty when nothing but mapped records was logged.
        Ok(encode_batch(self.kept.layout(), &partitions).unwrap_or_default())
    }

    /// Writes the states of `base` with the changes to the files of `dir`, as those after the batch at `time`.
    pub(super) fn merge<S: Wire>(
        &self,
        dir: &Location,
        time: Time,
        base: Option<&Location>,
        changes: &[(Time, Vec<u8>)],
    ) -> Result<Written, StateError> {
        let partitions = self.kept.schema.partitions;
        let mut folded = Folded::new(partitions, changes)?;
        snapshot::create(dir)?;
        let mut writers = (0..partitions)
            .map(|partition| PartWriter::create(dir, &self.kept.header(time, partition)))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(base) = base {
            let mut new = Rewritten::default();
            visit(base, &mut |entry| {
                let (partition, key, state) = if entry.header.layout == self.kept.layout() {
                    (entry.partition, entry.key, entry.state)
                } else {
                    self.rewrite::<S>(entry.key, Some(entry.state), &mut new)?;
                    (new.partition, &new.key[..], &new.state[..])
                };
                let writer = &mut writers[partition];
                // What has been looked up is there no more, so that what is left at the end is new.
                match folded.take(partition, key) {
                    None => writer.put(key, state, entry.used),
                    Some(Since::Touched { used }) => writer.put(key, state, used),
                    Some(Since::Put { state, used }) => writer.put(key, state, used),
                    Some(Since::Removed) => Ok(()),
                }
            })?;
        }
        let mut written = Written::default();
        for (partition, mut writer) in writers.into_iter().enumerate() {
            folded.drain(partition, |key, since| match since {
                Since::Put { state, used } => writer.put(key, state, used),
                Since::Touched { .. } | Since::Removed => Ok(()),
            })?;
            let part = writer.finish()?;
            written.keys += part.keys;
            written.bytes += part.bytes;
        }
        Ok(written)
    }
}
