// SPDX-License-Identifier: Apache-2.0
//! The log of a program on standard error, for programs that have no `tracing` subscriber of their own.

pub use tracing::Level;

/// Writes events of `level` and above to standard error, one line each. Does nothing when the program has set a
/// subscriber already.
///
/// ```
/// dstreams::log::to_stderr(dstreams::log::Level::WARN);
/// ```
pub fn to_stderr(level: Level) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_writer(std::io::stderr)
        // A closed standard error (`2>&1 | head`) must not make every thread panic that has something to say.
        .log_internal_errors(false);
    // An error means that there is a subscriber already, which stays.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
}
