// SPDX-License-Identifier: Apache-2.0
//! The one place where time is read or waited for: the system clock, the manual clock of tests, and the
//! flag that ends a wait early.

mod manual;
mod stop;
mod system;

use std::fmt;

use crate::time::{Duration, Time};

pub use manual::ManualClock;
pub use stop::StopFlag;
pub use system::{SteadyClock, SystemClock};

/// A source of time that can be waited on.
///
/// Everything in the engine that has to do with time takes a clock, so that a [`ManualClock`] runs all of
/// it deterministically.
///
/// ```
/// use dstreams_streaming::clock::{Clock, StopFlag, SystemClock, Waited};
/// use dstreams_streaming::time::{milliseconds, seconds};
///
/// let (clock, stop) = (SystemClock, StopFlag::new());
/// assert_eq!(clock.sleep(milliseconds(1), &stop), Waited::Reached);
/// stop.raise();
/// assert_eq!(clock.sleep(seconds(3600), &stop), Waited::Stopped);
/// ```
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Time;

    /// Blocks the calling thread until the time is `target` or later, or until `stop` is raised.
    ///
    /// Returns at once for a time already reached. A raised flag wins over a reached time, so that
    /// work which lags behind can be stopped too.
    fn wait_until(&self, target: Time, stop: &StopFlag) -> Waited;

    /// Tells no earlier time than `time` from now on, and goes on from there: batches of an earlier process may be later
    /// than what the machine takes for the present. A clock that cannot be moved lets them wait.
    fn not_before(&self, time: Time) {
        let _ = time;
    }

    /// How far it is ahead of the times that the machine gives to files.
    fn ahead(&self) -> Duration {
        Duration::ZERO
    }

    /// Blocks the calling thread for `length`, or until `stop` is raised.
    fn sleep(&self, length: Duration, stop: &StopFlag) -> Waited {
        self.wait_until(self.now() + length, stop)
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a wait that was stopped must not go on as if its time had come"]
pub enum Waited {
    /// The time waited for has come.
    Reached,
    /// The stop flag was raised first.
    Stopped,
}
