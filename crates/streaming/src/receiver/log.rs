// SPDX-License-Identifier: Apache-2.0
//! `BlockLog`: the write-ahead log of the blocks of one receiver stream. A record of it is a header and the records of a
//! block in frames.

use std::path::Path;

use dstreams_rdd::{
    TaskError, Wire,
    chunk::{BoxChunks, CHUNK, Chunks},
    codec::{CodecError, Compression, decode_chunk, encode_chunk},
};
use dstreams_wal::{Handle, Options, Reader, Segment, Writer};

use super::plan::StoredBlock;
use crate::{
    config::{Config, keys},
    error::{Error, Result},
};

/// The log of one stream. It is read even when nothing is written to it any more, because an earlier run may have.
pub(super) struct BlockLog {
    reader: Reader,
    writer: Option<Writer>,
}

impl BlockLog {
    /// The log in a directory, which is made with the first block; written to if there are `options`.
    pub(super) fn open(dir: &Path, options: Option<Options>) -> Result<Self> {
        let writer = options.map(|options| Writer::open(dir, options)).transpose().map_err(Error::source)?;
        for torn in writer.iter().flat_map(Writer::torn) {
            tracing::info!(
                file = %torn.file.display(), offset = torn.offset, bytes = torn.bytes,
                "cut off a received block that was being logged when the process ended; it was not acknowledged"
            );
        }
        Ok(Self { reader: Reader::new(dir), writer })
    }

    /// Whether blocks are to be logged.
    pub(super) fn is_written(&self) -> bool {
        self.writer.is_some()
    }

    /// Appends a block with its encoded records; durable when it returns.
    pub(super) fn append(&self, block: &StoredBlock, encoded: &[u8]) -> Result<Handle, dstreams_wal::Error> {
        let mut header = Vec::with_capacity(128);
        encode_chunk([block], Compression::None, &mut header)
            .expect("numbers and texts can be encoded, and metadata is no gigabyte");
        let writer = self.writer.as_ref().expect("asked before: the log is written");
        writer.append_parts(&[&header, encoded], block.stored_at.as_millis())
    }

    /// All blocks that are in the log, without their records.
    pub(super) fn scan(&self) -> Result<Vec<StoredBlock>> {
        let mut blocks = Vec::new();
        for record in self.reader.read_all().map_err(Error::source)? {
            let record = record.map_err(Error::source)?;
            let (block, _) = decode_header(&record.bytes)
                .map_err(|cause| Error::source(unreadable(&record.handle, &cause)))?;
            blocks.push(StoredBlock { logged: Some(record.handle), ..block });
        }
        Ok(blocks)
    }

    /// Starts to read the records of a block.
    pub(super) fn read<T: Wire>(&self, block: &StoredBlock) -> Result<BoxChunks<T>, TaskError> {
        let fail = |cause: String| {
            TaskError::Other(
                format!("cannot read {} from the log of its stream: {cause}", block.info.id).into(),
            )
        };
        let Some(handle) = block.logged else { return Err(fail("it was not logged".to_owned())) };
        let bytes = self.reader.read(&handle).map_err(|cause| fail(cause.to_string()))?;
        let (found, start) = decode_header(&bytes).map_err(|cause| fail(unreadable(&handle, &cause)))?;
        if (found.number, &found.info) != (block.number, &block.info) {
            return Err(fail(format!(
                "{} is at byte {} of {}",
                found.info.id, handle.offset, handle.segment
            )));
        }
        Ok(Box::new(LoggedChunks { bytes, position: start, handle }))
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
        rolling_interval: std::time::Duration::from_millis(rolling.as_millis().unsigned_abs()),
        max_failures: config.get(&keys::RECEIVER_LOG_MAX_FAILURES),
        ..Options::default()
    };
    if config.get(&keys::RECEIVER_LOG_CLOSE_AFTER_WRITE) {
        // A segment takes at least one record.
        options.max_segment_bytes = 0;
    }
    options
}

/// The records of a block as they are logged: a frame for each chunk, so that a task has one chunk of them in memory.
pub(super) fn encode<T: Wire>(records: &[T]) -> Result<Vec<u8>, CodecError> {
    let mut encoded = Vec::new();
    for chunk in records.chunks(CHUNK) {
        encode_chunk(chunk, Compression::None, &mut encoded)?;
    }
    Ok(encoded)
}

/// The header of a logged block, and where its records start.
fn decode_header(bytes: &[u8]) -> Result<(StoredBlock, usize), CodecError> {
    let mut header = Vec::with_capacity(1);
    let length = decode_chunk(bytes, &mut header)?;
    let block = header.pop().ok_or(CodecError::Torn { offset: 0 })?;
    Ok((block, length))
}

fn unreadable(handle: &Handle, cause: &CodecError) -> String {
    format!("the record at byte {} of {} is no block: {cause}", handle.offset, handle.segment)
}

/// Decodes the frames of a logged block.
struct LoggedChunks {
    bytes: Vec<u8>,
    position: usize,
    handle: Handle,
}

impl<T: Wire> Chunks<T> for LoggedChunks {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        if self.position == self.bytes.len() {
            return Ok(false);
        }
        let frame = &self.bytes[self.position..];
        self.position += decode_chunk(frame, out)
            .map_err(|cause| TaskError::Other(unreadable(&self.handle, &cause).into()))?;
        Ok(true)
    }
}
