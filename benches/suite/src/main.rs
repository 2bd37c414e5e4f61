// SPDX-License-Identifier: Apache-2.0
//! Runs one workload on one system, once, and prints a line of JSON; `cargo xtask bench` runs them all.

mod arena;
mod engine;
mod feed;
mod real_time;
mod workload;

use std::process::ExitCode;

use dstreams_bench_kit::{Arguments, Report, Result};

fn main() -> ExitCode {
    dstreams::log::to_stderr(dstreams::log::Level::ERROR);
    match run() {
        Ok(report) => {
            if let Some(report) = report {
                println!("{}", report.to_json());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the arguments say: a run of a workload, which gives a report, or something that runs need.
fn run() -> Result<Option<Report>> {
    let arguments = Arguments::parse()?;
    if arguments.workload == "feed" {
        feed::run(&arguments)?;
        return Ok(None);
    }
    let workload = workload::ALL.iter().find(|workload| workload.name == arguments.workload);
    let workload = workload.ok_or_else(|| {
        let names: Vec<_> = workload::ALL.iter().map(|workload| workload.name).collect();
        format!("there is no workload {}, but {}", arguments.workload, names.join(", "))
    })?;
    if arguments.system == "input" {
        (workload.input)(&arguments)?;
        return Ok(None);
    }
    let run = match (arguments.system.as_str(), arguments.threads()) {
        ("loop", _) => workload.by_hand,
        ("tuned", _) => workload.tuned,
        (_, Some(_)) => Some(workload.dstreams),
        _ => return Err("the systems are loop, tuned and local[N]".into()),
    };
    let run = run.ok_or_else(|| format!("there is no {} of {}", arguments.system, arguments.workload))?;
    run(&arguments).map(Some)
}
