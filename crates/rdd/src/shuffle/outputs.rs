// SPDX-License-Identifier: Apache-2.0
//! What the map tasks of a shuffle have made, in memory and on disk, until the last reader is gone.

use std::sync::Arc;

use parking_lot::Mutex;

use super::spill::Spill;
use crate::{block::memory::Reservation, error::TaskError, record::Wire};

/// The outputs of all map partitions of one shuffle.
pub(crate) struct Outputs<R> {
    shuffle: u64,
    outputs: Mutex<Vec<Option<Arc<MapOutput<R>>>>>,
}

/// What one map task has made: the records of each reducer.
pub(crate) struct MapOutput<R> {
    pub(crate) buckets: Vec<Vec<R>>,
    /// What came before the records in memory and did not fit there.
    pub(crate) spill: Option<Spill<R>>,
    /// The memory of the buckets, held as long as they are.
    pub(crate) _memory: Reservation,
}

/// Records for one reducer from one map task that were written together.
pub(crate) struct Run<R> {
    pub(crate) map: usize,
    pub(crate) output: Arc<MapOutput<R>>,
    /// Where the run starts in the spill file; none for the one in memory.
    pub(crate) start: Option<u64>,
}

impl<R: Wire> Outputs<R> {
    pub(crate) fn new(shuffle: u64, map_partitions: usize) -> Self {
        Self { shuffle, outputs: Mutex::new(vec![None; map_partitions]) }
    }

    /// The map partitions without output.
    pub(crate) fn missing(&self) -> Vec<usize> {
        let outputs = self.outputs.lock();
        outputs.iter().enumerate().filter(|(_, output)| output.is_none()).map(|(i, _)| i).collect()
    }

    pub(crate) fn put(&self, map: usize, output: MapOutput<R>) {
        let before = self.outputs.lock()[map].replace(Arc::new(output));
        drop(before);
    }

    /// Everything there is for one reducer, in the order of the map partitions.
    pub(crate) fn runs(&self, reducer: usize) -> Result<Vec<Run<R>>, TaskError> {
        let mut runs = Vec::new();
        for (map, output) in self.outputs.lock().iter().enumerate() {
            let output = output.as_ref().ok_or(TaskError::ShuffleMissing(self.shuffle))?;
            let spilled = output.spill.iter().flat_map(|spill| spill.runs(reducer)).map(Some);
            let kept = (!output.buckets[reducer].is_empty()).then_some(None);
            runs.extend(spilled.chain(kept).map(|start| Run { map, output: Arc::clone(output), start }));
        }
        Ok(runs)
    }

    /// Drops all outputs. Tasks that are reading them go on.
    pub(crate) fn release(&self) {
        let mut outputs = self.outputs.lock();
        let nothing = vec![None; outputs.len()];
        let released = std::mem::replace(&mut *outputs, nothing);
        drop(outputs);
        drop(released);
    }

    /// Drops an output that cannot be read, so that the scheduler has it made again.
    pub(crate) fn lose(&self, run: &Run<R>, cause: &TaskError) -> TaskError {
        tracing::warn!(shuffle = self.shuffle, map = run.map, %cause, "a map output is lost");
        let mut outputs = self.outputs.lock();
        let place = &mut outputs[run.map];
        // Another task may have found it first, and its successor may be there by now.
        let lost = place.take_if(|output| Arc::ptr_eq(output, &run.output));
        drop(outputs);
        drop(lost);
        TaskError::ShuffleMissing(self.shuffle)
    }
}
