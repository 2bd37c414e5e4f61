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
    /// Complete lines that were not taken yet, then the line in progress, up to `filled`. What follows is room for the
    /// next bytes, which is not cleared again each time.
    pub(super) buffer: Vec<u8>,
    filled: usize,
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
            filled: 0,
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
        self.buffer.truncate(self.filled);
        self.buffer.extend_from_slice(bytes);
        self.filled = self.buffer.len();
        self.scan();
    }

    /// Takes the next bytes of the stream; no copy is made of them unless a line is in progress.
    pub fn push_vec(&mut self, bytes: Vec<u8>) {
        if self.filled == 0 {
            self.filled = bytes.len();
            self.buffer = bytes;
            self.scan();
        } else {
            self.push(&bytes);
        }
    }

    /// Reads once from `reader`, at most `limit` bytes, and returns how many there were: 0 at the end of the stream.
    pub fn read_from(&mut self, reader: &mut impl Read, limit: usize) -> io::Result<usize> {
        self.make_room(limit);
        let before = self.filled;
        let end = self.buffer.capacity().min(before + limit);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let read = reader.read(&mut self.buffer[before..end]);
        self.filled = before + read.as_ref().map_or(0, |&read| read);
        self.scan();
        read
    }

    /// Makes room for at least half of `limit` bytes: in a buffer of `limit` bytes, unless the line in progress and what
    /// was not taken need more. A buffer that was made for a long line is given up after it.
    fn make_room(&mut self, limit: usize) {
        let least = limit.div_ceil(2);
        let is_short = self.filled <= limit - least;
        let is_vast = is_short && self.buffer.capacity() / 4 > limit;
        if self.buffer.capacity() - self.filled >= least && !is_vast {
            return;
        }
        if !is_short {
            self.buffer.truncate(self.filled);
            self.buffer.reserve(limit);
            return;
        }
        let mut next = Vec::with_capacity(limit);
        next.extend_from_slice(&self.buffer[..self.filled]);
        self.buffer = next;
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
        let left = self.filled - cut;
        let bytes = if left < cut && cut >= self.buffer.capacity() / 2 {
            let rest = self.buffer[cut..self.filled].to_vec();
            let mut bytes = mem::replace(&mut self.buffer, rest);
            bytes.truncate(cut);
            bytes
        } else {
            let bytes = self.buffer[..cut].to_vec();
            self.buffer.copy_within(cut..self.filled, 0);
            bytes
        };
        self.filled = left;
        self.line_start = 0;
        self.scanned -= cut;
        let found = Found { offset, gaps: mem::take(&mut self.gaps), lines: self.take_lines() };
        found.into_block(bytes, mem::take(&mut self.errors), self.options.invalid_utf8)
    }

    /// The lines found; the next ones will be about as many.
    fn take_lines(&mut self) -> Vec<Range<usize>> {
        let next = Vec::with_capacity(self.lines.len());
        mem::replace(&mut self.lines, next)
    }

    /// The lines that were not taken yet; the stream is at its end, so the line in progress is complete.
    pub fn finish(mut self) -> LineBlock {
        if self.line_start < self.filled || self.skipped > 0 {
            let end = self.filled;
            self.end_line(end);
            self.line_start = end;
        }
        self.take()
    }

    /// Finds the lines in what was not searched yet.
    fn scan(&mut self) {
        while self.scanned < self.filled {
            if mem::take(&mut self.after_cr) && self.buffer[self.scanned] == b'\n' {
                self.scanned += 1;
                self.line_start = self.scanned;
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', &self.buffer[self.scanned..self.filled]) else {
                self.scanned = self.filled;
                break;
            };
            let end = self.scanned + length;
            self.end_line(end);
            self.after_cr = self.buffer[end] == b'\r';
            self.scanned = end + 1;
            self.line_start = self.scanned;
        }
        let in_progress = self.filled - self.line_start;
        if self.skipped > 0 || in_progress > self.options.max_line_bytes {
            self.skipped += in_progress as u64;
            self.filled = self.line_start;
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
