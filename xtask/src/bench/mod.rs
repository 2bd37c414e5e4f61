// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench`: runs every workload on every system, one process per run, checks that all have computed the
//! same, and writes the medians to `docs/benchmarks.md`.

mod document;
mod machine;
mod program;
mod results;
mod spark;
mod workload;

use std::{fs, path::Path};

use clap::Args;

use self::{
    document::Document,
    program::Programs,
    results::{Results, Sample},
    workload::{System, WORKLOADS, Workload},
};
use crate::Result;

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only workloads whose name contains this; may be given several times. Nothing is written to docs
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Run only systems whose name contains this, besides the loop
    #[arg(long, value_name = "NAME")]
    system: Vec<String>,
    /// How often each system runs each workload; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// The size of batches over that of the full run
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// Leave out Spark Streaming, timely and renoir
    #[arg(long)]
    no_peers: bool,
    /// Only check, with small sizes and without peers, that all compute the same
    #[arg(long)]
    check: bool,
}

impl Options {
    /// What `cargo xtask test` runs.
    fn checking() -> Self {
        let (only, system) = (Vec::new(), Vec::new());
        Self { only, system, runs: 1, scale: 1.0, no_peers: true, check: true }
    }

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

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let (scale, runs) = if options.check { (CHECK_SCALE, 1) } else { (options.scale, options.runs.max(1)) };
    let programs = Programs::prepare(root, !options.no_peers && !options.check)?;
    let mut document = Document::new(scale, runs, &programs);
    for workload in WORKLOADS.iter().filter(|workload| options.wants(workload)) {
        let systems = workload.systems.iter().copied();
        let systems: Vec<_> =
            systems.filter(|system| options.wants_system(*system) && programs.have(*system)).collect();
        let arguments = workload.arguments(scale, options.check);
        programs.make_input(workload.name, &arguments)?;
        let mut results = Results::default();
        for run in 1..=runs {
            for &system in &systems {
                if run > system.most_runs() {
                    continue;
                }
                eprintln!("{} on {}, run {run} of {runs}", workload.name, system.name());
                let sample = programs.run(workload.name, system, &arguments)?;
                results.add(system, sample);
            }
        }
        results.check(workload)?;
        println!("{}", document.add(workload, &results));
    }
    if options.is_full() {
        let path = root.join("docs/benchmarks.md");
        fs::write(&path, document.text())?;
        println!("written to {}", path.display());
    }
    Ok(())
}

/// The step of `cargo xtask test`: everything computes the same as the loops, at a small size.
pub(crate) fn check(root: &Path) -> Result<()> {
    run(root, &Options::checking())
}
