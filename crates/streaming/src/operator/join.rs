// SPDX-License-Identifier: Apache-2.0
//! Operations on the same batch of two streams of pairs: `cogroup` and the joins.

use dstreams_rdd::{Data, Key, Partitioning, Wire};

use crate::dstream::DStream;

#[allow(clippy::type_complexity, reason = "a reader wants to see the record type, not a name for it")]
impl<K: Data, V: Data> DStream<(K, V)> {
    /// For each key that either stream has in a batch its values in both. Both streams must have the same slide; a batch
    /// in which one has no dataset is an error.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a'), (1, 'b')]], |pairs| {
    ///     pairs.cogroup(&pairs.filter(|(_, letter)| *letter == 'b').map_values(|_| 10))
    /// })?;
    /// assert_eq!(out, [[(1, (vec!['a', 'b'], vec![10]))]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup<W: Wire>(&self, other: &DStream<(K, W)>) -> DStream<(K, (Vec<V>, Vec<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.cogroup_with(other, Partitioning::Default)
    }

    /// As [`cogroup`](Self::cogroup), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| {
    ///     pairs.cogroup_with(&pairs.map_values(|_| 10), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup_with<W: Wire>(
        &self,
        other: &DStream<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> DStream<(K, (Vec<V>, Vec<W>))>
    where
        K: Key,
        V: Wire,
    {
        let partitioning = self.partitioning(options);
        self.combine("cogroup", other, move |left, right, _| left.cogroup_with(&right, partitioning.clone()))
    }

    /// Every pair of values that the two streams have for the same key in a batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a'), (2, 'b')]], |pairs| {
    ///     pairs.join(&pairs.filter(|(key, _)| *key == 2).map_values(|_| 20))
    /// })?;
    /// assert_eq!(out, [[(2, ('b', 20))]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn join<W: Wire>(&self, other: &DStream<(K, W)>) -> DStream<(K, (V, W))>
    where
        K: Key,
        V: Wire,
    {
        self.join_with(other, Partitioning::Default)
    }

    /// As [`join`](Self::join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| {
    ///     pairs.join_with(&pairs.map_values(|_| 10), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn join_with<W: Wire>(
        &self,
        other: &DStream<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> DStream<(K, (V, W))>
    where
        K: Key,
        V: Wire,
    {
        let partitioning = self.partitioning(options);
        self.combine("join", other, move |left, right, _| left.join_with(&right, partitioning.clone()))
    }

    /// As [`join`](Self::join), and every value of this stream whose key the other one lacks in the batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let mut out = run_batches(vec![vec![(1, 'a'), (2, 'b')]], |pairs| {
    ///     pairs.left_outer_join(&pairs.filter(|(key, _)| *key == 2).map_values(|_| 20))
    /// })?;
    /// out[0].sort();
    /// assert_eq!(out, [[(1, ('a', None)), (2, ('b', Some(20)))]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn left_outer_join<W: Wire>(&self, other: &DStream<(K, W)>) -> DStream<(K, (V, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.left_outer_join_with(other, Partitioning::Default)
    }

    /// As [`left_outer_join`](Self::left_outer_join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| {
    ///     pairs.left_outer_join_with(&pairs.map_values(|_| 10), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn left_outer_join_with<W: Wire>(
        &self,
        other: &DStream<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> DStream<(K, (V, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        let partitioning = self.partitioning(options);
        self.combine("left_outer_join", other, move |left, right, _| {
            left.left_outer_join_with(&right, partitioning.clone())
        })
    }

    /// As [`join`](Self::join), and every value of the other stream whose key this one lacks in the batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let mut out = run_batches(vec![vec![(1, 'a'), (2, 'b')]], |pairs| {
    ///     pairs.filter(|(key, _)| *key == 2).right_outer_join(&pairs.map_values(|_| 0))
    /// })?;
    /// out[0].sort();
    /// assert_eq!(out, [[(1, (None, 0)), (2, (Some('b'), 0))]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn right_outer_join<W: Wire>(&self, other: &DStream<(K, W)>) -> DStream<(K, (Option<V>, W))>
    where
        K: Key,
        V: Wire,
    {
        self.right_outer_join_with(other, Partitioning::Default)
    }

    /// As [`right_outer_join`](Self::right_outer_join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| {
    ///     pairs.right_outer_join_with(&pairs.map_values(|_| 10), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn right_outer_join_with<W: Wire>(
        &self,
        other: &DStream<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> DStream<(K, (Option<V>, W))>
    where
        K: Key,
        V: Wire,
    {
        let partitioning = self.partitioning(options);
        self.combine("right_outer_join", other, move |left, right, _| {
            left.right_outer_join_with(&right, partitioning.clone())
        })
    }

    /// As [`join`](Self::join), and every value of either stream whose key the other one lacks in the batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let mut out = run_batches(vec![vec![(1, 'a'), (2, 'b')]], |pairs| {
    ///     let (one, two) = (pairs.filter(|(key, _)| *key == 1), pairs.filter(|(key, _)| *key == 2));
    ///     one.full_outer_join(&two)
    /// })?;
    /// out[0].sort();
    /// assert_eq!(out, [[(1, (Some('a'), None)), (2, (None, Some('b')))]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn full_outer_join<W: Wire>(&self, other: &DStream<(K, W)>) -> DStream<(K, (Option<V>, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.full_outer_join_with(other, Partitioning::Default)
    }

    /// As [`full_outer_join`](Self::full_outer_join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| {
    ///     pairs.full_outer_join_with(&pairs.map_values(|_| 10), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn full_outer_join_with<W: Wire>(
        &self,
        other: &DStream<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> DStream<(K, (Option<V>, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        let partitioning = self.partitioning(options);
        self.combine("full_outer_join", other, move |left, right, _| {
            left.full_outer_join_with(&right, partitioning.clone())
        })
    }
}
