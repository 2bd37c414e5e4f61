// SPDX-License-Identifier: Apache-2.0
//! Actions that answer by key: `count_by_key`, `count_by_value`, `lookup`, `collect_as_map`.

use std::collections::HashMap;

use crate::{
    chunk::for_each_slice,
    error::Result,
    partitioner::{HashPartitioner, Partitioner, PartitionerId, key_hash},
    rdd::Rdd,
    record::{Data, Key},
};

impl<T: Data> Rdd<T> {
    /// How often each record occurs. The answer must fit in the driver's memory.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(['a', 'b', 'a']).count_by_value()?[&'a'], 2);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn count_by_value(&self) -> Result<HashMap<T, u64>>
    where
        T: Key,
    {
        self.map(|record| (record, 1)).reduce_by_key(|a, b| a + b).collect_as_map()
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// How many pairs each key has. The answer must fit in the driver's memory.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([('a', 0.5), ('a', 1.5)]).count_by_key()?[&'a'], 2);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn count_by_key(&self) -> Result<HashMap<K, u64>>
    where
        K: Key,
    {
        self.map_values(|_| 1).reduce_by_key(|a, b| a + b).collect_as_map()
    }

    /// The pairs as a map; of pairs with equal keys the last one stays.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([('a', 1), ('b', 2)]).collect_as_map()?[&'b'], 2);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn collect_as_map(&self) -> Result<HashMap<K, V>>
    where
        K: Key,
    {
        Ok(self.collect()?.into_iter().collect())
    }

    /// The values of `key`, in the order of the records. Looks at one partition only when the dataset is partitioned
    /// by hash.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([(1, 'a'), (2, 'b'), (1, 'c')]).lookup(&1)?, ['a', 'c']);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn lookup(&self, key: &K) -> Result<Vec<V>>
    where
        K: Key,
    {
        let partitions = match self.partitioner() {
            Some(PartitionerId::Hash(n)) => vec![HashPartitioner::new(*n).partition(key, key_hash(key))],
            _ => (0..self.num_partitions()).collect(),
        };
        let key = key.clone();
        let found = self.run(&partitions, move |mut chunks, _| {
            let mut values = Vec::new();
            for_each_slice(&mut *chunks, |pairs| {
                values.extend(pairs.iter().filter(|(k, _)| *k == key).map(|(_, value)| value.clone()));
                Ok(())
            })?;
            Ok(values)
        })?;
        Ok(found.into_iter().flatten().collect())
    }
}
