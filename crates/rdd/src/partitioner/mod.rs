// SPDX-License-Identifier: Apache-2.0
//! Which partition a key belongs to: hash, range and user-defined partitioners.

mod range;

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

pub use range::RangePartitioner;

/// Spreads keys over a fixed number of partitions. The same key must always go to the same partition.
pub trait Partitioner<K>: Send + Sync + 'static {
    /// How many partitions there are.
    fn partitions(&self) -> usize;

    /// The partition of `key`, less than [`partitions`](Self::partitions). `hash` is [`key_hash`] of it, already
    /// computed because the combining tables need it too.
    fn partition(&self, key: &K, hash: u64) -> usize;

    /// Two datasets whose partitioners have equal ids are partitioned alike and can be joined without a shuffle.
    fn id(&self) -> PartitionerId;
}

/// The identity of a partitioner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartitionerId {
    /// By hash over this many partitions.
    Hash(usize),
    /// By key ranges; every sample of ranges has its own number.
    Range(u64),
    /// User-defined: a name that stands for its rule, and the number of partitions.
    Custom(String, usize),
}

/// The hash that partitioners and combining tables share. It has no per-process seed, so that a retried task and
/// another process of the same program agree.
#[inline]
pub fn key_hash<K: Hash + ?Sized>(key: &K) -> u64 {
    foldhash::fast::FixedState::with_seed(0x5eed).hash_one(key)
}

/// Spreads keys evenly by their hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashPartitioner {
    partitions: usize,
}

impl HashPartitioner {
    /// A partitioner over `partitions` partitions; zero is taken as one.
    pub fn new(partitions: usize) -> Self {
        Self { partitions: partitions.max(1) }
    }
}

impl<K> Partitioner<K> for HashPartitioner {
    fn partitions(&self) -> usize {
        self.partitions
    }

    #[inline]
    fn partition(&self, _key: &K, hash: u64) -> usize {
        // The high half of the product scales the hash to the range without a division; it uses the high bits, and
        // the combining tables the low ones.
        usize::try_from((u128::from(hash) * self.partitions as u128) >> 64).unwrap_or(0)
    }

    fn id(&self) -> PartitionerId {
        PartitionerId::Hash(self.partitions)
    }
}

/// A shared partitioner.
pub type ArcPartitioner<K> = Arc<dyn Partitioner<K>>;
