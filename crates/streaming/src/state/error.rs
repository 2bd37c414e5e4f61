// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with states that are kept: writing them, reading them, and what they look like.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why states could not be stored or read again. Errors that have to do with a file name it and the place in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A key or a state cannot be written: its `Serialize` implementation refuses.
    #[error("a value of type {type_name} cannot be written: {cause}")]
    Encode {
        /// The type in the program.
        type_name: &'static str,
        /// What its implementation said.
        cause: rmp_serde::encode::Error,
    },
    /// The bytes are not a value of the type that the program has now.
    #[error(
        "what is stored is not a value of type {type_name}: {cause}; give a new field `#[serde(default)]`, and do not change the type of one that is kept"
    )]
    Decode {
        /// The type in the program.
        type_name: &'static str,
        /// What does not fit.
        cause: rmp_serde::decode::Error,
    },
    /// As [`Decode`](Self::Decode), for bytes in a file.
    #[error("{}, byte {offset}: {cause}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where the block that has the value begins.
        offset: u64,
        /// What does not fit.
        cause: Box<StateError>,
    },
    /// A file is not what was written to it.
    #[error("{} is damaged at byte {offset}: {problem}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The changes of a batch are not what was logged.
    #[error("the logged changes of a batch are damaged at byte {offset}: {problem}")]
    DamagedChanges {
        /// Where in the record.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The states that are stored cannot be those of this program.
    #[error("{0}")]
    Schema(String),
    /// The database of states on disk.
    #[error("cannot {action} the states in {}: {cause}", .path.display())]
    Database {
        /// What was tried, as a verb.
        action: &'static str,
        /// The directory of the database.
        path: PathBuf,
        /// What the database said.
        cause: fjall::Error,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {cause}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl StateError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_owned(), cause }
    }
}
