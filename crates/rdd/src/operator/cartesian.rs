// SPDX-License-Identifier: Apache-2.0
//! `cartesian`: every record of one dataset with every record of another.

use std::sync::Arc;

use crate::{
    chunk::{BoxChunks, CHUNK, Chunks},
    error::TaskError,
    lineage::Dependency,
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};

/// How many records of each side a task holds at a time.
const BLOCK: usize = 16 * CHUNK;

impl<T: Data> Rdd<T> {
    /// All pairs of a record of this dataset and one of `other`, in a partition for each pair of partitions: those
    /// of the first partition of this dataset come first.
    ///
    /// Memory stays bounded: a task pairs blocks of some thousand records, block after block. When a partition of
    /// `other` is longer than a block, it is computed again for every block of this dataset; put the shorter
    /// dataset on the right, or [cache](Rdd::cache) it.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([1, 2]).cartesian(&sc.parallelize_in(["a", "b"], 1));
    /// assert_eq!(pairs.collect()?, [(1, "a"), (1, "b"), (2, "a"), (2, "b")]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn cartesian<U: Data>(&self, other: &Rdd<U>) -> Rdd<(T, U)> {
        let dependencies = vec![
            Dependency::Narrow(Arc::clone(self.lineage())),
            Dependency::Narrow(Arc::clone(other.lineage())),
        ];
        let columns = other.num_partitions();
        let (left, right) = (self.clone(), other.clone());
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            Ok(Box::new(CartesianChunks {
                left_input: Some(left.chunks(partition / columns, task)?),
                left: Vec::new(),
                right_source: (right.clone(), partition % columns),
                right_input: RightInput::Ended,
                right: Vec::new(),
                row: 0,
                column: 0,
                task: task.clone(),
            }) as BoxChunks<(T, U)>)
        };
        Rdd::new(self.context(), "cartesian", self.num_partitions() * columns, None, dependencies, compute)
    }
}

struct CartesianChunks<T, U> {
    /// None when it has ended.
    left_input: Option<BoxChunks<T>>,
    /// The block of the left side that is being paired.
    left: Vec<T>,
    right_source: (Rdd<U>, usize),
    right_input: RightInput<U>,
    /// The block of the right side that is being paired.
    right: Vec<U>,
    /// The position of the next pair in the two blocks.
    row: usize,
    column: usize,
    task: TaskContext,
}

/// Where the right side stands in its pass for the current block of the left side.
enum RightInput<U> {
    /// More blocks follow.
    Open { chunks: BoxChunks<U> },
    /// The next block of the left side needs another pass.
    Ended,
    /// The whole side is one block and is kept for all of the left side.
    Kept,
}

impl<T: Data, U: Data> Chunks<(T, U)> for CartesianChunks<T, U> {
    fn next_chunk(&mut self, out: &mut Vec<(T, U)>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        let full = out.len() + CHUNK;
        while out.len() < full {
            let Some(left) = self.left.get(self.row).filter(|_| !self.right.is_empty()) else {
                if self.next_blocks()? {
                    continue;
                }
                return Ok(out.len() + CHUNK > full);
            };
            let end = self.right.len().min(self.column + full - out.len());
            out.extend(self.right[self.column..end].iter().map(|right| (left.clone(), right.clone())));
            self.column = end;
            if end == self.right.len() {
                self.column = 0;
                self.row += 1;
            }
        }
        Ok(true)
    }
}

impl<T: Data, U: Data> CartesianChunks<T, U> {
    /// Goes on to the next block of the right side or, after its last, of the left side. False when all are paired.
    fn next_blocks(&mut self) -> Result<bool, TaskError> {
        if let RightInput::Open { chunks } = &mut self.right_input {
            if read_block(chunks, &mut self.right)? {
                self.right_input = RightInput::Ended;
            }
            self.row = 0;
            return Ok(true);
        }
        let Some(left_input) = &mut self.left_input else { return Ok(false) };
        self.row = 0;
        if read_block(left_input, &mut self.left)? {
            self.left_input = None;
        }
        if matches!(self.right_input, RightInput::Ended) {
            let (rdd, partition) = &self.right_source;
            let mut chunks = rdd.chunks(*partition, &self.task)?;
            let whole = read_block(&mut chunks, &mut self.right)?;
            self.right_input = if whole { RightInput::Kept } else { RightInput::Open { chunks } };
        }
        Ok(true)
    }
}

/// Replaces `block` by the next records. True when the input has ended with them.
fn read_block<T>(input: &mut BoxChunks<T>, block: &mut Vec<T>) -> Result<bool, TaskError> {
    block.clear();
    while block.len() < BLOCK {
        if !input.next_chunk(block)? {
            return Ok(true);
        }
    }
    Ok(false)
}
