// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with the settings of metrics, and with sinks.

use std::{io, path::PathBuf, sync::Arc};

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Why metrics cannot be reported as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key is not one of a sink or source.
    #[error("{key}: a key of metrics has the form INSTANCE.sink.NAME.OPTION, such as *.sink.csv.period")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A sink has no class.
    #[error("the metrics sink {sink} has no class: set {sink}.class, such as to GraphiteSink")]
    NoClass {
        /// The sink, as far as its keys name it.
        sink: String,
    },
    /// The class of a sink is none of those that are here.
    #[error(
        "{key} is {class}, which is no sink here: use ConsoleSink, CsvSink, Slf4jSink, GraphiteSink, GangliaSink, StatsdSink, OtlpSink, MetricsServlet or PrometheusServlet"
    )]
    UnknownClass {
        /// The key.
        key: String,
        /// Its value.
        class: String,
    },
    /// An option of a sink is missing or makes no sense.
    #[error("{key}: {problem}")]
    BadOption {
        /// The key.
        key: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// The directory of a CSV sink cannot be used.
    #[error("cannot write metrics to {}: {cause}; check that the directory may be written", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: Arc<io::Error>,
    },
}
