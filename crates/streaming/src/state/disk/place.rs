// SPDX-License-Identifier: Apache-2.0
//! Where the database of an operator is: opened as it was left, made anew from what else is stored, or empty.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use dstreams_rdd::{Key, Wire, key_hash};
use dstreams_wal::Location;
use tempfile::TempDir;

use super::{About, DiskOptions, DiskStates};
use crate::{
    state::{
        base::{is_database, visit, visit_database},
        codec::decode,
        error::StateError,
        merge::{Rewriter, Rewritten},
        store::Kept,
    },
    time::Time,
};

/// The database of an operator, once it is open.
pub(in crate::state) struct DiskPlace {
    /// Where the database is, and beside it the next one.
    dir: PathBuf,
    options: DiskOptions,
    times_out: bool,
    /// Dropped before the directory that they may be in.
    states: OnceLock<Arc<DiskStates>>,
    /// Where states are kept on an object store: the database is for this run only.
    only_now: Option<TempDir>,
}

/// What the database is called.
pub(in crate::state) const DATABASE: &str = "database";

/// How many keys of each partition are looked at to see whether all are where they belong.
const SAMPLE: usize = 200;

impl DiskPlace {
    pub(in crate::state) fn new(options: DiskOptions, times_out: bool) -> Self {
        Self { dir: PathBuf::new(), options, times_out, states: OnceLock::new(), only_now: None }
    }

    /// Has the database be in the directory of the operator, or if that is on an object store in one that ends with this
    /// run.
    pub(in crate::state) fn choose(&mut self, dir: &Location) -> Result<(), StateError> {
        if let Some(dir) = dir.local_path() {
            dir.clone_into(&mut self.dir);
            return Ok(());
        }
        let parent = self.options.local_dir.clone().unwrap_or_else(std::env::temp_dir);
        let made = fs::create_dir_all(&parent)
            .and_then(|()| tempfile::Builder::new().prefix("dstreams-states-").tempdir_in(&parent))
            .map_err(StateError::io("make a directory in", &parent))?;
        made.path().clone_into(&mut self.dir);
        self.only_now = Some(made);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    fn next(&self) -> PathBuf {
        self.dir.join("database-next")
    }

    pub(in crate::state) fn states(&self) -> Option<&Arc<DiskStates>> {
        self.states.get()
    }

    fn about(&self, kept: &Kept) -> About {
        About::new(kept.header(Time::ZERO, 0), self.times_out)
    }

    fn set(&self, states: DiskStates) -> Arc<DiskStates> {
        Arc::clone(self.states.get_or_init(|| Arc::new(states)))
    }

    /// An empty database in the place of one that a program has left which has not completed its first batch.
    pub(in crate::state) fn create(&self, kept: &Kept) -> Result<Arc<DiskStates>, StateError> {
        remove(&self.path())?;
        remove(&self.next())?;
        let states = DiskStates::open(&self.path(), &self.options, &self.about(kept))?;
        states.begin(self.about(kept))?;
        Ok(self.set(states))
    }

    /// The database with the states of a batch that is not after `version`. Where it is not as this program would
    /// write it, or there is none, it is made from `base`, which is of the batch at `since`.
    pub(in crate::state) fn restore<K: Key, S: Wire>(
        &self,
        rewriter: &Rewriter<'_, K>,
        base: Option<(&Location, Time)>,
        version: Time,
    ) -> Result<Arc<DiskStates>, StateError> {
        let kept = rewriter.kept;
        let (path, next) = (self.path(), self.next());
        if next.exists() {
            if path.exists() {
                remove(&next)?;
            } else {
                // A crash came between the two steps of `replace`.
                rename(&next, &path)?;
            }
        }
        let files = base.filter(|(dir, _)| !is_database(dir));
        if path.exists() {
            let states = DiskStates::open(&path, &self.options, &self.about(kept))?;
            let about = states.about();
            if about.version > Some(version) {
                return Err(StateError::Schema(format!(
                    "the states in {} are newer than the batches that are logged: restore both from the same copy, or remove the checkpoint directory to begin anew",
                    path.display()
                )));
            }
            let is_current = files.is_none_or(|(_, since)| about.version >= Some(since));
            if is_current && self.fits(rewriter, &states)? {
                kept.keep_layout(about.header.layout);
                return Ok(self.set(states));
            }
            if is_current {
                self.build::<K, S>(rewriter, &next, about.version, &mut |visit| {
                    visit_database(&states, visit)
                })?;
                drop(states);
                return self.replace(kept);
            }
        } else if files.is_none()
            && let Some((dir, _)) = base
        {
            return Err(StateError::Damaged {
                path: dir.path().to_owned(),
                offset: 0,
                problem: "the states that were here are gone; restore the directory from a copy".to_owned(),
            });
        }
        match files {
            Some((dir, since)) => {
                self.build::<K, S>(rewriter, &next, Some(since), &mut |each| visit(dir, each))?;
                self.replace(kept)
            }
            None => self.create(kept),
        }
    }

    /// Whether the database has the types of this program and each key where it looks for it.
    fn fits<K: Key>(&self, rewriter: &Rewriter<'_, K>, states: &DiskStates) -> Result<bool, StateError> {
        let About { header, times_out, .. } = states.about();
        let schema = &rewriter.kept.schema;
        let alike = (&header.schema.key, &header.schema.state, header.schema.partitions)
            == (&schema.key, &schema.state, schema.partitions);
        if !alike || (self.times_out && !times_out) {
            return Ok(false);
        }
        for partition in 0..schema.partitions {
            for entry in states.iter(partition).take(SAMPLE) {
                let key: K = decode(&entry?.0)?;
                if rewriter.partitioner.partition(&key, key_hash(&key)) != partition {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn build<K: Key, S: Wire>(
        &self,
        rewriter: &Rewriter<'_, K>,
        next: &Path,
        version: Option<Time>,
        entries: &mut Entries<'_>,
    ) -> Result<(), StateError> {
        remove(next)?;
        let about = self.about(rewriter.kept);
        let states = DiskStates::open(next, &self.options, &about)?;
        states.begin(about)?;
        let mut filling = states.filling();
        let mut new = Rewritten::default();
        entries(&mut |entry| {
            rewriter.rewrite::<S>(entry.key, Some(entry.state), &mut new)?;
            filling.put(new.partition, &new.key, &new.state, entry.used)
        })?;
        for (partition, keys) in filling.finish()?.into_iter().enumerate() {
            states.set_keys(partition, keys);
        }
        states.set_version(version)?;
        states.persist()
    }

    /// Puts the new database in the place of the one before.
    fn replace(&self, kept: &Kept) -> Result<Arc<DiskStates>, StateError> {
        let (path, next) = (self.path(), self.next());
        remove(&path)?;
        rename(&next, &path)?;
        let states = DiskStates::open(&path, &self.options, &self.about(kept))?;
        kept.keep_layout(states.about().header.layout);
        Ok(self.set(states))
    }
}

/// Calls a function for each entry.
type Entries<'a> = dyn FnMut(
        &mut dyn FnMut(crate::state::base::StoredEntry<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError>
    + 'a;

fn remove(dir: &Path) -> Result<(), StateError> {
    if dir.exists() { fs::remove_dir_all(dir).map_err(StateError::io("remove", dir)) } else { Ok(()) }
}

fn rename(from: &Path, to: &Path) -> Result<(), StateError> {
    super::pass("rename", to)?;
    fs::rename(from, to).map_err(StateError::io("rename", from))?;
    dstreams_wal::sync_dir(super::PLACE, to.parent().unwrap_or(Path::new("")))
        .map_err(StateError::io("sync", to))
}
