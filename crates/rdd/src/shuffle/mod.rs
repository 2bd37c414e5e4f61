// SPDX-License-Identifier: Apache-2.0
//! Shuffles: the map side sorts records into one bucket per reducer, the reduce side reads its bucket of every map
//! partition.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

use crate::{
    chunk::{BoxChunks, for_each_chunk},
    error::TaskError,
    lineage::{Lineage, ShuffleStage},
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
};

pub(crate) mod aggregator;
pub(crate) mod partitioning;
mod reader;
pub(crate) mod reduce_side;
pub(crate) mod router;
mod table;

use reader::Reader;
use router::Router;

/// One shuffle: records `T` of the parent become records `R` in one bucket per reducer.
///
/// The outputs live as long as the dataset that reads them; they are computed once and serve any number of jobs.
pub(crate) struct Shuffle<T, R> {
    id: u64,
    parent: Rdd<T>,
    new_router: NewRouter<T, R>,
    outputs: Mutex<Vec<Option<Arc<MapOutput<R>>>>>,
    running: Mutex<()>,
    /// The dataset whose user code runs on the map side.
    reader: OnceLock<Weak<Lineage>>,
}

/// Makes the router of a map partition.
type NewRouter<T, R> = Box<dyn Fn(usize) -> Box<dyn Router<T, R>> + Send + Sync>;

/// What one map task has made: the records of each reducer.
pub(crate) struct MapOutput<R> {
    buckets: Vec<Vec<R>>,
}

impl<T: Data, R: Wire> Shuffle<T, R> {
    pub(crate) fn new(
        parent: &Rdd<T>,
        new_router: impl Fn(usize) -> Box<dyn Router<T, R>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            parent: parent.clone(),
            new_router: Box::new(new_router),
            outputs: Mutex::new(vec![None; parent.num_partitions()]),
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
        let outputs = self.outputs.lock();
        let runs = outputs
            .iter()
            .map(|output| output.clone().ok_or(TaskError::ShuffleMissing(self.id)))
            .filter(|output| output.as_ref().map_or(true, |output| !output.buckets[reducer].is_empty()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Reader::new(runs, reducer, task))
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
        let outputs = self.outputs.lock();
        outputs.iter().enumerate().filter(|(_, output)| output.is_none()).map(|(i, _)| i).collect()
    }

    fn run_map_task(&self, partition: usize, task: &TaskContext) -> Result<(), TaskError> {
        let mut records = self.parent.chunks(partition, task)?;
        let operator = self.reader.get().and_then(Weak::upgrade).map(|reader| task.register(&reader));
        let mut router = (self.new_router)(partition);
        for_each_chunk(&mut *records, |chunk| {
            if let Some(operator) = operator {
                task.set_operator(operator);
            }
            router.route(chunk)
        })?;
        let buckets = router.take();
        task.add_records(buckets.iter().map(|bucket| bucket.len() as u64).sum());
        self.outputs.lock()[partition] = Some(Arc::new(MapOutput { buckets }));
        Ok(())
    }

    fn lock(&self) -> &Mutex<()> {
        &self.running
    }
}
