// SPDX-License-Identifier: Apache-2.0
//! A write ahead log of byte records in a directory of segments. It knows bytes and the times it is told, nothing else.
//!
//! One [`Writer`] appends; any number of [`Reader`]s, in any process, read at the same time.
//!
//! ```
//! use dstreams_wal::{Options, Reader, Writer};
//!
//! let dir = tempfile::tempdir()?;
//! let writer = Writer::open(dir.path(), Options::default())?;
//! let handle = writer.append(b"a block of records", 1_000)?;
//!
//! let reader = Reader::new(dir.path());
//! assert_eq!(reader.read(&handle)?, b"a block of records");
//! assert_eq!(reader.read_all()?.count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # On an object store
//!
//! A [`Location`] is a directory of this machine or of an object store, which is any implementation of [`ObjectStorage`].
//! There each group becomes one object: the header of a segment and the frames of the group. It is called `log-<number>`,
//! in twenty digits, and put on condition that the name is free. Opening a [`Writer`] puts an object without frames: from
//! then on the writer before has no name left to append under, whatever it believes, and no clock is needed. There are no
//! unfinished writes, so that all damage is an error.
//!
//! # On disk
//!
//! `log-<start>-<stop>` is a segment: a header and then frames, little endian.
//!
//! | segment header | bytes | | frame | bytes |
//! |---|---|---|---|---|
//! | magic `dstrmwal` | 8 | | length of the record | 4 |
//! | version of the format | 4 | | CRC-32 of the record | 4 |
//! | id of the log | 8 | | distance to the first frame of its group | 4 |
//! | number of the segment, without gaps | 8 | | kind, which is also its version | 1 |
//! | where the segment before ends | 8 | | CRC-32 of the above, its place and its segment | 4 |
//! | start and stop | 16 | | the record | |
//! | CRC-32 of the above | 4 | | | |
//!
//! A frame is valid only where it was written: bytes that look like a frame inside a record, or that are left of another
//! file, are never taken for one. A group is what was made durable together; the next is written only after that.
//! Damage followed by a frame of a later group is therefore no unfinished write but corruption, and an error. Each segment
//! says where the one before it ends, so that what a failed write left there is not read, and what was lost there is noticed.
#![deny(unsafe_code)]

mod cleaner;
mod cursor;
mod error;
pub mod fault;
mod frame;
mod location;
mod log_dir;
mod options;
mod reader;
mod recovery;
mod segment;
mod storage;
mod tail;
#[cfg(test)]
mod tests;
mod whole_file;
mod writer;

pub use cursor::RecordReader;
pub use error::{Error, Result};
pub use frame::{Handle, MAX_RECORD};
pub use location::{FileReader, Location};
pub use options::{Durability, Options};
pub use reader::{Reader, Record, Records};
pub use recovery::TornTail;
pub use segment::Segment;
pub use storage::{Entry, ObjectStorage, Put, Source, Upload};
pub use whole_file::{UNFINISHED, WholeFile, create_dir, remove_dir_all, remove_file, sync_dir};
pub use writer::Writer;
