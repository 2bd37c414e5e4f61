// SPDX-License-Identifier: Apache-2.0
//! `DiskStates`: the states of an operator in a database on disk, as they are after the last batch that was committed.
//!
//! Three keyspaces: `states` has the partition and the key with the time of the last use and the state; `idle` has the
//! partition, a time and the key, for keys that time out; `meta` says of which batch and of what types all this is. A batch
//! is written with one atomic batch of the database, its time with it.

mod backing;
mod place;
mod sorter;
mod write;

use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, config::PartitioningPolicy};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub(super) use backing::Backing;
pub(super) use place::{DATABASE, DiskPlace};
pub(super) use write::IdleMoves;

use super::{
    codec::{CutShort, Input, put_signed},
    error::StateError,
    snapshot::Header,
};
use crate::time::Time;

/// The name of this place in fault points.
const PLACE: &str = "state_db";
const META: &[u8] = b"meta";

/// How much memory a database takes, roughly.
#[derive(Debug, Clone)]
pub(crate) struct DiskOptions {
    /// Bytes for cached blocks, states and what is not written yet.
    pub(crate) budget: u64,
    /// Where databases are that are kept for one run only; the temporary directory of the system if nothing is said.
    pub(crate) local_dir: Option<PathBuf>,
}

/// A database of states.
pub(super) struct DiskStates {
    path: PathBuf,
    database: Database,
    states: Keyspace,
    idle: Keyspace,
    meta: Keyspace,
    times_out: bool,
    budget: u64,
    about: Mutex<About>,
}

/// What a database says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// Of the first partition.
    pub(super) header: Header,
    /// The batch after which the states are these; nothing before the first.
    pub(super) version: Option<Time>,
    /// The keys of each partition.
    pub(super) keys: Vec<u64>,
    /// Whether `idle` is kept.
    pub(super) times_out: bool,
}

impl About {
    pub(super) fn new(header: Header, times_out: bool) -> Self {
        let keys = vec![0; header.schema.partitions];
        Self { header, version: None, keys, times_out }
    }
}

/// A state as it is stored.
pub(super) struct StoredState {
    pub(super) used: Time,
    value: fjall::UserValue,
    at: usize,
}

impl StoredState {
    fn decode(value: fjall::UserValue) -> Result<Self, CutShort> {
        let mut input = Input::new(&value);
        let used = Time::from_millis(input.signed()?);
        let at = input.position();
        Ok(Self { used, value, at })
    }

    pub(super) fn state(&self) -> &[u8] {
        &self.value[self.at..]
    }
}

impl DiskStates {
    /// Opens the database in a directory, or makes one that is about what `fresh` says.
    pub(super) fn open(path: &Path, options: &DiskOptions, fresh: &About) -> Result<Self, StateError> {
        let failed = |cause| StateError::Database { action: "open", path: path.to_owned(), cause };
        pass("open", path)?;
        // Half of the budget is for blocks, a quarter for states that are being changed, a quarter for tables in memory,
        // of which there may be four of each kind.
        let budget = options.budget.max(8 << 20);
        let database = Database::builder(path)
            .cache_size(budget / 2)
            // What is in the journals is read at the next start, into memory.
            .max_journaling_size((budget / 2).max(64 << 20))
            // With more than one, the first of them spins while another compacts.
            .worker_threads(1)
            .open()
            .map_err(failed)?;
        // Indexes and filters in small blocks: whole ones of large tables would not stay in the cache, and each read of a
        // key would read them again.
        let table = |part: u64| {
            let size = (budget / part).max(1 << 20);
            move || {
                KeyspaceCreateOptions::default()
                    .max_memtable_size(size)
                    .index_block_partitioning_policy(PartitioningPolicy::all(true))
                    .filter_block_partitioning_policy(PartitioningPolicy::all(true))
            }
        };
        let states = database.keyspace("states", table(16)).map_err(failed)?;
        let idle = database.keyspace("idle", table(32)).map_err(failed)?;
        let meta = database.keyspace("meta", table(128)).map_err(failed)?;
        let about = match meta.get(META).map_err(failed)? {
            Some(json) => serde_json::from_slice(&json).map_err(|error| StateError::Damaged {
                path: path.to_owned(),
                offset: 0,
                problem: format!("the database does not say what it must about itself: {error}"),
            })?,
            None => fresh.clone(),
        };
        let times_out = about.times_out;
        let path = path.to_owned();
        Ok(Self { path, database, states, idle, meta, times_out, budget, about: Mutex::new(about) })
    }

    pub(super) fn about(&self) -> About {
        self.about.lock().clone()
    }

    /// Bytes for states that are being changed.
    pub(super) fn overlay_budget(&self) -> u64 {
        self.budget / 4
    }

    /// Bytes on disk, roughly.
    pub(super) fn bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }

    /// Begins to be what `about` says. The database is a new one: what clears a keyspace would stay in the journal, and
    /// be done again at the next start, to what has been filled in since.
    pub(super) fn begin(&self, about: About) -> Result<(), StateError> {
        *self.about.lock() = about;
        self.write_about()
    }

    /// Makes everything so far durable.
    pub(super) fn persist(&self) -> Result<(), StateError> {
        pass("sync", &self.path)?;
        self.database.persist(PersistMode::SyncAll).map_err(self.failed("sync"))
    }

    pub(super) fn get(&self, partition: usize, key: &[u8]) -> Result<Option<StoredState>, StateError> {
        let value = self.states.get(state_key(partition, key)).map_err(self.failed("read"))?;
        value.map(|value| self.stored(value)).transpose()
    }

    /// All keys of a partition as bytes, with their states.
    pub(super) fn iter(
        &self,
        partition: usize,
    ) -> impl Iterator<Item = Result<(Vec<u8>, StoredState), StateError>> + '_ {
        self.states.prefix(prefix(partition)).map(|entry| {
            let (key, value) = entry.into_inner().map_err(self.failed("read"))?;
            Ok((key[PREFIX..].to_vec(), self.stored(value)?))
        })
    }

    /// The keys of a partition that are listed under times before `time`, as bytes.
    pub(super) fn listed(
        &self,
        partition: usize,
        before: Time,
    ) -> impl Iterator<Item = Result<Vec<u8>, StateError>> + '_ {
        let range = prefix(partition).to_vec()..idle_key(partition, before, &[]);
        self.idle.range(range).map(|entry| {
            let key = entry.key().map_err(self.failed("read"))?;
            Ok(key[PREFIX + 8..].to_vec())
        })
    }

    fn stored(&self, value: fjall::UserValue) -> Result<StoredState, StateError> {
        StoredState::decode(value).map_err(|_| StateError::Damaged {
            path: self.path.clone(),
            offset: 0,
            problem: "a state in the database is cut short".to_owned(),
        })
    }

    pub(super) fn set_keys(&self, partition: usize, keys: u64) {
        self.about.lock().keys[partition] = keys;
    }

    fn write_about(&self) -> Result<(), StateError> {
        self.meta.insert(META, self.about_json()).map_err(self.failed("write"))
    }

    fn about_json(&self) -> Vec<u8> {
        serde_json::to_vec(&*self.about.lock()).expect("numbers and names are always JSON")
    }

    fn failed(&self, action: &'static str) -> impl Fn(fjall::Error) -> StateError + '_ {
        move |cause| StateError::Database { action, path: self.path.clone(), cause }
    }
}

fn pass(step: &str, path: &Path) -> Result<(), StateError> {
    dstreams_wal::fault::pass(PLACE, step, path).map_err(StateError::io("use", path))
}

/// Bytes before the key.
const PREFIX: usize = 4;

fn prefix(partition: usize) -> [u8; PREFIX] {
    u32::try_from(partition).expect("there are fewer partitions than that").to_be_bytes()
}

/// The partition in a key of any keyspace.
fn partition_of(key: &[u8]) -> usize {
    key[..PREFIX].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn state_key(partition: usize, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX + key.len());
    bytes.extend_from_slice(&prefix(partition));
    bytes.extend_from_slice(key);
    bytes
}

fn idle_key(partition: usize, time: Time, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX + 8 + key.len());
    bytes.extend_from_slice(&prefix(partition));
    // So that times before zero come first.
    bytes.extend_from_slice(&(time.as_millis() ^ i64::MIN).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes
}

fn state_value(used: Time, state: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10 + state.len());
    put_signed(used.as_millis(), &mut bytes);
    bytes.extend_from_slice(state);
    bytes
}
