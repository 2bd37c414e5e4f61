// SPDX-License-Identifier: Apache-2.0
//! What can go wrong: `Error` for the caller of an action, `TaskError` for what happened inside a task.

use std::{any::Any, fmt, sync::Arc};

use crate::{codec::CodecError, persist::StorageLevel, scheduler::task::TaskId};

/// The result of an action on a dataset.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of user code.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an action on a dataset failed. Clones share their cause.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A task failed as often as it may; the job was given up.
    #[error(transparent)]
    Task(#[from] TaskFailure),
    /// `first`, `reduce`, `max` and `min` of a dataset without records.
    #[error("empty collection")]
    EmptyCollection,
    /// The context was stopped.
    #[error("the RddContext has been stopped; create a new one")]
    Stopped,
    /// An action was called from inside a task.
    #[error(
        "an action was called inside a task; a dataset can only be used on the driver: collect it first and capture the result, or join the two datasets"
    )]
    NestedAction,
    /// An argument makes no sense.
    #[error("{0}")]
    InvalidArgument(String),
    /// There is no room for a block of records at the level that was asked for.
    #[error("Could not store {block} with storage level {level}: {cause}")]
    NotStored {
        /// Which block.
        block: String,
        /// The level.
        level: StorageLevel,
        /// What is in the way.
        cause: Arc<TaskError>,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: String,
        /// What the system said.
        cause: Arc<std::io::Error>,
    },
    /// Output of this name exists and may not be overwritten.
    #[error("output directory {0} already exists; remove it or choose another name")]
    OutputExists(String),
    /// The system refused a thread.
    #[error("cannot start worker threads: {0}")]
    Threads(Arc<std::io::Error>),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl AsRef<std::path::Path>, cause: std::io::Error) -> Self {
        Self::Io { action, path: path.as_ref().display().to_string(), cause: Arc::new(cause) }
    }
}

/// A task that failed for the last allowed time: where, and why.
#[derive(Debug, Clone)]
pub struct TaskFailure {
    /// The operator whose code failed: its name, or its kind and dataset number.
    pub operator: String,
    /// Job, stage, partition and attempt (from 0) of the task.
    pub task: TaskId,
    /// How many attempts were made.
    pub attempts: usize,
    /// What happened.
    pub cause: Arc<TaskError>,
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Job aborted due to stage failure: Task {} in stage {} failed {} times, most recent failure: {}: {}",
            self.task.partition, self.task.stage, self.attempts, self.operator, self.cause
        )
    }
}

impl std::error::Error for TaskFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// What ended a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// User code panicked; the text of the panic.
    #[error("panicked: {0}")]
    Panic(String),
    /// User code returned an error.
    #[error("{0}")]
    User(#[source] BoxError),
    /// The two sides of a `zip` have partitions of different lengths.
    #[error("Can only zip RDDs with same number of elements in each partition")]
    ZipLengths,
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The output of a finished shuffle is gone; the scheduler runs its map stage again.
    #[error("the output of shuffle {0} is missing")]
    ShuffleMissing(u64),
    /// A kept block of records was lost or damaged while it was read; the scheduler tries again, so that it is computed
    /// anew.
    #[error("{block} is lost: {cause}")]
    BlockLost {
        /// Which block.
        block: String,
        /// What is wrong with it.
        cause: BoxError,
    },
    /// The job was given up, because of another task or from outside.
    #[error("cancelled: its job was given up")]
    Cancelled,
    /// Something failed for a reason of its own.
    #[error(transparent)]
    Other(BoxError),
}

impl TaskError {
    pub(crate) fn io(action: &'static str, path: impl AsRef<std::path::Path>, cause: std::io::Error) -> Self {
        Self::Io { action, path: path.as_ref().display().to_string(), cause }
    }

    /// Whether the input of the task has to be made again before another attempt makes sense.
    pub(crate) fn is_missing_input(&self) -> bool {
        matches!(self, Self::ShuffleMissing(_) | Self::BlockLost { .. })
    }

    /// Says which file of records failed.
    pub(crate) fn frames(action: &'static str, path: impl AsRef<std::path::Path>, cause: CodecError) -> Self {
        let cause = match cause {
            CodecError::Io(cause) => cause,
            cause => std::io::Error::new(std::io::ErrorKind::InvalidData, cause),
        };
        Self::io(action, path, cause)
    }

    /// Wraps an error of user code.
    pub fn user(error: impl Into<BoxError>) -> Self {
        Self::User(error.into())
    }
}

/// The message of a caught panic, which is text unless the program called `panic_any`.
///
/// ```
/// let panic = std::panic::catch_unwind(|| panic!("no such word: {}", "foo")).unwrap_err();
/// assert_eq!(dstreams_rdd::panic_text(&*panic), "no such word: foo");
/// ```
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(the panic carries no text)".to_owned())
}
