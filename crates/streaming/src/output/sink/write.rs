// SPDX-License-Identifier: Apache-2.0
//! `write_to`: each batch into a sink, only what it does not have yet, tried again while it is unavailable.

use std::{panic::Location, sync::Arc};

use dstreams_rdd::{Data, Rdd, Records};

use super::{Begin, Committed, CommittedBatch, Sink, SinkError, SinkTransaction};
use crate::{
    clock::Waited,
    config::keys,
    dstream::{DStream, scope::Scope},
    error::{Error, Result},
    output::{OutputHandle, PartitionRecords, identity::OutputBatch},
    time::{Duration, Time, milliseconds, seconds},
};

/// The wait after the first failure; it doubles with each further one.
const FIRST_DELAY: Duration = milliseconds(100);
const LONGEST_DELAY: Duration = seconds(10);

impl<T: Data> DStream<T> {
    /// Writes every batch to `sink`, each partition exactly once: when a batch is run again after a failure or a restart,
    /// the partitions that the sink has are skipped.
    ///
    /// The sink knows a partition by the application (`spark.app.name`, which must be set), the output, the batch time and
    /// its number. Give the output a [name](OutputHandle::named) that stays when the program grows.
    ///
    /// While the sink is unavailable the batch waits and tries again, first after 100 ms, at last every 10 s, for as long
    /// as `dstreams.sink.retryTimeout` says; the batches after it wait too. An error that stays fails the batch. So does a
    /// batch that the sink has in part and that now has another number of partitions.
    ///
    /// ```
    /// use dstreams_streaming::testing::{MemorySink, TestContext};
    /// let (sink, test) = (MemorySink::new(), TestContext::new()?);
    /// test.input(vec![vec!["to", "be"], vec!["or"]]).write_to(sink.clone()).named("words");
    /// test.run(2)?;
    /// assert_eq!(sink.records(), ["to", "be", "or"]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn write_to<S: Sink<T>>(&self, sink: S) -> OutputHandle {
        self.sink_output("write_to", Location::caller(), sink, |_| ())
    }

    /// Registers an output of the given kind that writes to a sink; `written` is called for each batch that the sink has.
    pub(crate) fn sink_output<S: Sink<T>>(
        &self,
        kind: &'static str,
        location: &Location<'_>,
        sink: S,
        written: impl Fn(&OutputBatch) + Send + Sync + 'static,
    ) -> OutputHandle {
        let (scope, sink) = (Arc::clone(self.scope()), Arc::new(sink));
        if scope.config().get(&keys::APP_NAME).is_none() {
            scope.reject(Error::IllegalArgument(format!(
                "{kind} at {location}: the application has no name, by which {} could tell its batches from those of others; set spark.app.name",
                sink.name()
            )));
        }
        self.output_of_batches(kind, location, move |rdd, batch| {
            until_available(&scope, &sink, &rdd, batch)?;
            written(batch);
            Ok(())
        })
    }
}

/// Writes what is missing, and tries again for as long as the sink is unavailable.
fn until_available<T: Data, S: Sink<T>>(
    scope: &Scope,
    sink: &Arc<S>,
    rdd: &Rdd<T>,
    batch: &OutputBatch,
) -> Result<()> {
    let mut outage: Option<Outage> = None;
    loop {
        let error = match write_missing(sink, rdd, batch) {
            Err(error) if SinkError::inside(&error).is_some_and(SinkError::is_unavailable) => error,
            result => {
                if let (Some(outage), Ok(())) = (outage, &result) {
                    let lasted = scope.clock().now() - outage.since;
                    tracing::info!(sink = sink.name(), %lasted, "the sink is available again");
                }
                return result;
            }
        };
        let outage = outage.get_or_insert_with(|| {
            tracing::warn!(sink = sink.name(), output = &*batch.identity.output, batch = %batch.time(), %error, "the sink is unavailable; trying again until it is back");
            Outage { since: scope.clock().now(), delay: FIRST_DELAY }
        });
        if !outage.wait(scope) {
            return Err(error);
        }
    }
}

/// A time in which a sink is unavailable.
struct Outage {
    since: Time,
    delay: Duration,
}

impl Outage {
    /// Waits for the next attempt; false when there is to be none.
    fn wait(&mut self, scope: &Scope) -> bool {
        let next = scope.clock().now() + self.delay;
        let limit = scope.config().get(&keys::SINK_RETRY_TIMEOUT);
        if limit.is_some_and(|limit| next > self.since + limit) {
            return false;
        }
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        scope.clock().wait_until(next, scope.abandoned()) == Waited::Reached
    }
}

/// Runs a job for the partitions that the sink does not have.
fn write_missing<T: Data, S: Sink<T>>(sink: &Arc<S>, rdd: &Rdd<T>, batch: &OutputBatch) -> Result<()> {
    let partitions = rdd.num_partitions();
    let committed = sink.committed(&batch.identity).map_err(Error::user)?;
    if !committed.is_complete() {
        let missing = missing(&committed, partitions, batch).map_err(Error::user)?;
        let (sink, batch) = (Arc::clone(sink), batch.clone());
        rdd.for_each_partition_of(&missing, move |partition, records| {
            write_partition(&*sink, partition, partitions, records, &batch)
        })?;
    }
    let partitions = if committed.is_complete() { committed.partitions } else { partitions };
    let whole = CommittedBatch { identity: &batch.identity, partitions, positions: &batch.positions };
    sink.batch_committed(&whole).map_err(Error::user)
}

/// Which partitions are to be written.
fn missing(committed: &Committed, partitions: usize, batch: &OutputBatch) -> Result<Vec<usize>, SinkError> {
    if !committed.done.is_empty() && committed.partitions != partitions {
        return Err(SinkError::PartitionsChanged {
            batch: batch.identity.clone(),
            done: committed.done.len(),
            then: committed.partitions,
            now: partitions,
        });
    }
    Ok((0..partitions).filter(|partition| !committed.done.contains(partition)).collect())
}

/// Writes one partition, inside its task.
fn write_partition<T, S: Sink<T>>(
    sink: &S,
    partition: usize,
    partitions: usize,
    records: Records<T>,
    batch: &OutputBatch,
) -> Result<(), SinkError> {
    let identity = batch.partition(partition, partitions);
    let mut transaction = match sink.begin(&identity)? {
        Begin::Committed => return Ok(()),
        Begin::Transaction(transaction) => transaction,
    };
    let mut records = PartitionRecords::new(records, identity);
    transaction.write(&mut records)?;
    if records.has_more() {
        return Err(SinkError::RecordsLeft { sink: sink.name() });
    }
    transaction.commit(&batch.positions)
}
