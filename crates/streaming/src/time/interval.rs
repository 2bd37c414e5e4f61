// SPDX-License-Identifier: Apache-2.0
//! A stretch of time with both ends included.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use super::{Duration, Time};

/// The times from `begin` to `end`, both included.
///
/// A window of one batch therefore has a [`duration`](Self::duration) of zero. Intervals of different
/// length have no order.
///
/// ```
/// use dstreams_streaming::time::{Interval, Time, seconds};
///
/// let window = Interval::new(Time::from_millis(1_000), Time::from_millis(3_000));
/// assert!(window.contains(Time::from_millis(3_000)));
/// assert!(window - seconds(1) < window);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first time that belongs to the interval.
    pub begin: Time,
    /// The last time that belongs to the interval.
    pub end: Time,
}

impl Interval {
    /// The interval from `begin` to `end`, both included.
    pub const fn new(begin: Time, end: Time) -> Self {
        Self { begin, end }
    }

    /// The length between the two ends.
    pub fn duration(self) -> Duration {
        self.end - self.begin
    }

    /// True for a time between the ends or at one of them.
    pub fn contains(self, time: Time) -> bool {
        self.begin <= time && time <= self.end
    }
}

impl PartialOrd for Interval {
    /// The order of the ends; none between intervals of different length.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.duration() == other.duration()).then(|| (self.end, self.begin).cmp(&(other.end, other.begin)))
    }
}

impl Add<Duration> for Interval {
    type Output = Self;

    fn add(self, shift: Duration) -> Self {
        Self::new(self.begin + shift, self.end + shift)
    }
}

impl Sub<Duration> for Interval {
    type Output = Self;

    fn sub(self, shift: Duration) -> Self {
        Self::new(self.begin - shift, self.end - shift)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.begin, self.end)
    }
}
