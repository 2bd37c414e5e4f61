// SPDX-License-Identifier: Apache-2.0
//! `DiskStore`: the private temporary directory of an engine, and the files in it.

#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, process};

use parking_lot::Mutex;
use thiserror::Error;

/// How the names of our directories start; the process id and something random follow.
const PREFIX: &str = "dstreams-";
/// The file in each directory that its process keeps locked.
const LOCK: &str = "lock";

/// A private temporary directory for the files of one engine; clones are handles to the same.
///
/// The directory is made when the first file is, readable by this user only, and removed with the last handle
/// and file. What dead processes left in the same root is removed then, too: each process holds a lock in its
/// directory, so that no living one loses its files, whatever became of process ids.
///
/// ```
/// use std::io::{Read, Write};
/// use dstreams_rdd::block::disk::DiskStore;
///
/// let store = DiskStore::new(std::env::temp_dir());
/// let file = store.create("spill")?;
/// file.writer().write_all(b"records")?;
/// let mut content = String::new();
/// file.reader()?.read_to_string(&mut content)?;
/// assert_eq!(content, "records");
/// assert_eq!(store.bytes_on_disk(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DiskStore(Arc<Store>);

#[derive(Debug)]
struct Store {
    root: PathBuf,
    directory: Mutex<Option<Directory>>,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl DiskStore {
    /// A store in a directory that will be made in `root`, the value of `spark.local.dir`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let directory = Mutex::new(None);
        Self(Arc::new(Store {
            root: root.into(),
            directory,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }))
    }

    /// Makes an empty file, whose name starts with `kind`: a word such as `spill` or `shuffle`.
    pub fn create(&self, kind: &str) -> Result<SpillFile, DiskError> {
        let directory = self.directory()?;
        let number = self.0.files.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{kind}-{number:06}"));
        OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map(|file| {
                SpillFile(Arc::new(Spilled { store: self.0.clone(), path, file, bytes: AtomicU64::new(0) }))
            })
            .map_err(|source| DiskError::new(&directory, 0, source))
    }

    /// The bytes in all files of this store.
    pub fn bytes_on_disk(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    fn directory(&self) -> Result<PathBuf, DiskError> {
        let mut directory = self.0.directory.lock();
        if let Some(directory) = &*directory {
            return Ok(directory.path.clone());
        }
        let new =
            Directory::create(&self.0.root).map_err(|source| DiskError::new(&self.0.root, 0, source))?;
        remove_left_overs(&self.0.root, &new);
        Ok(directory.insert(new).path.clone())
    }
}

impl Default for DiskStore {
    /// A store in the system's directory for temporary files.
    fn default() -> Self {
        Self::new(env::temp_dir())
    }
}

/// A file of a [`DiskStore`]; clones are handles to the same. It is removed with its last handle, writer or reader.
#[derive(Clone, Debug)]
pub struct SpillFile(Arc<Spilled>);

#[derive(Debug)]
struct Spilled {
    store: Arc<Store>,
    path: PathBuf,
    file: File,
    bytes: AtomicU64,
}

impl SpillFile {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Writes to the end of the file, without a buffer. Errors have a [`DiskError`] inside.
    pub fn writer(&self) -> SpillWriter {
        SpillWriter(self.clone())
    }

    /// Reads the file from its start, independent of others that read or write.
    pub fn reader(&self) -> Result<SpillReader, DiskError> {
        let file = File::open(&self.0.path).map_err(|source| self.error(0, source))?;
        Ok(SpillReader { file, _keeps: self.clone() })
    }

    fn error(&self, needed: usize, source: io::Error) -> DiskError {
        DiskError::new(self.0.path.parent().unwrap_or(&self.0.path), needed as u64, source)
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a temporary file cannot be removed");
        }
        self.store.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Writes to the end of a [`SpillFile`].
#[derive(Debug)]
pub struct SpillWriter(SpillFile);

impl Write for SpillWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (&self.0.0.file).write(bytes) {
            Ok(written) => {
                self.0.0.bytes.fetch_add(written as u64, Ordering::Relaxed);
                self.0.0.store.bytes.fetch_add(written as u64, Ordering::Relaxed);
                Ok(written)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::new(error.kind(), self.0.error(bytes.len(), error))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is buffered here, and temporary files need not survive the system.
        Ok(())
    }
}

/// Reads a [`SpillFile`].
#[derive(Debug)]
pub struct SpillReader {
    file: File,
    _keeps: SpillFile,
}

impl Read for SpillReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Seek for SpillReader {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// Why temporary files cannot be made or written, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiskError {
    /// The disk, or the user's part of it, is full.
    #[error(
        "no space for {needed} more bytes in {}: free some, or set spark.local.dir to a directory with more space",
        directory.display()
    )]
    Full {
        /// Where the file is.
        directory: PathBuf,
        /// The bytes that could not be written.
        needed: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The directory is not ours to write to.
    #[error("{} is not writable: set spark.local.dir to a directory that is", directory.display())]
    Denied {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else.
    #[error("temporary files in {} fail; spark.local.dir sets another directory", directory.display())]
    Io {
        /// Where the file is, or would be.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl DiskError {
    fn new(directory: &Path, needed: u64, source: io::Error) -> Self {
        let directory = directory.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { directory, needed, source },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Denied { directory, source },
            _ => Self::Io { directory, source },
        }
    }
}

/// A directory of this process, which is removed on drop.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Keeps others from removing the directory. The lock is gone with the process, however it ends.
    _lock: File,
}

impl Directory {
    fn create(root: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).create(root)?;
        let mut builder = tempfile::Builder::new();
        // The name is not one of ours until the lock is held, so that it cannot be taken for a left-over.
        let prefix = format!(".new-{PREFIX}{}-", process::id());
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let new = builder.tempdir_in(root)?;
        let lock = File::create_new(new.path().join(LOCK))?;
        lock.lock()?;
        let name =
            new.path().file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(".new-"));
        let path = root.join(name.ok_or(ErrorKind::InvalidFilename)?);
        fs::rename(new.path(), &path)?;
        // It is under another name now, and ours to remove.
        let _moved = new.keep();
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a temporary directory cannot be removed");
        }
    }
}

/// Removes the directories in `root` that are like `ours` and whose process is gone.
///
/// What cannot be examined or removed stays: it is no reason not to work.
fn remove_left_overs(root: &Path, ours: &Directory) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        let named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Another user could leave a directory here to have us remove what it links to.
        if !named_so || !entry.file_type().is_ok_and(|kind| kind.is_dir()) || !same_user(&path, &ours.path) {
            continue;
        }
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        match fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "removed what a dead process left"),
            // Another process may have been faster; names are not used twice.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what a dead process left cannot be removed");
            }
        }
    }
}

#[cfg(unix)]
fn same_user(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    match (fs::symlink_metadata(a), fs::symlink_metadata(b)) {
        (Ok(a), Ok(b)) => a.uid() == b.uid(),
        _ => false,
    }
}

/// Elsewhere, the temporary directory is the user's own.
#[cfg(not(unix))]
fn same_user(_: &Path, _: &Path) -> bool {
    true
}
