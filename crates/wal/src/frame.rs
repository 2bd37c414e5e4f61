// SPDX-License-Identifier: Apache-2.0
//! A frame: the few bytes before each record that say how long it is, and prove that it is whole and in its place.

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};

use crate::segment::Segment;

/// Where a record is in a log. It is plain data: store it, send it, read the record with it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handle {
    /// The segment that holds the record.
    pub segment: Segment,
    /// Where its frame starts in the segment, in bytes.
    pub offset: u64,
    /// Bytes of the record, without its frame.
    pub length: u32,
}

/// The most bytes a record may have.
pub const MAX_RECORD: usize = 1 << 30;

/// Bytes before each record.
pub(crate) const FRAME_HEADER: usize = 17;

/// The kind of a frame that holds one record, in the first version of the format.
pub(crate) const RECORD: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes of the record.
    pub(crate) length: u32,
    /// The CRC-32 of the record.
    pub(crate) checksum: u32,
    /// Bytes back to the first frame that was made durable together with this one.
    pub(crate) into_group: u32,
    pub(crate) kind: u8,
}

impl FrameHeader {
    /// The bytes for a frame at `offset` of the segment that `salt` stands for.
    pub(crate) fn encode(self, salt: u32, offset: u64) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.into_group.to_le_bytes());
        bytes[12] = self.kind;
        let seal = seal(&bytes[..13], salt, offset);
        bytes[13..].copy_from_slice(&seal.to_le_bytes());
        bytes
    }

    /// The header, if these bytes are one that was written to this place of this segment.
    pub(crate) fn decode(bytes: &[u8; FRAME_HEADER], salt: u32, offset: u64) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        (seal(&bytes[..13], salt, offset) == word(13)).then(|| Self {
            length: word(0),
            checksum: word(4),
            into_group: word(8),
            kind: bytes[12],
        })
    }

    /// Bytes of the frame and its record.
    pub(crate) fn frame_length(self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.length)
    }
}

fn seal(fields: &[u8], salt: u32, offset: u64) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(&offset.to_le_bytes());
    hasher.update(fields);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader { length: 7, checksum: 99, into_group: 24, kind: RECORD };

    #[test]
    fn a_header_is_valid_only_in_its_place_and_segment() {
        let bytes = HEADER.encode(5, 1_000);
        assert_eq!(FrameHeader::decode(&bytes, 5, 1_000), Some(HEADER));
        assert_eq!(FrameHeader::decode(&bytes, 5, 1_001), None);
        assert_eq!(FrameHeader::decode(&bytes, 6, 1_000), None);
    }

    #[test]
    fn any_flipped_bit_of_a_header_is_noticed() {
        for bit in 0..FRAME_HEADER * 8 {
            let mut bytes = HEADER.encode(5, 1_000);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bytes, 5, 1_000), None, "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_not_a_frame() {
        assert_eq!(FrameHeader::decode(&[0; FRAME_HEADER], 5, 0), None);
    }
}
