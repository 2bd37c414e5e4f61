// SPDX-License-Identifier: Apache-2.0
//! `for_each_partition_with`: the records of each partition over a connection from a pool.

use std::{panic::Location, sync::Arc};

use dstreams_rdd::{BoxError, Data, Rdd, Records};

use super::{
    PartitionRecords,
    identity::OutputBatch,
    pool::{ConnectionPool, PoolError, PooledConnection},
};
use crate::{
    clock::StopFlag,
    dstream::DStream,
    error::Error,
    time::{Duration, milliseconds},
};

/// How often a connection is tried to be opened before the task fails.
const ATTEMPTS: i64 = 3;
/// The wait after the first failure; each further one is longer by as much.
const DELAY: Duration = milliseconds(100);

impl<T: Data> DStream<T> {
    /// Calls `f` inside a task for every partition of every batch that has records, with a connection from `pool`
    /// and the records. This is the way to send a stream to another system: a connection is opened where it is used,
    /// serves a whole partition, and then the next one.
    ///
    /// When no connection can be opened, it is tried again twice. When `f` returns an error or panics, the connection
    /// is closed and the task fails, which is tried again as configured. `f` may then see records a second time: let
    /// it write under the [identity](PartitionRecords::identity) of the partition, so that the second time replaces the
    /// first, or use a [`Sink`](crate::Sink).
    ///
    /// ```
    /// use dstreams_streaming::{ConnectionPool, testing::TestContext};
    /// use std::sync::{Arc, Mutex};
    /// let database = Arc::new(Mutex::new(Vec::new()));
    /// let server = Arc::clone(&database);
    /// let pool = ConnectionPool::new(move || Ok::<_, std::io::Error>(Arc::clone(&server)));
    /// let test = TestContext::new()?;
    /// test.input(vec![vec!["to", "be"]]).for_each_partition_with(&pool, |connection, records| {
    ///     connection.lock().unwrap().extend(records);
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// test.run(1)?;
    /// assert_eq!(database.lock().unwrap().len(), 2);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_partition_with<C: Send + 'static, E: Into<BoxError>>(
        &self,
        pool: &ConnectionPool<C>,
        f: impl Fn(&mut C, PartitionRecords<T>) -> Result<(), E> + Send + Sync + 'static,
    ) {
        let (pool, f) = (pool.clone(), Arc::new(f));
        let work = move |rdd: Rdd<T>, batch: &OutputBatch| {
            let (pool, f, batch) = (pool.clone(), Arc::clone(&f), batch.clone());
            let partitions = rdd.num_partitions();
            let send = move |partition, records: Records<T>| {
                let mut records = PartitionRecords::new(records, batch.partition(partition, partitions));
                if !records.has_more() {
                    pool.close_idle();
                    return Ok(());
                }
                let mut connection = get_with_retry(&pool)?;
                f(&mut connection, records).map_err(|error| {
                    connection.discard();
                    error.into()
                })
            };
            rdd.for_each_partition::<BoxError>(send).map_err(Error::from)
        };
        let _by_position = self.output_of_batches("for_each_partition_with", Location::caller(), work);
    }
}

/// A connection, after some attempts if need be.
fn get_with_retry<C: Send + 'static>(pool: &ConnectionPool<C>) -> Result<PooledConnection<C>, PoolError> {
    let mut attempt = 1;
    loop {
        let error = match pool.get() {
            Err(PoolError::Connect(error)) if attempt < ATTEMPTS => error,
            result => return result,
        };
        let delay = DELAY * attempt;
        tracing::warn!(%error, attempt, %delay, "cannot open a connection; trying again");
        let _never_stopped = pool.own_clock().sleep(delay, &StopFlag::new());
        attempt += 1;
    }
}
