// SPDX-License-Identifier: Apache-2.0
//! What the system says of this process: memory and processor time.

use std::fs;

/// Resident memory of this process in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// The most so far, or since it was last forgotten.
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

/// Seconds of processor time of all threads so far.
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes one `timespec` to where the pointer leads, and does not keep it. The result is 0, because the
    // clock exists on every system that has `/proc`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
