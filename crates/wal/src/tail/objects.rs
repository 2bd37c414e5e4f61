// SPDX-License-Identifier: Apache-2.0
//! The end of a log on an object store that is open for writing: each group is an object under the next number.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cursor::{Cursor, Opened},
    error::{Error, Result},
    fault,
    frame::Handle,
    log_dir::LogDir,
    options::Options,
    segment::{ANY_EPOCH, SEGMENT_HEADER, Segment, SegmentHeader},
    storage::{ObjectStorage, Put},
    tail::{Entry, Group},
};

/// The writable end. Others can take it over at any time, which the next put finds out: the name is not free any more.
pub(crate) struct ObjectTail {
    objects: Arc<dyn ObjectStorage>,
    dir: LogDir,
    options: Options,
    /// Tells the objects of this writer from those of all others.
    writer: u64,
    epoch: i64,
    /// The newest object.
    last: Newest,
    is_taken_over: bool,
}

/// An object that others come after.
#[derive(Clone, Copy)]
struct Newest {
    number: i64,
    /// How long it is.
    end: u64,
    epoch: i64,
    writer: u64,
}

/// Before the first object.
const NONE: Newest = Newest { number: 0, end: 0, epoch: 0, writer: 0 };

impl ObjectTail {
    /// Takes the log over: puts an object without records under the next free number.
    pub(super) fn open(objects: Arc<dyn ObjectStorage>, dir: &LogDir, options: Options) -> Result<Self> {
        let newest = dir.segments()?.last().map(|segment| segment.start);
        let mut tail = Self {
            objects,
            dir: dir.clone(),
            options,
            writer: RandomState::new().hash_one(&dir.path),
            epoch: 0,
            last: newest.map_or(Ok(NONE), |number| newest_at(dir, number))?,
            is_taken_over: false,
        };
        loop {
            tail.epoch = dir.epoch.unwrap_or(tail.last.epoch + 1);
            if tail.last.epoch > tail.epoch {
                return Err(tail.taken_over());
            }
            let header = tail.next_header();
            let path = dir.path_of(header.segment);
            match tail.put(&path, &header.encode()) {
                Ok(()) => {
                    tail.check_conditions(&path, header)?;
                    tail.put_last(header, SEGMENT_HEADER as u64);
                    // The name may have been free because what was there has been cleaned meanwhile.
                    match dir.segments()?.last() {
                        Some(newest) if newest.start > tail.last.number => {
                            tail.last = newest_at(dir, newest.start)?;
                        }
                        _ => return Ok(tail),
                    }
                }
                // Another one was appended meanwhile.
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    tail.last = newest_at(dir, header.segment.start)?;
                }
                Err(cause) => return Err(Error::io("put", path)(cause)),
            }
        }
    }

    /// Makes sure that the store refuses what it must refuse, before a log depends on it. Once for logs that belong
    /// together.
    fn check_conditions(&self, path: &Path, header: SegmentHeader) -> Result<()> {
        if self.dir.epoch.is_some() {
            return Ok(());
        }
        let other = SegmentHeader { log: !header.log, ..header };
        match self.objects.put(path, &other.encode(), Put::New) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(cause) => Err(Error::io("put", path)(cause)),
            Ok(()) => {
                let problem = "the store puts an object on condition that there is none, although there is one; logs are not safe there";
                let cause = io::Error::new(io::ErrorKind::Unsupported, problem);
                Err(Error::io("keep a log in", &self.dir.path)(cause))
            }
        }
    }

    pub(super) fn current(&self) -> Segment {
        Segment { start: self.last.number, stop: self.last.epoch }
    }

    pub(super) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Looks whether there is an object of somebody else after the last one of this writer.
    pub(super) fn check_owner(&mut self) -> Result<()> {
        if self.is_taken_over {
            return Err(self.taken_over());
        }
        match newest_at(&self.dir, self.last.number + 1) {
            Ok(next) => self.step_over(next),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn add(&mut self, entries: &[&Entry]) -> (usize, Result<Vec<Handle>>) {
        let mut attempts = 0;
        loop {
            if self.is_taken_over {
                return (entries.len(), Err(self.taken_over()));
            }
            let header = self.next_header();
            // An object holds what is waiting, whatever the times.
            let group = Group::of(
                entries,
                header,
                SEGMENT_HEADER as u64,
                self.options.max_segment_bytes.saturating_sub(SEGMENT_HEADER as u64),
                |_| true,
            );
            let bytes = [&header.encode()[..], &group.bytes].concat();
            let path = self.dir.path_of(header.segment);
            let failed = match self.put(&path, &bytes) {
                Ok(()) => {
                    self.put_last(header, bytes.len() as u64);
                    return (group.handles.len(), Ok(group.handles));
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    match newest_at(&self.dir, header.segment.start).and_then(|next| self.step_over(next)) {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(cause) => Error::io("put", path)(cause),
            };
            attempts += 1;
            let records = group.handles.len();
            if self.is_taken_over {
                return (records, Err(failed));
            }
            if attempts >= self.options.max_failures {
                let dir = self.dir.path.clone();
                return (records, Err(Error::Append { dir, attempts, cause: Arc::new(failed) }));
            }
            let dir = self.dir.path.display();
            tracing::warn!("attempt {attempts} to append to the log {dir} failed: {failed}");
        }
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fault::pass(self.options.place, "put", path)?;
        self.objects.put(path, bytes, Put::New)
    }

    /// Goes on after an object that was found where the next one belongs: one of this writer, of whose put it was said
    /// that it had failed, has come after all.
    fn step_over(&mut self, next: Newest) -> Result<()> {
        if next.writer != self.writer {
            self.is_taken_over = true;
            return Err(self.taken_over());
        }
        self.last = next;
        Ok(())
    }

    fn put_last(&mut self, header: SegmentHeader, end: u64) {
        let Segment { start: number, stop: epoch } = header.segment;
        self.last = Newest { number, end, epoch, writer: self.writer };
    }

    fn next_header(&self) -> SegmentHeader {
        let number = self.last.number + 1;
        SegmentHeader {
            log: self.writer,
            number: number.unsigned_abs(),
            previous_end: self.last.end,
            segment: Segment { start: number, stop: self.epoch },
        }
    }

    fn taken_over(&self) -> Error {
        Error::TakenOver { dir: PathBuf::clone(&self.dir.path) }
    }
}

fn newest_at(dir: &LogDir, number: i64) -> Result<Newest> {
    match Cursor::open(dir, Segment { start: number, stop: ANY_EPOCH })? {
        Opened::Segment(cursor) => {
            let header = cursor.header();
            Ok(Newest { number, end: cursor.length(), epoch: header.segment.stop, writer: header.log })
        }
        Opened::Short(_) => unreachable!("an object that is short is damaged"),
    }
}
