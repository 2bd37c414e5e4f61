// SPDX-License-Identifier: Apache-2.0
//! `Location`: a place for files and directories, on this machine or on an object store.

use std::{
    fmt, fs,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    fault,
    storage::{Entry, Local, ObjectStorage, Source, Storage as _},
    whole_file::WholeFile,
};

/// A file or a directory, on this machine or on an object store, whether it exists or not.
///
/// ```
/// use std::io::Write as _;
/// use dstreams_wal::Location;
///
/// let dir = tempfile::tempdir()?;
/// let marker = Location::local(dir.path()).join("stop");
/// assert!(!marker.exists()?);
/// marker.create("marker")?.commit()?;
/// assert!(marker.exists()?);
/// marker.remove("marker")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Location {
    objects: Option<Arc<dyn ObjectStorage>>,
    path: PathBuf,
    epoch: Option<i64>,
}

impl Location {
    /// A path on this machine.
    pub fn local(path: impl Into<PathBuf>) -> Self {
        Self { objects: None, path: path.into(), epoch: None }
    }

    /// A URL of an object store.
    pub fn on(objects: Arc<dyn ObjectStorage>, url: &str) -> Self {
        Self { objects: Some(objects), path: url.trim_end_matches('/').into(), epoch: None }
    }

    /// The same place for an owner. Logs that belong together are opened with the [epoch](crate::Writer::epoch) of the
    /// first of them: one on an object store that has seen a later owner is refused.
    #[must_use]
    pub fn owned_in(self, epoch: Option<i64>) -> Self {
        Self { epoch, ..self }
    }

    pub(crate) fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    pub(crate) fn into_parts(self) -> (Option<Arc<dyn ObjectStorage>>, PathBuf) {
        (self.objects, self.path)
    }

    /// The path, or the URL as text.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path if it is on this machine.
    pub fn local_path(&self) -> Option<&Path> {
        self.objects.is_none().then_some(&*self.path)
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.objects.is_none()
    }

    /// What is called `name` in this directory.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        let path = match &self.objects {
            None => self.path.join(name),
            // The separator of URLs is the same on all systems.
            Some(_) => format!("{}/{}", self.path.display(), name.as_ref().display()).into(),
        };
        Self { objects: self.objects.clone(), path, epoch: self.epoch }
    }

    /// Whether there is a file, an object or a directory.
    pub fn exists(&self) -> io::Result<bool> {
        let Some(objects) = &self.objects else { return fs::exists(&self.path) };
        match objects.open(&self.path) {
            Ok(_) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Ok(!objects.list(&self.path)?.is_empty())
            }
            Err(cause) => Err(cause),
        }
    }

    /// Makes the directory and those above it, durably. Object stores need none. `place` names its fault point,
    /// `create_dir`.
    pub fn create_dir(&self, place: &'static str) -> io::Result<()> {
        if self.is_local() { Local(place).create_dir(&self.path) } else { Ok(()) }
    }

    /// What is in the directory, by name; nothing if there is none.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = match &self.objects {
            Some(objects) => objects.list(&self.path)?,
            None => list_files(&self.path)?,
        };
        entries.sort_unstable();
        Ok(entries)
    }

    /// Opens the file for reading.
    pub fn open(&self) -> io::Result<FileReader> {
        let source: Box<dyn Source> = match &self.objects {
            Some(objects) => objects.open(&self.path)?,
            None => Box::new(fs::File::open(&self.path)?),
        };
        let length = source.length()?;
        Ok(FileReader { source, length, position: 0 })
    }

    /// All that is in the file.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Begins the file, in the place of one that may be there. `place` names its fault points: on files those of
    /// [`WholeFile`], on objects `put`, or `part` and `finish` for large ones.
    pub fn create(&self, place: &'static str) -> io::Result<WholeFile> {
        match &self.objects {
            None => WholeFile::create(place, &self.path),
            Some(objects) => Ok(WholeFile::on(Arc::clone(objects), place, &self.path)),
        }
    }

    /// Removes the file. `place` names its fault point, `remove`.
    pub fn remove(&self, place: &'static str) -> io::Result<()> {
        match &self.objects {
            None => Local(place).remove(&self.path),
            Some(objects) => {
                fault::pass(place, "remove", &self.path)?;
                objects.remove(&self.path)
            }
        }
    }

    /// Removes the directory and what is in it. `place` names its fault point, `remove`.
    pub fn remove_dir_all(&self, place: &'static str) -> io::Result<()> {
        fault::pass(place, "remove", &self.path)?;
        match &self.objects {
            None => fs::remove_dir_all(&self.path),
            Some(objects) => remove_objects(&**objects, self),
        }
    }

    /// The bytes of all files in the directory and in those below it.
    pub fn bytes(&self) -> io::Result<u64> {
        self.list()?
            .into_iter()
            .map(|entry| entry.bytes.map_or_else(|| self.join(&entry.name).bytes(), Ok))
            .sum()
    }
}

fn remove_objects(objects: &dyn ObjectStorage, dir: &Location) -> io::Result<()> {
    for entry in dir.list()? {
        let there = dir.join(&entry.name);
        match entry.bytes {
            None => remove_objects(objects, &there)?,
            Some(_) => match objects.remove(&there.path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            },
        }
    }
    Ok(())
}

fn list_files(dir: &Path) -> io::Result<Vec<Entry>> {
    let found = match fs::read_dir(dir) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry?;
        // A name that is not text is none of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        match entry.metadata() {
            Ok(metadata) => {
                let bytes = (!metadata.is_dir()).then_some(metadata.len());
                entries.push(Entry { name, bytes });
            }
            // A program that runs has removed it since.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(entries)
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::local(path)
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::local(path)
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::local(path)
    }
}

impl From<&Location> for Location {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.is_local() == other.is_local()
    }
}

impl Eq for Location {}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.path).finish()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// A file or an object that is read.
pub struct FileReader {
    source: Box<dyn Source>,
    length: u64,
    position: u64,
}

impl FileReader {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read_at(self.position, buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for FileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader")
            .field("length", &self.length)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
