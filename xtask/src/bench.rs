// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench`: runs the benchmarks and prints a table with the ratios of this run.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::Result;

/// One workload: its name in the benches, and what the reference is called.
const WORKLOADS: [&str; 4] = ["grep", "word count", "map_with_state", "tiny batch"];

pub(crate) fn run(root: &Path) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["bench", "--package", "dstreams", "--bench", "cost"])
        .status()?;
    if !status.success() {
        return Err("the benchmarks failed".into());
    }
    let results = root.join("target/criterion");
    println!("\n{:<14} {:>14} {:>14} {:>8}", "workload", "loop", "dstreams", "ratio");
    for workload in WORKLOADS {
        let mut medians = BTreeMap::new();
        for system in ["loop", "dstreams"] {
            medians.insert(system, median(&results.join(workload).join(system))?);
        }
        let shown = |system| medians[system].map_or_else(|| "-".to_owned(), time);
        let ratio = match (medians["loop"], medians["dstreams"]) {
            (Some(by_hand), Some(engine)) => format!("{:.2}", by_hand / engine),
            _ => "-".to_owned(),
        };
        println!("{workload:<14} {:>14} {:>14} {ratio:>8}", shown("loop"), shown("dstreams"));
    }
    println!(
        "\nMedians of one run; the ratio is the throughput of dstreams on one core over that of the loop."
    );
    Ok(())
}

/// The median in nanoseconds that criterion has written, if the system runs this workload.
fn median(directory: &Path) -> Result<Option<f64>> {
    let file = directory.join("new/estimates.json");
    if !file.exists() {
        return Ok(None);
    }
    let estimates: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    Ok(estimates["median"]["point_estimate"].as_f64())
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1e6 {
        format!("{:.1} µs", nanoseconds / 1e3)
    } else {
        format!("{:.2} ms", nanoseconds / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_fitting_unit() {
        assert_eq!([time(1_500.0), time(2_500_000.0)], ["1.5 µs", "2.50 ms"]);
    }
}
