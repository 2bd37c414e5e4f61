// SPDX-License-Identifier: Apache-2.0
//! The text of the benchmarks: 100-byte lines of words by Zipf's law, the same in every run, in one file that every side
//! reads.

use std::{
    fmt::Write as _,
    fs,
    io::{self, BufRead, BufReader, BufWriter},
    path::{Path, PathBuf},
};

use crate::{Arguments, Result};

/// How many distinct words there are.
pub const WORDS: usize = 100_000;

/// What grep looks for: a rare word and all that begin with it.
pub const PATTERN: &str = "w00123";

/// How many of the largest batches the file holds; after these the same lines come again.
const DISTINCT: usize = 5;

/// Lines of a batch in the full run.
pub const LINES: usize = 100_000;

/// The length of a line in bytes.
const LINE: usize = 100;

/// Draws numbers; the same ones in every run.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    /// Any number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Any number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next_u64() >> 11) % end
    }

    /// A number from 0 to 1.
    fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The next line, of exactly 100 bytes.
pub fn line(random: &mut Random) -> String {
    let mut line = String::with_capacity(LINE + 8);
    while line.len() < LINE {
        // The logarithm of the rank is uniform, which makes frequency fall with rank.
        let rank = (WORDS as f64).powf(random.uniform());
        // Frequent words are short, rare ones longer, as in natural text.
        let width = if rank < 100.0 { 2 } else { 5 };
        write!(line, "w{rank:0width$.0} ").expect("a string takes any text");
    }
    line.truncate(LINE);
    // A line that is read back from a file has no blank at its end that a split could take for a word.
    line
}

/// The file with the lines at this scale, five batches of the largest size; it is made if it is not there.
pub fn file(arguments: &Arguments) -> Result<PathBuf> {
    let lines = arguments.scaled(LINES) * DISTINCT;
    let path = arguments.data.join(format!("lines-{lines}.txt"));
    if !path.exists() {
        fs::create_dir_all(&arguments.data)?;
        whole(&path, |out| {
            let mut random = Random::default();
            for _ in 0..lines {
                writeln!(out, "{}", line(&mut random))?;
            }
            Ok(())
        })?;
    }
    Ok(path)
}

/// Writes a file that is whole or not there.
pub fn whole(path: &Path, write: impl FnOnce(&mut dyn io::Write) -> Result<()>) -> Result<()> {
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = BufWriter::new(fs::File::create(&unfinished)?);
    write(&mut out)?;
    out.into_inner()?.sync_all()?;
    Ok(fs::rename(unfinished, path)?)
}

/// The lines as any program would read them, a `String` for each, in batches of so many lines in the full run.
pub fn batches(arguments: &Arguments, size: usize) -> Result<Vec<Vec<String>>> {
    let mut lines = BufReader::new(fs::File::open(file(arguments)?)?).lines();
    let mut batches = Vec::new();
    loop {
        let batch: Vec<_> = lines.by_ref().take(arguments.scaled(size)).collect::<io::Result<_>>()?;
        if batch.len() < arguments.scaled(size) {
            return Ok(batches);
        }
        batches.push(batch);
    }
}

/// The same as plain bytes, with line ends.
pub fn bytes(arguments: &Arguments) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(file(arguments)?)?;
    let size = arguments.scaled(LINES) * (LINE + 1);
    Ok(bytes.chunks(size).map(<[u8]>::to_vec).collect())
}

/// How many records go in during the measured part, with so many in each batch of the full run.
pub fn records(arguments: &Arguments, size: usize) -> u64 {
    (arguments.scaled(size) * arguments.batches) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_one_length_and_are_the_same_each_time() {
        let lines = || {
            let mut random = Random::default();
            (0..100).map(|_| line(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(lines(), lines());
        assert!(lines().iter().all(|line| line.len() == LINE));
    }
}
