// SPDX-License-Identifier: Apache-2.0
//! Reads the file of one partition, block by block.

use std::{
    io::{BufReader, Read},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use dstreams_wal::{FileReader, Location};
use serde::de::DeserializeOwned;

use super::format::{BlockHead, HEAD, Header, Kind, read_header};
use crate::{
    state::{
        codec::{CutShort, Input, decode},
        error::StateError,
    },
    time::Time,
};

/// A file that is being read, of keys and states as bytes.
pub(crate) struct PartReader {
    path: PathBuf,
    header: Header,
    file: BufReader<FileReader>,
    length: u64,
    /// Where the next block begins.
    next: u64,
    /// Where the present block begins.
    offset: u64,
    stored: Vec<u8>,
    entries: Vec<u8>,
    /// How many entries were in the blocks so far.
    read: u64,
}

/// A key with its state, as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) state: &'a [u8],
    pub(crate) used: Time,
}

impl PartReader {
    pub(crate) fn open(file: &Location) -> Result<Self, StateError> {
        let opened = read_header(file)?;
        Ok(Self {
            path: file.path().to_owned(),
            header: opened.header,
            file: opened.file,
            length: opened.length,
            next: opened.offset,
            offset: opened.offset,
            stored: Vec::new(),
            entries: Vec::new(),
            read: 0,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Where the block that was read last begins.
    #[cfg(test)]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The entries of the next block; nothing after the last one.
    pub(crate) fn next_block(&mut self) -> Result<Option<Entries<'_>>, StateError> {
        self.offset = self.next;
        let mut head = [0; HEAD];
        self.file.read_exact(&mut head).map_err(|error| self.cut_short(error))?;
        let block = BlockHead::decode(&head).ok_or_else(|| self.damaged("there is no block"))?;
        self.next += HEAD as u64 + u64::from(block.stored);
        if self.next > self.length {
            return Err(self.damaged("the block is longer than the file"));
        }
        self.stored.resize(block.stored as usize, 0);
        self.file.read_exact(&mut self.stored).map_err(|error| self.cut_short(error))?;
        if !BlockHead::fits(&head, &self.stored) {
            return Err(self.damaged("the checksum of the block is wrong"));
        }
        match block.kind {
            Kind::End if block.entries != self.read => {
                return Err(self.damaged("the number of entries is wrong"));
            }
            Kind::End if self.next != self.length => {
                return Err(self.damaged("there is more after the end"));
            }
            Kind::End => return Ok(None),
            Kind::Plain => std::mem::swap(&mut self.stored, &mut self.entries),
            Kind::Lz4 => {
                self.entries.resize(block.length as usize, 0);
                let length = lz4_flex::block::decompress_into(&self.stored, &mut self.entries);
                if length.ok() != Some(self.entries.len()) {
                    return Err(self.damaged("the block does not decompress"));
                }
            }
        }
        self.read += block.entries;
        let (path, offset, time) = (&*self.path, self.offset, self.header.time);
        Ok(Some(Entries { input: Input::new(&self.entries), left: block.entries, path, offset, time }))
    }

    fn damaged(&self, problem: &str) -> StateError {
        StateError::Damaged { path: self.path.clone(), offset: self.offset, problem: problem.to_owned() }
    }

    fn cut_short(&self, error: std::io::Error) -> StateError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            self.damaged("the file ends before its end mark")
        } else {
            StateError::io("read", &self.path)(error)
        }
    }
}

/// The entries of a block.
pub(crate) struct Entries<'a> {
    input: Input<'a>,
    left: u64,
    path: &'a Path,
    offset: u64,
    time: Time,
}

/// The file and the block that something was read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    path: &'a Path,
    offset: u64,
}

impl Place<'_> {
    /// An error of what was read here.
    pub(crate) fn unreadable(&self, cause: StateError) -> StateError {
        StateError::Unreadable { path: self.path.to_owned(), offset: self.offset, cause: Box::new(cause) }
    }
}

impl<'a> Entries<'a> {
    pub(crate) fn place(&self) -> Place<'a> {
        Place { path: self.path, offset: self.offset }
    }

    fn entry(&mut self) -> Result<Entry<'a>, CutShort> {
        let (key, state) = (self.input.number()?, self.input.number()?);
        let used = Time::from_millis(self.time.as_millis().wrapping_sub(self.input.signed()?));
        Ok(Entry { key: self.input.take(key)?, state: self.input.take(state)?, used })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 && self.input.is_empty() {
            return None;
        }
        let entry = if self.left == 0 { Err(CutShort(0)) } else { self.entry() };
        self.left = if entry.is_ok() { self.left - 1 } else { 0 };
        if entry.is_err() {
            self.input = Input::new(&[]);
        }
        Some(entry.map_err(|CutShort(_)| StateError::Damaged {
            path: self.path.to_owned(),
            offset: self.offset,
            problem: "the entries of the block do not fit in it".to_owned(),
        }))
    }
}

/// As [`PartReader`], of keys and states as values: an iterator of the key, the state and when it was last used. It
/// ends after the first error.
pub(crate) struct SnapshotReader<K, S> {
    part: PartReader,
    /// What is left of the present block, in reverse.
    block: Vec<(K, S, Time)>,
    ended: bool,
    types: PhantomData<fn() -> (K, S)>,
}

impl<K: DeserializeOwned, S: DeserializeOwned> SnapshotReader<K, S> {
    pub(crate) fn open(file: &Location) -> Result<Self, StateError> {
        Ok(Self { part: PartReader::open(file)?, block: Vec::new(), ended: false, types: PhantomData })
    }

    #[cfg(test)]
    pub(super) fn header(&self) -> &Header {
        self.part.header()
    }

    fn read_block(&mut self) -> Result<(), StateError> {
        let Some(entries) = self.part.next_block()? else {
            self.ended = true;
            return Ok(());
        };
        let place = entries.place();
        for entry in entries {
            self.block.push(entry?.values().map_err(|cause| place.unreadable(cause))?);
        }
        self.block.reverse();
        Ok(())
    }
}

impl Entry<'_> {
    /// The key, the state and when it was last used.
    pub(crate) fn values<K: DeserializeOwned, S: DeserializeOwned>(
        &self,
    ) -> Result<(K, S, Time), StateError> {
        Ok((decode(self.key)?, decode(self.state)?, self.used))
    }
}

impl<K: DeserializeOwned, S: DeserializeOwned> Iterator for SnapshotReader<K, S> {
    type Item = Result<(K, S, Time), StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.block.is_empty() && !self.ended {
            if let Err(error) = self.read_block() {
                self.ended = true;
                self.block.clear();
                return Some(Err(error));
            }
        }
        self.block.pop().map(Ok)
    }
}
