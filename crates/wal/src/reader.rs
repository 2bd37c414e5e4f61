// SPDX-License-Identifier: Apache-2.0
//! Reads a log: one record by its handle, or all of them in order, with one record in memory at a time.

use std::{fmt, vec};

use crate::{
    cursor::{Cursor, Opened, RecordReader, Step},
    error::{Error, Result},
    frame::Handle,
    location::Location,
    log_dir::LogDir,
    recovery::{self, TornTail},
    segment::{Segment, SegmentHeader},
};

/// Reads the log in a directory, on this machine or on an object store. It takes no lock and writes nothing, not even the directory.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let reader = dstreams_wal::Reader::new(dir.path().join("unused"));
/// assert!(reader.read_all()?.next().is_none());
/// assert!(!dir.path().join("unused").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reader {
    dir: LogDir,
}

impl Reader {
    /// A reader of the log in the directory, which need not exist.
    pub fn new(dir: impl Into<Location>) -> Self {
        Self::on(LogDir::new(dir.into(), "log"))
    }

    pub(crate) fn on(dir: LogDir) -> Self {
        Self { dir }
    }

    /// The record that an append returned this handle for. Fails if it was cleaned or is damaged.
    pub fn read(&self, handle: &Handle) -> Result<Vec<u8>> {
        let mut record = Vec::new();
        match Cursor::open(&self.dir, handle.segment)? {
            Opened::Segment(mut cursor) => cursor.read(handle, &mut record)?,
            Opened::Short(_) => return Err(self.short(handle.segment)),
        }
        Ok(record)
    }

    /// The record of this handle, to be read in pieces: one that is large needs no memory for all of it.
    ///
    /// ```
    /// use std::io::Read as _;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let writer = dstreams_wal::Writer::open(dir.path(), dstreams_wal::Options::default())?;
    /// let handle = writer.append(b"header and content", 1_000)?;
    /// let mut record = dstreams_wal::Reader::new(dir.path()).open(&handle)?;
    /// let mut header = [0; 6];
    /// record.read_exact(&mut header)?;
    /// assert_eq!(&header, b"header");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self, handle: &Handle) -> Result<RecordReader> {
        match Cursor::open(&self.dir, handle.segment)? {
            Opened::Segment(cursor) => cursor.stream(handle),
            Opened::Short(_) => Err(self.short(handle.segment)),
        }
    }

    fn short(&self, segment: Segment) -> Error {
        Error::corrupt(&self.dir.path_of(segment), 0, "it ends within its header")
    }

    /// All records, in the order in which they were appended. What is appended from now on may or may not be among them.
    ///
    /// Fails if segments are missing between others or a header is damaged. Segments that are cleaned while the records
    /// are read are left out, unless the reading has come to them.
    pub fn read_all(&self) -> Result<Records> {
        let chain = recovery::chain(&self.dir)?;
        Ok(Records {
            reader: self.clone(),
            oldest: chain.links.first().map(|(segment, _)| *segment),
            links: chain.links.into_iter(),
            current: None,
            before: None,
            torn: chain.torn.into_iter().collect(),
        })
    }
}

/// A record of a log and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub handle: Handle,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// The records of a log in order. After an error there are no more.
#[must_use = "records are read as the iterator is advanced"]
pub struct Records {
    reader: Reader,
    oldest: Option<Segment>,
    links: vec::IntoIter<(Segment, Option<u64>)>,
    current: Option<Cursor>,
    /// The object that was read before, and its length.
    before: Option<(SegmentHeader, u64)>,
    torn: Vec<TornTail>,
}

impl Records {
    /// What unfinished writes left at the end of the log; complete once the last record was read.
    pub fn torn(&self) -> &[TornTail] {
        &self.torn
    }

    fn advance(&mut self) -> Result<Option<Record>> {
        loop {
            let Some(cursor) = &mut self.current else {
                let Some((segment, end)) = self.links.next() else { return Ok(None) };
                self.current = self.open(segment)?.map(|cursor| cursor.sealed_at(end));
                if self.reader.dir.is_objects() {
                    self.check_order()?;
                }
                continue;
            };
            let mut bytes = Vec::new();
            match cursor.next(&mut bytes)? {
                Step::Record(handle) => return Ok(Some(Record { handle, bytes })),
                Step::End => {}
                Step::Torn => self.torn.push(TornTail {
                    file: cursor.path().to_owned(),
                    offset: cursor.position(),
                    bytes: cursor.length() - cursor.position(),
                }),
            }
            self.current = None;
        }
    }

    /// Whether the object that is open is the one that was put after the one before it.
    fn check_order(&mut self) -> Result<()> {
        let Some(cursor) = &self.current else { return Ok(()) };
        let header = cursor.header();
        if let Some((before, length)) = self.before.replace((header, cursor.length())) {
            if header.previous_end != length {
                let file = self.reader.dir.path_of(before.segment);
                return Err(Error::corrupt(&file, length, "records at its end are lost"));
            }
            // Whoever takes a log over has a higher epoch than those before.
            if header.segment.stop < before.segment.stop {
                return Err(Error::Foreign { file: cursor.path().to_owned() });
            }
        }
        Ok(())
    }

    /// Opens a segment, unless it was cleaned or given up since the log was listed.
    fn open(&self, segment: Segment) -> Result<Option<Cursor>> {
        let dir = &self.reader.dir;
        match Cursor::open(dir, segment) {
            Ok(Opened::Segment(cursor)) => Ok(Some(cursor)),
            Ok(Opened::Short(_)) => Err(self.reader.short(segment)),
            // One at the end is removed when the first write to it has failed.
            Err(error) if error.is_not_found() && self.links.as_slice().is_empty() => Ok(None),
            Err(error) if error.is_not_found() => {
                // Cleaning goes from the oldest on, so an older one that is still there says that it was not cleaning.
                let still = dir.with_records()?;
                let is_between = |other: &Segment| *other < segment && Some(*other) >= self.oldest;
                let older = still.into_iter().rev().find(is_between);
                older.map_or(Ok(None), |older| {
                    let (after, before) = (dir.path_of(older), dir.path_of(segment));
                    Err(Error::Missing { after, before })
                })
            }
            Err(error) => Err(error),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.current = None;
            self.links = Vec::new().into_iter();
        }
        next
    }
}

impl std::iter::FusedIterator for Records {}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("dir", &self.reader.dir.path)
            .field("torn", &self.torn)
            .finish_non_exhaustive()
    }
}
