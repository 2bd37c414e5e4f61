// SPDX-License-Identifier: Apache-2.0
//! `Policy<T>`: how the records of a block may be kept. It is made where the bounds of `T` are known, so that what keeps
//! blocks needs none.

use crate::{
    block::disk::{SpillReader, SpillWriter},
    codec::{self, CodecError, Compression, FrameReader, FrameWriter},
    persist::StorageLevel,
    record::{Data, Wire},
    shuffle::footprint::RecordMeter,
};

/// The forms that a block may take, and what becomes of it when memory is short.
pub(crate) struct Policy<T> {
    pub(crate) level: StorageLevel,
    /// How many bytes a chunk takes as records.
    pub(crate) measure: fn(&[T]) -> usize,
    /// Set if blocks are serialized in memory.
    pub(crate) in_memory: Option<Codec<T>>,
    /// Set if blocks may be on disk.
    pub(crate) on_disk: Option<Codec<T>>,
    /// Whether a block may be given up altogether, since it can be computed again.
    pub(crate) droppable: bool,
}

impl<T> Clone for Policy<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Policy<T> {}

impl<T: Data> Policy<T> {
    /// In memory as records, of which nothing is known but their size.
    pub(crate) fn records() -> Self {
        Self {
            level: StorageLevel::MEMORY_ONLY,
            measure: |chunk| size_of_val(chunk),
            in_memory: None,
            on_disk: None,
            droppable: true,
        }
    }
}

impl<T: Wire> Policy<T> {
    /// As `level` says.
    pub(crate) fn of(level: StorageLevel, droppable: bool) -> Self {
        let codec = Codec::new();
        Self {
            level,
            measure,
            in_memory: (level.uses_memory() && !level.is_deserialized()).then_some(codec),
            on_disk: level.uses_disk().then_some(codec),
            droppable,
        }
    }
}

/// The bytes of the records themselves and, from samples, of what they own elsewhere.
fn measure<T: Wire>(chunk: &[T]) -> usize {
    if !std::mem::needs_drop::<T>() {
        return size_of_val(chunk);
    }
    let mut meter = RecordMeter::default();
    meter.count(chunk);
    meter.bytes::<T>()
}

/// How records become bytes and back.
pub(crate) struct Codec<T> {
    pub(crate) encode: Encode<T>,
    pub(crate) decode: Decode<T>,
    pub(crate) write: Write<T>,
    pub(crate) read: Read<T>,
}

type Encode<T> = fn(&[T], Compression, &mut Vec<u8>) -> Result<(), CodecError>;
type Decode<T> = fn(&[u8], &mut Vec<T>) -> Result<usize, CodecError>;
type Write<T> = fn(&mut FrameWriter<SpillWriter>, &[T]) -> Result<u64, CodecError>;
type Read<T> = fn(&mut FrameReader<SpillReader>, &mut Vec<T>) -> Result<usize, CodecError>;

impl<T: Wire> Codec<T> {
    fn new() -> Self {
        Self {
            encode: |records, compression, out| codec::encode_chunk(records, compression, out),
            decode: codec::decode_chunk,
            write: |writer, records| writer.append(records),
            read: FrameReader::read,
        }
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}
