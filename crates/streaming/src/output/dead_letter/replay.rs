// SPDX-License-Identifier: Apache-2.0
//! Replay: the raw records of dead letters into a directory that a file stream monitors, each once.
//!
//! Which letters have been replayed is noted in `_replayed` below their directory. The records are written to a hidden file
//! of the target first, then the note, then the file gets its name; what a crash leaves in between is finished by the
//! next replay.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use dstreams_wal::{WholeFile, create_dir, fault, sync_dir};
use serde::{Deserialize, Serialize};

use super::{DeadLetter, DeadLetters};
use crate::time::Time;

const NOTES: &str = "_replayed";

/// Which letters are meant.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LetterFilter {
    /// Of this batch and later ones.
    pub since: Option<Time>,
    /// Of this batch and earlier ones.
    pub until: Option<Time>,
    /// Only those whose error contains this text.
    pub error: Option<String>,
}

impl LetterFilter {
    /// Only letters of batches at `time` and later.
    #[must_use]
    pub fn since(mut self, time: Time) -> Self {
        self.since = Some(time);
        self
    }

    /// Only letters of batches at `time` and earlier.
    #[must_use]
    pub fn until(mut self, time: Time) -> Self {
        self.until = Some(time);
        self
    }

    /// Only letters whose error contains `text`.
    #[must_use]
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }

    pub(super) fn may_accept(&self, first: Time, last: Time) -> bool {
        self.since.is_none_or(|since| last >= since) && self.until.is_none_or(|until| first <= until)
    }

    pub(super) fn accepts(&self, letter: &DeadLetter) -> bool {
        self.may_accept(letter.batch_time, letter.batch_time)
            && self.error.as_ref().is_none_or(|text| letter.error.contains(text))
    }
}

/// Where letters are replayed to.
#[derive(Debug, Clone)]
pub struct ReplayTarget<'a> {
    /// The directory that a file stream monitors.
    pub directory: &'a Path,
    /// Whether letters are sent that have been replayed before.
    pub again: bool,
}

/// What a replay has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// How many records were sent.
    pub sent: u64,
    /// How many were passed over, as they have been replayed before.
    pub before: u64,
    /// How many were passed over, as they contain an end of line and would become several records.
    pub not_lines: u64,
    /// The file that was written; none when there was nothing to send.
    pub file: Option<PathBuf>,
}

/// Why a replay failed; what it had not noted it has not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The letters cannot be read.
    #[error("cannot read the dead letters in {directory}: {cause}")]
    Letters {
        /// Where they are.
        directory: PathBuf,
        /// What is in the way.
        cause: io::Error,
    },
    /// The records or the note of them cannot be written.
    #[error("cannot write to {path}: {cause}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What is in the way.
        cause: io::Error,
    },
}

/// The place of a letter: its batch, partition and position.
type Place = (i64, usize, u64);

/// What has been replayed, and where the records are until they have their name.
#[derive(Serialize, Deserialize)]
struct Note {
    hidden: PathBuf,
    file: PathBuf,
    letters: Vec<Place>,
}

fn place(letter: &DeadLetter) -> Place {
    (letter.batch_time.as_millis(), letter.partition, letter.position)
}

impl DeadLetters {
    /// Writes the raw records of the letters that `filter` accepts, one per line, to a new file in the target directory,
    /// and notes that they have been replayed. Letters that were replayed before are passed over unless they are to be
    /// sent again. One replay of a directory at a time.
    ///
    /// ```
    /// use dstreams_streaming::{DeadLetters, LetterFilter, ReplayTarget, testing::TestContext};
    /// # let (dir, monitored) = (tempfile::tempdir()?, tempfile::tempdir()?);
    /// let test = TestContext::new()?;
    /// let results = test.input(vec![vec!["1", "x"]]).try_parse(|line| line.parse::<u8>());
    /// results.dead_letter(DeadLetters::sink(dir.path())).print();
    /// test.run(1)?;
    /// let target = ReplayTarget { directory: monitored.path(), again: false };
    /// let letters = DeadLetters::new(dir.path());
    /// let replayed = letters.replay(&LetterFilter::default(), &target)?;
    /// assert_eq!(std::fs::read_to_string(replayed.file.unwrap())?, "x\n");
    /// assert_eq!(letters.replay(&LetterFilter::default(), &target)?.sent, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(&self, filter: &LetterFilter, target: &ReplayTarget<'_>) -> Result<Replayed, ReplayError> {
        let write = |path: &Path| {
            let path = path.to_owned();
            move |cause| ReplayError::Write { path, cause }
        };
        let notes = self.directory.join(NOTES);
        create_dir("replay", &notes).map_err(write(&notes))?;
        create_dir("replay", target.directory).map_err(write(target.directory))?;
        // A later replay, which may run elsewhere, must find it.
        let directory = fs::canonicalize(target.directory).map_err(write(target.directory))?;
        let known = read_notes(&notes)?;
        let number = known.last_number + 1;
        let name = self.name_of(number);
        let hidden = directory.join(format!(".{name}"));
        let mut file = WholeFile::create("replay", &hidden).map_err(write(&hidden))?;
        let (mut replayed, mut letters) = (Replayed::default(), Vec::new());
        let sent = self.try_visit(filter, |letter| {
            if letter.raw.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                replayed.not_lines += 1;
            } else if !target.again && known.letters.contains(&place(&letter)) {
                replayed.before += 1;
            } else {
                file.write_all(&letter.raw)?;
                file.write_all(b"\n")?;
                letters.push(place(&letter));
            }
            Ok(())
        });
        sent.map_err(|cause| ReplayError::Letters { directory: self.directory.clone(), cause })?;
        if letters.is_empty() {
            return Ok(replayed);
        }
        replayed.sent = letters.len() as u64;
        file.commit().map_err(write(&hidden))?;
        let named = directory.join(name);
        let note = Note { hidden, file: named.clone(), letters };
        let note_path = notes.join(format!("{number:06}"));
        write_note(&note_path, &note).map_err(write(&note_path))?;
        note.finish().map_err(write(&named))?;
        replayed.file = Some(named);
        Ok(replayed)
    }

    /// What is different for the letters of each directory and for each replay: a file stream reads no name twice.
    fn name_of(&self, number: u64) -> String {
        let directory = fs::canonicalize(&self.directory).unwrap_or_else(|_| self.directory.clone());
        format!("replay-{:08x}-{number:06}", crc32fast::hash(directory.as_os_str().as_encoded_bytes()))
    }
}

/// Reads the notes of earlier replays and finishes the last one, if need be.
fn read_notes(notes: &Path) -> Result<Known, ReplayError> {
    let mut known = Known::default();
    let read = || -> io::Result<Vec<(u64, Note)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(notes)? {
            let path = entry?.path();
            let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(number) = number {
                all.push((number, serde_json::from_slice(&fs::read(&path)?)?));
            }
        }
        Ok(all)
    };
    let all = read().map_err(|cause| ReplayError::Letters { directory: notes.to_owned(), cause })?;
    for (number, note) in all {
        known.last_number = known.last_number.max(number);
        if note.hidden.exists() {
            note.finish().map_err(|cause| ReplayError::Write { path: note.file.clone(), cause })?;
        }
        known.letters.extend(note.letters);
    }
    Ok(known)
}

#[derive(Default)]
struct Known {
    last_number: u64,
    letters: BTreeSet<Place>,
}

impl Note {
    /// Gives the records their name, at which a file stream sees them.
    fn finish(&self) -> io::Result<()> {
        fault::pass("replay", "publish", &self.file)?;
        fs::rename(&self.hidden, &self.file)?;
        sync_dir("replay", self.file.parent().unwrap_or(Path::new("")))
    }
}

fn write_note(path: &Path, note: &Note) -> io::Result<()> {
    let mut file = WholeFile::create("replay_note", path)?;
    serde_json::to_writer(&mut file, note)?;
    file.commit()
}
