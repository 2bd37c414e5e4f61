// SPDX-License-Identifier: Apache-2.0
//! Makes a store of the event log of a run, and finds the runs in a directory.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use super::{failed, file, numbers};
use crate::{
    error::Result,
    event::{Application, EngineStep, Event},
    store::{Limits, Store},
};

/// A run that has left an event log.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its directory.
    pub path: PathBuf,
    /// What ran.
    pub application: Application,
}

/// Makes the store of the run in a directory. What cannot be read, such as the last line of a process that was killed,
/// is left out.
///
/// ```
/// use dstreams_monitor::{Limits, history};
/// # let dir = tempfile::tempdir()?;
/// # let run = dir.path();
/// std::fs::write(run.join("events-000000.jsonl"), r#"{"event":"StreamingStarted","data":7}"#)?;
/// let store = history::read(run, Limits::default())?;
/// assert_eq!(store.started().map(|time| time.as_millis()), Some(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(run: &Path, limits: Limits) -> Result<Store> {
    let mut store = Store::new(limits);
    let mut unreadable = 0_u64;
    for number in numbers(run).map_err(failed("list", run))? {
        let path = file(run, number);
        for line in BufReader::new(File::open(&path).map_err(failed("read", &path))?).split(b'\n') {
            let line = line.map_err(failed("read", &path))?;
            match Event::from_json(&line) {
                Ok(event) => store.apply(event),
                Err(_) => unreadable += 1,
            }
        }
    }
    if unreadable > 0 {
        tracing::warn!(unreadable, run = %run.display(), "lines of the event log cannot be read");
    }
    Ok(store)
}

/// The runs in a directory, the one that was started last at the end; the directory may be that of a run itself.
pub fn runs(directory: &Path) -> Result<Vec<Run>> {
    let of = |path: PathBuf| Some(Run { application: application(&path)?, path });
    if let Some(run) = of(directory.to_owned()) {
        return Ok(vec![run]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let path = entry.map_err(failed("list", directory))?.path();
        found.extend(path.is_dir().then(|| of(path)).flatten());
    }
    found.sort_by_key(|run| started(&run.application));
    Ok(found)
}

/// What ran, as the first line of the first file that is left says.
fn application(run: &Path) -> Option<Application> {
    let first = *numbers(run).ok()?.first()?;
    let line = BufReader::new(File::open(file(run, first)).ok()?).lines().next()?.ok()?;
    match Event::from_json(line.as_bytes()).ok()? {
        Event::Engine(EngineStep::Application(application)) => Some(application),
        _ => None,
    }
}

/// When it was started, by its id.
fn started(application: &Application) -> i64 {
    application.id.rsplit('-').next().and_then(|time| time.parse().ok()).unwrap_or(0)
}
