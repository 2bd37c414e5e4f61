// SPDX-License-Identifier: Apache-2.0
//! `DeadLetters`: dead letters in a directory, one JSON object a line.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use super::DeadLetter;
use crate::output::{FileSink, committed_files};

/// A directory of dead letters, as [`dead_letter`](crate::DStream::dead_letter) fills it.
///
/// ```
/// use dstreams_streaming::{DeadLetters, LetterFilter, testing::TestContext};
/// # let dir = tempfile::tempdir()?;
/// # let directory = dir.path();
/// let test = TestContext::new()?;
/// let results = test.input(vec![vec!["1", "x"]]).try_parse(|line| line.parse::<u8>());
/// results.dead_letter(DeadLetters::sink(directory)).print();
/// test.run(1)?;
/// let mut raw = Vec::new();
/// DeadLetters::new(directory).visit(&LetterFilter::default(), |letter| raw.push(letter.raw))?;
/// assert_eq!(raw, [b"x"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DeadLetters {
    pub(super) directory: PathBuf,
}

impl DeadLetters {
    /// The sink that writes dead letters to a directory, for one output.
    pub fn sink(directory: impl Into<PathBuf>) -> FileSink<DeadLetter> {
        FileSink::new(directory, |letter, out| {
            let before = out.len();
            if let Err(error) = serde_json::to_writer(&mut *out, letter) {
                // Strings and numbers always have a form; a letter without one must not spoil its neighbours.
                out.truncate(before);
                tracing::error!(%error, "a dead letter has no form in JSON");
                return;
            }
            out.push(b'\n');
        })
    }

    /// The letters in a directory.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self { directory: directory.as_ref().to_owned() }
    }

    /// Visits the letters that `filter` accepts, in the order of batches, partitions and positions.
    pub fn visit(&self, filter: &super::LetterFilter, mut visit: impl FnMut(DeadLetter)) -> io::Result<()> {
        self.try_visit(filter, |letter| {
            visit(letter);
            Ok(())
        })
    }

    /// As [`visit`](Self::visit); the first error of `visit` ends it.
    pub fn try_visit(
        &self,
        filter: &super::LetterFilter,
        mut visit: impl FnMut(DeadLetter) -> io::Result<()>,
    ) -> io::Result<()> {
        for file in committed_files(&self.directory)? {
            if !filter.may_accept(file.first, file.last) {
                continue;
            }
            let lines = BufReader::new(File::open(&file.path)?).lines();
            for (number, line) in (1..).zip(lines) {
                let letter = serde_json::from_str(&line?).map_err(|error| {
                    let path = file.path.display();
                    io::Error::new(io::ErrorKind::InvalidData, format!("{path}, line {number}: {error}"))
                })?;
                if filter.accepts(&letter) {
                    visit(letter)?;
                }
            }
        }
        Ok(())
    }
}
