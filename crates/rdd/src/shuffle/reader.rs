// SPDX-License-Identifier: Apache-2.0
//! Reads one reducer's records from the map outputs that have any.

use std::sync::Arc;

use super::outputs::{Outputs, Run};
use crate::{
    block::disk::SpillReader,
    chunk::{Borrowed, CHUNK, Chunks},
    codec::FrameReader,
    error::TaskError,
    record::Wire,
    scheduler::task::TaskContext,
};

/// The runs of one reducer one after the other. Records stay where they are, since a second action reads them again:
/// who can use them by reference saves their clones.
pub(crate) struct Reader<R> {
    outputs: Arc<Outputs<R>>,
    reducer: usize,
    runs: Vec<Run<R>>,
    /// The run that is read, and how far.
    run: usize,
    place: Place,
    /// The records of a frame.
    buffer: Vec<R>,
    task: TaskContext,
}

enum Place {
    Start,
    /// So many records of a run in memory were read.
    Memory(usize),
    File(FrameReader<SpillReader>),
}

impl<R: Wire> Reader<R> {
    pub(super) fn new(
        outputs: &Arc<Outputs<R>>,
        reducer: usize,
        task: &TaskContext,
    ) -> Result<Self, TaskError> {
        Ok(Self {
            outputs: Arc::clone(outputs),
            reducer,
            runs: outputs.runs(reducer)?,
            run: 0,
            place: Place::Start,
            buffer: Vec::new(),
            task: task.clone(),
        })
    }

    /// How many runs there are; the records of one run have been combined with each other.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How many records there are in memory.
    pub(crate) fn len_in_memory(&self) -> usize {
        let in_memory = self.runs.iter().filter(|run| run.start.is_none());
        in_memory.map(|run| run.output.buckets[self.reducer].len()).sum()
    }

    /// How many records the first run has, if it is in memory.
    pub(crate) fn first_run_len(&self) -> usize {
        let in_memory = self.runs.first().filter(|run| run.start.is_none());
        in_memory.map_or(0, |run| run.output.buckets[self.reducer].len())
    }

    /// The next records of the first run.
    pub(crate) fn next_of_first_run(&mut self) -> Result<Option<&[R]>, TaskError> {
        self.next_slice(1)
    }

    /// The next records of the runs before this one.
    fn next_slice(&mut self, end: usize) -> Result<Option<&[R]>, TaskError> {
        self.task.check_cancelled()?;
        self.buffer.clear();
        loop {
            let Some(run) = self.runs[..end].get(self.run) else { return Ok(None) };
            match &mut self.place {
                Place::Start => {
                    self.place = match (run.start, &run.output.spill) {
                        (Some(start), Some(spill)) => {
                            let file = spill.read(start);
                            Place::File(file.map_err(|error| self.outputs.lose(run, &error))?)
                        }
                        _ => Place::Memory(0),
                    };
                }
                Place::Memory(read) => {
                    let records = &run.output.buckets[self.reducer];
                    let start = *read;
                    if start < records.len() {
                        *read = records.len().min(start + CHUNK);
                        // Looked up again, since the borrow of this arm may not outlive a loop that goes on.
                        let end = *read;
                        return Ok(Some(&self.runs[self.run].output.buckets[self.reducer][start..end]));
                    }
                    (self.run, self.place) = (self.run + 1, Place::Start);
                }
                Place::File(file) => {
                    let read = file.read(&mut self.buffer);
                    match read.map_err(|error| self.outputs.lose(run, &TaskError::Other(error.into())))? {
                        0 => (self.run, self.place) = (self.run + 1, Place::Start),
                        _ => return Ok(Some(&self.buffer)),
                    }
                }
            }
        }
    }
}

impl<R: Wire> Chunks<R> for Reader<R> {
    fn next_chunk(&mut self, out: &mut Vec<R>) -> Result<bool, TaskError> {
        Ok(self.next_slice(self.runs.len())?.map(|records| out.extend_from_slice(records)).is_some())
    }

    fn next_borrowed(&mut self) -> Result<Borrowed<'_, R>, TaskError> {
        Ok(self.next_slice(self.runs.len())?.map_or(Borrowed::End, Borrowed::Slice))
    }
}
