// SPDX-License-Identifier: Apache-2.0
//! Operations on every batch of a stream of pairs: merging the values of each key, and changing values alone.

use std::sync::Arc;

use dstreams_rdd::{BoxError, Data, Key, PairOptions, Partitioning, Wire};

use crate::dstream::DStream;

impl<K: Data, V: Data> DStream<(K, V)> {
    /// The values of each key of a batch merged into one by `f`, which must be associative and commutative. Values are
    /// merged before the shuffle and after it; the result has as many partitions as the engine's default parallelism.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let mut out = run_batches(vec![vec![("a", 1), ("b", 1), ("a", 1)]], |ones| {
    ///     ones.map(|(word, n)| (word.to_owned(), n)).reduce_by_key(|a, b| a + b)
    /// })?;
    /// out[0].sort();
    /// assert_eq!(out, [[("a".to_owned(), 2), ("b".to_owned(), 1)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Self
    where
        K: Key,
        V: Wire,
    {
        self.reduce_by_key_with(f, Partitioning::Default)
    }

    /// As [`reduce_by_key`](Self::reduce_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 10), (1, 1)]], |pairs| {
    ///     pairs.reduce_by_key_with(|a, b| a + b, 4).map_partitions(|sums| [sums.count()])
    /// })?;
    /// assert_eq!((out[0].len(), out[0].iter().sum::<usize>()), (4, 1));
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_with(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        options: impl Into<Partitioning<K>>,
    ) -> Self
    where
        K: Key,
        V: Wire,
    {
        let f = Arc::new(f);
        let partitioning = self.partitioning(options);
        self.lift("reduce_by_key", move |rdd| {
            let f = Arc::clone(&f);
            rdd.reduce_by_key_with(move |a, b| f(a, b), partitioning.clone())
        })
    }

    /// As [`reduce_by_key`](Self::reduce_by_key), with an `f` that can fail: an error fails the batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let failed = run_batches(vec![vec![(1, 200u8), (1, 100)]], |pairs| {
    ///     pairs.try_reduce_by_key(|a, b| a.checked_add(b).ok_or("overflow"))
    /// });
    /// assert!(failed.unwrap_err().to_string().contains("overflow"));
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_reduce_by_key<E: Into<BoxError>>(
        &self,
        f: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
    ) -> Self
    where
        K: Key,
        V: Wire,
    {
        self.try_reduce_by_key_with(f, Partitioning::Default)
    }

    /// As [`try_reduce_by_key`](Self::try_reduce_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 20u8), (1, 10)]], |pairs| {
    ///     pairs.try_reduce_by_key_with(|a, b| a.checked_add(b).ok_or("overflow"), 1)
    /// })?;
    /// assert_eq!(out, [[(1, 30)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_reduce_by_key_with<E: Into<BoxError>>(
        &self,
        f: impl Fn(V, V) -> Result<V, E> + Send + Sync + 'static,
        options: impl Into<Partitioning<K>>,
    ) -> Self
    where
        K: Key,
        V: Wire,
    {
        let f = Arc::new(f);
        let partitioning = self.partitioning(options);
        self.lift("try_reduce_by_key", move |rdd| {
            let f = Arc::clone(&f);
            rdd.try_reduce_by_key_with(move |a, b| f(a, b), partitioning.clone())
        })
    }

    /// The values of each key of a batch as a vector, in the order of the partitions and of the records in them.
    /// Values are collected before the shuffle and after it.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a'), (1, 'b')], vec![]], |pairs| pairs.group_by_key())?;
    /// assert_eq!(out, [vec![(1, vec!['a', 'b'])], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key(&self) -> DStream<(K, Vec<V>)>
    where
        K: Key,
        V: Wire,
    {
        self.group_by_key_with(Partitioning::Default)
    }

    /// As [`group_by_key`](Self::group_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| pairs.group_by_key_with(3).glom().count())?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key_with(&self, options: impl Into<Partitioning<K>>) -> DStream<(K, Vec<V>)>
    where
        K: Key,
        V: Wire,
    {
        let partitioning = self.partitioning(options);
        self.lift("group_by_key", move |rdd| {
            rdd.combine_by_key_with(|value| vec![value], pushed, appended, partitioning.clone())
        })
    }

    /// The general merge of the values of each key of a batch: `create` makes a combiner of the first value,
    /// `merge_value` adds a value to it, `merge_combiners` joins the combiners of different map partitions.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 4.0), ('a', 6.0)]], |pairs| {
    ///     pairs
    ///         .combine_by_key(|x| (x, 1), |(s, n), x| (s + x, n + 1), |(s, n), (t, m)| (s + t, n + m))
    ///         .map_values(|(sum, n)| sum / f64::from(n))
    /// })?;
    /// assert_eq!(out, [[('a', 5.0)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key<C: Wire>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> DStream<(K, C)>
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
    /// # use dstreams_streaming::testing::run_batches;
    /// use dstreams_streaming::PairOptions;
    /// let out = run_batches(vec![vec![(1, 2), (1, 3)]], |pairs| {
    ///     let options = PairOptions { map_side_combine: false, ..PairOptions::default() };
    ///     pairs.combine_by_key_with(|v| v, |a, v| a * v, |a, b| a * b, options)
    /// })?;
    /// assert_eq!(out, [[(1, 6)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key_with<C: Wire>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge_combiners: impl Fn(C, C) -> C + Send + Sync + 'static,
        options: impl Into<PairOptions<K>>,
    ) -> DStream<(K, C)>
    where
        K: Key,
        V: Wire,
    {
        let functions = Arc::new((create, merge_value, merge_combiners));
        let PairOptions { partitioning, map_side_combine } = options.into();
        let options = PairOptions { partitioning: self.partitioning(partitioning), map_side_combine };
        self.lift("combine_by_key", move |rdd| {
            let [first, next, last] = [(); 3].map(|()| Arc::clone(&functions));
            rdd.combine_by_key_with(
                move |value| first.0(value),
                move |acc, value| next.1(acc, value),
                move |left, right| last.2(left, right),
                options.clone(),
            )
        })
    }

    /// Each value through `f`; keys and partitions are kept.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 1)]], |pairs| pairs.map_values(|n| n + 1))?;
    /// assert_eq!(out, [[('a', 2)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values<W: Data>(&self, f: impl Fn(V) -> W + Send + Sync + 'static) -> DStream<(K, W)> {
        let f = Arc::new(f);
        self.lift("map_values", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map_values(move |value| f(value))
        })
    }

    /// As [`map_values`](Self::map_values), with an `f` that can fail: an error fails the batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', "1")]], |pairs| pairs.try_map_values(str::parse::<u8>))?;
    /// assert_eq!(out, [[('a', 1)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map_values<W: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(V) -> Result<W, E> + Send + Sync + 'static,
    ) -> DStream<(K, W)> {
        let f = Arc::new(f);
        self.lift("try_map_values", move |rdd| {
            let f = Arc::clone(&f);
            rdd.try_map_values(move |value| f(value))
        })
    }

    /// The values that `f` makes of each value, in order, each with the key; keys and partitions are kept.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 2), ('b', 0)]], |pairs| pairs.flat_map_values(|n| 0..n))?;
    /// assert_eq!(out, [[('a', 0), ('a', 1)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values<W, I>(&self, f: impl Fn(V) -> I + Send + Sync + 'static) -> DStream<(K, W)>
    where
        W: Data,
        I: IntoIterator<Item = W>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.lift("flat_map_values", move |rdd| {
            let f = Arc::clone(&f);
            rdd.flat_map_values(move |value| f(value))
        })
    }

    /// What a shuffle of this stream uses: unless told otherwise, a hash over the engine's default parallelism. Other
    /// than for datasets, the inputs' own partitioners have no say, so that all batches are partitioned alike.
    pub(crate) fn partitioning(&self, options: impl Into<Partitioning<K>>) -> Partitioning<K> {
        match options.into() {
            Partitioning::Default => Partitioning::Hash(self.default_partitions()),
            chosen => chosen,
        }
    }
}

fn pushed<V>(mut values: Vec<V>, value: V) -> Vec<V> {
    values.push(value);
    values
}

pub(super) fn appended<V>(mut values: Vec<V>, mut more: Vec<V>) -> Vec<V> {
    values.append(&mut more);
    values
}
