// SPDX-License-Identifier: Apache-2.0
//! What the system says of this process: memory and processor time.

use std::fs;

/// Resident memory of this process in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// The most so far, or since [`forget_peak`].
    pub peak: u64,
}

impl Memory {
    /// As the system says; nothing where it does not say it in `/proc`.
    pub fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kilobytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let bytes = |name| kilobytes(name).unwrap_or(0) * 1024;
        Self { resident: bytes("VmRSS:"), peak: bytes("VmHWM:") }
    }
}

/// Lets the peak begin anew, so that it is not that of reading the input. Not every system allows it.
pub(crate) fn forget_peak() {
    let _the_peak_is_then_that_of_the_whole_run = fs::write("/proc/self/clear_refs", "5");
}

/// Seconds of processor time of all threads so far, in steps of ten milliseconds.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program stands in parentheses and may hold anything.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    // The unit of these fields is fixed for user space.
    ticks.sum::<u64>() as f64 / 100.0
}
