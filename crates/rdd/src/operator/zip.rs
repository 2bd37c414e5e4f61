// SPDX-License-Identifier: Apache-2.0
//! `zip` and its kin: records paired by position, or with a number.

use std::sync::Arc;

use crate::{
    chunk::{BoxChunks, CHUNK, Chunks, IterChunks, Records},
    error::TaskError,
    lineage::{Dependency, Lineage},
    prepared::{Prepared, refused},
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};

impl<T: Data> Rdd<T> {
    /// The k-th record of each partition with the k-th record of the same partition of `other`.
    ///
    /// Both must have as many partitions, otherwise actions fail with
    /// [`InvalidArgument`](crate::Error::InvalidArgument), and as many records in each partition, otherwise the task
    /// fails with [`TaskError::ZipLengths`]. This holds when one was made from the other by `map`.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let words = sc.parallelize(["to", "be"]);
    /// let lengths = words.map(|word| word.len());
    /// assert_eq!(words.zip(&lengths).collect()?, [("to", 2), ("be", 2)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn zip<U: Data>(&self, other: &Rdd<U>) -> Rdd<(T, U)> {
        let counts = (self.num_partitions(), other.num_partitions());
        let dependencies = zipped(self.lineage(), other.lineage());
        let (left, right) = (self.clone(), other.clone());
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            Ok(Box::new(ZipChunks {
                left: Side::new(left.chunks(partition, task)?),
                right: Side::new(right.chunks(partition, task)?),
                task: task.clone(),
                operator,
            }) as BoxChunks<(T, U)>)
        };
        // The larger number, so that an action on a dataset that is refused runs a job, which tells.
        let partitions = counts.0.max(counts.1);
        Rdd::new(self.context(), "zip", partitions, None, dependencies, compute)
    }

    /// What `f` makes of each partition and the partition of the same number of `other`; both must have as many
    /// partitions. Each may be read in part or not at all.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let prices = sc.parallelize_in([3, 5, 2], 1);
    /// let limits = sc.parallelize_in([4], 1);
    /// let cheap = prices.zip_partitions(&limits, |prices, mut limits| {
    ///     let limit = limits.next().unwrap_or(0);
    ///     prices.filter(move |price| *price < limit)
    /// });
    /// assert_eq!(cheap.collect()?, [3, 2]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn zip_partitions<U, R, I>(
        &self,
        other: &Rdd<U>,
        f: impl Fn(Records<T>, Records<U>) -> I + Send + Sync + 'static,
    ) -> Rdd<R>
    where
        U: Data,
        R: Data,
        I: IntoIterator<Item = R>,
        I::IntoIter: 'static,
    {
        let counts = (self.num_partitions(), other.num_partitions());
        let dependencies = zipped(self.lineage(), other.lineage());
        let (left, right) = (self.clone(), other.clone());
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            let left = Records::new(left.chunks(partition, task)?, task, operator);
            let right = Records::new(right.chunks(partition, task)?, task, operator);
            task.set_operator(operator);
            Ok(Box::new(IterChunks::new(f(left, right).into_iter(), task, operator)) as BoxChunks<R>)
        };
        Rdd::new(self.context(), "zip_partitions", counts.0.max(counts.1), None, dependencies, compute)
    }

    /// Each record with its position in the dataset, from 0 and in the order of the partitions.
    ///
    /// With more than one partition, the first action counts the records of all but the last one in a job of its
    /// own; [`zip_with_unique_id`](Self::zip_with_unique_id) does without.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let lines = sc.parallelize_in(["a", "b", "c"], 2).zip_with_index();
    /// assert_eq!(lines.collect()?, [("a", 0), ("b", 1), ("c", 2)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn zip_with_index(&self) -> Rdd<(T, u64)> {
        let parent = self.clone();
        let starts = Prepared::new(move || {
            let counted: Vec<usize> = (0..parent.num_partitions().saturating_sub(1)).collect();
            let counts = if counted.is_empty() { Vec::new() } else { parent.count_in(&counted)? };
            let mut starts = vec![0];
            starts.extend(counts.iter().scan(0, |start, count| {
                *start += count;
                Some(*start)
            }));
            Ok(starts)
        });
        let dependency = starts.dependency();
        self.numbered("zip_with_index", Some(dependency), move |partition| (starts.get()[partition], 1))
    }

    /// Each record with a number that no other record has: of n partitions, the k-th record of partition i gets
    /// k·n + i. Runs no job, but leaves gaps where partitions differ in length.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let numbered = sc.parallelize_in(["a", "b", "c"], 2).zip_with_unique_id();
    /// assert_eq!(numbered.collect()?, [("a", 0), ("b", 1), ("c", 3)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn zip_with_unique_id(&self) -> Rdd<(T, u64)> {
        let partitions = self.num_partitions() as u64;
        self.numbered("zip_with_unique_id", None, move |partition| (partition as u64, partitions))
    }

    /// Each record with a number; `numbering` gives the first number of a partition and the step to the next.
    fn numbered(
        &self,
        operator: &'static str,
        before: Option<Dependency>,
        numbering: impl Fn(usize) -> (u64, u64) + Send + Sync + 'static,
    ) -> Rdd<(T, u64)> {
        let parent = self.clone();
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            let (next, step) = numbering(partition);
            let input = parent.chunks(partition, task)?;
            Ok(Box::new(NumberedChunks { input, buffer: Vec::new(), next, step }) as BoxChunks<(T, u64)>)
        };
        let parent = Dependency::Narrow(Arc::clone(self.lineage()));
        let dependencies = before.into_iter().chain([parent]).collect();
        Rdd::new(self.context(), operator, self.num_partitions(), None, dependencies, compute)
    }
}

/// The dependencies on two datasets that are read side by side; refused if their numbers of partitions differ.
fn zipped(left: &Arc<Lineage>, right: &Arc<Lineage>) -> Vec<Dependency> {
    let (lefts, rights) = (left.partitions(), right.partitions());
    if lefts == rights {
        return vec![Dependency::Narrow(Arc::clone(left)), Dependency::Narrow(Arc::clone(right))];
    }
    vec![refused(format!("Can't zip RDDs with unequal numbers of partitions: List({lefts}, {rights})"))]
}

struct ZipChunks<T, U> {
    left: Side<T>,
    right: Side<U>,
    task: TaskContext,
    operator: usize,
}

impl<T, U> Chunks<(T, U)> for ZipChunks<T, U> {
    fn next_chunk(&mut self, out: &mut Vec<(T, U)>) -> Result<bool, TaskError> {
        match (self.left.fill()?, self.right.fill()?) {
            (true, true) => {
                let pairs = self.left.pending.len().min(self.right.pending.len());
                out.extend(self.left.pending.by_ref().take(pairs).zip(self.right.pending.by_ref()));
                Ok(true)
            }
            (false, false) => Ok(false),
            _ => {
                self.task.set_operator(self.operator);
                Err(TaskError::ZipLengths)
            }
        }
    }
}

/// One input of a zip, with the records that wait for partners because chunks differ in length.
struct Side<T> {
    input: BoxChunks<T>,
    pending: std::vec::IntoIter<T>,
}

impl<T> Side<T> {
    fn new(input: BoxChunks<T>) -> Self {
        Self { input, pending: Vec::new().into_iter() }
    }

    /// Makes sure that a record is pending; false at the end.
    fn fill(&mut self) -> Result<bool, TaskError> {
        while self.pending.len() == 0 {
            let mut buffer = Vec::with_capacity(CHUNK);
            if !self.input.next_chunk(&mut buffer)? {
                return Ok(false);
            }
            self.pending = buffer.into_iter();
        }
        Ok(true)
    }
}

struct NumberedChunks<T> {
    input: BoxChunks<T>,
    buffer: Vec<T>,
    next: u64,
    step: u64,
}

impl<T> Chunks<(T, u64)> for NumberedChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<(T, u64)>) -> Result<bool, TaskError> {
        if !self.input.next_chunk(&mut self.buffer)? {
            return Ok(false);
        }
        for record in self.buffer.drain(..) {
            out.push((record, self.next));
            self.next += self.step;
        }
        Ok(true)
    }
}
