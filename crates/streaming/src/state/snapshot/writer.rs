// SPDX-License-Identifier: Apache-2.0
//! Writes the file of one partition.

use std::{io::Write, marker::PhantomData};

use dstreams_wal::{Location, WholeFile};
use serde::Serialize;

use super::{
    PLACE,
    format::{BlockHead, Header, Kind},
    part,
};
use crate::{
    state::{
        codec::{encode, put_number, put_signed},
        error::StateError,
    },
    time::Time,
};

/// The length of a block.
const BLOCK: usize = 1 << 16;

/// What a file has when it is finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
}

/// A file that is being written, of keys and states as bytes. Without [`finish`](Self::finish) it is not there.
pub(crate) struct PartWriter {
    file: WholeFile,
    path: std::path::PathBuf,
    time: Time,
    block: Vec<u8>,
    in_block: u64,
    compressed: Option<Vec<u8>>,
    written: Written,
}

impl PartWriter {
    /// Begins the file of the partition that the header names.
    pub(crate) fn create(dir: &Location, header: &Header) -> Result<Self, StateError> {
        let location = part(dir, header.partition);
        let path = location.path().to_owned();
        let mut file = location.create(PLACE).map_err(StateError::io("create", &path))?;
        let bytes = header.encode();
        file.write_all(&bytes).map_err(StateError::io("write", &path))?;
        let written = Written { keys: 0, bytes: bytes.len() as u64 };
        let block = Vec::with_capacity(BLOCK + BLOCK / 8);
        Ok(Self { file, path, time: header.time, block, in_block: 0, compressed: Some(Vec::new()), written })
    }

    /// Does not compress the blocks from here on.
    #[cfg(test)]
    pub(crate) fn plain(mut self) -> Self {
        self.compressed = None;
        self
    }

    /// Appends an entry.
    pub(crate) fn put(&mut self, key: &[u8], state: &[u8], used: Time) -> Result<(), StateError> {
        put_number(key.len() as u64, &mut self.block);
        put_number(state.len() as u64, &mut self.block);
        put_signed((self.time - used).as_millis(), &mut self.block);
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(state);
        self.in_block += 1;
        if self.block.len() >= BLOCK { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<(), StateError> {
        let (kind, bytes) = match &mut self.compressed {
            Some(buffer) => {
                buffer.resize(lz4_flex::block::get_maximum_output_size(self.block.len()), 0);
                let length = lz4_flex::block::compress_into(&self.block, buffer)
                    .expect("the buffer is as long as it can get");
                if length < self.block.len() {
                    (Kind::Lz4, &buffer[..length])
                } else {
                    (Kind::Plain, &self.block[..])
                }
            }
            None => (Kind::Plain, &self.block[..]),
        };
        let too_long = |length: usize| {
            u32::try_from(length)
                .map_err(|_| StateError::Schema("a key with its state takes more than 4 GB".to_owned()))
        };
        let head = BlockHead {
            kind,
            entries: self.in_block,
            length: too_long(self.block.len())?,
            stored: too_long(bytes.len())?,
        };
        let head = head.encode(bytes);
        self.file
            .write_all(&head)
            .and_then(|()| self.file.write_all(bytes))
            .map_err(StateError::io("write", &self.path))?;
        self.written.bytes += (head.len() + bytes.len()) as u64;
        self.written.keys += self.in_block;
        self.in_block = 0;
        self.block.clear();
        Ok(())
    }

    /// Ends the file, makes it durable and gives it its name.
    pub(crate) fn finish(mut self) -> Result<Written, StateError> {
        if self.in_block > 0 {
            self.end_block()?;
        }
        let end = BlockHead { kind: Kind::End, entries: self.written.keys, length: 0, stored: 0 }.encode(&[]);
        self.file.write_all(&end).map_err(StateError::io("write", &self.path))?;
        self.written.bytes += end.len() as u64;
        self.file.commit().map_err(StateError::io("finish", &self.path))?;
        Ok(self.written)
    }
}

/// As [`PartWriter`], of keys and states as values.
pub(crate) struct SnapshotWriter<K, S> {
    part: PartWriter,
    key: Vec<u8>,
    state: Vec<u8>,
    types: PhantomData<fn(&K, &S)>,
}

impl<K: Serialize, S: Serialize> SnapshotWriter<K, S> {
    /// Begins the file of the partition that the header names.
    pub(crate) fn create(dir: &Location, header: &Header) -> Result<Self, StateError> {
        let part = PartWriter::create(dir, header)?;
        Ok(Self { part, key: Vec::new(), state: Vec::new(), types: PhantomData })
    }

    /// Appends a key. `used` is when it was last used, or the time of the batch where nothing asks for that.
    pub(crate) fn put(&mut self, key: &K, state: &S, used: Time) -> Result<(), StateError> {
        self.key.clear();
        self.state.clear();
        encode(key, &mut self.key)?;
        encode(state, &mut self.state)?;
        self.part.put(&self.key, &self.state, used)
    }

    /// Ends the file, makes it durable and gives it its name.
    pub(crate) fn finish(self) -> Result<Written, StateError> {
        self.part.finish()
    }
}
