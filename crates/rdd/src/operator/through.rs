// SPDX-License-Identifier: Apache-2.0
//! The records of one partition through the function of a narrow operator. Records that rest in memory are not copied in
//! bulk before: each is cloned right where the function takes it, and not at all if it is only looked at.

use std::sync::Arc;

use crate::{
    chunk::{Borrowed, BoxChunks, CHUNK, Chunks, visit_next},
    error::TaskError,
    record::Data,
    scheduler::task::TaskContext,
};

/// One record for each record.
pub(super) struct EachChunks<T, F> {
    input: BoxChunks<T>,
    f: Arc<F>,
    buffer: Vec<T>,
    task: TaskContext,
    operator: usize,
}

impl<T, F> EachChunks<T, F> {
    pub(super) fn new(input: BoxChunks<T>, f: &Arc<F>, task: &TaskContext, operator: usize) -> Self {
        Self { input, f: Arc::clone(f), buffer: Vec::new(), task: task.clone(), operator }
    }
}

impl<T: Data, U, F: Fn(T) -> U> Chunks<U> for EachChunks<T, F> {
    fn next_chunk(&mut self, out: &mut Vec<U>) -> Result<bool, TaskError> {
        match self.input.next_borrowed()? {
            Borrowed::End => return Ok(false),
            Borrowed::Slice(records) => {
                self.task.set_operator(self.operator);
                out.extend(records.iter().cloned().map(&*self.f));
            }
            Borrowed::Unsupported => {
                if !self.input.next_chunk(&mut self.buffer)? {
                    return Ok(false);
                }
                self.task.set_operator(self.operator);
                out.extend(self.buffer.drain(..).map(&*self.f));
            }
        }
        Ok(true)
    }
}

/// Some of the records.
pub(super) struct FilterChunks<T, F> {
    input: BoxChunks<T>,
    keep: Arc<F>,
    buffer: Vec<T>,
    task: TaskContext,
    operator: usize,
}

impl<T, F> FilterChunks<T, F> {
    pub(super) fn new(input: BoxChunks<T>, keep: &Arc<F>, task: &TaskContext, operator: usize) -> Self {
        Self { input, keep: Arc::clone(keep), buffer: Vec::new(), task: task.clone(), operator }
    }
}

impl<T: Data, F: Fn(&T) -> Result<bool, TaskError>> Chunks<T> for FilterChunks<T, F> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        match self.input.next_borrowed()? {
            Borrowed::End => return Ok(false),
            Borrowed::Slice(records) => {
                self.task.set_operator(self.operator);
                for record in records {
                    if (self.keep)(record)? {
                        out.push(record.clone());
                    }
                }
            }
            Borrowed::Unsupported => {
                if !self.input.next_chunk(&mut self.buffer)? {
                    return Ok(false);
                }
                self.task.set_operator(self.operator);
                for record in self.buffer.drain(..) {
                    if (self.keep)(&record)? {
                        out.push(record);
                    }
                }
            }
        }
        Ok(true)
    }
}

/// What is made of some of the records, none of which is cloned.
pub(super) struct FilterMapChunks<T, F> {
    input: BoxChunks<T>,
    f: Arc<F>,
    buffer: Vec<T>,
    task: TaskContext,
    operator: usize,
}

impl<T, F> FilterMapChunks<T, F> {
    pub(super) fn new(input: BoxChunks<T>, f: &Arc<F>, task: &TaskContext, operator: usize) -> Self {
        Self { input, f: Arc::clone(f), buffer: Vec::new(), task: task.clone(), operator }
    }
}

impl<T: Data, U, F: Fn(&T) -> Result<Option<U>, TaskError>> Chunks<U> for FilterMapChunks<T, F> {
    fn next_chunk(&mut self, out: &mut Vec<U>) -> Result<bool, TaskError> {
        visit_next(&mut *self.input, &mut self.buffer, |records| {
            self.task.set_operator(self.operator);
            for record in records {
                if let Some(result) = (self.f)(record)? {
                    out.push(result);
                }
            }
            Ok(())
        })
    }
}

/// Any number of records for each record. The iterator of a record whose results did not fit in the chunk is kept, so
/// that chunks stay small however many records one record becomes.
pub(super) struct FlatMapChunks<T, F, I> {
    input: BoxChunks<T>,
    f: F,
    buffer: Vec<T>,
    left: Left<T, I>,
    task: TaskContext,
    operator: usize,
}

/// What was fetched and did not fit in the chunk.
struct Left<T, I> {
    /// Of the record that was the last.
    results: Option<I>,
    records: std::vec::IntoIter<T>,
}

impl<T, F, I> FlatMapChunks<T, F, I> {
    pub(super) fn new<J: IntoIterator<IntoIter = I>>(
        input: BoxChunks<T>,
        f: F,
        task: &TaskContext,
        operator: usize,
    ) -> Self
    where
        F: Fn(T) -> Result<J, TaskError>,
    {
        let left = Left { results: None, records: Vec::new().into_iter() };
        Self { input, f, buffer: Vec::new(), left, task: task.clone(), operator }
    }
}

impl<T, U, J, F> Chunks<U> for FlatMapChunks<T, F, J::IntoIter>
where
    T: Data,
    J: IntoIterator<Item = U>,
    F: Fn(T) -> Result<J, TaskError>,
{
    fn next_chunk(&mut self, out: &mut Vec<U>) -> Result<bool, TaskError> {
        // One record may become any number of chunks, between which no source looks.
        self.task.check_cancelled()?;
        let (before, full) = (out.len(), out.len() + CHUNK);
        self.task.set_operator(self.operator);
        if let Some(mut results) = self.left.results.take()
            && fill(&mut results, out, full)
        {
            self.left.results = Some(results);
            return Ok(true);
        }
        loop {
            let mut records = if self.left.records.len() > 0 {
                Fetched::Left(std::mem::take(&mut self.left.records))
            } else if out.len() > before {
                return Ok(true);
            } else {
                match self.input.next_borrowed()? {
                    Borrowed::End => return Ok(false),
                    Borrowed::Slice(records) => Fetched::AtRest(records.iter()),
                    Borrowed::Unsupported => {
                        if !self.input.next_chunk(&mut self.buffer)? {
                            return Ok(false);
                        }
                        Fetched::Buffer(self.buffer.drain(..))
                    }
                }
            };
            self.task.set_operator(self.operator);
            while let Some(record) = records.next() {
                let mut results = (self.f)(record)?.into_iter();
                if fill(&mut results, out, full) {
                    self.left = Left { results: Some(results), records: records.into_left() };
                    return Ok(true);
                }
            }
        }
    }
}

/// Records for one loop, wherever they are: with a loop for each case, calls of user code are not inlined.
enum Fetched<'a, T> {
    AtRest(std::slice::Iter<'a, T>),
    Buffer(std::vec::Drain<'a, T>),
    Left(std::vec::IntoIter<T>),
}

impl<T: Clone> Fetched<'_, T> {
    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Self::AtRest(records) => records.next().cloned(),
            Self::Buffer(records) => records.next(),
            Self::Left(records) => records.next(),
        }
    }

    /// Those that have not been taken, as a vector of their own.
    fn into_left(self) -> std::vec::IntoIter<T> {
        match self {
            Self::AtRest(records) => records.as_slice().to_vec().into_iter(),
            Self::Buffer(records) => records.collect::<Vec<_>>().into_iter(),
            Self::Left(records) => records,
        }
    }
}

/// Whether `out` is full before the results end, or with their last one.
#[inline]
fn fill<U>(results: &mut impl Iterator<Item = U>, out: &mut Vec<U>, full: usize) -> bool {
    for result in results {
        out.push(result);
        if out.len() >= full {
            return true;
        }
    }
    false
}
