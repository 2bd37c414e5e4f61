// SPDX-License-Identifier: Apache-2.0
//! Reads the frames of one segment in order, and tells an unfinished write at its end from damage.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crc32fast::Hasher;

use crate::{
    error::{Error, Result},
    frame::{FRAME_HEADER, FrameHeader, Handle, RECORD},
    log_dir::LogDir,
    segment::{SEGMENT_HEADER, Segment, SegmentHeader},
    storage::Source,
};

/// A place in a segment, from which the next record is read.
pub(crate) struct Cursor {
    bytes: Bytes,
    header: SegmentHeader,
    salt: u32,
    position: u64,
    /// Where the segment ends, if the next one says so.
    sealed: Option<u64>,
}

/// What comes next in a segment.
pub(crate) enum Step {
    Record(Handle),
    /// All was read.
    End,
    /// What follows was being written when the writer ended.
    Torn,
}

/// What opening a segment found.
pub(crate) enum Opened {
    Segment(Cursor),
    /// The file has only this many bytes, less than a header.
    Short(u64),
}

/// What is at a place where a frame should start.
enum Found {
    Whole(FrameHeader),
    /// It goes on beyond the end.
    Cut,
    Damaged(&'static str),
}

impl Cursor {
    /// Opens a segment and reads its header.
    pub(crate) fn open(dir: &LogDir, segment: Segment) -> Result<Opened> {
        let path = dir.path_of(segment);
        let source = dir.open(&path).map_err(Error::io("open", &path))?;
        let length = source.length().map_err(Error::io("read", &path))?;
        let mut bytes = Bytes { source, path, length, window: Vec::new(), window_start: 0 };
        if length < SEGMENT_HEADER as u64 {
            // An object is put whole: what it lacks was there once.
            let short = || Error::corrupt(&bytes.path, 0, "it ends within its header");
            return if dir.is_objects() { Err(short()) } else { Ok(Opened::Short(length)) };
        }
        let mut header = [0; SEGMENT_HEADER];
        bytes.read(0, &mut header)?;
        let header = SegmentHeader::decode(&header, |found| dir.is_named(segment, found), &bytes.path)?;
        let position = SEGMENT_HEADER as u64;
        let sealed = dir.is_objects().then_some(length);
        Ok(Opened::Segment(Self { bytes, header, salt: header.salt(), position, sealed }))
    }

    /// Reads only to where the next segment says that this one ends, and insists on all of that.
    pub(crate) fn sealed_at(self, end: Option<u64>) -> Self {
        Self { sealed: end.or(self.sealed), ..self }
    }

    pub(crate) fn header(&self) -> SegmentHeader {
        self.header
    }

    pub(crate) fn path(&self) -> &Path {
        &self.bytes.path
    }

    /// Where the next frame starts.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.bytes.length
    }

    /// Reads the next record into `record`, in place of what it holds.
    pub(crate) fn next(&mut self, record: &mut Vec<u8>) -> Result<Step> {
        let offset = self.position;
        if offset == self.limit() {
            let lost = self.sealed.is_some_and(|end| offset != end);
            return if lost {
                Err(self.corrupt(offset, "records at its end are lost"))
            } else {
                Ok(Step::End)
            };
        }
        match self.frame_at(offset, record)? {
            Found::Whole(frame) => {
                self.position += frame.frame_length();
                Ok(Step::Record(Handle { segment: self.header.segment, offset, length: frame.length }))
            }
            Found::Cut if self.sealed.is_none() => Ok(Step::Torn),
            Found::Cut => Err(self.corrupt(offset, "a record goes on beyond the end")),
            Found::Damaged(_) if self.sealed.is_none() && !self.was_durable(offset)? => Ok(Step::Torn),
            Found::Damaged(what) => Err(self.corrupt(offset, what)),
        }
    }

    /// Reads the record of a handle into `record`.
    pub(crate) fn read(&mut self, handle: &Handle, record: &mut Vec<u8>) -> Result<()> {
        let offset = handle.offset;
        if offset > self.bytes.length {
            return Err(self.corrupt(offset, "the segment ends before this record"));
        }
        match self.frame_at(offset, record)? {
            Found::Whole(frame) if frame.length == handle.length => Ok(()),
            Found::Whole(_) => {
                Err(self.corrupt(offset, "the record has not the length that its handle says"))
            }
            Found::Cut => Err(self.corrupt(offset, "the segment ends within this record")),
            Found::Damaged(what) => Err(self.corrupt(offset, what)),
        }
    }

    /// Starts to read the record of a handle in pieces.
    pub(crate) fn stream(mut self, handle: &Handle) -> Result<RecordReader> {
        let (offset, left) = (handle.offset, self.bytes.length.saturating_sub(handle.offset));
        if left < FRAME_HEADER as u64 {
            return Err(self.corrupt(offset, "the segment ends before this record"));
        }
        match self.header_at(offset)? {
            None => Err(self.corrupt(offset, "there is no frame of this segment")),
            Some(frame) if frame.kind != RECORD => {
                Err(Error::Version { file: self.bytes.path, found: frame.kind.into() })
            }
            Some(frame) if frame.length != handle.length => {
                Err(self.corrupt(offset, "the record has not the length that its handle says"))
            }
            Some(frame) if frame.frame_length() > left => {
                Err(self.corrupt(offset, "the segment ends within this record"))
            }
            Some(frame) => Ok(RecordReader {
                bytes: self.bytes,
                start: offset,
                position: offset + FRAME_HEADER as u64,
                left: frame.length as usize,
                hasher: Hasher::new(),
                checksum: frame.checksum,
            }),
        }
    }

    fn frame_at(&mut self, offset: u64, record: &mut Vec<u8>) -> Result<Found> {
        let left = self.limit().saturating_sub(offset);
        if left < FRAME_HEADER as u64 {
            return Ok(Found::Cut);
        }
        let Some(frame) = self.header_at(offset)? else {
            return Ok(Found::Damaged("there is no frame of this segment"));
        };
        if frame.kind != RECORD {
            return Err(Error::Version { file: self.bytes.path.clone(), found: frame.kind.into() });
        }
        if frame.frame_length() > left {
            return Ok(Found::Cut);
        }
        record.clear();
        record.resize(frame.length as usize, 0);
        self.bytes.read(offset + FRAME_HEADER as u64, record)?;
        let whole = crc32fast::hash(record) == frame.checksum;
        Ok(if whole { Found::Whole(frame) } else { Found::Damaged("the checksum of the record is wrong") })
    }

    fn header_at(&mut self, offset: u64) -> Result<Option<FrameHeader>> {
        let mut header = [0; FRAME_HEADER];
        self.bytes.read(offset, &mut header)?;
        Ok(FrameHeader::decode(&header, self.salt, offset))
    }

    /// Whether what is at `offset` was once durable: a frame of a later group follows, which is written only then.
    fn was_durable(&mut self, offset: u64) -> Result<bool> {
        let limit = self.limit();
        for at in offset + 1..=limit.saturating_sub(FRAME_HEADER as u64) {
            let Some(frame) = self.header_at(at)? else { continue };
            let later = at.saturating_sub(frame.into_group.into()) > offset;
            if later && at + frame.frame_length() <= limit {
                let record = at + FRAME_HEADER as u64;
                if self.bytes.checksum(record, frame.length.into())? == frame.checksum {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn limit(&self) -> u64 {
        self.sealed.map_or(self.bytes.length, |end| end.min(self.bytes.length))
    }

    fn corrupt(&self, offset: u64, what: &'static str) -> Error {
        Error::corrupt(&self.bytes.path, offset, what)
    }
}

/// One record, read in pieces. The checksum is verified with the last of them: what was read before that may be damaged.
pub struct RecordReader {
    bytes: Bytes,
    /// Where the frame starts.
    start: u64,
    position: u64,
    left: usize,
    hasher: Hasher,
    checksum: u32,
}

impl RecordReader {
    /// The segment that is read.
    pub fn path(&self) -> &Path {
        &self.bytes.path
    }
}

impl io::Read for RecordReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = buffer.len().min(self.left);
        if read == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..read];
        self.bytes.read(self.position, buffer).map_err(io::Error::other)?;
        self.hasher.update(buffer);
        self.position += read as u64;
        self.left -= read;
        if self.left == 0 && self.hasher.clone().finalize() != self.checksum {
            let what = "the checksum of the record is wrong";
            let error = Error::corrupt(&self.bytes.path, self.start, what);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(read)
    }
}

impl fmt::Debug for RecordReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordReader")
            .field("path", &self.bytes.path)
            .field("start", &self.start)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Bytes that are read at a time.
const WINDOW: usize = 64 << 10;

/// The content of a file, of which a part is kept in memory.
struct Bytes {
    source: Box<dyn Source>,
    path: PathBuf,
    length: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl Bytes {
    /// Fills the buffer from `offset`. The caller has seen that the file is long enough.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if buffer.len() > WINDOW {
            return self.fill(offset, buffer);
        }
        let kept = self.window_start..self.window_start + self.window.len() as u64;
        if !(kept.contains(&offset) && offset + buffer.len() as u64 <= kept.end) {
            let left = self.length.saturating_sub(offset);
            let size = usize::try_from(left).map_or(WINDOW, |left| left.min(WINDOW)).max(buffer.len());
            let mut window = std::mem::take(&mut self.window);
            window.resize(size, 0);
            self.fill(offset, &mut window)?;
            (self.window, self.window_start) = (window, offset);
        }
        // Within the window, whose length is a usize.
        let start = usize::try_from(offset - self.window_start).expect("a place within the window");
        buffer.copy_from_slice(&self.window[start..start + buffer.len()]);
        Ok(())
    }

    fn fill(&mut self, mut offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            match self.source.read_at(offset, buffer).map_err(Error::io("read", &self.path))? {
                0 => {
                    return Err(Error::corrupt(
                        &self.path,
                        offset,
                        "the file became shorter while it was read",
                    ));
                }
                read => {
                    offset += read as u64;
                    buffer = &mut buffer[read..];
                }
            }
        }
        Ok(())
    }

    /// The CRC-32 of these bytes, without holding them all.
    fn checksum(&mut self, mut offset: u64, mut length: u64) -> Result<u32> {
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; WINDOW];
        while length > 0 {
            let size = usize::try_from(length).map_or(WINDOW, |left| left.min(WINDOW));
            self.fill(offset, &mut buffer[..size])?;
            hasher.update(&buffer[..size]);
            offset += size as u64;
            length -= size as u64;
        }
        Ok(hasher.finalize())
    }
}
