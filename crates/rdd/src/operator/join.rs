// SPDX-License-Identifier: Apache-2.0
//! Operations on two keyed datasets: `cogroup` and the joins made of it.

use std::{marker::PhantomData, sync::Arc};

use super::hash_join::HashJoin;
use crate::{
    chunk::BoxChunks,
    error::TaskError,
    lineage::Dependency,
    rdd::Rdd,
    record::{Data, Key, Wire},
    scheduler::task::TaskContext,
    shuffle::{
        Shuffle,
        aggregator::Aggregator,
        partitioning::{Chosen, Partitioning},
        reduce_side::{Grouped, Groups},
        router::ByKey,
    },
};

#[allow(clippy::type_complexity, reason = "a reader wants to see the record type, not a name for it")]
impl<K: Data, V: Data> Rdd<(K, V)> {
    /// For each key of either dataset its values in both. A side that is partitioned like the result is not shuffled.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let both = sc.parallelize([(1, 10), (1, 11)]).cogroup(&sc.parallelize([(1, 'x')]));
    /// assert_eq!(both.collect()?, [(1, (vec![10, 11], vec!['x']))]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn cogroup<W: Wire>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Vec<V>, Vec<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.cogroup_with(other, Partitioning::Default)
    }

    /// As [`cogroup`](Self::cogroup), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rows = sc.parallelize([(1, 'a')]).cogroup_with(&sc.parallelize([(1, 10)]), 3);
    /// assert_eq!((rows.num_partitions(), rows.collect()?), (3, vec![(1, (vec!['a'], vec![10]))]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn cogroup_with<W: Wire>(
        &self,
        other: &Rdd<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, (Vec<V>, Vec<W>))>
    where
        K: Key,
        V: Wire,
    {
        let context = self.context().clone();
        both(self, other, options.into(), "cogroup", move |left, right, partition, task, operator| {
            let mut left = left.chunks(partition, task)?;
            let mut right = right.chunks(partition, task)?;
            let (context, task) = (context.clone(), task.clone());
            Ok(Box::new(Grouped::new(move || {
                let mut groups = Groups::new(&context, &task, operator, |a, b| Ok(append(a, b)));
                groups.add_all(&mut *left, &Left(PhantomData))?;
                groups.add_all(&mut *right, &Right(PhantomData))?;
                groups.into_chunks()
            })))
        })
    }

    /// Every pair of values that the two datasets have for the same key.
    ///
    /// The records of a partition of this dataset are put into a table, in which those of the other one are looked up as
    /// they come: of two datasets the smaller one is better on this side. Rows come in the order of the other's records.
    /// Where memory is short for the table, both sides are grouped by key first, on disk in part, and so are the rows.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let ages = sc.parallelize([(1, 30), (2, 40)]);
    /// let names = sc.parallelize([(1, "ann"), (3, "bob")]).map_values(str::to_owned);
    /// assert_eq!(ages.join(&names).collect()?, [(1, (30, "ann".to_owned()))]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn join<W: Wire>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (V, W))>
    where
        K: Key,
        V: Wire,
    {
        self.join_with(other, Partitioning::Default)
    }

    /// As [`join`](Self::join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rows = sc.parallelize([(1, 'a')]).join_with(&sc.parallelize([(1, 10)]), 3);
    /// assert_eq!((rows.num_partitions(), rows.collect()?), (3, vec![(1, ('a', 10))]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn join_with<W: Wire>(
        &self,
        other: &Rdd<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, (V, W))>
    where
        K: Key,
        V: Wire,
    {
        let context = self.context().clone();
        both(self, other, options.into(), "join", move |left, right, partition, task, operator| {
            let (left, expected) = left.chunks_and_len(partition, task)?;
            let right = right.chunks(partition, task)?;
            Ok(Box::new(HashJoin::new(left, expected, right, &context, task, operator)))
        })
    }

    /// As [`join`](Self::join), and every value of this dataset whose key the other one lacks.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let left = sc.parallelize([(1, 'a'), (2, 'b')]).left_outer_join(&sc.parallelize([(1, 10)]));
    /// let mut rows = left.collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, ('a', Some(10))), (2, ('b', None))]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn left_outer_join<W: Wire>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (V, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.left_outer_join_with(other, Partitioning::Default)
    }

    /// As [`left_outer_join`](Self::left_outer_join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rows = sc.parallelize([(1, 'a')]).left_outer_join_with(&sc.parallelize([(1, 10)]), 3);
    /// assert_eq!((rows.num_partitions(), rows.collect()?), (3, vec![(1, ('a', Some(10)))]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn left_outer_join_with<W: Wire>(
        &self,
        other: &Rdd<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, (V, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.cogroup_with(other, options)
            .flat_map_values(|(left, right)| Product::new(left, present_or_none(right)))
    }

    /// As [`join`](Self::join), and every value of the other dataset whose key this one lacks.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let right = sc.parallelize([(1, 'a')]).right_outer_join(&sc.parallelize([(1, 10), (3, 30)]));
    /// let mut rows = right.collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (Some('a'), 10)), (3, (None, 30))]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn right_outer_join<W: Wire>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Option<V>, W))>
    where
        K: Key,
        V: Wire,
    {
        self.right_outer_join_with(other, Partitioning::Default)
    }

    /// As [`right_outer_join`](Self::right_outer_join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rows = sc.parallelize([(1, 'a')]).right_outer_join_with(&sc.parallelize([(1, 10)]), 3);
    /// assert_eq!((rows.num_partitions(), rows.collect()?), (3, vec![(1, (Some('a'), 10))]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn right_outer_join_with<W: Wire>(
        &self,
        other: &Rdd<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, (Option<V>, W))>
    where
        K: Key,
        V: Wire,
    {
        self.cogroup_with(other, options)
            .flat_map_values(|(left, right)| Product::new(present_or_none(left), right))
    }

    /// As [`join`](Self::join), and every value of either dataset whose key the other one lacks.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let full = sc.parallelize([(1, 'a')]).full_outer_join(&sc.parallelize([(2, 20)]));
    /// let mut rows = full.collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(1, (Some('a'), None)), (2, (None, Some(20)))]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn full_outer_join<W: Wire>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, (Option<V>, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.full_outer_join_with(other, Partitioning::Default)
    }

    /// As [`full_outer_join`](Self::full_outer_join), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rows = sc.parallelize([(1, 'a')]).full_outer_join_with(&sc.parallelize([(1, 10)]), 3);
    /// assert_eq!((rows.num_partitions(), rows.collect()?), (3, vec![(1, (Some('a'), Some(10)))]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn full_outer_join_with<W: Wire>(
        &self,
        other: &Rdd<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, (Option<V>, Option<W>))>
    where
        K: Key,
        V: Wire,
    {
        self.cogroup_with(other, options)
            .flat_map_values(|(left, right)| Product::new(present_or_none(left), present_or_none(right)))
    }
}

/// The dataset that `compute` makes of each partition of two datasets that are partitioned alike, if need be by shuffles.
fn both<K: Key, V: Wire, W: Wire, U: Data>(
    left: &Rdd<(K, V)>,
    right: &Rdd<(K, W)>,
    partitioning: Partitioning<K>,
    operator: &'static str,
    compute: impl Fn(&Side<K, V>, &Side<K, W>, usize, &TaskContext, usize) -> Result<BoxChunks<U>, TaskError>
    + Send
    + Sync
    + 'static,
) -> Rdd<U> {
    let context = left.context();
    let chosen = partitioning.choose(context, &[left.lineage(), right.lineage()]);
    let (left, right) = (Side::new(left, &chosen), Side::new(right, &chosen));
    let dependencies = vec![left.dependency(), right.dependency()];
    let sides = (left.clone(), right.clone());
    let rdd = Rdd::new(
        context,
        operator,
        chosen.partitions,
        Some(chosen.id),
        dependencies,
        move |partition: usize, task: &TaskContext, operator: usize| {
            compute(&sides.0, &sides.1, partition, task, operator)
        },
    );
    left.read_by(&rdd);
    right.read_by(&rdd);
    rdd
}

/// One of the two inputs.
enum Side<K, V> {
    /// Partitioned as wanted already.
    Narrow(Rdd<(K, V)>),
    Shuffled(Arc<Shuffle<(K, V), (K, V)>>),
}

impl<K, V> Clone for Side<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Narrow(rdd) => Self::Narrow(rdd.clone()),
            Self::Shuffled(shuffle) => Self::Shuffled(Arc::clone(shuffle)),
        }
    }
}

impl<K: Key, V: Wire> Side<K, V> {
    fn new(rdd: &Rdd<(K, V)>, chosen: &Chosen<K>) -> Self {
        match chosen.shuffle_for(rdd.lineage()).cloned() {
            None => Self::Narrow(rdd.clone()),
            Some(partitioner) => {
                Self::Shuffled(Shuffle::new(rdd, move |_| Box::new(ByKey::new(&partitioner))))
            }
        }
    }

    fn dependency(&self) -> Dependency {
        match self {
            Self::Narrow(rdd) => Dependency::Narrow(Arc::clone(rdd.lineage())),
            Self::Shuffled(shuffle) => Dependency::Shuffle(Arc::clone(shuffle) as _),
        }
    }

    fn chunks(&self, partition: usize, task: &TaskContext) -> Result<BoxChunks<(K, V)>, TaskError> {
        match self {
            Self::Narrow(rdd) => rdd.chunks(partition, task),
            Self::Shuffled(shuffle) => shuffle.read(partition, task),
        }
    }

    /// As [`chunks`](Self::chunks), and how many records there are, as far as that is known.
    fn chunks_and_len(
        &self,
        partition: usize,
        task: &TaskContext,
    ) -> Result<(BoxChunks<(K, V)>, usize), TaskError> {
        match self {
            Self::Narrow(rdd) => Ok((rdd.chunks(partition, task)?, 0)),
            Self::Shuffled(shuffle) => {
                let reader = shuffle.reader(partition, task)?;
                let len = reader.len_in_memory();
                Ok((Box::new(reader), len))
            }
        }
    }

    fn read_by<U: Data>(&self, reader: &Rdd<U>) {
        if let Self::Shuffled(shuffle) = self {
            shuffle.read_by(reader.lineage());
        }
    }
}

/// Collects the values of the first dataset.
pub(super) struct Left<W>(pub(super) PhantomData<fn() -> W>);

/// Collects the values of the second dataset.
pub(super) struct Right<V>(pub(super) PhantomData<fn() -> V>);

impl<V: Wire, W: Wire> Aggregator<V> for Left<W> {
    type Acc = (Vec<V>, Vec<W>);

    fn create(&self, value: V) -> Result<Self::Acc, TaskError> {
        Ok((vec![value], Vec::new()))
    }

    fn add(&self, mut acc: Self::Acc, value: V) -> Result<Self::Acc, TaskError> {
        acc.0.push(value);
        Ok(acc)
    }

    fn merge(&self, left: Self::Acc, right: Self::Acc) -> Result<Self::Acc, TaskError> {
        Ok(append(left, right))
    }
}

impl<V: Wire, W: Wire> Aggregator<W> for Right<V> {
    type Acc = (Vec<V>, Vec<W>);

    fn create(&self, value: W) -> Result<Self::Acc, TaskError> {
        Ok((Vec::new(), vec![value]))
    }

    fn add(&self, mut acc: Self::Acc, value: W) -> Result<Self::Acc, TaskError> {
        acc.1.push(value);
        Ok(acc)
    }

    fn merge(&self, left: Self::Acc, right: Self::Acc) -> Result<Self::Acc, TaskError> {
        Ok(append(left, right))
    }
}

pub(super) fn append<V, W>(mut first: (Vec<V>, Vec<W>), mut second: (Vec<V>, Vec<W>)) -> (Vec<V>, Vec<W>) {
    first.0.append(&mut second.0);
    first.1.append(&mut second.1);
    first
}

/// All pairs of two lists, without holding them all.
pub(super) struct Product<V, W> {
    left: std::vec::IntoIter<V>,
    current: Option<V>,
    right: Vec<W>,
    next: usize,
}

impl<V, W> Product<V, W> {
    pub(super) fn new(left: Vec<V>, right: Vec<W>) -> Self {
        Self { left: left.into_iter(), current: None, right, next: 0 }
    }
}

impl<V: Clone, W: Clone> Iterator for Product<V, W> {
    type Item = (V, W);

    fn next(&mut self) -> Option<(V, W)> {
        let right = self.right.get(self.next).cloned()?;
        self.next += 1;
        let left = if self.current.is_some() { self.current.clone() } else { self.left.next() };
        if self.next == self.right.len() {
            (self.next, self.current) = (0, None);
        } else {
            self.current.clone_from(&left);
        }
        Some((left?, right))
    }
}

fn present_or_none<T>(values: Vec<T>) -> Vec<Option<T>> {
    if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect() }
}
