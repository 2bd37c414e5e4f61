// SPDX-License-Identifier: Apache-2.0
//! The programs that run workloads: how they are built and run, and which are missing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Sample, System};
use crate::Result;

/// The programs that there are, and where they find and leave files.
pub(super) struct Programs {
    root: PathBuf,
    missing: Vec<String>,
}

impl Programs {
    /// Builds what can be built.
    pub(super) fn prepare(root: &Path, _peers: bool) -> Result<Self> {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(root).args(["build", "--release", "--package", "dstreams-bench"]);
        if !build.status()?.success() {
            return Err("the benchmarks do not build".into());
        }
        fs::create_dir_all(root.join("target/bench/scratch"))?;
        Ok(Self { root: root.to_owned(), missing: Vec::new() })
    }

    /// A line for each system that cannot be run, with the reason.
    pub(super) fn missing(&self) -> &[String] {
        &self.missing
    }

    pub(super) fn have(&self, system: System) -> bool {
        matches!(system, System::Loop | System::Tuned | System::Dstreams(_))
    }

    /// Runs a workload once.
    pub(super) fn run(&self, workload: &str, system: System, arguments: &[String]) -> Result<Sample> {
        let mut command = Command::new(self.root.join("target/release/dstreams-bench"));
        command.arg(workload).arg(system.name()).args(arguments);
        command.arg("--data").arg(self.root.join("target/bench/data"));
        command.arg("--scratch").arg(self.root.join("target/bench/scratch"));
        let output = command.output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        // Spark's classes may print lines of their own.
        let line = told.lines().rev().find(|line| line.starts_with('{'));
        match line {
            Some(line) if output.status.success() => Sample::parse(line),
            _ => {
                let errors = String::from_utf8_lossy(&output.stderr);
                let system = system.name();
                Err(format!("{workload} on {system} ended with {}:\n{errors}", output.status).into())
            }
        }
    }
}
