// SPDX-License-Identifier: Apache-2.0
//! Something that is told again and again: the last of it, and a number of it over time.

use std::collections::VecDeque;

use dstreams_streaming::Time;

/// A number over time, the oldest first, no more than a limit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    points: VecDeque<(Time, u64)>,
}

/// What was told last, and how a number of it has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Told<T> {
    /// What was told last.
    pub last: T,
    /// The number over time.
    pub history: Series,
}

impl Series {
    /// Adds a point; the oldest goes when there are more than `limit`.
    pub(super) fn push(&mut self, time: Time, value: u64, limit: usize) {
        if self.points.len() >= limit {
            self.points.pop_front();
        }
        self.points.push_back((time, value));
    }

    /// The points, the oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = (Time, u64)> {
        self.points.iter().copied()
    }

    /// By how much the number has grown per minute between the first and the last point.
    pub fn per_minute(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.points.front()?, self.points.back()?);
        let minutes = (*to - *from).as_millis() as f64 / 60_000.0;
        (minutes > 0.0).then(|| (*after as f64 - *before as f64) / minutes)
    }
}
