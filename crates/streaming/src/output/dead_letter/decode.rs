// SPDX-License-Identifier: Apache-2.0
//! `decode`: what a format makes of records, and where those come from that it can make nothing of.

use std::sync::Arc;

use dstreams_rdd::{BoxError, Data, Text};

use super::Rejected;
use crate::dstream::DStream;

/// A record that holds bytes for a [`Format`], and may know where it comes from.
pub trait Payload {
    /// The bytes.
    fn payload(&self) -> &[u8];

    /// Where the record comes from, such as topic, partition and offset: enough to find it again.
    fn origin(&self) -> Option<String> {
        None
    }
}

impl Payload for Text {
    fn payload(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Payload for String {
    fn payload(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Payload for &str {
    fn payload(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Payload for Vec<u8> {
    fn payload(&self) -> &[u8] {
        self
    }
}

/// A way to read values from bytes.
pub trait Format: Send + Sync + 'static {
    /// What it reads.
    type Value: Data;

    /// Reads a value.
    fn decode(&self, bytes: &[u8]) -> Result<Self::Value, DecodeError>;
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The record is bad, and will always be.
    #[error("{0}")]
    Record(String),
    /// What it takes to read the record cannot be reached now, such as a registry of schemas. The task fails, and with it
    /// the batch if that goes on: a good record must not become a dead letter.
    #[error("{0}")]
    Unavailable(#[source] BoxError),
}

impl DecodeError {
    /// A bad record.
    pub fn record(problem: impl Into<BoxError>) -> Self {
        Self::Record(problem.into().to_string())
    }

    /// Something that may pass.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl<R: Data + Payload> DStream<R> {
    /// What `format` reads from each record, or the record itself with the error and its origin: for
    /// [`dead_letter`](DStream::dead_letter), or for [`ok`](DStream::ok) and [`err`](DStream::err). The crate
    /// `dstreams-formats` has formats.
    ///
    /// ```
    /// use dstreams_streaming::{DecodeError, Format, testing::run_batches};
    /// struct Number;
    /// impl Format for Number {
    ///     type Value = u8;
    ///     fn decode(&self, bytes: &[u8]) -> Result<u8, DecodeError> {
    ///         let text = std::str::from_utf8(bytes).map_err(DecodeError::record)?;
    ///         text.parse().map_err(DecodeError::record)
    ///     }
    /// }
    /// let out = run_batches(vec![vec!["1", "x", "3"]], |lines| lines.decode(Number).ok())?;
    /// assert_eq!(out, [[1, 3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn decode<F: Format>(&self, format: F) -> DStream<Result<F::Value, Rejected>> {
        let format = Arc::new(format);
        self.lift("decode", move |rdd| {
            let format = Arc::clone(&format);
            rdd.try_map(move |record| match format.decode(record.payload()) {
                Ok(value) => Ok(Ok(value)),
                Err(DecodeError::Record(error)) => {
                    Ok(Err(Rejected { origin: record.origin(), ..Rejected::new(record.payload(), error) }))
                }
                Err(DecodeError::Unavailable(cause)) => Err(cause),
            })
        })
    }
}
