// SPDX-License-Identifier: Apache-2.0
//! `window`, and what is computed anew for every window: reductions and groups.

use std::sync::Arc;

use dstreams_rdd::{Data, Key, Partitioning, Rdd, RddContext, Wire};

use super::{frame::Frame, pair::appended};
use crate::{
    dstream::{
        DStream, NewStream,
        node::{Keeps, StreamNode},
    },
    error::Result,
    input::Batches,
    time::{Duration, Time},
};

impl<T: Data> DStream<T> {
    /// The records of the last `length`, anew in every batch. As [`window_with`](Self::window_with) with the slide of
    /// this stream.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![1], vec![2], vec![3]], |numbers| numbers.window(seconds(2)))?;
    /// assert_eq!(out, [vec![1], vec![1, 2], vec![2, 3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn window(&self, length: Duration) -> Self {
        self.window_with(length, self.slide())
    }

    /// The records of the last `length`, every `slide`: of the batches that ended within it, the present one included
    /// and the one `length` ago not, oldest first.
    ///
    /// Both must be multiples of the slide of this stream; windows overlap where `length` is more than `slide`, and
    /// batches are left out where it is less. The first windows hold what there is, and a window always has a dataset,
    /// if an empty one.
    ///
    /// The batches of this stream are remembered as long as they are needed, and [cached](Self::cache) unless another
    /// storage level is set. A storage level that is set for a window is one for them, too: windows repeat their
    /// records and are not kept themselves.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let input = vec![vec![1], vec![2], vec![3], vec![4]];
    /// let out = run_batches(input, |numbers| numbers.window_with(seconds(3), seconds(2)))?;
    /// assert_eq!(out, [vec![1, 2], vec![2, 3, 4]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn window_with(&self, length: Duration, slide: Duration) -> Self {
        let frame = Frame::of(self, length, slide);
        let new = NewStream {
            operator: "window",
            slide,
            parents: vec![self.any_node()],
            reach: length,
            checkpoint: None,
        };
        let context = self.rdd_context().clone();
        let stream = DStream::new(self.scope(), new, WindowNode { context, parent: self.clone(), frame });
        stream.cache_by_default();
        stream
    }
}

impl<T: Wire> DStream<T> {
    /// The records of the last `length` merged into one by `f`, every `slide`; nothing when there are none. `f` must be
    /// associative and commutative. Each batch is reduced once, each window from the results.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![1, 5], vec![2], vec![3]], |numbers| {
    ///     numbers.reduce_by_window(|a, b| a.max(b), seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [[5], [5], [3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_window(
        &self,
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
        length: Duration,
        slide: Duration,
    ) -> Self {
        let f = Arc::new(f);
        let in_batch = Arc::clone(&f);
        self.reduce(move |a, b| in_batch(a, b)).window_with(length, slide).reduce(move |a, b| f(a, b))
    }
}

impl<K: Key, V: Wire> DStream<(K, V)> {
    /// The values of each key in the last `length` merged into one by `f`, every `slide`. `f` must be associative and
    /// commutative. Each batch is reduced once, each window from the results of its batches: where windows are much
    /// longer than their slide,
    /// [`reduce_by_key_and_window_inverse`](Self::reduce_by_key_and_window_inverse) does less.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![('a', 1), ('a', 2)], vec![('a', 3)], vec![], vec![]], |pairs| {
    ///     pairs.reduce_by_key_and_window(|a, b| a + b, seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [vec![('a', 3)], vec![('a', 6)], vec![('a', 3)], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        length: Duration,
        slide: Duration,
    ) -> Self {
        self.reduce_by_key_and_window_with(f, length, slide, Partitioning::Default)
    }

    /// As [`reduce_by_key_and_window`](Self::reduce_by_key_and_window), with a number of partitions or a partitioner for
    /// the result.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![(1, 1)], vec![(1, 2)]], |pairs| {
    ///     let sums = pairs.reduce_by_key_and_window_with(|a, b| a + b, seconds(2), seconds(2), 3);
    ///     sums.map_partitions(|sums| [sums.count()])
    /// })?;
    /// assert_eq!((out[0].len(), out[0].iter().sum::<usize>()), (3, 1));
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_with(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        length: Duration,
        slide: Duration,
        options: impl Into<Partitioning<K>>,
    ) -> Self {
        let f = Arc::new(f);
        let in_batch = Arc::clone(&f);
        let partitioning = self.partitioning(options);
        // Batches that are partitioned alike are still so in a window: only the first reduction shuffles.
        self.reduce_by_key_with(move |a, b| in_batch(a, b), partitioning.clone())
            .window_with(length, slide)
            .reduce_by_key_with(move |a, b| f(a, b), partitioning)
    }

    /// The values of each key in the last `length` as a vector, oldest batch first, every `slide`.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![(1, 'a'), (1, 'b')], vec![(1, 'c')]], |pairs| {
    ///     pairs.group_by_key_and_window(seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [[(1, vec!['a', 'b'])], [(1, vec!['a', 'b', 'c'])]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key_and_window(&self, length: Duration, slide: Duration) -> DStream<(K, Vec<V>)> {
        self.group_by_key_and_window_with(length, slide, Partitioning::Default)
    }

    /// As [`group_by_key_and_window`](Self::group_by_key_and_window), with a number of partitions or a partitioner for
    /// the result.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![(1, 'a')]], |pairs| {
    ///     pairs.group_by_key_and_window_with(seconds(2), seconds(1), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key_and_window_with(
        &self,
        length: Duration,
        slide: Duration,
        options: impl Into<Partitioning<K>>,
    ) -> DStream<(K, Vec<V>)> {
        let partitioning = self.partitioning(options);
        self.group_by_key_with(partitioning.clone()).window_with(length, slide).combine_by_key_with(
            |values| values,
            appended,
            appended,
            partitioning,
        )
    }
}

/// The datasets of a window in one.
struct WindowNode<T> {
    context: RddContext,
    parent: DStream<T>,
    frame: Frame,
}

impl<T: Data> StreamNode<T> for WindowNode<T> {
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<T>>> {
        // What is missing of a batch that is forgotten or still to come must not pass for an empty window.
        if batches.get(time).is_none() {
            return Ok(None);
        }
        let rdds = self.frame.datasets(&self.parent, self.frame.at(time), batches)?;
        Ok(Some(self.context.union(rdds)))
    }

    fn keeps(&self) -> Keeps<'_, T> {
        Keeps::Instead(&self.parent)
    }
}
