// SPDX-License-Identifier: Apache-2.0
//! `DStream<T>`: a sequence of datasets, one per batch; the handle that programs are written with.

mod dataset_state;
pub(crate) mod endpoint;
pub(crate) mod node;
pub(crate) mod past;
pub(crate) mod scope;

use std::{fmt, panic::Location, sync::Arc};

use dstreams_rdd::{Data, Rdd, Wire};

use self::{
    node::{AnyNode, Keep, Node, NodeMeta, StreamNode},
    scope::Scope,
};
use crate::{error::Result, input::Batches, time::Duration, time::Time};

/// A discretized stream: a dataset of `T` for every batch. Operations give new streams; only those that an output
/// depends on are ever computed, once per batch however many use them.
///
/// A handle is cheap to clone. Streams are built before the context is started and cannot be changed afterwards; what
/// is wrong with one (a window that is no multiple of the batch interval, two contexts in one union) is kept and
/// returned by `StreamingContext::start`.
///
/// ```
/// use dstreams_streaming::testing::run_batches;
/// let out = run_batches(vec![vec![1, 2], vec![3]], |numbers| numbers.map(|n| n * 10))?;
/// assert_eq!(out, [vec![10, 20], vec![30]]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[must_use = "streams are lazy: without an output nothing is computed"]
pub struct DStream<T> {
    scope: Arc<Scope>,
    node: Arc<Node<T>>,
}

impl<T> Clone for DStream<T> {
    fn clone(&self) -> Self {
        Self { scope: Arc::clone(&self.scope), node: Arc::clone(&self.node) }
    }
}

impl<T> fmt::Debug for DStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DStream({})", self.node.meta())
    }
}

/// What a new stream is made of, apart from how it computes its datasets.
pub(crate) struct NewStream {
    pub(crate) operator: &'static str,
    pub(crate) slide: Duration,
    pub(crate) parents: Vec<Arc<dyn AnyNode>>,
    /// How much longer than itself its parents must remember their datasets.
    pub(crate) reach: Duration,
    /// Set when the stream depends on its own past and must be checkpointed, this often by default.
    pub(crate) checkpoint: Option<Duration>,
}

impl<T: Data> DStream<T> {
    /// A new stream in `scope`; every operator and input ends here.
    #[track_caller]
    pub(crate) fn new(scope: &Arc<Scope>, new: NewStream, kind: impl StreamNode<T> + 'static) -> Self {
        scope.check_open();
        let meta = NodeMeta::new(scope.next_node(), new, Location::caller());
        Self { scope: Arc::clone(scope), node: Arc::new(Node::new(meta, kind)) }
    }

    /// A stream computed from this one alone, batch by batch. A batch without a dataset here has none there either.
    #[track_caller]
    pub(crate) fn lift<U: Data>(
        &self,
        operator: &'static str,
        f: impl Fn(&Rdd<T>) -> Rdd<U> + Send + Sync + 'static,
    ) -> DStream<U> {
        let parent = self.clone();
        self.derive(operator, move |time, batches| Ok(parent.rdd_at(time, batches)?.map(|rdd| f(&rdd))))
    }

    /// A stream of the same slide whose datasets `compute` makes from those of this one.
    #[track_caller]
    pub(crate) fn derive<U: Data>(
        &self,
        operator: &'static str,
        compute: impl Fn(Time, &Batches) -> Result<Option<Rdd<U>>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let new = NewStream {
            operator,
            slide: self.slide(),
            parents: vec![self.any_node()],
            reach: Duration::ZERO,
            checkpoint: None,
        };
        DStream::new(&self.scope, new, compute)
    }

    /// The dataset of the batch at `time`, computed once and remembered; nothing off the stream's grid of times.
    pub(crate) fn rdd_at(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<T>>> {
        self.node.rdd_at(time, batches)
    }

    /// Remembers a dataset of before a restart.
    pub(crate) fn restore(&self, time: Time, rdd: Rdd<T>) {
        self.node.restore(time, rdd);
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    pub(crate) fn any_node(&self) -> Arc<dyn AnyNode> {
        Arc::clone(&self.node) as Arc<dyn AnyNode>
    }

    pub(crate) fn meta(&self) -> &NodeMeta {
        self.node.meta()
    }

    /// The time between two datasets: the batch interval, or a multiple of it after a window.
    ///
    /// ```
    /// use dstreams_streaming::{testing::TestContext, time::seconds};
    /// let test = TestContext::new()?;
    /// assert_eq!(test.input(vec![vec![1]]).map(|n| n + 1).slide(), seconds(1));
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn slide(&self) -> Duration {
        self.meta().slide()
    }

    /// Gives the stream a name: its stable identity in checkpoints, and what errors and pages show. The first name
    /// stays.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1]], |numbers| numbers.map(|n| n + 1).named("next numbers"))?;
    /// assert_eq!(out, [[2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn named(self, name: &str) -> Self {
        self.meta().set_name(name);
        self
    }

    /// The engine under the stream, which makes datasets to join with.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2]], |ids| {
    ///     let names = ids.rdd_context().parallelize([(1, "one".to_owned())]);
    ///     ids.map(|id| (id, ())).transform(move |rdd, _| rdd.join(&names).map(|(_, ((), name))| name))
    /// })?;
    /// assert_eq!(out, [["one"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn rdd_context(&self) -> &dstreams_rdd::RddContext {
        self.scope.rdd_context()
    }

    /// Partitions of a shuffle that does not say how many.
    pub(crate) fn default_partitions(&self) -> usize {
        self.scope.rdd_context().default_parallelism()
    }

    /// The datasets of all batches from `from` to `to`, both inclusive and floored to the stream's grid of times.
    /// Forgotten ones are missing; that is all up to the last complete batch where data comes from receivers and there are
    /// no windows, no states and no checkpoint directory. Use [`remember`](crate::StreamingContext::remember) to keep them longer.
    ///
    /// ```
    /// use dstreams_streaming::{testing::TestContext, time::{Time, seconds}};
    /// let test = TestContext::new()?;
    /// test.context().remember(seconds(10))?;
    /// let numbers = test.input(vec![vec![1], vec![2], vec![3]]);
    /// numbers.for_each_rdd(|_, _| Ok(()));
    /// test.run(3)?;
    /// let middle = numbers.slice(Time::from_millis(1500), Time::from_millis(2000))?;
    /// assert_eq!(middle.len(), 2);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn slice(&self, from: Time, to: Time) -> Result<Vec<Rdd<T>>> {
        let zero = self.meta().zero().ok_or_else(|| {
            crate::Error::IllegalState(format!(
                "{} has not been initialized: start the context first",
                self.meta()
            ))
        })?;
        let step = self.slide();
        let batches = self.scope.batches().read();
        let mut found = Vec::new();
        for time in from.floor_from(step, zero).to(to.floor_from(step, zero), step) {
            if time > zero {
                found.extend(self.rdd_at(time, &batches)?);
            }
        }
        Ok(found)
    }
}

impl<T: Wire> DStream<T> {
    /// Keeps every dataset of the stream at `level` once it has been computed, until it is forgotten. The last level set
    /// before the start counts. A [window](Self::window) keeps the batches that it is made of instead.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, StorageLevel};
    /// let out = run_batches(vec![vec![1]], |numbers| numbers.persist(StorageLevel::MEMORY_AND_DISK))?;
    /// assert_eq!(out, [[1]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn persist(&self, level: dstreams_rdd::StorageLevel) -> Self {
        self.keep_with(
            &(Arc::new(move |rdd: &Rdd<T>| {
                let _kept = rdd.persist(level);
            }) as Keep<T>),
        )
    }

    /// As [`cache`](DStream::cache), but on disk where memory is short, and what the program asks for comes first.
    pub(crate) fn persist_by_default(&self) {
        let keep: Keep<T> = Arc::new(|rdd| {
            let _kept = rdd.persist(dstreams_rdd::StorageLevel::MEMORY_AND_DISK);
        });
        self.node.keep_by_default(&keep);
    }

    /// Sets how often the stream is checkpointed: every `interval`, which must be a multiple of the slide. Its datasets
    /// are kept in memory unless told otherwise. Streams with a state are checkpointed without being told; five to ten
    /// slides are a good interval.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![1]], |numbers| numbers.map(|n| n + 1).checkpoint(seconds(5)))?;
    /// assert_eq!(out, [[2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn checkpoint(&self, interval: Duration) -> Self {
        if self.is_open_for("change the checkpoint interval") {
            self.meta().set_checkpoint_interval(interval);
            self.cut_at_checkpoints();
            self.cache_by_default();
        }
        self.clone()
    }
}

impl<T: Data> DStream<T> {
    /// Keeps every dataset of the stream in memory, as records, until it is forgotten or evicted.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1]], |numbers| numbers.map(|n| n + 1).cache())?;
    /// assert_eq!(out, [[2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn cache(&self) -> Self {
        self.keep_with(&in_memory())
    }

    /// As [`cache`](Self::cache), but what the program asks for comes first.
    pub(crate) fn cache_by_default(&self) {
        self.node.keep_by_default(&in_memory());
    }

    fn keep_with(&self, keep: &Keep<T>) -> Self {
        if self.is_open_for("change the storage level") {
            self.node.keep_with(keep);
        }
        self.clone()
    }

    /// Whether the stream may still be changed; otherwise the attempt is kept as an error.
    fn is_open_for(&self, change: &str) -> bool {
        let open = self.meta().zero().is_none();
        if !open {
            self.scope.reject(crate::Error::IllegalState(format!(
                "cannot {change} of {} after the context has been started",
                self.meta()
            )));
        }
        open
    }
}

fn in_memory<T: Data>() -> Keep<T> {
    Arc::new(|rdd| {
        let _kept = rdd.cache();
    })
}
