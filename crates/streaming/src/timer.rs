// SPDX-License-Identifier: Apache-2.0
//! A thread that calls back at every multiple of a period and never skips one.

use std::fmt;
use std::io;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::clock::{Clock, StopFlag, Waited};
use crate::time::{Duration, Time};

/// Calls back at times one period apart, on a thread of its own.
///
/// A callback that is late does not cost one: the missed times are fired back to back. A jump of a manual
/// clock therefore produces every time in between.
///
/// ```
/// use std::sync::Arc;
/// use dstreams_streaming::clock::ManualClock;
/// use dstreams_streaming::time::{Time, milliseconds};
/// use dstreams_streaming::timer::{RecurringTimer, StopTimer};
///
/// let clock = Arc::new(ManualClock::new(Time::ZERO));
/// let timer = RecurringTimer::new("ticks", clock.clone(), milliseconds(100), |_time| {})?.start_at(Time::ZERO)?;
/// clock.await_waiter_for(Time::from_millis(100));
/// assert_eq!(timer.stop(StopTimer::Now), Some(Time::ZERO));
/// # Ok::<(), dstreams_streaming::timer::TimerError>(())
/// ```
#[must_use = "a timer does nothing until it is started"]
pub struct RecurringTimer<F> {
    name: String,
    clock: Arc<dyn Clock>,
    period: Duration,
    callback: F,
}

impl<F: FnMut(Time) + Send + 'static> RecurringTimer<F> {
    /// A timer whose thread bears `name` and calls `callback` every `period` of `clock`.
    pub fn new(
        name: impl Into<String>,
        clock: Arc<dyn Clock>,
        period: Duration,
        callback: F,
    ) -> Result<Self, TimerError> {
        let name = name.into();
        if !period.is_positive() {
            return Err(TimerError::Period { name, period });
        }
        Ok(Self { name, clock, period, callback })
    }

    /// The first multiple of the period strictly after now: where [`start`](Self::start) begins.
    pub fn start_time(&self) -> Time {
        self.restart_time(Time::ZERO)
    }

    /// The first time strictly after now that is a whole number of periods from `original_start`: where a
    /// timer goes on that was started there once.
    pub fn restart_time(&self, original_start: Time) -> Time {
        self.clock.now().next_multiple(self.period, original_start)
    }

    /// Starts with the next multiple of the period as the first callback time.
    pub fn start(self) -> Result<RunningTimer, TimerError> {
        let first = self.start_time();
        self.start_at(first)
    }

    /// Starts with `first` as the first callback time; it may be in the past.
    pub fn start_at(self, first: Time) -> Result<RunningTimer, TimerError> {
        let Self { name, clock, period, mut callback } = self;
        let stopping = Arc::new(Stopping::default());
        let thread = thread::Builder::new().name(name.clone()).spawn({
            let stopping = Arc::clone(&stopping);
            move || run(clock.as_ref(), first, period, &stopping, &mut callback)
        });
        let thread = thread.map_err(|source| TimerError::Spawn { name, source })?;
        Ok(RunningTimer { stopping, thread: Some(thread) })
    }
}

impl<F> fmt::Debug for RecurringTimer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecurringTimer")
            .field("name", &self.name)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// The body of the timer's thread; returns the last time it called back for.
fn run(
    clock: &dyn Clock,
    first: Time,
    period: Duration,
    stopping: &Stopping,
    callback: &mut dyn FnMut(Time),
) -> Option<Time> {
    let mut last = None;
    let mut next = first;
    loop {
        // Read before the wait: a stop that comes during it lets one more tick follow this one.
        let final_tick = stopping.after_next_tick.load(Ordering::Acquire);
        if clock.wait_until(next, &stopping.now) == Waited::Stopped {
            return last;
        }
        callback(next);
        last = Some(next);
        next += period;
        if final_tick {
            return last;
        }
    }
}

/// What a running timer is told about its end.
#[derive(Debug, Default)]
struct Stopping {
    after_next_tick: AtomicBool,
    now: StopFlag,
}

/// How a timer is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopTimer {
    /// The wait is interrupted; a callback that runs is finished and none follows.
    Now,
    /// The wait in progress ends in its callback and one more tick follows, so that nothing which was
    /// collected for it is left behind. The clock has to move for this to come to an end.
    AfterNextTick,
}

/// A timer whose thread runs. Dropping it stops it as [`StopTimer::Now`] does.
#[derive(Debug)]
#[must_use = "a timer stops when it is dropped"]
pub struct RunningTimer {
    stopping: Arc<Stopping>,
    thread: Option<JoinHandle<Option<Time>>>,
}

impl RunningTimer {
    /// Stops the timer and waits for its thread; returns the last time called back for, if there was one.
    ///
    /// # Panics
    ///
    /// With the callback's panic when it panicked.
    pub fn stop(self, how: StopTimer) -> Option<Time> {
        self.request_stop(how);
        self.join()
    }

    /// Tells the timer to stop and does not wait for it.
    pub fn request_stop(&self, how: StopTimer) {
        match how {
            StopTimer::Now => self.stopping.now.raise(),
            StopTimer::AfterNextTick => self.stopping.after_next_tick.store(true, Ordering::Release),
        }
    }

    /// Waits for the end of a timer that was told to stop; returns as [`stop`](Self::stop) does.
    ///
    /// # Panics
    ///
    /// With the callback's panic when it panicked.
    pub fn join(mut self) -> Option<Time> {
        match self.thread.take()?.join() {
            Ok(last) => last,
            Err(panic) => panic::resume_unwind(panic),
        }
    }
}

impl Drop for RunningTimer {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.request_stop(StopTimer::Now);
        // A timer dropped by its own callback cannot wait for itself; its loop ends right after.
        if thread.thread().id() != thread::current().id() {
            // A panic of the callback was reported by the panic hook; a drop has nobody to return it to.
            let _ = thread.join();
        }
    }
}

/// Why a timer could not be made or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimerError {
    /// The period is zero or negative.
    #[error("the period of timer `{name}` is {period}; it must be positive")]
    Period {
        /// Name of the timer.
        name: String,
        /// The period asked for.
        period: Duration,
    },
    /// The operating system gave no thread.
    #[error("cannot start the thread of timer `{name}`")]
    Spawn {
        /// Name of the timer.
        name: String,
        /// The operating system's reason.
        source: io::Error,
    },
}
