// SPDX-License-Identifier: Apache-2.0
//! `from_chunks`: how sources outside of this crate become datasets.

use crate::{
    chunk::{BoxChunks, Chunks},
    context::RddContext,
    error::TaskError,
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};

impl RddContext {
    /// A dataset of `partitions` partitions; `open` starts one, inside its task, each time that it is computed.
    /// `operator` is what errors call the source.
    ///
    /// ```
    /// use dstreams_rdd::{TaskError, chunk::{BoxChunks, Chunks}};
    /// struct Once(Option<usize>);
    /// impl Chunks<usize> for Once {
    ///     fn next_chunk(&mut self, out: &mut Vec<usize>) -> Result<bool, TaskError> {
    ///         let number = self.0.take();
    ///         out.extend(number);
    ///         Ok(number.is_some())
    ///     }
    /// }
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let numbers = sc.from_chunks("numbers", 3, |partition| Ok(Box::new(Once(Some(partition))) as BoxChunks<usize>));
    /// assert_eq!(numbers.collect()?, [0, 1, 2]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn from_chunks<T: Data>(
        &self,
        operator: &'static str,
        partitions: usize,
        open: impl Fn(usize) -> Result<BoxChunks<T>, TaskError> + Send + Sync + 'static,
    ) -> Rdd<T> {
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            Ok(SourceChunks::open(open(partition)?, task, operator))
        };
        Rdd::new(self, operator, partitions, None, Vec::new(), compute)
    }
}

/// Chunks of a source that knows nothing of tasks.
pub(crate) struct SourceChunks<T> {
    chunks: BoxChunks<T>,
    task: TaskContext,
    operator: usize,
}

impl<T: Data> SourceChunks<T> {
    pub(crate) fn open(chunks: BoxChunks<T>, task: &TaskContext, operator: usize) -> BoxChunks<T> {
        Box::new(Self { chunks, task: task.clone(), operator })
    }
}

impl<T> Chunks<T> for SourceChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        self.task.set_operator(self.operator);
        self.chunks.next_chunk(out)
    }
}
