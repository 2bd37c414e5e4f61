// SPDX-License-Identifier: Apache-2.0
//! A clock that stands still until it is moved, for tests and simulations.

use std::thread::{self, Thread};

use parking_lot::{Condvar, Mutex};

use super::{Clock, StopFlag, Waited};
use crate::time::{Duration, Time};

/// A clock that moves only when told to.
///
/// A test advances it and then waits, without sleeping, until the threads it drives have done their work
/// and wait for a later time:
///
/// ```
/// use std::sync::Arc;
/// use dstreams_streaming::clock::{Clock, ManualClock, StopFlag, Waited};
/// use dstreams_streaming::time::{Time, milliseconds};
///
/// let clock = Arc::new(ManualClock::new(Time::ZERO));
/// let sleeper = std::thread::spawn({
///     let clock = Arc::clone(&clock);
///     move || clock.sleep(milliseconds(100), &StopFlag::new())
/// });
/// clock.await_waiters(1);
/// clock.advance(milliseconds(100));
/// assert_eq!(sleeper.join().unwrap(), Waited::Reached);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<State>,
    /// Signalled when a thread begins to wait.
    arrived: Condvar,
}

#[derive(Debug)]
struct State {
    now: Time,
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    target: Time,
    thread: Thread,
}

/// How long a test waits in real time for its threads before it is declared stuck.
const STUCK_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Time) -> Self {
        Self { state: Mutex::new(State { now: start, waiters: Vec::new() }), arrived: Condvar::new() }
    }

    /// Moves the clock forward by `length` and wakes the threads whose time has come.
    pub fn advance(&self, length: Duration) {
        let mut state = self.state.lock();
        let time = state.now + length;
        state.move_to(time);
    }

    /// Sets the clock to `time`, which may be in its past, and wakes the threads whose time has come.
    pub fn set(&self, time: Time) {
        self.state.lock().move_to(time);
    }

    /// Blocks until at least `count` threads wait for a time that the clock has not reached.
    ///
    /// A thread whose time has come no longer counts, even before it runs. After an
    /// [`advance`](Self::advance) this therefore returns only when the threads that were woken have
    /// finished what they had to do and wait again.
    ///
    /// # Panics
    ///
    /// After a minute of real time, so that a test fails instead of hanging.
    pub fn await_waiters(&self, count: usize) {
        self.await_waiting(count, "a later time", |target, now| target > now);
    }

    /// Blocks until at least one thread waits for exactly the time `target`.
    ///
    /// With several threads at different paces this tells them apart: the batch timer waits for the next
    /// batch time, the block generator for the next block.
    ///
    /// # Panics
    ///
    /// After a minute of real time, so that a test fails instead of hanging.
    pub fn await_waiter_for(&self, target: Time) {
        self.await_waiting(1, &target.to_string(), |waiting_for, now| waiting_for == target && target > now);
    }

    fn await_waiting(&self, count: usize, what: &str, counts: impl Fn(Time, Time) -> bool) {
        let mut state = self.state.lock();
        loop {
            let waiting = state.waiters.iter().filter(|waiter| counts(waiter.target, state.now)).count();
            if waiting >= count {
                return;
            }
            let timed_out = self.arrived.wait_for(&mut state, STUCK_AFTER).timed_out();
            assert!(
                !timed_out,
                "{waiting} of {count} threads wait for {what}; the clock is at {}",
                state.now
            );
        }
    }
}

impl Default for ManualClock {
    /// A clock that stands at zero.
    fn default() -> Self {
        Self::new(Time::ZERO)
    }
}

impl State {
    fn move_to(&mut self, time: Time) {
        self.now = time;
        for waiter in self.waiters.iter().filter(|waiter| waiter.target <= time) {
            waiter.thread.unpark();
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        self.state.lock().now
    }

    fn not_before(&self, time: Time) {
        let mut state = self.state.lock();
        if state.now < time {
            state.move_to(time);
        }
    }

    fn wait_until(&self, target: Time, stop: &StopFlag) -> Waited {
        let _registration = stop.register_current_thread();
        let current = thread::current();
        self.state.lock().waiters.push(Waiter { target, thread: current.clone() });
        self.arrived.notify_all();
        let waited = loop {
            if stop.is_raised() {
                break Waited::Stopped;
            }
            if self.now() >= target {
                break Waited::Reached;
            }
            thread::park();
        };
        let mut state = self.state.lock();
        if let Some(place) = state.waiters.iter().position(|waiter| waiter.thread.id() == current.id()) {
            state.waiters.swap_remove(place);
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread::JoinHandle;

    use super::*;
    use crate::time::milliseconds;

    fn waiter(clock: &Arc<ManualClock>, millis: i64, stop: &StopFlag) -> JoinHandle<(Waited, Time)> {
        let (clock, stop) = (Arc::clone(clock), stop.clone());
        thread::spawn(move || (clock.wait_until(Time::from_millis(millis), &stop), clock.now()))
    }

    #[test]
    fn threads_wake_when_their_time_comes_and_not_before() {
        let (clock, stop) = (Arc::new(ManualClock::default()), StopFlag::new());
        let (early, late) = (waiter(&clock, 100, &stop), waiter(&clock, 200, &stop));
        clock.await_waiters(2);
        clock.advance(milliseconds(99));
        clock.await_waiters(2);
        clock.advance(milliseconds(1));
        assert_eq!(early.join().expect("no panic"), (Waited::Reached, Time::from_millis(100)));
        clock.await_waiter_for(Time::from_millis(200));
        clock.set(Time::from_millis(1_000));
        assert_eq!(late.join().expect("no panic"), (Waited::Reached, Time::from_millis(1_000)));
    }

    #[test]
    fn raising_the_flag_ends_only_the_waits_it_was_given_to() {
        let (clock, stop, other) = (Arc::new(ManualClock::default()), StopFlag::new(), StopFlag::new());
        let (stopped, kept) = (waiter(&clock, 100, &stop), waiter(&clock, 100, &other));
        clock.await_waiters(2);
        stop.raise();
        assert_eq!(stopped.join().expect("no panic"), (Waited::Stopped, Time::ZERO));
        clock.await_waiters(1);
        clock.advance(milliseconds(100));
        assert_eq!(kept.join().expect("no panic").0, Waited::Reached);
    }

    #[test]
    fn a_woken_thread_no_longer_counts_as_waiting() {
        let (clock, stop) = (Arc::new(ManualClock::default()), StopFlag::new());
        let thread = thread::spawn({
            let (clock, stop) = (Arc::clone(&clock), stop.clone());
            move || [100, 200].map(|millis| clock.wait_until(Time::from_millis(millis), &stop))
        });
        clock.await_waiters(1);
        clock.advance(milliseconds(100));
        clock.await_waiters(1);
        // Had the first wait been counted, this advance could still find it and leave the second in place.
        clock.advance(milliseconds(100));
        assert_eq!(thread.join().expect("no panic"), [Waited::Reached; 2]);
    }
}
