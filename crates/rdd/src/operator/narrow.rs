// SPDX-License-Identifier: Apache-2.0
//! Operations that need one partition of one parent: map and its kin.

use super::through::{EachChunks, FilterChunks, FilterMapChunks, FlatMapChunks};
use crate::{
    chunk::{BoxChunks, IterChunks, Records},
    error::{BoxError, TaskError},
    partitioner::PartitionerId,
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
        self.each("map", None, f)
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
        self.any("try_map", None, move |record| f(record).map(Some).map_err(TaskError::user))
    }

    /// The records for which `keep` is true; the partitioner is kept.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(1..=4).filter(|n| n % 2 == 0).collect()?, [2, 4]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn filter(&self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Rdd<T> {
        self.some("filter", move |record| Ok(keep(record)))
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
        self.some("try_filter", move |record| keep(record).map_err(TaskError::user))
    }

    /// What `f` makes of the records for which it makes something. It sees them by reference: those it leaves out are
    /// not cloned, so that this is faster than [`flat_map`](Self::flat_map) where most are left out.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let errors = sc.parallelize(["INFO up", "ERROR disk"]).filter_map(|line| line.strip_prefix("ERROR "));
    /// assert_eq!(errors.collect()?, ["disk"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn filter_map<U: Data>(&self, f: impl Fn(&T) -> Option<U> + Send + Sync + 'static) -> Rdd<U> {
        self.some_through("filter_map", move |record| Ok(f(record)))
    }

    /// As [`filter_map`](Self::filter_map), with an `f` that can fail.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let numbers = sc.parallelize(["7", "", "9"]).try_filter_map(|s| match *s {
    ///     "" => Ok(None),
    ///     digits => digits.parse::<u8>().map(Some),
    /// });
    /// assert_eq!(numbers.collect()?, [7, 9]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_filter_map<U: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<Option<U>, E> + Send + Sync + 'static,
    ) -> Rdd<U> {
        self.some_through("try_filter_map", move |record| f(record).map_err(TaskError::user))
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
        self.any("flat_map", None, move |record| Ok(f(record)))
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
        self.any("try_flat_map", None, move |record| f(record).map_err(TaskError::user))
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
        self.each("key_by", None, move |record| (f(&record), record))
    }

    /// One record for each record.
    fn each<U: Data>(
        &self,
        operator: &'static str,
        partitioner: Option<PartitionerId>,
        f: impl Fn(T) -> U + Send + Sync + 'static,
    ) -> Rdd<U> {
        let f = Arc::new(f);
        self.narrow(operator, partitioner, move |input, task, operator| {
            Box::new(EachChunks::new(input, &f, task, operator))
        })
    }

    /// Some of the records.
    fn some(
        &self,
        operator: &'static str,
        keep: impl Fn(&T) -> Result<bool, TaskError> + Send + Sync + 'static,
    ) -> Self {
        let keep = Arc::new(keep);
        self.narrow(operator, self.partitioner().cloned(), move |input, task, operator| {
            Box::new(FilterChunks::new(input, &keep, task, operator))
        })
    }

    /// What is made of some of the records.
    fn some_through<U: Data>(
        &self,
        operator: &'static str,
        f: impl Fn(&T) -> Result<Option<U>, TaskError> + Send + Sync + 'static,
    ) -> Rdd<U> {
        let f = Arc::new(f);
        self.narrow(operator, None, move |input, task, operator| {
            Box::new(FilterMapChunks::new(input, &f, task, operator))
        })
    }

    /// Any number of records for each record.
    fn any<U, I>(
        &self,
        operator: &'static str,
        partitioner: Option<PartitionerId>,
        f: impl Fn(T) -> Result<I, TaskError> + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.narrow(operator, partitioner, move |input, task, operator| {
            let f = Arc::clone(&f);
            Box::new(FlatMapChunks::new(input, move |record| f(record), task, operator))
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
        self.each("map_values", self.partitioner().cloned(), move |(key, value)| (key, f(value)))
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
        self.any("try_map_values", self.partitioner().cloned(), move |(key, value)| {
            f(value).map(|value| Some((key, value))).map_err(TaskError::user)
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
        self.any(operator, self.partitioner().cloned(), move |(key, value): (K, V)| {
            let values = f(&key, value).into_iter();
            Ok(values.map(move |value| (key.clone(), value)))
        })
    }
}
