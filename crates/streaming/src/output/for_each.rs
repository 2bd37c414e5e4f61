// SPDX-License-Identifier: Apache-2.0
//! `for_each_rdd` and `for_each_partition`: any code on the dataset of each batch, or inside its tasks.

use std::{panic::Location, sync::Arc};

use dstreams_rdd::{BoxError, Data, Rdd};

use super::{
    OutputHandle, PartitionRecords,
    identity::{BatchIdentity, OutputBatch},
};
use crate::{dstream::DStream, error::Error, error::Result, time::Time};

impl<T: Data> DStream<T> {
    /// Calls `f` with the dataset and time of every batch, on the driver. It is called for empty datasets too; nothing
    /// is computed unless `f` calls an action. An error fails the output for that batch and is returned to whoever
    /// waits for the context; later batches go on. It may be called again for the same batch after a failure or a
    /// restart.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// use std::sync::{Arc, Mutex};
    /// let test = TestContext::new()?;
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let sink = Arc::clone(&seen);
    /// test.input(vec![vec![1, 2], vec![3]]).for_each_rdd(move |rdd, time| {
    ///     sink.lock().unwrap().push((time.as_millis(), rdd.collect()?));
    ///     Ok(())
    /// });
    /// test.run(2)?;
    /// assert_eq!(*seen.lock().unwrap(), [(1000, vec![1, 2]), (2000, vec![3])]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_rdd(&self, f: impl Fn(Rdd<T>, Time) -> Result<()> + Send + Sync + 'static) {
        self.output("for_each_rdd", Location::caller(), f);
    }

    /// As [`for_each_rdd`](Self::for_each_rdd), with what tells the batch from all others instead of its time only. A
    /// batch may be run again after a failure: then `f` is called with an equal identity, and may find that it has done its
    /// work.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// let numbers = test.input(vec![vec![1, 2]]);
    /// let output = numbers.for_each_batch(|rdd, identity| {
    ///     println!("{} records in {identity}", rdd.count()?);
    ///     Ok(())
    /// });
    /// assert_eq!(output.named("counts").id(), "counts");
    /// test.run(1)?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_batch(
        &self,
        f: impl Fn(Rdd<T>, &BatchIdentity) -> Result<()> + Send + Sync + 'static,
    ) -> OutputHandle {
        self.output_of_batches("for_each_batch", Location::caller(), move |rdd, batch| {
            f(rdd, &batch.identity)
        })
    }

    /// Calls `f` inside a task for every partition of every batch, with its records. An error fails the task, which is
    /// tried again as configured. To write to another system, see
    /// [`for_each_partition_with`](Self::for_each_partition_with).
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// static SUM: AtomicUsize = AtomicUsize::new(0);
    /// let test = TestContext::new()?;
    /// test.input(vec![vec![1, 2], vec![3]]).for_each_partition(|records| {
    ///     SUM.fetch_add(records.sum(), Ordering::Relaxed);
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// test.run(2)?;
    /// assert_eq!(SUM.load(Ordering::Relaxed), 6);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_partition<E: Into<BoxError>>(
        &self,
        f: impl Fn(PartitionRecords<T>) -> Result<(), E> + Send + Sync + 'static,
    ) {
        let f = Arc::new(f);
        let work = move |rdd: Rdd<T>, batch: &OutputBatch| {
            let (f, batch, partitions) = (Arc::clone(&f), batch.clone(), rdd.num_partitions());
            rdd.for_each_partition(move |partition, records| {
                f(PartitionRecords::new(records, batch.partition(partition, partitions)))
            })
            .map_err(Error::from)
        };
        let _by_position = self.output_of_batches("for_each_partition", Location::caller(), work);
    }
}
