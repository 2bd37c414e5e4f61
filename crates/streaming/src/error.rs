// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a stream: building its graph, generating a batch, running one.

use std::{io, path::PathBuf, sync::Arc};

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
    /// Checkpoints cannot be used as they are, or not be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The states of an operator could not be stored or restored.
    #[error(transparent)]
    State(Arc<StateError>),
    /// The system refused something the context cannot run without.
    #[error("cannot {action}: {cause}")]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// What the system said.
        cause: Arc<io::Error>,
    },
}

/// What is wrong with a checkpoint directory, or with what it holds.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Another process, or another context of this one, works with the directory.
    #[error(
        "the checkpoint directory {} is in use by {holder}; stop that program first, or give this one a directory of its own", dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// Who it is, as far as it said so.
        holder: String,
    },
    /// Another process has taken over a directory on an object store, and goes on from where this one was.
    #[error(
        "the checkpoint directory {} has been taken over by {holder}, which goes on from the last complete batch: this program can record nothing there any more; stop it, or give one of the two a directory of its own", dir.display()
    )]
    TakenOver {
        /// The directory.
        dir: PathBuf,
        /// Who it is, as far as it said so.
        holder: String,
    },
    /// The directory holds the checkpoints of an application of another name.
    #[error(
        "the checkpoint directory {} belongs to the application {theirs:?}, and this is {ours:?}; give this one a directory of its own, or set spark.app.name to {theirs:?} if it is the same application", dir.display()
    )]
    OtherApplication {
        /// The directory.
        dir: PathBuf,
        /// The name that it was made for.
        theirs: String,
        /// The name of this application.
        ours: String,
    },
    /// A later version of this program has written the directory.
    #[error(
        "the checkpoint directory {} has format {found}, and this program knows up to {known}; use the program that wrote it, or a later one", dir.display()
    )]
    Format {
        /// The directory.
        dir: PathBuf,
        /// The format of the directory.
        found: u32,
        /// The latest format that this program knows.
        known: u32,
    },
    /// Something in the directory cannot be read.
    #[error("cannot recover from the checkpoint directory {}: {problem}", dir.display())]
    Unreadable {
        /// The directory.
        dir: PathBuf,
        /// What it is, and what can be done.
        problem: String,
    },
    /// The state of an operator cannot be read as what this program makes of it.
    #[error(
        "the state of operator {operator} cannot be restored: {cause}. A field that was added needs #[serde(default)]; for a state that is not wanted any more give the operator another name"
    )]
    State {
        /// The operator.
        operator: String,
        /// What is wrong.
        cause: Arc<rdd::BoxError>,
    },
    /// The batch interval was changed although batches wait that were made with the one before.
    #[error(
        "the batch interval is {now}, but the checkpoint directory {} holds {pending} batches of {stored} that have not been processed: start once with {stored} and stop gracefully", dir.display()
    )]
    Interval {
        /// The directory.
        dir: PathBuf,
        /// The interval of the batches there.
        stored: crate::Duration,
        /// The interval of this program.
        now: crate::Duration,
        /// How many batches wait.
        pending: usize,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {cause}; {}", path.display(), advice(cause))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// A log could not be written or read.
    #[error(transparent)]
    Log(#[from] dstreams_wal::Error),
}

impl CheckpointError {
    /// Adds to an error of the system what was tried, and on what.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        move |cause| Self::Io { action, path: path.into(), cause: Arc::new(cause) }.into()
    }
}

/// What to do about what the system, or an object store, said of a file or directory.
fn advice(cause: &io::Error) -> &'static str {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match cause.kind() {
        StorageFull | QuotaExceeded => "free space there",
        PermissionDenied => {
            "make sure that the user of this program, or its key for an object store, may read and write there"
        }
        ReadOnlyFilesystem => "use a place that can be written",
        NotFound => "make sure that the place is spelled right and exists",
        _ => "make sure that the place can be reached and written",
    }
}

impl From<dstreams_wal::Error> for Error {
    fn from(error: dstreams_wal::Error) -> Self {
        CheckpointError::from(error).into()
    }
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

    pub(crate) fn system(action: &'static str, cause: io::Error) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_about_the_cause() {
        for (kind, advice) in [
            (io::ErrorKind::StorageFull, "free space"),
            (io::ErrorKind::QuotaExceeded, "free space"),
            (io::ErrorKind::PermissionDenied, "may read and write"),
            (io::ErrorKind::ReadOnlyFilesystem, "can be written"),
            (io::ErrorKind::NotFound, "exists"),
            (io::ErrorKind::Other, "can be reached"),
        ] {
            let said = CheckpointError::io("write", "there")(kind.into()).to_string();
            assert!(said.rsplit("; ").next().is_some_and(|last| last.contains(advice)), "{kind}: {said}");
        }
    }
}
