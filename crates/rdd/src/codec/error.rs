// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with encoded records.

use std::io;

use thiserror::Error;

/// Why records could not be written, or why bytes are not the records that were written.
///
/// Offsets are those of the frame in question, in bytes from the start of the file or buffer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Reading or writing failed.
    #[error("input or output of records failed")]
    Io(#[from] io::Error),
    /// The file does not start as a file of records does.
    #[error("not a file of records: it starts with {found:02x?}")]
    WrongMagic {
        /// The first bytes of the file.
        found: [u8; 7],
    },
    /// The file was written by a version of the format that is not known here.
    #[error("a file of records of version {found}, where version {known} is known")]
    UnknownVersion {
        /// The version of the file.
        found: u8,
        /// The version that this program reads.
        known: u8,
    },
    /// The bytes end before the frame does, or before the frame that ends the file: the writer did not finish.
    #[error("the bytes end within the frame at byte {offset}")]
    Torn {
        /// Where the frame starts that is not complete.
        offset: u64,
    },
    /// The frame is not as it was written.
    #[error("the frame at byte {offset} is damaged: checksum {found:08x} instead of {expected:08x}")]
    Checksum {
        /// Where the frame starts.
        offset: u64,
        /// The checksum in the frame.
        expected: u32,
        /// The checksum of the frame.
        found: u32,
    },
    /// The length of the frame cannot be right.
    #[error("the frame at byte {offset} claims {length} bytes, more than {limit}")]
    FrameTooLarge {
        /// Where the frame starts.
        offset: u64,
        /// The length that the frame claims for its payload.
        length: u64,
        /// The longest payload there is.
        limit: u64,
    },
    /// The frame is whole, but uses what this version does not know.
    #[error("the frame at byte {offset} has unknown flags {flags:#04x}")]
    UnknownFlags {
        /// Where the frame starts.
        offset: u64,
        /// All its flags.
        flags: u8,
    },
    /// The frame is whole, but its compressed payload is not.
    #[error("the frame at byte {offset} cannot be decompressed")]
    Decompress {
        /// Where the frame starts.
        offset: u64,
        /// What the decompressor says.
        source: lz4_flex::block::DecompressError,
    },
    /// The frame is whole, but a record in it is not of the type that is read.
    #[error("record {record} of the frame at byte {offset} is not of the expected type")]
    Decode {
        /// Where the frame starts.
        offset: u64,
        /// The number of the record in its frame, from 0.
        record: u32,
        /// What the decoder says.
        source: postcard::Error,
    },
    /// The frame is whole, but has more bytes than its records: they are not of the type that is read.
    #[error("{bytes} bytes are left after the records of the frame at byte {offset}")]
    Remainder {
        /// Where the frame starts.
        offset: u64,
        /// How many bytes are left.
        bytes: usize,
    },
    /// Frames are missing or come twice.
    #[error("the file ends at byte {offset} after {found} records, but {expected} were written")]
    RecordCount {
        /// Where the last frame starts.
        offset: u64,
        /// How many records were written.
        expected: u64,
        /// How many records the frames have.
        found: u64,
    },
    /// A record cannot be encoded.
    #[error("a record cannot be encoded")]
    Encode(#[source] postcard::Error),
    /// Records are too large for a frame.
    #[error("records of {bytes} bytes, more than the {limit} that fit one frame")]
    TooLarge {
        /// The encoded size.
        bytes: u64,
        /// The longest payload there is.
        limit: u64,
    },
}
