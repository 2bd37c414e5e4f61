// SPDX-License-Identifier: Apache-2.0
//! Points in time, lengths of time and intervals, all in whole milliseconds.
//!
//! Arithmetic saturates at the ends of the 64-bit range: it never wraps and never panics.

mod duration;
mod interval;

use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

pub use duration::{Duration, ParseDurationError, TimeUnit, milliseconds, minutes, seconds};
pub use interval::Interval;

/// A point in time: milliseconds since the Unix epoch, or since zero on a manual clock.
///
/// Shown as `"<ms> ms"`, stored by serde as the plain number.
///
/// ```
/// use dstreams_streaming::time::{Time, milliseconds, seconds};
///
/// let batch = Time::from_millis(1_350).floor(milliseconds(200));
/// assert_eq!(batch, Time::from_millis(1_200));
/// assert_eq!((batch + seconds(1)).to_string(), "2200 ms");
/// assert_eq!(batch - Time::from_millis(200), seconds(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// Zero milliseconds: the Unix epoch, and where a manual clock usually starts.
    pub const ZERO: Self = Self(0);

    /// The point `millis` milliseconds after zero.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since zero.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// True when this point is a whole number of `step`s away from zero; false for a zero `step`.
    pub const fn is_multiple_of(self, step: Duration) -> bool {
        Duration::from_millis(self.0).is_multiple_of(step)
    }

    /// The last multiple of `step` that is not after this point; for a time before zero, the first
    /// that is not before it. A zero `step` leaves the time as it is.
    #[must_use]
    pub fn floor(self, step: Duration) -> Self {
        self.floor_from(step, Self::ZERO)
    }

    /// As [`floor`](Self::floor), with multiples counted from `zero` instead of the epoch.
    #[must_use]
    pub fn floor_from(self, step: Duration, zero: Self) -> Self {
        // The remainder truncates toward zero as the division does, so times before `zero` move up to it.
        let since = self - zero;
        self - Duration::from_millis(since.as_millis().checked_rem(step.as_millis()).unwrap_or(0))
    }

    /// The first multiple of `step`, counted from `zero`, that is strictly after this point.
    ///
    /// This is where a stream of batches starts: also when now is itself a multiple, the first batch
    /// comes one interval later. A `step` that is not positive leaves the time as it is.
    ///
    /// ```
    /// use dstreams_streaming::time::{Time, seconds};
    ///
    /// assert_eq!(Time::from_millis(7_000).next_multiple(seconds(1), Time::ZERO), Time::from_millis(8_000));
    /// ```
    #[must_use]
    pub fn next_multiple(self, step: Duration, zero: Self) -> Self {
        if !step.is_positive() {
            return self;
        }
        let past = (self - zero).as_millis().rem_euclid(step.as_millis());
        self - Duration::from_millis(past) + step
    }

    /// The times from this one on, `step` apart, that are before `end`. Empty unless `step` is positive.
    pub fn until(self, end: Self, step: Duration) -> Times {
        Times { next: Some(self), end, inclusive: false, step }
    }

    /// The times from this one on, `step` apart, up to `end`, which belongs to them when it is hit
    /// exactly. Empty unless `step` is positive.
    ///
    /// ```
    /// use dstreams_streaming::time::{Time, milliseconds};
    ///
    /// let times: Vec<i64> =
    ///     Time::ZERO.to(Time::from_millis(200), milliseconds(100)).map(Time::as_millis).collect();
    /// assert_eq!(times, [0, 100, 200]);
    /// ```
    pub fn to(self, end: Self, step: Duration) -> Times {
        Times { next: Some(self), end, inclusive: true, step }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(length.as_millis()))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length.as_millis()))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, length: Duration) {
        *self = *self + length;
    }
}

/// Times at equal steps; see [`Time::until`] and [`Time::to`].
#[derive(Debug, Clone)]
pub struct Times {
    next: Option<Time>,
    end: Time,
    inclusive: bool,
    step: Duration,
}

impl Iterator for Times {
    type Item = Time;

    fn next(&mut self) -> Option<Time> {
        let time = self.next.take()?;
        let within = if self.inclusive { time <= self.end } else { time < self.end };
        if !within || !self.step.is_positive() {
            return None;
        }
        // Past the end of the range there is no further time: a saturated one would repeat for ever.
        self.next = time.0.checked_add(self.step.as_millis()).map(Time);
        Some(time)
    }
}

impl FusedIterator for Times {}
