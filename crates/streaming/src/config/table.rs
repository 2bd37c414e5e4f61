// SPDX-License-Identifier: Apache-2.0
//! The table of keys: the source of the typed constants, the documentation and the help text.

use super::key::Entry;

/// Keys that belong together.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) entries: &'static [&'static dyn Entry],
}

/// All keys in the order of the table.
pub(super) fn entries() -> impl Iterator<Item = &'static dyn Entry> {
    SECTIONS.iter().flat_map(|section| section.entries).copied()
}

/// The names of all keys.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    entries().map(Entry::name)
}

/// The key with this name.
pub(super) fn find(name: &str) -> Option<&'static dyn Entry> {
    entries().find(|entry| entry.name() == name)
}

/// The name that a key goes by now, for one given by an old name.
pub(super) fn current_name(old: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(name, _)| *name == old).map(|(_, current)| *current)
}

/// Old names and the keys they stand for.
pub(super) const RENAMED: &[(&str, &str)] =
    &[("spark.streaming.minRememberDuration", "spark.streaming.fileStream.minRememberDuration")];

/// A row is `CONSTANT: type, "key", form, default_to "value" | unset_means "words", "meaning";`.
macro_rules! table {
    ($( $title:literal { $(
        $constant:ident: $type:ty, $name:literal, $form:expr, $default:ident $shown:literal, $meaning:literal;
    )* } )*) => {
        /// The typed constant of every key.
        pub mod keys {
            use super::super::key::Key;
            use super::super::master::Master;
            use super::super::value::Bound::{self, Above, AtLeast};
            use super::super::value::{ByteSize, TextForm, TimeForm};
            use crate::time::{Duration, TimeUnit};

            const MILLIS: TimeForm =
                TimeForm { plain_unit: TimeUnit::Milliseconds, bound: AtLeast(Duration::ZERO) };
            const MILLIS_ABOVE_ZERO: TimeForm = TimeForm { bound: Above(Duration::ZERO), ..MILLIS };
            const SECONDS_ABOVE_ZERO: TimeForm =
                TimeForm { plain_unit: TimeUnit::Seconds, bound: Above(Duration::ZERO) };

            $($(
                #[doc = concat!("`", $name, "`: ", $meaning)]
                pub static $constant: Key<$type> = Key::$default($name, $form, $shown, $meaning);
            )*)*
        }

        /// The whole table.
        pub(super) static SECTIONS: &[Section] =
            &[$(Section { title: $title, entries: &[$(&keys::$constant),*] }),*];
    };
}

table! {
    "Application" {
        MASTER: Master, "spark.master", (), default_to "local[*]",
            "Where the program runs: `local[n]` with n threads, `local[*]` with one per core, `local[n,f]` with f attempts per task.";
        APP_NAME: Option<String>, "spark.app.name", TextForm::Any, unset_means "the name given in the program",
            "Name of the application in the UI, the metrics and what outputs record.";
        BATCH_INTERVAL: Duration, "dstreams.batch.interval", MILLIS_ABOVE_ZERO, default_to "1s",
            "Length of a batch, for a program that does not set its own.";
        CHECKPOINT_DIRECTORY: Option<String>, "spark.streaming.checkpoint.directory", TextForm::Any, unset_means "no checkpoints",
            "Where checkpoints are kept, and where a start goes on that an earlier process left off; required by streams with state.";
        OBJECT_STORE_GIVE_UP_AFTER: Duration, "dstreams.objectStore.giveUpAfter", MILLIS, default_to "10m",
            "How long a checkpoint directory on an object store is waited for that has stopped to answer, before the batch fails that needs it.";
        RECOVERY_MODE: String, "dstreams.recovery.mode", TextForm::OneOf(&["recover", "explain"]), default_to "recover",
            "What a start does with the checkpoint directory: `recover` goes on from it; `explain` says what would be kept, migrated, dropped or begun anew, and ends.";
        MISSED_BATCHES: String, "dstreams.recovery.missedBatches", TextForm::OneOf(&["generate", "skip"]), default_to "generate",
            "What becomes of the batches that no process was there to make: `generate` makes up for each of them, `skip` leaves them out, with a warning that counts them.";
        CONCURRENT_JOBS: usize, "spark.streaming.concurrentJobs", AtLeast(1), default_to "1",
            "How many outputs of batches run at the same time. Above 1, batches may overtake each other.";
        STOP_GRACEFULLY_ON_SHUTDOWN: bool, "spark.streaming.stopGracefullyOnShutdown", (), default_to "true",
            "Whether a termination signal lets received data be processed before the program ends.";
        GRACEFUL_STOP_TIMEOUT: Option<Duration>, "spark.streaming.gracefulStopTimeout", MILLIS_ABOVE_ZERO, unset_means "10 batch intervals",
            "How long a graceful stop waits for batches to be generated and finished.";
        MARKER_PLACED: Option<String>, "dstreams.shutdown.markerPlaced", TextForm::Any, unset_means "none",
            "A file: when it appears, what has been received is processed and the application stops. The file then has the suffix `.COMPLETED`, or `.INCOMPLETE` if the time was too short, and says what was left.";
        MARKER_DELETED: Option<String>, "dstreams.shutdown.markerDeleted", TextForm::Any, unset_means "none",
            "A file that the application puts there at its start: when it is deleted, what has been received is processed and the application stops.";
        MARKER_INTERVAL: Duration, "dstreams.shutdown.markerInterval", MILLIS_ABOVE_ZERO, default_to "1s",
            "How often marker files are looked for.";
        SET_CHECKPOINTS_ASIDE: bool, "dstreams.shutdown.setCheckpointsAside", (), default_to "false",
            "Whether the checkpoint directory gets a time stamp as its suffix after a stop by a file that was placed, if everything received has been processed: the next start, maybe of another program, begins anew. On an object store it is copied and removed.";
        STOP_ENGINE_BY_DEFAULT: bool, "spark.streaming.stopSparkContextByDefault", (), default_to "true",
            "Whether stopping the streaming context also stops the RDD context when the call does not say.";
    }
    "Tasks and memory" {
        DEFAULT_PARALLELISM: Option<usize>, "spark.default.parallelism", AtLeast(1), unset_means "the number of task threads, on a cluster at least 2",
            "Number of partitions of a shuffle, where the operation does not say.";
        MEMORY_BUDGET: ByteSize, "dstreams.memory.budget", Above(ByteSize::from_bytes(0)), default_to "256m",
            "What cached blocks, received blocks and shuffles may hold in memory together before they spill to disk.";
        LOCAL_DIR: Option<String>, "spark.local.dir", TextForm::Any, unset_means "the temporary directory of the system",
            "Directory for what is spilled, and for databases of states whose checkpoint directory is on an object store.";
        TASK_MAX_FAILURES: Option<usize>, "spark.task.maxFailures", AtLeast(1), unset_means "1 with `local[n]`, f with `local[n,f]`, 4 on a cluster",
            "How often a task may fail before its batch does.";
        STAGE_MAX_CONSECUTIVE_ATTEMPTS: usize, "spark.stage.maxConsecutiveAttempts", AtLeast(1), default_to "4",
            "How often in a row a stage may lose its input before its job fails.";
        RDD_COMPRESS: bool, "spark.rdd.compress", (), default_to "false",
            "Whether cached blocks in serialized form are compressed.";
        TAKE_INITIAL_PARTITIONS: usize, "spark.rdd.limit.initialNumPartitions", AtLeast(1), default_to "1",
            "How many partitions `take` looks at first.";
        TAKE_SCALE_UP_FACTOR: usize, "spark.rdd.limit.scaleUpFactor", AtLeast(2), default_to "4",
            "By what factor `take` looks at more partitions each time it found too few records.";
    }
    "States" {
        STATE_STORE: String, "dstreams.state.store", TextForm::OneOf(&["memory", "disk"]), default_to "memory",
            "Where `map_with_state` has its states: in memory, or in a database for those that do not fit: in the checkpoint directory, or below `spark.local.dir` where that is on an object store.";
        STATE_MEMORY_BUDGET: ByteSize, "dstreams.state.memoryBudget", AtLeast(ByteSize::from_bytes(8 << 20)), default_to "128m",
            "What each stream with states on disk may take for caches and buffers, apart from the keys of the batches being processed.";
    }
    "Receivers" {
        BLOCK_INTERVAL: Duration, "spark.streaming.blockInterval", MILLIS_ABOVE_ZERO, default_to "200ms",
            "How long a receiver collects records before it cuts a block. A batch has one partition per block.";
        BLOCK_QUEUE_SIZE: usize, "spark.streaming.blockQueueSize", AtLeast(1), default_to "10",
            "How many blocks may wait to be stored before the receiver has to wait.";
        RECEIVER_MAX_RATE: Option<i64>, "spark.streaming.receiver.maxRate", Bound::None, unset_means "unlimited",
            "Records per second that each receiver may take in; 0 or less is unlimited.";
        RECEIVER_MAX_BYTES_RATE: Option<ByteSize>, "dstreams.receiver.maxBytesRate", Above(ByteSize::from_bytes(0)), unset_means "unlimited",
            "Bytes per second that each receiver may take in, as they are stored.";
        RECEIVER_RESTART_DELAY: Duration, "spark.streaming.receiverRestartDelay", MILLIS, default_to "2s",
            "How long a receiver that failed waits before its first restart; it doubles with each further failure.";
        RECEIVER_MAX_RESTART_DELAY: Duration, "dstreams.receiver.maxRestartDelay", MILLIS, default_to "60s",
            "The longest wait between two restarts of a receiver.";
        SOCKET_MAX_LINE_LENGTH: ByteSize, "dstreams.socket.maxLineLength", Above(ByteSize::from_bytes(0)), default_to "1m",
            "The longest line that a text socket accepts.";
        FILE_MIN_REMEMBER_DURATION: Duration, "spark.streaming.fileStream.minRememberDuration", SECONDS_ABOVE_ZERO, default_to "60s",
            "How far back a monitored directory is searched for new files, and how long their names are remembered.";
    }
    "Write ahead logs" {
        RECEIVER_LOG_ENABLE: Option<bool>, "spark.streaming.receiver.writeAheadLog.enable", (), unset_means "true where there is a checkpoint directory",
            "Whether received data is logged in the checkpoint directory before it counts as received.";
        RECEIVER_LOG_ROLLING_INTERVAL: Duration, "spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", SECONDS_ABOVE_ZERO, default_to "60s",
            "After how long the log of a receiver goes on in a new file.";
        RECEIVER_LOG_MAX_FAILURES: usize, "spark.streaming.receiver.writeAheadLog.maxFailures", AtLeast(1), default_to "3",
            "How often a write to the log of a receiver is tried.";
        RECEIVER_LOG_CLOSE_AFTER_WRITE: bool, "spark.streaming.receiver.writeAheadLog.closeFileAfterWrite", (), default_to "false",
            "Whether each record goes to a file of its own, for storage that cannot flush.";
        DRIVER_LOG_ROLLING_INTERVAL: Duration, "spark.streaming.driver.writeAheadLog.rollingIntervalSecs", SECONDS_ABOVE_ZERO, default_to "60s",
            "After how long the log of received blocks and batches goes on in a new file.";
        DRIVER_LOG_MAX_FAILURES: usize, "spark.streaming.driver.writeAheadLog.maxFailures", AtLeast(1), default_to "3",
            "How often a write to the log of received blocks and batches is tried.";
        DRIVER_LOG_CLOSE_AFTER_WRITE: bool, "spark.streaming.driver.writeAheadLog.closeFileAfterWrite", (), default_to "false",
            "Whether each record of that log goes to a file of its own, for storage that cannot flush.";
        DRIVER_LOG_ALLOW_BATCHING: bool, "spark.streaming.driver.writeAheadLog.allowBatching", (), default_to "true",
            "Whether records that wait for that log are written together.";
        DRIVER_LOG_BATCHING_TIMEOUT: Duration, "spark.streaming.driver.writeAheadLog.batchingTimeout", MILLIS_ABOVE_ZERO, default_to "5s",
            "How long a record may wait to be written together with others.";
    }
    "Outputs" {
        SINK_RETRY_TIMEOUT: Option<Duration>, "dstreams.sink.retryTimeout", MILLIS, unset_means "for ever",
            "How long an output tries again when its sink is unavailable before its batch fails.";
    }
    "Backpressure" {
        BACKPRESSURE_ENABLED: bool, "spark.streaming.backpressure.enabled", (), default_to "false",
            "Whether the rate of each source follows what the program can process.";
        BACKPRESSURE_INITIAL_RATE: Option<i64>, "spark.streaming.backpressure.initialRate", Bound::None, unset_means "receivers: their maximum rate; Kafka: unlimited",
            "Records per second before the first estimate, per receiver or per Kafka stream. Receivers keep to it without backpressure too; 0 or less is unset.";
        BACKPRESSURE_RATE_ESTIMATOR: String, "spark.streaming.backpressure.rateEstimator", TextForm::OneOf(&["pid"]), default_to "pid",
            "How the rate is estimated.";
        BACKPRESSURE_PID_PROPORTIONAL: f64, "spark.streaming.backpressure.pid.proportional", AtLeast(0.0), default_to "1.0",
            "Weight of the difference between the last rate and the one processed.";
        BACKPRESSURE_PID_INTEGRAL: f64, "spark.streaming.backpressure.pid.integral", AtLeast(0.0), default_to "0.2",
            "Weight of the records that wait.";
        BACKPRESSURE_PID_DERIVED: f64, "spark.streaming.backpressure.pid.derived", AtLeast(0.0), default_to "0.0",
            "Weight of the change of that difference.";
        BACKPRESSURE_PID_MIN_RATE: f64, "spark.streaming.backpressure.pid.minRate", Above(0.0), default_to "100",
            "The lowest rate that is estimated, in records per second.";
        BACKPRESSURE_MIN_BYTES_RATE: ByteSize, "dstreams.backpressure.minBytesRate", Above(ByteSize::from_bytes(0)), default_to "64k",
            "The lowest rate in bytes per second that is estimated; bytes are limited beside records.";
        BACKPRESSURE_START_RATE: i64, "dstreams.backpressure.startRate", AtLeast(1), default_to "10000",
            "With backpressure, the records per second of each source before the first estimate, where `spark.streaming.backpressure.initialRate` and an earlier run say nothing.";
        BACKPRESSURE_MAX_PENDING: usize, "dstreams.backpressure.maxPendingBatches", AtLeast(2), default_to "3",
            "With backpressure, sources take nothing while so many batches are not complete.";
    }
    "Kafka and Kinesis" {
        KAFKA_MAX_RATE_PER_PARTITION: i64, "spark.streaming.kafka.maxRatePerPartition", AtLeast(0), default_to "0",
            "Records per second that are read from each partition; 0 is unlimited.";
        KAFKA_MIN_RATE_PER_PARTITION: i64, "spark.streaming.kafka.minRatePerPartition", AtLeast(0), default_to "1",
            "Records of each batch that limits leave to each partition.";
        KAFKA_POLL_TIMEOUT: Option<Duration>, "spark.streaming.kafka.consumer.poll.ms", MILLIS_ABOVE_ZERO, unset_means "spark.network.timeout if that is set, else for ever",
            "How long a task waits for the next records of its offsets before it fails.";
        NETWORK_TIMEOUT: Option<Duration>, "spark.network.timeout", SECONDS_ABOVE_ZERO, unset_means "for ever",
            "How long network operations wait that have no limit of their own.";
        KAFKA_CONSUMER_CACHE_ENABLED: bool, "spark.streaming.kafka.consumer.cache.enabled", (), default_to "true",
            "Whether consumers are kept from batch to batch.";
        KAFKA_CONSUMER_CACHE_MAX_CAPACITY: usize, "spark.streaming.kafka.consumer.cache.maxCapacity", AtLeast(1), default_to "64",
            "How many consumers a process keeps.";
        KAFKA_MAX_RECORDS_PER_BATCH: Option<i64>, "dstreams.kafka.maxRecordsPerBatch", AtLeast(1), unset_means "unlimited",
            "Records that a batch takes of a Kafka stream, shared out to its partitions by what waits there.";
        KAFKA_MAX_BYTES_PER_BATCH: Option<ByteSize>, "dstreams.kafka.maxBytesPerBatch", Above(ByteSize::from_bytes(0)), unset_means "unlimited",
            "About how many bytes of keys and values a batch takes of a Kafka stream, by the mean size of the records read so far; 1k each before there are any.";
        KAFKA_MAX_RECORDS_PER_TASK: Option<i64>, "dstreams.kafka.maxRecordsPerTask", AtLeast(1), unset_means "one task per Kafka partition",
            "A partition of which a batch takes more records is read by several tasks.";
        KAFKA_FAIL_ON_DATA_LOSS: bool, "dstreams.kafka.failOnDataLoss", (), default_to "true",
            "Whether records that Kafka has removed before they were read fail the batch; else the gap is counted, with a warning, and the stream goes on after it.";
        KAFKA_COMMIT_OFFSETS: bool, "dstreams.kafka.commitOffsets", (), default_to "true",
            "Whether the offsets of each complete batch are committed to the group of the stream, if it has one.";
        KAFKA_REQUEST_TIMEOUT: Duration, "dstreams.kafka.requestTimeout", MILLIS_ABOVE_ZERO, default_to "10s",
            "How long the making of a batch waits for the brokers before it goes on with what was known before.";
        KAFKA_METADATA_INTERVAL: Duration, "dstreams.kafka.metadataInterval", MILLIS, default_to "10s",
            "How often a Kafka stream looks for new topics and partitions.";
        KAFKA_PREFETCH_MEMORY: ByteSize, "dstreams.kafka.prefetchMemory", AtLeast(ByteSize::from_bytes(1 << 20)), default_to "64m",
            "What the consumers of a Kafka stream may hold of records that no task has asked for yet.";
        KINESIS_RETRY_MAX_ATTEMPTS: usize, "spark.streaming.kinesis.retry.maxAttempts", AtLeast(1), default_to "3",
            "How often a read of a sequence number range is tried.";
        KINESIS_RETRY_WAIT_TIME: Duration, "spark.streaming.kinesis.retry.waitTime", MILLIS, default_to "100ms",
            "How long to wait between two such tries.";
    }
    "Dynamic allocation" {
        DYNAMIC_ALLOCATION_ENABLED: bool, "spark.streaming.dynamicAllocation.enabled", (), default_to "false",
            "Whether the number of executors of a cluster follows the processing time of batches.";
        DYNAMIC_ALLOCATION_MIN_EXECUTORS: Option<usize>, "spark.streaming.dynamicAllocation.minExecutors", AtLeast(1), unset_means "the number of receivers, at least 1",
            "The lowest number of executors.";
        DYNAMIC_ALLOCATION_MAX_EXECUTORS: Option<usize>, "spark.streaming.dynamicAllocation.maxExecutors", AtLeast(1), unset_means "unlimited",
            "The highest number of executors.";
        DYNAMIC_ALLOCATION_SCALING_INTERVAL: Duration, "spark.streaming.dynamicAllocation.scalingInterval", SECONDS_ABOVE_ZERO, default_to "60s",
            "How often the number is reconsidered.";
        DYNAMIC_ALLOCATION_SCALING_UP_RATIO: f64, "spark.streaming.dynamicAllocation.scalingUpRatio", Above(0.0), default_to "0.9",
            "From which ratio of processing time to batch interval on executors are added.";
        DYNAMIC_ALLOCATION_SCALING_DOWN_RATIO: f64, "spark.streaming.dynamicAllocation.scalingDownRatio", Above(0.0), default_to "0.3",
            "Down to which ratio of processing time to batch interval an executor is removed.";
    }
    "Logs" {
        LOG_LEVEL: String, "dstreams.log.level", TextForm::Any, default_to "info",
            "What is logged: a level (error, warn, info, debug, trace), or levels by module, such as `info,my_app=debug`.";
        LOG_FORMAT: String, "dstreams.log.format", TextForm::OneOf(&["text", "json"]), default_to "text",
            "The form of a line.";
        LOG_FILE: Option<String>, "dstreams.log.file", TextForm::Any, unset_means "standard error",
            "The file that is written to. A full or old one is renamed to its name with the time as its suffix.";
        LOG_APPLICATION_FILE: Option<String>, "dstreams.log.applicationFile", TextForm::Any, unset_means "where the engine logs",
            "A file of its own for what the application logs; the other then has what the engine says.";
        LOG_MAX_SIZE: ByteSize, "dstreams.log.maxSize", AtLeast(ByteSize::from_bytes(1024)), default_to "64m",
            "How large a log file may become.";
        LOG_MAX_AGE: Duration, "dstreams.log.maxAge", SECONDS_ABOVE_ZERO, default_to "1d",
            "How long lines go into the same log file.";
        LOG_MAX_TOTAL: ByteSize, "dstreams.log.maxTotal", AtLeast(ByteSize::from_bytes(2048)), default_to "512m",
            "What each log may take with all its files; the oldest are removed.";
    }
    "Alerts" {
        ALERT_SLOW_BATCHES: Option<usize>, "dstreams.alerts.slowBatches", AtLeast(1), unset_means "no alert",
            "After how many batches in a row that take longer than their interval there is an alert; over after as many that do not.";
        ALERT_LAG: Option<i64>, "dstreams.alerts.lag", AtLeast(1), unset_means "no alert",
            "How many records may wait in a source, by what the source tells.";
        ALERT_OLDEST_RECORD: Option<Duration>, "dstreams.alerts.oldestRecord", MILLIS_ABOVE_ZERO, unset_means "no alert",
            "How long a record may wait in a source, by what the source tells.";
        ALERT_NO_INPUT: Option<Duration>, "dstreams.alerts.noInputFor", MILLIS_ABOVE_ZERO, unset_means "no alert",
            "How long a source may give nothing.";
        ALERT_NO_CHECKPOINT: Option<Duration>, "dstreams.alerts.noCheckpointFor", MILLIS_ABOVE_ZERO, unset_means "no alert",
            "How old the last checkpoint may be.";
        ALERT_BATCH_FAILED: bool, "dstreams.alerts.batchFailed", (), default_to "false",
            "Whether there is an alert when a batch fails, or cannot be made or be made durable.";
        ALERT_RECEIVER_DOWN: Option<Duration>, "dstreams.alerts.receiverDownFor", MILLIS_ABOVE_ZERO, unset_means "no alert",
            "How long a receiver may not run, or be started again and again.";
        ALERT_DEAD_LETTERS: Option<f64>, "dstreams.alerts.deadLetters", AtLeast(0.0), unset_means "no alert",
            "Which part of the records of a batch may be dead letters, such as 0.01.";
        ALERT_STOPPED: bool, "dstreams.alerts.stopped", (), default_to "false",
            "Whether there is an alert when the application stops because of an error.";
        ALERT_LOG: bool, "dstreams.alerts.log", (), default_to "true",
            "Whether alerts are written to the log.";
        ALERT_WEBHOOK: Option<String>, "dstreams.alerts.webhook", TextForm::Any, unset_means "none",
            "The address to which alerts are posted as JSON.";
        ALERT_EMAIL_TO: Option<String>, "dstreams.alerts.email.to", TextForm::Any, unset_means "none",
            "The addresses to which alerts are sent, separated by commas.";
        ALERT_EMAIL_FROM: Option<String>, "dstreams.alerts.email.from", TextForm::Any, unset_means "must be set",
            "The address that alerts come from.";
        ALERT_EMAIL_SERVER: String, "dstreams.alerts.email.server", TextForm::Any, default_to "smtp://localhost:25",
            "The server that sends alerts: `smtp://host:25`, `smtp://host:587?tls=required` or `smtps://host`.";
        ALERT_EMAIL_USER: Option<String>, "dstreams.alerts.email.user", TextForm::Any, unset_means "no login",
            "The user of that server.";
        ALERT_EMAIL_PASSWORD: Option<String>, "dstreams.alerts.email.password", TextForm::Any, unset_means "none",
            "The password of that user.";
    }
    "Monitoring" {
        UI_ENABLED: bool, "spark.ui.enabled", (), default_to "true",
            "Whether the web UI and the REST interface are served.";
        UI_PORT: u16, "spark.ui.port", Bound::None, default_to "4040",
            "Port of the web UI; the next free one is taken, 0 takes any.";
        UI_ADDRESS: String, "dstreams.ui.address", TextForm::Any, default_to "127.0.0.1",
            "The IP address that the web UI listens on. Another one than that of this machine itself needs a token.";
        UI_TOKEN: Option<String>, "dstreams.ui.token", TextForm::Any, unset_means "no token",
            "What a request must bring: `Authorization: Bearer TOKEN`, or `?token=TOKEN` once in a browser.";
        PORT_MAX_RETRIES: usize, "spark.port.maxRetries", AtLeast(0), default_to "16",
            "How many ports after `spark.ui.port` are tried when that is taken.";
        UI_RETAINED_BATCHES: usize, "spark.streaming.ui.retainedBatches", AtLeast(1), default_to "1000",
            "How many completed batches are remembered for UI and REST.";
        UI_RETAINED_JOBS: usize, "spark.ui.retainedJobs", AtLeast(1), default_to "1000",
            "How many jobs are remembered for UI and REST.";
        UI_RETAINED_STAGES: usize, "spark.ui.retainedStages", AtLeast(1), default_to "1000",
            "How many stages are remembered for UI and REST.";
        UI_PROMETHEUS_ENABLED: bool, "spark.ui.prometheus.enabled", (), default_to "false",
            "Whether the numbers of executors, of which a program is one, are served at /metrics/executors/prometheus.";
        METRICS_NAMESPACE: Option<String>, "spark.metrics.namespace", TextForm::Any, unset_means "the application id",
            "First part of the name of each metric.";
        METRICS_CONF: Option<String>, "spark.metrics.conf", TextForm::Any, unset_means "no file",
            "A file of the form of metrics.properties, which says where metrics are reported. Its keys may also be given under `spark.metrics.conf.`, such as `spark.metrics.conf.*.sink.csv.class`.";
        EVENT_LOG_ENABLED: bool, "spark.eventLog.enabled", (), default_to "false",
            "Whether what pages and REST show is also kept on disk, for `dstreams history`.";
        EVENT_LOG_DIR: String, "spark.eventLog.dir", TextForm::Any, default_to "/tmp/dstreams-events",
            "The directory that holds a directory per run of an application.";
        EVENT_LOG_MAX_SIZE: ByteSize, "dstreams.eventLog.maxSize", AtLeast(ByteSize::from_bytes(1 << 20)), default_to "256m",
            "How much one run keeps on disk; beyond that its oldest batches go.";
    }
}
