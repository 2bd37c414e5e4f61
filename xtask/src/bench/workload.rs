// SPDX-License-Identifier: Apache-2.0
//! The table of workloads: what each is, on which systems it runs, and how much of it.

/// What computes a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    /// The loop that any Rust programmer would write.
    Loop,
    /// The fastest loop we know of.
    Tuned,
    /// The loop that appends what it changes to a file, and makes it durable after each batch.
    Durable,
    /// Streams of this project on so many worker threads.
    Dstreams(usize),
    /// Spark Streaming on so many worker threads.
    Spark(usize),
    /// timely with borrowed words on so many workers.
    Timely(usize),
    /// timely with a string for each word.
    TimelyOwned(usize),
    /// renoir with borrowed words on so many workers.
    Renoir(usize),
    /// renoir with a string for each word.
    RenoirOwned(usize),
}

impl System {
    /// The name on the command line of its program.
    pub(super) fn name(self) -> String {
        match self {
            Self::Loop => "loop".to_owned(),
            Self::Tuned => "tuned".to_owned(),
            Self::Durable => "loop-durable".to_owned(),
            Self::Dstreams(threads) => format!("local[{threads}]"),
            Self::Spark(threads) => format!("spark[{threads}]"),
            Self::Timely(threads) => format!("timely[{threads}]"),
            Self::TimelyOwned(threads) => format!("timely-owned[{threads}]"),
            Self::Renoir(threads) => format!("renoir[{threads}]"),
            Self::RenoirOwned(threads) => format!("renoir-owned[{threads}]"),
        }
    }

    /// The most runs that it is given; what is slow is also less in need of many.
    pub(super) fn most_runs(self) -> usize {
        if matches!(self, Self::Spark(_)) { 3 } else { usize::MAX }
    }

    /// The name in the document.
    pub(super) fn title(self) -> String {
        match self {
            Self::Loop => "hand-written loop".to_owned(),
            Self::Tuned => "tuned loop".to_owned(),
            Self::Durable => "durable loop".to_owned(),
            Self::Dstreams(threads) => format!("**dstreams local[{threads}]**"),
            Self::Spark(threads) => format!("Spark Streaming local[{threads}]"),
            Self::Timely(threads) => format!("timely, {threads} workers, borrowed"),
            Self::TimelyOwned(threads) => format!("timely, {threads} workers, owned"),
            Self::Renoir(threads) => format!("renoir, {threads} workers, borrowed"),
            Self::RenoirOwned(threads) => format!("renoir, {threads} workers, owned"),
        }
    }
}

/// One workload.
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// A sentence for the document.
    pub(super) about: &'static str,
    pub(super) systems: &'static [System],
    /// Batches before those that are measured, and how many those are.
    batches: (usize, usize),
    /// The same with `--check`.
    check_batches: (usize, usize),
}

impl Workload {
    /// The options that its programs are given.
    pub(super) fn arguments(&self, scale: f64, check: bool) -> Vec<String> {
        let (warm, batches) = if check { self.check_batches } else { self.batches };
        let arguments = ["--scale", &scale.to_string(), "--warm", &warm.to_string(), "--batches"];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.push(batches.to_string());
        arguments
    }
}

use System::{Dstreams, Loop, Renoir, RenoirOwned, Spark, Timely, TimelyOwned, Tuned};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "grep",
        about: "How many of the 100,000 lines of a batch hold a rare word.",
        systems: &[
            Loop,
            Tuned,
            Dstreams(1),
            Dstreams(2),
            Spark(1),
            Spark(2),
            Timely(1),
            Timely(2),
            Renoir(1),
            Renoir(2),
        ],
        batches: (20, 200),
        check_batches: (1, 3),
    },
    Workload {
        name: "word-count",
        about: "How often each word occurs in the 100,000 lines of a batch. The results are collected.",
        systems: &[
            Loop,
            Tuned,
            Dstreams(1),
            Dstreams(2),
            Spark(1),
            Spark(2),
            Timely(1),
            Timely(2),
            TimelyOwned(1),
            TimelyOwned(2),
            Renoir(1),
            Renoir(2),
            RenoirOwned(1),
            RenoirOwned(2),
        ],
        batches: (10, 20),
        check_batches: (1, 3),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_a_reference() {
        let has_one = |workload: &Workload| matches!(workload.systems.first(), Some(Loop));
        assert!(WORKLOADS.iter().all(has_one));
    }
}
