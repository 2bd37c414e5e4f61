// SPDX-License-Identifier: Apache-2.0
//! `DatasetState`: snapshots of streams whose datasets are made from their own past, such as those of
//! `update_state_by_key`.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use dstreams_rdd::{
    Rdd, RddContext, TaskError, Wire,
    chunk::{BoxChunks, Chunks},
};
use dstreams_wal::Location;

use super::node::Node;
use crate::{
    checkpoint::durable::{Changes, DurableState, Snapshot, StateSchema, Stored},
    error::{Error, Result},
    state::{
        error::StateError,
        snapshot::{self, Header, SnapshotReader, SnapshotWriter},
    },
    time::{Duration, Time},
};

/// The datasets of a stream as states: those of some batches are written as they are, and those after them computed
/// again from these and from the input of the batches since.
pub(super) struct DatasetState<K, S> {
    node: Weak<Node<(K, S)>>,
    number: usize,
    context: RddContext,
    schema: StateSchema,
    dir: OnceLock<Location>,
}

impl<K: Wire, S: Wire> DatasetState<K, S> {
    pub(super) fn new(node: &Arc<Node<(K, S)>>, context: &RddContext) -> Result<Self> {
        // Each snapshot has as many parts as its dataset has partitions.
        let schema =
            StateSchema::of::<K, S>(0, "memory").map_err(|why| Error::IllegalArgument(why.to_string()))?;
        let number = node.meta().id();
        Ok(Self {
            node: Arc::downgrade(node),
            number,
            context: context.clone(),
            schema,
            dir: OnceLock::new(),
        })
    }

    fn node_ref(&self) -> Result<Arc<Node<(K, S)>>> {
        self.node.upgrade().ok_or_else(|| Error::IllegalState("the context has been taken apart".to_owned()))
    }

    /// The dataset that a snapshot is of. Its files are read by each task that needs them.
    fn dataset(&self, dir: &Location) -> Result<Rdd<(K, S)>> {
        let parts = snapshot::parts(dir)?;
        Ok(self.context.from_chunks("checkpoint", parts.len(), move |partition| {
            let reader = SnapshotReader::open(&parts[partition]).map_err(task_error)?;
            Ok(Box::new(RestoredChunks(reader)) as BoxChunks<(K, S)>)
        }))
    }
}

impl<K: Wire, S: Wire> DurableState for DatasetState<K, S> {
    fn node(&self) -> usize {
        self.number
    }

    fn logs_changes(&self) -> bool {
        false
    }

    fn remembers(&self) -> Duration {
        self.node.upgrade().map_or(Duration::ZERO, |node| node.meta().past_needed())
    }

    fn schema(&self) -> Result<StateSchema> {
        Ok(self.schema.clone())
    }

    fn attach(&self, dir: &Location) -> Result<()> {
        let _set_once = self.dir.set(dir.clone());
        Ok(())
    }

    fn restore(&self, stored: Stored<'_>) -> Result<u64> {
        let node = self.node_ref()?;
        for snapshot in stored.snapshots {
            let dir =
                self.dir.get().ok_or_else(|| Error::IllegalState("the states are not kept".to_owned()))?;
            let rdd = self.dataset(&dir.join(&snapshot.dir))?;
            if Some(snapshot) == stored.snapshots.last() {
                // Whether this program can read the states is found out now, and not in the middle of a batch.
                rdd.count()?;
            }
            node.restore(snapshot.time, rdd);
        }
        Ok(stored.snapshots.last().map_or(0, |snapshot| snapshot.keys))
    }

    fn take_changes(&self, _: Time) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn committed(&self, _: Time) -> Result<()> {
        Ok(())
    }

    fn wants_snapshot(&self, time: Time, zero: Time, _: u64) -> bool {
        self.node.upgrade().is_some_and(|node| {
            let interval = node.meta().checkpoint_interval();
            interval.is_some_and(|interval| (time - zero).is_multiple_of(interval))
                && node.remembered_at(time).is_some()
        })
    }

    fn snapshot(
        &self,
        time: Time,
        _: Option<&Snapshot>,
        _: &mut dyn Iterator<Item = Result<Changes>>,
    ) -> Result<Option<Snapshot>> {
        let (Some(base), Some(rdd)) = (self.dir.get(), self.node_ref()?.remembered_at(time)) else {
            return Ok(None);
        };
        let name = format!("snapshot-{}", time.as_millis());
        let dir = base.join(&name);
        snapshot::create(&dir)?;
        let schema = StateSchema { partitions: rdd.num_partitions(), ..self.schema.clone() };
        let (keys, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (all_keys, all_bytes) = (Arc::clone(&keys), Arc::clone(&bytes));
        rdd.for_each_partition(move |partition, records| {
            let header = Header::new(time, partition, schema.clone());
            let mut writer = SnapshotWriter::create(&dir, &header)?;
            for (key, state) in records {
                writer.put(&key, &state, time)?;
            }
            let written = writer.finish()?;
            all_keys.fetch_add(written.keys, Ordering::Relaxed);
            all_bytes.fetch_add(written.bytes, Ordering::Relaxed);
            Ok::<(), StateError>(())
        })?;
        let (keys, bytes) = (keys.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
        Ok(Some(Snapshot { time, dir: name, keys, bytes }))
    }
}

/// A part of a snapshot, a few hundred pairs at a time.
struct RestoredChunks<K, S>(SnapshotReader<K, S>);

const CHUNK: usize = 1024;

impl<K: Wire, S: Wire> Chunks<(K, S)> for RestoredChunks<K, S> {
    fn next_chunk(&mut self, out: &mut Vec<(K, S)>) -> Result<bool, TaskError> {
        let before = out.len();
        for entry in self.0.by_ref().take(CHUNK) {
            let (key, state, _) = entry.map_err(task_error)?;
            out.push((key, state));
        }
        Ok(out.len() > before)
    }
}

fn task_error(error: StateError) -> TaskError {
    TaskError::Other(error.into())
}
