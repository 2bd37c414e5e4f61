// SPDX-License-Identifier: Apache-2.0
//! The walk through a partition that makes the next version of it.

use super::{
    index::Index,
    touched::{Chained, KeyValues, Touched},
};
use crate::{
    chunk::{CHUNK, Resting},
    error::TaskError,
    partitioner::key_hash,
    record::Key,
    scheduler::task::TaskContext,
};

/// Calls `f` for every key, and returns the keys that stay, with what it returns, in chunks of one size. A key that goes
/// leaves its place to the last one, so that no other place changes: the work on the index is that of the keys that come
/// and go.
pub(super) fn walk<K: Key, S: Clone, V>(
    before: &Resting<(K, S)>,
    index: &mut Index<K, S>,
    touched: Touched<K, V>,
    task: &TaskContext,
    f: impl FnMut(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, TaskError>,
) -> Result<Vec<Vec<(K, S)>>, TaskError> {
    let mut walk = Walk { before, chained: touched.chained(), f };
    let mut last = walk.chained.places();
    let mut evolved = Vec::with_capacity(last.div_ceil(CHUNK));
    let mut place = 0;
    while place < last {
        task.check_cancelled()?;
        let mut chunk = Vec::with_capacity(CHUNK.min(last - place));
        while chunk.len() < CHUNK && place < last {
            if let Some(pair) = walk.step(place)? {
                chunk.push(pair);
            } else {
                index.places.remove(key_hash(walk.key(place)), place);
                let Some(Placed { from, pair }) = walk.last_that_stays(place, &mut last, index)? else {
                    break;
                };
                index.places.relocate(key_hash(&pair.0), from, place);
                chunk.push(pair);
            }
            place += 1;
        }
        if !chunk.is_empty() {
            evolved.push(chunk);
        }
    }
    Ok(evolved)
}

/// A key with its new state, and the place that it leaves.
struct Placed<K, S> {
    from: usize,
    pair: (K, S),
}

struct Walk<'a, K, S, V, F> {
    before: &'a Resting<(K, S)>,
    chained: Chained<K, V>,
    f: F,
}

impl<K: Key, S: Clone, V, F> Walk<'_, K, S, V, F>
where
    F: FnMut(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, TaskError>,
{
    /// The key at a place with its new state.
    #[inline]
    fn step(&mut self, place: usize) -> Result<Option<(K, S)>, TaskError> {
        if let Some(key) = self.chained.fresh(place).cloned() {
            let state = (self.f)(&key, None, self.chained.values(place))?;
            return Ok(state.map(|state| (key, state)));
        }
        let (key, state) = &self.before[place / CHUNK][place % CHUNK];
        let state = (self.f)(key, Some(state), self.chained.values(place))?;
        Ok(state.map(|state| (key.clone(), state)))
    }

    fn key(&self, place: usize) -> &K {
        self.chained.fresh(place).unwrap_or_else(|| &self.before[place / CHUNK][place % CHUNK].0)
    }

    /// The last key after `place` that stays, and where it was; those after it go.
    fn last_that_stays(
        &mut self,
        place: usize,
        last: &mut usize,
        index: &mut Index<K, S>,
    ) -> Result<Option<Placed<K, S>>, TaskError> {
        while *last > place + 1 {
            *last -= 1;
            if let Some(pair) = self.step(*last)? {
                return Ok(Some(Placed { from: *last, pair }));
            }
            index.places.remove(key_hash(self.key(*last)), *last);
        }
        *last = place;
        Ok(None)
    }
}
