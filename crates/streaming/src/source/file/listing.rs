// SPDX-License-Identifier: Apache-2.0
//! Lists the files in the directories that a path or pattern stands for, and notices when one cannot be listed.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use super::SelectedFile;
use crate::{
    error::{Error, Result},
    time::{Duration, Time},
};

/// The directories to monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Directories {
    /// One, by name.
    One(PathBuf),
    /// Those that match a pattern, looked for in each batch.
    Matching(String),
}

impl Directories {
    /// What `path` stands for: a directory, with or without `file:` before it, or a pattern of directories.
    pub(crate) fn parse(path: &Path) -> Result<Self> {
        let Some(text) = path.to_str() else { return Ok(Self::One(path.to_owned())) };
        let local = match text.split_once(':') {
            Some(("file", local)) => local.strip_prefix("//").unwrap_or(local),
            Some((scheme, rest)) if rest.starts_with("//") => {
                return Err(Error::IllegalArgument(format!(
                    "cannot monitor {text}: files are read from the local file system, not from {scheme}:"
                )));
            }
            _ => text,
        };
        if local.is_empty() {
            return Err(Error::IllegalArgument("the path of the directory to monitor is empty".to_owned()));
        }
        if !local.contains(['*', '?', '[']) {
            return Ok(Self::One(local.into()));
        }
        glob::Pattern::new(local).map_err(|error| {
            Error::IllegalArgument(format!("{local} is not a pattern of directories: {error}"))
        })?;
        Ok(Self::Matching(local.to_owned()))
    }
}

/// Lists the files of directories, batch after batch.
pub(super) struct Listing {
    directories: Directories,
    filter: Arc<dyn Fn(&Path) -> bool + Send + Sync>,
    /// What could not be listed the last time, and why.
    failing: Mutex<BTreeMap<PathBuf, String>>,
}

/// What is there at one moment.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) files: Vec<SelectedFile>,
    /// What could not be listed, one line each.
    pub(super) problems: Vec<String>,
    /// How many problems have come or gone since the last time; each of them was logged.
    pub(super) changes: usize,
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.directories {
            Directories::One(path) => path.display().fmt(f),
            Directories::Matching(pattern) => pattern.fmt(f),
        }
    }
}

impl Listing {
    pub(super) fn new(directories: Directories, filter: Arc<dyn Fn(&Path) -> bool + Send + Sync>) -> Self {
        Self { directories, filter, failing: Mutex::default() }
    }

    /// The files that are there and pass the filter, directory by directory in the order of their names. What cannot
    /// be listed is left out, and logged once until that changes.
    pub(super) fn list(&self) -> Listed {
        let mut failing = BTreeMap::new();
        let mut files = Vec::new();
        for directory in self.present_directories(&mut failing) {
            if let Err(error) = self.list_one(&directory, &mut files) {
                failing.insert(directory, error.to_string());
            }
        }
        let changes = self.note(&failing);
        let problems = failing
            .iter()
            .map(|(path, reason)| format!("cannot list {}: {reason}", path.display()))
            .collect();
        Listed { files, problems, changes }
    }

    fn present_directories(&self, failing: &mut BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
        let pattern = match &self.directories {
            Directories::One(path) => return vec![path.clone()],
            Directories::Matching(pattern) => pattern,
        };
        // A directory may be called like a pattern.
        if Path::new(pattern).is_dir() {
            return vec![pattern.into()];
        }
        let mut found = Vec::new();
        // The pattern was checked when the stream was made.
        for path in glob::glob(pattern).into_iter().flatten() {
            match path {
                Ok(path) if path.is_dir() => found.push(path),
                Ok(_) => {}
                Err(error) => {
                    failing.insert(error.path().to_owned(), error.error().to_string());
                }
            }
        }
        if found.is_empty() && failing.is_empty() {
            failing.insert(pattern.into(), "no directory matches".to_owned());
        }
        found
    }

    fn list_one(&self, directory: &Path, files: &mut Vec<SelectedFile>) -> io::Result<()> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if (self.filter)(&path) {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        for path in paths {
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // It was moved away since its name was read.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_file() {
                files.push(SelectedFile::new(path, to_time(metadata.modified()?), metadata.len()));
            }
        }
        Ok(())
    }

    /// Logs what fails now and did not before, or fails no more.
    fn note(&self, now: &BTreeMap<PathBuf, String>) -> usize {
        let mut before = self.failing.lock();
        let mut changes = 0;
        for (path, reason) in now.iter().filter(|(path, reason)| before.get(*path) != Some(*reason)) {
            tracing::warn!(path = %path.display(), %reason, "cannot list a monitored directory; no new files are seen in it");
            changes += 1;
        }
        for path in before.keys().filter(|path| !now.contains_key(*path)) {
            tracing::info!(path = %path.display(), "a monitored directory can be listed again");
            changes += 1;
        }
        before.clone_from(now);
        changes
    }
}

/// The time in whole milliseconds, as batch times are.
pub(super) fn to_time(modified: SystemTime) -> Time {
    match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => Time::ZERO + Duration::from(since),
        Err(before) => Time::ZERO - Duration::from(before.duration()),
    }
}
