// SPDX-License-Identifier: Apache-2.0
//! The table of workloads: what each is, on which systems it runs, and how much of it.

/// What computes a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    /// The loop that any Rust programmer would write.
    Loop,
    /// The fastest loop we know of.
    Tuned,
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
            Self::Dstreams(threads) => format!("local[{threads}]"),
            Self::Spark(threads) => format!("spark[{threads}]"),
            Self::Timely(threads) => format!("timely[{threads}]"),
            Self::TimelyOwned(threads) => format!("timely-owned[{threads}]"),
            Self::Renoir(threads) => format!("renoir[{threads}]"),
            Self::RenoirOwned(threads) => format!("renoir-owned[{threads}]"),
        }
    }

    /// Whether it is another engine.
    pub(super) fn is_peer(self) -> bool {
        !matches!(self, Self::Loop | Self::Tuned | Self::Dstreams(_))
    }

    /// The name in the document.
    pub(super) fn title(self) -> String {
        match self {
            Self::Loop => "hand-written loop".to_owned(),
            Self::Tuned => "tuned loop".to_owned(),
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
    /// What is told of it.
    pub(super) figures: Figures,
    /// Batches before those that are measured, and how many those are.
    batches: (usize, usize),
    /// The same with `--check`.
    check_batches: (usize, usize),
    /// Milliseconds between two batches, where it runs in real time.
    interval: u32,
    /// Whether it reads from Apache Kafka.
    pub(super) needs_broker: bool,
}

/// What is told of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figures {
    /// Records per second, and all that belongs to them.
    Throughput,
    /// How long a batch takes.
    PerBatch,
    /// How long it takes from the start of the program.
    Start,
    /// Percentiles of latency, with half of the records per second that this workload has given before.
    Latency { of: &'static str },
}

impl Workload {
    /// The name that its programs know: what comes after a slash tells only how it is run.
    pub(super) fn program_name(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(name, _)| name)
    }

    /// The options that its programs are given.
    pub(super) fn arguments(&self, scale: f64, check: bool) -> Vec<String> {
        let (warm, batches) = if check { self.check_batches } else { self.batches };
        let options = [
            ("--scale", scale.to_string()),
            ("--warm", warm.to_string()),
            ("--batches", batches.to_string()),
            ("--interval", self.interval.to_string()),
        ];
        options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

use System::{Dstreams, Loop, Renoir, RenoirOwned, Spark, Timely, TimelyOwned, Tuned};

/// Systems of most workloads.
const USUAL: &[System] = &[Loop, Dstreams(1), Dstreams(2), Spark(1), Spark(2)];

/// Systems of workloads with a receiver. It takes up one of Spark's threads, so that one alone never processes anything.
const WITH_RECEIVER: &[System] = &[Loop, Dstreams(1), Dstreams(2), Spark(2)];

/// The same where no loop has anything to be compared with.
const ENGINES_WITH_RECEIVER: &[System] = &[Dstreams(1), Dstreams(2), Spark(2)];

/// Systems of workloads that no loop has anything to be compared with.
const ENGINES: &[System] = &[Dstreams(1), Dstreams(2), Spark(1), Spark(2)];

const BASE: Workload = Workload {
    name: "",
    about: "",
    systems: USUAL,
    figures: Figures::Throughput,
    batches: (10, 40),
    check_batches: (2, 2),
    interval: 100,
    needs_broker: false,
};

/// A query of `NEXMark`. With the last batch the number of batches is a multiple of the window's five.
const fn nexmark(name: &'static str, about: &'static str) -> Workload {
    Workload { name, about, batches: (10, 49), ..BASE }
}

/// Lines at half of the maximum rate for ten seconds, after two that do not count.
const fn latency(name: &'static str, about: &'static str, interval: u32) -> Workload {
    let figures = Figures::Latency { of: "socket-word-count" };
    Workload { name, about, systems: ENGINES_WITH_RECEIVER, figures, batches: (2, 9), interval, ..BASE }
}

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
        ..BASE
    },
    Workload {
        name: "word-count",
        about: "How often each word occurs in the 100,000 lines of a batch. All counts are collected.",
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
        ..BASE
    },
    Workload {
        name: "top-words",
        about: "The ten most frequent words of the last 30 batches of 20,000 lines, with an inverse function.",
        batches: (35, 40),
        check_batches: (32, 2),
        ..BASE
    },
    Workload {
        name: "update-state-10k",
        about: "A running count for each of 10,000 words; a batch of 10,000 words touches 100 of them, and \
                `update_state_by_key` visits all.",
        batches: (20, 200),
        ..BASE
    },
    Workload {
        name: "update-state-1m",
        about: "The same with a million words, of which a batch touches 10,000.",
        batches: (5, 15),
        ..BASE
    },
    Workload {
        name: "map-with-state-10k",
        about: "As update-state-10k with `map_with_state`, which visits what is touched. Checkpoints are in memory.",
        batches: (20, 500),
        ..BASE
    },
    Workload {
        name: "map-with-state-1m",
        about: "As update-state-1m with `map_with_state`. Checkpoints are in memory.",
        batches: (20, 200),
        ..BASE
    },
    Workload {
        name: "map-with-state-1m-durable",
        about: "The same with checkpoints on a disk. The loop appends the words that it has touched to a file, and \
                waits once per batch until the disk has them.",
        batches: (20, 200),
        ..BASE
    },
    Workload {
        name: "window-join",
        about: "Impressions and clicks, 10,000 of each per batch, joined over the last ten batches. All pairs are \
                collected.",
        batches: (12, 40),
        ..BASE
    },
    Workload {
        name: "socket-count",
        about: "Lines from a socket, counted every 100 ms, sent by another process as fast as they are taken. Spark Streaming \
                needs a thread for its receiver.",
        systems: WITH_RECEIVER,
        batches: (50, 250),
        ..BASE
    },
    Workload {
        name: "socket-word-count",
        about: "Words of lines from a socket, counted every 100 ms. Lines begin with a word of their own per 1,000.",
        systems: WITH_RECEIVER,
        batches: (10, 50),
        check_batches: (2, 20),
        ..BASE
    },
    Workload {
        name: "files-count",
        about: "Lines of files of 10 MB that appear in a directory, from the moment on when they are there; batches \
                every 100 ms.",
        batches: (10, 200),
        ..BASE
    },
    Workload {
        name: "kafka-count",
        about: "100,000 records of 100 bytes per batch from a topic of four partitions, counted, with a sum of what is in \
                them. The loop is one over librdkafka's consumer.",
        systems: &[Loop, Dstreams(1), Dstreams(2)],
        batches: (5, 30),
        needs_broker: true,
        ..BASE
    },
    Workload {
        name: "yahoo",
        about: "The Yahoo streaming benchmark: views per campaign and ten seconds, 50,000 events per batch, parsed \
                before.",
        batches: (10, 100),
        ..BASE
    },
    Workload { name: "yahoo-json", about: "The same from lines of JSON.", batches: (10, 40), ..BASE },
    nexmark("nexmark-q0", "NEXMark over 20,000 events per batch: pass events through."),
    nexmark("nexmark-q1", "Convert the currency of bids."),
    nexmark("nexmark-q2", "Bids on some auctions."),
    nexmark("nexmark-q3", "Auctions of a category by sellers of some states, joined over all time."),
    nexmark("nexmark-q4", "The average price of each category, over auctions as they close."),
    nexmark("nexmark-q5", "The auction with most bids in a sliding window of five batches."),
    nexmark("nexmark-q6", "The average price of a seller's last ten auctions, as they close."),
    nexmark("nexmark-q7", "The highest bid of every five batches."),
    nexmark("nexmark-q8", "New persons who opened auctions in the same five batches."),
    Workload {
        name: "empty-batches",
        about: "A job of two stages on batches without records, each due when the one before has ended.",
        systems: ENGINES,
        figures: Figures::PerBatch,
        batches: (200, 1_000),
        ..BASE
    },
    Workload {
        name: "start",
        about: "From the start of the program to the first word count, with batches every 10 ms.",
        systems: ENGINES,
        figures: Figures::Start,
        batches: (0, 0),
        check_batches: (0, 0),
        interval: 10,
        ..BASE
    },
    latency(
        "latency/10ms",
        "From when a line is due at a socket to when its words are counted, at half of the \
        maximum rate of socket-word-count, with batches every 10 ms.",
        10,
    ),
    latency("latency/100ms", "The same with batches every 100 ms.", 100),
    latency("latency/1s", "The same with batches every second.", 1_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_has_a_reference() {
        let of_throughput = WORKLOADS.iter().filter(|workload| workload.figures == Figures::Throughput);
        assert!(of_throughput.into_iter().all(|workload| workload.systems.first() == Some(&Loop)));
    }

    #[test]
    fn latency_comes_after_the_rate_that_it_needs() {
        let place = |name| WORKLOADS.iter().position(|workload| workload.name == name);
        for (at, workload) in WORKLOADS.iter().enumerate() {
            if let Figures::Latency { of } = workload.figures {
                assert!(place(of).is_some_and(|before| before < at), "{}", workload.name);
            }
        }
    }
}
