// SPDX-License-Identifier: Apache-2.0
//! Which errors of SQLite may pass and which stay.

use dstreams_streaming::{BoxError, PoolError, SinkError};
use rusqlite::ErrorCode;

/// An error of SQLite, of the pool or of the program as one of a sink.
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
    match error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
        Some(code) if may_pass(code) => SinkError::unavailable(error),
        _ => SinkError::refused(error),
    }
}

/// Another process has the lock, or the file system is full, read-only or not there: all of that can be mended from
/// outside.
fn may_pass(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
    )
}
