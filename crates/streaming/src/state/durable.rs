// SPDX-License-Identifier: Apache-2.0
//! The states of `map_with_state` as checkpoints see them: logged, written to snapshots, and restored.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use dstreams_rdd::{ArcPartitioner, Key, Rdd, Wire};
use parking_lot::Mutex;

use super::{
    changes::BatchChanges,
    codec::decode,
    error::StateError,
    merge::Rewriter,
    restore::Restoring,
    shape::Reading,
    store::{Kept, StateStore},
};
use crate::{
    checkpoint::durable::{Changes, DurableState, Snapshot, StateSchema, Stored},
    dstream::DStream,
    error::{Error, Result},
    input::Batches,
    time::{Duration, Time},
};

/// Below this many bytes of changes the log is left to grow.
const LEAST_LOGGED: u64 = 16 << 20;

/// What `map_with_state` registers for checkpoints.
pub(crate) struct DurableStates<K, S, M> {
    mapped: DStream<M>,
    store: Arc<StateStore<K, S>>,
    partitioner: ArcPartitioner<K>,
    /// The mapped records of batches whose changes are not taken yet.
    datasets: Mutex<BTreeMap<Time, Rdd<M>>>,
}

impl<K: Key, S: Wire, M: Wire> DurableStates<K, S, M> {
    pub(crate) fn new(
        mapped: DStream<M>,
        store: Arc<StateStore<K, S>>,
        partitioner: ArcPartitioner<K>,
    ) -> Self {
        Self { mapped, store, partitioner, datasets: Mutex::default() }
    }

    fn kept(&self) -> Result<&Kept> {
        let missing = || Error::IllegalState(format!("the states of {} are not kept", self.mapped.meta()));
        self.store.kept().ok_or_else(missing)
    }

    /// Makes the batch happen in all partitions: an output may have read a few of them only.
    fn apply_everywhere(&self, time: Time) -> Result<()> {
        let mapped = self.datasets.lock().remove(&time);
        match mapped {
            Some(mapped) if !self.store.is_applied(time) => {
                Ok(mapped.for_each_partition(|_, _| Ok::<_, Error>(()))?)
            }
            _ => Ok(()),
        }
    }

    /// Where the mapped records are that later batches reach back to.
    fn reached_from(&self, version: Time) -> Time {
        version - self.mapped.meta().past_needed()
    }

    /// Gives the stream back the mapped records of a batch.
    fn restore_mapped(&self, time: Time, batch: &BatchChanges<'_>) -> Result<(), StateError> {
        if batch.parts.iter().all(|part| part.mapped().is_none()) {
            return Ok(());
        }
        let mut partitions: Vec<Vec<M>> = (0..self.partitioner.partitions()).map(|_| Vec::new()).collect();
        for part in &batch.parts {
            // With fewer partitions than then, some get the records of several.
            let number = part.partition % partitions.len();
            for record in part.mapped().into_iter().flatten() {
                partitions[number].push(decode(record?)?);
            }
        }
        self.mapped.restore(time, self.mapped.rdd_context().from_partitions(partitions));
        Ok(())
    }

    fn check(&self, stored: &StateSchema) -> Result<(), StateError> {
        match self.schema_or_error()?.reads(stored) {
            Reading::Unreadable(why) => Err(StateError::Schema(format!(
                "the stored states of {} cannot be used: {why}",
                self.mapped.meta()
            ))),
            Reading::Kept | Reading::Migrated(_) => Ok(()),
        }
    }

    fn schema_or_error(&self) -> Result<StateSchema, StateError> {
        StateSchema::of::<K, S>(self.partitioner.partitions(), "memory")
            .map_err(|ambiguous| StateError::Schema(format!("{}: {ambiguous}", self.mapped.meta())))
    }
}

impl<K: Key, S: Wire, M: Wire> DurableState for DurableStates<K, S, M> {
    fn node(&self) -> usize {
        self.mapped.meta().id()
    }

    fn schema(&self) -> Result<StateSchema> {
        Ok(self.schema_or_error()?)
    }

    fn attach(&self, dir: &Path) -> Result<()> {
        let logs_mapped = self.mapped.meta().past_needed().is_positive();
        self.store.keep(Kept::new(dir, self.schema()?, logs_mapped));
        Ok(())
    }

    fn restore(&self, stored: Stored<'_>) -> Result<u64> {
        let kept = self.kept()?;
        self.check(stored.schema)?;
        let mut restoring = Restoring::new(&self.store, &*self.partitioner);
        let last = stored.snapshots.last();
        let initial = kept.initial();
        if let Some(snapshot) = last {
            restoring.load(&snapshot.dir)?;
            kept.snapshot_bytes.store(snapshot.bytes, Ordering::Relaxed);
        } else if initial.exists() {
            restoring.load(&initial)?;
        }
        let reached = self.reached_from(stored.version);
        for changes in stored.changes {
            let Changes { time, bytes } = changes?;
            let batch = BatchChanges::decode(&bytes)?;
            if time <= stored.version && last.is_none_or(|snapshot| time > snapshot.time) {
                restoring.apply(time, &batch)?;
            }
            if reached < time && time <= stored.version {
                self.restore_mapped(time, &batch)?;
            }
        }
        let version = last.map_or(stored.version, |snapshot| snapshot.time.max(stored.version));
        if let Some(layout) = restoring.layout() {
            kept.keep_layout(layout);
        }
        Ok(restoring.finish(version))
    }

    fn prepare(&self, time: Time, batches: &Batches) -> Result<()> {
        if let Some(mapped) = self.mapped.rdd_at(time, batches)? {
            self.datasets.lock().insert(time, mapped);
        }
        Ok(())
    }

    fn take_changes(&self, time: Time) -> Result<Option<Vec<u8>>> {
        self.apply_everywhere(time)?;
        Ok(self.store.take_log(time))
    }

    fn remembers(&self) -> Duration {
        self.mapped.meta().past_needed()
    }

    fn committed(&self, _: Time) -> Result<()> {
        Ok(())
    }

    fn wants_snapshot(&self, time: Time, zero: Time, logged: u64) -> bool {
        let last = self.store.kept().map_or(0, |kept| kept.snapshot_bytes.load(Ordering::Relaxed));
        self.mapped
            .meta()
            .checkpoint_interval()
            .is_some_and(|interval| (time - zero).is_multiple_of(interval))
            && logged >= LEAST_LOGGED.max(last / 2)
    }

    fn snapshot(
        &self,
        time: Time,
        before: Option<&Snapshot>,
        changes: &mut dyn Iterator<Item = Result<Changes>>,
    ) -> Result<Option<Snapshot>> {
        let kept = self.kept()?;
        if let Some(before) = before.filter(|before| before.time >= time) {
            return Ok((before.time == time).then(|| before.clone()));
        }
        let rewriter = Rewriter { kept, partitioner: &*self.partitioner };
        let mut logged = Vec::new();
        for changes in changes {
            let Changes { time: batch, bytes } = changes?;
            if batch <= time && before.is_none_or(|before| batch > before.time) {
                logged.push((batch, rewriter.changes::<S>(bytes)?));
            }
        }
        let initial = Some(kept.initial()).filter(|dir| before.is_none() && dir.exists());
        let base: Option<PathBuf> = before.map(|before| before.dir.clone()).or(initial);
        let dir = kept.dir.join(format!("snapshot-{}", time.as_millis()));
        let written = rewriter.merge::<S>(&dir, time, base.as_deref(), &logged).inspect_err(|_| {
            let _ = fs::remove_dir_all(&dir);
        })?;
        kept.snapshot_bytes.store(written.bytes, Ordering::Relaxed);
        if before.is_some() && kept.initial().exists() {
            fs::remove_dir_all(kept.initial()).map_err(StateError::io("remove", &kept.initial()))?;
        }
        Ok(Some(Snapshot { time, dir, keys: written.keys, bytes: written.bytes }))
    }
}
