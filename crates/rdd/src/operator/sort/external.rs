// SPDX-License-Identifier: Apache-2.0
//! External merge sort: what the memory budget holds is sorted there; beyond it sorted runs go to disk and are merged.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
    rc::Rc,
    sync::Arc,
};

use super::{
    order::SortOrder,
    runs::{Run, RunReader, RunWriter},
};
use crate::{
    block::{disk::SpillFile, memory::Reservation},
    chunk::{BoxChunks, CHUNK, Chunks, for_each_chunk},
    context::RddContext,
    error::TaskError,
    record::Wire,
    scheduler::task::TaskContext,
    shuffle::{footprint::RecordMeter, nothing_reserved, reserve},
};

/// How many runs are merged at a time. Each takes a file handle and the memory of a frame.
const FAN_IN: usize = 64;

/// The records of `input` in the given order; equal ones stay in theirs. They are read and sorted when the first
/// chunk is asked for.
pub(super) fn sort<T: Wire, O: SortOrder<T>>(
    input: BoxChunks<T>,
    order: &Arc<O>,
    context: &RddContext,
    task: &TaskContext,
    operator: usize,
) -> BoxChunks<T> {
    let work = Work { order: Arc::clone(order), context: context.clone(), task: task.clone(), operator };
    Box::new(SortChunks { work: Rc::new(work), state: State::Waiting(input) })
}

/// What the parts of one sort share.
struct Work<O> {
    order: Arc<O>,
    context: RddContext,
    task: TaskContext,
    operator: usize,
}

struct SortChunks<T, O: SortOrder<T>> {
    work: Rc<Work<O>>,
    state: State<T, O>,
}

enum State<T, O: SortOrder<T>> {
    /// Nothing was read yet.
    Waiting(BoxChunks<T>),
    /// All is read; the records come from memory, from disk, or from both.
    Merging(Merge<T, O>),
    Ended,
}

impl<T: Wire, O: SortOrder<T>> Chunks<T> for SortChunks<T, O> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.work.task.check_cancelled()?;
        if let State::Waiting(input) = &mut self.state {
            let mut sorter = Sorter::new(&self.work);
            sorter.add_all(&mut **input)?;
            self.state = State::Merging(sorter.into_merge()?);
        }
        let State::Merging(merge) = &mut self.state else { return Ok(false) };
        self.work.task.set_operator(self.work.operator);
        for _ in 0..CHUNK {
            let Some(entry) = merge.next()? else {
                // The memory is free before the next operator is done.
                self.state = State::Ended;
                return Ok(true);
            };
            out.push(O::into_record(entry));
        }
        Ok(true)
    }
}

/// Collects records and spills them as sorted runs.
struct Sorter<T, O: SortOrder<T>> {
    work: Rc<Work<O>>,
    entries: Vec<O::Entry>,
    meter: RecordMeter,
    memory: Reservation,
    runs: Vec<Run>,
}

impl<T: Wire, O: SortOrder<T>> Sorter<T, O> {
    fn new(work: &Rc<Work<O>>) -> Self {
        let memory = nothing_reserved(&work.context);
        Self {
            work: Rc::clone(work),
            entries: Vec::new(),
            meter: RecordMeter::default(),
            memory,
            runs: Vec::new(),
        }
    }

    fn add_all(&mut self, input: &mut dyn Chunks<T>) -> Result<(), TaskError> {
        for_each_chunk(input, |records| {
            self.work.task.set_operator(self.work.operator);
            self.meter.count(records);
            let order = &self.work.order;
            self.entries.extend(records.drain(..).map(|record| order.entry(record)));
            // The key beside a record is charged with its size; what it may hold beyond, with that of the record.
            let keys = self.entries.len() * (size_of::<O::Entry>() - size_of::<T>());
            let fits = reserve(&mut self.memory, self.meter.bytes::<T>() + keys);
            if fits || self.entries.len() < CHUNK { Ok(()) } else { self.spill() }
        })
    }

    fn sort(&mut self) {
        let order = &self.work.order;
        self.entries.sort_by(|left, right| order.compare(left, right));
    }

    fn spill(&mut self) -> Result<(), TaskError> {
        self.sort();
        let Work { context, task, .. } = &*self.work;
        let file = match self.runs.last() {
            Some(run) => run.file().clone(),
            None => Run::create_file(context)?,
        };
        let mut run = RunWriter::new(&file, context)?;
        run.append(self.entries.iter().map(O::record))?;
        self.runs.push(run.finish(context, task)?);
        self.entries = Vec::new();
        self.meter.reset();
        self.memory.shrink(usize::MAX);
        Ok(())
    }

    /// All records in their order.
    fn into_merge(mut self) -> Result<Merge<T, O>, TaskError> {
        self.sort();
        let mut runs = self.runs;
        while runs.len() > FAN_IN {
            let file = Run::create_file(&self.work.context)?;
            // Neighbours are merged, so that equal records keep their order.
            let merged = runs.chunks(FAN_IN).map(|runs| merge_runs::<T, O>(&self.work, runs, &file));
            runs = merged.collect::<Result<_, _>>()?;
        }
        let mut sources = open_runs(&runs)?;
        sources.push(Source::Memory { entries: self.entries.into_iter(), _memory: self.memory });
        Merge::new(&self.work.order, sources)
    }
}

/// Merges runs into one more of `file`.
fn merge_runs<T: Wire, O: SortOrder<T>>(
    work: &Work<O>,
    runs: &[Run],
    file: &SpillFile,
) -> Result<Run, TaskError> {
    let mut merge = Merge::<T, O>::new(&work.order, open_runs(runs)?)?;
    let mut run = RunWriter::new(file, &work.context)?;
    for written in 0_usize.. {
        if written.is_multiple_of(CHUNK) {
            work.task.check_cancelled()?;
        }
        let Some(entry) = merge.next()? else { break };
        run.append([O::record(&entry)])?;
    }
    run.finish(&work.context, &work.task)
}

fn open_runs<T, O: SortOrder<T>>(runs: &[Run]) -> Result<Vec<Source<T, O>>, TaskError> {
    runs.iter().map(|run| Ok(Source::Disk { reader: run.read()?, records: Vec::new().into_iter() })).collect()
}

/// Where sorted records come from.
enum Source<T, O: SortOrder<T>> {
    Memory { entries: std::vec::IntoIter<O::Entry>, _memory: Reservation },
    Disk { reader: RunReader, records: std::vec::IntoIter<T> },
}

impl<T: Wire, O: SortOrder<T>> Source<T, O> {
    fn next(&mut self, order: &O) -> Result<Option<O::Entry>, TaskError> {
        match self {
            Self::Memory { entries, .. } => Ok(entries.next()),
            Self::Disk { reader, records } => {
                if records.len() == 0 {
                    *records = reader.read()?.into_iter();
                }
                Ok(records.next().map(|record| order.entry(record)))
            }
        }
    }
}

/// The records of several sorted sources in one order; of equal ones those of the earlier source come first.
struct Merge<T, O: SortOrder<T>> {
    order: Arc<O>,
    sources: Vec<Source<T, O>>,
    /// The next entry of every source that has one.
    heads: BinaryHeap<Head<T, O>>,
}

struct Head<T, O: SortOrder<T>> {
    entry: O::Entry,
    source: usize,
    order: Arc<O>,
}

impl<T: Wire, O: SortOrder<T>> Merge<T, O> {
    fn new(order: &Arc<O>, mut sources: Vec<Source<T, O>>) -> Result<Self, TaskError> {
        let mut heads = BinaryHeap::with_capacity(sources.len());
        // A single source needs no comparisons.
        if sources.len() > 1 {
            for (source, records) in sources.iter_mut().enumerate() {
                if let Some(entry) = records.next(order)? {
                    heads.push(Head { entry, source, order: Arc::clone(order) });
                }
            }
        }
        Ok(Self { order: Arc::clone(order), sources, heads })
    }

    fn next(&mut self) -> Result<Option<O::Entry>, TaskError> {
        if let [only] = &mut *self.sources {
            return only.next(&self.order);
        }
        let Some(mut first) = self.heads.peek_mut() else { return Ok(None) };
        let next = self.sources[first.source].next(&self.order)?;
        Ok(Some(match next {
            Some(next) => std::mem::replace(&mut first.entry, next),
            None => PeekMut::pop(first).entry,
        }))
    }
}

/// A heap gives its greatest element first, so that this order is the reverse of the sort's.
impl<T, O: SortOrder<T>> Ord for Head<T, O> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(&other.entry, &self.entry).then(other.source.cmp(&self.source))
    }
}

impl<T, O: SortOrder<T>> PartialOrd for Head<T, O> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T, O: SortOrder<T>> PartialEq for Head<T, O> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T, O: SortOrder<T>> Eq for Head<T, O> {}
