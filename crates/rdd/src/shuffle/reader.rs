// SPDX-License-Identifier: Apache-2.0
//! Reads one reducer's records from the map outputs that have any.

use std::sync::Arc;

use super::MapOutput;
use crate::{
    chunk::{Borrowed, CHUNK, Chunks},
    error::TaskError,
    record::Wire,
    scheduler::task::TaskContext,
};

/// The runs of one reducer one after the other. Records stay where they are, since a second action reads them again:
/// who can use them by reference saves their clones.
pub(crate) struct Reader<R> {
    runs: Vec<Arc<MapOutput<R>>>,
    reducer: usize,
    run: usize,
    position: usize,
    task: TaskContext,
}

impl<R> Reader<R> {
    pub(super) fn new(runs: Vec<Arc<MapOutput<R>>>, reducer: usize, task: &TaskContext) -> Self {
        Self { runs, reducer, run: 0, position: 0, task: task.clone() }
    }

    /// How many runs there are; the records of one run have been combined with each other.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    fn next_slice(&mut self) -> Result<Option<&[R]>, TaskError> {
        self.task.check_cancelled()?;
        let Some(output) = self.runs.get(self.run) else { return Ok(None) };
        let records = &output.buckets[self.reducer];
        let start = self.position;
        let end = records.len().min(start + CHUNK);
        if end == records.len() {
            (self.run, self.position) = (self.run + 1, 0);
        } else {
            self.position = end;
        }
        Ok(Some(&records[start..end]))
    }
}

impl<R: Wire> Chunks<R> for Reader<R> {
    fn next_chunk(&mut self, out: &mut Vec<R>) -> Result<bool, TaskError> {
        Ok(self.next_slice()?.map(|records| out.extend_from_slice(records)).is_some())
    }

    fn next_borrowed(&mut self) -> Result<Borrowed<'_, R>, TaskError> {
        Ok(self.next_slice()?.map_or(Borrowed::End, Borrowed::Slice))
    }
}
