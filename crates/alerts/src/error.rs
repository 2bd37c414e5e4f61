// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with alerts: their configuration, or a notice that could not be sent.

use dstreams_https::is_about_a_certificate;

/// The error of a third party.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why alerts cannot be begun, or a notice was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlertError {
    /// A key makes no sense.
    #[error("{key} is `{value}`: {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// Its value; not that of a password.
        value: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// A notice was not sent.
    #[error("the alert was not sent to {to}: {cause}")]
    NotSent {
        /// Where it should have gone.
        to: String,
        /// Why it has not.
        cause: BoxError,
    },
    /// A notice was not sent, since nobody vouches for the other side.
    #[error(
        "the alert was not sent to {to}, whose certificate is not trusted ({cause}): add the authority that has signed it \
         to those of the system, or set SSL_CERT_FILE to a file with its certificate"
    )]
    NotTrusted {
        /// Where it should have gone.
        to: String,
        /// What is wrong with the certificate.
        cause: BoxError,
    },
    /// The system gave no thread.
    #[error("cannot start a thread for alerts: {0}")]
    Thread(std::io::Error),
}

impl AlertError {
    pub(crate) fn not_sent(to: &str, cause: impl Into<BoxError>) -> Self {
        let (to, cause) = (to.to_owned(), cause.into());
        if is_about_a_certificate(&*cause) {
            Self::NotTrusted { to, cause }
        } else {
            Self::NotSent { to, cause }
        }
    }
}
