// SPDX-License-Identifier: Apache-2.0
//! `FileSink`: a file for each partition of a batch, and manifests that say which files are those of whole batches.

mod compact;
mod index;
mod manifest;
mod name;
mod read;

pub use read::{CommittedFile, committed_files, read_committed};

use std::{
    cell::RefCell,
    fmt,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use dstreams_rdd::TextRecord;
use dstreams_wal::WholeFile;
use parking_lot::Mutex;

use self::index::Index;
use super::{Begin, Committed, CommittedBatch, Sink, SinkError, SinkTransaction};
use crate::{
    input::Batch,
    output::{BatchIdentity, PartitionIdentity, PartitionRecords},
    time::Duration,
};

/// How many bytes are encoded before they are written.
const WRITTEN_AT_ONCE: usize = 1 << 16;

type Encode<T> = dyn Fn(&T, &mut Vec<u8>) + Send + Sync;

/// Files of records in a directory, each batch there as a whole or not at all.
///
/// A partition is written to a file of its own, which gets its name when it is complete; a manifest, written after the
/// last partition, makes the files of the batch count. [`committed_files`] and [`read_committed`] read what counts.
///
/// Small files of past batches are [merged](Self::merge), and old ones can be [removed](Self::keep), both a little
/// after each batch.
///
/// ```
/// use dstreams_streaming::{FileSink, read_committed, testing::TestContext};
/// # let dir = tempfile::tempdir()?;
/// let test = TestContext::new()?;
/// let words = test.input(vec![vec!["to", "be"], vec!["or"]]);
/// words.write_to(FileSink::text(dir.path())).named("words");
/// test.run(2)?;
/// assert_eq!(read_committed(dir.path())?, b"to\nbe\nor\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a sink does nothing until a stream is written to it"]
pub struct FileSink<T> {
    directory: Arc<Path>,
    encode: Arc<Encode<T>>,
    upkeep: Upkeep,
    /// None before the first use, and after an error that may have left files behind.
    index: Arc<Mutex<Option<Index>>>,
}

/// What is done with the files of past batches.
#[derive(Debug, Clone, Copy)]
struct Upkeep {
    /// This many files of batches become one; 0 for never.
    merge: usize,
    /// Merged files are about this large, in bytes.
    target: u64,
    keep: Option<Duration>,
}

impl<T: TextRecord + 'static> FileSink<T> {
    /// Writes each record as a line of text, as `save_as_text_files` does.
    pub fn text(directory: impl Into<PathBuf>) -> Self {
        thread_local! {
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        Self::new(directory, |record: &T, out| {
            LINE.with_borrow_mut(|line| {
                line.clear();
                record.write_text(line);
                out.extend(line.as_bytes());
                out.push(b'\n');
            });
        })
    }
}

impl<T: 'static> FileSink<T> {
    /// Writes what `encode` appends for each record, one after the other.
    pub fn new(
        directory: impl Into<PathBuf>,
        encode: impl Fn(&T, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            directory: directory.into().into(),
            encode: Arc::new(encode),
            upkeep: Upkeep { merge: 10, target: 64 << 20, keep: None },
            index: Arc::default(),
        }
    }

    /// Merges the files of `batches` batches, then of as many merged ones, and so on, as long as the result is not larger
    /// than `target` bytes. Default: 10 batches, 64 MiB. Fewer than two batches means never.
    pub fn merge(mut self, batches: usize, target: u64) -> Self {
        (self.upkeep.merge, self.upkeep.target) = (batches, target);
        self
    }

    /// Removes batches that are older than the latest one by more than `length`, by batch time. A merged file goes when
    /// all its batches do. Default: never.
    pub fn keep(mut self, length: Duration) -> Self {
        self.upkeep.keep = Some(length);
        self
    }

    /// Calls `f` with what is known of the directory, which is read at the first use.
    fn with_index<R>(
        &self,
        batch: &BatchIdentity,
        f: impl FnOnce(&mut Index) -> Result<R, SinkError>,
    ) -> Result<R, SinkError> {
        let mut index = self.index.lock();
        let known = match &mut *index {
            Some(known) => known,
            unknown => unknown.insert(Index::open(&self.directory, self.upkeep.keep, batch)?),
        };
        known.check_owner(batch)?;
        let result = f(known);
        if result.is_err() {
            *index = None;
        }
        result
    }
}

impl<T> fmt::Debug for FileSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl<T: 'static> Sink<T> for FileSink<T> {
    type Transaction = FileTransaction<T>;

    fn name(&self) -> String {
        format!("files in {}", self.directory.display())
    }

    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
        self.with_index(batch, |index| index.committed(batch.batch_time))
    }

    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<FileTransaction<T>>, SinkError> {
        let done = self.with_index(&partition.batch, |index| index.committed(partition.batch.batch_time))?;
        if done.done.contains(&partition.partition) {
            return Ok(Begin::Committed);
        }
        let path = self.directory.join(name::part(partition));
        Ok(Begin::Transaction(FileTransaction {
            file: WholeFile::create("files", &path)?,
            partition: partition.clone(),
            encode: Arc::clone(&self.encode),
            index: Arc::clone(&self.index),
        }))
    }

    fn batch_committed(&self, batch: &CommittedBatch<'_>) -> Result<(), SinkError> {
        let upkeep = self.upkeep;
        self.with_index(batch.identity, |index| index.commit(batch))?;
        let kept_up = self.with_index(batch.identity, |index| {
            compact::merge_some(index, &upkeep)?;
            index.expire_some(upkeep.keep)
        });
        // The batch is complete; what could not be done now is tried again after the next one.
        if let Err(error) = kept_up {
            tracing::warn!(directory = %self.directory.display(), %error, "old files could not be merged or removed");
        }
        Ok(())
    }
}

/// A partition on its way into a [`FileSink`].
pub struct FileTransaction<T> {
    file: WholeFile,
    partition: PartitionIdentity,
    encode: Arc<Encode<T>>,
    index: Arc<Mutex<Option<Index>>>,
}

impl<T: 'static> SinkTransaction<T> for FileTransaction<T> {
    fn write(&mut self, records: &mut PartitionRecords<T>) -> Result<u64, SinkError> {
        let (mut bytes, mut written) = (Vec::new(), 0);
        for record in records {
            (self.encode)(&record, &mut bytes);
            written += 1;
            if bytes.len() >= WRITTEN_AT_ONCE {
                self.file.write_all(&bytes)?;
                bytes.clear();
            }
        }
        self.file.write_all(&bytes)?;
        Ok(written)
    }

    fn commit(self, _positions: &Batch) -> Result<(), SinkError> {
        // The manifest of the batch tells what it was made of. The name of the file is the identity of the partition.
        let committed = self.file.commit();
        let mut index = self.index.lock();
        match (committed, &mut *index) {
            (Ok(()), Some(index)) => index.add_part(&self.partition),
            // The file may have its name all the same; it is looked up.
            (Err(error), _) => {
                *index = None;
                return Err(error.into());
            }
            (Ok(()), None) => {}
        }
        Ok(())
    }
}
