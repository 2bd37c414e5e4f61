// SPDX-License-Identifier: Apache-2.0
//! `Roller`: a log file that goes on in a new one by size and by age; the oldest are removed by a bound on their total.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use dstreams_streaming::{Duration, Time, clock::Clock};
use parking_lot::Mutex;

use crate::error::LogError;

/// When a log file rolls and what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest size of a file in bytes. A line that is longer is cut off.
    pub size: u64,
    /// How long lines go into the same file.
    pub age: Duration,
    /// What all files together may take in bytes; at least twice the size of one.
    pub total: u64,
}

/// A file that lines are appended to. When it is full or old it is renamed to `<name>.<ms since 1970>`, and the oldest of
/// those are removed, so that all together never take more than the total.
///
/// Clones write to the same file. Lines are written at once and whole; one that cannot be written is lost.
///
/// ```
/// use std::{io::Write as _, sync::Arc};
/// use dstreams_logging::{Limits, Roller};
/// use dstreams_streaming::{clock::SystemClock, time::minutes};
/// # let dir = tempfile::tempdir()?;
/// let limits = Limits { size: 10, age: minutes(60), total: 30 };
/// let mut roller = Roller::open(dir.path().join("app.log"), limits, Arc::new(SystemClock))?;
/// for line in ["one line\n", "another\n"] {
///     roller.write_all(line.as_bytes())?;
/// }
/// assert_eq!(std::fs::read_dir(dir.path())?.count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Roller(Arc<Mutex<Rolling>>);

#[derive(Debug)]
struct Rolling {
    path: PathBuf,
    limits: Limits,
    clock: Arc<dyn Clock>,
    file: File,
    size: u64,
    /// When the first line was written.
    since: Time,
    /// Whether the last attempt to roll has failed; until one succeeds the file goes on, and is cut off at the bound.
    stuck: bool,
}

/// What stands at the end of a line that was too long.
const CUT: &[u8] = b" [cut off]\n";

impl Roller {
    /// Goes on in the file at `path`, or begins it.
    pub fn open(path: impl Into<PathBuf>, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let path = path.into();
        if limits.total / 2 < limits.size {
            return Err(LogError::Bound { total: limits.total, size: limits.size });
        }
        let failed = |cause| LogError::File { path: path.clone(), cause };
        let file = append_to(&path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let now = clock.now();
        // Where the file system does not tell when it was made, its last line was not before that.
        let since = about.created().or_else(|_| about.modified()).map_or(now, since_epoch).min(now);
        let since = if about.len() == 0 { now } else { since };
        let rolling = Rolling { size: about.len(), file, path, limits, clock, since, stuck: false };
        rolling.remove_oldest().map_err(|cause| LogError::File { path: rolling.path.clone(), cause })?;
        Ok(Self(Arc::new(Mutex::new(rolling))))
    }
}

impl Write for Roller {
    /// Writes one line; all of it, or an error.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().write_line(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rolling {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let longest = usize::try_from(self.limits.size).unwrap_or(usize::MAX);
        if line.len() > longest {
            let cut = [&line[..longest.saturating_sub(CUT.len())], CUT].concat();
            return self.write_line(&cut[..longest.min(cut.len())]);
        }
        let now = self.clock.now();
        let full = self.size + line.len() as u64 > self.limits.size;
        let old = now - self.since >= self.limits.age;
        if self.size > 0 && (full || old) {
            let rolled = self.roll(now);
            self.stuck = rolled.is_err();
            if self.stuck && full {
                // Better a gap in the log than a disk that it has filled.
                return rolled;
            }
        }
        if self.size == 0 {
            self.since = now;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }

    fn roll(&mut self, now: Time) -> io::Result<()> {
        let mut millis = now.as_millis().max(0);
        while numbered(&self.path, millis).try_exists()? {
            millis += 1;
        }
        fs::rename(&self.path, numbered(&self.path, millis))?;
        self.file = append_to(&self.path)?;
        self.size = 0;
        self.remove_oldest()
    }

    /// Removes files until there is room for a full one.
    fn remove_oldest(&self) -> io::Result<()> {
        let mut rolled = rolled(&self.path)?;
        rolled.sort_unstable_by_key(|(millis, _)| *millis);
        let mut total: u64 = rolled.iter().map(|(_, size)| size).sum();
        for (millis, size) in rolled {
            if total + self.limits.size <= self.limits.total {
                break;
            }
            match fs::remove_file(numbered(&self.path, millis)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= size,
            }
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// `<name>.<ms>`.
fn numbered(path: &Path, millis: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{millis}"));
    name.into()
}

/// The files that the one at `path` has become, each with its number and its size.
fn rolled(path: &Path) -> io::Result<Vec<(i64, u64)>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file = entry.file_name();
        let millis = file.to_str().and_then(|file| file.strip_prefix(&name)?.strip_prefix('.')?.parse().ok());
        if let Some(millis) = millis {
            found.push((millis, entry.metadata()?.len()));
        }
    }
    Ok(found)
}

fn since_epoch(time: SystemTime) -> Time {
    time.duration_since(UNIX_EPOCH).map_or(Time::ZERO, |since| Time::ZERO + Duration::from(since))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use dstreams_streaming::{
        clock::ManualClock,
        time::{minutes, seconds},
    };
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = minutes(60);

    fn roller(path: &Path, limits: Limits) -> (Roller, Arc<ManualClock>) {
        // After the files of the test were made, as the file system sees it.
        let clock = Arc::new(ManualClock::new(Time::from_millis(4_000_000_000_000)));
        (Roller::open(path, limits, Arc::clone(&clock) as _).unwrap(), clock)
    }

    fn write(roller: &mut Roller, line: &str) {
        roller.write_all(line.as_bytes()).unwrap();
    }

    /// What all files of the log hold, oldest first.
    fn contents(path: &Path) -> Vec<String> {
        let mut numbers = rolled(path).unwrap();
        numbers.sort_unstable();
        let paths = numbers.into_iter().map(|(millis, _)| numbered(path, millis)).chain([path.to_owned()]);
        paths.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    fn total(dir: &Path) -> u64 {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    #[test]
    fn a_full_file_rolls_and_no_line_is_split() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let (mut roller, _) = roller(&path, Limits { size: 10, age: HOUR, total: 1000 });
        for line in ["aaaa\n", "bbbb\n", "cccc\n"] {
            write(&mut roller, line);
        }
        assert_eq!(contents(&path), ["aaaa\nbbbb\n", "cccc\n"]);
    }

    #[test]
    fn an_old_file_rolls_with_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let (mut roller, clock) = roller(&path, Limits { size: 1000, age: HOUR, total: 2000 });
        write(&mut roller, "a\n");
        clock.advance(seconds(3599));
        write(&mut roller, "b\n");
        clock.advance(seconds(1));
        write(&mut roller, "c\n");
        assert_eq!(contents(&path), ["a\nb\n", "c\n"]);
    }

    #[test]
    fn a_second_start_goes_on_in_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let limits = Limits { size: 1000, age: minutes(i64::MAX / 60_000 / 2), total: 2000 };
        for line in ["a\n", "b\n"] {
            write(&mut roller(&path, limits).0, line);
        }
        assert_eq!(contents(&path), ["a\nb\n"]);
    }

    #[test]
    fn the_oldest_files_are_removed_and_those_of_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        for other in ["app.log.old", "app.log2.17", "other.log.1"] {
            fs::write(dir.path().join(other), "").unwrap();
        }
        let (mut roller, clock) = roller(&path, Limits { size: 10, age: HOUR, total: 30 });
        for number in 0..9 {
            clock.advance(seconds(1));
            write(&mut roller, &format!("line {number}...\n"));
        }
        assert_eq!(contents(&path), ["line 6...\n", "line 7...\n", "line 8...\n"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 6);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let (mut roller, _) = roller(&path, Limits { size: 20, age: HOUR, total: 40 });
        write(&mut roller, &"x".repeat(1000));
        assert_eq!(contents(&path), ["xxxxxxxxx [cut off]\n"]);
    }

    #[test]
    fn a_total_that_one_file_would_fill_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { size: 10, age: HOUR, total: 19 };
        let opened = Roller::open(dir.path().join("app.log"), limits, Arc::new(ManualClock::default()));
        assert!(matches!(opened, Err(LogError::Bound { .. })));
    }

    #[test]
    fn a_log_that_cannot_roll_does_not_grow_beyond_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/app.log");
        fs::create_dir(dir.path().join("deep")).unwrap();
        let (mut roller, _) = roller(&path, Limits { size: 10, age: HOUR, total: 20 });
        write(&mut roller, "12345678\n");
        fs::remove_dir_all(dir.path().join("deep")).unwrap();
        roller.write_all(b"12345678\n").unwrap_err();
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(&path, "").unwrap();
        write(&mut roller, "abc\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "abc\n", "it goes on as soon as it can");
    }

    proptest! {
        #[test]
        fn whatever_is_written_the_files_stay_within_the_total(
            size in 20..200_u64,
            files in 2..5_u64,
            lines in proptest::collection::vec((0..300_usize, 0..4000_i64), 1..80),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("app.log");
            let limits = Limits { size, age: HOUR, total: size * files };
            let (mut roller, clock) = roller(&path, limits);
            let mut last = String::new();
            for (length, wait) in lines {
                clock.advance(seconds(wait));
                last = format!("{}\n", "x".repeat(length));
                write(&mut roller, &last);
                prop_assert!(total(dir.path()) <= limits.total);
            }
            if last.len() as u64 <= size {
                prop_assert!(contents(&path).last().unwrap().ends_with(&last), "the newest line is there");
            }
        }
    }
}
