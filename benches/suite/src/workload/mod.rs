// SPDX-License-Identifier: Apache-2.0
//! The workloads. Each is one file: the loop that one would write by hand, and the same with streams.

mod grep;
mod word_count;

use dstreams_bench_kit::{Arguments, Report, Result};

type Run = fn(&Arguments) -> Result<Report>;

/// What is computed, by each system of ours.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The loop that any Rust programmer would write, on one thread.
    pub(crate) by_hand: Option<Run>,
    /// The fastest loop we know of, on one thread.
    pub(crate) tuned: Option<Run>,
    /// Streams, on as many worker threads as the system's name says.
    pub(crate) dstreams: Run,
}

pub(crate) const ALL: &[Workload] = &[grep::WORKLOAD, word_count::WORKLOAD];
