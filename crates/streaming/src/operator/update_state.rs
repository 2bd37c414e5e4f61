// SPDX-License-Identifier: Apache-2.0
//! `update_state_by_key`: a state per key that every batch updates, whether the key has values in it or not.

use std::{convert::Infallible, sync::Arc};

use dstreams_rdd::{ArcPartitioner, Data, Key, KeyIndex, Partitioning, Rdd, RddContext, Wire};

use crate::{
    dstream::{DStream, NewStream, node::StreamNode, past::Past},
    error::Result,
    input::Batches,
    time::{Duration, Time},
};

/// How states are kept. Made from a number of partitions, a partitioner or the first states where only that matters.
///
/// ```
/// # use dstreams_streaming::testing::TestContext;
/// use dstreams_streaming::StateOptions;
/// let test = TestContext::new()?.with_checkpoint_dir()?;
/// let first = test.context().rdd_context().parallelize([('a', 10)]);
/// let options = StateOptions { initial: Some(first), ..StateOptions::from(3) };
/// let ones = test.input(vec![vec![('a', 1), ('b', 1)]]);
/// let counts = ones.update_state_by_key_with(|ones, n| Some(n.unwrap_or(0) + ones.len()), options);
/// let seen = test.collect(&counts.glom());
/// test.run(1)?;
/// assert_eq!(seen.batches()[0].len(), 3);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StateOptions<K: 'static, S> {
    /// How the states are partitioned.
    pub partitioning: Partitioning<K>,
    /// The states before the first batch that has data. Keys without values are updated in that batch, too.
    pub initial: Option<Rdd<(K, S)>>,
}

impl<K, S> Default for StateOptions<K, S> {
    fn default() -> Self {
        Partitioning::Default.into()
    }
}

impl<K, S> From<Partitioning<K>> for StateOptions<K, S> {
    fn from(partitioning: Partitioning<K>) -> Self {
        Self { partitioning, initial: None }
    }
}

impl<K, S> From<usize> for StateOptions<K, S> {
    fn from(partitions: usize) -> Self {
        Partitioning::from(partitions).into()
    }
}

impl<K, S> From<ArcPartitioner<K>> for StateOptions<K, S> {
    fn from(partitioner: ArcPartitioner<K>) -> Self {
        Partitioning::from(partitioner).into()
    }
}

impl<K, S> From<Rdd<(K, S)>> for StateOptions<K, S> {
    fn from(initial: Rdd<(K, S)>) -> Self {
        Self { initial: Some(initial), ..Self::default() }
    }
}

impl<K: Key, V: Wire> DStream<(K, V)> {
    /// A state per key. Every batch calls `f` for each key that has values in it or a state from before, with the
    /// values in the order of their coming (none is possible) and the state; what `f` returns is the new state, and
    /// `None` forgets the key. The stream holds the states of all keys after each batch.
    ///
    /// A batch without a dataset updates all states without values. The context needs a checkpoint directory. States are
    /// kept in memory, and on disk where memory is short; the work of a batch grows with the number of all keys.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 1), ('a', 2)], vec![], vec![('a', 3)]], |pairs| {
    ///     pairs.update_state_by_key(|new, sum| Some(sum.unwrap_or(0) + new.iter().sum::<i32>()))
    /// })?;
    /// assert_eq!(out, [[('a', 3)], [('a', 3)], [('a', 6)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key<S: Wire>(
        &self,
        f: impl Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        self.update_state_by_key_with(f, StateOptions::default())
    }

    /// As [`update_state_by_key`](Self::update_state_by_key), with the partitioning of the states or the states to
    /// begin with.
    ///
    /// ```
    /// # use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?.with_checkpoint_dir()?;
    /// let first = test.context().rdd_context().parallelize([('a', 10)]);
    /// let pairs = test.input(vec![vec![('a', 1)]]);
    /// let sums = pairs.update_state_by_key_with(|new, sum| Some(sum.unwrap_or(0) + new.iter().sum::<i32>()), first);
    /// let seen = test.collect(&sums);
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[('a', 11)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key_with<S: Wire>(
        &self,
        f: impl Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
        options: impl Into<StateOptions<K, S>>,
    ) -> DStream<(K, S)> {
        self.update_state_by_key_at_with(move |_, _, values, state| f(values, state), options)
    }

    /// As [`update_state_by_key`](Self::update_state_by_key), with an `f` that also gets the batch time and the key.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 1)], vec![]], |pairs| {
    ///     pairs.update_state_by_key_at(|time, _key, new, last_seen| {
    ///         if new.is_empty() { last_seen } else { Some(time.as_millis()) }
    ///     })
    /// })?;
    /// assert_eq!(out, [[('a', 1000)], [('a', 1000)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key_at<S: Wire>(
        &self,
        f: impl Fn(Time, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        self.update_state_by_key_at_with(f, StateOptions::default())
    }

    /// As [`update_state_by_key_at`](Self::update_state_by_key_at), with the partitioning of the states or the states
    /// to begin with.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 1)]], |pairs| {
    ///     pairs.update_state_by_key_at_with(|time, _, _, _: Option<i64>| Some(time.as_millis()), 1)
    /// })?;
    /// assert_eq!(out, [[('a', 1000)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key_at_with<S: Wire>(
        &self,
        f: impl Fn(Time, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
        options: impl Into<StateOptions<K, S>>,
    ) -> DStream<(K, S)> {
        let (f, index) = (Arc::new(f), KeyIndex::new());
        self.updated(options.into(), move |time, data, states, partitioning| {
            let f = Arc::clone(&f);
            states.evolve_by_key(&[data], &index, partitioning, move |key, state, values| {
                // Most keys have none, and to collect nothing is not free.
                let values = if values.is_empty() { Vec::new() } else { values.collect() };
                Ok::<_, Infallible>(f(time, key, values, state.cloned()))
            })
        })
    }

    /// As [`update_state_by_key`](Self::update_state_by_key), with an `f` that sees all keys of a partition as an
    /// iterator, called for empty partitions too. It gives the new states, may leave keys out and bring new ones; so
    /// the states are moved to the partitions of their keys anew in every batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let mut out = run_batches(vec![vec![('a', 1)], vec![('b', 1), ('a', 1)]], |pairs| {
    ///     pairs.update_state_by_key_partitions(|keys| {
    ///         keys.map(|(key, new, count)| (key, count.unwrap_or(0) + new.len())).collect::<Vec<_>>()
    ///     })
    /// })?;
    /// out[1].sort();
    /// assert_eq!(out, [vec![('a', 1)], vec![('a', 2), ('b', 1)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key_partitions<S, I>(
        &self,
        f: impl Fn(KeyUpdates<K, V, S>) -> I + Send + Sync + 'static,
    ) -> DStream<(K, S)>
    where
        S: Wire,
        I: IntoIterator<Item = (K, S)>,
        I::IntoIter: 'static,
    {
        self.update_state_by_key_partitions_with(f, StateOptions::default())
    }

    /// As [`update_state_by_key_partitions`](Self::update_state_by_key_partitions), with the partitioning of the states
    /// or the states to begin with.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![('a', 1)]], |pairs| {
    ///     pairs.update_state_by_key_partitions_with(
    ///         |keys| keys.map(|(key, new, _)| (key, new.len())).collect::<Vec<_>>(),
    ///         1,
    ///     )
    /// })?;
    /// assert_eq!(out, [[('a', 1)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key_partitions_with<S, I>(
        &self,
        f: impl Fn(KeyUpdates<K, V, S>) -> I + Send + Sync + 'static,
        options: impl Into<StateOptions<K, S>>,
    ) -> DStream<(K, S)>
    where
        S: Wire,
        I: IntoIterator<Item = (K, S)>,
        I::IntoIter: 'static,
    {
        let f = Arc::new(f);
        self.updated(options.into(), move |_, data, states, partitioning| {
            let f = Arc::clone(&f);
            data.cogroup_with(states, partitioning).map_partitions(move |groups| {
                f(Box::new(groups.map(|(key, (values, states))| (key, values, states.into_iter().next()))))
            })
        })
    }

    /// The shared form of all variants.
    #[track_caller]
    fn updated<S: Wire>(
        &self,
        options: StateOptions<K, S>,
        update: impl Fn(Time, Rdd<(K, V)>, &Rdd<(K, S)>, Partitioning<K>) -> Rdd<(K, S)> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        let new = NewStream {
            operator: "update_state_by_key",
            slide: self.slide(),
            parents: vec![self.any_node()],
            reach: Duration::ZERO,
            checkpoint: None,
        };
        DStream::from_past(self.scope(), new, |past| StateNode {
            context: self.rdd_context().clone(),
            parent: self.clone(),
            partitioning: self.partitioning(options.partitioning),
            initial: options.initial,
            update,
            past,
        })
    }
}

/// The keys of a partition, each with its values in the batch and its state.
pub type KeyUpdates<K, V, S> = Box<dyn Iterator<Item = (K, Vec<V>, Option<S>)>>;

/// The states after each batch, made from those after the batch before.
struct StateNode<K: 'static, V, S, F> {
    context: RddContext,
    parent: DStream<(K, V)>,
    partitioning: Partitioning<K>,
    initial: Option<Rdd<(K, S)>>,
    update: F,
    past: Past<(K, S)>,
}

impl<K, V, S, F> StreamNode<(K, S)> for StateNode<K, V, S, F>
where
    K: Key,
    V: Wire,
    S: Wire,
    F: Fn(Time, Rdd<(K, V)>, &Rdd<(K, S)>, Partitioning<K>) -> Rdd<(K, S)> + Send + Sync,
{
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<(K, S)>>> {
        // A batch that is forgotten or never was ends the way back to the first one.
        if batches.get(time).is_none() {
            return Ok(None);
        }
        let before = self.past.before(time, batches)?.map(|(_, states)| states);
        let data = self.parent.rdd_at(time, batches)?;
        let states = match (before, &data, &self.initial) {
            (Some(states), _, _) => states,
            (None, None, _) => return Ok(None),
            (None, Some(_), Some(initial)) => initial.clone(),
            (None, Some(_), None) => nothing(&self.context),
        };
        let data = data.unwrap_or_else(|| nothing(&self.context));
        Ok(Some((self.update)(time, data, &states, self.partitioning.clone())))
    }
}

fn nothing<T: Data>(context: &RddContext) -> Rdd<T> {
    context.parallelize_in(Vec::new(), 1)
}
