// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench`: runs every workload on every system, one process per run, checks that all have computed the
//! same, and writes the medians to `docs/benchmarks.md`.

mod document;
mod instructions;
mod machine;
mod program;
mod results;
mod spark;
mod workload;

use std::{collections::BTreeMap, fs, path::Path};

use clap::Args;

use self::{
    document::Document,
    program::Programs,
    results::{Results, Sample},
    workload::{Figures, System, WORKLOADS, Workload},
};
use crate::Result;

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only workloads whose name contains this; may be given several times. Nothing is written to docs
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Run only systems whose name contains this, besides the loop; may be given several times
    #[arg(long, value_name = "NAME")]
    system: Vec<String>,
    /// How often each system runs each workload; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// How often Spark Streaming does at most
    #[arg(long, value_name = "N", default_value_t = 3)]
    spark_runs: usize,
    /// The size of batches over that of the full run
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// Leave out Spark Streaming, timely and renoir
    #[arg(long)]
    no_peers: bool,
    /// Only check, with small sizes and without peers, that all compute the same in as many instructions as before
    #[arg(long)]
    check: bool,
    /// With `--check`, take the numbers of instructions as they are now for the bounds from now on
    #[arg(long, requires = "check")]
    update_instructions: bool,
}

impl Options {
    fn wants(&self, workload: &Workload) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| workload.name.contains(part.as_str()))
    }

    fn wants_system(&self, system: System) -> bool {
        let is_asked_for = |part: &String| system.name().contains(part.as_str());
        system == System::Loop || self.system.is_empty() || self.system.iter().any(is_asked_for)
    }

    /// Whether everything is run, so that the document can be written.
    fn is_full(&self) -> bool {
        !self.check && self.only.is_empty() && self.system.is_empty() && !self.no_peers
    }
}

/// The scale of `--check`.
const CHECK_SCALE: f64 = 0.01;

/// Lines per second where latency is only checked to be told.
const CHECK_RATE: f64 = 10_000.0;

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let mut programs = Programs::prepare(root, !options.no_peers && !options.check)?;
    let wanted: Vec<_> = WORKLOADS.iter().filter(|workload| options.wants(workload)).collect();
    let has_broker = wanted.iter().any(|workload| workload.needs_broker) && programs.start_broker()?;
    let (scale, runs) = if options.check { (CHECK_SCALE, 1) } else { (options.scale, options.runs.max(1)) };
    let spark_runs = options.spark_runs.min(runs);
    let capacity = BTreeMap::new();
    let mut bench = Bench { programs: &programs, scale, runs, spark_runs, check: options.check, capacity };
    let mut document = Document::new(scale, (runs, spark_runs), &programs);
    let path = root.join("docs/benchmarks.md");
    for workload in wanted.into_iter().filter(|workload| has_broker || !workload.needs_broker) {
        let systems = workload.systems.iter().copied();
        let systems: Vec<_> =
            systems.filter(|system| options.wants_system(*system) && programs.have(*system)).collect();
        let results = bench.measure(workload, &systems)?;
        let table = document.add(workload, &results);
        if options.check {
            println!("{}: {} systems agree", workload.name, systems.len());
        } else {
            println!("{table}");
        }
        // Now, because something that runs for hours may end before its time.
        if options.is_full() {
            fs::write(&path, document.text())?;
        }
    }
    if options.check && options.only.is_empty() {
        instructions::check(root, &programs, options.update_instructions)?;
    }
    Ok(())
}

/// The step of `cargo xtask test`: everything computes the same as the loops, at a small size.
pub(crate) fn check(root: &Path) -> Result<()> {
    let (only, system) = (Vec::new(), Vec::new());
    let (runs, spark_runs, scale) = (1, 1, 1.0);
    let (no_peers, check, update_instructions) = (true, true, false);
    run(root, &Options { only, system, runs, spark_runs, scale, no_peers, check, update_instructions })
}

/// What all workloads are run with.
struct Bench<'a> {
    programs: &'a Programs,
    scale: f64,
    runs: usize,
    spark_runs: usize,
    check: bool,
    /// Records per second that a workload gives on a system.
    capacity: BTreeMap<(&'static str, System), f64>,
}

impl Bench<'_> {
    /// Runs a workload on these systems, in turn.
    fn measure(&mut self, workload: &Workload, systems: &[System]) -> Result<Results> {
        let mut arguments = workload.arguments(self.scale, self.check);
        self.programs.make_input(workload.program_name(), &arguments)?;
        let mut results = Results::default();
        for run in 1..=self.runs {
            for &system in systems {
                let is_enough = matches!(system, System::Spark(_)) && run > self.spark_runs;
                if is_enough || results.failed().contains(&system) {
                    continue;
                }
                if !self.check {
                    eprintln!("{} on {}, run {run} of {}", workload.name, system.name(), self.runs);
                }
                if let Figures::Latency { of } = workload.figures {
                    let rate = self.capacity(of, system)? / 2.0;
                    arguments = workload.arguments(self.scale, self.check);
                    arguments.extend(["--rate".to_owned(), format!("{rate:.0}")]);
                }
                match self.programs.run(workload.program_name(), system, &arguments) {
                    Ok(sample) => results.add(system, sample),
                    // The others are worth having without this one.
                    Err(error) if system.is_peer() => {
                        eprintln!("{error}");
                        results.add_failure(system);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        results.check(workload)?;
        for &system in systems {
            let capacity = results.throughput(system).unwrap_or(0.0);
            self.capacity.insert((workload.name, system), capacity);
        }
        Ok(results)
    }

    /// How many records per second a workload has given, or gives in a run that is made for this.
    fn capacity(&mut self, name: &'static str, system: System) -> Result<f64> {
        if self.check {
            return Ok(CHECK_RATE);
        }
        if !self.capacity.contains_key(&(name, system)) {
            let found = WORKLOADS.iter().find(|workload| workload.name == name);
            let workload = found.ok_or_else(|| format!("there is no workload {name}"))?;
            self.measure(workload, &[system])?;
        }
        Ok(self.capacity.get(&(name, system)).copied().unwrap_or(CHECK_RATE))
    }
}
