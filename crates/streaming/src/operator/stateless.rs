// SPDX-License-Identifier: Apache-2.0
//! Operations on every batch for itself that need no key: map and its kin, repartition, count, reduce.

use std::sync::Arc;

use dstreams_rdd::{BoxError, Data, Key, Records, Wire};

use crate::dstream::DStream;

impl<T: Data> DStream<T> {
    /// Each record through `f`; order and partitions are kept.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2]], |numbers| numbers.map(|n| n.to_string()))?;
    /// assert_eq!(out, [["1", "2"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Data>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> DStream<U> {
        let f = Arc::new(f);
        self.lift("map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map(move |record| f(record))
        })
    }

    /// As [`map`](Self::map), with an `f` that can fail: an error fails the batch, with the text of the error. To
    /// keep going with bad records, map to a `Result` and split it with [`ok`](DStream::ok) and [`err`](DStream::err).
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["1", "2"]], |lines| lines.try_map(|line| line.parse::<u8>()))?;
    /// assert_eq!(out, [[1, 2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map<U: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(T) -> Result<U, E> + Send + Sync + 'static,
    ) -> DStream<U> {
        let f = Arc::new(f);
        self.lift("try_map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.try_map(move |record| f(record))
        })
    }

    /// The records that `f` makes of each record, in order.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, Text};
    /// let out = run_batches(vec![vec![Text::from("to be")]], |lines| lines.flat_map(|line| line.words()))?;
    /// assert_eq!(out, [["to", "be"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<U, I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> DStream<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.lift("flat_map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.flat_map(move |record| f(record))
        })
    }

    /// As [`flat_map`](Self::flat_map), with an `f` that can fail.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["2"]], |lines| {
    ///     lines.try_flat_map(|line| line.parse::<usize>().map(|n| vec!['x'; n]))
    /// })?;
    /// assert_eq!(out, [['x', 'x']]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_flat_map<U, I, E>(&self, f: impl Fn(T) -> Result<I, E> + Send + Sync + 'static) -> DStream<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
        E: Into<BoxError>,
    {
        let f = Arc::new(f);
        self.lift("try_flat_map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.try_flat_map(move |record| f(record))
        })
    }

    /// The records for which `keep` is true.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2, 3]], |numbers| numbers.filter(|n| n % 2 == 1))?;
    /// assert_eq!(out, [[1, 3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(&self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        let keep = Arc::new(keep);
        self.lift("filter", move |rdd| {
            let keep = Arc::clone(&keep);
            rdd.filter(move |record| keep(record))
        })
    }

    /// As [`filter`](Self::filter), with a `keep` that can fail.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["7", "300"]], |lines| {
    ///     lines.try_filter(|line| line.parse::<u32>().map(|n| n > 99))
    /// })?;
    /// assert_eq!(out, [["300"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_filter<E: Into<BoxError>>(
        &self,
        keep: impl Fn(&T) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        let keep = Arc::new(keep);
        self.lift("try_filter", move |rdd| {
            let keep = Arc::clone(&keep);
            rdd.try_filter(move |record| keep(record))
        })
    }

    /// What `f` makes of the records for which it makes something. It sees them by reference: those it leaves out are
    /// not cloned, so that this is faster than [`flat_map`](Self::flat_map) where most are left out.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["INFO up", "ERROR disk"]], |lines| {
    ///     lines.filter_map(|line| line.strip_prefix("ERROR "))
    /// })?;
    /// assert_eq!(out, [["disk"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn filter_map<U: Data>(&self, f: impl Fn(&T) -> Option<U> + Send + Sync + 'static) -> DStream<U> {
        let f = Arc::new(f);
        self.lift("filter_map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.filter_map(move |record| f(record))
        })
    }

    /// As [`filter_map`](Self::filter_map), with an `f` that can fail.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["7", "", "9"]], |lines| {
    ///     lines.try_filter_map(|line| match *line {
    ///         "" => Ok(None),
    ///         digits => digits.parse::<u8>().map(Some),
    ///     })
    /// })?;
    /// assert_eq!(out, [[7, 9]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_filter_map<U: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<Option<U>, E> + Send + Sync + 'static,
    ) -> DStream<U> {
        let f = Arc::new(f);
        self.lift("try_filter_map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.try_filter_map(move |record| f(record))
        })
    }

    /// Each partition of each batch through `f`, which sees its records as an iterator; called for empty ones too.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2, 3, 4]], |numbers| {
    ///     numbers.map_partitions(|records| [records.sum::<i32>()])
    /// })?;
    /// assert_eq!(out, [[3, 7]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<U, I>(&self, f: impl Fn(Records<T>) -> I + Send + Sync + 'static) -> DStream<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.lift("map_partitions", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map_partitions(move |records| f(records))
        })
    }

    /// As [`map_partitions`](Self::map_partitions), with an `f` that can fail.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["1", "2"]], |lines| {
    ///     lines.try_map_partitions(|records| records.map(str::parse::<i32>).collect::<Result<Vec<_>, _>>())
    /// })?;
    /// assert_eq!(out, [[1, 2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map_partitions<U, I, E>(
        &self,
        f: impl Fn(Records<T>) -> Result<I, E> + Send + Sync + 'static,
    ) -> DStream<U>
    where
        U: Data,
        I: IntoIterator<Item = U>,
        I::IntoIter: 'static,
        E: Into<BoxError>,
    {
        let f = Arc::new(f);
        self.lift("try_map_partitions", move |rdd| {
            let f = Arc::clone(&f);
            rdd.try_map_partitions(move |records| f(records))
        })
    }

    /// One record per partition: the vector of its records; empty partitions give empty vectors.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2, 3]], |numbers| numbers.glom())?;
    /// assert_eq!(out, [[vec![1], vec![2, 3]]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn glom(&self) -> DStream<Vec<T>> {
        self.lift("glom", dstreams_rdd::Rdd::glom)
    }

    /// One number per batch: how many records it has. A batch without a dataset is an error.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!['a', 'b'], vec![]], |letters| letters.count())?;
    /// assert_eq!(out, [[2], [0]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> DStream<u64> {
        let parent = self.clone();
        self.derive("count", move |time, batches| {
            let rdd = parent.require(time, batches)?;
            let counts = rdd.map_partitions(|records| [((), records.count() as u64)]);
            let zero = rdd.context().parallelize_in([((), 0)], 1);
            Ok(Some(counts.union(&zero).reduce_by_key_with(|a, b| a + b, 1).values()))
        })
    }
}

impl<T: Wire> DStream<T> {
    /// Spreads the records of every batch evenly over `partitions` partitions. A batch without a dataset is an error.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2, 3]], |numbers| numbers.repartition(5).glom().count())?;
    /// assert_eq!(out, [[5]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition(&self, partitions: usize) -> Self {
        let parent = self.clone();
        self.derive("repartition", move |time, batches| {
            Ok(Some(parent.require(time, batches)?.repartition(partitions)))
        })
    }

    /// The records of each batch merged into one by `f`, which must be associative and commutative; nothing in an
    /// empty batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2, 3], vec![]], |numbers| numbers.reduce(|a, b| a + b))?;
    /// assert_eq!(out, [vec![6], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Self {
        let f = Arc::new(f);
        self.lift("reduce", move |rdd| {
            let f = Arc::clone(&f);
            rdd.map(|record| ((), record)).reduce_by_key_with(move |a, b| f(a, b), 1).values()
        })
    }
}

impl<T: Key> DStream<T> {
    /// How often each value occurs in a batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let mut out = run_batches(vec![vec!['a', 'b', 'a']], |letters| letters.count_by_value())?;
    /// out[0].sort();
    /// assert_eq!(out, [[('a', 2), ('b', 1)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_value(&self) -> DStream<(T, u64)> {
        let partitions = self.default_partitions();
        self.lift("count_by_value", move |rdd| {
            rdd.map(|record| (record, 1)).reduce_by_key_with(|a, b| a + b, partitions)
        })
    }
}
