// SPDX-License-Identifier: Apache-2.0
//! Files that are there whole or not at all: written under another name, made durable, then renamed; or put as objects.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    fault,
    storage::{Local, ObjectStorage, Put, Storage as _, Upload},
};

/// What follows the name of a file that is not whole yet. One that a crash left behind may be removed.
pub const UNFINISHED: &str = ".unfinished";

/// A file that gets its name when it is [committed](Self::commit); one that is dropped before is removed.
///
/// ```
/// use std::io::Write as _;
/// use dstreams_wal::WholeFile;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("manifest");
/// let mut file = WholeFile::create("files", &path)?;
/// file.write_all(b"part-0\n")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"part-0\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WholeFile {
    place: &'static str,
    path: PathBuf,
    /// None once committed.
    writer: Option<Content>,
}

/// What is written until then.
enum Content {
    File { unfinished: PathBuf, writer: BufWriter<Steps> },
    Object { objects: Arc<dyn ObjectStorage>, part: Vec<u8>, upload: Option<Box<dyn Upload>> },
}

/// The length of a part of an object. A shorter object is put at once.
const PART: usize = 8 << 20;

/// The file with a fault point before each write.
#[derive(Debug)]
struct Steps {
    place: &'static str,
    path: PathBuf,
    file: File,
}

impl Write for Steps {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::pass(self.place, "write", &self.path)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WholeFile {
    /// Begins a file in the place of one that may be there. `place` names its fault points: `create`, `write`, `sync`,
    /// `rename` and `sync_dir`.
    pub fn create(place: &'static str, path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(UNFINISHED);
        let unfinished = path.with_file_name(name);
        fault::pass(place, "create", path)?;
        let file = File::create(&unfinished)?;
        let steps = Steps { place, path: path.to_owned(), file };
        let writer = BufWriter::with_capacity(1 << 16, steps);
        Ok(Self { place, path: path.to_owned(), writer: Some(Content::File { unfinished, writer }) })
    }

    /// Begins an object. Its fault points are `put`, or `part` and `finish` when it is long.
    pub(crate) fn on(objects: Arc<dyn ObjectStorage>, place: &'static str, path: &Path) -> Self {
        let content = Content::Object { objects, part: Vec::new(), upload: None };
        Self { place, path: path.to_owned(), writer: Some(content) }
    }

    /// Makes the file durable and gives it its name.
    pub fn commit(mut self) -> io::Result<()> {
        match self.writer.take() {
            None => Ok(()),
            Some(Content::File { unfinished, writer }) => {
                self.rename(writer, &unfinished).inspect_err(|_| {
                    let _ = fs::remove_file(&unfinished);
                })
            }
            Some(Content::Object { objects, part, upload: None }) => {
                fault::pass(self.place, "put", &self.path)?;
                objects.put(&self.path, &part, Put::Over)
            }
            Some(Content::Object { part, upload: Some(mut upload), .. }) => {
                if !part.is_empty() {
                    fault::pass(self.place, "part", &self.path)?;
                    upload.part(part)?;
                }
                fault::pass(self.place, "finish", &self.path)?;
                upload.finish()
            }
        }
    }

    fn rename(&self, mut writer: BufWriter<Steps>, unfinished: &Path) -> io::Result<()> {
        writer.flush()?;
        fault::pass(self.place, "sync", &self.path)?;
        writer.get_ref().file.sync_all()?;
        fault::pass(self.place, "rename", &self.path)?;
        fs::rename(unfinished, &self.path)?;
        Local(self.place).sync_dir(self.path.parent().unwrap_or(Path::new("")))
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            None => Err(io::ErrorKind::NotConnected.into()),
            Some(Content::File { writer, .. }) => writer.write(bytes),
            Some(Content::Object { objects, part, upload }) => {
                if part.len() >= PART {
                    let upload = match upload {
                        Some(upload) => upload,
                        None => upload.insert(objects.upload(&self.path)?),
                    };
                    fault::pass(self.place, "part", &self.path)?;
                    upload.part(std::mem::take(part))?;
                }
                let taken = bytes.len().min(PART - part.len());
                part.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Some(Content::File { writer, .. }) => writer.flush(),
            // An object has no state between not being there and being whole.
            Some(Content::Object { .. }) | None => Ok(()),
        }
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(Content::File { unfinished, writer }) = self.writer.take() {
            // What is left in the buffer is not wanted any more.
            let _ = writer.into_parts();
            let _ = fs::remove_file(unfinished);
        }
    }
}

impl fmt::Debug for WholeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Makes a directory and those above it, durably. `place` names its fault point, `create_dir`.
pub fn create_dir(place: &'static str, dir: &Path) -> io::Result<()> {
    Local(place).create_dir(dir)
}

/// Removes a file. `place` names its fault point, `remove`.
pub fn remove_file(place: &'static str, path: &Path) -> io::Result<()> {
    Local(place).remove(path)
}

/// Removes a directory and what is in it. `place` names its fault point, `remove`.
pub fn remove_dir_all(place: &'static str, path: &Path) -> io::Result<()> {
    fault::pass(place, "remove", path)?;
    fs::remove_dir_all(path)
}

/// Makes durable which files are in a directory. `place` names its fault point, `sync_dir`.
pub fn sync_dir(place: &'static str, dir: &Path) -> io::Result<()> {
    Local(place).sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    #[test]
    fn a_file_that_is_not_committed_leaves_the_one_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        fs::write(&path, "before").expect("it is written");
        for step in ["create", "write", "sync", "rename"] {
            let _armed = fault::arm(dir.path(), &format!("whole.{step}"), 1, Fault::DiskFull);
            let written = WholeFile::create("whole", &path).and_then(|mut file| {
                file.write_all(b"after")?;
                file.commit()
            });
            assert_eq!(written.expect_err("it fails").kind(), io::ErrorKind::StorageFull, "{step}");
            assert_eq!(fs::read(&path).expect("it is there"), b"before", "{step}");
            assert_eq!(fs::read_dir(dir.path()).expect("a listing").count(), 1, "{step}");
        }
    }
}
