// SPDX-License-Identifier: Apache-2.0
//! What the benchmarks were run on and built with, in words.

use std::{fs, process::Command, thread};

/// A sentence about this machine.
pub(super) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| {
        let kilobytes = text.split_whitespace().next()?.parse::<f64>().ok()?;
        Some(format!("{:.0} GB", kilobytes / 1e6))
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = memory.unwrap_or_else(|| "unknown".to_owned());
    format!("{cores} cores of {processor}, memory {memory}, Linux {}, {}", kernel.trim(), compiler())
}

/// The version of the compiler.
pub(super) fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|| "rustc".to_owned())
}

/// The value of the first line `name : value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
