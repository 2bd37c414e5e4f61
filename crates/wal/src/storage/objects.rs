// SPDX-License-Identifier: Apache-2.0
//! What is asked of an object store: whole objects under names, and a put on condition that the name is free.

use std::{fmt, io, path::Path};

use super::Source;

/// An object store. Paths are URLs as text, `s3://bucket/app/batches`; what the separators enclose are directories.
///
/// A put that has returned is there for all readers and stays there. While the store cannot be reached, calls wait and try
/// again for as long as the implementation thinks right.
pub trait ObjectStorage: fmt::Debug + Send + Sync {
    /// Puts an object. With [`Put::New`] it fails with `AlreadyExists` where there is one with other bytes. One with these
    /// very bytes was put by an attempt whose answer was lost.
    fn put(&self, path: &Path, bytes: &[u8], put: Put) -> io::Result<()>;

    /// Begins an object of any length, in the place of one that may be there.
    fn upload(&self, path: &Path) -> io::Result<Box<dyn Upload>>;

    /// Opens an object for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>>;

    /// What is in a directory, in no order; nothing if there is none.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// Removes an object. Whether there is none may be an error or not.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// On what condition an object is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There is none of this name.
    New,
    /// None: it takes the place of one of this name.
    Over,
}

/// An object that is put in parts. Without [`finish`](Self::finish) it is never there.
pub trait Upload: Send {
    /// Adds the next part; all but the last are of some megabytes.
    fn part(&mut self, bytes: Vec<u8>) -> io::Result<()>;

    /// Has all parts be the object.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// What a directory has under a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without what is above it.
    pub name: String,
    /// The length in bytes of a file or object; nothing for a directory.
    pub bytes: Option<u64>,
}
