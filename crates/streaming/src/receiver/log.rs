// SPDX-License-Identifier: Apache-2.0
//! `BlockLog`: the write-ahead log of the blocks of one receiver stream. A record of it is a header and the records of a
//! block in frames.

use std::{io::Read, time::Duration};

use dstreams_rdd::{
    TaskError, Wire,
    chunk::{BoxChunks, Chunks},
    codec::{CodecError, Compression, FrameReader, FrameWriter},
};
use dstreams_wal::{Handle, Location, Options, Reader, RecordReader, Segment, Writer};
use serde::Serialize;

use super::{blocks::NotStored, plan::StoredBlock};
use crate::{
    config::{Config, keys},
    error::{Error, Result},
};

/// The log of one stream. It is read even when nothing is written to it any more, because an earlier run may have.
pub(super) struct BlockLog {
    dir: Location,
    reader: Reader,
    writer: Option<Writer>,
}

impl BlockLog {
    /// The log in a directory, which is made with the first block; written to if there are `options`.
    pub(super) fn open(dir: Location, options: Option<Options>) -> Result<Self> {
        let writer = options.map(|options| Writer::open(&dir, options)).transpose().map_err(Error::source)?;
        for torn in writer.iter().flat_map(Writer::torn) {
            tracing::info!(
                file = %torn.file.display(), offset = torn.offset, bytes = torn.bytes,
                "cut off a received block that was being logged when the process ended; it was not acknowledged"
            );
        }
        Ok(Self { reader: Reader::new(&dir), dir, writer })
    }

    /// Whether blocks are to be logged.
    pub(super) fn is_written(&self) -> bool {
        self.writer.is_some()
    }

    /// Appends a block with its encoded records; durable when it returns.
    pub(super) fn append(&self, block: &StoredBlock, encoded: &[u8]) -> Result<Handle, NotStored> {
        let header = frames([block]).map_err(NotStored::Encode)?;
        let writer = self.writer.as_ref().expect("asked before: the log is written");
        writer.append_parts(&[&header, encoded], block.stored_at.as_millis()).map_err(NotStored::Log)
    }

    /// All blocks that are in the log, without their records.
    pub(super) fn scan(&self) -> Result<Vec<StoredBlock>> {
        let mut blocks = Vec::new();
        for record in self.reader.read_all().map_err(Error::source)? {
            let record = record.map_err(Error::source)?;
            let header = read_header(&mut record.bytes.as_slice());
            let block = header.map_err(|cause| {
                let Handle { segment, offset, .. } = record.handle;
                Error::source(format!(
                    "there is no block at byte {offset} of {segment} in {}: {cause}",
                    self.dir
                ))
            })?;
            blocks.push(StoredBlock { logged: Some(record.handle), ..block });
        }
        Ok(blocks)
    }

    /// Starts to read the records of a block.
    pub(super) fn read<T: Wire>(&self, block: &StoredBlock) -> Result<BoxChunks<T>, TaskError> {
        let (id, Some(handle)) = (block.info.id, block.logged) else { return Err(block.is_gone()) };
        let mut record = self.reader.open(&handle).map_err(|cause| {
            TaskError::Other(format!("cannot read {id} from the log of its stream: {cause}").into())
        })?;
        let place = format!("{id} at byte {} of {}", handle.offset, record.path().display());
        let found = read_header(&mut record).map_err(|cause| damaged(&place, &cause))?;
        if (found.number, &found.info) != (block.number, &block.info) {
            return Err(TaskError::Other(format!("{place} is not there, but {}", found.info.id).into()));
        }
        let frames = FrameReader::new(record).map_err(|cause| damaged(&place, &cause))?;
        Ok(Box::new(LoggedChunks { frames, place }))
    }

    /// Removes what was logged before `first`, whatever the clock said then. Files that cannot be removed stay until
    /// the next time.
    pub(super) fn clean_before(&self, first: Segment) {
        match self.writer.as_ref().map(|writer| writer.clean_before(first)) {
            None | Some(Ok(_) | Err(dstreams_wal::Error::Closed { .. })) => {}
            Some(Err(error)) => tracing::warn!(%error, "old received blocks stay in their log for now"),
        }
    }

    /// Lets another process, or another context of this one, write the log.
    pub(super) fn close(&self) {
        if let Some(Err(error)) = self.writer.as_ref().map(Writer::close) {
            tracing::warn!(%error, "the log of a receiver could not be closed");
        }
    }
}

/// What a log is opened with, as the configuration says.
pub(crate) fn options(config: &Config) -> Options {
    let rolling = config.get(&keys::RECEIVER_LOG_ROLLING_INTERVAL);
    let mut options = Options {
        place: "received",
        rolling_interval: Duration::from_millis(rolling.as_millis().unsigned_abs()),
        max_failures: config.get(&keys::RECEIVER_LOG_MAX_FAILURES),
        ..Options::default()
    };
    if config.get(&keys::RECEIVER_LOG_CLOSE_AFTER_WRITE) {
        // A segment takes at least one record.
        options.max_segment_bytes = 0;
    }
    options
}

/// Records in frames: those of a block as they are logged.
pub(super) fn frames(records: impl IntoIterator<Item = impl Serialize>) -> Result<Vec<u8>, CodecError> {
    let mut writer = FrameWriter::new(Vec::new(), Compression::None)?;
    writer.append(records)?;
    Ok(writer.finish()?.0)
}

/// Reads the header of a logged block, after which its records start.
fn read_header(record: &mut impl Read) -> Result<StoredBlock, CodecError> {
    let mut frames = FrameReader::new(record)?;
    let mut header = Vec::with_capacity(1);
    while frames.read(&mut header)? > 0 {}
    header.pop().ok_or(CodecError::Torn { offset: 0 })
}

fn damaged(place: &str, cause: &CodecError) -> TaskError {
    TaskError::Other(format!("{place} is damaged: {cause}").into())
}

/// The records of a logged block, of which one frame at a time is in memory.
struct LoggedChunks {
    frames: FrameReader<RecordReader>,
    place: String,
}

impl<T: Wire> Chunks<T> for LoggedChunks {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        Ok(self.frames.read(out).map_err(|cause| damaged(&self.place, &cause))? > 0)
    }
}
