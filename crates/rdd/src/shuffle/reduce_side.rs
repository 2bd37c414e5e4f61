// SPDX-License-Identifier: Apache-2.0
//! The reduce side: the pairs of one partition merged by key.

use std::sync::Arc;

use super::{aggregator::Aggregator, table::CombineTable};
use crate::{
    chunk::{Borrowed, BoxChunks, CHUNK, Chunks, for_each_chunk},
    error::TaskError,
    partitioner::key_hash,
    record::{Data, Key},
    scheduler::task::TaskContext,
};

/// Accumulators by key, filled from one or more inputs.
pub(crate) struct Groups<K, C> {
    table: CombineTable<K, C>,
    task: TaskContext,
    operator: usize,
}

impl<K: Key, C: Data> Groups<K, C> {
    pub(crate) fn new(task: &TaskContext, operator: usize) -> Self {
        Self { table: CombineTable::new(), task: task.clone(), operator }
    }

    /// Adds all pairs of an input. Keys of pairs that rest elsewhere are cloned only when they are new here.
    pub(crate) fn add_all<V: Data, A: Aggregator<V, Acc = C>>(
        &mut self,
        input: &mut dyn Chunks<(K, V)>,
        by: &A,
    ) -> Result<(), TaskError> {
        loop {
            match input.next_borrowed()? {
                Borrowed::Slice(pairs) => {
                    self.task.set_operator(self.operator);
                    for (key, value) in pairs {
                        self.table.add_borrowed(key, key_hash(key), value.clone(), by)?;
                    }
                }
                Borrowed::End => return Ok(()),
                Borrowed::Unsupported => break,
            }
        }
        for_each_chunk(input, |pairs| {
            self.task.set_operator(self.operator);
            for (key, value) in pairs.drain(..) {
                let hash = key_hash(&key);
                self.table.add(key, hash, value, by)?;
            }
            Ok(())
        })
    }

    /// The keys in the order of their first coming.
    pub(crate) fn into_chunks(self) -> GroupChunks<K, C> {
        GroupChunks { entries: self.table.into_entries().into_iter(), task: self.task }
    }
}

/// The accumulators of a partition, chunk by chunk.
pub(crate) struct GroupChunks<K, C> {
    entries: std::vec::IntoIter<(K, C)>,
    task: TaskContext,
}

impl<K, C> Chunks<(K, C)> for GroupChunks<K, C> {
    fn next_chunk(&mut self, out: &mut Vec<(K, C)>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        let before = out.len();
        out.extend(self.entries.by_ref().take(CHUNK));
        Ok(out.len() > before)
    }
}

/// One input merged by key. It is read when the first chunk is asked for.
pub(crate) fn aggregate<K: Key, V: Data, A: Aggregator<V>>(
    input: BoxChunks<(K, V)>,
    by: &Arc<A>,
    task: &TaskContext,
    operator: usize,
) -> BoxChunks<(K, A::Acc)> {
    let by = Arc::clone(by);
    let task = task.clone();
    Box::new(Grouped::new(move || {
        let (mut input, mut groups) = (input, Groups::new(&task, operator));
        groups.add_all(&mut *input, &*by)?;
        Ok(groups.into_chunks())
    }))
}

/// Groups that are made when the first chunk is asked for.
pub(crate) enum Grouped<K, C, F> {
    Waiting(Option<F>),
    Ready(GroupChunks<K, C>),
}

impl<K, C, F: FnOnce() -> Result<GroupChunks<K, C>, TaskError>> Grouped<K, C, F> {
    pub(crate) fn new(make: F) -> Self {
        Self::Waiting(Some(make))
    }
}

impl<K: Key, C: Data, F: FnOnce() -> Result<GroupChunks<K, C>, TaskError>> Chunks<(K, C)>
    for Grouped<K, C, F>
{
    fn next_chunk(&mut self, out: &mut Vec<(K, C)>) -> Result<bool, TaskError> {
        loop {
            match self {
                Self::Ready(chunks) => return chunks.next_chunk(out),
                Self::Waiting(make) => match make.take() {
                    Some(make) => *self = Self::Ready(make()?),
                    None => return Ok(false),
                },
            }
        }
    }
}
