// SPDX-License-Identifier: Apache-2.0
//! What a store says, as errors of input and output: which of them pass, and of what kind they are.

use std::io;

use object_store::Error;

/// Whether it may be otherwise a little later: the store does not answer, or says that it cannot just now.
pub(crate) fn passes(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}

pub(crate) fn to_io(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::AlreadyExists { .. } | Error::Precondition { .. } => io::ErrorKind::AlreadyExists,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        Error::NotSupported { .. } | Error::NotImplemented { .. } => io::ErrorKind::Unsupported,
        Error::InvalidPath { .. } => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
