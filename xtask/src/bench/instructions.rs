// SPDX-License-Identifier: Apache-2.0
//! The guard against slips: how many instructions some small workloads take for a record, against committed bounds.
//! Unlike times, these hardly depend on the machine and what else it does.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde::{Deserialize, Serialize};

use super::{Programs, machine};
use crate::Result;

/// Where the bounds are.
const BOUNDS: &str = "benches/instructions.json";

/// How far from its bound a count may be.
const TOLERANCE: f64 = 0.05;

/// What is counted: the workload, and the scale of its batches.
const COUNTED: &[(&str, f64)] = &[("word-count", 0.02), ("map-with-state-1m", 0.02)];

/// Batches of the shorter and the longer run, whose difference leaves out the start of the program.
const BATCHES: (u32, u32) = (5, 25);

#[derive(Serialize, Deserialize)]
struct Bounds {
    /// What the counted programs were built with.
    compiler: String,
    /// Instructions per batch on `local[1]`.
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares with the bounds or makes these the bounds.
pub(super) fn check(root: &Path, programs: &Programs, update: bool) -> Result<()> {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("instructions: skipped, because valgrind is not installed");
        return Ok(());
    }
    let mut counted = BTreeMap::new();
    for (workload, scale) in COUNTED {
        // Or the first run would make it, and be charged for it.
        programs.make_input(workload, &["--scale".to_owned(), scale.to_string()])?;
        let count = |batches| programs.count_instructions(workload, *scale, batches);
        let difference = count(BATCHES.1)?.saturating_sub(count(BATCHES.0)?);
        counted.insert((*workload).to_owned(), difference / u64::from(BATCHES.1 - BATCHES.0));
    }
    let path = root.join(BOUNDS);
    if update {
        let bounds = Bounds { compiler: machine::compiler(), instructions: counted };
        fs::write(&path, serde_json::to_string_pretty(&bounds)? + "\n")?;
        println!("written to {}", path.display());
        return Ok(());
    }
    let bounds: Bounds = serde_json::from_str(&fs::read_to_string(&path)?)?;
    for (workload, bound) in &bounds.instructions {
        let now = counted.get(workload).copied().ok_or_else(|| format!("{workload} is not counted"))?;
        let change = now as f64 / *bound as f64 - 1.0;
        println!("{workload}: {now} instructions per batch, {:+.1} % of the bound", change * 100.0);
        if change.abs() > TOLERANCE {
            return Err(format!(
                "{workload} takes {now} instructions per batch where {bound} are the bound ({:+.1} %, with {} where that was {}). \
                 If that is meant, run `cargo xtask bench --check --update-instructions` and say why in the commit",
                change * 100.0,
                machine::compiler(),
                bounds.compiler,
            )
            .into());
        }
    }
    Ok(())
}
