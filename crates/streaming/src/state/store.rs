// SPDX-License-Identifier: Apache-2.0
//! `StateStore`: the state maps of all partitions of a stream, which earlier versions are read, and what is kept of them.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, Once, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use dstreams_rdd::{Key, Wire};
use dstreams_wal::Location;
use parking_lot::Mutex;

use super::{
    applied::Applied,
    changes::{BatchChanges, PartitionChanges, encode_batch},
    codec::encode,
    disk::{self, Backing, DiskOptions, DiskPlace, DiskStates, IdleMoves},
    error::StateError,
    map::StateMap,
    snapshot::{self, Header, PartWriter},
};
use crate::{
    checkpoint::durable::{Snapshot, StateSchema},
    time::Time,
};

/// The states of a stream. What keeps them and how is known in this module only.
pub(crate) struct StateStore<K, S> {
    partitions: Box<[SharedMap<K, S>]>,
    /// How far each of them is.
    applied: Box<[Arc<Applied>]>,
    pins: Arc<Pins>,
    times_out: bool,
    on_disk: Option<DiskOptions>,
    kept: OnceLock<Kept>,
    restored: OnceLock<Time>,
}

pub(super) type SharedMap<K, S> = Arc<Mutex<StateMap<K, S>>>;

/// What there is for states that are kept in checkpoints.
pub(super) struct Kept {
    /// The directory of the operator.
    pub(super) dir: Location,
    pub(super) schema: StateSchema,
    /// Whether mapped records are logged.
    pub(super) logs_mapped: bool,
    layout: AtomicU64,
    /// Bytes of the last snapshot.
    pub(super) snapshot_bytes: AtomicU64,
    /// Where states are on disk.
    pub(super) disk: Option<DiskPlace>,
    /// What is logged and not on disk yet.
    uncommitted: Mutex<VecDeque<Uncommitted>>,
    first_batch: Once,
    /// Whether a snapshot was made from one before that was made with its files.
    builds_on_files: AtomicBool,
}

/// The changes of a batch that are to be written to disk.
struct Uncommitted {
    time: Time,
    changes: Option<Vec<u8>>,
    moves: Vec<IdleMoves>,
}

impl Kept {
    pub(super) fn new(
        dir: &Location,
        schema: StateSchema,
        logs_mapped: bool,
        disk: Option<DiskPlace>,
    ) -> Self {
        Self {
            dir: dir.clone(),
            logs_mapped,
            layout: AtomicU64::new(fresh_layout(&schema)),
            snapshot_bytes: AtomicU64::new(0),
            disk,
            uncommitted: Mutex::default(),
            first_batch: Once::new(),
            builds_on_files: AtomicBool::new(false),
            schema,
        }
    }

    /// Stands for how keys are spread over partitions and written: a number of the types and of the spreading. What has
    /// the same layout can be merged as bytes.
    pub(super) fn layout(&self) -> u64 {
        self.layout.load(Ordering::Relaxed)
    }

    /// Goes on with a layout in which every key is where this program has it, if the types are also the same.
    pub(super) fn keep_layout(&self, layout: u64) {
        if layout >> 32 == schema_number(&self.schema) {
            self.layout.store(layout, Ordering::Relaxed);
        }
    }

    /// The directory of the states before the first batch, which are like a snapshot.
    pub(super) fn initial(&self) -> Location {
        self.dir.join(INITIAL)
    }

    /// The directory of a snapshot.
    pub(super) fn snapshot(&self, snapshot: &Snapshot) -> Location {
        self.dir.join(&snapshot.dir)
    }

    /// Whether the database, if there is one, is a snapshot too. On an object store it is on this machine, made anew at
    /// each start.
    pub(super) fn is_database_kept(&self) -> bool {
        self.dir.is_local()
    }

    /// What may hold the states before the first snapshot.
    fn first_bases(&self) -> impl Iterator<Item = &'static str> {
        [INITIAL, disk::DATABASE].into_iter().filter(|name| *name == INITIAL || self.is_database_kept())
    }

    /// What there is of states before the first snapshot: those before the first batch, or a database that has not been
    /// recorded as a snapshot.
    pub(super) fn first_base(&self) -> Result<Option<Location>, StateError> {
        for name in self.first_bases() {
            let dir = self.dir.join(name);
            if exists(&dir)? {
                return Ok(Some(dir));
            }
        }
        Ok(None)
    }

    /// Removes that, apart from a directory that has become a snapshot.
    pub(super) fn remove_first_bases(&self, but: &str) -> Result<(), StateError> {
        for name in self.first_bases().filter(|name| *name != but) {
            let dir = self.dir.join(name);
            if exists(&dir)? {
                dir.remove_dir_all("snapshot").map_err(StateError::io("remove", dir.path()))?;
            }
        }
        Ok(())
    }

    /// Removes them once two snapshots in a row have files: of the last two checkpoint files, the older one may be from
    /// before the first of them.
    pub(super) fn remove_first_bases_after(&self, before: &Snapshot) -> Result<(), StateError> {
        let is_first = [INITIAL, disk::DATABASE].contains(&&*before.dir);
        if !is_first && self.builds_on_files.swap(true, Ordering::Relaxed) {
            self.remove_first_bases(&before.dir)?;
        }
        Ok(())
    }

    pub(super) fn header(&self, time: Time, partition: usize) -> Header {
        Header { layout: self.layout(), ..Header::new(time, partition, self.schema.clone()) }
    }
}

/// The name of the directory of the states before the first batch.
const INITIAL: &str = "initial";

fn exists(dir: &Location) -> Result<bool, StateError> {
    dir.exists().map_err(StateError::io("find", dir.path()))
}

/// A number that no layout has had before.
fn fresh_layout(schema: &StateSchema) -> u64 {
    schema_number(schema) << 32 | RandomState::new().build_hasher().finish() >> 32
}

fn schema_number(schema: &StateSchema) -> u64 {
    let text = format!("{:?} {:?} {}", schema.key, schema.state, schema.partitions);
    crc32fast::hash(text.as_bytes()).into()
}

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
    /// An empty store. `times_out` says whether keys are looked for that have been idle, `on_disk` that states are on
    /// disk once they are kept in checkpoints.
    pub(crate) fn new(partitions: usize, times_out: bool, on_disk: Option<DiskOptions>) -> Arc<Self> {
        let maps: Vec<_> = (0..partitions).map(|_| StateMap::new(times_out)).collect();
        Arc::new(Self {
            applied: maps.iter().map(|map| Arc::clone(map.applied())).collect(),
            partitions: maps.into_iter().map(|map| Arc::new(Mutex::new(map))).collect(),
            pins: Arc::default(),
            times_out,
            on_disk,
            kept: OnceLock::new(),
            restored: OnceLock::new(),
        })
    }

    pub(super) fn partition(&self, number: usize) -> &SharedMap<K, S> {
        &self.partitions[number]
    }

    pub(super) fn partitions(&self) -> &[SharedMap<K, S>] {
        &self.partitions
    }

    /// How far a partition is.
    #[cfg(test)]
    pub(super) fn applied(&self, partition: usize) -> &Applied {
        &self.applied[partition]
    }

    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// What there is for checkpoints, once states are kept.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.kept.get()
    }

    pub(super) fn logs_mapped(&self) -> bool {
        self.kept().is_some_and(|kept| kept.logs_mapped)
    }

    /// Keeps the states in checkpoints from now on.
    pub(super) fn keep(&self, kept: Kept) {
        self.applied.iter().for_each(|applied| applied.log());
        let _once = self.kept.set(kept);
    }

    /// The batch whose states were restored.
    pub(crate) fn restored(&self) -> Option<Time> {
        self.restored.get().copied()
    }

    pub(super) fn set_restored(&self, time: Time) {
        let _once = self.restored.set(time);
    }

    /// The database that states are to be in.
    pub(super) fn disk_place(&self) -> Option<DiskPlace> {
        self.on_disk.clone().map(|options| DiskPlace::new(options, self.times_out))
    }

    /// Where states are while the program runs.
    pub(super) fn name(&self) -> &'static str {
        if self.on_disk.is_some() { "disk" } else { "memory" }
    }

    /// What is done once, before the first batch changes anything.
    pub(super) fn begin(&self) {
        let Some(kept) = self.kept().filter(|_| self.restored().is_none()) else { return };
        kept.first_batch.call_once(|| {
            if let Err(error) = self.begin_empty(kept) {
                panic!("cannot begin with empty states: {error}");
            }
        });
    }

    fn begin_empty(&self, kept: &Kept) -> Result<(), StateError> {
        // Left by a program that has not completed its first batch.
        kept.remove_first_bases("")?;
        if let Some(place) = &kept.disk {
            self.set_disk(&place.create(kept)?);
        }
        Ok(())
    }

    /// Has the states in a database.
    pub(super) fn set_disk(&self, states: &Arc<DiskStates>) {
        for (partition, map) in self.partitions.iter().enumerate() {
            map.lock().set_backing(Backing::new(Arc::clone(states), partition));
        }
    }

    fn disk(&self) -> Option<&Arc<DiskStates>> {
        self.kept()?.disk.as_ref()?.states()
    }

    /// Puts the first states of a partition there, unless a batch has changed them already. Where states are kept they
    /// are written like a snapshot of the time before.
    pub(crate) fn load(&self, partition: usize, states: impl Iterator<Item = (K, S)>, time: Time) {
        self.begin();
        // The states may come from another store, so that no lock is held while they are read.
        if self.applied[partition].last().is_some() {
            return;
        }
        let loaded = match self.disk() {
            Some(disk) => self.load_on_disk(disk, partition, states, time),
            None => self.load_in_memory(partition, states.collect(), time),
        };
        if let Err(error) = loaded {
            panic!("the initial states cannot be kept: {error}");
        }
    }

    fn load_in_memory(&self, partition: usize, states: Vec<(K, S)>, time: Time) -> Result<(), StateError> {
        let mut map = self.partitions[partition].lock();
        if map.applied().last().is_some() {
            return Ok(());
        }
        map.load(states.into_iter(), time);
        self.kept().map_or(Ok(()), |kept| write_initial(kept, &map, partition, time))
    }

    /// Puts the first states of a partition into the database, a part at a time; also into files where the database is
    /// gone at the next start.
    fn load_on_disk(
        &self,
        disk: &DiskStates,
        partition: usize,
        states: impl Iterator<Item = (K, S)>,
        time: Time,
    ) -> Result<(), StateError> {
        let lasting = self.kept().filter(|kept| !kept.is_database_kept());
        let mut files = lasting.map(|kept| initial_writer(kept, partition, time)).transpose()?;
        let (mut key_bytes, mut state_bytes) = (Vec::new(), Vec::new());
        let mut filling = disk.filling();
        for (key, state) in states {
            encode_pair(&key, &state, &mut key_bytes, &mut state_bytes)?;
            filling.put(partition, &key_bytes, &state_bytes, time)?;
            if let Some(files) = &mut files {
                files.put(&key_bytes, &state_bytes, time)?;
            }
        }
        files.map(PartWriter::finish).transpose()?;
        let keys = filling.finish()?;
        disk.filled(partition, keys[partition])
    }

    /// Whether all partitions have applied the batch at `time`.
    pub(super) fn is_applied(&self, time: Time) -> bool {
        self.applied.iter().all(|applied| applied.last() >= Some(time))
    }

    /// What the batch at `time` changed, for the log.
    pub(super) fn take_log(&self, time: Time) -> Option<Vec<u8>> {
        let mut changes: Vec<PartitionChanges> =
            self.applied.iter().map(|applied| applied.take(time).unwrap_or_default()).collect();
        let kept = self.kept()?;
        let moves = changes.iter_mut().filter_map(|changes| changes.moves.take()).collect();
        let changes = encode_batch(kept.layout(), &changes);
        if kept.disk.is_some() {
            kept.uncommitted.lock().push_back(Uncommitted { time, changes: changes.clone(), moves });
        }
        changes
    }

    /// Whether changes of the batch at `time` or before are not on disk yet.
    pub(super) fn is_behind(&self, time: Time) -> bool {
        let is_before = |next: &Uncommitted| next.time <= time;
        self.kept().is_some_and(|kept| kept.uncommitted.lock().front().is_some_and(is_before))
    }

    /// The batches up to the one at `time` will not be undone: their changes may go to disk.
    pub(super) fn commit(&self, time: Time) -> Result<(), StateError> {
        let (Some(kept), Some(disk)) = (self.kept(), self.disk()) else { return Ok(()) };
        loop {
            let next = kept.uncommitted.lock().pop_front();
            let Some(next) = next else { break };
            if next.time > time {
                kept.uncommitted.lock().push_front(next);
                break;
            }
            // With nothing changed there is nothing to write, and the version stays behind.
            if let Some(changes) = &next.changes {
                disk.write(next.time, &BatchChanges::decode(changes)?, &next.moves)?;
            } else if !next.moves.is_empty() {
                disk.write(next.time, &BatchChanges::default(), &next.moves)?;
            }
        }
        // About what an entry of the table takes besides what its key and its state point to.
        let entry = (size_of::<(K, S, Time, Time, u64)>() + 64) * self.partitions.len();
        let keep = usize::try_from(disk.overlay_budget()).unwrap_or(usize::MAX) / entry;
        for map in &self.partitions {
            map.lock().written(time, keep);
        }
        Ok(())
    }

    /// The number of keys in all partitions.
    pub(super) fn keys(&self) -> u64 {
        match self.disk() {
            Some(disk) => disk.about().keys.iter().sum(),
            None => self.applied.iter().map(|applied| applied.keys() as u64).sum(),
        }
    }

    /// Keeps the states after the batch at `time` readable, from before the next batch is applied.
    pub(crate) fn pin(&self, time: Time) -> Pin {
        *self.pins.0.lock().entry(time).or_insert(0) += 1;
        Pin { time, pins: Arc::clone(&self.pins) }
    }

    /// A copy of the states of a partition after the batch at a pinned time.
    pub(crate) fn at(&self, partition: usize, pin: &Pin) -> Vec<(K, S)> {
        match self.partitions[partition].lock().at(pin.time) {
            Ok(states) => states,
            Err(error) => panic!("the states after the batch at {} cannot be read: {error}", pin.time),
        }
    }
}

fn write_initial<K: Key, S: Wire>(
    kept: &Kept,
    map: &StateMap<K, S>,
    partition: usize,
    time: Time,
) -> Result<(), StateError> {
    let mut writer = initial_writer(kept, partition, time)?;
    let (mut key_bytes, mut state_bytes) = (Vec::new(), Vec::new());
    for (key, state) in map.iter() {
        encode_pair(key, state, &mut key_bytes, &mut state_bytes)?;
        writer.put(&key_bytes, &state_bytes, time)?;
    }
    writer.finish()?;
    Ok(())
}

/// Writes the first states of a partition like those of a snapshot.
fn initial_writer(kept: &Kept, partition: usize, time: Time) -> Result<PartWriter, StateError> {
    let dir = kept.initial();
    snapshot::ensure(&dir)?;
    // Before the first batch, but with its time of use.
    PartWriter::create(&dir, &kept.header(time - crate::time::milliseconds(1), partition))
}

fn encode_pair<K: Key, S: Wire>(
    key: &K,
    state: &S,
    key_bytes: &mut Vec<u8>,
    state_bytes: &mut Vec<u8>,
) -> Result<(), StateError> {
    key_bytes.clear();
    state_bytes.clear();
    encode(key, key_bytes)?;
    encode(state, state_bytes)
}
