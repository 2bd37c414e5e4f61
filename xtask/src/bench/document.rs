// SPDX-License-Identifier: Apache-2.0
//! The tables of `docs/benchmarks.md`.

use std::fmt::Write as _;

use super::{Figures, Programs, Results, System, Workload, machine};

/// What has been measured so far, as text.
pub(super) struct Document {
    head: String,
    summary: String,
    tables: String,
}

/// What the figures mean, for the reader.
const READING: &str = "\
Ratios are of throughput, so that more is better. *loop* is what one would write by hand, single-threaded with maps of the
standard library; *tuned* is the fastest loop we know of. Input is in memory before time counts, batches follow each other
as fast as they are processed, and each workload has batches before the measured ones that do not count. *Beyond input* is
the most resident memory in the measured part over that with only the input there; Spark's includes what its heap was
allowed to grow to (3 GB). Processor time is that of the measured process, without the one that feeds a socket. renoir has
no batches, so that each batch is a job of its own there. *owned* has a string for each word; *borrowed* lets words refer
to lines, which only works while these stay.
";

const SUMMARY: &str = "\
| workload | local[1] / loop | local[1] / tuned | local[2] / local[1] | local[2] / Spark local[2] | memory / Spark's |
|---|---:|---:|---:|---:|---:|
";

impl Document {
    pub(super) fn new(scale: f64, (runs, spark_runs): (usize, usize), programs: &Programs) -> Self {
        let mut head = String::from("# Benchmarks\n\n");
        let spark = programs.spark().map_or(String::new(), |spark| format!(", {}", spark.version));
        writeln!(
            head,
            "Written by `cargo xtask bench`: medians of {runs} runs ({spark_runs} of Spark Streaming) at scale {scale}. Systems take turns,\n\
             each run is a process of its own, and what it has computed is compared with the loop's.\n\n\
             Machine: {}{spark}.\n\n{READING}",
            machine::describe()
        )
        .expect("a string takes any text");
        for line in programs.missing() {
            writeln!(head, "Skipped: {line}\n").expect("a string takes any text");
        }
        Self { head, summary: SUMMARY.to_owned(), tables: String::new() }
    }

    /// Adds the table of a workload, and returns it.
    pub(super) fn add(&mut self, workload: &Workload, results: &Results) -> String {
        let table = match workload.figures {
            Figures::Throughput => {
                self.summary.push_str(&summary(workload, results));
                throughput(results)
            }
            Figures::PerBatch => per_batch(results),
            Figures::Start => start(results),
            Figures::Latency { .. } => latency(results),
        };
        let mut table = format!("## {}\n\n{}\n\n{table}", workload.name, workload.about);
        for system in results.failed() {
            writeln!(table, "\n{} ended without a result.", system.title()).expect("a string takes any text");
        }
        self.tables.push_str(&table);
        self.tables.push('\n');
        table
    }

    pub(super) fn text(&self) -> String {
        format!("{}{}\n{}\n", self.head, self.summary, self.tables.trim_end())
    }
}

fn summary(workload: &Workload, results: &Results) -> String {
    let of = |system, other| ratio(results.ratio(system, other));
    let (one, two, spark) = (System::Dstreams(1), System::Dstreams(2), System::Spark(2));
    let beyond = |system| results.memory(system).map(|(_, beyond)| beyond);
    let memory = beyond(two).zip(beyond(spark)).map(|(ours, theirs)| percent(ours / theirs));
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        workload.name,
        of(one, System::Loop),
        of(one, System::Tuned),
        of(two, one),
        of(two, spark),
        memory.unwrap_or_default(),
    )
}

fn throughput(results: &Results) -> String {
    let head = "| system | records/s | lowest – highest | / loop | peak RSS | beyond input | CPU s / M records |\n\
                |---|---:|---:|---:|---:|---:|---:|\n";
    rows(head, results, |system| {
        let (low, high) = results.spread(system)?;
        let (peak, beyond) = results.memory(system)?;
        Some(format!(
            "{} | {} – {} | {} | {} | {} | {:.3}",
            rate(results.throughput(system)?),
            rate(low),
            rate(high),
            ratio(results.ratio(system, System::Loop)),
            megabytes(peak),
            megabytes(beyond),
            results.cpu_per_million(system)?,
        ))
    })
}

fn per_batch(results: &Results) -> String {
    let head = "| system | per batch | lowest – highest | CPU per batch |\n|---|---:|---:|---:|\n";
    rows(head, results, |system| {
        let (low, high) = results.spread(system)?;
        let per_batch = |batches_per_second: f64| format!("{:.0} µs", 1e6 / batches_per_second);
        Some(format!(
            "{} | {} – {} | {:.0} µs",
            per_batch(results.throughput(system)?),
            per_batch(high),
            per_batch(low),
            results.cpu_per_million(system)?
        ))
    })
}

fn start(results: &Results) -> String {
    let head = "| system | first result | lowest – highest | peak RSS |\n|---|---:|---:|---:|\n";
    rows(head, results, |system| {
        let (low, high) = results.spread(system)?;
        let after = |per_second: f64| format!("{:.0} ms", 1e3 / per_second);
        let (peak, _) = results.memory(system)?;
        let first = after(results.throughput(system)?);
        Some(format!("{first} | {} – {} | {}", after(high), after(low), megabytes(peak)))
    })
}

fn latency(results: &Results) -> String {
    let head = "| system | lines/s | p50 | p99 | max | CPU s / M records |\n|---|---:|---:|---:|---:|---:|\n";
    rows(head, results, |system| {
        let at = |name| results.more(system, name).map(|value| format!("{value:.1} ms"));
        Some(format!(
            "{} | {} | {} | {} | {:.3}",
            rate(results.throughput(system)?),
            at("p50_ms")?,
            at("p99_ms")?,
            at("max_ms")?,
            results.cpu_per_million(system)?
        ))
    })
}

/// A table with a row for each system that has all figures.
fn rows(head: &str, results: &Results, row: impl Fn(System) -> Option<String>) -> String {
    let rows =
        results.systems().filter_map(|system| Some(format!("| {} | {} |\n", system.title(), row(system)?)));
    rows.fold(head.to_owned(), |table, row| table + &row)
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| match ratio {
        0.0..0.1 => format!("{ratio:.4}"),
        0.1..10.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.0}"),
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
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
        assert_eq!([ratio(Some(0.012)), ratio(Some(0.5)), ratio(Some(25.2))], ["0.0120", "0.50", "25"]);
        assert_eq!((ratio(None), percent(0.049)), (String::new(), "4.9 %".to_owned()));
    }
}
