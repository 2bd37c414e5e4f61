// SPDX-License-Identifier: Apache-2.0
//! Actions that go by the order of records: the first ones of it, the last ones, the extremes.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use crate::{
    chunk::for_each_slice,
    error::{Error, Result},
    rdd::Rdd,
    record::Data,
};

impl<T: Data> Rdd<T> {
    /// The `n` smallest records in ascending order. Each task keeps no more than `n` records.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([3, 1, 4, 1, 5]).take_ordered(3)?, [1, 1, 3]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn take_ordered(&self, n: usize) -> Result<Vec<T>>
    where
        T: Ord,
    {
        self.take_ordered_by(n, T::clone)
    }

    /// The `n` records with the smallest keys, in ascending order; among equal keys the earlier records.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let shortest = sc.parallelize(["seven", "one", "two"]).take_ordered_by(2, |word| word.len())?;
    /// assert_eq!(shortest, ["one", "two"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn take_ordered_by<K: Ord + Send + 'static>(
        &self,
        n: usize,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        let parts = self.run_all(move |mut chunks, _| {
            let mut smallest = Smallest::new(n);
            for_each_slice(&mut *chunks, |records| {
                for record in records {
                    smallest.offer(key(record), || record.clone());
                }
                Ok(())
            })?;
            Ok(smallest)
        })?;
        Ok(Smallest::merge(n, parts).into_sorted())
    }

    /// The `n` largest records in descending order. Each task keeps no more than `n` records.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([3, 1, 4, 1, 5]).top(2)?, [5, 4]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn top(&self, n: usize) -> Result<Vec<T>>
    where
        T: Ord,
    {
        self.top_by(n, T::clone)
    }

    /// The `n` records with the largest keys, in descending order; among equal keys the earlier records.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let counts = sc.parallelize([("to", 2), ("or", 1), ("be", 2)]);
    /// assert_eq!(counts.top_by(2, |(_, count)| *count)?, [("to", 2), ("be", 2)]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn top_by<K: Ord + Send + 'static>(
        &self,
        n: usize,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        self.take_ordered_by(n, move |record| Reverse(key(record)))
    }

    /// The largest record; [`Error::EmptyCollection`] when there is none.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([3, 4, 1]).max()?, 4);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn max(&self) -> Result<T>
    where
        T: Ord,
    {
        self.top(1)?.pop().ok_or(Error::EmptyCollection)
    }

    /// The smallest record; [`Error::EmptyCollection`] when there is none.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize([3, 4, 1]).min()?, 1);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn min(&self) -> Result<T>
    where
        T: Ord,
    {
        self.take_ordered(1)?.pop().ok_or(Error::EmptyCollection)
    }
}

/// The records with the `n` smallest keys of those that were offered; among equal keys the earlier ones.
pub(crate) struct Smallest<K, T> {
    n: usize,
    /// How many were offered, which ranks equal keys.
    offered: u64,
    /// The largest of those kept is on top, the next to give way.
    heap: BinaryHeap<Ranked<K, T>>,
}

struct Ranked<K, T> {
    key: K,
    rank: u64,
    record: T,
}

impl<K: Ord, T> Smallest<K, T> {
    pub(crate) fn new(n: usize) -> Self {
        Self { n, offered: 0, heap: BinaryHeap::new() }
    }

    /// Keeps the record, which is only made if it is kept, when its key is among the smallest so far.
    pub(crate) fn offer(&mut self, key: K, record: impl FnOnce() -> T) {
        let rank = self.offered;
        self.offered += 1;
        if self.heap.len() < self.n {
            self.heap.push(Ranked { key, rank, record: record() });
        } else if let Some(mut largest) = self.heap.peek_mut()
            && key < largest.key
        {
            *largest = Ranked { key, rank, record: record() };
        }
    }

    /// The smallest of all parts.
    pub(crate) fn merge(n: usize, parts: Vec<Self>) -> Self {
        let mut merged = Self::new(n);
        for part in parts {
            for Ranked { key, record, .. } in part.heap.into_sorted_vec() {
                merged.offer(key, || record);
            }
        }
        merged
    }

    /// The records by ascending key.
    pub(crate) fn into_sorted(self) -> Vec<T> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.record).collect()
    }
}

impl<K: Ord, T> Ord for Ranked<K, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(self.rank.cmp(&other.rank))
    }
}

impl<K: Ord, T> PartialOrd for Ranked<K, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, T> PartialEq for Ranked<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord, T> Eq for Ranked<K, T> {}
