// SPDX-License-Identifier: Apache-2.0
//! `Sample`: what a process takes at a moment.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::Result;

/// What a process takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Since its start.
    pub(super) at: Duration,
    pub(super) resident_kib: u64,
    pub(super) descriptors: usize,
    pub(super) threads: usize,
    /// Bytes of its files.
    pub(super) disk: u64,
}

impl Sample {
    pub(super) const HEADER: &str = "  time   memory KiB   files   threads   disk KiB";

    /// Looks at a process, whose files are below `home`.
    pub(super) fn take(process: u32, home: &Path, at: Duration) -> Result<Self> {
        let about = PathBuf::from(format!("/proc/{process}"));
        let status = fs::read_to_string(about.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        Ok(Self {
            at,
            resident_kib: resident.ok_or("the system does not say how much memory the process takes")?,
            descriptors: fs::read_dir(about.join("fd"))?.count(),
            threads: fs::read_dir(about.join("task"))?.count(),
            disk: bytes_below(home)?,
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, resident_kib, descriptors, threads, disk } = self;
        write!(f, "{:4} s {resident_kib:12} {descriptors:7} {threads:9} {:10}", at.as_secs(), disk / 1024)
    }
}

/// The bytes of all files below a directory. Those that are removed meanwhile are left out.
pub(super) fn bytes_below(dir: &Path) -> io::Result<u64> {
    let mut sum = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(about) if about.is_dir() => open.push(entry.path()),
                Ok(about) => sum += about.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sum)
}
