// SPDX-License-Identifier: Apache-2.0
//! `RangePartitioner`: neighbouring keys go to the same partition, ranges of keys to partitions in order.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Partitioner, PartitionerId};
use crate::{
    action::ordered::Smallest, chunk::for_each_slice, error::Result, random::Random, rdd::Rdd, record::Data,
};

/// How many keys are sampled for each range,
const SAMPLE_PER_RANGE: usize = 20;
/// but no more than this for all.
const SAMPLE_LIMIT: usize = 1_000_000;

/// Spreads keys by ranges: each partition has the keys up to a bound, the last one those beyond all bounds. Equal
/// keys are never parted.
///
/// ```
/// use dstreams_rdd::{Partitioner, RangePartitioner, key_hash};
/// let sizes = RangePartitioner::from_bounds([10, 100]);
/// let of = |key| sizes.partition(&key, key_hash(&key));
/// assert_eq!([of(7), of(10), of(11), of(1000)], [0, 0, 1, 2]);
/// ```
#[derive(Debug, Clone)]
pub struct RangePartitioner<K> {
    id: u64,
    /// Ascending, without duplicates.
    bounds: Vec<K>,
    ascending: bool,
}

impl<K: Ord> RangePartitioner<K> {
    /// A partitioner whose ranges end with the given keys; one more range has the larger keys.
    pub fn from_bounds(bounds: impl IntoIterator<Item = K>) -> Self {
        let mut bounds: Vec<K> = bounds.into_iter().collect();
        bounds.sort_unstable();
        bounds.dedup();
        Self { id: Self::next_id(), bounds, ascending: true }
    }

    /// A partitioner with at most `partitions` ranges of about as many pairs each. It runs a job that samples the
    /// keys, twenty for each range and no more than a million.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use dstreams_rdd::RangePartitioner;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize((0..1000).rev().map(|n| (n, ())));
    /// let ranges = RangePartitioner::of_keys(&pairs, 4)?;
    /// assert_eq!(pairs.partition_by(Arc::new(ranges)).num_partitions(), 4);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn of_keys<V: Data>(pairs: &Rdd<(K, V)>, partitions: usize) -> Result<Self>
    where
        K: Data,
    {
        Self::sampled(Self::next_id(), pairs, partitions, true, |(key, _)| key.clone())
    }

    /// A number for the identity of a partitioner whose bounds are not known yet.
    pub(crate) fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Samples the keys that `key` gives to the records. When not `ascending` the first partition has the largest.
    pub(crate) fn sampled<T: Data>(
        id: u64,
        records: &Rdd<T>,
        partitions: usize,
        ascending: bool,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Result<Self>
    where
        K: Data,
    {
        let wanted = partitions.saturating_mul(SAMPLE_PER_RANGE).min(SAMPLE_LIMIT);
        if partitions <= 1 {
            return Ok(Self { id, bounds: Vec::new(), ascending });
        }
        // The smallest random numbers of all partitions choose an even sample, whatever the sizes of partitions.
        let parts = records.run_all(move |mut chunks, task| {
            let mut random = Random::new(id, task.partition());
            let mut sample = Smallest::new(wanted);
            for_each_slice(&mut *chunks, |records| {
                for record in records {
                    sample.offer(random.next_u64(), || key(record));
                }
                Ok(())
            })?;
            Ok(sample)
        })?;
        let mut sample = Smallest::merge(wanted, parts).into_sorted();
        sample.sort_unstable();
        Ok(Self { id, bounds: even_bounds(&sample, partitions), ascending })
    }

    pub(crate) fn range_of(&self, key: &K) -> usize {
        let range = self.bounds.partition_point(|bound| bound < key);
        if self.ascending { range } else { self.bounds.len() - range }
    }
}

/// Keys that part the sorted sample into as many equal ranges as wanted, or fewer when keys repeat.
fn even_bounds<K: Ord + Clone>(sample: &[K], partitions: usize) -> Vec<K> {
    let ends = (1..partitions).map(|range| range * sample.len() / partitions).filter(|&end| end > 0);
    let mut bounds: Vec<K> = ends.map(|end| sample[end - 1].clone()).collect();
    bounds.dedup();
    bounds
}

impl<K: Ord + Send + Sync + 'static> Partitioner<K> for RangePartitioner<K> {
    fn partitions(&self) -> usize {
        self.bounds.len() + 1
    }

    fn partition(&self, key: &K, _hash: u64) -> usize {
        self.range_of(key)
    }

    fn id(&self) -> PartitionerId {
        PartitionerId::Range(self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_part_a_sample_evenly() {
        let sample: Vec<u32> = (1..=12).collect();
        assert_eq!(even_bounds(&sample, 3), [4, 8]);
        assert_eq!(even_bounds(&sample, 1), []);
        assert_eq!(even_bounds(&[5, 5, 5, 5, 9], 5), [5]);
        assert_eq!(even_bounds(&[1, 2], 4), [1]);
        assert_eq!(even_bounds::<u32>(&[], 4), []);
    }

    #[test]
    fn descending_ranges_begin_with_the_largest_keys() {
        let ranges = RangePartitioner { id: 0, bounds: vec![10, 20], ascending: false };
        assert_eq!([5, 10, 15, 20, 25].map(|key| ranges.range_of(&key)), [2, 2, 1, 1, 0]);
    }
}
