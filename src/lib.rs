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
//! useful on their own. The features `sqlite` and `postgres` add sinks of these names, `kafka` a source and a
//! sink, and `avro`, `json` and `protobuf` formats of records.
#![forbid(unsafe_code)]

pub mod log;

#[cfg(any(feature = "avro", feature = "json", feature = "protobuf"))]
pub use dstreams_formats as formats;
#[cfg(feature = "kafka")]
pub use dstreams_kafka as kafka;
#[cfg(feature = "postgres")]
pub use dstreams_postgres as postgres;
pub use dstreams_rdd as rdd;
#[cfg(feature = "sqlite")]
pub use dstreams_sqlite as sqlite;
pub use dstreams_streaming::{
    self as streaming, Accumulator, Broadcast, Config, DStream, Data, DeadLetter, DeadLetters, Duration,
    Error, FileSink, HashPartitioner, Key, PairOptions, Partitioning, Rdd, RddContext, Rejected, Result,
    Sink, SinkError, StopOptions, StorageLevel, StreamingContext, StreamingListener, Text, Time, Wire,
    get_or_create, run_with, time,
};

/// Runs an application until it fails or is told to stop; its log goes to standard error.
///
/// Reads the configuration (defaults, then the properties file, the environment and the command line, each over those
/// before), builds the graph with `build`, starts it, and returns the error that stopped it. The first SIGINT or
/// SIGTERM processes what has been received and stops; a second one ends the process at once.
///
/// ```no_run
/// dstreams::run("line-count", |ssc| {
///     ssc.text_file_stream("/var/spool/lines").count().print();
///     Ok(())
/// })?;
/// # Ok::<(), dstreams::Error>(())
/// ```
pub fn run(name: &str, build: impl FnOnce(&StreamingContext) -> Result<()>) -> Result<()> {
    log::to_stderr(log::Level::INFO);
    // What `main` returns is shown as a value; this says it in words.
    streaming::run(name, build).inspect_err(|error| tracing::error!("{error}"))
}
