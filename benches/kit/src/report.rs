// SPDX-License-Identifier: Apache-2.0
//! The measured part of a run, and the line of JSON that tells of it.

use std::{
    fmt::Write as _,
    ops::Range,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crate::{Arguments, Outcome, Result, process};

/// What a run has to say of itself.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Records that went in during the measured part.
    pub records: u64,
    /// How long the measured part took.
    pub seconds: f64,
    /// Processor time of all threads in the measured part.
    pub cpu_seconds: f64,
    /// Resident memory in bytes when the input was there, and the most after that.
    pub memory: (u64, u64),
    /// Of the results.
    pub checksum: u64,
    /// Figures of workloads that have other ones than these.
    pub more: Vec<(&'static str, f64)>,
}

impl Report {
    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.more.push((name, value));
        self
    }

    /// With the memory that the process has taken so far, where input is not told from the rest.
    #[must_use]
    pub fn with_memory(mut self) -> Self {
        self.memory = (0, process::Memory::read().peak);
        self
    }

    /// One line of JSON. The checksum is text because numbers in JSON are not that exact.
    pub fn to_json(&self) -> String {
        let mut line = format!(
            r#"{{"records":{},"seconds":{},"cpu_seconds":{},"memory_before":{},"memory_peak":{},"checksum":"{:016x}""#,
            self.records, self.seconds, self.cpu_seconds, self.memory.0, self.memory.1, self.checksum
        );
        for (name, value) in &self.more {
            write!(line, r#","{name}":{value}"#).expect("a string takes any text");
        }
        line.push('}');
        line
    }
}

/// Runs the batches before the measured ones, those, and the last one, each range of them by one call of `run`.
/// `records` go in during the measured part. The input has to be in memory when this is called.
pub fn measure(
    arguments: &Arguments,
    records: u64,
    outcome: &Outcome,
    mut run: impl FnMut(Range<usize>) -> Result<()>,
) -> Result<Report> {
    let input = process::Memory::read().resident;
    process::forget_peak();
    let measured = arguments.measured();
    run(0..measured.start)?;
    let cpu = process::cpu_seconds();
    let (ran, seconds) = timed(|| run(measured.clone()));
    ran?;
    let cpu_seconds = process::cpu_seconds() - cpu;
    let memory = (input, process::Memory::read().peak);
    run(measured.end..arguments.total())?;
    Ok(Report { records, seconds, cpu_seconds, memory, checksum: outcome.checksum(), more: Vec::new() })
}

/// What `work` gives, and how many seconds it took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed().as_secs_f64())
}

/// Nanoseconds since 1970, which two processes can compare.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // There are some 500 years left.
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
