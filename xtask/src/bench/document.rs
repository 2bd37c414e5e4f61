// SPDX-License-Identifier: Apache-2.0
//! The tables of `docs/benchmarks.md`.

use std::fmt::Write as _;

use super::{Programs, Results, System, Workload, machine};

/// What has been measured so far, as text.
pub(super) struct Document {
    head: String,
    summary: String,
    tables: String,
}

impl Document {
    pub(super) fn new(scale: f64, runs: usize, programs: &Programs) -> Self {
        let mut head = String::from("# Benchmarks\n\n");
        let spark = programs.spark().map_or(String::new(), |spark| format!(", {}", spark.version));
        writeln!(
            head,
            "Written by `cargo xtask bench`: medians of {runs} runs (Spark Streaming 3 at most) at scale {scale}. Systems take\n\
             turns, each run is a process of its own, and what it has computed is compared with the loop's.\n\n\
             Machine: {}{spark}.\n",
            machine::describe()
        )
        .expect("a string takes any text");
        for line in programs.missing() {
            writeln!(head, "Skipped: {line}\n").expect("a string takes any text");
        }
        let summary = "| workload | dstreams local[1] / loop | local[2] / local[1] | / tuned loop | / Spark |\n|---|---|---|---|---|\n";
        Self { head, summary: summary.to_owned(), tables: String::new() }
    }

    /// Adds the table of a workload, and returns it.
    pub(super) fn add(&mut self, workload: &Workload, results: &Results) -> String {
        let table = table(workload, results);
        let of = |system, other| ratio(results.ratio(system, other));
        let one = System::Dstreams(1);
        writeln!(
            self.summary,
            "| {} | {} | {} | {} | {} |",
            workload.name,
            of(one, System::Loop),
            of(System::Dstreams(2), one),
            of(one, System::Tuned),
            of(one, System::Spark(1)),
        )
        .expect("a string takes any text");
        self.tables.push_str(&table);
        self.tables.push('\n');
        table
    }

    pub(super) fn text(&self) -> String {
        format!("{}{}\n{}", self.head, self.summary, self.tables.trim_end()) + "\n"
    }
}

fn table(workload: &Workload, results: &Results) -> String {
    let mut text = format!("## {}\n\n{}\n\n", workload.name, workload.about);
    text.push_str(
        "| system | records/s | lowest – highest | / loop | peak RSS | beyond input | CPU s / M records |\n",
    );
    text.push_str("|---|---:|---:|---:|---:|---:|---:|\n");
    for system in results.systems() {
        let (low, high) = results.spread(system).unwrap_or_default();
        let (peak, beyond) = results.memory(system).unwrap_or_default();
        writeln!(
            text,
            "| {} | {} | {} – {} | {} | {} | {} | {:.3} |",
            system.title(),
            rate(results.throughput(system).unwrap_or_default()),
            rate(low),
            rate(high),
            ratio(results.ratio(system, System::Loop)),
            megabytes(peak),
            megabytes(beyond),
            results.cpu_per_million(system).unwrap_or_default(),
        )
        .expect("a string takes any text");
    }
    text
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| match ratio {
        0.0..0.1 => format!("{ratio:.3}"),
        0.1..10.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.0}"),
    })
}

fn rate(rate: f64) -> String {
    match rate {
        0.0..1e4 => format!("{rate:.0}"),
        1e4..1e6 => format!("{:.0} k", rate / 1e3),
        _ => format!("{:.2} M", rate / 1e6),
    }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.0} MB", bytes / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_a_fitting_unit() {
        assert_eq!([rate(950.0), rate(12_345.0), rate(2_500_000.0)], ["950", "12 k", "2.50 M"]);
        assert_eq!([ratio(Some(0.012)), ratio(Some(0.5)), ratio(Some(25.2))], ["0.012", "0.50", "25"]);
        assert_eq!(ratio(None), "");
    }
}
