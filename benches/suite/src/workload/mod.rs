// SPDX-License-Identifier: Apache-2.0
//! The workloads. Each is one file: the loop that one would write by hand, and the same with streams.

mod empty;
mod files;
mod grep;
mod kafka;
mod nexmark;
mod socket;
mod start;
mod states;
mod top_words;
mod window_join;
mod word_count;
mod yahoo;

use dstreams_bench_kit::{Arguments, Report, Result, text};

type Run = fn(&Arguments) -> Result<Report>;

/// What is computed, by each system of ours.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Makes the files that all systems read.
    pub(crate) input: fn(&Arguments) -> Result<()>,
    /// The loop that any Rust programmer would write, on one thread.
    pub(crate) by_hand: Option<Run>,
    /// The fastest loop we know of, on one thread.
    pub(crate) tuned: Option<Run>,
    /// Streams, on as many worker threads as the system's name says.
    pub(crate) dstreams: Run,
}

pub(crate) const ALL: &[Workload] = &[
    grep::WORKLOAD,
    word_count::WORKLOAD,
    top_words::WORKLOAD,
    states::UPDATE_10K,
    states::UPDATE_1M,
    states::MAP_10K,
    states::MAP_1M,
    states::MAP_1M_DURABLE,
    window_join::WORKLOAD,
    socket::COUNT,
    socket::WORD_COUNT,
    socket::LATENCY,
    files::WORKLOAD,
    kafka::WORKLOAD,
    yahoo::PARSED,
    yahoo::JSON,
    nexmark::QUERIES[0],
    nexmark::QUERIES[1],
    nexmark::QUERIES[2],
    nexmark::QUERIES[3],
    nexmark::QUERIES[4],
    nexmark::QUERIES[5],
    nexmark::QUERIES[6],
    nexmark::QUERIES[7],
    nexmark::QUERIES[8],
    empty::WORKLOAD,
    start::WORKLOAD,
];

/// The input of workloads over lines.
fn lines(arguments: &Arguments) -> Result<()> {
    text::file(arguments).map(drop)
}

/// Workloads whose input is made up in memory have no files.
#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn no_input(_arguments: &Arguments) -> Result<()> {
    Ok(())
}
