// SPDX-License-Identifier: Apache-2.0
//! `Rules`: what is worth an alert, as the configuration says.

use dstreams_streaming::{Config, Duration, config::keys};

/// What is worth an alert; a rule that is unset is off.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// Batches that take longer than their interval, one after the other.
    pub slow_batches: Option<usize>,
    /// More records than this wait in a source.
    pub lag: Option<u64>,
    /// The oldest record that waits in a source is older.
    pub oldest_record: Option<Duration>,
    /// A source has given nothing for so long.
    pub no_input: Option<Duration>,
    /// No checkpoint was written for so long.
    pub no_checkpoint: Option<Duration>,
    /// A batch has failed.
    pub batch_failed: bool,
    /// A receiver does not run for so long.
    pub receiver_down: Option<Duration>,
    /// More than this part of the records of a batch are dead letters.
    pub dead_letters: Option<f64>,
    /// The application has stopped because of an error.
    pub stopped: bool,
}

impl Rules {
    /// The rules of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            slow_batches: config.get(&keys::ALERT_SLOW_BATCHES),
            lag: config.get(&keys::ALERT_LAG).and_then(|lag| u64::try_from(lag).ok()),
            oldest_record: config.get(&keys::ALERT_OLDEST_RECORD),
            no_input: config.get(&keys::ALERT_NO_INPUT),
            no_checkpoint: config.get(&keys::ALERT_NO_CHECKPOINT),
            batch_failed: config.get(&keys::ALERT_BATCH_FAILED),
            receiver_down: config.get(&keys::ALERT_RECEIVER_DOWN),
            dead_letters: config.get(&keys::ALERT_DEAD_LETTERS),
            stopped: config.get(&keys::ALERT_STOPPED),
        }
    }

    /// Whether all are off.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
