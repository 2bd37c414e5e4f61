// SPDX-License-Identifier: Apache-2.0
//! `KafkaSink`: records into topics, each partition of a batch once, with its identity in the same transaction.

mod commit_log;
mod failure;
mod identity;
mod known;
mod names;
mod offsets;
mod outgoing;
mod pool;
mod producer;
mod sender;
mod transaction;

pub use outgoing::ProducerRecord;
pub use sender::Sender;
pub use transaction::KafkaTransaction;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use dstreams_streaming::{
    BatchIdentity, Begin, Committed, CommittedPositions, Duration, History, PartitionIdentity, Sink,
    SinkError,
    time::{milliseconds, minutes, seconds},
};
use dstreams_wal::fault;
use parking_lot::Mutex;

use self::{commit_log::CommitLog, failure::sink_error, offsets::GroupOffsets, pool::Producers};
use crate::{
    error::{Error, Result},
    params::{Params, property},
};

/// How long identities are kept. A batch that is older is never run again: its input is gone.
const KEEP: Duration = minutes(7 * 24 * 60);

/// How long a producer that nobody uses is kept.
const IDLE: Duration = minutes(5);

/// How long brokers may be away, if nothing else is said.
const RECOVERY: Duration = seconds(30);

/// `transaction.timeout.ms` as the client library has it.
const TRANSACTION_TIMEOUT: Duration = seconds(60);

/// Beyond the time-out of a transaction the brokers take some time to end it.
const MARGIN: Duration = seconds(15);

type Encode<T> = dyn Fn(T, &mut ProducerRecord) -> Result<(), SinkError> + Send + Sync;

/// A topic, or several, in a Kafka cluster.
///
/// Each partition of a batch is one transaction, which also adds its identity to the topic `__dstreams_commits-` and the
/// name of the application: output, batch, partition, and what the batch was made of. A partition that has its identity
/// there is never written again. Consumers that read with `isolation.level=read_committed` see each record once.
///
/// The transactions of partition `n` of an output have the id `dstreams-<application>-<output>-<n>`; a process that takes
/// it over shuts out whatever is left of an earlier one. Keys choose partitions as with the Java client.
///
/// ```no_run
/// use dstreams_kafka::{KafkaSink, Params};
/// # fn build(counts: &dstreams_streaming::DStream<(String, u64)>) -> Result<(), dstreams_kafka::Error> {
/// let params = Params::new("broker1:9092,broker2:9092");
/// let sink = KafkaSink::new(params, "counts", |(word, n): (String, u64), record| {
///     record.key(word).value(n.to_string());
/// })?;
/// counts.write_to(sink).named("counts");
/// # Ok(())
/// # }
/// ```
#[must_use = "a sink does nothing until a stream is written to it"]
pub struct KafkaSink<T> {
    options: Options,
    encode: Arc<Encode<T>>,
    shared: Arc<Shared>,
}

/// What was asked for.
#[derive(Debug, Clone)]
struct Options {
    params: Params,
    topic: String,
    /// What fault points know it by.
    place: PathBuf,
    delivery: Delivery,
    transaction_timeout: Duration,
    recovery: Duration,
    idle_timeout: Duration,
    keep: Duration,
    group: Option<String>,
}

/// How often a record may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

/// What the tasks of a process share.
struct Shared {
    producers: Producers,
    /// By application, of which a sink has one.
    logs: Mutex<BTreeMap<Arc<str>, Arc<CommitLog>>>,
    offsets: Option<GroupOffsets>,
}

impl<T: 'static> KafkaSink<T> {
    /// Sends what `encode` makes of each record to `topic`.
    ///
    /// Fails when the properties cannot be used: among others when `transaction.timeout.ms`, a minute if it is not set, is
    /// shorter than [`recovery_time`](Self::recovery_time), and when they have a `transactional.id`.
    pub fn new(
        params: impl Into<Params>,
        topic: impl Into<String>,
        encode: impl Fn(T, &mut ProducerRecord) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::try_new(params, topic, move |record, out| {
            encode(record, out);
            Ok::<(), SinkError>(())
        })
    }

    /// As [`new`](Self::new), with an `encode` that can fail: the batch fails, or is tried again when the error is one of
    /// something unavailable.
    pub fn try_new<E: Into<SinkError>>(
        params: impl Into<Params>,
        topic: impl Into<String>,
        encode: impl Fn(T, &mut ProducerRecord) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let encode: Arc<Encode<T>> = Arc::new(move |record, out| encode(record, out).map_err(Into::into));
        let (params, topic) = (params.into(), topic.into());
        params.client(&[])?;
        if params.get("transactional.id").is_some() {
            return Err(property("transactional.id", "the sink has one for each partition; do not set it"));
        }
        let transaction_timeout = match params.get("transaction.timeout.ms").map(str::parse) {
            None => TRANSACTION_TIMEOUT,
            Some(Ok(millis)) => milliseconds(millis),
            Some(Err(_)) => return Err(property("transaction.timeout.ms", "it must be a number")),
        };
        let options = Options {
            place: PathBuf::from(&topic),
            params,
            topic,
            delivery: Delivery::ExactlyOnce,
            transaction_timeout,
            recovery: RECOVERY,
            idle_timeout: IDLE,
            keep: KEEP,
            group: None,
        };
        options.check()?;
        let shared = Arc::new(Shared::new(&options));
        Ok(Self { options, encode, shared })
    }

    /// Writes without transactions, which is faster for small batches and visible sooner: a batch that is run again is
    /// written again.
    pub fn at_least_once(self) -> Self {
        self.with(|options| options.delivery = Delivery::AtLeastOnce)
    }

    /// How long brokers may be away, or a task may take, in the middle of a partition. Default: 30 seconds. A
    /// `transaction.timeout.ms` that is shorter is an error: the brokers would abort what can still be committed.
    pub fn recovery_time(self, time: Duration) -> Result<Self, Error> {
        let sink = self.with(|options| options.recovery = time);
        sink.options.check()?;
        Ok(sink)
    }

    /// Commits, in the transaction of each partition, the offsets that it is made of to a consumer group: for programs
    /// without a checkpoint directory, that start where this group has come to.
    ///
    /// Partition `n` of the stream must be made of range `n` of the Kafka stream alone, as it is after `map`, `filter` and
    /// the like, or the stream must have one partition. Where the numbers of partitions differ the batch fails. The Kafka
    /// stream itself must not commit to the group: set `dstreams.kafka.commitOffsets=false`.
    pub fn with_offsets_of_group(self, group: impl Into<String>) -> Self {
        self.with(|options| options.group = Some(group.into()))
    }

    /// Closes producers that were not used for this long, when the sink is used next. Default: five minutes.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.idle_timeout = timeout)
    }

    /// How long identities are kept, in a topic that the sink creates. A batch that is run again later than that would be
    /// written twice. Default: seven days.
    pub fn keep_identities(self, keep: Duration) -> Self {
        self.with(|options| options.keep = keep)
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self.shared = Arc::new(Shared::new(&self.options));
        self
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        if self.transaction_timeout < self.recovery {
            let problem = format!(
                "it is {}, and brokers that are away for {} would abort transactions that can still be committed; make it longer, or the recovery time of the sink shorter",
                self.transaction_timeout, self.recovery
            );
            return Err(property("transaction.timeout.ms", &problem));
        }
        Ok(())
    }
}

impl Shared {
    fn new(options: &Options) -> Self {
        Self {
            producers: Producers::new(options.params.clone(), options.idle_timeout),
            logs: Mutex::default(),
            offsets: options.group.as_ref().map(|group| GroupOffsets::new(&options.params, group)),
        }
    }

    fn log(&self, options: &Options, application: &Arc<str>) -> Arc<CommitLog> {
        let mut logs = self.logs.lock();
        let log = logs.entry(Arc::clone(application)).or_insert_with(|| {
            let timeout = options.transaction_timeout.to_std();
            let patience = options.transaction_timeout + MARGIN;
            Arc::new(CommitLog::new(&options.params, application, options.keep, timeout, patience))
        });
        Arc::clone(log)
    }
}

impl<T> Clone for KafkaSink<T> {
    fn clone(&self) -> Self {
        let (encode, shared) = (Arc::clone(&self.encode), Arc::clone(&self.shared));
        Self { options: self.options.clone(), encode, shared }
    }
}

impl<T> fmt::Debug for KafkaSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<T: 'static> Sink<T> for KafkaSink<T> {
    type Transaction = KafkaTransaction<T>;

    fn name(&self) -> String {
        let servers = self.options.params.get("bootstrap.servers").unwrap_or_default();
        format!("Kafka topic {} at {servers}", self.options.topic)
    }

    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
        match self.options.delivery {
            Delivery::AtLeastOnce => Ok(Committed::nothing()),
            Delivery::ExactlyOnce => {
                self.shared.log(&self.options, &batch.application).of_batch(batch).map_err(sink_error)
            }
        }
    }

    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<KafkaTransaction<T>>, SinkError> {
        fault::pass("kafka", "begin", &self.options.place)?;
        KafkaTransaction::begin(self, partition)
    }
}

impl<T: 'static> History for KafkaSink<T> {
    fn history_of(&self) -> String {
        self.name()
    }

    fn latest(
        &self,
        application: &str,
        output: &str,
        limit: usize,
    ) -> Result<Vec<CommittedPositions>, SinkError> {
        let log = self.shared.log(&self.options, &Arc::from(application));
        log.latest(output, limit).map_err(sink_error)
    }
}
