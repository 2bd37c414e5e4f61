// SPDX-License-Identifier: Apache-2.0
//! Buckets of records on disk: every spill adds one run to each of its buckets, all in one file.

use std::{
    io::{Seek, SeekFrom},
    marker::PhantomData,
};

use crate::{
    block::disk::{SpillFile, SpillReader},
    codec::{CodecError, Compression, FrameReader, FrameWriter},
    context::RddContext,
    error::TaskError,
    event::EngineEvent,
    record::Wire,
};

/// A file of runs, each a complete sequence of frames. It is removed when this is dropped.
pub(crate) struct Spill<R> {
    file: SpillFile,
    compression: Compression,
    /// For every run its bucket and where it starts, in the order of writing.
    runs: Vec<(usize, u64)>,
    records: PhantomData<fn() -> R>,
}

impl<R: Wire> Spill<R> {
    /// An empty file in the context's directory for such.
    pub(crate) fn create(context: &RddContext) -> Result<Self, TaskError> {
        let file = context.disk().create("shuffle").map_err(|error| TaskError::Other(error.into()))?;
        let compression = context.options().compression();
        Ok(Self { file, compression, runs: Vec::new(), records: PhantomData })
    }

    /// Writes the records of every bucket that has any as a run; `what` spills is for the event.
    pub(crate) fn append(
        &mut self,
        buckets: &[Vec<R>],
        context: &RddContext,
        what: &str,
    ) -> Result<(), TaskError> {
        let before = self.file.bytes();
        for (bucket, records) in buckets.iter().enumerate().filter(|(_, records)| !records.is_empty()) {
            self.runs.push((bucket, self.file.bytes()));
            self.write(records).map_err(|error| match error {
                CodecError::Io(cause) => TaskError::io("write", self.file.path(), cause),
                error => TaskError::Other(error.into()),
            })?;
        }
        let bytes = self.file.bytes() - before;
        tracing::debug!(what, bytes, "spilled");
        context.events().post(|| EngineEvent::Spilled { what: what.to_owned(), bytes });
        Ok(())
    }

    fn write(&self, records: &[R]) -> Result<(), CodecError> {
        let mut writer = FrameWriter::new(self.file.writer(), self.compression)?;
        writer.append(records)?;
        writer.finish()?;
        Ok(())
    }

    /// Where the runs of a bucket start, in the order of writing.
    pub(crate) fn runs(&self, bucket: usize) -> impl Iterator<Item = u64> {
        self.runs.iter().filter(move |(other, _)| *other == bucket).map(|(_, start)| *start)
    }

    /// Reads the run at `start`.
    pub(crate) fn read(&self, start: u64) -> Result<FrameReader<SpillReader>, TaskError> {
        let mut file = self.file.reader().map_err(|error| TaskError::Other(error.into()))?;
        let opened = file.seek(SeekFrom::Start(start)).map_err(CodecError::Io);
        opened.and_then(|_| FrameReader::new(file)).map_err(|error| TaskError::Other(error.into()))
    }
}
