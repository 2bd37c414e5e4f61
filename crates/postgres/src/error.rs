// SPDX-License-Identifier: Apache-2.0
//! Which errors of PostgreSQL may pass and which stay.

use std::error::Error as _;

use dstreams_streaming::{BoxError, PoolError, SinkError};
use postgres::{Error, error::SqlState};

/// Classes and codes that say: later, or somewhere else, this would have worked.
const MAY_PASS: &[&str] = &[
    "08",    // connection exceptions
    "53",    // insufficient resources: disk full, too many connections
    "57P",   // shut down, crashed, cannot connect now
    "40001", // serialization failure
    "40P01", // deadlock
    "55P03", // lock not available
    "25006", // the server is read-only: a standby before it is promoted
    "58030", // I/O error of the server
];

/// An error of PostgreSQL, of the pool or of the program as one of a sink.
pub(crate) fn sink_error(error: impl Into<BoxError>) -> SinkError {
    let error = match error.into().downcast::<PoolError>() {
        Ok(pool) => match *pool {
            PoolError::Connect(cause) => cause,
            // All connections are in use; one will be free.
            exhausted => return SinkError::unavailable(exhausted),
        },
        Err(error) => error,
    };
    let error = match error.downcast::<SinkError>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let error = match error.downcast::<std::io::Error>() {
        // COPY wraps what the server says.
        Ok(error) => match error.downcast::<Error>() {
            Ok(error) => Box::new(error) as BoxError,
            Err(error) => return SinkError::unavailable(error),
        },
        Err(error) => error,
    };
    match error.downcast_ref::<Error>() {
        Some(postgres) if may_pass(postgres) => SinkError::unavailable(Described::of(postgres)),
        Some(postgres) => SinkError::refused(Described::of(postgres)),
        None => SinkError::refused(error),
    }
}

fn may_pass(error: &Error) -> bool {
    match error.code().map(SqlState::code) {
        Some(code) => MAY_PASS.iter().any(|prefix| code.starts_with(prefix)),
        // Without an answer of the server: the connection was refused, lost or timed out.
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()),
    }
}

/// What the server says, in one line: the error itself leaves it to its cause.
#[derive(Debug)]
struct Described(String);

impl Described {
    fn of(error: &Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            return Self(format!("{error}{cause}"));
        };
        let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        Self(format!("{} {}: {}{detail}", said.severity(), said.code().code(), said.message()))
    }
}

impl std::fmt::Display for Described {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Described {}
