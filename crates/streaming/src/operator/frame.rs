// SPDX-License-Identifier: Apache-2.0
//! The arithmetic of windows: which batches of its parent a window takes in, and which lengths and slides there are.

use dstreams_rdd::{Data, Rdd};

use crate::{
    dstream::DStream,
    error::{Error, Result},
    input::Batches,
    time::{Duration, Interval, Time},
};

/// Windows of one length over a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) length: Duration,
    /// The slide of the parent.
    step: Duration,
}

/// How the window before becomes the present one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// The batches that only the window before has.
    pub(super) left: Interval,
    /// The batches that only the present window has.
    pub(super) entered: Interval,
}

impl Frame {
    /// Windows over `parent`. A length or slide that is not possible is kept as an error of the graph.
    pub(super) fn of<T: Data>(parent: &DStream<T>, length: Duration, slide: Duration) -> Self {
        let of = |step| format!("a multiple of the slide duration of parent DStream ({step})");
        Self::checked(parent, length, slide, "windowed DStream", of)
    }

    /// As [`of`](Self::of), for windows that are made from the window before.
    pub(super) fn of_reduced<T: Data>(parent: &DStream<T>, length: Duration, slide: Duration) -> Self {
        let of = |step| format!("multiple of the slide duration of parent DStream ({step})");
        Self::checked(parent, length, slide, "ReducedWindowedDStream", of)
    }

    fn checked<T: Data>(
        parent: &DStream<T>,
        length: Duration,
        slide: Duration,
        kind: &str,
        multiple: impl Fn(Duration) -> String,
    ) -> Self {
        let step = parent.slide();
        for (what, duration) in [("window", length), ("slide", slide)] {
            let must_be = if !duration.is_positive() {
                "longer than zero".to_owned()
            } else if !duration.is_multiple_of(step) {
                multiple(step)
            } else {
                continue;
            };
            let text = format!("The {what} duration of {kind} ({duration}) must be {must_be}");
            parent.scope().reject(Error::IllegalArgument(text));
        }
        Self { length, step }
    }

    /// The times of the first and the last batch in the window at `time`.
    pub(super) fn at(self, time: Time) -> Interval {
        Interval::new(time - self.length + self.step, time)
    }

    /// What changes from the window at `before` to the one at `time`. Windows that are further apart than they are long
    /// have no batch in common, and those between them belong to neither.
    pub(super) fn shift(self, before: Time, time: Time) -> Shift {
        let (before, present) = (self.at(before), self.at(time));
        Shift {
            left: Interval::new(before.begin, before.end.min(present.begin - self.step)),
            entered: Interval::new(present.begin.max(before.end + self.step), present.end),
        }
    }

    /// The datasets of `parent` in `span`, oldest first; none when the end is before the begin.
    pub(super) fn datasets<T: Data>(
        self,
        parent: &DStream<T>,
        span: Interval,
        batches: &Batches,
    ) -> Result<Vec<Rdd<T>>> {
        let times = span.begin.to(span.end, self.step);
        times.filter_map(|time| parent.rdd_at(time, batches).transpose()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    fn frame(length: i64, step: i64) -> Frame {
        Frame { length: seconds(length), step: seconds(step) }
    }

    fn span(begin: i64, end: i64) -> Interval {
        Interval::new(Time::ZERO + seconds(begin), Time::ZERO + seconds(end))
    }

    #[test]
    fn a_window_has_its_newest_batch_and_not_the_one_a_length_before() {
        assert_eq!(frame(3, 1).at(Time::ZERO + seconds(10)), span(8, 10));
        assert_eq!(frame(4, 2).at(Time::ZERO + seconds(10)), span(8, 10));
    }

    #[test]
    fn overlapping_windows_share_what_neither_leaves_nor_enters() {
        let shift = frame(5, 1).shift(Time::ZERO + seconds(8), Time::ZERO + seconds(10));
        assert_eq!(shift, Shift { left: span(4, 5), entered: span(9, 10) });
    }

    #[test]
    fn windows_that_touch_share_nothing() {
        let shift = frame(2, 1).shift(Time::ZERO + seconds(8), Time::ZERO + seconds(10));
        assert_eq!(shift, Shift { left: span(7, 8), entered: span(9, 10) });
    }

    #[test]
    fn batches_between_windows_belong_to_neither() {
        let shift = frame(2, 1).shift(Time::ZERO + seconds(5), Time::ZERO + seconds(10));
        assert_eq!(shift, Shift { left: span(4, 5), entered: span(9, 10) });
    }
}
