// SPDX-License-Identifier: Apache-2.0
//! Operations that need one partition of one parent: map and its kin.

use crate::{
    chunk::{Borrowed, BoxChunks, CHUNK, Chunks, IterChunks, Records},
    error::{BoxError, TaskError},
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};
use std::sync::Arc;

impl<T: Data> Rdd<T> {
    /// Each record through `f`; order and partitions are kept.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([1, 2]).map(|n| n * 10).collect()?, [10, 20]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn map<U: Data>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Rdd<U> {
        self.map_chunks("map", None, move |input, out| {
            out.extend(input.drain(..).map(&f));
            Ok(())
        })
    }

    /// As [`map`](Self::map), with an `f` that can fail: an error fails the task, with the text of the error.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(["1", "2"]).try_map(|s| s.parse::<u8>()).collect()?, [1, 2]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_map<U: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(T) -> Result<U, E> + Send + Sync + 'static,
    ) -> Rdd<U> {
        self.map_chunks("try_map", None, move |input, out| {
            for record in input.drain(..) {
                out.push(f(record).map_err(TaskError::user)?);
            }
            Ok(())
        })
    }

    /// The records for which `keep` is true; the partitioner is kept.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(1..=4).filter(|n| n % 2 == 0).collect()?, [2, 4]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn filter(&self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Rdd<T> {
        let keep = Arc::new(keep);
        self.narrow("filter", self.partitioner().cloned(), move |input, task, operator| {
            Box::new(FilterChunks {
                input,
                keep: Arc::clone(&keep),
                buffer: Vec::new(),
                task: task.clone(),
                operator,
            })
        })
    }

    /// As [`filter`](Self::filter), with a `keep` that can fail.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let big = sc.parallelize(["7", "300"]).try_filter(|s| s.parse::<u32>().map(|n| n > 99));
    /// assert_eq!(big.collect()?, ["300"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_filter<E: Into<BoxError>>(
        &self,
        keep: impl Fn(&T) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Rdd<T> {
        self.map_chunks("try_filter", self.partitioner().cloned(), move |input, out| {
            for record in input.drain(..) {
                if keep(&record).map_err(TaskError::user)? {
                    out.push(record);
                }
            }
            Ok(())
        })
    }

    /// The records that `f` makes of each record, in order.
    ///
    /// ```
    /// # use dstreams_rdd::Text;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let words = sc.parallelize([Text::from("to be"), Text::from("or")]).flat_map(|line| line.words());
    /// assert_eq!(words.collect()?, ["to", "be", "or"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn flat_map<U, I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.narrow("flat_map", None, move |input, task, operator| {
            let f = Arc::clone(&f);
            let f = move |record| Ok(f(record));
            Box::new(FlatMapChunks::new(input, f, task, operator))
        })
    }

    /// As [`flat_map`](Self::flat_map), with an `f` that can fail.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let twice = sc.parallelize(["1"]).try_flat_map(|s| s.parse::<u8>().map(|n| [n, n]));
    /// assert_eq!(twice.collect()?, [1, 1]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_flat_map<U, I, E>(&self, f: impl Fn(T) -> Result<I, E> + Send + Sync + 'static) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
        E: Into<BoxError>,
    {
        let f = Arc::new(f);
        self.narrow("try_flat_map", None, move |input, task, operator| {
            let f = Arc::clone(&f);
            let f = move |record| f(record).map_err(TaskError::user);
            Box::new(FlatMapChunks::new(input, f, task, operator))
        })
    }

    /// Each partition through `f`, which sees its records as an iterator; called for empty partitions too.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let sums = sc.parallelize_in(1..=4, 2).map_partitions(|records| [records.sum::<i32>()]);
    /// assert_eq!(sums.collect()?, [3, 7]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn map_partitions<U, I>(&self, f: impl Fn(Records<T>) -> I + Send + Sync + 'static) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        self.partitions_through("map_partitions", move |_, records| Ok(f(records)))
    }

    /// As [`map_partitions`](Self::map_partitions), with an `f` that can fail.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let sums = sc.parallelize_in(["1", "x"], 2).try_map_partitions(|records| {
    ///     records.map(str::parse::<i32>).sum::<Result<i32, _>>().map(Some)
    /// });
    /// assert!(sums.collect().is_err());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_map_partitions<U, I, E>(
        &self,
        f: impl Fn(Records<T>) -> Result<I, E> + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
        E: Into<BoxError>,
    {
        self.partitions_through("try_map_partitions", move |_, records| f(records).map_err(TaskError::user))
    }

    /// As [`map_partitions`](Self::map_partitions); `f` also gets the number of the partition.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let tagged = sc.parallelize_in(["a", "b"], 2).map_partitions_with_index(|i, r| r.map(move |x| (i, x)));
    /// assert_eq!(tagged.collect()?, [(0, "a"), (1, "b")]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn map_partitions_with_index<U, I>(
        &self,
        f: impl Fn(usize, Records<T>) -> I + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        self.partitions_through("map_partitions_with_index", move |i, records| Ok(f(i, records)))
    }

    /// One record per partition: the vector of its records.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize_in(1..=3, 2).glom().collect()?, [vec![1], vec![2, 3]]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn glom(&self) -> Rdd<Vec<T>> {
        self.partitions_through("glom", |_, records| Ok([records.collect::<Vec<_>>()]))
    }

    /// Each record with the key that `f` gives it.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(["bee"]).key_by(|s| s.len()).collect()?, [(3, "bee")]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn key_by<K: Data>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, T)> {
        self.map_chunks("key_by", None, move |input, out| {
            out.extend(input.drain(..).map(|record| (f(&record), record)));
            Ok(())
        })
    }

    /// Chunks through `f`, which moves records from its first argument to its second.
    pub(crate) fn map_chunks<U: Data>(
        &self,
        operator: &'static str,
        partitioner: Option<crate::partitioner::PartitionerId>,
        f: impl Fn(&mut Vec<T>, &mut Vec<U>) -> Result<(), TaskError> + Send + Sync + 'static,
    ) -> Rdd<U> {
        let f = Arc::new(f);
        self.narrow(operator, partitioner, move |input, task, operator| {
            Box::new(MapChunks::new(input, Arc::clone(&f), task, operator))
        })
    }

    fn partitions_through<U, I>(
        &self,
        operator: &'static str,
        f: impl Fn(usize, Records<T>) -> Result<I, TaskError> + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let parent = self.clone();
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            let records = Records::new(parent.chunks(partition, task)?, task, operator);
            task.set_operator(operator);
            let iter = f(partition, records)?.into_iter();
            Ok(Box::new(IterChunks::new(iter, task, operator)) as BoxChunks<U>)
        };
        let dependencies = vec![crate::lineage::Dependency::Narrow(Arc::clone(self.lineage()))];
        Rdd::new(self.context(), operator, self.num_partitions(), None, dependencies, compute)
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// The keys.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([("a", 1)]).keys().collect()?, ["a"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn keys(&self) -> Rdd<K> {
        self.map(|(key, _)| key)
    }

    /// The values.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([("a", 1)]).values().collect()?, [1]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn values(&self) -> Rdd<V> {
        self.map(|(_, value)| value)
    }

    /// Each value through `f`; keys, and with them the partitioner, are kept.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([("a", 1)]).map_values(|n| n + 1).collect()?, [("a", 2)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn map_values<W: Data>(&self, f: impl Fn(V) -> W + Send + Sync + 'static) -> Rdd<(K, W)> {
        self.map_chunks("map_values", self.partitioner().cloned(), move |input, out| {
            out.extend(input.drain(..).map(|(key, value)| (key, f(value))));
            Ok(())
        })
    }

    /// As [`map_values`](Self::map_values), with an `f` that can fail.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([("a", "1")]).try_map_values(|s| s.parse::<u8>()).collect()?, [("a", 1)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_map_values<W: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(V) -> Result<W, E> + Send + Sync + 'static,
    ) -> Rdd<(K, W)> {
        self.map_chunks("try_map_values", self.partitioner().cloned(), move |input, out| {
            for (key, value) in input.drain(..) {
                out.push((key, f(value).map_err(TaskError::user)?));
            }
            Ok(())
        })
    }

    /// Each value to any number of values of its key; the partitioner is kept.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([("a", 1)]).flat_map_values(|n| [n, 9]).collect()?, [("a", 1), ("a", 9)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn flat_map_values<W, I>(&self, f: impl Fn(V) -> I + Send + Sync + 'static) -> Rdd<(K, W)>
    where
        W: Data,
        I: IntoIterator<Item = W>,
        I::IntoIter: 'static,
    {
        self.values_through("flat_map_values", move |_, value| f(value))
    }

    /// As [`flat_map_values`](Self::flat_map_values); `f` also sees the key.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let long = sc.parallelize([(1, "a"), (2, "b")]).flat_map_values_with_key(|key, s| (*key > 1).then_some(s));
    /// assert_eq!(long.collect()?, [(2, "b")]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn flat_map_values_with_key<W, I>(
        &self,
        f: impl Fn(&K, V) -> I + Send + Sync + 'static,
    ) -> Rdd<(K, W)>
    where
        W: Data,
        I: IntoIterator<Item = W>,
        I::IntoIter: 'static,
    {
        self.values_through("flat_map_values_with_key", f)
    }

    fn values_through<W, I>(
        &self,
        operator: &'static str,
        f: impl Fn(&K, V) -> I + Send + Sync + 'static,
    ) -> Rdd<(K, W)>
    where
        W: Data,
        I: IntoIterator<Item = W>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.narrow(operator, self.partitioner().cloned(), move |input, task, operator| {
            let f = Arc::clone(&f);
            let f = move |(key, value): (K, V)| {
                let values = f(&key, value).into_iter();
                Ok(values.map(move |value| (key.clone(), value)))
            };
            Box::new(FlatMapChunks::new(input, f, task, operator))
        })
    }
}

pub(super) struct MapChunks<T, F> {
    input: BoxChunks<T>,
    f: Arc<F>,
    buffer: Vec<T>,
    task: TaskContext,
    operator: usize,
}

impl<T, F> MapChunks<T, F> {
    pub(super) fn new(input: BoxChunks<T>, f: Arc<F>, task: &TaskContext, operator: usize) -> Self {
        Self { input, f, buffer: Vec::new(), task: task.clone(), operator }
    }
}

impl<T, U, F: Fn(&mut Vec<T>, &mut Vec<U>) -> Result<(), TaskError>> Chunks<U> for MapChunks<T, F> {
    fn next_chunk(&mut self, out: &mut Vec<U>) -> Result<bool, TaskError> {
        self.buffer.clear();
        if !self.input.next_chunk(&mut self.buffer)? {
            return Ok(false);
        }
        self.task.set_operator(self.operator);
        (self.f)(&mut self.buffer, out)?;
        Ok(true)
    }
}

struct FilterChunks<T, F> {
    input: BoxChunks<T>,
    keep: Arc<F>,
    buffer: Vec<T>,
    task: TaskContext,
    operator: usize,
}

impl<T: Data, F: Fn(&T) -> bool> Chunks<T> for FilterChunks<T, F> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        let keep = &*self.keep;
        match self.input.next_borrowed()? {
            Borrowed::End => return Ok(false),
            // Records that rest in memory are cloned only when they are kept.
            Borrowed::Slice(records) => {
                self.task.set_operator(self.operator);
                out.extend(records.iter().filter(|record| keep(record)).cloned());
            }
            Borrowed::Unsupported => {
                if !self.input.next_chunk(&mut self.buffer)? {
                    return Ok(false);
                }
                self.task.set_operator(self.operator);
                out.extend(self.buffer.drain(..).filter(|record| keep(record)));
            }
        }
        Ok(true)
    }
}

/// Keeps the iterator of a record whose results did not fit in the chunk, so that chunks stay small however many
/// records one record becomes.
pub(super) struct FlatMapChunks<T, F, I> {
    input: BoxChunks<T>,
    f: F,
    pending: std::vec::IntoIter<T>,
    current: Option<I>,
    task: TaskContext,
    operator: usize,
}

impl<T, F, I> FlatMapChunks<T, F, I> {
    pub(super) fn new<J: IntoIterator<IntoIter = I>>(
        input: BoxChunks<T>,
        f: F,
        task: &TaskContext,
        operator: usize,
    ) -> Self
    where
        F: Fn(T) -> Result<J, TaskError>,
    {
        Self { input, f, pending: Vec::new().into_iter(), current: None, task: task.clone(), operator }
    }
}

impl<T, U, J, F> Chunks<U> for FlatMapChunks<T, F, J::IntoIter>
where
    J: IntoIterator<Item = U>,
    F: Fn(T) -> Result<J, TaskError>,
{
    fn next_chunk(&mut self, out: &mut Vec<U>) -> Result<bool, TaskError> {
        // One record may become any number of chunks, between which no source looks.
        self.task.check_cancelled()?;
        let full = out.len() + CHUNK;
        self.task.set_operator(self.operator);
        loop {
            if let Some(iter) = &mut self.current {
                for record in iter {
                    out.push(record);
                    if out.len() >= full {
                        return Ok(true);
                    }
                }
                self.current = None;
            }
            if let Some(record) = self.pending.next() {
                self.current = Some((self.f)(record)?.into_iter());
                continue;
            }
            if out.len() + CHUNK > full {
                return Ok(true);
            }
            let mut buffer = Vec::with_capacity(CHUNK);
            if !self.input.next_chunk(&mut buffer)? {
                return Ok(false);
            }
            self.pending = buffer.into_iter();
            self.task.set_operator(self.operator);
        }
    }
}
