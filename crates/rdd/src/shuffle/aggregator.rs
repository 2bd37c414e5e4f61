// SPDX-License-Identifier: Apache-2.0
//! How the values of one key become one: the functions that combining tables call.

use std::{marker::PhantomData, sync::Arc};

use crate::{error::TaskError, record::Wire};

/// Merges the values `V` of a key into an accumulator. The accumulator is passed by value, so that user functions of
/// the plain form `Fn(C, V) -> C` need no copy.
pub(crate) trait Aggregator<V> {
    /// What the values of a key become.
    type Acc: Wire;

    /// The accumulator of a key's first value.
    fn create(&self, value: V) -> Result<Self::Acc, TaskError>;
    /// With one more value.
    fn add(&self, acc: Self::Acc, value: V) -> Result<Self::Acc, TaskError>;
    /// Two accumulators of the same key as one; the values of `left` came first.
    fn merge(&self, left: Self::Acc, right: Self::Acc) -> Result<Self::Acc, TaskError>;
}

/// One function merges values and accumulators alike.
pub(crate) struct Reduce<F>(pub(crate) F);

impl<V: Wire, F: Fn(V, V) -> Result<V, TaskError>> Aggregator<V> for Reduce<F> {
    type Acc = V;

    #[inline]
    fn create(&self, value: V) -> Result<V, TaskError> {
        Ok(value)
    }

    #[inline]
    fn add(&self, acc: V, value: V) -> Result<V, TaskError> {
        (self.0)(acc, value)
    }

    #[inline]
    fn merge(&self, left: V, right: V) -> Result<V, TaskError> {
        (self.0)(left, right)
    }
}

/// Three functions, as `combine_by_key` takes them.
pub(crate) struct Functions<F, G, H> {
    pub(crate) create: F,
    pub(crate) merge_value: G,
    pub(crate) merge_combiners: H,
}

impl<V, C, F, G, H> Aggregator<V> for Functions<F, G, H>
where
    C: Wire,
    F: Fn(V) -> C,
    G: Fn(C, V) -> C,
    H: Fn(C, C) -> C,
{
    type Acc = C;

    #[inline]
    fn create(&self, value: V) -> Result<C, TaskError> {
        Ok((self.create)(value))
    }

    #[inline]
    fn add(&self, acc: C, value: V) -> Result<C, TaskError> {
        Ok((self.merge_value)(acc, value))
    }

    #[inline]
    fn merge(&self, left: C, right: C) -> Result<C, TaskError> {
        Ok((self.merge_combiners)(left, right))
    }
}

/// Collects the values of a key in the order of their coming.
pub(crate) struct Collect<V>(PhantomData<fn() -> V>);

impl<V> Collect<V> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V: Wire> Aggregator<V> for Collect<V> {
    type Acc = Vec<V>;

    fn create(&self, value: V) -> Result<Vec<V>, TaskError> {
        Ok(vec![value])
    }

    fn add(&self, mut acc: Vec<V>, value: V) -> Result<Vec<V>, TaskError> {
        acc.push(value);
        Ok(acc)
    }

    fn merge(&self, mut left: Vec<V>, mut right: Vec<V>) -> Result<Vec<V>, TaskError> {
        left.append(&mut right);
        Ok(left)
    }
}

/// The reduce side of an aggregation that was begun on the map side: the values are accumulators already.
pub(crate) struct Merging<V, A> {
    map_side: Arc<A>,
    values: PhantomData<fn() -> V>,
}

impl<V, A> Merging<V, A> {
    pub(crate) fn new(map_side: Arc<A>) -> Self {
        Self { map_side, values: PhantomData }
    }
}

impl<V, A: Aggregator<V>> Aggregator<A::Acc> for Merging<V, A> {
    type Acc = A::Acc;

    #[inline]
    fn create(&self, value: A::Acc) -> Result<A::Acc, TaskError> {
        Ok(value)
    }

    #[inline]
    fn add(&self, acc: A::Acc, value: A::Acc) -> Result<A::Acc, TaskError> {
        self.map_side.merge(acc, value)
    }

    #[inline]
    fn merge(&self, left: A::Acc, right: A::Acc) -> Result<A::Acc, TaskError> {
        self.map_side.merge(left, right)
    }
}
