// SPDX-License-Identifier: Apache-2.0
//! `SystemClock`: the time of the machine, as a time that never goes back.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{Clock, StopFlag, Waited};
use crate::time::{Duration, Time};

/// The clock of the machine. It follows when that is set forward; when that is set back it goes on at its own pace, so
/// that batches neither stand still nor bear the times of earlier ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The longest single sleep. The machine's clock may be set while a thread sleeps; it looks again this often.
const LONGEST_NAP: std::time::Duration = std::time::Duration::from_secs(1);

/// The time, in ms, at which the process would have begun by what the clock has told so far.
static ORIGIN: AtomicI64 = AtomicI64::new(i64::MIN);

impl SystemClock {
    fn wall(self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Time::ZERO + Duration::from(since),
            Err(before) => Time::ZERO - Duration::from(before.duration()),
        }
    }

    /// How long ago the clock was read first, whatever happens to the machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
    fn elapsed(self) -> Duration {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        Duration::from(FIRST.get_or_init(Instant::now).elapsed())
    }

    /// Goes forward to `time` if it is behind that, and tells the time.
    fn at_least(self, time: Time) -> Time {
        let elapsed = self.elapsed();
        let origin = (time - elapsed).as_millis();
        let before = ORIGIN.fetch_max(origin, Ordering::AcqRel);
        Time::from_millis(origin.max(before)) + elapsed
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        self.at_least(self.wall())
    }

    fn not_before(&self, time: Time) {
        let ahead = time - self.now();
        if ahead.is_positive() {
            tracing::warn!(%ahead, "the clock of the machine is behind the last batch; time goes on from there");
            let _now = self.at_least(time);
        }
    }

    fn ahead(&self) -> Duration {
        let wall = self.wall();
        self.at_least(wall) - wall
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
    use crate::time::{milliseconds, seconds};

    #[test]
    fn a_clock_that_is_behind_goes_on_from_where_it_is_set_to() {
        let clock = SystemClock;
        let later = clock.now() + milliseconds(20);
        clock.not_before(later);
        assert!(clock.now() >= later && clock.ahead().is_positive());
        assert_eq!(clock.wait_until(later + milliseconds(1), &StopFlag::new()), Waited::Reached);
    }

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
