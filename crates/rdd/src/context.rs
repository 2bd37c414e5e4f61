// SPDX-License-Identifier: Apache-2.0
//! `RddContext`: where datasets come from and where their jobs run.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    accumulator::Accumulator,
    allocator,
    block::{disk::DiskStore, memory::MemoryBudget},
    broadcast::Broadcast,
    chunk::{Borrowed, BoxChunks, CHUNK, Chunks},
    codec::Compression,
    error::{Error, Result, TaskError},
    event::{EngineEvent, EventBus},
    persist::checkpoint::Checkpoints,
    rdd::Rdd,
    record::Data,
    scheduler::{backend::Backend, dag::Scheduler, task::TaskContext, threads::Threads},
    shuffle::expected::Expectations,
};

/// The engine of a program: worker threads, a memory budget, a place for spilled data, listeners.
///
/// A handle is cheap to clone. The threads end with [`stop`](Self::stop) or with the last handle.
///
/// ```
/// use dstreams_rdd::RddContext;
/// let sc = RddContext::local(2)?;
/// assert_eq!(sc.parallelize(0..1000).filter(|n| n % 2 == 0).count()?, 500);
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
#[derive(Clone)]
pub struct RddContext {
    engine: Arc<Engine>,
}

struct Engine {
    scheduler: Scheduler,
    events: EventBus,
    memory: MemoryBudget,
    disk: DiskStore,
    options: RddOptions,
    next_broadcast: AtomicU64,
    checkpoints: Checkpoints,
    expectations: Expectations,
}

/// The settings of an [`RddContext`].
#[derive(Debug, Clone)]
pub struct RddOptions {
    /// Tasks that run at the same time (`local[n]`).
    pub threads: usize,
    /// Partitions where nothing else says how many (`spark.default.parallelism`); the number of threads if unset.
    pub default_parallelism: Option<usize>,
    /// Attempts per task before its job fails (`spark.task.maxFailures`; 1 in local mode).
    pub max_task_failures: usize,
    /// Attempts per stage when outputs of earlier stages are lost (`spark.stage.maxConsecutiveAttempts`).
    pub max_stage_attempts: usize,
    /// How many partitions `take` looks at first (`spark.rdd.limit.initialNumPartitions`).
    pub take_initial_partitions: usize,
    /// By what factor, at most, `take` looks at more partitions each time (`spark.rdd.limit.scaleUpFactor`).
    pub take_scale_up: usize,
    /// Bytes that kept blocks and shuffles may hold in memory together (`dstreams.memory.budget`).
    pub memory_budget: usize,
    /// Where spilled data goes (`spark.local.dir`); the system's temporary directory if unset.
    pub local_dir: Option<PathBuf>,
    /// Whether spilled data and kept serialized blocks are compressed with LZ4 (`spark.rdd.compress`).
    pub compress: bool,
}

impl RddOptions {
    pub(crate) fn compression(&self) -> Compression {
        if self.compress { Compression::Lz4 } else { Compression::None }
    }
}

impl Default for RddOptions {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            default_parallelism: None,
            max_task_failures: 1,
            max_stage_attempts: 4,
            take_initial_partitions: 1,
            take_scale_up: 4,
            memory_budget: 256 << 20,
            local_dir: None,
            compress: false,
        }
    }
}

impl RddContext {
    /// A context with `threads` worker threads and the other settings at their defaults.
    pub fn local(threads: usize) -> Result<Self> {
        Self::new(RddOptions { threads, ..RddOptions::default() })
    }

    /// A context with the given settings on local threads.
    pub fn new(options: RddOptions) -> Result<Self> {
        if options.threads == 0 {
            return Err(Error::InvalidArgument("a context needs at least one worker thread".to_owned()));
        }
        allocator::keep_freed_memory();
        let backend = Arc::new(Threads::start(options.threads)?);
        Ok(Self::with_backend(options, backend))
    }

    /// A context whose tasks run on `backend`.
    pub fn with_backend(options: RddOptions, backend: Arc<dyn Backend>) -> Self {
        let events = EventBus::default();
        let scheduler =
            Scheduler::new(backend, events.clone(), options.max_task_failures, options.max_stage_attempts);
        let disk = DiskStore::new(options.local_dir.clone().unwrap_or_else(std::env::temp_dir));
        let memory = MemoryBudget::new(options.memory_budget);
        let engine = Engine {
            scheduler,
            events,
            memory,
            disk,
            options,
            next_broadcast: AtomicU64::new(0),
            checkpoints: Checkpoints::default(),
            expectations: Expectations::default(),
        };
        Self { engine: Arc::new(engine) }
    }

    /// Finishes the tasks that are queued and ends the worker threads. Later actions fail with [`Error::Stopped`].
    pub fn stop(&self) {
        self.engine.scheduler.stop();
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.engine.scheduler.is_stopped()
    }

    /// Gives up all jobs that are running now; their actions fail with [`TaskError::Cancelled`]. A task notices between
    /// two chunks of records. Later jobs are not affected.
    pub fn cancel_all_jobs(&self) {
        self.engine.scheduler.cancel_all();
    }

    /// Whether both are handles to the same engine.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.engine, &other.engine)
    }

    /// Partitions where nothing else says how many.
    pub fn default_parallelism(&self) -> usize {
        self.engine.options.default_parallelism.unwrap_or_else(|| self.engine.scheduler.slots()).max(1)
    }

    /// The settings.
    pub fn options(&self) -> &RddOptions {
        &self.engine.options
    }

    /// The listeners to engine events.
    pub fn events(&self) -> &EventBus {
        &self.engine.events
    }

    /// The memory shared by kept blocks and shuffles.
    pub fn memory(&self) -> &MemoryBudget {
        &self.engine.memory
    }

    /// Where spilled data goes.
    pub fn disk(&self) -> &DiskStore {
        &self.engine.disk
    }

    pub(crate) fn checkpoints(&self) -> &Checkpoints {
        &self.engine.checkpoints
    }

    pub(crate) fn expectations(&self) -> &Expectations {
        &self.engine.expectations
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.engine.scheduler
    }

    /// A dataset of the given records in [`default_parallelism`](Self::default_parallelism) partitions.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(["a", "b"]).collect()?, ["a", "b"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn parallelize<T: Data>(&self, records: impl IntoIterator<Item = T>) -> Rdd<T> {
        self.parallelize_in(records, self.default_parallelism())
    }

    /// A dataset of the given records in `partitions` partitions: partition i of p holds the records from
    /// ⌊i·n/p⌋ to ⌊(i+1)·n/p⌋.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let ten = sc.parallelize_in(1..=10, 3).glom().map(|part| part.len());
    /// assert_eq!(ten.collect()?, [3, 3, 4]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn parallelize_in<T: Data>(&self, records: impl IntoIterator<Item = T>, partitions: usize) -> Rdd<T> {
        let records: Arc<[T]> = records.into_iter().collect();
        let partitions = partitions.max(1);
        let n = records.len();
        let ranges = (0..partitions).map(|i| (i * n / partitions)..((i + 1) * n / partitions)).collect();
        self.slices("parallelize", vec![records], ranges, |_| 0)
    }

    /// A dataset whose partitions are the given vectors, which rest in memory and are shared, not copied.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rdd = sc.from_partitions(vec![vec![1, 2], vec![], vec![3]]);
    /// assert_eq!(rdd.glom().collect()?, [vec![1, 2], vec![], vec![3]]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn from_partitions<T: Data>(&self, partitions: Vec<Vec<T>>) -> Rdd<T> {
        self.from_shared_partitions(partitions.into_iter().map(Arc::from).collect())
    }

    /// As [`from_partitions`](Self::from_partitions), of slices that others hold too.
    pub fn from_shared_partitions<T: Data>(&self, partitions: Vec<Arc<[T]>>) -> Rdd<T> {
        let ranges = partitions.iter().map(|records| 0..records.len()).collect();
        self.slices("parallelize", partitions, ranges, |partition| partition)
    }

    fn slices<T: Data>(
        &self,
        operator: &'static str,
        stores: Vec<Arc<[T]>>,
        ranges: Vec<std::ops::Range<usize>>,
        store_of: fn(usize) -> usize,
    ) -> Rdd<T> {
        let partitions = ranges.len();
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            let chunks = SharedChunks {
                records: Arc::clone(&stores[store_of(partition)]),
                range: ranges[partition].clone(),
                task: task.clone(),
            };
            Ok(Box::new(chunks) as BoxChunks<T>)
        };
        Rdd::new(self, operator, partitions, None, Vec::new(), compute)
    }

    /// A dataset without records and without partitions.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.empty::<u8>().num_partitions(), 0);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn empty<T: Data>(&self) -> Rdd<T> {
        self.from_partitions(Vec::new())
    }

    /// A named value that tasks add to. `merge` must be associative and commutative, and `zero` neutral to it.
    pub fn accumulator<T: Data + std::fmt::Debug>(
        &self,
        name: &str,
        zero: T,
        merge: impl Fn(&mut T, T) + Send + Sync + 'static,
    ) -> Accumulator<T> {
        Accumulator::new(name, zero, merge, self.engine.scheduler.slots(), self.engine.events.clone())
    }

    /// A named read-only value for use inside tasks.
    pub fn broadcast<T: Data>(&self, name: &str, value: T) -> Broadcast<T> {
        let id = self.engine.next_broadcast.fetch_add(1, Ordering::Relaxed);
        self.engine.events.post(|| EngineEvent::BroadcastCreated { id, name: name.to_owned() });
        Broadcast::new(id, name, value)
    }
}

/// Records that rest in memory.
pub(crate) struct SharedChunks<T> {
    pub(crate) records: Arc<[T]>,
    pub(crate) range: std::ops::Range<usize>,
    pub(crate) task: TaskContext,
}

impl<T> SharedChunks<T> {
    fn take(&mut self) -> std::ops::Range<usize> {
        let start = self.range.start;
        self.range.start = self.range.end.min(start + CHUNK);
        start..self.range.start
    }
}

impl<T: Data> Chunks<T> for SharedChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        let range = self.take();
        out.extend_from_slice(&self.records[range.clone()]);
        Ok(!range.is_empty())
    }

    fn next_borrowed(&mut self) -> Result<Borrowed<'_, T>, TaskError> {
        self.task.check_cancelled()?;
        let range = self.take();
        Ok(if range.is_empty() { Borrowed::End } else { Borrowed::Slice(&self.records[range]) })
    }
}
