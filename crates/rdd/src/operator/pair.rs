// SPDX-License-Identifier: Apache-2.0
//! Operations that merge the values of each key: `reduce_by_key`, `group_by_key` and their kin.

use std::sync::Arc;

use crate::{
    attribution,
    error::{BoxError, TaskError},
    lineage::Dependency,
    partitioner::ArcPartitioner,
    rdd::Rdd,
    record::{Data, Key, Wire},
    scheduler::task::TaskContext,
    shuffle::{
        Shuffle,
        aggregator::{Aggregator, Collect, Functions, Merging, Reduce},
        partitioning::Partitioning,
        reduce_side::{aggregate, merge},
        router::{ByKey, Combining},
    },
};

/// How a keyed aggregation is done. Made from a number of partitions, a partitioner or a [`Partitioning`] where only
/// that matters.
#[derive(Debug, Clone)]
pub struct PairOptions<K: 'static> {
    /// How the result is partitioned.
    pub partitioning: Partitioning<K>,
    /// Whether values are merged before they leave their map task. Saves memory and work when keys repeat.
    pub map_side_combine: bool,
}

impl<K> Default for PairOptions<K> {
    fn default() -> Self {
        Partitioning::Default.into()
    }
}

impl<K> From<Partitioning<K>> for PairOptions<K> {
    fn from(partitioning: Partitioning<K>) -> Self {
        Self { partitioning, map_side_combine: true }
    }
}

impl<K> From<usize> for PairOptions<K> {
    fn from(partitions: usize) -> Self {
        Partitioning::from(partitions).into()
    }
}

impl<K> From<ArcPartitioner<K>> for PairOptions<K> {
    fn from(partitioner: ArcPartitioner<K>) -> Self {
        Partitioning::from(partitioner).into()
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// The values of each key merged into one by `f`, which must be associative and commutative. Values are merged
    /// before the shuffle and after it.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([(1, 10), (2, 20), (1, 1)]).reduce_by_key(|a, b| a + b);
    /// let mut sums = pairs.collect()?;
    /// sums.sort();
    /// assert_eq!(sums, [(1, 11), (2, 20)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        self.reduce_by_key_with(f, Partitioning::Default)
    }

    /// As [`reduce_by_key`](Self::reduce_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let sums = sc.parallelize([(1, 10), (1, 1)]).reduce_by_key_with(|a, b| a + b, 4);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (4, vec![(1, 11)]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn reduce_by_key_with(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        self.combine("reduce_by_key", Reduce(move |a, b| Ok(f(a, b))), options.into().into())
    }

    /// As [`reduce_by_key`](Self::reduce_by_key), with an `f` that can fail: an error fails the task.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([(1, 200u8), (1, 100)]);
    /// let sums = pairs.try_reduce_by_key(|a, b| a.checked_add(b).ok_or("overflow"));
    /// assert!(sums.collect().unwrap_err().to_string().contains("overflow"));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_reduce_by_key<E: Into<BoxError>>(
        &self,
        f: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        self.try_reduce_by_key_with(f, Partitioning::Default)
    }

    /// As [`try_reduce_by_key`](Self::try_reduce_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([(1, 200u8), (1, 50)]);
    /// let sums = pairs.try_reduce_by_key_with(|a, b| a.checked_add(b).ok_or("overflow"), 3);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (3, vec![(1, 250)]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn try_reduce_by_key_with<E: Into<BoxError>>(
        &self,
        f: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        let f = move |a, b| f(a, b).map_err(TaskError::user);
        self.combine("try_reduce_by_key", Reduce(f), options.into().into())
    }

    /// The values of each key merged into `zero` by `f`. `zero` is used once per key and map partition.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let folded = sc.parallelize_in([(1, 2), (1, 4)], 2).fold_by_key(100, |a, b| a + b);
    /// assert_eq!(folded.collect()?, [(1, 206)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn fold_by_key(&self, zero: V, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        self.fold_by_key_with(zero, f, Partitioning::Default)
    }

    /// As [`fold_by_key`](Self::fold_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let folded = sc.parallelize([(1, 2), (1, 4)]).fold_by_key_with(0, |a, b| a + b, 3);
    /// assert_eq!((folded.num_partitions(), folded.collect()?), (3, vec![(1, 6)]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn fold_by_key_with(
        &self,
        zero: V,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        let f = Arc::new(f);
        let (first, next) = (Arc::clone(&f), Arc::clone(&f));
        let by = Functions {
            create: move |value| first(zero.clone(), value),
            merge_value: move |acc, value| next(acc, value),
            merge_combiners: move |left, right| f(left, right),
        };
        self.combine("fold_by_key", by, options.into().into())
    }

    /// The values of each key merged into `zero` by `seq` before the shuffle, and the results by `comb` after it.
    /// `zero` is used once per key and map partition.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let words = sc.parallelize([(1, "ab".to_owned()), (1, "c".to_owned())]);
    /// let lengths = words.aggregate_by_key(0, |sum, word| sum + word.len(), |a, b| a + b);
    /// assert_eq!(lengths.collect()?, [(1, 3)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn aggregate_by_key<U: Wire>(
        &self,
        zero: U,
        seq: impl Fn(U, V) -> U + Send + Sync + 'static,
        comb: impl Fn(U, U) -> U + Send + Sync + 'static,
    ) -> Rdd<(K, U)>
    where
        K: Key,
        V: Wire,
    {
        self.aggregate_by_key_with(zero, seq, comb, Partitioning::Default)
    }

    /// As [`aggregate_by_key`](Self::aggregate_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let counts = sc.parallelize([(1, 'a'), (1, 'b')]).aggregate_by_key_with(0, |n, _| n + 1, |a, b| a + b, 3);
    /// assert_eq!((counts.num_partitions(), counts.collect()?), (3, vec![(1, 2)]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn aggregate_by_key_with<U: Wire>(
        &self,
        zero: U,
        seq: impl Fn(U, V) -> U + Send + Sync + 'static,
        comb: impl Fn(U, U) -> U + Send + Sync + 'static,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, U)>
    where
        K: Key,
        V: Wire,
    {
        let seq = Arc::new(seq);
        let first = Arc::clone(&seq);
        let by = Functions {
            create: move |value| first(zero.clone(), value),
            merge_value: move |acc, value| seq(acc, value),
            merge_combiners: comb,
        };
        self.combine("aggregate_by_key", by, options.into().into())
    }

    /// The general aggregation: `create` makes a combiner of the first value of a key, `merge_value` adds a value to
    /// it, `merge_combiners` joins the combiners of different map partitions.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([("a".to_owned(), 4.0), ("a".to_owned(), 6.0)]);
    /// let means = pairs
    ///     .combine_by_key(|x| (x, 1), |(s, n), x| (s + x, n + 1), |(s, n), (t, m)| (s + t, n + m))
    ///     .map_values(|(sum, n)| sum / f64::from(n));
    /// assert_eq!(means.collect()?, [("a".to_owned(), 5.0)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn combine_by_key<C: Wire>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)>
    where
        K: Key,
        V: Wire,
    {
        self.combine_by_key_with(create, merge_value, merge_combiners, PairOptions::default())
    }

    /// As [`combine_by_key`](Self::combine_by_key), with the partitioning of the result and, in [`PairOptions`],
    /// whether to combine on the map side.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// use dstreams_rdd::PairOptions;
    /// let options = PairOptions { map_side_combine: false, ..PairOptions::from(3) };
    /// let largest = sc.parallelize([(1, 5u8), (1, 9)]).combine_by_key_with(u64::from, |m, x| m.max(x.into()), u64::max, options);
    /// assert_eq!((largest.num_partitions(), largest.collect()?), (3, vec![(1, 9)]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn combine_by_key_with<C: Wire>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
        options: impl Into<PairOptions<K>>,
    ) -> Rdd<(K, C)>
    where
        K: Key,
        V: Wire,
    {
        self.combine("combine_by_key", Functions { create, merge_value, merge_combiners }, options.into())
    }

    /// The values of each key as a vector, in the order of the partitions and of the records in them. All of them
    /// cross the shuffle: where they are only to be merged, [`reduce_by_key`](Self::reduce_by_key) moves far less.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let groups = sc.parallelize([(1, "a"), (1, "b")]).map_values(str::to_owned).group_by_key();
    /// assert_eq!(groups.collect()?, [(1, vec!["a".to_owned(), "b".to_owned()])]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn group_by_key(&self) -> Rdd<(K, Vec<V>)>
    where
        K: Key,
        V: Wire,
    {
        self.group_by_key_with(Partitioning::Default)
    }

    /// As [`group_by_key`](Self::group_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let groups = sc.parallelize([(1, 5), (1, 9)]).group_by_key_with(3);
    /// assert_eq!((groups.num_partitions(), groups.collect()?), (3, vec![(1, vec![5, 9])]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn group_by_key_with(&self, options: impl Into<Partitioning<K>>) -> Rdd<(K, Vec<V>)>
    where
        K: Key,
        V: Wire,
    {
        let options = PairOptions { partitioning: options.into(), map_side_combine: false };
        self.combine("group_by_key", Collect::new(), options)
    }

    /// All aggregations by key end here.
    pub(crate) fn combine<A: Aggregator<V> + Send + Sync + 'static>(
        &self,
        operator: &'static str,
        by: A,
        options: PairOptions<K>,
    ) -> Rdd<(K, A::Acc)>
    where
        K: Key,
        V: Wire,
    {
        let by = Arc::new(by);
        let context = self.context().clone();
        let chosen = options.partitioning.choose(self.context(), &[self.lineage()]);
        let Some(partitioner) = chosen.shuffle_for(self.lineage()) else {
            return self.narrow(operator, Some(chosen.id), move |input, task, operator| {
                aggregate(input, &by, &context, task, operator)
            });
        };
        let partitioner = Arc::clone(partitioner);
        if options.map_side_combine {
            let merging = Arc::new(Merging::new(Arc::clone(&by)));
            let expected = context.expectations().of(attribution::owner(), operator);
            let memory = context.memory().clone();
            let shuffle = Shuffle::new(self, move |_| {
                Box::new(Combining::<K, A, A::Acc>::new(&partitioner, &by, &expected, &memory))
            });
            let source = Arc::clone(&shuffle);
            let rdd = Rdd::new(
                self.context(),
                operator,
                chosen.partitions,
                Some(chosen.id),
                vec![Dependency::Shuffle(Arc::clone(&shuffle) as _)],
                move |partition: usize, task: &TaskContext, operator: usize| {
                    let reader = source.reader(partition, task)?;
                    // What one map task has combined needs no second table.
                    if reader.runs() <= 1 {
                        return Ok(Box::new(reader) as _);
                    }
                    Ok(merge(reader, &merging, &context, task, operator))
                },
            );
            shuffle.read_by(rdd.lineage());
            return rdd;
        }
        let shuffle = Shuffle::new(self, move |_| Box::new(ByKey::new(&partitioner)));
        let source = Arc::clone(&shuffle);
        let rdd = Rdd::new(
            self.context(),
            operator,
            chosen.partitions,
            Some(chosen.id),
            vec![Dependency::Shuffle(Arc::clone(&shuffle) as _)],
            move |partition: usize, task: &TaskContext, operator: usize| {
                Ok(aggregate(source.read(partition, task)?, &by, &context, task, operator))
            },
        );
        shuffle.read_by(rdd.lineage());
        rdd
    }
}
