// SPDX-License-Identifier: Apache-2.0
//! `text_file`: the lines of files, read in ranges of bytes that end between lines.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use memchr::memchr2;

use super::files::{ByteRange, byte_ranges, input_files};
use crate::{
    chunk::{BoxChunks, Chunks},
    context::RddContext,
    error::{Result, TaskError},
    rdd::Rdd,
    scheduler::task::TaskContext,
    text::{LineOptions, LineSplitter, Text},
};

/// How many bytes are read at a time; about a chunk of lines.
const BLOCK: usize = 64 << 10;
/// The longest range of one partition.
const RANGE: u64 = 32 << 20;

impl RddContext {
    /// The lines of a file, of the files of a directory, or of all files and directories that a pattern with `*`,
    /// `?` or `[…]` matches. Names that start with `.` or `_` are left out.
    ///
    /// Lines end with `\n`, `\r` or `\r\n`; what is not UTF-8 becomes `U+FFFD`. Each partition is a range of about
    /// 32 MB of a file, or less, so that there are at least [`default_parallelism`](Self::default_parallelism) and at
    /// least two. Files are listed now and read, as far as they reach now, by every action; a line longer than
    /// the memory budget fails its task.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("lines.txt");
    /// # std::fs::write(&path, "to be\r\nor not\nto be").expect("a temporary file");
    /// let words = sc.text_file(&path)?.flat_map(|line| line.words());
    /// assert_eq!(words.count()?, 6);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn text_file(&self, path: impl AsRef<Path>) -> Result<Rdd<Text>> {
        self.text_file_in(path, self.default_parallelism().max(2))
    }

    /// As [`text_file`](Self::text_file), in at least `partitions` partitions unless there are fewer bytes.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("lines.txt");
    /// # std::fs::write(&path, "to be\nor not\nto be\n").expect("a temporary file");
    /// let parts = sc.text_file_in(&path, 3)?.glom();
    /// assert_eq!(parts.collect()?, [["to be"], ["or not"], ["to be"]]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn text_file_in(&self, path: impl AsRef<Path>, partitions: usize) -> Result<Rdd<Text>> {
        let ranges = byte_ranges(&input_files(path.as_ref())?, partitions, 1, RANGE);
        let count = ranges.len();
        let max_line_bytes = self.options().memory_budget;
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            let range = &ranges[partition];
            let failed = |cause| TaskError::io("read", &range.path, cause);
            let lines = range.open_lines().map_err(failed)?;
            let options = LineOptions { max_line_bytes, ..LineOptions::default() };
            Ok(Box::new(LineChunks {
                lines,
                splitter: Some(LineSplitter::new(options)),
                path: Arc::clone(&range.path),
                task: task.clone(),
                operator,
            }) as BoxChunks<Text>)
        };
        Ok(Rdd::new(self, "text_file", count, None, Vec::new(), compute))
    }
}

struct LineChunks {
    /// The bytes of the lines that start in the range.
    lines: io::Take<File>,
    /// None at the end.
    splitter: Option<LineSplitter>,
    path: Arc<Path>,
    task: TaskContext,
    operator: usize,
}

impl Chunks<Text> for LineChunks {
    fn next_chunk(&mut self, out: &mut Vec<Text>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        self.task.set_operator(self.operator);
        let failed = |cause| TaskError::io("read", &self.path, cause);
        let Some(splitter) = &mut self.splitter else { return Ok(false) };
        let read = match splitter.read_from(&mut self.lines, BLOCK) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            read => read.map_err(failed)?,
        };
        let block =
            if read > 0 { Some(splitter.take()) } else { self.splitter.take().map(LineSplitter::finish) };
        let Some(block) = block else { return Ok(false) };
        if let Some(error) = block.errors().first() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, error.clone())));
        }
        block.append_to(out);
        Ok(self.splitter.is_some() || !block.is_empty())
    }
}

impl ByteRange {
    /// Opens the lines that start in the range, the last of which may reach beyond it. The ranges of a file thus
    /// share out its lines, wherever they were cut.
    pub fn open_lines(&self) -> io::Result<io::Take<File>> {
        let mut file = File::open(&self.path)?;
        let start = first_line_start(&mut file, self.start, self.end)?;
        // A range within a line needs no search for the end of it.
        let end =
            if start < self.end { first_line_start(&mut file, self.end, self.file_end)? } else { start };
        file.seek(SeekFrom::Start(start))?;
        Ok(file.take(end - start))
    }
}

/// The first position from `from` on where a line starts, or `limit` if there is none before it.
fn first_line_start(file: &mut File, from: u64, limit: u64) -> io::Result<u64> {
    if from == 0 || from >= limit {
        return Ok(from.min(limit));
    }
    // The byte before tells whether a line starts right here.
    let mut position = from - 1;
    file.seek(SeekFrom::Start(position))?;
    let mut buffer = vec![0; 4 << 10];
    let mut after_cr = false;
    while position < limit {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let bytes = &buffer[..read];
        if after_cr {
            return Ok((position + u64::from(bytes[0] == b'\n')).min(limit));
        }
        match memchr2(b'\n', b'\r', bytes) {
            None => position += read as u64,
            Some(at) if bytes[at] == b'\n' => return Ok((position + at as u64 + 1).min(limit)),
            Some(at) => {
                position += at as u64 + 1;
                match bytes.get(at + 1) {
                    Some(next) => return Ok((position + u64::from(*next == b'\n')).min(limit)),
                    None => after_cr = true,
                }
            }
        }
    }
    Ok(limit)
}
