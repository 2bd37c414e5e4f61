// SPDX-License-Identifier: Apache-2.0
//! Which files a path stands for, and the byte ranges that they are read in.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::error::{Error, Result};

/// A file, as long as it was when it was found.
#[derive(Debug, Clone)]
pub(super) struct InputFile {
    pub(super) path: Arc<Path>,
    pub(super) bytes: u64,
}

/// A part of a file: the bytes from `start` to before `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByteRange {
    /// The file.
    pub path: Arc<Path>,
    /// The first byte.
    pub start: u64,
    /// The byte after the last one.
    pub end: u64,
    /// The length of the file.
    pub file_end: u64,
}

impl ByteRange {
    /// Cuts a file of `bytes` bytes into ranges of at most `limit` bytes, each a multiple of `unit` bytes but for the
    /// last; none for an empty file.
    ///
    /// ```
    /// use dstreams_rdd::source::ByteRange;
    /// let ranges = ByteRange::cut("records.bin".as_ref(), 10, 3, 6);
    /// let bounds: Vec<_> = ranges.iter().map(|range| (range.start, range.end)).collect();
    /// assert_eq!(bounds, [(0, 6), (6, 10)]);
    /// ```
    pub fn cut(path: &Path, bytes: u64, unit: u64, limit: u64) -> Vec<Self> {
        let unit = unit.max(1);
        byte_ranges(&[InputFile { path: path.into(), bytes }], 1, unit, (limit / unit).max(1))
    }

    /// Opens the file at the first byte; reading ends after the last one.
    pub fn open(&self) -> io::Result<io::Take<fs::File>> {
        let mut file = fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.start))?;
        Ok(file.take(self.end - self.start))
    }
}

/// The files that `path` stands for: a file; those of a directory, in the order of their names; those that a pattern
/// with `*`, `?` or `[…]` matches and those of the directories that it matches.
///
/// Names that start with `.` or `_` are for the housekeeping of writers and are left out, unless the path itself is
/// such a file.
pub(super) fn input_files(path: &Path) -> Result<Vec<InputFile>> {
    let failed = |cause| Error::io("read", path, cause);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => files_of_directory(path),
        Ok(metadata) => Ok(vec![InputFile { path: path.into(), bytes: metadata.len() }]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.to_str() {
            Some(pattern) if pattern.contains(['*', '?', '[']) => files_of_pattern(pattern),
            _ => Err(failed(error)),
        },
        Err(error) => Err(failed(error)),
    }
}

fn files_of_pattern(pattern: &str) -> Result<Vec<InputFile>> {
    let paths = glob::glob(pattern)
        .map_err(|error| Error::InvalidArgument(format!("{pattern} is not a pattern of paths: {error}")))?;
    let mut files = Vec::new();
    let mut matches = 0;
    for path in paths {
        let path = path.map_err(|error| Error::io("list", pattern, error.into()))?;
        if is_hidden(&path) {
            continue;
        }
        matches += 1;
        files.append(&mut input_files(&path)?);
    }
    if matches == 0 {
        let cause = io::Error::new(io::ErrorKind::NotFound, "the pattern matches no file or directory");
        return Err(Error::io("read", pattern, cause));
    }
    Ok(files)
}

fn files_of_directory(directory: &Path) -> Result<Vec<InputFile>> {
    let failed = |cause| Error::io("list", directory, cause);
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !is_hidden(&path) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    let file = |path: PathBuf| {
        let metadata = fs::metadata(&path).map_err(|cause| Error::io("read", &path, cause))?;
        if metadata.is_dir() {
            let cause = io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory; use a pattern such as dir/* to read the files of subdirectories",
            );
            return Err(Error::io("read", &path, cause));
        }
        Ok(InputFile { path: path.into(), bytes: metadata.len() })
    };
    paths.into_iter().map(file).collect()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(b".") || name.starts_with(b"_")
    })
}

/// Cuts the files into ranges of at most `limit` units of `unit` bytes, and at least `wanted` of them overall if
/// there are enough units. What is left of a file beyond whole units goes with its last range.
pub(super) fn byte_ranges(files: &[InputFile], wanted: usize, unit: u64, limit: u64) -> Vec<ByteRange> {
    let units_of = |file: &InputFile| file.bytes.div_ceil(unit);
    let total: u64 = files.iter().map(units_of).sum();
    let mut ranges = Vec::new();
    for file in files {
        let units = units_of(file);
        let share = scale(units, wanted as u64, total.max(1), u128::div_ceil);
        let count = share.max(units.div_ceil(limit)).min(units);
        let cut = |index| scale(units, index, count, std::ops::Div::div).saturating_mul(unit).min(file.bytes);
        ranges.extend((0..count).map(|index| ByteRange {
            path: Arc::clone(&file.path),
            start: cut(index),
            end: cut(index + 1),
            file_end: file.bytes,
        }));
    }
    ranges
}

/// `a · b / c`, without an overflow on the way, divided as told.
fn scale(a: u64, b: u64, c: u64, divide: impl Fn(u128, u128) -> u128) -> u64 {
    u64::try_from(divide(u128::from(a) * u128::from(b), u128::from(c))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(lengths: &[u64], wanted: usize, unit: u64, limit: u64) -> Vec<(u64, u64)> {
        let files: Vec<InputFile> =
            lengths.iter().map(|&bytes| InputFile { path: Path::new("file").into(), bytes }).collect();
        byte_ranges(&files, wanted, unit, limit).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn ranges_cover_files_and_are_as_many_as_wanted() {
        assert_eq!(ranges(&[10], 4, 1, 100), [(0, 2), (2, 5), (5, 7), (7, 10)]);
        assert_eq!(ranges(&[10, 0, 30], 2, 1, 100), [(0, 10), (0, 15), (15, 30)]);
        assert_eq!(ranges(&[2], 8, 1, 100), [(0, 1), (1, 2)]);
    }

    #[test]
    fn ranges_are_no_longer_than_the_limit() {
        assert_eq!(ranges(&[10], 1, 1, 4), [(0, 3), (3, 6), (6, 10)]);
    }

    #[test]
    fn ranges_start_at_whole_units() {
        assert_eq!(ranges(&[10], 3, 4, 100), [(0, 4), (4, 8), (8, 10)]);
        assert_eq!(ranges(&[8, 4], 3, 4, 100), [(0, 4), (4, 8), (0, 4)]);
    }

    #[test]
    fn empty_files_have_no_ranges() {
        assert_eq!(ranges(&[0, 0], 2, 1, 100), []);
        assert_eq!(ranges(&[], 2, 1, 100), []);
    }
}
