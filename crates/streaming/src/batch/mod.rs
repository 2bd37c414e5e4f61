// SPDX-License-Identifier: Apache-2.0
//! The life of a batch: its time comes, its input is fixed, its jobs run, it is forgotten.

pub(crate) mod committer;
pub(crate) mod generator;
pub(crate) mod keeper;
pub(crate) mod progress;
pub(crate) mod runner;
pub(crate) mod tally;

use crate::time::Time;

/// What is logged inside of it carries the time of the batch.
pub(crate) fn batch_span(time: Time) -> tracing::Span {
    // Of the highest level and with a target of its own: no filter that lets a line pass leaves it out.
    tracing::error_span!(target: "dstreams_batch", "batch", time = time.as_millis())
}
