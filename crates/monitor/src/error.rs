// SPDX-License-Identifier: Apache-2.0
//! Why an application cannot be watched as asked.

use std::{io, path::PathBuf, sync::Arc};

use dstreams_streaming::config::ConfigError;

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an application cannot be watched as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system does not give what it takes.
    #[error("cannot watch the application: {0}")]
    System(#[source] Arc<io::Error>),
    /// The file of `spark.metrics.conf` cannot be read.
    #[error("spark.metrics.conf: {0}")]
    MetricsFile(#[source] Arc<ConfigError>),
    /// The settings of metrics make no sense.
    #[error(transparent)]
    Metrics(#[from] dstreams_metrics::Error),
    /// The event log cannot be written or read.
    #[error("cannot {action} {}: {cause}; check spark.eventLog.dir", path.display())]
    EventLog {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: Arc<io::Error>,
    },
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Self::System(Arc::new(cause))
    }
}

impl From<ConfigError> for Error {
    fn from(cause: ConfigError) -> Self {
        Self::MetricsFile(Arc::new(cause))
    }
}
