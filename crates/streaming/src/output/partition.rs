// SPDX-License-Identifier: Apache-2.0
//! `PartitionRecords`: the records of one partition of one batch, and which partition that is.

use std::iter::Peekable;

use dstreams_rdd::Records;

use super::identity::PartitionIdentity;
use crate::time::Time;

/// The records of one partition of one batch.
pub struct PartitionRecords<T> {
    records: Peekable<Records<T>>,
    identity: PartitionIdentity,
}

impl<T> PartitionRecords<T> {
    pub(super) fn new(records: Records<T>, identity: PartitionIdentity) -> Self {
        Self { records: records.peekable(), identity }
    }

    /// Whether there are records left. The next ones are computed for it if need be.
    pub fn has_more(&mut self) -> bool {
        self.records.peek().is_some()
    }

    /// Which partition of which batch of which output of which application this is. It is the same whenever the records
    /// are processed again, and a key to write them under exactly once.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// test.input(vec![vec!["to", "be"]]).for_each_partition(|records| {
    ///     let identity = records.identity();
    ///     assert_eq!((&*identity.batch.output, identity.partitions), ("for_each_partition-1", 2));
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// test.run(1)?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn identity(&self) -> &PartitionIdentity {
        &self.identity
    }

    /// The time of the batch.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// test.input(vec![vec!["to", "be"]]).for_each_partition(|records| {
    ///     let key = (records.batch_time().as_millis(), records.partition_id());
    ///     assert!(key == (1000, 0) || key == (1000, 1));
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// test.run(1)?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn batch_time(&self) -> Time {
        self.identity.batch.batch_time
    }

    /// The number of the partition in the batch, from 0.
    pub fn partition_id(&self) -> usize {
        self.identity.partition
    }
}

impl<T> Iterator for PartitionRecords<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.records.next()
    }
}
