// SPDX-License-Identifier: Apache-2.0
//! `LineBlock`: many lines in one shared string.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;

use super::Text;
use super::repr::{SharedStr, Slices};
use super::splitter::{LineError, LineOptions, LineSplitter};

/// How many references to the block are counted at once, by one atomic operation.
const BULK: usize = 1024;

/// Lines that share one block of memory, and the errors met among them.
///
/// Made by a [`LineSplitter`] of the bytes of a socket or a file, or of a `String`. Taking its lines as [`Text`]
/// allocates nothing and counts the references a thousand at a time.
///
/// ```
/// use dstreams_rdd::text::LineBlock;
///
/// let block = LineBlock::from("to be\r\nor not\nto be".to_owned());
/// assert_eq!(block.lines().collect::<Vec<_>>(), ["to be", "or not", "to be"]);
/// ```
#[derive(Clone)]
pub struct LineBlock {
    text: SharedStr,
    lines: Vec<Range<usize>>,
    errors: Vec<LineError>,
}

impl LineBlock {
    /// The ranges must lie in `text`, on character boundaries.
    pub(super) fn new(text: String, lines: Vec<Range<usize>>, errors: Vec<LineError>) -> Self {
        Self { text: SharedStr::new(text), lines, errors }
    }

    /// The lines in order, without their terminators.
    pub fn lines(&self) -> Lines<'_> {
        Lines { slices: self.text.slices(BULK.min(self.lines.len())), ranges: self.lines.iter() }
    }

    /// Appends the lines to `records`.
    pub fn append_to(&self, records: &mut Vec<Text>) {
        records.extend(self.lines());
    }

    /// How many lines there are, not counting those that were given up with an error.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line; there may be errors.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many bytes of text the block keeps in memory as long as one of its longer lines is in use.
    pub fn text_len(&self) -> usize {
        self.text.as_str().len()
    }

    /// What could not be made a line, in order.
    pub fn errors(&self) -> &[LineError] {
        &self.errors
    }
}

impl From<String> for LineBlock {
    fn from(text: String) -> Self {
        let mut splitter =
            LineSplitter::new(LineOptions { max_line_bytes: usize::MAX, ..LineOptions::default() });
        splitter.push_vec(text.into_bytes());
        splitter.finish()
    }
}

impl fmt::Debug for LineBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineBlock")
            .field("lines", &self.len())
            .field("bytes", &self.text_len())
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

/// The lines of a block; see [`LineBlock::lines`].
#[must_use = "iterators are lazy"]
pub struct Lines<'a> {
    slices: Slices<'a>,
    ranges: std::slice::Iter<'a, Range<usize>>,
}

impl Iterator for Lines<'_> {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let range = self.ranges.next()?;
        Some(Text(self.slices.slice(range.clone())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranges.size_hint()
    }
}

impl ExactSizeIterator for Lines<'_> {}
impl FusedIterator for Lines<'_> {}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("left", &self.ranges.len()).finish_non_exhaustive()
    }
}
