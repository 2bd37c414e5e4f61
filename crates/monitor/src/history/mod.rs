// SPDX-License-Identifier: Apache-2.0
//! The event log: all events of a run as lines of JSON, in files of bounded size, from which its store is made again.
//!
//! A run has a directory of its own, named by the id of the application. Its files are `events-<number>.jsonl`. Each
//! begins with what must be known when those before it are gone: what runs, since when, its graph, and what has been
//! counted.

mod reader;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use reader::{Run, read, runs};
pub(crate) use writer::EventLog;

use crate::error::Error;

/// The path of a file of a run.
fn file(run: &Path, number: u64) -> PathBuf {
    run.join(format!("events-{number:06}.jsonl"))
}

/// The numbers of the files of a run, in their order.
fn numbers(run: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(run)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("events-")?.strip_suffix(".jsonl"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Adds to an error of the system what was tried, and on what.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::EventLog { action, path, cause: Arc::new(cause) }
}
