// SPDX-License-Identifier: Apache-2.0
//! `binary_records`: files of records that all have the same number of bytes.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::files::{ByteRange, byte_ranges, input_files};
use crate::{
    chunk::{BoxChunks, CHUNK, Chunks},
    context::RddContext,
    error::{Error, Result, TaskError},
    rdd::Rdd,
    scheduler::task::TaskContext,
};

/// The longest range of one partition, in bytes.
const RANGE: u64 = 32 << 20;
/// How many bytes are read at a time, if a record is not longer.
const BLOCK: usize = 256 << 10;

impl RddContext {
    /// The records of `record_length` bytes each in a file, the files of a directory or those that a pattern matches,
    /// found and cut into partitions as for [`text_file`](Self::text_file), between records.
    ///
    /// A file whose length is not a multiple of `record_length` fails the task that reads its end. A length of 0
    /// is an [`Error::InvalidArgument`].
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("records.bin");
    /// # std::fs::write(&path, [1, 2, 3, 4]).expect("a temporary file");
    /// assert_eq!(sc.binary_records(&path, 2)?.collect()?, [[1, 2], [3, 4]]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn binary_records(&self, path: impl AsRef<Path>, record_length: usize) -> Result<Rdd<Vec<u8>>> {
        if record_length == 0 {
            return Err(Error::InvalidArgument("the record length must be positive".to_owned()));
        }
        let unit = record_length as u64;
        let wanted = self.default_parallelism().max(2);
        let ranges = byte_ranges(&input_files(path.as_ref())?, wanted, unit, (RANGE / unit).max(1));
        let partitions = ranges.len();
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            let range = ranges[partition].clone();
            let failed = |cause| TaskError::io("read", &range.path, cause);
            let mut file = File::open(&range.path).map_err(failed)?;
            file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
            let left = range.end - range.start;
            Ok(Box::new(RecordChunks { file, range, left, record_length, task: task.clone(), operator })
                as BoxChunks<Vec<u8>>)
        };
        Ok(Rdd::new(self, "binary_records", partitions, None, Vec::new(), compute))
    }
}

struct RecordChunks {
    file: File,
    range: ByteRange,
    /// The bytes of the range that were not read yet.
    left: u64,
    record_length: usize,
    task: TaskContext,
    operator: usize,
}

impl Chunks<Vec<u8>> for RecordChunks {
    fn next_chunk(&mut self, out: &mut Vec<Vec<u8>>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        self.task.set_operator(self.operator);
        let records = (BLOCK / self.record_length).clamp(1, CHUNK);
        let wanted = self.left.min((records * self.record_length) as u64);
        let mut bytes = Vec::new();
        let read = (&mut self.file)
            .take(wanted)
            .read_to_end(&mut bytes)
            .map_err(|cause| TaskError::io("read", &self.range.path, cause))?;
        if read == 0 && wanted > 0 {
            let cause = std::io::ErrorKind::UnexpectedEof.into();
            return Err(TaskError::io("read", &self.range.path, cause));
        }
        self.left -= read as u64;
        let whole = bytes.chunks_exact(self.record_length);
        let rest = whole.remainder().len();
        if rest > 0 {
            let text = format!(
                "Byte array does not have correct length. {rest} did not equal recordLength: {} (at the end of {})",
                self.record_length,
                self.range.path.display()
            );
            return Err(TaskError::Other(text.into()));
        }
        out.extend(whole.map(<[u8]>::to_vec));
        Ok(read > 0)
    }
}
