// SPDX-License-Identifier: Apache-2.0
//! What logs need of files and of objects, as traits: where an object store, or a test that breaks a disk, comes in.

mod local;
mod objects;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
pub(crate) mod simulated_objects;

use std::{any::Any, fmt, io, path::Path};

pub(crate) use local::Local;
pub use objects::{Entry, ObjectStorage, Put, Upload};

/// Files: what is written by append, truncate and rename.
pub(crate) trait Storage: fmt::Debug + Send + Sync {
    /// Whether the directory exists.
    fn dir_exists(&self, dir: &Path) -> io::Result<bool>;

    /// Makes the directory and those above it, durably.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names in the directory; none if it does not exist.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Takes the lock that the file stands for until the value is dropped; `None` if somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;

    /// Makes an empty file, in place of one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>>;

    /// Opens a file for reading. It can be read to its end even if it is removed meanwhile.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>>;

    /// Cuts a file to this many bytes, durably.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Gives a file another name, in place of one that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes durable which files are in the directory.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A lock that is held for as long as this lives.
pub(crate) type Lock = Box<dyn Any + Send>;

/// A file that is written from its start to its end.
pub(crate) trait Sink: Send {
    /// Adds the first of these bytes at the end, and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes durable what was written.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to this many bytes, durably.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Adds all these bytes.
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(())
    }
}

/// A file or an object that is read at any place.
pub trait Source: Send {
    /// Bytes it has now.
    fn length(&self) -> io::Result<u64>;

    /// Reads from `offset` what fits the buffer or is left, at least one byte unless the end is reached.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}
