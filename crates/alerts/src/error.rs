// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with alerts: their configuration, or a notice that could not be sent.

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
    /// The system gave no thread.
    #[error("cannot start a thread for alerts: {0}")]
    Thread(std::io::Error),
}

impl AlertError {
    pub(crate) fn not_sent(to: &str, cause: impl Into<BoxError>) -> Self {
        Self::NotSent { to: to.to_owned(), cause: cause.into() }
    }
}
