// SPDX-License-Identifier: Apache-2.0
//! `TimedLog`: a write ahead log whose records belong to batches, and go when no later start can need their batch.

use std::{collections::BTreeMap, path::Path};

use dstreams_rdd::codec::{Compression, decode_chunk, encode_chunk};
use dstreams_wal::{Handle, Location, Options, Reader, Segment, Writer};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{CheckpointError, Error, Result},
    time::Time,
};

/// A log of this process alone.
pub(crate) struct TimedLog {
    writer: Writer,
    reader: Reader,
    /// The first segment with records of each batch.
    segments: Mutex<BTreeMap<Time, Segment>>,
}

impl TimedLog {
    /// Opens the log in `dir`; what a crash left unfinished at its end is cut off and logged.
    pub(crate) fn open(dir: &Location, options: Options) -> Result<Self> {
        let writer = Writer::open(dir, options)?;
        for torn in writer.torn() {
            tracing::info!(file = %torn.file.display(), offset = torn.offset, bytes = torn.bytes, "an unfinished write was cut off");
        }
        Ok(Self { writer, reader: Reader::new(dir), segments: Mutex::default() })
    }

    /// By what number this process is the owner of the logs, on an object store.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.writer.epoch()
    }

    /// Fails when another process has taken the log over.
    pub(crate) fn check_owner(&self) -> Result<()> {
        Ok(self.writer.check_owner()?)
    }

    /// Adds records of the batch at `time`, durably: all with one sync.
    pub(crate) fn append(&self, time: Time, records: &[Vec<u8>]) -> Result<Vec<Handle>> {
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let handles = self.writer.append_all(&records, time.as_millis())?;
        if let Some(first) = handles.first() {
            self.note(time, first.segment);
        }
        Ok(handles)
    }

    /// Says that a record of the batch at `time` is in this segment.
    pub(crate) fn note(&self, time: Time, segment: Segment) {
        let mut segments = self.segments.lock();
        let first = segments.entry(time).or_insert(segment);
        *first = segment.min(*first);
    }

    /// All records, oldest first.
    pub(crate) fn read_all(&self) -> Result<dstreams_wal::Records> {
        Ok(self.reader.read_all()?)
    }

    /// One record.
    pub(crate) fn read(&self, handle: &Handle) -> Result<Vec<u8>> {
        Ok(self.reader.read(handle)?)
    }

    /// Removes what holds only records of batches before `time`.
    pub(crate) fn clean(&self, time: Time) -> Result<usize> {
        let needed = {
            let mut segments = self.segments.lock();
            let kept = segments.split_off(&time);
            *segments = kept;
            segments.values().min().copied()
        };
        match needed {
            Some(oldest) => Ok(self.writer.clean_before(oldest)?),
            None => Ok(0),
        }
    }

    /// Nothing is written from now on.
    pub(crate) fn close(&self) -> Result<()> {
        Ok(self.writer.close()?)
    }
}

/// A record of a log as bytes.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode_chunk([record], Compression::None, &mut bytes).map_err(Error::user)?;
    Ok(bytes)
}

/// The record that these bytes are; `dir` is where they were read, for the error.
pub(crate) fn decode<R: DeserializeOwned>(bytes: &[u8], dir: &Path) -> Result<R> {
    let unreadable = |problem: String| CheckpointError::Unreadable { dir: dir.to_owned(), problem };
    let mut record = Vec::with_capacity(1);
    decode_chunk(bytes, &mut record)
        .map_err(|cause| unreadable(format!("a record is unreadable: {cause}")))?;
    Ok(record.pop().ok_or_else(|| unreadable("a record is empty".to_owned()))?)
}
