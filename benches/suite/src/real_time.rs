// SPDX-License-Identifier: Apache-2.0
//! Workloads in real time: a context on the system's clock, and what has come out of it when.

use dstreams::{Config, StreamingContext, time::milliseconds};
use dstreams_bench_kit::{Arguments, Report, Result, mix};

use crate::feed;

/// A context on `local[n]` with the batch interval asked for.
pub(crate) fn context(arguments: &Arguments) -> Result<StreamingContext> {
    let mut config = Config::default();
    config.set("spark.app.name", "bench")?;
    config.set("spark.master", &arguments.system)?;
    Ok(StreamingContext::new(config, milliseconds(i64::try_from(arguments.interval)?))?)
}

/// How many of the lines that are sent have come out.
pub(crate) struct Progress {
    expected: u64,
    /// Lines before the measured ones.
    warm: u64,
    lines: u64,
    /// How many lines were out when measuring began, and when that was.
    begun: Option<(u64, u64, f64)>,
    ended: u64,
    /// When the first line was due.
    first_due: u64,
    /// Nanoseconds from when lines were due until they were out, and how many lines.
    latencies: Vec<(u64, u64)>,
    /// Whether only lines count that were due after the first seconds.
    seconds_to_warm: Option<u64>,
}

impl Progress {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let expected = feed::lines(arguments);
        let warm = expected * arguments.warm as u64 / arguments.total() as u64;
        let seconds_to_warm = (arguments.rate > 0).then_some(arguments.warm as u64);
        Self {
            expected,
            warm,
            lines: 0,
            begun: None,
            ended: 0,
            first_due: u64::MAX,
            latencies: Vec::new(),
            seconds_to_warm,
        }
    }

    /// How many lines are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.expected - self.lines
    }

    /// So many lines more were out at this time. Returns whether these were the last ones.
    pub(crate) fn add(&mut self, lines: u64, at: u64) -> bool {
        self.lines += lines;
        if self.begun.is_none() && self.lines >= self.warm {
            self.begun = Some((self.lines, at, dstreams_bench_kit::cpu_seconds()));
        }
        self.ended = at;
        self.lines >= self.expected
    }

    /// As [`add`](Self::add), with the times at which lines were due, and how many at each.
    pub(crate) fn add_stamped(&mut self, stamps: &[(u64, u64)], at: u64) -> bool {
        for (due, lines) in stamps {
            self.first_due = self.first_due.min(*due);
            if let Some(seconds) = self.seconds_to_warm
                && *due >= self.first_due + seconds * 1_000_000_000
            {
                self.latencies.push((at.saturating_sub(*due), *lines));
            }
        }
        self.add(stamps.iter().map(|(_, lines)| lines).sum(), at)
    }

    /// What has been measured.
    pub(crate) fn report(mut self) -> Result<Report> {
        let (first, at, cpu) = self.begun.ok_or("nothing has come out")?;
        if self.lines != self.expected {
            return Err(format!("{} lines came out of {}", self.lines, self.expected).into());
        }
        let report = Report {
            records: self.lines - first,
            seconds: self.ended.saturating_sub(at) as f64 / 1e9,
            cpu_seconds: dstreams_bench_kit::cpu_seconds() - cpu,
            checksum: mix(self.lines),
            ..Report::default()
        };
        let report = report.with_memory();
        if self.latencies.is_empty() {
            return Ok(report);
        }
        self.latencies.sort_unstable();
        let all: u64 = self.latencies.iter().map(|(_, lines)| lines).sum();
        let at = |share: u64| {
            let mut left = all * share / 100;
            let found = self.latencies.iter().find(|(_, lines)| {
                left = left.saturating_sub(*lines);
                left == 0
            });
            found.or(self.latencies.last()).map_or(0.0, |(latency, _)| *latency as f64 / 1e6)
        };
        Ok(report.with("p50_ms", at(50)).with("p99_ms", at(99)).with("max_ms", at(100)))
    }
}
