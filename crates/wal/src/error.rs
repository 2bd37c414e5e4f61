// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a log. Clones share their cause, because one failed write may be that of many appends.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The result of an operation on a log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a log failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another writer, in this process or another, has the log open.
    #[error(
        "the log {} is being written by somebody else: close that writer or stop its process, or use another directory",
        dir.display()
    )]
    Locked {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// Another writer has taken over a log on an object store. Nothing that this one appends is in the log any more.
    #[error(
        "the log {} has been taken over by another process, which goes on from where this one was: stop this program, or give each of the two a directory of its own",
        dir.display()
    )]
    TakenOver {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// The writer was closed.
    #[error("the log {} has been closed; open a new writer", dir.display())]
    Closed {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// The record is longer than a frame can hold.
    #[error(
        "a record of {length} bytes is too long for a log; split it into records of at most {limit} bytes"
    )]
    TooLong {
        /// Bytes of the record.
        length: usize,
        /// The most bytes a record may have.
        limit: usize,
    },
    /// There is no room for the records. Nothing of them is in the log.
    #[error(
        "no room for {needed} more bytes in {}: free space there or let the log clean older segments ({cause})",
        dir.display()
    )]
    DiskFull {
        /// The directory of the log.
        dir: PathBuf,
        /// Bytes that were to be written.
        needed: u64,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// A record could not be written, whichever segment was tried.
    #[error("cannot append to the log {}; gave up after {attempts} attempts: {cause}", dir.display())]
    Append {
        /// The directory of the log.
        dir: PathBuf,
        /// How often it was tried.
        attempts: usize,
        /// Why the last attempt failed.
        #[source]
        cause: Arc<Error>,
    },
    /// What a segment holds is not what was written to it.
    #[error("{} is damaged at byte {offset}: {what}", file.display())]
    Corrupt {
        /// The segment.
        file: PathBuf,
        /// Where the damaged frame or header starts.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// One or more segments between two others are gone.
    #[error("the log has lost what was between {} and {}", after.display(), before.display())]
    Missing {
        /// The segment before the gap.
        after: PathBuf,
        /// The segment after the gap.
        before: PathBuf,
    },
    /// A segment of another log is in the directory.
    #[error("{} belongs to another log than the segment before it; move one of them away", file.display())]
    Foreign {
        /// The segment.
        file: PathBuf,
    },
    /// A segment was written by a later version of this program.
    #[error("{} has format version {found}, which this program cannot read; use a newer one", file.display())]
    Version {
        /// The segment.
        file: PathBuf,
        /// The version of the format, or the kind of a frame.
        found: u32,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        cause: Arc<io::Error>,
    },
}

impl Error {
    /// Adds to an error of the system what was tried, and on what.
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, path: path.as_ref().to_owned(), cause: Arc::new(cause) }
    }

    pub(crate) fn corrupt(file: &Path, offset: u64, what: &'static str) -> Self {
        Self::Corrupt { file: file.to_owned(), offset, what }
    }

    /// Whether there was no room on the disk, of which there may be some later.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::DiskFull { .. } => true,
            Self::Io { cause, .. } => is_disk_full(cause),
            Self::Append { cause, .. } => cause.is_disk_full(),
            _ => false,
        }
    }

    /// Whether the file or directory does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

pub(crate) fn is_disk_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
