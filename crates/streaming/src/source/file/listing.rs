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
    local_path::local_path,
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
        let local = local_path(text).map_err(|scheme| {
            Error::IllegalArgument(format!(
                "cannot monitor {text}: files are read from the local file system, not from {scheme}:"
            ))
        })?;
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
            match self.visible_paths(&directory) {
                Ok(paths) => list_files(paths, &mut files, &mut failing),
                Err(error) => {
                    failing.insert(directory, error.to_string());
                }
            }
        }
        let problems = failing
            .iter()
            .map(|(path, reason)| format!("cannot list {}: {reason}", path.display()))
            .collect();
        let mut failed_before = self.failing.lock();
        for change in changes(&failed_before, &failing) {
            match change {
                Change::Fails(path, reason) => {
                    let path = path.display();
                    tracing::warn!(%path, reason, "cannot list what is monitored; new files are not seen");
                }
                Change::Recovered(path) => {
                    tracing::info!(path = %path.display(), "what is monitored can be listed again");
                }
            }
        }
        *failed_before = failing;
        Listed { files, problems }
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

    /// The paths in a directory that pass the filter, in the order of their names.
    fn visible_paths(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if (self.filter)(&path) {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }
}

/// Those of the paths that are files, as they are now.
fn list_files(paths: Vec<PathBuf>, files: &mut Vec<SelectedFile>, failing: &mut BTreeMap<PathBuf, String>) {
    for path in paths {
        match fs::metadata(&path).and_then(|metadata| Ok((metadata.modified()?, metadata))) {
            Ok((modified, metadata)) if metadata.is_file() => {
                files.push(SelectedFile::new(path, to_time(modified), metadata.len()));
            }
            Ok(_) => {}
            // It was moved away since its name was read.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                failing.insert(path, error.to_string());
            }
        }
    }
}

/// What is different from the last time.
#[derive(Debug, PartialEq, Eq)]
enum Change<'a> {
    /// This cannot be listed any more, or for another reason than before.
    Fails(&'a Path, &'a str),
    /// This can be listed again.
    Recovered(&'a Path),
}

fn changes<'a>(
    before: &'a BTreeMap<PathBuf, String>,
    now: &'a BTreeMap<PathBuf, String>,
) -> impl Iterator<Item = Change<'a>> {
    let fails = now.iter().filter(|(path, reason)| before.get(*path) != Some(*reason));
    let recovered = before.keys().filter(|path| !now.contains_key(*path));
    fails
        .map(|(path, reason)| Change::Fails(path, reason))
        .chain(recovered.map(|path| Change::Recovered(path)))
}

/// The time in whole milliseconds, as batch times are.
pub(super) fn to_time(modified: SystemTime) -> Time {
    match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => Time::ZERO + Duration::from(since),
        Err(before) => Time::ZERO - Duration::from(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn failing(reasons: &[(&str, &str)]) -> BTreeMap<PathBuf, String> {
        reasons.iter().map(|(path, reason)| (PathBuf::from(path), (*reason).to_owned())).collect()
    }

    #[test]
    fn a_problem_is_a_change_when_it_comes_when_its_reason_changes_and_when_it_goes() {
        let (none, missing, denied) =
            (failing(&[]), failing(&[("a", "missing")]), failing(&[("a", "denied")]));
        let a = Path::new("a");
        assert_eq!(changes(&none, &missing).collect::<Vec<_>>(), [Change::Fails(a, "missing")]);
        assert_eq!(changes(&missing, &missing).count(), 0);
        assert_eq!(changes(&missing, &denied).collect::<Vec<_>>(), [Change::Fails(a, "denied")]);
        assert_eq!(changes(&denied, &none).collect::<Vec<_>>(), [Change::Recovered(a)]);
    }

    #[test]
    fn a_path_is_a_directory_a_pattern_or_refused() {
        let parse = |path: &str| Directories::parse(Path::new(path));
        assert_eq!(parse("in/logs").unwrap(), Directories::One("in/logs".into()));
        assert_eq!(parse("file:///in/logs").unwrap(), Directories::One("/in/logs".into()));
        assert_eq!(parse("file:/in/2017-*").unwrap(), Directories::Matching("/in/2017-*".to_owned()));
        assert_eq!(parse("C:logs").unwrap(), Directories::One("C:logs".into()));
        for refused in ["hdfs://namenode:8040/logs", "in/[a", "", "file:"] {
            assert!(matches!(parse(refused), Err(Error::IllegalArgument(_))), "{refused}");
        }
    }
}
