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
    let (text, shown) = (error.to_string(), shown(&error));
    if text == shown { io::Error::new(kind, error) } else { io::Error::new(kind, shown) }
}

/// What the store says, without signatures in URLs: those of Azure open the container to whoever reads them.
pub(crate) fn shown(error: &Error) -> String {
    const SIGNATURE: &str = "sig=";
    let text = error.to_string();
    let mut parts = text.split(SIGNATURE);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_of_it = |letter: char| letter.is_ascii_alphanumeric() || "%+/=-_.".contains(letter);
        shown.extend([SIGNATURE, "********", part.trim_start_matches(is_of_it)]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_not_shown() {
        let url = "performing POST http://host/container?comp=batch&sig=c7q%2FZw0%3D in 2ms, http://host/?sig=a+b/c=&sp=r";
        let error = || Error::Generic { store: "test", source: url.into() };
        assert!(shown(&error()).ends_with("&sig=******** in 2ms, http://host/?sig=********&sp=r"));
        assert_eq!(to_io(error()).to_string(), shown(&error()));
        let plain = to_io(Error::Generic { store: "test", source: "away".into() });
        assert!(plain.get_ref().is_some_and(|cause| cause.is::<Error>()));
    }
}
