// SPDX-License-Identifier: Apache-2.0
//! `Index`: what a sink knows of its directory. Read once, cleaned of what crashed attempts left, then kept up to date.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use dstreams_wal::{UNFINISHED, create_dir, fault};

use super::{
    manifest::{self, Manifest, Owner, WholeBatch, WholeBatchFile},
    name::{self, DataFile},
};
use crate::{
    output::{BatchIdentity, Committed, CommittedBatch, PartitionIdentity, SinkError},
    time::{Duration, Time},
};

/// How many manifests of old batches are removed after a batch.
const EXPIRED_AT_ONCE: usize = 100;

pub(super) struct Index {
    pub(super) directory: PathBuf,
    owner: Owner,
    /// In the order of their first batches.
    pub(super) manifests: Vec<Known>,
    /// The partitions of batches that are not complete.
    parts: BTreeMap<Time, Committed>,
    keep: Option<Duration>,
}

/// What is kept in memory of a manifest.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) level: u32,
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) batches: usize,
    pub(super) bytes: u64,
}

impl Known {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let (first, last) = (manifest.first(), manifest.last());
        Self { level: manifest.level, first, last, batches: manifest.batches.len(), bytes: manifest.bytes() }
    }
}

impl Index {
    /// Reads a directory, which is made if need be, and removes what crashed attempts left behind.
    pub(super) fn open(
        directory: &Path,
        keep: Option<Duration>,
        batch: &BatchIdentity,
    ) -> Result<Self, SinkError> {
        let manifests_dir = directory.join(name::MANIFESTS);
        create_dir("files", &manifests_dir)?;
        let owner_path = manifests_dir.join(name::OWNER);
        let owner = match manifest::read(&owner_path) {
            Ok(owner) => owner,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let owner =
                    Owner { application: batch.application.to_string(), output: batch.output.to_string() };
                manifest::write(&owner_path, &owner)?;
                owner
            }
            Err(error) => return Err(error.into()),
        };
        let directory = directory.to_owned();
        let mut index = Self { directory, owner, manifests: Vec::new(), parts: BTreeMap::new(), keep };
        // Before anything is removed: it may be the output of somebody else.
        index.check_owner(batch)?;
        let (current, superseded) = read_all(&manifests_dir)?;
        for manifest in &superseded {
            remove(&manifests_dir.join(manifest.name()))?;
        }
        for entry in fs::read_dir(&manifests_dir)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(UNFINISHED) {
                remove(&path)?;
            }
        }
        index.manifests = current.iter().map(Known::of).collect();
        index.clean(&current)?;
        Ok(index)
    }

    /// Removes data files that no manifest names and that are no part of a batch on its way.
    fn clean(&mut self, manifests: &[Manifest]) -> Result<(), SinkError> {
        let files = manifests.iter().flat_map(|manifest| &manifest.files);
        let named: HashSet<&str> = files.map(|file| file.name.as_str()).collect();
        let complete: HashSet<Time> =
            manifests.iter().flat_map(|manifest| &manifest.batches).map(|batch| batch.time).collect();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else { continue };
            if named.contains(file_name) {
                continue;
            }
            match DataFile::parse(file_name) {
                Some(DataFile::Part { batch, partition, partitions })
                    if !complete.contains(&batch) && !self.is_expired(batch) =>
                {
                    self.add(batch, partition, partitions);
                }
                Some(_) => remove(&entry.path())?,
                None if file_name.ends_with(UNFINISHED) => remove(&entry.path())?,
                None => {}
            }
        }
        Ok(())
    }

    /// A directory belongs to one output, as the names of files say nothing of it.
    pub(super) fn check_owner(&self, batch: &BatchIdentity) -> Result<(), SinkError> {
        let Owner { application, output } = &self.owner;
        if **application == *batch.application && **output == *batch.output {
            return Ok(());
        }
        Err(SinkError::refused(format!(
            "{} holds output {output} of application {application}; give output {} of {} a directory of its own",
            self.directory.display(),
            batch.output,
            batch.application
        )))
    }

    /// What there is of a batch.
    pub(super) fn committed(&self, time: Time) -> Result<Committed, SinkError> {
        if let Some(parts) = self.parts.get(&time) {
            return Ok(parts.clone());
        }
        for known in self.manifests.iter().filter(|known| known.first <= time && time <= known.last) {
            let manifest = self.read(known)?;
            if let Some(batch) = manifest.batches.iter().find(|batch| batch.time == time) {
                // A batch may have had no partitions at all.
                return Ok(Committed::all(batch.partitions.max(1)));
            }
        }
        // It was complete and has been removed.
        Ok(if self.is_expired(time) { Committed::all(1) } else { Committed::nothing() })
    }

    pub(super) fn add_part(&mut self, partition: &PartitionIdentity) {
        self.add(partition.batch.batch_time, partition.partition, partition.partitions);
    }

    fn add(&mut self, batch: Time, partition: usize, partitions: usize) {
        let parts = self.parts.entry(batch).or_default();
        parts.partitions = partitions;
        parts.done.insert(partition);
    }

    /// Makes a batch count whose partitions are all there. Does nothing if it counts.
    pub(super) fn commit(&mut self, batch: &CommittedBatch<'_>) -> Result<(), SinkError> {
        let (time, partitions) = (batch.identity.batch_time, batch.partitions);
        if !self.parts.contains_key(&time) && (partitions > 0 || self.committed(time)?.is_complete()) {
            return Ok(());
        }
        let (mut files, mut empty) = (Vec::new(), Vec::new());
        for partition in 0..partitions {
            let name = name::part_of(time, partition, partitions);
            match fs::metadata(self.directory.join(&name))?.len() {
                0 => empty.push(name),
                bytes => files.push(WholeBatchFile { name, bytes }),
            }
        }
        let batches = vec![WholeBatch { time, partitions, positions: batch.positions.positions() }];
        self.write(&Manifest { level: 0, batches, files })?;
        self.parts.remove(&time);
        empty.iter().try_for_each(|name| remove(&self.directory.join(name)))
    }

    /// Writes a manifest and remembers it.
    pub(super) fn write(&mut self, manifest: &Manifest) -> Result<(), SinkError> {
        manifest::write(&self.manifest_path(&manifest.name()), manifest)?;
        let known = Known::of(manifest);
        let place =
            self.manifests.partition_point(|other| (other.first, other.level) < (known.first, known.level));
        self.manifests.insert(place, known);
        Ok(())
    }

    pub(super) fn read(&self, known: &Known) -> Result<Manifest, SinkError> {
        Ok(manifest::read(&self.manifest_path(&name::manifest(known.level, known.first, known.last)))?)
    }

    /// Removes a manifest, then the files that only it has named.
    pub(super) fn remove(&mut self, manifest: &Manifest) -> Result<(), SinkError> {
        remove(&self.manifest_path(&manifest.name()))?;
        self.manifests.retain(|known| {
            (known.level, known.first, known.last) != (manifest.level, manifest.first(), manifest.last())
        });
        manifest.files.iter().try_for_each(|file| remove(&self.directory.join(&file.name)))
    }

    /// Removes some of the batches that are older than they have to be.
    pub(super) fn expire_some(&mut self, keep: Option<Duration>) -> Result<(), SinkError> {
        self.keep = keep;
        let old = self.manifests.iter().filter(|known| self.is_expired(known.last));
        let old: Vec<Known> = old.take(EXPIRED_AT_ONCE).cloned().collect();
        for known in old {
            let manifest = self.read(&known)?;
            self.remove(&manifest)?;
        }
        Ok(())
    }

    fn is_expired(&self, time: Time) -> bool {
        let newest = self.manifests.iter().map(|known| known.last).max();
        self.keep.zip(newest).is_some_and(|(keep, newest)| time < newest - keep)
    }

    fn manifest_path(&self, name: &str) -> PathBuf {
        self.directory.join(name::MANIFESTS).join(name)
    }
}

/// The manifests of a directory in the order of their first batches, and those that others have taken the place of.
pub(super) fn read_all(directory: &Path) -> io::Result<(Vec<Manifest>, Vec<Manifest>)> {
    let mut all: Vec<Manifest> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(UNFINISHED) {
            // Of a crashed attempt, or of one that is under way when a reader looks: it says nothing yet.
            continue;
        }
        if name != name::OWNER {
            all.push(manifest::read(&path)?);
        }
    }
    all.sort_by_key(|manifest| (std::cmp::Reverse(manifest.level), manifest.first()));
    let mut listed = BTreeSet::new();
    let (mut current, superseded): (Vec<_>, Vec<_>) = all.into_iter().partition(|manifest| {
        let new = manifest.batches.iter().filter(|batch| listed.insert(batch.time));
        new.count() > 0
    });
    current.sort_by_key(Manifest::first);
    Ok((current, superseded))
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), SinkError> {
    fault::pass("files", "remove", path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
