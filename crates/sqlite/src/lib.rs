// SPDX-License-Identifier: Apache-2.0
//! SQLite as a sink: the rows of a partition and its identity in one transaction, so that each is there exactly once.
#![forbid(unsafe_code)]

mod commits;
mod error;
mod sink;

pub use rusqlite;
pub use sink::{SqliteSink, SqliteTransaction};
