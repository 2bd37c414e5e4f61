// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL as a sink: the rows of a partition by COPY, and its identity in the same transaction.
#![forbid(unsafe_code)]

mod commits;
mod copy;
mod error;
mod sink;

pub use copy::CopyRow;
pub use postgres;
pub use sink::{PostgresSink, PostgresTransaction};
