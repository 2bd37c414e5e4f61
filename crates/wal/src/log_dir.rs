// SPDX-License-Identifier: Apache-2.0
//! `LogDir`: the directory of a log, on files or objects, and how its segments are called there.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    error::{Error, Result},
    location::Location,
    segment::{ANY_EPOCH, SEGMENT_HEADER, Segment, object_name, object_number},
    storage::{Local, ObjectStorage, Source, Storage},
};

/// Where the segments of a log are.
#[derive(Debug, Clone)]
pub(crate) struct LogDir {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// Of the owner, if it is known already.
    pub(crate) epoch: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Files(Arc<dyn Storage>),
    Objects(Arc<dyn ObjectStorage>),
}

/// An object of a log.
pub(crate) struct Listed {
    pub(crate) segment: Segment,
    /// Whether it has no records: somebody has taken the log over with it.
    pub(crate) is_claim: bool,
}

impl LogDir {
    /// `place` names the fault points.
    pub(crate) fn new(location: Location, place: &'static str) -> Self {
        let epoch = location.epoch();
        let (objects, path) = location.into_parts();
        let kind = objects.map_or_else(|| Kind::Files(Arc::new(Local(place))), Kind::Objects);
        Self { kind, path, epoch }
    }

    #[cfg(test)]
    pub(crate) fn on(storage: Arc<dyn Storage>, path: PathBuf) -> Self {
        Self { kind: Kind::Files(storage), path, epoch: None }
    }

    pub(crate) fn is_objects(&self) -> bool {
        matches!(self.kind, Kind::Objects(_))
    }

    /// Where a segment is.
    pub(crate) fn path_of(&self, segment: Segment) -> PathBuf {
        match &self.kind {
            Kind::Files(_) => self.path.join(segment.to_string()),
            Kind::Objects(_) => self.path.join(object_name(segment.start)),
        }
    }

    /// Whether a file that goes by the name of `named` may be the segment `found`.
    pub(crate) fn is_named(&self, named: Segment, found: Segment) -> bool {
        match &self.kind {
            Kind::Files(_) => found == named,
            Kind::Objects(_) => {
                found.start == named.start && (named.stop == ANY_EPOCH || found.stop == named.stop)
            }
        }
    }

    /// The segments that are there, oldest first. Those on objects have no epoch yet.
    pub(crate) fn segments(&self) -> Result<Vec<Segment>> {
        let mut segments: Vec<Segment> = match &self.kind {
            Kind::Files(files) => {
                let names = files.list(&self.path).map_err(Error::io("list", &self.path))?;
                names.iter().filter_map(|name| Segment::parse(name)).collect()
            }
            Kind::Objects(objects) => {
                self.listed(&**objects)?.into_iter().map(|listed| listed.segment).collect()
            }
        };
        segments.sort_unstable();
        Ok(segments)
    }

    /// The segments that cleaning removes in their order: all but those of objects without records.
    pub(crate) fn with_records(&self) -> Result<Vec<Segment>> {
        match &self.kind {
            Kind::Files(_) => self.segments(),
            Kind::Objects(objects) => {
                let listed = self.listed(&**objects)?.into_iter();
                Ok(listed.filter(|listed| !listed.is_claim).map(|listed| listed.segment).collect())
            }
        }
    }

    /// The objects that are there, oldest first.
    pub(crate) fn listed(&self, objects: &dyn ObjectStorage) -> Result<Vec<Listed>> {
        let entries = objects.list(&self.path).map_err(Error::io("list", &self.path))?;
        let mut listed: Vec<Listed> = entries
            .iter()
            .filter_map(|entry| {
                let segment = Segment { start: object_number(&entry.name)?, stop: ANY_EPOCH };
                Some(Listed { segment, is_claim: entry.bytes? == SEGMENT_HEADER as u64 })
            })
            .collect();
        listed.sort_unstable_by_key(|listed| listed.segment);
        Ok(listed)
    }

    pub(crate) fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        match &self.kind {
            Kind::Files(files) => files.open(path),
            Kind::Objects(objects) => objects.open(path),
        }
    }

    /// Removes a segment for good.
    pub(crate) fn remove(&self, place: &'static str, path: &Path) -> io::Result<()> {
        match &self.kind {
            Kind::Files(files) => files.remove(path),
            Kind::Objects(objects) => {
                crate::fault::pass(place, "remove", path)?;
                objects.remove(path)
            }
        }
    }

    /// Makes durable which segments are there.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match &self.kind {
            Kind::Files(files) => files.sync_dir(&self.path),
            Kind::Objects(_) => Ok(()),
        }
    }
}
