// SPDX-License-Identifier: Apache-2.0
//! `Rdd<T>`: a partitioned, lazy, immutable dataset that knows how to compute itself again.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::RwLock;

use crate::{
    chunk::BoxChunks,
    context::RddContext,
    error::TaskError,
    lineage::{Dependency, Lineage, RddId},
    partitioner::PartitionerId,
    persist::Storage,
    record::Data,
    scheduler::task::TaskContext,
};

/// How the records of one partition come about.
pub(crate) trait Compute<T>: Send + Sync {
    /// Starts the partition. `operator` is the number to give to [`TaskContext::set_operator`] before own or user
    /// code runs on records.
    fn compute(
        &self,
        partition: usize,
        task: &TaskContext,
        operator: usize,
    ) -> Result<BoxChunks<T>, TaskError>;
}

impl<T, F> Compute<T> for F
where
    F: Fn(usize, &TaskContext, usize) -> Result<BoxChunks<T>, TaskError> + Send + Sync,
{
    fn compute(
        &self,
        partition: usize,
        task: &TaskContext,
        operator: usize,
    ) -> Result<BoxChunks<T>, TaskError> {
        self(partition, task, operator)
    }
}

/// A dataset of records of type `T`: partitions, and the lineage to compute them from. Operations on it are lazy and
/// give new datasets; actions run jobs.
///
/// A handle is cheap to clone. Records are computed anew by every action unless the dataset is [cached](Rdd::cache).
///
/// ```
/// use dstreams_rdd::RddContext;
/// let sc = RddContext::local(2)?;
/// let squares = sc.parallelize(1..=4).map(|n| n * n);
/// assert_eq!(squares.collect()?, [1, 4, 9, 16]);
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
#[must_use = "datasets are lazy: nothing runs until an action is called"]
pub struct Rdd<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    context: RddContext,
    lineage: Arc<Lineage>,
    /// Replaced when a checkpoint cuts the lineage.
    compute: RwLock<Arc<dyn Compute<T>>>,
    storage: Storage<T>,
}

impl<T> Clone for Rdd<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// A handle that does not keep the dataset.
pub(crate) struct WeakRdd<T>(Weak<Inner<T>>);

impl<T> WeakRdd<T> {
    pub(crate) fn upgrade(&self) -> Option<Rdd<T>> {
        self.0.upgrade().map(|inner| Rdd { inner })
    }
}

impl<T> fmt::Debug for Rdd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{} partitions]", self.inner.lineage, self.inner.lineage.partitions())
    }
}

impl<T: Data> Rdd<T> {
    /// Makes a dataset from its parts; every operator ends here.
    pub(crate) fn new(
        context: &RddContext,
        operator: &'static str,
        partitions: usize,
        partitioner: Option<PartitionerId>,
        dependencies: Vec<Dependency>,
        compute: impl Compute<T> + 'static,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                context: context.clone(),
                lineage: Lineage::new(operator, partitions, partitioner, dependencies),
                compute: RwLock::new(Arc::new(compute)),
                storage: Storage::default(),
            }),
        }
    }

    /// A dataset computed partition by partition from this one alone, with as many partitions.
    pub(crate) fn narrow<U: Data>(
        &self,
        operator: &'static str,
        partitioner: Option<PartitionerId>,
        compute: impl Fn(BoxChunks<T>, &TaskContext, usize) -> BoxChunks<U> + Send + Sync + 'static,
    ) -> Rdd<U> {
        let parent = self.clone();
        Rdd::new(
            &self.inner.context,
            operator,
            self.num_partitions(),
            partitioner,
            vec![Dependency::Narrow(Arc::clone(self.lineage()))],
            move |partition: usize, task: &TaskContext, operator: usize| {
                Ok(compute(parent.chunks(partition, task)?, task, operator))
            },
        )
    }

    /// The records of one partition inside a task: kept ones if there are any, otherwise computed.
    pub(crate) fn chunks(&self, partition: usize, task: &TaskContext) -> Result<BoxChunks<T>, TaskError> {
        task.check_cancelled()?;
        self.inner.storage.read_or_compute(self, partition, task)
    }

    /// Computes one partition from the lineage, whatever is kept.
    pub(crate) fn compute_chunks(
        &self,
        partition: usize,
        task: &TaskContext,
    ) -> Result<BoxChunks<T>, TaskError> {
        let operator = task.register(&self.inner.lineage);
        task.set_operator(operator);
        let compute = Arc::clone(&self.inner.compute.read());
        compute.compute(partition, task, operator)
    }

    pub(crate) fn downgrade(&self) -> WeakRdd<T> {
        WeakRdd(Arc::downgrade(&self.inner))
    }

    pub(crate) fn storage(&self) -> &Storage<T> {
        &self.inner.storage
    }

    /// Replaces the lineage by `compute`, which reads what a checkpoint has written.
    pub(crate) fn cut_lineage(&self, compute: Arc<dyn Compute<T>>) {
        let before = std::mem::replace(&mut *self.inner.compute.write(), compute);
        self.inner.lineage.cut();
        // Without the lock: with the parents, whole lineages may go.
        drop(before);
    }

    /// The context that runs its jobs.
    pub fn context(&self) -> &RddContext {
        &self.inner.context
    }

    /// The dataset as the scheduler sees it.
    pub fn lineage(&self) -> &Arc<Lineage> {
        &self.inner.lineage
    }

    /// The number of the dataset, unique in a process.
    pub fn id(&self) -> RddId {
        self.inner.lineage.id()
    }

    /// How many partitions it has.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize_in([1, 2, 3], 3).num_partitions(), 3);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn num_partitions(&self) -> usize {
        self.inner.lineage.partitions()
    }

    /// How keys are spread over its partitions, when that is known.
    pub fn partitioner(&self) -> Option<&PartitionerId> {
        self.inner.lineage.partitioner()
    }

    /// Gives it a name for errors and events; a second name is ignored.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let bad = sc.parallelize(["7", "x"]).try_map(|s| s.parse::<i32>()).named("numbers");
    /// assert!(bad.collect().unwrap_err().to_string().contains("numbers"));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn named(self, name: &str) -> Self {
        self.inner.lineage.set_name(name);
        self
    }
}
