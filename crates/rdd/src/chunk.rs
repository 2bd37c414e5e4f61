// SPDX-License-Identifier: Apache-2.0
//! How records move inside a task: in chunks of about a thousand, one dynamic call per chunk and operator.

use crate::{error::TaskError, scheduler::task::TaskContext};

/// About how many records a chunk holds.
pub const CHUNK: usize = 1024;

/// The remaining records of one partition, handed out chunk by chunk.
///
/// The consumer owns the buffer, so that a chain of operators reuses a few buffers for a whole partition.
pub trait Chunks<T> {
    /// Appends the next records, about [`CHUNK`] of them, to `out`. Returns `false` when the partition has ended and
    /// nothing was appended; a chunk may be empty before the end.
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError>;

    /// The next records in place, for consumers that need no ownership. Sources whose records rest in memory save
    /// their clones this way; a consumer falls back to [`next_chunk`](Self::next_chunk) on [`Borrowed::Unsupported`].
    fn next_borrowed(&mut self) -> Result<Borrowed<'_, T>, TaskError> {
        Ok(Borrowed::Unsupported)
    }
}

/// The answer of [`Chunks::next_borrowed`].
pub enum Borrowed<'a, T> {
    /// The source must give its records away; always answered, or never.
    Unsupported,
    /// The next records.
    Slice(&'a [T]),
    /// The partition has ended.
    End,
}

/// A boxed [`Chunks`]. It stays on the thread of its task.
pub type BoxChunks<T> = Box<dyn Chunks<T>>;

/// Visits all records that are left by reference, without cloning them where they rest in memory.
pub(crate) fn for_each_slice<T>(
    chunks: &mut dyn Chunks<T>,
    mut visit: impl FnMut(&[T]) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    loop {
        match chunks.next_borrowed()? {
            Borrowed::Slice(records) => visit(records)?,
            Borrowed::End => return Ok(()),
            Borrowed::Unsupported => break,
        }
    }
    let mut buffer = Vec::with_capacity(CHUNK);
    while chunks.next_chunk(&mut buffer)? {
        visit(&buffer)?;
        buffer.clear();
    }
    Ok(())
}

/// Moves all records that are left into `visit`, chunk by chunk.
pub(crate) fn for_each_chunk<T>(
    chunks: &mut dyn Chunks<T>,
    mut visit: impl FnMut(&mut Vec<T>) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let mut buffer = Vec::with_capacity(CHUNK);
    while chunks.next_chunk(&mut buffer)? {
        visit(&mut buffer)?;
        buffer.clear();
    }
    Ok(())
}

/// The records of one partition as an iterator: what `map_partitions` and `for_each_partition` hand to user code.
///
/// When the next records cannot be had, because an operator further up has failed, the task is unwound from here, so that
/// the code which iterates cannot take a part of the partition for all of it and commit that: transactions that it
/// holds are dropped, and the task fails with the error.
pub struct Records<T> {
    chunks: BoxChunks<T>,
    chunk: std::vec::IntoIter<T>,
    task: TaskContext,
    operator: usize,
    ended: bool,
}

impl<T> Records<T> {
    pub(crate) fn new(chunks: BoxChunks<T>, task: &TaskContext, operator: usize) -> Self {
        Self { chunks, chunk: Vec::new().into_iter(), task: task.clone(), operator, ended: false }
    }
}

impl<T> Iterator for Records<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(record) = self.chunk.next() {
                return Some(record);
            }
            if self.ended {
                return None;
            }
            let mut buffer = Vec::with_capacity(CHUNK);
            match self.chunks.next_chunk(&mut buffer) {
                Ok(true) => self.chunk = buffer.into_iter(),
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.task.unwind(error);
                }
            }
            self.task.set_operator(self.operator);
        }
    }
}

/// Chunks of an iterator; the way back from user code.
pub(crate) struct IterChunks<I> {
    iter: I,
    task: TaskContext,
    operator: usize,
}

impl<I> IterChunks<I> {
    pub(crate) fn new(iter: I, task: &TaskContext, operator: usize) -> Self {
        Self { iter, task: task.clone(), operator }
    }
}

impl<T, I: Iterator<Item = T>> Chunks<T> for IterChunks<I> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        self.task.set_operator(self.operator);
        let before = out.len();
        out.extend(self.iter.by_ref().take(CHUNK));
        Ok(out.len() > before)
    }
}
