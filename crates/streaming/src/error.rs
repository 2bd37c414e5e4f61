// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a stream: building its graph, generating a batch, running one.

use std::sync::Arc;

use dstreams_rdd as rdd;

use crate::{config::ConfigError, state::StateError, time::Time};

/// The result of most calls on a streaming context.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a stream could not be built, started or run. Clones share their cause, since every waiter gets the error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument makes no sense; found when the graph is built or started.
    #[error("{0}")]
    IllegalArgument(String),
    /// The call does not fit the state of the context.
    #[error("{0}")]
    IllegalState(String),
    /// A stream had no dataset at a batch time at which another needs one.
    #[error("{0}")]
    NoRdd(String),
    /// User code that makes a dataset for a batch returned an error or panicked.
    #[error("error generating jobs for time {time}: {cause}")]
    Generation {
        /// The batch.
        time: Time,
        /// What the code said.
        cause: Arc<rdd::BoxError>,
    },
    /// An output of a batch failed.
    #[error("batch {time}: output {output} ({name}): {cause}")]
    Output {
        /// The batch.
        time: Time,
        /// The number of the output in its batch.
        output: usize,
        /// Its name.
        name: String,
        /// What went wrong.
        #[source]
        cause: Box<Error>,
    },
    /// An action on a dataset failed.
    #[error(transparent)]
    Rdd(#[from] rdd::Error),
    /// User code of an output returned an error or panicked.
    #[error("{0}")]
    User(Arc<rdd::BoxError>),
    /// A configuration value.
    #[error(transparent)]
    Config(Arc<ConfigError>),
    /// A receiver or source.
    #[error("{0}")]
    Source(Arc<rdd::BoxError>),
    /// The states of an operator could not be stored or restored.
    #[error(transparent)]
    State(Arc<StateError>),
    /// The system refused something the context cannot run without.
    #[error("cannot {action}: {cause}")]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// What the system said.
        cause: Arc<std::io::Error>,
    },
}

impl Error {
    /// An error of user code.
    pub fn user(error: impl Into<rdd::BoxError>) -> Self {
        Self::User(Arc::new(error.into()))
    }

    /// An error of a source.
    pub fn source(error: impl Into<rdd::BoxError>) -> Self {
        Self::Source(Arc::new(error.into()))
    }

    pub(crate) fn system(action: &'static str, cause: std::io::Error) -> Self {
        Self::System { action, cause: Arc::new(cause) }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(Arc::new(error))
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        Self::State(Arc::new(error))
    }
}
