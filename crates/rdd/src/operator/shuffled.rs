// SPDX-License-Identifier: Apache-2.0
//! Operations that move records between partitions without merging values: `distinct`, `repartition`, `partition_by`,
//! `subtract`, `intersection`.

use std::sync::Arc;

use crate::{
    error::TaskError,
    lineage::Dependency,
    partitioner::{ArcPartitioner, PartitionerId},
    rdd::Rdd,
    record::{Data, Key, Wire},
    scheduler::task::TaskContext,
    shuffle::{
        Shuffle,
        aggregator::Reduce,
        partitioning::Partitioning,
        router::{ByKey, InTurn, Router},
    },
};

impl<T: Data> Rdd<T> {
    /// Each record once, however often it occurs.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let mut letters = sc.parallelize(['b', 'a', 'b']).distinct().collect()?;
    /// letters.sort();
    /// assert_eq!(letters, ['a', 'b']);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn distinct(&self) -> Rdd<T>
    where
        T: Key,
    {
        self.distinct_with(Partitioning::Default)
    }

    /// As [`distinct`](Self::distinct), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let letters = sc.parallelize(['b', 'b']).distinct_with(3);
    /// assert_eq!((letters.num_partitions(), letters.collect()?), (3, vec!['b']));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn distinct_with(&self, options: impl Into<Partitioning<T>>) -> Rdd<T>
    where
        T: Key,
    {
        let first = Reduce(|(), ()| Ok::<_, TaskError>(()));
        self.as_keys().combine("distinct", first, options.into().into()).keys()
    }

    /// The records of this dataset that the other one lacks; repeated ones stay repeated.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rest = sc.parallelize([1, 2, 2, 3]).subtract(&sc.parallelize([3, 1]));
    /// assert_eq!(rest.collect()?, [2, 2]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn subtract(&self, other: &Rdd<T>) -> Rdd<T>
    where
        T: Key,
    {
        self.subtract_with(other, Partitioning::Default)
    }

    /// As [`subtract`](Self::subtract), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rest = sc.parallelize([1, 2, 2]).subtract_with(&sc.parallelize([1]), 3);
    /// assert_eq!((rest.num_partitions(), rest.collect()?), (3, vec![2, 2]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn subtract_with(&self, other: &Rdd<T>, options: impl Into<Partitioning<T>>) -> Rdd<T>
    where
        T: Key,
    {
        self.as_keys().subtract_by_key_with(&other.as_keys(), options).keys()
    }

    /// The records that both datasets have, each once.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let both = sc.parallelize([1, 2, 2, 3]).intersection(&sc.parallelize([2, 4]));
    /// assert_eq!(both.collect()?, [2]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn intersection(&self, other: &Rdd<T>) -> Rdd<T>
    where
        T: Key,
    {
        self.intersection_with(other, Partitioning::Default)
    }

    /// As [`intersection`](Self::intersection), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let both = sc.parallelize([1, 2, 2]).intersection_with(&sc.parallelize([2]), 3);
    /// assert_eq!((both.num_partitions(), both.collect()?), (3, vec![2]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn intersection_with(&self, other: &Rdd<T>, options: impl Into<Partitioning<T>>) -> Rdd<T>
    where
        T: Key,
    {
        let sides = self.as_keys().cogroup_with(&other.as_keys(), options);
        sides.filter(|(_, (left, right))| !left.is_empty() && !right.is_empty()).keys()
    }

    /// The same records in `partitions` partitions of about equal size, by a shuffle; zero is taken as one.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let spread = sc.parallelize_in(1..=10, 1).repartition(5);
    /// assert_eq!(spread.glom().map(|part| part.len()).collect()?, [2; 5]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn repartition(&self, partitions: usize) -> Rdd<T>
    where
        T: Wire,
    {
        let partitions = partitions.max(1);
        self.redistribute("repartition", partitions, None, move |map_partition| {
            Box::new(InTurn::new(map_partition, partitions))
        })
    }

    fn as_keys(&self) -> Rdd<(T, ())> {
        self.map(|record| (record, ()))
    }

    /// The same records, each in the partition that the router of its map partition chooses.
    fn redistribute(
        &self,
        operator: &'static str,
        partitions: usize,
        partitioner: Option<PartitionerId>,
        new_router: impl Fn(usize) -> Box<dyn Router<T, T>> + Send + Sync + 'static,
    ) -> Rdd<T>
    where
        T: Wire,
    {
        let shuffle = Shuffle::new(self, new_router);
        let source = Arc::clone(&shuffle);
        let rdd = Rdd::new(
            self.context(),
            operator,
            partitions,
            partitioner,
            vec![Dependency::Shuffle(Arc::clone(&shuffle) as _)],
            move |partition: usize, task: &TaskContext, _operator: usize| source.read(partition, task),
        );
        shuffle.read_by(rdd.lineage());
        rdd
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// The same pairs, each in the partition of its key; nothing moves if they are there already.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use dstreams_rdd::HashPartitioner;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([(7, 'a'), (8, 'b'), (7, 'c')]);
    /// let placed = pairs.partition_by(Arc::new(HashPartitioner::new(4)));
    /// assert_eq!(placed.num_partitions(), 4);
    /// assert_eq!(placed.reduce_by_key(|a, b| a.max(b)).partitioner(), placed.partitioner());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn partition_by(&self, partitioner: ArcPartitioner<K>) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        let id = partitioner.id();
        if self.partitioner() == Some(&id) {
            return self.clone();
        }
        self.redistribute("partition_by", partitioner.partitions(), Some(id), move |_| {
            Box::new(ByKey::new(&partitioner))
        })
    }

    /// The pairs whose key the other dataset lacks; repeated ones stay repeated.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rest = sc.parallelize([(1, 'a'), (2, 'b')]).subtract_by_key(&sc.parallelize([(1, 0.5)]));
    /// assert_eq!(rest.collect()?, [(2, 'b')]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn subtract_by_key<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        self.subtract_by_key_with(other, Partitioning::Default)
    }

    /// As [`subtract_by_key`](Self::subtract_by_key), with a number of partitions or a partitioner for the result.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rest = sc.parallelize([(1, 'a'), (2, 'b')]).subtract_by_key_with(&sc.parallelize([(1, 0.5)]), 3);
    /// assert_eq!((rest.num_partitions(), rest.collect()?), (3, vec![(2, 'b')]));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn subtract_by_key_with<W: Data>(
        &self,
        other: &Rdd<(K, W)>,
        options: impl Into<Partitioning<K>>,
    ) -> Rdd<(K, V)>
    where
        K: Key,
        V: Wire,
    {
        self.cogroup_with(&other.map_values(|_| ()), options)
            .flat_map_values(|(values, others)| if others.is_empty() { values } else { Vec::new() })
    }
}
