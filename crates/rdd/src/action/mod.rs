// SPDX-License-Identifier: Apache-2.0
//! Actions: operations that run a job and return its result to the driver.

pub(crate) mod ordered;

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    chunk::{BoxChunks, Records, fold_records, for_each_slice},
    context::RddOptions,
    error::{BoxError, Error, Result, TaskError},
    rdd::Rdd,
    record::Data,
    scheduler::task::{TaskBody, TaskContext},
};

impl<T: Data> Rdd<T> {
    /// Runs `f` over the given partitions and returns its results in their order. All actions end here; afterwards
    /// the checkpoints that wait for a job are written.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        partitions: &[usize],
        f: impl Fn(BoxChunks<T>, &TaskContext) -> Result<R, TaskError> + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        let results = self.run_only(partitions, f)?;
        self.context().checkpoints().after_job(self.lineage())?;
        Ok(results)
    }

    /// Runs `f` over the given partitions and does nothing else.
    pub(crate) fn run_only<R: Send + 'static>(
        &self,
        partitions: &[usize],
        f: impl Fn(BoxChunks<T>, &TaskContext) -> Result<R, TaskError> + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        // By partition, so that a task that fails after it has left its result, and is tried again, leaves one result.
        let results: Arc<Mutex<HashMap<usize, R>>> = Arc::default();
        let (rdd, sink) = (self.clone(), Arc::clone(&results));
        let body: TaskBody = Arc::new(move |task: &TaskContext| {
            let result = f(rdd.chunks(task.partition(), task)?, task)?;
            sink.lock().insert(task.partition(), result);
            Ok(())
        });
        self.context().scheduler().run_job(self.lineage(), partitions, &body)?;
        drop(body);
        let mut results = std::mem::take(&mut *results.lock());
        Ok(partitions.iter().filter_map(|partition| results.remove(partition)).collect())
    }

    pub(crate) fn run_all<R: Send + 'static>(
        &self,
        f: impl Fn(BoxChunks<T>, &TaskContext) -> Result<R, TaskError> + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        self.run(&(0..self.num_partitions()).collect::<Vec<_>>(), f)
    }

    /// All records, in the order of the partitions.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(1..=3).collect()?, [1, 2, 3]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn collect(&self) -> Result<Vec<T>> {
        let parts = self.run_all(|mut chunks, _| {
            let mut records = Vec::new();
            while chunks.next_chunk(&mut records)? {}
            Ok(records)
        })?;
        let len = parts.iter().map(Vec::len).sum::<usize>();
        let mut parts = parts.into_iter();
        let mut records = parts.next().unwrap_or_default();
        records.reserve_exact(len - records.len());
        // Whole parts move, which is faster than record by record.
        for mut part in parts {
            records.append(&mut part);
        }
        Ok(records)
    }

    /// How many records there are.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(["a", "b"]).count()?, 2);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn count(&self) -> Result<u64> {
        Ok(self.count_in(&(0..self.num_partitions()).collect::<Vec<_>>())?.into_iter().sum())
    }

    /// How many records there are in each of the given partitions.
    pub(crate) fn count_in(&self, partitions: &[usize]) -> Result<Vec<u64>> {
        self.run(partitions, |mut chunks, task| {
            let mut count = 0u64;
            for_each_slice(&mut *chunks, |records| {
                count += records.len() as u64;
                Ok(())
            })?;
            task.add_records(count);
            Ok(count)
        })
    }

    /// The first `n` records. Looks at one partition first and at more only when that was not enough.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(1..=100).take(3)?, [1, 2, 3]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn take(&self, n: usize) -> Result<Vec<T>> {
        let total = self.num_partitions();
        let mut taken: Vec<T> = Vec::new();
        let mut scanned = 0;
        while taken.len() < n && scanned < total {
            let left = n - taken.len();
            let more =
                next_partitions(self.context().options(), scanned, taken.len(), left).min(total - scanned);
            let parts = self.run(&(scanned..scanned + more).collect::<Vec<_>>(), move |mut chunks, _| {
                let mut records = Vec::new();
                while records.len() < left && chunks.next_chunk(&mut records)? {}
                records.truncate(left);
                Ok(records)
            })?;
            taken.extend(parts.into_iter().flatten());
            scanned += more;
        }
        taken.truncate(n);
        Ok(taken)
    }

    /// The first record; [`Error::EmptyCollection`] when there is none.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(["a", "b"]).first()?, "a");
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn first(&self) -> Result<T> {
        self.take(1)?.pop().ok_or(Error::EmptyCollection)
    }

    /// Whether there is no record at all.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert!(sc.empty::<u8>().is_empty()?);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.take(1)?.is_empty())
    }

    /// All records merged into one by `f`, which must be associative and commutative;
    /// [`Error::EmptyCollection`] when there is none.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(1..=4).reduce(|a, b| a + b)?, 10);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Result<T> {
        let f = Arc::new(f);
        let in_task = Arc::clone(&f);
        let parts = self.run_all(move |mut chunks, _| {
            fold_records(&mut *chunks, None, |merged, record| match merged {
                Some(value) => Some(in_task(value, record)),
                None => Some(record),
            })
        })?;
        parts.into_iter().flatten().reduce(|a, b| f(a, b)).ok_or(Error::EmptyCollection)
    }

    /// All records merged into `zero` by `f`. `zero` is used once per partition and once for the final merge.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize_in(1..=4, 4).fold(10, |a, b| a + b)?, 60);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn fold(&self, zero: T, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Result<T> {
        let f = Arc::new(f);
        let merge = Arc::clone(&f);
        self.aggregate(zero, move |a, b| f(a, b), move |a, b| merge(a, b))
    }

    /// The records of each partition merged into `zero` by `seq`, the results of the partitions by `comb`.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let letters = sc.parallelize(["ab", "c"]).aggregate(0, |n, s| n + s.len(), |a, b| a + b)?;
    /// assert_eq!(letters, 3);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn aggregate<U: Data>(
        &self,
        zero: U,
        seq: impl Fn(U, T) -> U + Send + Sync + 'static,
        comb: impl Fn(U, U) -> U,
    ) -> Result<U> {
        let start = zero.clone();
        let parts = self.run_all(move |mut chunks, _| fold_records(&mut *chunks, start.clone(), &seq))?;
        Ok(parts.into_iter().fold(zero, comb))
    }

    /// Calls `f` for every record, inside the tasks.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let sum = sc.accumulator("sum", 0, |a, b| *a += b);
    /// let adder = sum.clone();
    /// sc.parallelize(1..=4).for_each(move |n| adder.add(n))?;
    /// assert_eq!(sum.value(), 10);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn for_each(&self, f: impl Fn(T) + Send + Sync + 'static) -> Result<()> {
        self.run_all(move |mut chunks, task| {
            let records = fold_records(&mut *chunks, 0, |records, record| {
                f(record);
                records + 1
            })?;
            task.add_records(records);
            Ok(())
        })?;
        Ok(())
    }

    /// Calls `f` once per partition, inside its task, with the partition's number and records. The right place to
    /// open a connection, write a partition's records and close it; an error fails the task.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let parts = sc.accumulator("partitions", 0, |a, b| *a += b);
    /// let counter = parts.clone();
    /// sc.parallelize_in(1..=4, 3).for_each_partition(move |_index, _records| {
    ///     counter.add(1);
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// assert_eq!(parts.value(), 3);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn for_each_partition<E: Into<BoxError>>(
        &self,
        f: impl Fn(usize, Records<T>) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<()> {
        self.for_each_partition_of(&(0..self.num_partitions()).collect::<Vec<_>>(), f)
    }

    /// As [`for_each_partition`](Self::for_each_partition), for the given partitions only; the others are not computed.
    /// For output that was written in part before.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let sum = sc.accumulator("sum", 0, |a, b| *a += b);
    /// let adder = sum.clone();
    /// sc.parallelize_in(1..=4, 4).for_each_partition_of(&[1, 3], move |_index, records| {
    ///     adder.add(records.sum());
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// assert_eq!(sum.value(), 2 + 4);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn for_each_partition_of<E: Into<BoxError>>(
        &self,
        partitions: &[usize],
        f: impl Fn(usize, Records<T>) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<()> {
        if let Some(partition) = partitions.iter().find(|&&partition| partition >= self.num_partitions()) {
            return Err(Error::InvalidArgument(format!(
                "there is no partition {partition}; the dataset has {}",
                self.num_partitions()
            )));
        }
        let lineage = Arc::clone(self.lineage());
        self.run(partitions, move |chunks, task| {
            let operator = task.register(&lineage);
            f(task.partition(), Records::new(chunks, task, operator)).map_err(TaskError::user)
        })?;
        Ok(())
    }
}

/// How many partitions `take` looks at next: few at first, then as many more as may be when nothing was found, else
/// half as many again as the density seen so far would need.
fn next_partitions(options: &RddOptions, scanned: usize, found: usize, left: usize) -> usize {
    if scanned == 0 {
        return options.take_initial_partitions.max(1);
    }
    let most = scanned * options.take_scale_up.max(2);
    if found == 0 {
        return most;
    }
    (3 * left * scanned).div_ceil(2 * found).clamp(1, most)
}
