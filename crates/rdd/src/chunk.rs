// SPDX-License-Identifier: Apache-2.0
//! How records move inside a task: in chunks of about a thousand, one dynamic call per chunk and operator.

use std::sync::Arc;

use crate::{block::memory::Reservation, error::TaskError, scheduler::task::TaskContext};

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

    /// All records of the partition where they rest in memory, before the first has been read; then the partition has
    /// ended. Nothing, and no change, for records that come about in other ways.
    fn at_rest(&mut self) -> Option<Resting<T>> {
        None
    }
}

/// All records of a partition, in memory, chunk by chunk.
pub type Resting<T> = Arc<Vec<Vec<T>>>;

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

/// Records that are all there. Who keeps them takes them over as they are; others get them chunk by chunk.
pub(crate) struct AtRest<T> {
    left: Left<T>,
    /// The memory of the records, until somebody else has them.
    memory: Option<Reservation>,
    task: TaskContext,
}

enum Left<T> {
    All(Resting<T>),
    /// Nobody else has them: they move.
    Own(std::vec::IntoIter<Vec<T>>),
    /// With the number of the next chunk.
    Shared(Resting<T>, usize),
    Nothing,
}

impl<T> AtRest<T> {
    pub(crate) fn new(records: Resting<T>, memory: Option<Reservation>, task: &TaskContext) -> Self {
        Self { left: Left::All(records), memory, task: task.clone() }
    }

    /// The records, if none of them has been read.
    fn take_all(&mut self) -> Option<Resting<T>> {
        match std::mem::replace(&mut self.left, Left::Nothing) {
            Left::All(records) => Some(records),
            begun => {
                self.left = begun;
                None
            }
        }
    }
}

impl<T: Clone> Chunks<T> for AtRest<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        if let Some(records) = self.take_all() {
            self.left = match Arc::try_unwrap(records) {
                Ok(own) => Left::Own(own.into_iter()),
                Err(shared) => Left::Shared(shared, 0),
            };
        }
        match &mut self.left {
            Left::Own(chunks) => Ok(chunks.next().map(|mut chunk| out.append(&mut chunk)).is_some()),
            Left::Shared(chunks, next) => {
                let chunk = chunks.get(*next);
                *next += 1;
                Ok(chunk.map(|chunk| out.extend_from_slice(chunk)).is_some())
            }
            Left::All(_) | Left::Nothing => Ok(false),
        }
    }

    fn at_rest(&mut self) -> Option<Resting<T>> {
        let records = self.take_all()?;
        self.memory = None;
        Some(records)
    }
}

/// Visits the next records by reference, without cloning them where they rest in memory; otherwise they come through the
/// buffer. False at the end.
pub(crate) fn visit_next<T>(
    chunks: &mut dyn Chunks<T>,
    buffer: &mut Vec<T>,
    visit: impl FnOnce(&[T]) -> Result<(), TaskError>,
) -> Result<bool, TaskError> {
    let records = match chunks.next_borrowed()? {
        Borrowed::End => return Ok(false),
        Borrowed::Slice(records) => records,
        Borrowed::Unsupported => {
            buffer.clear();
            if !chunks.next_chunk(buffer)? {
                return Ok(false);
            }
            &*buffer
        }
    };
    visit(records).map(|()| true)
}

/// Visits all records that are left by reference, as [`visit_next`].
pub(crate) fn for_each_slice<T>(
    chunks: &mut dyn Chunks<T>,
    mut visit: impl FnMut(&[T]) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let mut buffer = Vec::new();
    while visit_next(chunks, &mut buffer, &mut visit)? {}
    Ok(())
}

/// Merges all records that are left into `start`. Those that rest in memory are cloned one by one as they are merged,
/// while they are in the cache.
pub(crate) fn fold_records<T: Clone, A>(
    chunks: &mut dyn Chunks<T>,
    start: A,
    mut merge: impl FnMut(A, T) -> A,
) -> Result<A, TaskError> {
    let mut merged = start;
    loop {
        match chunks.next_borrowed()? {
            Borrowed::Slice(records) => merged = records.iter().cloned().fold(merged, &mut merge),
            Borrowed::End => return Ok(merged),
            Borrowed::Unsupported => break,
        }
    }
    let mut buffer = Vec::with_capacity(CHUNK);
    while chunks.next_chunk(&mut buffer)? {
        merged = buffer.drain(..).fold(merged, &mut merge);
    }
    Ok(merged)
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

    /// The records that come next, as far as they have been fetched; if there are none, more are fetched. Empty at the
    /// end only. For code that wants to look ahead.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize_in(1..=4, 1).map_partitions(|mut records| {
    ///     let fetched = records.chunk().len();
    ///     records.map(move |n| (n, fetched))
    /// });
    /// assert_eq!(pairs.first()?, (1, 4));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn chunk(&mut self) -> &[T] {
        while self.chunk.len() == 0 && !self.ended {
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
        self.chunk.as_slice()
    }
}

impl<T> Iterator for Records<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.chunk.len() == 0 {
            self.chunk();
        }
        self.chunk.next()
    }

    /// Counts records that rest in memory without cloning them.
    fn count(mut self) -> usize {
        let mut count = self.chunk.len();
        self.chunk = Vec::new().into_iter();
        if self.ended {
            return count;
        }
        let counted = for_each_slice(&mut *self.chunks, |records| {
            count += records.len();
            Ok(())
        });
        if let Err(error) = counted {
            self.task.unwind(error);
        }
        self.task.set_operator(self.operator);
        count
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
