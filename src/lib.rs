// SPDX-License-Identifier: Apache-2.0
//! Discretized streams: the model of Spark Streaming as a Rust library.
//!
//! A stream is a sequence of small batches, each batch a partitioned dataset, and every operation on a stream is an
//! operation on each of its datasets. A program is one function that builds the graph:
//!
//! ```no_run
//! fn main() -> dstreams::Result<()> {
//!     dstreams::run("network-word-count", |ssc| {
//!         ssc.socket_text_stream("localhost:9999")
//!             .flat_map(|line| line.words())
//!             .map(|word| (word, 1u64))
//!             .reduce_by_key(|a, b| a + b)
//!             .print();
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`streaming`] holds streams, sources, outputs and the test kit; [`rdd`] holds the datasets under them, which are
//! useful on their own. The features `sqlite` and `postgres` add sinks of these names, `kafka` a source and a sink, `avro`,
//! `json` and `protobuf` formats of records; `object-store` lets checkpoint directories be on S3, Google Cloud Storage and
//! Azure, `web` adds pages that show what a program does, `otlp` sends its metrics to OpenTelemetry, and `alerts` tells
//! people when something is wrong.
#![forbid(unsafe_code)]

mod alerted;
pub mod exit;
pub mod log;
mod watched;

#[cfg(feature = "alerts")]
pub use dstreams_alerts as alerts;
#[cfg(any(feature = "avro", feature = "json", feature = "protobuf"))]
pub use dstreams_formats as formats;
#[cfg(feature = "kafka")]
pub use dstreams_kafka as kafka;
#[cfg(feature = "web")]
pub use dstreams_metrics as metrics;
#[cfg(feature = "web")]
pub use dstreams_monitor as monitor;
#[cfg(feature = "object-store")]
pub use dstreams_objects as objects;
#[cfg(feature = "postgres")]
pub use dstreams_postgres as postgres;
pub use dstreams_rdd as rdd;
#[cfg(feature = "sqlite")]
pub use dstreams_sqlite as sqlite;
pub use dstreams_streaming::{
    self as streaming, Accumulator, Broadcast, Config, DStream, Data, DeadLetter, DeadLetters, Duration,
    Error, FileSink, HashPartitioner, Key, PairOptions, Partitioning, Rdd, RddContext, Rejected, Result,
    Sink, SinkError, StopOptions, StorageLevel, StreamingContext, StreamingListener, Text, Time, Wire, time,
};
#[cfg(feature = "web")]
pub use dstreams_web as web;
#[cfg(feature = "web")]
pub use watched::Watched;
#[cfg(not(feature = "web"))]
use watched::Watched;

/// Runs an application until it fails or is told to stop; its log goes to standard error, or where `dstreams.log.file` says.
///
/// Reads the configuration (defaults, then the properties file, the environment and the command line, each over those
/// before), builds the graph with `build`, starts it, and returns the error that stopped it. The first SIGINT or
/// SIGTERM processes what has been received and stops; a second one ends the process at once. With the feature `web`
/// there are pages to watch it, at <http://127.0.0.1:4040> unless `spark.ui.port` says otherwise.
///
/// ```no_run
/// dstreams::run("line-count", |ssc| {
///     ssc.text_file_stream("/var/spool/lines").count().print();
///     Ok(())
/// })?;
/// # Ok::<(), dstreams::Error>(())
/// ```
pub fn run(name: &str, build: impl FnOnce(&StreamingContext) -> Result<()>) -> Result<()> {
    // Until the program has ended: then its last alerts are sent.
    let mut alerts = alerted::Alerted::default();
    let mut watched = Watched::default();
    register_storages();
    let whole = |ssc: &StreamingContext| {
        log::start(ssc.config()).map_err(Error::user)?;
        build(ssc)?;
        alerts.start(ssc)?;
        watched.start(ssc)
    };
    streaming::run(name, whole).inspect_err(|error| {
        // What `main` returns is shown as a value; this says it in words, also where there is no configuration yet.
        log::to_stderr(log::Level::INFO);
        tracing::error!("{error}");
    })
}

/// As [`run`], with a configuration that has been read already, and without a word on standard error.
pub fn run_with(config: Config, build: impl FnOnce(&StreamingContext) -> Result<()>) -> Result<()> {
    register_storages();
    let mut alerts = alerted::Alerted::default();
    let mut watched = Watched::default();
    streaming::run_with(config, |ssc| {
        build(ssc)?;
        alerts.start(ssc)?;
        watched.start(ssc)
    })
}

/// A context with `directory` as its checkpoint directory, built by `build`: see
/// [`streaming::get_or_create`].
pub fn get_or_create(
    directory: &str,
    config: Config,
    build: impl FnOnce(&StreamingContext) -> Result<()>,
) -> Result<StreamingContext> {
    register_storages();
    streaming::get_or_create(directory, config, build)
}

/// Has checkpoint directories be on the object stores that this build knows.
fn register_storages() {
    #[cfg(feature = "object-store")]
    objects::register();
}
