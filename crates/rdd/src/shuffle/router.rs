// SPDX-License-Identifier: Apache-2.0
//! The map side's choice of a bucket: combining by key, by key alone, or in turn.

use std::sync::Arc;

use super::{aggregator::Aggregator, footprint::RecordMeter, table::CombineTable};
use crate::{
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

/// Merges the values of each key before they leave the map task, in a table for each bucket.
pub(crate) struct Combining<K, A, C> {
    tables: Vec<CombineTable<K, C>>,
    partitioner: ArcPartitioner<K>,
    /// The partitioner, if it is one that needs no dynamic call per record.
    by_hash: Option<HashPartitioner>,
    aggregator: Arc<A>,
}

impl<K: Key, A, C: Wire> Combining<K, A, C> {
    pub(crate) fn new(partitioner: &ArcPartitioner<K>, aggregator: &Arc<A>) -> Self {
        let by_hash = match partitioner.id() {
            PartitionerId::Hash(partitions) => Some(HashPartitioner::new(partitions)),
            _ => None,
        };
        Self {
            tables: (0..partitioner.partitions()).map(|_| CombineTable::new()).collect(),
            partitioner: Arc::clone(partitioner),
            by_hash,
            aggregator: Arc::clone(aggregator),
        }
    }
}

impl<K: Key, V: Wire, A: Aggregator<V>> Router<(K, V), (K, A::Acc)> for Combining<K, A, A::Acc> {
    fn route(&mut self, records: &mut Vec<(K, V)>) -> Result<(), TaskError> {
        let Self { tables, partitioner, by_hash, aggregator } = self;
        match (&mut tables[..], by_hash) {
            ([table], _) => table.extend(records.drain(..), &**aggregator),
            (tables, Some(by_hash)) => {
                for record in records.drain(..) {
                    let hash = key_hash(&record.0);
                    tables[by_hash.partition(&record.0, hash)].merge(record, hash, &**aggregator)?;
                }
                Ok(())
            }
            (tables, None) => {
                for record in records.drain(..) {
                    let hash = key_hash(&record.0);
                    let bucket = bucket_of(&**partitioner, &record.0, hash)?;
                    tables[bucket].merge(record, hash, &**aggregator)?;
                }
                Ok(())
            }
        }
    }

    fn records(&self) -> usize {
        self.tables.iter().map(CombineTable::values).sum()
    }

    fn bytes(&self) -> usize {
        self.tables.iter().map(CombineTable::bytes).sum()
    }

    fn take(&mut self) -> Result<Vec<Vec<(K, A::Acc)>>, TaskError> {
        Ok(self.tables.iter_mut().map(|table| table.take().collect()).collect())
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
