// SPDX-License-Identifier: Apache-2.0
//! `evolve_by_key`: a keyed dataset made from the one before it, where few keys have changed.

mod index;
mod places;
#[cfg(test)]
mod tests;
mod touched;
mod walk;

use std::{marker::PhantomData, sync::Arc};

use self::{index::Index, touched::Touched, walk::walk};
pub use self::{index::KeyIndex, touched::KeyValues};
use super::{
    join::{Left, Right, append},
    through::FlatMapChunks,
};
use crate::{
    block::memory::Reservation,
    chunk::{AtRest, Borrowed, BoxChunks, CHUNK, Resting, for_each_chunk},
    error::{BoxError, TaskError},
    lineage::{Dependency, Lineage},
    rdd::Rdd,
    record::{Key, Wire},
    scheduler::task::TaskContext,
    shuffle::{
        nothing_reserved,
        partitioning::Partitioning,
        reduce_side::{Grouped, Groups},
        reserve,
    },
};

impl<K: Key, S: Wire> Rdd<(K, S)> {
    /// What becomes of this dataset, which has each key once, by the values of `changes`: `f` gets every key that either
    /// has, its state here, and its values in the order of the changes. What it returns is the new state; with `None`
    /// the key goes.
    ///
    /// What is not partitioned as `options` say is shuffled. Where memory has room for this dataset and the result, a key
    /// without values costs a call of `f` and a copy, in the order of memory: `index` knows where each key is, and serves
    /// one version after the other. Where it has not, all is grouped by key, on disk in part; so it is where a key is there
    /// twice, of which the first state counts.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// use dstreams_rdd::{KeyIndex, KeyValues};
    /// let add = |_: &char, sum: Option<&i32>, new: KeyValues<'_, i32>| {
    ///     Ok::<_, dstreams_rdd::Error>(Some(sum.unwrap_or(&0) + new.sum::<i32>()))
    /// };
    /// let index = KeyIndex::new();
    /// let first = sc.parallelize([('a', 1)]);
    /// let second = first.evolve_by_key(&[sc.parallelize([('a', 2), ('b', 5)])], &index, 1, add).cache();
    /// let third = second.evolve_by_key(&[sc.parallelize([('a', 4)])], &index, 1, add);
    /// assert_eq!(second.collect_as_map()?[&'b'], 5);
    /// assert_eq!(third.collect_as_map()?[&'a'], 7);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn evolve_by_key<V: Wire, E: Into<BoxError>>(
        &self,
        changes: &[Rdd<(K, V)>],
        index: &KeyIndex<K, S>,
        options: impl Into<Partitioning<K>>,
        f: impl Fn(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, E> + Send + Sync + 'static,
    ) -> Self {
        let inputs: Vec<_> =
            [&**self.lineage()].into_iter().chain(changes.iter().map(|rdd| &**rdd.lineage())).collect();
        let chosen = options.into().choose(self.context(), &inputs);
        // Who is in the one partition that there is need not be moved there. A shuffle would keep its outputs for a second
        // reader, but here the result is what is kept.
        let is_placed = |lineage: &Lineage| chosen.partitions == 1 && lineage.partitions() == 1;
        let before = match chosen.shuffle_for(self.lineage()) {
            Some(partitioner) if !is_placed(self.lineage()) => self.partition_by(Arc::clone(partitioner)),
            _ => self.clone(),
        };
        let placed = |rdd: &Rdd<(K, V)>| match chosen.shuffle_for(rdd.lineage()) {
            Some(partitioner) if !is_placed(rdd.lineage()) => rdd.partition_by(Arc::clone(partitioner)),
            _ => rdd.clone(),
        };
        let changes: Vec<_> = changes.iter().map(placed).collect();
        let lineages = [before.lineage()].into_iter().chain(changes.iter().map(Rdd::lineage));
        let dependencies = lineages.map(|lineage| Dependency::Narrow(Arc::clone(lineage))).collect();
        let (index, f) = (index.clone(), Arc::new(f));
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            let step = Step { before: &before, changes: &changes, partition, task, operator };
            match step.in_memory(&index, &*f)? {
                Some(evolved) => Ok(Box::new(evolved) as BoxChunks<(K, S)>),
                None => step.by_groups(&f),
            }
        };
        let context = self.context();
        Rdd::new(context, "evolve_by_key", chosen.partitions, Some(chosen.id), dependencies, compute)
    }
}

/// A key with its values, and its state in the version before if it has one.
type Group<K, V, S> = (K, (Vec<V>, Vec<S>));

/// One partition of a dataset that is made from the one before it.
struct Step<'a, K, S, V> {
    before: &'a Rdd<(K, S)>,
    changes: &'a [Rdd<(K, V)>],
    partition: usize,
    task: &'a TaskContext,
    operator: usize,
}

impl<K: Key, S: Wire, V: Wire> Step<'_, K, S, V> {
    /// The new partition, made beside the one before it; nothing when that is not in memory, or memory has no room.
    fn in_memory<E: Into<BoxError>>(
        &self,
        indexes: &KeyIndex<K, S>,
        f: &impl Fn(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, E>,
    ) -> Result<Option<AtRest<(K, S)>>, TaskError> {
        let mut memory = nothing_reserved(self.before.context());
        let mut input = self.before.chunks(self.partition, self.task)?;
        let before = match input.at_rest() {
            Some(before) => before,
            None => match Self::load(input, &mut memory)? {
                Some(before) => before,
                None => return Ok(None),
            },
        };
        let records: usize = before.iter().map(Vec::len).sum();
        // As much again; what keys and states own elsewhere is measured when the result is kept.
        let loaded = memory.bytes();
        if !reserve(&mut memory, loaded + records * size_of::<(K, S)>()) {
            return Ok(None);
        }
        let Some((before, mut index)) = indexes.take(self.partition, before, self.before.context()) else {
            return Ok(None);
        };
        let Some(touched) = self.touched(&before, &mut index, &mut memory)? else { return Ok(None) };
        self.task.set_operator(self.operator);
        let evolved = walk(&before, &mut index, touched, self.task, |key, state, values| {
            f(key, state, values).map_err(TaskError::user)
        })?;
        let evolved = Arc::new(evolved);
        indexes.keep(self.partition, index, &evolved);
        Ok(Some(AtRest::new(evolved, Some(memory), self.task)))
    }

    /// The partition before, brought to memory; nothing when that has no room for it. A partition that was on disk once
    /// would be grouped in every step otherwise: the table for that takes so much memory that the result goes to disk again.
    fn load(
        mut input: BoxChunks<(K, S)>,
        memory: &mut Reservation,
    ) -> Result<Option<Resting<(K, S)>>, TaskError> {
        let (mut loaded, mut bytes) = (Vec::new(), 0);
        let mut chunk = Vec::with_capacity(CHUNK);
        while input.next_chunk(&mut chunk)? {
            bytes += size_of_val(&*chunk);
            if !reserve(memory, bytes) {
                return Ok(None);
            }
            loaded.push(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)));
        }
        Ok(Some(Arc::new(loaded)))
    }

    /// The values of the changes, by the places of their keys; nothing when memory has no room for them.
    fn touched(
        &self,
        before: &Resting<(K, S)>,
        index: &mut Index<K, S>,
        memory: &mut Reservation,
    ) -> Result<Option<Touched<K, V>>, TaskError> {
        let records = memory.bytes();
        let mut touched = Touched::new(before.iter().map(Vec::len).sum(), index.values);
        if !reserve(memory, records + touched.bytes()) {
            return Ok(None);
        }
        for change in self.changes {
            let mut input = change.chunks(self.partition, self.task)?;
            while let Borrowed::Slice(pairs) = input.next_borrowed()? {
                for (key, value) in pairs {
                    touched.add(before, index, key, value.clone());
                }
                if !reserve(memory, records + touched.bytes()) {
                    return Ok(None);
                }
            }
            let mut has_room = true;
            for_each_chunk(&mut *input, |pairs| {
                for (key, value) in pairs.drain(..) {
                    touched.add(before, index, &key, value);
                }
                has_room = has_room && reserve(memory, records + touched.bytes());
                Ok(())
            })?;
            if !has_room {
                return Ok(None);
            }
        }
        index.values = touched.len();
        Ok(Some(touched))
    }

    /// The same by grouping all records by key, which does with the memory that there is.
    fn by_groups<E: Into<BoxError>>(
        &self,
        f: &Arc<impl Fn(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, E> + 'static>,
    ) -> Result<BoxChunks<(K, S)>, TaskError> {
        let changes: Vec<_> = self
            .changes
            .iter()
            .map(|change| change.chunks(self.partition, self.task))
            .collect::<Result<_, _>>()?;
        let mut before = self.before.chunks(self.partition, self.task)?;
        let (context, task, operator) = (self.before.context().clone(), self.task.clone(), self.operator);
        let groups = Grouped::new(move || {
            let mut groups = Groups::new(&context, &task, operator, |a, b| Ok(append(a, b)));
            for mut change in changes {
                groups.add_all(&mut *change, &Left(PhantomData))?;
            }
            groups.add_all(&mut *before, &Right(PhantomData))?;
            groups.into_chunks()
        });
        let f = Arc::clone(f);
        let evolve = move |(key, (values, states)): Group<K, V, S>| {
            let state = f(&key, states.first(), KeyValues::all(values)).map_err(TaskError::user)?;
            Ok(state.map(|state| (key, state)))
        };
        Ok(Box::new(FlatMapChunks::new(Box::new(groups), evolve, self.task, self.operator)))
    }
}
