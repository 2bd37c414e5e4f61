// SPDX-License-Identifier: Apache-2.0
//! Scenarios of a whole log, on the local disk or on one that fails.
#![allow(clippy::unwrap_used, reason = "tests")]

mod crashes;
mod damage;
mod objects;
mod scenarios;
mod threads;

use std::{path::Path, sync::Arc, time::Duration};

use crate::{Durability, Options, Reader, Result, Writer, log_dir::LogDir, storage::simulated::Disk};

/// Where the log is on a simulated disk.
const DIR: &str = "/log";

fn rolling_each_second() -> Options {
    Options { rolling_interval: Duration::from_secs(1), ..Options::default() }
}

fn small_segments(durability: Durability) -> Options {
    Options { durability, max_segment_bytes: 160, ..rolling_each_second() }
}

fn log_dir_on(disk: &Disk) -> LogDir {
    LogDir::on(Arc::new(disk.clone()), DIR.into())
}

fn writer_on(disk: &Disk, options: Options) -> Result<Writer> {
    Writer::open_on(log_dir_on(disk), options)
}

fn reader_on(disk: &Disk) -> Reader {
    Reader::on(log_dir_on(disk))
}

/// All records of a log that is not damaged.
fn records(reader: &Reader) -> Vec<Vec<u8>> {
    reader.read_all().unwrap().map(|record| record.unwrap().bytes).collect()
}

/// The segments in a directory, by name.
fn segment_names(dir: &Path) -> Vec<String> {
    let segments = LogDir::new(dir.into(), "log").segments().unwrap();
    segments.iter().map(ToString::to_string).collect()
}
