// SPDX-License-Identifier: Apache-2.0
//! The methods of a context that make input streams, and those that combine several streams.

use std::sync::Arc;

use dstreams_rdd::{Data, Rdd};

use super::StreamingContext;
use crate::{
    dstream::DStream,
    source::{QueueSource, QueueTake, RddQueue, Source},
};

impl StreamingContext {
    /// A stream of the datasets in `queue`, one per batch; a batch for which there is none gets an empty dataset.
    ///
    /// ```
    /// use dstreams_streaming::{RddQueue, testing::TestContext};
    /// let test = TestContext::new()?;
    /// let ssc = test.context();
    /// let queue = RddQueue::from_iter([ssc.rdd_context().parallelize([1, 2])]);
    /// let seen = test.collect(&ssc.queue_stream(&queue));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [vec![1, 2], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn queue_stream<T: Data>(&self, queue: &RddQueue<T>) -> DStream<T> {
        self.queue_stream_with(queue, QueueTake::OneAtATime, None)
    }

    /// As [`queue_stream`](Self::queue_stream); says how many datasets a batch takes, and which one it gets when the
    /// queue is empty (an empty one with one partition if `None`).
    #[track_caller]
    pub fn queue_stream_with<T: Data>(
        &self,
        queue: &RddQueue<T>,
        take: QueueTake,
        default: Option<Rdd<T>>,
    ) -> DStream<T> {
        self.stream("queue_stream", |_| Arc::new(QueueSource::new(queue.clone(), take, default)))
    }

    /// A stream of any [`Source`]: how connectors make theirs. `source` is given the number of the input stream.
    #[track_caller]
    pub fn stream<S: Source>(
        &self,
        operator: &'static str,
        source: impl FnOnce(crate::StreamId) -> Arc<S>,
    ) -> DStream<S::Record> {
        DStream::from_source(&self.inner.scope, operator, source)
    }
}
