// SPDX-License-Identifier: Apache-2.0
//! `SystemClock`: the time of the machine, as a time that never goes back.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{Clock, StopFlag, Waited};
use crate::time::{Duration, Time};

/// The clock of the machine, as a [`SteadyClock`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// A clock over one that people set. It follows when that is set forward; when that is set back it goes on at its own
/// pace, so that batches neither stand still nor bear the times of earlier ones.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicI64, Ordering::Relaxed}};
/// use dstreams_streaming::{Time, clock::{Clock, SteadyClock}};
/// let wall = Arc::new(AtomicI64::new(5_000));
/// let clock = SteadyClock::new({
///     let wall = Arc::clone(&wall);
///     move || Time::from_millis(wall.load(Relaxed))
/// });
/// assert!(clock.now() >= Time::from_millis(5_000));
/// wall.store(1_000, Relaxed);
/// assert!(clock.now() >= Time::from_millis(5_000));
/// wall.store(9_000, Relaxed);
/// assert!(clock.now() >= Time::from_millis(9_000));
/// ```
pub struct SteadyClock {
    wall: Box<dyn Fn() -> Time + Send + Sync>,
    /// When the clock was made, whatever happens to the one below.
    first: Instant,
    /// The time, in ms, at which it would have been made by what it has told so far.
    origin: AtomicI64,
}

/// The longest single sleep. The clock may be set while a thread sleeps; it looks again this often.
const LONGEST_NAP: std::time::Duration = std::time::Duration::from_secs(1);

impl SteadyClock {
    /// A clock that follows what `wall` says, as long as that goes forward.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
    pub fn new(wall: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self { wall: Box::new(wall), first: Instant::now(), origin: AtomicI64::new(i64::MIN) }
    }

    /// Goes forward to `time` if it is behind that, and tells the time.
    fn at_least(&self, time: Time) -> Time {
        let elapsed = Duration::from(self.first.elapsed());
        let origin = (time - elapsed).as_millis();
        let before = self.origin.fetch_max(origin, Ordering::AcqRel);
        Time::from_millis(origin.max(before)) + elapsed
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Time {
        self.at_least((self.wall)())
    }

    fn not_before(&self, time: Time) {
        let ahead = time - self.now();
        if ahead.is_positive() {
            tracing::warn!(%ahead, "the clock of the machine is behind the last batch; time goes on from there");
            let _now = self.at_least(time);
        }
    }

    fn ahead(&self) -> Duration {
        let wall = (self.wall)();
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

/// One for the process, so that its contexts agree.
fn machine() -> &'static SteadyClock {
    static CLOCK: OnceLock<SteadyClock> = OnceLock::new();
    CLOCK.get_or_init(|| SteadyClock::new(wall))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
fn wall() -> Time {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Time::ZERO + Duration::from(since),
        Err(before) => Time::ZERO - Duration::from(before.duration()),
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        machine().now()
    }

    fn not_before(&self, time: Time) {
        machine().not_before(time);
    }

    fn ahead(&self) -> Duration {
        machine().ahead()
    }

    fn wait_until(&self, target: Time, stop: &StopFlag) -> Waited {
        machine().wait_until(target, stop)
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
