// SPDX-License-Identifier: Apache-2.0
//! The map side's choice of a bucket: combining by key, by key alone, or in turn.

use std::sync::Arc;

use super::{aggregator::Aggregator, expected::Expected, footprint::RecordMeter, table::CombineTable};
use crate::{
    block::memory::MemoryBudget,
    error::TaskError,
    partitioner::{ArcPartitioner, HashPartitioner, Partitioner, PartitionerId, key_hash},
    record::{Key, Wire},
};

/// Takes the records of one map partition and keeps them sorted into buckets.
pub(crate) trait Router<T, R> {
    /// Takes all records of a chunk.
    fn route(&mut self, records: &mut Vec<T>) -> Result<(), TaskError>;

    /// How many records have come since the last [`take`](Self::take).
    fn records(&self) -> usize;

    /// The memory that the buckets take, as estimated.
    fn bytes(&self) -> usize;

    /// The buckets so far, one per reducer; the router is empty afterwards.
    fn take(&mut self) -> Result<Vec<Vec<R>>, TaskError>;
}

/// Merges the values of each key before they leave the map task. The bucket is found once per key, when all have come.
pub(crate) struct Combining<K, A, C> {
    table: CombineTable<K, C>,
    partitioner: ArcPartitioner<K>,
    /// The partitioner, if it is one that needs no dynamic call per key.
    by_hash: Option<HashPartitioner>,
    aggregator: Arc<A>,
    expected: Expected,
}

impl<K: Key, A, C: Wire> Combining<K, A, C> {
    /// An empty table, with room for the keys that are expected if that is free.
    pub(crate) fn new(
        partitioner: &ArcPartitioner<K>,
        aggregator: &Arc<A>,
        expected: &Expected,
        memory: &MemoryBudget,
    ) -> Self {
        let by_hash = match partitioner.id() {
            PartitionerId::Hash(partitions) => Some(HashPartitioner::new(partitions)),
            _ => None,
        };
        let mut table = CombineTable::new();
        let keys = expected.keys();
        if CombineTable::<K, C>::bytes_for(keys) <= memory.limit().saturating_sub(memory.used()) {
            table.reserve(keys);
        }
        Self {
            table,
            partitioner: Arc::clone(partitioner),
            by_hash,
            aggregator: Arc::clone(aggregator),
            expected: expected.clone(),
        }
    }
}

impl<K: Key, V: Wire, A: Aggregator<V>> Router<(K, V), (K, A::Acc)> for Combining<K, A, A::Acc> {
    fn route(&mut self, records: &mut Vec<(K, V)>) -> Result<(), TaskError> {
        self.table.extend(records.drain(..), &*self.aggregator)
    }

    fn records(&self) -> usize {
        self.table.values()
    }

    fn bytes(&self) -> usize {
        self.table.bytes()
    }

    fn take(&mut self) -> Result<Vec<Vec<(K, A::Acc)>>, TaskError> {
        self.expected.learn(self.table.len());
        let partitions = self.partitioner.partitions();
        if partitions == 1 {
            return Ok(vec![self.table.take().collect()]);
        }
        // Buckets of a hash are about equal; a little more saves most of them from growing.
        let share = self.table.len() / partitions;
        let mut buckets: Vec<_> = (0..partitions).map(|_| Vec::with_capacity(share + share / 16)).collect();
        for pair in self.table.take() {
            let hash = key_hash(&pair.0);
            let bucket = match &self.by_hash {
                Some(by_hash) => by_hash.partition(&pair.0, hash),
                None => bucket_of(&*self.partitioner, &pair.0, hash)?,
            };
            buckets[bucket].push(pair);
        }
        Ok(buckets)
    }
}

/// Sends pairs as they are to the bucket of their key.
pub(crate) struct ByKey<K, V> {
    partitioner: ArcPartitioner<K>,
    buckets: Vec<Vec<(K, V)>>,
    meter: RecordMeter,
}

impl<K: Key, V> ByKey<K, V> {
    pub(crate) fn new(partitioner: &ArcPartitioner<K>) -> Self {
        Self {
            partitioner: Arc::clone(partitioner),
            buckets: empty(partitioner.partitions()),
            meter: RecordMeter::default(),
        }
    }
}

impl<K: Key, V: Wire> Router<(K, V), (K, V)> for ByKey<K, V> {
    fn route(&mut self, records: &mut Vec<(K, V)>) -> Result<(), TaskError> {
        self.meter.count(records);
        for record in records.drain(..) {
            let bucket = bucket_of(&*self.partitioner, &record.0, key_hash(&record.0))?;
            self.buckets[bucket].push(record);
        }
        Ok(())
    }

    fn records(&self) -> usize {
        self.meter.records()
    }

    fn bytes(&self) -> usize {
        self.meter.bytes::<(K, V)>()
    }

    fn take(&mut self) -> Result<Vec<Vec<(K, V)>>, TaskError> {
        self.meter.reset();
        let next = empty(self.buckets.len());
        Ok(std::mem::replace(&mut self.buckets, next))
    }
}

/// Deals records out in turn, so that all buckets are of one size.
pub(crate) struct InTurn<T> {
    next: usize,
    buckets: Vec<Vec<T>>,
    meter: RecordMeter,
}

impl<T> InTurn<T> {
    /// The first bucket depends on the map partition; otherwise small partitions would all fill the first buckets.
    pub(crate) fn new(partition: usize, reducers: usize) -> Self {
        let first = key_hash(&partition) % reducers as u64;
        Self {
            next: usize::try_from(first).unwrap_or(0),
            buckets: empty(reducers),
            meter: RecordMeter::default(),
        }
    }
}

impl<T: Wire> Router<T, T> for InTurn<T> {
    fn route(&mut self, records: &mut Vec<T>) -> Result<(), TaskError> {
        self.meter.count(records);
        for record in records.drain(..) {
            self.buckets[self.next].push(record);
            self.next += 1;
            if self.next == self.buckets.len() {
                self.next = 0;
            }
        }
        Ok(())
    }

    fn records(&self) -> usize {
        self.meter.records()
    }

    fn bytes(&self) -> usize {
        self.meter.bytes::<T>()
    }

    fn take(&mut self) -> Result<Vec<Vec<T>>, TaskError> {
        self.meter.reset();
        let next = empty(self.buckets.len());
        Ok(std::mem::replace(&mut self.buckets, next))
    }
}

fn empty<R>(buckets: usize) -> Vec<Vec<R>> {
    (0..buckets).map(|_| Vec::new()).collect()
}

/// The partition of a key, checked because partitioners can be user code.
#[inline]
fn bucket_of<K: 'static>(partitioner: &dyn Partitioner<K>, key: &K, hash: u64) -> Result<usize, TaskError> {
    let (bucket, buckets) = (partitioner.partition(key, hash), partitioner.partitions());
    if bucket < buckets {
        return Ok(bucket);
    }
    Err(TaskError::Other(format!("the partitioner put a key into partition {bucket} of {buckets}").into()))
}
