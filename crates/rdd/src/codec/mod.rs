// SPDX-License-Identifier: Apache-2.0
//! Records as bytes: checksummed frames of encoded records, for serialized blocks in memory and, by `FrameWriter`
//! and `FrameReader`, for spill files and object files.

mod error;
mod file;
#[cfg(test)]
mod tests;

use std::ops::Range;

use postcard::ser_flavors::{Flavor, Size};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::CodecError;
pub use file::{FrameReader, FrameWriter};

/// A frame is: payload length, record count, checksum (each `u32`, little endian), flags, payload.
///
/// The checksum is the CRC-32 of everything else, so that no byte of a frame can change unnoticed.
const HEADER: usize = 13;
/// The payload is an LZ4 block behind its uncompressed length.
const FLAG_LZ4: u8 = 1;
/// The last frame of a file: no records; the payload is the number of records of all frames before it.
const FLAG_END: u8 = 2;
/// No payload is longer, compressed or not: what claims to be is damaged.
const MAX_PAYLOAD: usize = 1 << 30;

/// Whether frames are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Records are stored as they are encoded.
    #[default]
    None,
    /// Frames are LZ4 blocks, where this makes them smaller.
    Lz4,
}

/// Appends `records`, by reference or by value, to `out` as one frame.
///
/// On an error `out` is as before.
///
/// # Errors
///
/// [`CodecError::Encode`] if a record cannot be encoded, [`CodecError::TooLarge`] if all take more than 1 GiB.
///
/// ```
/// use dstreams_rdd::codec::{Compression, decode_chunk, encode_chunk};
///
/// let mut bytes = Vec::new();
/// encode_chunk(&[("to", 2_u32), ("be", 2)], Compression::None, &mut bytes)?;
/// let mut records: Vec<(String, u32)> = Vec::new();
/// assert_eq!(decode_chunk(&bytes, &mut records)?, bytes.len());
/// assert_eq!(records[1], ("be".to_owned(), 2));
/// # Ok::<(), dstreams_rdd::codec::CodecError>(())
/// ```
pub fn encode_chunk(
    records: impl IntoIterator<Item = impl Serialize>,
    compression: Compression,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let mut frame = Frame { bytes: out, start, records: 0 };
    frame.open();
    for record in records {
        if let Err(error) = frame.push(&record) {
            out.truncate(start);
            return Err(error);
        }
    }
    frame.close(compression);
    Ok(())
}

/// Appends the records of the frame at the start of `bytes` to `records`, and returns how long the frame is.
///
/// On an error `records` is as before. Offsets in errors count from the start of `bytes`.
pub fn decode_chunk<T: DeserializeOwned>(bytes: &[u8], records: &mut Vec<T>) -> Result<usize, CodecError> {
    let torn = CodecError::Torn { offset: 0 };
    let Some(header) = bytes.first_chunk() else { return Err(torn) };
    let header = Header::parse(header, 0)?;
    let Some(payload) = bytes.get(HEADER..HEADER + header.length) else { return Err(torn) };
    header.verify(payload, 0)?;
    header.decode(payload, 0, records)?;
    Ok(HEADER + header.length)
}

/// How many bytes the record takes when encoded, before compression.
///
/// A record that cannot be encoded counts with its size in memory.
///
/// ```
/// assert_eq!(dstreams_rdd::codec::encoded_size(&("word", 1_u64)), 6);
/// ```
pub fn encoded_size<T: Serialize>(record: &T) -> usize {
    postcard::serialize_with_flavor(record, Size::default()).unwrap_or_else(|_| size_of_val(record))
}

/// A frame that is written to the end of a buffer.
struct Frame<'a> {
    bytes: &'a mut Vec<u8>,
    /// Where the frame starts in `bytes`.
    start: usize,
    records: u32,
}

impl Frame<'_> {
    /// Leaves the room for the header, which `close` fills.
    fn open(&mut self) {
        self.bytes.resize(self.start + HEADER, 0);
    }

    /// On an error the buffer is as before.
    fn push<T: Serialize>(&mut self, record: &T) -> Result<(), CodecError> {
        let before = self.bytes.len();
        let encoded = postcard::serialize_with_flavor(record, Append(self.bytes)).map_err(CodecError::Encode);
        let fits = encoded.and_then(|()| {
            let bytes = self.payload().len();
            if bytes > MAX_PAYLOAD || self.records == u32::MAX {
                return Err(CodecError::TooLarge { bytes: bytes as u64, limit: MAX_PAYLOAD as u64 });
            }
            Ok(())
        });
        match fits {
            Ok(()) => self.records += 1,
            Err(_) => self.bytes.truncate(before),
        }
        fits
    }

    fn payload(&self) -> Range<usize> {
        self.start + HEADER..self.bytes.len()
    }

    fn close(self, compression: Compression) {
        let payload = self.payload();
        let mut flags = 0;
        if compression == Compression::Lz4 {
            let compressed = lz4_flex::compress_prepend_size(&self.bytes[payload.clone()]);
            if compressed.len() < payload.len() {
                self.bytes.truncate(payload.start);
                self.bytes.extend_from_slice(&compressed);
                flags = FLAG_LZ4;
            }
        }
        self.seal(flags);
    }

    fn seal(self, flags: u8) {
        let (header, payload) = self.bytes[self.start..].split_at_mut(HEADER);
        let length = u32::try_from(payload.len()).expect("push keeps payloads below the limit");
        header[0..4].copy_from_slice(&length.to_le_bytes());
        header[4..8].copy_from_slice(&self.records.to_le_bytes());
        header[12] = flags;
        let checksum = checksum(header.as_ref().first_chunk().expect("split at the header"), payload);
        header[8..12].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// What stands before a payload.
#[derive(Clone, Copy)]
struct Header {
    length: usize,
    records: u32,
    checksum: u32,
    flags: u8,
    bytes: [u8; HEADER],
}

impl Header {
    /// Reads the header of the frame at `offset`.
    fn parse(bytes: &[u8; HEADER], offset: u64) -> Result<Self, CodecError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let length = word(0) as usize;
        if length > MAX_PAYLOAD {
            return Err(CodecError::FrameTooLarge {
                offset,
                length: length as u64,
                limit: MAX_PAYLOAD as u64,
            });
        }
        Ok(Self { length, records: word(4), checksum: word(8), flags: bytes[12], bytes: *bytes })
    }

    fn verify(&self, payload: &[u8], offset: u64) -> Result<(), CodecError> {
        let found = checksum(&self.bytes, payload);
        if found != self.checksum {
            return Err(CodecError::Checksum { offset, expected: self.checksum, found });
        }
        // The checksum is right, so whoever wrote this meant it: a later version of the format.
        if self.flags & !(FLAG_LZ4 | FLAG_END) != 0 {
            return Err(CodecError::UnknownFlags { offset, flags: self.flags });
        }
        Ok(())
    }

    /// Appends the records of a verified payload; on an error `records` is as before.
    fn decode<T: DeserializeOwned>(
        &self,
        payload: &[u8],
        offset: u64,
        records: &mut Vec<T>,
    ) -> Result<(), CodecError> {
        let uncompressed;
        let mut rest = payload;
        if self.flags & FLAG_LZ4 != 0 {
            let claimed = payload.first_chunk().map_or(0, |size| u32::from_le_bytes(*size));
            if claimed as usize > MAX_PAYLOAD {
                let limit = MAX_PAYLOAD as u64;
                return Err(CodecError::FrameTooLarge { offset, length: u64::from(claimed), limit });
            }
            uncompressed = lz4_flex::decompress_size_prepended(payload)
                .map_err(|source| CodecError::Decompress { offset, source })?;
            rest = &uncompressed;
        }
        let before = records.len();
        // Records of no bytes exist, but a count beyond the bytes is no reason to allocate for it.
        records.reserve(rest.len().min(self.records as usize));
        for record in 0..self.records {
            match postcard::take_from_bytes(rest) {
                Ok((value, after)) => {
                    records.push(value);
                    rest = after;
                }
                Err(source) => {
                    records.truncate(before);
                    return Err(CodecError::Decode { offset, record, source });
                }
            }
        }
        if !rest.is_empty() {
            records.truncate(before);
            return Err(CodecError::Remainder { offset, bytes: rest.len() });
        }
        Ok(())
    }
}

/// The checksum of a frame: of its header without the checksum itself, and its payload.
fn checksum(header: &[u8; HEADER], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..8]);
    hasher.update(&header[12..]);
    hasher.update(payload);
    hasher.finalize()
}

/// Encodes to the end of a buffer.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
