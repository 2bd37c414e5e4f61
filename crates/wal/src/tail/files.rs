// SPDX-License-Identifier: Apache-2.0
//! The end of a log on files that is open for writing: adds records to the segment there and rolls to a new one.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    error::{Error, Result, is_disk_full},
    frame::Handle,
    log_dir::LogDir,
    options::{Durability, Options},
    recovery::{self, Recovered, TornTail},
    segment::{SEGMENT_HEADER, Segment, SegmentHeader},
    storage::{Lock, Sink, Storage},
    tail::{Entry, Group},
    whole_file::UNFINISHED,
};

/// The writable end. Whoever has it holds the lock.
pub(crate) struct FileTail {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    options: Options,
    log: u64,
    /// The newest segment, open or not, and where it ends.
    last: Option<(SegmentHeader, u64)>,
    /// The same of the segment before it, if the newest was made here.
    before: Option<(SegmentHeader, u64)>,
    /// The newest segment, if it can take more. Its end is that of `last`.
    open: Option<Box<dyn Sink>>,
    /// A segment of which it is not certain whether it is there: its name, or that it was removed, is not durable.
    doubtful: Option<PathBuf>,
    _lock: Lock,
}

/// An attempt that failed: of how many records, needing how many bytes, and why.
struct Failed {
    records: usize,
    needed: u64,
    cause: Error,
}

impl FileTail {
    /// Takes the lock, making the directory if it must, and mends the end of the log.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        log_dir: &LogDir,
        options: Options,
    ) -> Result<(Self, Vec<TornTail>)> {
        let dir: &Path = &log_dir.path;
        storage.create_dir(dir).map_err(Error::io("create", dir))?;
        let path = dir.join("lock");
        let lock = storage.lock(&path).map_err(Error::io("lock", &path))?;
        let lock = lock.ok_or_else(|| Error::Locked { dir: dir.to_owned() })?;
        let Recovered { last, torn } = recovery::recover(&*storage, log_dir)?;
        let log = last.map_or_else(|| RandomState::new().hash_one(dir), |(header, _)| header.log);
        let tail = Self {
            storage,
            dir: dir.to_owned(),
            options,
            log,
            last,
            before: None,
            open: None,
            doubtful: None,
            _lock: lock,
        };
        Ok((tail, torn))
    }

    /// The segment that takes records, if there is one.
    pub(crate) fn current(&self) -> Option<Segment> {
        self.open.as_ref().and(self.last).map(|(header, _)| header.segment)
    }

    /// Adds the first of these records, and says how many they were and where they are. None of them is in the log if
    /// it fails.
    pub(crate) fn add(&mut self, entries: &[&Entry]) -> (usize, Result<Vec<Handle>>) {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Failed { records, needed, cause } = match self.attempt(entries) {
                Ok(handles) => return (handles.len(), Ok(handles)),
                Err(failed) => failed,
            };
            self.give_up_segment();
            let dir = self.dir.clone();
            if let Error::Io { cause, .. } = &cause
                && is_disk_full(cause)
            {
                return (records, Err(Error::DiskFull { dir, needed, cause: cause.clone() }));
            }
            if attempts >= self.options.max_failures {
                return (records, Err(Error::Append { dir, attempts, cause: Arc::new(cause) }));
            }
            tracing::warn!("attempt {attempts} to append to the log {} failed: {cause}", dir.display());
        }
    }

    /// Ends the log: what was flushed becomes durable.
    pub(crate) fn close(mut self) -> Result<()> {
        self.seal()
    }

    fn attempt(&mut self, entries: &[&Entry]) -> Result<Vec<Handle>, Failed> {
        let Some(first) = entries.first() else { return Ok(Vec::new()) };
        let needed = first.frame_length() + SEGMENT_HEADER as u64;
        let (mut file, header, start) =
            self.take_segment(first).map_err(|cause| Failed { records: 1, needed, cause })?;

        let room = self.options.max_segment_bytes.saturating_sub(start);
        let fits = |entry: &Entry| entry.time <= header.segment.stop;
        let Group { handles, bytes } = Group::of(entries, header, start, room, fits);
        let written = file.write_all(&bytes).and_then(|()| match self.options.durability {
            Durability::Fsync => file.sync(),
            Durability::Flush => Ok(()),
        });
        self.open = Some(file);
        if let Err(cause) = written {
            let cause = Error::io("write", self.dir.join(header.segment.to_string()))(cause);
            return Err(Failed { records: handles.len(), needed: bytes.len() as u64, cause });
        }
        self.last = Some((header, start + bytes.len() as u64));
        Ok(handles)
    }

    /// The segment for this record, the open one or a new one, with its header and its end.
    fn take_segment(&mut self, entry: &Entry) -> Result<(Box<dyn Sink>, SegmentHeader, u64)> {
        if let (Some(file), Some((header, end))) = (self.open.take(), self.last) {
            let is_empty = end == SEGMENT_HEADER as u64;
            let fits = is_empty || end + entry.frame_length() <= self.options.max_segment_bytes;
            // A record at exactly the stop still goes into the old segment.
            if entry.time <= header.segment.stop && fits {
                return Ok((file, header, end));
            }
            self.open = Some(file);
            if let Err(error) = self.seal() {
                // What was only flushed was never promised to outlive the machine, and the new segment does.
                tracing::warn!("a finished segment may be lost if the machine fails: {error}");
            }
        }
        let (file, header) = self.create_segment(entry.time)?;
        let end = SEGMENT_HEADER as u64;
        self.before = self.last.replace((header, end));
        Ok((file, header, end))
    }

    /// Makes a segment. It gets its name only when its header is durable, so that none is ever seen without one.
    fn create_segment(&mut self, time: i64) -> Result<(Box<dyn Sink>, SegmentHeader)> {
        self.settle_doubtful()?;
        let (number, previous_end, after) =
            self.last.map_or((1, 0, i64::MIN), |(last, end)| (last.number + 1, end, last.segment.start));
        let interval = i64::try_from(self.options.rolling_interval.as_millis()).unwrap_or(i64::MAX);
        let next = after
            .checked_add(1)
            .ok_or_else(|| io::Error::other("its last segment starts at the end of time"));
        let start = time.max(next.map_err(Error::io("append to", &self.dir))?);
        let segment = Segment { start, stop: start.saturating_add(interval) };
        let header = SegmentHeader { log: self.log, number, previous_end, segment };

        let path = self.dir.join(segment.to_string());
        let unfinished = self.dir.join(format!("{segment}{UNFINISHED}"));
        let mut file = self.storage.create(&unfinished).map_err(Error::io("create", &unfinished))?;
        let named = file.write_all(&header.encode()).and_then(|()| file.sync());
        named.map_err(Error::io("write", &unfinished))?;
        self.doubtful = Some(path.clone());
        self.storage.rename(&unfinished, &path).map_err(Error::io("rename", &unfinished))?;
        self.storage.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
        self.doubtful = None;
        Ok((file, header))
    }

    /// Removes for good the segment whose making failed at its very end, or that was given up, because another takes its
    /// number.
    fn settle_doubtful(&mut self) -> Result<()> {
        let Some(path) = &self.doubtful else { return Ok(()) };
        match self.storage.remove(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path)(cause));
            }
            _ => self.storage.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?,
        }
        self.doubtful = None;
        Ok(())
    }

    /// Leaves the open segment as it was before the write that failed; one that had no record is removed, as there
    /// would be many where a full disk is tried again and again. Where even that fails, the next segment says where this
    /// one ends.
    fn give_up_segment(&mut self) {
        let (Some(mut file), Some((header, end))) = (self.open.take(), self.last) else { return };
        let path = self.dir.join(header.segment.to_string());
        if end == SEGMENT_HEADER as u64 && self.storage.remove(&path).is_ok() {
            self.last = self.before;
            self.doubtful = Some(path);
        } else if let Err(cause) = file.truncate(end) {
            tracing::warn!("cannot take back a failed write to {} at {end}: {cause}", header.segment);
        }
    }

    fn seal(&mut self) -> Result<()> {
        let Some(mut file) = self.open.take() else { return Ok(()) };
        match self.options.durability {
            Durability::Fsync => Ok(()),
            Durability::Flush => file.sync().map_err(Error::io("sync", &self.dir)),
        }
    }
}
