// SPDX-License-Identifier: Apache-2.0
//! The records of a kept block in memory, serialized or not, or in a file, and how a task reads them.

use std::sync::Arc;

use super::{
    disk::{DiskStore, SpillFile, SpillReader, SpillWriter},
    kept::KeptBlock,
    policy::Codec,
};
use crate::{
    chunk::{Borrowed, BoxChunks, CHUNK, Chunks, Resting},
    codec::{CodecError, Compression, FrameReader, FrameWriter},
    error::{BoxError, TaskError},
    record::Data,
    scheduler::task::TaskContext,
};

/// A frame for each chunk.
pub(super) type Frames = Vec<Box<[u8]>>;

/// Where the records of a block are. Clones share them.
pub(super) enum Content<T> {
    /// As records, chunk by chunk.
    Records(Resting<T>),
    /// Serialized.
    Frames(Arc<Frames>, Codec<T>),
    /// Serialized in a file.
    File(SpillFile, Codec<T>),
}

impl<T> Clone for Content<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Records(chunks) => Self::Records(Arc::clone(chunks)),
            Self::Frames(frames, codec) => Self::Frames(Arc::clone(frames), *codec),
            Self::File(file, codec) => Self::File(file.clone(), *codec),
        }
    }
}

impl<T: Data> Content<T> {
    /// Whether somebody else holds the memory, which would not become free with this value.
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Records(chunks) => Arc::strong_count(chunks) > 1,
            Self::Frames(frames, _) => Arc::strong_count(frames) > 1,
            Self::File(..) => false,
        }
    }

    /// Copies what is in memory to a file.
    pub(super) fn write(
        &self,
        disk: &DiskStore,
        compression: Compression,
        codec: Codec<T>,
    ) -> Result<SpillFile, TaskError> {
        let mut writer = BlockFile::create(disk, compression)?;
        match self {
            Self::Records(chunks) => chunks.iter().try_for_each(|chunk| writer.append(chunk, codec))?,
            Self::Frames(frames, _) => frames.iter().try_for_each(|frame| writer.append_frame(frame))?,
            Self::File(file, _) => return Ok(file.clone()),
        }
        writer.finish()
    }

    /// Starts to read the block, of which this is the content. The beginning of a file is read at once: what is damaged
    /// there can still be computed again without anybody having seen a record.
    pub(super) fn open(self, block: &KeptBlock<T>, task: &TaskContext) -> Result<BoxChunks<T>, BoxError> {
        let (block, task) = (block.clone(), task.clone());
        Ok(match self {
            Self::Records(chunks) => {
                Box::new(RecordChunks { chunks, chunk: 0, start: 0, task, _reserved: block })
            }
            Self::Frames(frames, codec) => Box::new(FrameChunks { frames, next: 0, codec, task, block }),
            Self::File(file, codec) => {
                let mut reader = FrameReader::new(file.reader()?)?;
                let mut first = Vec::new();
                (codec.read)(&mut reader, &mut first)?;
                Box::new(FileChunks { reader, first, codec, task, block })
            }
        })
    }
}

/// A file of a block that is being written.
pub(super) struct BlockFile {
    file: SpillFile,
    writer: FrameWriter<SpillWriter>,
}

impl BlockFile {
    pub(super) fn create(disk: &DiskStore, compression: Compression) -> Result<Self, TaskError> {
        let file = disk.create("block").map_err(|error| TaskError::Other(error.into()))?;
        let writer = FrameWriter::new(file.writer(), compression)
            .map_err(|cause| TaskError::frames("write", file.path(), cause))?;
        Ok(Self { file, writer })
    }

    pub(super) fn append<T>(&mut self, records: &[T], codec: Codec<T>) -> Result<(), TaskError> {
        // Frame by frame, as a reader has one of them in memory.
        for chunk in records.chunks(CHUNK) {
            (codec.write)(&mut self.writer, chunk).map_err(|cause| self.error(cause))?;
        }
        Ok(())
    }

    pub(super) fn append_frame(&mut self, frame: &[u8]) -> Result<(), TaskError> {
        self.writer.append_frame(frame).map(drop).map_err(|cause| self.error(cause))
    }

    pub(super) fn finish(self) -> Result<SpillFile, TaskError> {
        match self.writer.finish() {
            Ok(_) => Ok(self.file),
            Err(cause) => Err(TaskError::frames("write", self.file.path(), cause)),
        }
    }

    fn error(&self, cause: CodecError) -> TaskError {
        TaskError::frames("write", self.file.path(), cause)
    }
}

/// Reads records at rest, without cloning them for those who need no ownership.
struct RecordChunks<T> {
    chunks: Resting<T>,
    /// The chunk that is being read, and where in it the next records start.
    chunk: usize,
    start: usize,
    task: TaskContext,
    /// The block keeps the memory reserved.
    _reserved: KeptBlock<T>,
}

impl<T: Data> RecordChunks<T> {
    /// The next records; none at the end. A chunk may be larger than tasks expect, when it came as one vector.
    fn next(&mut self) -> Result<&[T], TaskError> {
        self.task.check_cancelled()?;
        while let Some(chunk) = self.chunks.get(self.chunk) {
            let start = self.start;
            let end = chunk.len().min(start + CHUNK);
            if start < end {
                self.start = end;
                return Ok(&self.chunks[self.chunk][start..end]);
            }
            self.chunk += 1;
            self.start = 0;
        }
        Ok(&[])
    }
}

impl<T: Data> Chunks<T> for RecordChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        let records = self.next()?;
        out.extend_from_slice(records);
        Ok(!records.is_empty())
    }

    fn next_borrowed(&mut self) -> Result<Borrowed<'_, T>, TaskError> {
        let records = self.next()?;
        Ok(if records.is_empty() { Borrowed::End } else { Borrowed::Slice(records) })
    }

    fn at_rest(&mut self) -> Option<Resting<T>> {
        let unread = self.chunk == 0 && self.start == 0;
        unread.then(|| {
            self.chunk = self.chunks.len();
            Arc::clone(&self.chunks)
        })
    }
}

/// Decodes frames in memory.
struct FrameChunks<T> {
    frames: Arc<Frames>,
    next: usize,
    codec: Codec<T>,
    task: TaskContext,
    block: KeptBlock<T>,
}

impl<T: Data> Chunks<T> for FrameChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        let Some(frame) = self.frames.get(self.next) else { return Ok(false) };
        (self.codec.decode)(frame, out).map_err(|cause| self.block.lost(cause.into()))?;
        self.next += 1;
        Ok(true)
    }
}

/// Decodes the frames of a file.
struct FileChunks<T> {
    reader: FrameReader<SpillReader>,
    first: Vec<T>,
    codec: Codec<T>,
    task: TaskContext,
    block: KeptBlock<T>,
}

impl<T: Data> Chunks<T> for FileChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        if !self.first.is_empty() {
            out.append(&mut self.first);
            return Ok(true);
        }
        let read = (self.codec.read)(&mut self.reader, out);
        Ok(read.map_err(|cause| self.block.lost(cause.into()))? > 0)
    }
}
