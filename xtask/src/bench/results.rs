// SPDX-License-Identifier: Apache-2.0
//! What runs have said of themselves, their medians, and whether all have computed the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Figures, System, Workload};
use crate::Result;

/// What one run says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sample {
    records: f64,
    seconds: f64,
    cpu_seconds: f64,
    memory_before: f64,
    memory_peak: f64,
    checksum: String,
    /// Figures that only some workloads have.
    #[serde(flatten)]
    more: BTreeMap<String, f64>,
}

impl Sample {
    pub(super) fn parse(line: &str) -> Result<Self> {
        serde_json::from_str(line).map_err(|error| format!("{line} is no report: {error}").into())
    }
}

/// The runs of one workload, by system.
#[derive(Default)]
pub(super) struct Results {
    samples: BTreeMap<System, Vec<Sample>>,
    /// Peers that have ended without a report.
    failed: Vec<System>,
}

impl Results {
    pub(super) fn add(&mut self, system: System, sample: Sample) {
        self.samples.entry(system).or_default().push(sample);
    }

    pub(super) fn add_failure(&mut self, system: System) {
        self.failed.push(system);
    }

    /// The peers that have ended without a report.
    pub(super) fn failed(&self) -> &[System] {
        &self.failed
    }

    /// Fails where systems have computed different things. The loop comes first.
    pub(super) fn check(&self, workload: &Workload) -> Result<()> {
        // Each system gets as many lines as it can take half of.
        if matches!(workload.figures, Figures::Latency { .. }) {
            return Ok(());
        }
        let mut all =
            self.samples.iter().flat_map(|(system, samples)| samples.iter().map(move |s| (system, s)));
        let Some((first, reference)) = all.next() else { return Ok(()) };
        for (system, sample) in all {
            if sample.checksum != reference.checksum {
                let (name, system, first) = (workload.name, system.name(), first.name());
                return Err(format!(
                    "{system} has not computed what {first} has in {name}: the checksums are {} and {}",
                    sample.checksum, reference.checksum
                )
                .into());
            }
        }
        Ok(())
    }

    pub(super) fn systems(&self) -> impl Iterator<Item = System> {
        self.samples.keys().copied()
    }

    /// Records per second.
    pub(super) fn throughput(&self, system: System) -> Option<f64> {
        self.median(system, |sample| sample.records / sample.seconds)
    }

    /// The lowest and the highest of all runs.
    pub(super) fn spread(&self, system: System) -> Option<(f64, f64)> {
        let rates = self.samples.get(&system)?.iter().map(|sample| sample.records / sample.seconds);
        Some(rates.fold((f64::MAX, 0.0), |(low, high), rate| (rate.min(low), rate.max(high))))
    }

    /// How often the throughput of `other` goes into that of `system`.
    pub(super) fn ratio(&self, system: System, other: System) -> Option<f64> {
        Some(self.throughput(system)? / self.throughput(other)?)
    }

    /// Seconds of processor time for a million records.
    pub(super) fn cpu_per_million(&self, system: System) -> Option<f64> {
        self.median(system, |sample| sample.cpu_seconds / sample.records * 1e6)
    }

    /// The most resident memory in bytes, and how much of it came after the input had been read.
    pub(super) fn memory(&self, system: System) -> Option<(f64, f64)> {
        let beyond = |sample: &Sample| (sample.memory_peak - sample.memory_before).max(0.0);
        Some((self.median(system, |sample| sample.memory_peak)?, self.median(system, beyond)?))
    }

    /// A figure that only some workloads have.
    pub(super) fn more(&self, system: System, name: &str) -> Option<f64> {
        self.median(system, |sample| sample.more.get(name).copied().unwrap_or(f64::NAN))
            .filter(|value| !value.is_nan())
    }

    fn median(&self, system: System, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        let mut figures: Vec<f64> = self.samples.get(&system)?.iter().map(figure).collect();
        figures.sort_unstable_by(f64::total_cmp);
        let middle = figures.len() / 2;
        if figures.len() % 2 == 1 {
            Some(figures[middle])
        } else {
            Some(f64::midpoint(figures[middle - 1], figures[middle]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::workload::WORKLOADS;

    fn sample(seconds: f64, checksum: &str) -> Sample {
        let line = format!(
            r#"{{"records":100,"seconds":{seconds},"cpu_seconds":1,"memory_before":5,"memory_peak":4,"checksum":"{checksum}","p50_ms":7}}"#
        );
        Sample::parse(&line).expect("it is a report")
    }

    #[test]
    fn the_median_counts() {
        let mut results = Results::default();
        for seconds in [1.0, 4.0, 2.0] {
            results.add(System::Loop, sample(seconds, "a"));
        }
        results.add(System::Dstreams(1), sample(1.0, "a"));
        results.add(System::Dstreams(1), sample(0.5, "a"));
        assert_eq!(results.throughput(System::Loop), Some(50.0));
        assert_eq!(results.spread(System::Loop), Some((25.0, 100.0)));
        assert_eq!(results.ratio(System::Dstreams(1), System::Loop), Some(3.0));
        assert_eq!(results.memory(System::Loop), Some((4.0, 0.0)));
        assert_eq!(
            (results.more(System::Loop, "p50_ms"), results.more(System::Loop, "p99_ms")),
            (Some(7.0), None)
        );
        assert_eq!(results.throughput(System::Tuned), None);
    }

    #[test]
    fn a_system_that_computes_something_else_is_found() {
        let mut results = Results::default();
        results.add(System::Loop, sample(1.0, "a"));
        results.add(System::Dstreams(2), sample(1.0, "a"));
        assert!(results.check(&WORKLOADS[0]).is_ok());
        results.add(System::Dstreams(2), sample(1.0, "b"));
        let error = results.check(&WORKLOADS[0]).expect_err("b is not a").to_string();
        assert!(error.contains("local[2]"), "{error}");
    }
}
