// SPDX-License-Identifier: Apache-2.0
//! What the scheduler sees of a dataset: operators and dependencies, without the type of the records.

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{
    attribution,
    error::{Error, TaskError},
    partitioner::PartitionerId,
    scheduler::task::TaskContext,
};

/// The number of a dataset, unique in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RddId(pub u64);

impl RddId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One dataset as a node of the graph that jobs are cut from.
pub struct Lineage {
    id: RddId,
    operator: &'static str,
    owner: Option<u64>,
    name: OnceLock<String>,
    partitions: usize,
    partitioner: Option<PartitionerId>,
    /// Emptied when a checkpoint cuts the lineage.
    dependencies: RwLock<Vec<Dependency>>,
    storage: RwLock<Option<Weak<dyn Materialized>>>,
    /// What is to be done after the next job that uses the dataset.
    mark: Mutex<Option<Box<dyn Marked>>>,
    checkpointed: AtomicBool,
}

/// How a dataset depends on another.
#[derive(Clone)]
pub enum Dependency {
    /// Computed within the task of the child.
    Narrow(Arc<Lineage>),
    /// Reads the outputs of another stage.
    Shuffle(Arc<dyn ShuffleStage>),
    /// Needs something from the driver (a count per partition, a sample) before its tasks can run.
    Prepared(Arc<dyn Prepare>),
}

/// The map side of a shuffle as the scheduler sees it.
pub trait ShuffleStage: Send + Sync {
    /// The number of the shuffle, unique in a process.
    fn id(&self) -> u64;
    /// The dataset whose records are shuffled.
    fn parent(&self) -> &Arc<Lineage>;
    /// The map partitions that have no output (any more).
    fn missing(&self) -> Vec<usize>;
    /// Computes one map partition and keeps its output.
    fn run_map_task(&self, partition: usize, task: &TaskContext) -> Result<(), TaskError>;
    /// Held while the stage runs, so that two jobs do not compute it twice.
    fn lock(&self) -> &Mutex<()>;
    /// Gives up all outputs. Whoever wants them after all has them computed again.
    fn release(&self);
}

/// Work on the driver that must precede the tasks of a dataset.
pub trait Prepare: Send + Sync {
    /// Does the work once; later calls return at once.
    fn prepare(&self) -> Result<(), Error>;
}

/// Whether partitions of a dataset are kept, so that their lineage need not be walked.
pub trait Materialized: Send + Sync {
    /// True when every one of `partitions` can be read without its parents.
    fn has_all(&self, partitions: &[usize]) -> bool;
    /// True when what is kept stays when memory is short, if on disk.
    fn outlasts_shortage(&self) -> bool;
}

/// What is to be done with a dataset after the next job that uses it.
pub(crate) trait Marked: Send + Sync {
    fn after_job(&self) -> Result<(), Error>;
}

impl Lineage {
    pub(crate) fn new(
        operator: &'static str,
        partitions: usize,
        partitioner: Option<PartitionerId>,
        dependencies: Vec<Dependency>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: RddId::next(),
            operator,
            owner: attribution::owner(),
            name: OnceLock::new(),
            partitions,
            partitioner,
            dependencies: RwLock::new(dependencies),
            storage: RwLock::new(None),
            mark: Mutex::new(None),
            checkpointed: AtomicBool::new(false),
        })
    }

    /// The number of the dataset.
    pub fn id(&self) -> RddId {
        self.id
    }

    /// The kind of operator that made it, such as `map`.
    pub fn operator(&self) -> &'static str {
        self.operator
    }

    /// To whom it belongs: the mark of [`owned_by`](crate::owned_by) when it was made.
    pub fn owner(&self) -> Option<u64> {
        self.owner
    }

    /// The number of partitions.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// How keys are spread over the partitions, when that is known.
    pub fn partitioner(&self) -> Option<&PartitionerId> {
        self.partitioner.as_ref()
    }

    /// What it is computed from; nothing for a source and after a checkpoint.
    pub fn dependencies(&self) -> Vec<Dependency> {
        self.dependencies.read().clone()
    }

    /// The name given by the user, if any.
    pub fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }

    /// What pages call it: its name, or its operator.
    pub(crate) fn label(&self) -> String {
        match self.name() {
            Some(name) => format!("{} of {name}", self.operator),
            None => self.operator.to_owned(),
        }
    }

    /// Gives the dataset a name; the first one stays.
    pub(crate) fn set_name(&self, name: &str) {
        let _first_stays = self.name.set(name.to_owned());
    }

    /// A checkpoint has taken the place of the parents.
    pub(crate) fn cut(&self) {
        let parents = std::mem::take(&mut *self.dependencies.write());
        self.checkpointed.store(true, Ordering::Release);
        // Without the lock: with the parents, whole lineages may go.
        drop(parents);
    }

    pub(crate) fn is_checkpointed(&self) -> bool {
        self.checkpointed.load(Ordering::Acquire)
    }

    /// Says who knows which partitions are kept.
    pub(crate) fn set_storage(&self, storage: Option<Weak<dyn Materialized>>) {
        *self.storage.write() = storage;
    }

    /// Marks the dataset for something to be done after the next job that uses it.
    pub(crate) fn mark(&self, mark: Box<dyn Marked>) {
        *self.mark.lock() = Some(mark);
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.mark.lock().is_some()
    }

    pub(crate) fn take_mark(&self) -> Option<Box<dyn Marked>> {
        self.mark.lock().take()
    }

    pub(crate) fn is_materialized(&self, partitions: &[usize]) -> bool {
        self.materialized().is_some_and(|storage| storage.has_all(partitions))
    }

    /// Whether all partitions are kept, and will be until they are forgotten or damaged.
    pub(crate) fn is_safely_kept(&self) -> bool {
        self.materialized().is_some_and(|storage| {
            storage.outlasts_shortage() && storage.has_all(&(0..self.partitions).collect::<Vec<_>>())
        })
    }

    /// Gives up the outputs of the shuffles below, as far as datasets have the same owner and are not to be kept.
    pub(crate) fn release_shuffles(&self) {
        for dependency in &*self.dependencies.read() {
            let parent = match dependency {
                Dependency::Narrow(parent) => parent,
                Dependency::Shuffle(shuffle) => {
                    shuffle.release();
                    shuffle.parent()
                }
                Dependency::Prepared(_) => continue,
            };
            if parent.owner == self.owner && parent.storage.read().is_none() {
                parent.release_shuffles();
            }
        }
    }

    fn materialized(&self) -> Option<Arc<dyn Materialized>> {
        self.storage.read().as_ref().and_then(Weak::upgrade)
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({} rdd {})", self.operator, self.id.0),
            None => write!(f, "{} (rdd {})", self.operator, self.id.0),
        }
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
