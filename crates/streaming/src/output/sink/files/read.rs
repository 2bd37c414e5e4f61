// SPDX-License-Identifier: Apache-2.0
//! Reading what a `FileSink` has written: the files of whole batches and no others.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{index::read_all, name};
use crate::time::Time;

/// A file of records that count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommittedFile {
    /// Where it is. It may be gone a little later, when it has been merged with others: list the files again then.
    pub path: PathBuf,
    /// The first batch that it has records of.
    pub first: Time,
    /// The last one.
    pub last: Time,
    /// Its length.
    pub bytes: u64,
}

/// The files that a [`FileSink`](super::FileSink) has written to `directory` and that are parts of whole batches, in the
/// order of batches and partitions.
///
/// ```
/// use dstreams_streaming::{FileSink, Time, committed_files, testing::TestContext};
/// # let dir = tempfile::tempdir()?;
/// let test = TestContext::new()?;
/// test.input(vec![vec![1, 2]]).write_to(FileSink::text(dir.path()));
/// test.run(1)?;
/// let files = committed_files(dir.path())?;
/// assert!(files[0].path.ends_with("part-1000-00000-of-00002"));
/// assert_eq!((files[0].first, files[0].bytes), (Time::from_millis(1000), 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn committed_files(directory: impl AsRef<Path>) -> io::Result<Vec<CommittedFile>> {
    let directory = directory.as_ref();
    let (manifests, _) = again_if_gone(|| read_all(&directory.join(name::MANIFESTS)))?;
    let files = manifests.iter().flat_map(|manifest| {
        let (first, last) = (manifest.first(), manifest.last());
        manifest.files.iter().map(move |file| CommittedFile {
            path: directory.join(&file.name),
            first,
            last,
            bytes: file.bytes,
        })
    });
    Ok(files.collect())
}

/// All records that count, as they were encoded, one file after the other. For outputs that fit into memory.
pub fn read_committed(directory: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    again_if_gone(|| {
        let mut records = Vec::new();
        for file in committed_files(&directory)? {
            records.extend(fs::read(file.path)?);
        }
        Ok(records)
    })
}

/// How often files may be merged under the eyes of a reader.
const ATTEMPTS: usize = 100;

/// A file that is gone has been merged with others since it was listed.
fn again_if_gone<R>(read: impl Fn() -> io::Result<R>) -> io::Result<R> {
    let mut attempt = 1;
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}
