// SPDX-License-Identifier: Apache-2.0
//! Logs in directories of the local file system.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Lock, Sink, Source, Storage};
use crate::fault;

/// The file system of this machine. Its steps pass the fault points of a place.
#[derive(Debug)]
pub(crate) struct Local(pub(crate) &'static str);

impl Storage for Local {
    fn dir_exists(&self, dir: &Path) -> io::Result<bool> {
        fs::exists(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fault::pass(self.0, "create_dir", dir)?;
        let new = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
        let made: Vec<&Path> = dir.ancestors().take_while(new).collect();
        fs::create_dir_all(dir)?;
        // A directory is there for good once the one above it says so.
        made.into_iter().filter_map(Path::parent).try_for_each(|above| self.sync_dir(above))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(dir) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        // A name that is not text is not that of a segment.
        entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(LocalLock(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        fault::pass(self.0, "create", path)?;
        Ok(Box::new(LocalSink { place: self.0, path: path.to_owned(), file: File::create(path)? }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        Ok(Box::new(File::open(path)?))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        fault::pass(self.0, "truncate", path)?;
        cut(&OpenOptions::new().write(true).open(path)?, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fault::pass(self.0, "rename", to)?;
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fault::pass(self.0, "remove", path)?;
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fault::pass(self.0, "sync_dir", dir)?;
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        // Elsewhere a directory cannot be opened as a file, and its entries are durable when their files are.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }
}

/// A locked file.
struct LocalLock(File);

impl Drop for LocalLock {
    fn drop(&mut self) {
        // Closing is not enough: a child of this process, just made and about to become another program, has the file
        // open too, and the lock with it.
        if let Err(cause) = self.0.unlock() {
            tracing::warn!(
                "a log stays locked until all children of this process have their own program: {cause}"
            );
        }
    }
}

/// A file that is written, where it will be found.
struct LocalSink {
    place: &'static str,
    path: PathBuf,
    file: File,
}

impl Sink for LocalSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::pass(self.place, "write", &self.path)?;
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        fault::pass(self.place, "sync", &self.path)?;
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        fault::pass(self.place, "truncate", &self.path)?;
        cut(&self.file, length)
    }
}

impl Source for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(offset))?;
        loop {
            match self.read(buffer) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

fn cut(file: &File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.sync_all()
}
