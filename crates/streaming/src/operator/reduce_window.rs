// SPDX-License-Identifier: Apache-2.0
//! Windows that are made from the window before: what has entered is added, what has left is taken back.

use std::{fmt, sync::Arc};

use dstreams_rdd::{ArcPartitioner, Data, Key, KeyIndex, KeyValues, Partitioning, Rdd, RddContext, Wire};
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use crate::{
    dstream::{
        DStream, NewStream,
        node::{Keeps, StreamNode},
        past::Past,
    },
    error::Result,
    input::Batches,
    time::{Duration, Interval, Time},
};

impl<K: Key, V: Wire> DStream<(K, V)> {
    /// The values of each key in the last `length` merged into one by `f`, every `slide`, where `inverse` undoes `f`:
    /// `inverse(f(a, b), a)` must equal `b`. The values are those of
    /// [`reduce_by_key_and_window`](Self::reduce_by_key_and_window), but each window is made from the one before: by
    /// `f` with the batches that have entered it, after `inverse` with those that have left it. So the work does not
    /// grow with the length of the window.
    ///
    /// A key stays for ever, with what is left when all has been taken back, such as a sum of zero, unless a
    /// [filter](ReducedWindowOptions::filter) drops it.
    ///
    /// The context needs a checkpoint directory. `length` and `slide` must be multiples of the slide of this stream.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![('a', 1), ('a', 2)], vec![('a', 3)], vec![], vec![]], |pairs| {
    ///     pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [[('a', 3)], [('a', 6)], [('a', 3)], [('a', 0)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_inverse(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
        length: Duration,
        slide: Duration,
    ) -> Self {
        self.reduce_by_key_and_window_inverse_with(f, inverse, length, slide, ReducedWindowOptions::default())
    }

    /// As [`reduce_by_key_and_window_inverse`](Self::reduce_by_key_and_window_inverse), with the partitioning of the
    /// result or a condition for keys to stay.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// use dstreams_streaming::ReducedWindowOptions;
    /// let out = run_batches(vec![vec![('a', 1)], vec![], vec![]], |pairs| {
    ///     let options = ReducedWindowOptions::from(2).filter(|(_, sum)| *sum != 0);
    ///     pairs.reduce_by_key_and_window_inverse_with(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1), options)
    /// })?;
    /// assert_eq!(out, [vec![('a', 1)], vec![('a', 1)], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_inverse_with(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
        length: Duration,
        slide: Duration,
        options: impl Into<ReducedWindowOptions<K, V>>,
    ) -> Self {
        let ReducedWindowOptions { partitioning, filter } = options.into();
        let partitioning = self.partitioning(partitioning);
        let frame = Frame::of_reduced(self, length, slide);
        let f = Arc::new(f);
        let in_batch = Arc::clone(&f);
        let reduced = self.reduce_by_key_with(move |a, b| in_batch(a, b), partitioning.clone());
        // On disk where memory is short: what leaves a window was made long ago, and from more than itself.
        reduced.persist_by_default();
        let new = NewStream {
            operator: "reduce_by_key_and_window",
            slide,
            parents: vec![reduced.any_node()],
            reach: length,
            checkpoint: None,
        };
        DStream::from_past(self.scope(), new, |past| ReducedWindowNode {
            context: self.rdd_context().clone(),
            reduced,
            frame,
            partitioning,
            f,
            inverse: Arc::new(inverse),
            filter,
            past,
            index: KeyIndex::new(),
        })
    }
}

impl<T: Wire> DStream<T> {
    /// The records of the last `length` merged into one by `f`, every `slide`, where `inverse` undoes `f`. Each window
    /// is made from the one before, as in
    /// [`reduce_by_key_and_window_inverse`](DStream::reduce_by_key_and_window_inverse), which says more. Nothing before
    /// the first record; later an empty window gives what is left when all has been taken back.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec![], vec![1, 5], vec![2], vec![], vec![]], |numbers| {
    ///     numbers.reduce_by_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [vec![], vec![6], vec![8], vec![2], vec![0]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_window_inverse(
        &self,
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
        inverse: impl Fn(T, T) -> T + Send + Sync + 'static,
        length: Duration,
        slide: Duration,
    ) -> Self {
        self.map(|record| ((), record))
            .reduce_by_key_and_window_inverse_with(f, inverse, length, slide, 1)
            .map(|((), value)| value)
    }
}

impl<T: Data> DStream<T> {
    /// How many records there are in the last `length`, every `slide`. Nothing before the first record, later 0 for an
    /// empty window. Made by [`reduce_by_window_inverse`](DStream::reduce_by_window_inverse); the context needs a
    /// checkpoint directory.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec!['a', 'b'], vec!['a'], vec![], vec![]], |letters| {
    ///     letters.count_by_window(seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [[2], [3], [1], [0]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_window(&self, length: Duration, slide: Duration) -> DStream<u64> {
        self.map(|_| 1).reduce_by_window_inverse(|a, b| a + b, |a, b| a - b, length, slide)
    }
}

impl<T: Key> DStream<T> {
    /// How often each value occurs in the last `length`, every `slide`. Made by
    /// [`reduce_by_key_and_window_inverse`](DStream::reduce_by_key_and_window_inverse); the context needs a checkpoint
    /// directory.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec!['a', 'a'], vec!['a'], vec![], vec![]], |letters| {
    ///     letters.count_by_value_and_window(seconds(2), seconds(1))
    /// })?;
    /// assert_eq!(out, [vec![('a', 2)], vec![('a', 3)], vec![('a', 1)], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_value_and_window(&self, length: Duration, slide: Duration) -> DStream<(T, u64)> {
        self.count_by_value_and_window_with(length, slide, Partitioning::Default)
    }

    /// As [`count_by_value_and_window`](Self::count_by_value_and_window), with a number of partitions or a partitioner
    /// for the result.
    ///
    /// ```
    /// # use dstreams_streaming::{testing::run_batches, time::seconds};
    /// let out = run_batches(vec![vec!['a']], |letters| {
    ///     letters.count_by_value_and_window_with(seconds(2), seconds(1), 3).glom().count()
    /// })?;
    /// assert_eq!(out, [[3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_value_and_window_with(
        &self,
        length: Duration,
        slide: Duration,
        options: impl Into<Partitioning<T>>,
    ) -> DStream<(T, u64)> {
        let options = ReducedWindowOptions::from(options.into()).filter(|(_, count)| *count != 0);
        self.map(|value| (value, 1)).reduce_by_key_and_window_inverse_with(
            |a, b| a + b,
            |a, b| a - b,
            length,
            slide,
            options,
        )
    }
}

/// A condition on a key and its value.
type PairFilter<K, V> = Arc<dyn Fn(&(K, V)) -> bool + Send + Sync>;

/// How windows with an inverse are kept. Made from a number of partitions or a partitioner where only that matters.
///
/// ```
/// use dstreams_streaming::ReducedWindowOptions;
/// let options = ReducedWindowOptions::<String, u64>::from(4).filter(|(_, count)| *count != 0);
/// ```
#[derive(Clone)]
pub struct ReducedWindowOptions<K: 'static, V: 'static> {
    /// How the values are partitioned.
    pub partitioning: Partitioning<K>,
    filter: Option<PairFilter<K, V>>,
}

impl<K, V> ReducedWindowOptions<K, V> {
    /// Keys stay only while `keep` holds. It must be false just when nothing of the key is left in the window, as for
    /// a count of zero: a key that is dropped before would fail the batch, or start anew, when it is seen again.
    #[must_use]
    pub fn filter(self, keep: impl Fn(&(K, V)) -> bool + Send + Sync + 'static) -> Self {
        Self { filter: Some(Arc::new(keep)), ..self }
    }
}

impl<K, V> fmt::Debug for ReducedWindowOptions<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReducedWindowOptions")
            .field("partitioning", &self.partitioning)
            .field("has_filter", &self.filter.is_some())
            .finish()
    }
}

impl<K, V> Default for ReducedWindowOptions<K, V> {
    fn default() -> Self {
        Partitioning::Default.into()
    }
}

impl<K, V> From<Partitioning<K>> for ReducedWindowOptions<K, V> {
    fn from(partitioning: Partitioning<K>) -> Self {
        Self { partitioning, filter: None }
    }
}

impl<K, V> From<usize> for ReducedWindowOptions<K, V> {
    fn from(partitions: usize) -> Self {
        Partitioning::from(partitions).into()
    }
}

impl<K, V> From<ArcPartitioner<K>> for ReducedWindowOptions<K, V> {
    fn from(partitioner: ArcPartitioner<K>) -> Self {
        Partitioning::from(partitioner).into()
    }
}

/// The windows of a stream of batches that are reduced already.
struct ReducedWindowNode<K: 'static, V: 'static, F, I> {
    context: RddContext,
    reduced: DStream<(K, V)>,
    frame: Frame,
    partitioning: Partitioning<K>,
    f: Arc<F>,
    inverse: Arc<I>,
    filter: Option<PairFilter<K, V>>,
    past: Past<(K, V)>,
    index: KeyIndex<K, V>,
}

/// What happened to a key between two windows.
#[derive(Clone, Serialize, Deserialize)]
enum Change<V> {
    /// This has left the window.
    Left(V),
    /// This has entered it.
    Entered(V),
}

impl<K, V, F, I> StreamNode<(K, V)> for ReducedWindowNode<K, V, F, I>
where
    K: Key,
    V: Wire,
    F: Fn(V, V) -> V + Send + Sync + 'static,
    I: Fn(V, V) -> V + Send + Sync + 'static,
{
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<(K, V)>>> {
        // A batch that is forgotten or never was ends the way back to the first one.
        if batches.get(time).is_none() {
            return Ok(None);
        }
        let before = self.past.before(time, batches)?;
        let (left, entered) = match &before {
            Some((before, _)) => {
                let shift = self.frame.shift(*before, time);
                (self.datasets(shift.left, batches)?, self.datasets(shift.entered, batches)?)
            }
            None => (Vec::new(), self.datasets(self.frame.at(time), batches)?),
        };
        Ok(Some(self.shifted(before.as_ref().map(|(_, window)| window), &left, &entered)))
    }

    fn keeps(&self) -> Keeps<'_, (K, V)> {
        Keeps::Both(&self.reduced)
    }
}

impl<K, V, F, I> ReducedWindowNode<K, V, F, I>
where
    K: Key,
    V: Wire,
    F: Fn(V, V) -> V + Send + Sync + 'static,
    I: Fn(V, V) -> V + Send + Sync + 'static,
{
    fn datasets(&self, span: Interval, batches: &Batches) -> Result<Vec<Rdd<(K, V)>>> {
        self.frame.datasets(&self.reduced, span, batches)
    }

    /// The window that `before` becomes. All datasets are partitioned alike, so that nothing is shuffled, and those of
    /// one kind are merged in the order of their batches.
    fn shifted(
        &self,
        before: Option<&Rdd<(K, V)>>,
        left: &[Rdd<(K, V)>],
        entered: &[Rdd<(K, V)>],
    ) -> Rdd<(K, V)> {
        let nothing = || self.context.parallelize_in(Vec::new(), 1);
        let before = before.cloned().unwrap_or_else(nothing);
        let left = left.iter().map(|rdd| rdd.map_values(Change::Left));
        let entered = entered.iter().map(|rdd| rdd.map_values(Change::Entered));
        let changes: Vec<_> = left.chain(entered).collect();
        let (f, inverse, filter) = (Arc::clone(&self.f), Arc::clone(&self.inverse), self.filter.clone());
        let window = move |key: &K, before: Option<&V>, changes: KeyValues<'_, Change<V>>| {
            let value = value(before, changes, &*f, &*inverse).ok_or(NO_VALUE)?;
            let Some(keep) = &filter else { return Ok(Some(value)) };
            let pair = (key.clone(), value);
            Ok::<_, &str>(keep(&pair).then_some(pair.1))
        };
        before.evolve_by_key(&changes, &self.index, self.partitioning.clone(), window)
    }
}

const NO_VALUE: &str = "Neither previous window has value for key, nor new values found. Are you sure your key class hashes consistently?";

/// The value of a key in the present window. What has left a key without a value before has been dropped with the key.
#[inline]
fn value<V: Clone>(
    before: Option<&V>,
    changes: impl Iterator<Item = Change<V>>,
    f: impl Fn(V, V) -> V,
    inverse: impl Fn(V, V) -> V,
) -> Option<V> {
    let (mut left, mut entered) = (None, None);
    for change in changes {
        match change {
            Change::Left(value) => left = merge(left, Some(value), &f),
            Change::Entered(value) => entered = merge(entered, Some(value), &f),
        }
    }
    let kept = before.cloned().map(|before| match left {
        Some(left) => inverse(before, left),
        None => before,
    });
    merge(kept, entered, f)
}

fn merge<V>(first: Option<V>, later: Option<V>, f: impl Fn(V, V) -> V) -> Option<V> {
    match (first, later) {
        (Some(first), Some(later)) => Some(f(first, later)),
        (first, later) => first.or(later),
    }
}
