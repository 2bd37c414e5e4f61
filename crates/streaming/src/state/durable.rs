// SPDX-License-Identifier: Apache-2.0
//! The states of `map_with_state` as checkpoints see them: logged, written to snapshots, and restored.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use dstreams_rdd::{ArcPartitioner, Key, Rdd, Wire};
use dstreams_wal::Location;
use parking_lot::Mutex;

use super::{
    base::is_database,
    changes::BatchChanges,
    codec::decode,
    disk::{DATABASE, DiskPlace, DiskStates},
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

    fn restore_in_memory(
        &self,
        kept: &Kept,
        base: Option<(&Location, Time)>,
        changes: &mut dyn Iterator<Item = Result<(Time, Vec<u8>)>>,
        version: Time,
    ) -> Result<()> {
        let mut restoring = Restoring::new(&self.store, &*self.partitioner);
        match base {
            Some((dir, _)) if is_database(dir) => restoring.load_database(dir.path())?,
            Some((dir, _)) => restoring.load(dir)?,
            None => {}
        }
        for changes in changes {
            let (time, bytes) = changes?;
            if time <= version && base.is_none_or(|(_, since)| time > since) {
                restoring.apply(time, &BatchChanges::decode(&bytes)?)?;
            }
        }
        if let Some(layout) = restoring.layout() {
            kept.keep_layout(layout);
        }
        Ok(())
    }

    fn restore_on_disk(
        &self,
        kept: &Kept,
        place: &DiskPlace,
        base: Option<(&Location, Time)>,
        changes: &mut dyn Iterator<Item = Result<(Time, Vec<u8>)>>,
        version: Time,
    ) -> Result<()> {
        let rewriter = self.rewriter(kept);
        let states = place.restore::<K, S>(&rewriter, base, version)?;
        // It may have been written after the last time that it was recorded.
        let since = states.about().version.or(base.map(|(_, since)| since));
        for changes in changes {
            let (time, bytes) = changes?;
            if time <= version && since.is_none_or(|since| time > since) {
                let bytes = rewriter.changes::<S>(bytes)?;
                if !bytes.is_empty() {
                    states.write(time, &BatchChanges::decode(&bytes)?, &[])?;
                }
            }
        }
        self.store.set_disk(&states);
        Ok(())
    }

    /// The database is its own snapshot once it is durable. It may have later batches in it: their changes are logged,
    /// and come out the same when they are made again.
    fn snapshot_on_disk(kept: &Kept, states: &DiskStates, time: Time) -> Result<Snapshot, StateError> {
        states.persist()?;
        kept.snapshot_bytes.store(0, Ordering::Relaxed);
        kept.remove_first_bases(DATABASE)?;
        let keys = states.about().keys.iter().sum();
        Ok(Snapshot { time, dir: DATABASE.to_owned(), keys, bytes: states.bytes() })
    }

    fn rewriter<'a>(&'a self, kept: &'a Kept) -> Rewriter<'a, K> {
        Rewriter { kept, partitioner: &*self.partitioner }
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
        StateSchema::of::<K, S>(self.partitioner.partitions(), self.store.name())
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

    fn keys(&self) -> Option<u64> {
        Some(self.store.keys())
    }

    fn attach(&self, dir: &Location) -> Result<()> {
        let logs_mapped = self.mapped.meta().past_needed().is_positive();
        let mut disk = self.store.disk_place();
        if let Some(place) = &mut disk {
            place.choose(dir)?;
        }
        self.store.keep(Kept::new(dir, self.schema()?, logs_mapped, disk));
        Ok(())
    }

    fn restore(&self, stored: Stored<'_>) -> Result<u64> {
        let kept = self.kept()?;
        self.check(stored.schema)?;
        let last = stored.snapshots.last();
        if let Some(snapshot) = last {
            kept.snapshot_bytes.store(snapshot.bytes, Ordering::Relaxed);
        }
        let version = last.map_or(stored.version, |snapshot| snapshot.time.max(stored.version));
        let base = match last {
            Some(snapshot) => Some((kept.snapshot(snapshot), snapshot.time)),
            None => kept.first_base()?.map(|dir| (dir, Time::from_millis(i64::MIN))),
        };
        let base = base.as_ref().map(|(dir, time)| (dir, *time));
        let mut changes = stored.changes.map(|changes| {
            let Changes { time, bytes } = changes?;
            if self.reached_from(version) < time && time <= version {
                self.restore_mapped(time, &BatchChanges::decode(&bytes)?)?;
            }
            Ok((time, bytes))
        });
        let changes = &mut changes as &mut dyn Iterator<Item = Result<(Time, Vec<u8>)>>;
        match &kept.disk {
            None => self.restore_in_memory(kept, base, changes, version)?,
            Some(place) => self.restore_on_disk(kept, place, base, changes, version)?,
        }
        for map in self.store.partitions() {
            map.lock().set_applied(version);
        }
        self.store.set_restored(version);
        Ok(self.store.keys())
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

    fn committed(&self, time: Time) -> Result<()> {
        Ok(self.store.commit(time)?)
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
        let database = kept.disk.as_ref().filter(|_| kept.is_database_kept());
        if let Some(states) = database.and_then(DiskPlace::states) {
            // One that is behind is not the states of this batch yet.
            let behind = self.store.is_behind(time);
            return if behind { Ok(None) } else { Ok(Some(Self::snapshot_on_disk(kept, states, time)?)) };
        }
        let rewriter = self.rewriter(kept);
        let mut logged = Vec::new();
        for changes in changes {
            let Changes { time: batch, bytes } = changes?;
            if batch <= time && before.is_none_or(|before| batch > before.time) {
                logged.push((batch, rewriter.changes::<S>(bytes)?));
            }
        }
        let base = match before {
            Some(before) => Some(kept.snapshot(before)),
            None => kept.first_base()?,
        };
        let name = format!("snapshot-{}", time.as_millis());
        let dir = kept.dir.join(&name);
        let written = rewriter.merge::<S>(&dir, time, base.as_ref(), &logged).inspect_err(|_| {
            let _ = dir.remove_dir_all("snapshot");
        })?;
        kept.snapshot_bytes.store(written.bytes, Ordering::Relaxed);
        if let Some(before) = before {
            kept.remove_first_bases_after(before)?;
        }
        Ok(Some(Snapshot { time, dir: name, keys: written.keys, bytes: written.bytes }))
    }
}
