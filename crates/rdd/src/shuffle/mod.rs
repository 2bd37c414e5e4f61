// SPDX-License-Identifier: Apache-2.0
//! Shuffles: the map side sorts records into one bucket per reducer, the reduce side reads its bucket of every map
//! partition. What the memory budget does not hold goes to disk, on either side.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

use crate::{
    block::memory::Reservation,
    chunk::{BoxChunks, CHUNK, for_each_chunk},
    context::RddContext,
    error::TaskError,
    lineage::{Lineage, ShuffleStage},
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
};

pub(crate) mod aggregator;
pub(crate) mod expected;
pub(crate) mod footprint;
mod outputs;
pub(crate) mod partitioning;
mod reader;
pub(crate) mod reduce_side;
pub(crate) mod router;
mod spill;
pub(crate) mod table;

use footprint::RecordMeter;
use outputs::{MapOutput, Outputs};
use reader::Reader;
use router::Router;
use spill::Spill;

/// One shuffle: records `T` of the parent become records `R` in one bucket per reducer.
///
/// The outputs live as long as the dataset that reads them; they are computed once and serve any number of jobs.
pub(crate) struct Shuffle<T, R> {
    id: u64,
    parent: Rdd<T>,
    new_router: NewRouter<T, R>,
    outputs: Arc<Outputs<R>>,
    running: Mutex<()>,
    /// The dataset whose user code runs on the map side.
    reader: OnceLock<Weak<Lineage>>,
}

/// Makes the router of a map partition.
type NewRouter<T, R> = Box<dyn Fn(usize) -> Box<dyn Router<T, R>> + Send + Sync>;

impl<T: Data, R: Wire> Shuffle<T, R> {
    pub(crate) fn new(
        parent: &Rdd<T>,
        new_router: impl Fn(usize) -> Box<dyn Router<T, R>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            id,
            parent: parent.clone(),
            new_router: Box::new(new_router),
            outputs: Arc::new(Outputs::new(id, parent.num_partitions())),
            running: Mutex::new(()),
            reader: OnceLock::new(),
        })
    }

    /// Names the dataset to blame for what fails in the router.
    pub(crate) fn read_by(&self, reader: &Arc<Lineage>) {
        let _set_once = self.reader.set(Arc::downgrade(reader));
    }

    /// The records of one reducer, in the order of the map partitions.
    pub(crate) fn read(&self, reducer: usize, task: &TaskContext) -> Result<BoxChunks<R>, TaskError> {
        Ok(Box::new(self.reader(reducer, task)?))
    }

    pub(crate) fn reader(&self, reducer: usize, task: &TaskContext) -> Result<Reader<R>, TaskError> {
        Reader::new(&self.outputs, reducer, task)
    }
}

impl<T: Data, R: Wire> ShuffleStage for Shuffle<T, R> {
    fn id(&self) -> u64 {
        self.id
    }

    fn parent(&self) -> &Arc<Lineage> {
        self.parent.lineage()
    }

    fn missing(&self) -> Vec<usize> {
        self.outputs.missing()
    }

    fn run_map_task(&self, partition: usize, task: &TaskContext) -> Result<(), TaskError> {
        let mut records = self.parent.chunks(partition, task)?;
        let operator = self.reader.get().and_then(Weak::upgrade).map(|reader| task.register(&reader));
        let mut side = MapSide::new(self, partition);
        for_each_chunk(&mut *records, |chunk| {
            if let Some(operator) = operator {
                task.set_operator(operator);
            }
            side.add(chunk)
        })?;
        let (output, records) = side.finish()?;
        task.add_records(records);
        self.outputs.put(partition, output);
        Ok(())
    }

    fn lock(&self) -> &Mutex<()> {
        &self.running
    }

    fn release(&self) {
        self.outputs.release();
    }
}

/// One map task at work.
struct MapSide<'a, T, R> {
    shuffle: &'a Shuffle<T, R>,
    router: Box<dyn Router<T, R>>,
    memory: Reservation,
    spill: Option<Spill<R>>,
    written: u64,
}

impl<'a, T: Data, R: Wire> MapSide<'a, T, R> {
    fn new(shuffle: &'a Shuffle<T, R>, partition: usize) -> Self {
        let memory = nothing_reserved(shuffle.parent.context());
        Self { shuffle, router: (shuffle.new_router)(partition), memory, spill: None, written: 0 }
    }

    fn add(&mut self, chunk: &mut Vec<T>) -> Result<(), TaskError> {
        self.router.route(chunk)?;
        if !reserve(&mut self.memory, self.router.bytes()) && self.router.records() >= CHUNK {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), TaskError> {
        let context = self.shuffle.parent.context();
        let buckets = self.router.take()?;
        self.written += count(&buckets);
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(context)?),
        };
        spill.append(&buckets, context, &format!("shuffle {}", self.shuffle.id))?;
        self.memory.shrink(usize::MAX);
        Ok(())
    }

    /// The output, and how many records it has. A task may hold a chunk beyond the budget, but not what it leaves.
    fn finish(mut self) -> Result<(MapOutput<R>, u64), TaskError> {
        if !reserve(&mut self.memory, self.router.bytes()) {
            self.spill()?;
        }
        let buckets = self.router.take()?;
        // A table has more places than records, and what it was charged for them is not needed any more.
        self.memory.shrink(self.memory.bytes().saturating_sub(bytes(&buckets)));
        let records = self.written + count(&buckets);
        Ok((MapOutput { buckets, spill: self.spill, _memory: self.memory }, records))
    }
}

fn count<R>(buckets: &[Vec<R>]) -> u64 {
    buckets.iter().map(|bucket| bucket.len() as u64).sum()
}

/// The memory of records, estimated from some of them.
fn bytes<R: Wire>(buckets: &[Vec<R>]) -> usize {
    let mut meter = RecordMeter::default();
    for bucket in buckets {
        meter.count(bucket);
    }
    meter.bytes::<R>()
}

/// A reservation to grow.
pub(crate) fn nothing_reserved(context: &RddContext) -> Reservation {
    context.memory().reserve(0).expect("nothing is always free")
}

/// Grows the reservation to `bytes`; says whether that much is reserved now.
pub(crate) fn reserve(memory: &mut Reservation, bytes: usize) -> bool {
    let more = bytes.saturating_sub(memory.bytes());
    more == 0 || memory.try_grow(more)
}
