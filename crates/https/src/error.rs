// SPDX-License-Identifier: Apache-2.0
//! Addresses that make no sense, and what to do about certificates that are not trusted.

use std::{error::Error, io};

/// An address is neither one of HTTP nor one of HTTPS. It is not part of the text, as it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must begin with http:// or https://")]
pub struct AddressError;

/// What the user should do about an error of a request to `url`, if it is about a certificate.
pub fn advice(url: &str, error: &(dyn Error + 'static)) -> Option<&'static str> {
    if !is_about_a_certificate(error) {
        return None;
    }
    let plain = url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http:"));
    Some(if plain {
        "the server sends on to an address with https://: give that one"
    } else {
        "add the authority that has signed its certificate to those of the system, or set SSL_CERT_FILE to a file with the \
         certificate of that authority"
    })
}

/// Whether the certificate of the other side was refused.
pub fn is_about_a_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        // What an I/O error holds is not its source, but itself.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(held) => Some(held),
            None => match error.downcast_ref() {
                Some(ureq::Error::Io(held)) => Some(held),
                _ => error.source(),
            },
        };
    }
    false
}
