// SPDX-License-Identifier: Apache-2.0
//! Iterators that own a text and cut it: `Words` at white space, `SplitChar` at a character.

use std::iter::FusedIterator;

use super::Text;
use super::repr::{INLINE, Repr};

/// The words of a text; see [`Text::words`].
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct Words {
    text: Text,
    /// Everything before this byte is consumed.
    at: usize,
}

impl Words {
    #[inline]
    pub(super) fn new(text: Text) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Words {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let text = self.text.as_str();
        let start = skip_white_space(text, self.at);
        if start == text.len() {
            self.at = start;
            return None;
        }
        let (end, after) = find_white_space(text, start);
        self.at = after;
        Some(cut(&self.text, start, end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A word takes a byte, and one more for the white space before the next.
        (0, Some((self.text.len() - self.at).div_ceil(2)))
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

/// Where the first character from `at` on starts that is no white space, or the end.
#[inline]
fn skip_white_space(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match white_space_at(text, at, byte) {
            0 => break,
            width => at += width,
        }
    }
    at
}

/// Where the first white space from `at` on starts and where it ends; the end of the text if there is none.
#[inline]
fn find_white_space(text: &str, mut at: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    loop {
        // Eight bytes at a time up to the first that may be white space, then a close look at that one.
        while let Some(word) = bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            let candidates = may_be_white_space(word);
            at += candidates.trailing_zeros() as usize / 8;
            if candidates != 0 {
                break;
            }
        }
        let Some(&byte) = bytes.get(at) else { return (at, at) };
        match white_space_at(text, at, byte) {
            0 => at += char_width(byte),
            width => return (at, at + width),
        }
    }
}

/// The high bit of each byte that is a space, a control character or not ASCII; exact up to the first such byte.
#[inline]
fn may_be_white_space(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    ((word.wrapping_sub(ONES * 0x21) & !word) | word) & HIGH
}

/// The width of the white space character that starts at `at` with `byte`, or 0 if it is another character.
#[inline]
fn white_space_at(text: &str, at: usize, byte: u8) -> usize {
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
