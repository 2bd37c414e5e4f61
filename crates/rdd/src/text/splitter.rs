// SPDX-License-Identifier: Apache-2.0
//! `LineSplitter`: the incremental parser that makes lines of bytes, however these arrive.

use std::io::{self, Read};
use std::mem;
use std::ops::Range;

use memchr::memchr2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::LineBlock;

/// Makes lines of bytes that arrive in arbitrary pieces.
///
/// A line ends with `\n`, `\r` or `\r\n`, also where `\r` and `\n` arrive apart; a `\r` ends its line at once.
/// The last line needs no terminator. The lines do not depend on where the pieces were cut.
///
/// A line that is too long is dropped while it arrives, so that memory stays bounded by the limit and one piece;
/// an error tells how much was dropped, and the next line is whole again.
///
/// ```
/// use dstreams_rdd::text::{LineOptions, LineSplitter};
///
/// let mut splitter = LineSplitter::new(LineOptions::default());
/// splitter.push(b"to be\r");
/// assert_eq!(splitter.take().lines().collect::<Vec<_>>(), ["to be"]);
/// splitter.push(b"\nor n");
/// assert!(splitter.take().is_empty());
/// splitter.push(b"ot\nto");
/// assert_eq!(splitter.take().lines().collect::<Vec<_>>(), ["or not"]);
/// assert_eq!(splitter.finish().lines().collect::<Vec<_>>(), ["to"]);
/// ```
#[derive(Debug)]
pub struct LineSplitter {
    options: LineOptions,
    /// Complete lines that were not taken yet, then the line in progress.
    pub(super) buffer: Vec<u8>,
    /// The complete lines in `buffer`.
    lines: Vec<Range<usize>>,
    errors: Vec<LineError>,
    /// Where the line in progress starts in `buffer`.
    line_start: usize,
    /// How much of `buffer` was searched for terminators.
    scanned: usize,
    /// Whether the last terminator was `\r`, so that a `\n` right now belongs to it.
    after_cr: bool,
    /// How many bytes of the line in progress were dropped because it is too long.
    skipped: u64,
    /// Where `buffer` starts in the stream.
    offset: u64,
    /// For each dropped part, the position in `buffer` after which it is missing, and its bytes.
    gaps: Vec<(usize, u64)>,
}

/// What a [`LineSplitter`] accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOptions {
    /// The longest line in bytes, without its terminator. Default 16 MiB.
    pub max_line_bytes: usize,
    /// What becomes of a line that is not UTF-8. Default: [`InvalidUtf8::Replace`].
    pub invalid_utf8: InvalidUtf8,
}

impl Default for LineOptions {
    fn default() -> Self {
        Self { max_line_bytes: 16 << 20, invalid_utf8: InvalidUtf8::Replace }
    }
}

/// What becomes of a line that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// Each invalid sequence becomes U+FFFD, as `String::from_utf8_lossy` does it.
    Replace,
    /// The line becomes a [`LineError::InvalidUtf8`].
    Reject,
}

/// Why some bytes did not become a line.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LineError {
    /// The line is longer than [`LineOptions::max_line_bytes`].
    #[error("the line at byte {offset} is too long: {skipped} bytes were skipped")]
    TooLong {
        /// Where the line starts, in bytes from the start of the stream.
        offset: u64,
        /// The length of the line, all of which was skipped.
        skipped: u64,
    },
    /// The line is not UTF-8, which [`InvalidUtf8::Reject`] rejects.
    #[error("invalid UTF-8 at byte {offset}")]
    InvalidUtf8 {
        /// The first invalid byte, counted from the start of the stream.
        offset: u64,
    },
}

impl LineError {
    /// The byte of the stream that the error is about.
    pub fn offset(&self) -> u64 {
        match self {
            Self::TooLong { offset, .. } | Self::InvalidUtf8 { offset } => *offset,
        }
    }
}

impl LineSplitter {
    /// A splitter at the start of a stream.
    pub fn new(options: LineOptions) -> Self {
        Self {
            options,
            buffer: Vec::new(),
            lines: Vec::new(),
            errors: Vec::new(),
            line_start: 0,
            scanned: 0,
            after_cr: false,
            skipped: 0,
            offset: 0,
            gaps: Vec::new(),
        }
    }

    /// Takes the next bytes of the stream, by copying them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.scan();
    }

    /// Takes the next bytes of the stream; no copy is made of them unless a line is in progress.
    pub fn push_vec(&mut self, bytes: Vec<u8>) {
        if self.buffer.is_empty() {
            self.buffer = bytes;
            self.scan();
        } else {
            self.push(&bytes);
        }
    }

    /// Reads once from `reader`, at most `limit` bytes, and returns how many there were: 0 at the end of the stream.
    pub fn read_from(&mut self, reader: &mut impl Read, limit: usize) -> io::Result<usize> {
        let before = self.buffer.len();
        self.buffer.resize(before + limit, 0);
        let read = reader.read(&mut self.buffer[before..]);
        self.buffer.truncate(before + read.as_ref().map_or(0, |&read| read));
        self.scan();
        read
    }

    /// How many lines are complete and can be taken.
    pub fn complete_lines(&self) -> usize {
        self.lines.len()
    }

    /// The complete lines so far and the errors, in one block.
    pub fn take(&mut self) -> LineBlock {
        let offset = self.offset;
        let cut = self.line_start;
        self.offset = self.offset_of(cut);
        // The larger part of the memory goes with the larger part of the bytes; in particular, a few lines that
        // arrive alone do not keep a whole read buffer.
        let bytes = if self.buffer.len() - cut < cut && cut >= self.buffer.capacity() / 2 {
            let rest = self.buffer.split_off(cut);
            mem::replace(&mut self.buffer, rest)
        } else {
            self.buffer.drain(..cut).collect()
        };
        self.line_start = 0;
        self.scanned -= cut;
        let found = Found { offset, gaps: mem::take(&mut self.gaps), lines: mem::take(&mut self.lines) };
        found.into_block(bytes, mem::take(&mut self.errors), self.options.invalid_utf8)
    }

    /// The lines that were not taken yet; the stream is at its end, so the line in progress is complete.
    pub fn finish(mut self) -> LineBlock {
        if self.line_start < self.buffer.len() || self.skipped > 0 {
            let end = self.buffer.len();
            self.end_line(end);
            self.line_start = end;
        }
        self.take()
    }

    /// Finds the lines in what was not searched yet.
    fn scan(&mut self) {
        while let Some(&next) = self.buffer.get(self.scanned) {
            if mem::take(&mut self.after_cr) && next == b'\n' {
                self.scanned += 1;
                self.line_start = self.scanned;
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                break;
            };
            let end = self.scanned + length;
            self.end_line(end);
            self.after_cr = self.buffer[end] == b'\r';
            self.scanned = end + 1;
            self.line_start = self.scanned;
        }
        let in_progress = self.buffer.len() - self.line_start;
        if self.skipped > 0 || in_progress > self.options.max_line_bytes {
            self.skipped += in_progress as u64;
            self.buffer.truncate(self.line_start);
            self.scanned = self.line_start;
        }
    }

    /// The line in progress ends at `end` of the buffer.
    fn end_line(&mut self, end: usize) {
        let length = end - self.line_start;
        let skipped = mem::take(&mut self.skipped);
        if skipped == 0 && length <= self.options.max_line_bytes {
            self.lines.push(self.line_start..end);
            return;
        }
        let offset = self.offset_of(self.line_start);
        self.errors.push(LineError::TooLong { offset, skipped: skipped + length as u64 });
        if skipped > 0 {
            self.gaps.push((end, skipped));
        }
    }

    fn offset_of(&self, position: usize) -> u64 {
        offset_of(position, self.offset, &self.gaps)
    }
}

/// Where a position in a buffer is in the stream; the dropped parts before it count.
fn offset_of(position: usize, start: u64, gaps: &[(usize, u64)]) -> u64 {
    let dropped: u64 = gaps.iter().take_while(|(at, _)| *at < position).map(|(_, bytes)| bytes).sum();
    start + position as u64 + dropped
}

/// Lines in a buffer whose text is not known to be UTF-8.
struct Found {
    offset: u64,
    gaps: Vec<(usize, u64)>,
    lines: Vec<Range<usize>>,
}

impl Found {
    fn into_block(self, bytes: Vec<u8>, errors: Vec<LineError>, invalid: InvalidUtf8) -> LineBlock {
        // Commonly all is valid, and one check of the whole is the cheapest; terminators are ASCII, so that the
        // parts of a valid whole are valid.
        match String::from_utf8(bytes) {
            Ok(text) => LineBlock::new(text, self.lines, errors),
            Err(error) => self.into_mended_block(error.as_bytes(), errors, invalid),
        }
    }

    /// Writes a new text in which each line is valid, or left out.
    fn into_mended_block(self, bytes: &[u8], mut errors: Vec<LineError>, invalid: InvalidUtf8) -> LineBlock {
        let mut text = String::with_capacity(bytes.len());
        let mut lines = Vec::with_capacity(self.lines.len());
        for range in self.lines {
            let line = match (str::from_utf8(&bytes[range.clone()]), invalid) {
                (Ok(line), _) => line.into(),
                (Err(_), InvalidUtf8::Replace) => String::from_utf8_lossy(&bytes[range]),
                (Err(error), InvalidUtf8::Reject) => {
                    let offset = offset_of(range.start, self.offset, &self.gaps) + error.valid_up_to() as u64;
                    errors.push(LineError::InvalidUtf8 { offset });
                    continue;
                }
            };
            lines.push(text.len()..text.len() + line.len());
            text.push_str(&line);
        }
        errors.sort_by_key(LineError::offset);
        LineBlock::new(text, lines, errors)
    }
}
