// SPDX-License-Identifier: Apache-2.0
//! The log of an application as its configuration wants it: text or JSON, on standard error or in files that roll.
//!
//! ```
//! use dstreams_streaming::Config;
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("orders.log");
//! let mut config = Config::default();
//! config.set("dstreams.log.file", path.to_str().ok_or("a path that is text")?)?;
//! config.set("dstreams.log.format", "json")?;
//! dstreams_logging::start(&config)?;
//! tracing::warn!(orders = 3, "late");
//! let log = std::fs::read_to_string(path)?;
//! assert!(log.contains(r#""message":"late","orders":3"#), "{log}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod roller;
mod subscriber;

use std::sync::Arc;

use dstreams_streaming::{
    Config,
    clock::{Clock, SystemClock},
};

pub use error::LogError;
pub use roller::{Limits, Roller};
pub use tracing::Level;

/// Writes events of `level` and above to standard error, one line each. Does nothing when the program has set a
/// subscriber already.
///
/// ```
/// dstreams_logging::to_stderr(dstreams_logging::Level::WARN);
/// ```
pub fn to_stderr(level: Level) {
    let subscriber = subscriber::on_stderr(level);
    // An error means that there is a subscriber already, which stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Begins the log that the keys under `dstreams.log` ask for. Does nothing when the program has set a subscriber already.
pub fn start(config: &Config) -> Result<(), LogError> {
    if tracing::dispatcher::has_been_set() {
        return Ok(());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // An error means that another thread was faster, whose subscriber stays.
    let _ = tracing::subscriber::set_global_default(subscriber::configured(config, &clock)?);
    Ok(())
}

/// The subscriber that the configuration asks for, for a program that adds layers of its own or does not want it for all
/// threads. Files take their times from `clock`.
pub fn subscriber(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<impl tracing::Subscriber + Send + Sync + use<>, LogError> {
    subscriber::configured(config, clock)
}
