// SPDX-License-Identifier: Apache-2.0
//! Which partitioner a keyed operation uses: the one asked for, one that its inputs have, or a new one.

use std::{fmt, sync::Arc};

use crate::{
    context::RddContext,
    lineage::Lineage,
    partitioner::{ArcPartitioner, HashPartitioner, PartitionerId},
    record::Key,
};

/// How the result of a keyed operation is to be partitioned. Made from a number of partitions or a partitioner.
///
/// ```
/// # use std::sync::Arc;
/// # use dstreams_rdd::{ArcPartitioner, HashPartitioner};
/// # let sc = dstreams_rdd::RddContext::local(2)?;
/// let ones = sc.parallelize(["a", "b", "a"].map(|s| (s.to_owned(), 1)));
/// assert_eq!(ones.reduce_by_key_with(|a, b| a + b, 5).num_partitions(), 5);
/// let by_hash: ArcPartitioner<String> = Arc::new(HashPartitioner::new(3));
/// assert_eq!(ones.reduce_by_key_with(|a, b| a + b, by_hash).num_partitions(), 3);
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
#[derive(Clone, Default)]
pub enum Partitioning<K> {
    /// The partitioner of the input that has most partitions, unless it has ten times fewer than another input;
    /// otherwise by hash over [`RddOptions::default_parallelism`](crate::RddOptions::default_parallelism) partitions
    /// or, if that is not set, as many as the largest input has. Only hash partitioners can be given to an input that
    /// is partitioned otherwise; others are reused where all inputs have them.
    #[default]
    Default,
    /// By hash over this many partitions; zero is taken as one.
    Hash(usize),
    /// By this partitioner.
    By(ArcPartitioner<K>),
}

impl<K: 'static> fmt::Debug for Partitioning<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::Hash(partitions) => f.debug_tuple("Hash").field(partitions).finish(),
            Self::By(partitioner) => f.debug_tuple("By").field(&partitioner.id()).finish(),
        }
    }
}

impl<K> From<usize> for Partitioning<K> {
    fn from(partitions: usize) -> Self {
        Self::Hash(partitions)
    }
}

impl<K> From<ArcPartitioner<K>> for Partitioning<K> {
    fn from(partitioner: ArcPartitioner<K>) -> Self {
        Self::By(partitioner)
    }
}

/// The partitioner of an operation. Its rule is not known, and not needed, where all inputs have it already.
pub(crate) struct Chosen<K> {
    pub(crate) id: PartitionerId,
    pub(crate) partitions: usize,
    partitioner: Option<ArcPartitioner<K>>,
}

impl<K: Key> Chosen<K> {
    fn hash(partitions: usize) -> Self {
        Self::by(Arc::new(HashPartitioner::new(partitions)))
    }

    fn by(partitioner: ArcPartitioner<K>) -> Self {
        Self { id: partitioner.id(), partitions: partitioner.partitions(), partitioner: Some(partitioner) }
    }

    /// The partitioner to shuffle an input with; none when the input is partitioned as wanted.
    pub(crate) fn shuffle_for(&self, input: &Lineage) -> Option<&ArcPartitioner<K>> {
        if input.partitioner() == Some(&self.id) { None } else { self.partitioner.as_ref() }
    }
}

impl<K: Key> Partitioning<K> {
    pub(crate) fn choose(self, context: &RddContext, inputs: &[&Lineage]) -> Chosen<K> {
        match self {
            Self::Hash(partitions) => Chosen::hash(partitions),
            Self::By(partitioner) => Chosen::by(partitioner),
            Self::Default => default(context.options().default_parallelism, inputs),
        }
    }
}

fn default<K: Key>(parallelism: Option<usize>, inputs: &[&Lineage]) -> Chosen<K> {
    let largest = inputs.iter().map(|input| input.partitions()).max().unwrap_or(0);
    let wanted = parallelism.unwrap_or(largest);
    let usable = |id: &PartitionerId| {
        matches!(id, PartitionerId::Hash(_)) || inputs.iter().all(|input| input.partitioner() == Some(id))
    };
    let present = inputs
        .iter()
        .filter_map(|input| Some((input.partitions(), input.partitioner()?)))
        .filter(|(partitions, id)| *partitions > 0 && usable(id))
        .max_by_key(|(partitions, _)| *partitions);
    match present {
        Some((partitions, id)) if largest < 10 * partitions || wanted <= partitions => match id {
            PartitionerId::Hash(partitions) => Chosen::hash(*partitions),
            id => Chosen { id: id.clone(), partitions, partitioner: None },
        },
        _ => Chosen::hash(wanted),
    }
}
