// SPDX-License-Identifier: Apache-2.0
//! Iterators that own a text and cut it: `Words` at white space, `SplitChar` at a character.

use std::fmt;
use std::iter::FusedIterator;

use super::Text;
use super::repr::{INLINE, Repr};

/// The words of a text; see [`Text::words`].
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct Words {
    /// The whole block of a shared text: what follows the text may be read along, which saves a slow path for the
    /// last words of each line.
    whole: Text,
    /// The part of `whole` that is not consumed yet.
    at: usize,
    end: usize,
}

impl Words {
    #[inline]
    pub(super) fn new(text: Text) -> Self {
        let (whole, range) = text.0.widen();
        Self { whole: Text(whole), at: range.start, end: range.end }
    }
}

impl Iterator for Words {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let whole = self.whole.as_str();
        let start = skip_white_space(whole, self.at, self.end);
        let end = find_white_space(whole, start, self.end);
        self.at = end;
        (start < end).then(|| cut(&self.whole, start, end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A word takes a byte, and one more for the white space before the next.
        (0, Some((self.end - self.at).div_ceil(2)))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Words").field(&&self.whole[self.at..self.end]).finish()
    }
}

impl FusedIterator for Words {}

/// The parts of a text between separators; see [`Text::split_char`].
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct SplitChar {
    text: Text,
    separator: char,
    /// Where the next part starts; `None` after the last one.
    at: Option<usize>,
}

impl SplitChar {
    #[inline]
    pub(super) fn new(text: Text, separator: char) -> Self {
        Self { text, separator, at: Some(0) }
    }
}

impl Iterator for SplitChar {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let start = self.at?;
        let text = self.text.as_str();
        let end = if let Some(length) = text[start..].find(self.separator) {
            self.at = Some(start + length + self.separator.len_utf8());
            start + length
        } else {
            self.at = None;
            text.len()
        };
        Some(cut(&self.text, start, end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.at {
            Some(start) => (1, Some(self.text.len() - start + 1)),
            None => (0, Some(0)),
        }
    }
}

impl FusedIterator for SplitChar {}

#[inline]
fn cut(text: &Text, start: usize, end: usize) -> Text {
    if end - start <= INLINE { Text(Repr::short(text, start, end)) } else { Text(text.0.slice(start..end)) }
}

/// Where the first character of `text[at..end]` starts that is no white space; `end` if there is none.
#[inline]
fn skip_white_space(text: &str, mut at: usize, end: usize) -> usize {
    while at < end {
        match white_space_at(text, at) {
            0 => break,
            width => at += width,
        }
    }
    at
}

/// Where the first white space of `text[at..end]` starts; `end` if there is none.
#[inline]
fn find_white_space(text: &str, mut at: usize, end: usize) -> usize {
    while at < end {
        // As far as possible many bytes at a time up to the first that may be white space, then a close look.
        if let Some(window) = text.as_bytes().get(at..at + WINDOW) {
            let other = plain_prefix(window);
            at += other;
            if other == WINDOW {
                continue;
            }
            if at >= end {
                return end;
            }
        }
        if white_space_at(text, at) > 0 {
            return at;
        }
        at += char_width(text.as_bytes()[at]);
    }
    end
}

/// How many bytes are searched at once: most words and the space after them.
const WINDOW: usize = 24;

/// How many bytes at the start of `window` are ASCII and above the space, so surely not white space.
///
/// There is no branch that depends on the length of the word, because that would be mispredicted all the time.
#[inline]
fn plain_prefix(window: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let mut others = 1_u64 << WINDOW;
    for (index, word) in window.chunks_exact(8).enumerate() {
        let word = u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
        // The high bit of each byte below 0x21 or above 0x7f; exact up to the first, beyond which a borrow may
        // have set more.
        let found = ((word.wrapping_sub(ONES * 0x21) & !word) | word) & HIGH;
        // The multiplication gathers the eight bits in the highest byte.
        others |= ((found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (index * 8);
    }
    others.trailing_zeros() as usize
}

/// The width of the white space character that starts at `at`, or 0 if it is another character.
#[inline]
fn white_space_at(text: &str, at: usize) -> usize {
    let byte = text.as_bytes()[at];
    if byte.is_ascii() {
        // Unlike `is_ascii_whitespace`, `str` counts the vertical tab among them.
        return usize::from(matches!(byte, b' ' | b'\t'..=b'\r'));
    }
    text[at..].chars().next().filter(|c| c.is_whitespace()).map_or(0, char::len_utf8)
}

/// The width of the character that starts with `byte`.
#[inline]
fn char_width(byte: u8) -> usize {
    match byte {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}
