// SPDX-License-Identifier: Apache-2.0
//! The reduce side: the pairs of one partition merged by key, on disk in part where memory is short.

use std::{rc::Rc, sync::Arc};

use super::{
    aggregator::{Aggregator, Reduce},
    nothing_reserved,
    reader::Reader,
    reserve,
    spill::Spill,
    table::{CombineTable, Entries},
};
use crate::{
    block::memory::Reservation,
    chunk::{Borrowed, BoxChunks, CHUNK, Chunks, for_each_chunk},
    context::RddContext,
    error::TaskError,
    partitioner::key_hash,
    record::{Data, Key, Wire},
    scheduler::task::TaskContext,
};

/// How many parts a table is spilled in; each is merged on its own afterwards.
const PARTS: usize = 16;
/// The bits of a key's hash that choose its part: the first ones that the table does not use, then the next.
const PART_BITS: u32 = PARTS.trailing_zeros();
/// How often parts can be parted again before the bits are used up.
const LEVELS: u32 = (u64::BITS - 32) / PART_BITS;

/// Accumulators by key, filled from one or more inputs.
pub(crate) struct Groups<K, C> {
    work: Rc<Work<C>>,
    table: CombineTable<K, C>,
    memory: Reservation,
    spill: Option<Spill<(K, C)>>,
    level: u32,
}

/// What the groups of one partition share with their parts.
struct Work<C> {
    context: RddContext,
    task: TaskContext,
    operator: usize,
    merge: Merge<C>,
}

/// Joins two accumulators of one key; the first one's values came first.
type Merge<C> = Box<dyn Fn(C, C) -> Result<C, TaskError>>;

impl<K: Key, C: Wire> Groups<K, C> {
    /// No groups yet. `merge` joins accumulators of the same key that were spilled at different times.
    pub(crate) fn new(
        context: &RddContext,
        task: &TaskContext,
        operator: usize,
        merge: impl Fn(C, C) -> Result<C, TaskError> + 'static,
    ) -> Self {
        let work = Work { context: context.clone(), task: task.clone(), operator, merge: Box::new(merge) };
        Self::at_level(Rc::new(work), 0)
    }

    fn at_level(work: Rc<Work<C>>, level: u32) -> Self {
        let memory = nothing_reserved(&work.context);
        Self { work, table: CombineTable::new(), memory, spill: None, level }
    }

    /// Adds what comes first: pairs of which each key has one, `expected` of them.
    fn add_first(&mut self, pairs: &[(K, C)], expected: usize) -> Result<(), TaskError> {
        if self.table.len() == 0 {
            self.table.reserve(expected);
        }
        self.table.extend_with_new(pairs);
        self.make_room()
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
                    self.work.task.set_operator(self.work.operator);
                    let pairs = pairs.iter().map(|(key, value)| (key, value.clone()));
                    self.table.extend(pairs, by)?;
                    self.make_room()?;
                }
                Borrowed::End => return Ok(()),
                Borrowed::Unsupported => break,
            }
        }
        for_each_chunk(input, |pairs| {
            self.work.task.set_operator(self.work.operator);
            self.table.extend(pairs.drain(..), by)?;
            self.make_room()
        })
    }

    /// Spills when the budget does not hold the table. A single group, or keys whose hashes are alike to the last
    /// bit, must be in memory in the end; to spill them would only lead here again.
    fn make_room(&mut self) -> Result<(), TaskError> {
        if reserve(&mut self.memory, self.table.bytes())
            || self.table.values() < CHUNK
            || self.table.len() == 1
            || self.level == LEVELS
        {
            return Ok(());
        }
        self.spill()
    }

    fn spill(&mut self) -> Result<(), TaskError> {
        let mut parts: Vec<Vec<(K, C)>> = (0..PARTS).map(|_| Vec::new()).collect();
        for (key, acc) in self.table.take() {
            let part = (key_hash(&key) >> (32 + self.level * PART_BITS)) % PARTS as u64;
            parts[usize::try_from(part).unwrap_or(0)].push((key, acc));
        }
        let context = &self.work.context;
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(context)?),
        };
        spill.append(&parts, context, &format!("the groups of partition {}", self.work.task.partition()))?;
        drop(parts);
        self.memory.shrink(usize::MAX);
        Ok(())
    }

    /// All groups.
    pub(crate) fn into_chunks(mut self) -> Result<GroupChunks<K, C>, TaskError> {
        let mut parts = Vec::new();
        if self.spill.is_some() && self.table.len() > 0 {
            self.spill()?;
        }
        if let Some(spill) = self.spill.map(Rc::new) {
            let level = self.level + 1;
            parts.extend((0..PARTS).rev().map(|bucket| Part { spill: Rc::clone(&spill), bucket, level }));
        }
        let entries = self.table.take();
        Ok(GroupChunks { work: self.work, entries, memory: self.memory, parts })
    }
}

/// The groups of a partition, chunk by chunk.
pub(crate) struct GroupChunks<K, C> {
    work: Rc<Work<C>>,
    entries: Entries<K, C>,
    /// The memory of the entries.
    memory: Reservation,
    /// What was spilled, the next part last.
    parts: Vec<Part<K, C>>,
}

/// Spilled accumulators of some of the keys, several per key.
struct Part<K, C> {
    spill: Rc<Spill<(K, C)>>,
    bucket: usize,
    level: u32,
}

impl<K: Key, C: Wire> GroupChunks<K, C> {
    fn merge(&self, part: &Part<K, C>) -> Result<Self, TaskError> {
        let work = Rc::clone(&self.work);
        let by = Reduce(|left, right| (work.merge)(left, right));
        let mut groups = Groups::at_level(Rc::clone(&self.work), part.level);
        let mut pairs: Vec<(K, C)> = Vec::new();
        for run in part.spill.runs(part.bucket) {
            let mut file = part.spill.read(run)?;
            while file.read(&mut pairs).map_err(|error| TaskError::Other(error.into()))? > 0 {
                self.work.task.check_cancelled()?;
                self.work.task.set_operator(self.work.operator);
                groups.table.extend(pairs.drain(..), &by)?;
                groups.make_room()?;
            }
        }
        groups.into_chunks()
    }
}

impl<K: Key, C: Wire> Chunks<(K, C)> for GroupChunks<K, C> {
    fn next_chunk(&mut self, out: &mut Vec<(K, C)>) -> Result<bool, TaskError> {
        self.work.task.check_cancelled()?;
        while self.entries.len() == 0 {
            let Some(part) = self.parts.pop() else { return Ok(false) };
            // Gone before the next part needs memory.
            self.entries = CombineTable::new().take();
            self.memory.shrink(usize::MAX);
            let mut merged = self.merge(&part)?;
            self.parts.append(&mut merged.parts);
            (self.entries, self.memory) = (merged.entries, merged.memory);
        }
        out.extend(self.entries.by_ref().take(CHUNK));
        Ok(true)
    }
}

/// The pairs of an input merged by key. It is read when the first chunk is asked for.
pub(crate) fn aggregate<K: Key, V: Data, A: Aggregator<V> + 'static>(
    input: BoxChunks<(K, V)>,
    by: &Arc<A>,
    context: &RddContext,
    task: &TaskContext,
    operator: usize,
) -> BoxChunks<(K, A::Acc)> {
    let (by, context, task) = (Arc::clone(by), context.clone(), task.clone());
    Box::new(Grouped::new(move || {
        let (mut input, merge) = (input, Arc::clone(&by));
        let mut groups = Groups::new(&context, &task, operator, move |left, right| merge.merge(left, right));
        groups.add_all(&mut *input, &*by)?;
        groups.into_chunks()
    }))
}

/// Accumulators from several map tasks merged by key. They are read when the first chunk is asked for.
pub(crate) fn merge<K: Key, C: Wire, A: Aggregator<C, Acc = C> + 'static>(
    mut runs: Reader<(K, C)>,
    by: &Arc<A>,
    context: &RddContext,
    task: &TaskContext,
    operator: usize,
) -> BoxChunks<(K, C)> {
    let (by, context, task) = (Arc::clone(by), context.clone(), task.clone());
    Box::new(Grouped::new(move || {
        let merge = Arc::clone(&by);
        let mut groups = Groups::new(&context, &task, operator, move |left, right| merge.merge(left, right));
        let expected = runs.first_run_len();
        while let Some(pairs) = runs.next_of_first_run()? {
            groups.add_first(pairs, expected)?;
        }
        groups.add_all(&mut runs, &*by)?;
        groups.into_chunks()
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

impl<K: Key, C: Wire, F: FnOnce() -> Result<GroupChunks<K, C>, TaskError>> Chunks<(K, C)>
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
