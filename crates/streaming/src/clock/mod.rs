// SPDX-License-Identifier: Apache-2.0
//! The one place where time is read or waited for: the system clock, the manual clock of tests, and the
//! flag that ends a wait early.

mod manual;
mod stop;

use std::fmt;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{Duration, Time};

pub use manual::ManualClock;
pub use stop::StopFlag;

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

/// The wall clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The longest single sleep. The wall clock may be set while a thread sleeps; it looks again this often.
const LONGEST_NAP: std::time::Duration = std::time::Duration::from_secs(1);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
    fn now(&self) -> Time {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Time::ZERO + Duration::from(since),
            Err(before) => Time::ZERO - Duration::from(before.duration()),
        }
    }

    fn wait_until(&self, target: Time, stop: &StopFlag) -> Waited {
        let _registration = stop.register_current_thread();
        loop {
            if stop.is_raised() {
                return Waited::Stopped;
            }
            let left = target - self.now();
            if !left.is_positive() {
                return Waited::Reached;
            }
            thread::park_timeout(left.to_std().min(LONGEST_NAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    #[test]
    fn a_past_time_is_reached_at_once() {
        let clock = SystemClock;
        assert_eq!(clock.wait_until(clock.now() - seconds(1), &StopFlag::new()), Waited::Reached);
    }

    #[test]
    fn a_wait_is_not_over_before_its_time() {
        let clock = SystemClock;
        let target = clock.now() + Duration::from_millis(5);
        assert_eq!(clock.wait_until(target, &StopFlag::new()), Waited::Reached);
        assert!(clock.now() >= target);
    }

    #[test]
    fn raising_the_flag_ends_the_longest_wait() {
        let stop = StopFlag::new();
        let waiter = thread::spawn({
            let stop = stop.clone();
            move || SystemClock.sleep(Duration::MAX, &stop)
        });
        stop.raise();
        assert_eq!(waiter.join().expect("the waiter does not panic"), Waited::Stopped);
    }

    #[test]
    fn a_raised_flag_wins_over_a_reached_time() {
        let stop = StopFlag::new();
        stop.raise();
        assert_eq!(SystemClock.wait_until(Time::ZERO, &stop), Waited::Stopped);
    }
}
