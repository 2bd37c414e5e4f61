// SPDX-License-Identifier: Apache-2.0
//! `Feed`: the input of the program, which grows while it runs, dies and runs again; and what it comes to.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::dice::mix;
use crate::Result;

/// The sources by the numbers that their events bear.
pub(super) const SOURCES: [&str; 3] = ["journal", "numbers", "files"];
const JOURNAL: usize = 0;
const NUMBERS: usize = 1;
const FILES: usize = 2;

/// How many keys there are.
pub(super) const KEYS: u64 = 16;

/// An event as the sources offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: i64,
    pub(super) value: i64,
}

/// The input of one run of the harness, in a directory.
pub(super) struct Feed {
    dir: PathBuf,
    offered: [u64; 3],
    files: u64,
    /// By how many milliseconds the clock of the machine is said to be ahead.
    clock: i64,
}

impl Feed {
    pub(super) fn new(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir.join("files"))?;
        Ok(Self { dir: dir.to_owned(), offered: [0; 3], files: 0, clock: 0 })
    }

    /// How many events each source has offered.
    pub(super) fn offered(&self) -> [u64; 3] {
        self.offered
    }

    pub(super) fn total(&self) -> u64 {
        self.offered.iter().sum()
    }

    /// Lets each source have so many more.
    pub(super) fn offer(&mut self, events: u64) -> Result<()> {
        let path = self.dir.join("journal");
        let lines = lines(JOURNAL, self.offered[JOURNAL], events);
        OpenOptions::new().create(true).append(true).open(path)?.write_all(lines.as_bytes())?;

        self.appear("numbers", &(self.offered[NUMBERS] + events).to_string())?;
        let file = format!("files/{:06}", self.files);
        self.appear(&file, &self::lines(FILES, self.offered[FILES], events))?;
        self.files += 1;
        self.offered = self.offered.map(|offered| offered + events);
        Ok(())
    }

    /// Makes a file that is there whole or not at all.
    fn appear(&self, name: &str, text: &str) -> Result<()> {
        let new = self.dir.join("new");
        fs::write(&new, text)?;
        if self.clock != 0 {
            let file = File::options().append(true).open(&new)?;
            let offset = Duration::from_millis(self.clock.unsigned_abs());
            let now = file.metadata()?.modified()?;
            file.set_modified(if self.clock > 0 { now + offset } else { now - offset })?;
        }
        Ok(fs::rename(new, self.dir.join(name))?)
    }

    /// Sets the clock of the machine, as far as the program can tell.
    pub(super) fn set_clock(&mut self, file: &Path, offset: i64) -> Result<()> {
        self.clock = offset;
        let new = file.with_extension("new");
        fs::write(&new, offset.to_string())?;
        Ok(fs::rename(new, file)?)
    }
}

/// The events of a source as lines.
fn lines(source: usize, from: u64, count: u64) -> String {
    let mut text = String::new();
    for number in from..from + count {
        let Event { key, value } = event(source, number);
        writeln!(text, "{number} {key} {value}").expect("a string takes any text");
    }
    text
}

/// What the event of a source with this number is.
pub(super) fn event(source: usize, number: u64) -> Event {
    let small = |number: u64| i64::try_from(number).expect("it is less than a thousand");
    if source == NUMBERS {
        return Event { key: small(number * 7 % KEYS), value: small(number % 1000) - 300 };
    }
    let mixed = mix((source as u64) << 56 | number);
    Event { key: small(mixed % KEYS), value: small((mixed >> 8) % 1000) - 300 }
}
