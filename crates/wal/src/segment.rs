// SPDX-License-Identifier: Apache-2.0
//! A segment: its name, which says what times it holds, and its header, which ties it to the segment before.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A file of a log, named by the times it takes, in ms. Segments are in the order of their starts, which all differ.
///
/// Records appended at up to and including `stop` go into it, unless it is full. `start` is the time of its first record,
/// or as much later as it takes to come after the segment before it.
///
/// On an object store a segment is one object and has no times, because its name must be the same for whoever is next to
/// append: `start` is its number, and `stop` the epoch of the writer that put it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// From when on it takes records.
    pub start: i64,
    /// The last time at which it takes records.
    pub stop: i64,
}

impl Segment {
    /// The segment of a file name, if it is that of a segment.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let times = name.strip_prefix("log-")?;
        // The first character may be the sign of a negative time.
        let dash = 1 + times.get(1..)?.find('-')?;
        let segment = Self { start: times[..dash].parse().ok()?, stop: times[dash + 1..].parse().ok()? };
        (segment.to_string() == name).then_some(segment)
    }
}

/// Digits of the number in the name of an object, so that names are in the order of their numbers.
const DIGITS: usize = 20;

/// An epoch that is not known before the header is read.
pub(crate) const ANY_EPOCH: i64 = i64::MIN;

/// The name of an object with this number.
pub(crate) fn object_name(number: i64) -> String {
    format!("log-{number:0DIGITS$}")
}

/// The number of the object of this name, if it is one of a log.
pub(crate) fn object_number(name: &str) -> Option<i64> {
    let digits = name.strip_prefix("log-").filter(|digits| digits.len() == DIGITS)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log-{}-{}", self.start, self.stop)
    }
}

/// Bytes before the first frame.
pub(crate) const SEGMENT_HEADER: usize = 56;

const MAGIC: &[u8; 8] = b"dstrmwal";
const VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The id that all segments of a log share; on an object store that of the writer.
    pub(crate) log: u64,
    /// Counts the segments of the log, so that a missing one is noticed.
    pub(crate) number: u64,
    /// Where the segment before ends; what it has beyond is left of a failed write.
    pub(crate) previous_end: u64,
    pub(crate) segment: Segment,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.log.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.number.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.previous_end.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.segment.start.to_le_bytes());
        bytes[44..52].copy_from_slice(&self.segment.stop.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..52]);
        bytes[52..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header that these bytes of `file` are, whose segment `is_named` by its name.
    pub(crate) fn decode(
        bytes: &[u8; SEGMENT_HEADER],
        is_named: impl FnOnce(Segment) -> bool,
        file: &Path,
    ) -> Result<Self> {
        let corrupt = |what| Error::corrupt(file, 0, what);
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            word
        };
        let half = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if &bytes[..8] != MAGIC {
            return Err(corrupt("it does not start like a segment of a log"));
        }
        if half(8) != VERSION {
            return Err(Error::Version { file: file.to_owned(), found: half(8) });
        }
        if half(52) != crc32fast::hash(&bytes[..52]) {
            return Err(corrupt("the checksum of its header is wrong"));
        }
        let segment = Segment { start: i64::from_le_bytes(word(36)), stop: i64::from_le_bytes(word(44)) };
        if !is_named(segment) {
            return Err(corrupt("its header is that of another segment"));
        }
        Ok(Self {
            log: u64::from_le_bytes(word(12)),
            number: u64::from_le_bytes(word(20)),
            previous_end: u64::from_le_bytes(word(28)),
            segment,
        })
    }

    /// What makes the frames of this segment differ from those of every other.
    pub(crate) fn salt(&self) -> u32 {
        crc32fast::hash(&self.encode()[8..52])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_original() {
        let segment = Segment { start: 1_000, stop: 2_000 };
        assert_eq!(segment.to_string(), "log-1000-2000");
        assert_eq!(Segment::parse("log-1000-2000"), Some(segment));
        assert_eq!(Segment::parse("log--5-995"), Some(Segment { start: -5, stop: 995 }));
        for other in [
            "lock",
            "log-",
            "log-1",
            "log-1-",
            "log-é",
            "log-1-2.unfinished",
            "log-01-2",
            "log-1-+2",
            "log-1-2-3",
        ] {
            assert_eq!(Segment::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_header_is_refused_unless_it_is_whole_and_of_this_file() {
        let segment = Segment { start: 1, stop: 2 };
        let header = SegmentHeader { log: 3, number: 4, previous_end: 5, segment };
        let decode =
            |bytes, named: Segment| SegmentHeader::decode(&bytes, |found| found == named, Path::new("log"));
        assert_eq!(decode(header.encode(), segment).ok(), Some(header));
        let renamed = decode(header.encode(), Segment { start: 1, stop: 3 });
        assert!(matches!(renamed, Err(Error::Corrupt { offset: 0, .. })), "{renamed:?}");
        for byte in 0..SEGMENT_HEADER {
            let mut bytes = header.encode();
            bytes[byte] ^= 0x10;
            let flipped = decode(bytes, segment);
            let expected = if (8..12).contains(&byte) {
                matches!(flipped, Err(Error::Version { .. }))
            } else {
                matches!(flipped, Err(Error::Corrupt { offset: 0, .. }))
            };
            assert!(expected, "byte {byte}: {flipped:?}");
        }
    }
}
