// SPDX-License-Identifier: Apache-2.0
//! `FileReader`: how the content of files becomes records, as lines, as records of a fixed length or by a closure.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    sync::Arc,
};

use dstreams_rdd::{
    Data, TaskError, Text,
    chunk::{BoxChunks, CHUNK, Chunks},
    source::ByteRange,
    text::{LineOptions, LineSplitter},
};

use super::{FileFault, FileProblem, Problems, SelectedFile, listing::to_time};
use crate::time::Time;

/// The longest part of a file that one task reads, where a file can be cut.
const LONGEST_PART: u64 = 32 << 20;
/// How many bytes are read at a time.
const BLOCK: usize = 64 << 10;

/// How the content of files becomes records.
///
/// A closure from the content of a file to an iterator of records is one, which reads each file in one task:
///
/// ```
/// use dstreams_streaming::{FileContent, FileStreamOptions, testing::TestContext};
/// use std::io::{BufRead, BufReader};
/// let test = TestContext::new()?;
/// # let directory = tempfile::tempdir().unwrap();
/// let words = test.context().file_stream_with(directory.path(), FileStreamOptions::default(), |content: FileContent| {
///     Ok(BufReader::new(content).split(b' '))
/// });
/// # test.collect(&words);
/// # test.run(1)?;
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub trait FileReader: Send + Sync + 'static {
    /// What is read.
    type Record: Data;

    /// The parts of a file that are read by a task each: all of it in one by default.
    fn parts(&self, file: &SelectedFile) -> Vec<ByteRange> {
        ByteRange::cut(file.path(), file.length(), 1, u64::MAX)
    }

    /// Starts to read a part. An error, now or in a chunk, ends the file as a [dead one](FileFault::Unreadable), not
    /// the batch. `skipped` is for records that are left out, with the reason.
    fn open(
        &self,
        part: &ByteRange,
        skipped: impl Fn(String) + 'static,
    ) -> Result<BoxChunks<Self::Record>, TaskError>;
}

impl<F, I, T> FileReader for F
where
    F: Fn(FileContent) -> io::Result<I> + Send + Sync + 'static,
    I: Iterator<Item = io::Result<T>> + 'static,
    T: Data,
{
    type Record = T;

    fn open(&self, part: &ByteRange, _skipped: impl Fn(String) + 'static) -> Result<BoxChunks<T>, TaskError> {
        let content = part.open().map_err(TaskError::user)?;
        let records = self(FileContent(content)).map_err(TaskError::user)?;
        Ok(Box::new(IteratorChunks(records)))
    }
}

struct IteratorChunks<I>(I);

impl<T, I: Iterator<Item = io::Result<T>>> Chunks<T> for IteratorChunks<I> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        let before = out.len();
        for record in self.0.by_ref().take(CHUNK) {
            out.push(record.map_err(TaskError::user)?);
        }
        Ok(out.len() > before)
    }
}

/// What a file held when it was selected, to be read once. Where the file has become shorter, reading fails instead
/// of ending early.
#[derive(Debug)]
pub struct FileContent(io::Take<File>);

impl Read for FileContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.0.limit() > 0 {
            let text = format!("the file ends {} bytes too early", self.0.limit());
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
        Ok(read)
    }
}

/// The lines of text files, which end with `\n`, `\r` or `\r\n`; what is not UTF-8 becomes `U+FFFD`. Large files are
/// read by several tasks, each with about 32 MB of them.
///
/// ```
/// use dstreams_streaming::{FileStreamOptions, TextLines, testing::TestContext};
/// let test = TestContext::new()?;
/// # let directory = tempfile::tempdir().unwrap();
/// let short = TextLines::default().max_line_bytes(1 << 10);
/// let lines = test.context().file_stream_with(directory.path(), FileStreamOptions::default(), short);
/// # test.collect(&lines);
/// # test.run(1)?;
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TextLines {
    options: LineOptions,
}

impl TextLines {
    /// The longest line in bytes. A longer one is left out and [reported](FileFault::RecordSkipped). Default 16 MiB.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.options.max_line_bytes = bytes;
        self
    }
}

impl FileReader for TextLines {
    type Record = Text;

    fn parts(&self, file: &SelectedFile) -> Vec<ByteRange> {
        ByteRange::cut(file.path(), file.length(), 1, LONGEST_PART)
    }

    fn open(
        &self,
        part: &ByteRange,
        skipped: impl Fn(String) + 'static,
    ) -> Result<BoxChunks<Text>, TaskError> {
        let content = FileContent(part.open_lines().map_err(TaskError::user)?);
        Ok(Box::new(LineChunks { content, splitter: Some(LineSplitter::new(self.options)), skipped }))
    }
}

struct LineChunks<S> {
    content: FileContent,
    /// None at the end.
    splitter: Option<LineSplitter>,
    skipped: S,
}

impl<S: Fn(String)> Chunks<Text> for LineChunks<S> {
    fn next_chunk(&mut self, out: &mut Vec<Text>) -> Result<bool, TaskError> {
        let Some(splitter) = &mut self.splitter else { return Ok(false) };
        let read = match splitter.read_from(&mut self.content, BLOCK) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            read => read.map_err(TaskError::user)?,
        };
        let block =
            if read > 0 { Some(splitter.take()) } else { self.splitter.take().map(LineSplitter::finish) };
        let Some(block) = block else { return Ok(false) };
        for error in block.errors() {
            (self.skipped)(error.to_string());
        }
        block.append_to(out);
        Ok(self.splitter.is_some() || !block.is_empty())
    }
}

/// Records of a fixed length. What is left at the end of a file whose length is no multiple of it is
/// [reported](FileFault::Unreadable); the whole records before it are read.
#[derive(Debug, Clone)]
pub struct BinaryRecords {
    record_length: usize,
}

impl BinaryRecords {
    /// Records of `record_length` bytes each, at least 1.
    pub fn new(record_length: usize) -> Self {
        Self { record_length: record_length.max(1) }
    }
}

impl FileReader for BinaryRecords {
    type Record = Vec<u8>;

    fn parts(&self, file: &SelectedFile) -> Vec<ByteRange> {
        ByteRange::cut(file.path(), file.length(), self.record_length as u64, LONGEST_PART)
    }

    fn open(
        &self,
        part: &ByteRange,
        _skipped: impl Fn(String) + 'static,
    ) -> Result<BoxChunks<Vec<u8>>, TaskError> {
        let content = FileContent(part.open().map_err(TaskError::user)?);
        Ok(Box::new(RecordChunks { content, record_length: self.record_length }))
    }
}

struct RecordChunks {
    content: FileContent,
    record_length: usize,
}

impl Chunks<Vec<u8>> for RecordChunks {
    fn next_chunk(&mut self, out: &mut Vec<Vec<u8>>) -> Result<bool, TaskError> {
        let records = (BLOCK / self.record_length).clamp(1, CHUNK);
        let wanted = records.saturating_mul(self.record_length) as u64;
        let mut bytes = Vec::new();
        (&mut self.content).take(wanted).read_to_end(&mut bytes).map_err(TaskError::user)?;
        let whole = bytes.chunks_exact(self.record_length);
        let rest = whole.remainder().len();
        out.extend(whole.map(<[u8]>::to_vec));
        if rest > 0 {
            let text = format!("{rest} bytes at the end are no whole record of {} bytes", self.record_length);
            return Err(TaskError::user(text));
        }
        Ok(!bytes.is_empty())
    }
}

/// Reads a part of a selected file. What is wrong with the file is reported, and costs the batch that file only.
pub(super) fn open_guarded<R: FileReader>(
    reader: &R,
    part: &ByteRange,
    report: Report,
) -> GuardedChunks<R::Record> {
    let skipped = report.clone();
    let chunks = report.check_file().and_then(|()| {
        reader
            .open(part, move |reason| skipped.fault(FileFault::RecordSkipped(reason)))
            .map_err(|error| FileFault::Unreadable(error.to_string()))
    });
    let chunks = chunks.map_err(|fault| report.fault(fault)).ok();
    GuardedChunks { chunks, report }
}

/// Where the problems of one file of one batch go.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) batch_time: Time,
    pub(super) file: Arc<SelectedFile>,
    pub(super) problems: Arc<Problems>,
}

impl Report {
    fn fault(&self, fault: FileFault) {
        self.problems.report(&FileProblem::new(self.batch_time, &self.file, fault));
    }

    /// Compares the file with what was selected; fails when it is not to be read.
    fn check_file(&self) -> Result<(), FileFault> {
        let metadata =
            fs::metadata(self.file.path()).map_err(|error| FileFault::Unreadable(error.to_string()))?;
        if !metadata.is_file() {
            return Err(FileFault::Unreadable("it is not a file any more".to_owned()));
        }
        let (selected, found) = (self.file.length(), metadata.len());
        if found < selected {
            return Err(FileFault::Shorter { selected, found });
        }
        if found > selected {
            self.fault(FileFault::Longer { selected, found });
        } else if metadata.modified().is_ok_and(|modified| to_time(modified) != self.file.modified()) {
            self.fault(FileFault::Rewritten);
        }
        Ok(())
    }
}

/// Ends at the first error instead of failing the task.
pub(super) struct GuardedChunks<T> {
    chunks: Option<BoxChunks<T>>,
    report: Report,
}

impl<T> Chunks<T> for GuardedChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        let Some(chunks) = &mut self.chunks else { return Ok(false) };
        let before = out.len();
        match chunks.next_chunk(out) {
            Ok(more) => Ok(more),
            Err(error) => {
                self.chunks = None;
                self.report.fault(FileFault::Unreadable(error.to_string()));
                Ok(out.len() > before)
            }
        }
    }
}
