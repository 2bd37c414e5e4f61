// SPDX-License-Identifier: Apache-2.0
//! `Encoding`: a way to write values as bytes.

use dstreams_streaming::{BoxError, SinkError};

/// A way to write values as bytes.
pub trait Encoding<T: ?Sized>: Send + Sync {
    /// Appends a value to `out`. What is appended when it fails has no meaning.
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

/// Why a value could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value does not fit the format.
    #[error("a value does not fit the format: {0}")]
    Value(#[source] BoxError),
    /// What it takes cannot be reached now, such as a registry of schemas.
    #[error("{0}")]
    Unavailable(#[source] BoxError),
}

impl EncodeError {
    /// A value that does not fit.
    #[cfg_attr(
        not(any(feature = "avro", feature = "json", feature = "protobuf")),
        expect(dead_code, reason = "the formats that are built in always have a form")
    )]
    pub(crate) fn value(cause: impl Into<BoxError>) -> Self {
        Self::Value(cause.into())
    }
}

/// What cannot be reached is tried again; a value that does not fit fails the batch.
impl From<EncodeError> for SinkError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Unavailable(cause) => Self::unavailable(cause),
            EncodeError::Value(_) => Self::refused(error),
        }
    }
}
