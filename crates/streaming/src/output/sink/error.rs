// SPDX-License-Identifier: Apache-2.0
//! `SinkError`: whether trying again later can help, and what to do when it cannot.

use dstreams_rdd::{BoxError, TaskError};

use crate::{error::Error, output::identity::BatchIdentity};

/// Why a sink did not take a partition.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The sink cannot be reached or has no room: tried again until it can, as `dstreams.sink.retryTimeout` says.
    #[error("unavailable: {0}")]
    Unavailable(#[source] BoxError),
    /// The sink will not take these records, however often they are sent.
    #[error("{0}")]
    Refused(#[source] BoxError),
    /// A part of the batch was committed when it had another number of partitions.
    #[error(
        "{batch}: {done} of {then} partitions were written before, and now the batch has {now}; run it with {then} partitions once more, or remove what was written"
    )]
    PartitionsChanged {
        /// Which batch.
        batch: BatchIdentity,
        /// How many partitions the sink has.
        done: usize,
        /// Of how many partitions the batch was then.
        then: usize,
        /// Of how many it is now.
        now: usize,
    },
    /// A sink stopped reading before the end of a partition.
    #[error("{sink} did not take all records of a partition; `write` has to read to the end")]
    RecordsLeft {
        /// Which sink.
        sink: String,
    },
}

impl SinkError {
    /// An error that may pass: the server is down, the connection was lost, the disk is full.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// An error that stays: a record that violates a constraint, a table that does not exist.
    pub fn refused(cause: impl Into<BoxError>) -> Self {
        Self::Refused(cause.into())
    }

    /// Whether it makes sense to try again later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The error of a sink inside the error of a batch.
    pub(super) fn inside(error: &Error) -> Option<&Self> {
        match error {
            Error::User(cause) => cause.downcast_ref(),
            Error::Rdd(dstreams_rdd::Error::Task(failure)) => match &*failure.cause {
                TaskError::User(cause) => cause.downcast_ref(),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A file that cannot be written is tried again: disks are emptied, and file systems mounted again.
impl From<std::io::Error> for SinkError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidFilename, InvalidInput, IsADirectory, NotADirectory};
        match error.kind() {
            InvalidData | InvalidFilename | InvalidInput | IsADirectory | NotADirectory => {
                Self::refused(error)
            }
            _ => Self::unavailable(error),
        }
    }
}
