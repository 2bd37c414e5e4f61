// SPDX-License-Identifier: Apache-2.0
//! Why a log cannot be begun.

use std::{io, path::PathBuf};

/// Why a log cannot be begun as it is configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A level, or a list of targets with levels, makes no sense.
    #[error(
        "dstreams.log.level is `{text}`: {problem}; give a level such as info, or levels by module such as info,my_app=debug"
    )]
    Level {
        /// What is configured.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A log file cannot be written.
    #[error("the log file {} cannot be written: {cause}; check that its directory exists and may be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// All the files together may not even be as large as one of them.
    #[error(
        "dstreams.log.maxTotal is {total} bytes and dstreams.log.maxSize is {size}: at least two files must fit"
    )]
    Bound {
        /// The bound on all files, in bytes.
        total: u64,
        /// The bound on one file, in bytes.
        size: u64,
    },
}
