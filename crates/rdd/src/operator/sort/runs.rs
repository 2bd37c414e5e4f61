// SPDX-License-Identifier: Apache-2.0
//! Sorted runs of records on disk, many to a file.

use std::io::{Seek, SeekFrom};

use serde::Serialize;

use crate::{
    block::disk::{SpillFile, SpillReader, SpillWriter},
    codec::{Compression, FrameReader, FrameWriter},
    context::RddContext,
    error::TaskError,
    event::EngineEvent,
    record::Wire,
    scheduler::task::TaskContext,
};

/// A run that is complete. Its file is removed with the last of its runs.
pub(super) struct Run {
    file: SpillFile,
    /// Where the run starts in its file.
    start: u64,
}

impl Run {
    /// A file for runs.
    pub(super) fn create_file(context: &RddContext) -> Result<SpillFile, TaskError> {
        context.disk().create("sort").map_err(|error| TaskError::Other(error.into()))
    }

    /// The file that the run is in, which takes further runs.
    pub(super) fn file(&self) -> &SpillFile {
        &self.file
    }

    pub(super) fn read(&self) -> Result<RunReader, TaskError> {
        let failed = |cause| TaskError::frames("read", self.file.path(), cause);
        let mut file = self.file.reader().map_err(|error| TaskError::Other(error.into()))?;
        file.seek(SeekFrom::Start(self.start)).map_err(|cause| failed(cause.into()))?;
        Ok(RunReader { reader: FrameReader::new(file).map_err(failed)?, file: self.file.clone() })
    }
}

/// Reads a run frame by frame.
pub(super) struct RunReader {
    reader: FrameReader<SpillReader>,
    file: SpillFile,
}

impl RunReader {
    /// The next records; none at the end.
    pub(super) fn read<T: Wire>(&mut self) -> Result<Vec<T>, TaskError> {
        let mut records = Vec::new();
        let read = self.reader.read(&mut records);
        read.map_err(|cause| TaskError::frames("read", self.file.path(), cause))?;
        Ok(records)
    }
}

/// A run that is being written.
pub(super) struct RunWriter {
    writer: FrameWriter<SpillWriter>,
    file: SpillFile,
    start: u64,
}

impl RunWriter {
    /// Starts a run at the end of the file; no other may be in progress there.
    pub(super) fn new(file: &SpillFile, context: &RddContext) -> Result<Self, TaskError> {
        let compression = if context.options().compress { Compression::Lz4 } else { Compression::None };
        let start = file.bytes();
        let writer = FrameWriter::new(file.writer(), compression)
            .map_err(|cause| TaskError::frames("write", file.path(), cause))?;
        Ok(Self { writer, file: file.clone(), start })
    }

    pub(super) fn append(
        &mut self,
        records: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<(), TaskError> {
        let appended = self.writer.append(records);
        appended.map(drop).map_err(|cause| TaskError::frames("write", self.file.path(), cause))
    }

    /// Completes the run and reports it as spilled.
    pub(super) fn finish(self, context: &RddContext, task: &TaskContext) -> Result<Run, TaskError> {
        let finished = self.writer.finish();
        let (_, bytes) = finished.map_err(|cause| TaskError::frames("write", self.file.path(), cause))?;
        let what = || format!("the sort of partition {}", task.partition());
        context.events().post(|| EngineEvent::Spilled { what: what(), bytes });
        Ok(Run { file: self.file, start: self.start })
    }
}
