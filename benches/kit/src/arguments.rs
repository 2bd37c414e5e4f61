// SPDX-License-Identifier: Apache-2.0
//! The arguments of a benchmark program: what to run, and how much of it.

use std::{ops::Range, path::PathBuf, str::FromStr};

use crate::Result;

/// `WORKLOAD SYSTEM` and options. Each process runs one workload on one system, once.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// What is computed.
    pub workload: String,
    /// What computes it.
    pub system: String,
    /// Where the input files are.
    pub data: PathBuf,
    /// Where files may be written that are of no use afterwards, in memory if the system has such a place.
    pub scratch: PathBuf,
    /// The same on a disk.
    pub disk: PathBuf,
    /// The size of a batch over that of the full run.
    pub scale: f64,
    /// Batches before those that are measured.
    pub warm: usize,
    /// Batches that are measured. One more follows whose results are checked in full.
    pub batches: usize,
    /// The program that sends lines to a socket.
    pub feeder: PathBuf,
    /// Records per second, where the workload is fed at a given rate.
    pub rate: u64,
    /// Milliseconds between two batches, where the workload runs in real time.
    pub interval: u64,
    /// When the process was asked for, in nanoseconds since 1970.
    pub spawned: u64,
}

impl Arguments {
    /// Reads the command line of this process.
    pub fn parse() -> Result<Self> {
        Self::from(std::env::args().skip(1))
    }

    fn from(mut given: impl Iterator<Item = String>) -> Result<Self> {
        let mut positional = || given.next().ok_or("the arguments are WORKLOAD SYSTEM and options");
        let mut arguments = Self {
            workload: positional()?,
            system: positional()?,
            data: PathBuf::from("target/bench/data"),
            scratch: std::env::temp_dir(),
            disk: std::env::temp_dir(),
            scale: 1.0,
            warm: 2,
            batches: 5,
            feeder: std::env::current_exe()?,
            rate: 0,
            interval: 100,
            spawned: 0,
        };
        while let Some(name) = given.next() {
            let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--data" => arguments.data = value.into(),
                "--scratch" => arguments.scratch = value.into(),
                "--disk" => arguments.disk = value.into(),
                "--scale" => arguments.scale = number(&value)?,
                "--warm" => arguments.warm = number(&value)?,
                "--batches" => arguments.batches = number(&value)?,
                "--feeder" => arguments.feeder = value.into(),
                "--rate" => arguments.rate = number(&value)?,
                "--interval" => arguments.interval = number(&value)?,
                "--spawned" => arguments.spawned = number(&value)?,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        Ok(arguments)
    }

    /// A size of the full run at the scale asked for, never less than ten.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes are small and positive"
    )]
    pub fn scaled(&self, full: usize) -> usize {
        ((full as f64 * self.scale).round() as usize).max(10)
    }

    /// How many batches there are in all.
    pub fn total(&self) -> usize {
        self.warm + self.batches + 1
    }

    /// The batch whose results are checked in full.
    pub fn last(&self) -> usize {
        self.total() - 1
    }

    /// The batches that are measured.
    pub fn measured(&self) -> Range<usize> {
        self.warm..self.warm + self.batches
    }

    /// How many worker threads `prefix[n]` has, such as `local[2]`.
    pub fn threads(&self) -> Option<usize> {
        self.system.split_once('[')?.1.strip_suffix(']')?.parse().ok()
    }
}

fn number<N: FromStr>(text: &str) -> Result<N> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is not a number").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments> {
        Arguments::from(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn options_follow_the_workload_and_the_system() {
        let arguments = parsed("grep local[2] --scale 0.5 --warm 1 --batches 3").expect("they are right");
        assert_eq!((arguments.workload.as_str(), arguments.threads()), ("grep", Some(2)));
        assert_eq!((arguments.scaled(100), arguments.scaled(2)), (50, 10));
        assert_eq!((arguments.measured(), arguments.last(), arguments.total()), (1..4, 4, 5));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for line in ["grep", "grep loop --scale", "grep loop --scale x", "grep loop --speed 1"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
