// SPDX-License-Identifier: Apache-2.0
//! `Text`, the record type of lines and words: an immutable string that is cheap to cut and to clone,
//! and the parser that makes lines of the bytes of a socket or a file.

mod block;
#[allow(
    unsafe_code,
    reason = "a string of 24 bytes with a count of its own; the only unsafe code of the crate"
)]
mod repr;
mod serde;
mod split;
mod splitter;
#[cfg(test)]
mod splitter_tests;
#[cfg(test)]
mod tests;

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Bound, Deref, RangeBounds};
use std::str::FromStr;

pub use block::{LineBlock, Lines};
use repr::Repr;
pub use split::{SplitChar, Words};
pub use splitter::{InvalidUtf8, LineError, LineOptions, LineSplitter};

/// An immutable UTF-8 string of 24 bytes (as is `Option<Text>`) that never copies a long string.
///
/// Up to 23 bytes are stored inline. A longer `Text` is a slice of a reference-counted block, commonly the block
/// of bytes in which it was received, which it shares with its neighbours: cutting a line into words allocates
/// nothing. It dereferences to `str`, hashes and compares as `str`, and a map with `Text` keys can be asked with
/// a `&str`.
///
/// A short piece of a long text keeps the whole block in memory; see [`Text::detached`] for what is kept long.
///
/// ```
/// use dstreams_rdd::Text;
///
/// let line = Text::from("to be or not to be");
/// let words: Vec<Text> = line.words().collect();
/// assert_eq!(words[3], "not");
/// assert_eq!(words.len(), 6);
/// ```
#[derive(Clone)]
pub struct Text(Repr);

impl Text {
    /// The empty string.
    pub const fn new() -> Self {
        Self(Repr::EMPTY)
    }

    /// The string as a `&str`.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The part of this text in the given range of bytes. It shares the block, or is inline if short.
    ///
    /// # Panics
    ///
    /// If the range is out of bounds or not on character boundaries, as with `str`.
    ///
    /// ```
    /// use dstreams_rdd::Text;
    ///
    /// let line = Text::from("2024-05-01T12:00:00Z ERROR the disk is full");
    /// assert_eq!(line.slice(21..26), "ERROR");
    /// assert_eq!(line.slice(27..), "the disk is full");
    /// ```
    #[must_use = "the text itself is unchanged"]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.checked_add(1).expect("slice starts beyond any string"),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1).expect("slice ends beyond any string"),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        Self(self.0.slice(start..end))
    }

    /// The words of this text, separated by Unicode white space, as [`str::split_whitespace`] gives them.
    ///
    /// The iterator owns the text, so that `lines.flat_map(|line| line.words())` is all it takes, and it does not
    /// allocate.
    ///
    /// ```
    /// use dstreams_rdd::Text;
    ///
    /// let mut words = Text::from(" the quick\tfox ").words();
    /// assert_eq!(words.next(), Some(Text::from("the")));
    /// assert_eq!(words.last(), Some(Text::from("fox")));
    /// ```
    #[inline]
    pub fn words(self) -> Words {
        Words::new(self)
    }

    /// The parts between the occurrences of `separator`, empty ones included, as `str::split` gives them.
    ///
    /// The iterator owns the text and does not allocate.
    ///
    /// ```
    /// use dstreams_rdd::Text;
    ///
    /// let fields: Vec<Text> = Text::from("7,,alice").split_char(',').collect();
    /// assert_eq!(fields, ["7", "", "alice"]);
    /// ```
    #[inline]
    pub fn split_char(self, separator: char) -> SplitChar {
        SplitChar::new(self, separator)
    }

    /// The same string, with no more memory behind it than its own length: copied if it is a part of a block
    /// that is larger. For what stays long after its neighbours are gone, such as the keys of a state.
    ///
    /// ```
    /// use dstreams_rdd::Text;
    ///
    /// let line = Text::from("x".repeat(100_000));
    /// let key = line.slice(..64).detached();
    /// assert_eq!(key, "x".repeat(64));
    /// ```
    #[must_use = "the text itself is unchanged"]
    pub fn detached(self) -> Self {
        if self.0.block_len() > self.len() { Self(Repr::new(&self)) } else { self }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    #[inline]
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Text {
    #[inline]
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self(Repr::new(text))
    }
}

impl From<String> for Text {
    /// Takes over the memory of a long string.
    fn from(text: String) -> Self {
        Self(Repr::from_string(text))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::from(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Hash for Text {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Eq for Text {}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Ord for Text {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Text {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq<str> for Text {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    #[inline]
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Text> for str {
    #[inline]
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Text> for &str {
    #[inline]
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<Text> for String {
    #[inline]
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}
