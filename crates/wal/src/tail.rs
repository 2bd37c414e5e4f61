// SPDX-License-Identifier: Apache-2.0
//! The end of a log that is open for writing, and what is written there at once.

mod files;
mod objects;

use crate::{
    error::Result,
    frame::{FRAME_HEADER, FrameHeader, Handle, RECORD},
    log_dir::{Kind, LogDir},
    options::Options,
    recovery::TornTail,
    segment::{Segment, SegmentHeader},
};

use self::{files::FileTail, objects::ObjectTail};

/// A record that is to be added.
pub(crate) struct Entry {
    /// When it was appended, in ms.
    pub(crate) time: i64,
    pub(crate) bytes: Vec<u8>,
    /// The CRC-32 of the bytes.
    pub(crate) checksum: u32,
}

impl Entry {
    fn frame_length(&self) -> u64 {
        FRAME_HEADER as u64 + self.bytes.len() as u64
    }
}

/// The most bytes that are written at once, unless one record has more.
const MAX_GROUP: u64 = 64 << 20;

/// Records in their frames, as they are written at once.
struct Group {
    handles: Vec<Handle>,
    bytes: Vec<u8>,
}

impl Group {
    /// The first of these records, at least one, as long as they fit the segment, which has `room` from `start` on.
    fn of(
        entries: &[&Entry],
        header: SegmentHeader,
        start: u64,
        room: u64,
        fits: impl Fn(&Entry) -> bool,
    ) -> Self {
        let (mut handles, mut bytes) = (Vec::new(), Vec::new());
        for entry in entries {
            let written = bytes.len() as u64;
            let fits = fits(entry) && written + entry.frame_length() <= room.min(MAX_GROUP);
            if !fits && !handles.is_empty() {
                break;
            }
            let offset = start + written;
            // Only the first record of a group may be beyond MAX_GROUP, and none beyond MAX_RECORD: both fit 32 bits.
            let length = u32::try_from(entry.bytes.len()).expect("a record is shorter than MAX_RECORD");
            let into_group = u32::try_from(written).expect("a group is shorter than MAX_GROUP and a record");
            let frame = FrameHeader { length, checksum: entry.checksum, into_group, kind: RECORD };
            bytes.extend_from_slice(&frame.encode(header.salt(), offset));
            bytes.extend_from_slice(&entry.bytes);
            handles.push(Handle { segment: header.segment, offset, length });
        }
        Self { handles, bytes }
    }
}

/// The writable end of a log.
pub(crate) enum Tail {
    Files(FileTail),
    Objects(ObjectTail),
}

impl Tail {
    /// Makes sure that nobody else writes the log, and mends its end.
    pub(crate) fn open(dir: &LogDir, options: Options) -> Result<(Self, Vec<TornTail>)> {
        match &dir.kind {
            Kind::Files(files) => {
                FileTail::open(files.clone(), dir, options).map(|(tail, torn)| (Self::Files(tail), torn))
            }
            Kind::Objects(objects) => {
                ObjectTail::open(objects.clone(), dir, options).map(|tail| (Self::Objects(tail), Vec::new()))
            }
        }
    }

    /// The segment that must stay.
    pub(crate) fn current(&self) -> Option<Segment> {
        match self {
            Self::Files(files) => files.current(),
            Self::Objects(objects) => Some(objects.current()),
        }
    }

    pub(crate) fn epoch(&self) -> Option<i64> {
        match self {
            Self::Files(_) => None,
            Self::Objects(objects) => Some(objects.epoch()),
        }
    }

    pub(crate) fn check_owner(&mut self) -> Result<()> {
        match self {
            Self::Files(_) => Ok(()),
            Self::Objects(objects) => objects.check_owner(),
        }
    }

    /// Adds the first of these records, and says how many they were and where they are. None of them is in the log if
    /// it fails.
    pub(crate) fn add(&mut self, entries: &[&Entry]) -> (usize, Result<Vec<Handle>>) {
        match self {
            Self::Files(files) => files.add(entries),
            Self::Objects(objects) => objects.add(entries),
        }
    }

    /// Ends the log: what was flushed becomes durable.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Self::Files(files) => files.close(),
            Self::Objects(_) => Ok(()),
        }
    }
}
